//! What a request says beyond the canonical model: a walk along the tables of [`super::shapes`].

use smallvec::SmallVec;

use super::canon::Canon;
use super::shapes::{EVERYWHERE, Field, IGNORED, Mark, Table};
use crate::json::{self, Fields};

/// What was found on the way.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Found {
    /// Fields that are in no table, or given twice.
    pub(super) unknown: bool,
    pub(super) tools: bool,
    pub(super) media: bool,
}

/// A walk through a request.
#[derive(Debug)]
pub(super) struct Walk<'w> {
    canon: &'w mut Canon,
    found: Found,
    /// Where it is: names and, in arrays, positions.
    path: SmallVec<[Step; 8]>,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Name(&'static str),
    Index(usize),
}

/// Writes what an object at the top of a request says beyond the model.
pub(super) fn walk(fields: &Fields<'_>, table: Table, canon: &mut Canon) -> Found {
    let mut walk = Walk {
        canon,
        found: Found::default(),
        path: SmallVec::new(),
    };
    walk.object(fields, table);
    walk.found
}

/// A field with fields inside: its place in its table, its name, its JSON, and what to make of what is inside.
type Inner<'a> = (usize, &'static str, &'a str, fn(&Fields<'_>) -> Table);

impl Walk<'_> {
    fn object(&mut self, fields: &Fields<'_>, table: Table) {
        let mut odd: SmallVec<[(&str, &str); 4]> = SmallVec::new();
        let mut inner: SmallVec<[Inner<'_>; 4]> = SmallVec::new();
        let mut seen = 0_u64;
        for (name, json) in fields.iter() {
            let Some((place, (known, field))) = table.iter().enumerate().find(|(_, it)| it.0 == name) else {
                if !self.is_ignored(name) {
                    self.found.unknown |= json != "null";
                    odd.push((name, json));
                }
                continue;
            };
            let bit = 1_u64 << (place % 64);
            if seen & bit != 0 {
                return self.twice(fields);
            }
            seen |= bit;
            if json == "null" {
                continue;
            }
            match field {
                Field::Read => {}
                Field::Unless(others) if others.iter().all(|other| fields.raw(other).is_none()) => {}
                Field::Fixed(text) if json::text(json).is_some_and(|said| said == *text) => {}
                Field::Inside(table) => inner.push((place, known, json, *table)),
                Field::Also | Field::Unless(_) | Field::Fixed(_) => odd.push((name, json)),
                Field::Marks(mark) => {
                    self.mark(*mark);
                    odd.push((name, json));
                }
            }
        }
        self.write(&mut odd);
        inner.sort_unstable_by_key(|(place, ..)| *place);
        for (_, name, json, table) in inner {
            self.inside(name, json, table);
        }
    }

    fn is_ignored(&self, name: &str) -> bool {
        name == EVERYWHERE || (self.path.is_empty() && IGNORED.iter().any(|(ignored, _)| *ignored == name))
    }

    const fn mark(&mut self, mark: Mark) {
        match mark {
            Mark::Tools => self.found.tools = true,
            Mark::Media => self.found.media = true,
        }
    }

    /// An object that gives a field twice counts letter by letter: who knows which of the two is read elsewhere.
    fn twice(&mut self, fields: &Fields<'_>) {
        self.found.unknown = true;
        self.place(b'2');
        self.canon.count(fields.iter().count());
        for (name, json) in fields.iter() {
            self.canon.text(name);
            self.canon.verbatim(json);
        }
    }

    fn write(&mut self, odd: &mut [(&str, &str)]) {
        if odd.is_empty() {
            return;
        }
        odd.sort_by_key(|(name, _)| *name);
        self.place(b'1');
        self.canon.count(odd.len());
        for (name, json) in odd {
            self.canon.text(name);
            self.canon.json(json);
        }
    }

    /// Writes where it is.
    fn place(&mut self, tag: u8) {
        self.canon.tag(tag);
        self.canon.count(self.path.len());
        for step in &self.path {
            match step {
                Step::Name(name) => self.canon.text(name),
                Step::Index(index) => self.canon.count(*index),
            }
        }
    }

    fn inside(&mut self, name: &'static str, json: &str, table: fn(&Fields<'_>) -> Table) {
        self.path.push(Step::Name(name));
        if json.starts_with('[') {
            for (index, element) in json::elements(json).into_iter().enumerate() {
                if let Some(fields) = Fields::of(element) {
                    self.path.push(Step::Index(index));
                    self.object(&fields, table(&fields));
                    self.path.pop();
                }
            }
        } else if let Some(fields) = Fields::of(json) {
            self.object(&fields, table(&fields));
        }
        self.path.pop();
    }
}

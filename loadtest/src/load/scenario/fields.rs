//! Reads the fields of a mapping, and writes down everything that is wrong with them: one run finds all of it.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use super::super::units;
use super::super::yaml::{Node, Value};

/// How alike a name must be to be offered for a mistyped one.
const ALIKE: f64 = 0.55;

/// One thing that is wrong with a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The field: `requests[0].surface`. Empty: the document.
    pub path: String,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.path.is_empty() { "" } else { ": " };
        write!(f, "line {}: {}{separator}{}", self.line, self.path, self.message)
    }
}

/// What is wrong so far.
pub(super) type Problems = RefCell<Vec<Problem>>;

/// A mapping being read.
pub(super) struct Fields<'a> {
    entries: &'a [(String, Node)],
    line: usize,
    path: String,
    problems: &'a Problems,
    /// Every name that was asked for.
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Fields<'a> {
    /// `None`, and a problem, where `node` is no mapping.
    pub(super) fn of(node: &'a Node, path: &str, problems: &'a Problems) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            let message = format!("found {}, expected a mapping", node.value.noun());
            problems.borrow_mut().push(Problem {
                line: node.line,
                path: path.to_owned(),
                message,
            });
            return None;
        };
        Some(Self {
            entries,
            line: node.line,
            path: path.to_owned(),
            problems,
            known: RefCell::default(),
        })
    }

    /// The path of a field.
    pub(super) fn path(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    pub(super) const fn problems(&self) -> &'a Problems {
        self.problems
    }

    /// A field, if it is there.
    pub(super) fn node(&self, name: &'static str) -> Option<&'a Node> {
        self.known.borrow_mut().push(name);
        self.entries
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, node)| node)
    }

    /// Whether a field is not there at all.
    pub(super) fn entry_is_missing(&self, name: &str) -> bool {
        self.entries.iter().all(|(key, _)| key != name)
    }

    /// Writes down that a field is wrong.
    pub(super) fn wrong(&self, name: &str, message: impl Into<String>) {
        let node = self.entries.iter().find(|(key, _)| key == name);
        self.problems.borrow_mut().push(Problem {
            line: node.map_or(self.line, |(_, node)| node.line),
            path: self.path(name),
            message: message.into(),
        });
    }

    /// A field read by `read`; `expected` says what it should have been.
    pub(super) fn read<T>(
        &self,
        name: &'static str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let node = self.node(name)?;
        let found = match &node.value {
            Value::Scalar(text) => read(text),
            Value::List(_) | Value::Map(_) => None,
        };
        if found.is_none() {
            self.wrong(name, format!("found {}, expected {expected}", node.value.noun()));
        }
        found
    }

    pub(super) fn text(&self, name: &'static str) -> Option<String> {
        self.read(name, "text", |text| (!text.is_empty()).then(|| text.to_owned()))
    }

    pub(super) fn duration(&self, name: &'static str) -> Option<Duration> {
        let expected = "a duration such as 250us, 500ms, 10s or 5m, at most 24h";
        self.read(name, expected, units::duration)
    }

    pub(super) fn share(&self, name: &'static str) -> Option<f64> {
        self.read(name, "a share such as 5% or 0.05", units::share)
    }

    /// A whole number within `range`.
    pub(super) fn whole(&self, name: &'static str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(name, &expected, |text| {
            let number: u64 = text.replace('_', "").parse().ok()?;
            range.contains(&number).then_some(number)
        })
    }

    /// A number from 0 to `most`.
    pub(super) fn number(&self, name: &'static str, most: f64) -> Option<f64> {
        let expected = format!("a number from 0 to {most}");
        self.read(name, &expected, |text| {
            units::number(text).filter(|number| *number <= most)
        })
    }

    pub(super) fn truth(&self, name: &'static str) -> Option<bool> {
        self.read(name, "true or false", |text| match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, name: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        let node = self.node(name)?;
        let Value::Scalar(text) = &node.value else {
            self.wrong(name, format!("found {}, expected a word", node.value.noun()));
            return None;
        };
        if let Some((_, chosen)) = choices.iter().find(|(word, _)| word == text) {
            return Some(*chosen);
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        self.wrong(name, unknown("value", text, &words));
        None
    }

    /// The items of a list, with their paths. A single value is a list of one.
    pub(super) fn items(&self, name: &'static str) -> Vec<(String, &'a Node)> {
        let Some(node) = self.node(name) else {
            return Vec::new();
        };
        let path = self.path(name);
        match &node.value {
            Value::List(items) => items
                .iter()
                .enumerate()
                .map(|(number, item)| (format!("{path}[{number}]"), item))
                .collect(),
            Value::Scalar(_) | Value::Map(_) => vec![(path, node)],
        }
    }

    /// Writes down every field that nobody asked for.
    pub(super) fn finish(self) {
        let known = self.known.take();
        for (key, node) in self.entries {
            if !known.contains(&key.as_str()) {
                self.problems.borrow_mut().push(Problem {
                    line: node.line,
                    path: self.path(key),
                    message: unknown("field", key, &known),
                });
            }
        }
    }
}

/// `unknown field 'wram_up': did you mean 'warm_up'?`, or all that is known.
pub(crate) fn unknown(what: &str, found: &str, known: &[&str]) -> String {
    let alike = known
        .iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(found, name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let found: String = found.chars().take(60).collect();
    match alike {
        Some((score, name)) if score >= ALIKE => {
            format!("unknown {what} '{found}': did you mean '{name}'?")
        }
        _ => {
            let mut known = known.to_vec();
            known.sort_unstable();
            known.dedup();
            format!("unknown {what} '{found}': expected one of {}", known.join(", "))
        }
    }
}

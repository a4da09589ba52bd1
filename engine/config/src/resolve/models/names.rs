//! The names of models: unique, and known before any reference to them is followed.

use std::collections::HashMap;

use tollgate_core::Pattern;

use super::Written;
use crate::place::Place;
use crate::resolve::Context;
use crate::words::named;

const LONGEST: usize = 256;

/// All names and aliases.
pub(super) struct Names<'c> {
    /// The model that a name or an alias stands for, by its own name.
    exact: HashMap<&'c str, &'c str>,
    patterns: Vec<Pattern>,
}

impl<'c> Names<'c> {
    /// Collects the names, and reports bad ones and those used twice.
    pub(super) fn new(context: Context<'_>, written: &[Written<'c>]) -> Self {
        let mut names = Self {
            exact: HashMap::new(),
            patterns: Vec::new(),
        };
        for it in written {
            let section = Place::ROOT.key(it.section);
            let place = section.key(it.name);
            check_name(context, it.name, place);
            names.add(context, it.name, it, place);
            names
                .patterns
                .extend(Pattern::parse(it.name).filter(Pattern::is_wildcard));
        }
        // After all names: an alias never takes a name from the model that has it.
        for it in written {
            let section = Place::ROOT.key(it.section);
            let model = section.key(it.name);
            let list = model.key("aliases");
            for (index, alias) in it.model.aliases.iter().flatten().enumerate() {
                let Some(alias) = alias else { continue };
                let place = list.item(index);
                check_name(context, alias, place);
                if alias.contains('*') {
                    context
                        .report
                        .problem(place, "a pattern as an alias", "a name without *");
                }
                names.add(context, alias, it, place);
            }
        }
        names
    }

    fn add(&mut self, context: Context<'_>, name: &'c str, written: &Written<'c>, place: Place<'_>) {
        if let Some(owner) = self.exact.get(name) {
            let found = format!(
                "{} is already a name of {}",
                context.report.named(place, name),
                named(owner)
            );
            context
                .report
                .problem(place, found, "each name once, in models and routes together");
            return;
        }
        self.exact.insert(name, written.name);
    }

    /// Whether a client could ask for `name`.
    pub(super) fn exists(&self, name: &str) -> bool {
        let matches = |pattern: &Pattern| pattern.capture(name).is_some_and(|it| !it.is_empty());
        self.exact.contains_key(name) || self.patterns.iter().any(matches)
    }

    /// Whether both are names of the same model.
    pub(super) fn same_model(&self, name: &str, other: &str) -> bool {
        let model = |name| self.exact.get(name).copied();
        name == other || model(name).is_some_and(|it| Some(it) == model(other))
    }

    /// All names.
    pub(super) fn all(&self) -> impl Iterator<Item = &'c str> {
        self.exact.keys().copied()
    }
}

fn check_name(context: Context<'_>, name: &str, place: Place<'_>) {
    let is_odd = |c: char| c.is_control() || c.is_whitespace();
    if name.is_empty() || name.len() > LONGEST || name.contains(is_odd) {
        let expected = "1 to 256 characters without white space";
        context
            .report
            .problem(place, "a name that cannot be used for a model", expected);
    } else if Pattern::parse(name).is_none() {
        context
            .report
            .problem(place, "more than one *", "a name with at most one *");
    }
}

//! Collects problems and warnings while a document is checked.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use crate::place::Place;
use crate::problem::Problem;
use crate::tree::{Node, Value};
use crate::words::{HIDDEN, named, quoted};

/// A file with more problems is of another kind altogether: reading on helps nobody.
const MOST: usize = 1000;

/// The problems and warnings found so far. Checks share it, and never stop at the first problem.
pub(crate) struct Report<'d> {
    file: &'d str,
    document: &'d Node,
    found: RefCell<Found>,
}

struct Found {
    problems: Vec<Problem>,
    paths: HashSet<String>,
    warnings: Vec<String>,
}

impl<'d> Report<'d> {
    /// A report on `document`, which came from `file`, with the problems known so far.
    pub(crate) fn new(file: &'d str, document: &'d Node, known: Vec<Problem>) -> Self {
        let found = Found {
            paths: known.iter().map(|problem| problem.path.clone()).collect(),
            problems: known,
            warnings: Vec::new(),
        };
        Self {
            file,
            document,
            found: RefCell::new(found),
        }
    }

    /// Something is wrong at `place`. Only the first problem of a place is kept: what follows from a broken
    /// value is no news.
    pub(crate) fn problem(&self, place: Place<'_>, found: impl Into<String>, expected: impl Into<String>) {
        self.add(place, found.into(), expected.into(), None);
    }

    /// The same, with a way to mend it.
    pub(crate) fn problem_with_hint(
        &self,
        place: Place<'_>,
        found: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.add(place, found.into(), expected.into(), Some(hint.into()));
    }

    fn add(&self, place: Place<'_>, found: String, expected: String, hint: Option<String>) {
        let path = place.to_string();
        let mut all = self.found.borrow_mut();
        if all.problems.len() >= MOST {
            return;
        }
        if all.paths.insert(path.clone()) {
            let line = Some(place.line_in(self.document));
            let file = self.file.to_owned();
            all.problems.push(Problem {
                file,
                path,
                line,
                found,
                expected,
                hint,
            });
        }
    }

    /// Whether anything is wrong so far.
    pub(crate) fn has_problems(&self) -> bool {
        !self.found.borrow().problems.is_empty()
    }

    /// Whether further problems would be dropped: then it is not worth finding out more about them.
    pub(crate) fn is_full(&self) -> bool {
        self.found.borrow().problems.len() >= MOST
    }

    /// Something is worth a look at `place`, and no reason to refuse the file.
    pub(crate) fn warn(&self, place: Place<'_>, text: impl fmt::Display) {
        if self.found.borrow().warnings.len() >= MOST {
            return;
        }
        let warning = format!("{}:{}: {place}: {text}", self.file, place.line_in(self.document));
        self.found.borrow_mut().warnings.push(warning);
    }

    /// The text at `place`, for a message: not shown where it came from a variable or is long, because it might
    /// be a secret.
    pub(crate) fn quoted(&self, place: Place<'_>, text: &str) -> String {
        if self.is_expanded(place) {
            HIDDEN.to_owned()
        } else {
            quoted(text)
        }
    }

    /// The name at `place`, for a message: shown unless it came from a variable.
    pub(crate) fn named(&self, place: Place<'_>, name: &str) -> String {
        if self.is_expanded(place) {
            HIDDEN.to_owned()
        } else {
            named(name)
        }
    }

    fn is_expanded(&self, place: Place<'_>) -> bool {
        let node = place.node_in(self.document);
        node.is_some_and(|node| matches!(node.value, Value::Text { expanded: true, .. }))
    }

    /// Whether a problem is known at `place`, below it, or at something around it.
    pub(crate) fn is_broken(&self, place: Place<'_>) -> bool {
        let path = place.to_string();
        let starts_with = |whole: &str, start: &str| {
            let rest = whole.strip_prefix(start).unwrap_or("-");
            !start.is_empty() && (rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let paths = &self.found.borrow().paths;
        paths
            .iter()
            .any(|known| starts_with(known, &path) || starts_with(&path, known))
    }

    /// The problems, and the warnings.
    pub(crate) fn into_parts(self) -> (Vec<Problem>, Vec<String>) {
        let found = self.found.into_inner();
        (found.problems, found.warnings)
    }
}

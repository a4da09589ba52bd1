//! What is wrong with a config file: where, what was found, what was expected, and how to mend it.
//!
//! Problems are collected, not thrown: one run reports all of them. They carry names and shapes, never the
//! value of a secret or of an environment variable.

use std::fmt;

use thiserror::Error;

/// More are counted, not kept: a file of another kind altogether has a problem in each line.
const KEPT: usize = 200;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as the user named it, or what stands in for one.
    pub file: String,
    /// Where in the document: `models.fast.targets[0].weight`. Empty: the document itself.
    pub path: String,
    /// The line in the file, from 1. `None`: there is no such line (a key that is missing altogether).
    pub line: Option<usize>,
    /// What is there.
    pub found: String,
    /// What should be there. Empty where `found` says it all.
    pub expected: String,
    /// How to mend it, where that is known.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.found)?;
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        if self.expected.is_empty() {
            return Ok(());
        }
        let asks = self.hint.as_ref().is_some_and(|hint| hint.ends_with('?'));
        write!(f, "{}expected {}", if asks { " " } else { "; " }, self.expected)
    }
}

/// Everything that is wrong, in the order of the file. `Display` writes one problem a line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct Problems {
    list: Vec<Problem>,
    omitted: usize,
}

impl Problems {
    /// Sorts by line; what has none goes last.
    pub(crate) fn new(mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        let omitted = list.len().saturating_sub(KEPT);
        list.truncate(KEPT);
        Self { list, omitted }
    }

    /// The problems; the first 200 of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// How many there are, those beyond the first 200 included.
    #[expect(
        clippy::len_without_is_empty,
        reason = "there is always at least one: it is an error"
    )]
    pub fn len(&self) -> usize {
        self.list.len() + self.omitted
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.list.iter().enumerate() {
            let separator = if number == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        if self.omitted > 0 {
            write!(f, "\nand {} more", self.omitted)?;
        }
        Ok(())
    }
}

//! The gateway's access log, as far as a drill needs it: attempts and cost of each request.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

/// Lines of access logs, by the id of the request.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    by_id: HashMap<String, Line>,
    /// All of them.
    pub(crate) read: u64,
    /// Of these, those that are no JSON.
    pub(crate) broken: u64,
}

/// A request as the gateway saw it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Line {
    id: String,
    /// `None`: nothing was used, or its price is not known.
    pub(crate) cost_nanodollars: Option<u64>,
    #[serde(default)]
    pub(crate) attempts: Vec<Attempt>,
}

/// An attempt at a target.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) provider: String,
    pub(crate) outcome: String,
    pub(crate) role: Option<String>,
}

impl Lines {
    /// Reads all of these files; one that is not there has no lines.
    ///
    /// # Errors
    /// One cannot be read.
    pub(crate) fn read(files: &[PathBuf]) -> anyhow::Result<Self> {
        let mut lines = Self::default();
        for file in files {
            lines.take(&contents(file)?);
        }
        Ok(lines)
    }

    /// Takes what a log says.
    pub(crate) fn take(&mut self, text: &[u8]) {
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            self.read += 1;
            match serde_json::from_slice::<Line>(line) {
                Ok(line) => drop(self.by_id.insert(line.id.clone(), line)),
                Err(_) => self.broken += 1,
            }
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Line> {
        self.by_id.get(id)
    }

    /// How attempts at a provider ended that belong to these requests.
    pub(crate) fn outcomes<'a>(
        &self,
        provider: &str,
        ids: impl Iterator<Item = &'a str>,
    ) -> BTreeMap<String, u64> {
        let attempts = ids.filter_map(|id| self.get(id)).flat_map(|line| &line.attempts);
        let mut outcomes = BTreeMap::new();
        for attempt in attempts.filter(|it| it.provider == provider) {
            *outcomes.entry(attempt.outcome.clone()).or_default() += 1;
        }
        outcomes
    }

    /// Attempts of that role at a provider, and how many of them went well.
    pub(crate) fn of_role(&self, provider: &str, role: &str) -> (u64, u64) {
        let attempts = self.by_id.values().flat_map(|line| &line.attempts);
        let such = attempts.filter(|it| it.provider == provider && it.role.as_deref() == Some(role));
        such.fold((0, 0), |(all, well), it| {
            (all + 1, well + u64::from(it.outcome == "success"))
        })
    }
}

fn contents(file: &Path) -> anyhow::Result<Vec<u8>> {
    match std::fs::read(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.with_context(|| file.display().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_by_their_request_and_broken_ones_are_counted() {
        let mut lines = Lines::default();
        lines.take(
            b"{\"id\":\"a\",\"cost_nanodollars\":7,\"attempts\":[{\"provider\":\"p\",\"model\":\"m\",\"outcome\":\"reset\",\
              \"role\":\"probe\"},{\"provider\":\"q\",\"outcome\":\"success\"}]}\n\n{\"id\":\"b\"}\n{\"id\":\"c\",\"att",
        );
        assert_eq!((lines.read, lines.broken), (3, 1));
        let met = lines.outcomes("p", ["a", "b", "x"].into_iter());
        assert_eq!(met, BTreeMap::from([("reset".to_owned(), 1)]));
        let first = lines.get("a").expect("it is there");
        assert_eq!((first.attempts.len(), first.cost_nanodollars), (2, Some(7)));
        assert_eq!(lines.get("b").map(|line| line.attempts.len()), Some(0));
        assert_eq!(lines.get("c"), None);
        assert_eq!(lines.of_role("p", "probe"), (1, 0));
        assert_eq!(lines.of_role("q", "probe"), (0, 0));
    }

    #[test]
    fn a_log_that_is_not_there_has_no_lines() {
        let lines = Lines::read(&[PathBuf::from("/nonexistent/access.log")]).expect("no failure");
        assert_eq!((lines.by_id.len(), lines.broken), (0, 0));
    }
}

//! The config file that is drilled, as its user wrote it: what its paths mean, and what is wrong with it, in its own terms.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tollgate_config::{Problem, Problems, Source};
use tollgate_routing::Board;

use super::rewrite::{Whereabouts, anchored, state};

/// A config file, as it was written.
#[derive(Debug)]
pub(super) struct Original {
    /// What its user calls it.
    name: String,
    text: String,
    /// Its paths are whole.
    pub(super) document: Value,
    /// The file of changes made at run time. `None`: it has none, or it cannot be told where.
    pub(super) state: Option<PathBuf>,
    /// Whether it has one.
    has_state: bool,
}

impl Original {
    /// Reads the text of a file; what it refers to is found from `folder`.
    pub(super) fn read(name: String, text: String, folder: &Path) -> Result<Self, Problems> {
        let document = tollgate_config::document(&name, &text)?;
        let there = Whereabouts {
            folder,
            env: &|name| std::env::var(name).ok(),
        };
        Ok(Self {
            state: state(&document, there),
            has_state: document.pointer("/admin/state").is_some_and(|it| !it.is_null()),
            document: anchored(&document, there),
            name,
            text,
        })
    }

    /// What to know of changes made at run time: that they are not rehearsed.
    pub(super) fn remark(&self) -> Option<String> {
        let is_found = self.state.as_ref().is_some_and(|it| it.exists());
        (self.has_state && !is_found).then(|| {
            let place = self.state.as_ref().map_or_else(String::new, |it| format!(" at {}", it.display()));
            format!("`admin.state` is set and there is no such file{place}: no change made at run time is rehearsed")
        })
    }

    /// Problems of the file made of it, as of the file that its user wrote: with its lines, where it has the same problem.
    pub(super) fn blamed(&self, problems: &Problems) -> String {
        let source = Source::Text {
            name: &self.name,
            text: &self.text,
        };
        // Whatever is in a variable: it is not what the drill complains of.
        let env = |name: &str| std::env::var(name).ok().or_else(|| Some("drilled".to_owned()));
        let own = tollgate_config::load(source, &env, 1, &Board::default()).err();
        let line = |problem: &Problem| {
            let own = own.iter().flat_map(Problems::iter);
            own.filter(|it| it.path == problem.path).find_map(|it| it.line)
        };
        let blamed = problems.iter().map(|problem| Problem {
            file: self.name.clone(),
            line: line(problem),
            ..problem.clone()
        });
        blamed.map(|it| it.to_string()).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn original(text: &str) -> Original {
        Original::read("mine.yaml".to_owned(), text.to_owned(), Path::new("/nonexistent")).unwrap()
    }

    #[test]
    fn a_state_file_that_is_not_there_is_remarked() {
        assert_eq!(original("server: {}").remark(), None);
        let remark = original("admin: { state: state.json }").remark().unwrap();
        assert!(
            remark.contains("no such file at /nonexistent/state.json"),
            "{remark}"
        );
        let remark = original("admin: { state: \"${NOT_IN_ANY_ENVIRONMENT}\" }")
            .remark()
            .unwrap();
        assert!(remark.contains("no such file: no change"), "{remark}");
    }

    #[test]
    fn problems_are_told_of_the_file_that_its_user_wrote() {
        let text = "providers:\n  a: { kind: openai, api_key: \"${NOT_IN_ANY_ENVIRONMENT}\" }\n\
                    models:\n  fast: { targets: [ { provider: b, model: m } ] }\n";
        let mine = original(text);
        let source = Source::Text {
            name: "/tmp/of-the-drill.yaml",
            text: &mine.document.to_string(),
        };
        let problems =
            tollgate_config::load(source, &|_| Some(String::new()), 1, &Board::default()).unwrap_err();
        let blamed = mine.blamed(&problems);
        assert!(
            blamed.contains("mine.yaml:4: models.fast.targets[0].provider"),
            "{blamed}"
        );
        assert!(!blamed.contains("of-the-drill"), "{blamed}");
    }
}

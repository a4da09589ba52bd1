//! Where a configuration comes from, and the way from there to [`Settings`].

use std::path::Path;
use std::sync::Arc;

use tollgate_routing::Board;

use crate::Settings;
use crate::check::{Schema, check};
use crate::effective::{Lines, Written};
use crate::expand::{Env, ExpandError, expand_tree};
use crate::file::{MAX_FILE_BYTES, read_text};
use crate::place::Place;
use crate::problem::{Problem, Problems};
use crate::raw::Config;
use crate::report::Report;
use crate::resolve::{Context, resolve};
use crate::schema::schema;
use crate::tree::{self, Node, SyntaxError};

/// A config file, or its text.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// A file. Paths in it are relative to its directory.
    File(&'a Path),
    /// Text, with a name for messages. Paths in it are relative to the working directory.
    Text {
        /// What stands for the file's name in problems.
        name: &'a str,
        /// The YAML.
        text: &'a str,
    },
}

/// A config file that has been read.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    /// Its name for messages.
    pub name: &'a str,
    /// The YAML.
    pub yaml: &'a str,
    /// What paths in it are relative to.
    pub directory: &'a Path,
    /// Whether its lines mean anything to its user.
    pub lines: Lines,
}

/// Reads a configuration: all its problems at once, or settings without any.
///
/// `env` looks up environment variables; `epoch` is given to the catalog; `board` has the
/// cells of its targets, which outlive it.
pub fn load(source: Source<'_>, env: Env<'_>, epoch: u64, board: &Board) -> Result<Settings, Problems> {
    let of_file = |name, yaml, directory| Text {
        name,
        yaml,
        directory,
        lines: Lines::OfFile,
    };
    match source {
        Source::Text { name, text } => load_text(of_file(name, text, Path::new("")), env, epoch, board),
        Source::File(path) => {
            let name = path.display().to_string();
            let text = read_text(path).map_err(|error| Problems::new(vec![whole(&name, error)]))?;
            let directory = path.parent().unwrap_or(Path::new(""));
            load_text(of_file(&name, &text, directory), env, epoch, board)
        }
    }
}

/// Reads a configuration from text.
pub(crate) fn load_text(
    source: Text<'_>,
    env: Env<'_>,
    epoch: u64,
    board: &Board,
) -> Result<Settings, Problems> {
    let Text {
        name,
        yaml: text,
        directory,
        lines,
    } = source;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(Problems::new(vec![whole(name, "larger than 16 MiB".to_owned())]));
    }
    let parsed = tree::parse(text.strip_prefix('\u{feff}').unwrap_or(text));
    let tree::Document { mut root, flaws } =
        parsed.map_err(|error| Problems::new(vec![syntax(name, error)]))?;
    let mut known: Vec<Problem> = flaws.into_iter().map(|flaw| syntax(name, flaw)).collect();
    expand_tree(&mut root, Place::ROOT, env, &mut |place, line, error| {
        known.push(not_expanded(name, place, line, error));
    });
    let report = Report::new(name, &root, known);
    let context = Context {
        report: &report,
        directory,
        text,
        epoch,
        board,
    };
    let schema = schema();
    let settings = usable(&root, &schema, &report).map(|config| resolve(context, &config));
    let (problems, warnings) = report.into_parts();
    match settings {
        Some(settings) if problems.is_empty() => Ok(Settings {
            warnings,
            written: Arc::new(Written::new(name, lines, root, Schema::new(&schema))),
            ..settings
        }),
        _ => Err(Problems::new(problems)),
    }
}

/// What of the document fits the schema; the rest is reported.
fn usable(root: &Node, schema: &serde_json::Value, report: &Report<'_>) -> Option<Config> {
    let usable = check(root, Schema::new(schema), Place::ROOT, report)?;
    // What has passed the schema is of these types; were it not, that is a problem like any other.
    match serde_json::from_value(usable) {
        Ok(config) => Some(config),
        Err(error) => {
            report.problem(
                Place::ROOT,
                format!("not usable: {error}"),
                "what the schema says",
            );
            None
        }
    }
}

fn whole(file: &str, found: String) -> Problem {
    Problem {
        file: file.to_owned(),
        path: String::new(),
        line: None,
        found,
        expected: String::new(),
        hint: None,
    }
}

fn syntax(file: &str, error: SyntaxError) -> Problem {
    Problem {
        line: Some(error.line),
        path: error.path,
        expected: error.expected.to_owned(),
        ..whole(file, error.found)
    }
}

fn not_expanded(file: &str, place: Place<'_>, line: usize, error: ExpandError) -> Problem {
    let (found, expected, hint) = match error {
        ExpandError::Unset(name) => (
            format!("the environment variable {name} is not set"),
            "",
            format!("set it, or give a default: ${{{name}:-default}}"),
        ),
        ExpandError::Malformed => (
            "a malformed variable".to_owned(),
            "${NAME} or ${NAME:-default}",
            "write $$ for a single $".to_owned(),
        ),
    };
    Problem {
        path: place.to_string(),
        line: Some(line),
        expected: expected.to_owned(),
        hint: Some(hint),
        ..whole(file, found)
    }
}

//! A YAML document as a tree with line numbers: what a config file says, before anybody asks what it means.

mod limits;
mod parse;

pub(crate) use parse::{Document, SyntaxError, parse};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Its line in the file, from 1.
    pub line: usize,
    /// What it is.
    pub value: Value,
}

/// What a node can be: JSON's types, with numbers kept as they were written.
#[derive(Clone, PartialEq)]
pub(crate) enum Value {
    /// Nothing, or a value that was withdrawn because a problem with it has been reported.
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as JSON writes it.
    Number(serde_json::Number),
    /// Text.
    Text {
        /// The text, with variables expanded.
        text: String,
        /// Whether any of it stood for a variable: then no message may show it.
        expanded: bool,
        /// The environment variables that are in it, in their order. Not those of which the default was taken.
        variables: Vec<String>,
    },
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// The key.
    pub key: String,
    /// The key's line, from 1.
    pub line: usize,
    /// The value.
    pub value: Node,
}

/// Shapes only: texts may be secrets.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::List(items) => f.debug_list().entries(items).finish(),
            Self::Map(entries) => f.debug_list().entries(entries).finish(),
            scalar => f.write_str(scalar.noun()),
        }
    }
}

impl Value {
    /// What it is, in words.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text { .. } => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }

    /// A plain (unquoted) scalar by YAML's core schema.
    pub(crate) fn plain(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Self::Null,
            "true" | "True" | "TRUE" => return Self::Bool(true),
            "false" | "False" | "FALSE" => return Self::Bool(false),
            _ => {}
        }
        number(text).map_or_else(|| Self::text(text), Self::Number)
    }

    /// Text as it stands in the file.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            expanded: false,
            variables: Vec::new(),
        }
    }
}

/// A decimal number. `1.0` and `08` are numbers, `1_000`, `.inf` and `0x1f` are text: nothing in a config file
/// is better written so.
fn number(text: &str) -> Option<serde_json::Number> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Some(whole.into());
    }
    let is_number = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    if is_number {
        serde_json::Number::from_f64(text.parse().ok()?)
    } else {
        None
    }
}

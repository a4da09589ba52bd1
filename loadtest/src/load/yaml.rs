//! A YAML document as a tree with line numbers, bounded in size and depth, strict where YAML invites mistakes: one
//! document, keys that are text, no key twice, no tags, no aliases. Scalars stay the text that they were written as;
//! whoever asks for one says what it should be.
//!
//! The gateway's config has a richer tree over the same parser, a floor above this crate; what serde would give stops
//! at the first mistake, and we tell all of them.

use saphyr_parser::{Event, Parser};

const MOST_NODES: usize = 20_000;
const DEEPEST: usize = 32;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Its line, from 1.
    pub(crate) line: usize,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Scalar(String),
    List(Vec<Node>),
    /// In the order of the file.
    Map(Vec<(String, Node)>),
}

impl Value {
    /// What it is, in words.
    pub(crate) fn noun(&self) -> String {
        match self {
            Self::Scalar(text) if text.is_empty() => "nothing".to_owned(),
            Self::Scalar(text) => format!("'{}'", text.chars().take(60).collect::<String>()),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a mapping".to_owned(),
        }
    }
}

/// Reads a document.
///
/// # Errors
/// The line, and what is wrong there.
pub(crate) fn parse(text: &str) -> Result<Node, (usize, String)> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            let line = error.marker().line().max(1);
            (line, format!("not YAML: {}", error.info()))
        })?;
        let line = span.start.line().max(1);
        builder.take(event, line).map_err(|wrong| (line, wrong))?;
    }
    Ok(builder.root.unwrap_or(Node {
        line: 1,
        value: Value::Map(Vec::new()),
    }))
}

#[derive(Default)]
struct Builder {
    root: Option<Node>,
    open: Vec<Frame>,
    nodes: usize,
}

/// A list or mapping whose end has not come yet.
struct Frame {
    line: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map(Vec<(String, Node)>, Option<String>),
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), String> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err("a second document".to_owned()),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Scalar(_, _, _, Some(_)) => Err("a YAML tag".to_owned()),
            Event::Alias(_) => Err("a YAML alias".to_owned()),
            Event::Scalar(text, ..) => {
                let value = Value::Scalar(text.into_owned());
                self.add(Node { line, value })
            }
            Event::SequenceStart(..) => self.begin(Content::List(Vec::new()), line),
            Event::MappingStart(..) => self.begin(Content::Map(Vec::new(), None), line),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
        }
    }

    fn begin(&mut self, content: Content, line: usize) -> Result<(), String> {
        if self.open.len() >= DEEPEST {
            return Err(format!("nested deeper than {DEEPEST} levels"));
        }
        self.open.push(Frame { line, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(Frame { line, content }) = self.open.pop() else {
            return Ok(());
        };
        let value = match content {
            Content::List(items) => Value::List(items),
            Content::Map(entries, _) => Value::Map(entries),
        };
        self.add(Node { line, value })
    }

    fn add(&mut self, node: Node) -> Result<(), String> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(format!("more than {MOST_NODES} values"));
        }
        match self.open.last_mut().map(|frame| &mut frame.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map(entries, key)) => match (key.take(), node.value) {
                (Some(key), value) => {
                    let line = node.line;
                    entries.push((key, Node { line, value }));
                }
                (None, Value::Scalar(name)) if entries.iter().any(|(known, _)| *known == name) => {
                    return Err(format!("the key '{name}' a second time"));
                }
                (None, Value::Scalar(name)) => *key = Some(name),
                (None, _) => return Err("a key that is a list or a mapping".to_owned()),
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_texts_are_kept() {
        let root = parse("a: 1.50\nb:\n  - x\n  - { c: \"7\" }\n").unwrap();
        let Value::Map(entries) = root.value else {
            panic!("a mapping")
        };
        assert_eq!(entries[0].1.value, Value::Scalar("1.50".to_owned()));
        let Value::List(items) = &entries[1].1.value else {
            panic!("a list")
        };
        assert_eq!((items[0].line, items[1].line), (3, 4));
    }

    #[test]
    fn traps_of_yaml_are_refused_with_their_line() {
        for (text, line) in [
            ("a: 1\na: 2\n", 2),
            ("a: &x 1\nb: *x\n", 2),
            ("a: !!str 1\n", 1),
            ("a: 1\n---\nb: 2\n", 2),
            ("a: [1\nb: 2\n", 2),
            ("? [a]\n: 1\n", 1),
        ] {
            let (at, wrong) = parse(text).expect_err(text);
            assert!(at >= line && at <= line + 1, "{text}: line {at}: {wrong}");
        }
        assert!(parse(&"[".repeat(1000)).is_err());
        assert!(parse(&format!("[{}]", "1,".repeat(30_000))).is_err());
    }

    #[test]
    fn nothing_is_an_empty_mapping() {
        assert_eq!(parse("").unwrap().value, Value::Map(Vec::new()));
        assert_eq!(parse("# only a comment\n").unwrap().value, Value::Map(Vec::new()));
    }
}

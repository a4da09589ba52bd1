//! From YAML events to a tree. Iterative, bounded in depth and size, and strict where YAML invites mistakes:
//! one document, keys that are text, no key twice, no tags.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::limits::{Budget, MAX_DEPTH};
use super::{Entry, Node, Value};
use crate::place::Place;

/// Why a text is not a document. Never quotes a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// The line, from 1.
    pub line: usize,
    /// Where in the document, where that is known.
    pub path: String,
    /// What is wrong.
    pub found: String,
    /// What should be there instead.
    pub expected: &'static str,
}

impl SyntaxError {
    fn new(line: usize, found: impl Into<String>, expected: &'static str) -> Self {
        Self {
            line,
            path: String::new(),
            found: found.into(),
            expected,
        }
    }
}

/// A tree, and the keys that appear twice (of which the first one counts).
pub(crate) struct Document {
    /// The root; an empty file is an empty mapping.
    pub root: Node,
    /// Keys that stand twice in one mapping, and other things that need not stop the reading.
    pub flaws: Vec<SyntaxError>,
}

/// Reads one YAML document.
pub(crate) fn parse(text: &str) -> Result<Document, SyntaxError> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            let line = error.marker().line().max(1);
            SyntaxError::new(line, format!("not YAML: {}", error.info()), "a YAML document")
        })?;
        builder.take(event, span)?;
    }
    let root = builder.root.unwrap_or(Node {
        line: 1,
        value: Value::Map(Vec::new()),
    });
    Ok(Document {
        root,
        flaws: builder.flaws,
    })
}

struct Builder {
    root: Option<Node>,
    open: Vec<Frame>,
    /// Complete anchored nodes, with their size.
    anchors: HashMap<usize, (Node, Size)>,
    budget: Budget,
    flaws: Vec<SyntaxError>,
}

/// A list or mapping whose end has not come yet.
struct Frame {
    line: usize,
    anchor: usize,
    size: Size,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        names: HashSet<String>,
        /// The key whose value comes next.
        key: Option<(String, usize)>,
    },
}

#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    text_bytes: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            root: None,
            open: Vec::new(),
            anchors: HashMap::new(),
            budget: Budget::full(),
            flaws: Vec::new(),
        }
    }
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), SyntaxError> {
        let line = span.start.line().max(1);
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err(SyntaxError::new(
                line,
                "a second document",
                "one document in a file",
            )),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some() {
                    self.flaws
                        .push(SyntaxError::new(line, "a YAML tag", "a value without a tag"));
                }
                let size = Size {
                    nodes: 1,
                    text_bytes: text.len(),
                };
                let value = match style {
                    ScalarStyle::Plain if !self.key_is_due() => Value::plain(&text),
                    _ => Value::text(text),
                };
                self.spend(size, line)?;
                self.add(Node { line, value }, anchor, size)
            }
            Event::Alias(anchor) => self.alias(anchor, line),
            Event::SequenceStart(anchor, _) => self.begin(Content::List(Vec::new()), anchor, line),
            Event::MappingStart(anchor, _) => {
                let content = Content::Map {
                    entries: Vec::new(),
                    names: HashSet::new(),
                    key: None,
                };
                self.begin(content, anchor, line)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
        }
    }

    fn key_is_due(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Frame {
                content: Content::Map { key: None, .. },
                ..
            })
        )
    }

    fn spend(&mut self, size: Size, line: usize) -> Result<(), SyntaxError> {
        self.budget.take(size.nodes, size.text_bytes).ok_or_else(|| {
            SyntaxError::new(
                line,
                "too large with its aliases expanded",
                "at most 500,000 values",
            )
        })
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Result<(), SyntaxError> {
        let size = match self.anchors.get(&anchor) {
            Some((_, size)) => *size,
            None => {
                return Err(SyntaxError::new(
                    line,
                    "an alias within its own anchor",
                    "no such cycle",
                ));
            }
        };
        self.spend(size, line)?;
        // Looked up again: room had to be taken before anything is copied.
        match self.anchors.get(&anchor).map(|(node, _)| node.value.clone()) {
            Some(value) => self.add(Node { line, value }, 0, size),
            None => Ok(()),
        }
    }

    fn begin(&mut self, content: Content, anchor: usize, line: usize) -> Result<(), SyntaxError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(SyntaxError::new(line, "nested too deeply", "at most 64 levels"));
        }
        if self.key_is_due() {
            return Err(SyntaxError::new(
                line,
                "a key that is a list or a mapping",
                "keys that are text",
            ));
        }
        let size = Size {
            nodes: 1,
            text_bytes: 0,
        };
        self.spend(size, line)?;
        self.open.push(Frame {
            line,
            anchor,
            size,
            content,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), SyntaxError> {
        let Some(frame) = self.open.pop() else {
            return Ok(());
        };
        let value = match frame.content {
            Content::List(items) => Value::List(items),
            Content::Map { entries, .. } => Value::Map(entries),
        };
        let node = Node {
            line: frame.line,
            value,
        };
        self.add(node, frame.anchor, frame.size)
    }

    /// Puts a complete node where it belongs. Its room has been taken already.
    fn add(&mut self, node: Node, anchor: usize, size: Size) -> Result<(), SyntaxError> {
        if anchor > 0 {
            // The copy that the anchor keeps is an expansion too.
            self.spend(size, node.line)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.size.nodes += size.nodes;
        frame.size.text_bytes += size.text_bytes;
        match &mut frame.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, names, key } => match key.take() {
                None => *key = Some(key_of(node)?),
                Some((name, line)) if names.insert(name.clone()) => entries.push(Entry {
                    key: name,
                    line,
                    value: node,
                }),
                Some((name, line)) => {
                    let path = path_of(&self.open, Place::ROOT, &name);
                    let flaw = SyntaxError::new(line, "the same key a second time", "each key once");
                    self.flaws.push(SyntaxError { path, ..flaw });
                }
            },
        }
        Ok(())
    }
}

/// The path of a key of the innermost open mapping.
fn path_of(open: &[Frame], here: Place<'_>, key: &str) -> String {
    let Some((frame, inner)) = open.split_first() else {
        return here.key(key).to_string();
    };
    match &frame.content {
        Content::List(items) => path_of(inner, here.item(items.len()), key),
        Content::Map {
            key: Some((name, _)), ..
        } => path_of(inner, here.key(name), key),
        Content::Map { key: None, .. } => path_of(inner, here, key),
    }
}

fn key_of(node: Node) -> Result<(String, usize), SyntaxError> {
    match node.value {
        Value::Text { text, .. } => Ok((text, node.line)),
        other => {
            let found = format!("a key that is {}", other.noun());
            Err(SyntaxError::new(node.line, found, "keys that are text"))
        }
    }
}

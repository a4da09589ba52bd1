//! A place in the document, as a chain of borrowed steps: free to extend, rendered only when there is a problem.

use std::fmt;

use crate::tree::{Node, Value};
use crate::words::shortened;

/// Where in the document something is. Copied freely on the way down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Item(usize),
}

impl<'a> Place<'a> {
    /// The document.
    pub(crate) const ROOT: Place<'static> = Place {
        parent: None,
        step: Step::Root,
    };

    /// The value of a key of the mapping at this place.
    pub(crate) fn key(&'a self, key: &'a str) -> Place<'a> {
        Place {
            parent: Some(self),
            step: Step::Key(key),
        }
    }

    /// An item of the list at this place.
    pub(crate) fn item(&'a self, index: usize) -> Place<'a> {
        Place {
            parent: Some(self),
            step: Step::Item(index),
        }
    }

    /// The line of this place in `document`, or of the nearest enclosing thing that exists there.
    pub(crate) fn line_in(&self, document: &Node) -> usize {
        self.nearest(document).1
    }

    /// What stands at this place in `document`, if anything does.
    pub(crate) fn node_in<'d>(&self, document: &'d Node) -> Option<&'d Node> {
        self.nearest(document).0
    }

    /// The node here (`None`: absent) and the line of the nearest enclosing key.
    fn nearest<'d>(&self, document: &'d Node) -> (Option<&'d Node>, usize) {
        let Some(parent) = self.parent else {
            return (Some(document), document.line);
        };
        let (node, line) = parent.nearest(document);
        let found = node.and_then(|node| match (&node.value, self.step) {
            (Value::Map(entries), Step::Key(key)) => {
                let entry = entries.iter().find(|entry| entry.key == key)?;
                Some((&entry.value, entry.line))
            }
            (Value::List(items), Step::Item(index)) => items.get(index).map(|item| (item, item.line)),
            _ => None,
        });
        found.map_or((None, line), |(node, line)| (Some(node), line))
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else { return Ok(()) };
        parent.fmt(f)?;
        let separator = if matches!(parent.step, Step::Root) {
            ""
        } else {
            "."
        };
        match self.step {
            Step::Root => Ok(()),
            Step::Item(index) => write!(f, "[{index}]"),
            Step::Key(key) if is_plain(key) => write!(f, "{separator}{key}"),
            Step::Key(key) => write!(f, "{separator}\"{}\"", shortened(key).escape_debug()),
        }
    }
}

fn is_plain(key: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-/*@:".contains(&byte);
    !key.is_empty() && key.len() <= 80 && key.bytes().all(allowed)
}

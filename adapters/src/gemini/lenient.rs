//! What Google lets clients write otherwise: names in snake case, lists of one without brackets.

use tollgate_core::Refusal;

use crate::chat::read::{Node, Path};

/// The same with the names of its fields in camel case.
pub(crate) fn camel<'a, 'p>(node: Node<'a, 'p>) -> Node<'a, 'p> {
    let Node { fields, path } = node;
    let fields = fields.in_camel_case();
    Node { fields, path }
}

/// An object at `path`, the names of its fields in camel case.
pub(crate) fn object<'a, 'p>(json: &'a str, path: Path<'p>) -> Result<Node<'a, 'p>, Refusal> {
    Node::of(json, path).map(camel)
}

/// A list, which Google lets clients write without brackets where it has one element.
pub(crate) fn list<'a>(node: &Node<'a, '_>, name: &str) -> Result<Vec<&'a str>, Refusal> {
    match node.raw(name) {
        Some(json) if json.starts_with('{') => Ok(vec![json]),
        _ => node.elements(name),
    }
}

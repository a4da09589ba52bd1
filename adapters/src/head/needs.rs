//! What a request needs of a model, and which conversation it belongs to: from its fields at the top.
//!
//! Whatever is of an odd type tells nothing here: to refuse it is the provider's business.

use simd_json::Node;
use tollgate_core::{Capabilities, Surface};

use super::hash;
use super::tape::{Field, Top, member};

/// What it takes to serve the request.
pub(super) fn needs(surface: Surface, nodes: &[Node<'_>], top: &Top<'_>) -> Capabilities {
    let format = match surface {
        Surface::ChatCompletions => top.told("response_format"),
        Surface::Messages | Surface::CountTokens => {
            let config = top.told("output_config");
            let format = config.and_then(|config| inside(nodes, top.origin, config, "format"));
            format.or_else(|| top.told("output_format"))
        }
        Surface::Completions | Surface::Embeddings => return Capabilities::NONE,
    };
    let mut tools = ["tools", "functions"]
        .into_iter()
        .filter_map(|name| top.told(name));
    let mut needs = top.needs;
    if tools.any(|field| is_filled(field.node)) {
        needs = needs.union(Capabilities::TOOLS);
    }
    match format.and_then(|format| text(inside(nodes, top.origin, format, "type")?)) {
        Some("json_schema") => needs = needs.union(Capabilities::JSON_SCHEMA),
        Some("json_object") => needs = needs.union(Capabilities::JSON_MODE),
        _ => {}
    }
    if thinks(nodes, top) {
        needs = needs.union(Capabilities::REASONING);
    }
    needs
}

/// Whether it asks for thinking. Effort of none is none.
fn thinks(nodes: &[Node<'_>], top: &Top<'_>) -> bool {
    let effort = top.told("reasoning_effort").and_then(text);
    let thinking = top.told("thinking");
    let mode = thinking.and_then(|thinking| text(inside(nodes, top.origin, thinking, "type")?));
    effort.is_some_and(|effort| !matches!(effort, "" | "none"))
        || matches!(mode, Some("enabled" | "adaptive"))
}

/// The client's own word for the conversation, hashed.
pub(super) fn session(surface: Surface, nodes: &[Node<'_>], top: &Top<'_>) -> Option<u64> {
    let word = match surface {
        Surface::Messages | Surface::CountTokens => {
            let metadata = top.told("metadata")?;
            text(inside(nodes, top.origin, metadata, "user_id")?)
        }
        _ => ["prompt_cache_key", "user", "safety_identifier"]
            .into_iter()
            .find_map(|name| top.told(name).and_then(text).filter(|word| !word.is_empty())),
    };
    word.filter(|word| !word.is_empty())
        .map(|word| hash(word.as_bytes()))
}

/// A field of a field. `None` also if it is given twice.
fn inside<'a>(nodes: &[Node<'a>], origin: usize, of: Field<'a>, name: &str) -> Option<Field<'a>> {
    member(nodes, of, origin, name).ok().flatten()
}

fn text(field: Field<'_>) -> Option<&str> {
    match field.node {
        Node::String(text) => Some(text),
        _ => None,
    }
}

const fn is_filled(node: Node<'_>) -> bool {
    matches!(node, Node::Array { len: 1.., .. })
}

//! What a request needs of a model, and which conversation it belongs to: from its fields at the top.
//!
//! Whatever is of an odd type tells nothing here: to refuse it is the provider's business.

use simd_json::Node;
use tollgate_core::{Capabilities, Surface};

use super::hash;
use super::tape::{Field, Top, member};

/// What it takes to serve the request.
pub(super) fn needs(surface: Surface, nodes: &[Node<'_>], top: &Top<'_>) -> Capabilities {
    if !surface.is_chat() && surface != Surface::CountTokens {
        return Capabilities::NONE;
    }
    let within = |of: &str, name: &str| inside(nodes, top.origin, top.told(of)?, name);
    let has_tools = match surface {
        Surface::Converse => within("toolConfig", "tools"),
        _ => ["tools", "functions"]
            .into_iter()
            .filter_map(|name| top.told(name))
            .find(|field| is_filled(field.node)),
    };
    let mut needs = top.needs;
    if has_tools.is_some_and(|field| is_filled(field.node)) {
        needs = needs.union(Capabilities::TOOLS);
    }
    needs = needs.union(output(surface, nodes, top));
    if thinks(surface, nodes, top) {
        needs = needs.union(Capabilities::REASONING);
    }
    needs
}

/// What the answer must be.
fn output(surface: Surface, nodes: &[Node<'_>], top: &Top<'_>) -> Capabilities {
    let within = |of: &str, name: &str| inside(nodes, top.origin, top.told(of)?, name);
    let format = match surface {
        Surface::Messages | Surface::CountTokens => {
            within("output_config", "format").or_else(|| top.told("output_format"))
        }
        Surface::Responses => within("text", "format"),
        Surface::GenerateContent => {
            let given = |name| within("generationConfig", name).or_else(|| within("generation_config", name));
            let schemas = [
                "responseSchema",
                "responseJsonSchema",
                "response_schema",
                "response_json_schema",
            ];
            let json = given("responseMimeType").or_else(|| given("response_mime_type"));
            return if schemas.into_iter().any(|name| given(name).is_some()) {
                Capabilities::JSON_SCHEMA
            } else if json.and_then(text) == Some("application/json") {
                Capabilities::JSON_MODE
            } else {
                Capabilities::NONE
            };
        }
        Surface::Converse => within("outputConfig", "textFormat"),
        _ => top.told("response_format"),
    };
    match format.and_then(|format| text(inside(nodes, top.origin, format, "type")?)) {
        Some("json_schema") => Capabilities::JSON_SCHEMA,
        Some("json_object") => Capabilities::JSON_MODE,
        _ => Capabilities::NONE,
    }
}

/// Whether it asks for thinking. Effort of none is none.
fn thinks(surface: Surface, nodes: &[Node<'_>], top: &Top<'_>) -> bool {
    let within = |of: &str, name: &str| inside(nodes, top.origin, top.told(of)?, name);
    let effort = match surface {
        Surface::Responses => within("reasoning", "effort"),
        _ => top.told("reasoning_effort"),
    };
    let mode = within("thinking", "type").and_then(text);
    effort
        .and_then(text)
        .is_some_and(|effort| !matches!(effort, "" | "none"))
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

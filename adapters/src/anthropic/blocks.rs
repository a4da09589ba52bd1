//! Content blocks, read into parts.

use std::borrow::Cow;

use tollgate_core::Refusal;

use crate::chat::carried::Restored;
use crate::chat::media::{Source, normalised};
use crate::chat::read::{Node, Path, wrong};
use crate::chat::{Call, Kind, Part};
use crate::json;

/// The fields of a `source` that are understood.
const SOURCE: &[&str] = &["type", "media_type", "data", "url", "file_id", "content"];

/// Reads a field that is a string or blocks.
pub(crate) fn read<'a>(node: &Node<'a, '_>, name: &str) -> Result<Vec<Part<'a>>, Refusal> {
    let path = Path::Key(&node.path, name);
    let Some(json) = node.raw(name) else {
        return Ok(Vec::new());
    };
    if let Some(text) = json::text(json) {
        return Ok(vec![Part::new(path.to_string(), Kind::Text(text))]);
    }
    if !json.starts_with('[') {
        return Err(wrong(path, "a string or an array of blocks"));
    }
    let blocks = json::elements(json);
    let mut parts = Restored::default();
    for (index, json) in blocks.into_iter().enumerate() {
        parts.take(block(json, Path::Index(&path, index))?);
    }
    Ok(parts.into_parts())
}

fn block<'a>(json: &'a str, path: Path<'_>) -> Result<Part<'a>, Refusal> {
    let node = Node::of(json, path)?;
    let (kind, known): (Kind<'a>, &[&str]) = match &*node.required("type")? {
        "text" => (Kind::Text(node.required("text")?), &["text"]),
        "image" => {
            let source = source(&node)?;
            let kind = source.map_or(Kind::Opaque(json), |source| Kind::Image { source, detail: None });
            (kind, &["source"])
        }
        "document" => {
            let title = node.text("title")?;
            let source = source(&node)?;
            let kind = source.map_or(Kind::Opaque(json), |source| Kind::Document { source, title });
            (kind, &["source", "title"])
        }
        "tool_use" => (Kind::ToolCall(call(&node)?), &["id", "name", "input", "caller"]),
        "tool_result" => {
            let kind = Kind::ToolResult {
                id: node.required("tool_use_id")?,
                parts: read(&node, "content")?,
                is_error: node.flag("is_error")?.unwrap_or(false),
            };
            (kind, &["tool_use_id", "content", "is_error"])
        }
        "thinking" => {
            let kind = Kind::Thinking {
                text: node.text("thinking")?.unwrap_or_default(),
                signature: node.text("signature")?,
            };
            (kind, &["thinking", "signature"])
        }
        "redacted_thinking" => (Kind::RedactedThinking(node.required("data")?), &["data"]),
        _ => (Kind::Opaque(json), &[]),
    };
    let mut part = Part::new(path.to_string(), kind);
    part.cache = node.cache()?;
    if !matches!(part.kind, Kind::Opaque(_)) {
        part.extra = node.extra(&[known, &["type", "cache_control"]].concat());
        part.extra.append(&mut node.extra_in("source", SOURCE));
        part.extra.append(&mut node.extra_of_cache());
        // Switched off is what it is anyway.
        let is_off = |json: &str| json::Fields::of(json).is_some_and(|c| c.raw("enabled") == Some("false"));
        part.extra
            .retain(|(name, value)| name != "citations" || !is_off(value));
    }
    Ok(part)
}

/// A call, as history and answers hold it.
fn call<'a>(node: &Node<'a, '_>) -> Result<Call<'a>, Refusal> {
    let input = node.raw("input").unwrap_or("{}");
    if !input.starts_with('{') {
        return Err(wrong(Path::Key(&node.path, "input"), "an object"));
    }
    Ok(Call {
        id: node.required("id")?,
        name: node.required("name")?,
        arguments: Cow::Borrowed(input),
    })
}

/// `source`. `None`: of a kind that no other dialect has.
fn source<'a>(node: &Node<'a, '_>) -> Result<Option<Source<'a>>, Refusal> {
    let path = Path::Key(&node.path, "source");
    let source = Node::of(node.raw("source").ok_or_else(|| wrong(path, "an object"))?, path)?;
    Ok(match &*source.required("type")? {
        "base64" => Some(Source::Base64 {
            media_type: normalised(&source.required("media_type")?).into(),
            data: source.required("data")?,
        }),
        "url" => Some(Source::Url(source.required("url")?)),
        "text" => Some(Source::Text(source.required("data")?)),
        "file" => Some(Source::File(source.required("file_id")?)),
        "content" => source.raw("content").and_then(json::text).map(Source::Text),
        _ => None,
    })
}

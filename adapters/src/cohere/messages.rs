//! The messages and documents of a Cohere chat request, read into turns.
//!
//! What other dialects have no word for is text to them: a plan of tool calls is a thought, documents are what the
//! user says before the last question, and those in a tool's result are its text. Where each stood tells the
//! encoder of this dialect what it was ([`is_plan`], [`is_document`], [`DOCUMENTS`]).

use std::borrow::Cow;

use tollgate_core::Refusal;

use crate::chat::media::Source;
use crate::chat::read::{Node, Path, wrong};
use crate::chat::{Call, Kind, Part, Role, Turn};
use crate::json;

/// Where documents stand that belong to no message.
pub(crate) const DOCUMENTS: &str = "documents";

/// Whether a thought is a plan of tool calls.
pub(crate) fn is_plan(part: &Part<'_>) -> bool {
    part.at.ends_with(".tool_plan")
}

/// Whether a text of a tool's result stands in a document.
pub(crate) fn is_document(part: &Part<'_>) -> bool {
    part.at.ends_with(".document.data")
}

/// Reads `messages`, and `documents` before the user's last words.
pub(crate) fn read<'a>(request: &Node<'a, '_>) -> Result<Vec<Turn<'a>>, Refusal> {
    let list = Path::Key(&request.path, "messages");
    let messages = request.elements("messages")?;
    if messages.is_empty() {
        return Err(wrong(list, "an array with at least one message"));
    }
    let mut turns = Vec::with_capacity(messages.len() + 1);
    for (index, json) in messages.into_iter().enumerate() {
        turns.push(turn(&Node::of(json, Path::Index(&list, index))?)?);
    }
    let parts = documents(request)?;
    if !parts.is_empty() {
        let is_result = |part: &Part<'_>| matches!(part.kind, Kind::ToolResult { .. });
        let asks = |turn: &Turn<'_>| turn.role == Role::User && !turn.parts.iter().any(is_result);
        let place = turns.iter().rposition(asks).unwrap_or(turns.len());
        let documents = Turn {
            at: DOCUMENTS.to_owned(),
            role: Role::User,
            name: None,
            parts,
            extra: Vec::new(),
        };
        turns.insert(place, documents);
    }
    Ok(turns)
}

/// `documents`: strings, or objects with `data` and perhaps an `id`.
fn documents<'a>(request: &Node<'a, '_>) -> Result<Vec<Part<'a>>, Refusal> {
    let list = Path::Key(&request.path, DOCUMENTS);
    let mut parts = Vec::new();
    for (index, json) in request.elements(DOCUMENTS)?.into_iter().enumerate() {
        let path = Path::Index(&list, index);
        if let Some(text) = json::text(json) {
            parts.push(Part::new(path.to_string(), Kind::Text(text)));
            continue;
        }
        let document = Node::of(json, path).map_err(|_| wrong(path, "a string or an object"))?;
        let kind = Kind::Document {
            source: Source::Text(data(&document)?),
            title: document.text("id")?,
        };
        let mut part = Part::new(path.to_string(), kind);
        part.extra = document.extra(&["data", "id"]);
        parts.push(part);
    }
    Ok(parts)
}

/// What a document says.
fn data<'a>(document: &Node<'a, '_>) -> Result<std::borrow::Cow<'a, str>, Refusal> {
    let path = Path::Key(&document.path, "data");
    let text = document.raw("data").and_then(document_text);
    text.ok_or_else(|| wrong(path, "an object or a string"))
}

fn turn<'a>(message: &Node<'a, '_>) -> Result<Turn<'a>, Refusal> {
    let (role, parts, known): (_, _, &[&str]) = match &*message.required("role")? {
        "system" => (Role::System, message.content(part)?, &[]),
        "developer" => (Role::Developer, message.content(part)?, &[]),
        "user" => (Role::User, message.content(part)?, &[]),
        "assistant" => (Role::Assistant, assistant(message)?, &["tool_calls", "tool_plan"]),
        "tool" => (Role::User, vec![tool_result(message)?], &["tool_call_id"]),
        _ => {
            let expected = "`system`, `user`, `assistant` or `tool`";
            return Err(wrong(Path::Key(&message.path, "role"), expected));
        }
    };
    Ok(Turn {
        at: message.path.to_string(),
        role,
        name: None,
        parts,
        extra: message.extra(&[known, &["role", "content"]].concat()),
    })
}

fn part<'a>(node: &Node<'a, '_>, json: &'a str) -> Result<Part<'a>, Refusal> {
    let (kind, known) = match &*node.required("type")? {
        "text" => (Kind::Text(node.required("text")?), "text"),
        "thinking" => {
            let text = node.required("thinking")?;
            let signature = None;
            (Kind::Thinking { text, signature }, "thinking")
        }
        "image_url" => (image(node)?, "image_url"),
        "document" => return document(json, node),
        _ => (Kind::Opaque(json), ""),
    };
    let mut part = Part::new(node.path.to_string(), kind);
    if !matches!(part.kind, Kind::Opaque(_)) {
        part.extra = node.extra(&["type", known]);
        part.extra
            .append(&mut node.extra_in("image_url", &["url", "detail"]));
    }
    Ok(part)
}

/// A URL, or an object with one in it.
fn image<'a>(node: &Node<'a, '_>) -> Result<Kind<'a>, Refusal> {
    let path = Path::Key(&node.path, "image_url");
    let json = node.raw("image_url").ok_or_else(|| wrong(path, "an object"))?;
    if let Some(url) = json::text(json) {
        let source = Source::of_url(url);
        return Ok(Kind::Image { source, detail: None });
    }
    let image = Node::of(json, path)?;
    Ok(Kind::Image {
        source: Source::of_url(image.required("url")?),
        detail: image.text("detail")?,
    })
}

/// A document within content: the text of its data; its id goes with it unread.
fn document<'a>(json: &'a str, node: &Node<'a, '_>) -> Result<Part<'a>, Refusal> {
    let path = Path::Key(&node.path, "document");
    let Some(inside) = node.raw("document").filter(|inside| inside.starts_with('{')) else {
        return Ok(Part::new(node.path.to_string(), Kind::Opaque(json)));
    };
    let inside = Node::of(inside, path)?;
    let kind = Kind::Text(data(&inside)?);
    let mut part = Part::new(Path::Key(&path, "data").to_string(), kind);
    part.extra = inside.extra(&["data"]);
    Ok(part)
}

fn assistant<'a>(message: &Node<'a, '_>) -> Result<Vec<Part<'a>>, Refusal> {
    let mut parts = Vec::new();
    if let Some(text) = message.text("tool_plan")?.filter(|text| !text.is_empty()) {
        let at = Path::Key(&message.path, "tool_plan").to_string();
        let signature = None;
        parts.push(Part::new(at, Kind::Thinking { text, signature }));
    }
    parts.extend(message.content(part)?);
    let list = Path::Key(&message.path, "tool_calls");
    for (index, json) in message.elements("tool_calls")?.into_iter().enumerate() {
        parts.push(tool_call(json, Path::Index(&list, index))?);
    }
    Ok(parts)
}

fn tool_call<'a>(json: &'a str, path: Path<'_>) -> Result<Part<'a>, Refusal> {
    let node = Node::of(json, path)?;
    let Some(function) = node.raw("function") else {
        return Ok(Part::new(path.to_string(), Kind::Opaque(json)));
    };
    let function = Node::of(function, Path::Key(&path, "function"))?;
    let call = Call {
        id: node.required("id")?,
        name: function.required("name")?,
        arguments: function.text("arguments")?.unwrap_or_default(),
    };
    let mut part = Part::new(path.to_string(), Kind::ToolCall(call));
    part.extra = node.extra(&["id", "type", "function"]);
    part.extra
        .append(&mut node.extra_in("function", &["name", "arguments"]));
    Ok(part)
}

fn tool_result<'a>(message: &Node<'a, '_>) -> Result<Part<'a>, Refusal> {
    let kind = Kind::ToolResult {
        id: message.required("tool_call_id")?,
        parts: message.content(part)?,
        is_error: false,
    };
    Ok(Part::new(message.path.to_string(), kind))
}

/// The text of a document: a string, or a JSON object as it is written.
pub(super) fn document_text(json: &str) -> Option<Cow<'_, str>> {
    if json.starts_with('{') {
        return Some(Cow::Borrowed(json));
    }
    json::text(json)
}

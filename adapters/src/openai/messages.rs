//! The messages of a Chat Completions request, read into turns.

use std::borrow::Cow;

use tollgate_core::Refusal;

use super::carried;
use crate::chat::carried::{Restored, alone};
use crate::chat::custom;
use crate::chat::media::Source;
use crate::chat::read::{Node, Path, wrong};
use crate::chat::{Call, Kind, Part, Role, Turn};
use crate::json;

/// The fields of a message that are understood. Some that answers carry say nothing in a request.
const KNOWN: &[&str] = &[
    "role",
    "content",
    "name",
    "tool_calls",
    "tool_call_id",
    "refusal",
    "reasoning",
    "reasoning_content",
    "thinking_blocks",
    "cache_control",
];

/// The objects within parts that are understood, and their fields.
const WITHIN: &[(&str, &[&str])] = &[
    ("image_url", &["url", "detail"]),
    ("document_url", &["url"]),
    ("input_audio", &["data", "format"]),
    ("file", &["filename", "file_data", "file_id"]),
    ("cache_control", &["type", "ttl"]),
];

/// Reads `messages`.
pub(crate) fn read<'a>(request: &Node<'a, '_>) -> Result<Vec<Turn<'a>>, Refusal> {
    let list = Path::Key(&request.path, "messages");
    let messages = request.elements("messages")?;
    if messages.is_empty() {
        return Err(wrong(list, "an array with at least one message"));
    }
    let mut turns = Vec::with_capacity(messages.len());
    for (index, json) in messages.into_iter().enumerate() {
        turns.push(turn(&Node::of(json, Path::Index(&list, index))?)?);
    }
    Ok(turns)
}

fn turn<'a>(message: &Node<'a, '_>) -> Result<Turn<'a>, Refusal> {
    let role = message.required("role")?;
    let (role, parts) = match &*role {
        "system" => (Role::System, message.content(part)?),
        "developer" => (Role::Developer, message.content(part)?),
        "user" => (Role::User, message.content(part)?),
        "assistant" => (Role::Assistant, assistant(message)?),
        "tool" => (Role::User, vec![tool_result(message)?]),
        _ => {
            let expected = "`system`, `developer`, `user`, `assistant` or `tool`";
            return Err(wrong(Path::Key(&message.path, "role"), expected));
        }
    };
    let mut known = KNOWN.to_vec();
    if role == Role::Assistant && carried::read(&message.fields).is_some() {
        known.push("extra_content");
    }
    let mut turn = Turn {
        at: message.path.to_string(),
        role,
        name: message.text("name")?,
        parts,
        extra: message.extra(&known),
    };
    // A mark on the message stands for one on its last part.
    if let (Some(cache), Some(last)) = (message.cache()?, turn.parts.last_mut()) {
        last.cache.get_or_insert(cache);
    }
    if turn
        .parts
        .iter()
        .any(|part| matches!(part.kind, Kind::ToolResult { .. }))
    {
        turn.name = None;
    }
    Ok(turn)
}

fn part<'a>(node: &Node<'a, '_>, json: &'a str) -> Result<Part<'a>, Refusal> {
    let kind = node.required("type")?;
    let read = match &*kind {
        "text" | "input_text" | "output_text" => Kind::Text(node.required("text")?),
        "refusal" => Kind::Refusal(node.required("refusal")?),
        "image_url" => image(node)?,
        "input_audio" => {
            let audio = object(node, "input_audio")?;
            Kind::Audio {
                format: audio.required("format")?,
                data: audio.required("data")?,
            }
        }
        "file" => file(node)?,
        "document_url" => Kind::Document {
            source: Source::of_url(url(node, "document_url")?).of_document(),
            title: node.text("document_name")?,
        },
        "thinking" => match thinking(node)? {
            Some(kind) => kind,
            None => Kind::Opaque(json),
        },
        _ => Kind::Opaque(json),
    };
    let mut part = Part::new(node.path.to_string(), read);
    part.cache = node.cache()?;
    if !matches!(part.kind, Kind::Opaque(_)) {
        part.extra = node.extra(&[
            "type",
            &kind,
            "text",
            "cache_control",
            "signature",
            "document_name",
            "closed",
        ]);
        let within = WITHIN.iter().map(|(name, known)| node.extra_in(name, known));
        part.extra.extend(within.flatten());
    }
    Ok(part)
}

fn object<'a, 'p>(node: &'p Node<'a, 'p>, name: &'p str) -> Result<Node<'a, 'p>, Refusal> {
    let path = Path::Key(&node.path, name);
    Node::of(node.raw(name).ok_or_else(|| wrong(path, "an object"))?, path)
}

/// A URL, or an object with one in it.
fn url<'a>(node: &Node<'a, '_>, name: &str) -> Result<Cow<'a, str>, Refusal> {
    match node.raw(name).and_then(json::text) {
        Some(url) => Ok(url),
        None => object(node, name)?.required("url"),
    }
}

fn image<'a>(node: &Node<'a, '_>) -> Result<Kind<'a>, Refusal> {
    let detail = match node.raw("image_url") {
        Some(json) if json.starts_with('{') => object(node, "image_url")?.text("detail")?,
        _ => None,
    };
    Ok(Kind::Image {
        source: Source::of_url(url(node, "image_url")?),
        detail,
    })
}

fn file<'a>(node: &Node<'a, '_>) -> Result<Kind<'a>, Refusal> {
    let file = object(node, "file")?;
    let title = file.text("filename")?;
    let source = match (file.text("file_data")?, file.text("file_id")?) {
        (Some(data), _) => match Source::of_url(data) {
            // Base64 alone: what else than a PDF has no media type?
            Source::Url(data) if !data.contains(':') => Source::Base64 {
                media_type: "application/pdf".into(),
                data,
            },
            source => source.of_document(),
        },
        (None, Some(id)) => Source::File(id),
        (None, None) => {
            let path = Path::Key(&file.path, "file_data");
            return Err(wrong(path, "a data URL, or `file_id` must be given"));
        }
    };
    match source {
        Source::Base64 { ref media_type, .. } if media_type.starts_with("image/") => {
            Ok(Kind::Image { source, detail: None })
        }
        source => Ok(Kind::Document { source, title }),
    }
}

/// Mistral's thinking: a list of texts. Others write a string.
fn thinking<'a>(node: &Node<'a, '_>) -> Result<Option<Kind<'a>>, Refusal> {
    let signature = node.text("signature")?;
    let Some(json) = node.raw("thinking") else {
        return Ok(None);
    };
    let text = thoughts(json);
    Ok(text.map(|text| Kind::Thinking { text, signature }))
}

/// A string, or the texts in a list of parts.
pub(crate) fn thoughts(json: &str) -> Option<Cow<'_, str>> {
    if !json.starts_with('[') {
        return json::text(json);
    }
    let texts = json::elements(json)
        .into_iter()
        .filter_map(|part| json::Fields::of(part)?.text("text").map(Cow::into_owned));
    Some(Cow::Owned(texts.collect()))
}

fn assistant<'a>(message: &Node<'a, '_>) -> Result<Vec<Part<'a>>, Refusal> {
    let mut parts = thinking_blocks(message)?;
    let reasoning = match message.raw("reasoning_content") {
        None => message.raw("reasoning").and_then(json::text),
        Some(_) => message.text("reasoning_content")?,
    };
    if let Some(text) = reasoning.filter(|text| parts.is_empty() && !text.is_empty()) {
        let name = if message.raw("reasoning_content").is_some() {
            "reasoning_content"
        } else {
            "reasoning"
        };
        let at = Path::Key(&message.path, name).to_string();
        let signature = None;
        parts.push(Part::new(at, Kind::Thinking { text, signature }));
    }
    parts.extend(message.content(part)?);
    if let Some(refusal) = message.text("refusal")? {
        let at = Path::Key(&message.path, "refusal").to_string();
        parts.push(Part::new(at, Kind::Refusal(refusal)));
    }
    if let Some(state) = carried::read(&message.fields) {
        let is_said = |part: &&mut Part<'_>| matches!(part.kind, Kind::Text(_)) && !part.is_empty();
        if let Some(said) = parts.iter_mut().rfind(is_said) {
            said.state = Some(state);
        } else {
            let at = Path::Key(&message.path, "extra_content").to_string();
            parts.push(alone(at, state));
        }
    }
    let list = Path::Key(&message.path, "tool_calls");
    for (index, json) in message.elements("tool_calls")?.into_iter().enumerate() {
        parts.push(tool_call(json, Path::Index(&list, index))?);
    }
    Ok(parts)
}

/// The blocks of Anthropic's thinking that answers carry beside `reasoning_content`.
fn thinking_blocks<'a>(message: &Node<'a, '_>) -> Result<Vec<Part<'a>>, Refusal> {
    let list = Path::Key(&message.path, "thinking_blocks");
    let mut parts = Restored::default();
    for (index, json) in message.elements("thinking_blocks")?.into_iter().enumerate() {
        let path = Path::Index(&list, index);
        let block = Node::of(json, path)?;
        let kind = match &*block.required("type")? {
            "redacted_thinking" => Kind::RedactedThinking(block.required("data")?),
            _ => Kind::Thinking {
                text: block.text("thinking")?.unwrap_or_default(),
                signature: block.text("signature")?,
            },
        };
        let mut part = Part::new(path.to_string(), kind);
        part.extra = block.extra(&["type", "thinking", "signature", "data"]);
        parts.take(part);
    }
    Ok(parts.into_parts())
}

fn tool_call<'a>(json: &'a str, path: Path<'_>) -> Result<Part<'a>, Refusal> {
    let node = Node::of(json, path)?;
    let (own, name, arguments) = if let Some(function) = node.raw("function") {
        let function = Node::of(function, Path::Key(&path, "function"))?;
        let arguments = match function.raw("arguments") {
            Some(object) if object.starts_with('{') => Cow::Borrowed(object),
            _ => function.text("arguments")?.unwrap_or_default(),
        };
        ("function", function.required("name")?, arguments)
    } else if let Some(called) = node.raw("custom") {
        let called = Node::of(called, Path::Key(&path, "custom"))?;
        let arguments = custom::arguments(&called.required("input")?);
        ("custom", called.required("name")?, arguments.into())
    } else {
        return Ok(Part::new(path.to_string(), Kind::Opaque(json)));
    };
    let id = node.required("id")?;
    let call = Call { id, name, arguments };
    let mut part = Part::new(path.to_string(), Kind::ToolCall(call));
    part.cache = node.cache()?;
    part.state = carried::read(&node.fields);
    let mut known = vec!["id", "type", own, "cache_control"];
    // Calls that were put together from a stream still have their place in it.
    known.push("index");
    if part.state.is_some() {
        known.push("extra_content");
    }
    part.extra = node.extra(&known);
    // What SDKs read out of the arguments says nothing more.
    let known = ["name", "arguments", "parsed_arguments", "input"];
    part.extra.append(&mut node.extra_in(own, &known));
    part.extra.append(&mut node.extra_of_cache());
    Ok(part)
}

fn tool_result<'a>(message: &Node<'a, '_>) -> Result<Part<'a>, Refusal> {
    let mut parts = message.content(part)?;
    let cache = parts.iter_mut().filter_map(|part| part.cache.take()).next_back();
    let kind = Kind::ToolResult {
        id: message.required("tool_call_id")?,
        parts,
        is_error: false,
    };
    let mut part = Part::new(message.path.to_string(), kind);
    part.cache = cache;
    Ok(part)
}

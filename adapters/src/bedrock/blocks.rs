//! Content blocks, read into parts.
//!
//! A block is an object with one member that says what it is. What is not understood of that member goes into the
//! part's `extra` under the member's name (`document.citations`); two members are wrapped around text that is
//! carried, and go there whole: [`WRAPPERS`].

use std::borrow::Cow;

use tollgate_core::Refusal;

use crate::chat::carried::Restored;
use crate::chat::media::{Source, normalised};
use crate::chat::read::{Node, Path, wrong};
use crate::chat::{Cache, Call, Extra, Kind, Part, Role};
use crate::json::{self, Fields};

/// Members that say more of a text: where it comes from, what a guardrail is to make of it.
pub(crate) const WRAPPERS: [&str; 2] = ["guardContent", "citationsContent"];

/// The chunks a document is given in: written back in place of the text that they come to.
pub(crate) const CHUNKS: &str = "document.source";

/// The members that are understood.
const MEMBERS: [&str; 10] = [
    "text",
    "toolUse",
    "toolResult",
    "reasoningContent",
    "image",
    "document",
    "json",
    "audio",
    "guardContent",
    "citationsContent",
];

/// Reads a list of blocks of a turn; a `cachePoint` marks the part before it.
pub(crate) fn read<'a>(node: &Node<'a, '_>, name: &str, role: Role) -> Result<Vec<Part<'a>>, Refusal> {
    let path = Path::Key(&node.path, name);
    let blocks = node.elements(name)?;
    let mut parts: Vec<Part<'a>> = Vec::with_capacity(blocks.len());
    for (index, json) in blocks.into_iter().enumerate() {
        let path = Path::Index(&path, index);
        let node = Node::of(json, path)?;
        match (cache_point(&node)?, parts.last_mut()) {
            (Some(cache), Some(marked)) if marked.cache.is_none() => marked.cache = Some(cache),
            _ => parts.push(block(json, &node, role)?),
        }
    }
    if role != Role::Assistant {
        return Ok(parts);
    }
    let mut restored = Restored::default();
    for part in parts {
        restored.take(part);
    }
    Ok(restored.into_parts())
}

/// The mark, if the block is one and nothing more.
pub(crate) fn cache_point<'a>(node: &Node<'a, '_>) -> Result<Option<Cache<'a>>, Refusal> {
    let Some(json) = node.object("cachePoint")? else {
        return Ok(None);
    };
    let point = Node::of(json, Path::Key(&node.path, "cachePoint"))?;
    let is_plain = point.extra(&["type", "ttl"]).is_empty() && node.extra(&["cachePoint"]).is_empty();
    let ttl = point.text("ttl")?;
    Ok(is_plain.then_some(Cache { ttl }))
}

fn block<'a>(json: &'a str, node: &Node<'a, '_>, role: Role) -> Result<Part<'a>, Refusal> {
    let opaque = || Part::new(node.path.to_string(), Kind::Opaque(json));
    let Some((member, value)) = MEMBERS.into_iter().find_map(|name| Some((name, node.raw(name)?))) else {
        return Ok(opaque());
    };
    let (kind, mut extra) = match member {
        "text" => (Kind::Text(node.required(member)?), Vec::new()),
        "json" => (Kind::Text(Cow::Borrowed(value)), Vec::new()),
        _ => {
            let inside = Node::of(value, Path::Key(&node.path, member))?;
            match read_member(member, value, &inside, role)? {
                Some(read) => read,
                None => return Ok(opaque()),
            }
        }
    };
    extra.append(&mut node.extra(&[member]));
    Ok(Part {
        extra,
        ..Part::new(node.path.to_string(), kind)
    })
}

type Read<'a> = Option<(Kind<'a>, Extra<'a>)>;

/// Reads what a block is. `None`: of a kind that no other dialect has.
fn read_member<'a>(
    member: &'static str,
    value: &'a str,
    inside: &Node<'a, '_>,
    role: Role,
) -> Result<Read<'a>, Refusal> {
    let (kind, known): (Option<Kind<'a>>, &[&str]) = match member {
        "toolUse" => (tool_use(inside)?, &["toolUseId", "name", "input", "type"]),
        // The results of the provider's own tools stand in the assistant's turn.
        "toolResult" if role == Role::Assistant => return Ok(None),
        "toolResult" => {
            let kind = Kind::ToolResult {
                id: inside.required("toolUseId")?,
                parts: read(inside, "content", role)?,
                is_error: inside.text("status")?.as_deref() == Some("error"),
            };
            (Some(kind), &["toolUseId", "content", "status", "type"])
        }
        "reasoningContent" => return reasoning(inside),
        "image" => (image(inside)?, &["format", "source"]),
        "document" => return document(inside),
        "audio" => (audio(inside)?, &["format", "source"]),
        _ => {
            let (text, says_more) = wrapped(member, inside);
            let extra = says_more.then_some((Cow::Borrowed(member), value));
            return Ok(text.map(|text| (Kind::Text(text), extra.into_iter().collect())));
        }
    };
    let mut others = inside.extra(known);
    if matches!(member, "image" | "audio") {
        others.append(&mut inside.extra_in("source", &["bytes"]));
    }
    Ok(kind.map(|kind| (kind, within(member, others))))
}

/// Names fields as those of `member`.
fn within<'a>(member: &str, extra: Extra<'a>) -> Extra<'a> {
    let named = |(name, value): (Cow<'a, str>, &'a str)| (format!("{member}.{name}").into(), value);
    extra.into_iter().map(named).collect()
}

/// The text in a wrapper, and whether the wrapper says more than that.
fn wrapped<'a>(member: &str, inside: &Node<'a, '_>) -> (Option<Cow<'a, str>>, bool) {
    if member == "guardContent" {
        let text = inside.fields.object("text").and_then(|text| text.text("text"));
        return (text, true);
    }
    let texts = texts(&inside.fields, "content");
    let cites = inside
        .fields
        .raw("citations")
        .is_some_and(|list| !json::elements(list).is_empty());
    (texts, cites)
}

/// The texts of a list of texts, as one. `None` if one of its elements is none.
pub(crate) fn texts<'a>(fields: &Fields<'a>, name: &str) -> Option<Cow<'a, str>> {
    let text = |json: &'a str| Fields::of(json)?.text("text");
    let mut texts = fields.elements(name).into_iter().map(text);
    let mut all = texts.next()??;
    for text in texts {
        all.to_mut().push_str(&text?);
    }
    Some(all)
}

/// A call, unless it is one of the provider's own tools.
fn tool_use<'a>(node: &Node<'a, '_>) -> Result<Option<Kind<'a>>, Refusal> {
    if is_server_tool(&node.fields) {
        return Ok(None);
    }
    let input = node.raw("input").unwrap_or("{}");
    if !input.starts_with('{') {
        return Err(wrong(Path::Key(&node.path, "input"), "an object"));
    }
    Ok(Some(Kind::ToolCall(Call {
        id: node.required("toolUseId")?,
        name: node.required("name")?,
        arguments: Cow::Borrowed(input),
    })))
}

/// Whether a call is one of a tool that the provider runs itself.
pub(crate) fn is_server_tool(tool_use: &Fields<'_>) -> bool {
    tool_use.text("type").as_deref() == Some("server_tool_use")
}

fn reasoning<'a>(node: &Node<'a, '_>) -> Result<Read<'a>, Refusal> {
    if let Some(data) = node.text("redactedContent")? {
        let others = node.extra(&["reasoningText", "redactedContent"]);
        return Ok(Some((
            Kind::RedactedThinking(data),
            within("reasoningContent", others),
        )));
    }
    let Some(json) = node.object("reasoningText")? else {
        return Ok(None);
    };
    let text = Node::of(json, Path::Key(&node.path, "reasoningText"))?;
    let kind = Kind::Thinking {
        text: text.text("text")?.unwrap_or_default(),
        signature: text.text("signature")?,
    };
    let mut extra = within(
        "reasoningContent.reasoningText",
        text.extra(&["text", "signature"]),
    );
    let others = node.extra(&["reasoningText", "redactedContent"]);
    extra.append(&mut within("reasoningContent", others));
    Ok(Some((kind, extra)))
}

/// The bytes of a `source`; `None`: they are elsewhere.
fn bytes<'a>(node: &Node<'a, '_>) -> Result<Option<Cow<'a, str>>, Refusal> {
    source(node)?.text("bytes")
}

fn source<'a, 'p>(node: &'p Node<'a, 'p>) -> Result<Node<'a, 'p>, Refusal> {
    let path = Path::Key(&node.path, "source");
    Node::of(node.raw("source").ok_or_else(|| wrong(path, "an object"))?, path)
}

fn image<'a>(node: &Node<'a, '_>) -> Result<Option<Kind<'a>>, Refusal> {
    let Some(data) = bytes(node)? else {
        return Ok(None);
    };
    let media_type = normalised(&format!("image/{}", node.required("format")?)).into();
    let source = Source::Base64 { media_type, data };
    Ok(Some(Kind::Image { source, detail: None }))
}

fn audio<'a>(node: &Node<'a, '_>) -> Result<Option<Kind<'a>>, Refusal> {
    let Some(data) = bytes(node)? else {
        return Ok(None);
    };
    let format = node.required("format")?;
    Ok(Some(Kind::Audio { format, data }))
}

fn document<'a>(node: &Node<'a, '_>) -> Result<Read<'a>, Refusal> {
    let title = node.text("name")?;
    let at = source(node)?;
    let mut extra = node.extra(&["format", "name", "source"]);
    extra.append(&mut node.extra_in("source", &["bytes", "text", "content"]));
    let mut extra = within("document", extra);
    // Switched off is what it is anyway.
    let is_off = |json: &str| Fields::of(json).is_some_and(|said| said.raw("enabled") == Some("false"));
    extra.retain(|(name, value)| name != "document.citations" || !is_off(value));
    let source = if let Some(data) = at.text("bytes")? {
        let format = node.text("format")?;
        let media_type = media_type(format.as_deref().unwrap_or("txt")).into();
        Source::Base64 { media_type, data }.of_document()
    } else if let Some(text) = at.text("text")? {
        Source::Text(text)
    } else if let (Some(text), Some(chunks)) = (texts(&at.fields, "content"), node.raw("source")) {
        extra.push((CHUNKS.into(), chunks));
        Source::Text(text)
    } else {
        return Ok(None);
    };
    Ok(Some((Kind::Document { source, title }, extra)))
}

/// The formats of documents, and their media types.
const FORMATS: [(&str, &str); 9] = [
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("csv", "text/csv"),
    ("md", "text/markdown"),
    ("html", "text/html"),
    ("doc", "application/msword"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("xls", "application/vnd.ms-excel"),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
];

fn media_type(format: &str) -> &'static str {
    let found = FORMATS.into_iter().find(|(known, _)| *known == format);
    found.map_or("application/octet-stream", |(_, media_type)| media_type)
}

/// The format of a document of this media type, if the dialect has it.
pub(crate) fn format(media_type: &str) -> Option<&'static str> {
    let found = FORMATS.into_iter().find(|(_, known)| *known == media_type);
    found.map(|(format, _)| format)
}

/// Whether `text` is the name of a format.
pub(crate) fn is_format(text: &str) -> bool {
    FORMATS
        .iter()
        .any(|(format, _)| text.eq_ignore_ascii_case(format))
}

//! The input of a Responses request, read into turns: one for each item.

use std::borrow::Cow;
use std::collections::HashMap;

use tollgate_core::{Refusal, RefusalKind};

use super::carried::{self, Reasoned};
use crate::chat::custom;
use crate::chat::media::Source;
use crate::chat::read::{Node, Path, wrong};
use crate::chat::{Cache, Call, Kind, Part, Role, State, Turn};
use crate::json;

/// Reads `instructions` and `input`.
pub(super) fn read<'a>(request: &Node<'a, '_>) -> Result<Vec<Turn<'a>>, Refusal> {
    let path = Path::Key(&request.path, "input");
    let expected = "a string or an array with at least one item";
    let json = request.raw("input").ok_or_else(|| wrong(path, expected))?;
    let mut turns = Vec::new();
    if let Some(text) = request.text("instructions")? {
        turns.push(said("instructions", Role::System, text));
    }
    if let Some(text) = json::text(json) {
        turns.push(said("input", Role::User, text));
        return Ok(turns);
    }
    if !json.starts_with('[') {
        return Err(wrong(path, expected));
    }
    let items = json::elements(json);
    if items.is_empty() {
        return Err(wrong(path, expected));
    }
    let mut states = Vec::new();
    for (index, json) in items.into_iter().enumerate() {
        item(json, Path::Index(&path, index), &mut turns, &mut states)?;
    }
    attach(&mut turns, states);
    Ok(turns)
}

/// What belongs to a call that may come later, with the id of that call.
type Pending<'a> = (String, State<'a>, Box<str>);

fn said<'a>(at: &str, role: Role, text: Cow<'a, str>) -> Turn<'a> {
    turn(at.to_owned(), role, Part::new(at.to_owned(), Kind::Text(text)))
}

fn turn(at: String, role: Role, part: Part<'_>) -> Turn<'_> {
    Turn {
        at,
        role,
        name: None,
        parts: vec![part],
        extra: Vec::new(),
    }
}

/// Reads an item, and adds its turn.
fn item<'a>(
    json: &'a str,
    path: Path<'_>,
    turns: &mut Vec<Turn<'a>>,
    states: &mut Vec<Pending<'a>>,
) -> Result<(), Refusal> {
    let node = Node::of(json, path)?;
    let kind = node.text("type")?.unwrap_or(Cow::Borrowed("message"));
    let at = path.to_string();
    let (role, part) = match &*kind {
        "message" => {
            turns.push(message(&node)?);
            return Ok(());
        }
        "function_call" => (Role::Assistant, call(&node)?),
        "custom_tool_call" => (Role::Assistant, custom_call(&node)?),
        "function_call_output" | "custom_tool_call_output" => (Role::User, result(&node)?),
        "reasoning" => match carried::read(&node.fields) {
            Reasoned::Nothing => return Ok(()),
            Reasoned::Part(kind, state) => {
                let mut part = Part::new(at.clone(), kind);
                part.state = state;
                let known = ["type", "id", "status", "summary", "content", "encrypted_content"];
                part.extra = node.extra(&known);
                (Role::Assistant, part)
            }
            Reasoned::Beside(state, Some(call)) => {
                states.push((at, state, call));
                return Ok(());
            }
            Reasoned::Beside(state, None) => {
                let before = turns.last_mut().filter(|turn| turn.role == Role::Assistant);
                if let Some(part) = before.and_then(|turn| turn.parts.last_mut()) {
                    part.state = Some(state);
                    return Ok(());
                }
                (Role::Assistant, alone(at.clone(), state))
            }
        },
        "item_reference" => {
            let why =
                "what it refers to is stored with another provider: send the item itself (`store: false`)";
            return Err(elsewhere(path, why));
        }
        "compaction" => return Err(elsewhere(path, "only the provider that wrote it can read it")),
        other => {
            let is_result = other.ends_with("_output") || other == "mcp_approval_response";
            let role = if is_result { Role::User } else { Role::Assistant };
            (role, Part::new(at.clone(), Kind::Opaque(json)))
        }
    };
    turns.push(turn(at, role, part));
    Ok(())
}

/// That something is where this request does not go.
pub(super) fn elsewhere(path: Path<'_>, why: &str) -> Refusal {
    let message = format!("`{path}` cannot be translated: {why}");
    Refusal::new(RefusalKind::NotTranslatable, message).at(path.to_string())
}

/// A state whose owner is not there: a part that says nothing else, for encoders to name.
fn alone(at: String, state: State<'_>) -> Part<'_> {
    let kind = Kind::Thinking {
        text: Cow::Borrowed(""),
        signature: None,
    };
    let mut part = Part::new(at, kind);
    part.state = Some(state);
    part
}

/// Gives states to the calls they belong to.
fn attach<'a>(turns: &mut Vec<Turn<'a>>, states: Vec<Pending<'a>>) {
    if states.is_empty() {
        return;
    }
    let mut places: HashMap<Box<str>, (usize, usize)> = HashMap::new();
    for (position, turn) in turns.iter().enumerate() {
        for (index, part) in turn.parts.iter().enumerate() {
            if let Kind::ToolCall(call) = &part.kind {
                places.entry(call.id.as_ref().into()).or_insert((position, index));
            }
        }
    }
    for (at, state, id) in states {
        let place = places.get(&id);
        let owner = place.and_then(|(turn, part)| turns.get_mut(*turn)?.parts.get_mut(*part));
        match owner {
            Some(part) => part.state = Some(state),
            None => turns.push(turn(at.clone(), Role::Assistant, alone(at, state))),
        }
    }
}

fn message<'a>(node: &Node<'a, '_>) -> Result<Turn<'a>, Refusal> {
    let role = match &*node.required("role")? {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        "developer" => Role::Developer,
        _ => {
            let expected = "`user`, `assistant`, `system` or `developer`";
            return Err(wrong(Path::Key(&node.path, "role"), expected));
        }
    };
    Ok(Turn {
        at: node.path.to_string(),
        role,
        name: None,
        parts: content(node, "content")?,
        extra: node.extra(&["type", "role", "content", "id", "status"]),
    })
}

/// A string or parts.
fn content<'a>(node: &Node<'a, '_>, name: &str) -> Result<Vec<Part<'a>>, Refusal> {
    let path = Path::Key(&node.path, name);
    let expected = "a string or an array of parts";
    let json = node.raw(name).ok_or_else(|| wrong(path, expected))?;
    if let Some(text) = json::text(json) {
        return Ok(vec![Part::new(path.to_string(), Kind::Text(text))]);
    }
    if !json.starts_with('[') {
        return Err(wrong(path, expected));
    }
    let mut parts = Vec::new();
    for (index, json) in json::elements(json).into_iter().enumerate() {
        let path = Path::Index(&path, index);
        parts.push(part(&Node::of(json, path)?, json)?);
    }
    Ok(parts)
}

fn part<'a>(node: &Node<'a, '_>, json: &'a str) -> Result<Part<'a>, Refusal> {
    let (kind, known): (Kind<'a>, &[&str]) = match &*node.required("type")? {
        // What the provider says beside its text says nothing to it.
        "input_text" | "output_text" | "text" => (
            Kind::Text(node.required("text")?),
            &["text", "annotations", "logprobs"],
        ),
        "refusal" => (Kind::Refusal(node.required("refusal")?), &["refusal"]),
        "input_image" => (image(node)?, &["image_url", "file_id", "detail"]),
        "input_file" => (file(node)?, &["file_data", "file_url", "file_id", "filename"]),
        "input_audio" => (audio(node)?, &["input_audio"]),
        _ => return Ok(Part::new(node.path.to_string(), Kind::Opaque(json))),
    };
    let mut part = Part::new(node.path.to_string(), kind);
    if node.object("prompt_cache_breakpoint")?.is_some() {
        part.cache = Some(Cache { ttl: None });
    }
    part.extra = node.extra(&[known, &["type", "prompt_cache_breakpoint"]].concat());
    part.extra
        .append(&mut node.extra_in("prompt_cache_breakpoint", &["mode"]));
    part.extra
        .append(&mut node.extra_in("input_audio", &["data", "format"]));
    Ok(part)
}

fn image<'a>(node: &Node<'a, '_>) -> Result<Kind<'a>, Refusal> {
    let source = match (node.text("image_url")?, node.text("file_id")?) {
        (Some(url), _) => Source::of_url(url),
        (None, Some(id)) => Source::File(id),
        (None, None) => {
            let expected = "a URL, or `file_id` must be given";
            return Err(wrong(Path::Key(&node.path, "image_url"), expected));
        }
    };
    // The default, said aloud.
    let detail = node.text("detail")?.filter(|detail| detail != "auto");
    Ok(Kind::Image { source, detail })
}

fn file<'a>(node: &Node<'a, '_>) -> Result<Kind<'a>, Refusal> {
    let title = node.text("filename")?;
    let data = node.text("file_data")?.filter(|data| !data.is_empty());
    let source = match (data, node.text("file_url")?, node.text("file_id")?) {
        (Some(data), ..) => match Source::of_url(data) {
            // Base64 alone: what else than a PDF has no media type?
            Source::Url(data) if !data.contains(':') => Source::Base64 {
                media_type: "application/pdf".into(),
                data,
            },
            source => source.of_document(),
        },
        (None, Some(url), _) => Source::Url(url),
        (None, None, Some(id)) => Source::File(id),
        (None, None, None) => {
            let expected = "a data URL, or `file_url` or `file_id` must be given";
            return Err(wrong(Path::Key(&node.path, "file_data"), expected));
        }
    };
    Ok(match source {
        Source::Base64 { ref media_type, .. } if media_type.starts_with("image/") => {
            Kind::Image { source, detail: None }
        }
        source => Kind::Document { source, title },
    })
}

fn audio<'a>(node: &Node<'a, '_>) -> Result<Kind<'a>, Refusal> {
    let path = Path::Key(&node.path, "input_audio");
    let json = node.raw("input_audio").ok_or_else(|| wrong(path, "an object"))?;
    let audio = Node::of(json, path)?;
    Ok(Kind::Audio {
        format: audio.required("format")?,
        data: audio.required("data")?,
    })
}

fn call<'a>(node: &Node<'a, '_>) -> Result<Part<'a>, Refusal> {
    let call = Call {
        id: node.required("call_id")?,
        name: node.required("name")?,
        arguments: node.text("arguments")?.unwrap_or_default(),
    };
    let mut part = Part::new(node.path.to_string(), Kind::ToolCall(call));
    part.extra = node.extra(&["type", "id", "status", "call_id", "name", "arguments", "caller"]);
    Ok(part)
}

fn custom_call<'a>(node: &Node<'a, '_>) -> Result<Part<'a>, Refusal> {
    let call = Call {
        id: node.required("call_id")?,
        name: node.required("name")?,
        arguments: custom::arguments(&node.required("input")?).into(),
    };
    let mut part = Part::new(node.path.to_string(), Kind::ToolCall(call));
    part.extra = node.extra(&["type", "id", "status", "call_id", "name", "input", "caller"]);
    Ok(part)
}

fn result<'a>(node: &Node<'a, '_>) -> Result<Part<'a>, Refusal> {
    let kind = Kind::ToolResult {
        id: node.required("call_id")?,
        parts: content(node, "output")?,
        is_error: false,
    };
    let mut part = Part::new(node.path.to_string(), kind);
    part.extra = node.extra(&["type", "id", "status", "call_id", "output", "caller"]);
    Ok(part)
}

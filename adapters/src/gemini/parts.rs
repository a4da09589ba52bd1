//! Parts of a content, read.
//!
//! Calls may have no ids, and results then name their function only. Here each call gets an id, made of its number
//! in the conversation and so the same in each turn of it, and each result the id of the call it belongs to.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tollgate_core::{Dialect, Refusal};

use super::lenient::{list, object};
use super::signature::{self, Carried};
use crate::chat::media::{Source, normalised};
use crate::chat::read::{Node, Path, wrong};
use crate::chat::{Call, Extra, Kind, Part, Role, State};
use crate::json::{self, Fields};

/// What the ids begin with that are made up here: they are not written back.
const MADE_UP: &str = "unnamed_call_";

/// Whether an id was made up here.
pub(crate) fn is_made_up(id: &str) -> bool {
    id.starts_with(MADE_UP)
}

/// The calls of a conversation, and which of them have no result yet.
#[derive(Debug, Default)]
pub(crate) struct Calls<'a> {
    all: Vec<Called<'a>>,
    /// The open ones of each id, by their number: the first one is answered first.
    open_by_id: HashMap<Cow<'a, str>, BTreeSet<usize>>,
    /// The open ones of each name, by their turn and number: the first one of the last turn is answered first.
    open_by_name: HashMap<Cow<'a, str>, BTreeSet<(Reverse<usize>, usize)>>,
    /// How many came without an id.
    unnamed: usize,
    /// The number of the model's turn.
    turn: usize,
    is_models: bool,
}

/// A call that was made.
#[derive(Debug)]
struct Called<'a> {
    turn: usize,
    id: Cow<'a, str>,
    name: Cow<'a, str>,
}

impl<'a> Calls<'a> {
    /// Another content begins.
    pub(crate) fn turn(&mut self, role: Role) {
        let is_models = role == Role::Assistant;
        self.turn += usize::from(is_models && !self.is_models);
        self.is_models = is_models;
    }

    fn unnamed(&mut self) -> Cow<'a, str> {
        self.unnamed += 1;
        format!("{MADE_UP}{}", self.unnamed - 1).into()
    }

    /// Notes a call, and tells its id.
    fn call(&mut self, id: Option<Cow<'a, str>>, name: &Cow<'a, str>) -> Cow<'a, str> {
        let id = id.unwrap_or_else(|| self.unnamed());
        let (number, turn) = (self.all.len(), self.turn);
        self.open_by_id.entry(id.clone()).or_default().insert(number);
        let of_name = self.open_by_name.entry(name.clone()).or_default();
        of_name.insert((Reverse(turn), number));
        self.all.push(Called {
            turn,
            id: id.clone(),
            name: name.clone(),
        });
        id
    }

    /// The id of the call that a result belongs to: the one it says, else the first open one of this name in the
    /// last turn that has one. One of no call, where there is none.
    fn result(&mut self, id: Option<Cow<'a, str>>, name: Option<&str>) -> Cow<'a, str> {
        let said = id.as_deref().and_then(|id| self.open_by_id.get(id)?.first());
        let named = || self.open_by_name.get(name?)?.first().map(|(_, number)| number);
        match said.or_else(named).copied().and_then(|number| self.close(number)) {
            Some(id) => id,
            None => id.unwrap_or_else(|| self.unnamed()),
        }
    }

    /// Takes a call out of the open ones, and tells its id.
    fn close(&mut self, number: usize) -> Option<Cow<'a, str>> {
        let Called { turn, id, name } = self.all.get(number)?;
        self.open_by_id.get_mut(id)?.remove(&number);
        self.open_by_name.get_mut(name)?.remove(&(Reverse(*turn), number));
        Some(id.clone())
    }
}

/// Reads a part. `None`: it says nothing.
pub(crate) fn read<'a>(
    json: &'a str,
    path: Path<'_>,
    calls: &mut Calls<'a>,
) -> Result<Option<Part<'a>>, Refusal> {
    let node = object(json, path)?;
    let is_thought = node.flag("thought")?.unwrap_or(false);
    let mut inner = Vec::new();
    let (kind, known) = if node.raw("functionCall").is_some() {
        (function_call(&node, calls, &mut inner)?, "functionCall")
    } else if node.raw("functionResponse").is_some() {
        (function_response(&node, calls, &mut inner)?, "functionResponse")
    } else if node.raw("inlineData").is_some() {
        match inline(&node, &mut inner)? {
            Some(kind) => (kind, "inlineData"),
            None => return Ok(Some(Part::new(path.to_string(), Kind::Opaque(json)))),
        }
    } else if node.raw("fileData").is_some() {
        match file(&node, &mut inner)? {
            Some(kind) => (kind, "fileData"),
            None => return Ok(Some(Part::new(path.to_string(), Kind::Opaque(json)))),
        }
    } else if let Some(text) = node.text("text")? {
        let kind = if is_thought {
            Kind::Thinking {
                text,
                signature: None,
            }
        } else {
            Kind::Text(text)
        };
        (kind, "text")
    } else if node.extra(&["thought", "thoughtSignature"]).is_empty() {
        let text = Cow::Borrowed("");
        (
            Kind::Thinking {
                text,
                signature: None,
            },
            "text",
        )
    } else {
        return Ok(Some(Part::new(path.to_string(), Kind::Opaque(json))));
    };
    let mut part = Part::new(path.to_string(), kind);
    part.extra = node.extra(&[known, "thought", "thoughtSignature"]);
    part.extra.append(&mut inner);
    let signature = node.text("thoughtSignature")?.filter(|text| !text.is_empty());
    let is_signed = signature.is_some();
    if let Some(carried) = signature.and_then(signature::read) {
        sign(&mut part, carried);
    }
    let is_hollow = matches!(&part.kind, Kind::Thinking { text, signature: None } if text.is_empty());
    Ok(
        Some(part)
            .filter(|part| !(is_hollow && part.state.is_none() && (is_signed || part.extra.is_empty()))),
    )
}

/// Puts what a signature carries where it belongs.
pub(crate) fn sign<'a>(part: &mut Part<'a>, carried: Carried<'a>) {
    let said = match &mut part.kind {
        Kind::Thinking { text, .. } => Some(std::mem::take(text)),
        Kind::Text(text) if text.is_empty() => Some(Cow::Borrowed("")),
        _ => None,
    };
    match (carried, said) {
        (Carried::Signature(proof), Some(text)) => {
            let signature = Some(Cow::Owned(proof));
            part.kind = Kind::Thinking { text, signature };
        }
        (Carried::Redacted(data), Some(_)) => part.kind = Kind::RedactedThinking(data.into()),
        (Carried::State(state), said) => {
            part.state = Some(state);
            if let Some(text) = said {
                part.kind = Kind::Thinking {
                    text,
                    signature: None,
                };
            }
        }
        // Neither stands with anything but thoughts.
        (Carried::Signature(_) | Carried::Redacted(_), None) => {}
    }
}

/// Google's own state, as answers bring it.
pub(crate) const fn own(data: Cow<'_, str>) -> State<'_> {
    State {
        of: Dialect::Gemini,
        data,
    }
}

/// Puts what is not `known` of the object `name` of a part into `extra`, under its path within the part.
fn note_inner<'a>(inside: &Node<'a, '_>, name: &str, known: &[&str], extra: &mut Extra<'a>) {
    for (other, value) in inside.extra(known) {
        extra.push((format!("{name}.{other}").into(), value));
    }
}

fn function_call<'a>(
    node: &Node<'a, '_>,
    calls: &mut Calls<'a>,
    extra: &mut Extra<'a>,
) -> Result<Kind<'a>, Refusal> {
    let call = object(
        node.raw("functionCall").unwrap_or("{}"),
        Path::Key(&node.path, "functionCall"),
    )?;
    let name = call.required("name")?;
    let id = call.text("id")?.filter(|id| !id.is_empty());
    note_inner(&call, "functionCall", &["id", "name", "args"], extra);
    Ok(Kind::ToolCall(Call {
        id: calls.call(id, &name),
        name,
        arguments: Cow::Borrowed(call.object("args")?.unwrap_or("{}")),
    }))
}

fn function_response<'a>(
    node: &Node<'a, '_>,
    calls: &mut Calls<'a>,
    extra: &mut Extra<'a>,
) -> Result<Kind<'a>, Refusal> {
    let result = object(
        node.raw("functionResponse").unwrap_or("{}"),
        Path::Key(&node.path, "functionResponse"),
    )?;
    let id = result.text("id")?.filter(|id| !id.is_empty());
    let name = result.text("name")?;
    note_inner(
        &result,
        "functionResponse",
        &["id", "name", "response", "parts"],
        extra,
    );
    let path = Path::Key(&result.path, "response");
    let (text, is_error) = response(result.object("response")?.unwrap_or("{}"));
    let mut parts = vec![Part::new(path.to_string(), Kind::Text(text))];
    let list_path = Path::Key(&result.path, "parts");
    for (index, json) in list(&result, "parts")?.into_iter().enumerate() {
        parts.extend(read(json, Path::Index(&list_path, index), calls)?);
    }
    let id = calls.result(id, name.as_deref());
    Ok(Kind::ToolResult { id, parts, is_error })
}

/// What a function answered, and whether that is an error: a text that stands alone in `result` or `error`, else
/// the whole object as JSON.
fn response(json: &str) -> (Cow<'_, str>, bool) {
    let fields = Fields::of(json).unwrap_or_default();
    let mut all = fields.iter();
    match (all.next(), all.next()) {
        (Some(("result", value)), None) => (json::text(value).unwrap_or(Cow::Borrowed(json)), false),
        (Some(("error", value)), None) => (json::text(value).unwrap_or(Cow::Borrowed(json)), true),
        _ => (Cow::Borrowed(json), false),
    }
}

/// `inlineData`. `None`: of a type that no other dialect has.
fn inline<'a>(node: &Node<'a, '_>, extra: &mut Extra<'a>) -> Result<Option<Kind<'a>>, Refusal> {
    let path = Path::Key(&node.path, "inlineData");
    let blob = object(node.raw("inlineData").unwrap_or("{}"), path)?;
    let given = blob.required("mimeType")?;
    let data = standard(blob.required("data")?);
    let media_type = normalised(&given);
    let mut known = vec!["mimeType", "data"];
    let (kind, subtype) = media_type.split_once('/').unwrap_or((&media_type, ""));
    let kind = match kind {
        "image" => Kind::Image {
            source: Source::Base64 {
                media_type: media_type.into(),
                data,
            },
            detail: None,
        },
        "audio" => match audio_format(subtype) {
            Some(format) if !given.contains(';') => Kind::Audio {
                format: format.into(),
                data,
            },
            _ => return Ok(None),
        },
        "text" | "application" => {
            known.push("displayName");
            let source = Source::Base64 {
                media_type: media_type.clone().into(),
                data,
            };
            let source = source.of_document();
            if matches!(source, Source::Text(_)) && media_type != "text/plain" {
                known.retain(|name| *name != "mimeType");
            }
            let title = blob.text("displayName")?;
            Kind::Document { source, title }
        }
        _ => return Ok(None),
    };
    note_inner(&blob, "inlineData", &known, extra);
    Ok(Some(kind))
}

/// Base64 in the standard alphabet: Google takes the one for URLs, too.
fn standard(data: Cow<'_, str>) -> Cow<'_, str> {
    if !data.contains(['-', '_']) {
        return data;
    }
    let mut data = data.replace('-', "+").replace('_', "/");
    while !data.len().is_multiple_of(4) {
        data.push('=');
    }
    data.into()
}

/// Text in base64.
pub(crate) fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

/// OpenAI's word for a format of audio.
fn audio_format(subtype: &str) -> Option<&'static str> {
    Some(match subtype {
        "wav" | "x-wav" | "wave" => "wav",
        "mp3" | "mpeg" => "mp3",
        "ogg" => "ogg",
        "flac" => "flac",
        "aac" => "aac",
        "aiff" => "aiff",
        "m4a" => "m4a",
        "webm" => "webm",
        "opus" => "opus",
        _ => return None,
    })
}

/// `fileData`. `None`: of a type that no other dialect has.
fn file<'a>(node: &Node<'a, '_>, extra: &mut Extra<'a>) -> Result<Option<Kind<'a>>, Refusal> {
    let path = Path::Key(&node.path, "fileData");
    let file = object(node.raw("fileData").unwrap_or("{}"), path)?;
    let uri = file.required("fileUri")?;
    if uri.is_empty() {
        return Err(wrong(Path::Key(&path, "fileUri"), "a URI"));
    }
    let given = file.text("mimeType")?.map(|given| normalised(&given));
    let guessed = media_type_of(&uri, "");
    let media_type = given.as_deref().unwrap_or(guessed).to_owned();
    let is_image = media_type.starts_with("image/");
    let is_document = media_type.starts_with("text/") || media_type.starts_with("application/");
    if !is_image && !is_document {
        return Ok(None);
    }
    let mut known = vec!["fileUri", "mimeType"];
    if media_type != media_type_of(&uri, if is_image { IMAGE } else { DOCUMENT }) {
        known.retain(|name| *name != "mimeType");
    }
    let source = if is_googles(&uri) {
        Source::File(uri)
    } else {
        Source::Url(uri)
    };
    let kind = if is_image {
        Kind::Image { source, detail: None }
    } else {
        known.push("displayName");
        let title = file.text("displayName")?;
        Kind::Document { source, title }
    };
    note_inner(&file, "fileData", &known, extra);
    Ok(Some(kind))
}

/// What an image or a document is taken for where its URI does not tell.
pub(crate) const IMAGE: &str = "image/jpeg";
pub(crate) const DOCUMENT: &str = "application/pdf";

/// Whether only Google can read a URI: an uploaded file, or one in its storage.
pub(crate) fn is_googles(uri: &str) -> bool {
    uri.starts_with("gs://") || uri.starts_with("https://generativelanguage.googleapis.com/")
}

/// The media type that a URI's ending tells.
pub(crate) fn media_type_of(uri: &str, unknown: &'static str) -> &'static str {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match &*ending.to_ascii_lowercase() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "html" => "text/html",
        "csv" => "text/csv",
        _ => unknown,
    }
}

//! Turns, written as `system` and `messages`.
//!
//! What the dialect insists on: a user who speaks first, speakers that alternate, the results of a turn's calls in
//! the turn after it, no blank text, a text beside each document, and names of documents that are made of few
//! characters and differ from each other.

use std::borrow::Cow;
use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tollgate_core::Dialect;

use super::blocks::{CHUNKS, WRAPPERS, format, is_format};
use super::decode::is_object;
use super::quirks::{LONGEST_NAME, Takes};
use crate::anthropic::turns::write_input;
use crate::chat::history::{Instructions, arrange, close, open, order, trim_last};
use crate::chat::media::Source;
use crate::chat::names::legal;
use crate::chat::write::{Array, Object};
use crate::chat::{Cache, Extra, Kind, Part, Role, Turn, lose_extra, write_extra};
use crate::loss::Loss;

/// What is said beside a document that came alone.
const SEE: &str = "See the document.";
/// The result of a call that came to nothing: results may not be blank.
const NOTHING: &str = "(nothing)";
/// What a document without a name is called.
const UNNAMED: &str = "document";
/// The longest name of a document, with room for a number.
const LONGEST_TITLE: usize = 190;

/// Where a request comes from, and where it goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) origin: Dialect,
    pub(crate) takes: Takes,
}

impl Way {
    /// Whether it was written in this dialect.
    pub(crate) fn is_own(self) -> bool {
        self.origin == Dialect::Bedrock
    }
}

/// A conversation as the dialect takes it.
#[derive(Debug)]
pub(crate) struct Conversation<'a> {
    pub(crate) system: Vec<Part<'a>>,
    pub(crate) turns: Vec<Turn<'a>>,
}

/// Brings turns into order, and takes out what has no place: that goes into the loss. `hint` is one more instruction.
pub(crate) fn prepare<'a>(
    mut turns: Vec<Turn<'a>>,
    hint: Option<String>,
    way: Way,
    loss: &mut Loss,
) -> Conversation<'a> {
    for turn in &mut turns {
        if turn.name.take().is_some() {
            loss.note(format!("{}.name", turn.at));
        }
        if !way.is_own() {
            lose_extra(&turn.at, &turn.extra, loss);
            turn.extra.clear();
        }
        let instructs = turn.role.instructs();
        turn.parts
            .retain_mut(|part| has_place(part, instructs, way, loss));
    }
    let (leading, mut turns) = arrange(turns, Instructions::Lead, loss);
    if !way.is_own() {
        order(&mut turns);
    }
    trim_last(&mut turns);
    open(&mut turns);
    if let Some(last) = turns.last().filter(|_| !way.takes.prefill)
        && last.role == Role::Assistant
    {
        // Carried, but not to be continued.
        loss.note(&*last.at);
        close(&mut turns);
    }
    let mut system: Vec<_> = leading.into_iter().flat_map(|turn| turn.parts).collect();
    system.extend(hint.map(|hint| Part::new(String::new(), Kind::Text(hint.into()))));
    if let Some(first) = turns.first_mut().filter(|_| !way.takes.system) {
        drop(first.parts.splice(0..0, std::mem::take(&mut system)));
    }
    name_documents(&mut turns);
    Conversation { system, turns }
}

/// Whether a part can be carried; what cannot is noted.
fn has_place(part: &mut Part<'_>, instructs: bool, way: Way, loss: &mut Loss) -> bool {
    let takes = way.takes;
    let is_filled = |text: &Option<Cow<'_, str>>| text.as_ref().is_some_and(|text| !text.is_empty());
    let is_carried = match &mut part.kind {
        Kind::Text(text) | Kind::Refusal(text) => {
            if text.trim().is_empty() {
                return false;
            }
            true
        }
        Kind::Opaque(_) => way.is_own(),
        _ if instructs => false,
        Kind::ToolCall(_) => true,
        // A signature proves thoughts to Claude wherever it runs; nobody else takes one, nor the thoughts of others.
        Kind::Thinking { signature, .. } if takes.signed => is_filled(signature),
        Kind::Thinking { signature, .. } => way.is_own() && !is_filled(signature),
        Kind::RedactedThinking(data) => takes.signed && is_base64(data),
        Kind::Image { source, detail } => {
            if detail.as_ref().is_some_and(|detail| detail != "auto") {
                loss.note(format!("{}.image_url.detail", part.at));
            }
            image_format(source).is_some()
        }
        Kind::Document { source, .. } => document_format(source).is_some(),
        Kind::Audio { data, .. } => (takes.audio || way.is_own()) && is_base64(data),
        Kind::ToolResult { parts, .. } => {
            parts.retain_mut(|part| has_place(part, false, way, loss));
            true
        }
    };
    if !is_carried {
        loss.note(&*part.at);
        return false;
    }
    if !way.is_own() {
        lose_extra(&part.at, &part.extra, loss);
        part.extra.clear();
    }
    part.cache = carried(part.cache.take(), &part.at, way, loss);
    lose_state(part, loss);
    true
}

/// A mark as the model takes it. One without a time is kept for the shortest.
pub(crate) fn carried<'c>(mark: Option<Cache<'c>>, at: &str, way: Way, loss: &mut Loss) -> Option<Cache<'c>> {
    let mut mark = mark?;
    if way.is_own() {
        return Some(mark);
    }
    if !way.takes.cache {
        loss.note(format!("{at}.cache_control"));
        return None;
    }
    let is_long = mark.ttl.as_deref() == Some("1h");
    if is_long && !way.takes.long_cache {
        loss.note(format!("{at}.cache_control.ttl"));
    }
    if !(is_long && way.takes.long_cache) {
        mark.ttl = None;
    }
    Some(mark)
}

/// What other providers want back has no place here.
fn lose_state(part: &mut Part<'_>, loss: &mut Loss) {
    if let Some(state) = part.state.take() {
        let name = match state.of {
            Dialect::Gemini => "thoughtSignature",
            Dialect::Responses => "encrypted_content",
            _ => "state",
        };
        loss.note(format!("{}.{name}", part.at));
    }
}

/// Whether a text is base64 as the AWS SDKs decode it.
pub(crate) fn is_base64(text: &str) -> bool {
    let trimmed = text.trim_end_matches('=');
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    !trimmed.is_empty() && text.len().is_multiple_of(4) && text.len() - trimmed.len() <= 2 && {
        trimmed.bytes().all(legal)
    }
}

fn image_format<'s>(source: &'s Source<'_>) -> Option<&'s str> {
    let Source::Base64 { media_type, .. } = source else {
        return None;
    };
    let format = media_type.strip_prefix("image/")?;
    ["png", "jpeg", "gif", "webp"].contains(&format).then_some(format)
}

fn document_format(source: &Source<'_>) -> Option<&'static str> {
    match source {
        Source::Base64 { media_type, .. } => format(media_type),
        Source::Text(text) => (!text.trim().is_empty()).then_some("txt"),
        Source::Url(_) | Source::File(_) => None,
    }
}

/// Gives each document a name that is legal and no other's, and a text beside it.
fn name_documents(turns: &mut [Turn<'_>]) {
    let mut names = HashSet::new();
    for turn in turns {
        for part in &mut turn.parts {
            name_document(&mut part.kind, &mut names);
            if let Kind::ToolResult { parts, .. } = &mut part.kind {
                for part in parts {
                    name_document(&mut part.kind, &mut names);
                }
            }
        }
        let is = |wanted: fn(&Kind<'_>) -> bool| turn.parts.iter().any(|part| wanted(&part.kind));
        if is(|kind| matches!(kind, Kind::Document { .. })) && !is(|kind| matches!(kind, Kind::Text(_))) {
            turn.parts.push(Part::new(String::new(), Kind::Text(SEE.into())));
        }
    }
}

fn name_document(kind: &mut Kind<'_>, names: &mut HashSet<String>) {
    let Kind::Document { title, .. } = kind else {
        return;
    };
    let legal = legal_title(title.as_deref().unwrap_or_default());
    let mut name = legal.clone();
    let mut number = 1_u32;
    while !names.insert(name.clone()) {
        number += 1;
        name = format!("{legal} ({number})");
    }
    if title.as_deref() != Some(&name) {
        *title = Some(name.into());
    }
}

/// A name of letters, digits, single blanks, hyphens, parentheses and square brackets.
fn legal_title(title: &str) -> String {
    let stem = match title.rsplit_once('.') {
        Some((stem, end)) if is_format(end) => stem,
        _ => title,
    };
    let is_legal = |c: char| c.is_ascii_alphanumeric() || "-()[]".contains(c);
    let mut name = String::with_capacity(stem.len());
    for word in stem.split_whitespace() {
        if !name.is_empty() {
            name.push(' ');
        }
        name.extend(word.chars().map(|c| if is_legal(c) { c } else { '-' }));
    }
    name.truncate(LONGEST_TITLE);
    name.truncate(name.trim_end().len());
    if name.is_empty() {
        return UNNAMED.to_owned();
    }
    name
}

/// Writes `messages`, and `system` if there is any.
pub(crate) fn write(o: &mut Object<'_>, conversation: &Conversation<'_>, origin: Dialect) {
    o.array("messages", |a| {
        for turn in &conversation.turns {
            let role = if turn.role == Role::Assistant {
                "assistant"
            } else {
                "user"
            };
            a.object(|o| {
                o.text("role", role);
                o.array("content", |a| {
                    turn.parts.iter().for_each(|part| write_part(a, part, origin));
                });
                write_extra(o, &turn.extra);
            });
        }
    });
    if !conversation.system.is_empty() {
        o.array("system", |a| {
            let parts = conversation.system.iter();
            parts.for_each(|part| write_part(a, part, origin));
        });
    }
}

/// Writes a block that came in a request or an answer of the dialect `origin`, and the mark behind it.
pub(crate) fn write_part(a: &mut Array<'_>, part: &Part<'_>, origin: Dialect) {
    let wrapper = part.extra.iter().find(|(name, _)| WRAPPERS.contains(&&**name));
    match (&part.kind, wrapper) {
        (Kind::Opaque(json), _) => a.raw(json),
        (_, Some((name, value))) => a.object(|o| o.raw(name, value).end()),
        (kind, None) => a.object(|o| {
            write_kind(o, kind, &part.extra, origin);
            let outside = part.extra.iter().filter(|(name, _)| !name.contains('.'));
            for (name, value) in outside {
                o.raw(name, value);
            }
        }),
    }
    write_cache(a, part.cache.as_ref());
}

/// Writes a `cachePoint`.
pub(crate) fn write_cache(a: &mut Array<'_>, cache: Option<&Cache<'_>>) {
    let Some(cache) = cache else { return };
    a.object(|o| {
        o.object("cachePoint", |o| {
            o.text("type", "default");
            if let Some(ttl) = &cache.ttl {
                o.text("ttl", ttl);
            }
        });
    });
}

/// Writes the fields of `extra` that belong to `member`.
fn write_within(o: &mut Object<'_>, member: &str, extra: &Extra<'_>) {
    for (name, value) in extra {
        let inside = name.strip_prefix(member).and_then(|name| name.strip_prefix('.'));
        if let Some(inside) = inside.filter(|name| !name.contains('.') && **name != *"source") {
            o.raw(inside, value);
        }
    }
}

fn write_kind(o: &mut Object<'_>, kind: &Kind<'_>, extra: &Extra<'_>, origin: Dialect) {
    match kind {
        Kind::Text(text) | Kind::Refusal(text) => o.text("text", text).end(),
        Kind::Image { source, .. } => o
            .object("image", |o| {
                o.text("format", image_format(source).unwrap_or("png"));
                write_source(o, source, None);
                write_within(o, "image", extra);
            })
            .end(),
        Kind::Document { source, title } => o
            .object("document", |o| {
                o.text("format", document_format(source).unwrap_or("txt"));
                o.text("name", title.as_deref().unwrap_or(UNNAMED));
                write_source(o, source, chunks(extra));
                write_within(o, "document", extra);
            })
            .end(),
        Kind::Audio { format, data } => o
            .object("audio", |o| {
                o.text("format", format);
                o.object("source", |o| o.text("bytes", data).end());
                write_within(o, "audio", extra);
            })
            .end(),
        Kind::ToolCall(call) => o
            .object("toolUse", |o| {
                o.text("toolUseId", &legal(&call.id, LONGEST_NAME))
                    .text("name", &legal(&call.name, LONGEST_NAME));
                write_input(o, &call.arguments);
                write_within(o, "toolUse", extra);
            })
            .end(),
        Kind::ToolResult { id, parts, is_error } => o
            .object("toolResult", |o| {
                o.text("toolUseId", &legal(id, LONGEST_NAME));
                o.array("content", |a| write_result(a, parts, origin));
                if *is_error {
                    o.text("status", "error");
                }
                write_within(o, "toolResult", extra);
            })
            .end(),
        Kind::Thinking { text, signature } => o
            .object("reasoningContent", |o| {
                o.object("reasoningText", |o| {
                    o.text("text", text);
                    if let Some(signature) = signature.as_deref().filter(|text| !text.is_empty()) {
                        o.text("signature", signature);
                    }
                    write_within(o, "reasoningContent.reasoningText", extra);
                });
            })
            .end(),
        Kind::RedactedThinking(data) => o
            .object("reasoningContent", |o| o.text("redactedContent", data).end())
            .end(),
        // It is written as it is.
        Kind::Opaque(_) => {}
    }
}

fn chunks<'e>(extra: &Extra<'e>) -> Option<&'e str> {
    extra
        .iter()
        .find(|(name, _)| name == CHUNKS)
        .map(|(_, chunks)| *chunks)
}

fn write_source(o: &mut Object<'_>, source: &Source<'_>, chunks: Option<&str>) {
    if let Some(chunks) = chunks {
        return o.raw("source", chunks).end();
    }
    o.object("source", |o| match source {
        Source::Base64 { data, .. } => o.text("bytes", data).end(),
        Source::Text(text) => o.text("bytes", &STANDARD.encode(&**text)).end(),
        // Neither comes this far.
        Source::Url(_) | Source::File(_) => {}
    });
}

/// Writes what a call came to. Clients of this dialect send JSON objects as such: they are written so again. For
/// others text stays text, digit for digit.
fn write_result(a: &mut Array<'_>, parts: &[Part<'_>], origin: Dialect) {
    if parts.is_empty() {
        return a.object(|o| o.text("text", NOTHING).end());
    }
    for part in parts {
        match &part.kind {
            Kind::Text(text) if origin == Dialect::Bedrock && is_object(text) => {
                a.object(|o| o.raw("json", text.trim()).end());
                write_cache(a, part.cache.as_ref());
            }
            _ => write_part(a, part, origin),
        }
    }
}

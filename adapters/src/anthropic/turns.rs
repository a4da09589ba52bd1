//! Turns, written as `system` and `messages`.

use tollgate_core::Dialect;

use super::quirks::{LONGEST_NAME, Takes};
use crate::chat::history::{Instructions, arrange, close, open, order, trim_last};
use crate::chat::media::Source;
use crate::chat::names::legal;
use crate::chat::write::{Array, Object, object, text};
use crate::chat::{Cache, Kind, Part, Role, Turn, lose_extra, write_extra};
use crate::loss::Loss;

/// A conversation as the dialect takes it.
#[derive(Debug)]
pub(crate) struct Conversation<'a> {
    pub(crate) system: Vec<Part<'a>>,
    pub(crate) turns: Vec<Turn<'a>>,
}

/// Brings turns into order, and takes out what has no place: that goes into the loss.
pub(crate) fn prepare<'a>(
    mut turns: Vec<Turn<'a>>,
    origin: Dialect,
    takes: Takes,
    loss: &mut Loss,
) -> Conversation<'a> {
    for turn in &mut turns {
        if turn.name.take().is_some() {
            loss.note(format!("{}.name", turn.at));
        }
        if origin != Dialect::Anthropic {
            lose_extra(&turn.at, &turn.extra, loss);
        }
        turn.extra.clear();
        let instructs = turn.role.instructs();
        turn.parts
            .retain_mut(|part| has_place(part, instructs, origin, loss));
    }
    let (leading, mut turns) = arrange(turns, Instructions::Lead, loss);
    if origin != Dialect::Anthropic {
        order(&mut turns);
    }
    trim_last(&mut turns);
    open(&mut turns);
    if let Some(last) = turns.last().filter(|_| !takes.prefill)
        && last.role == Role::Assistant
    {
        // Carried, but not to be continued.
        loss.note(&*last.at);
        close(&mut turns);
    }
    let system = leading.into_iter().flat_map(|turn| turn.parts).collect();
    Conversation { system, turns }
}

/// Whether a part can be carried; what cannot is noted.
fn has_place(part: &mut Part<'_>, instructs: bool, origin: Dialect, loss: &mut Loss) -> bool {
    let is_carried = match &mut part.kind {
        Kind::Text(text) | Kind::Refusal(text) => {
            if text.trim().is_empty() {
                return false;
            }
            true
        }
        _ if instructs => false,
        Kind::ToolCall(_) | Kind::RedactedThinking(_) => true,
        Kind::Thinking { signature, .. } => signature.as_ref().is_some_and(|text| !text.is_empty()),
        Kind::Image { source, detail } => {
            if detail.as_ref().is_some_and(|detail| detail != "auto") {
                loss.note(format!("{}.image_url.detail", part.at));
            }
            matches!(source, Source::Base64 { .. } | Source::Url(_)) || origin == Dialect::Anthropic
        }
        Kind::Document { source, .. } => match source {
            Source::Base64 { media_type, .. } => media_type == "application/pdf",
            Source::Url(_) | Source::Text(_) => true,
            Source::File(_) => origin == Dialect::Anthropic,
        },
        Kind::ToolResult { parts, .. } => {
            parts.retain_mut(|part| has_place(part, false, origin, loss));
            true
        }
        Kind::Audio { .. } => false,
        Kind::Opaque(_) => origin == Dialect::Anthropic,
    };
    if !is_carried {
        loss.note(&*part.at);
    } else if origin != Dialect::Anthropic {
        lose_extra(&part.at, &part.extra, loss);
        part.extra.clear();
    }
    is_carried
}

/// Writes `system`, if there is any.
pub(crate) fn write_system(o: &mut Object<'_>, parts: &[Part<'_>], hint: Option<&str>) {
    match (parts, hint) {
        ([], None) => {}
        ([], Some(hint)) => o.text("system", hint).end(),
        (
            [
                Part {
                    kind: Kind::Text(text),
                    cache: None,
                    extra,
                    ..
                },
            ],
            None,
        ) if extra.is_empty() => o.text("system", text).end(),
        (parts, hint) => {
            o.array("system", |a| {
                for part in parts {
                    write_part(a, part);
                }
                if let Some(hint) = hint {
                    a.object(|o| o.text("type", "text").text("text", hint).end());
                }
            });
        }
    }
}

/// Writes `messages`.
pub(crate) fn write_messages(o: &mut Object<'_>, turns: &[Turn<'_>]) {
    o.array("messages", |a| {
        for turn in turns {
            let role = if turn.role == Role::Assistant {
                "assistant"
            } else {
                "user"
            };
            a.object(|o| {
                o.text("role", role);
                write_content(o, &turn.parts);
            });
        }
    });
}

/// Writes `content`: a string where that says it all.
fn write_content(o: &mut Object<'_>, parts: &[Part<'_>]) {
    match parts {
        [
            Part {
                kind: Kind::Text(text),
                cache: None,
                extra,
                ..
            },
        ] if extra.is_empty() => o.text("content", text).end(),
        parts => o
            .array("content", |a| parts.iter().for_each(|part| write_part(a, part)))
            .end(),
    }
}

/// Writes `cache_control`.
pub(crate) fn write_cache(o: &mut Object<'_>, cache: Option<&Cache<'_>>) {
    let Some(cache) = cache else { return };
    o.object("cache_control", |o| {
        o.text("type", "ephemeral");
        if let Some(ttl) = &cache.ttl {
            o.text("ttl", ttl);
        }
    });
}

/// Writes a block.
pub(crate) fn write_part(a: &mut Array<'_>, part: &Part<'_>) {
    if let Kind::Opaque(json) = &part.kind {
        return a.raw(json);
    }
    a.object(|o| {
        write_kind(o, &part.kind);
        // Thoughts may not be marked.
        if !matches!(part.kind, Kind::Thinking { .. } | Kind::RedactedThinking(_)) {
            write_cache(o, part.cache.as_ref());
        }
        write_extra(o, &part.extra);
    });
}

fn write_kind(o: &mut Object<'_>, kind: &Kind<'_>) {
    match kind {
        Kind::Text(text) | Kind::Refusal(text) => o.text("type", "text").text("text", text).end(),
        Kind::Image { source, .. } => {
            o.text("type", "image");
            write_source(o, source);
        }
        Kind::Document { source, title } => {
            o.text("type", "document");
            write_source(o, source);
            if let Some(title) = title {
                o.text("title", title);
            }
        }
        Kind::ToolCall(call) => {
            o.text("type", "tool_use")
                .text("id", &legal(&call.id, LONGEST_NAME));
            o.text("name", &legal(&call.name, LONGEST_NAME));
            write_input(o, &call.arguments);
        }
        Kind::ToolResult { id, parts, is_error } => {
            o.text("type", "tool_result")
                .text("tool_use_id", &legal(id, LONGEST_NAME));
            if !parts.is_empty() {
                write_content(o, parts);
            }
            if *is_error {
                o.plain("is_error", true);
            }
        }
        Kind::Thinking { text, signature } => {
            o.text("type", "thinking").text("thinking", text);
            o.text("signature", signature.as_deref().unwrap_or_default());
        }
        Kind::RedactedThinking(data) => o.text("type", "redacted_thinking").text("data", data).end(),
        // Neither comes this far.
        Kind::Audio { .. } | Kind::Opaque(_) => {}
    }
}

fn write_source(o: &mut Object<'_>, source: &Source<'_>) {
    object(o.key("source"), |o| {
        match source {
            Source::Base64 { media_type, data } => o
                .text("type", "base64")
                .text("media_type", media_type)
                .text("data", data),
            Source::Url(url) => o.text("type", "url").text("url", url),
            Source::Text(text) => {
                let o = o.text("type", "text").text("media_type", "text/plain");
                o.text("data", text)
            }
            Source::File(id) => o.text("type", "file").text("file_id", id),
        };
    });
}

/// A JSON object for `input`: the arguments if they are one, else an object around them.
pub(crate) fn write_input(o: &mut Object<'_>, arguments: &str) {
    let trimmed = arguments.trim();
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(trimmed).is_ok();
    if is_json && trimmed.starts_with('{') {
        o.raw("input", trimmed);
    } else if trimmed.is_empty() || trimmed == "null" {
        o.raw("input", "{}");
    } else {
        // Cut off, or never JSON: the words are kept.
        object(o.key("input"), |o| text(o.key("invalid_arguments"), arguments));
    }
}

//! Turns, written as `messages`.

use std::borrow::Cow;

use tollgate_core::ProviderKind;

use super::quirks::{LONGEST_NAME, Takes};
use crate::chat::carried::{Owner, of_state};
use crate::chat::history::{Instructions, arrange, open};
use crate::chat::media::{Source, write_image};
use crate::chat::names::{legal, nine};
use crate::chat::write::{Array, Object};
use crate::chat::{Cache, Call, Kind, Part, Role, Turn, lose_extra, write_extra};
use crate::loss::Loss;
use crate::profile::profile;

/// The longest id of a call.
const LONGEST_ID: usize = 40;

/// Writes messages, and notes what it leaves out.
pub(crate) struct Writer<'w> {
    pub(crate) kind: ProviderKind,
    pub(crate) takes: Takes,
    /// What was not understood must not pass on.
    pub(crate) crosses: bool,
    pub(crate) loss: &'w mut Loss,
}

/// Writes `cache_control` where it is taken, and notes it where not.
pub(crate) fn write_cache(
    o: &mut Object<'_>,
    at: &str,
    cache: Option<&Cache<'_>>,
    takes: Takes,
    crosses: bool,
    loss: &mut Loss,
) {
    match cache {
        Some(_) if takes.cache_marks || !crosses => {
            crate::anthropic::turns::write_cache(o, cache);
        }
        Some(_) => loss.note(format!("{at}.cache_control")),
        None => {}
    }
}

impl Writer<'_> {
    /// Writes `messages`; `hint` is an instruction of the gateway's own.
    pub(crate) fn messages(&mut self, o: &mut Object<'_>, mut turns: Vec<Turn<'_>>, hint: Option<&str>) {
        self.note_beside(&mut turns);
        let (_, turns) = arrange(turns, Instructions::Stay, self.loss);
        // Turns behind the user's last words belong to a loop of tool calls.
        let is_said = |part: &Part<'_>| !matches!(part.kind, Kind::ToolResult { .. });
        let in_loop = turns
            .iter()
            .rposition(|turn| turn.role == Role::User && turn.parts.iter().any(is_said));
        let last = turns.len().saturating_sub(1);
        o.array("messages", |a| {
            if let Some(hint) = hint {
                a.object(|o| o.text("role", "system").text("content", hint).end());
            }
            for (position, turn) in turns.iter().enumerate() {
                let in_loop = in_loop.is_none_or(|said| position > said);
                match turn.role {
                    Role::Developer if self.takes.developer => self.said(a, "developer", turn, &turn.parts),
                    Role::System | Role::Developer => self.said(a, "system", turn, &turn.parts),
                    Role::User => self.user(a, turn),
                    Role::Assistant => self.assistant(a, turn, in_loop, position == last),
                }
            }
            // Nothing of what was said could be carried.
            if a.is_empty() {
                let mut opening = Vec::new();
                open(&mut opening);
                for turn in &opening {
                    self.user(a, turn);
                }
            }
        });
    }

    /// Notes what turns say beside their parts: before they are joined, for each has a place of its own.
    fn note_beside(&mut self, turns: &mut [Turn<'_>]) {
        for turn in turns {
            if self.is_strict() && turn.name.is_some() {
                self.loss.note(format!("{}.name", turn.at));
            }
            if self.crosses {
                // Mistral's own `prefix` is written wherever it says something.
                let is_lost = |name: &str| name != "prefix" || self.kind != ProviderKind::Mistral;
                turn.extra.retain(|(name, _)| is_lost(name));
                lose_extra(&turn.at, &turn.extra, self.loss);
                turn.extra.clear();
            }
        }
    }

    fn is_strict(&self) -> bool {
        profile(self.kind).quirks.is_strict
    }

    fn id<'i>(&self, id: &'i str) -> Cow<'i, str> {
        if self.takes.any_id {
            legal(id, LONGEST_ID)
        } else {
            nine(id)
        }
    }

    /// A message that is nothing but content.
    fn said<'a, 'p>(
        &mut self,
        a: &mut Array<'_>,
        role: &str,
        turn: &Turn<'_>,
        parts: impl IntoIterator<Item = &'p Part<'a>>,
    ) where
        'a: 'p,
    {
        let parts: Vec<_> = parts.into_iter().filter(|part| self.has_place(part)).collect();
        if parts.is_empty() {
            return;
        }
        a.object(|o| {
            o.text("role", role);
            if let Some(name) = turn.name.as_ref().filter(|_| !self.is_strict()) {
                o.text("name", name);
            }
            self.content(o, &parts);
            self.extra(o, turn);
        });
    }

    fn extra(&self, o: &mut Object<'_>, turn: &Turn<'_>) {
        if !self.crosses {
            write_extra(o, &turn.extra);
        }
    }

    /// Results of tools, each in a message of its own, then what the user says. What results hold beside text
    /// goes there too: messages of tools are text.
    fn user(&mut self, a: &mut Array<'_>, turn: &Turn<'_>) {
        let mut rest: Vec<&Part<'_>> = Vec::new();
        for part in &turn.parts {
            let Kind::ToolResult { id, parts, is_error } = &part.kind else {
                continue;
            };
            let (texts, others): (Vec<_>, Vec<_>) =
                parts.iter().partition(|part| matches!(part.kind, Kind::Text(_)));
            rest.extend(others);
            if *is_error && !part.at.is_empty() {
                self.loss.note(format!("{}.is_error", part.at));
            }
            a.object(|o| {
                o.text("role", "tool").text("tool_call_id", &self.id(id));
                self.content(o, &texts);
                write_cache(
                    o,
                    &part.at,
                    part.cache.as_ref(),
                    self.takes,
                    self.crosses,
                    self.loss,
                );
                if self.crosses {
                    lose_extra(&part.at, &part.extra, self.loss);
                }
            });
        }
        rest.extend(
            turn.parts
                .iter()
                .filter(|part| !matches!(part.kind, Kind::ToolResult { .. })),
        );
        self.said(a, "user", turn, rest);
    }

    fn assistant(&mut self, a: &mut Array<'_>, turn: &Turn<'_>, in_loop: bool, is_last: bool) {
        let (mut content, mut calls, mut thoughts) = (Vec::new(), Vec::new(), Vec::new());
        let mut refusals: Vec<&str> = Vec::new();
        for part in &turn.parts {
            match &part.kind {
                Kind::ToolCall(call) => calls.push((part, call)),
                Kind::Thinking { .. } | Kind::RedactedThinking(_) => thoughts.push(part),
                Kind::Refusal(text) if !self.is_strict() => {
                    self.note_rest(part);
                    refusals.push(text);
                }
                _ if self.has_place(part) => content.push(part),
                _ => {}
            }
        }
        let thoughts = self.thoughts(&thoughts, in_loop && !calls.is_empty());
        if content.is_empty() && calls.is_empty() && refusals.is_empty() && thoughts.is_none() {
            return;
        }
        a.object(|o| {
            o.text("role", "assistant");
            if let Some(name) = turn.name.as_ref().filter(|_| !self.is_strict()) {
                o.text("name", name);
            }
            if content.is_empty() {
                o.raw(
                    "content",
                    if self.kind == ProviderKind::Mistral {
                        "\"\""
                    } else {
                        "null"
                    },
                );
            } else {
                self.content(o, &content);
            }
            if !refusals.is_empty() {
                o.text("refusal", &refusals.join("\n\n"));
            }
            match thoughts {
                Some(Thoughts::Text(text)) => o.text("reasoning_content", &text).end(),
                Some(Thoughts::Blocks(blocks)) => {
                    o.array("thinking_blocks", |a| {
                        for part in blocks {
                            write_thoughts(a, part);
                        }
                    });
                }
                None => {}
            }
            if !calls.is_empty() {
                o.array("tool_calls", |a| {
                    for (part, call) in &calls {
                        self.call(a, part, call);
                    }
                });
            }
            // Elsewhere such a turn is carried, but not continued.
            match self.kind {
                _ if !is_last || !self.crosses => {}
                ProviderKind::Mistral => o.plain("prefix", true).end(),
                _ => self.loss.note(&*turn.at),
            }
            self.extra(o, turn);
        });
    }

    fn call(&mut self, a: &mut Array<'_>, part: &Part<'_>, call: &Call<'_>) {
        let arguments = call.arguments.trim();
        a.object(|o| {
            o.text("id", &self.id(&call.id)).text("type", "function");
            o.object("function", |o| {
                o.text("name", &legal(&call.name, LONGEST_NAME));
                o.text("arguments", if arguments.is_empty() { "{}" } else { arguments });
            });
            write_cache(
                o,
                &part.at,
                part.cache.as_ref(),
                self.takes,
                self.crosses,
                self.loss,
            );
            if !self.crosses {
                write_extra(o, &part.extra);
            }
        });
        if self.crosses {
            lose_extra(&part.at, &part.extra, self.loss);
        }
    }

    /// Thoughts as they may be sent: as text to DeepSeek, which wants those of a loop back.
    fn thoughts<'t, 'a>(&mut self, parts: &[&'t Part<'a>], in_loop: bool) -> Option<Thoughts<'t, 'a>> {
        let is_signed = |part: &&&Part<'_>| match &part.kind {
            Kind::Thinking { signature, .. } => signature.as_ref().is_some_and(|text| !text.is_empty()),
            _ => true,
        };
        if !self.crosses && parts.iter().any(|part| is_signed(&part)) {
            return Some(Thoughts::Blocks(parts.to_vec()));
        }
        let is_carried = !self.crosses || (in_loop && self.kind == ProviderKind::DeepSeek);
        let mut words = String::new();
        for part in parts {
            match &part.kind {
                Kind::Thinking { text, .. } if is_carried && !text.is_empty() => {
                    words.push_str(text);
                    if self.crosses {
                        lose_extra(&part.at, &part.extra, self.loss);
                    }
                    if part.state.is_some() {
                        self.loss.note(format!("{}.signature", part.at));
                    }
                }
                _ => self.loss.note(&*part.at),
            }
        }
        Some(Thoughts::Text(words)).filter(|_| is_carried && !parts.is_empty())
    }

    fn has_place(&mut self, part: &Part<'_>) -> bool {
        let is_carried = match &part.kind {
            Kind::Text(_) | Kind::Refusal(_) | Kind::Audio { .. } => true,
            Kind::Image { source, .. } => matches!(source, Source::Base64 { .. } | Source::Url(_)),
            Kind::Document { source, .. } => match source {
                Source::Base64 { .. } | Source::Text(_) => true,
                Source::Url(_) => self.takes.document_url || !self.crosses,
                Source::File(_) => !self.crosses,
            },
            Kind::Opaque(_) => !self.crosses,
            // Out of place here: calls and thoughts of users, results of assistants.
            _ => false,
        };
        if !is_carried {
            self.loss.note(&*part.at);
        }
        is_carried
    }

    /// Writes `content`: a string where that says it all.
    fn content(&mut self, o: &mut Object<'_>, parts: &[&Part<'_>]) {
        let keeps_marks = self.takes.cache_marks || !self.crosses;
        let is_plain = parts.len() < 2 || (!self.takes.text_lists && self.crosses);
        let says_more = |part: &&Part<'_>| {
            (keeps_marks && part.cache.is_some()) || (!self.crosses && !part.extra.is_empty())
        };
        let texts: Option<Vec<&str>> = parts.iter().map(|part| text_of(part)).collect();
        let Some(texts) = texts.filter(|_| is_plain && !parts.iter().any(says_more)) else {
            o.array("content", |a| parts.iter().for_each(|part| self.part(a, part)));
            return;
        };
        for part in parts {
            self.note_rest(part);
        }
        match texts.as_slice() {
            [text] => o.text("content", text).end(),
            texts => o.text("content", &texts.join("\n\n")).end(),
        }
    }

    /// Notes what a part has beside its words, where those alone are sent.
    fn note_rest(&mut self, part: &Part<'_>) {
        if part.cache.is_some() {
            self.loss.note(format!("{}.cache_control", part.at));
        }
        lose_extra(&part.at, &part.extra, self.loss);
    }

    fn part(&mut self, a: &mut Array<'_>, part: &Part<'_>) {
        if let Kind::Opaque(json) = &part.kind {
            return a.raw(json);
        }
        a.object(|o| {
            match &part.kind {
                Kind::Text(text) => o.text("type", "text").text("text", text).end(),
                Kind::Refusal(text) => o.text("type", "refusal").text("refusal", text).end(),
                Kind::Image { source, detail } => write_image(o, source, detail.as_deref()),
                Kind::Document { source, title } => self.document(o, source, title.as_deref()),
                Kind::Audio { format, data } => {
                    o.text("type", "input_audio");
                    o.object("input_audio", |o| {
                        o.text("data", data).text("format", format).end();
                    });
                }
                _ => {}
            }
            write_cache(
                o,
                &part.at,
                part.cache.as_ref(),
                self.takes,
                self.crosses,
                self.loss,
            );
            if self.crosses {
                lose_extra(&part.at, &part.extra, self.loss);
            } else {
                write_extra(o, &part.extra);
            }
        });
    }

    fn document(&self, o: &mut Object<'_>, source: &Source<'_>, title: Option<&str>) {
        match source {
            Source::Text(text) => {
                let text = title.map_or_else(|| text.to_string(), |title| format!("{title}\n\n{text}"));
                o.text("type", "text").text("text", &text);
            }
            Source::Url(url) => o.text("type", "document_url").text("document_url", url).end(),
            Source::Base64 { media_type, data } if self.takes.document_url => {
                let url = format!("data:{media_type};base64,{data}");
                o.text("type", "document_url").text("document_url", &url);
                if let Some(title) = title {
                    o.text("document_name", title);
                }
            }
            Source::Base64 { media_type, data } => {
                o.text("type", "file").object("file", |o| {
                    let title = title.unwrap_or("document");
                    let ending = if title.contains('.') { "" } else { ".pdf" };
                    o.text("filename", &format!("{title}{ending}"));
                    o.text("file_data", &format!("data:{media_type};base64,{data}"));
                });
            }
            Source::File(id) => {
                o.text("type", "file")
                    .object("file", |o| o.text("file_id", id).end());
            }
        }
    }
}

/// The text of a part that is nothing else.
fn text_of<'p>(part: &'p Part<'_>) -> Option<&'p str> {
    match &part.kind {
        Kind::Text(text) | Kind::Refusal(text) => Some(text),
        _ => None,
    }
}

/// How thoughts are sent.
enum Thoughts<'t, 'a> {
    Text(String),
    Blocks(Vec<&'t Part<'a>>),
}

/// Writes a block of `thinking_blocks`.
pub(crate) fn write_thoughts(a: &mut Array<'_>, part: &Part<'_>) {
    a.object(|o| match &part.kind {
        Kind::Thinking { text, signature } => {
            let signature = signature.as_deref().filter(|signature| !signature.is_empty());
            let carried = part.state.as_ref().filter(|_| signature.is_none());
            let carried = carried.map(|state| of_state(state, Owner::Itself));
            match carried {
                // Thoughts without words are nothing that a client would keep.
                Some(carried) if text.is_empty() => {
                    o.text("type", "redacted_thinking").text("data", &carried);
                }
                carried => {
                    o.text("type", "thinking").text("thinking", text);
                    o.text("signature", carried.as_deref().or(signature).unwrap_or_default());
                }
            }
        }
        Kind::RedactedThinking(data) => o.text("type", "redacted_thinking").text("data", data).end(),
        _ => {}
    });
}

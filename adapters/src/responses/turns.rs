//! Turns, written as `instructions` and `input`.
//!
//! A message, each call, each result and all thoughts are items of their own, in the order in which they were said:
//! so thoughts stand in front of the call they led to, which is where their provider wants them.

use std::collections::HashSet;

use tollgate_core::Dialect;

use crate::chat::custom;
use crate::chat::history::{Instructions, arrange, open};
use crate::chat::media::Source;
use crate::chat::names::legal;
use crate::chat::write::{Array, Object};
use crate::chat::{Kind, Part, Role, Turn, lose_extra, write_extra};
use crate::json::Fields;
use crate::loss::Loss;

/// The longest name of a tool, id of a call, and word for an end user.
pub(super) const LONGEST: usize = 64;

/// Without this word in the input, JSON is not given.
const JSON: &str = "json";
/// What is said where nobody said it.
const JSON_HINT: &str = "Respond with a single JSON object.";

/// Writes items, and notes what it leaves out.
#[derive(Debug)]
pub(super) struct Writer<'w> {
    /// What was not understood must not pass on.
    pub(super) crosses: bool,
    /// The ids of the calls of custom tools.
    pub(super) custom: HashSet<String>,
    pub(super) loss: &'w mut Loss,
}

impl Writer<'_> {
    /// Writes `instructions` and `input`; `wants_json` is whether the answer is to be a JSON object.
    pub(super) fn input(&mut self, o: &mut Object<'_>, turns: Vec<Turn<'_>>, wants_json: bool) {
        let mut turns = turns;
        self.note_beside(&mut turns);
        if self.crosses {
            turns = arrange(turns, Instructions::Stay, self.loss).1;
        }
        let leads = |turn: &&Turn<'_>| {
            if self.crosses {
                turn.role.instructs()
            } else {
                turn.at == "instructions"
            }
        };
        let leading = turns.iter().take_while(leads).count();
        let mut rest = turns.split_off(leading);
        if rest.is_empty() {
            open(&mut rest);
        }
        self.instructions(o, &turns);
        let last = rest.len().saturating_sub(1);
        o.array("input", |a| {
            if wants_json && self.crosses && !rest.iter().any(says_json) {
                a.object(|o| {
                    o.text("type", "message").text("role", "developer");
                    o.text("content", JSON_HINT);
                });
            }
            for (position, turn) in rest.iter().enumerate() {
                self.turn(a, turn);
                if self.crosses && position == last && turn.role == Role::Assistant {
                    // Carried, but not continued.
                    self.loss.note(&*turn.at);
                }
            }
            // Nothing of what was said could be carried.
            if a.is_empty() {
                let mut opening = Vec::new();
                open(&mut opening);
                for turn in &opening {
                    self.turn(a, turn);
                }
            }
        });
    }

    fn instructions(&mut self, o: &mut Object<'_>, turns: &[Turn<'_>]) {
        let mut texts: Vec<&str> = Vec::new();
        for turn in turns {
            for part in &turn.parts {
                match &part.kind {
                    Kind::Text(text) | Kind::Refusal(text) => texts.push(text),
                    _ => self.loss.note(&*part.at),
                }
                if part.cache.is_some() {
                    self.loss.note(format!("{}.cache_control", part.at));
                }
                lose_extra(&part.at, &part.extra, self.loss);
            }
        }
        if !texts.is_empty() {
            o.text("instructions", &texts.join("\n\n"));
        }
    }

    /// Notes what turns say beside their parts: before they are joined, for each has a place of its own.
    fn note_beside(&mut self, turns: &mut [Turn<'_>]) {
        for turn in turns {
            if turn.name.is_some() {
                self.loss.note(format!("{}.name", turn.at));
            }
            if self.crosses {
                lose_extra(&turn.at, &turn.extra, self.loss);
                turn.extra.clear();
            }
        }
    }

    fn turn(&mut self, a: &mut Array<'_>, turn: &Turn<'_>) {
        if turn.parts.is_empty() && !self.crosses {
            return self.message(a, turn, &[]);
        }
        let mut said: Vec<&Part<'_>> = Vec::new();
        // Thoughts that led to nothing are refused.
        let spoken = turn.parts.iter().rposition(|part| !is_thought(part));
        for (position, part) in turn.parts.iter().enumerate() {
            if self.crosses && is_thought(part) && spoken.is_none_or(|spoken| spoken < position) {
                self.loss.note(&*part.at);
                continue;
            }
            let is_item = match &part.kind {
                Kind::ToolCall(_) | Kind::Thinking { .. } | Kind::RedactedThinking(_) => {
                    turn.role == Role::Assistant
                }
                Kind::ToolResult { .. } => turn.role == Role::User,
                Kind::Opaque(_) => !self.crosses && part.at == turn.at,
                _ => false,
            };
            if is_item {
                self.message(a, turn, &std::mem::take(&mut said));
                self.item(a, part);
            } else if self.has_place(part, turn.role) {
                self.note_state(part);
                said.push(part);
            }
        }
        self.message(a, turn, &said);
    }

    /// Writes an item that is no message.
    fn item(&mut self, a: &mut Array<'_>, part: &Part<'_>) {
        match &part.kind {
            Kind::ToolCall(call) => {
                self.note_state(part);
                self.note_cache(part);
                let arguments = call.arguments.trim();
                let is_custom = self.custom.contains(&*call.id);
                a.object(|o| {
                    o.text(
                        "type",
                        if is_custom {
                            "custom_tool_call"
                        } else {
                            "function_call"
                        },
                    );
                    o.text("call_id", &legal(&call.id, LONGEST));
                    o.text("name", &legal(&call.name, LONGEST));
                    match arguments {
                        arguments if is_custom => o.text("input", &custom::input(arguments)),
                        "" => o.text("arguments", "{}"),
                        arguments => o.text("arguments", arguments),
                    };
                    self.extra(o, part);
                });
            }
            Kind::ToolResult { id, parts, is_error } => {
                if *is_error && !part.at.is_empty() {
                    self.loss.note(format!("{}.is_error", part.at));
                }
                self.note_cache(part);
                let kept: Vec<_> = parts
                    .iter()
                    .filter(|part| self.has_place(part, Role::User))
                    .collect();
                a.object(|o| {
                    o.text(
                        "type",
                        if self.custom.contains(&**id) {
                            "custom_tool_call_output"
                        } else {
                            "function_call_output"
                        },
                    );
                    o.text("call_id", &legal(id, LONGEST));
                    if kept.is_empty() {
                        o.text("output", "");
                    } else {
                        self.content(o, "output", &kept, Role::User);
                    }
                    self.extra(o, part);
                });
            }
            Kind::Opaque(json) => a.raw(json),
            _ => match own_thoughts(part) {
                Some(item) => a.raw(item),
                None => self.loss.note(&*part.at),
            },
        }
    }

    fn message(&mut self, a: &mut Array<'_>, turn: &Turn<'_>, parts: &[&Part<'_>]) {
        if parts.is_empty() && (self.crosses || !turn.parts.is_empty()) {
            return;
        }
        let role = match turn.role {
            Role::System => "system",
            Role::Developer => "developer",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        a.object(|o| {
            o.text("type", "message").text("role", role);
            self.content(o, "content", parts, turn.role);
            if !self.crosses {
                write_extra(o, &turn.extra);
            }
        });
    }

    /// Writes parts: as a string where that says it all.
    fn content(&mut self, o: &mut Object<'_>, name: &str, parts: &[&Part<'_>], role: Role) {
        if let [part] = parts
            && let Kind::Text(text) = &part.kind
            && (self.crosses || (part.cache.is_none() && part.extra.is_empty()))
        {
            self.note_cache(part);
            lose_extra(&part.at, &part.extra, self.loss);
            o.text(name, text);
            return;
        }
        o.array(name, |a| {
            for part in parts {
                self.part(a, part, role);
            }
        });
    }

    fn part(&mut self, a: &mut Array<'_>, part: &Part<'_>, role: Role) {
        if let Kind::Opaque(json) = &part.kind {
            return a.raw(json);
        }
        a.object(|o| {
            write_kind(o, &part.kind, role);
            if part.cache.is_some() && !self.crosses {
                o.object("prompt_cache_breakpoint", |o| o.text("mode", "explicit").end());
            } else {
                self.note_cache(part);
            }
            self.extra(o, part);
        });
    }

    fn extra(&mut self, o: &mut Object<'_>, part: &Part<'_>) {
        if self.crosses {
            lose_extra(&part.at, &part.extra, self.loss);
        } else {
            write_extra(o, &part.extra);
        }
    }

    fn note_cache(&mut self, part: &Part<'_>) {
        if part.cache.is_some() {
            self.loss.note(format!("{}.cache_control", part.at));
        }
    }

    /// Notes what another provider wants back with a part.
    fn note_state(&mut self, part: &Part<'_>) {
        match part.state.as_ref().map(|state| state.of) {
            Some(Dialect::Gemini) => self.loss.note(format!("{}.thoughtSignature", part.at)),
            Some(_) => self.loss.note(format!("{}.state", part.at)),
            None => {}
        }
    }

    /// Whether a part can stand in a message or a result; what cannot is noted.
    fn has_place(&mut self, part: &Part<'_>, role: Role) -> bool {
        let is_carried = match &part.kind {
            Kind::Text(_) | Kind::Refusal(_) => true,
            Kind::Image { source, .. } => match source {
                Source::Base64 { .. } | Source::Url(_) => role == Role::User || !self.crosses,
                Source::File(_) => !self.crosses,
                Source::Text(_) => false,
            },
            Kind::Document { source, .. } => match source {
                Source::File(_) => !self.crosses,
                _ => role == Role::User || !self.crosses,
            },
            Kind::Audio { .. } | Kind::Opaque(_) => !self.crosses,
            // Out of place here: calls and thoughts of users, results of assistants.
            _ => false,
        };
        if !is_carried {
            self.loss.note(&*part.at);
        }
        is_carried
    }
}

const fn is_thought(part: &Part<'_>) -> bool {
    matches!(part.kind, Kind::Thinking { .. } | Kind::RedactedThinking(_))
}

/// The reasoning item that OpenAI gave; `None`: somebody else's thoughts, or not a reasoning item at all, for it has
/// been in the client's hands.
fn own_thoughts<'p>(part: &'p Part<'_>) -> Option<&'p str> {
    let state = part
        .state
        .as_ref()
        .filter(|state| state.of == Dialect::Responses)?;
    let item = Fields::parse(state.data.as_bytes()).ok()?;
    (item.text("type").as_deref() == Some("reasoning")).then_some(&*state.data)
}

fn says_json(turn: &Turn<'_>) -> bool {
    let has_it = |text: &str| {
        let mut windows = text.as_bytes().windows(JSON.len());
        windows.any(|window| window.eq_ignore_ascii_case(JSON.as_bytes()))
    };
    turn.parts.iter().any(|part| match &part.kind {
        Kind::Text(text) => has_it(text),
        _ => false,
    })
}

fn write_kind(o: &mut Object<'_>, kind: &Kind<'_>, role: Role) {
    match kind {
        Kind::Text(text) => {
            let kind = if role == Role::Assistant {
                "output_text"
            } else {
                "input_text"
            };
            o.text("type", kind).text("text", text);
        }
        Kind::Refusal(text) if role == Role::Assistant => {
            o.text("type", "refusal").text("refusal", text);
        }
        Kind::Refusal(text) => o.text("type", "input_text").text("text", text).end(),
        Kind::Image { source, detail } => {
            o.text("type", "input_image");
            match source {
                Source::Base64 { media_type, data } => {
                    o.text("image_url", &format!("data:{media_type};base64,{data}"));
                }
                Source::File(id) => o.text("file_id", id).end(),
                Source::Url(url) | Source::Text(url) => o.text("image_url", url).end(),
            }
            o.text("detail", detail.as_deref().unwrap_or("auto"));
        }
        Kind::Document { source, title } => write_document(o, source, title.as_deref()),
        Kind::Audio { format, data } => {
            o.text("type", "input_audio");
            o.object("input_audio", |o| {
                o.text("data", data).text("format", format).end();
            });
        }
        // Neither comes this far.
        _ => {}
    }
}

fn write_document(o: &mut Object<'_>, source: &Source<'_>, title: Option<&str>) {
    match source {
        Source::Text(text) => {
            let text = title.map_or_else(|| text.to_string(), |title| format!("{title}\n\n{text}"));
            o.text("type", "input_text").text("text", &text);
        }
        Source::Base64 { media_type, data } => {
            let title = title.unwrap_or("document");
            let ending = if title.contains('.') { "" } else { ".pdf" };
            o.text("type", "input_file")
                .text("filename", &format!("{title}{ending}"));
            o.text("file_data", &format!("data:{media_type};base64,{data}"));
        }
        Source::Url(url) => o.text("type", "input_file").text("file_url", url).end(),
        Source::File(id) => o.text("type", "input_file").text("file_id", id).end(),
    }
}

//! Turns, written as `messages` and `documents`.
//!
//! A request of this very dialect goes out as it came in. What another dialect's client says is brought into order
//! first: results directly behind their calls, a user who has spoken, and no answer to be continued at the end.

use tollgate_core::Dialect;

use super::messages::{DOCUMENTS, is_document, is_plan};
use super::quirks::{Takes, tool_name};
use crate::chat::history::{Instructions, arrange, close, open};
use crate::chat::media::{Source, write_image};
use crate::chat::write::{Array, Object, object};
use crate::chat::{Call, Kind, Part, Role, Turn, lose_extra, write_extra};
use crate::json::Fields;
use crate::loss::Loss;

/// What a tool said that said nothing: empty content is refused.
const NOTHING: &str = "(no output)";

/// Writes turns as one model takes them.
#[derive(Debug)]
pub(crate) struct Writer<'w> {
    pub(crate) takes: Takes,
    /// The request was written in another dialect.
    pub(crate) crosses: bool,
    pub(crate) loss: &'w mut Loss,
}

/// The part of a message that is its content, and what stands beside it.
#[derive(Debug, Default)]
struct Said<'t, 'a> {
    content: Vec<&'t Part<'a>>,
    plan: String,
    calls: Vec<(&'t Part<'a>, &'t Call<'a>)>,
}

impl Writer<'_> {
    /// Writes `messages`, and `documents` if there are any; `hint` is an instruction of the gateway's own.
    pub(crate) fn messages(&mut self, o: &mut Object<'_>, turns: Vec<Turn<'_>>, hint: Option<&str>) {
        let (documents, turns) = self.prepare(turns);
        o.array("messages", |a| {
            if let Some(hint) = hint {
                a.object(|o| o.text("role", "system").text("content", hint).end());
            }
            for turn in &turns {
                match turn.role {
                    Role::System | Role::Developer => {
                        self.said(a, "system", turn, &turn.parts.iter().collect::<Vec<_>>());
                    }
                    Role::User => self.user(a, turn),
                    Role::Assistant => self.assistant(a, turn),
                }
            }
        });
        if let Some(documents) = documents {
            o.array(DOCUMENTS, |a| {
                documents.parts.iter().for_each(|part| write_document(a, part));
            });
        }
    }

    fn prepare<'a>(&mut self, mut turns: Vec<Turn<'a>>) -> (Option<Turn<'a>>, Vec<Turn<'a>>) {
        // Before turns are joined, for each has a place of its own.
        for turn in &mut turns {
            if turn.name.is_some() {
                self.loss.note(format!("{}.name", turn.at));
            }
            if self.crosses {
                lose_extra(&turn.at, &turn.extra, self.loss);
                turn.extra.clear();
            }
        }
        if !self.crosses {
            let place = turns.iter().position(|turn| turn.at == DOCUMENTS);
            return (place.map(|place| turns.remove(place)), turns);
        }
        for turn in &mut turns {
            let is_call = |part: &Part<'_>| matches!(part.kind, Kind::ToolCall(_));
            let keeps_thoughts = self.takes.thinking || turn.parts.iter().any(is_call);
            let role = turn.role;
            turn.parts
                .retain_mut(|part| self.has_place(part, role, keeps_thoughts));
        }
        let (_, mut turns) = arrange(turns, Instructions::Stay, self.loss);
        if !turns.iter().any(|turn| turn.role == Role::User) {
            let mut opening = Vec::new();
            open(&mut opening);
            turns.append(&mut opening);
        }
        if let Some(last) = turns.last().filter(|last| last.role == Role::Assistant) {
            // Carried, but not to be continued.
            self.loss.note(&*last.at);
            close(&mut turns);
        }
        (None, turns)
    }

    /// Whether a part can be carried; what cannot is noted.
    fn has_place(&mut self, part: &mut Part<'_>, role: Role, keeps_thoughts: bool) -> bool {
        let is_carried = match &mut part.kind {
            Kind::Text(text) | Kind::Refusal(text) => {
                if text.trim().is_empty() {
                    return false;
                }
                true
            }
            Kind::Document { source, .. } => matches!(source, Source::Text(_)),
            Kind::Image { source, .. } => {
                role == Role::User && matches!(source, Source::Base64 { .. } | Source::Url(_))
            }
            Kind::ToolResult { parts, .. } if role == Role::User => {
                parts.retain_mut(|part| self.has_place(part, role, false));
                true
            }
            Kind::ToolCall(_) => role == Role::Assistant,
            Kind::Thinking { text, .. } => {
                role == Role::Assistant && keeps_thoughts && !text.trim().is_empty()
            }
            // Those of other providers, and what is out of place.
            _ => false,
        };
        if !is_carried {
            self.loss.note(&*part.at);
        }
        is_carried
    }

    /// A message that is nothing but content.
    fn said(&mut self, a: &mut Array<'_>, role: &str, turn: &Turn<'_>, parts: &[&Part<'_>]) {
        a.object(|o| {
            o.text("role", role);
            self.content(o, parts);
            self.turn_extra(o, turn);
        });
    }

    /// Results of tools, each in a message of its own, then what the user says. Images of results go there, too.
    fn user(&mut self, a: &mut Array<'_>, turn: &Turn<'_>) {
        let is_result = |part: &Part<'_>| matches!(part.kind, Kind::ToolResult { .. });
        let mut rest: Vec<&Part<'_>> = Vec::new();
        for part in &turn.parts {
            if let Kind::ToolResult { id, parts, is_error } = &part.kind {
                rest.extend(self.result(a, turn, part, id, parts, *is_error));
            }
        }
        let has_results = turn.parts.iter().any(is_result);
        rest.extend(turn.parts.iter().filter(|part| !is_result(part)));
        if !has_results || !rest.is_empty() {
            self.said(a, "user", turn, &rest);
        }
    }

    /// One result; returns what goes elsewhere.
    fn result<'p, 'a>(
        &mut self,
        a: &mut Array<'_>,
        turn: &Turn<'_>,
        part: &Part<'_>,
        id: &str,
        parts: &'p [Part<'a>],
        is_error: bool,
    ) -> Vec<&'p Part<'a>> {
        let is_told = |part: &&Part<'_>| match &part.kind {
            Kind::Image { .. } => !self.crosses,
            _ => true,
        };
        let (told, others): (Vec<_>, Vec<_>) = parts.iter().partition(is_told);
        if is_error && !part.at.is_empty() {
            self.loss.note(format!("{}.is_error", part.at));
        }
        self.lose_rest(part);
        a.object(|o| {
            o.text("role", "tool").text("tool_call_id", id);
            if self.crosses && told.iter().all(|part| part.is_empty()) {
                o.text("content", NOTHING);
            } else {
                self.content(o, &told);
            }
            self.turn_extra(o, turn);
        });
        others
    }

    fn assistant(&mut self, a: &mut Array<'_>, turn: &Turn<'_>) {
        let said = self.sorted(turn);
        a.object(|o| {
            o.text("role", "assistant");
            // Beside calls, content that says nothing need not be there.
            let stands_alone = said.plan.is_empty() && said.calls.is_empty();
            let speaks = said.content.iter().any(|part| !part.is_empty());
            if speaks || (stands_alone && !said.content.is_empty()) {
                self.content(o, &said.content);
            }
            if !said.plan.is_empty() {
                o.text("tool_plan", &said.plan);
            }
            if !said.calls.is_empty() {
                o.array("tool_calls", |a| {
                    for (part, call) in &said.calls {
                        self.call(a, part, call);
                    }
                });
            }
            self.turn_extra(o, turn);
        });
    }

    /// Who thinks takes thoughts back; others take them as the plan of the calls that followed.
    fn sorted<'t, 'a>(&mut self, turn: &'t Turn<'a>) -> Said<'t, 'a> {
        let mut said = Said::default();
        for part in &turn.parts {
            match &part.kind {
                Kind::ToolCall(call) => said.calls.push((part, call)),
                Kind::Thinking { text, signature } => {
                    if signature.as_ref().is_some_and(|signature| !signature.is_empty()) {
                        self.loss.note(format!("{}.signature", part.at));
                    }
                    let plans = if self.crosses {
                        !self.takes.thinking
                    } else {
                        is_plan(part)
                    };
                    if plans {
                        said.plan.push_str(text);
                        self.lose_rest(part);
                    } else {
                        said.content.push(part);
                    }
                }
                _ => said.content.push(part),
            }
        }
        said
    }

    fn call(&mut self, a: &mut Array<'_>, part: &Part<'_>, call: &Call<'_>) {
        let name = if self.crosses {
            tool_name(&call.name)
        } else {
            (&*call.name).into()
        };
        a.object(|o| {
            o.text("id", &call.id).text("type", "function");
            o.object("function", |o| {
                o.text("name", &name);
                if self.crosses {
                    o.text("arguments", &arguments(&call.arguments));
                } else {
                    o.text("arguments", &call.arguments);
                }
            });
            self.part_extra(o, part);
        });
        self.lose_rest(part);
    }

    /// Writes `content`: a string where that says it all.
    fn content(&mut self, o: &mut Object<'_>, parts: &[&Part<'_>]) {
        for part in parts {
            self.lose_rest(part);
        }
        match parts {
            [] => o.text("content", "").end(),
            [part] if self.crosses || (part.extra.is_empty() && !is_document(part)) => {
                if let Kind::Text(text) | Kind::Refusal(text) = &part.kind {
                    o.text("content", text);
                } else {
                    o.array("content", |a| self.part(a, part));
                }
            }
            parts => o
                .array("content", |a| parts.iter().for_each(|part| self.part(a, part)))
                .end(),
        }
    }

    fn part(&self, a: &mut Array<'_>, part: &Part<'_>) {
        if let Kind::Opaque(json) = &part.kind {
            return a.raw(json);
        }
        a.object(|o| {
            match &part.kind {
                Kind::Text(text) if !self.crosses && is_document(part) => {
                    o.text("type", "document").object("document", |o| {
                        write_data(o, text);
                        self.part_extra(o, part);
                    });
                    return;
                }
                Kind::Text(text) | Kind::Refusal(text) => o.text("type", "text").text("text", text).end(),
                Kind::Thinking { text, .. } => o.text("type", "thinking").text("thinking", text).end(),
                Kind::Image { source, detail } => write_image(o, source, detail.as_deref()),
                Kind::Document {
                    source: Source::Text(text),
                    title,
                } => {
                    let title = title.as_ref().map(|title| format!("{title}\n\n"));
                    let text = format!("{}{text}", title.unwrap_or_default());
                    o.text("type", "text").text("text", &text);
                }
                _ => {}
            }
            self.part_extra(o, part);
        });
    }

    fn part_extra(&self, o: &mut Object<'_>, part: &Part<'_>) {
        if !self.crosses {
            write_extra(o, &part.extra);
        }
    }

    fn turn_extra(&self, o: &mut Object<'_>, turn: &Turn<'_>) {
        if !self.crosses {
            write_extra(o, &turn.extra);
        }
    }

    /// Notes what a part that is carried has beside what it says.
    fn lose_rest(&mut self, part: &Part<'_>) {
        if part.cache.is_some() {
            self.loss.note(format!("{}.cache_control", part.at));
        }
        if let Some(state) = part.state.as_ref().filter(|state| state.of != Dialect::Cohere) {
            self.loss.note(format!("{}.{}", part.at, state_name(state.of)));
        }
        if self.crosses {
            lose_extra(&part.at, &part.extra, self.loss);
        }
    }
}

/// What its own dialect calls the state that goes back with a part.
const fn state_name(of: Dialect) -> &'static str {
    match of {
        Dialect::Gemini => "thoughtSignature",
        Dialect::OpenAi | Dialect::Responses => "encrypted_content",
        Dialect::Anthropic | Dialect::Bedrock | Dialect::Cohere => "signature",
    }
}

/// Arguments as JSON text of an object: an object around those that are none.
fn arguments(text: &str) -> String {
    let mut out = Vec::new();
    object(&mut out, |o| crate::anthropic::turns::write_input(o, text));
    // The value alone, without the object around it.
    let written = String::from_utf8(out).unwrap_or_default();
    let inside = written
        .strip_prefix("{\"input\":")
        .and_then(|rest| rest.strip_suffix('}'));
    inside.unwrap_or("{}").to_owned()
}

/// One of `documents`, as it came.
fn write_document(a: &mut Array<'_>, part: &Part<'_>) {
    match &part.kind {
        Kind::Document {
            source: Source::Text(text),
            title,
        } => a.object(|o| {
            write_data(o, text);
            if let Some(id) = title {
                o.text("id", id);
            }
            write_extra(o, &part.extra);
        }),
        Kind::Text(text) => a.text(text),
        _ => {}
    }
}

/// The `data` of a document: an object if the text is one.
fn write_data(o: &mut Object<'_>, text: &str) {
    if Fields::parse(text.as_bytes()).is_ok() {
        o.raw("data", text);
    } else {
        o.text("data", text);
    }
}

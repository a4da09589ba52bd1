//! The pieces of an answer, written as a stream of chat completion chunks.

use tollgate_core::{FinishReason, Usage};

use super::carried;
use super::render::{REFUSED, finish_word, write_usage};
use super::turns::write_thoughts;
use crate::chat::answer::{End, Piece, finish_with};
use crate::chat::carried::alone;
use crate::chat::custom::InputReader;
use crate::chat::made::Made;
use crate::chat::names::Renamed;
use crate::chat::write::{Array, Object, object};
use crate::chat::{Kind, Part, State};

/// Writes chunks.
#[derive(Debug, Clone)]
pub(crate) struct ChunkWriter {
    made: Made,
    renamed: Renamed,
    include_usage: bool,
    /// What each chunk begins with. Empty: the stream has not begun.
    head: Vec<u8>,
    calls: Vec<Called>,
    /// The thoughts that await their signature.
    thoughts: String,
    last: Last,
    /// What belongs to the text so far: told with the end, for clients join what they are told twice.
    beside: Option<State<'static>>,
    /// What belongs to the call that begins next.
    ahead: Option<State<'static>>,
    has_refused: bool,
    end: Option<(FinishReason, Option<Box<str>>)>,
    /// The index of the choice that is being written.
    choice: usize,
}

/// A call that has begun.
#[derive(Debug, Clone)]
enum Called {
    Function { has_arguments: bool },
    Custom(InputReader),
}

/// What was said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Thoughts,
    Text,
    Call(usize),
}

impl ChunkWriter {
    pub(crate) const fn new(made: Made, renamed: Renamed, include_usage: bool) -> Self {
        Self {
            made,
            renamed,
            include_usage,
            head: Vec::new(),
            calls: Vec::new(),
            thoughts: String::new(),
            last: Last::Thoughts,
            beside: None,
            ahead: None,
            has_refused: false,
            end: None,
            choice: 0,
        }
    }

    /// The same in the middle of a stream whose chunks have these fields in common, as JSON text.
    pub(crate) fn resumed(mut self, common: &[(&'static str, Box<str>)]) -> Self {
        self.head.extend_from_slice(b"data: ");
        object(&mut self.head, |o| {
            for (name, json) in common {
                o.raw(name, json);
            }
        });
        // The object goes on in each chunk.
        self.head.pop();
        self
    }

    /// Goes on with the answer of another provider, where tools have other names.
    pub(crate) fn rename(&mut self, renamed: Renamed) {
        self.renamed = renamed;
    }

    /// Writes a piece.
    pub(crate) fn write(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Start { model } => return self.start(model.as_deref(), out),
            Piece::Finish(end) => return self.finish(end),
            Piece::Done => return,
            Piece::StateAhead(state) => return self.ahead = Some(state.into_owned()),
            _ => {}
        }
        if self.head.is_empty() {
            self.start(None, out);
        }
        match piece {
            Piece::Text(text) => {
                self.last = Last::Text;
                self.delta(out, |o| o.text("content", &text).end());
            }
            Piece::Thinking(text) => {
                self.last = Last::Thoughts;
                self.thoughts.push_str(&text);
                self.delta(out, |o| o.text("reasoning_content", &text).end());
            }
            Piece::Signature(signature) => {
                let text = std::mem::take(&mut self.thoughts).into();
                let signature = Some(signature);
                let kind = Kind::Thinking { text, signature };
                self.block(&Part::new(String::new(), kind), out);
            }
            Piece::RedactedThinking(data) => {
                let kind = Kind::RedactedThinking(data);
                self.block(&Part::new(String::new(), kind), out);
            }
            Piece::State(state) => self.state(state, out),
            Piece::Refusal(text) => {
                self.has_refused = true;
                self.delta(out, |o| o.text("refusal", &text).end());
            }
            Piece::Call { call, id, name } => self.call(call, &id, &name, out),
            Piece::Arguments { call, json } => match self.calls.get_mut(call) {
                Some(Called::Function { has_arguments }) => {
                    *has_arguments = true;
                    self.arguments(call, &json, out);
                }
                Some(Called::Custom(reader)) => {
                    let text = reader.push(&json);
                    self.input(call, &text, out);
                }
                None => {}
            },
            Piece::Start { .. } | Piece::Finish(_) | Piece::Done | Piece::StateAhead(_) => {}
        }
    }

    /// Whether the answer's end has been told.
    pub(crate) const fn is_finished(&self) -> bool {
        self.end.is_some()
    }

    /// Ends the stream as it should end.
    pub(crate) fn close(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>) {
        self.end_choice(out);
        if let Some(usage) = usage.filter(|_| self.include_usage) {
            self.chunk(out, |_| {}, Some(usage));
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    /// Ends the choice, and begins another.
    pub(crate) fn next_choice(&mut self, out: &mut Vec<u8>) {
        self.end_choice(out);
        self.choice += 1;
        self.calls.clear();
        self.thoughts.clear();
        self.last = Last::Thoughts;
        self.ahead = None;
        self.has_refused = false;
        self.role(out);
    }

    fn end_choice(&mut self, out: &mut Vec<u8>) {
        if self.head.is_empty() {
            self.start(None, out);
        }
        self.end_calls(out);
        if let Some(state) = self.beside.take() {
            self.delta(out, |o| carried::write(o, &state));
        }
        let (finish, explanation) = self.end.take().unwrap_or((FinishReason::Stop, None));
        let finish = finish_with(finish, !self.calls.is_empty());
        if finish == FinishReason::ContentFilter && !self.has_refused {
            let words = explanation.as_deref().unwrap_or(REFUSED);
            self.delta(out, |o| o.text("refusal", words).end());
        }
        self.chunk(
            out,
            |a| a.object(|o| choice(o, self.choice, |_| {}, Some(finish_word(finish)))),
            None,
        );
    }

    fn start(&mut self, model: Option<&str>, out: &mut Vec<u8>) {
        if !self.head.is_empty() {
            return;
        }
        self.head.extend_from_slice(b"data: ");
        object(&mut self.head, |o| {
            o.text("id", &self.made.completion_id())
                .text("object", "chat.completion.chunk");
            o.plain("created", self.made.now.unix_seconds());
            o.text("model", model.unwrap_or(&self.made.model));
        });
        // The object goes on in each chunk.
        self.head.pop();
        self.role(out);
    }

    fn role(&self, out: &mut Vec<u8>) {
        self.delta(out, |o| o.text("role", "assistant").text("content", "").end());
    }

    fn finish(&mut self, end: End<'_>) {
        if let Some(finish) = end.finish {
            self.end = Some((finish, end.explanation.map(|words| words.as_ref().into())));
        }
    }

    fn call(&mut self, call: usize, id: &str, name: &str, out: &mut Vec<u8>) {
        if call != self.calls.len() {
            return;
        }
        self.last = Last::Call(call);
        let ahead = self.ahead.take();
        let made_up;
        let id = if id.is_empty() {
            made_up = self.made.call_id("call_", call);
            &made_up
        } else {
            id
        };
        let name = self.renamed.original(name);
        let (kind, field, called) = if self.renamed.is_custom(name) {
            ("custom", "input", Called::Custom(InputReader::default()))
        } else {
            let has_arguments = false;
            ("function", "arguments", Called::Function { has_arguments })
        };
        self.calls.push(called);
        self.delta(out, |o| {
            o.array("tool_calls", |a| {
                a.object(|o| {
                    o.plain("index", call).text("id", id).text("type", kind);
                    o.object(kind, |o| o.text("name", name).text(field, "").end());
                    if let Some(state) = &ahead {
                        carried::write(o, state);
                    }
                });
            });
        });
    }

    fn arguments(&self, call: usize, json: &str, out: &mut Vec<u8>) {
        self.more(call, "function", ("arguments", json), out);
    }

    /// More of the text that a custom tool is called with.
    fn input(&self, call: usize, text: &str, out: &mut Vec<u8>) {
        if !text.is_empty() {
            self.more(call, "custom", ("input", text), out);
        }
    }

    fn more(&self, call: usize, kind: &str, (field, said): (&str, &str), out: &mut Vec<u8>) {
        self.delta(out, |o| {
            o.array("tool_calls", |a| {
                a.object(|o| {
                    o.plain("index", call);
                    o.object(kind, |o| o.text(field, said).end());
                });
            });
        });
    }

    /// Carries what a provider wants back with what was said last.
    fn state(&mut self, state: State<'_>, out: &mut Vec<u8>) {
        match self.last {
            Last::Text => self.beside = Some(state.into_owned()),
            Last::Call(call) => self.delta(out, |o| {
                o.array("tool_calls", |a| {
                    a.object(|o| {
                        o.plain("index", call);
                        carried::write(o, &state);
                    });
                });
            }),
            Last::Thoughts => {
                let mut part = alone(String::new(), state.into_owned());
                part.kind = Kind::Thinking {
                    text: std::mem::take(&mut self.thoughts).into(),
                    signature: None,
                };
                self.block(&part, out);
            }
        }
    }

    /// Tells what calls still have to tell. One without arguments has none: an empty object.
    fn end_calls(&mut self, out: &mut Vec<u8>) {
        for call in 0..self.calls.len() {
            match self.calls.get_mut(call) {
                Some(Called::Function { has_arguments: false }) => self.arguments(call, "{}", out),
                Some(Called::Custom(reader)) => {
                    let text = reader.finish();
                    self.input(call, &text, out);
                }
                _ => {}
            }
        }
    }

    fn block(&self, part: &Part<'_>, out: &mut Vec<u8>) {
        self.delta(out, |o| {
            o.array("thinking_blocks", |a| write_thoughts(a, part)).end();
        });
    }

    fn delta(&self, out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
        self.chunk(out, |a| a.object(|o| choice(o, self.choice, fill, None)), None);
    }

    fn chunk(&self, out: &mut Vec<u8>, choices: impl FnOnce(&mut Array<'_>), usage: Option<&Usage>) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b",\"choices\":");
        crate::chat::write::array(out, choices);
        match usage {
            Some(usage) => {
                out.extend_from_slice(b",\"usage\":");
                object(out, |o| write_usage(o, usage));
            }
            None if self.include_usage => out.extend_from_slice(b",\"usage\":null"),
            None => {}
        }
        out.extend_from_slice(b"}\n\n");
    }
}

fn choice(o: &mut Object<'_>, index: usize, fill: impl FnOnce(&mut Object<'_>), finish: Option<&str>) {
    o.plain("index", index)
        .object("delta", fill)
        .raw("logprobs", "null");
    match finish {
        Some(finish) => o.text("finish_reason", finish).end(),
        None => o.raw("finish_reason", "null").end(),
    }
}

//! The pieces of an answer, written as a stream of Cohere's chat events.
//!
//! Cohere's blocks of content and its calls follow each other, each closed before the next one begins, and clients
//! rely on it; elsewhere calls may grow side by side. So what comes too early waits: the first in the queue is on
//! the wire and grows there, the others keep what they have, until it cannot grow any more.

use std::collections::VecDeque;

use tollgate_core::{FinishReason, Usage};

use super::usage::finish_word;
use crate::chat::answer::{End, Piece, finish_with};
use crate::chat::made::Made;
use crate::chat::names::Renamed;
use crate::chat::write::{Object, object};

/// Writes events.
#[derive(Debug, Clone)]
pub(crate) struct EventWriter {
    made: Made,
    renamed: Renamed,
    has_started: bool,
    /// How many blocks of content have begun on the wire.
    contents: usize,
    queue: VecDeque<Block>,
    /// The ids of the calls so far.
    ids: Vec<Box<str>>,
    has_said: bool,
    has_refused: bool,
    end: Option<(FinishReason, Option<Box<str>>)>,
}

/// A block of content or a call, open or waiting to be.
#[derive(Debug, Clone)]
struct Block {
    kind: BlockKind,
    /// Its index on the wire, once it is open.
    index: Option<usize>,
    /// What has not been written.
    pending: String,
}

#[derive(Debug, Clone)]
enum BlockKind {
    Text,
    Thinking,
    Call {
        call: usize,
        name: Box<str>,
        arguments: Arguments,
    },
}

/// How far the arguments of a call have come.
#[derive(Debug, Clone, Default)]
struct Arguments {
    open: usize,
    in_string: bool,
    is_escape: bool,
    has_any: bool,
}

impl Arguments {
    fn take(&mut self, json: &str) {
        for byte in json.bytes() {
            match byte {
                _ if self.is_escape => self.is_escape = false,
                b'\\' if self.in_string => self.is_escape = true,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => self.open = self.open.saturating_add(1),
                b'}' | b']' if !self.in_string => self.open = self.open.saturating_sub(1),
                _ => {}
            }
        }
        self.has_any |= !json.trim().is_empty();
    }

    const fn is_complete(&self) -> bool {
        self.has_any && self.open == 0 && !self.in_string
    }
}

impl EventWriter {
    pub(crate) const fn new(made: Made, renamed: Renamed) -> Self {
        Self {
            made,
            renamed,
            has_started: false,
            contents: 0,
            queue: VecDeque::new(),
            ids: Vec::new(),
            has_said: false,
            has_refused: false,
            end: None,
        }
    }

    /// Goes on with the answer of another provider, where tools have other names.
    pub(crate) fn rename(&mut self, renamed: Renamed) {
        self.renamed = renamed;
    }

    /// Writes a piece.
    pub(crate) fn write(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match &piece {
            Piece::Finish(end) => return self.finish(end),
            // No client of this dialect gives them back.
            Piece::Done
            | Piece::State(_)
            | Piece::StateAhead(_)
            | Piece::Signature(_)
            | Piece::RedactedThinking(_) => return,
            _ => {}
        }
        self.start(out);
        match piece {
            Piece::Text(text) => self.say(&BlockKind::Text, &text),
            Piece::Refusal(text) => {
                self.has_refused = true;
                self.say(&BlockKind::Text, &text);
            }
            Piece::Thinking(text) => self.say(&BlockKind::Thinking, &text),
            Piece::Call { call, id, name } => self.call(call, &id, &name),
            Piece::Arguments { call, json } => self.arguments(call, &json),
            _ => {}
        }
        self.advance(out);
    }

    /// Whether the answer's end has been told.
    pub(crate) const fn is_finished(&self) -> bool {
        self.end.is_some()
    }

    /// Closes the block that is open, for the stream ends here with an error: clients pair each start with an end.
    pub(crate) fn break_off(&mut self, out: &mut Vec<u8>) {
        if self.queue.front().is_some_and(|block| block.index.is_some()) {
            self.shut(out);
        }
        self.queue.clear();
    }

    /// Ends the stream as it should end.
    pub(crate) fn close(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>) {
        self.start(out);
        let (finish, explanation) = self.end.take().unwrap_or((FinishReason::Stop, None));
        if let Some(words) = explanation.filter(|_| !self.has_said && self.ids.is_empty()) {
            self.say(&BlockKind::Text, &words);
        }
        while !self.queue.is_empty() {
            self.fill_arguments();
            self.flush(out);
            self.shut(out);
        }
        let finish = finish_with(finish, !self.ids.is_empty());
        let finish = if self.has_refused {
            FinishReason::ContentFilter
        } else {
            finish
        };
        event(out, "message-end", |o| {
            o.object("delta", |o| {
                o.text("finish_reason", finish_word(finish));
                if let Some(usage) = usage {
                    o.object("usage", |o| super::render::write_usage(o, usage));
                }
            });
        });
        out.extend_from_slice(DONE);
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if self.has_started {
            return;
        }
        self.has_started = true;
        event(out, "message-start", |o| {
            o.text("id", &self.made.message_id());
            message(o, |o| {
                o.text("role", "assistant").raw("content", "[]");
                o.text("tool_plan", "")
                    .raw("tool_calls", "[]")
                    .raw("citations", "[]");
            });
        });
    }

    fn finish(&mut self, end: &End<'_>) {
        if let Some(finish) = end.finish {
            self.end = Some((finish, end.explanation.as_deref().map(Into::into)));
        }
    }

    fn push(&mut self, kind: BlockKind, pending: &str) {
        self.queue.push_back(Block {
            kind,
            index: None,
            pending: pending.to_owned(),
        });
    }

    /// More text or thoughts: of the last block, if it is of this kind.
    fn say(&mut self, kind: &BlockKind, text: &str) {
        if text.is_empty() {
            return;
        }
        self.has_said |= matches!(kind, BlockKind::Text);
        match self.queue.back_mut() {
            Some(last) if std::mem::discriminant(&last.kind) == std::mem::discriminant(kind) => {
                last.pending.push_str(text);
            }
            _ => self.push(kind.clone(), text),
        }
    }

    fn call(&mut self, call: usize, id: &str, name: &str) {
        if call != self.ids.len() {
            return;
        }
        let is_new = !id.is_empty() && !self.ids.iter().any(|known| **known == *id);
        let id = if is_new {
            id.into()
        } else {
            self.made.call_id("call_", call)
        };
        self.ids.push(id.into());
        let name = self.renamed.original(name).into();
        let arguments = Arguments::default();
        self.push(
            BlockKind::Call {
                call,
                name,
                arguments,
            },
            "",
        );
    }

    fn arguments(&mut self, number: usize, more: &str) {
        for block in self.queue.iter_mut().rev() {
            if let BlockKind::Call { call, arguments, .. } = &mut block.kind
                && *call == number
            {
                arguments.take(more);
                block.pending.push_str(more);
                return;
            }
        }
    }

    /// A call without arguments has none: an empty object.
    fn fill_arguments(&mut self) {
        if let Some(Block {
            kind: BlockKind::Call { arguments, .. },
            pending,
            ..
        }) = self.queue.front_mut()
            && !arguments.has_any
        {
            arguments.has_any = true;
            pending.push_str("{}");
        }
    }

    /// Writes what can be written now: all of the first block, and of the next ones if it cannot grow any more.
    fn advance(&mut self, out: &mut Vec<u8>) {
        loop {
            self.flush(out);
            let is_done = match self.queue.front().map(|block| &block.kind) {
                None => return,
                Some(BlockKind::Call { arguments, .. }) => arguments.is_complete(),
                Some(_) => true,
            };
            if self.queue.len() < 2 || !is_done {
                return;
            }
            self.shut(out);
        }
    }

    /// Opens the first block if it is not, and writes what it has.
    fn flush(&mut self, out: &mut Vec<u8>) {
        let Some(block) = self.queue.front_mut() else {
            return;
        };
        let index = match (block.index, &block.kind) {
            (Some(index), _) => index,
            (None, BlockKind::Call { call, name, .. }) => {
                let id = self.ids.get(*call).map_or("", |id| id);
                begin_call(out, *call, id, name);
                *call
            }
            (None, kind) => {
                let index = self.contents;
                self.contents += 1;
                begin_content(out, index, field(kind));
                index
            }
        };
        block.index = Some(index);
        if block.pending.is_empty() {
            return;
        }
        let text = std::mem::take(&mut block.pending);
        match &block.kind {
            BlockKind::Call { .. } => event(out, "tool-call-delta", |o| {
                o.plain("index", index);
                message(o, |o| {
                    o.object("tool_calls", |o| {
                        o.object("function", |o| o.text("arguments", &text).end());
                    });
                });
            }),
            kind => event(out, "content-delta", |o| {
                o.plain("index", index);
                message(o, |o| {
                    o.object("content", |o| o.text(field(kind), &text).end());
                });
            }),
        }
    }

    /// Closes the first block.
    fn shut(&mut self, out: &mut Vec<u8>) {
        let Some(block) = self.queue.pop_front() else {
            return;
        };
        let kind = match &block.kind {
            BlockKind::Call { .. } => "tool-call-end",
            _ => "content-end",
        };
        if let Some(index) = block.index {
            event(out, kind, |o| o.plain("index", index).end());
        }
    }
}

/// What closes a stream, behind its last event.
pub(crate) const DONE: &[u8] = b"data: [DONE]\n\n";

/// The field that holds what a block of content says, which is also its type.
const fn field(kind: &BlockKind) -> &'static str {
    match kind {
        BlockKind::Thinking => "thinking",
        _ => "text",
    }
}

fn begin_content(out: &mut Vec<u8>, index: usize, field: &str) {
    event(out, "content-start", |o| {
        o.plain("index", index);
        message(o, |o| {
            o.object("content", |o| o.text("type", field).text(field, "").end());
        });
    });
}

fn begin_call(out: &mut Vec<u8>, index: usize, id: &str, name: &str) {
    event(out, "tool-call-start", |o| {
        o.plain("index", index);
        message(o, |o| {
            o.object("tool_calls", |o| {
                o.text("id", id).text("type", "function");
                o.object("function", |o| o.text("name", name).text("arguments", "").end());
            });
        });
    });
}

fn message(o: &mut Object<'_>, fill: impl FnOnce(&mut Object<'_>)) {
    o.object("delta", |o| o.object("message", fill).end());
}

/// Writes an event: its type is also its name.
pub(crate) fn event(out: &mut Vec<u8>, kind: &str, fill: impl FnOnce(&mut Object<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    object(out, |o| {
        o.text("type", kind);
        fill(o);
    });
    out.extend_from_slice(b"\n\n");
}

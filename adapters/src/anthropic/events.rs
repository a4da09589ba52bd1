//! The pieces of an answer, written as a stream of message events.
//!
//! Blocks are open one at a time, here; elsewhere calls may grow side by side. So blocks queue up: the first one
//! is on the wire and grows there, the others wait with what they have, until it cannot grow any more.

use std::collections::VecDeque;

use tollgate_core::{FinishReason, Usage};

use super::render::{stop_word, write_usage};
use crate::chat::State;
use crate::chat::answer::{End, Piece, finish_with};
use crate::chat::carried::{Owner, of_state};
use crate::chat::made::Made;
use crate::chat::names::Renamed;
use crate::chat::write::{Object, object};

/// Writes events.
#[derive(Debug, Clone)]
pub(crate) struct EventWriter {
    made: Made,
    renamed: Renamed,
    has_started: bool,
    /// The index of the first block in the queue.
    index: u64,
    queue: VecDeque<Block>,
    /// The ids of the calls so far.
    ids: Vec<Box<str>>,
    has_refused: bool,
    end: Option<(FinishReason, Option<Box<str>>)>,
    /// What belongs to the call that begins next.
    ahead: Option<State<'static>>,
    /// What is told at the beginning. Nothing, where what it will come to is only known at the end.
    foreseen: Usage,
}

/// A block, open or waiting to be.
#[derive(Debug, Clone)]
struct Block {
    kind: BlockKind,
    /// What has not been written.
    pending: String,
    is_open: bool,
}

#[derive(Debug, Clone)]
enum BlockKind {
    Text,
    Thinking {
        signature: Option<Box<str>>,
    },
    Redacted,
    Call {
        call: usize,
        name: Box<str>,
        json: Balance,
    },
}

/// How much of a JSON object has been seen: whether it is complete.
#[derive(Debug, Clone, Default)]
struct Balance {
    depth: u64,
    in_string: bool,
    escaped: bool,
    has_begun: bool,
}

impl Balance {
    fn take(&mut self, json: &str) {
        for byte in json.bytes() {
            if self.in_string {
                self.in_string = self.escaped || byte != b'"';
                self.escaped = !self.escaped && byte == b'\\';
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => continue,
            }
            self.has_begun = true;
        }
    }

    const fn is_complete(&self) -> bool {
        self.has_begun && self.depth == 0 && !self.in_string
    }
}

impl EventWriter {
    pub(crate) fn new(made: Made, renamed: Renamed) -> Self {
        Self {
            foreseen: Usage::default(),
            made,
            renamed,
            has_started: false,
            index: 0,
            queue: VecDeque::new(),
            ids: Vec::new(),
            has_refused: false,
            end: None,
            ahead: None,
        }
    }

    /// The same where it is known beforehand what the answer will have used.
    pub(crate) const fn foreseeing(mut self, usage: Usage) -> Self {
        self.foreseen = usage;
        self
    }

    /// The same in the middle of a message: at the block of this index, which is one of text if it is open.
    pub(crate) fn resumed(mut self, index: u64, is_open: bool) -> Self {
        self.has_started = true;
        self.index = index;
        self.queue.extend(is_open.then(|| Block {
            kind: BlockKind::Text,
            pending: String::new(),
            is_open,
        }));
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
            Piece::Finish(end) => return self.finish(&end),
            Piece::Done => return,
            Piece::StateAhead(state) => return self.ahead = Some(state.into_owned()),
            _ => {}
        }
        self.start(None, out);
        match piece {
            Piece::Text(text) => self.text(&text),
            Piece::Refusal(text) => {
                self.has_refused = true;
                self.text(&text);
            }
            Piece::Thinking(text) => match self.queue.back_mut() {
                Some(Block {
                    kind: BlockKind::Thinking { signature: None },
                    pending,
                    ..
                }) => pending.push_str(&text),
                _ => self.push(BlockKind::Thinking { signature: None }, &text),
            },
            Piece::Signature(signature) => {
                if let Some(Block {
                    kind:
                        BlockKind::Thinking {
                            signature: known @ None,
                        },
                    ..
                }) = self.queue.back_mut()
                {
                    *known = Some(signature.as_ref().into());
                } else {
                    // Thoughts that are not shown are nothing but their proof.
                    let signature = Some(signature.as_ref().into());
                    self.push(BlockKind::Thinking { signature }, "");
                }
            }
            Piece::State(state) => self.state(&state),
            Piece::RedactedThinking(data) => self.push(BlockKind::Redacted, &data),
            Piece::Call { call, id, name } => self.call(call, &id, &name),
            Piece::Arguments { call, json } => self.arguments(call, &json),
            Piece::Start { .. } | Piece::Finish(_) | Piece::Done | Piece::StateAhead(_) => {}
        }
        self.advance(out);
    }

    /// Whether the answer's end has been told.
    pub(crate) const fn is_finished(&self) -> bool {
        self.end.is_some()
    }

    /// Closes the block that is open, for the stream ends here with an error: clients pair each start with a stop.
    pub(crate) fn break_off(&mut self, out: &mut Vec<u8>) {
        if self.queue.front().is_some_and(|block| block.is_open) {
            self.shut(out);
        }
        self.queue.clear();
    }

    /// Ends the stream as it should end.
    pub(crate) fn close(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>) {
        self.start(None, out);
        while !self.queue.is_empty() {
            self.flush(out);
            self.shut(out);
        }
        let (finish, stop_sequence) = self.end.take().unwrap_or((FinishReason::Stop, None));
        let finish = finish_with(finish, !self.ids.is_empty());
        let finish = if self.has_refused {
            FinishReason::ContentFilter
        } else {
            finish
        };
        event(out, "message_delta", |o| {
            o.object("delta", |o| {
                o.text("stop_reason", stop_word(finish));
                match &stop_sequence {
                    Some(stop) => o.text("stop_sequence", stop).end(),
                    None => o.raw("stop_sequence", "null").end(),
                }
            });
            o.object("usage", |o| write_usage(o, &usage.copied().unwrap_or_default()));
        });
        event(out, "message_stop", |_| {});
    }

    fn start(&mut self, model: Option<&str>, out: &mut Vec<u8>) {
        if self.has_started {
            return;
        }
        self.has_started = true;
        event(out, "message_start", |o| {
            o.object("message", |o| {
                o.text("id", &self.made.message_id())
                    .text("type", "message")
                    .text("role", "assistant");
                o.text("model", model.unwrap_or(&self.made.model))
                    .raw("content", "[]");
                o.raw("stop_reason", "null").raw("stop_sequence", "null");
                o.object("usage", |o| write_usage(o, &self.foreseen));
            });
        });
    }

    fn finish(&mut self, end: &End<'_>) {
        if let Some(finish) = end.finish {
            self.end = Some((finish, end.stop_sequence.as_deref().map(Into::into)));
        }
    }

    fn push(&mut self, kind: BlockKind, pending: &str) {
        self.queue.push_back(Block {
            kind,
            pending: pending.to_owned(),
            is_open: false,
        });
    }

    fn text(&mut self, text: &str) {
        match self.queue.back_mut() {
            Some(Block {
                kind: BlockKind::Text,
                pending,
                ..
            }) => pending.push_str(text),
            _ => self.push(BlockKind::Text, text),
        }
    }

    /// Carries what a provider wants back with what was said last: behind it, for that has been written.
    fn state(&mut self, state: &State<'_>) {
        let owner = match self.queue.back_mut().map(|block| &mut block.kind) {
            Some(BlockKind::Thinking {
                signature: signature @ None,
            }) => {
                *signature = Some(of_state(state, Owner::Itself).into());
                return;
            }
            Some(BlockKind::Text | BlockKind::Call { .. }) => Owner::Last,
            Some(BlockKind::Thinking { .. } | BlockKind::Redacted) | None => Owner::Itself,
        };
        self.push(BlockKind::Redacted, &of_state(state, owner));
    }

    fn call(&mut self, call: usize, id: &str, name: &str) {
        if call != self.ids.len() {
            return;
        }
        if let Some(state) = self.ahead.take() {
            self.push(BlockKind::Redacted, &of_state(&state, Owner::Next));
        }
        let is_new = !id.is_empty() && !self.ids.iter().any(|known| **known == *id);
        let id = if is_new {
            id.into()
        } else {
            self.made.call_id("toolu_", call)
        };
        self.ids.push(id.into());
        let name = self.renamed.original(name).into();
        let json = Balance::default();
        self.push(BlockKind::Call { call, name, json }, "");
    }

    fn arguments(&mut self, number: usize, more: &str) {
        for block in self.queue.iter_mut().rev() {
            if let BlockKind::Call { call, json, .. } = &mut block.kind
                && *call == number
            {
                json.take(more);
                block.pending.push_str(more);
                return;
            }
        }
    }

    /// Writes what can be written now: all of the first block, and of the next ones if it cannot grow any more.
    fn advance(&mut self, out: &mut Vec<u8>) {
        loop {
            self.flush(out);
            let is_done = match self.queue.front().map(|block| &block.kind) {
                None => return,
                Some(BlockKind::Call { json, .. }) => json.is_complete(),
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
        let index = self.index;
        let Some(block) = self.queue.front_mut() else {
            return;
        };
        if !block.is_open {
            block.is_open = true;
            event(out, "content_block_start", |o| {
                o.plain("index", index);
                object(o.key("content_block"), |o| write_start(o, block, &self.ids));
            });
        }
        let (kind, field) = match &block.kind {
            BlockKind::Text => ("text_delta", "text"),
            BlockKind::Thinking { .. } => ("thinking_delta", "thinking"),
            BlockKind::Call { .. } => ("input_json_delta", "partial_json"),
            BlockKind::Redacted => return,
        };
        if !block.pending.is_empty() {
            delta(out, index, kind, field, &block.pending);
            block.pending.clear();
        }
    }

    /// Closes the first block.
    fn shut(&mut self, out: &mut Vec<u8>) {
        let Some(block) = self.queue.pop_front() else {
            return;
        };
        if let BlockKind::Thinking {
            signature: Some(signature),
        } = &block.kind
        {
            delta(out, self.index, "signature_delta", "signature", signature);
        }
        event(out, "content_block_stop", |o| o.plain("index", self.index).end());
        self.index += 1;
    }
}

fn write_start(o: &mut Object<'_>, block: &Block, ids: &[Box<str>]) {
    match &block.kind {
        BlockKind::Text => o.text("type", "text").text("text", "").end(),
        BlockKind::Thinking { .. } => o
            .text("type", "thinking")
            .text("thinking", "")
            .text("signature", "")
            .end(),
        BlockKind::Redacted => o
            .text("type", "redacted_thinking")
            .text("data", &block.pending)
            .end(),
        BlockKind::Call { call, name, .. } => {
            o.text("type", "tool_use");
            o.text("id", ids.get(*call).map_or("", |id| id))
                .text("name", name)
                .raw("input", "{}");
        }
    }
}

fn event(out: &mut Vec<u8>, kind: &str, fill: impl FnOnce(&mut Object<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    object(out, |o| {
        o.text("type", kind);
        fill(o);
    });
    out.extend_from_slice(b"\n\n");
}

fn delta(out: &mut Vec<u8>, index: u64, kind: &str, field: &str, text: &str) {
    event(out, "content_block_delta", |o| {
        o.plain("index", index);
        o.object("delta", |o| o.text("type", kind).text(field, text).end());
    });
}

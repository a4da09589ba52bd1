//! The pieces of an answer, written as a stream of Converse events.
//!
//! Blocks are open one at a time, here; elsewhere calls may grow side by side. So blocks queue up: the first one
//! is on the wire and grows there, the others wait with what they have, until it cannot grow any more. Only calls have
//! a start; a call without arguments gets an empty object, for clients parse what has come.

use std::collections::VecDeque;

use tollgate_core::{FinishReason, Usage};

use super::render::CALL_PREFIX;
use super::turns::is_base64;
use super::usage::{self, stop_word};
use crate::chat::answer::{End, Piece, finish_with};
use crate::chat::made::Made;
use crate::chat::names::Renamed;
use crate::chat::write::{Object, object};
use crate::eventstream;

/// Writes events.
#[derive(Debug, Clone)]
pub(crate) struct ConverseWriter {
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
        json: Depth,
    },
}

/// How much of a JSON object has been seen: whether it is complete.
#[derive(Debug, Clone, Default)]
struct Depth {
    open: u64,
    in_string: bool,
    escaped: bool,
    has_begun: bool,
}

impl Depth {
    fn take(&mut self, json: &str) {
        for byte in json.bytes() {
            if self.in_string {
                self.in_string = self.escaped || byte != b'"';
                self.escaped = !self.escaped && byte == b'\\';
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.open = self.open.saturating_add(1),
                b'}' | b']' => self.open = self.open.saturating_sub(1),
                _ => continue,
            }
            self.has_begun = true;
        }
    }

    const fn is_complete(&self) -> bool {
        self.has_begun && self.open == 0 && !self.in_string
    }
}

impl ConverseWriter {
    pub(crate) const fn new(made: Made, renamed: Renamed) -> Self {
        Self {
            made,
            renamed,
            has_started: false,
            index: 0,
            queue: VecDeque::new(),
            ids: Vec::new(),
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
        if let Piece::Finish(end) = piece {
            return self.finish(&end);
        }
        if matches!(piece, Piece::Done | Piece::State(_) | Piece::StateAhead(_)) {
            return;
        }
        self.start(out);
        match piece {
            Piece::Text(text) => self.text(&text),
            Piece::Refusal(text) => {
                self.has_refused = true;
                self.text(&text);
            }
            Piece::Thinking(text) => self.think(&text),
            Piece::Signature(signature) => self.sign(&signature),
            // SDKs decode it: what is not base64 would fail the whole answer.
            Piece::RedactedThinking(data) if is_base64(&data) => self.push(BlockKind::Redacted, &data),
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

    /// Closes the block that is open, for the stream ends here with an error.
    pub(crate) fn break_off(&mut self, out: &mut Vec<u8>) {
        if self.queue.front().is_some_and(|block| block.is_open) {
            self.stop(out);
        }
        self.queue.clear();
    }

    /// Ends the stream as it should end.
    pub(crate) fn close(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>) {
        self.start(out);
        while !self.queue.is_empty() {
            self.flush(out);
            self.complete(out);
        }
        let (finish, stop_sequence) = self.end.take().unwrap_or((FinishReason::Stop, None));
        let finish = finish_with(finish, !self.ids.is_empty());
        let finish = if self.has_refused {
            FinishReason::ContentFilter
        } else {
            finish
        };
        event(out, "messageStop", |o| {
            o.text("stopReason", stop_word(finish));
            if let Some(stop) = &stop_sequence {
                o.object("additionalModelResponseFields", |o| {
                    o.text("stop_sequence", stop);
                });
            }
        });
        event(out, "metadata", |o| {
            o.object("usage", |o| usage::write(o, &usage.copied().unwrap_or_default()));
            // How long it took is not known here, but clients expect the field.
            o.object("metrics", |o| o.plain("latencyMs", 0).end());
        });
    }

    fn start(&mut self, out: &mut Vec<u8>) {
        if !self.has_started {
            self.has_started = true;
            event(out, "messageStart", |o| o.text("role", "assistant").end());
        }
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

    fn think(&mut self, text: &str) {
        match self.queue.back_mut() {
            Some(Block {
                kind: BlockKind::Thinking { signature: None },
                pending,
                ..
            }) => pending.push_str(text),
            _ => self.push(BlockKind::Thinking { signature: None }, text),
        }
    }

    /// Thoughts may be nothing but their signature.
    fn sign(&mut self, signature: &str) {
        let last = self.queue.back_mut().map(|block| &mut block.kind);
        let signature = Some(signature.into());
        match last {
            Some(BlockKind::Thinking { signature: known }) if known.is_none() => *known = signature,
            _ => self.push(BlockKind::Thinking { signature }, ""),
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
            self.made.call_id(CALL_PREFIX, call)
        };
        self.ids.push(id.into());
        let name = self.renamed.original(name).into();
        let json = Depth::default();
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
            self.complete(out);
        }
    }

    /// Opens the first block if it is not, and writes what it has.
    fn flush(&mut self, out: &mut Vec<u8>) {
        let index = self.index;
        let Some(block) = self.queue.front_mut() else {
            return;
        };
        if let (BlockKind::Call { call, name, .. }, false) = (&block.kind, block.is_open) {
            let id = self.ids.get(*call).map_or("", |id| id);
            event(out, "contentBlockStart", |o| {
                o.object("start", |o| {
                    o.object("toolUse", |o| o.text("toolUseId", id).text("name", name).end());
                });
                o.plain("contentBlockIndex", index);
            });
            block.is_open = true;
        }
        if block.pending.is_empty() {
            return;
        }
        block.is_open = true;
        let text = std::mem::take(&mut block.pending);
        delta(out, index, |o| match &block.kind {
            BlockKind::Text => o.text("text", &text).end(),
            BlockKind::Thinking { .. } => reasoning(o, "text", &text),
            BlockKind::Redacted => reasoning(o, "redactedContent", &text),
            BlockKind::Call { .. } => o.object("toolUse", |o| o.text("input", &text).end()).end(),
        });
    }

    /// Writes what the first block lacks, and closes it.
    fn complete(&mut self, out: &mut Vec<u8>) {
        let index = self.index;
        if let Some(block) = self.queue.front_mut() {
            match &block.kind {
                BlockKind::Thinking {
                    signature: Some(signature),
                } => {
                    block.is_open = true;
                    delta(out, index, |o| reasoning(o, "signature", signature));
                }
                BlockKind::Call { json, .. } if !json.has_begun => {
                    delta(out, index, |o| {
                        o.object("toolUse", |o| o.text("input", "{}").end());
                    });
                }
                _ => {}
            }
        }
        self.stop(out);
    }

    /// Closes the first block. One that never said anything is as if it had not been.
    fn stop(&mut self, out: &mut Vec<u8>) {
        if self.queue.pop_front().is_some_and(|block| block.is_open) {
            event(out, "contentBlockStop", |o| {
                o.plain("contentBlockIndex", self.index);
            });
            self.index += 1;
        }
    }
}

fn event(out: &mut Vec<u8>, kind: &str, fill: impl FnOnce(&mut Object<'_>)) {
    let mut json = Vec::with_capacity(128);
    object(&mut json, fill);
    eventstream::write(kind, &json, out);
}

fn delta(out: &mut Vec<u8>, index: u64, fill: impl FnOnce(&mut Object<'_>)) {
    event(out, "contentBlockDelta", |o| {
        o.object("delta", fill).plain("contentBlockIndex", index);
    });
}

fn reasoning(o: &mut Object<'_>, field: &str, text: &str) {
    o.object("reasoningContent", |o| o.text(field, text).end());
}

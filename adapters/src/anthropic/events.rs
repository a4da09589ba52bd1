//! The pieces of an answer, written as a stream of message events.

use tollgate_core::Usage;

use super::render::{stop_word, write_usage};
use crate::chat::answer::Piece;
use crate::chat::blocks::{Block, BlockKind, BlockWire, Blocks};
use crate::chat::made::Made;
use crate::chat::names::Renamed;
use crate::chat::write::{Object, event, object};

/// Writes events.
#[derive(Debug, Clone)]
pub(crate) struct EventWriter {
    blocks: Blocks,
    wire: Wire,
    has_started: bool,
    /// What is told at the beginning. Nothing, where what it will come to is only known at the end.
    foreseen: Usage,
}

/// Writes blocks as events.
#[derive(Debug, Clone)]
struct Wire {
    /// The index of the block that is open, or would be next.
    index: u64,
}

impl EventWriter {
    pub(crate) fn new(made: Made, renamed: Renamed) -> Self {
        Self {
            blocks: Blocks::new(made, renamed, "toolu_"),
            wire: Wire { index: 0 },
            has_started: false,
            foreseen: Usage::default(),
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
        self.wire.index = index;
        if is_open {
            self.blocks.reopen_text();
        }
        self
    }

    /// Goes on with the answer of another provider, where tools have other names.
    pub(crate) fn rename(&mut self, renamed: Renamed) {
        self.blocks.rename(renamed);
    }

    /// Writes a piece.
    pub(crate) fn write(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Start { model } => return self.start(model.as_deref(), out),
            Piece::Finish(_) | Piece::Done | Piece::StateAhead(_) => return self.blocks.take(piece),
            _ => self.start(None, out),
        }
        self.blocks.take(piece);
        self.blocks.advance(&mut self.wire, out);
    }

    /// Whether the answer's end has been told.
    pub(crate) const fn is_finished(&self) -> bool {
        self.blocks.is_finished()
    }

    /// Closes the block that is open, for the stream ends here with an error.
    pub(crate) fn break_off(&mut self, out: &mut Vec<u8>) {
        self.blocks.break_off(&mut self.wire, out);
    }

    /// Ends the stream as it should end.
    pub(crate) fn close(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>) {
        self.start(None, out);
        self.blocks.finish(&mut self.wire, out);
        let (finish, end) = self.blocks.take_end();
        event(out, "message_delta", |o| {
            o.object("delta", |o| {
                o.text("stop_reason", stop_word(finish));
                match &end.stop_sequence {
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
        let made = &self.blocks.made;
        event(out, "message_start", |o| {
            o.object("message", |o| {
                o.text("id", &made.message_id())
                    .text("type", "message")
                    .text("role", "assistant");
                o.text("model", model.unwrap_or(&made.model)).raw("content", "[]");
                o.raw("stop_reason", "null").raw("stop_sequence", "null");
                o.object("usage", |o| write_usage(o, &self.foreseen));
            });
        });
    }
}

impl BlockWire for Wire {
    fn flush(&mut self, block: &mut Block, out: &mut Vec<u8>) {
        let index = self.index;
        if !block.is_open {
            block.is_open = true;
            event(out, "content_block_start", |o| {
                o.plain("index", index);
                object(o.key("content_block"), |o| write_start(o, block));
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

    fn shut(&mut self, block: &Block, out: &mut Vec<u8>) {
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

fn write_start(o: &mut Object<'_>, block: &Block) {
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
        BlockKind::Call { id, name, .. } => {
            o.text("type", "tool_use").text("id", id);
            o.text("name", name).raw("input", "{}");
        }
    }
}

fn delta(out: &mut Vec<u8>, index: u64, kind: &str, field: &str, text: &str) {
    event(out, "content_block_delta", |o| {
        o.plain("index", index);
        o.object("delta", |o| o.text("type", kind).text(field, text).end());
    });
}

//! The pieces of an answer, written as a stream of Converse events. Only calls have a start of their own there.

use tollgate_core::Usage;

use super::render::CALL_PREFIX;
use super::turns::is_base64;
use super::usage::{self, stop_word};
use crate::chat::answer::Piece;
use crate::chat::blocks::{Block, BlockKind, BlockWire, Blocks};
use crate::chat::made::Made;
use crate::chat::names::Renamed;
use crate::chat::write::{Object, object};
use crate::eventstream;

/// Writes events.
#[derive(Debug, Clone)]
pub(crate) struct ConverseWriter {
    blocks: Blocks,
    wire: Wire,
    has_started: bool,
}

/// Writes blocks as events.
#[derive(Debug, Clone)]
struct Wire {
    /// The index of the block that is open, or would be next.
    index: u64,
}

impl ConverseWriter {
    pub(crate) fn new(made: Made, renamed: Renamed) -> Self {
        Self {
            blocks: Blocks::new(made, renamed, CALL_PREFIX),
            wire: Wire { index: 0 },
            has_started: false,
        }
    }

    /// Goes on with the answer of another provider, where tools have other names.
    pub(crate) fn rename(&mut self, renamed: Renamed) {
        self.blocks.rename(renamed);
    }

    /// Writes a piece.
    pub(crate) fn write(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match &piece {
            Piece::Finish(_) | Piece::Done | Piece::StateAhead(_) => return self.blocks.take(piece),
            // SDKs decode it: what is not base64 would fail the whole answer.
            Piece::RedactedThinking(data) if !is_base64(data) => return,
            _ => self.start(out),
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
        self.start(out);
        self.blocks.finish(&mut self.wire, out);
        let (finish, end) = self.blocks.take_end();
        event(out, "messageStop", |o| {
            o.text("stopReason", stop_word(finish));
            if let Some(stop) = &end.stop_sequence {
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
}

impl BlockWire for Wire {
    fn flush(&mut self, block: &mut Block, out: &mut Vec<u8>) {
        let index = self.index;
        if let (BlockKind::Call { id, name, .. }, false) = (&block.kind, block.is_open) {
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

    fn shut(&mut self, block: &Block, out: &mut Vec<u8>) {
        let index = self.index;
        if let BlockKind::Thinking {
            signature: Some(signature),
        } = &block.kind
        {
            delta(out, index, |o| reasoning(o, "signature", signature));
        } else if !block.is_open {
            // It never said anything: as if it had not been.
            return;
        }
        event(out, "contentBlockStop", |o| {
            o.plain("contentBlockIndex", index);
        });
        self.index += 1;
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

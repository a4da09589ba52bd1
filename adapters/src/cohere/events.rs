//! The pieces of an answer, written as a stream of Cohere's chat events. Content and calls are counted apart.

use tollgate_core::Usage;

use super::usage::finish_word;
use crate::chat::answer::Piece;
use crate::chat::blocks::{Block, BlockKind, BlockWire, Blocks};
use crate::chat::made::Made;
use crate::chat::names::Renamed;
use crate::chat::write::{Object, event};

/// Writes events.
#[derive(Debug, Clone)]
pub(crate) struct EventWriter {
    blocks: Blocks,
    wire: Wire,
    has_started: bool,
}

/// Writes blocks as events.
#[derive(Debug, Clone)]
struct Wire {
    /// How many blocks of content have ended.
    contents: usize,
}

impl EventWriter {
    pub(crate) fn new(made: Made, renamed: Renamed) -> Self {
        Self {
            blocks: Blocks::new(made, renamed, "call_"),
            wire: Wire { contents: 0 },
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
            Piece::Finish(_) | Piece::Done => return self.blocks.take(piece),
            // No client of this dialect gives them back.
            Piece::State(_) | Piece::StateAhead(_) | Piece::Signature(_) | Piece::RedactedThinking(_) => {
                return;
            }
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
        let is_silent = self.blocks.is_silent();
        let (finish, end) = self.blocks.take_end();
        if let Some(words) = end.explanation.filter(|_| is_silent) {
            self.blocks.text(&words);
        }
        self.blocks.finish(&mut self.wire, out);
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
            o.text("id", &self.blocks.made.message_id());
            message(o, |o| {
                o.text("role", "assistant").raw("content", "[]");
                o.text("tool_plan", "")
                    .raw("tool_calls", "[]")
                    .raw("citations", "[]");
            });
        });
    }
}

impl Wire {
    const fn index(&self, kind: &BlockKind) -> usize {
        match kind {
            BlockKind::Call { number, .. } => *number,
            _ => self.contents,
        }
    }
}

impl BlockWire for Wire {
    fn flush(&mut self, block: &mut Block, out: &mut Vec<u8>) {
        let index = self.index(&block.kind);
        if !block.is_open {
            block.is_open = true;
            match &block.kind {
                BlockKind::Call { id, name, .. } => begin_call(out, index, id, name),
                kind => begin_content(out, index, field(kind)),
            }
        }
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

    fn shut(&mut self, block: &Block, out: &mut Vec<u8>) {
        let index = self.index(&block.kind);
        if matches!(block.kind, BlockKind::Call { .. }) {
            event(out, "tool-call-end", |o| o.plain("index", index).end());
        } else {
            event(out, "content-end", |o| o.plain("index", index).end());
            self.contents += 1;
        }
    }
}

/// What closes a stream, behind its last event.
pub(crate) const DONE: &[u8] = b"data: [DONE]\n\n";

/// The field that holds what a block of content says, which is also its type.
const fn field(kind: &BlockKind) -> &'static str {
    match kind {
        BlockKind::Thinking { .. } => "thinking",
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

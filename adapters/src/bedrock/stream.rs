//! A stream of Converse events, read piece by piece.
//!
//! Blocks of text have no start. A call's number is not the index of its block: blocks of text and of the
//! provider's own tools are counted there, too. Usage comes behind the end, or before it: the stream is done when both
//! have been told.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::answer::read_end;
use super::blocks::is_server_tool;
use crate::chat::answer::Piece;
use crate::json::Fields;
use crate::sse::Event;

/// More calls than this in one answer are not told apart.
const MOST_CALLS: usize = 4096;

/// Reads events.
#[derive(Debug, Default)]
pub(crate) struct ConverseReader {
    has_started: bool,
    has_ended: bool,
    has_usage: bool,
    /// Blocks that are calls, by their index: the call's number, or `None` for a block of the provider's own.
    blocks: BTreeMap<u64, Option<usize>>,
    calls: usize,
    /// The block whose thoughts have begun.
    thinks: Option<u64>,
}

impl ConverseReader {
    /// Takes an event in, and hands out what it says.
    pub(crate) fn read(&mut self, event: &Event<'_>, each: &mut dyn FnMut(Piece<'_>)) {
        let Ok(fields) = Fields::parse(event.data) else {
            return;
        };
        let index = fields.count("contentBlockIndex").unwrap_or(0);
        match event.name.unwrap_or_default() {
            "messageStart" => self.begin(each),
            "contentBlockStart" => {
                self.begin(each);
                self.start(index, &fields.object("start").unwrap_or_default(), each);
            }
            "contentBlockDelta" => {
                self.begin(each);
                self.delta(index, &fields.object("delta").unwrap_or_default(), each);
            }
            "messageStop" => {
                self.begin(each);
                let end = read_end(&fields, &fields);
                if end.finish.is_some() {
                    self.has_ended = true;
                    each(Piece::Finish(end));
                }
                self.close(each);
            }
            "metadata" => {
                self.has_usage = true;
                self.close(each);
            }
            _ => {}
        }
    }

    fn begin(&mut self, each: &mut dyn FnMut(Piece<'_>)) {
        if !self.has_started {
            self.has_started = true;
            each(Piece::Start { model: None });
        }
    }

    fn close(&self, each: &mut dyn FnMut(Piece<'_>)) {
        if self.has_ended && self.has_usage {
            each(Piece::Done);
        }
    }

    fn start(&mut self, index: u64, start: &Fields<'_>, each: &mut dyn FnMut(Piece<'_>)) {
        let call = start.object("toolUse");
        let is_foreign = start.raw("toolResult").is_some() || call.as_ref().is_some_and(is_server_tool);
        self.blocks.remove(&index);
        if self.blocks.len() >= MOST_CALLS {
            return;
        }
        if is_foreign {
            self.blocks.insert(index, None);
        } else if let Some(tool) = call {
            let call = self.calls;
            self.calls += 1;
            self.blocks.insert(index, Some(call));
            each(Piece::Call {
                call,
                id: tool.text("toolUseId").unwrap_or_default(),
                name: tool.text("name").unwrap_or_default(),
            });
        }
    }

    fn delta(&mut self, index: u64, delta: &Fields<'_>, each: &mut dyn FnMut(Piece<'_>)) {
        if let Some(text) = filled(delta, "text") {
            return each(Piece::Text(text));
        }
        if let Some(reasoning) = delta.object("reasoningContent") {
            if let Some(text) = filled(&reasoning, "text") {
                self.thinks = Some(index);
                each(Piece::Thinking(text));
            }
            if let Some(signature) = filled(&reasoning, "signature") {
                // It may be all that is shown of a thought.
                if self.thinks != Some(index) {
                    each(Piece::Thinking("".into()));
                }
                each(Piece::Signature(signature));
            }
            if let Some(data) = filled(&reasoning, "redactedContent") {
                each(Piece::RedactedThinking(data));
            }
            return;
        }
        if let (Some(Some(call)), Some(tool)) = (self.blocks.get(&index), delta.object("toolUse"))
            && let Some(json) = filled(&tool, "input")
        {
            each(Piece::Arguments { call: *call, json });
        }
    }
}

/// A field that is a string and says something.
fn filled<'a>(fields: &Fields<'a>, name: &str) -> Option<Cow<'a, str>> {
    fields.text(name).filter(|text| !text.is_empty())
}

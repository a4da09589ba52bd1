//! A stream of message events, read piece by piece.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::answer::read_end;
use crate::chat::answer::Piece;
use crate::json::Fields;
use crate::sse::Event;

/// More blocks than this in one answer are not read.
const MOST_BLOCKS: usize = 4096;

/// Reads events.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    has_started: bool,
    /// Blocks that have begun, by their index.
    blocks: BTreeMap<u64, Block>,
    calls: usize,
}

/// What a block is.
#[derive(Debug)]
enum Block {
    Text,
    /// Thoughts: their signature, as far as it has come. Told with the end, for the last one counts.
    Thinking(Option<Box<str>>),
    /// A call: its number, and the input it began with, for servers that send no more than that.
    Call(usize, Option<Box<str>>),
    /// One of the provider's own.
    Foreign,
}

impl EventReader {
    /// Takes an event in, and hands out what it says.
    pub(crate) fn read(&mut self, event: &Event<'_>, each: &mut dyn FnMut(Piece<'_>)) {
        let Ok(fields) = Fields::parse(event.data) else {
            return;
        };
        let kind = fields.text("type").or_else(|| event.name.map(Cow::Borrowed));
        let index = fields.count("index").unwrap_or(0);
        match kind.as_deref().unwrap_or_default() {
            // Proxies splice streams: only the first start counts.
            "message_start" if !self.has_started => {
                self.has_started = true;
                let message = fields.object("message").unwrap_or_default();
                let model = message.text("model").filter(|model| !model.is_empty());
                each(Piece::Start { model });
            }
            "content_block_start" => self.start(index, &fields, each),
            "content_block_delta" => {
                if let Some(delta) = fields.object("delta") {
                    self.delta(index, &delta, each);
                }
            }
            "content_block_stop" => self.stop(index, each),
            "message_delta" => {
                let delta = fields.object("delta").unwrap_or_default();
                let end = read_end(&delta, &fields);
                if end.finish.is_some() {
                    each(Piece::Finish(end));
                }
            }
            "message_stop" => each(Piece::Done),
            _ => {}
        }
    }

    fn start(&mut self, index: u64, fields: &Fields<'_>, each: &mut dyn FnMut(Piece<'_>)) {
        let block = fields.object("content_block").unwrap_or_default();
        let filled = |name: &str| block.text(name).filter(|text| !text.is_empty());
        let begun = match block.text("type").as_deref() {
            Some("text") => {
                filled("text").map(Piece::Text).into_iter().for_each(&mut *each);
                Block::Text
            }
            Some("thinking") => {
                filled("thinking")
                    .map(Piece::Thinking)
                    .into_iter()
                    .for_each(&mut *each);
                Block::Thinking(filled("signature").map(|signature| signature.as_ref().into()))
            }
            Some("redacted_thinking") => {
                filled("data")
                    .map(Piece::RedactedThinking)
                    .into_iter()
                    .for_each(&mut *each);
                Block::Foreign
            }
            Some("tool_use") => {
                let call = self.calls;
                self.calls += 1;
                each(Piece::Call {
                    call,
                    id: block.text("id").unwrap_or_default(),
                    name: block.text("name").unwrap_or_default(),
                });
                let input = block.raw("input").filter(|input| input.len() > 2);
                Block::Call(call, input.map(Into::into))
            }
            _ => Block::Foreign,
        };
        self.blocks.remove(&index);
        if self.blocks.len() < MOST_BLOCKS {
            self.blocks.insert(index, begun);
        }
    }

    fn delta(&mut self, index: u64, delta: &Fields<'_>, each: &mut dyn FnMut(Piece<'_>)) {
        let filled = |name: &str| delta.text(name).filter(|text| !text.is_empty());
        let block = self.blocks.get_mut(&index);
        match delta.text("type").as_deref() {
            Some("text_delta") if !matches!(block, Some(Block::Foreign)) => {
                filled("text").map(Piece::Text).into_iter().for_each(each);
            }
            Some("thinking_delta") => filled("thinking").map(Piece::Thinking).into_iter().for_each(each),
            Some("signature_delta") => {
                if let (Some(Block::Thinking(known)), Some(signature)) = (block, filled("signature")) {
                    *known = Some(signature.as_ref().into());
                }
            }
            Some("input_json_delta") => {
                if let (Some(Block::Call(call, input)), Some(json)) = (block, filled("partial_json")) {
                    *input = None;
                    each(Piece::Arguments { call: *call, json });
                }
            }
            _ => {}
        }
    }

    fn stop(&mut self, index: u64, each: &mut dyn FnMut(Piece<'_>)) {
        match self.blocks.get_mut(&index) {
            Some(Block::Call(call, input)) => {
                if let Some(json) = input.take() {
                    let json = Cow::Owned(json.into());
                    each(Piece::Arguments { call: *call, json });
                }
            }
            Some(Block::Thinking(signature)) => {
                if let Some(signature) = signature.take() {
                    each(Piece::Signature(Cow::Owned(signature.into())));
                }
            }
            _ => {}
        }
    }
}

//! What is remembered of a stream that passes on as it comes, so that another provider's can go on in its place.

use super::Partial;
use crate::anthropic::events::EventWriter;
use crate::anthropic::stream::EventReader;
use crate::chat::made::Made;
use crate::chat::names::Renamed;
use crate::json::Fields;
use crate::openai::events::ChunkWriter;
use crate::openai::stream::ChunkReader;
use crate::sse::Event;
use crate::streaming::Writer;

/// What the client has seen of a stream of chat completion chunks.
#[derive(Debug, Default)]
pub(crate) struct ChunkTrace {
    partial: Partial,
    reader: ChunkReader,
    /// The fields that all chunks have in common, as JSON text, each with its name: those of the first chunk with a
    /// choice in it, for Azure sends one before that has them empty.
    common: Option<Vec<(&'static str, Box<str>)>>,
}

/// What the client has seen of a stream of message events.
#[derive(Debug, Default)]
pub(crate) struct EventTrace {
    partial: Partial,
    reader: EventReader,
    has_started: bool,
    /// The index of the next block.
    next: u64,
    /// The index of the block that is open, if it is one of text.
    open: Option<u64>,
}

/// Follows a stream of one dialect.
pub(crate) trait Trace: std::fmt::Debug {
    /// Takes in an event that was sent to the client.
    fn take(&mut self, event: &Event<'_>);

    /// What the client has of the answer.
    fn partial(&self) -> &Partial;

    /// What goes on where the stream is now. `None`: nobody can.
    fn writer(&self, made: Made, renamed: Renamed, include_usage: bool) -> Option<Box<dyn Writer>>;
}

impl Trace for ChunkTrace {
    fn take(&mut self, event: &Event<'_>) {
        let partial = &mut self.partial;
        self.reader.read(event, &mut |piece| partial.take(&piece));
        if self.common.is_some() {
            return;
        }
        let chunk = Fields::parse(event.data).unwrap_or_default();
        if !chunk.elements("choices").is_empty() {
            let known = |name| chunk.raw(name).map(|value| (name, value.into()));
            let names = ["id", "object", "created", "model"];
            self.common = Some(names.into_iter().filter_map(known).collect());
        }
    }

    fn partial(&self) -> &Partial {
        &self.partial
    }

    fn writer(&self, made: Made, renamed: Renamed, include_usage: bool) -> Option<Box<dyn Writer>> {
        let writer = ChunkWriter::new(made, renamed, include_usage);
        Some(Box::new(match &self.common {
            Some(common) => writer.resumed(common),
            None => writer,
        }))
    }
}

impl Trace for EventTrace {
    fn take(&mut self, event: &Event<'_>) {
        let partial = &mut self.partial;
        self.reader.read(event, &mut |piece| partial.take(&piece));
        let Ok(fields) = Fields::parse(event.data) else {
            return;
        };
        let kind = fields.text("type");
        let index = fields.count("index").unwrap_or(0);
        match kind.as_deref().or(event.name).unwrap_or_default() {
            "message_start" => self.has_started = true,
            "content_block_start" => {
                self.next = index.saturating_add(1);
                let block = fields.object("content_block").unwrap_or_default();
                let kind = block.text("type");
                self.open = (kind.as_deref() == Some("text")).then_some(index);
                let is_known = ["text", "thinking", "redacted_thinking", "tool_use"];
                if !kind.is_some_and(|kind| is_known.contains(&&*kind)) {
                    self.partial.note_foreign();
                }
            }
            "content_block_stop" => self.open = None,
            _ => {}
        }
    }

    fn partial(&self) -> &Partial {
        &self.partial
    }

    fn writer(&self, made: Made, renamed: Renamed, _: bool) -> Option<Box<dyn Writer>> {
        let writer = EventWriter::new(made, renamed);
        Some(Box::new(if self.has_started {
            writer.resumed(self.open.unwrap_or(self.next), self.open.is_some())
        } else {
            writer
        }))
    }
}

/// Nothing is remembered: nobody can go on with such a stream.
#[derive(Debug, Default)]
pub(crate) struct NoTrace(Partial);

impl Trace for NoTrace {
    fn take(&mut self, _: &Event<'_>) {}

    fn partial(&self) -> &Partial {
        &self.0
    }

    fn writer(&self, _: Made, _: Renamed, _: bool) -> Option<Box<dyn Writer>> {
        None
    }
}

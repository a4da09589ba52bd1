//! A stream on its way from the provider's dialect to the client's.

use bytes::Bytes;
use tollgate_core::{Dialect, OutcomeClass, RequestId};

use super::{Translation, words_of};
use crate::anthropic::events::EventWriter;
use crate::anthropic::stream::EventReader;
use crate::chat::answer::Piece;
use crate::openai::events::ChunkWriter;
use crate::openai::stream::ChunkReader;
use crate::passthrough::{AnthropicObserver, Observer, OpenAiObserver, Watching, broken};
use crate::render::{as_event, error_body, render_stream_error};
use crate::report::{Report, StreamEnd, StreamFault};
use crate::sse::{Event, Framer};

/// Reads a provider's events, and writes the client's.
#[derive(Debug)]
pub(crate) struct TranslatedStream {
    client: Dialect,
    request_id: RequestId,
    framer: Framer,
    source: Source,
    sink: Sink,
    /// The client has been told the end: nothing more is written.
    is_closed: bool,
}

/// The provider's side: what tells the gateway, and what reads for the client.
#[derive(Debug)]
enum Source {
    OpenAi(OpenAiObserver, ChunkReader),
    Anthropic(AnthropicObserver, EventReader),
}

/// The client's side.
#[derive(Debug)]
enum Sink {
    OpenAi(ChunkWriter),
    Anthropic(EventWriter),
}

impl TranslatedStream {
    pub(super) fn new(translation: Translation) -> Self {
        let Translation {
            client,
            kind,
            include_usage,
            renamed,
            made,
        } = translation;
        let request_id = made.request_id;
        let source = match kind.dialect() {
            Dialect::OpenAi => {
                let observer = OpenAiObserver::new(kind, Watching::Everything);
                Source::OpenAi(observer, ChunkReader::default())
            }
            Dialect::Anthropic => Source::Anthropic(AnthropicObserver::default(), EventReader::default()),
        };
        let sink = match client {
            Dialect::OpenAi => Sink::OpenAi(ChunkWriter::new(made, renamed, include_usage)),
            Dialect::Anthropic => Sink::Anthropic(EventWriter::new(made, renamed)),
        };
        Self {
            client,
            request_id,
            framer: Framer::default(),
            source,
            sink,
            is_closed: false,
        }
    }

    /// Takes the next chunk of the provider's body, and puts what the client is to receive into `out`.
    pub(crate) fn push(&mut self, chunk: &[u8], out: &mut Vec<Bytes>) {
        let mut framer = std::mem::take(&mut self.framer);
        let mut written = Vec::new();
        let cut = framer.push(chunk, |frame| {
            if let Some(event) = &frame.event {
                self.event(event, &mut written);
            }
        });
        self.framer = framer;
        if let (Err(fault), false) = (cut, self.is_closed) {
            self.report_mut().error = Some(StreamFault {
                class: OutcomeClass::Malformed,
                message: fault.to_string().into(),
            });
            self.tell_fault(&mut written);
        }
        if !written.is_empty() {
            out.push(written.into());
        }
    }

    /// The provider's body has ended. An answer that was not finished ends with an error event.
    pub(crate) fn finish(&mut self, end: StreamEnd, out: &mut Vec<Bytes>) {
        let mut framer = std::mem::take(&mut self.framer);
        let mut written = Vec::new();
        framer.finish(|frame| {
            if let (Some(event), StreamEnd::Eof) = (&frame.event, end) {
                self.event(event, &mut written);
            }
        });
        if !self.is_closed {
            if end == StreamEnd::Eof && self.sink.is_finished() {
                self.close(&mut written);
            } else {
                self.is_closed = true;
                self.sink.break_off(&mut written);
                written.extend_from_slice(&render_stream_error(self.client, &broken(end), self.request_id));
            }
        }
        if !written.is_empty() {
            out.push(written.into());
        }
    }

    /// Takes the provider's next event.
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.is_closed {
            return;
        }
        let (sink, mut is_done) = (&mut self.sink, false);
        let mut each = |piece: Piece<'_>| {
            if piece == Piece::Done {
                is_done = true;
            } else {
                sink.write(piece, out);
            }
        };
        match &mut self.source {
            Source::OpenAi(observer, reader) => {
                observer.observe(event);
                reader.read(event, &mut each);
            }
            Source::Anthropic(observer, reader) => {
                observer.observe(event);
                reader.read(event, &mut each);
            }
        }
        if self.report().error.is_some() {
            self.tell_fault(out);
        } else if is_done {
            self.close(out);
        }
    }

    /// Ends the stream with the provider's error.
    fn tell_fault(&mut self, out: &mut Vec<u8>) {
        self.is_closed = true;
        self.sink.break_off(out);
        if let Some(fault) = &self.report().error {
            let body = error_body(self.client, &words_of(fault));
            out.extend_from_slice(&as_event(self.client, &body));
        }
    }

    /// What the stream has told so far.
    pub(crate) fn report(&self) -> &Report {
        match &self.source {
            Source::OpenAi(observer, _) => observer.report(),
            Source::Anthropic(observer, _) => observer.report(),
        }
    }

    fn report_mut(&mut self) -> &mut Report {
        match &mut self.source {
            Source::OpenAi(observer, _) => observer.report_mut(),
            Source::Anthropic(observer, _) => observer.report_mut(),
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        self.is_closed = true;
        self.report_mut().complete = true;
        let report = match &self.source {
            Source::OpenAi(observer, _) => observer.report(),
            Source::Anthropic(observer, _) => observer.report(),
        };
        match &mut self.sink {
            Sink::OpenAi(writer) => writer.close(report.usage.as_ref(), out),
            Sink::Anthropic(writer) => writer.close(report.usage.as_ref(), out),
        }
    }
}

impl Sink {
    fn write(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match self {
            Self::OpenAi(writer) => writer.write(piece, out),
            Self::Anthropic(writer) => writer.write(piece, out),
        }
    }

    fn break_off(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::OpenAi(_) => {}
            Self::Anthropic(writer) => writer.break_off(out),
        }
    }

    const fn is_finished(&self) -> bool {
        match self {
            Self::OpenAi(writer) => writer.is_finished(),
            Self::Anthropic(writer) => writer.is_finished(),
        }
    }
}

//! A stream on its way from the provider's dialect to the client's.

use bytes::Bytes;
use tollgate_core::{Dialect, OutcomeClass, RequestId, Usage};

use super::{Translation, words_of};
use crate::chat::answer::Piece;
use crate::dialects;
use crate::error_words::ErrorWords;
use crate::framing::Framing;
use crate::passthrough::broken;
use crate::report::{Report, StreamEnd, StreamFault};
use crate::resume::{Overlap, Partial};
use crate::sse::Event;
use crate::streaming::{Source, Writer};
use crate::usage::sum;

/// Reads a provider's events, and writes the client's.
#[derive(Debug)]
pub(crate) struct TranslatedStream {
    request_id: RequestId,
    framer: Framing,
    source: Box<dyn Source>,
    sink: Box<dyn Writer>,
    /// The client has been told the end: nothing more is written.
    is_closed: bool,
    /// What the client has, if another provider may go on with it; an error is then withheld until the end.
    partial: Option<Partial>,
    /// What providers before this one took for the answer; `None`: this is the first.
    spent: Option<Usage>,
    /// What may come again of what they said.
    overlap: Overlap,
}

/// What a provider that goes on with an answer must know of it.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) spent: Usage,
    pub(crate) overlap: Overlap,
    pub(crate) partial: Partial,
}

impl TranslatedStream {
    pub(super) fn new(translation: Translation) -> Self {
        let Translation {
            client,
            upstream,
            kind,
            include_usage,
            renamed,
            made,
        } = translation;
        Self {
            request_id: made.request_id,
            framer: Framing::of(upstream),
            source: dialects::source(upstream, kind),
            sink: dialects::sink(client, made, renamed, include_usage),
            is_closed: false,
            partial: None,
            spent: None,
            overlap: Overlap::default(),
        }
    }

    /// Goes on where `sink` is.
    pub(crate) fn continuing(translation: Translation, sink: Box<dyn Writer>, leg: Leg) -> Self {
        Self {
            sink,
            partial: Some(leg.partial),
            spent: Some(leg.spent),
            overlap: leg.overlap,
            ..Self::new(translation)
        }
    }

    /// Goes on where this one is. `None`: it has told the end.
    pub(crate) fn continued(&self, translation: Translation, mut leg: Leg) -> Option<Self> {
        if self.is_closed {
            return None;
        }
        let mut sink = self.sink.fork();
        sink.rename(translation.renamed.clone());
        if let Some(before) = &self.spent {
            leg.spent = sum(before, &leg.spent);
        }
        Some(Self::continuing(translation, sink, leg))
    }

    /// Remembers from now on what the client has, and withholds an error until the end.
    pub(crate) fn collect(&mut self) {
        self.partial.get_or_insert_default();
    }

    /// What the client has; `None`: it is not remembered.
    pub(crate) const fn partial(&self) -> Option<&Partial> {
        self.partial.as_ref()
    }

    /// Whether nothing that may come is for the client.
    pub(crate) fn is_over(&self) -> bool {
        self.is_closed || self.is_withholding()
    }

    /// Whether there is an error that the client has not been told.
    fn is_withholding(&self) -> bool {
        self.partial.is_some() && !self.is_closed && self.report().error.is_some()
    }

    /// Takes the next chunk of the provider's body, and puts what the client is to receive into `out`.
    pub(crate) fn push(&mut self, chunk: &[u8], out: &mut Vec<Bytes>) {
        let mut framer = std::mem::replace(&mut self.framer, Framing::of(Dialect::OpenAi));
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
            if !self.is_withholding() {
                self.tell_fault(&mut written);
            }
        }
        if !written.is_empty() {
            out.push(written.into());
        }
    }

    /// The provider's body has ended. An answer that was not finished ends with an error event.
    pub(crate) fn finish(&mut self, end: StreamEnd, out: &mut Vec<Bytes>) {
        let mut framer = std::mem::replace(&mut self.framer, Framing::of(Dialect::OpenAi));
        let mut written = Vec::new();
        framer.finish(|frame| {
            if let (Some(event), StreamEnd::Eof) = (&frame.event, end) {
                self.event(event, &mut written);
            }
        });
        if self.is_withholding() {
            self.tell_fault(&mut written);
        } else if !self.is_closed {
            if end == StreamEnd::Eof && self.sink.is_finished() {
                self.close(&mut written);
            } else {
                self.is_closed = true;
                let refusal = broken(end);
                let id = self.request_id.to_string();
                let words = ErrorWords {
                    status: refusal.status(),
                    kind: None,
                    message: &refusal.message,
                    param: None,
                    code: Some(refusal.kind.name()),
                    request_id: Some(&id),
                };
                self.sink.fail(&words, &mut written);
            }
        }
        if !written.is_empty() {
            out.push(written.into());
        }
    }

    /// Takes the provider's next event.
    fn event(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if self.is_over() {
            return;
        }
        let mut is_done = false;
        let mut client = Client {
            sink: &mut *self.sink,
            partial: self.partial.as_mut(),
            overlap: &mut self.overlap,
            continues: self.spent.is_some(),
            out,
        };
        let mut each = |piece: Piece<'_>| {
            is_done |= piece == Piece::Done;
            client.take(piece);
        };
        self.source.read(event, &mut each);
        if self.report().error.is_some() {
            if !self.is_withholding() {
                self.tell_fault(out);
            }
        } else if is_done {
            self.close(out);
        }
    }

    /// Ends the stream with the provider's error.
    fn tell_fault(&mut self, out: &mut Vec<u8>) {
        self.is_closed = true;
        if let Some(fault) = &self.source.report().error {
            self.sink.fail(&words_of(fault), out);
        }
    }

    /// What the stream has told so far.
    pub(crate) fn report(&self) -> &Report {
        self.source.report()
    }

    fn report_mut(&mut self) -> &mut Report {
        self.source.report_mut()
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        self.is_closed = true;
        let report = self.report_mut();
        report.complete = true;
        let own = report.usage;
        let usage = match &self.spent {
            Some(spent) => Some(sum(spent, &own.unwrap_or_default())),
            None => own,
        };
        self.sink.close(usage.as_ref(), out);
    }
}

/// What a piece of the answer passes on its way to the client.
struct Client<'c> {
    sink: &'c mut dyn Writer,
    partial: Option<&'c mut Partial>,
    overlap: &'c mut Overlap,
    /// Another provider has begun the answer.
    continues: bool,
    out: &'c mut Vec<u8>,
}

impl Client<'_> {
    fn take(&mut self, piece: Piece<'_>) {
        let piece = match piece {
            // The answer has begun to speak: whoever goes on with it is not heard thinking.
            Piece::Thinking(_)
            | Piece::Signature(_)
            | Piece::RedactedThinking(_)
            | Piece::State(_)
            | Piece::StateAhead(_)
                if self.continues =>
            {
                return;
            }
            Piece::Text(text) if self.continues => {
                let text = self.overlap.strip(text);
                if text.is_empty() {
                    return;
                }
                Piece::Text(text)
            }
            Piece::Start { .. } => piece,
            piece => {
                let rest = self.overlap.rest();
                if !rest.is_empty() {
                    self.send(Piece::Text(rest.into()));
                }
                piece
            }
        };
        self.send(piece);
    }

    fn send(&mut self, piece: Piece<'_>) {
        if let Some(partial) = &mut self.partial {
            partial.take(&piece);
        }
        self.sink.write(piece, self.out);
    }
}

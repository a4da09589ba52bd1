//! A provider's event stream on its way to the client, in whichever dialects the two are; and the answer of a
//! second provider behind that of a first which broke off.

use bytes::Bytes;
use tollgate_core::Usage;

use super::{Reader, Way};
use crate::dialects;
use crate::passthrough::{Passing, Watching};
use crate::report::{Report, StreamEnd};
use crate::resume::{Partial, Trace};
use crate::translate::{Leg, TranslatedStream};

/// Understands a streamed answer. Get one from [`Reader::stream`].
#[derive(Debug)]
pub struct StreamReader {
    way: Stream,
}

#[derive(Debug)]
enum Stream {
    Passing(Box<dyn Passing>),
    Translated(Box<TranslatedStream>),
}

impl StreamReader {
    pub(crate) fn new(reader: Reader) -> Self {
        let way = match reader.way {
            // Embeddings do not stream.
            Way::Embedding(..) => {
                let dialect = reader.surface.dialect();
                let watching = Watching::Everything;
                Stream::Passing(dialects::passing(
                    dialect,
                    reader.kind,
                    watching,
                    reader.request_id,
                ))
            }
            Way::Same(watching) => {
                let dialect = reader.surface.dialect();
                Stream::Passing(dialects::passing(
                    dialect,
                    reader.kind,
                    watching,
                    reader.request_id,
                ))
            }
            Way::Translated(translation) | Way::Continues(translation, _) => {
                Stream::Translated(Box::new(translation.stream()))
            }
        };
        Self { way }
    }

    /// Remembers the answer as it goes, so that another provider can go on with it: see [`Self::partial`] and
    /// [`Self::continue_with`]. To be called before anything is pushed; costs a reading of each event.
    ///
    /// From then on an error inside the stream, and what follows it, is not put out by [`Self::push`] but withheld
    /// until [`Self::finish`]: what has been put out can be gone on with. It is in [`Report::error`] at once.
    #[must_use]
    pub fn collecting(mut self) -> Self {
        match &mut self.way {
            Stream::Passing(stream) => stream.collect(),
            Stream::Translated(stream) => stream.collect(),
        }
        self
    }

    /// Takes the next chunk of the upstream's body, and puts what the client is to receive now into `out`.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a chunk is given away: a translation may keep it without a copy"
    )]
    pub fn push(&mut self, chunk: Bytes, out: &mut Vec<Bytes>) {
        match &mut self.way {
            Stream::Passing(stream) => stream.push(&chunk, out),
            Stream::Translated(stream) => stream.push(&chunk, out),
        }
    }

    /// The upstream's body has ended. Puts what is left into `out`: nothing, if the stream was complete, else
    /// what closes it properly, or an error event if it was cut. To be called once, and not at all on a reader
    /// that another one goes on from.
    pub fn finish(&mut self, end: StreamEnd, out: &mut Vec<Bytes>) {
        match &mut self.way {
            Stream::Passing(stream) => stream.finish(end, out),
            Stream::Translated(stream) => stream.finish(end, out),
        }
    }

    /// What the stream has told so far. Of a continuation: what the last provider's has told, nothing of those
    /// before it.
    pub fn report(&self) -> &Report {
        match &self.way {
            Stream::Passing(stream) => stream.report(),
            Stream::Translated(stream) => stream.report(),
        }
    }

    /// Whether nothing that the upstream may still send is for the client: the end has been told, or the stream
    /// could not be followed (an event beyond [`crate::sse::MAX_EVENT_BYTES`]; [`Report::error`] says so). With an
    /// error in the report, the upstream is best closed at once; without one, it may be read to its end.
    pub fn is_over(&self) -> bool {
        match &self.way {
            Stream::Passing(stream) => stream.is_over(),
            Stream::Translated(stream) => stream.is_over(),
        }
    }

    /// What the client has of the answer, of all providers that had a part in it. `None`: not
    /// [`Self::collecting`].
    pub fn partial(&self) -> Option<&Partial> {
        match &self.way {
            Stream::Passing(stream) => stream.trace().map(Trace::partial),
            Stream::Translated(stream) => stream.partial(),
        }
    }

    /// The reader that goes on in the client's stream where this one stopped, with the answer that `next` reads:
    /// nothing begins twice, texts join, and it ends once. It collects, too.
    ///
    /// `next` is of [`crate::encode_continuation`]. `spent` is what this reader's own answer is billed for
    /// ([`crate::settled_usage`] of [`Self::report`]): the client is told the sum, the new reader's report holds
    /// its own share only. This reader stays as it is, for another try if that one comes to nothing before
    /// anything of it was sent.
    ///
    /// `None`: this one was not [`Self::collecting`], or has told the end.
    pub fn continue_with(&self, next: Reader, spent: Usage) -> Option<Self> {
        let (translation, overlap) = next.into_translation();
        let partial = self.partial()?.clone();
        let leg = Leg {
            spent,
            overlap,
            partial,
        };
        let stream = match &self.way {
            Stream::Passing(stream) => {
                let sink = translation.sink(stream.trace()?)?;
                TranslatedStream::continuing(translation, sink, leg)
            }
            Stream::Translated(stream) => stream.continued(translation, leg)?,
        };
        Some(Self {
            way: Stream::Translated(Box::new(stream)),
        })
    }
}

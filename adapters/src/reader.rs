//! The answer to a request, on its way from a provider's dialect to the client's: whole, failed or streamed.

mod stream;

use bytes::Bytes;
use tollgate_core::{ProviderKind, RequestId, Surface, Timestamp};

use crate::chat::made::Made;
use crate::classify::{ProviderFailure, failure};
use crate::dialects;
use crate::egress::Egress;
use crate::embedding;
use crate::passthrough::Watching;
use crate::report::{Malformed, Report};
use crate::resume::Overlap;
use crate::translate::Translation;

pub use stream::StreamReader;

/// Understands the answer to one request. Get one from [`crate::encode()`].
#[derive(Debug)]
pub struct Reader {
    pub(crate) surface: Surface,
    pub(crate) kind: ProviderKind,
    pub(crate) request_id: RequestId,
    pub(crate) way: Way,
}

/// How an answer becomes the client's.
#[derive(Debug)]
pub(crate) enum Way {
    /// It is in the client's dialect.
    Same(Watching),
    /// It must be translated.
    Translated(Box<Translation>),
    /// It holds embeddings in another provider's words.
    Embedding(embedding::Translation),
    /// It goes on with an answer that another provider began.
    Continues(Box<Translation>, Overlap),
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// The JSON body for the client.
    pub body: Bytes,
    /// What it told. An error in place of an answer (status 200 notwithstanding) is in [`Report::error`].
    pub report: Report,
}

impl Reader {
    /// For an answer in the client's dialect.
    pub(crate) fn of(surface: Surface, egress: &Egress<'_>, watching: Watching) -> Self {
        Self {
            surface,
            kind: egress.kind,
            request_id: egress.request_id,
            way: Way::Same(watching),
        }
    }

    /// Reads a whole answer with a 2xx status.
    ///
    /// # Errors
    /// If it is no JSON object, or none that holds an answer.
    pub fn read(self, body: Bytes) -> Result<Answer, Malformed> {
        match self.way {
            Way::Same(_) => {
                let report = dialects::report(self.surface.dialect(), Some(self.surface), self.kind, &body)?;
                Ok(Answer { body, report })
            }
            Way::Embedding(translation) => {
                let (body, report) = translation.answer(&body)?;
                let body = body.into();
                Ok(Answer { body, report })
            }
            Way::Translated(translation) | Way::Continues(translation, _) => {
                let (body, report) = translation.answer(&body)?;
                let body = body.into();
                Ok(Answer { body, report })
            }
        }
    }

    /// Reads an answer with any other status. `header` looks one of its headers up.
    pub fn read_failure(
        &self,
        status: u16,
        header: &dyn Fn(&str) -> Option<String>,
        body: &Bytes,
    ) -> ProviderFailure {
        failure(
            self.surface.dialect(),
            self.kind.dialect_for(self.surface),
            status,
            header,
            body,
        )
    }

    /// What translates the answer, and what it may repeat: for one that goes on in another's stream.
    pub(crate) fn into_translation(self) -> (Translation, Overlap) {
        let watching = match self.way {
            Way::Continues(translation, overlap) => return (*translation, overlap),
            Way::Translated(translation) => return (*translation, Overlap::default()),
            Way::Same(watching) => watching,
            Way::Embedding(..) => Watching::Everything,
        };
        // Asked from the beginning, not to go on: an answer of its own then, behind what is there.
        let made = Made {
            request_id: self.request_id,
            now: Timestamp::from_unix_millis(0),
            model: Box::default(),
        };
        let include_usage = watching == Watching::ForTheClient;
        let way = Translation::untouched(self.surface.dialect(), self.kind, include_usage, made);
        (way, Overlap::default())
    }

    /// Reads an event stream with a 2xx status.
    pub fn stream(self) -> StreamReader {
        StreamReader::new(self)
    }
}

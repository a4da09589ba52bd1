//! From a client's dialect to a provider's and back, where they differ.
//!
//! Decode to the canonical model, encode from it: never from one dialect to another directly. What a request
//! loses on the way is named; how its answer becomes the client's is kept in the [`Translation`].

mod stream;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use tollgate_core::{Dialect, ProviderKind, Refusal, Surface};

use crate::chat::made::Made;
use crate::chat::names::Renamed;
use crate::egress::Egress;
use crate::loss::Loss;
use crate::passthrough::{read_anthropic, read_openai};
use crate::render::{ErrorWords, error_body};
use crate::report::{Malformed, Report, StreamFault};
use crate::resume::Trace;
use crate::{anthropic, openai};

pub(crate) use stream::{Leg, Sink, TranslatedStream};

/// How the answer to a translated request becomes the client's.
#[derive(Debug, Clone)]
pub(crate) struct Translation {
    client: Dialect,
    kind: ProviderKind,
    include_usage: bool,
    renamed: Renamed,
    made: Made,
}

/// Translates a request for its target.
///
/// # Errors
/// What is malformed or of the wrong type; [`tollgate_core::RefusalKind::NotTranslatable`] for what cannot be had there at all,
/// and for any loss if [`Egress::strict`] is set.
pub(crate) fn request(
    from: Surface,
    body: &[u8],
    egress: &Egress<'_>,
) -> Result<(Vec<u8>, Loss, Translation), Refusal> {
    let client = from.dialect();
    let request = match client {
        Dialect::OpenAi => openai::decode::request(body)?,
        Dialect::Anthropic => anthropic::decode::request(body)?,
    };
    let include_usage = request.include_usage;
    let mut loss = Loss::default();
    let (body, renamed) = match egress.kind.dialect() {
        Dialect::OpenAi => openai::encode::request(request, egress, &mut loss),
        Dialect::Anthropic => anthropic::encode::request(request, egress, &mut loss)?,
    };
    egress.bear(&loss)?;
    let translation = Translation {
        client,
        kind: egress.kind,
        include_usage,
        renamed,
        made: Made {
            request_id: egress.request_id,
            now: egress.now,
            model: egress.model.into(),
        },
    };
    Ok((body, loss, translation))
}

impl Translation {
    /// A way back for a request that went out in the client's own dialect.
    pub(crate) fn untouched(client: Dialect, kind: ProviderKind, include_usage: bool, made: Made) -> Self {
        Self {
            client,
            kind,
            include_usage,
            renamed: Renamed::default(),
            made,
        }
    }

    /// The client's side of a stream that was passing on, from where it is.
    pub(crate) fn sink<T: Trace>(&self, trace: &T, sink: impl FnOnce(T::Writer) -> Sink) -> Sink {
        sink(trace.writer(self.made.clone(), self.renamed.clone(), self.include_usage))
    }

    /// Translates a whole answer.
    ///
    /// # Errors
    /// If it is no JSON object, or none that holds an answer.
    pub(crate) fn answer(&self, body: &Bytes) -> Result<(Vec<u8>, Report), Malformed> {
        let upstream = self.kind.dialect();
        let report = match upstream {
            Dialect::OpenAi => read_openai(Surface::ChatCompletions, self.kind, body)?,
            Dialect::Anthropic => read_anthropic(Surface::Messages, body)?,
        };
        if let Some(fault) = &report.error {
            return Ok((error_body(self.client, &words_of(fault)), report));
        }
        let answer = match upstream {
            Dialect::OpenAi => openai::answer::read(body)?,
            Dialect::Anthropic => anthropic::answer::read(body)?,
        };
        let render = match self.client {
            Dialect::OpenAi => openai::render::answer,
            Dialect::Anthropic => anthropic::render::answer,
        };
        let body = render(&answer, report.usage.as_ref(), &self.made, &self.renamed);
        Ok((body, report))
    }

    /// Translates a stream.
    pub(crate) fn stream(self) -> TranslatedStream {
        TranslatedStream::new(self)
    }
}

/// An error in place of an answer, or within one.
fn words_of(fault: &StreamFault) -> ErrorWords<'_> {
    use tollgate_core::OutcomeClass as Class;
    let status = match fault.class {
        Class::RateLimited => 429,
        Class::QuotaExhausted => 402,
        Class::Overloaded => 529,
        Class::ContextTooLong | Class::InvalidRequest => 400,
        _ => 500,
    };
    ErrorWords {
        status,
        kind: None,
        message: &fault.message,
        param: None,
        code: Some("upstream_error"),
        request_id: None,
    }
}

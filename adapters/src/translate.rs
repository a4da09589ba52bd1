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
use crate::dialects;
use crate::egress::Egress;
use crate::error_words::ErrorWords;
use crate::loss::Loss;
use crate::render::error_body;
use crate::report::{Malformed, Report, StreamFault};
use crate::resume::Trace;
use crate::streaming::Writer;

pub(crate) use stream::{Leg, TranslatedStream};

/// How the answer to a translated request becomes the client's.
#[derive(Debug, Clone)]
pub(crate) struct Translation {
    client: Dialect,
    upstream: Dialect,
    kind: ProviderKind,
    include_usage: bool,
    renamed: Renamed,
    made: Made,
}

/// Translates a request for its target. `stream`: whether the client's path asks for a stream; `None`: its body tells.
///
/// # Errors
/// What is malformed or of the wrong type; [`tollgate_core::RefusalKind::NotTranslatable`] for what cannot be had there at all,
/// and for any loss if [`Egress::strict`] is set.
pub(crate) fn request(
    from: Surface,
    stream: Option<bool>,
    body: &[u8],
    egress: &Egress<'_>,
) -> Result<(Vec<u8>, Loss, Translation), Refusal> {
    let client = from.dialect();
    let upstream = egress.kind.dialect_for(from);
    let mut request = dialects::decode(client, body)?;
    request.stream = stream.unwrap_or(request.stream);
    let include_usage = request.include_usage;
    let mut loss = Loss::default();
    let (body, renamed) = dialects::encode(upstream, request, egress, &mut loss)?;
    let loss = loss.in_words_of(client);
    egress.bear(&loss)?;
    let translation = Translation {
        client,
        upstream,
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
            upstream: client,
            kind,
            include_usage,
            renamed: Renamed::default(),
            made,
        }
    }

    /// The client's side of a stream that was passing on, from where it is. `None`: nobody can go on with it.
    pub(crate) fn sink(&self, trace: &dyn Trace) -> Option<Box<dyn Writer>> {
        trace.writer(self.made.clone(), self.renamed.clone(), self.include_usage)
    }

    /// Translates a whole answer.
    ///
    /// # Errors
    /// If it is no JSON object, or none that holds an answer.
    pub(crate) fn answer(&self, body: &Bytes) -> Result<(Vec<u8>, Report), Malformed> {
        let report = dialects::report(self.upstream, None, self.kind, body)?;
        if let Some(fault) = &report.error {
            return Ok((error_body(self.client, &words_of(fault)), report));
        }
        let answer = dialects::read(self.upstream, body)?;
        let usage = report.usage.as_ref();
        let body = dialects::render(self.client, &answer, usage, &self.made, &self.renamed);
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

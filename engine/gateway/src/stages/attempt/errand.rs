//! What is to be done: the same for every candidate, each in its own dialect.

use tollgate_adapters::{Egress, Encoded, Reader, StreamReader, encode, encode_carried, encode_continuation};
use tollgate_core::{OutcomeClass, Refusal, RefusalKind, RequestId, Timestamp, Usage};

use super::failed::{Unanswered, gateway};
use super::request::ClientHeaders;
use crate::exchange::call::Call;
use crate::off_thread::{LARGE_BYTES, off_thread};
use crate::worker::Worker;

/// What is to be done: the same for every candidate.
pub(super) struct Errand<'r> {
    pub(super) worker: &'r Worker,
    pub(super) call: &'r Call,
    pub(super) headers: ClientHeaders<'r>,
    pub(super) strict: bool,
    pub(super) request_id: RequestId,
    pub(super) arrived: Timestamp,
    /// When the request must be answered.
    pub(super) deadline: Option<std::time::Instant>,
    /// Whether what a stream says is kept, so that another target can go on with it.
    pub(super) is_collecting: bool,
    /// The stream to go on with; `None`: the answer is to begin at its beginning.
    pub(super) continuing: Option<Continuing<'r>>,
}

/// A stream that broke.
#[derive(Clone, Copy)]
pub(super) struct Continuing<'r> {
    /// What it had said.
    pub(super) broken: &'r StreamReader,
    /// What it is billed for.
    pub(super) spent: Usage,
}

impl Errand<'_> {
    /// The request in a target's dialect.
    pub(super) async fn encoded(&self, egress: &Egress<'_>) -> Result<Encoded, Refusal> {
        let call = self.call;
        if let (Some(through), Some(carried)) = (call.surface.through(), &call.carried) {
            return Ok(encode_carried(through, &carried.rest, &carried.query, egress));
        }
        match &self.continuing {
            None => encoded(call, egress).await,
            Some(Continuing { broken, .. }) => match broken.partial() {
                Some(partial) => encode_continuation(call.surface, &call.head, &call.body, partial, egress),
                None => Err(Refusal::new(
                    RefusalKind::NotTranslatable,
                    "nothing was kept to go on from",
                )),
            },
        }
    }

    /// The reader of a stream that begins, or goes on.
    pub(super) fn stream(&self, reader: Reader) -> Result<StreamReader, Unanswered> {
        match &self.continuing {
            None if self.is_collecting => Ok(reader.stream().collecting()),
            None => Ok(reader.stream()),
            Some(Continuing { broken, spent }) => broken
                .continue_with(reader, *spent)
                .ok_or_else(|| gateway(OutcomeClass::InvalidRequest, "the stream cannot be gone on with")),
        }
    }
}

async fn encoded(call: &Call, egress: &Egress<'_>) -> Result<Encoded, Refusal> {
    if call.body.len() < LARGE_BYTES {
        return encode(call.surface, &call.head, &call.body, egress);
    }
    let (surface, head, body) = (call.surface, call.head.clone(), call.body.clone());
    let (model, api_version) = (egress.model.to_owned(), egress.api_version.map(str::to_owned));
    let Egress {
        kind,
        max_output_tokens,
        strict,
        request_id,
        now,
        ..
    } = *egress;
    let work = move || {
        let egress = Egress {
            kind,
            model: &model,
            api_version: api_version.as_deref(),
            max_output_tokens,
            strict,
            request_id,
            now,
        };
        encode(surface, &head, &body, &egress)
    };
    off_thread(work).await?
}

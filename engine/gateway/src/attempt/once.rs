//! One attempt: encode, send, wait for the answer to begin, classify.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap};
use tokio::time::{Instant, timeout_at};
use tollgate_adapters::{
    Answer, Egress, Encoded, Reader, StreamReader, encode, encode_carried, encode_continuation,
};
use tollgate_core::{Clock, OutcomeClass, Refusal, RefusalKind, RequestId, Timestamp, Usage};
use tollgate_routing::{Provider, Timeouts};

use super::request::ClientHeaders;
use super::send::{send, shown};
use super::through;
use super::turns::Asked;
use super::{Answered, Failed, Opened, Reason, on_runtime, runtime_now};
use crate::call::Call;
use crate::identity::of_credential;
use crate::leg::{Leg, Verdict};
use crate::off_thread::{LARGE_BYTES, off_thread};
use crate::respond::Passed;
use crate::scrub::without_secrets;
use crate::upstream::{self, UpstreamBody};
use crate::worker::Worker;

/// A whole answer may be this large; more is no answer that a client could use.
const MAX_ANSWER_BYTES: usize = 256 << 20;
/// And the body of a failure this large: enough for its message.
const MAX_FAILURE_BYTES: usize = 1 << 20;
/// The body of a failure that does not arrive in this time is not waited for.
const FAILURE_BODY_WAIT: Duration = Duration::from_secs(5);

const EVENTS: [&str; 2] = ["text/event-stream", "application/vnd.amazon.eventstream"];

/// A stream's beginning is held back until its first content, so that a failure before that can be made good by
/// another target; but no longer than this, because clients want signs of life.
const HOLD_FOR: Duration = Duration::from_secs(10);
/// And no more bytes than this.
const HOLD_BYTES: usize = 1 << 20;

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

/// The clocks of one attempt.
#[derive(Clone, Copy)]
pub(super) struct Clocks {
    pub(super) first_byte: Instant,
    first_token: Instant,
    pub(super) idle: Duration,
    pub(super) total: Instant,
}

/// An outcome, the provider's status if there was one, and what to tell the client.
pub(super) type Unanswered = (OutcomeClass, Option<u16>, Reason);

/// Asks one candidate once.
pub(super) async fn attempt_once(errand: &Errand<'_>, asked: Asked<'_>) -> Result<(Leg, Answered), Failed> {
    let Asked { mut leg, credential } = asked;
    let target = leg.candidate.target.clone();
    let model = leg.candidate.model.clone();
    let provider = &target.provider;
    let egress = Egress {
        kind: provider.kind,
        model: &model,
        api_version: provider.api_version.as_deref(),
        max_output_tokens: leg.candidate.facts.max_output_tokens,
        strict: errand.strict,
        request_id: errand.request_id,
        now: errand.arrived,
    };
    let encoded = match errand.encoded(&egress).await {
        Ok(encoded) => encoded,
        Err(refusal) => {
            let candidate = leg.candidate.clone();
            leg.end(&Verdict::of(OutcomeClass::InvalidRequest, None));
            return Err(Failed::Untranslatable(candidate, refusal));
        }
    };
    let shown = std::pin::pin!(shown(errand, credential));
    let shown = before(errand.deadline, shown).await;
    leg.sent(&encoded.loss);
    let Encoded {
        path, body, reader, ..
    } = encoded;
    let exchange = async {
        let answer = send(errand, (provider, &shown?), &model, (&path, &body)).await?;
        receive(errand, answer, provider, reader, &mut leg).await
    };
    let answered = before(errand.deadline, std::pin::pin!(exchange)).await;
    leg.waited();
    if let Err(broken) = &answered
        && let Some(upload) = errand.call.upload()
        && let Some(refusal) = upload.fault().await
    {
        let candidate = leg.candidate.clone();
        leg.end(&Verdict::of(OutcomeClass::InvalidRequest, broken.1));
        return Err(Failed::Untranslatable(candidate, refusal));
    }
    match answered {
        Ok(answered) => Ok((leg, answered)),
        Err((outcome, status, reason)) => {
            if let Some(identity) = credential.and_then(of_credential)
                && outcome == OutcomeClass::CredentialRejected
            {
                errand.worker.shared.identities.doubt(identity);
            }
            let candidate = leg.candidate.clone();
            let retry_after = match &reason {
                Reason::Provider(failure, _) => failure.retry_after,
                Reason::Gateway(_) => None,
            };
            leg.end(&Verdict {
                retry_after,
                ..Verdict::of(outcome, status)
            });
            Err(Failed::Attempted {
                candidate,
                outcome,
                reason,
            })
        }
    }
}

/// What is done, as long as the request has time.
async fn before<T>(
    deadline: Option<std::time::Instant>,
    exchange: Pin<&mut impl Future<Output = Result<T, Unanswered>>>,
) -> Result<T, Unanswered> {
    let Some(deadline) = deadline else {
        return exchange.await;
    };
    timeout_at(on_runtime(deadline), exchange)
        .await
        .unwrap_or_else(|_| {
            let message = "the request's deadline came before an answer";
            Err(gateway(OutcomeClass::DeadlineExceeded, message))
        })
}

impl Errand<'_> {
    /// The request in a target's dialect.
    async fn encoded(&self, egress: &Egress<'_>) -> Result<Encoded, Refusal> {
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
    fn stream(&self, reader: Reader) -> Result<StreamReader, Unanswered> {
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

async fn read(reader: Reader, bytes: Bytes) -> Result<Answer, String> {
    let answer = if bytes.len() < LARGE_BYTES {
        reader.read(bytes)
    } else {
        let read = off_thread(move || reader.read(bytes)).await;
        read.map_err(|refusal| refusal.message.into_owned())?
    };
    answer.map_err(|malformed| malformed.to_string())
}

pub(super) fn gateway(outcome: OutcomeClass, message: impl Into<String>) -> Unanswered {
    (outcome, None, Reason::Gateway(message.into()))
}

/// Reads the answer as far as must be known before the client is told anything: all of it, or the first piece
/// of a stream.
async fn receive(
    errand: &Errand<'_>,
    answer: upstream::Answer,
    provider: &Provider,
    reader: Reader,
    leg: &mut Leg,
) -> Result<Answered, Unanswered> {
    let clocks = Clocks::starting(answer.sent_at, &provider.timeouts);
    let (head, mut body) = answer.response.into_parts();
    let passed = Passed::from_provider(&head.headers);
    if !head.status.is_success() {
        let status = head.status.as_u16();
        let text = without_secrets(provider, failure_body(body).await);
        let header = |name: &str| head.headers.get(name)?.to_str().ok().map(str::to_owned);
        let failure = reader.read_failure(status, &header, &text);
        return Err((
            failure.class,
            Some(status),
            Reason::Provider(Box::new(failure), passed),
        ));
    }
    if let Some(through) = errand.call.surface.through() {
        let head = (head.status.as_u16(), &head.headers);
        return Box::pin(through::receive(through, head, body, clocks, leg)).await;
    }
    let late = OutcomeClass::FirstByteTimeout;
    let first = next(&mut body, clocks.first_byte, clocks.total, late)
        .await?
        .unwrap_or_default();
    if is_event_stream(&head.headers) || (errand.call.head.stream && !looks_like_json(&first)) {
        let opening = open_stream(first, body, errand.stream(reader)?, clocks, passed, leg);
        // In a box: whole answers would carry the room for it.
        return Box::pin(opening).await;
    }
    let bytes = whole(first, body, clocks).await?;
    match read(reader, bytes).await {
        Ok(answer) => Ok(Answered::Whole(answer, passed)),
        Err(why) => Err((
            OutcomeClass::Malformed,
            Some(head.status.as_u16()),
            Reason::Gateway(why),
        )),
    }
}

pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let text = content_type.unwrap_or_default().trim_start();
    let begins_with = |kind: &str| {
        text.get(..kind.len())
            .is_some_and(|it| it.eq_ignore_ascii_case(kind))
    };
    EVENTS.into_iter().any(begins_with)
}

/// Some servers stream under whatever content type they have at hand.
fn looks_like_json(first: &[u8]) -> bool {
    matches!(first.trim_ascii_start(), [] | [b'{' | b'[' | b'<', ..])
}

/// Reads a stream up to its first content. What comes before that is thrown away if the stream fails there.
async fn open_stream(
    piece: Bytes,
    mut body: UpstreamBody,
    mut reader: StreamReader,
    clocks: Clocks,
    passed: Passed,
    leg: &mut Leg,
) -> Result<Answered, Unanswered> {
    if piece.is_empty() {
        return Err(gateway(
            OutcomeClass::Malformed,
            "the provider's stream ended before it began",
        ));
    }
    let mut first = Vec::new();
    let (mut next_piece, mut held) = (Some(piece), 0);
    let hold_until = clocks.first_token.min(runtime_now() + HOLD_FOR);
    loop {
        if let Some(piece) = next_piece.take() {
            held += piece.len();
            reader.push(piece, &mut first);
        }
        let report = reader.report();
        if report.has_content {
            leg.first_token();
            break;
        }
        if let Some(fault) = &report.error
            && fault.class.policy().may_fail_over
        {
            return Err((fault.class, Some(200), Reason::Gateway(fault.message.to_string())));
        }
        if report.error.is_some() || report.complete || held > HOLD_BYTES {
            break;
        }
        match next(
            &mut body,
            hold_until,
            clocks.total,
            OutcomeClass::FirstByteTimeout,
        )
        .await
        {
            Ok(Some(piece)) => next_piece = Some(piece),
            Ok(None) => {
                let message = "the provider's stream ended before its first content";
                return Err(gateway(OutcomeClass::Malformed, message));
            }
            // It may take longer; but the client should hear something.
            Err((OutcomeClass::FirstByteTimeout, ..)) if hold_until < clocks.first_token => break,
            Err(unanswered) => return Err(unanswered),
        }
    }
    Ok(Answered::Stream(Box::new(Opened {
        body,
        reader,
        first,
        idle: clocks.idle,
        deadline: clocks.total,
        passed,
        succession: None,
    })))
}

async fn whole(first: Bytes, mut body: UpstreamBody, clocks: Clocks) -> Result<Bytes, Unanswered> {
    let to_come = body
        .stated_len()
        .and_then(|len| usize::try_from(len).ok())
        .unwrap_or(0);
    let mut bytes = Joined::new(first, to_come);
    loop {
        let pause_ends = Instant::from_std(Clock.now()) + clocks.idle;
        match next(&mut body, pause_ends, clocks.total, OutcomeClass::IdleTimeout).await? {
            None => return Ok(bytes.into_bytes()),
            Some(piece) if bytes.len() + piece.len() > MAX_ANSWER_BYTES => {
                drop(piece);
                return Err(gateway(
                    OutcomeClass::Malformed,
                    "the provider's answer is too large",
                ));
            }
            Some(piece) => bytes.push(&piece),
        }
    }
}

/// The next piece before `pause_ends` (late: `late`) and before `total`.
pub(super) async fn next(
    body: &mut UpstreamBody,
    pause_ends: Instant,
    total: Instant,
    late: OutcomeClass,
) -> Result<Option<Bytes>, Unanswered> {
    match timeout_at(pause_ends.min(total), body.chunk()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(piece))) => Ok(Some(piece)),
        Ok(Some(Err(error))) => Err(gateway(
            OutcomeClass::Reset,
            format!("the connection broke before the answer was complete: {error}"),
        )),
        Err(_) if total <= pause_ends => Err(gateway(
            OutcomeClass::TotalTimeout,
            "the exchange with the provider took longer than it may",
        )),
        Err(_) => Err(gateway(
            late,
            "the provider did not go on with its answer in time",
        )),
    }
}

/// As much of a failure's body as arrives soon.
async fn failure_body(mut body: UpstreamBody) -> Bytes {
    let until = Instant::from_std(Clock.now()) + FAILURE_BODY_WAIT;
    let mut bytes = BytesMut::new();
    while let Ok(Some(Ok(piece))) = timeout_at(until, body.chunk()).await {
        let room = MAX_FAILURE_BYTES - bytes.len();
        bytes.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
        if bytes.len() == MAX_FAILURE_BYTES {
            break;
        }
    }
    bytes.freeze()
}

impl Clocks {
    fn starting(sent_at: std::time::Instant, timeouts: &Timeouts) -> Self {
        let sent_at = Instant::from_std(sent_at);
        Self {
            first_byte: sent_at + timeouts.first_byte,
            first_token: sent_at + timeouts.first_token.max(timeouts.first_byte),
            idle: timeouts.idle,
            total: sent_at + timeouts.total,
        }
    }
}

/// Pieces put together; a body of one piece is not copied.
enum Joined {
    /// The first piece, and how long all of them will be together, as far as is known.
    One(Bytes, usize),
    Many(BytesMut),
}

impl Joined {
    fn new(first: Bytes, to_come: usize) -> Self {
        let expected = (first.len() + to_come).min(1 << 20);
        Self::One(first, expected)
    }

    fn len(&self) -> usize {
        match self {
            Self::One(bytes, _) => bytes.len(),
            Self::Many(bytes) => bytes.len(),
        }
    }

    fn push(&mut self, piece: &[u8]) {
        if let Self::One(first, expected) = self {
            let mut bytes = BytesMut::with_capacity((first.len() + piece.len()).max(*expected));
            bytes.extend_from_slice(first);
            *self = Self::Many(bytes);
        }
        if let Self::Many(bytes) = self {
            bytes.extend_from_slice(piece);
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::One(bytes, _) => bytes,
            Self::Many(bytes) => bytes.freeze(),
        }
    }
}

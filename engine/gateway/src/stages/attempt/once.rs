//! One attempt: encode, send, wait for the answer to begin, classify.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::{Instant, timeout_at};
use tollgate_adapters::{Answer, Egress, Encoded, Reader, StreamReader};
use tollgate_core::{Clock, OutcomeClass};
use tollgate_routing::Provider;

use super::errand::Errand;
use super::failed::{Failed, Reason, Unanswered, gateway};
use super::reading::{Clocks, is_event_stream, next};
use super::send::{send, shown};
use super::through;
use super::turns::Asked;
use crate::exchange::answered::{Answered, Opened};
use crate::exchange::leg::{Leg, Verdict};
use crate::exchange::passed::Passed;
use crate::identity::of_credential;
use crate::off_thread::{LARGE_BYTES, off_thread};
use crate::runtime_clock::{on_runtime, runtime_now};
use crate::scrub::without_secrets;
use crate::upstream::{self, UpstreamBody};

/// A whole answer may be this large; more is no answer that a client could use.
const MAX_ANSWER_BYTES: usize = 256 << 20;
/// And the body of a failure this large: enough for its message.
const MAX_FAILURE_BYTES: usize = 1 << 20;
/// The body of a failure that does not arrive in this time is not waited for.
const FAILURE_BODY_WAIT: Duration = Duration::from_secs(5);

/// A stream's beginning is held back until its first content, so that a failure before that can be made good by
/// another target; but no longer than this, because clients want signs of life.
const HOLD_FOR: Duration = Duration::from_secs(10);
/// And no more bytes than this.
const HOLD_BYTES: usize = 1 << 20;

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

async fn read(reader: Reader, bytes: Bytes) -> Result<Answer, String> {
    let answer = if bytes.len() < LARGE_BYTES {
        reader.read(bytes)
    } else {
        let read = off_thread(move || reader.read(bytes)).await;
        read.map_err(|refusal| refusal.message.into_owned())?
    };
    answer.map_err(|malformed| malformed.to_string())
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
        heirs: None,
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

//! From an answer or a refusal to HTTP: status, headers, body.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::http::{ConnectionType, StatusCode};
use bytes::{Bytes, BytesMut};
use tollgate_adapters::{Answer, ProviderFailure, error_header, render_refusal, stream_type};
use tollgate_core::{Dialect, Refusal};

use crate::exchange::answered::{Answered, Opened, Passing, Recalled};
use crate::exchange::passed::Passed;
use crate::stages::passage::Passage;
use crate::stages::recall::pace::Paced;
use crate::stages::relay::Relay;
use crate::stages::settle::Settlement;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const PROVIDER: HeaderName = HeaderName::from_static("x-tollgate-provider");
const MODEL: HeaderName = HeaderName::from_static("x-tollgate-model");
const COST: HeaderName = HeaderName::from_static("x-tollgate-cost-usd");
const OVERHEAD: HeaderName = HeaderName::from_static("x-tollgate-overhead-us");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-tollgate-attempts");
const LOSS: HeaderName = HeaderName::from_static("x-tollgate-loss");
pub(crate) const DECISION: HeaderName = HeaderName::from_static("x-tollgate-decision");
const TARGET: HeaderName = HeaderName::from_static("x-tollgate-target");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const CACHE: HeaderName = HeaderName::from_static("x-tollgate-cache");
const PROXY_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// `x-tollgate-loss` names this many bytes of paths at most; the log has them all.
const MAX_LOSS_BYTES: usize = 2048;

/// As many headers, and bytes of their values, as most answers have at the most.
const USUAL_HEADERS: usize = 14;
const USUAL_BYTES: usize = 256;

/// Answers the client.
pub(crate) fn respond(answered: Answered, mut settlement: Box<Settlement>) -> HttpResponse {
    match answered {
        Answered::Whole(Answer { body, report }, mut passed) => {
            settlement.answering(200, passed.request_id.take());
            settlement.answered(&report);
            send(StatusCode::OK, &passed, body, settlement)
        }
        Answered::Failure(failure, passed) => fail(failure, &passed, settlement),
        Answered::Stream(opened) => stream(*opened, settlement),
        Answered::Passing(passing) => pass(*passing, settlement),
        Answered::Recalled(recalled) => recall(recalled, settlement),
    }
}

/// A response whose head is being written. The values of its headers share one piece of memory.
struct Draft {
    response: HttpResponse,
    values: BytesMut,
}

impl Draft {
    fn new(status: StatusCode) -> Self {
        let mut response = HttpResponse::new(status);
        response.headers_mut().reserve(USUAL_HEADERS);
        Self {
            response,
            values: BytesMut::with_capacity(USUAL_BYTES),
        }
    }

    fn json(status: StatusCode) -> Self {
        let mut draft = Self::new(status);
        draft.insert(CONTENT_TYPE, JSON);
        draft
    }

    fn event_stream(dialect: Dialect) -> Self {
        let mut draft = Self::new(StatusCode::OK);
        draft.insert(CONTENT_TYPE, HeaderValue::from_static(stream_type(dialect)));
        draft.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        draft.insert(PROXY_BUFFERING, HeaderValue::from_static("no"));
        draft
    }

    /// The kind of an error, where a dialect tells it in a header.
    fn say_what_failed(&mut self, dialect: Dialect, status: StatusCode) {
        if let Some((name, kind)) = error_header(dialect, status.as_u16()) {
            self.insert(HeaderName::from_static(name), HeaderValue::from_static(kind));
        }
    }

    fn insert(&mut self, name: HeaderName, value: HeaderValue) {
        self.response.headers_mut().insert(name, value);
    }

    fn say(&mut self, name: HeaderName, value: impl Display) {
        // Writing into memory cannot fail.
        let _ = write!(self.values, "{value}");
        if let Ok(value) = HeaderValue::from_maybe_shared(self.values.split().freeze()) {
            self.insert(name, value);
        }
    }

    fn body(self, body: impl MessageBody + 'static) -> HttpResponse {
        self.response.set_body(body).map_into_boxed_body()
    }
}

/// What was given before, as if it were given now. A stream comes at once, unless its route sets a pace.
fn recall(recalled: Recalled, mut settlement: Box<Settlement>) -> HttpResponse {
    settlement.answering(200, None);
    if recalled.is_stream {
        let mut draft = Draft::event_stream(settlement.dialect());
        describe(&mut draft, settlement.dialect(), &Passed::default(), &settlement);
        if let Some(pace) = recalled.pace {
            return draft.body(Paced::new(recalled.body, pace, recalled.finish, settlement));
        }
        settlement.recalled(recalled.finish);
        settlement.sending(&recalled.body);
        return draft.body(recalled.body);
    }
    settlement.recalled(recalled.finish);
    send(StatusCode::OK, &Passed::default(), recalled.body, settlement)
}

/// What was asked of the gateway itself is done, and this is what is to be said of it.
pub(crate) fn confirm(body: Bytes, mut settlement: Box<Settlement>) -> HttpResponse {
    settlement.answering(200, None);
    settlement.recalled(None);
    send(StatusCode::OK, &Passed::default(), body, settlement)
}

fn fail(failure: ProviderFailure, passed: &Passed, mut settlement: Box<Settlement>) -> HttpResponse {
    settlement.answering(failure.status, passed.request_id.clone());
    settlement.failed(failure.class, &failure.message);
    let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = send(status, passed, failure.body, settlement);
    // Google tells it in the body, where clients of other dialects do not look.
    if let Some(wait) = failure.retry_after
        && !response.headers().contains_key(RETRY_AFTER)
    {
        let wait = HeaderValue::from(whole_seconds(wait));
        response.headers_mut().insert(RETRY_AFTER, wait);
    }
    response
}

/// What `retry-after` says: at least a second, where there is anything to wait for.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().max(u64::from(wait.subsec_nanos() > 0))
}

fn send(status: StatusCode, passed: &Passed, body: Bytes, mut settlement: Box<Settlement>) -> HttpResponse {
    let mut draft = Draft::json(status);
    describe(&mut draft, settlement.dialect(), passed, &settlement);
    if !status.is_success() {
        draft.say_what_failed(settlement.dialect(), status);
    }
    if let Some(cost) = settlement.cost() {
        draft.say(COST, cost);
    }
    settlement.sending(&body);
    draft.body(body)
}

fn stream(opened: Opened, mut settlement: Box<Settlement>) -> HttpResponse {
    settlement.answering(200, opened.passed.request_id.clone());
    let mut draft = Draft::event_stream(settlement.dialect());
    describe(&mut draft, settlement.dialect(), &opened.passed, &settlement);
    draft.body(Relay::new(opened, settlement))
}

/// An answer of whatever kind, as it comes.
fn pass(passing: Passing, mut settlement: Box<Settlement>) -> HttpResponse {
    settlement.answering(passing.status, passing.passed.request_id.clone());
    let status = StatusCode::from_u16(passing.status).unwrap_or(StatusCode::OK);
    let mut draft = Draft::new(status);
    draft.insert(PROXY_BUFFERING, HeaderValue::from_static("no"));
    describe(&mut draft, settlement.dialect(), &passing.passed, &settlement);
    draft.body(Passage::new(passing, settlement))
}

/// Says no, in the client's dialect.
pub(crate) fn refuse(dialect: Dialect, refusal: &Refusal, mut settlement: Box<Settlement>) -> HttpResponse {
    settlement.refused(refusal);
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut draft = Draft::json(status);
    if let Some(wait) = refusal.retry_after {
        draft.say(RETRY_AFTER, whole_seconds(wait));
    }
    describe(&mut draft, dialect, &Passed::default(), &settlement);
    draft.say_what_failed(dialect, status);
    let body = Bytes::from(render_refusal(dialect, refusal, settlement.id()));
    settlement.sending(&body);
    draft.body(body)
}

/// The headers that every answer has: who served it, in how many attempts, at what expense of time.
fn describe(draft: &mut Draft, dialect: Dialect, passed: &Passed, settlement: &Settlement) {
    for (name, value) in &passed.headers {
        draft.insert(name.clone(), value.clone());
    }
    draft.say(X_REQUEST_ID, settlement.id());
    if dialect == Dialect::Anthropic {
        draft.say(REQUEST_ID, settlement.id());
    }
    if let Some(served) = settlement.served() {
        draft.say(PROVIDER, &served.provider);
        draft.say(MODEL, &served.model);
        draft.say(TARGET, format_args!("{}/{}", served.provider, served.model));
    }
    if let Some(decision) = settlement.decision().filter(|_| settlement.wants_decision()) {
        draft.say(DECISION, crate::explain::summary(decision));
    }
    if let Some(cache) = settlement.cache() {
        draft.say(CACHE, crate::stages::recall::summary(cache));
    }
    draft.say(OVERHEAD, settlement.overhead().as_micros());
    draft.say(ATTEMPTS, settlement.attempts());
    if settlement.is_retry_useless() {
        // The official SDKs obey this.
        draft.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    if !settlement.loss().is_empty() {
        draft.say(LOSS, loss(settlement.loss()));
    }
    if settlement.is_draining() {
        let head = draft.response.head_mut();
        head.set_connection_type(ConnectionType::Close);
    }
}

fn loss(paths: &[Box<str>]) -> String {
    let mut text = String::new();
    for path in paths {
        if text.len() + path.len() > MAX_LOSS_BYTES {
            text.push_str(", ...");
            break;
        }
        if !text.is_empty() {
            text.push_str(", ");
        }
        // Paths hold names of the client's choosing; a header holds visible ASCII.
        text.extend(path.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }));
    }
    text
}

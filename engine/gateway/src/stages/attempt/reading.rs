//! Reading a provider's answer, as long as its clocks allow.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap};
use tokio::time::{Instant, timeout_at};
use tollgate_core::OutcomeClass;
use tollgate_routing::Timeouts;

use super::failed::{Unanswered, gateway};
use crate::upstream::UpstreamBody;

const EVENTS: [&str; 2] = ["text/event-stream", "application/vnd.amazon.eventstream"];

/// The clocks of one attempt.
#[derive(Clone, Copy)]
pub(super) struct Clocks {
    pub(super) first_byte: Instant,
    pub(super) first_token: Instant,
    pub(super) idle: Duration,
    pub(super) total: Instant,
}

impl Clocks {
    /// Those of a request that went out at `sent_at`.
    pub(super) fn starting(sent_at: std::time::Instant, timeouts: &Timeouts) -> Self {
        let sent_at = Instant::from_std(sent_at);
        Self {
            first_byte: sent_at + timeouts.first_byte,
            first_token: sent_at + timeouts.first_token.max(timeouts.first_byte),
            idle: timeouts.idle,
            total: sent_at + timeouts.total,
        }
    }
}

/// Whether what comes is a stream of events, in a framing that is known.
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let text = content_type.unwrap_or_default().trim_start();
    let begins_with = |kind: &str| {
        text.get(..kind.len())
            .is_some_and(|it| it.eq_ignore_ascii_case(kind))
    };
    EVENTS.into_iter().any(begins_with)
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

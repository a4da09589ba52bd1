//! A kept answer as a stream at the pace of a model, for clients that show words as they come.

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};
use tollgate_core::{Clock, FinishReason};

use crate::stages::settle::Settlement;

/// A token, taken for as many bytes of text as those of English have.
const TOKEN_BYTES: usize = 4;
/// Tokens of an event: a word or two.
const TOKENS: u32 = 3;
/// How often it is looked for a shutdown, which nothing wakes this for.
const LONGEST_NAP: Duration = Duration::from_millis(100);

/// How fast, and until when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    /// Between two events.
    pause: Duration,
    /// From then on, at once. `None`: it may take as long as it takes.
    deadline: Option<std::time::Instant>,
}

/// The events of a stream, one after the other.
pub(crate) struct Paced {
    rest: Bytes,
    pace: Pace,
    /// When the next event is due.
    due: std::time::Instant,
    clock: Pin<Box<Sleep>>,
    finish: Option<FinishReason>,
    settlement: Box<Settlement>,
}

impl Pace {
    /// The most bytes of text in an event.
    pub(super) const PIECE_BYTES: usize = TOKENS as usize * TOKEN_BYTES;

    pub(super) fn new(tokens_per_second: NonZeroU32, deadline: Option<std::time::Instant>) -> Self {
        let pause = Duration::from_secs(TOKENS.into()) / tokens_per_second.get();
        Self { pause, deadline }
    }
}

impl Paced {
    /// `stream` at this pace; its first event at once.
    pub(crate) fn new(
        stream: Bytes,
        pace: Pace,
        finish: Option<FinishReason>,
        settlement: Box<Settlement>,
    ) -> Self {
        let due = Clock.now();
        Self {
            rest: stream,
            pace,
            due,
            clock: Box::pin(sleep_until(Instant::from_std(due))),
            finish,
            settlement,
        }
    }

    /// What is to be sent now: the next event, or all that is left where nobody can wait for it any longer.
    fn piece(&mut self, now: std::time::Instant) -> Option<Bytes> {
        let is_late = self.pace.deadline.is_some_and(|end| now >= end);
        if is_late || self.settlement.is_draining() {
            return Some(std::mem::take(&mut self.rest));
        }
        (now >= self.due).then(|| {
            self.due += self.pace.pause;
            event(&mut self.rest)
        })
    }

    /// When to look again.
    fn alarm(&self, now: std::time::Instant) -> Instant {
        let deadline = self.pace.deadline.unwrap_or(self.due);
        Instant::from_std(self.due.min(deadline).min(now + LONGEST_NAP))
    }
}

/// Takes the first event.
fn event(rest: &mut Bytes) -> Bytes {
    let end = rest.windows(2).position(|two| two == b"\n\n");
    rest.split_to(end.map_or(rest.len(), |at| at + 2))
}

impl MessageBody for Paced {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let piece = loop {
            let now = Clock.now();
            if let Some(piece) = self.piece(now) {
                break piece;
            }
            let alarm = self.alarm(now);
            self.clock.as_mut().reset(alarm);
            ready!(self.clock.as_mut().poll(cx));
        };
        self.settlement.sending(&piece);
        if self.rest.is_empty() {
            let finish = self.finish;
            self.settlement.recalled(finish);
        }
        Poll::Ready(Some(Ok(piece)))
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        if !self.rest.is_empty() {
            self.settlement.left();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_one_by_one_and_nothing_is_lost() {
        let whole = Bytes::from_static(b"data: a\n\ndata: b\ndata: c\n\ndata: [DONE]\n\ntail");
        let mut rest = whole.clone();
        let events: Vec<Bytes> =
            std::iter::from_fn(|| (!rest.is_empty()).then(|| event(&mut rest))).collect();
        assert_eq!(events.len(), 4);
        assert_eq!(events.concat(), whole);
        assert_eq!(events[1], "data: b\ndata: c\n\n");
    }

    #[test]
    fn a_pace_is_tokens_in_a_second() {
        let of = |tokens| Pace::new(NonZeroU32::new(tokens).unwrap(), None).pause;
        assert_eq!(of(3), Duration::from_secs(1));
        assert_eq!(of(300), Duration::from_millis(10));
        assert!(of(u32::MAX) < Duration::from_micros(1));
    }
}

//! An answer that passes through: its bytes flow on to the client as they come, and only their end is listened to.
//!
//! As with a stream that is relayed, the body is polled only when the client's connection takes more, and the settlement
//! rides inside. An answer that breaks is broken off towards the client too: nobody takes half a file for a whole one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};
use tollgate_adapters::{StreamEnd, Told};
use tollgate_core::{Clock, OutcomeClass};

use crate::exchange::answered::Passing;
use crate::runtime_clock::next_alarm;
use crate::stages::settle::Settlement;
use crate::upstream::UpstreamBody;

/// An answer on its way to the client.
pub(crate) struct Passage {
    first: Option<Bytes>,
    /// `None`: it is over.
    body: Option<UpstreamBody>,
    len: Option<u64>,
    told: Told,
    idle: Duration,
    deadline: Instant,
    clock: Pin<Box<Sleep>>,
    settlement: Box<Settlement>,
}

impl Passage {
    /// Goes on with what an attempt has opened.
    pub(crate) fn new(passing: Passing, settlement: Box<Settlement>) -> Self {
        let Passing {
            first,
            body,
            len,
            told,
            idle,
            deadline,
            ..
        } = passing;
        Self {
            first: Some(first).filter(|first| !first.is_empty()),
            body: Some(body),
            len,
            told,
            idle,
            deadline,
            clock: Box::pin(sleep_until(next_alarm(idle, deadline))),
            settlement,
        }
    }

    fn passes(&mut self, piece: Bytes) -> Bytes {
        self.told.push(&piece);
        self.settlement.sending(&piece);
        piece
    }

    fn end(&mut self, end: StreamEnd) {
        self.body = None;
        let report = self.told.report(end == StreamEnd::Eof);
        self.settlement.streamed(&report, Some(end));
    }
}

impl MessageBody for Passage {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        self.len.map_or(BodySize::Stream, BodySize::Sized)
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(self.passes(first))));
        }
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let (why, class) = match body.poll_chunk(cx) {
            Poll::Ready(Some(Ok(piece))) => {
                let alarm = next_alarm(self.idle, self.deadline);
                self.clock.as_mut().reset(alarm);
                return Poll::Ready(Some(Ok(self.passes(piece))));
            }
            Poll::Ready(None) => {
                self.end(StreamEnd::Eof);
                return Poll::Ready(None);
            }
            Poll::Ready(Some(Err(_))) => (io::ErrorKind::ConnectionReset, OutcomeClass::Reset),
            Poll::Pending if self.clock.as_mut().poll(cx).is_ready() => {
                let overdue = Instant::from_std(Clock.now()) >= self.deadline;
                let class = if overdue {
                    OutcomeClass::TotalTimeout
                } else {
                    OutcomeClass::IdleTimeout
                };
                (io::ErrorKind::TimedOut, class)
            }
            Poll::Pending => return Poll::Pending,
        };
        self.end(StreamEnd::Broken(class));
        Poll::Ready(Some(Err(why.into())))
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        if self.body.take().is_some() {
            // Still open: the client hung up. What was told so far is what it is billed for.
            let report = self.told.report(false);
            self.settlement.streamed(&report, None);
        }
    }
}

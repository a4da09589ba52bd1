//! Stage "relay": a provider's stream flows on to the client as it comes.
//!
//! Nothing is buffered that need not be: the body is polled only when the client's connection takes more, so a
//! slow client is back-pressure at the provider, not memory here. The settlement rides inside, and is settled
//! when the stream ends or when the client hangs up and the body is dropped.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};
use tollgate_adapters::{StreamEnd, StreamReader};
use tollgate_core::{Clock, OutcomeClass};

use crate::attempt::Opened;
use crate::scrub::without_secrets;
use crate::settle::Settlement;
use crate::upstream::UpstreamBody;

/// A stream on its way to the client.
pub(crate) struct Relay {
    /// `None` once it has ended.
    upstream: Option<UpstreamBody>,
    reader: StreamReader,
    ready: VecDeque<Bytes>,
    /// What a push writes into; kept for its capacity.
    scratch: Vec<Bytes>,
    idle: std::time::Duration,
    deadline: Instant,
    clock: Pin<Box<Sleep>>,
    settlement: Settlement,
}

impl Relay {
    /// Goes on with what an attempt has opened.
    pub(crate) fn new(opened: Opened, settlement: Settlement) -> Self {
        let Opened {
            body,
            reader,
            first,
            idle,
            deadline,
            passed: _,
        } = opened;
        let clock = Box::pin(sleep_until(next_alarm(idle, deadline)));
        let mut relay = Self {
            upstream: Some(body),
            reader,
            ready: VecDeque::new(),
            scratch: first,
            idle,
            deadline,
            clock,
            settlement,
        };
        relay.hand_on();
        relay
    }

    fn poll_upstream(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(upstream) = &mut self.upstream else {
            return Poll::Ready(());
        };
        match upstream.poll_chunk(cx) {
            Poll::Ready(Some(Ok(chunk))) => {
                self.clock.as_mut().reset(next_alarm(self.idle, self.deadline));
                self.reader.push(chunk, &mut self.scratch);
                self.hand_on();
            }
            Poll::Ready(None) => self.end(StreamEnd::Eof),
            Poll::Ready(Some(Err(_))) => self.end(StreamEnd::Broken(OutcomeClass::Reset)),
            Poll::Pending if self.clock.as_mut().poll(cx).is_ready() => {
                let overdue = Instant::from_std(Clock.now()) >= self.deadline;
                let late = if overdue {
                    OutcomeClass::TotalTimeout
                } else {
                    OutcomeClass::IdleTimeout
                };
                self.end(StreamEnd::Broken(late));
            }
            Poll::Pending => return Poll::Pending,
        }
        Poll::Ready(())
    }

    /// Makes ready what a push has made. An error inside the stream goes on without what it repeats of our request.
    fn hand_on(&mut self) {
        self.settlement.streaming(self.reader.report());
        if let Some(provider) = self.settlement.provider()
            && self.reader.report().error.is_some()
        {
            for piece in &mut self.scratch {
                *piece = without_secrets(provider, std::mem::take(piece));
            }
        }
        self.ready.extend(self.scratch.drain(..));
    }

    /// Closes the provider's side, ends the stream as the client's dialect does, and tells the cost.
    fn end(&mut self, end: StreamEnd) {
        self.upstream = None;
        self.reader.finish(end, &mut self.scratch);
        self.ready.extend(self.scratch.drain(..));
        self.settlement.streamed(self.reader.report(), Some(end));
        self.ready.push_back(self.summary());
    }

    /// A comment line, which every reader of events skips: the cost of a stream is known only at its end.
    fn summary(&self) -> Bytes {
        let mut line = String::from(": tollgate");
        if let Some(cost) = self.settlement.cost() {
            let _ = write!(line, " cost-usd={cost}");
        }
        let usage = self.settlement.usage();
        let (input, output, source) = (usage.prompt_total(), usage.output_total(), usage.source.name());
        let _ = write!(
            line,
            " input-tokens={input} output-tokens={output} usage={source}"
        );
        let _ = write!(line, " request-id={}\n\n", self.settlement.id());
        line.into()
    }
}

fn next_alarm(idle: std::time::Duration, deadline: Instant) -> Instant {
    deadline.min(Instant::from_std(Clock.now()) + idle)
}

impl MessageBody for Relay {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                self.settlement.sending_bytes(piece.len());
                return Poll::Ready(Some(Ok(piece)));
            }
            if self.upstream.is_none() {
                return Poll::Ready(None);
            }
            if self.poll_upstream(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Still open: the client hung up. What was seen so far is what it is billed for.
        if self.upstream.is_some() {
            self.settlement.streamed(self.reader.report(), None);
        }
    }
}

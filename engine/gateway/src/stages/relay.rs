//! Stage "relay": a provider's stream flows on to the client as it comes.
//!
//! Nothing is buffered that need not be: the body is polled only when the client's connection takes more, so a
//! slow client is back-pressure at the provider, not memory here. The settlement rides inside, and is settled
//! when the stream ends or when the client hangs up and the body is dropped.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use tokio::time::{Instant, Sleep, sleep_until};
use tollgate_adapters::{StreamEnd, StreamReader, render_seam, takes_comments};
use tollgate_core::{Clock, OutcomeClass};

use crate::exchange::answered::{Heirs, Opened, Succeeded};
use crate::runtime_clock::next_alarm;
use crate::scrub::without_secrets;
use crate::stages::settle::Settlement;
use crate::upstream::UpstreamBody;

/// A stream on its way to the client.
pub(crate) struct Relay {
    flow: Flow,
    ready: VecDeque<Bytes>,
    /// What a push writes into; kept for its capacity.
    scratch: Vec<Bytes>,
    idle: std::time::Duration,
    deadline: Instant,
    clock: Pin<Box<Sleep>>,
    /// Who may go on with it if it breaks.
    heirs: Option<Box<dyn Heirs>>,
    settlement: Box<Settlement>,
}

/// Where a stream stands.
enum Flow {
    /// A provider sends.
    Open(UpstreamBody, Box<StreamReader>),
    /// It has broken like this, and somebody is sought to go on.
    Seeking(LocalBoxFuture<'static, Succeeded>, StreamEnd),
    /// It is over.
    Ended,
}

impl Relay {
    /// Goes on with what an attempt has opened.
    pub(crate) fn new(opened: Opened, settlement: Box<Settlement>) -> Self {
        let Opened {
            body,
            reader,
            first,
            idle,
            deadline,
            passed: _,
            heirs,
        } = opened;
        let clock = Box::pin(sleep_until(next_alarm(idle, deadline)));
        let mut relay = Self {
            flow: Flow::Open(body, Box::new(reader)),
            ready: VecDeque::new(),
            scratch: first,
            idle,
            deadline,
            clock,
            heirs,
            settlement,
        };
        relay.hand_on();
        relay
    }

    fn poll_flow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.flow {
            Flow::Ended => Poll::Ready(()),
            Flow::Open(body, _) => {
                let polled = body.poll_chunk(cx);
                self.polled(polled, cx)
            }
            Flow::Seeking(seeking, _) => {
                let succeeded = ready!(seeking.as_mut().poll(cx));
                self.found(succeeded);
                Poll::Ready(())
            }
        }
    }

    fn polled(
        &mut self,
        polled: Poll<Option<Result<Bytes, hyper::Error>>>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        match polled {
            Poll::Ready(Some(Ok(chunk))) => self.push(chunk),
            Poll::Ready(None) => self.broke(StreamEnd::Eof),
            Poll::Ready(Some(Err(_))) => self.broke(StreamEnd::Broken(OutcomeClass::Reset)),
            Poll::Pending if self.clock.as_mut().poll(cx).is_ready() => {
                let overdue = Instant::from_std(Clock.now()) >= self.deadline;
                let late = if overdue {
                    OutcomeClass::TotalTimeout
                } else {
                    OutcomeClass::IdleTimeout
                };
                self.broke(StreamEnd::Broken(late));
            }
            Poll::Pending => return Poll::Pending,
        }
        Poll::Ready(())
    }

    fn push(&mut self, chunk: Bytes) {
        let Flow::Open(_, reader) = &mut self.flow else {
            return;
        };
        self.clock.as_mut().reset(next_alarm(self.idle, self.deadline));
        reader.push(chunk, &mut self.scratch);
        let has_failed = reader.report().error.is_some();
        let is_over = reader.is_over() || self.heirs.is_some();
        self.hand_on();
        if has_failed && is_over {
            // What the provider still sends is for nobody.
            self.broke(StreamEnd::Eof);
        }
    }

    /// Makes ready what a push has made.
    fn hand_on(&mut self) {
        let Flow::Open(_, reader) = &self.flow else { return };
        self.settlement.streaming(reader.report());
        let has_failed = reader.report().error.is_some();
        self.pass_on(has_failed);
    }

    /// An error inside the stream goes on without what it repeats of our request.
    fn pass_on(&mut self, has_failed: bool) {
        if let Some(provider) = self.settlement.provider().filter(|_| has_failed) {
            for piece in &mut self.scratch {
                *piece = without_secrets(provider, std::mem::take(piece));
            }
        }
        self.ready.extend(self.scratch.drain(..));
    }

    /// The provider's side is closed. If the answer was not complete, somebody else goes on with it, where the route
    /// says so and it can be gone on with.
    fn broke(&mut self, end: StreamEnd) {
        let Flow::Open(body, reader) = std::mem::replace(&mut self.flow, Flow::Ended) else {
            return;
        };
        drop(body);
        let class = reader.report().class(end);
        let can_go_on = reader
            .partial()
            .is_some_and(|partial| partial.obstacle().is_none());
        let heirs = self.heirs.take();
        let heirs = heirs.filter(|_| class != OutcomeClass::Success && can_go_on);
        let heirs = heirs.and_then(|heirs| Some((heirs, self.settlement.broke_off(reader.report(), class)?)));
        match heirs {
            Some((heirs, (by, spent))) => self.flow = Flow::Seeking(heirs.go_on(*reader, by, spent), end),
            None => self.end(*reader, end),
        }
    }

    /// Somebody goes on with the stream, or nobody does.
    fn found(&mut self, succeeded: Succeeded) {
        let flow = std::mem::replace(&mut self.flow, Flow::Ended);
        let Some((leg, opened)) = succeeded.heir else {
            if let Flow::Seeking(_, end) = flow {
                self.end(succeeded.broken, end);
            }
            return;
        };
        let opened = *opened;
        let (provider, model) = (&leg.candidate.target.provider.name, &leg.candidate.model);
        self.ready.push_back(render_seam(provider, model));
        self.settlement.goes_on(leg, opened.passed.into_request_id());
        self.flow = Flow::Open(opened.body, Box::new(opened.reader));
        self.scratch = opened.first;
        (self.idle, self.deadline) = (opened.idle, opened.deadline);
        self.clock.as_mut().reset(next_alarm(self.idle, self.deadline));
        self.heirs = Some(succeeded.heirs);
        self.hand_on();
    }

    /// Ends the stream as the client's dialect does, and tells the cost.
    fn end(&mut self, mut reader: StreamReader, end: StreamEnd) {
        reader.finish(end, &mut self.scratch);
        self.pass_on(reader.report().error.is_some());
        self.settlement.streamed(reader.report(), Some(end));
        if takes_comments(self.settlement.dialect()) {
            self.ready.push_back(self.summary());
        }
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

impl MessageBody for Relay {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                self.settlement.sending(&piece);
                return Poll::Ready(Some(Ok(piece)));
            }
            if matches!(self.flow, Flow::Ended) {
                return Poll::Ready(None);
            }
            if self.poll_flow(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.flow, Flow::Ended) {
            // Still open: the client hung up. What was seen so far is what it is billed for.
            Flow::Open(_, reader) => self.settlement.streamed(reader.report(), None),
            // Whoever is being asked books itself as no longer wanted.
            Flow::Seeking(seeking, _) => {
                drop(seeking);
                self.settlement.left();
            }
            Flow::Ended => {}
        }
    }
}

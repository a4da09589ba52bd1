//! A response body that plays a script: frame by frame, paced, and broken where the fault says so. It owns the
//! exchange, so dropping it early is how the journal learns that the client is gone.

use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::rt::time::{Sleep, sleep};
use bytes::Bytes;

use super::behaviour::{FaultKind, Pacing, millis};
use super::dialects::Voice;
use super::exchange::Exchange;
use super::journal::Ending;
use super::script::Script;
use super::server::Line;

/// The body of every response of a simulated provider.
pub(crate) struct Play {
    exchange: Exchange,
    script: Script,
    /// The whole length, where it is told in the head.
    length: Option<u64>,
    pace: Pace,
    fault: Option<ArmedFault>,
    /// What is left of a frame that is written in pieces.
    rest: Bytes,
    timer: Option<Pin<Box<Sleep>>>,
    /// Frames started so far.
    frames: u64,
    tokens_begun: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Playing,
    /// What was sent so far is being flushed; the connection breaks at the next turn.
    Breaking,
    Hanging,
    /// Nobody is there any more.
    Abandoned,
    /// The error event is sent; nothing follows.
    Closing,
}

/// Pauses of a body; zero is none.
#[derive(Debug, Clone, Copy)]
struct Pace {
    first_frame: Duration,
    between_tokens: Duration,
    between_writes: Duration,
    write_bytes: Option<usize>,
}

/// A fault that waits for its frame.
pub(crate) struct ArmedFault {
    pub(crate) kind: FaultKind,
    pub(crate) after_frames: u64,
    /// The connection, to reset it.
    pub(crate) line: Option<Line>,
    /// The connection carries other streams, which a cut or reset takes down with it: HTTP/2.
    pub(crate) shared_line: bool,
    /// In whose words an error event is told.
    pub(crate) voice: Voice,
}

/// The body ends here on purpose.
#[derive(Debug)]
pub(crate) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the simulated provider breaks the connection")
    }
}

impl std::error::Error for Broken {}

impl Play {
    /// A stream: no length in its head. What has too few frames for its fault breaks before the last of them.
    pub(crate) fn stream(
        exchange: Exchange,
        script: Script,
        pacing: &Pacing,
        fault: Option<ArmedFault>,
    ) -> Self {
        let fault = fault.map(|fault| ArmedFault {
            after_frames: fault.after_frames.min(script.frames().saturating_sub(1)),
            ..fault
        });
        Self {
            exchange,
            script,
            length: None,
            pace: Pace::new(pacing),
            fault,
            rest: Bytes::new(),
            timer: None,
            frames: 0,
            tokens_begun: false,
            state: State::Playing,
        }
    }

    /// A body of known length.
    pub(crate) fn sized(
        mut exchange: Exchange,
        body: Bytes,
        pacing: &Pacing,
        fault: Option<ArmedFault>,
    ) -> Self {
        const PIECE: usize = 64;
        let length = u64::try_from(body.len()).ok();
        if body.is_empty() && fault.is_none() {
            // An empty body is never polled.
            exchange.ends(Ending::Done);
        }
        let script = match &fault {
            None => Script::whole(body),
            Some(_) => Script::in_pieces(body, PIECE),
        };
        Self {
            length,
            ..Self::stream(exchange, script, pacing, fault)
        }
    }

    /// A body that breaks the connection before the head is written: HTTP/1.1 writes both together.
    pub(crate) fn broken_before_head(exchange: Exchange, fault: ArmedFault) -> Self {
        Self {
            state: State::Breaking,
            ..Self::stream(exchange, Script::default(), &Pacing::default(), Some(fault))
        }
    }

    /// The end of an exchange whose peer is gone.
    pub(crate) fn abandoned(exchange: Exchange, fault: ArmedFault) -> Self {
        Self {
            state: State::Abandoned,
            ..Self::stream(exchange, Script::default(), &Pacing::default(), Some(fault))
        }
    }

    /// Breaks the connection: the error makes the server drop it, and linger 0 makes that drop a reset.
    fn break_off(&mut self) -> Broken {
        self.exchange.ends(Ending::Faulted);
        if let Some(ArmedFault {
            kind,
            line: Some(line),
            shared_line,
            ..
        }) = &self.fault
        {
            if *kind == FaultKind::Reset {
                line.reset_on_close();
            }
            if *shared_line {
                line.take_down();
            }
        }
        Broken
    }

    /// The fault strikes, before the frame that would come next.
    fn strike(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let kind = self.fault.as_ref().map(|fault| fault.kind);
        match kind {
            Some(FaultKind::ErrorEvent) => {
                self.state = State::Closing;
                let voice = self.fault.take().map(|fault| fault.voice);
                let frame = voice.map_or_else(Bytes::new, |voice| voice.overload_frame(self.frames));
                self.exchange.sent_chunk();
                Poll::Ready(Some(Ok(frame)))
            }
            Some(FaultKind::Hang) => {
                self.state = State::Hanging;
                if self.fault.as_ref().is_some_and(|fault| fault.shared_line) {
                    // The server looks for a cancelled HTTP/2 stream only while it waits to send; with nothing to
                    // send, it waits for just that.
                    return Poll::Ready(Some(Ok(Bytes::new())));
                }
                Poll::Pending
            }
            Some(FaultKind::Cut | FaultKind::Reset) | None => {
                self.state = State::Breaking;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    /// The next frame, after its pause.
    fn next_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if self
            .fault
            .as_ref()
            .is_some_and(|fault| self.frames >= fault.after_frames)
        {
            return self.strike(cx);
        }
        let Some(frame) = self.script.next() else {
            if self.fault.is_some() {
                return self.strike(cx);
            }
            self.exchange.ends(Ending::Done);
            return Poll::Ready(None);
        };
        let pause = if self.frames == 0 {
            self.pace.first_frame
        } else if frame.carries_tokens && self.tokens_begun {
            self.pace.between_tokens
        } else {
            Duration::ZERO
        };
        self.frames += 1;
        self.tokens_begun |= frame.carries_tokens;
        self.rest = frame.bytes;
        self.pause(pause);
        self.next_piece(cx)
    }

    /// What can be written now of the frame at hand.
    fn next_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if let Some(timer) = &mut self.timer {
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.timer = None;
        }
        let piece = match self.pace.write_bytes {
            Some(size) if size < self.rest.len() => {
                let piece = self.rest.split_to(size);
                self.pause(self.pace.between_writes);
                piece
            }
            _ => std::mem::take(&mut self.rest),
        };
        if self.rest.is_empty() {
            self.exchange.sent_chunk();
        }
        Poll::Ready(Some(Ok(piece)))
    }

    fn pause(&mut self, pause: Duration) {
        if !pause.is_zero() {
            self.timer = Some(Box::pin(sleep(pause)));
        }
    }
}

impl Pace {
    fn new(pacing: &Pacing) -> Self {
        Self {
            first_frame: millis(pacing.first_token_ms),
            between_tokens: millis(pacing.inter_token_ms),
            between_writes: millis(pacing.write_pause_ms),
            write_bytes: pacing.write_bytes.and_then(|bytes| usize::try_from(bytes).ok()),
        }
    }
}

impl MessageBody for Play {
    type Error = Broken;

    fn size(&self) -> BodySize {
        self.length.map_or(BodySize::Stream, BodySize::Sized)
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        match self.state {
            State::Hanging => Poll::Pending,
            State::Abandoned => Poll::Ready(Some(Err(Broken))),
            State::Breaking => Poll::Ready(Some(Err(self.break_off()))),
            State::Closing => {
                self.exchange.ends(Ending::Done);
                Poll::Ready(None)
            }
            State::Playing if self.rest.is_empty() && self.timer.is_none() => self.next_frame(cx),
            State::Playing => self.next_piece(cx),
        }
    }
}

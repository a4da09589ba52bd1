//! Answers that pass on in the dialect they came in: the provider's bytes, watched.
//!
//! A stream is cut into frames ([`crate::sse`]); whole frames go on as slices of the chunk they came in, and an
//! observer reads what the gateway must know. A frame is dropped or rewritten only for a reason that is named in
//! the observer. Half a frame is held until the rest is there, so that an error can be written behind a stream
//! that breaks: a client never sees half an event.

mod anthropic;
mod openai;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use tollgate_core::{Dialect, OutcomeClass, Refusal, RefusalKind, RequestId};

use crate::classify::{Words, classify_in_stream};
use crate::framing::{Cut, Framing};
use crate::json::Fields;
use crate::render::render_stream_error;
use crate::report::{Report, StreamEnd, StreamFault};
use crate::resume::Trace;
use crate::sse::Event;

pub(crate) use anthropic::{AnthropicObserver, read_answer as read_anthropic};
pub(crate) use openai::{OpenAiObserver, Watching, read_answer as read_openai};

/// What becomes of a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on as it came.
    Forward,
    /// It is not for the client.
    Drop,
    /// It goes on with other data.
    Rewrite(Vec<u8>),
    /// It goes on as it came, behind an event with this data.
    Precede(Vec<u8>),
}

/// Reads a stream of one dialect.
pub(crate) trait Observer: std::fmt::Debug {
    /// Which one.
    const DIALECT: Dialect;

    /// Remembers what was sent.
    type Trace: Trace + Default;

    /// Takes an event in.
    fn observe(&mut self, event: &Event<'_>) -> Verdict;

    /// What is known so far.
    fn report(&self) -> &Report;

    /// The same, to be completed.
    fn report_mut(&mut self) -> &mut Report;

    /// Whether `data` is an event that arrived whole.
    fn is_whole(&self, data: &[u8]) -> bool {
        Fields::parse(data).is_ok()
    }

    /// What closes a stream that was finished, but not closed by its provider. Nothing, where the last event tells
    /// the end.
    fn closing(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

/// A stream in the dialect of its client.
#[derive(Debug)]
pub(crate) struct PassingStream<O: Observer> {
    framer: Framing,
    observer: O,
    request_id: RequestId,
    /// Nothing more is forwarded: the stream could not be followed.
    is_dead: bool,
    /// Another provider may go on with the answer.
    trace: Option<Box<O::Trace>>,
    /// An error and what follows it, to be told only if nobody goes on.
    withheld: Vec<Bytes>,
}

/// A stream in the dialect of its client, whichever that is.
pub(crate) trait Passing: std::fmt::Debug {
    /// Remembers from now on what the client has, and withholds an error until the end.
    fn collect(&mut self);

    /// What the client has; `None`: it is not remembered.
    fn trace(&self) -> Option<&dyn Trace>;

    /// Whether nothing that may come is for the client.
    fn is_over(&self) -> bool;

    /// Takes the next chunk of the provider's body, and puts what the client is to receive into `out`.
    fn push(&mut self, chunk: &Bytes, out: &mut Vec<Bytes>);

    /// The provider's body has ended.
    fn finish(&mut self, end: StreamEnd, out: &mut Vec<Bytes>);

    /// What the stream has told so far.
    fn report(&self) -> &Report;
}

impl<O: Observer> PassingStream<O> {
    pub(crate) fn new(observer: O, request_id: RequestId) -> Self {
        Self {
            framer: Framing::of(O::DIALECT),
            observer,
            request_id,
            is_dead: false,
            trace: None,
            withheld: Vec::new(),
        }
    }

    /// A stream that cannot be followed is not passed on unwatched: it ends here, with an error.
    fn die(&mut self, fault: Cut, out: &mut Vec<Bytes>) {
        self.is_dead = true;
        let refusal = Refusal::new(RefusalKind::UpstreamFailed, fault.to_string());
        let told = render_stream_error(O::DIALECT, &refusal, self.request_id).into();
        if self.trace.is_some() {
            self.withheld.push(told);
        } else {
            out.push(told);
        }
        self.observer.report_mut().error = Some(StreamFault {
            class: OutcomeClass::Malformed,
            message: fault.to_string().into(),
        });
    }
}

impl<O: Observer> Passing for PassingStream<O> {
    fn collect(&mut self) {
        self.trace = Some(Box::default());
    }

    fn trace(&self) -> Option<&dyn Trace> {
        self.trace.as_deref().map(|trace| trace as &dyn Trace)
    }

    fn is_over(&self) -> bool {
        self.is_dead || (self.trace.is_some() && self.report().error.is_some())
    }

    fn push(&mut self, chunk: &Bytes, out: &mut Vec<Bytes>) {
        if self.is_dead {
            return;
        }
        // Of the chunk: what went out already, and where the last frame ended.
        let (mut sent, mut end) = (0, 0);
        let (framer, observer) = (&mut self.framer, &mut self.observer);
        let (trace, withheld) = (&mut self.trace, &mut self.withheld);
        let cut = framer.push(chunk, |frame| {
            let start = end;
            end = frame.end;
            let verdict = match &frame.event {
                Some(event) => observer.observe(event),
                None => Verdict::Forward,
            };
            if let Some(trace) = trace {
                if observer.report().error.is_some() {
                    send(chunk, sent, start, out);
                    sent = end;
                    return pass(verdict, frame.raw, withheld);
                }
                frame.event.iter().for_each(|event| trace.take(event));
            }
            if verdict == Verdict::Forward && !frame.began_earlier {
                return;
            }
            send(chunk, sent, start, out);
            sent = end;
            pass(verdict, frame.raw, out);
        });
        send(chunk, sent, end, out);
        if let Err(fault) = cut {
            self.die(fault, out);
        }
    }

    fn finish(&mut self, end: StreamEnd, out: &mut Vec<Bytes>) {
        out.append(&mut self.withheld);
        if self.is_dead {
            return;
        }
        self.is_dead = true;
        let observer = &mut self.observer;
        // Whether the last event that was sent lacks the blank line behind it.
        let mut is_open = false;
        self.framer.finish(|frame| {
            let Some(event) = &frame.event else {
                // Behind the closing event anything may go on; before it, this is the beginning of an event.
                if observer.report().complete {
                    out.push(Bytes::copy_from_slice(frame.raw));
                }
                return;
            };
            if end != StreamEnd::Eof || !observer.is_whole(event.data) {
                return;
            }
            let verdict = observer.observe(event);
            is_open = matches!(verdict, Verdict::Forward | Verdict::Precede(_));
            pass(verdict, frame.raw, out);
        });
        let report = self.observer.report_mut();
        if report.complete {
            return;
        }
        let is_finished = end == StreamEnd::Eof && (report.finish.is_some() && report.error.is_none());
        let has_said_why = report.error.is_some();
        report.complete = is_finished;
        let closing = if is_finished || has_said_why {
            if has_said_why && O::DIALECT == Dialect::Anthropic {
                Vec::new()
            } else {
                self.observer.closing()
            }
        } else {
            render_stream_error(O::DIALECT, &broken(end), self.request_id)
        };
        if is_open && !closing.is_empty() {
            out.push(Bytes::from_static(b"\n\n"));
        }
        if !closing.is_empty() {
            out.push(closing.into());
        }
    }

    fn report(&self) -> &Report {
        self.observer.report()
    }
}

/// Does with a frame that did not come whole in one chunk, or is not to go on as it came, what was decided.
fn pass(verdict: Verdict, raw: &[u8], out: &mut Vec<Bytes>) {
    match verdict {
        Verdict::Forward => out.push(Bytes::copy_from_slice(raw)),
        Verdict::Drop => {}
        Verdict::Rewrite(data) => out.push(as_event(&data).into()),
        Verdict::Precede(data) => out.push([&as_event(&data), raw].concat().into()),
    }
}

fn as_event(data: &[u8]) -> Vec<u8> {
    [b"data: ", data, b"\n\n"].concat()
}

fn send(chunk: &Bytes, from: usize, to: usize, out: &mut Vec<Bytes>) {
    if from < to && to <= chunk.len() {
        out.push(chunk.slice(from..to));
    }
}

/// The refusal behind a stream that broke off.
pub(crate) fn broken(end: StreamEnd) -> Refusal {
    let (kind, message) = match end {
        StreamEnd::Eof => (
            RefusalKind::UpstreamFailed,
            "the provider's stream ended before its answer was complete",
        ),
        StreamEnd::Broken(
            OutcomeClass::IdleTimeout | OutcomeClass::TotalTimeout | OutcomeClass::FirstByteTimeout,
        ) => (
            RefusalKind::UpstreamTimeout,
            "the provider was too slow: its stream was cut before its answer was complete",
        ),
        StreamEnd::Broken(_) => (
            RefusalKind::UpstreamFailed,
            "the connection to the provider broke before its answer was complete",
        ),
    };
    Refusal::new(kind, message)
}

/// The fault that an error event tells of.
pub(crate) fn fault_of(data: &[u8]) -> StreamFault {
    let words = Words::read(data);
    StreamFault {
        class: classify_in_stream(&words),
        message: words.shown(200).into(),
    }
}

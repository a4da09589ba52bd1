//! A client in memory: its requests are there to be read, one after the other, each when the one before is answered.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tollgate_core::Clock;

/// The times from the moment a request was read to the one at which its answer was written, in nanoseconds.
pub type Latencies = Rc<RefCell<Vec<u64>>>;

/// How the end of an answer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// Head and body are written at once.
    AtOnce,
    /// The last chunk of a chunked body is empty.
    WithLastChunk,
}

/// One connection of a client that sends the same request again and again.
pub struct Client {
    request: Bytes,
    ends: Ends,
    /// Requests that are yet to be sent.
    left: u64,
    /// How much of the request at hand has been read; `None`: it was, and its answer is waited for.
    read: Option<usize>,
    /// Whether something of the answer at hand was written.
    is_answering: bool,
    reader: Option<Waker>,
    /// When the request at hand was begun; `None`: nobody wants to know.
    sent_at: Option<Instant>,
    latencies: Option<Latencies>,
    /// How many were answered whole.
    answers: Rc<Cell<u64>>,
}

impl Client {
    /// Sends `request`, head and body, so many times, and hangs up.
    pub fn new(request: Bytes, ends: Ends, times: u64) -> Self {
        Self {
            request,
            ends,
            left: times,
            read: Some(0),
            is_answering: false,
            reader: None,
            sent_at: None,
            latencies: None,
            answers: Rc::default(),
        }
    }

    /// How many requests have been answered whole, also when this is gone.
    pub fn answers(&self) -> Rc<Cell<u64>> {
        self.answers.clone()
    }

    /// Writes down how long each answer takes.
    #[must_use]
    pub fn timed(self, latencies: Latencies) -> Self {
        Self {
            latencies: Some(latencies),
            ..self
        }
    }

    fn answered(&mut self) {
        if let (Some(latencies), Some(sent_at)) = (&self.latencies, self.sent_at) {
            let took = Clock.now().duration_since(sent_at).as_nanos();
            latencies
                .borrow_mut()
                .push(u64::try_from(took).unwrap_or(u64::MAX));
        }
        self.is_answering = false;
        self.answers.set(self.answers.get() + 1);
        self.left -= 1;
        self.read = Some(0);
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(read) = self.read else {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        if self.left == 0 {
            return Poll::Ready(Ok(()));
        }
        if read == 0 && self.latencies.is_some() {
            self.sent_at = Some(Clock.now());
        }
        let end = self.request.len().min(read + out.remaining());
        out.put_slice(self.request.get(read..end).unwrap_or_default());
        self.read = (end < self.request.len()).then_some(end);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client {
    /// Errors: the answer is not a 200. A bench of refusals would be another one.
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.is_answering && !bytes.starts_with(b"HTTP/1.1 200 ") {
            let text = String::from_utf8_lossy(bytes).into_owned();
            return Poll::Ready(Err(io::Error::other(format!("not a 200: {text}"))));
        }
        self.is_answering = true;
        let is_over = match self.ends {
            Ends::AtOnce => true,
            Ends::WithLastChunk => bytes.ends_with(b"0\r\n\r\n"),
        };
        if is_over {
            self.answered();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

//! A provider in memory: as soon as a request has been written, the same answer as ever is there to be read.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::rt::{Read, ReadBufCursor, Write};

/// One connection to a provider that answers always the same.
pub struct Provider {
    /// The answer, in the pieces in which it comes: one for each read.
    pieces: Rc<[Bytes]>,
    /// The piece to be read next; past the end: the next request is waited for.
    next: usize,
    /// How much of it was read.
    read: usize,
    /// Whether something was written since the last answer.
    is_asked: bool,
    reader: Option<Waker>,
}

impl Provider {
    /// A connection over which `pieces`, head and body together, answer each request.
    pub fn new(pieces: Rc<[Bytes]>) -> Self {
        Self {
            next: pieces.len(),
            pieces,
            read: 0,
            is_asked: false,
            reader: None,
        }
    }
}

impl Read for Provider {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut out: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(piece) = self.pieces.get(self.next).cloned() else {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let end = piece.len().min(self.read + out.remaining());
        out.put_slice(piece.get(self.read..end).unwrap_or_default());
        self.read = end;
        if end == piece.len() {
            self.next += 1;
            self.read = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for Provider {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.is_asked = true;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.is_asked = true;
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// A request is flushed when it is whole: its body was there before its head was written.
    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.is_asked) {
            self.next = 0;
            if let Some(reader) = self.reader.take() {
                reader.wake();
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

//! The thread that empties the ring: parked until the first record, then one batch every few milliseconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use crossbeam::channel::{Receiver, bounded};
use thiserror::Error;

use super::{JournalPort, Line, Posted, Sink};
use crate::{JournalMeters, RequestRecord};

/// Lines are handed to the sink in pieces of about this size, so that a long backlog needs no large buffer.
const BATCH_BYTES: usize = 256 * 1024;

/// Records formatted before the size of the batch is looked at again.
const BATCH_RECORDS: usize = 256;

/// How a journal is set up.
#[derive(Debug, Clone, Copy)]
pub struct JournalOptions {
    /// The name of the thread, as the system's tools show it: up to 15 bytes, without NUL.
    pub name: &'static str,
    /// Records that may wait for the thread; more are dropped.
    pub capacity: usize,
    /// How long a batch gathers after its first record.
    pub gather: Duration,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            name: "journal",
            capacity: 16_384,
            gather: Duration::from_millis(5),
        }
    }
}

/// The posting side: one for each worker, cheap to clone.
#[derive(Debug)]
pub struct Journal<R = RequestRecord> {
    shared: Arc<Shared<R>>,
    thread: Thread,
}

/// The owning side: ends the thread. Dropped without [`JournalHandle::close`], it asks the thread to finish
/// and does not wait.
#[derive(Debug)]
pub struct JournalHandle<R = RequestRecord> {
    journal: Journal<R>,
    finished: Receiver<()>,
    /// `None`: already closed.
    thread: Option<JoinHandle<()>>,
}

/// Why a journal could not be closed in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CloseError {
    /// The sink took too long.
    #[error("the log was not written out in time; {waiting} records are lost")]
    TimedOut {
        /// Records still in the ring.
        waiting: usize,
    },
    /// The thread died.
    #[error("the log thread panicked")]
    Panicked,
}

#[derive(Debug)]
struct Shared<R> {
    port: JournalPort<R>,
    meters: JournalMeters,
    /// Set once, by the handle; release publishes every post that came before it.
    closing: AtomicBool,
    /// Set by anyone, cleared by the thread.
    reopen: AtomicBool,
}

impl<R: Line> Journal<R> {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn spawn(
        options: JournalOptions,
        sink: Sink,
        meters: JournalMeters,
    ) -> std::io::Result<JournalHandle<R>> {
        let shared = Arc::new(Shared {
            port: JournalPort::new(options.capacity),
            meters,
            closing: AtomicBool::new(false),
            reopen: AtomicBool::new(false),
        });
        let (finish, finished) = bounded(1);
        let writer = Writer {
            shared: shared.clone(),
            sink,
            gather: options.gather,
            lines: Vec::new(),
        };
        let thread = thread::Builder::new().name(options.name.into()).spawn(move || {
            writer.run();
            // The handle may be gone: then nobody waits.
            let _ = finish.send(());
        })?;
        Ok(JournalHandle {
            journal: Journal {
                shared,
                thread: thread.thread().clone(),
            },
            finished,
            thread: Some(thread),
        })
    }
}

impl<R> Journal<R> {
    /// Hands over a record; never waits. What finds the ring full is dropped and counted.
    pub fn post(&self, record: Box<R>) -> Posted {
        let posted = self.shared.port.post(record);
        match posted {
            Posted::First => self.thread.unpark(),
            Posted::Queued => {}
            Posted::Dropped => self.shared.meters.dropped(1),
        }
        posted
    }

    /// Makes the next batch open its file anew: call it after a log rotation has moved the file away.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// A clone posts to the same thread, whatever the records are.
impl<R> Clone for Journal<R> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            thread: self.thread.clone(),
        }
    }
}

impl<R> JournalHandle<R> {
    /// The posting side.
    pub fn journal(&self) -> Journal<R> {
        self.journal.clone()
    }

    /// Writes out everything that was posted before, and ends the thread. Waits for `limit` at most; a post
    /// that races with it may be lost.
    ///
    /// # Errors
    /// The sink stalls, or the thread has died.
    pub fn close(mut self, limit: Duration) -> Result<(), CloseError> {
        self.ask_to_finish();
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        match self.finished.recv_timeout(limit) {
            Err(crossbeam::channel::RecvTimeoutError::Timeout) => Err(CloseError::TimedOut {
                waiting: self.journal.shared.port.len(),
            }),
            // Disconnected without a word: the thread unwound; joining says so.
            Ok(()) | Err(crossbeam::channel::RecvTimeoutError::Disconnected) => {
                thread.join().map_err(|_| CloseError::Panicked)
            }
        }
    }

    fn ask_to_finish(&self) {
        self.journal.shared.closing.store(true, Ordering::Release);
        self.journal.thread.unpark();
    }
}

impl<R> Drop for JournalHandle<R> {
    fn drop(&mut self) {
        self.ask_to_finish();
    }
}

struct Writer<R> {
    shared: Arc<Shared<R>>,
    sink: Sink,
    gather: Duration,
    /// The batch being made; its memory is kept.
    lines: Vec<u8>,
}

impl<R: Line> Writer<R> {
    fn run(mut self) {
        loop {
            // Read before the drain: what was posted before closing is then certain to be drained.
            let is_closing = self.shared.closing.load(Ordering::Acquire);
            if self.shared.reopen.swap(false, Ordering::AcqRel) {
                self.sink.reopen();
            }
            self.write_out();
            if is_closing {
                return;
            }
            // A post, `reopen` or `close` since the drain began has left a token: this returns at once then.
            // Waking for no reason costs an empty drain.
            thread::park();
            if !self.shared.closing.load(Ordering::Acquire) {
                thread::sleep(self.gather);
            }
        }
    }

    fn write_out(&mut self) {
        let (shared, lines) = (self.shared.clone(), &mut self.lines);
        let mut records = 0;
        loop {
            let is_wanted = !self.sink.is_null();
            let mut without_line = 0;
            let drained = shared.port.drain(BATCH_RECORDS, |record| {
                let before = lines.len();
                if is_wanted {
                    record.write_line(lines);
                    without_line += u64::from(lines.len() == before);
                }
            });
            shared.meters.dropped(without_line);
            records += u64::try_from(drained.records).unwrap_or(u64::MAX) - without_line;
            if records > 0 && (!drained.more || lines.len() >= BATCH_BYTES) {
                let count = std::mem::take(&mut records);
                match self.sink.write(lines) {
                    Ok(()) => shared.meters.written(count),
                    Err(_) => shared.meters.dropped(count),
                }
                lines.clear();
            }
            if !drained.more {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;

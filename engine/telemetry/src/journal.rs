//! The way of records from the workers to a file: a bounded ring, and one thread that empties it.
//!
//! A worker never waits for the log: [`Journal::post`] puts a record into the ring and returns. Only the first
//! record after a rest wakes the thread, which lets a few milliseconds of others gather, writes them in one
//! batch and rests again. A ring that is full drops the record and counts it: a log that stalls (a full disk,
//! a pipe nobody reads) costs lines, never requests. What is written is any [`Line`]: requests in one journal,
//! decisions in another, each with a ring and a thread of its own.

mod port;
mod sink;
mod writer;

pub use port::{Drained, JournalPort, Posted};
pub use sink::Sink;
pub use writer::{CloseError, Journal, JournalHandle, JournalOptions};

/// What a journal writes.
pub trait Line: Send + 'static {
    /// Appends itself to `out` as one whole line, its newline included and no other; or nothing at all. Runs on
    /// the journal's thread, and must not panic: that ends the thread, and with it the log.
    fn write_line(&self, out: &mut Vec<u8>);
}

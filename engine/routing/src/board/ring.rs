//! The way of outcomes from the workers to a provider's health: bounded, without locks, without a wake per
//! request.
//!
//! Only the first outcome after a pause wakes the reader; while the reader is awake, posting is a push. A full
//! ring drops what comes and counts it: health that lags is better than a request that waits.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use crossbeam::queue::ArrayQueue;
use futures_util::task::AtomicWaker;

use crate::Observation;

/// Outcomes at one provider. Many workers post, one reader takes.
#[derive(Debug)]
pub struct OutcomeRing {
    queue: ArrayQueue<Observation>,
    /// Whether the reader has been told that there is something. Set by whoever posts first, cleared by the reader.
    is_armed: AtomicBool,
    reader: AtomicWaker,
    dropped: AtomicU64,
}

impl OutcomeRing {
    /// A ring for this many outcomes. All of its memory is taken now.
    pub fn new(capacity: usize) -> Self {
        Self {
            queue: ArrayQueue::new(capacity.max(1)),
            is_armed: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Posts an outcome, and wakes the reader if nobody has yet.
    pub fn post(&self, observation: Observation) {
        if self.queue.push(observation).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        // SeqCst, with the swap in `poll_posted`: either this sees the reader's clearing and wakes it, or the
        // reader, which clears before it looks, sees what was pushed.
        if !self.is_armed.swap(true, Ordering::SeqCst) {
            self.reader.wake();
        }
    }

    /// Waits until something has been posted. After it is ready, [`OutcomeRing::pop`] until there is nothing.
    /// For one reader.
    pub fn poll_posted(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.reader.register(cx.waker());
        if self.is_armed.swap(false, Ordering::SeqCst) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// The oldest outcome that waits.
    pub fn pop(&self) -> Option<Observation> {
        self.queue.pop()
    }

    /// Outcomes that found the ring full, since the process began.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;

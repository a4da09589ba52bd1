//! Answers that wait to be put away: they take memory that no entry is charged for, so there is a limit to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// So many bytes may always wait.
const LEAST_BYTES: u64 = 16 << 20;
/// Otherwise this share of what entries may take.
const SHARE: u64 = 4;

/// What waits.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Arc<AtomicU64>,
    most: u64,
}

/// An answer's place among those that wait; dropped, it is free.
#[derive(Debug)]
pub struct Waiting {
    bytes: u64,
    among: Arc<AtomicU64>,
}

impl Queue {
    pub(super) fn of(budget_bytes: u64) -> Self {
        Self {
            waiting: Arc::default(),
            most: (budget_bytes / SHARE).max(LEAST_BYTES),
        }
    }

    /// `None`: too much waits already.
    pub(super) fn join(&self, bytes: u64) -> Option<Waiting> {
        let place = Waiting {
            bytes,
            among: self.waiting.clone(),
        };
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        (before.saturating_add(bytes) <= self.most).then_some(place)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.among.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_may_wait_and_no_more() {
        let queue = Queue::of(0);
        let half = LEAST_BYTES / 2;
        let (first, second) = (queue.join(half), queue.join(half));
        assert!(first.is_some() && second.is_some());
        assert!(queue.join(1).is_none());
        drop(first);
        assert!(queue.join(half + 1).is_none(), "what is refused takes no room");
        assert!(queue.join(half).is_some());
        assert!(queue.join(u64::MAX).is_none());
        drop(second);
        assert!(queue.join(LEAST_BYTES).is_some());
        assert_eq!(queue.waiting.load(Ordering::Relaxed), 0);
    }
}

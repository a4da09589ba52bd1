//! The ring between many workers and one reader, with an edge that wakes the reader once per batch.
//!
//! What must stay true: a record that was taken (`First` or `Queued`) is either seen by a drain that has begun,
//! or its post, or another's, returns `First` after that drain has begun. So a reader that drains whenever it
//! hears of a `First` misses nothing and never sleeps on a record.
//!
//! Why it holds: a poster pushes, then swaps `armed` to true. The reader swaps `armed` to false, then pops. All
//! swaps of one atomic have one order. If the poster's swap comes before the reader's, the reader's swap reads
//! from it (or from a later swap that continues its release sequence), so the push happened before the pops
//! and is seen by them. If it comes after, the poster either reads false and returns `First`, or reads the true
//! of another poster whose swap also came after the reader's, and that one returned `First`. Both sides use a
//! read-modify-write for this reason: a plain load could read a stale true.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam::queue::ArrayQueue;

use crate::RequestRecord;

/// A bounded ring of records.
#[derive(Debug)]
pub struct JournalPort<R = RequestRecord> {
    queue: ArrayQueue<Box<R>>,
    /// Whether the reader has been told that there is something to read. Set by posters, cleared by the reader.
    armed: AtomicBool,
    /// Records that found the ring full. Written by posters.
    dropped: AtomicU64,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    /// It was taken, and is the first since the last drain began: the reader must be woken.
    First,
    /// It was taken; the reader has been told already.
    Queued,
    /// The ring was full: it is gone, and counted.
    Dropped,
}

/// What a drain did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Records handed over.
    pub records: usize,
    /// Whether it stopped at its limit: the reader must drain again before it rests.
    pub more: bool,
}

impl<R> JournalPort<R> {
    /// A ring for `capacity` records (at least one). A slot takes two words until it is used.
    pub fn new(capacity: usize) -> Self {
        Self {
            queue: ArrayQueue::new(capacity.max(1)),
            armed: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
        }
    }

    /// Hands over a record; never waits.
    pub fn post(&self, record: Box<R>) -> Posted {
        self.post_in_steps(record, || {})
    }

    /// `between` is called between the two steps: it lets a test stand there.
    fn post_in_steps(&self, record: Box<R>, between: impl FnOnce()) -> Posted {
        if self.queue.push(record).is_err() {
            // Relaxed: a statistic, nothing is published by it.
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return Posted::Dropped;
        }
        between();
        // Release publishes the push to the reader's swap; acquire keeps the swap behind the push.
        if self.armed.swap(true, Ordering::AcqRel) {
            Posted::Queued
        } else {
            Posted::First
        }
    }

    /// Hands up to `max` records to `take`, oldest first. For one reader at a time.
    pub fn drain(&self, max: usize, take: impl FnMut(Box<R>)) -> Drained {
        self.drain_in_steps(max, take, || {})
    }

    /// `before_step` is called before each step: it lets a test stand there.
    fn drain_in_steps(
        &self,
        max: usize,
        mut take: impl FnMut(Box<R>),
        mut before_step: impl FnMut(),
    ) -> Drained {
        before_step();
        // Before the first pop: see above. Acquire sees the pushes of the posters whose swaps came before.
        self.armed.swap(false, Ordering::AcqRel);
        for records in 0..max {
            before_step();
            match self.queue.pop() {
                Some(record) => take(record),
                None => return Drained { records, more: false },
            }
        }
        Drained {
            records: max,
            more: true,
        }
    }

    /// Records waiting, give or take those in motion.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Records that found the ring full, since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use tollgate_core::{RequestId, Timestamp};

    use super::*;

    fn record(number: u64) -> Box<RequestRecord> {
        let at = Timestamp::from_unix_millis(0);
        let mut record = RequestRecord::new(RequestId::new(at, 0), at);
        record.request_bytes = number;
        Box::new(record)
    }

    fn drain_all(port: &JournalPort) -> Vec<u64> {
        let mut numbers = Vec::new();
        let drained = port.drain(usize::MAX, |record| numbers.push(record.request_bytes));
        assert_eq!((drained.records, drained.more), (numbers.len(), false));
        numbers
    }

    #[test]
    fn only_the_first_record_after_a_drain_wakes() {
        let port = JournalPort::new(8);
        assert_eq!(port.post(record(1)), Posted::First);
        assert_eq!(port.post(record(2)), Posted::Queued);
        assert_eq!(drain_all(&port), [1, 2]);
        assert_eq!(port.post(record(3)), Posted::First);
    }

    #[test]
    fn a_full_ring_drops_the_new_record_and_counts_it() {
        let port = JournalPort::new(2);
        let posted: Vec<_> = (0..4).map(|number| port.post(record(number))).collect();
        assert_eq!(
            posted,
            [Posted::First, Posted::Queued, Posted::Dropped, Posted::Dropped]
        );
        assert_eq!(port.dropped(), 2);
        assert_eq!(drain_all(&port), [0, 1]);
    }

    #[test]
    fn a_drain_that_stops_at_its_limit_says_so() {
        let port = JournalPort::new(8);
        for number in 0..3 {
            port.post(record(number));
        }
        let drained = port.drain(2, drop);
        assert_eq!(
            drained,
            Drained {
                records: 2,
                more: true
            }
        );
        assert_eq!(drain_all(&port), [2]);
    }

    /// The reader drains only when it has heard a `First`: if one were missing, it would wait for ever, and
    /// the bounded wait turns that into a failure.
    #[test]
    fn no_record_is_lost_or_left_asleep_under_contention() {
        const POSTERS: u64 = 4;
        const EACH: u64 = 20_000;
        let port = Arc::new(JournalPort::new(64));
        let (wake, woken) = crossbeam::channel::bounded::<()>(usize::try_from(POSTERS * EACH).unwrap());
        let posters: Vec<_> = (0..POSTERS)
            .map(|poster| {
                let (port, wake) = (port.clone(), wake.clone());
                thread::spawn(move || {
                    let mut taken = 0;
                    for number in 0..EACH {
                        match port.post(record(poster * EACH + number)) {
                            Posted::First => wake.send(()).unwrap(),
                            Posted::Queued => {}
                            Posted::Dropped => {
                                thread::yield_now();
                                continue;
                            }
                        }
                        taken += 1;
                    }
                    taken
                })
            })
            .collect();
        drop(wake);
        let mut seen = Vec::new();
        // The channel closes when the last poster is gone; every `First` is in it by then.
        while woken.recv_timeout(std::time::Duration::from_secs(30)).is_ok() {
            port.drain(usize::MAX, |record| seen.push(record.request_bytes));
        }
        let taken: usize = posters.into_iter().map(|poster| poster.join().unwrap()).sum();
        assert!(port.is_empty(), "{} records left asleep", port.len());
        assert_eq!(seen.len(), taken);
        assert_eq!(u64::try_from(taken).unwrap() + port.dropped(), POSTERS * EACH);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), taken, "each record once");
    }

    /// Every interleaving of one post with one drain, step by step: the post as a whole before each step of the
    /// drain, and the drain as a whole between the two steps of the post.
    #[test]
    fn at_whatever_step_of_a_drain_a_record_comes_it_is_taken_or_wakes() {
        for waiting in 0..3 {
            for moment in 0..6 {
                let port = JournalPort::new(8);
                for number in 0..waiting {
                    port.post(record(number));
                }
                let (mut step, mut posted) = (0, None);
                let mut taken = Vec::new();
                let post_at_moment = || {
                    if step == moment {
                        posted = Some(port.post(record(99)));
                    }
                    step += 1;
                };
                port.drain_in_steps(8, |record| taken.push(record.request_bytes), post_at_moment);
                let Some(posted) = posted else {
                    assert!(moment >= 2, "a drain has two steps at least");
                    continue;
                };
                let is_safe = taken.contains(&99) || posted == Posted::First;
                assert!(
                    is_safe,
                    "{waiting} waiting, posted before step {moment}: left asleep"
                );
            }
        }
        let port = JournalPort::new(8);
        let mut taken = 0;
        let drain = || {
            port.drain(8, |_| taken += 1);
        };
        let posted = port.post_in_steps(record(99), drain);
        assert_eq!(
            (taken, posted),
            (1, Posted::First),
            "taken at once; waking for nothing does no harm"
        );
    }
}

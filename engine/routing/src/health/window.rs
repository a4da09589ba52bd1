//! What happened in the last seconds, counted exactly: ten buckets that are used in turn.
//!
//! A bucket carries its number on the time line, so a gap of any length needs no sweeping, and what arrives late
//! is counted where it belongs or, if the window has passed it, not at all. At every moment the totals are those
//! of the current bucket and the nine before it.

use std::time::Duration;

use serde::Serialize;
use tollgate_core::Moment;

/// Buckets of a window.
const BUCKETS: usize = 10;

/// Counts of requests. Additions stop at the largest number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Requests that say something about the target.
    pub requests: u32,
    /// Failures among them.
    pub failures: u32,
    /// Successes among them that came late.
    pub slow: u32,
    /// Requests that met a rate limit. They are not among `requests`.
    pub rate_limited: u32,
}

/// A sliding window of fixed width. Never allocates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    bucket_us: u64,
    /// The number of the newest bucket in use: the window never moves back.
    newest: u64,
    buckets: [Bucket; BUCKETS],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Bucket {
    number: u64,
    counts: Counts,
}

impl Window {
    /// An empty window of this width, at least ten microseconds.
    pub fn new(width: Duration) -> Self {
        let width_us = u64::try_from(width.as_micros()).unwrap_or(u64::MAX);
        Self {
            bucket_us: (width_us / BUCKETS as u64).max(1),
            newest: 0,
            buckets: [Bucket::default(); BUCKETS],
        }
    }

    /// Counts what happened at `now`.
    pub fn record(&mut self, now: Moment, counts: Counts) {
        let number = self.number(now);
        self.newest = self.newest.max(number);
        let Some(bucket) = self.buckets.get_mut(place(number)) else {
            return;
        };
        if bucket.number < number {
            *bucket = Bucket {
                number,
                counts: Counts::default(),
            };
        }
        // A bucket of a later turn: the window has passed `now`.
        if bucket.number == number {
            bucket.counts = bucket.counts.and(counts);
        }
    }

    /// What is in the window at `now`, or at the latest moment it has counted, if that is later.
    pub fn totals(&self, now: Moment) -> Counts {
        let newest = self.newest.max(self.number(now));
        let is_in = |bucket: &&Bucket| newest - bucket.number.min(newest) < BUCKETS as u64;
        let counts = self.buckets.iter().filter(is_in).map(|bucket| bucket.counts);
        counts.fold(Counts::default(), Counts::and)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.buckets = [Bucket::default(); BUCKETS];
    }

    fn number(&self, moment: Moment) -> u64 {
        moment.micros() / self.bucket_us
    }
}

/// Where a bucket stands.
fn place(number: u64) -> usize {
    usize::try_from(number % BUCKETS as u64).unwrap_or(0)
}

impl Counts {
    /// Failures over requests, `0.0..=1.0`; zero without requests.
    pub fn failure_ratio(self) -> f32 {
        ratio(self.failures, self.requests)
    }

    /// Slow ones over requests, `0.0..=1.0`; zero without requests.
    pub fn slow_ratio(self) -> f32 {
        ratio(self.slow, self.requests)
    }

    fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            failures: self.failures.saturating_add(other.failures),
            slow: self.slow.saturating_add(other.slow),
            rate_limited: self.rate_limited.saturating_add(other.rate_limited),
        }
    }
}

/// In 32 bits, as limits are given: so four of five are not less than a limit of 0.8.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounds to the nearest, and lies within 0..=1"
)]
fn ratio(part: u32, whole: u32) -> f32 {
    if whole == 0 {
        0.0
    } else {
        (f64::from(part) / f64::from(whole)).min(1.0) as f32
    }
}

#[cfg(test)]
mod tests;

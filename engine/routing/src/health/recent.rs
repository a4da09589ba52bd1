//! Percentiles of recent times.
//!
//! Two `HdrHistogram`s (Tene) that overlap by half: each time is counted in both, the elder is read, and every
//! minute the younger becomes the elder and a new one begins. So what is read covers the last one to two minutes
//! and reading adds nothing up. About 35 KiB, taken with the first time that is counted.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use tollgate_core::Moment;

/// How long a histogram is counted in before it is read.
const HALF: Duration = Duration::from_secs(60);
/// The longest time that is told apart from longer ones, microseconds: ten minutes.
const LONGEST_US: u64 = 600_000_000;
/// Two significant digits: what is read is at most 1 % off.
const DIGITS: u8 = 2;

/// Times of the last minutes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recent(Option<Halves>);

#[derive(Debug, Clone)]
struct Halves {
    elder: Histogram<u32>,
    younger: Histogram<u32>,
    /// When the younger began.
    turned_at: Moment,
}

/// Percentiles of times, microseconds, and how many times they are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Half are no longer.
    pub p50_us: u64,
    /// Nine of ten are no longer.
    pub p90_us: u64,
    /// 99 of 100 are no longer.
    pub p99_us: u64,
    /// So many times in the last one to two minutes.
    pub samples: u64,
}

impl Recent {
    /// Counts a time; one above ten minutes as ten minutes.
    pub(crate) fn record(&mut self, now: Moment, micros: u64) {
        if self.0.is_none() {
            self.0 = Halves::new(now);
        }
        if let Some(halves) = &mut self.0 {
            halves.turn(now);
            let micros = micros.clamp(1, LONGEST_US);
            halves.elder.saturating_record(micros);
            halves.younger.saturating_record(micros);
        }
    }

    /// The time below which this share (`0.0..=1.0`) lies, microseconds; `None`: fewer than `at_least` samples.
    pub(crate) fn quantile(&self, now: Moment, share: f64, at_least: u64) -> Option<u64> {
        let histogram = self.0.as_ref()?.current(now)?;
        (histogram.len() >= at_least.max(1)).then(|| histogram.value_at_quantile(share))
    }

    /// All that a report tells of it; `None`: nothing was counted lately.
    pub(crate) fn percentiles(&self, now: Moment) -> Option<Percentiles> {
        let histogram = self.0.as_ref()?.current(now)?;
        (!histogram.is_empty()).then(|| Percentiles {
            p50_us: histogram.value_at_quantile(0.5),
            p90_us: histogram.value_at_quantile(0.9),
            p99_us: histogram.value_at_quantile(0.99),
            samples: histogram.len(),
        })
    }
}

impl Halves {
    fn new(now: Moment) -> Option<Self> {
        let elder = Histogram::new_with_bounds(1, LONGEST_US, DIGITS).ok()?;
        Some(Self {
            younger: elder.clone(),
            elder,
            turned_at: now,
        })
    }

    fn turn(&mut self, now: Moment) {
        let age = now.since(self.turned_at);
        if age < HALF {
            return;
        }
        if age < HALF * 2 {
            std::mem::swap(&mut self.elder, &mut self.younger);
            self.turned_at = self.turned_at + HALF;
        } else {
            self.elder.reset();
            self.turned_at = now;
        }
        self.younger.reset();
    }

    /// The one to read: the younger, if it is time to turn and nothing has come since.
    fn current(&self, now: Moment) -> Option<&Histogram<u32>> {
        match now.since(self.turned_at) {
            age if age < HALF => Some(&self.elder),
            age if age < HALF * 2 => Some(&self.younger),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;

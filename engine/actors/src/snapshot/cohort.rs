//! How the requests of a staged change fare, and those that are spared it: counted by workers, judged by Control.
//!
//! All of it is atomics that many workers add to. Nothing here is read while requests are decided on, so that
//! sharing the lines costs only the requests that end during a rollout.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

/// The two parts of the requests while a change is staged.
#[derive(Debug, Default)]
pub struct Cohorts {
    /// Those that see the change.
    pub staged: Cohort,
    /// Those that do not.
    pub rest: Cohort,
}

/// Requests that are counted together.
#[derive(Debug)]
pub struct Cohort {
    requests: AtomicU64,
    errors: AtomicU64,
    ttft_sum_us: AtomicU64,
    /// Times to first token by [`bucket_of`].
    ttft: [AtomicU64; BUCKETS],
}

/// What a cohort has come to.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct CohortFigures {
    /// Requests that ended.
    pub requests: u64,
    /// Those of them that failed through no fault of the client.
    pub errors: u64,
    /// Requests with a time to first token.
    pub timed: u64,
    /// The mean time to first token, milliseconds; `None`: nothing was timed.
    pub ttft_mean_ms: Option<f64>,
    /// The 99th percentile of it, milliseconds, at most 6 % below the true one and never above; `None`: nothing
    /// was timed.
    pub ttft_p99_ms: Option<f64>,
}

/// Buckets per doubling, as a power of two: 16 make buckets 6 % wide.
const SPLIT_BITS: u32 = 4;
const SPLIT: u64 = 1 << SPLIT_BITS;
/// Times below 2^36 microseconds (19 hours) are told apart.
const DOUBLINGS: u32 = 36;
/// No time counts for more.
const LONGEST_US: u64 = (1 << DOUBLINGS) - 1;
#[expect(clippy::cast_possible_truncation, reason = "16 × 33 buckets")]
const BUCKETS: usize = (SPLIT as usize) * (DOUBLINGS - SPLIT_BITS + 1) as usize;

impl Cohort {
    /// Counts a request. `ok`: it was answered, or what went wrong was the client's own doing. `ttft`: the time to
    /// its first token, of a whole answer that to its end; `None`: there was none.
    pub fn observe(&self, ok: bool, ttft: Option<Duration>) {
        if let Some(ttft) = ttft {
            let micros = u64::try_from(ttft.as_micros())
                .unwrap_or(LONGEST_US)
                .min(LONGEST_US);
            self.ttft_sum_us.fetch_add(micros, Ordering::Relaxed);
            if let Some(bucket) = self.ttft.get(bucket_of(micros)) {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
        if !ok {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        // Release, with the Acquire of `figures`: whoever sees the request also sees what became of it.
        self.requests.fetch_add(1, Ordering::Release);
    }

    /// What it has come to.
    pub fn figures(&self) -> CohortFigures {
        let requests = self.requests.load(Ordering::Acquire);
        let timed: u64 = self.ttft.iter().map(|it| it.load(Ordering::Relaxed)).sum();
        let sum_us = self.ttft_sum_us.load(Ordering::Relaxed);
        CohortFigures {
            requests,
            errors: self.errors.load(Ordering::Relaxed).min(requests),
            timed,
            ttft_mean_ms: (timed > 0).then(|| millis(sum_us) / count(timed)),
            ttft_p99_ms: self.quantile_us(timed, 99).map(millis),
        }
    }

    /// The lower end of the bucket in which the `percent` quantile lies.
    fn quantile_us(&self, timed: u64, percent: u64) -> Option<u64> {
        let rank = timed.saturating_mul(percent).div_ceil(100).max(1);
        let mut seen = 0;
        let found = self.ttft.iter().position(|bucket| {
            seen += bucket.load(Ordering::Relaxed);
            seen >= rank
        });
        found.map(lower_end)
    }
}

impl Default for Cohort {
    fn default() -> Self {
        Self {
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            ttft_sum_us: AtomicU64::new(0),
            ttft: [const { AtomicU64::new(0) }; BUCKETS],
        }
    }
}

impl CohortFigures {
    /// Errors over requests; 0 where there were none.
    pub fn error_ratio(&self) -> f64 {
        if self.requests == 0 {
            0.0
        } else {
            count(self.errors) / count(self.requests)
        }
    }
}

/// The bucket of a time: exact below 16 µs, then 16 to each doubling.
fn bucket_of(micros: u64) -> usize {
    let bucket = if micros < SPLIT {
        micros
    } else {
        let doubling = micros.ilog2() - SPLIT_BITS;
        u64::from(doubling) * SPLIT + (micros >> doubling)
    };
    usize::try_from(bucket).map_or(BUCKETS - 1, |bucket| bucket.min(BUCKETS - 1))
}

/// The least time of a bucket.
fn lower_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < SPLIT {
        return bucket;
    }
    let doubling = bucket / SPLIT - 1;
    (SPLIT + bucket % SPLIT) << doubling
}

fn millis(micros: u64) -> f64 {
    count(micros) / 1_000.0
}

fn count(whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let real = whole as f64;
    real
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cohort_counts_requests_errors_and_times() {
        let cohort = Cohort::default();
        assert_eq!(cohort.figures(), CohortFigures::default());
        for ms in 1..=100 {
            cohort.observe(ms % 10 != 0, Some(Duration::from_millis(ms)));
        }
        cohort.observe(false, None);
        let figures = cohort.figures();
        assert_eq!((figures.requests, figures.errors, figures.timed), (101, 11, 100));
        assert_eq!(figures.ttft_mean_ms, Some(50.5));
        let p99 = figures.ttft_p99_ms.unwrap();
        assert!((93.0..=99.0).contains(&p99), "{p99}");
        assert!((figures.error_ratio() - 11.0 / 101.0).abs() < 1e-9);
    }

    #[test]
    fn times_beyond_all_measure_fall_into_the_last_bucket() {
        let cohort = Cohort::default();
        cohort.observe(true, Some(Duration::MAX));
        cohort.observe(true, Some(Duration::ZERO));
        assert_eq!(cohort.figures().timed, 2);
    }

    proptest! {
        #[test]
        fn a_bucket_is_at_most_a_sixteenth_wide(micros in 0u64..1 << 36) {
            let low = lower_end(bucket_of(micros));
            prop_assert!(low <= micros && micros - low <= low / 16, "{low} {micros}");
        }

        #[test]
        fn buckets_rise_with_time(a in any::<u64>(), b in any::<u64>()) {
            let (a, b) = (a.min(b), a.max(b));
            prop_assert!(bucket_of(a) <= bucket_of(b));
            prop_assert!(bucket_of(b) < BUCKETS);
        }
    }
}

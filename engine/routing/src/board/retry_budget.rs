//! How many further attempts a route may make: a share of its requests, so that an outage does not become a
//! storm.
//!
//! A token bucket after Finagle's `RetryBudget`: each request pays in a share of an attempt, each further attempt
//! takes a whole one, and a floor per second lets quiet routes retry at all. Where we differ: the bucket begins
//! full, because the first seconds of a process are no reason to refuse a failover.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tollgate_core::Moment;

use super::gate::{high_half, near, wrapped_millis};

/// How many further attempts are allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryLimits {
    /// Further attempts per request, in the long run. 0.0 and above.
    pub ratio: f32,
    /// Further attempts a second that are allowed however few requests there are.
    pub per_second: f32,
}

impl Default for RetryLimits {
    fn default() -> Self {
        Self {
            ratio: 0.5,
            per_second: 50.0,
        }
    }
}

/// Seconds' worth of `per_second` that the bucket holds, and requests' worth of `ratio` beside it.
const HELD_SECONDS: f32 = 10.0;
const HELD_REQUESTS: f32 = 1_000.0;
/// Thousandths of an attempt: the unit of the bucket.
const WHOLE: u32 = 1_000;

/// The budget of one route, shared by all workers.
#[derive(Debug)]
pub struct RetryBudget {
    /// When the floor was paid in last (milliseconds, high half) and what the bucket holds (thousandths, low
    /// half): one word, so that no payment is made twice. Written by every worker.
    state: AtomicU64,
    /// [`RetryLimits`], as bits. Written by whoever publishes a configuration.
    ratio: AtomicU32,
    per_second: AtomicU32,
}

impl RetryBudget {
    /// A full bucket.
    pub fn new(limits: RetryLimits) -> Self {
        Self {
            state: AtomicU64::new(u64::from(capacity(limits))),
            ratio: AtomicU32::new(limits.ratio.to_bits()),
            per_second: AtomicU32::new(limits.per_second.to_bits()),
        }
    }

    /// Sets other limits. What is in the bucket stays.
    pub fn limit(&self, limits: RetryLimits) {
        self.ratio.store(limits.ratio.to_bits(), Ordering::Relaxed);
        self.per_second
            .store(limits.per_second.to_bits(), Ordering::Relaxed);
    }

    /// Pays in for a request.
    pub fn deposit(&self, now: Moment) {
        let limits = self.limits();
        self.update(now, limits, |held| {
            Some(held.saturating_add(thousandths(limits.ratio)))
        });
    }

    /// Takes one further attempt out; `false`: there is none left.
    pub fn withdraw(&self, now: Moment) -> bool {
        self.update(now, self.limits(), |held| held.checked_sub(WHOLE))
    }

    /// Further attempts that could be made now.
    pub fn left(&self) -> u32 {
        low_half(self.state.load(Ordering::Relaxed)) / WHOLE
    }

    fn limits(&self) -> RetryLimits {
        RetryLimits {
            ratio: f32::from_bits(self.ratio.load(Ordering::Relaxed)),
            per_second: f32::from_bits(self.per_second.load(Ordering::Relaxed)),
        }
    }

    fn update(&self, now: Moment, limits: RetryLimits, change: impl Fn(u32) -> Option<u32>) -> bool {
        let changed = self
            .state
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                let paid_at = near(now, high_half(word));
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "milliseconds since the last payment are few"
                )]
                let floor = limits.per_second * now.since(paid_at).as_millis().min(60_000) as f32 / 1_000.0;
                let floor = thousandths(floor);
                // A payment too small to be counted is left to grow.
                let paid_at = if floor > 0 { now.max(paid_at) } else { paid_at };
                let held = low_half(word).saturating_add(floor);
                let held = change(held)?.min(capacity(limits));
                Some((u64::from(wrapped_millis(paid_at)) << 32) | u64::from(held))
            });
        changed.is_ok()
    }
}

fn capacity(limits: RetryLimits) -> u32 {
    thousandths(limits.per_second * HELD_SECONDS + limits.ratio * HELD_REQUESTS)
}

/// Attempts as thousandths; nonsense is nothing.
fn thousandths(attempts: f32) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and takes NaN for 0"
    )]
    let whole = (attempts * 1_000.0) as u32;
    whole
}

fn low_half(word: u64) -> u32 {
    u32::try_from(word & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TIGHT: RetryLimits = RetryLimits {
        ratio: 0.25,
        per_second: 2.0,
    };

    fn drained(limits: RetryLimits) -> RetryBudget {
        let budget = RetryBudget::new(limits);
        while budget.withdraw(Moment::ZERO) {}
        budget
    }

    #[test]
    fn a_share_of_requests_may_be_tried_again() {
        let budget = drained(TIGHT);
        (0..40).for_each(|_| budget.deposit(Moment::ZERO));
        let granted = (0..100).filter(|_| budget.withdraw(Moment::ZERO)).count();
        assert_eq!(granted, 10);
    }

    #[test]
    fn a_quiet_route_may_retry_so_many_times_a_second() {
        let budget = drained(TIGHT);
        let granted = (1..=3_000)
            .map(Moment::from_millis)
            .filter(|now| budget.withdraw(*now))
            .count();
        assert_eq!(granted, 6);
    }

    #[test]
    fn without_a_budget_there_is_no_further_attempt() {
        let none = RetryLimits {
            ratio: 0.0,
            per_second: 0.0,
        };
        let budget = RetryBudget::new(none);
        budget.deposit(Moment::from_millis(5));
        assert!(!budget.withdraw(Moment::from_millis(90_000)));
    }

    proptest! {
        #[test]
        fn never_more_attempts_than_paid_for(steps in proptest::collection::vec((0u64..500, any::<bool>()), 1..400)) {
            let budget = RetryBudget::new(TIGHT);
            let full = f64::from(budget.left());
            let (mut now, mut requests, mut granted) = (0, 0.0, 0.0);
            for (wait, is_request) in steps {
                now += wait;
                if is_request {
                    budget.deposit(Moment::from_millis(now));
                    requests += 1.0;
                } else if budget.withdraw(Moment::from_millis(now)) {
                    granted += 1.0;
                }
                #[expect(clippy::cast_precision_loss, reason = "small")]
                let paid = full + requests * 0.25 + now as f64 / 1_000.0 * 2.0;
                prop_assert!(granted <= paid + 1e-3, "{granted} of {paid}");
            }
        }
    }
}

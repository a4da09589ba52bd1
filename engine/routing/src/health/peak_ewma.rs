//! Estimates of a latency that believe bad news at once and good news slowly.
//!
//! The peak-EWMA of Finagle's `p2c` balancer (`PeakEwma.scala`), as linkerd and tower took it over. We differ in
//! two ways. Theirs decays towards zero while a server is idle, so that a slow one looks fast after a pause and
//! gets a burst; here the stored value stands still, and whoever ranks moves what is *read* towards the median of
//! the others. And theirs begins with a default round-trip time; here the first
//! sample is taken as it is.

use std::time::Duration;

use tollgate_core::Moment;

/// An estimate of which a larger sample is taken at once, and a smaller one with weight `1 - exp(-Δt/τ)`, where
/// `Δt` is the time since the sample before. So the estimate is never below the smallest sample nor above the
/// largest, and how fast it falls does not depend on how often it is fed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeakEwma {
    tau: Duration,
    last: Option<Sampled>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Sampled {
    value: f64,
    at: Moment,
}

impl PeakEwma {
    /// An estimate without samples. A `tau` of zero believes each sample at once.
    pub const fn new(tau: Duration) -> Self {
        Self { tau, last: None }
    }

    /// Takes a sample, of any unit. What is no measurement (negative, infinite, not a number) is passed over.
    ///
    /// A sample that seems older than the one before counts as taken at the same time: a larger one is
    /// believed, a smaller one changes nothing.
    pub fn observe(&mut self, now: Moment, sample: f64) {
        if !is_measurement(sample) {
            return;
        }
        let value = match self.last {
            Some(last) if sample < last.value => blend(last.value, sample, now.since(last.at), self.tau),
            _ => sample,
        };
        self.take(now, value);
    }

    /// Takes a bound: the true value is at least this, as after a timeout. It may raise the estimate, and never
    /// lowers it, however long it has been.
    pub fn at_least(&mut self, now: Moment, bound: f64) {
        if is_measurement(bound) && self.value().is_none_or(|value| bound >= value) {
            self.take(now, bound);
        }
    }

    /// The estimate, in the unit of the samples; `None`: no sample yet.
    pub fn value(&self) -> Option<f64> {
        self.last.map(|last| last.value)
    }

    /// When the latest sample was taken; `None`: no sample yet.
    pub fn measured_at(&self) -> Option<Moment> {
        self.last.map(|last| last.at)
    }

    /// From now on good news is believed at this pace.
    pub fn set_tau(&mut self, tau: Duration) {
        self.tau = tau;
    }

    fn take(&mut self, now: Moment, value: f64) {
        let at = self.last.map_or(now, |last| last.at.max(now));
        self.last = Some(Sampled { value, at });
    }
}

pub(super) fn is_measurement(sample: f64) -> bool {
    sample.is_finite() && sample >= 0.0
}

/// `from`, moved towards `to` as far as an exponential of time constant `tau` comes in `elapsed`. Never past it.
pub(super) fn blend(from: f64, to: f64, elapsed: Duration, tau: Duration) -> f64 {
    if elapsed.is_zero() {
        return from;
    }
    let weight = if tau.is_zero() {
        1.0
    } else {
        -(-elapsed.as_secs_f64() / tau.as_secs_f64()).exp_m1()
    };
    // Rounding must not carry it out of the two: `min` and `max` rather than a `clamp` that may panic.
    let blended = from * (1.0 - weight) + to * weight;
    blended.max(from.min(to)).min(from.max(to))
}

#[cfg(test)]
mod tests;

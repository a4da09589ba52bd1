//! What is shown of a target's health: its breaker, its speed, its errors, as the gateway sees them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::{Counter, Gauge};

use super::family::{self, Family};
use super::names::{self, BREAKER_STATES, Metric};
use super::registry::Registry;

/// The vital signs of one target.
#[derive(Debug)]
pub(super) struct VitalSigns {
    provider: Box<str>,
    model: Box<str>,
    registry: Arc<Registry>,
    /// In the order of [`BREAKER_STATES`].
    states: [OnceLock<Gauge>; BREAKER_STATES.len()],
    transitions: Family<&'static str, Counter>,
    ttft: OnceLock<Gauge>,
    error_ratio: OnceLock<Gauge>,
    in_flight: OnceLock<Gauge>,
}

impl VitalSigns {
    pub(super) fn new(provider: &str, model: &str, registry: Arc<Registry>) -> Self {
        Self {
            provider: provider.into(),
            model: model.into(),
            registry,
            states: Default::default(),
            transitions: Family::default(),
            ttft: OnceLock::new(),
            error_ratio: OnceLock::new(),
            in_flight: OnceLock::new(),
        }
    }

    /// 1 for the present state, 0 for all others.
    pub(super) fn state(&self, present: Option<&str>) {
        for (gauge, state) in self.states.iter().zip(BREAKER_STATES) {
            let labels = [&*self.provider, &self.model, state];
            let value = if present == Some(state) { 1.0 } else { 0.0 };
            self.set(gauge, &names::BREAKER_STATE, &labels, value);
        }
    }

    pub(super) fn transition(&self, to: &'static str) {
        let labels = [&*self.provider, &self.model, to];
        let make = || self.registry.counter(&names::BREAKER_TRANSITIONS, &labels);
        self.transitions.with(to, make, |counter| counter.increment(1));
    }

    pub(super) fn health(&self, ttft: Option<Duration>, error_ratio: f64, in_flight: u64) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "requests in flight stay far below 2^53"
        )]
        let in_flight = in_flight as f64;
        let labels = [&*self.provider, &self.model];
        // NaN is Prometheus' word for a value that is not known. A target that was never measured has no series.
        if ttft.is_some() || self.ttft.get().is_some() {
            let seconds = ttft.map_or(f64::NAN, |it| it.as_secs_f64());
            self.set(&self.ttft, &names::TARGET_TTFT, &labels, seconds);
        }
        self.set(
            &self.error_ratio,
            &names::TARGET_ERROR_RATIO,
            &labels,
            error_ratio,
        );
        self.set(&self.in_flight, &names::TARGET_INFLIGHT, &labels, in_flight);
    }

    /// Several targets past the cap share these signs: a gauge would show whichever was set last.
    fn set(&self, gauge: &OnceLock<Gauge>, metric: &'static Metric, labels: &[&str], value: f64) {
        if &*self.model != family::OTHER {
            gauge
                .get_or_init(|| self.registry.gauge(metric, labels))
                .set(value);
        }
    }
}

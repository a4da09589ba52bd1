//! The health of a target as people and the admin API read it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tollgate_core::Moment;

use super::recent::Percentiles;
use super::target::TargetHealth;
use super::window::Counts;

/// The health of a target. Times in microseconds unless the name says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HealthReport {
    /// Peak-EWMA of the time to first token; `None`: never measured.
    pub ttft_us: Option<f64>,
    /// How long ago that was measured; `None`: never.
    pub measured_ms_ago: Option<u64>,
    /// Peak-EWMA of the time per output token after the first; `None`: never measured.
    pub per_output_token_us: Option<f64>,
    /// Times to first token in the last one to two minutes; `None`: there were none.
    pub ttft: Option<Percentiles>,
    /// Times of whole answers in the last one to two minutes; `None`: there were none.
    pub total: Option<Percentiles>,
    /// Mean number of other requests in flight while times were measured.
    pub load: f64,
    /// Failures over requests in the window, `0.0..=1.0`.
    pub error_ratio: f32,
    /// What the window holds.
    pub window: Counts,
    /// The width of the window.
    pub window_ms: u64,
    /// Failures since the last success.
    pub consecutive_failures: u32,
    /// Mean length of an answer in tokens; `None`: never measured.
    pub output_tokens: Option<f64>,
    /// Prompt tokens as reported over those as estimated; `None`: never measured.
    pub prompt_ratio: Option<f64>,
    /// Attempts that ended, by their outcome, since the target is known.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// The latest failure of the target or of a credential at it; `None`: there was none.
    pub last_failure: Option<LastFailure>,
    /// The latest `Retry-After`; `None`: there was none.
    pub last_retry_after: Option<LastRetryAfter>,
}

/// A failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastFailure {
    /// Its outcome class.
    pub outcome: &'static str,
    /// How long ago.
    pub ms_ago: u64,
}

/// A wish of the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastRetryAfter {
    /// How long it wanted to be left alone.
    pub wait_ms: u64,
    /// How long ago it said so.
    pub ms_ago: u64,
}

impl HealthReport {
    pub(super) fn of(health: &TargetHealth, now: Moment) -> Self {
        let window = health.window.totals(now);
        let ago = |moment: Moment| millis(now.since(moment));
        Self {
            ttft_us: health.ttft.value(),
            measured_ms_ago: health.ttft.measured_at().map(ago),
            per_output_token_us: health.per_token.value(),
            ttft: health.recent_ttft.percentiles(now),
            total: health.recent_total.percentiles(now),
            load: health.load(),
            error_ratio: window.failure_ratio(),
            window,
            window_ms: millis(health.settings().window),
            consecutive_failures: health.consecutive_failures,
            output_tokens: health.output_tokens,
            prompt_ratio: health.prompt_ratio,
            outcomes: health
                .outcomes
                .iter()
                .map(|(class, count)| (class.name(), *count))
                .collect(),
            last_failure: health.last_failure.map(|(class, at)| LastFailure {
                outcome: class.name(),
                ms_ago: ago(at),
            }),
            last_retry_after: health.last_retry_after.map(|(wait, at)| LastRetryAfter {
                wait_ms: millis(wait),
                ms_ago: ago(at),
            }),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

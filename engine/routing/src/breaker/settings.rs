//! When a breaker trips, and how it closes again.

use std::time::Duration;

/// When a breaker trips, and how it closes again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerSettings {
    /// So many failures in a row open it; 0: no number does.
    pub consecutive_failures: u32,
    /// This share of failures in the window opens it, `0.0..=1.0`, once there are `min_requests`.
    pub error_ratio: f32,
    /// Fewer requests in the window say nothing about a ratio.
    pub min_requests: u32,
    /// The width of the window.
    pub window: Duration,
    /// A success later than this counts as slow; `None`: none does.
    pub slow_after: Option<Duration>,
    /// This share of slow ones in the window opens it, once there are `min_requests`.
    pub slow_ratio: f32,
    /// How long it stays open the first time; twice as long each time it fails to close.
    pub open_for: Duration,
    /// And no longer than this.
    pub max_open_for: Duration,
    /// Times are varied by up to this share, so that many gateways do not probe at once.
    pub jitter: f32,
    /// Requests let through while half-open; all of them must go well.
    pub half_open_probes: u8,
    /// How long the share of requests takes to rise from a tenth to all after that.
    pub ramp: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            error_ratio: 0.5,
            min_requests: 20,
            window: Duration::from_secs(10),
            slow_after: None,
            slow_ratio: 0.8,
            open_for: Duration::from_secs(5),
            max_open_for: Duration::from_secs(15),
            jitter: 0.2,
            half_open_probes: 3,
            ramp: Duration::from_secs(5),
        }
    }
}

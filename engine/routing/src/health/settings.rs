//! How health is measured.

use std::time::Duration;

/// How a target's health is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HealthSettings {
    /// The time constant with which estimates of latency follow better times; worse ones are believed at once.
    pub decay: Duration,
    /// The width of the window in which failures are counted.
    pub window: Duration,
    /// A first token (a whole answer, where it is no stream) later than this counts as slow; `None`: nothing does.
    pub slow_after: Option<Duration>,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            decay: Duration::from_secs(5),
            window: Duration::from_secs(10),
            slow_after: None,
        }
    }
}

//! Deadlines and alarms on the runtime's clock, by our own.

use std::time::Duration;

use tokio::time::Instant;
use tollgate_core::Clock;

/// When a deadline is, on the runtime's clock.
pub(crate) fn on_runtime(deadline: std::time::Instant) -> Instant {
    Instant::from_std(deadline)
}

/// Now, on the runtime's clock.
pub(crate) fn runtime_now() -> Instant {
    Instant::from_std(Clock.now())
}

/// When to stop waiting for the next piece: after a pause of `idle`, or when all must be over.
pub(crate) fn next_alarm(idle: Duration, deadline: Instant) -> Instant {
    deadline.min(Instant::from_std(Clock.now()) + idle)
}

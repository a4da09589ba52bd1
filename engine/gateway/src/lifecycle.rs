//! Ready, draining, drained: what probes and the shutdown see.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// The state of the process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lifecycle(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// Set once, by the shutdown.
    draining: AtomicBool,
    /// Requests being served. Written by every worker, through [`InFlight`].
    in_flight: AtomicUsize,
    /// Rung by the last request that leaves while draining.
    idle: Notify,
}

/// A request being served; counted for as long as it lives.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<State>);

impl Lifecycle {
    /// Counts a request in.
    pub(crate) fn enter(&self) -> InFlight {
        self.0.in_flight.fetch_add(1, Ordering::AcqRel);
        InFlight(self.0.clone())
    }

    /// No new work is wanted: readiness turns false, and answers close their connections.
    pub(crate) fn start_draining(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// Whether the shutdown has begun.
    pub(crate) fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }

    /// Requests being served.
    pub(crate) fn in_flight(&self) -> usize {
        self.0.in_flight.load(Ordering::Acquire)
    }

    /// Waits until nothing is in flight, for at most `limit`; whether that was reached.
    pub(crate) async fn drained(&self, limit: Duration) -> bool {
        let empty = async {
            loop {
                let rung = self.0.idle.notified();
                if self.in_flight() == 0 {
                    break;
                }
                rung.await;
            }
        };
        tokio::time::timeout(limit, empty).await.is_ok()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        // The last one out rings; `notify_one` keeps the ring for a waiter that is just about to listen.
        let was_last = self.0.in_flight.fetch_sub(1, Ordering::AcqRel) == 1;
        if was_last && self.0.draining.load(Ordering::Acquire) {
            self.0.idle.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_rt::test]
    async fn the_drain_ends_when_the_last_request_leaves() {
        let lifecycle = Lifecycle::default();
        let (first, second) = (lifecycle.enter(), lifecycle.enter());
        lifecycle.start_draining();
        assert!(!lifecycle.drained(Duration::from_millis(5)).await);
        let leave = async {
            drop(first);
            drop(second);
        };
        let (drained, ()) = tokio::join!(lifecycle.drained(Duration::from_secs(5)), leave);
        assert!(drained);
    }
}

//! Active probes: asking a provider for signs of life, without calling a model.

use std::sync::Arc;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use futures_util::future::LocalBoxFuture;
use tollgate_core::{Clock, Fault, Moment, OutcomeClass};
use tollgate_routing::{Ended, GateMode, Observation, Probe, Provider, Stage};

use super::Health;
use crate::breaker::SignOfLife;

/// Probes are no more frequent than this.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// Sends probes. Brought by whoever has an HTTP client.
pub trait Prober: Send + Sync {
    /// Fetches the path of [`Provider::probe`] once, within its timeout.
    fn probe(&self, provider: Arc<Provider>) -> LocalBoxFuture<'static, ProbeResult>;
}

/// What a probe came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeResult {
    /// The provider answered. Any status is a sign of life but those by which a proxy says that it cannot reach it
    /// (502, 503, 504).
    Alive,
    /// It did not. Classes that are not the target's fault count for nothing.
    Failed(OutcomeClass),
}

/// When to probe.
#[derive(Debug)]
pub(super) struct Probing {
    heard_at: Moment,
    is_out: bool,
}

impl Probing {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            heard_at: now,
            is_out: false,
        }
    }

    /// Outcomes have come in.
    pub(super) fn heard(&mut self, now: Moment) {
        self.heard_at = now;
    }

    /// Whether a probe should go out: there is doubt, or silence.
    fn is_due(&self, now: Moment, interval: Duration, in_doubt: bool) -> bool {
        !self.is_out && (in_doubt || now.since(self.heard_at) >= interval)
    }
}

impl Health {
    /// Sets the timer of the provider's probes, or takes it away.
    pub(super) fn schedule_probes(&mut self, context: &mut Context<Self>) {
        if let Some(timer) = self.probe_timer.take() {
            context.cancel_future(timer);
        }
        if self.prober.is_none() {
            return;
        }
        if let Some(Probe { interval, .. }) = self.provider.probe {
            let every = interval.max(SHORTEST_INTERVAL);
            let timer = context.run_interval(every, move |health, context| health.probe(every, context));
            self.probe_timer = Some(timer);
        }
    }

    fn probe(&mut self, interval: Duration, context: &mut Context<Self>) {
        let now = Clock.moment();
        let Some(prober) = &self.prober else { return };
        if !self.probing.is_due(now, interval, self.is_in_doubt(now)) {
            return;
        }
        self.probing.is_out = true;
        let result = prober.probe(self.provider.clone());
        let taken_in = result.into_actor(self).map(|result, health, _| {
            health.probing.is_out = false;
            health.probed(result);
        });
        context.spawn(taken_in);
    }

    /// Whether a breaker of the provider has opened by itself and not closed again.
    fn is_in_doubt(&self, now: Moment) -> bool {
        let mut modes = self.targets.values().map(|it| it.cell.gate(now).mode);
        modes.any(|mode| matches!(mode, GateMode::Open | GateMode::HalfOpen))
    }

    fn probed(&mut self, result: ProbeResult) {
        match result {
            ProbeResult::Alive => {
                // A full mailbox means that there is no lack of news.
                let _ = self.breaker.try_send(SignOfLife);
            }
            ProbeResult::Failed(class) if class.policy().fault == Fault::Target => {
                let at = Clock.moment();
                let seen = |slot| Observation {
                    at,
                    slot,
                    credential: None,
                    stage: Stage::Ended(Ended {
                        class,
                        ..Ended::without_verdict()
                    }),
                };
                self.take_in(self.targets.keys().copied().map(seen).collect());
            }
            ProbeResult::Failed(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_go_out_in_doubt_or_in_silence_and_one_at_a_time() {
        let (second, at) = (Duration::from_secs(1), Moment::from_millis);
        let mut probing = Probing::new(at(0));
        assert!(!probing.is_due(at(999), second, false));
        assert!(probing.is_due(at(1_000), second, false));
        assert!(probing.is_due(at(1), second, true));
        probing.heard(at(500));
        assert!(!probing.is_due(at(1_000), second, false));
        probing.is_out = true;
        assert!(!probing.is_due(at(9_000), second, true));
    }
}

//! Health: one per provider, on the control arbiter. Turns what workers saw into what routers read.
//!
//! Workers post outcomes into the provider's ring and wake nobody but for the first after a pause; this actor drains
//! the ring a few milliseconds later, publishes the vitals of the targets concerned, and hands the ends of attempts on
//! to the breaker. Once a second all vitals are published anew, so that windows move on without traffic.
//!
//! Where probes are configured, it also asks the provider for signs of life: while a breaker is not closed, or when
//! nothing has been heard for a while. A probe that fails to reach the provider counts like an attempt that failed to,
//! at every target of the provider. One that succeeds counts for nothing (it called no model): it only lets breakers
//! probe earlier that opened because the provider could not be reached.

mod probe;

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as TaskContext, Waker};
use std::time::Duration;

use actix::dev::SendError;
use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, MessageResult,
};
use actix::{SpawnHandle, WrapFuture};
use serde::Serialize;
use tollgate_core::{Clock, Moment};
use tollgate_routing::{HealthCell, HealthReport, Observation, Provider, Stage, TargetHealth};

pub use probe::{ProbeResult, Prober};

use crate::breaker::{Breaker, Outcomes};
use crate::upkeep::{Follow, Pulse, Retire, Vigour};
use crate::vital::Vital;
use crate::watched::{Watched, WatchedTarget};

/// From the first outcome after a pause until the ring is drained.
const DRAIN_AFTER: Duration = Duration::from_millis(3);
/// How often everything is published anew.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);
/// Outcomes taken out of the ring at once.
const BATCH: usize = 1 << 10;

/// Measures the targets of one provider.
pub(crate) struct Health {
    provider: Arc<Provider>,
    targets: HashMap<u32, Measured>,
    breaker: Addr<Breaker>,
    prober: Option<Arc<dyn Prober>>,
    probing: probe::Probing,
    probe_timer: Option<SpawnHandle>,
    /// Outcomes that the breaker had no room for.
    undelivered: u64,
    _vital: Vital,
}

struct Measured {
    name: Arc<str>,
    cell: Arc<HealthCell>,
    health: TargetHealth,
}

/// The health of one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetReport {
    /// `provider/model`.
    pub target: Arc<str>,
    /// Its [`HealthCell::slot`](tollgate_routing::HealthCell::slot).
    pub slot: u32,
    /// Requests there now.
    pub in_flight: u32,
    /// What is measured.
    pub health: HealthReport,
}

/// How are your targets?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Vec<TargetReport>")]
pub(crate) struct ReportHealth;

impl Health {
    pub(crate) fn new(
        watched: Watched,
        breaker: Addr<Breaker>,
        prober: Option<Arc<dyn Prober>>,
        vital: Vital,
    ) -> Self {
        let mut health = Self {
            provider: watched.provider.clone(),
            targets: HashMap::new(),
            breaker,
            prober,
            probing: probe::Probing::new(Clock.moment()),
            probe_timer: None,
            undelivered: 0,
            _vital: vital,
        };
        health.follow(watched);
        health
    }

    /// Measures these targets from now on. What is known of those that stay is kept.
    fn follow(&mut self, watched: Watched) {
        let settings = watched.provider.health;
        let mut known = std::mem::take(&mut self.targets);
        for WatchedTarget { name, cell, .. } in watched.targets {
            let slot = cell.slot();
            let measured = match known.remove(&slot) {
                Some(mut measured) => {
                    measured.health.configure(settings);
                    measured
                }
                None => Measured {
                    name,
                    cell,
                    health: TargetHealth::new(settings),
                },
            };
            self.targets.insert(slot, measured);
        }
        self.provider = watched.provider;
    }

    /// Waits for the ring, then for a batch to gather, and drains it.
    fn listen(&self, context: &mut Context<Self>) {
        let ring = self.provider.outcomes.clone();
        let posted = async move {
            poll_fn(|cx| ring.poll_posted(cx)).await;
            // Until the ring is drained, no post needs to wake anybody. What this clears is drained with the rest.
            let _ = ring.poll_posted(&mut TaskContext::from_waker(Waker::noop()));
        };
        let drain = posted
            .into_actor(self)
            .map(|(), _, context| Self::drain_later(context));
        context.spawn(drain);
    }

    fn drain_later(context: &mut Context<Self>) {
        context.run_later(DRAIN_AFTER, |health, context| {
            if health.drain() < BATCH {
                health.listen(context);
            } else {
                Self::drain_later(context);
            }
        });
    }

    /// Takes a batch out of the ring: how many there were.
    fn drain(&mut self) -> usize {
        let mut batch = Vec::new();
        let ring = self.provider.outcomes.clone();
        while batch.len() < BATCH
            && let Some(seen) = ring.pop()
        {
            batch.push(seen);
        }
        let drained = batch.len();
        if drained > 0 {
            self.probing.heard(Clock.moment());
            self.take_in(batch);
        }
        drained
    }

    /// Measures what was seen, publishes it, and hands it on.
    fn take_in(&mut self, mut batch: Vec<Observation>) {
        let mut touched: Vec<u32> = Vec::new();
        for seen in &batch {
            if let Some(measured) = self.targets.get_mut(&seen.slot) {
                measured.health.observe(seen);
                if !touched.contains(&seen.slot) {
                    touched.push(seen.slot);
                }
            }
        }
        let now = Clock.moment();
        let touched = touched.iter().filter_map(|slot| self.targets.get(slot));
        touched.for_each(|measured| measured.publish(now));
        batch.retain(|seen| matches!(seen.stage, Stage::Ended(_)));
        let ended = batch.len() as u64;
        if ended > 0
            && let Err(SendError::Full(_)) = self.breaker.try_send(Outcomes(batch))
        {
            self.undelivered += ended;
        }
    }

    fn publish_all(&self) {
        let now = Clock.moment();
        self.targets.values().for_each(|measured| measured.publish(now));
    }
}

impl Measured {
    fn publish(&self, now: Moment) {
        self.cell.publish(&self.health.vitals(now));
    }
}

impl Actor for Health {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.publish_all();
        self.listen(context);
        context.run_interval(PUBLISH_EVERY, |health, _| health.publish_all());
        self.schedule_probes(context);
    }
}

impl Handler<Follow> for Health {
    type Result = ();

    fn handle(&mut self, follow: Follow, context: &mut Self::Context) {
        let probe = self.provider.probe.clone();
        self.follow(follow.0);
        self.publish_all();
        if probe != self.provider.probe {
            self.schedule_probes(context);
        }
    }
}

impl Handler<Retire> for Health {
    type Result = ();

    fn handle(&mut self, _: Retire, context: &mut Self::Context) {
        context.stop();
    }
}

impl Handler<Pulse> for Health {
    type Result = MessageResult<Pulse>;

    fn handle(&mut self, _: Pulse, _: &mut Self::Context) -> Self::Result {
        MessageResult(Vigour {
            outcomes_dropped: self.provider.outcomes.dropped() + self.undelivered,
        })
    }
}

impl Handler<ReportHealth> for Health {
    type Result = MessageResult<ReportHealth>;

    fn handle(&mut self, _: ReportHealth, _: &mut Self::Context) -> Self::Result {
        let now = Clock.moment();
        let report = |measured: &Measured| TargetReport {
            target: measured.name.clone(),
            slot: measured.cell.slot(),
            in_flight: measured.cell.in_flight(),
            health: measured.health.report(now),
        };
        let mut reports: Vec<_> = self.targets.values().map(report).collect();
        reports.sort_by(|a, b| a.target.cmp(&b.target));
        MessageResult(reports)
    }
}

#[cfg(test)]
mod tests;

//! Breaker: one per provider, on the control arbiter. Owns the circuit breakers of its targets and the state of its
//! credentials, and publishes both.
//!
//! The machines are pure and say when time alone changes them next; this actor holds the one timer for all of them.

mod credentials;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, MessageResult, SpawnHandle};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde::Serialize;
use thiserror::Error;
use tollgate_core::{Clock, Moment, OutcomeClass};
use tollgate_routing::{
    BreakerReport, BreakerSettings, Changed, Ended, Force, Gate, GateMode, HealthCell, Observation, Provider,
    Stage, TripReason,
};

use crate::upkeep::{Follow, Pulse, Retire, Vigour};
use crate::vital::Vital;
use crate::watched::{Watched, WatchedTarget};
use credentials::Credentials;
pub use credentials::NamedCredential;

/// Batches of outcomes that may wait; one comes every few milliseconds.
const MAILBOX: usize = 256;
/// Timers are set no closer than this.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Called with each change of a breaker's state.
pub type OnTransition = Arc<dyn Fn(&Transition) + Send + Sync>;

/// A breaker has changed its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The provider's name.
    pub provider: Arc<str>,
    /// `provider/model`.
    pub target: Arc<str>,
    /// The state before.
    pub from: GateMode,
    /// The state after.
    pub to: GateMode,
    /// Why, in words.
    pub reason: String,
}

/// There is no such target.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no target {0:?}")]
pub struct UnknownTarget(pub String);

/// The breaker of one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetBreaker {
    /// `provider/model`.
    pub target: Arc<str>,
    /// Its [`HealthCell::slot`](tollgate_routing::HealthCell::slot).
    pub slot: u32,
    /// The breaker.
    pub breaker: BreakerReport,
    /// The provider's credentials as used for this target.
    pub credentials: Vec<NamedCredential>,
}

/// Owns the breakers of one provider.
pub(crate) struct Breaker {
    provider: Arc<Provider>,
    targets: BTreeMap<u32, Guarded>,
    timer: Option<(Moment, SpawnHandle)>,
    rng: SmallRng,
    on_transition: OnTransition,
    _vital: Vital,
}

struct Guarded {
    name: Arc<str>,
    cell: Arc<HealthCell>,
    machine: tollgate_routing::Breaker,
    /// What was published last.
    gate: Gate,
    credentials: Credentials,
}

/// Attempts that have ended.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Outcomes(pub(crate) Vec<Observation>);

/// The provider has answered a probe.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct SignOfLife;

/// Other keys were given out for the provider's identity.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Renewed;

/// An operator's order. The reply is the state that follows.
#[derive(Debug, Message)]
#[rtype(result = "Result<GateMode, UnknownTarget>")]
pub(crate) struct Order {
    pub(crate) target: String,
    pub(crate) force: Force,
}

/// How are your breakers?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Vec<TargetBreaker>")]
pub(crate) struct ReportBreakers;

impl Breaker {
    pub(crate) fn new(watched: Watched, on_transition: OnTransition, vital: Vital) -> Self {
        let mut breaker = Self {
            provider: watched.provider.clone(),
            targets: BTreeMap::new(),
            timer: None,
            rng: SmallRng::from_os_rng(),
            on_transition,
            _vital: vital,
        };
        breaker.follow(watched, Clock.moment());
        breaker
    }

    /// Guards these targets from now on. Those that stay keep their state.
    fn follow(&mut self, watched: Watched, now: Moment) {
        let settings = watched.provider.breaker;
        let mut known = std::mem::take(&mut self.targets);
        for target in watched.targets {
            let slot = target.cell.slot();
            let guarded = match known.remove(&slot) {
                Some(mut guarded) => {
                    guarded.machine.configure(settings);
                    guarded.credentials.follow(target.credentials, now);
                    guarded
                }
                None => Guarded::new(target, settings, now),
            };
            self.targets.insert(slot, guarded);
        }
        self.provider = watched.provider;
    }

    fn take_in(&mut self, seen: &Observation) {
        let Stage::Ended(ended) = seen.stage else { return };
        let jitter = self.rng.random();
        if let Some(guarded) = self.targets.get_mut(&seen.slot) {
            let changed = guarded.machine.observe(seen.at, &ended, jitter);
            guarded.settle(changed, seen.at, &self.provider, &self.on_transition);
        }
        if let Some(credential) = seen.credential {
            self.take_in_credential(seen, credential, &ended, jitter);
        }
    }

    /// A key that is not accepted, or whose account is empty, is so for every model of the provider; a rate limit is
    /// the model's own.
    fn take_in_credential(&mut self, seen: &Observation, credential: u16, ended: &Ended, jitter: f64) {
        let here = self.targets.get_mut(&seen.slot);
        let told = here.and_then(|it| it.credentials.observe(credential, seen.at, ended, jitter));
        let Some(health) = told else { return };
        for (_, other) in self.targets.iter_mut().filter(|(slot, _)| **slot != seen.slot) {
            other.credentials.hear(credential, seen.at, &health);
        }
    }

    fn tick(&mut self) {
        let now = Clock.moment();
        for guarded in self.targets.values_mut() {
            let changed = guarded.machine.tick(now);
            guarded.settle(changed, now, &self.provider, &self.on_transition);
        }
    }

    /// Sets the timer to the next moment at which time alone changes something.
    fn schedule(&mut self, context: &mut Context<Self>) {
        let ticks = self.targets.values().filter_map(|it| it.machine.next_tick());
        let next = ticks.min();
        if next == self.timer.map(|(at, _)| at) {
            return;
        }
        if let Some((_, timer)) = self.timer.take() {
            context.cancel_future(timer);
        }
        self.timer = next.map(|at| {
            let wait = at.since(Clock.moment()).max(SHORTEST_WAIT);
            let timer = context.run_later(wait, |breaker, context| {
                breaker.timer = None;
                breaker.tick();
                breaker.schedule(context);
            });
            (at, timer)
        });
    }
}

impl Guarded {
    fn new(target: WatchedTarget, settings: BreakerSettings, now: Moment) -> Self {
        let machine = tollgate_routing::Breaker::new(settings, now);
        let gate = machine.gate();
        // The cell may remember a breaker of an earlier configuration.
        target.cell.set_gate(gate);
        Self {
            name: target.name,
            cell: target.cell,
            machine,
            gate,
            credentials: Credentials::new(target.credentials, now),
        }
    }

    /// Publishes what has changed, and tells of it.
    fn settle(&mut self, changed: Changed, now: Moment, provider: &Provider, on_transition: &OnTransition) {
        let gate = self.machine.gate();
        let from = self.gate.mode;
        if gate != self.gate {
            self.gate = gate;
            self.cell.set_gate(gate);
        }
        if let Changed::ReturnProbe(generation) = changed {
            self.cell.return_probe(generation, now);
        }
        if gate.mode != from {
            on_transition(&Transition {
                provider: provider.name.clone(),
                target: self.name.clone(),
                from,
                to: gate.mode,
                reason: self.reason(from),
            });
        }
    }

    /// Why it is in the state that it has come to from `from`.
    fn reason(&self, from: GateMode) -> String {
        let trip = self.machine.last_trip();
        match (self.gate.mode, from) {
            (GateMode::Open, _) => trip.map_or_else(String::new, |(reason, _)| reason.to_string()),
            (GateMode::HalfOpen, _) => "it was open for long enough: probes may go out".to_owned(),
            (GateMode::Closed, GateMode::HalfOpen) => "its probes went well".to_owned(),
            (GateMode::Closed, _) => "an operator lets it decide again".to_owned(),
            (GateMode::ForcedOpen | GateMode::ForcedClosed | GateMode::Drained, _) => {
                "an operator says so".to_owned()
            }
        }
    }

    /// Whether it is open because the provider could not be reached, so that reaching it says something.
    fn was_out_of_reach(&self) -> bool {
        let trip = self.machine.last_trip();
        let Some((TripReason::Streak { last, .. } | TripReason::Probe(last), _)) = trip else {
            return false;
        };
        matches!(last, OutcomeClass::ConnectFailed | OutcomeClass::ConnectTimeout)
    }
}

impl Actor for Breaker {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Outcomes> for Breaker {
    type Result = ();

    fn handle(&mut self, outcomes: Outcomes, context: &mut Self::Context) {
        for seen in &outcomes.0 {
            self.take_in(seen);
        }
        self.schedule(context);
    }
}

impl Handler<SignOfLife> for Breaker {
    type Result = ();

    fn handle(&mut self, _: SignOfLife, context: &mut Self::Context) {
        let now = Clock.moment();
        for guarded in self.targets.values_mut().filter(|it| it.was_out_of_reach()) {
            let changed = guarded.machine.hasten(now);
            guarded.settle(changed, now, &self.provider, &self.on_transition);
        }
        self.schedule(context);
    }
}

impl Handler<Renewed> for Breaker {
    type Result = ();

    fn handle(&mut self, _: Renewed, _: &mut Self::Context) {
        let now = Clock.moment();
        for guarded in self.targets.values_mut() {
            guarded.credentials.renew(now);
        }
    }
}

impl Handler<Order> for Breaker {
    type Result = Result<GateMode, UnknownTarget>;

    fn handle(&mut self, order: Order, context: &mut Self::Context) -> Self::Result {
        let now = Clock.moment();
        let found = self.targets.values_mut().find(|it| *it.name == *order.target);
        let guarded = found.ok_or(UnknownTarget(order.target))?;
        let changed = guarded.machine.force(now, order.force);
        guarded.settle(changed, now, &self.provider, &self.on_transition);
        let mode = guarded.gate.mode;
        self.schedule(context);
        Ok(mode)
    }
}

impl Handler<Follow> for Breaker {
    type Result = ();

    fn handle(&mut self, follow: Follow, context: &mut Self::Context) {
        self.follow(follow.0, Clock.moment());
        self.schedule(context);
    }
}

impl Handler<Retire> for Breaker {
    type Result = ();

    fn handle(&mut self, _: Retire, context: &mut Self::Context) {
        context.stop();
    }
}

impl Handler<Pulse> for Breaker {
    type Result = MessageResult<Pulse>;

    fn handle(&mut self, _: Pulse, _: &mut Self::Context) -> Self::Result {
        MessageResult(Vigour { outcomes_dropped: 0 })
    }
}

impl Handler<ReportBreakers> for Breaker {
    type Result = MessageResult<ReportBreakers>;

    fn handle(&mut self, _: ReportBreakers, _: &mut Self::Context) -> Self::Result {
        let now = Clock.moment();
        let report = |guarded: &Guarded| TargetBreaker {
            target: guarded.name.clone(),
            slot: guarded.cell.slot(),
            breaker: guarded.machine.report(now),
            credentials: guarded.credentials.report(&self.provider, now),
        };
        let mut reports: Vec<_> = self.targets.values().map(report).collect();
        reports.sort_by(|a, b| a.target.cmp(&b.target));
        MessageResult(reports)
    }
}

#[cfg(test)]
mod tests;

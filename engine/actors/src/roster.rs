//! The roster: which actors are running, and how to reach them.
//!
//! Shared by all threads and cheap to clone. Workers enlist their routers; Control has it follow each snapshot, so
//! that providers that come get their actors and those that go have theirs stopped; the admin API asks it.

mod report;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor as _, Addr, ArbiterHandle, Handler, Message};
use futures_util::future::join_all;
use parking_lot::Mutex;
use serde::Serialize;
use tollgate_core::Clock;
use tollgate_routing::{Force, GateMode};

use crate::breaker::{Breaker, Order, Renewed, ReportBreakers};
use crate::health::{Health, ReportHealth};
use crate::upkeep::{Follow, Pulse, Retire};
use crate::vital::Vital;
use crate::watched::{Watched, watched};
use crate::{Adopt, Live, OnDeath, OnTransition, Prober, Router, TargetBreaker, TargetReport, UnknownTarget};
pub use report::ActorReport;

/// How long an actor may take to answer.
const PATIENCE: Duration = Duration::from_millis(100);

/// The actors that are running.
#[derive(Clone)]
pub struct Roster(Arc<Shared>);

/// What the actors of providers work with.
pub struct RosterParts {
    /// Where they live.
    pub arbiter: ArbiterHandle,
    /// Who sends probes; `None`: nobody.
    pub prober: Option<Arc<dyn Prober>>,
    /// Hears of each change of a breaker's state.
    pub on_transition: OnTransition,
    /// Hears of an actor that has panicked.
    pub on_death: OnDeath,
}

struct Shared {
    parts: RosterParts,
    crew: Mutex<Crew>,
}

#[derive(Default)]
struct Crew {
    routers: Vec<Addr<Router>>,
    providers: BTreeMap<Arc<str>, Pair>,
}

#[derive(Clone)]
struct Pair {
    health: Addr<Health>,
    breaker: Addr<Breaker>,
}

/// How many routers use a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Adopted {
    /// Routers that said so in time.
    pub applied: usize,
    /// Routers there are.
    pub of: usize,
}

impl Roster {
    /// A roster without actors.
    pub fn new(parts: RosterParts) -> Self {
        Self(Arc::new(Shared {
            parts,
            crew: Mutex::default(),
        }))
    }

    /// Adds a worker's router.
    pub fn enlist(&self, router: Addr<Router>) {
        let mut crew = self.0.crew.lock();
        crew.routers.retain(Addr::connected);
        crew.routers.push(router);
    }

    /// Starts, tells and stops the actors of providers, as a snapshot has them. Called by [`Control`](crate::Control)
    /// with each snapshot that it publishes.
    pub fn follow(&self, live: &Live) {
        let mut wanted = watched(&live.catalog);
        let mut crew = self.0.crew.lock();
        crew.providers.retain(|name, pair| {
            let stays = wanted.contains_key(name);
            if !stays {
                self.tell(&pair.health, Retire);
                self.tell(&pair.breaker, Retire);
            }
            stays
        });
        for (name, pair) in &crew.providers {
            if let Some(watched) = wanted.remove(name) {
                self.tell(&pair.health, Follow(watched.clone()));
                self.tell(&pair.breaker, Follow(watched));
            }
        }
        for (name, watched) in wanted {
            let pair = self.start(watched);
            crew.providers.insert(name, pair);
        }
    }

    fn start(&self, watched: Watched) -> Pair {
        let parts = &self.0.parts;
        let name = watched.provider.name.clone();
        let vital = |room: &str| Vital::new(format!("{room}/{name}"), parts.on_death.clone());
        let (of_breaker, of_health) = (vital("breaker"), vital("health"));
        let (guarded, on_transition) = (watched.clone(), parts.on_transition.clone());
        let breaker = Breaker::start_in_arbiter(&parts.arbiter, move |_| {
            Breaker::new(guarded, on_transition, of_breaker)
        });
        let (told, prober) = (breaker.clone(), parts.prober.clone());
        let health = Health::start_in_arbiter(&parts.arbiter, move |_| {
            Health::new(watched, told, prober, of_health)
        });
        Pair { health, breaker }
    }

    /// Tells an actor something that must not get lost, without waiting: the arbiter waits.
    fn tell<A, M>(&self, actor: &Addr<A>, message: M)
    where
        A: actix::Actor<Context = actix::Context<A>> + Handler<M>,
        M: Message<Result = ()> + Send + 'static,
    {
        let actor = actor.clone();
        self.0.parts.arbiter.spawn(async move {
            // It can only fail where the actor has stopped.
            let _ = actor.send(message).await;
        });
    }

    /// Other keys were given out for a provider's identity: that the old ones were not accepted is over.
    pub fn renewed(&self, provider: &str) {
        let pair = self.0.crew.lock().providers.get(provider).cloned();
        if let Some(pair) = pair {
            self.tell(&pair.breaker, Renewed);
        }
    }

    /// Asks all routers to use the newest snapshot: how many use `epoch` or a later one. Takes 100 ms at most.
    pub async fn adopt(&self, epoch: u64) -> Adopted {
        let routers = self.routers();
        let asked = routers.iter().map(|router| in_time(router.send(Adopt)));
        let replies = join_all(asked).await;
        Adopted {
            applied: replies.iter().flatten().filter(|used| **used >= epoch).count(),
            of: routers.len(),
        }
    }

    /// The health of all targets, by name. Those of a provider whose actor does not answer are missing.
    pub async fn health(&self) -> Vec<TargetReport> {
        let providers = self.providers();
        let asked = providers.values().map(|it| in_time(it.health.send(ReportHealth)));
        join_all(asked).await.into_iter().flatten().flatten().collect()
    }

    /// The breakers of all targets, by name. Those of a provider whose actor does not answer are missing.
    pub async fn breakers(&self) -> Vec<TargetBreaker> {
        let providers = self.providers();
        let asked = providers
            .values()
            .map(|it| in_time(it.breaker.send(ReportBreakers)));
        join_all(asked).await.into_iter().flatten().flatten().collect()
    }

    /// Forces the breaker of `target` (`provider/model`): the state that follows.
    ///
    /// # Errors
    /// There is no such target.
    pub async fn force(&self, target: &str, force: Force) -> Result<GateMode, UnknownTarget> {
        let unknown = || UnknownTarget(target.to_owned());
        let (provider, _) = target.split_once('/').ok_or_else(unknown)?;
        let breaker = self.0.crew.lock().providers.get(provider).cloned();
        let order = Order {
            target: target.to_owned(),
            force,
        };
        let replied = breaker.ok_or_else(unknown)?.breaker.send(order).await;
        // An actor that is gone has no targets.
        replied.unwrap_or_else(|_| Err(unknown()))
    }

    /// All actors on the roster: routers, then those of providers by name.
    pub async fn actors(&self) -> Vec<ActorReport> {
        let (routers, providers) = (self.routers(), self.providers());
        let routers = routers.iter().enumerate().map(|(number, router)| async move {
            let pulse = async { in_time(router.send(Adopt)).await.map(|_| None) };
            report::examined(format!("router/{number}"), Clock, pulse).await
        });
        let providers = providers.iter().map(|(name, pair)| async move {
            let health = async { in_time(pair.health.send(Pulse)).await.map(Some) };
            let breaker = async { in_time(pair.breaker.send(Pulse)).await.map(|_| None) };
            [
                report::examined(format!("health/{name}"), Clock, health).await,
                report::examined(format!("breaker/{name}"), Clock, breaker).await,
            ]
        });
        let mut reports = join_all(routers).await;
        reports.extend(join_all(providers).await.into_iter().flatten());
        reports
    }

    fn routers(&self) -> Vec<Addr<Router>> {
        let mut crew = self.0.crew.lock();
        crew.routers.retain(Addr::connected);
        crew.routers.clone()
    }

    fn providers(&self) -> BTreeMap<Arc<str>, Pair> {
        self.0.crew.lock().providers.clone()
    }
}

/// The answer, if it comes in time.
async fn in_time<T, E>(answer: impl Future<Output = Result<T, E>>) -> Option<T> {
    tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let crew = self.0.crew.lock();
        f.debug_struct("Roster")
            .field("routers", &crew.routers.len())
            .field("providers", &crew.providers.keys())
            .finish()
    }
}

#[cfg(test)]
mod tests;

//! What the stages of one HTTP worker share. It lives on the worker's thread, without locks.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::{Actor as _, Addr};
use tokio::sync::Semaphore;
use tollgate_actors::{CacheKeeper, Observe, Published, Reader, Roster, Router, Snapshot};
use tollgate_adapters::Scratch;
use tollgate_cache::Cache;
use tollgate_core::Clock;
use tollgate_routing::{Board, Hedge, RetryBudget, RetryLimits, Route};
use tollgate_telemetry::{Journal, Meters, Recent, RequestRecord};

use crate::embedding::Embeddings;
use crate::explain::DecisionRecord;
use crate::identity::Identities;
use crate::lifecycle::Lifecycle;
use crate::stages::recall::flights::Flights;
use crate::stages::recall::repeats::Repeats;
use crate::upstream::{Connector, Upstream};

/// How often idle upstream connections are looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(15);

/// What all workers share.
pub(crate) struct Shared {
    /// The configuration.
    pub(crate) published: Published,
    /// Whether the gateway is ready, and what is in flight.
    pub(crate) lifecycle: Lifecycle,
    /// Where metrics are counted.
    pub(crate) meters: Meters,
    /// Who asks for the keys of identities at clouds.
    pub(crate) identities: Identities,
    /// Where request records go; `None`: the access log is off.
    pub(crate) journal: Option<Journal>,
    /// Where the health of targets is seen.
    pub(crate) board: Arc<Board>,
    /// The actors that are at work.
    pub(crate) roster: Roster,
    /// The last decisions of each worker.
    pub(crate) decisions: Recent<DecisionRecord>,
    /// Where a share of the decisions is written; `None`: nowhere.
    pub(crate) decision_journal: Option<Journal<DecisionRecord>>,
    /// Answers that were given before.
    pub(crate) cache: Arc<Cache>,
    /// Who writes to it.
    pub(crate) keeper: Addr<CacheKeeper>,
    /// Who makes vectors for it; `None`: nobody beside the table in the binary.
    pub(crate) embeddings: Option<Embeddings>,
    /// Lookups in it that may be done at once beside the workers.
    pub(crate) long_lookups: Arc<Semaphore>,
    /// Answers that are on their way into it.
    pub(crate) flights: Arc<Flights>,
    /// Workers that have started.
    pub(crate) workers: AtomicUsize,
}

/// One HTTP worker.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) router: Addr<Router>,
    pub(crate) upstream: Upstream,
    pub(crate) scratch: RefCell<Scratch>,
    /// What the last requests have asked.
    pub(crate) repeats: Repeats,
    /// Its number among the workers.
    number: usize,
    newest: RefCell<Newest>,
    /// Hedges that this worker may still make, by route.
    hedges: RefCell<HashMap<Arc<str>, RetryBudget>>,
}

/// The newest configuration, as one worker holds it.
struct Newest {
    reader: Reader,
    held: Rc<Snapshot>,
}

impl Newest {
    fn of(published: &Published) -> Self {
        Self {
            reader: published.reader(),
            held: Rc::new(published.load()),
        }
    }

    fn load(&mut self) -> Rc<Snapshot> {
        let newest = self.reader.load();
        if !Arc::ptr_eq(newest, &self.held) {
            self.held = Rc::new(newest.clone());
        }
        self.held.clone()
    }
}

impl Worker {
    /// Starts a worker's router and pool. To be called on the worker's own thread.
    pub(crate) fn start(shared: Arc<Shared>) -> Rc<Self> {
        let router = Router::new(&shared.published).start();
        shared.roster.enlist(router.clone());
        let worker = Rc::new(Self {
            router,
            upstream: Upstream::new(Connector::from_env(shared.meters.clone())),
            scratch: RefCell::default(),
            repeats: Repeats::default(),
            number: shared.workers.fetch_add(1, Ordering::Relaxed),
            newest: RefCell::new(Newest::of(&shared.published)),
            hedges: RefCell::default(),
            shared,
        });
        let swept = Rc::downgrade(&worker);
        actix_rt::spawn(async move {
            let mut ticks = tokio::time::interval(SWEEP_EVERY);
            loop {
                ticks.tick().await;
                let Some(worker) = swept.upgrade() else { break };
                worker.upstream.sweep();
            }
        });
        worker
    }

    /// The newest configuration. A request's share in it is counted here, not with those of all workers: they would
    /// wait for each other's counting.
    pub(crate) fn snapshot(&self) -> Rc<Snapshot> {
        self.newest.borrow_mut().load()
    }

    /// A request that might be hedged pays into its route's budget. Each worker counts for itself.
    pub(crate) fn hedgeable(&self, route: &Route, hedge: &Hedge) {
        let limits = RetryLimits {
            ratio: hedge.max_ratio,
            per_second: 0.0,
        };
        let mut hedges = self.hedges.borrow_mut();
        if !hedges.contains_key(&route.name) {
            hedges.insert(route.name.clone(), RetryBudget::new(limits));
        }
        if let Some(budget) = hedges.get(&route.name) {
            budget.limit(limits);
            budget.deposit(Clock.moment());
        }
    }

    /// Whether the route's budget allows one more hedge; it is taken out.
    pub(crate) fn may_hedge(&self, route: &Route) -> bool {
        let hedges = self.hedges.borrow();
        hedges
            .get(&route.name)
            .is_some_and(|budget| budget.withdraw(Clock.moment()))
    }

    /// A target has answered a long prompt: it may have its beginning in a cache now. Told, not asked: a router that
    /// is busy misses it.
    pub(crate) fn warmed(&self, prefix: u64, slot: u32, prompt_tokens: u64) {
        let _ = self.router.try_send(Observe {
            prefix,
            slot,
            prompt_tokens,
        });
    }

    /// Counts and logs what became of a request, and keeps how it was decided.
    pub(crate) fn settled(&self, record: RequestRecord, decision: Option<DecisionRecord>) {
        self.shared.meters.settle(&record);
        if let Some(journal) = &self.shared.journal {
            journal.post(Box::new(record));
        }
        if let Some(decision) = decision {
            self.keep(decision);
        }
    }

    fn keep(&self, decision: DecisionRecord) {
        if let Some(journal) = &self.shared.decision_journal {
            let sample = self.snapshot().telemetry.decisions.sample;
            if rand::random::<f32>() < sample {
                journal.post(Box::new(decision.clone()));
            }
        }
        self.shared.decisions.push(self.number, Arc::new(decision));
    }
}

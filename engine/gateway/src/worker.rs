//! What the stages of one HTTP worker share. It lives on the worker's thread, without locks.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor as _, Addr};
use tollgate_actors::{Published, Router};
use tollgate_adapters::Scratch;
use tollgate_telemetry::{Journal, Meters, RequestRecord};

use crate::lifecycle::Lifecycle;
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
    /// Where request records go; `None`: the access log is off.
    pub(crate) journal: Option<Journal>,
}

/// One HTTP worker.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) router: Addr<Router>,
    pub(crate) upstream: Upstream,
    pub(crate) scratch: RefCell<Scratch>,
}

impl Worker {
    /// Starts a worker's router and pool. To be called on the worker's own thread.
    pub(crate) fn start(shared: Arc<Shared>) -> Rc<Self> {
        let router = Router::new(&shared.published, rand::random()).start();
        let worker = Rc::new(Self {
            router,
            upstream: Upstream::new(Connector::from_env(shared.meters.clone())),
            scratch: RefCell::default(),
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

    /// Counts and logs what became of a request.
    pub(crate) fn settled(&self, record: RequestRecord) {
        self.shared.meters.settle(&record);
        if let Some(journal) = &self.shared.journal {
            journal.post(Box::new(record));
        }
    }
}

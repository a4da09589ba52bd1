//! The router: one per HTTP worker, on that worker's own arbiter.
//!
//! It owns what a decision needs and nobody else may touch: a reader of the catalog and the random numbers.
//! Asking it is a local message (well under a microsecond), so there is never a second scoring path inline, and
//! never a timeout on the question.

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tollgate_core::Surface;
use tollgate_routing::{Plan, PlanError, plan};

use crate::snapshot::{Published, Reader};

/// Questions that may wait at once; a worker has at most one per request it is serving.
const MAILBOX: usize = 1 << 16;

/// Ranks candidates for the requests of one worker.
pub struct Router {
    snapshots: Reader,
    rng: SmallRng,
}

/// Who should answer this request?
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Plan, PlanError>")]
pub struct Ask {
    /// What the client called.
    pub surface: Surface,
    /// The model it named.
    pub model: Arc<str>,
}

impl Router {
    /// A router that follows `published`. Its choices follow from `seed`.
    pub fn new(published: &Published, seed: u64) -> Self {
        Self {
            snapshots: published.reader(),
            rng: SmallRng::seed_from_u64(seed),
        }
    }
}

impl Actor for Router {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Ask> for Router {
    type Result = Result<Plan, PlanError>;

    fn handle(&mut self, ask: Ask, _: &mut Self::Context) -> Self::Result {
        let question = tollgate_routing::Ask {
            surface: ask.surface,
            model: &ask.model,
        };
        plan(&self.snapshots.load().catalog, question, &mut self.rng)
    }
}

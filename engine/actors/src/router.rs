//! The router: one per HTTP worker, on that worker's own arbiter.
//!
//! It owns what a decision needs and nobody else may touch: a reader of the catalog, the planner's memory, and what
//! this worker knows of warm prompt caches. Asking it is a local message (well under a microsecond), so there is
//! never a second scoring path inline, and never a timeout on the question.

mod warmth;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message};
use tollgate_core::{Capabilities, Clock, Nanodollars, Pattern, Surface};
use tollgate_routing::{Plan, PlanError, Planner};

use crate::snapshot::{Published, Reader};
use warmth::Warmth;

/// Questions that may wait at once; a worker has at most one per request it is serving.
const MAILBOX: usize = 1 << 16;

/// Ranks candidates for the requests of one worker.
pub struct Router {
    snapshots: Reader,
    planner: Planner,
    warmth: Warmth,
}

/// Who should answer this request?
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Plan, PlanError>")]
pub struct Ask {
    /// What the client called.
    pub surface: Surface,
    /// The model it named.
    pub model: Arc<str>,
    /// What the request needs a model to be able to do.
    pub needs: Capabilities,
    /// Prompt tokens, as estimated.
    pub prompt_tokens: u64,
    /// Answer tokens at most; `None`: the client does not say.
    pub max_output_tokens: Option<u32>,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// The client's conversation, hashed; `None`: it does not say, and nothing is sticky.
    pub session: Option<u64>,
    /// The part of the prompt that a provider may have cached, hashed; `None`: there is none.
    pub prefix: Option<u64>,
    /// Time left; `None`: no deadline.
    pub time_left: Option<Duration>,
    /// Money at most; `None`: no ceiling.
    pub max_cost: Option<Nanodollars>,
    /// Where the caller's answers may come from; `None`: anywhere.
    pub regions: Option<Arc<[Arc<str>]>>,
    /// The targets that the caller may use, as `provider/model`; empty: all.
    pub targets: Arc<[Pattern]>,
    /// Decides whatever is left to chance, also whether a staged change applies: entropy of the request's id.
    pub seed: u64,
}

/// A target has answered a prompt: its cache may hold the beginning of it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Observe {
    /// The [`Ask::prefix`] of the request.
    pub prefix: u64,
    /// The target's [`HealthCell::slot`](tollgate_routing::HealthCell::slot).
    pub slot: u32,
    /// How long the prompt was.
    pub prompt_tokens: u64,
}

/// Which snapshot do you use? The reply is its epoch; by then it is the newest.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "u64")]
pub struct Adopt;

impl Router {
    /// A router that follows `published`.
    pub fn new(published: &Published) -> Self {
        Self {
            snapshots: published.reader(),
            planner: Planner::default(),
            warmth: Warmth::default(),
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
        let now = Clock.moment();
        let warm = ask.prefix.and_then(|prefix| self.warmth.of(now, prefix));
        let question = tollgate_routing::Ask {
            now,
            seed: ask.seed,
            surface: ask.surface,
            model: &ask.model,
            needs: ask.needs,
            prompt_tokens: ask.prompt_tokens,
            max_output_tokens: ask.max_output_tokens,
            stream: ask.stream,
            session: ask.session,
            warm,
            time_left: ask.time_left,
            max_cost: ask.max_cost,
            regions: ask.regions.as_deref(),
            targets: &ask.targets,
        };
        let catalog = self.snapshots.load().catalog_for(ask.seed);
        self.planner.plan(catalog, &question)
    }
}

impl Handler<Observe> for Router {
    type Result = ();

    fn handle(&mut self, seen: Observe, _: &mut Self::Context) {
        let now = Clock.moment();
        self.warmth
            .warmed(now, seen.prefix, seen.slot, seen.prompt_tokens);
    }
}

impl Handler<Adopt> for Router {
    type Result = u64;

    fn handle(&mut self, _: Adopt, _: &mut Self::Context) -> u64 {
        self.snapshots.load().epoch()
    }
}

#[cfg(test)]
mod tests;

//! The decision as the router makes it: look the route up, gather what is known of its candidates, rank them.

mod contender;
mod gather;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use thiserror::Error;
use tollgate_core::{Capabilities, Moment, Nanodollars, Pattern, Surface};

use crate::rank::{Place, Ranked, Ranking};
use crate::{Catalog, Claim, ModelFacts, Question, Route, Target};
use contender::{Asked, Standing};
use gather::Gathered;

pub use contender::Contender;

/// What is known of a request when a plan is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Now.
    pub now: Moment,
    /// Decides whatever is left to chance.
    pub seed: u64,
    /// What the client called.
    pub surface: Surface,
    /// The model it named.
    pub model: &'a str,
    /// What the request needs a model to be able to do.
    pub needs: Capabilities,
    /// Prompt tokens, as estimated.
    pub prompt_tokens: u64,
    /// Answer tokens at most; `None`: the client does not say.
    pub max_output_tokens: Option<u32>,
    /// Whether a stream is asked for: then the first token ends the wait.
    pub stream: bool,
    /// The client's conversation; `None`: it does not say.
    pub session: Option<u64>,
    /// Whose prompt cache holds the beginning of the prompt; `None`: nobody's that we know of.
    pub warm: Option<Warm>,
    /// Time left; `None`: no deadline.
    pub time_left: Option<Duration>,
    /// Money at most; `None`: no ceiling.
    pub max_cost: Option<Nanodollars>,
    /// Where the caller's answers may come from; `None`: anywhere.
    pub regions: Option<&'a [Arc<str>]>,
    /// The targets that the caller may use, as `provider/model`; empty: all.
    pub targets: &'a [Pattern],
}

/// A target whose prompt cache is warm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warm {
    /// Its cell's slot.
    pub slot: u32,
    /// Prompt tokens that it is expected to have kept.
    pub tokens: u64,
}

/// The answer: candidates in the order in which to try them, and how that came about.
#[derive(Debug)]
pub struct Plan {
    /// The snapshot it was made from.
    pub epoch: u64,
    /// The route that the request asked for.
    pub route: Arc<Route>,
    /// That route and its fallbacks, by [`Reason::fallback`].
    asked: SmallVec<[Asked; 1]>,
    /// Whom to try, in this order. Never empty.
    standings: Vec<Standing>,
    /// How the order came about.
    pub decision: Box<Decision>,
    /// The place kept at the first candidate, until somebody is asked.
    pub claim: Option<Claim>,
}

/// Somebody to be asked, on their own: a [`Contender`] whose turn it is.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Whom to ask.
    pub target: Arc<Target>,
    /// The model's name there.
    pub model: Arc<str>,
    /// What is known of that model.
    pub facts: ModelFacts,
    /// Why it stands where it stands.
    pub reason: Reason,
    /// What it costs at the most; `None`: the price is not known.
    pub worst_cost: Option<Nanodollars>,
    /// The time until it answers (a stream: until its first token), by recent measurements; `None`: there are
    /// none.
    pub expected: Option<Duration>,
}

/// Why a candidate stands where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reason {
    /// 0 for a target of the route itself, n for one of its nth fallback.
    pub fallback: u16,
    /// Its priority group.
    pub priority: u32,
    /// What put it there.
    pub place: Place,
    /// Its score; lower is better.
    pub score: f32,
}

/// A decision, whole: enough to explain it, and to make it again.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Decision {
    /// The snapshot of the configuration that it was made from.
    pub epoch: u64,
    /// What it was made from.
    pub question: Question,
    /// The order that came out.
    pub ranking: Vec<Ranked>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum PlanError {
    /// No route has this name; `near` are the closest that exist.
    #[error("no route matches this model")]
    UnknownModel {
        /// The nearest names, nearest first.
        near: Vec<Arc<str>>,
    },
    /// The route exists, but nobody may be asked.
    #[error("no target of this route can take the request")]
    NoCandidate(Box<NoCandidate>),
}

/// Why nobody may be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct NoCandidate {
    /// The decision; its candidates say why not they.
    pub decision: Decision,
    /// The lowest worst-case price among those that were too dear; `None`: none was.
    pub cheapest: Option<Nanodollars>,
    /// The largest context window among those that were too small, in tokens; `None`: none was.
    pub largest_window: Option<u32>,
    /// When the first of those that rest may be asked again; `None`: none rests.
    pub retry_after: Option<Duration>,
}

impl Decision {
    /// Whether nobody was healthy and somebody was asked all the same.
    pub fn is_panic(&self) -> bool {
        self.ranking
            .first()
            .is_some_and(|first| first.place == Place::LastResort)
    }
}

/// Makes plans. Holds nothing between two of them but memory.
#[derive(Debug, Default)]
pub struct Planner {
    ranking: Ranking,
}

impl Planner {
    /// Ranks the candidates for a request: those of the route, then those of its fallbacks in their order.
    ///
    /// # Errors
    /// [`PlanError`]: there is no such route, or nobody in it may be asked.
    pub fn plan(&mut self, catalog: &Catalog, ask: &Ask<'_>) -> Result<Plan, PlanError> {
        let found = catalog.find_for(ask.surface, ask.model);
        let found = found.ok_or_else(|| PlanError::UnknownModel {
            near: catalog.suggestions(ask.model),
        })?;
        let gathered = Gathered::new(catalog, ask, &found.route, found.model);
        let ranked = self.ranking.rank(&gathered.question);
        let mut standings = Vec::with_capacity(ranked.len());
        standings.extend(ranked.iter().filter_map(|ranked| gathered.standing(ranked)));
        let ranking = ranked.to_vec();
        let epoch = catalog.epoch;
        if standings.is_empty() {
            return Err(PlanError::NoCandidate(Box::new(gathered.nobody(epoch))));
        }
        let Gathered { question, asked, .. } = gathered;
        let mut plan = Plan {
            epoch,
            route: found.route,
            asked,
            standings,
            decision: Box::new(Decision {
                epoch,
                question,
                ranking,
            }),
            claim: None,
        };
        plan.claim = plan.contender(0).map(|it| Claim::new(it.target.cell.clone()));
        Ok(plan)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (score {:.3})", self.place.name(), self.score)
    }
}

#[cfg(test)]
mod tests;

//! How a route chooses: what an operator may set, and change while it runs.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tollgate_core::Nanodollars;

/// How a route orders its candidates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// What decides within a priority group.
    pub strategy: Strategy,
    /// How much each term counts, where scores decide.
    pub weights: Weights,
    /// Candidates whose score is within this of the best one's count as equally good: requests are spread over
    /// them. A difference of scores is a logarithm: 0.14 stands for 15 % worse by a term of weight 1.
    pub near_best: f32,
    /// The share of requests that may go to a candidate of which nothing has been heard for a second, so that its
    /// recovery is noticed. `0.0..=1.0`; scores only.
    pub explore: f32,
    /// What to do when every candidate is filtered out by its own health.
    pub on_no_candidates: OnNoCandidates,
    /// Whether the requests of a session stay together.
    pub sticky: bool,
}

/// What decides within a priority group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Each target's share, as written.
    #[default]
    Weighted,
    /// Cost, latency and availability, as measured.
    Scored,
}

/// How much each term of a score counts. Terms are logarithms of ratios to the best candidate, so that a weight
/// means the same on every route, in every currency and at every speed: with equal weights, twice the price is
/// made up for by half the latency.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// The expected price of the answer.
    pub cost: f32,
    /// The predicted time to it.
    pub latency: f32,
    /// The share of requests that fail.
    pub availability: f32,
}

/// What to do when every candidate is filtered out by its own health (breaker, cool-down, credentials).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnNoCandidates {
    /// Ask the best of them all the same: panic mode. A breaker never ejects the last target into nothing.
    #[default]
    TryAnyway,
    /// Refuse at once.
    Refuse,
}

/// What a request on a route may take and cost, over all of its attempts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limits {
    /// Time for everything until the answer is complete (a whole one) or begins (a stream); `None`: no limit but
    /// the providers' timeouts. A client may set a shorter one.
    pub deadline: Option<Duration>,
    /// Money at most, all attempts together, at the worst case; `None`: no limit. A client may set a lower one.
    pub max_cost: Option<Nanodollars>,
    /// The longest that the gateway waits for a provider that says when to come back.
    pub max_retry_wait: Duration,
    /// A second request to another target when the first one is late; `None`: never.
    pub hedge: Option<Hedge>,
    /// Whether a stream that breaks is continued by another target.
    pub continue_streams: bool,
    /// Where answers may come from; `None`: anywhere.
    pub regions: Option<Arc<[Arc<str>]>>,
}

/// When a second target is asked beside the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hedge {
    /// How long the first one may take; `None`: its own 95th percentile, as measured.
    pub after: Option<Duration>,
    /// Hedges per request at most, in the long run. `0.0..=1.0`.
    pub max_ratio: f32,
    /// What one hedge may cost at the worst case; `None`: no limit.
    pub max_cost: Option<Nanodollars>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            strategy: Strategy::Weighted,
            weights: Weights::default(),
            near_best: 0.14,
            explore: 0.01,
            on_no_candidates: OnNoCandidates::TryAnyway,
            sticky: false,
        }
    }
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            cost: 1.0,
            latency: 1.0,
            availability: 1.0,
        }
    }
}

impl Strategy {
    /// The name in the config file and the admin API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Weighted => "weighted",
            Self::Scored => "scored",
        }
    }
}

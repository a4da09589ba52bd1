//! Rehearsal: recorded decisions, made again under other weights.
//!
//! The order of candidates is computed by the very function that the router uses, from what was known then; with no
//! changes every decision comes out as it was, to the bit. What follows from the order is an estimate: the cost and
//! time that were expected at that moment of whoever would have been asked first. What a target would have done with
//! traffic it never got is not known to anybody.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::patch::Changes;
use crate::plan::Decision;
use crate::question::Question;
use crate::rank::{Ranked, Ranking};

/// What a change would do.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Forecast {
    /// Decisions replayed.
    pub decisions: u64,
    /// Decisions whose order came out otherwise than it was recorded.
    pub reordered: u64,
    /// Decisions whose first choice came out otherwise.
    pub first_changed: u64,
    /// By route, in alphabetical order.
    pub routes: Vec<RouteForecast>,
}

/// What a change would do to one route.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct RouteForecast {
    /// The route's name.
    pub route: String,
    /// Decisions of this route.
    pub decisions: u64,
    /// First choices by target, in alphabetical order.
    pub shares: Vec<Share>,
    /// Expected cost of all requests at their first choice, nanodollars, then and under the change. Requests
    /// whose price is not known are left out of both.
    pub cost_nanodollars: Change<u64>,
    /// Mean of the predicted times to the whole answer at the first choice, microseconds.
    pub mean_time_us: Change<u64>,
    /// Requests for which nobody may be asked.
    pub refusals: Change<u64>,
}

/// A target's share of first choices.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Share {
    /// `provider/model`.
    pub target: String,
    /// Requests that ask it first.
    pub requests: Change<u64>,
    /// The same over all requests of the route, `0.0..=1.0`.
    pub share: Change<f64>,
}

/// A value as recorded and as it would be.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Change<T> {
    /// As recorded.
    pub before: T,
    /// Under the change.
    pub after: T,
}

/// Replays decisions one after the other.
#[derive(Debug, Default)]
pub struct Replay {
    ranking: Ranking,
    decisions: u64,
    reordered: u64,
    first_changed: u64,
    routes: BTreeMap<String, Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    decisions: u64,
    targets: BTreeMap<String, Change<u64>>,
    cost: Change<u64>,
    time_us: Change<f64>,
    timed: u64,
    refusals: Change<u64>,
}

impl Replay {
    /// Makes one decision again under `changes`.
    pub fn decide(&mut self, decision: &Decision, changes: &Changes) {
        let mut question = decision.question.clone();
        question.change(changes);
        let after = self.ranking.rank(&question);
        let before = &decision.ranking;
        self.decisions += 1;
        self.reordered += u64::from(after != before.as_slice());
        let first = |order: &[Ranked]| order.first().map(|it| it.candidate);
        self.first_changed += u64::from(first(after) != first(before));
        let route = decision.question.groups.first();
        let route = route.map_or_else(String::new, |group| group.route.to_string());
        let tally = self.routes.entry(route).or_default();
        tally.count(&question, before.first(), after.first());
    }

    /// What came of it.
    pub fn forecast(self) -> Forecast {
        Forecast {
            decisions: self.decisions,
            reordered: self.reordered,
            first_changed: self.first_changed,
            routes: self
                .routes
                .into_iter()
                .map(|(route, tally)| tally.forecast(route))
                .collect(),
        }
    }
}

impl Tally {
    fn count(&mut self, question: &Question, before: Option<&Ranked>, after: Option<&Ranked>) {
        let chosen =
            |it: Option<&Ranked>| it.and_then(|it| question.candidates.get(usize::from(it.candidate)));
        let name = |facts| question.name(facts);
        let (was, is) = (chosen(before), chosen(after));
        self.decisions += 1;
        match was {
            Some(was) => self.targets.entry(name(was)).or_default().before += 1,
            None => self.refusals.before += 1,
        }
        match is {
            Some(is) => self.targets.entry(name(is)).or_default().after += 1,
            None => self.refusals.after += 1,
        }
        if let (Some(was), Some(is)) = (was.and_then(|it| it.cost), is.and_then(|it| it.cost)) {
            self.cost.before = self.cost.before.saturating_add(was);
            self.cost.after = self.cost.after.saturating_add(is);
        }
        if let (Some(was), Some(is)) = (before, after)
            && was.terms.predicted_us > 0.0
        {
            self.timed += 1;
            self.time_us.before += f64::from(was.terms.predicted_us);
            self.time_us.after += f64::from(is.terms.predicted_us);
        }
    }

    fn forecast(self, route: String) -> RouteForecast {
        let decisions = self.decisions;
        let mean = |sum: f64| whole(sum / count(self.timed.max(1)));
        let share = |requests: u64| count(requests) / count(decisions.max(1));
        RouteForecast {
            route,
            decisions,
            shares: self
                .targets
                .into_iter()
                .map(|(target, requests)| Share {
                    target,
                    requests,
                    share: Change {
                        before: share(requests.before),
                        after: share(requests.after),
                    },
                })
                .collect(),
            cost_nanodollars: self.cost,
            mean_time_us: Change {
                before: mean(self.time_us.before),
                after: mean(self.time_us.after),
            },
            refusals: self.refusals,
        }
    }
}

fn count(number: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of requests stay far below 2^53"
    )]
    let number = number as f64;
    number
}

fn whole(value: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and takes NaN for 0"
    )]
    let whole = value.round() as u64;
    whole
}

#[cfg(test)]
mod tests;

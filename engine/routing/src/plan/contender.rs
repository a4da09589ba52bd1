//! The candidates of a plan as it holds them: as places in routes. Nobody's owners are counted but those of the routes,
//! and of the candidate whose turn it is: what all workers share, they would wait for each other's counting of.

use std::sync::Arc;
use std::time::Duration;

use tollgate_core::Nanodollars;

use super::{Candidate, Plan, Reason};
use crate::{ModelFacts, Route, Target};

/// A place in a plan, and who stands there.
#[derive(Debug, Clone, Copy)]
pub struct Contender<'p> {
    /// Whom to ask.
    pub target: &'p Arc<Target>,
    /// The model's name there.
    pub model: &'p Arc<str>,
    /// What is known of that model.
    pub facts: &'p ModelFacts,
    /// The rest.
    standing: &'p Standing,
}

/// A route whose targets were considered.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) route: Arc<Route>,
    /// The model of targets that have none of their own. `None`: there are no such.
    pub(super) model: Option<Arc<str>>,
}

/// A place in a plan.
#[derive(Debug)]
pub(super) struct Standing {
    /// Which target of its route it is.
    pub(super) entry: u16,
    /// What is known of its model, where the target does not say all of it.
    pub(super) facts: Option<Box<ModelFacts>>,
    pub(super) reason: Reason,
    pub(super) worst_cost: Option<Nanodollars>,
    pub(super) expected: Option<Duration>,
}

impl Plan {
    /// Whom to try, in this order. Never empty.
    pub fn contenders(&self) -> impl Iterator<Item = Contender<'_>> {
        self.standings.iter().filter_map(|standing| self.at(standing))
    }

    /// Who stands there; `None`: nobody does any more.
    pub fn contender(&self, place: usize) -> Option<Contender<'_>> {
        self.at(self.standings.get(place)?)
    }

    fn at<'p>(&'p self, standing: &'p Standing) -> Option<Contender<'p>> {
        let asked = self.asked.get(usize::from(standing.reason.fallback))?;
        let target = &asked.route.targets.get(usize::from(standing.entry))?.target;
        Some(Contender {
            target,
            model: target.model.as_ref().or(asked.model.as_ref())?,
            facts: standing.facts.as_deref().unwrap_or(&target.facts),
            standing,
        })
    }
}

impl Contender<'_> {
    /// Why it stands where it stands.
    pub fn reason(&self) -> Reason {
        self.standing.reason
    }

    /// What it costs at the most; `None`: the price is not known.
    pub fn worst_cost(&self) -> Option<Nanodollars> {
        self.standing.worst_cost
    }

    /// As [`Candidate::expected`].
    pub fn expected(&self) -> Option<Duration> {
        self.standing.expected
    }

    /// Who stands here, on their own.
    pub fn candidate(&self) -> Candidate {
        Candidate {
            target: self.target.clone(),
            model: self.model.clone(),
            facts: self.facts.clone(),
            reason: self.reason(),
            worst_cost: self.worst_cost(),
            expected: self.expected(),
        }
    }
}

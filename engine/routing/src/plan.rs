//! The decision: who is asked, in which order, and why.
//!
//! Today by priority and static weight; the reasons are part of the answer from the first day, so that live
//! scores can join them without changing who is told what.

use std::sync::Arc;

use rand::Rng;
use smallvec::SmallVec;
use thiserror::Error;
use tollgate_core::Surface;

use crate::{Catalog, Route, RouteTarget, Target};

/// What is known of a request when a plan is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// What the client called.
    pub surface: Surface,
    /// The model it named.
    pub model: &'a str,
}

/// The answer: candidates in the order in which to try them.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The snapshot it was made from.
    pub epoch: u64,
    /// The route that the request asked for.
    pub route: Arc<Route>,
    /// Whom to try, in this order. Never empty.
    pub candidates: SmallVec<[Candidate; 4]>,
}

/// One place in a plan.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Whom to ask.
    pub target: Arc<Target>,
    /// The model's name there.
    pub model: Arc<str>,
    /// Why it stands where it stands.
    pub reason: Reason,
}

/// Why a candidate stands where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// 0 for a target of the route itself, n for one of its nth fallback.
    pub fallback: u16,
    /// Its priority group.
    pub priority: u32,
    /// Its weight within the group.
    pub weight: u32,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    /// No route has this name; `near` are the closest that exist.
    #[error("no route matches this model")]
    UnknownModel {
        /// The nearest names, nearest first.
        near: Vec<Arc<str>>,
    },
    /// The route exists, but none of its targets can serve this surface.
    #[error("no target of this route can serve {}", surface.operation())]
    NoCandidate {
        /// The route's name.
        route: Arc<str>,
        /// What was asked.
        surface: Surface,
    },
}

/// Ranks the candidates for a request.
///
/// Groups of lower priority come first. Within a group the order is a weighted draw without replacement
/// (Efraimidis and Spirakis 2006, "Weighted random sampling with a reservoir": rank by −ln(u)/w), so that the
/// first place falls to each target in proportion to its weight, and so does every later one among those left.
/// Targets of weight 0, and targets whose dialect cannot carry the surface, are left out; fallbacks follow in
/// their order, each ranked the same way. At most `route.max_attempts` candidates.
pub fn plan(catalog: &Catalog, ask: Ask<'_>, rng: &mut impl Rng) -> Result<Plan, PlanError> {
    let found = catalog.find(ask.model);
    let found = found.ok_or_else(|| PlanError::UnknownModel {
        near: catalog.suggestions(ask.model),
    })?;
    let mut candidates = SmallVec::new();
    rank(&found.route, found.model, 0, ask.surface, rng, &mut candidates);
    for (fallback, number) in found.route.fallbacks.iter().zip(1u16..) {
        if let Some(next) = catalog.find(&fallback.model) {
            rank(&next.route, next.model, number, ask.surface, rng, &mut candidates);
        }
    }
    candidates.truncate(found.route.max_attempts.max(1));
    if candidates.is_empty() {
        return Err(PlanError::NoCandidate {
            route: found.route.name.clone(),
            surface: ask.surface,
        });
    }
    Ok(Plan {
        epoch: catalog.epoch,
        route: found.route,
        candidates,
    })
}

fn rank(
    route: &Route,
    model: &str,
    fallback: u16,
    surface: Surface,
    rng: &mut impl Rng,
    into: &mut SmallVec<[Candidate; 4]>,
) {
    let usable = |it: &&RouteTarget| it.weight > 0 && surface.servable_by(it.target.provider.kind.dialect());
    let mut drawn: SmallVec<[(u32, f64, &RouteTarget); 8]> = route
        .targets
        .iter()
        .filter(usable)
        .map(|it| (it.priority, draw(it.weight, rng), it))
        .collect();
    drawn.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    into.extend(drawn.into_iter().map(|(priority, _, it)| Candidate {
        target: it.target.clone(),
        model: it.target.model.clone().unwrap_or_else(|| model.into()),
        reason: Reason {
            fallback,
            priority,
            weight: it.weight,
        },
    }));
}

/// An exponential variate of rate `weight`: the smallest of several is each one's with probability ∝ weight.
fn draw(weight: u32, rng: &mut impl Rng) -> f64 {
    let uniform: f64 = 1.0 - rng.random::<f64>();
    -uniform.ln() / f64::from(weight)
}

#[cfg(test)]
mod tests;

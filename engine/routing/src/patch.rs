//! Changes to routes while the gateway runs: what may be changed, checked as a whole, applied as a whole.
//!
//! A [`Changes`] document lies over the configuration file like a transparency: what it names is replaced, the rest
//! shows through. The same document is applied to a [`Catalog`] when it goes live, and to recorded [`Question`]s
//! when it is rehearsed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tollgate_core::Nanodollars;

use crate::question::{Filter, Question};
use crate::{Catalog, OnNoCandidates, Policy, Route, RouteTarget, Strategy};

/// Changes by route.
pub type Changes = BTreeMap<String, RouteChange>;

/// What may be changed of a route. `None`: as the file says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteChange {
    /// What decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// How much each term counts.
    #[serde(skip_serializing_if = "WeightsChange::is_empty")]
    pub weights: WeightsChange,
    /// How close to the best score is as good as the best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near_best: Option<f32>,
    /// The share of requests that explore.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explore: Option<f32>,
    /// What to do when nobody is healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_no_candidates: Option<OnNoCandidates>,
    /// Whether sessions stay together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticky: Option<bool>,
    /// Attempts at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<usize>,
    /// Time for a request, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// Money for a request, US dollars as text: `"0.25"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost_usd: Option<String>,
    /// Changes by target, as `provider/model`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub targets: BTreeMap<String, TargetChange>,
}

/// Changes to the weights of a route's terms.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeightsChange {
    /// Of the expected price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f32>,
    /// Of the predicted time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<f32>,
    /// Of the failing share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability: Option<f32>,
}

/// Changes to a target of a route.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TargetChange {
    /// Its static weight; 0 takes it out of use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Its priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// The share of requests that it gets first as a canary, `0.0..=1.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<f32>,
}

/// Something that cannot be changed so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeProblem {
    /// Where in the document, as a path of keys.
    pub path: String,
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: String,
}

/// Weights, shares and the like are no larger.
const LARGEST: f32 = 1_000_000.0;
/// Static weights and priorities are no larger.
const LARGEST_WEIGHT: u32 = 1_000_000;
/// The longest deadline, milliseconds: a day.
const LONGEST_DEADLINE_MS: u64 = 86_400_000;

impl WeightsChange {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for ChangeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: found {}, expected {}",
            self.path, self.found, self.expected
        )
    }
}

impl Catalog {
    /// This very snapshot as epoch `epoch`.
    #[must_use]
    pub fn unchanged(&self, epoch: u64) -> Self {
        self.with_routes(epoch, self.routes().cloned().collect())
    }

    /// This snapshot with `changes` over it, as epoch `epoch`. Routes that are not named stay the very same.
    ///
    /// # Errors
    /// All problems of the document at once; nothing is changed then.
    pub fn changed(&self, changes: &Changes, epoch: u64) -> Result<Self, Vec<ChangeProblem>> {
        let mut problems = Problems::default();
        for name in changes.keys() {
            let named = self.routes().find(|route| *route.name == **name);
            if let Some(original) = named.and_then(|route| route.alias_of.as_ref()) {
                let found = format!("another name for \"{original}\"");
                problems.note(format!("routes.{name}"), found, format!("\"{original}\" itself"));
            }
            if named.is_none() {
                let near = self.suggestions(name);
                let expected = match near.first() {
                    Some(near) => format!("the name of a route; did you mean \"{near}\"?"),
                    None => "the name of a route".to_owned(),
                };
                problems.note(format!("routes.{name}"), "no such route", expected);
            }
        }
        let routes = self.routes().map(|route| {
            let named = route.alias_of.as_ref().unwrap_or(&route.name);
            match changes.get(&**named) {
                Some(change) => Arc::new(change.applied(route, &mut problems)),
                None => route.clone(),
            }
        });
        let routes = routes.collect();
        if problems.0.is_empty() {
            Ok(self.with_routes(epoch, routes))
        } else {
            problems.0.sort_by(|a, b| a.path.cmp(&b.path));
            problems.0.dedup();
            Err(problems.0)
        }
    }
}

impl Question {
    /// The same question under `changes`. What a change does to filters that depend on other things than weights
    /// (deadlines, ceilings) is not foreseen here.
    pub fn change(&mut self, changes: &Changes) {
        for (number, group) in (0u16..).zip(&mut self.groups) {
            let Some(change) = changes.get(&*group.route) else {
                continue;
            };
            change.apply_policy(&mut group.policy);
            for facts in self.candidates.iter_mut().filter(|it| it.fallback == number) {
                let (provider, model) = group.names.of(facts);
                let named = change.target(provider, model);
                let Some(target) = named else { continue };
                facts.weight = target.weight.unwrap_or(facts.weight);
                facts.priority = target.priority.unwrap_or(facts.priority);
                facts.canary = target.canary.or(facts.canary);
                match facts.filter {
                    None if facts.weight == 0 => facts.filter = Some(Filter::OutOfUse),
                    Some(Filter::OutOfUse) if facts.weight > 0 => facts.filter = None,
                    _ => {}
                }
            }
        }
    }
}

impl RouteChange {
    fn apply_policy(&self, policy: &mut Policy) {
        let weights = &mut policy.weights;
        weights.cost = self.weights.cost.unwrap_or(weights.cost);
        weights.latency = self.weights.latency.unwrap_or(weights.latency);
        weights.availability = self.weights.availability.unwrap_or(weights.availability);
        policy.strategy = self.strategy.unwrap_or(policy.strategy);
        policy.near_best = self.near_best.unwrap_or(policy.near_best);
        policy.explore = self.explore.unwrap_or(policy.explore);
        policy.on_no_candidates = self.on_no_candidates.unwrap_or(policy.on_no_candidates);
        policy.sticky = self.sticky.unwrap_or(policy.sticky);
    }

    /// The change of a target: by its full name, else that of all models of its provider.
    fn target(&self, provider: &str, model: &str) -> Option<TargetChange> {
        let named = |(name, _): &(&String, &TargetChange)| {
            let parts = name.split_once('/');
            parts.is_some_and(|(of, rest)| of == provider && rest == model)
        };
        let found = self.targets.iter().find(named).map(|(_, change)| *change);
        found.or_else(|| self.targets.get(&format!("{provider}/*")).copied())
    }

    fn applied(&self, route: &Route, problems: &mut Problems) -> Route {
        let mut changed = route.clone();
        let at = |key: &str| format!("routes.{}.{key}", route.alias_of.as_ref().unwrap_or(&route.name));
        self.apply_policy(&mut changed.policy);
        let weights = changed.policy.weights;
        for (key, value, most) in [
            ("weights.cost", weights.cost, LARGEST),
            ("weights.latency", weights.latency, LARGEST),
            ("weights.availability", weights.availability, LARGEST),
            ("near_best", changed.policy.near_best, LARGEST),
            ("explore", changed.policy.explore, 1.0),
        ] {
            if !(0.0..=most).contains(&value) {
                problems.note(at(key), value, format!("a number from 0 to {most}"));
            }
        }
        match self.max_attempts {
            Some(attempts @ 1..=100) => changed.max_attempts = attempts,
            Some(attempts) => problems.note(at("max_attempts"), attempts, "1 to 100"),
            None => {}
        }
        match self.deadline_ms {
            Some(millis @ 1..=LONGEST_DEADLINE_MS) => {
                changed.limits.deadline = Some(Duration::from_millis(millis));
            }
            Some(millis) => problems.note(at("deadline_ms"), millis, "1 to 86400000"),
            None => {}
        }
        if let Some(text) = &self.max_cost_usd {
            match Nanodollars::parse(text) {
                Ok(cost) => changed.limits.max_cost = Some(cost),
                Err(error) => problems.note(at("max_cost_usd"), format_args!("{text:?}"), error),
            }
        }
        let mut targets = route.targets.to_vec();
        self.change_targets(&mut targets, &at, problems);
        changed.targets = targets.into();
        changed
    }

    fn change_targets(
        &self,
        targets: &mut [RouteTarget],
        at: &impl Fn(&str) -> String,
        problems: &mut Problems,
    ) {
        for (name, change) in &self.targets {
            let path = |key: &str| at(&format!("targets.{name}{key}"));
            let mut found = false;
            for entry in targets.iter_mut().filter(|entry| entry.target.name() == *name) {
                found = true;
                entry.weight = change.weight.unwrap_or(entry.weight);
                entry.priority = change.priority.unwrap_or(entry.priority);
                entry.canary = change.canary.or(entry.canary);
            }
            if !found {
                let names: Vec<String> = targets.iter().map(|entry| entry.target.name()).collect();
                problems.note(path(""), "no such target", format!("one of {}", names.join(", ")));
            }
            for (key, value) in [(".weight", change.weight), (".priority", change.priority)] {
                if let Some(value) = value.filter(|value| *value > LARGEST_WEIGHT) {
                    problems.note(path(key), value, "0 to 1000000");
                }
            }
            if let Some(share) = change.canary.filter(|share| !(0.0..=1.0).contains(share)) {
                problems.note(path(".canary"), share, "a share from 0 to 1");
            }
        }
        if !targets.is_empty() && targets.iter().all(|entry| entry.weight == 0) {
            let found = "only targets of weight 0";
            problems.note(at("targets"), found, "one target in use at least");
        }
    }
}

/// Everything wrong with a document.
#[derive(Default)]
struct Problems(Vec<ChangeProblem>);

impl Problems {
    fn note(&mut self, path: String, found: impl fmt::Display, expected: impl fmt::Display) {
        self.0.push(ChangeProblem {
            path,
            found: found.to_string(),
            expected: expected.to_string(),
        });
    }
}

#[cfg(test)]
mod tests;

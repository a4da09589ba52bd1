//! A question to the scoring function: everything that a decision is made from, as plain data.
//!
//! It is what a decision record keeps and what a replay asks again, so it must hold all that matters: nothing in
//! [`rank`](crate::rank()) may be read from elsewhere.

mod written;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tollgate_core::Moment;

use crate::{Policy, TargetName};
use written::hex;

/// Everything one decision is made from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Question {
    /// Decides whatever is left to chance.
    pub seed: u64,
    /// The client's conversation; `None`: it does not say, or the route does not care.
    pub session: Option<u64>,
    /// How long an answer is expected to be, in tokens.
    pub output_tokens: f32,
    /// The route that was asked, and its fallbacks, by [`Facts::fallback`].
    pub groups: Vec<Group>,
    /// Everybody who was considered, also those who were filtered out.
    pub candidates: Vec<Facts>,
}

/// A route or a fallback, as a group of candidates with a policy of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The route's name.
    pub route: Arc<str>,
    /// How it orders its candidates.
    pub policy: Policy,
    /// How its candidates are called. Written beside each of them.
    #[serde(skip)]
    pub names: Names,
}

/// How the candidates of a group are called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// By [`Facts::entry`].
    pub targets: Arc<[TargetName]>,
    /// The model of those that have none of their own. `None`: there are no such.
    pub asked: Option<Arc<str>>,
}

/// What is known of one candidate at the moment of a decision. Its name is found by [`Question::name`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Which group it belongs to: 0 for the route itself, n for its nth fallback.
    pub fallback: u16,
    /// Which target of the group's route it is.
    #[serde(skip)]
    pub entry: u16,
    /// Its priority in the group; lower goes first.
    pub priority: u32,
    /// Its static weight.
    pub weight: u32,
    /// The share of requests that it gets first, `0.0..=1.0`, where it is a canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<f32>,
    /// Tells the target from others in draws; the same on every node.
    #[serde(with = "hex")]
    pub key: u64,
    /// Why it may not be asked; `None`: it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// What the request is expected to cost there, nanodollars; `None`: the price is not known.
    pub cost: Option<u64>,
    /// Peak-EWMA of the time to first token as measured, microseconds; `None`: never measured.
    pub ttft_us: Option<f32>,
    /// How long ago that was, milliseconds.
    pub age_ms: u32,
    /// Peak-EWMA of the time per output token, microseconds; `None`: never measured.
    pub per_token_us: Option<f32>,
    /// Requests in flight there.
    pub in_flight: u32,
    /// Mean number in flight while the times were measured.
    pub load: f32,
    /// Failures over requests in the window.
    pub error_ratio: f32,
    /// Requests in the window.
    pub samples: u32,
    /// What its breaker lets through.
    pub gate: Admission,
}

/// What a breaker lets through, as far as an order depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// Everything.
    #[default]
    All,
    /// So many 255ths: the target is being re-admitted.
    Share(u8),
    /// A probe: the breaker is half-open and has one to give.
    Probe,
}

/// Why a candidate may not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Its weight is 0.
    OutOfUse,
    /// Its dialect does not carry what was called.
    Surface,
    /// It lacks what the request needs: tools, vision, a JSON schema.
    Capability,
    /// The prompt is longer than its context window.
    ContextWindow,
    /// It is not in an allowed region.
    Region,
    /// The caller may not use it.
    NotAllowed,
    /// It costs more than the request may.
    PriceCeiling,
    /// It is not expected to answer in time.
    Deadline,
    /// Its breaker is open.
    BreakerOpen,
    /// Its breaker is half-open and has given its probes.
    BreakerProbing,
    /// An operator has closed it off.
    ForcedOpen,
    /// An operator lets it run dry.
    Drained,
    /// All of its credentials are resting after rate limits.
    CoolingDown,
    /// None of its credentials is accepted.
    Credentials,
}

impl Filter {
    /// The name in decisions and the admin API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutOfUse => "out_of_use",
            Self::Surface => "surface",
            Self::Capability => "capability",
            Self::ContextWindow => "context_window",
            Self::Region => "region",
            Self::NotAllowed => "not_allowed",
            Self::PriceCeiling => "price_ceiling",
            Self::Deadline => "deadline",
            Self::BreakerOpen => "breaker_open",
            Self::BreakerProbing => "breaker_probing",
            Self::ForcedOpen => "forced_open",
            Self::Drained => "drained",
            Self::CoolingDown => "cooling_down",
            Self::Credentials => "credentials",
        }
    }

    /// Whether it is the target's own health that speaks, which panic mode overrides; what a request needs and
    /// what an operator has ordered it does not.
    pub const fn is_health(self) -> bool {
        matches!(
            self,
            Self::BreakerOpen | Self::BreakerProbing | Self::CoolingDown | Self::Credentials
        )
    }
}

impl Question {
    /// One of the candidates as `provider/model`.
    pub fn name(&self, facts: &Facts) -> String {
        let (provider, model) = self.names(facts);
        format!("{provider}/{model}")
    }

    /// Provider and model of one of the candidates.
    fn names(&self, facts: &Facts) -> (&str, &str) {
        let group = self.groups.get(usize::from(facts.fallback));
        group.map_or(("", ""), |group| group.names.of(facts))
    }
}

#[cfg(test)]
impl Question {
    /// With the providers' names of its candidates, in their order; the model of each is `m`.
    pub(crate) fn called<'n>(mut self, providers: impl Iterator<Item = &'n str>) -> Self {
        for (facts, provider) in self.candidates.iter_mut().zip(providers) {
            let Some(group) = self.groups.get_mut(usize::from(facts.fallback)) else {
                continue;
            };
            let name = TargetName {
                provider: provider.into(),
                model: Some("m".into()),
            };
            facts.entry = u16::try_from(group.names.targets.len()).unwrap();
            group.names.targets = group.names.targets.iter().cloned().chain([name]).collect();
        }
        self
    }
}

impl Names {
    /// Provider and model of a candidate of this group.
    pub fn of(&self, facts: &Facts) -> (&str, &str) {
        self.targets
            .get(usize::from(facts.entry))
            .map_or(("", ""), |name| {
                let model = name.model.as_ref().or(self.asked.as_ref());
                (&name.provider, model.map_or("", |model| model))
            })
    }
}

impl Facts {
    /// Sets the times measured, as of `now`.
    pub(crate) fn measured(&mut self, vitals: &crate::Vitals, now: Moment) {
        self.ttft_us = vitals.ttft_us;
        let age = now.since(vitals.measured_at).as_millis();
        self.age_ms = u32::try_from(age).unwrap_or(u32::MAX);
        self.per_token_us = vitals.per_token_us;
        self.load = vitals.load;
        self.error_ratio = vitals.error_ratio;
        self.samples = vitals.samples;
    }
}

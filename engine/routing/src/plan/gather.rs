//! Gathers what is known of every candidate at this moment, and filters out who may not be asked.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tollgate_core::{Nanodollars, Price, ServiceTier, Usage};

use super::contender::{Asked, Standing};
use super::{Ask, Decision, NoCandidate, Reason};
use crate::question::{Admission, Facts, Filter, Group, Names};
use crate::rank::Ranked;
use crate::{
    Catalog, CredentialState, GateMode, Limits, ModelFacts, Question, Route, RouteTarget, Target, Vitals,
};

/// How long an answer is taken to be where no answer was ever seen, tokens.
const UNSEEN_OUTPUT_TOKENS: f32 = 256.0;
/// How long an answer may become where neither the client nor the model has a limit, tokens.
const UNLIMITED_OUTPUT_TOKENS: u64 = 32_768;
/// An estimate of time refuses a target only while it is this fresh: an old one must not keep everybody away for
/// ever.
const BELIEVED_FOR: Duration = Duration::from_secs(10);

/// Everybody who was considered.
pub(super) struct Gathered<'c> {
    pub(super) question: Question,
    /// The routes, by the number of their group.
    pub(super) asked: SmallVec<[Asked; 1]>,
    /// In the order of the question's candidates.
    considered: Vec<Considered<'c>>,
    retry_after: Option<Duration>,
}

struct Considered<'c> {
    target: &'c Arc<Target>,
    facts: Cow<'c, ModelFacts>,
    vitals: Vitals,
    worst_cost: Option<Nanodollars>,
    expected: Option<Duration>,
}

impl<'c> Gathered<'c> {
    /// Considers the targets of `route` and of its fallbacks.
    pub(super) fn new(catalog: &'c Catalog, ask: &Ask<'_>, route: &'c Arc<Route>, model: &str) -> Self {
        let mut gathered = Self {
            question: Question {
                seed: ask.seed,
                session: ask.session,
                ..Question::default()
            },
            asked: SmallVec::new(),
            considered: Vec::with_capacity(route.targets.len()),
            retry_after: None,
        };
        // Both are kept with the decision for a while: no more room than they need.
        gathered.question.groups.reserve_exact(1 + route.fallbacks.len());
        gathered.question.candidates.reserve_exact(route.targets.len());
        gathered.group(catalog, ask, route, &route.limits, 0, model);
        for (fallback, number) in route.fallbacks.iter().zip(1u16..) {
            if let Some((next, model)) = catalog.find_ref(&fallback.model) {
                gathered.group(catalog, ask, next, &route.limits, number, model);
            }
        }
        gathered.price(ask, &route.limits);
        gathered
    }

    fn group(
        &mut self,
        catalog: &'c Catalog,
        ask: &Ask<'_>,
        route: &'c Arc<Route>,
        limits: &Limits,
        fallback: u16,
        model: &str,
    ) {
        let is_unbound = route.targets.iter().any(|entry| entry.target.model.is_none());
        let asked: Option<Arc<str>> = is_unbound.then(|| model.into());
        // The number of the group is its place here, also when a fallback does not exist.
        while self.question.groups.len() <= usize::from(fallback) {
            self.question.groups.push(Group {
                // An alias is the same route: what changes that changes this.
                route: route.alias_of.as_ref().unwrap_or(&route.name).clone(),
                policy: route.policy,
                names: Names {
                    targets: route.targets.names().clone(),
                    asked: asked.clone(),
                },
            });
            self.asked.push(Asked {
                route: route.clone(),
                model: asked.clone(),
            });
        }
        // One for all of them: written only where the caller may not use every target.
        let mut name = String::new();
        for (number, entry) in (0u16..).zip(&route.targets) {
            let target = &entry.target;
            let model = target.model.as_deref().unwrap_or(model);
            let vitals = target.cell.vitals(ask.now);
            let facts = catalog.facts(target, model);
            let (gate, closed) = self.gate(ask, target);
            let regions = [&limits.regions, &route.limits.regions];
            let filter = fixed(ask, regions, entry, model, &facts, &vitals, &mut name).or(closed);
            let mut known = Facts {
                fallback,
                entry: number,
                priority: entry.priority,
                weight: entry.weight,
                canary: entry.canary,
                key: target.key,
                filter,
                cost: None,
                ttft_us: None,
                age_ms: 0,
                per_token_us: None,
                in_flight: target.cell.in_flight(),
                load: 0.0,
                error_ratio: 0.0,
                samples: 0,
                gate,
            };
            known.measured(&vitals, ask.now);
            self.question.candidates.push(known);
            self.considered.push(Considered {
                target,
                facts,
                vitals,
                worst_cost: None,
                expected: None,
            });
        }
    }

    /// What the target's breaker and credentials say.
    fn gate(&mut self, ask: &Ask<'_>, target: &Target) -> (Admission, Option<Filter>) {
        let gate = target.cell.gate(ask.now);
        match gate.mode {
            GateMode::Closed if gate.admission < u8::MAX => {
                return (Admission::Share(gate.admission), self.credentials(ask, target));
            }
            GateMode::Closed | GateMode::ForcedClosed => {}
            GateMode::HalfOpen if gate.probes > 0 => {
                return (Admission::Probe, self.credentials(ask, target));
            }
            GateMode::HalfOpen => return (Admission::All, Some(Filter::BreakerProbing)),
            GateMode::Open => {
                self.rests(gate.until.since(ask.now));
                return (Admission::All, Some(Filter::BreakerOpen));
            }
            GateMode::ForcedOpen => return (Admission::All, Some(Filter::ForcedOpen)),
            GateMode::Drained => return (Admission::All, Some(Filter::Drained)),
        }
        (Admission::All, self.credentials(ask, target))
    }

    /// Whether none of the target's credentials may be used. One that only rests counts for more than a dead one.
    fn credentials(&mut self, ask: &Ask<'_>, target: &Target) -> Option<Filter> {
        let mut filter = None;
        for cell in &target.credentials {
            match cell.state(ask.now) {
                CredentialState::Usable => return None,
                CredentialState::Cooling(until) => {
                    self.rests(until.since(ask.now));
                    filter = Some(Filter::CoolingDown);
                }
                CredentialState::Dead(_) => filter = filter.or(Some(Filter::Credentials)),
            }
        }
        filter
    }

    fn rests(&mut self, wait: Duration) {
        self.retry_after = Some(self.retry_after.map_or(wait, |known| known.min(wait)));
    }

    /// Computes what the request costs and how long it takes at each, and filters by both.
    fn price(&mut self, ask: &Ask<'_>, limits: &Limits) {
        let max_cost = [ask.max_cost, limits.max_cost].into_iter().flatten().min();
        let time_left = [ask.time_left, limits.deadline].into_iter().flatten().min();
        let output_tokens = self.expected_output(ask);
        self.question.output_tokens = output_tokens;
        for (known, considered) in self.question.candidates.iter_mut().zip(&mut self.considered) {
            let prompt_tokens = considered.prompt_tokens(ask);
            if ask.surface.is_free() {
                considered.worst_cost = Some(Nanodollars::default());
            } else if let Some(price) = &considered.facts.price {
                let cached = considered.cached_tokens(ask, prompt_tokens);
                known.cost = Some(cost(price, prompt_tokens, cached, whole(output_tokens)).0);
                let most = considered.most_output(ask);
                considered.worst_cost = Some(cost(price, prompt_tokens, 0, most));
            }
            considered.expected = considered.expected(ask, output_tokens);
            if known.filter.is_some() {
                continue;
            }
            let too_dear =
                max_cost.is_some_and(|ceiling| considered.worst_cost.is_none_or(|worst| worst > ceiling));
            let too_late =
                time_left.is_some_and(|left| considered.expected.is_some_and(|expected| expected > left));
            if too_dear {
                known.filter = Some(Filter::PriceCeiling);
            } else if too_late {
                known.filter = Some(Filter::Deadline);
            }
        }
    }

    /// As long as answers have been, on the average of those candidates that have given any; and no longer than
    /// the client allows.
    fn expected_output(&self, ask: &Ask<'_>) -> f32 {
        if !ask.surface.writes() {
            return 0.0;
        }
        let seen = self.considered.iter().filter_map(|it| it.vitals.output_tokens);
        let (count, sum) = seen.fold((0.0, 0.0), |(count, sum), tokens| (count + 1.0, sum + tokens));
        let mean = if count > 0.0 {
            sum / count
        } else {
            UNSEEN_OUTPUT_TOKENS
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "a limit beyond 2^24 tokens limits nothing"
        )]
        let limit = ask.max_output_tokens.map_or(f32::INFINITY, |limit| limit as f32);
        mean.min(limit)
    }

    /// A place in the plan.
    pub(super) fn standing(&self, ranked: &Ranked) -> Option<Standing> {
        let known = self.question.candidates.get(usize::from(ranked.candidate))?;
        let considered = self.considered.get(usize::from(ranked.candidate))?;
        Some(Standing {
            entry: known.entry,
            facts: match &considered.facts {
                Cow::Borrowed(_) => None,
                Cow::Owned(facts) => Some(Box::new(facts.clone())),
            },
            reason: Reason {
                fallback: known.fallback,
                priority: known.priority,
                place: ranked.place,
                score: ranked.terms.score,
            },
            worst_cost: considered.worst_cost,
            expected: considered.expected,
        })
    }

    /// What to say when nobody may be asked.
    pub(super) fn nobody(self, epoch: u64) -> NoCandidate {
        let filtered = |filter| {
            let all = self.question.candidates.iter().zip(&self.considered);
            all.filter(move |(known, _)| known.filter == Some(filter))
                .map(|(_, considered)| considered)
        };
        let cheapest = filtered(Filter::PriceCeiling)
            .filter_map(|it| it.worst_cost)
            .min();
        let largest_window = filtered(Filter::ContextWindow)
            .filter_map(|it| it.facts.context_tokens)
            .max();
        NoCandidate {
            cheapest,
            largest_window,
            retry_after: self.retry_after,
            decision: Decision {
                epoch,
                question: self.question,
                ranking: Vec::new(),
            },
        }
    }
}

impl Considered<'_> {
    /// Prompt tokens as this target counts them.
    fn prompt_tokens(&self, ask: &Ask<'_>) -> u64 {
        prompt_tokens(ask, &self.vitals)
    }

    fn cached_tokens(&self, ask: &Ask<'_>, prompt_tokens: u64) -> u64 {
        match ask.warm {
            Some(warm) if warm.slot == self.target.cell.slot() => warm.tokens.min(prompt_tokens),
            _ => 0,
        }
    }

    /// Answer tokens at the most.
    fn most_output(&self, ask: &Ask<'_>) -> u64 {
        if !ask.surface.writes() {
            return 0;
        }
        let limits = [ask.max_output_tokens, self.facts.max_output_tokens];
        let limit = limits.into_iter().flatten().min();
        limit.map_or(UNLIMITED_OUTPUT_TOKENS, u64::from)
    }

    /// The time until a stream begins or a whole answer is there, if it was measured lately.
    fn expected(&self, ask: &Ask<'_>, output_tokens: f32) -> Option<Duration> {
        let ttft = self.vitals.ttft_us?;
        if ask.now.since(self.vitals.measured_at) > BELIEVED_FOR {
            return None;
        }
        let rest = if ask.stream {
            0.0
        } else {
            self.vitals.per_token_us.unwrap_or(0.0) * output_tokens
        };
        Some(Duration::from_micros(whole(ttft + rest)))
    }
}

/// What speaks against a target whatever its health. A fallback keeps to its own `regions` and to those of the
/// route that was asked.
fn fixed(
    ask: &Ask<'_>,
    regions: [&Option<Arc<[Arc<str>]>>; 2],
    entry: &RouteTarget,
    model: &str,
    facts: &ModelFacts,
    vitals: &Vitals,
    name: &mut String,
) -> Option<Filter> {
    let target = &entry.target;
    let region = target.provider.region.as_ref();
    let outside = |allowed: &[Arc<str>]| region.is_none_or(|region| !allowed.contains(region));
    let lacks = |has: tollgate_core::Capabilities| !has.contains(ask.needs);
    let too_small = |window: u32| prompt_tokens(ask, vitals) > u64::from(window);
    let mut may_use = || {
        name.clear();
        name.extend([&target.provider.name, "/", model]);
        ask.targets.iter().any(|it| it.matches(name))
    };
    let mut regions = regions
        .into_iter()
        .filter_map(Option::as_deref)
        .chain(ask.regions);
    if entry.weight == 0 {
        Some(Filter::OutOfUse)
    } else if !target.provider.kind.serves(ask.surface) {
        Some(Filter::Surface)
    } else if regions.any(outside) {
        Some(Filter::Region)
    } else if !ask.targets.is_empty() && !may_use() {
        Some(Filter::NotAllowed)
    } else if facts.capabilities.is_some_and(lacks) {
        Some(Filter::Capability)
    } else if facts.context_tokens.is_some_and(too_small) {
        Some(Filter::ContextWindow)
    } else {
        None
    }
}

/// The estimate, corrected by how far estimates have been off at this target.
fn prompt_tokens(ask: &Ask<'_>, vitals: &Vitals) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let tokens = ask.prompt_tokens as f32 * vitals.prompt_ratio;
    whole(tokens)
}

fn cost(price: &Price, prompt_tokens: u64, cached_tokens: u64, output_tokens: u64) -> Nanodollars {
    let usage = Usage {
        input: prompt_tokens.saturating_sub(cached_tokens),
        cache_read: cached_tokens,
        output: output_tokens,
        ..Usage::default()
    };
    price.cost(&usage, ServiceTier::Standard)
}

fn whole(value: f32) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and takes NaN for 0"
    )]
    let whole = value as u64;
    whole
}

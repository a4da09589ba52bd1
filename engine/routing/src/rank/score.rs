//! Scores: a weighted product of ratios to the best candidate, as a sum of logarithms (Bridgman 1922, "Dimensional
//! analysis"; the weighted product model). Lower is better.
//!
//! The order does not depend on units: prices in another currency, or a provider twice as fast in every respect,
//! change nothing. Each ratio is capped at 100, so that a free target is not preferred at any price in latency.

use serde::{Deserialize, Serialize};

use super::Ranked;
use crate::Weights;
use crate::question::{Facts, Question};

/// A score and what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Terms {
    /// ln(cost / lowest cost in the group); 0 where prices are not known.
    pub cost: f32,
    /// ln(predicted time / shortest in the group).
    pub latency: f32,
    /// ln of the failing share over the smallest in the group, each with 5 % added.
    pub availability: f32,
    /// −ln(static weight / largest in the group).
    pub bias: f32,
    /// The sum, each with its weight; the bias counts once.
    pub score: f32,
    /// The predicted time to the whole answer, microseconds; 0: nobody in the group was ever measured.
    pub predicted_us: f32,
}

/// No term is larger: ln 100.
const CAP: f32 = 4.605_170_2;
/// One failure in a window of some dozen requests must not decide: a failing share of this much counts double.
const ERROR_FLOOR: f32 = 0.05;
/// Twice as many requests in flight as usual, and a few more, are no pile-up: a target that is back must be able to
/// grow.
const LOAD_GROWTH: f32 = 2.0;
const LOAD_SLACK: f32 = 8.0;
/// The time constant with which an estimate that is not renewed gives way to the group's median, milliseconds.
const FADING_MS: f32 = 60_000.0;
/// Younger estimates are taken as they are.
const FRESH_MS: f32 = 250.0;

/// What has yet to be found out; no measured time and no price is it.
const UNKNOWN: f32 = f32::NAN;

/// Fills in the terms of one group's members. `values` is memory for medians.
///
/// The facts are read once: what they say is put into the terms as it is, and then set in proportion to the best.
pub(super) fn score(question: &Question, weights: Weights, members: &mut [Ranked], values: &mut Vec<f32>) {
    let mut is_complete = true;
    for member in members.iter_mut() {
        let Some(facts) = super::facts(question, member) else {
            continue;
        };
        member.terms = Terms {
            cost: cost_of(facts).unwrap_or(UNKNOWN),
            latency: 0.0,
            availability: failing(facts),
            bias: small(facts.weight),
            score: 0.0,
            predicted_us: predicted_alone(facts, question.output_tokens).unwrap_or(UNKNOWN),
        };
        is_complete &= !member.terms.cost.is_nan() && !member.terms.predicted_us.is_nan();
    }
    if !is_complete {
        complete(question, members, values);
    }
    let best = Best::of(members);
    for Ranked { terms, .. } in members {
        terms.cost = log_ratio(terms.cost, best.cost);
        terms.latency = log_ratio(terms.predicted_us, best.predicted_us);
        terms.availability = log_ratio(terms.availability, best.failing);
        terms.bias = log_ratio(best.weight, terms.bias);
        terms.score = weights.cost * terms.cost
            + weights.latency * terms.latency
            + weights.availability * terms.availability
            + terms.bias;
    }
}

/// Fills in what facts alone do not say, by the medians of the group. Who was never measured is taken to be like the
/// others.
fn complete(question: &Question, members: &mut [Ranked], values: &mut Vec<f32>) {
    let of_all = |it: &[Ranked], values: &mut Vec<f32>, value: fn(&Facts) -> Option<f32>| {
        let all = it.iter().filter_map(|it| super::facts(question, it));
        median(values, all.filter_map(value))
    };
    let ttft = of_all(members, values, |it| it.ttft_us);
    let per_token = of_all(members, values, |it| it.per_token_us).unwrap_or(0.0);
    let price = of_all(members, values, cost_of).unwrap_or(1.0);
    for member in members {
        let Some(facts) = super::facts(question, member) else {
            continue;
        };
        let terms = &mut member.terms;
        if terms.cost.is_nan() {
            terms.cost = price;
        }
        if terms.predicted_us.is_nan() {
            terms.predicted_us = ttft.map_or(0.0, |ttft| {
                predict(facts, ttft, per_token, question.output_tokens)
            });
        }
    }
}

/// The best of a group, term by term.
struct Best {
    cost: f32,
    predicted_us: f32,
    failing: f32,
    weight: f32,
}

impl Best {
    fn of(members: &[Ranked]) -> Self {
        let none = Self {
            cost: f32::INFINITY,
            predicted_us: f32::INFINITY,
            failing: f32::INFINITY,
            weight: 0.0,
        };
        members.iter().fold(none, |best, Ranked { terms, .. }| Self {
            cost: best.cost.min(terms.cost),
            predicted_us: best.predicted_us.min(terms.predicted_us),
            failing: best.failing.min(terms.availability),
            weight: best.weight.max(terms.bias),
        })
    }
}

/// The predicted time of a target for which its own measurements are enough: they are there, and fresh.
fn predicted_alone(facts: &Facts, output_tokens: f32) -> Option<f32> {
    let is_fresh = small(facts.age_ms) < FRESH_MS;
    let (Some(ttft), Some(per_token), true) = (facts.ttft_us, facts.per_token_us, is_fresh) else {
        return None;
    };
    Some(predict(facts, ttft, per_token, output_tokens))
}

/// The time that a whole answer is expected to take, microseconds: to the first token, and from there.
///
/// The time to first token counts as much more as there are requests in flight beyond twice those under which it
/// was measured. Finagle multiplies by all that are in flight; but a model provider is a fleet, whose latency hardly
/// depends on our own requests: what matters is a pile-up, which shows before its outcomes do.
fn predict(facts: &Facts, median: f32, per_token: f32, output_tokens: f32) -> f32 {
    let age = small(facts.age_ms);
    let ttft = facts
        .ttft_us
        .map_or(median, |measured| faded(measured, age, median));
    let crowd = small(facts.in_flight) / (facts.load * LOAD_GROWTH + LOAD_SLACK);
    ttft * crowd.max(1.0) + facts.per_token_us.unwrap_or(per_token) * output_tokens
}

/// What is left of an estimate of this age: it fades towards what the others do, not towards zero as in Finagle,
/// where a target that nobody asks becomes the fastest of all.
fn faded(measured: f32, age_ms: f32, median: f32) -> f32 {
    if age_ms < FRESH_MS {
        return measured;
    }
    median + (measured - median) * (-age_ms / FADING_MS).exp()
}

/// Expected cost; at least a nanodollar, so that ratios have a meaning. Not known: the group's median.
fn cost_of(facts: &Facts) -> Option<f32> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "24 bits of a price are enough to compare it"
    )]
    facts.cost.map(|cost| cost.max(1) as f32)
}

/// The failing share, drawn towards none by ten requests that went well.
fn failing(facts: &Facts) -> f32 {
    let samples = small(facts.samples);
    facts.error_ratio * samples / (samples + 10.0) + ERROR_FLOOR
}

fn log_ratio(value: f32, best: f32) -> f32 {
    if value <= best || best <= 0.0 {
        return 0.0;
    }
    (value / best).ln().min(CAP)
}

fn small(count: u32) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "counts beyond 2^24 make no difference")]
    let count = count as f32;
    count
}

/// The middle one; of an even number, the lower of the two. `None`: there is none.
fn median(scratch: &mut Vec<f32>, values: impl Iterator<Item = f32>) -> Option<f32> {
    scratch.clear();
    scratch.extend(values);
    let middle = scratch.len().checked_sub(1)? / 2;
    let (_, median, _) = scratch.select_nth_unstable_by(middle, f32::total_cmp);
    Some(*median)
}

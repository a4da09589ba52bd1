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

/// Fills in the terms of one group's members.
pub(super) fn score(question: &Question, weights: Weights, members: &mut [Ranked], times: &mut Vec<f32>) {
    let all = || members_of(question, members);
    let ttft = median(times, all().filter_map(|it| it.ttft_us));
    let per_token = median(times, all().filter_map(|it| it.per_token_us)).unwrap_or(0.0);
    let price = median(times, all().filter_map(cost_of)).unwrap_or(1.0);
    let least = |values: f32, value: f32| values.min(value);
    let cheapest = all()
        .map(|it| cost_of(it).unwrap_or(price))
        .fold(f32::INFINITY, least);
    let safest = all().map(failing).fold(f32::INFINITY, least);
    let heaviest = all().map(|it| it.weight).max().unwrap_or(1);
    let mut fastest = f32::INFINITY;
    for member in members.iter_mut() {
        let Some(facts) = super::facts(question, member) else {
            continue;
        };
        let predicted = ttft.map_or(0.0, |ttft| {
            predict(facts, ttft, per_token, question.output_tokens)
        });
        fastest = fastest.min(predicted);
        member.terms = Terms {
            cost: log_ratio(cost_of(facts).unwrap_or(price), cheapest),
            latency: 0.0,
            availability: log_ratio(failing(facts), safest),
            bias: log_ratio(small(heaviest), small(facts.weight)),
            score: 0.0,
            predicted_us: predicted,
        };
    }
    for member in members {
        let terms = &mut member.terms;
        terms.latency = log_ratio(terms.predicted_us, fastest);
        terms.score = weights.cost * terms.cost
            + weights.latency * terms.latency
            + weights.availability * terms.availability
            + terms.bias;
    }
}

fn members_of<'q>(question: &'q Question, members: &[Ranked]) -> impl Iterator<Item = &'q Facts> {
    members.iter().filter_map(|it| super::facts(question, it))
}

/// The time that a whole answer is expected to take, microseconds: to the first token, and from there.
///
/// The time to first token counts as much more as there are requests in flight beyond twice those under which it
/// was measured. Finagle multiplies by all that are in flight; but a model provider is a fleet, whose latency hardly
/// depends on our own requests: what matters is a pile-up, which shows before its outcomes do.
fn predict(facts: &Facts, median: f32, per_token: f32, output_tokens: f32) -> f32 {
    let ttft = facts.ttft_us.map_or(median, |measured| {
        #[expect(
            clippy::cast_precision_loss,
            reason = "ages beyond 2^24 ms make no difference"
        )]
        let age = facts.age_ms as f32;
        faded(measured, age, median)
    });
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

//! How a model chooses among its targets, and what a request for it may take and cost.

use std::time::Duration;

use tollgate_routing::{Hedge, Limits, OnNoCandidates, Policy, RetryLimits, Strategy, Weights};

use super::Context;
use crate::place::Place;
use crate::raw::{self, Model};
use crate::units;

/// The longest wait for a provider that says when to come back, unless configured.
const MAX_RETRY_WAIT: Duration = Duration::from_secs(1);

/// How a model orders its candidates.
pub(super) fn policy(context: Context<'_>, model: &Model, place: Place<'_>) -> Policy {
    let default = Policy::default();
    let strategy = match model.strategy.as_ref().map(|it| it.0.as_str()) {
        Some("scored") => Strategy::Scored,
        None if model.weights.is_some() => Strategy::Scored,
        _ => Strategy::Weighted,
    };
    if strategy == Strategy::Weighted && model.weights.is_some() {
        let place = place.key("weights");
        let warning = "weights have no effect with strategy weighted";
        context.report.warn(place, warning);
    }
    let near_best = context.share(model.near_best.as_ref(), place.key("near_best"), 100.0, f32::NAN);
    Policy {
        strategy,
        weights: weights(context, model.weights.as_ref(), place.key("weights")),
        // A difference of scores is a logarithm.
        near_best: if near_best.is_nan() {
            default.near_best
        } else {
            near_best.ln_1p()
        },
        explore: context.share(model.explore.as_ref(), place.key("explore"), 1.0, default.explore),
        on_no_candidates: match model.on_no_candidates.as_ref().map(|it| it.0.as_str()) {
            Some("refuse") => OnNoCandidates::Refuse,
            _ => OnNoCandidates::TryAnyway,
        },
        sticky: model.sticky.unwrap_or(false),
    }
}

fn weights(context: Context<'_>, written: Option<&raw::Weights>, place: Place<'_>) -> Weights {
    let default = Weights::default();
    let Some(written) = written else { return default };
    let weights = Weights {
        cost: written.cost.unwrap_or(default.cost),
        latency: written.latency.unwrap_or(default.latency),
        availability: written.availability.unwrap_or(default.availability),
    };
    if weights.cost.max(weights.latency).max(weights.availability) <= 0.0 {
        let expected = "one weight above 0, or strategy weighted";
        context.report.problem(place, "only weights of 0", expected);
    }
    weights
}

/// What a request may take and cost.
pub(super) fn limits(context: Context<'_>, model: &Model, place: Place<'_>) -> Limits {
    Limits {
        deadline: context.optional_duration(model.deadline.as_ref(), place.key("deadline")),
        max_cost: context.amount(model.max_cost.as_ref(), place.key("max_cost")),
        max_retry_wait: context.duration_or_zero(
            model.max_retry_wait.as_ref(),
            place.key("max_retry_wait"),
            MAX_RETRY_WAIT,
        ),
        hedge: model
            .hedge
            .as_ref()
            .map(|hedge| self::hedge(context, hedge, place.key("hedge"))),
        continue_streams: model.continue_streams.unwrap_or(false),
        regions: context.regions(model.regions.as_ref(), place.key("regions")),
    }
}

fn hedge(context: Context<'_>, written: &raw::Hedge, place: Place<'_>) -> Hedge {
    let after = written
        .after
        .as_ref()
        .map(|it| it.0.as_str())
        .filter(|text| *text != "p95");
    Hedge {
        after: after.and_then(|text| {
            let after = units::duration(text).filter(|after| !after.is_zero());
            if after.is_none() {
                let place = place.key("after");
                let expected = "p95, or a span of time such as \"800ms\"";
                context
                    .report
                    .problem(place, context.report.quoted(place, text), expected);
            }
            after
        }),
        max_ratio: context.share(written.max_ratio.as_ref(), place.key("max_ratio"), 1.0, 0.05),
        max_cost: context.amount(written.max_cost.as_ref(), place.key("max_cost")),
    }
}

/// Further attempts that the requests for a model may make together.
pub(super) fn retry_limits(context: Context<'_>, model: &Model, place: Place<'_>) -> RetryLimits {
    let default = RetryLimits::default();
    let Some(written) = &model.retry_budget else {
        return default;
    };
    let place = place.key("retry_budget");
    RetryLimits {
        ratio: context.share(written.ratio.as_ref(), place.key("ratio"), 100.0, default.ratio),
        per_second: written.per_second.unwrap_or(default.per_second),
    }
}

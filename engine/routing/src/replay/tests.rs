//! Nothing changed: every decision as it was. Something changed: what the counts say is what the orders say.

use super::*;
use crate::question::{Admission, Facts, Filter, Group, Names};
use crate::{Policy, RouteChange, Strategy, Target, Weights, WeightsChange};

fn facts(provider: &str, cost: u64, ttft_us: f32) -> Facts {
    Facts {
        fallback: 0,
        entry: 0,
        priority: 0,
        weight: 1,
        canary: None,
        key: Target::key_of(provider, "m"),
        filter: None,
        cost: Some(cost),
        ttft_us: Some(ttft_us),
        age_ms: 0,
        per_token_us: None,
        in_flight: 0,
        load: 0.0,
        error_ratio: 0.0,
        samples: 50,
        gate: Admission::All,
    }
}

/// A decision about a cheap slow target and a dear fast one.
fn decision(seed: u64, policy: Policy) -> Decision {
    let question = Question {
        seed,
        session: None,
        output_tokens: 10.0,
        groups: vec![Group {
            route: "fast".into(),
            policy,
            names: Names::default(),
        }],
        candidates: vec![facts("cheap", 100, 800_000.0), facts("quick", 1_000, 100_000.0)],
    }
    .called(["cheap", "quick"].into_iter());
    let ranking = Ranking::default().rank(&question).to_vec();
    Decision {
        epoch: 1,
        question,
        ranking,
    }
}

fn scored(cost: f32, latency: f32) -> Policy {
    Policy {
        strategy: Strategy::Scored,
        weights: Weights {
            cost,
            latency,
            availability: 1.0,
        },
        ..Policy::default()
    }
}

fn replay(decisions: &[Decision], changes: &Changes) -> Forecast {
    let mut replay = Replay::default();
    for decision in decisions {
        replay.decide(decision, changes);
    }
    replay.forecast()
}

fn weights(cost: f32, latency: f32) -> Changes {
    let weights = WeightsChange {
        cost: Some(cost),
        latency: Some(latency),
        availability: None,
    };
    let change = RouteChange {
        weights,
        ..RouteChange::default()
    };
    Changes::from([("fast".to_owned(), change)])
}

#[test]
fn without_a_change_every_decision_is_made_again_to_the_bit() {
    let decisions: Vec<_> = (0..500)
        .map(|seed| {
            let policy = if seed % 2 == 0 {
                scored(1.0, 1.0)
            } else {
                Policy::default()
            };
            let text = serde_json::to_string(&decision(seed, policy)).unwrap();
            serde_json::from_str(&text).unwrap()
        })
        .collect();
    let forecast = replay(&decisions, &Changes::new());
    assert_eq!(
        (forecast.decisions, forecast.reordered, forecast.first_changed),
        (500, 0, 0)
    );
}

#[test]
fn a_decision_that_was_tampered_with_is_noticed() {
    let mut decision = decision(1, scored(1.0, 1.0));
    decision.ranking[0].terms.score += 1.0;
    assert_eq!(replay(&[decision], &Changes::new()).reordered, 1);
}

#[test]
fn other_weights_move_shares_cost_and_time() {
    let decisions: Vec<_> = (0..1_000).map(|seed| decision(seed, scored(0.0, 1.0))).collect();
    let forecast = replay(&decisions, &weights(1.0, 0.0));
    let route = &forecast.routes[0];
    let share = |target: &str| route.shares.iter().find(|it| it.target == target).unwrap().share;
    // One in a hundred explores, but nobody here is stale.
    assert_eq!((share("quick/m").before, share("quick/m").after), (1.0, 0.0));
    assert_eq!((share("cheap/m").before, share("cheap/m").after), (0.0, 1.0));
    assert_eq!(
        (route.cost_nanodollars.before, route.cost_nanodollars.after),
        (1_000_000, 100_000)
    );
    assert_eq!(
        (route.mean_time_us.before, route.mean_time_us.after),
        (100_000, 800_000)
    );
    assert_eq!((forecast.first_changed, route.decisions), (1_000, 1_000));
}

#[test]
fn requests_for_which_nobody_is_left_are_refusals() {
    let mut refused = decision(1, Policy::default());
    for facts in &mut refused.question.candidates {
        facts.filter = Some(Filter::OutOfUse);
    }
    refused.ranking.clear();
    let forecast = replay(&[refused], &Changes::new());
    assert_eq!(
        (
            forecast.routes[0].refusals.before,
            forecast.routes[0].refusals.after
        ),
        (1, 1)
    );
}

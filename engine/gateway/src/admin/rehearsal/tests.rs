//! Rehearsals say what they know and what they do not.

use serde_json::json;
use tollgate_core::{RequestId, Timestamp};
use tollgate_routing::{Question, Ranking};

use super::*;
use crate::explain::DecisionRecord;

/// The record of such a decision.
pub(crate) fn record(seed: u64, epoch: u64) -> DecisionRecord {
    let id = RequestId::new(Timestamp::from_unix_millis(1_000 + seed), u128::from(seed));
    let failed = seed % 4 == 3;
    serde_json::from_value(json!({
        "id": id.to_string(), "at_ms": 1_000 + seed, "key": if seed.is_multiple_of(2) { "even" } else { "odd" },
        "route": "fast", "status": if failed { 502 } else { 200 },
        "outcome": if failed { "server_error" } else { "success" }, "cost_nanodollars": 1_000, "ttft_us": 900_000,
        "total_us": 1_000_000,
        "attempts": [{"target": "p/cheap", "outcome": "success", "role": "first", "status": 200, "elapsed_us": 1_000_000}],
        "decision": serde_json::to_value(decision(seed, epoch)).unwrap(),
    }))
    .unwrap()
}

/// A decision between a cheap target and a dear one that is faster.
pub(crate) fn decision(seed: u64, epoch: u64) -> Decision {
    let facts = |model: &str, cost: u64, ttft_us: f32, key: u64| {
        json!({
            "provider": "p", "model": model, "fallback": 0, "priority": 0, "weight": 1, "key": format!("{key:016x}"),
            "cost": cost, "ttft_us": ttft_us, "age_ms": 10, "per_token_us": null, "in_flight": 0, "load": 0.0,
            "error_ratio": 0.0, "samples": 100, "gate": "all",
        })
    };
    let question: Question = serde_json::from_value(json!({
        "seed": format!("{seed:016x}"), "output_tokens": 100.0,
        "groups": [{"route": "fast", "policy": {
            "strategy": "scored", "weights": {"cost": 1.0, "latency": 0.0, "availability": 0.0}, "explore": 0.0,
        }}],
        "candidates": [facts("cheap", 1_000, 900_000.0, 1), facts("swift", 8_000, 100_000.0, 2)],
    }))
    .unwrap();
    let ranking = Ranking::default().rank(&question).to_vec();
    Decision {
        epoch,
        question,
        ranking,
    }
}

fn rehearsed(changes: &serde_json::Value, epochs: &[u64]) -> Rehearsal {
    let changes: Changes = serde_json::from_value(changes.clone()).unwrap();
    let mut rehearser = Rehearser::new(&changes);
    for (seed, epoch) in (0..).zip(epochs) {
        rehearser.decide(1_000 + seed, &decision(seed, *epoch));
    }
    rehearser.end()
}

#[test]
fn without_a_change_everything_comes_out_as_it_was() {
    let rehearsal = rehearsed(&json!({}), &[1; 50]);
    let forecast = &rehearsal.forecast;
    assert_eq!(
        (forecast.decisions, forecast.reordered, forecast.first_changed),
        (50, 0, 0)
    );
    assert_eq!((rehearsal.from_ms, rehearsal.to_ms), (Some(1_000), Some(1_049)));
}

#[test]
fn other_weights_move_the_shares_and_the_notes_say_what_is_an_estimate() {
    let rehearsal = rehearsed(
        &json!({"fast": {"weights": {"cost": 0.0, "latency": 1.0}}}),
        &[1; 50],
    );
    assert_eq!(rehearsal.forecast.first_changed, 50);
    let swift = rehearsal.forecast.routes[0]
        .shares
        .iter()
        .find(|it| it.target == "p/swift")
        .unwrap();
    assert_eq!((swift.requests.before, swift.requests.after), (0, 50));
    let starts: Vec<_> = rehearsal
        .notes
        .iter()
        .map(|it| it.split(':').next().unwrap())
        .collect();
    assert_eq!(starts, ["exact", "estimate", "unknown"]);
}

#[test]
fn limits_and_mixed_epochs_are_named_in_the_notes() {
    let rehearsal = rehearsed(&json!({"fast": {"deadline_ms": 5}}), &[1, 2, 3]);
    assert!(rehearsal.notes.iter().any(|it| it.starts_with("not foreseen")));
    assert!(rehearsal.notes.iter().any(|it| it.contains("epochs 1 to 3")));
}

#[test]
fn nothing_recorded_says_nothing() {
    let rehearsal = rehearsed(&json!({}), &[]);
    assert_eq!((rehearsal.forecast.decisions, rehearsal.from_ms), (0, None));
    assert_eq!(rehearsal.notes.len(), 1);
}

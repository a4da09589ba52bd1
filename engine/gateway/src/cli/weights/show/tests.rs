//! What operators read of weights and versions.

use super::*;
use serde_json::json;

#[test]
fn weights_are_a_table_of_routes_and_one_of_targets() {
    let text = weights(&json!({
        "version": 3, "epoch": 7,
        "routes": {"fast": {
            "strategy": "scored", "weights": {"cost": 2.0, "latency": 1.0, "availability": 0.5},
            "near_best": 0.14, "explore": 0.01,
            "targets": {"a/m": {"weight": 8, "priority": 0}, "b/m": {"weight": 2, "priority": 1, "canary": 0.05}},
        }},
        "overrides": {"fast": {"weights": {"cost": 2.0}}},
    }));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "version 3, epoch 7");
    assert_eq!(
        lines[3].split_whitespace().collect::<Vec<_>>(),
        ["fast", "scored", "2.0", "1.0", "0.5", "0.14", "0.01"]
    );
    assert_eq!(
        lines[7].split_whitespace().collect::<Vec<_>>(),
        ["fast", "b/m", "2", "1", "0.05"]
    );
    assert_eq!(*lines.last().unwrap(), "  fast.weights.cost = 2.0");
}

#[test]
fn a_change_says_who_has_it_and_for_how_long() {
    let mut made = json!({
        "version": 4, "epoch": 8, "applied": {"applied": 2, "of": 2}, "persistent": false, "took_ms": 1.25,
        "diff": [{"path": "routes.fast.weights.cost", "before": 1.0, "after": 2.0}],
    });
    assert_eq!(
        change(&made),
        "version 4, epoch 8: live at 2 of 2 routers after 1.2 ms, until the process ends\n  \
         routes.fast.weights.cost: 1.0 -> 2.0\n"
    );
    made["rollout"] = json!({"share": 0.1});
    made["persistent"] = json!(true);
    let text = change(&made);
    assert!(
        text.contains("live for 10 % of the requests at 2 of 2 routers"),
        "{text}"
    );
    assert!(text.contains("kept over restarts"), "{text}");
}

#[test]
fn a_dry_run_says_that_nothing_was_changed() {
    let text = change(&json!({
        "dry_run": true, "version": 4,
        "diff": [{"path": "routes.fast.deadline_ms", "before": null, "after": 5}],
        "forecast": {"decisions": 0, "reordered": 0, "first_changed": 0, "routes": [], "notes": ["nothing was recorded"]},
    }));
    assert!(text.starts_with("valid. Nothing was changed"), "{text}");
    assert!(text.contains("routes.fast.deadline_ms: - -> 5"), "{text}");
    assert!(text.ends_with("nothing was recorded\n"), "{text}");
    assert!(change(&json!({"dry_run": true, "diff": []})).starts_with("no difference"));
}

#[test]
fn the_history_marks_the_version_in_force_and_obeys_no_control_characters() {
    let text = history(&json!({"version": 2, "versions": [
        {"number": 3, "at": "2026-01-01T00:02:00.000Z", "author": "bob", "reason": "x", "overlay": {},
         "origin": {"kind": "change"}, "state": "rolled_back",
         "taken_back": {"at": "2026-01-01T00:03:00.000Z", "automatic": true, "author": "tollgate", "reason": "9 of 10 failed"}},
        {"number": 2, "at": "2026-01-01T00:01:00.000Z", "author": "ann", "reason": "evil\u{1b}[2J", "overlay": {},
         "origin": {"kind": "rollback", "to": 0}, "state": "live"},
        {"number": 1, "at": "2026-01-01T00:00:00.000Z", "author": "ann", "reason": "why",
         "overlay": {"routes": {"fast": {"weights": {"cost": 2}}}}, "origin": {"kind": "change"}, "state": "superseded"},
    ]}));
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "     3  rolled_back  2026-01-01T00:02:00.000Z  bob: x",
            "          taken back 2026-01-01T00:03:00.000Z by tollgate: 9 of 10 failed",
            "*    2  live         2026-01-01T00:01:00.000Z  ann: evil?[2J",
            "          back to the config file",
            "     1  superseded   2026-01-01T00:00:00.000Z  ann: why",
            "          routes.fast.weights.cost = 2",
        ]
    );
    assert!(history(&json!({"version": 0, "versions": []})).contains("config file"));
}

#[test]
fn a_rollout_shows_both_parts_of_the_requests() {
    let text = rollout(&json!({"rollout": {
        "version": 5, "share": 0.1, "hold_ms": 60_000, "held_ms": 58_500,
        "staged": {"requests": 10, "errors": 1, "ttft_mean_ms": 120.4, "ttft_p99_ms": null},
        "rest": {"requests": 90, "errors": 0},
    }}));
    assert!(
        text.starts_with("version 5 for 10 % of the requests, 2 s left"),
        "{text}"
    );
    assert!(
        text.contains("with the change     10       1     120 ms"),
        "{text}"
    );
    assert_eq!(rollout(&json!({"rollout": null})), "no rollout is under way\n");
}

#[test]
fn the_end_of_a_rollout_says_which_version_is_in_force() {
    let text = ended(&json!({
        "version": 2, "epoch": 6, "applied": {"applied": 2, "of": 2}, "persistent": true, "took_ms": 1.0, "diff": [],
        "rollout": null,
    }));
    assert_eq!(
        text,
        "version 2, epoch 6: live at 2 of 2 routers after 1.0 ms, kept over restarts\n"
    );
}

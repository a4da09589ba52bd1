//! The document of changes: merged, pruned, read and laid.

use proptest::prelude::*;
use serde_json::json;
use tollgate_routing::Board;

use super::*;
use crate::testing::{CONFIG, settings_of};

/// Example test cases of RFC 7396, appendix A: original, patch, result.
#[test]
fn the_examples_of_the_rfc_come_out_as_it_says() {
    let cases = [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
        (json!({"a": "b"}), json!({"a": null}), json!({})),
        (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
        (
            json!({"a": {"b": "c"}}),
            json!({"a": {"b": "d", "c": null}}),
            json!({"a": {"b": "d"}}),
        ),
        (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
        (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
        (json!({"a": "b"}), json!(["c"]), json!(["c"])),
        (json!({"a": "foo"}), json!(null), json!(null)),
        (json!({"a": "foo"}), json!("bar"), json!("bar")),
        (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
        (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
        (
            json!({}),
            json!({"a": {"bb": {"ccc": null}}}),
            json!({"a": {"bb": {}}}),
        ),
    ];
    for (original, patch, expected) in cases {
        let mut merged = original.clone();
        merge(&mut merged, &patch);
        assert_eq!(merged, expected, "{original} + {patch}");
    }
}

#[test]
fn what_says_nothing_is_pruned() {
    let mut document =
        json!({"routes": {"a": {"weights": {}, "sticky": true}, "b": {"targets": {"x/y": {}}}}});
    prune(&mut document);
    assert_eq!(document, json!({"routes": {"a": {"sticky": true}}}));
    let mut empty = json!({"routes": {"b": {}}});
    prune(&mut empty);
    assert_eq!(empty, nothing());
}

#[test]
fn a_document_is_read_into_changes() {
    let changes = read(&json!({"routes": {"fast": {
        "strategy": "scored",
        "weights": {"cost": 2},
        "deadline_ms": 900,
        "max_cost_usd": "0.25",
        "targets": {"a/m1": {"weight": 3}},
    }}}))
    .unwrap();
    let fast = &changes["fast"];
    assert_eq!(fast.weights.cost, Some(2.0));
    assert_eq!(
        (fast.deadline_ms, fast.max_cost_usd.as_deref()),
        (Some(900), Some("0.25"))
    );
    assert_eq!(fast.targets["a/m1"].weight, Some(3));
    assert_eq!(read(&nothing()).unwrap(), Changes::new());
}

#[test]
fn all_problems_are_named_with_their_paths() {
    let document = json!({
        "route": {},
        "routes": {
            "fast": {
                "weights": {"cots": 1, "latency": "much"},
                "sticky": 1,
                "strategy": "clever",
                "max_attempts": -1,
                "targets": {"a/m1": {"weight": 1.5}, "b/m2": 7},
            },
            "slow": [],
        },
    });
    let problems = read(&document).unwrap_err();
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "route: found unknown key, expected `routes`",
            "routes.fast.weights.cots: found unknown key, expected one of `cost`, `latency`, `availability`",
            "routes.fast.weights.latency: found \"much\", expected a number",
            "routes.fast.targets.a/m1.weight: found 1.5, expected a whole number, 0 or more",
            "routes.fast.targets.b/m2: found 7, expected an object",
            "routes.fast.sticky: found 1, expected true or false",
            "routes.fast.strategy: found \"clever\", expected `weighted` or `scored`",
            "routes.fast.max_attempts: found -1, expected a whole number, 0 or more",
            "routes.slow: found [], expected an object",
        ]
    );
}

#[test]
fn a_document_that_is_none_is_a_problem() {
    for document in [json!(null), json!(3), json!([]), json!("routes")] {
        let problems = read(&document).unwrap_err();
        assert_eq!((problems.len(), problems[0].path.as_str()), (1, "(document)"));
    }
    assert_eq!(read(&json!({"routes": 3})).unwrap_err()[0].path, "routes");
}

#[test]
fn long_texts_are_not_quoted_whole() {
    let problems = read(&json!({"routes": {"fast": {"sticky": "ä".repeat(10_000)}}})).unwrap_err();
    assert!(problems[0].found.chars().count() <= QUOTED + 1);
}

fn laid(document: &Value) -> Laid {
    let settings = settings_of(CONFIG, &Board::default(), 1);
    lay(&settings.catalog, &read(document).unwrap(), 5)
}

#[test]
fn what_fits_is_laid_over_the_file_and_what_does_not_is_set_aside() {
    let laid = laid(&json!({"routes": {
        "fast": {"weights": {"cost": 2}, "sticky": true},
        "gone": {"weights": {"cost": 2}},
    }}));
    let fast = laid.catalog.find("fast").unwrap().route;
    assert!(fast.policy.sticky);
    assert_eq!(laid.catalog.epoch, 5);
    assert_eq!(laid.set_aside.len(), 1);
    assert_eq!(laid.set_aside[0].path, "routes.gone");
}

#[test]
fn a_route_is_changed_whole_or_not_at_all() {
    let laid = laid(&json!({"routes": {"fast": {"sticky": true, "targets": {"a/gone": {"weight": 1}}}}}));
    assert!(!laid.catalog.find("fast").unwrap().route.policy.sticky);
    assert_eq!(laid.set_aside.len(), 1);
}

#[test]
fn an_alias_is_no_place_for_a_change() {
    let text = CONFIG.replace("fast: { ", "fast: { aliases: [quick], ");
    let settings = settings_of(&text, &Board::default(), 1);
    let problems = fit(&settings.catalog, "quick", &RouteChange::default()).unwrap_err();
    assert_eq!(problems[0].expected, "its route, \"fast\"");
    assert!(fit(&settings.catalog, "fast", &RouteChange::default()).is_ok());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..3).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-c]", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn has_null_member(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|it| it.values().any(|value| value.is_null() || has_null_member(value)))
}

proptest! {
    #[test]
    fn merging_twice_is_merging_once(document in any_json(), patch in any_json()) {
        let mut once = document;
        merge(&mut once, &patch);
        let mut twice = once.clone();
        merge(&mut twice, &patch);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn a_patch_on_nothing_leaves_no_null(patch in any_json()) {
        let mut document = nothing();
        merge(&mut document, &patch);
        prop_assert!(!has_null_member(&document), "{document}");
    }

    #[test]
    fn what_a_patch_does_not_name_stays(document in any_json(), patch in any_json()) {
        let mut merged = document.clone();
        merge(&mut merged, &patch);
        if let (Some(before), Some(named), Some(after)) = (document.as_object(), patch.as_object(), merged.as_object()) {
            for (key, value) in before.iter().filter(|(key, _)| !named.contains_key(*key)) {
                prop_assert_eq!(after.get(key), Some(value));
            }
            prop_assert!(named.iter().all(|(key, value)| !value.is_null() || !after.contains_key(key)));
        }
    }

    #[test]
    fn reading_nonsense_never_panics(document in any_json()) {
        let wrapped = json!({"routes": {"fast": document}});
        let _ = (read(&document), read(&wrapped));
    }
}

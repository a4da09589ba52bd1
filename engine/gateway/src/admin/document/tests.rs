//! A route as a document says all of it, and nothing that is not so.

use std::sync::Arc;

use serde_json::json;
use tollgate_core::ProviderKind;
use tollgate_routing::{Board, ModelFacts, Provider, Target, TargetId};

use super::*;

/// Two targets of one provider under a route with another name beside it.
fn catalog() -> Catalog {
    let board = Board::default();
    let uri = http::Uri::from_static("http://127.0.0.1:9/v1");
    let provider = Arc::new(Provider::new("p", ProviderKind::OpenAi, uri, &board));
    let targets = |models: &[&str]| {
        let target = |(id, model): (usize, &&str)| {
            let id = TargetId(u32::try_from(id).unwrap());
            let model = Some(Arc::from(*model));
            RouteTarget::new(Arc::new(Target::new(
                id,
                provider.clone(),
                model,
                ModelFacts::default(),
                &board,
            )))
        };
        models.iter().enumerate().map(target).collect::<Vec<_>>()
    };
    let fast = Route::new("fast", targets(&["a", "b/c"])).unwrap();
    let mut quick = Route::new("quick", targets(&["a", "b/c"])).unwrap();
    quick.alias_of = Some("fast".into());
    let slow = Route::new("slow", targets(&["a"])).unwrap();
    Catalog::new(1, vec![provider.clone()], vec![fast, quick, slow])
}

fn changes(document: Value) -> Changes {
    serde_json::from_value(document).unwrap()
}

#[test]
fn numbers_are_written_as_briefly_as_they_were_read() {
    assert_eq!(tidy(&0.14f32).to_string(), "0.14");
}

#[test]
fn routes_are_told_in_full_and_without_their_other_names() {
    let document = tidy(&all_as_they_are(&catalog()));
    assert_eq!(
        document.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["fast", "slow"]
    );
    assert_eq!(
        document["fast"],
        json!({
            "strategy": "weighted",
            "weights": {"cost": 1.0, "latency": 1.0, "availability": 1.0},
            "near_best": 0.14,
            "explore": 0.01,
            "on_no_candidates": "try_anyway",
            "sticky": false,
            "max_attempts": 8,
            "targets": {"p/a": {"weight": 1, "priority": 0}, "p/b/c": {"weight": 1, "priority": 0}},
        })
    );
}

#[test]
fn what_is_told_can_be_applied_and_changes_nothing() {
    let catalog = catalog();
    let same = catalog.changed(&all_as_they_are(&catalog), 2).unwrap();
    assert_eq!(all_as_they_are(&same), all_as_they_are(&catalog));
    assert!(way(&catalog, &same).is_empty());
}

#[test]
fn the_way_from_one_catalog_to_another_names_all_names_of_the_routes_that_differ() {
    let before = catalog();
    let change = changes(json!({"fast": {"weights": {"cost": 3.0}, "targets": {"p/a": {"weight": 0}}}}));
    let after = before.changed(&change, 2).unwrap();
    let way = way(&before, &after);
    assert_eq!(way.keys().collect::<Vec<_>>(), ["fast", "quick"]);
    for change in way.values() {
        assert_eq!(change.weights.cost, Some(3.0));
        assert_eq!(change.targets["p/a"].weight, Some(0));
        assert_eq!(change.targets["p/b/c"].weight, Some(1));
        assert_eq!(
            (change.max_attempts, change.deadline_ms),
            (None, None),
            "limits stay"
        );
    }
}

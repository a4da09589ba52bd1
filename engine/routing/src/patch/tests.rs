//! Changes are applied as a whole or not at all, and mean the same live and in a rehearsal.

use tollgate_core::{ProviderKind, Surface};

use super::*;
use crate::{Ask, Board, ModelFacts, Planner, Provider, Target, TargetId};

fn route(name: &str, providers: &[&str]) -> Route {
    let board = Board::default();
    let target = |(id, provider): (u32, &&str)| {
        let url = http::Uri::from_static("http://127.0.0.1:1");
        let provider = Arc::new(Provider::new(provider, ProviderKind::OpenAi, url, &board));
        let model = Some(Arc::from("m"));
        let target = Target::new(TargetId(id), provider, model, ModelFacts::default(), &board);
        RouteTarget::new(Arc::new(target))
    };
    Route::new(name, (0u32..).zip(providers).map(target).collect()).unwrap()
}

fn catalog() -> Catalog {
    let alias = Route {
        alias_of: Some("fast".into()),
        ..route("quick", &["a", "b"])
    };
    let routes = vec![route("fast", &["a", "b"]), alias, route("other", &["a"])];
    Catalog::new(1, Vec::new(), routes)
}

fn changes(text: &str) -> Changes {
    serde_json::from_str(text).unwrap()
}

fn find(catalog: &Catalog, name: &str) -> Arc<Route> {
    catalog.find(name).unwrap().route
}

#[test]
fn what_is_named_changes_and_the_rest_stays_the_very_same() {
    let before = catalog();
    let document = r#"{"fast": {"strategy": "scored", "weights": {"cost": 2}, "explore": 0.5, "max_attempts": 3,
        "deadline_ms": 1500, "max_cost_usd": "0.25", "targets": {"b/m": {"weight": 7, "priority": 1, "canary": 0.1}}}}"#;
    let after = before.changed(&changes(document), 2).unwrap();
    assert_eq!(after.epoch, 2);
    for name in ["fast", "quick"] {
        let route = find(&after, name);
        assert_eq!(route.policy.strategy, Strategy::Scored, "{name}");
        assert_eq!(
            (route.policy.weights.cost, route.policy.weights.latency),
            (2.0, 1.0)
        );
        assert_eq!(route.max_attempts, 3);
        assert_eq!(route.limits.deadline, Some(Duration::from_millis(1_500)));
        assert_eq!(route.limits.max_cost, Some(Nanodollars(250_000_000)));
        let target = &route.targets[1];
        assert_eq!((target.weight, target.priority, target.canary), (7, 1, Some(0.1)));
        assert_eq!(route.targets[0].weight, 1);
    }
    assert!(Arc::ptr_eq(&find(&before, "other"), &find(&after, "other")));
}

#[test]
fn every_problem_is_told_with_its_place_and_nothing_is_changed() {
    let document = r#"{
        "fats": {}, "quick": {}, "other": {"targets": {"a/m": {"weight": 0}}},
        "fast": {"weights": {"cost": -1}, "explore": 2, "max_attempts": 0, "deadline_ms": 0, "max_cost_usd": "ten",
                 "targets": {"c/m": {}, "a/m": {"weight": 9000000, "canary": 1.5}}}
    }"#;
    let problems = catalog().changed(&changes(document), 2).unwrap_err();
    let paths: Vec<_> = problems.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "routes.fast.deadline_ms",
            "routes.fast.explore",
            "routes.fast.max_attempts",
            "routes.fast.max_cost_usd",
            "routes.fast.targets.a/m.canary",
            "routes.fast.targets.a/m.weight",
            "routes.fast.targets.c/m",
            "routes.fast.weights.cost",
            "routes.fats",
            "routes.other.targets",
            "routes.quick",
        ]
    );
    assert!(problems[8].expected.contains("fast"), "{}", problems[8]);
}

#[test]
fn numbers_that_are_none_are_refused() {
    for bad in [f32::NAN, f32::INFINITY, -0.5] {
        let mut document = Changes::new();
        let weights = WeightsChange {
            latency: Some(bad),
            ..WeightsChange::default()
        };
        document.insert(
            "fast".to_owned(),
            RouteChange {
                weights,
                ..RouteChange::default()
            },
        );
        assert!(catalog().changed(&document, 2).is_err(), "{bad}");
    }
}

#[test]
fn a_rehearsed_question_is_the_one_that_the_changed_catalog_asks() {
    let catalog = catalog();
    let document = changes(
        r#"{"fast": {"strategy": "scored", "weights": {"cost": 0.5, "latency": 4}, "sticky": true,
            "targets": {"b/m": {"weight": 3, "priority": 2}, "a/m": {"weight": 0}}}}"#,
    );
    let changed = catalog.changed(&document, 2).unwrap();
    let ask = Ask {
        now: tollgate_core::Moment::from_millis(5),
        seed: 42,
        surface: Surface::ChatCompletions,
        model: "fast",
        needs: tollgate_core::Capabilities::NONE,
        prompt_tokens: 10,
        max_output_tokens: None,
        stream: true,
        session: Some(1),
        warm: None,
        time_left: None,
        max_cost: None,
        regions: None,
        targets: &[],
    };
    let plan = |catalog: &Catalog| Planner::default().plan(catalog, &ask).unwrap();
    let mut rehearsed = plan(&catalog).decision.question;
    rehearsed.change(&document);
    assert_eq!(rehearsed, plan(&changed).decision.question);
}

#[test]
fn a_document_is_read_strictly_and_written_briefly() {
    assert!(serde_json::from_str::<Changes>(r#"{"fast": {"wieghts": {}}}"#).is_err());
    assert!(serde_json::from_str::<Changes>(r#"{"fast": {"targets": {"a/m": {"wieght": 1}}}}"#).is_err());
    let document = changes(r#"{"fast":{"weights":{"cost":2.0}}}"#);
    assert_eq!(
        serde_json::to_string(&document).unwrap(),
        r#"{"fast":{"weights":{"cost":2.0}}}"#
    );
}

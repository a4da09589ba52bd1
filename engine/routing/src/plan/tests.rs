//! The draw is fair, the order respects priorities, and nothing that may not be chosen is.

use std::collections::HashMap;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tollgate_core::{Pattern, ProviderKind};

use super::*;
use crate::{Auth, Fallback, HttpVersion, Provider, TargetId, Timeouts};

fn provider(name: &str, kind: ProviderKind) -> Arc<Provider> {
    Arc::new(Provider {
        name: name.into(),
        kind,
        base_url: "http://127.0.0.1:1/v1".parse().unwrap(),
        api_version: None,
        auth: Auth::None,
        credentials: Vec::new(),
        headers: Vec::new(),
        timeouts: Timeouts::default(),
        http: HttpVersion::Http1,
        max_idle_connections: 1,
        max_streams_per_connection: 1,
    })
}

fn target(id: u32, kind: ProviderKind, model: Option<&str>) -> Arc<Target> {
    Arc::new(Target {
        id: TargetId(id),
        provider: provider(&format!("p{id}"), kind),
        model: model.map(Into::into),
        price: None,
        max_output_tokens: None,
        context_tokens: None,
    })
}

fn route(name: &str, targets: Vec<RouteTarget>, fallbacks: &[&str]) -> Route {
    Route {
        pattern: Pattern::parse(name).unwrap(),
        name: name.into(),
        targets,
        fallbacks: fallbacks
            .iter()
            .map(|model| Fallback {
                model: (*model).into(),
            })
            .collect(),
        strict: false,
        max_attempts: 8,
    }
}

fn openai(id: u32, weight: u32, priority: u32) -> RouteTarget {
    RouteTarget {
        target: target(id, ProviderKind::OpenAi, Some("m")),
        weight,
        priority,
    }
}

fn ask(model: &str) -> Ask<'_> {
    Ask {
        surface: Surface::ChatCompletions,
        model,
    }
}

fn ids(plan: &Plan) -> Vec<u32> {
    plan.candidates
        .iter()
        .map(|candidate| candidate.target.id.0)
        .collect()
}

#[test]
fn the_first_place_falls_to_each_target_by_its_weight() {
    let catalog = Catalog::new(
        1,
        Vec::new(),
        vec![route("fast", vec![openai(0, 8, 0), openai(1, 2, 0)], &[])],
    );
    let mut rng = SmallRng::seed_from_u64(7);
    let firsts = (0..10_000)
        .filter(|_| ids(&plan(&catalog, ask("fast"), &mut rng).unwrap())[0] == 0)
        .count();
    assert!((7_850..=8_150).contains(&firsts), "{firsts} of 10,000");
}

#[test]
fn fallbacks_follow_and_keep_their_number() {
    let catalog = Catalog::new(
        1,
        Vec::new(),
        vec![
            route("fast", vec![openai(0, 1, 0)], &["slow", "gone"]),
            route("slow", vec![openai(1, 1, 0)], &["fast"]),
        ],
    );
    let plan = plan(&catalog, ask("fast"), &mut SmallRng::seed_from_u64(1)).unwrap();
    assert_eq!(ids(&plan), [0, 1]);
    assert_eq!(plan.candidates[1].reason.fallback, 1);
}

#[test]
fn a_wildcard_route_passes_the_name_on() {
    let local = RouteTarget {
        target: target(0, ProviderKind::Vllm, None),
        weight: 1,
        priority: 0,
    };
    let catalog = Catalog::new(1, Vec::new(), vec![route("local/*", vec![local], &[])]);
    let plan = plan(&catalog, ask("local/llama-3"), &mut SmallRng::seed_from_u64(1)).unwrap();
    assert_eq!(&*plan.candidates[0].model, "llama-3");
}

#[test]
fn an_unknown_model_comes_with_near_names() {
    let catalog = Catalog::new(
        1,
        Vec::new(),
        vec![route("gpt-4o-mini", vec![openai(0, 1, 0)], &[])],
    );
    let error = plan(&catalog, ask("gpt-4o-mni"), &mut SmallRng::seed_from_u64(1)).unwrap_err();
    assert_eq!(
        error,
        PlanError::UnknownModel {
            near: vec!["gpt-4o-mini".into()]
        }
    );
}

#[test]
fn a_surface_that_no_target_carries_has_no_candidate() {
    let claude = RouteTarget {
        target: target(0, ProviderKind::Anthropic, Some("c")),
        weight: 1,
        priority: 0,
    };
    let catalog = Catalog::new(1, Vec::new(), vec![route("c", vec![claude], &[])]);
    let embeddings = Ask {
        surface: Surface::Embeddings,
        model: "c",
    };
    let error = plan(&catalog, embeddings, &mut SmallRng::seed_from_u64(1)).unwrap_err();
    assert!(matches!(error, PlanError::NoCandidate { .. }));
}

proptest! {
    #[test]
    fn a_plan_is_a_permutation_of_the_usable_targets_in_priority_order(
        targets in prop::collection::vec((0u32..4, 0u32..3), 1..8), seed: u64,
    ) {
        let given: Vec<_> = targets.iter().zip(0..).map(|(&(weight, priority), id)| openai(id, weight, priority)).collect();
        let priorities: HashMap<u32, u32> = given.iter().map(|it| (it.target.id.0, it.priority)).collect();
        let mut usable: Vec<_> = given.iter().filter(|it| it.weight > 0).map(|it| it.target.id.0).collect();
        let catalog = Catalog::new(1, Vec::new(), vec![route("r", given, &[])]);
        match plan(&catalog, ask("r"), &mut SmallRng::seed_from_u64(seed)) {
            Err(PlanError::NoCandidate { .. }) => prop_assert!(usable.is_empty()),
            Err(other) => prop_assert!(false, "{other}"),
            Ok(plan) => {
                let ranked = ids(&plan);
                prop_assert!(ranked.windows(2).all(|pair| priorities[&pair[0]] <= priorities[&pair[1]]));
                let mut sorted = ranked;
                sorted.sort_unstable();
                usable.sort_unstable();
                prop_assert_eq!(sorted, usable);
            }
        }
    }
}

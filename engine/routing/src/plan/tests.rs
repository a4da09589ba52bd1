//! Who is considered, who is filtered out and why, and in which order the rest is asked.

use std::collections::HashMap;

use proptest::prelude::*;
use tollgate_core::{PicodollarsPerToken, Price, ProviderKind, Rates};

use super::*;
use crate::question::Filter;
use crate::{
    Board, CredentialState, Fallback, Gate, GateMode, Permit, Provider, RouteTarget, TargetId, Urgency,
    Vitals,
};

fn target(id: u32, kind: ProviderKind, model: Option<&str>, facts: ModelFacts) -> Arc<Target> {
    let board = Board::default();
    let url = http::Uri::from_static("http://127.0.0.1:1/v1");
    let provider = Provider::new(&format!("p{id}"), kind, url, &board);
    let model = model.map(Into::into);
    Arc::new(Target::new(
        TargetId(id),
        Arc::new(provider),
        model,
        facts,
        &board,
    ))
}

fn route(name: &str, targets: Vec<RouteTarget>, fallbacks: &[&str]) -> Route {
    let fallback = |model: &&str| Fallback {
        model: (*model).into(),
    };
    Route {
        fallbacks: fallbacks.iter().map(fallback).collect(),
        ..Route::new(name, targets).unwrap()
    }
}

fn openai(id: u32, weight: u32, priority: u32) -> RouteTarget {
    RouteTarget {
        weight,
        priority,
        ..RouteTarget::new(target(id, ProviderKind::OpenAi, Some("m"), ModelFacts::default()))
    }
}

fn knowing(id: u32, facts: ModelFacts) -> RouteTarget {
    RouteTarget::new(target(id, ProviderKind::OpenAi, Some("m"), facts))
}

fn catalog(routes: Vec<Route>) -> Catalog {
    Catalog::new(1, Vec::new(), routes)
}

fn ask(model: &str) -> Ask<'_> {
    Ask {
        now: Moment::from_millis(100_000),
        seed: 1,
        surface: Surface::ChatCompletions,
        model,
        needs: Capabilities::NONE,
        prompt_tokens: 100,
        max_output_tokens: None,
        stream: false,
        session: None,
        warm: None,
        time_left: None,
        max_cost: None,
        regions: None,
        targets: &[],
    }
}

fn plan(catalog: &Catalog, ask: &Ask<'_>) -> Result<Plan, PlanError> {
    Planner::default().plan(catalog, ask)
}

/// What speaks against each candidate.
fn filters(result: &Result<Plan, PlanError>) -> Vec<Option<Filter>> {
    let decision = match result {
        Ok(plan) => &*plan.decision,
        Err(PlanError::NoCandidate(nobody)) => &nobody.decision,
        Err(other) => panic!("{other}"),
    };
    decision.question.candidates.iter().map(|it| it.filter).collect()
}

fn dollars_per_million(input: u64, output: u64) -> Arc<Price> {
    let base = Rates {
        input: PicodollarsPerToken(input * 1_000_000),
        output: PicodollarsPerToken(output * 1_000_000),
        ..Rates::default()
    };
    Arc::new(Price {
        base,
        ..Price::default()
    })
}

fn ids(plan: &Plan) -> Vec<u32> {
    plan.contenders().map(|it| it.target.id.0).collect()
}

#[test]
fn the_first_place_falls_to_each_target_by_its_weight() {
    let catalog = catalog(vec![route("fast", vec![openai(0, 8, 0), openai(1, 2, 0)], &[])]);
    let first = |seed| ids(&plan(&catalog, &Ask { seed, ..ask("fast") }).unwrap())[0];
    let firsts = (0..10_000).filter(|seed| first(*seed) == 0).count();
    assert!((7_850..=8_150).contains(&firsts), "{firsts} of 10,000");
}

#[test]
fn fallbacks_follow_and_keep_their_number() {
    let catalog = catalog(vec![
        route("fast", vec![openai(0, 1, 0)], &["gone", "slow"]),
        route("slow", vec![openai(1, 1, 0)], &["fast"]),
    ]);
    let plan = plan(&catalog, &ask("fast")).unwrap();
    assert_eq!(ids(&plan), [0, 1]);
    assert_eq!(plan.contender(1).unwrap().reason().fallback, 2);
}

#[test]
fn a_wildcard_route_passes_the_name_on() {
    let local = RouteTarget::new(target(0, ProviderKind::Vllm, None, ModelFacts::default()));
    let catalog = catalog(vec![route("local/*", vec![local], &[])]);
    let plan = plan(&catalog, &ask("local/llama-3")).unwrap();
    let candidate = plan.contender(0).unwrap().candidate();
    assert_eq!(&*candidate.model, "llama-3");
    let question = &plan.decision.question;
    assert_eq!(question.name(&question.candidates[0]), "p0/llama-3");
}

#[test]
fn an_unknown_model_comes_with_near_names() {
    let catalog = catalog(vec![route("gpt-4o-mini", vec![openai(0, 1, 0)], &[])]);
    let error = plan(&catalog, &ask("gpt-4o-mni")).unwrap_err();
    let near = vec!["gpt-4o-mini".into()];
    assert_eq!(error, PlanError::UnknownModel { near });
}

#[test]
fn a_surface_that_no_target_carries_has_no_candidate() {
    let claude = target(0, ProviderKind::Anthropic, Some("c"), ModelFacts::default());
    let catalog = catalog(vec![route("c", vec![RouteTarget::new(claude)], &[])]);
    let embeddings = Ask {
        surface: Surface::Embeddings,
        ..ask("c")
    };
    assert_eq!(filters(&plan(&catalog, &embeddings)), [Some(Filter::Surface)]);
}

#[test]
fn a_prompt_is_not_sent_where_it_does_not_fit() {
    let window = |tokens| ModelFacts {
        context_tokens: Some(tokens),
        ..ModelFacts::default()
    };
    let targets = vec![knowing(0, window(128_000)), knowing(1, window(200_000))];
    let catalog = catalog(vec![route("r", targets, &[])]);
    let long = Ask {
        prompt_tokens: 150_000,
        ..ask("r")
    };
    assert_eq!(
        filters(&plan(&catalog, &long)),
        [Some(Filter::ContextWindow), None]
    );
    let too_long = Ask {
        prompt_tokens: 250_000,
        ..ask("r")
    };
    let Err(PlanError::NoCandidate(nobody)) = plan(&catalog, &too_long) else {
        panic!("it fits nowhere")
    };
    assert_eq!(nobody.largest_window, Some(200_000));
}

#[test]
fn a_request_goes_to_who_can_do_what_it_needs() {
    let able = |capabilities| ModelFacts {
        capabilities,
        ..ModelFacts::default()
    };
    let targets = vec![
        knowing(0, able(Some(Capabilities::TOOLS))),
        knowing(1, able(Some(Capabilities::ALL))),
        knowing(2, able(None)),
    ];
    let catalog = catalog(vec![route("r", targets, &[])]);
    let pictures = Ask {
        needs: Capabilities::TOOLS.union(Capabilities::VISION),
        ..ask("r")
    };
    let expected = [Some(Filter::Capability), None, None];
    assert_eq!(filters(&plan(&catalog, &pictures)), expected);
}

#[test]
fn a_request_is_not_sent_where_its_worst_case_exceeds_the_ceiling() {
    let priced = |price, max_output_tokens| ModelFacts {
        price,
        max_output_tokens,
        ..ModelFacts::default()
    };
    let targets = vec![
        knowing(0, priced(Some(dollars_per_million(10, 50)), Some(4_000))),
        knowing(1, priced(Some(dollars_per_million(1, 5)), Some(4_000))),
        knowing(2, priced(None, None)),
    ];
    let catalog = catalog(vec![route("r", targets, &[])]);
    // 100 · 10 + 1,000 · 50 = 51,000 µ$; a tenth of it; not known.
    let ceiling = |nanodollars| Ask {
        max_output_tokens: Some(1_000),
        max_cost: Some(Nanodollars(nanodollars)),
        ..ask("r")
    };
    let too_dear = Some(Filter::PriceCeiling);
    assert_eq!(
        filters(&plan(&catalog, &ceiling(51_000_000))),
        [None, None, too_dear]
    );
    assert_eq!(
        filters(&plan(&catalog, &ceiling(50_999_999))),
        [too_dear, None, too_dear]
    );
    let Err(PlanError::NoCandidate(nobody)) = plan(&catalog, &ceiling(5_099_999)) else {
        panic!("nobody is that cheap")
    };
    assert_eq!(nobody.cheapest, Some(Nanodollars(5_100_000)));
}

#[test]
fn a_warm_prompt_cache_makes_its_target_cheaper() {
    let cached = |id| {
        let mut price = (*dollars_per_million(10, 10)).clone();
        price.base.cache_read = Some(PicodollarsPerToken(1_000_000));
        let facts = ModelFacts {
            price: Some(Arc::new(price)),
            ..ModelFacts::default()
        };
        knowing(id, facts)
    };
    let targets = vec![cached(0), cached(1)];
    let slot = targets[1].target.cell.slot();
    targets[1].target.cell.publish(&Vitals::default());
    let catalog = catalog(vec![route("r", targets, &[])]);
    let warm = Ask {
        prompt_tokens: 10_000,
        max_output_tokens: Some(1),
        warm: Some(Warm { slot, tokens: 9_000 }),
        ..ask("r")
    };
    let plan = plan(&catalog, &warm).unwrap();
    let costs: Vec<_> = plan
        .decision
        .question
        .candidates
        .iter()
        .map(|it| it.cost)
        .collect();
    // Both targets of this test have slot 0 on a board of their own, so both are warm: 1,000 · 10 + 9,000 · 1 + 10.
    assert_eq!(costs, [Some(19_010_000); 2]);
    let cold = Ask { warm: None, ..warm };
    let plan = super::tests::plan(&catalog, &cold).unwrap();
    assert_eq!(plan.decision.question.candidates[0].cost, Some(100_010_000));
}

#[test]
fn who_is_not_expected_in_time_is_left_out_while_that_is_known() {
    let now = Moment::from_millis(100_000);
    let measured = |ttft_ms: u16, ago_ms: u64| Vitals {
        ttft_us: Some(f32::from(ttft_ms) * 1_000.0),
        measured_at: Moment::from_millis(100_000 - ago_ms),
        ..Vitals::default()
    };
    let targets = vec![openai(0, 1, 0), openai(1, 1, 0), openai(2, 1, 0), openai(3, 1, 0)];
    targets[0].target.cell.publish(&measured(4_000, 100));
    targets[1].target.cell.publish(&measured(2_000, 100));
    targets[2].target.cell.publish(&measured(4_000, 60_000));
    let catalog = catalog(vec![route("r", targets, &[])]);
    let hurried = Ask {
        now,
        time_left: Some(Duration::from_secs(3)),
        ..ask("r")
    };
    let expected = [Some(Filter::Deadline), None, None, None];
    assert_eq!(filters(&plan(&catalog, &hurried)), expected);
}

#[test]
fn regions_and_allow_lists_are_kept() {
    let mut eu = openai(0, 1, 0);
    let target = Arc::get_mut(&mut eu.target).unwrap();
    Arc::get_mut(&mut target.provider).unwrap().region = Some("eu".into());
    let catalog = catalog(vec![route("r", vec![eu, openai(1, 1, 0)], &[])]);
    let regions: [Arc<str>; 1] = ["eu".into()];
    let residents = Ask {
        regions: Some(&regions),
        ..ask("r")
    };
    assert_eq!(filters(&plan(&catalog, &residents)), [None, Some(Filter::Region)]);
    let targets = [Pattern::parse("p1/*").unwrap()];
    let limited = Ask {
        targets: &targets,
        ..ask("r")
    };
    assert_eq!(
        filters(&plan(&catalog, &limited)),
        [Some(Filter::NotAllowed), None]
    );
}

#[test]
fn breakers_and_credentials_filter_and_say_when_to_come_back() {
    let now = Moment::from_millis(100_000);
    let gate = |mode, until| Gate {
        mode,
        until: Moment::from_millis(until),
        ..Gate::CLOSED
    };
    let targets: Vec<_> = (0..4).map(|id| openai(id, 1, 0)).collect();
    targets[0].target.cell.set_gate(gate(GateMode::Open, 103_000));
    targets[1].target.cell.set_gate(gate(GateMode::HalfOpen, 0));
    targets[2].target.cell.set_gate(gate(GateMode::Drained, 0));
    let mut resting = targets;
    let target = Arc::get_mut(&mut resting[3].target).unwrap();
    let board = Board::default();
    let cells = [("a", 102_000), ("b", 109_000)].map(|(name, until)| {
        let cell = board.credential("p", "m", name, 0);
        cell.set(CredentialState::Cooling(Moment::from_millis(until)));
        cell
    });
    target.credentials = cells.to_vec();
    let mut only = route("r", resting, &[]);
    only.policy.on_no_candidates = crate::OnNoCandidates::Refuse;
    let catalog = catalog(vec![only]);
    let result = plan(&catalog, &Ask { now, ..ask("r") });
    let expected = [
        Filter::BreakerOpen,
        Filter::BreakerProbing,
        Filter::Drained,
        Filter::CoolingDown,
    ];
    assert_eq!(filters(&result), expected.map(Some));
    let Err(PlanError::NoCandidate(nobody)) = result else {
        panic!("nobody may be asked")
    };
    assert_eq!(nobody.retry_after, Some(Duration::from_secs(2)));
}

#[test]
fn a_probe_is_planned_once_it_is_there_to_be_had() {
    let target = openai(0, 1, 0);
    let cell = target.target.cell.clone();
    let ring = target.target.provider.outcomes.clone();
    cell.set_gate(Gate {
        mode: GateMode::HalfOpen,
        probes: 1,
        ..Gate::CLOSED
    });
    let catalog = catalog(vec![route("r", vec![target, openai(1, 100, 0)], &[])]);
    let planned = plan(&catalog, &ask("r")).unwrap();
    assert_eq!(planned.contender(0).unwrap().reason().place, Place::Probe);
    let permit: Permit = cell.admit(&ring, Moment::ZERO, Urgency::Ordinary).unwrap();
    assert!(permit.is_probe());
    assert_eq!(
        filters(&plan(&catalog, &ask("r")))[0],
        Some(Filter::BreakerProbing)
    );
}

proptest! {
    #[test]
    fn a_plan_is_a_permutation_of_the_usable_targets_in_priority_order(
        targets in prop::collection::vec((0u32..4, 0u32..3), 1..8), seed: u64,
    ) {
        let given: Vec<_> = targets.iter().zip(0..).map(|(&(weight, priority), id)| openai(id, weight, priority)).collect();
        let priorities: HashMap<u32, u32> = given.iter().map(|it| (it.target.id.0, it.priority)).collect();
        let mut usable: Vec<_> = given.iter().filter(|it| it.weight > 0).map(|it| it.target.id.0).collect();
        let catalog = catalog(vec![route("r", given, &[])]);
        match plan(&catalog, &Ask { seed, ..ask("r") }) {
            Err(PlanError::NoCandidate(_)) => prop_assert!(usable.is_empty()),
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

    #[test]
    fn no_plan_exceeds_its_ceiling_or_its_deadline(
        targets in prop::collection::vec((0u64..100, 0u64..100, 1u32..8_000, 0u16..10_000), 1..8),
        ceiling in 0u64..1_000_000_000, left_ms in 1u64..8_000, prompt_tokens in 0u64..10_000,
    ) {
        let given: Vec<_> = targets.iter().zip(0..).map(|(&(input, output, most, ttft_ms), id)| {
            let facts = ModelFacts { price: Some(dollars_per_million(input, output)), max_output_tokens: Some(most), ..ModelFacts::default() };
            let entry = knowing(id, facts);
            entry.target.cell.publish(&Vitals {
                ttft_us: Some(f32::from(ttft_ms) * 1_000.0),
                measured_at: Moment::from_millis(99_900),
                ..Vitals::default()
            });
            entry
        }).collect();
        let catalog = catalog(vec![route("r", given, &[])]);
        let limits = Ask {
            prompt_tokens,
            max_cost: Some(Nanodollars(ceiling)),
            time_left: Some(Duration::from_millis(left_ms)),
            ..ask("r")
        };
        if let Ok(plan) = plan(&catalog, &limits) {
            for contender in plan.contenders() {
                prop_assert!(contender.worst_cost().unwrap() <= Nanodollars(ceiling));
                prop_assert!(contender.expected().unwrap() <= Duration::from_millis(left_ms));
            }
        }
    }
}

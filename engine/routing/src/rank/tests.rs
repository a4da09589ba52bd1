//! An order is a permutation of those who may be asked, whatever the numbers; policies do what they say.

use proptest::prelude::{Just, any, prop_assert, prop_assert_eq, prop_compose, prop_oneof, proptest};
use proptest::strategy::Strategy as AnyStrategy;

use super::*;
use crate::question::{Filter, Names};
use crate::{Target, Weights};

fn facts(name: &str) -> Facts {
    Facts {
        fallback: 0,
        entry: 0,
        priority: 0,
        weight: 1,
        canary: None,
        key: Target::key_of(name, "m"),
        filter: None,
        cost: Some(1_000),
        ttft_us: Some(100_000.0),
        age_ms: 10,
        per_token_us: Some(10_000.0),
        in_flight: 0,
        load: 0.0,
        error_ratio: 0.0,
        samples: 100,
        gate: Admission::All,
    }
}

fn scored(cost: f32, latency: f32, availability: f32) -> Policy {
    Policy {
        strategy: Strategy::Scored,
        weights: Weights {
            cost,
            latency,
            availability,
        },
        explore: 0.0,
        ..Policy::default()
    }
}

fn question(policy: Policy, candidates: Vec<Facts>) -> Question {
    Question {
        seed: 1,
        session: None,
        output_tokens: 100.0,
        groups: vec![Group {
            route: "r".into(),
            policy,
            names: Names::default(),
        }],
        candidates,
    }
}

fn order(question: &Question) -> Vec<u16> {
    Ranking::default()
        .rank(question)
        .iter()
        .map(|it| it.candidate)
        .collect()
}

/// First choices over many seeds, by candidate.
fn firsts(question: &Question, seeds: u64) -> Vec<usize> {
    let mut counts = vec![0; question.candidates.len()];
    let mut ranking = Ranking::default();
    let mut question = question.clone();
    for seed in 0..seeds {
        question.seed = seed;
        let first = ranking.rank(&question).first().unwrap();
        counts[usize::from(first.candidate)] += 1;
    }
    counts
}

#[test]
fn each_weight_prefers_who_is_best_by_its_term() {
    let cheap = Facts {
        cost: Some(100),
        ttft_us: Some(900_000.0),
        error_ratio: 0.1,
        ..facts("cheap")
    };
    let fast = Facts {
        cost: Some(900),
        ttft_us: Some(50_000.0),
        per_token_us: Some(1_000.0),
        error_ratio: 0.1,
        ..facts("fast")
    };
    let safe = Facts {
        cost: Some(900),
        ttft_us: Some(900_000.0),
        ..facts("safe")
    };
    let all = vec![cheap, fast, safe];
    assert_eq!(order(&question(scored(1.0, 0.0, 0.0), all.clone()))[0], 0);
    assert_eq!(order(&question(scored(0.0, 1.0, 0.0), all.clone()))[0], 1);
    assert_eq!(order(&question(scored(0.0, 0.0, 1.0), all))[0], 2);
}

#[test]
fn requests_in_flight_count_before_they_finish() {
    let piled_up = Facts {
        in_flight: 40,
        load: 2.0,
        ..facts("a")
    };
    let busy_as_ever = Facts {
        in_flight: 40,
        load: 40.0,
        ttft_us: Some(110_000.0),
        ..facts("b")
    };
    let question = question(scored(0.0, 1.0, 0.0), vec![piled_up, busy_as_ever]);
    assert_eq!(order(&question)[0], 1);
}

#[test]
fn an_old_estimate_gives_way_to_the_median_of_the_others() {
    let latency = |age_ms| {
        let slow = Facts {
            ttft_us: Some(10_000_000.0),
            age_ms,
            ..facts("slow")
        };
        let question = question(scored(0.0, 1.0, 0.0), vec![facts("a"), facts("b"), slow]);
        let mut ranking = Ranking::default();
        let found = ranking.rank(&question).iter().find(|it| it.candidate == 2);
        found.unwrap().terms.latency
    };
    assert!(latency(0) > 2.0);
    assert!(latency(60_000) < latency(0) && latency(600_000) < 0.01);
}

#[test]
fn those_about_as_good_as_the_best_share_and_the_rest_waits() {
    let near = Facts {
        ttft_us: Some(102_000.0),
        ..facts("near")
    };
    let far = Facts {
        ttft_us: Some(5_000_000.0),
        ..facts("far")
    };
    let mut question = question(scored(0.0, 1.0, 0.0), vec![facts("best"), near, far]);
    let evenly = |counts: &[usize], all: usize, among: usize| {
        let share = all / among;
        let is_fair = |count: &usize| (share * 9 / 10..share * 11 / 10).contains(count);
        assert!(counts.iter().take(among).all(is_fair), "{counts:?}");
    };
    let counts = firsts(&question, 4_000);
    evenly(&counts, 4_000, 2);
    assert_eq!(counts[2], 0);
    question.candidates[2].ttft_us = Some(104_000.0);
    evenly(&firsts(&question, 6_000), 6_000, 3);
    // Whoever has the most to do is never the less busy of two.
    question.candidates[0].in_flight = 3;
    let counts = firsts(&question, 6_000);
    assert_eq!(counts[0], 0, "{counts:?}");
}

#[test]
fn whoever_is_being_readmitted_and_is_not_asked_comes_after_the_other_priorities_of_its_route() {
    let first = Facts {
        gate: Admission::Share(51),
        ..facts("first")
    };
    let second = Facts {
        priority: 1,
        ..facts("second")
    };
    let elsewhere = Facts {
        fallback: 1,
        ..facts("elsewhere")
    };
    let mut question = question(Policy::default(), vec![first, second, elsewhere]);
    question.groups.push(question.groups[0].clone());
    let counts = firsts(&question, 10_000);
    assert!((1_800..2_200).contains(&counts[0]), "{counts:?}");
    assert_eq!(counts[0] + counts[1], 10_000);
    let held_back = (0..100).map(|seed| {
        order(&Question {
            seed,
            ..question.clone()
        })
    });
    assert!(held_back.into_iter().all(|it| it == [0, 1, 2] || it == [1, 0, 2]));
}

#[test]
fn a_half_open_target_is_asked_first_and_one_on_probation_gets_its_share() {
    let mut half_open = question(Policy::default(), vec![facts("a"), facts("b")]);
    half_open.candidates[1].gate = Admission::Probe;
    assert_eq!(firsts(&half_open, 100), [0, 100]);
    let mut ramp = question(Policy::default(), vec![facts("a"), facts("b")]);
    ramp.candidates[1].gate = Admission::Share(51);
    let counts = firsts(&ramp, 10_000);
    // Half of the requests would be b's; a fifth of those are let through.
    assert!((800..1_200).contains(&counts[1]), "{counts:?}");
}

#[test]
fn a_canary_gets_its_share_and_no_more() {
    let mut question = question(Policy::default(), vec![facts("a"), facts("canary")]);
    question.candidates[1].canary = Some(0.05);
    let counts = firsts(&question, 20_000);
    assert!((850..1_150).contains(&counts[1]), "{counts:?}");
}

#[test]
fn a_session_stays_until_its_target_is_gone() {
    for strategy in [Strategy::Weighted, Strategy::Scored] {
        let policy = Policy {
            strategy,
            sticky: true,
            explore: 0.0,
            ..Policy::default()
        };
        let candidates: Vec<_> = ["a", "b", "c", "d"].into_iter().map(facts).collect();
        let mut question = question(policy, candidates);
        let mut homes = std::collections::BTreeSet::new();
        for session in 0..50 {
            question.session = Some(session);
            let counts = firsts(&question, 20);
            let home = counts.iter().position(|count| *count == 20);
            homes.insert(home.expect("all requests of a session in one place"));
        }
        assert_eq!(homes.len(), 4, "sessions are spread");
    }
}

#[test]
fn panic_mode_asks_the_unhealthy_but_nobody_who_cannot() {
    let with = |filter| Facts {
        filter: Some(filter),
        ..facts("x")
    };
    let all = vec![
        with(Filter::BreakerOpen),
        with(Filter::ContextWindow),
        with(Filter::Drained),
        with(Filter::CoolingDown),
    ];
    let mut question = question(Policy::default(), all);
    let mut ranking = Ranking::default();
    let order: Vec<_> = ranking.rank(&question).to_vec();
    let mut asked: Vec<_> = order.iter().map(|it| it.candidate).collect();
    asked.sort_unstable();
    assert_eq!(asked, [0, 3]);
    assert!(order.iter().all(|it| it.place == Place::LastResort));
    question.groups[0].policy.on_no_candidates = OnNoCandidates::Refuse;
    assert!(ranking.rank(&question).is_empty());
}

#[test]
fn a_stale_candidate_is_explored_now_and_then() {
    let policy = Policy {
        explore: 0.02,
        ..scored(0.0, 1.0, 0.0)
    };
    let stale = Facts {
        ttft_us: Some(2_000_000.0),
        age_ms: 3_000,
        ..facts("stale")
    };
    let counts = firsts(&question(policy, vec![facts("a"), stale]), 10_000);
    assert!((130..280).contains(&counts[1]), "{counts:?}");
}

fn any_filter() -> impl AnyStrategy<Value = Option<Filter>> {
    prop_oneof![
        6 => Just(None),
        1 => Just(Some(Filter::BreakerOpen)),
        1 => Just(Some(Filter::ContextWindow)),
        1 => Just(Some(Filter::OutOfUse)),
    ]
}
fn any_gate() -> impl AnyStrategy<Value = Admission> {
    prop_oneof![
        4 => Just(Admission::All),
        1 => any::<u8>().prop_map(Admission::Share),
        1 => Just(Admission::Probe),
    ]
}

prop_compose! {
    fn any_facts()(
        (fallback, priority, weight) in (0u16..3, 0u32..3, 0u32..5),
        canary in proptest::option::weighted(0.2, 0f32..=1.0),
        key: u64,
        filter in any_filter(),
        gate in any_gate(),
        cost in proptest::option::of(0u64..1_000_000_000_000),
        ttft_us in proptest::option::of(0f32..1e10),
        age_ms: u32,
        per_token_us in proptest::option::of(0f32..1e8),
        (in_flight, samples) in any::<(u32, u32)>(),
        load in 0f32..1e6,
        error_ratio in 0f32..=1.0,
    ) -> Facts {
        Facts {
            entry: 0,
            fallback, priority, weight: weight.max(1), canary, key, filter, cost, ttft_us, age_ms, per_token_us,
            in_flight, load, error_ratio, samples, gate,
        }
    }
}

prop_compose! {
    fn any_policy()(
        is_scored: bool, sticky: bool, refuses: bool,
        (cost, latency, availability) in (0f32..10.0, 0f32..10.0, 0f32..10.0),
        near_best in 0f32..3.0, explore in 0f32..=1.0,
    ) -> Policy {
        Policy {
            strategy: if is_scored { Strategy::Scored } else { Strategy::Weighted },
            weights: Weights { cost, latency, availability },
            near_best, explore, sticky,
            on_no_candidates: if refuses { OnNoCandidates::Refuse } else { OnNoCandidates::TryAnyway },
        }
    }
}

prop_compose! {
    fn any_question()(
        seed: u64, session in proptest::option::of(any::<u64>()), output_tokens in 0f32..1e6,
        policies in proptest::collection::vec(any_policy(), 3),
        candidates in proptest::collection::vec(any_facts(), 0..30),
    ) -> Question {
        let group = |policy| Group { route: "r".into(), policy, names: Names::default() };
        let groups = policies.into_iter().map(group).collect();
        Question { seed, session, output_tokens, groups, candidates }.called(["p", "q", "r"].into_iter().cycle())
    }
}

proptest! {
    #[test]
    fn an_order_is_a_permutation_of_those_who_may_be_asked(question in any_question()) {
        let ranked = Ranking::default().rank(&question).to_vec();
        let mut asked: Vec<_> = ranked.iter().map(|it| it.candidate).collect();
        let is_held = |candidate: &u16| {
            let ranked = ranked.iter().find(|it| it.candidate == *candidate).unwrap();
            let facts = &question.candidates[usize::from(*candidate)];
            matches!(facts.gate, Admission::Share(_)) && matches!(ranked.place, Place::Reserve)
        };
        let place = |candidate: &u16| {
            let facts = &question.candidates[usize::from(*candidate)];
            (facts.fallback, is_held(candidate), facts.priority)
        };
        prop_assert!(asked.windows(2).all(|pair| place(&pair[0]) <= place(&pair[1])), "groups in order");
        asked.sort_unstable();
        let with = |wanted: &dyn Fn(&Facts) -> bool| -> Vec<u16> {
            (0u16..).zip(&question.candidates).filter(|(_, it)| wanted(it)).map(|(index, _)| index).collect()
        };
        let mut expected = with(&|it| it.filter.is_none());
        if expected.is_empty() && question.groups[0].policy.on_no_candidates == OnNoCandidates::TryAnyway {
            expected = with(&|it| it.filter.is_some_and(Filter::is_health));
        }
        prop_assert_eq!(asked, expected);
        for it in &ranked {
            let terms = it.terms;
            prop_assert!([terms.cost, terms.latency, terms.availability, terms.bias].iter().all(|term| (0.0..5.0).contains(term)), "{terms:?}");
            prop_assert!(terms.score.is_finite());
        }
    }

    #[test]
    fn the_same_question_gets_the_same_answer_to_the_bit_also_after_it_was_written_down(question in any_question()) {
        let first = Ranking::default().rank(&question).to_vec();
        let text = serde_json::to_string(&question).unwrap();
        let read: Question = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &question);
        prop_assert_eq!(Ranking::default().rank(&read).to_vec(), first);
    }

    #[test]
    fn the_order_does_not_depend_on_units(question in any_question(), currency in 1u64..1000, speed in 1u8..12) {
        let mut other = question.clone();
        let speed = f32::from(2u16.pow(u32::from(speed)));
        for facts in &mut other.candidates {
            // A power of two keeps every bit of a float; a nanodollar more or less would not matter, but would show.
            facts.cost = facts.cost.map(|cost| cost.max(1) * currency.next_power_of_two());
            facts.ttft_us = facts.ttft_us.map(|it| it * speed);
            facts.per_token_us = facts.per_token_us.map(|it| it * speed);
        }
        prop_assert_eq!(order(&other), order(&question));
    }
}

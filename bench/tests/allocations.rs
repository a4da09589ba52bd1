//! What a request must not pay for: scoring, permits and telling of outcomes take no memory.
//!
//! Allocations are counted, on the thread that makes them: a figure that no busy machine changes.

use std::collections::BTreeSet;
use std::sync::Arc;

use allocation_counter::measure;
use tollgate_bench::budget::Budget;
use tollgate_bench::decisions::{NOW, Routed, answered, ask};
use tollgate_bench::stages;
use tollgate_routing::{
    Breaker, BreakerSettings, HealthSettings, Observation, OutcomeRing, Planner, Ranking, Stage,
    TargetHealth, Urgency,
};

/// Enough that whatever happens now and then happens.
const TIMES: u64 = 10_000;

#[test]
fn the_counter_counts() {
    assert_eq!(measure(|| drop(std::hint::black_box(Box::new(1)))).count_total, 1);
}

#[test]
fn scoring_allocates_nothing_once_its_memory_has_grown() {
    for targets in [1, 8, 100] {
        let mut question = Routed::new(targets).unwrap().question().unwrap();
        let mut ranking = Ranking::default();
        let _ = ranking.rank(&question);
        // Everybody shares, so that every list is as long as it gets.
        for group in &mut question.groups {
            group.policy.near_best = 100.0;
            group.policy.explore = 0.5;
        }
        let _ = ranking.rank(&question);
        let mut asked = 0;
        let counted = measure(|| {
            for seed in 0..TIMES {
                question.seed = seed;
                asked += ranking.rank(&question).len();
            }
        });
        assert_eq!(counted.count_total, 0, "{targets} targets");
        assert_eq!(asked as u64, TIMES * u64::from(targets));
    }
}

#[test]
fn permits_and_the_outcomes_they_post_allocate_nothing() {
    let routed = Routed::new(1).unwrap();
    let target = &routed.targets[0];
    let ring = Arc::new(OutcomeRing::new(64));
    let mut posted = 0;
    let counted = measure(|| {
        for _ in 0..TIMES {
            let permit = target.cell.admit(&ring, NOW, Urgency::Ordinary).unwrap();
            permit.first_token(NOW, 200_000);
            permit.ended(NOW, answered());
            while ring.pop().is_some() {
                posted += 1;
            }
        }
    });
    assert_eq!((counted.count_total, posted), (0, 2 * TIMES));
}

#[test]
fn a_full_ring_drops_without_allocating() {
    let ring = OutcomeRing::new(64);
    let seen = Observation {
        at: NOW,
        slot: 0,
        credential: None,
        stage: Stage::Ended(answered()),
    };
    let counted = measure(|| (0..TIMES).for_each(|_| ring.post(seen)));
    assert_eq!((counted.count_total, ring.dropped()), (0, TIMES - 64));
}

#[test]
fn a_refused_permit_allocates_nothing() {
    let routed = Routed::new(1).unwrap();
    let target = &routed.targets[0];
    let mut breaker = Breaker::new(BreakerSettings::default(), NOW);
    let _ = breaker.force(NOW, tollgate_routing::Force::Open);
    target.cell.set_gate(breaker.gate());
    let ring = Arc::new(OutcomeRing::new(64));
    let mut refused = 0;
    let counted = measure(|| {
        for _ in 0..TIMES {
            refused += u64::from(target.cell.admit(&ring, NOW, Urgency::Ordinary).is_err());
        }
    });
    assert_eq!((counted.count_total, refused), (0, TIMES));
}

#[test]
fn health_and_breaker_allocate_nothing_per_outcome() {
    let mut health = TargetHealth::new(HealthSettings::default());
    let mut breaker = Breaker::new(BreakerSettings::default(), NOW);
    let seen = Observation {
        at: NOW,
        slot: 0,
        credential: None,
        stage: Stage::Ended(answered()),
    };
    health.observe(&seen);
    let counted = measure(|| {
        for _ in 0..TIMES {
            health.observe(&seen);
            let _ = breaker.observe(NOW, &answered(), 0.5);
            std::hint::black_box(health.vitals(NOW));
        }
    });
    assert_eq!(counted.count_total, 0);
}

/// A plan is memory that outlives the decision: its lists, one each, whatever their length.
#[test]
fn a_plan_allocates_as_often_for_a_hundred_targets_as_for_eight() {
    let allocations = |targets| {
        let routed = Routed::new(targets).unwrap();
        let mut planner = Planner::default();
        let _ = planner.plan(&routed.catalog, &ask(0)).unwrap();
        measure(|| drop(planner.plan(&routed.catalog, &ask(1)).unwrap())).count_total
    };
    assert_eq!(allocations(8), allocations(100));
    assert!(allocations(8) <= 6, "{}", allocations(8));
}

/// The gate counts the same with callgrind, in the release's code and with the gateway's allocator. This needs neither.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
#[test]
fn no_stage_of_a_request_allocates_more_than_its_budget_allows() {
    let budget = Budget::parse(include_str!("../budget.toml")).unwrap();
    let (mut exceeded, mut counted) = (Vec::new(), BTreeSet::new());
    for mut stage in stages::all() {
        counted.insert(stage.name.to_owned());
        stage.warm_up();
        let (mut count, times) = (0, stage.times);
        stage.run(times, &mut |work| count = measure(work).count_total);
        let each = count as f64 / times as f64;
        let room = budget.stages.get(stage.name);
        if room.is_none_or(|room| !room.allows_allocations(each)) {
            exceeded.push((stage.name, each, room));
        }
    }
    assert_eq!(exceeded, [], "stage, allocations each time, budget");
    let budgets: BTreeSet<String> = budget.stages.into_keys().collect();
    assert_eq!(counted, budgets, "what is counted, and what has a budget");
}

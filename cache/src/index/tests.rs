//! The index against a scan, and the shapes of partitions as they come and go.

#![expect(clippy::cast_precision_loss, reason = "small numbers")]

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use tollgate_core::{Digest, Digester};

use super::*;

const DIMENSIONS: usize = 16;

fn settings(flat_below: usize) -> IndexSettings {
    IndexSettings {
        flat_below,
        worker_limit: 10_000,
        searchers: 4,
        shards: 4,
    }
}

fn digest(number: u64) -> Digest {
    Digester::new("test").number(number).finish()
}

/// Numbers that look random and are always the same (splitmix64).
fn random(seed: &mut u64) -> f32 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut it = *seed;
    it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((it ^ (it >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
}

/// One of a cluster of ten.
fn vector(number: u64) -> Arc<Vector> {
    let (mut cluster, mut own) = (number / 10 + 1, !number);
    let components: Vec<f32> = (0..DIMENSIONS)
        .map(|_| random(&mut cluster) + 0.4 * random(&mut own))
        .collect();
    Arc::new(Vector::of(&components).unwrap())
}

fn found(index: &Index, partition: &Digest, asked: &Vector, want: usize) -> Vec<Near> {
    match index.nearest(partition, asked, want, Patience::Keeper) {
        Proposal::Found(near) => near,
        Proposal::TooLong => panic!("a keeper has time"),
    }
}

fn finish(index: &Index) {
    while index.maintain(64) {}
}

/// How many of `ids` are not found first by their own vectors.
fn unfound(index: &Index, partition: &Digest, ids: impl Iterator<Item = u64>) -> usize {
    ids.filter(|id| {
        found(index, partition, &vector(*id), 1)
            .first()
            .is_none_or(|it| it.id != *id)
    })
    .count()
}

#[derive(Debug, Clone)]
enum Step {
    Insert(u64, u64),
    Remove(u64, u64),
    Ask(u64, u64),
    Maintain,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (partition, id) = (|| 0..3_u64, || 0..150_u64);
    let step = prop_oneof![
        6 => (partition(), id()).prop_map(|(a, b)| Step::Insert(a, b)),
        2 => (partition(), id()).prop_map(|(a, b)| Step::Remove(a, b)),
        2 => (partition(), id()).prop_map(|(a, b)| Step::Ask(a, b)),
        1 => Just(Step::Maintain),
    ];
    prop::collection::vec(step, 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_scan_and_the_index_agree(steps in steps(), flat_below in prop_oneof![Just(32), Just(64), Just(10_000)]) {
        let index = Index::new(settings(flat_below));
        let mut model: HashMap<u64, HashMap<u64, Arc<Vector>>> = HashMap::new();
        for step in steps {
            match step {
                Step::Insert(at, id) => {
                    if model.entry(at).or_default().insert(id, vector(id)).is_none() {
                        prop_assert!(index.insert(&digest(at), id, &vector(id)));
                    }
                }
                Step::Remove(at, id) => {
                    index.remove(&digest(at), id);
                    model.entry(at).or_default().remove(&id);
                }
                Step::Ask(at, id) => {
                    let asked = vector(id);
                    let near = found(&index, &digest(at), &asked, 5);
                    let members = model.entry(at).or_default();
                    let mut exact: Vec<f32> = members.values().map(|it| it.cosine(&asked)).collect();
                    exact.sort_by(|a, b| b.total_cmp(a));
                    prop_assert_eq!(near.len(), exact.len().min(5));
                    prop_assert!(near.is_sorted_by(|a, b| a.cosine >= b.cosine));
                    // A graph rounds, and may miss one of the farther ones when its places have been used again.
                    let slack = if flat_below < 10_000 { 0.05 } else { 1e-5 };
                    for (it, exact) in near.iter().zip(exact) {
                        let own = members.get(&it.id).map(|it| it.cosine(&asked));
                        prop_assert!(own.is_some_and(|own| (own - it.cosine).abs() < slack));
                        prop_assert!(it.cosine <= exact + slack);
                        prop_assert!(flat_below < 10_000 || it.cosine > exact - slack);
                    }
                }
                Step::Maintain => {
                    index.maintain(8);
                }
            }
        }
        let statistics = index.statistics();
        prop_assert_eq!(statistics.partitions, model.values().filter(|it| !it.is_empty()).count());
        prop_assert_eq!(statistics.refused, 0);
    }
}

#[test]
fn a_partition_becomes_a_graph_and_a_scan_again() {
    let (index, at) = (Index::new(settings(100)), digest(0));
    for id in 0..1000 {
        assert!(index.insert(&at, id, &vector(id)));
        assert_eq!(unfound(&index, &at, [id, id / 2].into_iter()), 0, "{id}");
    }
    finish(&index);
    assert_eq!(index.statistics().graphs, 1);
    assert!(unfound(&index, &at, 0..1000) <= 2);
    for id in 0..980 {
        index.remove(&at, id);
        assert!(found(&index, &at, &vector(id), 4).iter().all(|it| it.id > id));
    }
    assert_eq!(index.statistics().graphs, 0);
    assert_eq!(unfound(&index, &at, 980..1000), 0);
    for id in 980..1000 {
        index.remove(&at, id);
    }
    assert_eq!(index.statistics().partitions, 0);
    index.maintain(1);
    assert_eq!(index.graphs.lock().len(), 0);
}

#[test]
fn a_worn_graph_is_built_anew_and_finds_everybody() {
    let (index, at) = (Index::new(settings(200)), digest(0));
    for id in 0..600 {
        index.insert(&at, id, &vector(id));
    }
    finish(&index);
    assert_eq!(index.statistics().rebuilds, 0);
    for id in 600..2400 {
        index.remove(&at, id - 600);
        assert!(index.insert(&at, id, &vector(id)));
        index.maintain(2);
    }
    finish(&index);
    let statistics = index.statistics();
    assert!(
        statistics.rebuilds > 0 && statistics.sampled > 0,
        "{statistics:?}"
    );
    assert_eq!((statistics.refused, statistics.graphs), (0, 1));
    assert!(unfound(&index, &at, 1800..2400) <= 6);
}

#[test]
fn searches_and_changes_go_on_while_a_graph_rises() {
    let (index, at) = (Index::new(settings(100)), digest(0));
    for id in 0..300 {
        index.insert(&at, id, &vector(id));
    }
    finish(&index);
    // Worn, so that another begins to rise.
    for id in 300..700 {
        index.remove(&at, id - 300);
        index.insert(&at, id, &vector(id));
    }
    assert!(index.maintain(8), "a graph of 300 takes more");
    for id in 700..720 {
        index.remove(&at, id - 300);
        index.insert(&at, id, &vector(id));
        assert_eq!(unfound(&index, &at, [id].into_iter()), 0);
    }
    finish(&index);
    assert!(unfound(&index, &at, 420..720) <= 3);
    for id in 0..420 {
        assert!(found(&index, &at, &vector(id), 4).iter().all(|it| it.id >= 420));
    }
}

#[test]
fn other_dimensions_are_refused_and_find_nothing() {
    let (index, at) = (Index::new(settings(32)), digest(0));
    let other = Arc::new(Vector::of(&[1.0, 0.5]).unwrap());
    for id in 0..100 {
        assert!(index.insert(&at, id, &vector(id)));
        assert!(!index.insert(&at, 1000 + id, &other));
        assert_eq!(found(&index, &at, &other, 3), []);
    }
    assert_eq!(index.statistics().refused, 100);
    assert_eq!(unfound(&index, &at, 0..100), 0);
    // Elsewhere it is welcome.
    assert!(index.insert(&digest(1), 1, &other));
}

#[test]
fn what_is_too_long_for_a_worker_is_left_to_a_keeper() {
    let index = Index::new(IndexSettings {
        worker_limit: 50,
        ..settings(32)
    });
    let at = digest(0);
    for id in 0..200 {
        index.insert(&at, id, &vector(id));
    }
    finish(&index);
    assert_eq!(
        index.nearest(&at, &vector(3), 1, Patience::Worker),
        Proposal::TooLong
    );
    assert_eq!(unfound(&index, &at, 0..200), 0);
}

#[test]
fn long_vectors_are_too_long_for_a_worker_sooner() {
    let index = Index::new(settings(64));
    let long = |number: u64| {
        let mut seed = number;
        let components: Vec<f32> = (0..1_536).map(|_| random(&mut seed)).collect();
        Arc::new(Vector::of(&components).unwrap())
    };
    let (short_at, long_at) = (digest(0), digest(1));
    for id in 0..60 {
        assert!(index.insert(&short_at, id, &vector(id)) && index.insert(&long_at, id, &long(id)));
    }
    let patience = |at, vector: &Vector| index.nearest(at, vector, 1, Patience::Worker);
    assert!(matches!(patience(&short_at, &vector(3)), Proposal::Found(near) if near[0].id == 3));
    assert_eq!(patience(&long_at, &long(3)), Proposal::TooLong);
    assert_eq!(found(&index, &long_at, &long(3), 1)[0].id, 3);
    // So are graphs of them.
    let index = Index::new(IndexSettings {
        worker_limit: 1_000,
        ..settings(32)
    });
    (0..100).for_each(|id| assert!(index.insert(&long_at, id, &long(id))));
    finish(&index);
    assert_eq!(index.statistics().graphs, 1);
    assert_eq!(
        index.nearest(&long_at, &long(3), 1, Patience::Worker),
        Proposal::TooLong
    );
    assert_eq!(found(&index, &long_at, &long(3), 1)[0].id, 3);
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let index = Index::new(settings(32));
    assert_eq!(found(&index, &digest(0), &vector(0), 3), []);
    index.remove(&digest(0), 1);
    index.insert(&digest(0), 1, &vector(1));
    index.remove(&digest(0), 2);
    assert_eq!(found(&index, &digest(0), &vector(0), 0), []);
    assert_eq!(index.statistics().partitions, 1);
}

#[test]
fn more_searchers_than_threads_are_misses_not_errors() {
    let index = Index::new(IndexSettings {
        searchers: 1,
        ..settings(32)
    });
    let at = digest(0);
    for id in 0..300 {
        index.insert(&at, id, &vector(id));
    }
    finish(&index);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for id in 0..300 {
                    let near = found(&index, &at, &vector(id), 2);
                    assert!(near.is_empty() || near.len() == 2);
                }
            });
        }
    });
    assert_eq!(unfound(&index, &at, 0..300), 0);
}

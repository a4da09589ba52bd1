//! What is kept are the last things of each shard, found newest first; whatever is pushed and resized meanwhile.

use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::thread;

use proptest::prelude::*;

use super::*;

fn all<T: Copy>(recent: &Recent<T>) -> Vec<T> {
    recent
        .latest(usize::MAX, |_| true)
        .iter()
        .map(|it| **it)
        .collect()
}

#[test]
fn a_full_shard_lets_go_of_its_oldest_and_of_nobody_elses() {
    let recent = Recent::new(2, 2);
    for (shard, number) in [(0, 1), (1, 2), (0, 3), (0, 4), (0, 5)] {
        recent.push(shard, Arc::new(number));
    }
    assert_eq!(all(&recent), [5, 4, 2]);
    assert_eq!((recent.len(), recent.is_empty()), (3, false));
    assert_eq!(recent.find(|&it| it == 2).as_deref(), Some(&2));
    assert_eq!(recent.find(|&it| it == 1), None);
}

#[test]
fn of_several_that_fit_the_newest_is_found_whatever_its_shard() {
    let recent = Recent::new(3, 8);
    for number in 0..9 {
        recent.push(number * 2, Arc::new(number));
    }
    assert_eq!(recent.find(|it| it % 2 == 1).as_deref(), Some(&7));
    assert_eq!(recent.find(|it| it % 4 == 0).as_deref(), Some(&8));
    let latest = recent.latest(2, |it| it % 3 == 0);
    assert_eq!(latest.iter().map(|it| **it).collect::<Vec<_>>(), [6, 3]);
}

#[test]
fn nothing_is_kept_where_nothing_is_to_be_kept() {
    let recent = Recent::new(2, 0);
    let thing = Arc::new("thing");
    recent.push(0, thing.clone());
    assert_eq!((recent.len(), Arc::strong_count(&thing)), (0, 1));
    recent.resize(1);
    recent.push(0, thing.clone());
    assert_eq!((recent.len(), Arc::strong_count(&thing)), (1, 2));
    recent.resize(0);
    assert_eq!((recent.len(), Arc::strong_count(&thing)), (0, 1));
    assert_eq!(recent.find(|_| true), None);
}

#[test]
fn no_shards_and_no_limit_and_no_results_are_no_trouble() {
    let recent = Recent::new(0, 4);
    recent.push(usize::MAX, Arc::new(1));
    assert_eq!(all(&recent), [1]);
    assert!(recent.latest(0, |_| true).is_empty());
    assert!(recent.latest(usize::MAX, |_| false).is_empty());
}

#[test]
fn a_full_shard_keeps_the_memory_that_it_has() {
    let recent = Recent::new(1, 100);
    let capacity = |recent: &Recent<usize>| recent.shards[0].lock().kept.capacity();
    for number in 0..100 {
        recent.push(0, Arc::new(number));
    }
    let full = capacity(&recent);
    for number in 0..10_000 {
        recent.push(0, Arc::new(number));
    }
    assert_eq!(capacity(&recent), full);
}

/// A search that took the lock for its whole length would not come back from this.
#[test]
fn a_search_may_push_and_resize() {
    let recent = Recent::new(2, 1_000);
    for number in 0..1_000 {
        recent.push(number, Arc::new(number));
    }
    let mut looked_at = 0;
    let found = recent.latest(10, |&it| {
        looked_at += 1;
        recent.push(looked_at, Arc::new(usize::MAX));
        if looked_at == 100 {
            recent.resize(20);
        }
        it == usize::MAX
    });
    assert!(found.len() <= 10, "{found:?}");
    assert!(looked_at < 2_000, "it ends, though there is always something new");
}

/// Every worker pushes rising numbers; searchers see each worker's numbers fall, none twice, and no gaps but at
/// the old end.
#[test]
fn searches_among_pushes_see_each_workers_last_things_in_order() {
    const WORKERS: usize = 3;
    const EACH: u64 = 20_000;
    const KEEP: usize = 500;
    let recent = Recent::new(WORKERS, KEEP);
    let (is_over, start) = (AtomicBool::new(false), Barrier::new(WORKERS + 1));
    thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let (recent, start) = (&recent, &start);
                scope.spawn(move || {
                    start.wait();
                    for number in 0..EACH {
                        recent.push(worker, Arc::new((worker, number)));
                    }
                })
            })
            .collect();
        let searcher = scope.spawn(|| {
            start.wait();
            let mut searches = 0;
            while !is_over.load(Ordering::Acquire) || searches == 0 {
                assert_in_order(&recent.latest(usize::MAX, |_| true), KEEP);
                searches += 1;
            }
        });
        for worker in workers {
            worker.join().unwrap();
        }
        is_over.store(true, Ordering::Release);
        searcher.join().unwrap();
    });
    let last = recent.latest(usize::MAX, |_| true);
    assert_eq!(last.len(), WORKERS * KEEP);
    assert_in_order(&last, KEEP);
    for worker in 0..WORKERS {
        let newest = recent.find(|it| it.0 == worker).unwrap();
        assert_eq!(newest.1, EACH - 1);
    }
}

#[track_caller]
fn assert_in_order(found: &[Arc<(usize, u64)>], keep: usize) {
    for worker in 0..3 {
        let numbers: Vec<_> = found.iter().filter(|it| it.0 == worker).map(|it| it.1).collect();
        // Those that were pushed out while the search was on its way leave it with fewer, never with holes.
        assert!(numbers.len() <= keep, "{} of worker {worker}", numbers.len());
        assert!(
            numbers.is_sorted_by(|newer, older| newer == &(older + 1)),
            "{numbers:?}"
        );
    }
}

#[derive(Debug, Clone)]
enum Step {
    Push(usize),
    Resize(usize),
    Latest { limit: usize, modulus: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..7_usize).prop_map(Step::Push),
        1 => (0..200_usize).prop_map(Step::Resize),
        2 => (0..150_usize, 1..5_u64).prop_map(|(limit, modulus)| Step::Latest { limit, modulus }),
    ]
}

proptest! {
    /// The model is a list of everything, from which the oldest of a shard is struck out.
    #[test]
    fn it_is_a_list_of_which_each_shard_keeps_the_end(
        shards in 1..5_usize,
        mut keep in 0..150_usize,
        steps in prop::collection::vec(step(), 0..600),
    ) {
        let recent = Recent::new(shards, keep);
        let mut model: Vec<(usize, u64)> = Vec::new();
        for (number, step) in (0..).zip(steps) {
            match step {
                Step::Push(shard) => {
                    recent.push(shard, Arc::new(number));
                    model.push((shard % shards, number));
                }
                Step::Resize(to) => {
                    recent.resize(to);
                    keep = to;
                }
                Step::Latest { limit, modulus } => {
                    let found = recent.latest(limit, |it| it % modulus == 0);
                    let found: Vec<_> = found.iter().map(|it| **it).collect();
                    let fitting = model.iter().rev().map(|it| it.1).filter(|it| it % modulus == 0);
                    prop_assert_eq!(found, fitting.take(limit).collect::<Vec<_>>());
                }
            }
            for shard in 0..shards {
                while model.iter().filter(|it| it.0 == shard).count() > keep {
                    let oldest = model.iter().position(|it| it.0 == shard).unwrap();
                    model.remove(oldest);
                }
            }
            prop_assert_eq!(recent.len(), model.len());
        }
    }
}

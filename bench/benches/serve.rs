//! What each stage of the line costs in time, and the whole line: `cargo bench -p tollgate-bench --bench serve`.
//!
//! At the end the line's percentiles: every answer is timed by itself, from the moment its request was read to the one
//! at which it was written.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use hdrhistogram::Histogram;
use tollgate_bench::line::{Asked, Line, Size};
use tollgate_bench::stages::{Stage, all};
use tollgate_core::Clock;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Answers of which percentiles are told.
const ANSWERS: u64 = 50_000;

fn stages(c: &mut Criterion) {
    for mut stage in all() {
        stage.warm_up();
        c.bench_function(stage.name, |b| b.iter_custom(|times| clocked(&mut stage, times)));
    }
}

/// How long it takes, a few at a time: what is got ready for them has room in memory.
fn clocked(stage: &mut Stage, times: u64) -> Duration {
    let (mut left, mut took) = (times, Duration::ZERO);
    while left > 0 {
        let now = left.min(stage.times);
        stage.run(now, &mut |work| {
            let began = Clock.now();
            work();
            took += Clock.now().duration_since(began);
        });
        left -= now;
    }
    took
}

fn percentiles(_: &mut Criterion) {
    let line = Line::new(Size::default());
    for (name, asked) in [
        ("constant", Asked::constant(1024)),
        ("bare", Asked::bare(1024)),
        ("chat", Asked::chat(1024)),
        ("cross", Asked::cross(1024)),
        ("cache_hit", Asked::kept(1024)),
    ] {
        let latencies = Rc::default();
        line.block_on(line.serve(&asked, ANSWERS / 10, None));
        line.block_on(line.serve(&asked, ANSWERS, Some(&latencies)));
        tell(name, &latencies);
        line.rest();
    }
}

/// The same chats by one worker and by two at once: what workers share must not slow them down.
fn two_workers(_: &mut Criterion) {
    let line = Line::new(Size::default());
    let asked = || Asked::chat(1024);
    let latencies = Rc::default();
    line.block_on(line.serve(&asked(), ANSWERS / 10, None));
    line.block_on(line.serve(&asked(), ANSWERS, Some(&latencies)));
    tell("alone", &latencies);
    line.rest();
    let (place, is_over) = (line.place(), AtomicBool::new(false));
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let line = Line::at(place);
            while !is_over.load(Ordering::Relaxed) {
                line.block_on(line.serve(&asked(), ANSWERS / 10, None));
                line.rest();
            }
        });
        let latencies = Rc::default();
        line.block_on(line.serve(&asked(), ANSWERS / 2, None));
        line.block_on(line.serve(&asked(), ANSWERS, Some(&latencies)));
        tell("beside", &latencies);
        is_over.store(true, Ordering::Relaxed);
    });
}

fn tell(name: &str, latencies: &Rc<RefCell<Vec<u64>>>) {
    // Up to ten seconds: `saturating_record` does not grow it.
    let Ok(mut histogram) = Histogram::<u64>::new_with_max(10_000_000_000, 3) else {
        return;
    };
    for nanos in latencies.borrow().iter() {
        histogram.saturating_record(*nanos);
    }
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|at| Duration::from_nanos(histogram.value_at_quantile(at)));
    eprintln!(
        "line/{name:<10} {} answers: p50 {p50:?}, p99 {p99:?}, p99.9 {p999:?}",
        histogram.len()
    );
}

/// Shorter than usual: there are many stages, and each is run in batches of a hundred.
fn settings() -> Criterion {
    Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_500))
}

criterion_group!(name = benches; config = settings(); targets = stages, percentiles, two_workers);
criterion_main!(benches);

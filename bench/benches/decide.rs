//! What a decision costs, and what it costs to tell of it.
//!
//! The allocator is that of the gateway: a plan is made of memory.

#![expect(clippy::expect_used, reason = "a bench whose fixture is wrong should stop")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor as _, Addr};
use criterion::{Criterion, criterion_group, criterion_main};
use tollgate_actors::{Published, Router};
use tollgate_bench::decisions::{NOW, Routed, answered, ask};
use tollgate_config::Source;
use tollgate_core::{Capabilities, Clock, RequestId, Surface, Timestamp};
use tollgate_routing::{Board, Observation, OutcomeRing, Planner, Ranking, Stage, Urgency};
use tollgate_telemetry::{Line as _, Meters, RequestRecord};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn score(c: &mut Criterion) {
    for targets in [8, 100] {
        let routed = Routed::new(targets).expect("a route");
        let mut question = routed.question().expect("a question");
        let mut ranking = Ranking::default();
        c.bench_function(&format!("score/{targets}"), |b| {
            b.iter(|| {
                question.seed = question.seed.wrapping_add(1);
                black_box(ranking.rank(black_box(&question)).len())
            });
        });
    }
}

fn plan(c: &mut Criterion) {
    for targets in [1, 8, 100] {
        let routed = Routed::new(targets).expect("a route");
        let mut planner = Planner::default();
        let mut seed = 0_u64;
        c.bench_function(&format!("plan/{targets}"), |b| {
            b.iter(|| {
                seed = seed.wrapping_add(1);
                planner.plan(black_box(&routed.catalog), &ask(seed))
            });
        });
    }
}

/// Plans of the same route on two threads at once, as two workers make them: what they share must not slow them down.
fn plan_on_two_threads(c: &mut Criterion) {
    let routed = Routed::new(8).expect("a route");
    let planned = |times: u64| {
        let mut planner = Planner::default();
        let began = Clock.now();
        for seed in 0..times {
            let _ = black_box(planner.plan(black_box(&routed.catalog), &ask(seed)));
        }
        Clock.now().duration_since(began)
    };
    c.bench_function("plan/8_on_two_threads", |b| {
        b.iter_custom(|times| {
            std::thread::scope(|threads| {
                let other = threads.spawn(|| planned(times));
                planned(times).max(other.join().expect("no panic"))
            })
        });
    });
}

/// A permit taken and given back, with its two observations posted and read.
fn permit(c: &mut Criterion) {
    let routed = Routed::new(1).expect("a route");
    let target = routed.targets.first().expect("a target");
    let ring = Arc::new(OutcomeRing::new(64));
    c.bench_function("permit", |b| {
        b.iter(|| {
            let permit = target
                .cell
                .admit(&ring, NOW, Urgency::Ordinary)
                .expect("a permit");
            permit.ended(NOW, black_box(answered()));
            black_box(ring.pop())
        });
    });
    let seen = Observation {
        at: NOW,
        slot: 0,
        credential: Some(0),
        stage: Stage::Ended(answered()),
    };
    c.bench_function("outcome_post", |b| {
        b.iter(|| {
            ring.post(black_box(seen));
            black_box(ring.pop())
        });
    });
}

/// A router on this thread, as on a worker's.
fn router(targets: u32) -> Addr<Router> {
    let mut text = String::from("server: { listen: \"127.0.0.1:0\" }\nproviders:\n");
    let mut route = String::from("models:\n  fast:\n    strategy: scored\n    targets:\n");
    for id in 0..targets {
        writeln!(
            text,
            "  p{id}: {{ kind: openai, base_url: \"http://127.0.0.1:9/v1\", api_key: k }}"
        )
        .expect("text");
        writeln!(route, "      - {{ provider: p{id}, model: gpt-4o-mini }}").expect("text");
    }
    text.push_str(&route);
    let source = Source::Text {
        name: "bench",
        text: &text,
    };
    let settings = tollgate_config::load(source, &|_| None, 1, &Board::default()).expect("a configuration");
    Router::new(&Published::new(settings)).start()
}

/// A message to the router on the same thread, and its reply.
fn local_ask(c: &mut Criterion) {
    let system = actix::System::new();
    for targets in [8, 100] {
        let router = system.block_on(async { router(targets) });
        c.bench_function(&format!("local_ask/{targets}"), |b| {
            b.iter_custom(|times| system.block_on(asked(&router, times)));
        });
    }
}

async fn asked(router: &Addr<Router>, times: u64) -> Duration {
    let (model, targets): (Arc<str>, Arc<[_]>) = ("fast".into(), Arc::new([]));
    let began = Clock.moment();
    for seed in 0..times {
        let question = tollgate_actors::Ask {
            surface: Surface::ChatCompletions,
            model: model.clone(),
            needs: Capabilities::NONE,
            prompt_tokens: 400,
            max_output_tokens: Some(256),
            stream: true,
            session: None,
            prefix: None,
            time_left: None,
            max_cost: None,
            regions: None,
            targets: targets.clone(),
            seed,
        };
        let reply = router.send(question).await.expect("the router lives");
        black_box(reply.expect("a plan"));
    }
    Clock.moment().since(began)
}

fn tell(c: &mut Criterion) {
    let at = Timestamp::from_unix_millis(1_700_000_000_000);
    let record = RequestRecord::new(RequestId::new(at, 7), at);
    let (meters, exposition) = Meters::install();
    let mut recorded = 0_u32;
    c.bench_function("settle/meters", |b| {
        b.iter(|| {
            meters.settle(black_box(&record));
            recorded += 1;
            if recorded.is_multiple_of(100_000) {
                exposition.upkeep();
            }
        });
    });
    let mut line = Vec::new();
    c.bench_function("settle/log_line", |b| {
        b.iter(|| {
            line.clear();
            black_box(&record).write_line(&mut line);
        });
    });
}

criterion_group!(benches, score, plan, plan_on_two_threads, permit, local_ask, tell);
criterion_main!(benches);

//! What a decision costs, and what it costs to tell of it.

#![expect(clippy::expect_used, reason = "a bench whose fixture is wrong should stop")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use tollgate_core::{Pattern, ProviderKind, RequestId, Surface, Timestamp};
use tollgate_routing::{
    Ask, Auth, Catalog, HttpVersion, Provider, Route, RouteTarget, Target, TargetId, Timeouts, plan,
};
use tollgate_telemetry::{Line as _, Meters, RequestRecord};

fn catalog(targets: u32) -> Catalog {
    let provider = Arc::new(Provider {
        name: "p".into(),
        kind: ProviderKind::OpenAi,
        base_url: http::Uri::from_static("http://127.0.0.1:1/v1"),
        api_version: None,
        auth: Auth::None,
        credentials: Vec::new(),
        headers: Vec::new(),
        timeouts: Timeouts::default(),
        http: HttpVersion::Http1,
        max_idle_connections: 1,
        max_streams_per_connection: 1,
    });
    let target = |id| RouteTarget {
        target: Arc::new(Target {
            id: TargetId(id),
            provider: provider.clone(),
            model: Some("m".into()),
            price: None,
            max_output_tokens: None,
            context_tokens: None,
        }),
        weight: 1 + id,
        priority: 0,
    };
    let route = Route {
        pattern: Pattern::parse("fast").expect("a name"),
        name: "fast".into(),
        targets: (0..targets).map(target).collect(),
        fallbacks: Vec::new(),
        strict: false,
        max_attempts: 8,
    };
    Catalog::new(1, vec![provider], vec![route])
}

fn decide(c: &mut Criterion) {
    let mut rng = SmallRng::seed_from_u64(1);
    for targets in [1, 8, 100] {
        let catalog = catalog(targets);
        let ask = Ask {
            surface: Surface::ChatCompletions,
            model: "fast",
        };
        c.bench_function(&format!("plan/{targets}"), |b| {
            b.iter(|| plan(black_box(&catalog), ask, &mut rng));
        });
    }
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

criterion_group!(benches, decide, tell);
criterion_main!(benches);

//! A whole lookup in the cache as a worker makes it: exact, by meaning with a hit, by meaning without one (embed,
//! search, verify), at 10,000 and 100,000 questions in one partition, and with `TOLLGATE_BENCH_MILLION=1` at a million.
//!
//! The questions are made of parts, so each has many neighbours that differ in a word or two: more of them are judged
//! than in most partitions.

#![expect(clippy::expect_used, reason = "a bench whose fixture is wrong should stop")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use hdrhistogram::Histogram;
use tollgate_cache::{
    Cache, Filled, IndexSettings, Key, Labels, Looked, Made, Mode, Patience, Sought, StoreSettings, Worth,
};
use tollgate_core::{Clock, Digest, Digester, Timestamp};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const NOW: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);
/// Lookups of which percentiles are told.
const LOOKUPS: usize = 4_000;

/// What questions are made of: 20 × 20 × 20 × 16 × 8, which is over a million.
const VERBS: &str = "clean repair sell paint store measure replace lift ship rent label sharpen polish insure borrow \
                     assemble weigh fold dry wrap";
const KINDS: &str = "wooden rusty antique plastic heavy broken cheap leather electric portable ceramic folding garden \
                     kitchen winter marble copper vintage inflatable foldable";
const THINGS: &str = "chair bicycle lamp table kettle mirror drawer ladder carpet clock piano tent bottle basket camera \
                      guitar oven window barrel wheel";
const PLACES: &str = "garage basement hotel museum harbour school attic workshop balcony library hospital station \
                      warehouse theatre bakery greenhouse";
const ENDS: &str = "safely|quickly|at home|on a budget|before winter|without help|by hand|for a friend";

fn part(of: &'static str, at: usize) -> &'static str {
    let parts: Vec<&str> = of.split_whitespace().collect();
    parts.get(at % parts.len()).copied().unwrap_or_default()
}

/// The question of this number, put in one way or another.
fn question(number: usize, start: &str) -> String {
    // Neighbouring numbers differ in everything: an odd stride through all there are.
    let at = number * 7_919 % 1_024_000;
    let end = ENDS.split('|').nth(at % 8).unwrap_or_default();
    format!(
        "{start} {} a {} {} in the {} {end}?",
        part(VERBS, at / 8),
        part(KINDS, at / 160),
        part(THINGS, at / 3_200),
        part(PLACES, at / 64_000),
    )
}

fn key(text: &str) -> Key {
    let of = |kind: &str| -> Digest { Digester::new(kind).field(text.as_bytes()).finish() };
    Key {
        exact: of("exact"),
        folded: Some(of("folded")),
        partition: Digester::new("partition").finish(),
    }
}

fn filled(entries: usize) -> Cache {
    let cache = Cache::new(StoreSettings {
        budget_bytes: 16 << 30,
        index: IndexSettings {
            worker_limit: usize::MAX,
            ..IndexSettings::default()
        },
        ..StoreSettings::default()
    });
    cache.learn();
    let clock = Clock.now();
    for number in 0..entries {
        let text = question(number, "How do I");
        let filled = Filled {
            key: key(&text),
            labels: Labels {
                tenant: "tenant".into(),
                route: "route".into(),
                tags: [].into(),
            },
            words: Some(text.into()),
            answer: bytes::Bytes::from_static(&[b'a'; 600]),
            worth: Worth::default(),
            created: NOW,
            ttl: Duration::from_secs(3_600),
            begun: cache.store().begin(),
            made: Made::default(),
        };
        cache.fill(filled, NOW);
    }
    while cache.store().maintain(1_024) {}
    let statistics = cache.store().statistics();
    eprintln!(
        "{entries} entries: filled in {:.1} s; {} bytes charged for each, 600 of them the answer",
        clock.elapsed().as_secs_f64(),
        statistics.bytes.total() / statistics.entries.max(1) as u64,
    );
    cache
}

fn look(cache: &Cache, key: &Key, words: Option<&str>) -> Looked {
    let sought = Sought {
        key,
        words,
        route: "route",
        tenant: "tenant",
        mode: Mode::Safe,
        learns: false,
        max_age: None,
        brought: None,
        patience: Patience::Keeper,
    };
    cache.find(&sought, NOW)
}

/// Percentiles of lookups of which each is of another question.
fn percentiles(cache: &Cache, name: &str, texts: &[String]) {
    let mut histogram: Histogram<u64> =
        Histogram::new_with_max(1_000_000_000, 3).expect("bounds that are allowed");
    let mut hits = 0;
    for text in texts {
        let key = key(text);
        let clock = Clock.now();
        let looked = look(cache, &key, Some(text));
        let nanos = u64::try_from(clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
        histogram.saturating_record(nanos);
        hits += usize::from(looked.found.is_some());
    }
    let at = |quantile: f64| Duration::from_nanos(histogram.value_at_quantile(quantile));
    eprintln!(
        "{name}: p50 {:?}, p90 {:?}, p99 {:?}, p99.9 {:?}; {hits} of {} hits",
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        texts.len()
    );
}

fn lookups(criterion: &mut Criterion) {
    let million = std::env::var_os("TOLLGATE_BENCH_MILLION").is_some();
    for entries in [10_000, 100_000].into_iter().chain(million.then_some(1_000_000)) {
        let cache = filled(entries);
        let sample = |start: &str| -> Vec<String> {
            (0..LOOKUPS)
                .map(|at| question(at * 31 % entries, start))
                .collect()
        };
        let (again, other) = (sample("How can I"), sample("Why should I not"));
        percentiles(&cache, &format!("hit/{entries}"), &again);
        percentiles(&cache, &format!("miss/{entries}"), &other);
        let known = key(&question(5, "How do I"));
        let mut group = criterion.benchmark_group("cache_lookup");
        group.sample_size(20);
        group.bench_function(format!("exact/{entries}"), |bench| {
            bench.iter(|| look(black_box(&cache), black_box(&known), None));
        });
        for (name, texts) in [("hit", &again), ("miss", &other)] {
            let texts: Vec<(Key, &String)> = texts.iter().map(|text| (key(text), text)).collect();
            let mut turn = texts.iter().cycle();
            group.bench_function(format!("{name}/{entries}"), |bench| {
                bench.iter(|| {
                    let (key, text) = turn.next().expect("a cycle has no end");
                    look(black_box(&cache), key, Some(text))
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, lookups);
criterion_main!(benches);

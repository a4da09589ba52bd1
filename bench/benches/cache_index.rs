//! What the cache's store and index cost at 10,000 and 100,000 entries in one partition, and with
//! `TOLLGATE_BENCH_MILLION=1` at a million: lookups, inserts, recall, bytes per entry.
//!
//! The vectors are made up, but like those of real questions: most of what they differ in lies in some of the
//! dimensions, and they come in topics of very different sizes. Asked is for variations of what is stored.

#![expect(clippy::expect_used, reason = "a bench whose fixture is wrong should stop")]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tollgate_cache::Vector;
use tollgate_cache::index::{IndexSettings, Patience};
use tollgate_cache::store::{
    Inserted, Key, Labels, Nearest, NewEntry, Question, Store, StoreSettings, Worth,
};
use tollgate_cache::verify::{Analysis, Verifier};
use tollgate_core::{Clock, Digest, Digester, Timestamp};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const DIMENSIONS: u16 = 128;
const QUERIES: usize = 1000;
const NOW: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);

fn digest(kind: &str, number: u64) -> Digest {
    Digester::new(kind).number(number).finish()
}

/// Questions of topics.
struct Questions {
    random: StdRng,
    topics: Vec<Vec<f32>>,
}

impl Questions {
    fn new(entries: usize) -> Self {
        let mut random = StdRng::seed_from_u64(7);
        let topics = (0..entries / 30 + 2)
            .map(|_| Self::direction(&mut random))
            .collect();
        Self { random, topics }
    }

    /// Early dimensions carry more, as after a principal component analysis.
    fn direction(random: &mut StdRng) -> Vec<f32> {
        let draw = |at: u16| {
            // About normal.
            let sum: f32 = (0..4).map(|_| random.random_range(-1.0..1.0_f32)).sum();
            sum / (1.0 + f32::from(at) / 24.0)
        };
        (0..DIMENSIONS).map(draw).collect()
    }

    fn mix(&mut self, of: &[f32], share: f32) -> Vec<f32> {
        let own = Self::direction(&mut self.random);
        of.iter().zip(own).map(|(a, b)| a + share * b).collect()
    }

    /// Low topics are asked about more.
    fn next(&mut self) -> Vec<f32> {
        let skewed = self.random.random_range(0.0..1.0_f64).powi(2);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a small number"
        )]
        let at = (skewed * self.topics.len() as f64) as usize;
        let topic = self.topics.get(at).cloned().unwrap_or_default();
        self.mix(&topic, 0.8)
    }
}

fn vector(components: &[f32]) -> Arc<Vector> {
    Arc::new(Vector::of(components).expect("a direction"))
}

/// One partition full of questions.
struct Filled {
    store: Store,
    stored: Vec<Arc<Vector>>,
    asked: Vec<Arc<Vector>>,
    spare: Questions,
    nothing: Arc<Analysis>,
}

impl Filled {
    fn new(entries: usize) -> Self {
        let mut questions = Questions::new(entries);
        let components: Vec<_> = (0..entries).map(|_| questions.next()).collect();
        let asked = (0..QUERIES)
            .map(|at| {
                let like = components.get(at * 7919 % entries).cloned();
                vector(&questions.mix(&like.unwrap_or_default(), 0.35))
            })
            .collect();
        let store = Store::new(StoreSettings {
            budget_bytes: 8 << 30,
            index: IndexSettings {
                worker_limit: usize::MAX,
                ..IndexSettings::default()
            },
            ..StoreSettings::default()
        });
        let nothing = Arc::new(Verifier::built_in().analyse(""));
        let stored = components.iter().map(|it| vector(it)).collect();
        let filled = Self {
            store,
            stored,
            asked,
            spare: questions,
            nothing,
        };
        let (before, clock) = (resident_bytes(), Clock.now());
        for (number, vector) in (0_u64..).zip(filled.stored.clone()) {
            filled.insert(number, &vector, 0);
        }
        while filled.store.maintain(1024) {}
        filled.report(before, clock.elapsed());
        filled
    }

    fn entry(&self, number: u64, vector: &Arc<Vector>, partition: u64) -> NewEntry {
        NewEntry {
            key: Key {
                exact: digest("exact", number),
                folded: Some(digest("folded", number)),
                partition: digest("partition", partition),
            },
            labels: Labels {
                tenant: "tenant".into(),
                route: "route".into(),
                tags: [].into(),
            },
            question: Some(Question {
                words: "what is it that is asked for here".into(),
                vector: Arc::clone(vector),
                elsewhere: None,
                analysis: Arc::clone(&self.nothing),
            }),
            answer: vec![b'a'; 400].into(),
            worth: Worth::default(),
            created: NOW,
            ttl: Duration::from_secs(3600),
            begun: self.store.begin(),
        }
    }

    fn insert(&self, number: u64, vector: &Arc<Vector>, partition: u64) -> Inserted {
        self.store.insert(self.entry(number, vector, partition), NOW)
    }

    fn nearest(&self, asked: &Vector) -> Nearest {
        let partition = digest("partition", 0);
        self.store.nearest(&partition, asked, 5, NOW, Patience::Keeper)
    }

    /// How many of the questions have found the entry that is nearest to them.
    fn recall(&self) -> f64 {
        let exact = |asked: &Vector| {
            let cosines = self.stored.iter().map(|it| it.cosine(asked));
            cosines.fold(f32::MIN, f32::max)
        };
        let is_found = |asked: &&Arc<Vector>| match self.nearest(asked) {
            Nearest::Found(found) => found.first().is_some_and(|it| it.cosine >= exact(asked) - 1e-6),
            Nearest::TooLong => false,
        };
        share(self.asked.iter().filter(is_found).count(), self.asked.len())
    }

    fn report(&self, before: usize, took: Duration) {
        let entries = self.stored.len();
        let statistics = self.store.statistics();
        let per_entry = |bytes: usize| share(bytes, entries);
        eprintln!(
            "{entries} entries: filled in {took:.1?}; recall@1 {:.4}; {:.0} bytes resident and {:.0} charged per entry \
             (answer 400, words 33, vector 128); {:?}",
            self.recall(),
            per_entry(resident_bytes().saturating_sub(before)),
            per_entry(usize::try_from(statistics.bytes.total()).unwrap_or(usize::MAX)),
            statistics.index,
        );
        let mut latencies: Vec<_> = self
            .asked
            .iter()
            .map(|it| {
                let start = Clock.now();
                black_box(self.nearest(it));
                start.elapsed()
            })
            .collect();
        latencies.sort();
        let quantile = |share: usize| latencies.get(latencies.len() * share / 100);
        eprintln!(
            "{entries} entries: nearest p10 {:?} p50 {:?} p90 {:?}",
            quantile(10),
            quantile(50),
            quantile(90)
        );
    }
}

fn share(part: usize, whole: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let share = part as f64 / whole as f64;
    share
}

/// Of this process. 0 where the system does not say.
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text
        .split(' ')
        .nth(1)
        .and_then(|it| it.parse().ok())
        .unwrap_or(0_usize);
    pages * 4096
}

fn at_size(c: &mut Criterion, entries: usize) {
    let mut filled = Filled::new(entries);
    let mut keys = (0..u64::MAX).map(|it| digest("exact", it * 7919 % entries as u64));
    let keys: Vec<_> = keys.by_ref().take(4096).collect();
    let mut at = 0;
    c.bench_function(&format!("exact/{entries}"), |b| {
        b.iter(|| {
            at = (at + 1) % keys.len();
            keys.get(at).map(|key| filled.store.exact(black_box(key), NOW))
        });
    });
    c.bench_function(&format!("nearest/{entries}"), |b| {
        b.iter(|| {
            at = (at + 1) % QUERIES;
            filled.asked.get(at).map(|it| filled.nearest(black_box(it)))
        });
    });
    let mut number = 1 << 40;
    c.bench_function(&format!("insert/{entries}"), |b| {
        let mut questions = std::mem::replace(&mut filled.spare, Questions::new(0));
        b.iter_batched(
            || {
                number += 1;
                filled.entry(number, &vector(&questions.next()), 0)
            },
            |new| filled.store.insert(new, NOW),
            BatchSize::SmallInput,
        );
    });
}

fn sizes(c: &mut Criterion) {
    for entries in [16, 900, 2_000, 10_000, 100_000] {
        at_size(c, entries);
    }
    if std::env::var_os("TOLLGATE_BENCH_MILLION").is_some() {
        at_size(c, 1_000_000);
    }
}

/// A conversation of its own for each entry: partitions of one.
fn tiny_partitions(c: &mut Criterion) {
    let filled = Filled::new(16);
    let before = resident_bytes();
    let vectors: HashMap<u64, _> = (0..16).zip(filled.stored.iter().cloned()).collect();
    let like = |number: u64| vectors.get(&(number % 16)).map(|it| Arc::new(Vector::clone(it)));
    let entries = 50_000;
    for number in 100..100 + entries {
        if let Some(vector) = like(number) {
            filled.insert(number, &vector, number);
        }
    }
    let bytes = share(resident_bytes().saturating_sub(before), 50_000);
    eprintln!("{entries} partitions of one: {bytes:.0} bytes resident per entry");
    let mut number = 1 << 40;
    c.bench_function("insert/partition_of_one", |b| {
        b.iter_batched(
            || {
                number += 1;
                filled.entry(number, filled.stored.first().expect("some"), number)
            },
            |new| filled.store.insert(new, NOW),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, sizes, tiny_partitions);
criterion_main!(benches);

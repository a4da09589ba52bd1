//! Questions that differ in meaning by little are never answered for each other, and harmless rewrites are: the pairs
//! of `traps/`, each filled and looked up both ways as a request would.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    reason = "a test that is wrong should stop; its tables are for people; its numbers are small"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use tollgate_cache::index::IndexSettings;
use tollgate_cache::store::{EntryId, Inserted, Key, Labels, StoreSettings, Worth};
use tollgate_cache::{Cache, Filled, Found, Layer, Made, Mode, Patience, Sought, text};
use tollgate_core::{Digest, Digester, Timestamp};

const NOW: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);

/// Different pairs that are answered all the same, with the reason: by their first and second question.
const KNOWN_LEAKS: [(&str, &str); 0] = [];

/// Rewrites that change how it is put and no word's meaning.
const SURFACE: &[&str] = &[
    "case",
    "punctuation",
    "whitespace",
    "quote",
    "dash",
    "zero_width",
    "combining",
    "politeness",
    "contraction",
    "spelling",
    "word_order",
    "article",
    "numeral",
];

/// The least share of lookups that must be hits, of [`SURFACE`] rewrites.
const LEAST_FOUND_SURFACE: f64 = 0.95;

/// The same of all rewrites: also of synonyms, plurals, other forms of question, other languages.
const LEAST_FOUND: f64 = 0.8;

/// The most different pairs that may leak, of all.
const MOST_LEAKING: f64 = 0.002;

static CACHE: LazyLock<Cache> = LazyLock::new(|| {
    let cache = Cache::new(StoreSettings {
        budget_bytes: 256 << 20,
        shards: 4,
        first_id: EntryId(1),
        index: IndexSettings::default(),
    });
    cache.learn();
    cache
});

static PAIRS: LazyLock<Vec<Pair>> = LazyLock::new(|| {
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|it| it == "jsonl"))
        .collect();
    files.sort();
    files.iter().flat_map(|path| read(path)).collect()
});

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("traps")
}

fn read(path: &Path) -> Vec<Pair> {
    let text = fs::read_to_string(path).expect("a file");
    let pair = |(at, line)| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{}:{}: {error}", path.display(), at + 1))
    };
    (0_usize..).zip(text.lines()).map(pair).collect()
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    a: String,
    b: String,
    kind: String,
    same: bool,
}

/// What became of a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The two are one already without looking at what they mean.
    Folded,
    Semantic,
    Missed(Why),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// One of the two is never compared by meaning.
    Unfit,
    Guard,
    Score,
}

impl Outcome {
    fn is_hit(self) -> bool {
        !matches!(self, Self::Missed(_))
    }
}

/// Fills `filled` in a partition of its own, and looks `asked` up there.
fn lookup(filled: &str, asked: &str, mode: Mode, partition: Digest) -> Outcome {
    let key = |words: &str| Key {
        exact: digest(&partition, "exact", words),
        folded: Some(digest(&partition, "folded", &text::fold(words))),
        partition,
    };
    let entry = Filled {
        key: key(filled),
        labels: Labels {
            tenant: Arc::from("tenant"),
            route: Arc::from("route"),
            tags: Box::default(),
        },
        words: Some(filled.into()),
        answer: Bytes::from_static(b"an answer"),
        worth: Worth::default(),
        created: NOW,
        ttl: Duration::from_secs(3600),
        begun: CACHE.store().begin(),
        made: Made::default(),
    };
    let inserted = CACHE.fill(entry, NOW);
    assert!(
        matches!(inserted, Inserted::Stored { .. }),
        "{filled}: {inserted:?}"
    );
    let sought = Sought {
        key: &key(asked),
        words: Some(asked),
        route: "route",
        tenant: "tenant",
        mode,
        learns: false,
        max_age: None,
        brought: None,
        patience: Patience::Keeper,
    };
    match CACHE.find(&sought, NOW).found {
        Some(Found {
            layer: Layer::Semantic,
            ..
        }) => Outcome::Semantic,
        Some(_) => Outcome::Folded,
        None => Outcome::Missed(why(filled, asked)),
    }
}

fn digest(partition: &Digest, what: &str, words: &str) -> Digest {
    let mut digester = Digester::new(what);
    digester.field(&partition.to_bytes());
    digester.field(words.as_bytes()).finish()
}

fn why(a: &str, b: &str) -> Why {
    let compared = CACHE.explain(a, b).expect("it has learned");
    if compared.unfit.iter().any(Option::is_some) {
        return Why::Unfit;
    }
    match compared.explanation.guard {
        Some(_) => Why::Guard,
        None => Why::Score,
    }
}

/// A pair, looked up both ways.
fn both_ways(number: u64, pair: &Pair, mode: Mode) -> [Outcome; 2] {
    let partition = |turned: u64| {
        let mut digester = Digester::new("partition");
        digester.field(format!("{mode:?}").as_bytes());
        digester.number(number).number(turned).finish()
    };
    [
        lookup(&pair.a, &pair.b, mode, partition(0)),
        lookup(&pair.b, &pair.a, mode, partition(1)),
    ]
}

/// All pairs with this label, each with what became of it.
fn outcomes(same: bool, mode: Mode) -> Vec<(&'static Pair, [Outcome; 2])> {
    let pairs = (0..).zip(&*PAIRS).filter(|(_, pair)| pair.same == same);
    pairs
        .map(|(number, pair)| (pair, both_ways(number, pair, mode)))
        .collect()
}

/// For people: what became of the lookups of each kind.
fn table(outcomes: &[(&Pair, [Outcome; 2])]) -> String {
    let mut kinds: BTreeMap<&str, [usize; 6]> = BTreeMap::new();
    for (pair, both) in outcomes {
        for outcome in both {
            for row in [&*pair.kind, "~ all"] {
                let [all, folded, semantic, unfit, guard, score] = kinds.entry(row).or_default();
                *all += 1;
                *match outcome {
                    Outcome::Folded => folded,
                    Outcome::Semantic => semantic,
                    Outcome::Missed(Why::Unfit) => unfit,
                    Outcome::Missed(Why::Guard) => guard,
                    Outcome::Missed(Why::Score) => score,
                } += 1;
            }
        }
    }
    let mut table = format!(
        "{:24} lookups  folded semantic | unfit  guard  score\n",
        "kind, safe"
    );
    for (kind, [all, folded, semantic, unfit, guard, score]) in kinds {
        writeln!(
            table,
            "{kind:24} {all:7} {folded:7} {semantic:8} | {unfit:5} {guard:6} {score:6}"
        )
        .expect("memory");
    }
    table
}

#[test]
fn no_trap_is_answered_in_safe_mode() {
    let outcomes = outcomes(false, Mode::Safe);
    println!("{}", table(&outcomes));
    let leaks: Vec<&Pair> = outcomes
        .iter()
        .filter(|(_, both)| both.iter().any(|it| it.is_hit()))
        .map(|(pair, _)| *pair)
        .collect();
    let is_known = |pair: &Pair| KNOWN_LEAKS.contains(&(&*pair.a, &*pair.b));
    let unknown: Vec<&&Pair> = leaks.iter().filter(|pair| !is_known(pair)).collect();
    assert!(
        unknown.is_empty(),
        "{} of {} leak: {unknown:#?}",
        unknown.len(),
        outcomes.len()
    );
    assert!(leaks.len() as f64 <= MOST_LEAKING * outcomes.len() as f64);
    assert_eq!(
        leaks.len(),
        KNOWN_LEAKS.len(),
        "what no longer leaks is no known leak"
    );
}

#[test]
fn harmless_rewrites_are_answered_in_safe_mode() {
    let outcomes = outcomes(true, Mode::Safe);
    println!("{}", table(&outcomes));
    for (pair, both) in &outcomes {
        if both.iter().any(|it| !it.is_hit()) {
            println!("missed {both:?}: {pair:?}");
        }
    }
    let found = |counts: &dyn Fn(&str) -> bool| {
        let of = outcomes.iter().filter(|(pair, _)| counts(&pair.kind));
        let asked = of.flat_map(|it| it.1).filter(|it| *it != Outcome::Folded);
        let (mut hits, mut all) = (0.0, 0.0);
        for outcome in asked {
            hits += f64::from(u8::from(outcome.is_hit()));
            all += 1.0;
        }
        assert!(all > 0.0);
        hits / all
    };
    let (surface, all) = (found(&|kind| SURFACE.contains(&kind)), found(&|_| true));
    println!("found of how it is put {surface:.4}, of all {all:.4}");
    assert!(surface >= LEAST_FOUND_SURFACE, "only {surface} of how it is put");
    assert!(all >= LEAST_FOUND, "only {all} of all");
}

#[test]
fn there_are_traps_and_rewrites_of_many_kinds_and_none_twice() {
    let count = |same| PAIRS.iter().filter(|pair| pair.same == same).count();
    assert!(count(false) >= 600 && count(true) >= 180);
    let mut seen = BTreeSet::new();
    for Pair { a, b, kind, same } in &*PAIRS {
        assert!(
            a != b && !a.trim().is_empty() && !b.trim().is_empty() && !kind.is_empty(),
            "{a} {b}"
        );
        assert!(seen.insert((a.min(b), a.max(b))), "twice: {a} {b}");
        assert!(
            *same || text::fold(a) != text::fold(b),
            "a trap that folds to one: {a} {b}"
        );
    }
    for kind in SURFACE {
        assert!(PAIRS.iter().any(|pair| pair.kind == *kind), "{kind}");
    }
}

//! Another space proposes; the verifier decides as ever.

use bytes::Bytes;
use tollgate_core::Digester;

use super::super::meaning::WORKER_BYTES;
use super::super::{Filled, Layer, Looked, Made};
use super::*;
use crate::{Entry, Key, Labels, Mode, StoreSettings, Worth};

const NOW: Timestamp = Timestamp::from_unix_millis(1_000_000);

/// Asked, and of the same meaning as [`KNOWN`].
const ASKED: &str = "How can I convert 20 miles to kilometers by hand?";
const KNOWN: &str = "How do I convert 20 miles to kilometers by hand?";

/// Of other meanings, and nearer to [`ASKED`] for the built-in table: of the same words, or nearly.
const NEARER: [&str; 6] = [
    "How can I convert 20 kilometers to miles by hand?",
    "By hand how can I convert 20 kilometers to miles?",
    "How can I convert kilometers to 20 miles by hand?",
    "How can I convert by hand to miles 20 kilometers?",
    "How can I hand 20 miles by convert to kilometers?",
    "Can I convert how 20 kilometers to miles by hand?",
];

fn digest(words: &str) -> Digest {
    Digester::new("test").field(words.as_bytes()).finish()
}

fn key(words: &str, partition: &str) -> Key {
    Key {
        exact: digest(&format!("{partition} {words}")),
        folded: None,
        partition: digest(partition),
    }
}

fn cache(space: Option<Space>) -> Cache {
    let cache = Cache::new(StoreSettings::default()).seeking_in(space);
    cache.learn();
    cache
}

fn remote() -> Space {
    Space::Remote("endpoint m".into())
}

fn fill(cache: &Cache, words: &str, partition: &str, brought: Option<&[f32]>) -> Arc<Entry> {
    let filled = Filled {
        key: key(words, partition),
        labels: Labels {
            tenant: "t".into(),
            route: "r".into(),
            tags: [].into(),
        },
        words: Some(words.into()),
        made: Made {
            brought: brought.map(|it| Vector::of(it).unwrap()),
            ..Made::default()
        },
        answer: Bytes::from_static(b"answer"),
        worth: Worth::default(),
        created: NOW,
        ttl: std::time::Duration::from_secs(60),
        begun: cache.store().begin(),
    };
    match cache.fill(filled, NOW) {
        crate::Inserted::Stored { entry, .. } => entry,
        refused @ crate::Inserted::Refused(_) => panic!("{refused:?}"),
    }
}

fn find(cache: &Cache, words: &str, partition: &str, brought: Option<&[f32]>) -> Looked {
    let brought = brought.map(|it| Vector::of(it).unwrap());
    let sought = Sought {
        key: &key(words, partition),
        words: Some(words),
        route: "r",
        tenant: "t",
        mode: Mode::Safe,
        learns: false,
        max_age: None,
        brought: brought.as_ref(),
        patience: Patience::Worker,
    };
    cache.find(&sought, NOW)
}

/// The words that are found, or none.
fn found(looked: &Looked) -> Option<&str> {
    let found = looked.found.as_ref()?;
    assert_eq!(found.layer, Layer::Semantic);
    Some(&found.entry.question.as_ref()?.words)
}

/// A crowd of near misses hides the one that means the same from the built-in table.
fn crowded(cache: &Cache) {
    fill(cache, KNOWN, "p", Some(&[1.0, 0.1, 0.0]));
    for (number, words) in NEARER.into_iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a handful")]
        fill(cache, words, "p", Some(&[0.0, 1.0, number as f32]));
    }
}

#[test]
fn a_brought_vector_shows_whom_the_built_in_table_does_not() {
    let cache = cache(Some(remote()));
    crowded(&cache);
    assert_eq!(found(&find(&cache, ASKED, "p", None)), None);
    assert_eq!(
        found(&find(&cache, ASKED, "p", Some(&[1.0, 0.0, 0.0]))),
        Some(KNOWN)
    );
    // A vector of other dimensions shows nobody, and neither does another partition.
    assert_eq!(found(&find(&cache, ASKED, "p", Some(&[1.0, 0.0]))), None);
    assert_eq!(found(&find(&cache, ASKED, "q", Some(&[1.0, 0.0, 0.0]))), None);
}

#[test]
fn whoever_proposes_the_verifier_decides() {
    let cache = cache(Some(remote()));
    for words in NEARER {
        fill(&cache, words, "p", Some(&[1.0, 0.0, 0.0]));
    }
    fill(
        &cache,
        "How do I convert 30 miles to kilometers by hand?",
        "p",
        Some(&[1.0, 0.0, 0.0]),
    );
    assert_eq!(found(&find(&cache, ASKED, "p", Some(&[1.0, 0.0, 0.0]))), None);
}

#[test]
fn what_has_no_vector_there_is_found_by_the_built_in_table() {
    let cache = cache(Some(remote()));
    assert!(!cache.wants_vector(&digest("p"), ASKED), "nobody is there");
    let entry = fill(&cache, KNOWN, "p", None);
    assert!(entry.question.as_ref().unwrap().elsewhere.is_none());
    assert_eq!(found(&find(&cache, ASKED, "p", None)), Some(KNOWN));
    assert!(
        !cache.wants_vector(&digest("p"), ASKED),
        "nobody is there who could be shown"
    );
    fill(&cache, NEARER[0], "p", Some(&[1.0, 0.0, 0.0]));
    assert!(cache.wants_vector(&digest("p"), ASKED));
    assert!(!cache.wants_vector(&digest("q"), ASKED));
    for unfit in ["hello", "translate this", "What is the weather today?", ""] {
        assert!(!cache.wants_vector(&digest("p"), unfit), "{unfit}");
    }
}

#[test]
fn what_a_vector_takes_is_charged_and_given_back() {
    let with = cache(Some(remote()));
    let entry = fill(&with, KNOWN, "p", Some(&[1.0; 1_536]));
    let without = cache(None);
    let plain = fill(&without, KNOWN, "p", None);
    let more = entry.charge() - plain.charge();
    assert!((1_536 * 3..1_536 * 3 + 2_000).contains(&more), "{more}");
    assert_eq!(with.store().statistics().index.partitions, 2);
    with.store().remove(entry.id).unwrap();
    let left = with.store().statistics();
    assert_eq!((left.bytes.total(), left.index.partitions), (0, 0));
    assert!(!with.wants_vector(&digest("p"), ASKED));
}

/// An embedder of one's own: by the words of a unit.
struct Numbers;

impl crate::embed::Embedder for Numbers {
    fn id(&self) -> &'static str {
        "numbers"
    }

    fn dimensions(&self) -> usize {
        2
    }

    fn embed(&self, text: &str) -> Option<Vector> {
        let is_known = text.contains("miles to kilometers");
        Vector::of(if is_known { &[1.0, 0.0] } else { &[0.0, 1.0] })
    }
}

#[test]
fn a_local_space_is_asked_along_with_the_built_in_table() {
    let cache = cache(Some(Space::Local(Arc::new(Numbers))));
    crowded_locally(&cache);
    assert_eq!(found(&find(&cache, ASKED, "p", None)), Some(KNOWN));
    assert!(!cache.takes_vector(ASKED), "it makes its own");
}

fn crowded_locally(cache: &Cache) {
    for words in NEARER.into_iter().chain([KNOWN]) {
        fill(cache, words, "p", None);
    }
}

#[test]
fn long_texts_are_too_long_for_a_worker_and_longer_ones_for_anybody() {
    let cache = cache(None);
    let long = format!(
        "{KNOWN} {}",
        "I have tried it with a calculator and it did not work. ".repeat(12)
    );
    assert!((WORKER_BYTES / 2..text::LONGEST_BYTES).contains(&long.len()));
    fill(&cache, &long, "p", None);
    let other = long.replace("do I", "can I");
    assert!(!find(&cache, &other, "q", None).is_too_long, "nobody is there");
    assert!(find(&cache, &other, "p", None).is_too_long);
    let key = key(&other, "p");
    let sought = Sought {
        key: &key,
        words: Some(&other),
        route: "r",
        tenant: "t",
        mode: Mode::Aggressive,
        learns: false,
        max_age: None,
        brought: None,
        patience: Patience::Keeper,
    };
    assert_eq!(found(&cache.find(&sought, NOW)), Some(&*long));
    let endless = "word ".repeat(1_000);
    assert!(!find(&cache, &endless, "p", None).is_too_long);
}

#[test]
fn a_worker_judges_the_nearest_and_leaves_many_to_others() {
    let cache = cache(None);
    let asked = |tool: &str| {
        format!(
            "How do I cut a plank of oak with a {tool} and without a table, at home and by hand, if I have one afternoon?"
        )
    };
    for tool in ["hammer", "spoon", "chisel", "rasp"] {
        fill(&cache, &asked(tool), "p", None);
    }
    let length = asked("saw").len();
    assert!(2 * length <= WORKER_BYTES && 5 * length > WORKER_BYTES);
    assert!(find(&cache, &asked("saw"), "p", None).is_too_long, "none of four");
    let said = asked("spoon");
    let again = said.replace("do I", "can I");
    let looked = find(&cache, &again, "p", None);
    assert_eq!(found(&looked), Some(&*said), "the nearest will do");
}

#[test]
fn spaces_never_mix() {
    let partition = digest("p");
    let places = ["a", "b"].map(|id| Space::Remote(id.into()).place(&partition));
    assert!(places[0] != places[1] && !places.contains(&partition));
    let ids = [
        None,
        Some(Space::Remote("a".into())),
        Some(Space::Remote("b".into())),
    ];
    let ids: std::collections::HashSet<String> =
        ids.iter().map(|it| Cache::model_id_with(it.as_ref())).collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn whom_the_built_in_table_finds_too_far_away_nobody_brings_up() {
    let cache = cache(Some(remote()));
    let (known, asked) = ("Where do I receive a check?", "Where do I recieve a cheque?");
    let compared = cache.explain(known, asked).unwrap();
    assert!(
        !compared.is_near() && compared.explanation.score > 0.99,
        "{compared:?}"
    );
    fill(&cache, known, "p", Some(&[1.0, 0.0, 0.0]));
    assert_eq!(found(&find(&cache, asked, "p", None)), None);
    assert_eq!(found(&find(&cache, asked, "p", Some(&[1.0, 0.0, 0.0]))), None);
}

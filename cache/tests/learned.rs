//! The cache learns from use: questions that were taken for each other wrongly are not again, and entries end at
//! different times.

use std::time::Duration;

use tollgate_cache::learn::Agreement;
use tollgate_cache::store::{Key, Labels, Worth};
use tollgate_cache::{
    Cache, Filled, Found, Inserted, Layer, Looked, Made, Mode, Patience, Sought, StoreSettings, text,
};
use tollgate_core::{Digest, Digester, Timestamp};

const NOW: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);
const TTL: Duration = Duration::from_secs(1_000);

fn digest(kind: &str, text: &str) -> Digest {
    Digester::new(kind).field(text.as_bytes()).finish()
}

fn key(words: &str) -> Key {
    Key {
        exact: digest("exact", words),
        folded: Some(digest("folded", &text::fold(words))),
        partition: digest("partition", ""),
    }
}

fn fill(cache: &Cache, words: &str, tenant: &str) -> Inserted {
    let filled = Filled {
        key: key(words),
        labels: Labels {
            tenant: tenant.into(),
            route: "faq".into(),
            tags: Box::default(),
        },
        words: Some(words.into()),
        made: Made::default(),
        answer: "An answer.".into(),
        worth: Worth::default(),
        created: NOW,
        ttl: TTL,
        begun: cache.store().begin(),
    };
    cache.fill(filled, NOW)
}

fn look(cache: &Cache, words: &str, mode: Mode, learns: bool) -> Looked {
    let sought = Sought {
        key: &key(words),
        words: Some(words),
        route: "faq",
        tenant: "a",
        mode,
        learns,
        max_age: None,
        brought: None,
        patience: Patience::Worker,
    };
    cache.find(&sought, NOW)
}

fn semantic(cache: &Cache, words: &str) -> Option<Found> {
    look(cache, words, Mode::Aggressive, false)
        .found
        .filter(|it| it.layer == Layer::Semantic)
}

fn learned() -> Cache {
    let cache = Cache::new(StoreSettings::default());
    cache.learn();
    cache
}

const DO: &str = "How do I convert 20 miles to kilometers by hand?";
const CAN: &str = "How can I convert 20 miles to kilometers by hand?";
const MIGHT: &str = "How might I convert 20 miles to kilometers by hand?";

#[test]
fn a_wrong_match_does_not_come_back_with_a_new_answer_to_the_same_question() {
    let cache = learned();
    let Inserted::Stored { entry, .. } = fill(&cache, DO, "a") else {
        panic!("it is kept")
    };
    let found = semantic(&cache, CAN).expect("the same in other words");
    cache.served(&found, &key(CAN), "a", NOW);
    assert!(cache.heard(&entry, "a", Agreement::Other), "it was served");
    assert!(!cache.heard(&entry, "a", Agreement::Other), "and judged");
    assert!(cache.condemn(entry.id) && !cache.condemn(entry.id));
    assert!(look(&cache, DO, Mode::Aggressive, false).found.is_none());
    // Asked and answered anew, it is a good answer to itself and to others, but not to that one.
    fill(&cache, DO, "a");
    assert!(look(&cache, DO, Mode::Aggressive, false).found.is_some());
    assert!(semantic(&cache, CAN).is_none());
    assert!(
        semantic(&cache, "how can I  convert 20 miles to kilometers by hand").is_none(),
        "nor to its like"
    );
    assert!(semantic(&cache, MIGHT).is_some());
}

#[test]
fn what_was_found_by_meaning_is_found_again_without_comparing_as_long_as_it_would_be() {
    let cache = learned();
    let Inserted::Stored { entry, .. } = fill(&cache, DO, "a") else {
        panic!("it is kept")
    };
    let first = semantic(&cache, CAN).expect("the same in other words");
    cache.served(&first, &key(CAN), "a", NOW);
    // Of words that were taken apart nothing is left: it was not compared.
    let looked = look(&cache, CAN, Mode::Aggressive, false);
    assert!(looked.apart.is_none());
    let again = looked.found.expect("it is remembered");
    assert_eq!((again.layer, again.score), (Layer::Semantic, first.score));
    assert_eq!(again.entry.id, entry.id);
    let exact = look(&cache, CAN, Mode::Exact, false);
    assert!(exact.found.is_none(), "not where only the same will do");
    // A new answer to the question has come in its place, and is compared.
    let Inserted::Stored { entry: newer, .. } = fill(&cache, DO, "a") else {
        panic!("it is kept")
    };
    let looked = look(&cache, CAN, Mode::Aggressive, false);
    assert!(looked.apart.is_some());
    assert_eq!(looked.found.expect("as before").entry.id, newer.id);
}

#[test]
fn near_misses_are_told_only_where_they_are_compared_and_never_found() {
    let cache = learned();
    fill(&cache, "How do I reset the password of my account?", "a");
    let near = "How do I reset my account password?";
    let served = look(&cache, near, Mode::Aggressive, false)
        .found
        .expect("close enough for aggressive");
    let score = served.score.expect("by meaning");
    let experience = cache.experience().expect("it compares");
    let floor = experience.floor(Mode::Safe).expect("by meaning");
    let safe = experience.shipped(Mode::Safe).expect("by meaning");
    assert!(score < safe, "not for safe: {score}");
    let silent = look(&cache, near, Mode::Safe, false);
    assert!(silent.found.is_none() && silent.near.is_none());
    let learning = look(&cache, near, Mode::Safe, true);
    assert!(learning.found.is_none());
    assert_eq!(learning.near.is_some(), score >= floor, "{score} {floor}");
    assert!(learning.near.is_none_or(|it| !it.is_hit && it.score < safe));
}

#[test]
fn what_was_learned_holds_back_what_would_have_been_served_and_it_is_still_compared() {
    let cache = learned();
    let Inserted::Stored { entry, .. } = fill(&cache, DO, "a") else {
        panic!("it is kept")
    };
    let found = semantic(&cache, CAN).expect("the same in other words");
    let withheld = tollgate_cache::Withheld {
        entry: entry.id,
        score: found.score.expect("by meaning"),
        is_hit: true,
    };
    for other in ["one", "two", "three"] {
        assert!(
            cache.compared(&withheld, &entry, &key(other), Agreement::Other),
            "to be condemned"
        );
    }
    let held = look(&cache, CAN, Mode::Aggressive, false);
    let near = held.near.expect("it is compared");
    assert!(held.found.is_none() && !near.is_hit);
    assert!(
        !cache.compared(&near, &entry, &key("four"), Agreement::Other),
        "a near miss is no fault of the entry"
    );
    let exact = look(&cache, DO, Mode::Aggressive, false)
        .found
        .expect("the same is always found");
    assert_eq!(exact.layer, Layer::Exact);
}

#[test]
fn answers_agree_when_they_say_the_same_and_a_number_makes_a_difference() {
    let cache = learned();
    let agree = |a: &str, b: &str| cache.agree(a, b);
    assert_eq!(agree("Paris.", "paris"), Agreement::Same);
    assert_eq!(agree("", ""), Agreement::Same);
    assert_eq!(
        agree(
            "Multiply the miles by 1.609 to get kilometers.",
            "Multiply miles by 1.609 to get the kilometers."
        ),
        Agreement::Same
    );
    assert_eq!(
        agree(
            "Multiply the miles by 1.609 to get kilometers.",
            "Multiply the miles by 1.906 to get kilometers."
        ),
        Agreement::Unclear
    );
    assert_eq!(
        agree(
            "Multiply the miles by 1.609 to get kilometers.",
            "Bananas are rich in potassium."
        ),
        Agreement::Other
    );
    assert_eq!(agree("An answer.", ""), Agreement::Other);
    let long = "Multiply the miles by the factor to get kilometers. ".repeat(1_000);
    assert_eq!(
        agree(&long, &format!("{long} Indeed.")),
        Agreement::Unclear,
        "too long to be certain"
    );
}

#[test]
fn entries_end_up_to_a_tenth_early_and_not_together() {
    let cache = learned();
    let lifetimes: Vec<u64> = (0..200)
        .map(|number| {
            let Inserted::Stored { entry, .. } = fill(&cache, &format!("question {number}"), "a") else {
                panic!("it is kept")
            };
            entry.expires.unix_millis() - NOW.unix_millis()
        })
        .collect();
    assert!(
        lifetimes.iter().all(|it| (900_000..=1_000_000).contains(it)),
        "{lifetimes:?}"
    );
    let spread = lifetimes.iter().max().expect("some") - lifetimes.iter().min().expect("some");
    assert!(spread > 80_000, "{spread}");
    let Inserted::Stored { entry, .. } = fill(&cache, "question 0", "a") else {
        panic!("it is kept")
    };
    assert_eq!(
        Some(&(entry.expires.unix_millis() - NOW.unix_millis())),
        lifetimes.first(),
        "always the same"
    );
}

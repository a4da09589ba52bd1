//! The store against a naive model, and its corners.

#![expect(clippy::cast_precision_loss, reason = "small numbers")]

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use ::bytes::Bytes;
use proptest::prelude::*;
use tollgate_core::{Digester, Nanodollars};

use super::*;
use crate::verify::{Analysis, Verifier};

fn digest(kind: &str, number: u64) -> Digest {
    Digester::new(kind).number(number).finish()
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

fn nothing() -> Arc<Analysis> {
    static NOTHING: LazyLock<Arc<Analysis>> = LazyLock::new(|| Arc::new(Verifier::built_in().analyse("")));
    Arc::clone(&NOTHING)
}

fn vector(number: u64) -> Arc<Vector> {
    let components: Vec<f32> = (1..=8_u64)
        .map(|at| ((number * 37 + 11) * at % 101) as f32 - 50.0)
        .collect();
    Arc::new(Vector::of(&components).unwrap())
}

/// The `number`-th question: of two folded alike, three partitions, two tenants, four routes.
fn new_entry(store: &Store, number: u64, now: u64, ttl: u64) -> NewEntry {
    let texts = |kind: &str, of: u64| -> Arc<str> { format!("{kind}{}", number % of).into() };
    NewEntry {
        key: Key {
            exact: digest("exact", number),
            folded: (!number.is_multiple_of(5)).then(|| digest("folded", number / 2)),
            partition: digest("partition", number % 3),
        },
        labels: Labels {
            tenant: texts("tenant", 2),
            route: texts("route", 4),
            tags: [texts("tag", 7).as_ref().into(), "all".into()].into(),
        },
        question: (number % 4 != 1).then(|| Question {
            words: format!("question {number}").into(),
            vector: vector(number),
            elsewhere: number.is_multiple_of(3).then(|| Elsewhere {
                place: digest("elsewhere", number % 3),
                vector: vector(number + 1),
            }),
            analysis: nothing(),
        }),
        answer: format!("answer {number}").into(),
        worth: Worth {
            cost: Nanodollars(number),
            ..Worth::default()
        },
        created: at(now),
        ttl: Duration::from_millis(ttl),
        begun: store.begin(),
    }
}

fn store(budget_bytes: u64) -> Store {
    Store::new(StoreSettings {
        budget_bytes,
        shards: 4,
        index: IndexSettings {
            flat_below: 32,
            searchers: 8,
            ..IndexSettings::default()
        },
        ..StoreSettings::default()
    })
}

fn stored(inserted: Inserted) -> (Arc<Entry>, Vec<EntryId>) {
    match inserted {
        Inserted::Stored { entry, gone } => (entry, gone),
        Inserted::Refused(why) => panic!("refused: {why:?}"),
    }
}

fn refused(inserted: &Inserted) -> Refused {
    match inserted {
        Inserted::Stored { .. } => panic!("stored"),
        Inserted::Refused(why) => *why,
    }
}

fn nearest(store: &Store, partition: u64, asked: &Vector, k: usize, now: u64) -> Vec<Candidate> {
    match store.nearest(
        &digest("partition", partition),
        asked,
        k,
        at(now),
        Patience::Keeper,
    ) {
        Nearest::Found(found) => found,
        Nearest::TooLong => panic!("a keeper has time"),
    }
}

#[derive(Debug, Clone)]
enum Step {
    Insert { number: u64, ttl: u64, before: bool },
    Restore { number: u64, id: u64 },
    Ask(u64),
    Invalidate(Selection),
    Remove(u64),
    Condemn(u64),
    Wait(u64),
    Sweep,
    Maintain,
}

fn selections() -> impl Strategy<Value = Selection> {
    let text = |kind: &'static str, of: u64| {
        (0..of).prop_map(move |it| Some(format!("{kind}{it}").into_boxed_str()))
    };
    let none = Selection::default;
    prop_oneof![
        text("tenant", 3).prop_map(move |tenant| Selection { tenant, ..none() }),
        text("tag", 7).prop_map(move |tag| Selection { tag, ..none() }),
        (text("tenant", 2), text("route", 4)).prop_map(move |(tenant, route)| Selection {
            tenant,
            route,
            ..none()
        }),
        (0..4000_u64).prop_map(move |it| Selection {
            created_before: Some(at(it)),
            ..none()
        }),
        (0..3_u64).prop_map(move |it| Selection {
            partition: Some(digest("partition", it)),
            ..none()
        }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let number = || 0..60_u64;
    let step = prop_oneof![
        20 => (number(), 0..2000_u64, prop::bool::weighted(0.1))
            .prop_map(|(number, ttl, before)| Step::Insert { number, ttl, before }),
        2 => (number(), 0..1000_u64).prop_map(|(number, id)| Step::Restore { number, id }),
        10 => number().prop_map(Step::Ask),
        1 => selections().prop_map(Step::Invalidate),
        1 => number().prop_map(Step::Remove),
        1 => number().prop_map(Step::Condemn),
        2 => (0..300_u64).prop_map(Step::Wait),
        1 => Just(Step::Sweep),
        1 => Just(Step::Maintain),
    ];
    prop::collection::vec(step, 0..300)
}

/// What the store should hold: by number.
struct Model {
    entries: HashMap<u64, Arc<Entry>>,
    /// Which number was stored last under a folded key.
    folded: HashMap<u64, u64>,
    now: u64,
    /// When nothing is evicted, everything is known.
    is_exact: bool,
}

impl Model {
    fn forget(&mut self, ids: &[EntryId]) {
        for id in ids {
            let before = self.entries.len();
            self.entries.retain(|_, it| it.id != *id);
            assert_eq!(before, self.entries.len() + 1, "{id:?} went, and was not there");
        }
    }

    fn is_live(&self, entry: &Entry) -> bool {
        entry.expires > at(self.now)
    }

    fn put(&mut self, number: u64, inserted: Inserted) {
        let (entry, gone) = stored(inserted);
        self.forget(&gone);
        self.entries.insert(number, entry);
        self.folded.insert(number / 2, number);
    }

    fn check(&self, store: &Store, number: u64) {
        let expected = self.entries.get(&number).filter(|it| self.is_live(it));
        let exact = store.exact(&digest("exact", number), at(self.now));
        assert_eq!(exact.map(|it| it.id), expected.map(|it| it.id));
        if let Some(it) = self.entries.get(&number) {
            assert_eq!(store.get(it.id).map(|it| it.id), Some(it.id));
        }
        let folded = store.folded(&digest("folded", number / 2), at(self.now));
        let latest = self.folded.get(&(number / 2)).and_then(|it| self.entries.get(it));
        let latest = latest.filter(|it| self.is_live(it) && it.key.folded.is_some());
        if let Some(latest) = latest
            && !(number / 2 * 2).is_multiple_of(5)
            && !(number / 2 * 2 + 1).is_multiple_of(5)
        {
            assert_eq!(folded.as_ref().map(|it| it.id), Some(latest.id));
        }
        if let Some(folded) = folded {
            assert_eq!(folded.key.folded, Some(digest("folded", number / 2)));
            assert!(self.entries.values().any(|it| it.id == folded.id));
        }
        self.check_nearest(store, number);
    }

    fn check_nearest(&self, store: &Store, number: u64) {
        let asked = vector(number);
        let near = nearest(store, number % 3, &asked, 3, self.now);
        let mut exact: Vec<f32> = self
            .entries
            .values()
            .filter(|it| it.key.partition == digest("partition", number % 3) && self.is_live(it))
            .filter_map(|it| Some(it.question.as_ref()?.vector.cosine(&asked)))
            .collect();
        exact.sort_by(|a, b| b.total_cmp(a));
        let dead = self.entries.values().filter(|it| !self.is_live(it)).count();
        if dead <= SPARE {
            assert_eq!(near.len(), exact.len().min(3));
            for (it, exact) in near.iter().zip(exact) {
                assert!((it.cosine - exact).abs() < 1e-6);
            }
        }
        for it in near {
            assert!(self.is_live(&it.entry) && self.entries.values().any(|own| own.id == it.entry.id));
        }
    }

    fn take(&mut self, store: &Store, step: Step) {
        match step {
            Step::Insert { number, ttl, before } => {
                let mut new = new_entry(store, number, self.now, ttl);
                let everything = Selection {
                    tag: Some("none".into()),
                    ..Selection::default()
                };
                if before {
                    store.invalidate(&everything);
                    new.labels.tags = ["none".into()].into();
                    assert_eq!(
                        refused(&store.insert(new, at(self.now))),
                        if ttl == 0 {
                            Refused::Expired
                        } else {
                            Refused::Invalidated
                        }
                    );
                } else if ttl == 0 {
                    assert_eq!(refused(&store.insert(new, at(self.now))), Refused::Expired);
                } else {
                    self.put(number, store.insert(new, at(self.now)));
                }
            }
            Step::Restore { number, id } => {
                let id = EntryId(id);
                if self.entries.values().all(|it| it.id != id) {
                    let restored = store.restore(id, new_entry(store, number, self.now, 1000), at(self.now));
                    match self.entries.get(&number) {
                        Some(newer) if newer.id > id => assert_eq!(refused(&restored), Refused::Superseded),
                        _ => self.put(number, restored),
                    }
                }
            }
            Step::Ask(number) => self.check(store, number),
            Step::Invalidate(selection) => {
                let gone = store.invalidate(&selection);
                self.forget(&gone);
                assert!(!self.entries.values().any(|it| selection.selects(it)));
            }
            Step::Remove(number) => {
                if let Some(entry) = self.entries.remove(&number) {
                    assert_eq!(store.remove(entry.id).map(|it| it.id), Some(entry.id));
                    assert!(store.remove(entry.id).is_none());
                }
            }
            Step::Condemn(number) => {
                if let Some(entry) = self.entries.remove(&number) {
                    assert!(store.condemn(entry.id).is_some() && entry.is_condemned());
                    assert!(store.exact(&entry.key.exact, at(self.now)).is_none());
                }
            }
            Step::Wait(millis) => self.now += millis,
            Step::Sweep => {
                let gone = store.sweep(at(self.now));
                self.forget(&gone);
                assert!(self.entries.values().all(|it| self.is_live(it)));
            }
            Step::Maintain => {
                store.maintain(8);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_store_does_what_a_naive_one_does(steps in steps(), tight in any::<bool>()) {
        let budget_bytes = if tight { 40_000 } else { 10 << 20 };
        let store = Store::new(StoreSettings { first_id: EntryId(1000), ..StoreSettings {
            budget_bytes,
            shards: 4,
            index: IndexSettings { flat_below: 32, searchers: 8, ..IndexSettings::default() },
            ..StoreSettings::default()
        } });
        let mut model = Model { entries: HashMap::new(), folded: HashMap::new(), now: 1000, is_exact: !tight };
        for step in steps {
            model.take(&store, step);
            let statistics = store.statistics();
            prop_assert!(statistics.bytes.total() <= budget_bytes);
            prop_assert_eq!(statistics.entries, model.entries.len());
            prop_assert!(!model.is_exact || statistics.evicted == 0);
        }
        let mut ids: Vec<_> = store.iter().map(|it| it.id).collect();
        let mut expected: Vec<_> = model.entries.values().map(|it| it.id).collect();
        ids.sort();
        expected.sort();
        prop_assert_eq!(ids, expected);
        store.invalidate(&Selection::default());
        let statistics = store.statistics();
        prop_assert_eq!((statistics.entries, statistics.bytes.total(), statistics.index.partitions), (0, 0, 0));
        prop_assert_eq!((store.ids.len(), store.folded.len()), (0, 0));
    }
}

#[test]
fn an_answer_that_was_asked_for_before_an_invalidation_does_not_come_in() {
    let store = store(1 << 20);
    let before = new_entry(&store, 2, 0, 1000);
    let of_another = new_entry(&store, 3, 0, 1000);
    let selection = Selection {
        tenant: Some("tenant0".into()),
        ..Selection::default()
    };
    assert_eq!(store.invalidate(&selection), []);
    assert_eq!(refused(&store.insert(before, at(0))), Refused::Invalidated);
    stored(store.insert(of_another, at(0)));
    stored(store.insert(new_entry(&store, 2, 0, 1000), at(0)));
    assert_eq!(store.statistics().entries, 2);
}

#[test]
fn what_was_begun_before_all_that_is_remembered_does_not_come_in() {
    let store = store(1 << 20);
    let before = new_entry(&store, 2, 0, 1000);
    for number in 0..2000 {
        let tag = Some(format!("other{number}").into());
        store.invalidate(&Selection {
            tag,
            ..Selection::default()
        });
    }
    assert_eq!(refused(&store.insert(before, at(0))), Refused::Invalidated);
    stored(store.insert(new_entry(&store, 2, 0, 1000), at(0)));
}

#[test]
fn an_entry_holds_its_own_bytes_only() {
    let store = store(1 << 20);
    let large = Bytes::from(vec![7; 1 << 20]);
    let mut new = new_entry(&store, 0, 0, 1000);
    new.answer = large.slice(10..20);
    let (entry, _) = stored(store.insert(new, at(0)));
    assert_eq!(&entry.answer[..], [7; 10]);
    assert!(!large.as_ptr_range().contains(&entry.answer.as_ptr()));
}

#[test]
fn what_is_larger_than_the_budget_is_refused_and_costs_nobody() {
    let store = store(100_000);
    stored(store.insert(new_entry(&store, 0, 0, 1000), at(0)));
    let mut new = new_entry(&store, 1, 0, 1000);
    new.answer = vec![0; 100_000].into();
    assert_eq!(refused(&store.insert(new.clone(), at(0))), Refused::TooLarge);
    // Almost all of it is fine.
    new.answer = vec![0; 90_000].into();
    stored(store.insert(new, at(0)));
    assert!(store.statistics().bytes.total() <= 100_000);
}

#[test]
fn a_budget_of_nothing_holds_nothing() {
    let store = store(0);
    assert_eq!(
        refused(&store.insert(new_entry(&store, 0, 0, 1000), at(0))),
        Refused::TooLarge
    );
    assert_eq!(store.statistics().entries, 0);
}

#[test]
fn a_time_to_live_without_end_does_not_wrap() {
    let store = store(1 << 20);
    let mut new = new_entry(&store, 0, u64::MAX - 5, 0);
    new.ttl = Duration::MAX;
    stored(store.insert(new, at(0)));
    assert!(store.exact(&digest("exact", 0), at(u64::MAX - 1)).is_some());
    assert_eq!(store.sweep(at(u64::MAX - 1)), []);
}

#[test]
fn hits_are_noted_on_the_entry() {
    let store = store(1 << 20);
    let (entry, _) = stored(store.insert(new_entry(&store, 0, 0, 1000), at(0)));
    assert_eq!((entry.hits(), entry.last_hit()), (0, None));
    store.served(&entry, at(7));
    store.served(&entry, at(5));
    assert_eq!((entry.hits(), entry.last_hit()), (2, Some(at(7))));
}

#[test]
fn what_is_asked_for_stays_while_a_scan_goes_by() {
    let store = store(400_000);
    let now = at(0);
    for number in 0..20 {
        stored(store.insert(new_entry(&store, number, 0, 1000), now));
    }
    for number in 1000..5000 {
        for wanted in 0..20 {
            store.exact(&digest("exact", wanted), now);
        }
        stored(store.insert(new_entry(&store, number, 0, 1000), now));
    }
    let kept = (0..20)
        .filter(|it| store.exact(&digest("exact", *it), now).is_some())
        .count();
    assert_eq!(kept, 20);
    let statistics = store.statistics();
    assert!(
        statistics.evicted > 3000 && statistics.bytes.total() <= 400_000,
        "{statistics:?}"
    );
    assert_eq!(store.ids.len(), statistics.entries);
}

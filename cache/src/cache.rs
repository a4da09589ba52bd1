//! The cache as its users see it: is there an answer to this question?
//!
//! Tier by tier, the cheapest first: the same request, the same but for case and spaces, one that means the same. A
//! question of other words is only answered if its words can stand for themselves ([`text::unfit`]), a neighbour in its
//! partition was judged to ask for the same, and the judgement reaches the threshold of the mode.

mod fill;
mod meaning;
mod models;
mod neighbours;
mod verdicts;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tollgate_core::{Digest, Timestamp};

use crate::embed::{Embedder, Space, Table};
use crate::learn::{Agreement, Experience, Seen, Source};
use crate::text;
use crate::verify::{Analysis, Explanation, Verifier};
use crate::{Entry, EntryId, Key, Labels, Mode, Patience, Selection, Store, StoreSettings, Vector};

use models::{AGREEING_COSINE, LEAST_COSINE, Models};
use verdicts::Verdicts;

pub use fill::{Apart, Filled, Made};

/// The answers that were given before.
#[derive(Debug)]
pub struct Cache {
    store: Store,
    /// `None` until [`Cache::learn`]: nothing is compared by meaning before.
    models: OnceLock<Models>,
    /// Where neighbours are sought as well. `None`: by the built-in table alone.
    space: Option<Space>,
    verdicts: Verdicts,
}

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Sought<'a> {
    /// What it is found by.
    pub key: &'a Key,
    /// What was said, where another question's answer will do.
    pub words: Option<&'a str>,
    /// Whose class decides what was learned: the route, by its own name.
    pub route: &'a str,
    /// The key, or the space that is shared: as in [`Labels::tenant`].
    pub tenant: &'a str,
    /// How far questions may differ.
    pub mode: Mode,
    /// Whether near misses are told, so that they can be compared with the answer that comes instead.
    pub learns: bool,
    /// The oldest answer that will do. `None`: any that is kept.
    pub max_age: Option<Duration>,
    /// A vector of the words that was made elsewhere: neighbours are sought by it alone. `None`: by the built-in table,
    /// and in a space that is here.
    pub brought: Option<&'a Vector>,
    /// How long it may take.
    pub patience: Patience,
}

/// What was seen. Never both.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    /// An answer to be given.
    pub found: Option<Found>,
    /// One that is too uncertain to be given: only to be compared with what comes instead.
    pub near: Option<Withheld>,
    /// It would take longer than the patience that was given: ask again with [`Patience::Keeper`], on a thread that can
    /// wait.
    pub is_too_long: bool,
    /// What was made of the words to compare them. `None`: there was nobody to compare them with.
    pub apart: Option<Apart>,
}

/// An answer that is not given though its question is much the same: the one that comes instead shows whether it would
/// have been right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Withheld {
    /// Whose it is.
    pub entry: EntryId,
    /// How certain it is that the questions are the same.
    pub score: f32,
    /// Whether it reached the threshold: an entry that is wrong then is not served again.
    pub is_hit: bool,
}

/// What tier an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The same request.
    Exact,
    /// The same, but for case, spaces and the mark at the end.
    Folded,
    /// One that means the same.
    Semantic,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where from.
    pub layer: Layer,
    /// The entry.
    pub entry: Arc<Entry>,
    /// How certain it is that the questions are the same; semantic only.
    pub score: Option<f32>,
}

impl Withheld {
    fn near(entry: EntryId, score: f32) -> Self {
        let is_hit = false;
        Self { entry, score, is_hit }
    }
}

impl Found {
    fn same(layer: Layer, entry: Arc<Entry>) -> Self {
        Self {
            layer,
            entry,
            score: None,
        }
    }

    fn by_meaning(entry: Arc<Entry>, score: f32) -> Self {
        Self {
            layer: Layer::Semantic,
            entry,
            score: Some(score),
        }
    }
}

impl Looked {
    /// An answer is there.
    pub fn at(found: Found) -> Self {
        Self {
            found: Some(found),
            ..Self::default()
        }
    }

    fn too_long() -> Self {
        Self {
            is_too_long: true,
            ..Self::default()
        }
    }
}

fn is_young(entry: &Entry, max_age: Option<Duration>, now: Timestamp) -> bool {
    max_age.is_none_or(|most| now.since(entry.created) <= most)
}

impl Cache {
    /// An empty one. It compares nothing by meaning until it has [learned](Cache::learn) to.
    pub fn new(settings: StoreSettings) -> Self {
        Self {
            store: Store::new(settings),
            models: OnceLock::new(),
            space: None,
            verdicts: Verdicts::default(),
        }
    }

    /// One that seeks neighbours in another space as well.
    #[must_use]
    pub fn seeking_in(self, space: Option<Space>) -> Self {
        Self { space, ..self }
    }

    /// Where neighbours are sought beside the built-in table's space. `None`: nowhere.
    pub fn space(&self) -> Option<&Space> {
        self.space.as_ref()
    }

    /// The entries.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Makes the models ready, which takes some 50 ms and as many MiB: not on a thread that has requests waiting.
    pub fn learn(&self) {
        self.models.get_or_init(|| Models {
            table: Table::built_in().clone(),
            verifier: Verifier::built_in().clone(),
            experience: Experience::new(Verifier::built_in().thresholds()),
        });
    }

    /// Whether it has [learned](Cache::learn) to compare by meaning.
    pub fn has_learned(&self) -> bool {
        self.models.get().is_some()
    }

    /// The names of the models with which vectors and verdicts are made.
    pub fn model_id() -> String {
        format!("{} {}", Table::built_in().id(), Verifier::built_in().id())
    }

    /// The same with the space whose vectors are kept in files, if there is one: those of the table are made anew.
    pub fn model_id_with(space: Option<&Space>) -> String {
        let own = Self::model_id();
        space.map_or(own.clone(), |space| format!("{} {own}", space.id()))
    }

    /// The answer to the same request, no older than `max_age`. The first of what [`Cache::find`] tries: for those who
    /// know only this of the key yet. What is served is to be told: [`Store::served`].
    pub fn exact(&self, exact: &Digest, max_age: Option<Duration>, now: Timestamp) -> Option<Found> {
        let entry = self.store.exact(exact, now)?;
        is_young(&entry, max_age, now).then(|| Found::same(Layer::Exact, entry))
    }

    /// An answer to a question. What is served of it is to be told: [`Cache::served`].
    pub fn find(&self, sought: &Sought<'_>, now: Timestamp) -> Looked {
        let key = sought.key;
        let folded = || {
            let entry = self.store.folded(key.folded.as_ref()?, now)?;
            is_young(&entry, sought.max_age, now).then(|| Found::same(Layer::Folded, entry))
        };
        let same = self.exact(&key.exact, sought.max_age, now).or_else(folded);
        match same.or_else(|| self.remembered(sought, now)) {
            Some(found) => Looked::at(found),
            None => self.find_by_meaning(sought, now).unwrap_or_default(),
        }
    }

    /// An answer is given to the key of this name, that asked `key`.
    pub fn served(&self, found: &Found, key: &Key, caller: &str, now: Timestamp) {
        self.store.served(&found.entry, now);
        if let Some((experience, score)) = self.experience().zip(found.score) {
            let asked = key.question();
            experience.served(found.entry.id, caller, Seen { score, asked });
            self.verdicts.note(&key.exact, found.entry.id, score);
        }
    }

    /// What was learned from use. `None`: it has not [learned](Cache::learn) to compare yet.
    pub fn experience(&self) -> Option<&Experience> {
        Some(&self.models.get()?.experience)
    }

    /// The answer to `asked` has come, and is compared with the one that was withheld. Whether that entry was wrong, and
    /// is to be condemned. For the keeper.
    pub fn compared(&self, withheld: &Withheld, entry: &Entry, asked: &Key, agreement: Agreement) -> bool {
        let Some(experience) = self.experience() else {
            return false;
        };
        let Labels { route, tenant, .. } = &entry.labels;
        experience.judged(route, tenant, withheld.score, agreement, Source::Comparison);
        let is_wrong = agreement == Agreement::Other;
        if is_wrong {
            experience.part(asked.question(), entry.key.question());
        }
        is_wrong && withheld.is_hit
    }

    /// The key of this name says whether an entry's answer was right: whether that counts for a threshold. It does where
    /// the answer was given to that key by meaning, the first time that it speaks of it. For the keeper, who has to
    /// condemn an entry that is called wrong.
    pub fn heard(&self, entry: &Entry, caller: &str, agreement: Agreement) -> bool {
        let Some((experience, seen)) = self
            .experience()
            .and_then(|it| Some((it, it.heard(entry.id, caller)?)))
        else {
            return false;
        };
        let Labels { route, tenant, .. } = &entry.labels;
        experience.judged(route, tenant, seen.score, agreement, Source::Client);
        if agreement == Agreement::Other {
            experience.part(seen.asked, entry.key.question());
        }
        true
    }

    /// An entry was wrong: it is never served again. Whether there is such an entry.
    pub fn condemn(&self, id: EntryId) -> bool {
        let is_there = self.store.condemn(id).is_some();
        if let Some(experience) = self.experience().filter(|_| is_there) {
            experience.condemned();
        }
        is_there
    }

    /// Takes away all that is selected; how many that were.
    pub fn invalidate(&self, selection: &Selection) -> usize {
        self.store.invalidate(selection).len()
    }

    /// Whether two answers say the same. [`Other`](Agreement::Other): they are about something else, by the direction of
    /// their vectors. [`Same`](Agreement::Same): word for word but for case and spaces; or they are about the same, and
    /// no guard tells them apart: the same numbers, units, names, negations. Otherwise it is
    /// [unclear](Agreement::Unclear), as it often is for long answers.
    ///
    /// So a wrong digit never counts as right; but two answers that are wrong in the same way do, and two right ones of
    /// which one is short and the other long may count as wrong.
    pub fn agree(&self, a: &str, b: &str) -> Agreement {
        if text::fold(a) == text::fold(b) {
            return Agreement::Same;
        }
        let Some(models) = self.models.get() else {
            return Agreement::Unclear;
        };
        let vectors = models.table.embed(a).zip(models.table.embed(b));
        let cosine = vectors.map(|(a, b)| a.cosine(&b));
        let Some(cosine) = cosine.filter(|it| *it >= AGREEING_COSINE) else {
            return Agreement::Other;
        };
        let verifier = &models.verifier;
        let fits = |words: &str| words.len() <= text::LONGEST_BYTES;
        if !fits(a) || !fits(b) {
            return Agreement::Unclear;
        }
        let (a, b) = (verifier.analyse(a), verifier.analyse(b));
        match verifier.judge(&a, &b, cosine).guard {
            None => Agreement::Same,
            Some(_) => Agreement::Unclear,
        }
    }

    /// Why two questions do, or do not, count as the same in each mode. `None`: it has not [learned](Cache::learn) yet.
    pub fn explain(&self, a: &str, b: &str) -> Option<Comparison> {
        let models = self.models.get()?;
        let of = |text: &str| -> (Option<Vector>, Analysis) {
            (models.table.embed(text), models.verifier.analyse(text))
        };
        let ((a_vector, a_words), (b_vector, b_words)) = (of(a), of(b));
        let cosine = a_vector.zip(b_vector).map_or(0.0, |(a, b)| a.cosine(&b));
        let explanation = models.verifier.explain(&a_words, &b_words, cosine);
        let unfit = [a, b].map(|text| models.unfit(text));
        let thresholds = [Mode::Safe, Mode::Balanced, Mode::Aggressive]
            .map(|mode| (mode, models.experience.shipped(mode).unwrap_or(f32::INFINITY)));
        Some(Comparison {
            cosine,
            unfit,
            thresholds,
            explanation,
        })
    }
}

/// Two questions, compared.
#[derive(Debug)]
pub struct Comparison {
    /// Of their vectors.
    pub cosine: f32,
    /// Why one of them would not be compared at all; `None`: it would.
    pub unfit: [Option<&'static str>; 2],
    /// The score that each mode ships with; what a class wants is in [`Experience`].
    pub thresholds: [(Mode, f32); 3],
    /// The verdict, and how it came about.
    pub explanation: Explanation,
}

impl Comparison {
    /// Whether they are near enough for either to be a neighbour of the other.
    pub fn is_near(&self) -> bool {
        self.cosine >= LEAST_COSINE
    }

    /// The score with which the two are compared: 0 where a guard fires, where one of them would not be compared at all,
    /// and where they are too far apart to be.
    pub fn score(&self) -> f32 {
        let compared = self.unfit.iter().all(Option::is_none) && self.is_near();
        if compared { self.explanation.score } else { 0.0 }
    }
}

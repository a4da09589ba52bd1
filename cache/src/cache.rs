//! The cache as its users see it: is there an answer to this question?
//!
//! Tier by tier, the cheapest first: the same request, the same but for case and spaces, one that means the same. A
//! question of other words is only answered if its words can stand for themselves ([`unfit`]), a neighbour in its
//! partition was judged to ask for the same, and the judgement reaches the threshold of the mode.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tollgate_core::{Digest, Timestamp};

use crate::embed::{Embedder, Table};
use crate::store::{Candidate, Nearest, Question};
use crate::text::{self, Traits};
use crate::verify::{Analysis, Explanation, Verifier};
use crate::{
    Entry, Inserted, Key, Labels, Mode, NewEntry, Patience, Selection, Store, StoreSettings, Vector, Worth,
};

/// Neighbours that are judged.
const NEIGHBOURS: usize = 4;
/// Who is farther away than this is not judged: of pairs that mean the same, 99 % are nearer.
const LEAST_COSINE: f32 = 0.5;
/// Answers that point farther apart say something else.
const AGREEING_COSINE: f32 = 0.7;
/// Longer texts are seldom asked again in other words, and seldom mean quite the same.
const LONGEST_WORDS_BYTES: usize = 2_000;
/// The least and most word pieces of a question that can be compared.
const PIECES: std::ops::RangeInclusive<usize> = 2..=400;
/// The largest share of pieces that the model need not know.
const MOST_UNKNOWN: f32 = 0.2;

/// The answers that were given before.
#[derive(Debug)]
pub struct Cache {
    store: Store,
    /// `None` until [`Cache::learn`]: nothing is compared by meaning before.
    models: OnceLock<Models>,
}

/// What it takes to compare questions.
#[derive(Debug)]
struct Models {
    table: Arc<Table>,
    verifier: Arc<Verifier>,
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

/// An answer that comes in.
#[derive(Debug)]
pub struct Filled {
    /// What it is found by.
    pub key: Key,
    /// What it is invalidated by.
    pub labels: Labels,
    /// The words by which it may be found by meaning; `None`: it may not.
    pub words: Option<Box<str>>,
    /// In a form of the caller's.
    pub answer: bytes::Bytes,
    /// What a hit saves.
    pub worth: Worth,
    /// When the answer was given.
    pub created: Timestamp,
    /// How long from then on it may be served.
    pub ttl: Duration,
    /// What [`Store::begin`] said before the answer was asked for.
    pub begun: crate::store::Begun,
}

impl Cache {
    /// An empty one. It compares nothing by meaning until it has [learned](Cache::learn) to.
    pub fn new(settings: StoreSettings) -> Self {
        Self {
            store: Store::new(settings),
            models: OnceLock::new(),
        }
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
        });
    }

    /// The names of the models with which vectors and verdicts are made.
    pub fn model_id() -> String {
        format!("{} {}", Table::built_in().id(), Verifier::built_in().id())
    }

    /// An answer to the question of this key. `words`: what was said, where another question's answer will do.
    /// `max_age`: the oldest that will do.
    pub fn find(
        &self,
        key: &Key,
        words: Option<&str>,
        mode: Mode,
        now: Timestamp,
        max_age: Option<Duration>,
    ) -> Option<Found> {
        let is_young = |entry: &Arc<Entry>| max_age.is_none_or(|most| now.since(entry.created) <= most);
        let exact = self
            .store
            .exact(&key.exact, now)
            .map(|entry| (Layer::Exact, entry));
        let same = exact.or_else(|| {
            let folded = self.store.folded(key.folded.as_ref()?, now)?;
            Some((Layer::Folded, folded))
        });
        let found = match same.filter(|(_, entry)| is_young(entry)) {
            Some((layer, entry)) => Some(Found {
                layer,
                entry,
                score: None,
            }),
            None => self.find_by_meaning(&key.partition, words?, mode, now, is_young),
        };
        if let Some(found) = &found {
            self.store.served(&found.entry, now);
        }
        found
    }

    fn find_by_meaning(
        &self,
        partition: &Digest,
        words: &str,
        mode: Mode,
        now: Timestamp,
        will_do: impl Fn(&Arc<Entry>) -> bool,
    ) -> Option<Found> {
        let models = self.models.get()?;
        let threshold = models.threshold(mode)?;
        let vector = models.table.embed(words)?;
        let near = self
            .store
            .nearest(partition, &vector, NEIGHBOURS, now, Patience::Worker);
        let Nearest::Found(near) = near else { return None };
        let near: Vec<Candidate> = near
            .into_iter()
            .filter(|it| it.cosine >= LEAST_COSINE && will_do(&it.entry))
            .collect();
        if near.is_empty() || models.unfit(words).is_some() {
            return None;
        }
        let asked = models.verifier.analyse(words);
        let judged = near.into_iter().filter_map(|Candidate { entry, cosine }| {
            let question = entry.question.as_ref()?;
            let verdict = models
                .verifier
                .judge_at(&asked, &question.analysis, cosine, threshold);
            (verdict.score >= threshold).then_some((verdict.score, entry))
        });
        let (score, entry) = judged.max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(Found {
            layer: Layer::Semantic,
            entry,
            score: Some(score),
        })
    }

    /// Adds an answer. For the keeper: takes up to a millisecond.
    pub fn fill(&self, filled: Filled, now: Timestamp) -> Inserted {
        let new = self.entry(filled);
        self.store.insert(new, now)
    }

    /// An entry with its question taken apart.
    pub fn entry(&self, filled: Filled) -> NewEntry {
        let Filled {
            key,
            labels,
            words,
            answer,
            worth,
            created,
            ttl,
            begun,
        } = filled;
        NewEntry {
            question: words.and_then(|words| self.question(words)),
            key,
            labels,
            answer,
            worth,
            created,
            ttl,
            begun,
        }
    }

    /// Words, taken apart; `None`: they cannot be compared, or it has not [learned](Cache::learn) to.
    pub fn question(&self, words: Box<str>) -> Option<Question> {
        self.models.get()?.question(words)
    }

    /// Takes away all that is selected; how many that were.
    pub fn invalidate(&self, selection: &Selection) -> usize {
        self.store.invalidate(selection).len()
    }

    /// Whether two answers say about the same: word for word but for case and spaces, or by the direction of their
    /// vectors. A coarse check: it finds an answer to something else, not a wrong digit.
    pub fn agree(&self, a: &str, b: &str) -> bool {
        if text::fold(a) == text::fold(b) {
            return true;
        }
        let Some(models) = self.models.get() else {
            return false;
        };
        let vectors = models.table.embed(a).zip(models.table.embed(b));
        vectors.is_some_and(|(a, b)| a.cosine(&b) >= AGREEING_COSINE)
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
            .map(|mode| (mode, models.threshold(mode).unwrap_or(f32::INFINITY)));
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
    /// The score that each mode wants.
    pub thresholds: [(Mode, f32); 3],
    /// The verdict, and how it came about.
    pub explanation: Explanation,
}

impl Comparison {
    /// The score with which the two are compared: 0 where a guard fires, where one of them would not be compared at all,
    /// and where they are too far apart to be.
    pub fn score(&self) -> f32 {
        let compared = self.unfit.iter().all(Option::is_none) && self.cosine >= LEAST_COSINE;
        if compared { self.explanation.score } else { 0.0 }
    }
}

impl Models {
    /// The score that counts as the same. `None`: in this mode none does.
    fn threshold(&self, mode: Mode) -> Option<f32> {
        let thresholds = self.verifier.thresholds();
        match mode {
            Mode::Off | Mode::Exact => None,
            Mode::Safe => Some(thresholds.safe),
            Mode::Balanced => Some(thresholds.balanced),
            Mode::Aggressive => Some(thresholds.aggressive),
        }
    }

    /// Why these words cannot stand for themselves; `None`: they can.
    fn unfit(&self, words: &str) -> Option<&'static str> {
        if words.len() > LONGEST_WORDS_BYTES {
            return Some("long");
        }
        let traits = Traits::of(words, self.table.tokenizer());
        let signs = [
            (!PIECES.contains(&traits.tokens), "length"),
            (traits.unknown_share() > MOST_UNKNOWN, "unknown_words"),
            (traits.code, "code"),
            (traits.address, "address"),
            (traits.secret, "secret"),
            (traits.timely, "timely"),
            (traits.deictic, "deictic"),
        ];
        signs
            .into_iter()
            .find(|(holds, _)| *holds)
            .map(|(_, reason)| reason)
    }

    /// Words, taken apart; `None`: they cannot be compared.
    fn question(&self, words: Box<str>) -> Option<Question> {
        if self.unfit(&words).is_some() {
            return None;
        }
        Some(Question {
            vector: Arc::new(self.table.embed(&words)?),
            analysis: Arc::new(self.verifier.analyse(&words)),
            words,
        })
    }
}

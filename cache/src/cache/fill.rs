//! What comes into the cache: an answer, with its question taken apart.

use std::sync::Arc;
use std::time::Duration;

use tollgate_core::{Digest, Timestamp};

use super::Cache;
use crate::store::Question;
use crate::verify::Analysis;
use crate::{Inserted, Key, Labels, NewEntry, Vector, Worth};

/// An answer that comes in.
#[derive(Debug)]
pub struct Filled {
    /// What it is found by.
    pub key: Key,
    /// What it is invalidated by.
    pub labels: Labels,
    /// The words by which it may be found by meaning; `None`: it may not.
    pub words: Option<Box<str>>,
    /// What was made of the words before.
    pub made: Made,
    /// In a form of the caller's.
    pub answer: bytes::Bytes,
    /// What a hit saves.
    pub worth: Worth,
    /// When the answer was given.
    pub created: Timestamp,
    /// How long from then on it may be served.
    pub ttl: Duration,
    /// What [`Store::begin`](crate::Store::begin) said before the answer was asked for.
    pub begun: crate::store::Begun,
}

/// What was made of a question's words before, and need not be made again.
#[derive(Debug, Clone, Default)]
pub struct Made {
    /// By a lookup that compared them.
    pub apart: Option<Apart>,
    /// Where they point in a space whose vectors are brought along. `None`: nobody said.
    pub brought: Option<Vector>,
}

/// Words that can be compared, taken apart.
#[derive(Debug, Clone)]
pub struct Apart {
    pub(super) vector: Arc<Vector>,
    pub(super) analysis: Arc<Analysis>,
}

impl Cache {
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
            made,
            answer,
            worth,
            created,
            ttl,
            begun,
        } = filled;
        NewEntry {
            question: words.and_then(|words| self.question(&key.partition, words, made)),
            key,
            labels,
            answer,
            worth,
            created,
            ttl: jittered(ttl, &key),
            begun,
        }
    }

    /// Words of a partition, taken apart; `None`: they cannot be compared, or it has not [learned](Cache::learn) to.
    pub fn question(&self, partition: &Digest, words: Box<str>, made: Made) -> Option<Question> {
        let models = self.models.get()?;
        let Apart { vector, analysis } = made.apart.or_else(|| models.apart(&words))?;
        Some(Question {
            vector,
            analysis,
            elsewhere: self.elsewhere(partition, &words, made.brought),
            words,
        })
    }
}

/// Up to a tenth less, so that what was filled together does not end together. It depends on the key alone.
fn jittered(ttl: Duration, key: &Key) -> Duration {
    let [a, b, ..] = key.exact.to_bytes();
    let share = u32::from(u16::from_le_bytes([a, b]));
    ttl.saturating_sub(ttl / (10 * (u32::from(u16::MAX) + 1)) * share)
}

//! Verdicts that led to an answer: who asks again in the same words need not be compared anew.
//!
//! A verdict is remembered, not an answer: the entry must still be there, young enough and not parted from the question,
//! and the score must still reach the threshold. What is forgotten is compared again.

use quick_cache::sync;
use rapidhash::fast::RandomState;
use tollgate_core::{Digest, Timestamp};

use super::{Cache, Found, Sought, is_young};
use crate::EntryId;

/// At most so many, which take some 5 MiB.
const MOST: usize = 1 << 16;

/// By the exact key of the question: whose answer will do, and how certain that is.
#[derive(Debug)]
pub(super) struct Verdicts(sync::Cache<Digest, (EntryId, f32), quick_cache::UnitWeighter, RandomState>);

impl Default for Verdicts {
    fn default() -> Self {
        let unit = quick_cache::UnitWeighter;
        Self(sync::Cache::with(
            MOST,
            MOST as u64,
            unit,
            RandomState::default(),
            sync::DefaultLifecycle::default(),
        ))
    }
}

impl Verdicts {
    pub(super) fn note(&self, asked: &Digest, entry: EntryId, score: f32) {
        self.0.insert(*asked, (entry, score));
    }
}

impl Cache {
    /// What was found by meaning when the same was asked before, if it would be found again. `None`: compare.
    pub(super) fn remembered(&self, sought: &Sought<'_>, now: Timestamp) -> Option<Found> {
        let models = self.models.get()?;
        sought.words?;
        let (threshold, _) = models.bounds(sought)?;
        let (id, score) = self.verdicts.0.get(&sought.key.exact)?;
        let entry = self.store.get(id)?;
        let holds = score >= threshold
            && entry.is_servable(now)
            && entry.key.partition == sought.key.partition
            && is_young(&entry, sought.max_age, now)
            && !models
                .experience
                .are_parted(sought.key.question(), entry.key.question());
        holds.then(|| Found::by_meaning(entry, score))
    }
}

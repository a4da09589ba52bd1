//! Who may have asked the same: proposed by the built-in table, and by another space where there is one.
//!
//! The built-in table has a vector of every question, so an entry is found by it also where the other space has none
//! of it (its embedder did not answer, or came later). What is proposed by either is judged alike, by the built-in
//! table's cosine: that is what the verifier was fitted with.

use std::sync::Arc;

use tollgate_core::{Digest, Timestamp};

use super::models::{LEAST_COSINE, Models, NEIGHBOURS};
use super::{Cache, Sought};
use crate::embed::{Embedder as _, Space};
use crate::store::{Candidate, Elsewhere, Nearest};
use crate::text;
use crate::{Patience, Vector};

/// Words up to here are made a vector of within what a worker may spend; see [`Patience::Worker`].
const WORKER_WORDS_BYTES: usize = 1_000;

/// Who may have asked the same.
pub(super) enum Neighbours {
    /// These, by this vector of the words.
    Found { vector: Vector, near: Vec<Candidate> },
    /// To find them would take longer than the patience that was given.
    TooLong,
}

impl Cache {
    /// The entries that are judged, with the built-in table's cosines. `None`: the words have no vector.
    pub(super) fn neighbours(
        &self,
        models: &Models,
        sought: &Sought<'_>,
        words: &str,
        now: Timestamp,
    ) -> Option<Neighbours> {
        let (partition, patience) = (&sought.key.partition, sought.patience);
        if words.len() > text::LONGEST_BYTES || !self.store.has_any_at(partition) {
            return None;
        }
        if patience == Patience::Worker && words.len() > WORKER_WORDS_BYTES {
            return Some(Neighbours::TooLong);
        }
        let vector = models.table.embed(words)?;
        let mut near = Vec::new();
        // Who brings a vector has looked here before.
        if sought.brought.is_none() {
            let proposed = self.store.nearest(partition, &vector, NEIGHBOURS, now, patience);
            let Nearest::Found(proposed) = proposed else {
                return Some(Neighbours::TooLong);
            };
            near.extend(proposed.into_iter().filter(|it| it.cosine >= LEAST_COSINE));
        }
        if let Some((place, there)) = self.elsewhere_of(sought, words) {
            let proposed =
                self.store
                    .nearest_elsewhere((partition, &place), there.as_ref(), NEIGHBOURS, now, patience);
            let Nearest::Found(proposed) = proposed else {
                return Some(Neighbours::TooLong);
            };
            for Candidate { entry, .. } in proposed {
                let is_new = near.iter().all(|it: &Candidate| it.entry.id != entry.id);
                let cosine = entry.question.as_ref().map(|it| it.vector.cosine(&vector));
                // Who is too far away for the built-in table is not judged, whoever proposes it: the verifier was fitted on
                // those who are near.
                if let Some(cosine) = cosine.filter(|it| is_new && *it >= LEAST_COSINE) {
                    near.push(Candidate { entry, cosine });
                }
            }
        }
        Some(Neighbours::Found { vector, near })
    }

    /// Where to look in the other space. `None`: there is none, nothing to be found, or nothing to look for.
    fn elsewhere_of<'v>(&self, sought: &Sought<'v>, words: &str) -> Option<(Digest, Sight<'v>)> {
        let space = self.space.as_ref()?;
        let place = space.place(&sought.key.partition);
        if !self.store.has_any_at(&place) {
            return None;
        }
        let vector = match (space, sought.brought) {
            (Space::Remote(_), Some(brought)) => Sight::Brought(brought),
            (Space::Remote(_), None) => return None,
            (Space::Local(embedder), _) => Sight::Made(embedder.embed(words)?),
        };
        Some((place, vector))
    }

    /// Whether a vector that is brought along could show somebody who asked the same.
    pub fn wants_vector(&self, partition: &Digest, words: &str) -> bool {
        self.takes_vector(words)
            && self
                .space
                .as_ref()
                .is_some_and(|space| self.store.has_any_at(&space.place(partition)))
    }

    /// Whether a vector that is brought along makes these words easier to find.
    pub fn takes_vector(&self, words: &str) -> bool {
        self.space.as_ref().is_some_and(Space::is_remote)
            && self.models.get().is_some_and(|it| it.unfit(words).is_none())
    }

    /// What is kept of words beside their built-in vector.
    pub(super) fn elsewhere(
        &self,
        partition: &Digest,
        words: &str,
        brought: Option<Vector>,
    ) -> Option<Elsewhere> {
        let space = self.space.as_ref()?;
        let vector = brought.or_else(|| space.embed(words))?;
        Some(Elsewhere {
            place: space.place(partition),
            vector: Arc::new(vector),
        })
    }
}

/// A vector to look by.
enum Sight<'v> {
    Brought(&'v Vector),
    Made(Vector),
}

impl AsRef<Vector> for Sight<'_> {
    fn as_ref(&self) -> &Vector {
        match self {
            Self::Brought(vector) => vector,
            Self::Made(vector) => vector,
        }
    }
}

#[cfg(test)]
mod tests;

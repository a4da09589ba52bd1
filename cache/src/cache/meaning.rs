//! Finding the answer to another question that means the same: who is near is judged, nearest first, until one will do.

use std::sync::Arc;

use tollgate_core::Timestamp;

use super::neighbours::Neighbours;
use super::{Apart, Cache, Found, Looked, Sought, Withheld, is_young};
use crate::store::Candidate;
use crate::{Entry, Patience};

/// So many bytes are taken apart and compared, each time anew, within what a worker may spend; see [`Patience::Worker`].
pub(super) const WORKER_BYTES: usize = 512;

impl Cache {
    /// `None`: there is nothing like it.
    pub(super) fn find_by_meaning(&self, sought: &Sought<'_>, now: Timestamp) -> Option<Looked> {
        let (words, models) = (sought.words?, self.models.get()?);
        let (threshold, least) = models.bounds(sought)?;
        let Neighbours::Found { vector, mut near } = self.neighbours(models, sought, words, now)? else {
            return Some(Looked::too_long());
        };
        near.retain(|it| is_young(&it.entry, sought.max_age, now));
        // A hit is mostly the nearest: who is on a worker judges some, and leaves many to others.
        let is_too_long =
            |times: usize| sought.patience == Patience::Worker && times * words.len() > WORKER_BYTES;
        if near.is_empty() {
            return None;
        }
        if is_too_long(2) {
            return Some(Looked::too_long());
        }
        if models.unfit(words).is_some() {
            return None;
        }
        let asked = Arc::new(models.verifier.analyse(words));
        let mut best: Option<(f32, Arc<Entry>)> = None;
        for (judged, Candidate { entry, cosine }) in near.into_iter().enumerate() {
            if is_too_long(judged + 2) {
                return Some(Looked::too_long());
            }
            let Some(question) = &entry.question else { continue };
            let verdict = models
                .verifier
                .judge_at(&asked, &question.analysis, cosine, least);
            let was_wrong = || {
                models
                    .experience
                    .are_parted(sought.key.question(), entry.key.question())
            };
            let is_better = best.as_ref().is_none_or(|(score, _)| verdict.score > *score);
            if verdict.score >= least && is_better && !was_wrong() {
                best = Some((verdict.score, entry));
            }
            // Whoever will do is nearest of those who would: the others need not be judged, which takes longest.
            if best.as_ref().is_some_and(|(score, _)| *score >= threshold) {
                break;
            }
        }
        let (found, near) = match best {
            Some((score, entry)) if score >= threshold => (Some(Found::by_meaning(entry, score)), None),
            other => (None, other.map(|(score, entry)| Withheld::near(entry.id, score))),
        };
        Some(Looked {
            found,
            near,
            apart: Some(Apart {
                vector: Arc::new(vector),
                analysis: asked,
            }),
            ..Looked::default()
        })
    }
}

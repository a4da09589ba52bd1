//! What it takes to compare questions: the table that finds, the verifier that judges, and what use has taught.

use std::sync::Arc;

use super::{Apart, Sought};
use crate::embed::{Embedder as _, Table};
use crate::learn::Experience;
use crate::text;
use crate::verify::Verifier;

/// Neighbours that are judged.
pub(super) const NEIGHBOURS: usize = 4;
/// Who is farther away than this is not judged: of pairs that mean the same, 99 % are nearer.
pub(super) const LEAST_COSINE: f32 = 0.5;
/// Answers that point farther apart say something else.
pub(super) const AGREEING_COSINE: f32 = 0.7;

/// See the module.
#[derive(Debug)]
pub(super) struct Models {
    pub(super) table: Arc<Table>,
    pub(super) verifier: Arc<Verifier>,
    pub(super) experience: Experience,
}

impl Models {
    /// The score that counts as the same, and the least that is told of. `None`: in this mode none does.
    pub(super) fn bounds(&self, sought: &Sought<'_>) -> Option<(f32, f32)> {
        let learned = &self.experience;
        let threshold = learned.threshold(sought.route, sought.tenant, sought.mode)?;
        let least = if sought.learns {
            learned.floor(sought.mode)?
        } else {
            // What is held back by what was learned is always compared: how else could it come back?
            learned.shipped(sought.mode)?
        };
        Some((threshold, least.min(threshold)))
    }

    /// Why these words cannot stand for themselves; `None`: they can.
    pub(super) fn unfit(&self, words: &str) -> Option<&'static str> {
        text::unfit(words, self.table.tokenizer())
    }

    /// Words, taken apart; `None`: they cannot be compared.
    pub(super) fn apart(&self, words: &str) -> Option<Apart> {
        if self.unfit(words).is_some() {
            return None;
        }
        Some(Apart {
            vector: Arc::new(self.table.embed(words)?),
            analysis: Arc::new(self.verifier.analyse(words)),
        })
    }
}

//! Whether two questions ask for the same: guards that say no for certain, and a score for the rest, with the reasons.

mod alignment;
mod features;
mod guards;
mod lemma;
mod lexicon;
mod lists;
mod numbers;
mod pair;
mod scan;
mod tensors;
mod trees;
mod words;

use std::sync::Arc;

pub use features::N as FEATURES;
pub use guards::{Evidence, Guard};
pub use tensors::{ModelError, Tensors};
pub use words::Analysis;

use pair::Pair;

/// Word pieces and their rows of numbers: what the embedder knows of words.
pub trait Pieces: std::fmt::Debug + Send + Sync {
    /// Appends the pieces of `text`, unknown ones left out.
    fn pieces(&self, text: &str, into: &mut Vec<u16>);
    /// Codes and scale of a piece's vector. `None`: there is no such piece.
    fn row(&self, piece: u16) -> Option<(&[i8], f32)>;
    /// The length of that vector. 0: there is no such piece.
    fn length(&self, piece: u16) -> f32;
    /// How long each row is.
    fn dimensions(&self) -> usize;
}

/// Judges pairs of questions.
#[derive(Debug, Clone)]
pub struct Verifier {
    pieces: Arc<dyn Pieces>,
}

impl Verifier {
    /// One that reads words by `pieces`.
    pub fn new(pieces: Arc<dyn Pieces>) -> Self {
        Self { pieces }
    }

    /// Takes a question apart, so that it can be compared with many.
    pub fn analyse(&self, text: &str) -> Analysis {
        Analysis::of(text, |kept| {
            let mut pieces = Vec::new();
            self.pieces.pieces(kept, &mut pieces);
            pieces.truncate(scan::MAX_TOKENS);
            pieces.into()
        })
    }

    /// The features of a pair, in the order of [`Self::names`].
    pub fn features(&self, a: &Analysis, b: &Analysis, cosine: f32) -> [f32; FEATURES] {
        self.named(&Pair::new(a, b), cosine).map(|feature| feature.1)
    }

    /// What the features are called.
    pub fn names(&self) -> [&'static str; FEATURES] {
        let nothing = self.analyse("");
        self.named(&Pair::new(&nothing, &nothing), 0.0).map(|feature| feature.0)
    }

    /// The first guard that tells the two apart for certain. `None`: none does.
    pub fn guard(&self, a: &Analysis, b: &Analysis) -> Option<Guard> {
        guards::first(&Pair::new(a, b))
    }

    fn named(&self, pair: &Pair<'_>, cosine: f32) -> [features::Named; FEATURES] {
        let alignment = alignment::align(&*self.pieces, &pair.a.pieces, &pair.b.pieces);
        features::named(pair, &alignment, cosine)
    }
}

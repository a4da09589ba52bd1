//! Whether two questions ask for the same: guards that say no for certain, and a score for the rest, with the reasons.
//!
//! A question is analysed once ([`Verifier::analyse`]); pairs are compared without looking at their letters again. Guards
//! come first, for they are cheap and final: where one fires there is no hit, whatever the vectors say. Questions that differ
//! by nothing but how they are put are the same without further ado. For the rest,
//! features of the pair go through boosted trees; one of these features is the opinion of a small net, and it is asked
//! only where it can still change the outcome.
//!
//! Everything is the same for both orders of a pair, and depends on nothing but the two texts and the model.

mod alignment;
mod analyse;
mod attention;
mod canonical;
mod contrasts;
mod dense;
mod explanation;
mod features;
mod guards;
mod lemma;
mod lexicon;
mod lists;
mod numbers;
mod opposites;
mod order;
mod pair;
mod pieces;
mod scan;
mod tensors;
#[cfg(test)]
mod tests;
mod trees;
mod words;

use std::sync::{Arc, LazyLock};

use tollgate_core::Digester;

pub use explanation::{Explanation, Feature, Fired};
pub use features::N as FEATURES;
pub use guards::{Evidence, Guard};
pub use tensors::ModelError;
pub use words::Analysis;

use crate::embed::Table;
use attention::Net;
use pair::Pair;
use pieces::Pieces;
use tensors::Tensors;
use trees::Trees;

/// Counts the definitions of features and guards: part of [`Verifier::id`], to be raised with each change of them.
const DEFINITION: u64 = 2;

/// The score of two questions that differ by nothing but how they are put.
const CERTAIN: f32 = 1.0;

/// The trees and nets that ship.
const MODEL: &[u8] = include_bytes!("../model/verifier.safetensors");

/// Judges pairs of questions.
#[derive(Debug)]
pub struct Verifier {
    id: String,
    pieces: Pieces,
    nets: Vec<Net>,
    trees: Trees,
    thresholds: Thresholds,
}

/// The least scores that count as a hit, chosen on pairs that the model was not fitted on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// For the mode `safe`.
    pub safe: f32,
    /// For the mode `balanced`.
    pub balanced: f32,
    /// For the mode `aggressive`.
    pub aggressive: f32,
}

/// What is thought of a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// How likely the two ask for the same: 0 ..= 1. 0 where a guard has fired.
    pub score: f32,
    /// What tells the two apart for certain. `None`: nothing.
    pub guard: Option<Guard>,
}

impl Verifier {
    /// The one that ships with the program. Made ready when first asked for, which takes some milliseconds: not on a
    /// thread that has requests waiting.
    pub fn built_in() -> &'static Arc<Self> {
        static BUILT_IN: LazyLock<Arc<Verifier>> = LazyLock::new(|| {
            let verifier = Verifier::of(Arc::clone(Table::built_in()), MODEL);
            Arc::new(verifier.unwrap_or_else(|error| unreachable!("the built-in verifier: {error}")))
        });
        &BUILT_IN
    }

    /// One with the trees and nets of a file, made for the pieces of `table`.
    pub fn of(table: Arc<Table>, model: &[u8]) -> Result<Self, ModelError> {
        let tensors = Tensors::of(model)?;
        let pieces = Pieces::of(table);
        let named = (0..).map(|number| format!("net{number}"));
        let prefixes = named.take_while(|prefix| tensors.has(&format!("{prefix}.O.weight")));
        let nets: Vec<Net> = prefixes
            .map(|prefix| Net::of(&tensors, &prefix, &pieces))
            .collect::<Result<_, _>>()?;
        let trees = Trees::of(&tensors, FEATURES + nets.len())?;
        check_names(model, &pieces, nets.len())?;
        let [safe, balanced, aggressive] = tensors.exactly("thresholds", 3)?[..] else {
            return Err(tensors::wrong("thresholds", "of another size"));
        };
        let thresholds = Thresholds {
            safe,
            balanced,
            aggressive,
        };
        let digest = Digester::new("verifier")
            .number(DEFINITION)
            .field(model)
            .field(lexicon::IDF.as_bytes())
            .field(lexicon::ANTONYMS.as_bytes())
            .field(pieces.id().as_bytes())
            .finish();
        Ok(Self {
            id: format!("verifier-{digest}"),
            pieces,
            nets,
            trees,
            thresholds,
        })
    }

    /// One without trees and nets, for growing new ones: it has features and guards, and no opinion.
    pub fn unfitted(table: Arc<Table>) -> Self {
        Self {
            id: "unfitted".to_owned(),
            pieces: Pieces::of(table),
            nets: Vec::new(),
            trees: Trees::none(),
            thresholds: Thresholds {
                safe: 1.0,
                balanced: 1.0,
                aggressive: 1.0,
            },
        }
    }

    /// Its name, which changes whenever the same pair could get another verdict.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The least scores that count as a hit, by mode.
    pub fn thresholds(&self) -> Thresholds {
        self.thresholds
    }

    /// Takes a question apart, so that it can be compared with many. Reads the first 8 KiB only; what
    /// is longer is like nothing else.
    pub fn analyse(&self, text: &str) -> Analysis {
        analyse::analyse(text, |kept| self.pieces.split(kept, scan::MAX_TOKENS))
    }

    /// What is thought of a pair. `cosine` is that of the two texts' vectors.
    pub fn judge(&self, a: &Analysis, b: &Analysis, cosine: f32) -> Verdict {
        self.judge_at(a, b, cosine, 0.0)
    }

    /// The same, where only scores of `least` and more matter: a score below it may be higher than the true one, but
    /// never reaches `least` where the true one does not.
    pub fn judge_at(&self, a: &Analysis, b: &Analysis, cosine: f32, least: f32) -> Verdict {
        let pair = Pair::new(a, b);
        if let Some(guard) = guards::first(&pair) {
            return Verdict {
                score: 0.0,
                guard: Some(guard),
            };
        }
        if a.canonical == b.canonical {
            return Verdict {
                score: CERTAIN,
                guard: None,
            };
        }
        let mut features = self.without_nets(&pair, cosine, [false; Guard::ALL.len()]);
        let mut score = self.trees.most(&features);
        if !self.nets.is_empty() && score >= least {
            features.extend(self.opinions(a, b, cosine));
            score = self.trees.score(&features);
        }
        Verdict { score, guard: None }
    }

    /// Why the verdict is as it is.
    pub fn explain(&self, a: &Analysis, b: &Analysis, cosine: f32) -> Explanation {
        let pair = Pair::new(a, b);
        let (mut features, mut names) = (self.without_nets(&pair, cosine, guards::all(&pair)), self.names());
        let opinions = self.opinions(a, b, cosine);
        names.extend((0..opinions.len()).map(|number| format!("net_{number}")));
        features.extend(opinions);
        let verdict = self.judge(a, b, cosine);
        Explanation::new(&pair, verdict, self.trees.score(&features), names, &features)
    }

    /// The features of a pair, in the order of [`Self::names`]: what trees are grown on.
    pub fn features(&self, a: &Analysis, b: &Analysis, cosine: f32) -> Vec<f32> {
        let pair = Pair::new(a, b);
        self.without_nets(&pair, cosine, guards::all(&pair))
    }

    /// What the features are called.
    pub fn names(&self) -> Vec<String> {
        names(&self.pieces)
    }

    /// What each net says of a pair, as log odds: features after all others.
    pub fn opinions(&self, a: &Analysis, b: &Analysis, cosine: f32) -> Vec<f32> {
        self.nets
            .iter()
            .map(|net| net.judge(&self.pieces, &a.pieces, &b.pieces, cosine))
            .collect()
    }

    /// All features but the nets' opinions; `fired` says which guards fire.
    fn without_nets(&self, pair: &Pair<'_>, cosine: f32, fired: [bool; Guard::ALL.len()]) -> Vec<f32> {
        let alignment = alignment::align(&self.pieces, &pair.a.pieces, &pair.b.pieces);
        let mut features = Vec::with_capacity(FEATURES + self.nets.len());
        features.extend(features::named(pair, &alignment, cosine, fired).map(|feature| feature.1));
        features
    }
}

/// What the features are called, nets aside.
fn names(pieces: &Pieces) -> Vec<String> {
    let nothing = Analysis::empty();
    let pair = Pair::new(&nothing, &nothing);
    let alignment = alignment::align(pieces, &[], &[]);
    let named = features::named(&pair, &alignment, 0.0, [false; Guard::ALL.len()]);
    named.map(|feature| feature.0.to_owned()).into()
}

/// Trees grown on other features than these would say something, but nothing true.
fn check_names(model: &[u8], pieces: &Pieces, nets: usize) -> Result<(), ModelError> {
    let mut ours = names(pieces);
    ours.extend((0..nets).map(|number| format!("net_{number}")));
    let theirs = tensors::remark(model, "feature_names")?;
    if theirs.as_deref() != Some(&*ours.join(",")) {
        return Err(tensors::wrong(
            "feature_names",
            "not what this program computes: grow the trees anew",
        ));
    }
    Ok(())
}

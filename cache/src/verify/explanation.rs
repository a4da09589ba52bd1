//! A verdict with its reasons, for people.

use serde::Serialize;

use super::guards::{self, Evidence, Guard};
use super::pair::Pair;
use super::{Analysis, Verdict};

/// Why two questions are taken for one, or not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// What counts: 0 where a guard has fired.
    pub score: f32,
    /// What the score were without guards.
    pub score_without_guards: f32,
    /// The guard that decided. `None`: the score does.
    pub guard: Option<Guard>,
    /// All guards that fire, with the words that made them.
    pub fired: Vec<Fired>,
    /// The first question as it was understood.
    pub a: String,
    /// The second.
    pub b: String,
    /// Every feature, in the order the trees know.
    pub features: Vec<Feature>,
}

/// A guard that fires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fired {
    /// Which.
    pub guard: Guard,
    /// The words that made it.
    #[serde(flatten)]
    pub words: Evidence,
}

/// A feature.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Feature {
    /// What it is called.
    pub name: String,
    /// What it is of this pair.
    pub value: f32,
}

impl Explanation {
    pub(super) fn new(
        pair: &Pair<'_>,
        verdict: Verdict,
        score_without_guards: f32,
        names: Vec<String>,
        values: &[f32],
    ) -> Self {
        let fired = |guard| guards::check(guard, pair).map(|words| Fired { guard, words });
        let features = names
            .into_iter()
            .zip(values)
            .map(|(name, value)| Feature { name, value: *value });
        Self {
            score: verdict.score,
            score_without_guards,
            guard: verdict.guard,
            fired: Guard::ALL.into_iter().filter_map(fired).collect(),
            a: understood(pair.a),
            b: understood(pair.b),
            features: features.collect(),
        }
    }
}

fn understood(of: &Analysis) -> String {
    of.words
        .iter()
        .map(|word| of.text(word))
        .collect::<Vec<_>>()
        .join(" ")
}

//! How a drill is held.

use std::time::Duration;

use super::table::Drill;
use super::thresholds::Threshold;

/// How a drill is held.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The model that clients ask for. `None`: the first that several providers serve.
    pub model: Option<String>,
    /// Requests a second.
    pub rate: f64,
    /// How long all is well.
    pub before: Duration,
    /// How long the fault lasts.
    pub during: Duration,
    /// How long it goes on at least; longer until the provider is back, or will not be any more.
    pub after: Duration,
    /// How long clients wait for an answer.
    pub patience: Duration,
    /// Beside the drill's own, or instead of those of the same metric.
    pub fail_if: Vec<Threshold>,
    /// Decides every choice.
    pub seed: u64,
    /// Makes questions differ from those of other drills.
    pub novelty: u64,
}

impl Plan {
    /// What the drill fails by: its own thresholds, and those of the caller that speak of what it measures.
    pub(super) fn thresholds(&self, drill: &Drill) -> Vec<Threshold> {
        let asked: Vec<_> = self
            .fail_if
            .iter()
            .filter(|it| it.is_of(drill))
            .cloned()
            .collect();
        Threshold::merged(drill.fail_if, &asked)
    }
}

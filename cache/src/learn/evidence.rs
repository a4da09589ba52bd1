//! Verdicts by score, and what threshold follows from them.
//!
//! Scores from the loosest mode's shipped threshold up are divided into bins, such that the shipped thresholds are edges
//! between bins. For each mode there is a precision that is promised ([`target`]), and from the verdicts in its bins
//! follows, and from nothing else:
//!
//! 1. While no bin above the shipped threshold, and not all of them together, is *in doubt*, the shipped threshold holds.
//!    In doubt is what has failed for certain (the upper bound of precision is below the target, with two wrong ones at
//!    least), and what cannot uphold the target (the lower bound is below it) although more than three were wrong. Three
//!    wrong ones are no reason to wait for hundreds of right ones.
//! 2. Otherwise it goes up to the lowest edge above which nothing is in doubt *and* the lower bound of precision is at
//!    the target or above. Without such an edge nothing is served by meaning.
//! 3. Where the shipped threshold holds, it goes down, bin by bin, as long as the lower bound of the bin alone is at the
//!    target or above, and no further than what the next looser mode ships with. What is unclear counts as wrong here.
//!
//! So right verdicts never raise a threshold and wrong ones never lower it, and their order does not matter but for
//! fading: in each bin only about the last [`WINDOW`] verdicts count, older ones less and less. Time alone takes nothing
//! away, and nor do verdicts elsewhere: what is closed opens by right answers at those very scores only. These come
//! without anything being served, as whatever is below a threshold is asked for upstream and can be compared.
//!
//! All bounds are one-sided at 95 %, of one look; whoever looks again and again is wrong more often, but then by little:
//! a bin far below its target has hardly a chance to pass (see the tests).

use std::sync::atomic::{AtomicU64, Ordering};

use super::Agreement;
use super::confidence::{fails, upholds};
use crate::Mode;
use crate::verify::Thresholds;

/// From loose to strict: the shipped threshold of each begins a group of bins.
pub(super) const MODES: [Mode; 3] = [Mode::Aggressive, Mode::Balanced, Mode::Safe];
/// Bins of each group.
const BINS_OF_MODE: usize = 4;
/// All bins.
const BINS: usize = BINS_OF_MODE * MODES.len();
/// So many verdicts count in a bin: enough to prove 99 %, few enough to notice a change.
const WINDOW: f64 = 2_000.0;
/// So much of the verdicts before remains with each one that comes.
const REMAINS: f64 = 1.0 - 1.0 / WINDOW;
/// One wrong verdict may be a fault of whoever gave it. In between whole numbers, because of fading.
const MORE_THAN_ONE: f64 = 1.5;
/// So many wrong ones can be told from chance by few hundred right ones. In between whole numbers, because of fading.
const MORE_THAN_THREE: f64 = 3.5;
/// Scores are stretched as log odds up to here: above, they differ in rounding only.
const HIGHEST: f32 = 0.9995;

/// The precision that is promised of what is served by meaning: `safe` is for those who would rather ask again,
/// `aggressive` for those to whom one wrong answer in twenty is worth the rest. Comparisons of answers are about as
/// coarse as that: a higher promise could not be checked.
const fn target(place: usize) -> f64 {
    match place {
        0 => 0.95,
        1 => 0.98,
        _ => 0.99,
    }
}

/// How scores are divided into bins.
#[derive(Debug)]
pub(super) struct Scale {
    /// Bin `i` is from edge `i` to below edge `i + 1`; the last includes 1.
    edges: [f32; BINS + 1],
}

impl Scale {
    /// That of a model with these thresholds. Those that are not in order are taken as if they were.
    pub(super) fn new(shipped: Thresholds) -> Self {
        let aggressive = shipped.aggressive;
        let balanced = shipped.balanced.max(aggressive);
        let safe = shipped.safe.max(balanced);
        let starts = [aggressive, balanced, safe, safe.max(1.0)];
        let edges = std::array::from_fn(|edge| {
            let (group, step) = (edge / BINS_OF_MODE, edge % BINS_OF_MODE);
            let from = starts.get(group).copied().unwrap_or(1.0);
            let to = starts.get(group + 1).copied().unwrap_or(from);
            if step == 0 { from } else { between(from, to, step) }
        });
        Self { edges }
    }

    /// The bin of a score. `None`: it is below all, or no number.
    pub(super) fn bin(&self, score: f32) -> Option<usize> {
        let below = self.edges.iter().take(BINS).take_while(|edge| **edge <= score);
        below.count().checked_sub(1)
    }

    /// The score where a bin begins; infinite beyond the last.
    pub(super) fn edge(&self, bin: usize) -> f32 {
        self.edges
            .get(bin)
            .copied()
            .filter(|_| bin < BINS)
            .unwrap_or(f32::INFINITY)
    }

    pub(super) fn shipped(&self, place: usize) -> f32 {
        self.edge(start(place))
    }

    pub(super) fn floor(&self, place: usize) -> f32 {
        self.edge(floor(place))
    }
}

/// The bin that the shipped threshold of a mode begins.
const fn start(place: usize) -> usize {
    place * BINS_OF_MODE
}

/// The lowest bin that a mode may come down to.
const fn floor(place: usize) -> usize {
    start(place.saturating_sub(1))
}

/// So many quarters of the way, by log odds.
fn between(from: f32, to: f32, quarters: usize) -> f32 {
    let log_odds = |score: f32| {
        let score = score.clamp(1.0 - HIGHEST, HIGHEST);
        (score / (1.0 - score)).ln()
    };
    let way = quarters.min(BINS_OF_MODE);
    #[expect(clippy::cast_precision_loss, reason = "one to three quarters")]
    let way = way as f32 / BINS_OF_MODE as f32;
    let at = log_odds(from) + (log_odds(to) - log_odds(from)) * way;
    (1.0 / (1.0 + (-at).exp())).max(from).min(to)
}

/// The verdicts on scores of a bin.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Weights {
    same: f64,
    unclear: f64,
    other: f64,
}

impl Weights {
    fn add(&mut self, agreement: Agreement, remains: f64) {
        // What is unclear does not take anything away from what is clear: it must neither close nor open.
        if agreement == Agreement::Unclear {
            self.unclear = self.unclear * remains + 1.0;
            return;
        }
        self.same *= remains;
        self.other *= remains;
        match agreement {
            Agreement::Same => self.same += 1.0,
            _ => self.other += 1.0,
        }
    }

    fn and(self, more: Self) -> Self {
        Self {
            same: self.same + more.same,
            unclear: self.unclear + more.unclear,
            other: self.other + more.other,
        }
    }

    fn is_in_doubt(self, target: f64) -> bool {
        let (all, wrong) = (whole(self.same + self.other), whole(self.other));
        (self.other > MORE_THAN_ONE && fails(all, wrong, target))
            || (self.other > MORE_THAN_THREE && !upholds(all, wrong, target))
    }

    fn holds(self, target: f64) -> bool {
        upholds(whole(self.same + self.other), whole(self.other), target)
    }

    /// Also if all that is unclear were wrong.
    fn holds_for_certain(self, target: f64) -> bool {
        let wrong = self.unclear + self.other;
        upholds(whole(self.same + wrong), whole(wrong), target)
    }
}

/// The nearest whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sums of weights: never negative, at most some ten thousands"
)]
fn whole(weight: f64) -> u64 {
    weight.round() as u64
}

/// The verdicts on a class.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Evidence {
    bins: [Weights; BINS],
}

/// The verdicts on scores in a range, with older ones faded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// The lowest score.
    pub from: f32,
    /// Right ones.
    pub same: f64,
    /// Ones of which it cannot be said.
    pub unclear: f64,
    /// Wrong ones.
    pub other: f64,
}

impl Evidence {
    /// Adds a verdict on a score of this bin.
    pub(super) fn add(&mut self, bin: usize, agreement: Agreement) {
        self.add_fading(bin, agreement, REMAINS);
    }

    pub(super) fn add_fading(&mut self, bin: usize, agreement: Agreement, remains: f64) {
        if let Some(bin) = self.bins.get_mut(bin) {
            bin.add(agreement, remains);
        }
    }

    /// The first bin that counts as the same in the mode at this place; that beyond the last: none does.
    pub(super) fn threshold(&self, place: usize) -> usize {
        let (target, shipped) = (target(place), start(place));
        let mut above = Weights::default();
        // From the top down: the lowest edge so far that holds, as long as nothing is in doubt.
        let (mut proven, mut is_doubted) = (BINS, false);
        for (bin, weights) in self.bins.iter().enumerate().skip(shipped).rev() {
            above = above.and(*weights);
            is_doubted |= weights.is_in_doubt(target);
            if !is_doubted && !above.is_in_doubt(target) && above.holds(target) {
                proven = bin;
            }
        }
        if is_doubted || above.is_in_doubt(target) {
            return proven;
        }
        let below = self
            .bins
            .iter()
            .enumerate()
            .take(shipped)
            .skip(floor(place))
            .rev();
        let admitted = below.take_while(|(_, weights)| weights.holds_for_certain(target));
        shipped - admitted.count()
    }

    pub(super) fn bins(&self, scale: &Scale) -> Vec<Bin> {
        let shown = |(at, weights): (usize, &Weights)| Bin {
            from: scale.edge(at),
            same: weights.same,
            unclear: weights.unclear,
            other: weights.other,
        };
        self.bins.iter().enumerate().map(shown).collect()
    }
}

/// A counter's value.
pub(super) fn at(counts: &[AtomicU64], place: usize) -> u64 {
    counts.get(place).map_or(0, |it| it.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests;

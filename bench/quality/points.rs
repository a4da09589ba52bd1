//! Shares with what is known of them, and thresholds that are never judged by the pairs they were chosen on.

use serde::Serialize;
use tollgate_core::Digester;

/// The interval in which a share lies with a confidence of 95 %, seen `hits` of `all` (Wilson, 1927). `None`: of nothing.
pub fn wilson(hits: u64, all: u64) -> Option<(f64, f64)> {
    const Z: f64 = 1.959_963_984_540_054;
    if all == 0 {
        return None;
    }
    let n = number(all);
    let share = number(hits.min(all)) / n;
    let middle = share + Z * Z / (2.0 * n);
    let width = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    Some((
        ((middle - width) / whole).max(0.0),
        ((middle + width) / whole).min(1.0),
    ))
}

#[expect(clippy::cast_precision_loss, reason = "counts of pairs, far below 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}

/// Which half of the pairs one is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Half {
    /// One.
    First,
    /// The other.
    Second,
}

impl Half {
    /// That of two questions: the same in every run, file and order.
    pub fn of(a: &str, b: &str) -> Self {
        let (x, y) = if a <= b { (a, b) } else { (b, a) };
        let digest = Digester::new("half")
            .field(x.as_bytes())
            .field(y.as_bytes())
            .finish();
        if u128::from_le_bytes(digest.to_bytes()).is_multiple_of(2) {
            Self::First
        } else {
            Self::Second
        }
    }
}

/// What remains of a pair when it is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// How certain it is that the two are the same: 0 ..= 1.
    pub score: f32,
    /// The label.
    pub same: bool,
    /// Where it counts.
    pub half: Half,
}

/// What comes of a threshold where it was not chosen: means of both directions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// The most different pairs that were to be hit, of those that the threshold was chosen on.
    pub allowed: f64,
    /// The thresholds.
    pub thresholds: [f32; 2],
    /// Of the same pairs of the other half, so many are hit.
    pub recall: f64,
    /// Of the different pairs of the other half, so many are hit.
    pub false_hits: f64,
}

/// Chooses the lowest threshold at which no more than `allowed` of one half's different pairs are hit, and tries it on the
/// other half; both ways. `None`: a half lacks pairs of one sort.
pub fn carried_over(pairs: &[Scored], allowed: f64) -> Option<Point> {
    let halves = [Half::First, Half::Second].map(|half| {
        let scores = |same| {
            let mut scores: Vec<f32> = pairs
                .iter()
                .filter(|it| it.half == half && it.same == same)
                .map(|it| it.score)
                .collect();
            scores.sort_by(|a, b| b.total_cmp(a));
            scores
        };
        (scores(true), scores(false))
    });
    let [first, second] = &halves;
    if halves
        .iter()
        .any(|(same, different)| same.is_empty() || different.is_empty())
    {
        return None;
    }
    let tried = [(first, second), (second, first)].map(|(chosen_on, tried_on)| {
        let threshold = threshold(&chosen_on.1, allowed);
        (
            threshold,
            share_from(&tried_on.0, threshold),
            share_from(&tried_on.1, threshold),
        )
    });
    let [x, y] = tried;
    Some(Point {
        allowed,
        thresholds: [x.0, y.0],
        recall: f64::midpoint(x.1, y.1),
        false_hits: f64::midpoint(x.2, y.2),
    })
}

/// The lowest that no more than `allowed` of the scores reach; what is not above 0 is never one.
fn threshold(descending: &[f32], allowed: f64) -> f32 {
    let all = u64::try_from(descending.len()).unwrap_or(u64::MAX);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count, rounded down"
    )]
    let most = (number(all) * allowed).floor() as usize;
    // Whoever is next must not reach it.
    descending.get(most).map_or(0.0, |next| *next).max(0.0).next_up()
}

/// The share of the scores that reach `threshold`.
fn share_from(descending: &[f32], threshold: f32) -> f64 {
    let hits = descending.partition_point(|score| *score >= threshold);
    let [hits, all] = [hits, descending.len()].map(|count| number(u64::try_from(count).unwrap_or(u64::MAX)));
    if all > 0.0 { hits / all } else { 0.0 }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "shares of small counts are exact")]
mod tests {
    use super::{Half, Scored, carried_over, share_from, threshold, wilson};

    #[test]
    fn the_interval_is_that_of_the_textbook() {
        let (low, high) = wilson(8, 10).expect("an interval");
        assert!(
            (low - 0.4901).abs() < 1e-3 && (high - 0.9433).abs() < 1e-3,
            "{low} {high}"
        );
        let (low, high) = wilson(0, 100).expect("an interval");
        assert!(low < 1e-9 && (high - 0.0370).abs() < 1e-3, "{high}");
        let (low, high) = wilson(100, 100).expect("an interval");
        assert!((low - 0.9630).abs() < 1e-3 && high > 1.0 - 1e-9, "{low}");
        assert_eq!(wilson(0, 0), None);
    }

    #[test]
    fn no_more_than_allowed_reach_a_threshold() {
        let scores = [0.9, 0.8, 0.8, 0.8, 0.1, 0.0];
        for (allowed, hits) in [(0.0, 0.0), (0.2, 1.0), (0.5, 1.0), (0.67, 4.0), (1.0, 5.0)] {
            let share = share_from(&scores, threshold(&scores, allowed));
            assert_eq!(share, hits / 6.0, "{allowed}");
        }
        assert!(threshold(&[], 0.01) > 0.0);
    }

    #[test]
    fn thresholds_are_tried_on_the_other_half() {
        let pair = |score, same, half| Scored { score, same, half };
        let mut pairs = Vec::new();
        // The first half's different pairs lie low, the second's high: each is judged by the other's threshold.
        for at in 0..100_u8 {
            let score = f32::from(at) / 200.0;
            pairs.push(pair(score, false, Half::First));
            pairs.push(pair(score + 0.5, false, Half::Second));
            pairs.push(pair(0.6, true, Half::First));
            pairs.push(pair(0.6, true, Half::Second));
        }
        let point = carried_over(&pairs, 0.01).expect("a point");
        assert_eq!(point.recall, 0.5);
        assert_eq!(point.false_hits, 0.5);
        assert!(point.thresholds[0] < 0.5 && point.thresholds[1] > 0.9);
        pairs.retain(|pair| pair.same || pair.half == Half::First);
        assert_eq!(carried_over(&pairs, 0.01), None);
    }

    #[test]
    fn a_pair_is_in_one_half_whichever_comes_first() {
        let halves: Vec<Half> = (0..1000)
            .map(|n| Half::of(&format!("a{n}"), &format!("b{n}")))
            .collect();
        let turned: Vec<Half> = (0..1000)
            .map(|n| Half::of(&format!("b{n}"), &format!("a{n}")))
            .collect();
        assert_eq!(halves, turned);
        let first = halves.iter().filter(|half| **half == Half::First).count();
        assert!((400..600).contains(&first), "{first}");
    }
}

//! Whether one report differs from another, and by how much: the ratio of medians over rounds, with an interval from
//! the bootstrap (Efron, "Bootstrap methods: another look at the jackknife"): rounds are drawn anew with replacement,
//! many times, and the middle 95 % of the ratios that come out are the interval.
//!
//! That is for each figure by itself: of the seven, one will seem to differ now and then. With fewer than four rounds a
//! side, the rounds of equal servers separate by chance more often than one time in twenty, whatever is computed from
//! them: then there is no verdict.

use std::fmt::Write as _;

use super::number::{count, index, whole};
use super::report::{Contestant, Report, median_of};
use super::summary::Summary;
use crate::dice::Dice;

/// Rounds of each side below which nothing is said.
const FEWEST_ROUNDS: usize = 4;
const DRAWS: u64 = 4000;

/// A figure of both reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Which figure.
    pub figure: &'static str,
    /// The medians over the rounds of the first and the second report.
    pub medians: (f64, f64),
    /// The second divided by the first.
    pub ratio: f64,
    /// The interval that holds the ratio with 95 % confidence. `None`: too few rounds.
    pub interval: Option<(f64, f64)>,
}

type Figure = (&'static str, fn(&Summary) -> Option<f64>);

const FIGURES: [Figure; 7] = [
    ("latency p50", |it| it.latency.as_ref().map(|it| it.p50)),
    ("latency p99", |it| it.latency.as_ref().map(|it| it.p99)),
    ("first chunk p50", |it| it.first.as_ref().map(|it| it.p50)),
    ("first chunk p99", |it| it.first.as_ref().map(|it| it.p99)),
    ("chunk gap p99", |it| it.gap.as_ref().map(|it| it.p99)),
    ("answered a second", |it| Some(it.answered_per_second)),
    ("server CPU a request", |it| {
        it.server.as_ref().map(|it| it.cpu_us_per_request)
    }),
];

impl Difference {
    /// Whether the interval leaves 1 out. `None`: too few rounds to say.
    pub fn is_shown(&self) -> Option<bool> {
        self.interval.map(|(low, high)| low > 1.0 || high < 1.0)
    }
}

/// Compares the servers under test of two reports, figure by figure. Figures that one of them lacks are left out.
pub fn differences(a: &Report, b: &Report) -> Vec<Difference> {
    let tested = a.contestants.first().zip(b.contestants.first());
    let of = |(a, b): (&Contestant, &Contestant)| {
        FIGURES
            .iter()
            .filter_map(|figure| difference(figure, a, b))
            .collect()
    };
    tested.map(of).unwrap_or_default()
}

fn difference((figure, of): &Figure, a: &Contestant, b: &Contestant) -> Option<Difference> {
    let values = |it: &Contestant| it.rounds.iter().map(of).collect::<Option<Vec<f64>>>();
    let (a, b) = (values(a)?, values(b)?);
    let medians = (median_of(a.clone())?, median_of(b.clone())?);
    Some(Difference {
        figure,
        medians,
        ratio: ratio(medians)?,
        interval: interval(&a, &b),
    })
}

fn ratio((a, b): (f64, f64)) -> Option<f64> {
    (a > 0.0).then(|| b / a)
}

fn interval(a: &[f64], b: &[f64]) -> Option<(f64, f64)> {
    if a.len().min(b.len()) < FEWEST_ROUNDS {
        return None;
    }
    let draw = |of: &[f64], word: &str, number: u64| {
        let dice = Dice::new(1, &["bootstrap", word], number);
        let again =
            (0..count(of.len())).filter_map(|salt| of.get(index(dice.roll(salt) % count(of.len()))).copied());
        median_of(again.collect())
    };
    let mut ratios: Vec<f64> = (0..DRAWS)
        .filter_map(|number| ratio((draw(a, "a", number)?, draw(b, "b", number)?)))
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let last = ratios.len().checked_sub(1)?;
    let at = |share: f64| {
        ratios
            .get(index(whole(share * super::number::float(count(last)))))
            .copied()
    };
    Some((at(0.025)?, at(0.975)?))
}

/// Differences as text: one line each.
pub fn told(a: &Report, b: &Report) -> String {
    let mut text = String::new();
    for difference in a.scenario.differences(&b.scenario) {
        let _ = writeln!(text, "NOT THE SAME: {difference}");
    }
    for (name, report) in [("first", a), ("second", b)] {
        if !report.invalid.is_empty() {
            let _ = writeln!(
                text,
                "INVALID: the {name} report cannot be believed: {}",
                report.invalid.join("; ")
            );
        }
    }
    for (name, report) in [("first", a), ("second", b)] {
        let requests = report.contestants.first().map(|it| {
            it.rounds.iter().fold((0, 0), |(failed, sent), round| {
                (failed + round.requests.failed, sent + round.requests.sent)
            })
        });
        if let Some((failed @ 1.., sent)) = requests {
            let _ = writeln!(text, "{name}: {failed} of {sent} requests failed");
        }
    }
    let all = differences(a, b);
    if all.is_empty() {
        text.push_str("nothing that both reports have\n");
    }
    for it in all {
        let percent = (it.ratio - 1.0) * 100.0;
        let says = match (it.interval, it.is_shown()) {
            (Some((low, high)), Some(true)) => format!("{percent:+.1} % ({low:.3} to {high:.3})"),
            (Some((low, high)), _) => format!("no difference shown ({low:.3} to {high:.3})"),
            (None, _) => {
                format!("{percent:+.1} %, no verdict: at least {FEWEST_ROUNDS} rounds of each are needed")
            }
        };
        let (first, second) = it.medians;
        let _ = writeln!(
            text,
            "{:<22} {first:>12.1} {second:>12.1}  × {:.3}  {says}",
            it.figure, it.ratio
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds that scatter by 5 % around `mean`.
    fn rounds(mean: f64, of: usize, seed: u64) -> Vec<f64> {
        let value = |number| mean * (1.0 + 0.05 * Dice::new(seed, &["test"], number).normal(0));
        (0..count(of)).map(value).collect()
    }

    #[test]
    fn equal_servers_are_seldom_told_apart() {
        let trials = 400_u64;
        for many in [4, 6, 10] {
            let told_apart = (0..trials)
                .filter(|trial| {
                    let (low, high) = interval(
                        &rounds(100.0, many, trial * 2),
                        &rounds(100.0, many, trial * 2 + 1),
                    )
                    .unwrap();
                    low > 1.0 || high < 1.0
                })
                .count();
            // 95 % confidence are 20 of 400, give or take chance.
            assert!(told_apart <= 26, "{many} rounds: {told_apart} of {trials}");
        }
    }

    #[test]
    fn a_server_that_is_a_fifth_slower_is_told_apart() {
        let found = (0..100_u64)
            .filter(|trial| {
                interval(&rounds(100.0, 6, trial * 2), &rounds(120.0, 6, trial * 2 + 1))
                    .unwrap()
                    .0
                    > 1.0
            })
            .count();
        assert!(found > 88, "{found} of 100");
    }

    #[test]
    fn few_rounds_are_no_evidence() {
        assert_eq!(interval(&[1.0, 1.0, 1.0], &[9.0, 9.0, 9.0]), None);
        assert_eq!(interval(&[], &[]), None);
        assert_eq!(ratio((0.0, 5.0)), None);
    }
}

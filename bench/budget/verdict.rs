//! What was counted against what may be spent.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

use super::{Budget, Counted, allocations_off, real};

/// How one figure compares with its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is kept.
    Kept,
    /// It is kept by so much that the budget could be less.
    CouldBeLess,
    /// Less than half of its instructions were counted: that is not less work, but work that was not done.
    Doubtful,
    /// It is not kept.
    Exceeded,
    /// It has a budget, and was not counted.
    NotCounted,
    /// It was counted, and has no budget.
    NoBudget,
}

/// One figure of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it is a figure of.
    pub name: String,
    /// `instructions`, `allocations` or `ratio`.
    pub unit: &'static str,
    /// What was counted; `None`: it was not.
    pub measured: Option<f64>,
    /// What is allowed; `None`: nobody said.
    pub budget: Option<f64>,
    /// What follows.
    pub verdict: Verdict,
}

/// All figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// In the order of their names, stages first.
    pub lines: Vec<Line>,
}

/// Compares everything that was counted, and everything that has a budget.
pub fn judge(budget: &Budget, counted: &Counted) -> Judgement {
    let names: BTreeSet<&String> = budget.stages.keys().chain(counted.keys()).collect();
    let mut lines = Vec::new();
    // Twice the margin: what a fresh budget leaves is no reason to write another.
    let slack = 1.0 - 2.0 * budget.margin_percent / 100.0;
    for name in names {
        let (room, counts) = (budget.stages.get(name), counted.get(name));
        let instructions = Compared {
            measured: counts.map(|counts| counts.instructions),
            budget: room.map(|room| real(room.instructions)),
        };
        lines.push(instructions.line(name, "instructions", |most| most * slack..=most));
        let allocations = Compared {
            measured: counts.map(|counts| counts.allocations),
            budget: room.map(|room| room.allocations),
        };
        let about = |usual| usual - allocations_off(usual)..=usual + allocations_off(usual);
        lines.push(allocations.line(name, "allocations", about));
    }
    for (name, ratio) in &budget.ratios {
        let instructions = |stage: &String| counted.get(stage).map(|counts| counts.instructions);
        let (of, over) = (instructions(&ratio.of), instructions(&ratio.over));
        let compared = Compared {
            measured: of
                .zip(over.filter(|over| *over > 0.0))
                .map(|(of, over)| of / over),
            budget: Some(ratio.at_most),
        };
        // A ratio is a promise: that it is kept easily is no reason to take it back.
        lines.push(compared.line(name, "ratio", |most| 0.0..=most));
    }
    Judgement { lines }
}

/// A figure and what was allowed.
struct Compared {
    measured: Option<f64>,
    budget: Option<f64>,
}

impl Compared {
    /// `fitting`: what may be measured for a budget without a word about it.
    fn line(self, name: &str, unit: &'static str, fitting: impl Fn(f64) -> RangeInclusive<f64>) -> Line {
        let Self { measured, budget } = self;
        let verdict = match (measured, budget.map(fitting)) {
            (None, _) => Verdict::NotCounted,
            (Some(_), None) => Verdict::NoBudget,
            (Some(measured), Some(fitting)) if measured > *fitting.end() => Verdict::Exceeded,
            (Some(measured), Some(fitting)) if measured < *fitting.start() => {
                // Of few allocations half may well have gone.
                if unit == "instructions" && measured < *fitting.end() / 2.0 {
                    Verdict::Doubtful
                } else {
                    Verdict::CouldBeLess
                }
            }
            _ => Verdict::Kept,
        };
        Line {
            name: name.to_owned(),
            unit,
            measured,
            budget,
            verdict,
        }
    }
}

impl Judgement {
    /// Whether every budget is kept, and every figure has one.
    pub fn is_good(&self) -> bool {
        self.lines.iter().all(|line| line.verdict.is_good())
    }
}

impl Verdict {
    fn is_good(self) -> bool {
        matches!(self, Self::Kept | Self::CouldBeLess)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kept => "kept",
            Self::CouldBeLess => "kept; could be less",
            Self::Doubtful => "DOUBTFUL: less than half; if so, --write",
            Self::Exceeded => "EXCEEDED",
            Self::NotCounted => "NOT COUNTED",
            Self::NoBudget => "NO BUDGET",
        })
    }
}

/// A table, one figure a line.
impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .lines
            .iter()
            .map(|line| line.name.chars().count())
            .max()
            .unwrap_or(0)
            .max(5);
        let figure = |figure: Option<f64>, unit| match figure {
            None => "-".to_owned(),
            Some(figure) if unit == "ratio" => format!("{figure:.3}"),
            Some(figure) if unit == "allocations" => format!("{figure:.1}"),
            Some(figure) => format!("{figure:.0}"),
        };
        writeln!(
            f,
            "{:width$}  {:12}  {:>12}  {:>12}  verdict",
            "stage", "", "measured", "budget"
        )?;
        for line in &self.lines {
            let (measured, budget) = (figure(line.measured, line.unit), figure(line.budget, line.unit));
            let (name, unit, verdict) = (&line.name, line.unit, line.verdict);
            writeln!(
                f,
                "{name:width$}  {unit:12}  {measured:>12}  {budget:>12}  {verdict}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Counts;
    use super::*;

    const FILE: &str = r#"
margin_percent = 3
[stages]
plan = { instructions = 1030, allocations = 6 }
line = { instructions = 2060, allocations = 0 }
[ratios]
"line over plan" = { of = "line", over = "plan", at_most = 2.0 }
"#;

    fn judged(counted: &[(&str, f64, f64)]) -> Judgement {
        let counts = |&(name, instructions, allocations): &(&str, f64, f64)| {
            let counts = Counts {
                instructions,
                allocations,
            };
            (name.to_owned(), counts)
        };
        judge(
            &Budget::parse(FILE).unwrap(),
            &counted.iter().map(counts).collect(),
        )
    }

    fn verdict(judgement: &Judgement, name: &str, unit: &str) -> Verdict {
        let mut lines = judgement.lines.iter();
        lines
            .find(|it| it.name == name && it.unit == unit)
            .unwrap()
            .verdict
    }

    #[test]
    fn what_was_measured_when_the_budget_was_written_is_kept() {
        let judgement = judged(&[("plan", 1_000.0, 6.0), ("line", 2_000.0, 0.0)]);
        assert!(judgement.is_good(), "{judgement}");
        assert!(
            judgement.lines.iter().all(|line| line.verdict == Verdict::Kept),
            "{judgement}"
        );
        assert_eq!(judgement.lines.len(), 5);
    }

    #[test]
    fn one_instruction_or_one_allocation_too_many_is_found() {
        let judgement = judged(&[("plan", 1_030.0, 7.0), ("line", 2_061.0, 0.0)]);
        assert!(!judgement.is_good());
        assert_eq!(verdict(&judgement, "plan", "instructions"), Verdict::Kept);
        assert_eq!(verdict(&judgement, "plan", "allocations"), Verdict::Exceeded);
        assert_eq!(verdict(&judgement, "line", "instructions"), Verdict::Exceeded);
        assert_eq!(verdict(&judgement, "line over plan", "ratio"), Verdict::Exceeded);
        assert!(judgement.to_string().contains("EXCEEDED"));
    }

    #[test]
    fn an_allocation_now_and_then_is_none_each_time() {
        let judgement = judged(&[("plan", 1_000.0, 6.7), ("line", 2_000.0, 0.02)]);
        assert!(judgement.is_good(), "{judgement}");
        let judgement = judged(&[("plan", 1_000.0, 6.9), ("line", 2_000.0, 0.02)]);
        assert!(!judgement.is_good(), "{judgement}");
    }

    #[test]
    fn a_budget_that_could_be_less_is_told_and_no_failure() {
        let judgement = judged(&[("plan", 960.0, 5.0), ("line", 1_900.0, 0.0)]);
        assert!(judgement.is_good(), "{judgement}");
        assert_eq!(verdict(&judgement, "plan", "instructions"), Verdict::CouldBeLess);
        assert_eq!(verdict(&judgement, "plan", "allocations"), Verdict::CouldBeLess);
        assert_eq!(verdict(&judgement, "line", "instructions"), Verdict::CouldBeLess);
        assert_eq!(verdict(&judgement, "line", "allocations"), Verdict::Kept);
        assert_eq!(verdict(&judgement, "line over plan", "ratio"), Verdict::Kept);
    }

    #[test]
    fn less_than_half_is_doubted() {
        for instructions in [500.0, 0.0] {
            let judgement = judged(&[("plan", instructions, 6.0), ("line", 2_000.0, 0.0)]);
            assert_eq!(verdict(&judgement, "plan", "instructions"), Verdict::Doubtful);
            assert!(!judgement.is_good(), "{judgement}");
        }
    }

    #[test]
    fn a_stage_without_a_budget_and_a_budget_without_a_stage_are_failures() {
        let judgement = judged(&[("plan", 1_000.0, 6.0), ("lime", 2_000.0, 0.0)]);
        assert!(!judgement.is_good());
        assert_eq!(verdict(&judgement, "lime", "instructions"), Verdict::NoBudget);
        assert_eq!(verdict(&judgement, "line", "allocations"), Verdict::NotCounted);
        assert_eq!(
            verdict(&judgement, "line over plan", "ratio"),
            Verdict::NotCounted
        );
        assert!(!judged(&[]).is_good());
    }

    #[test]
    fn a_ratio_to_nothing_was_not_counted() {
        let judgement = judged(&[("plan", 0.0, 6.0), ("line", 2_000.0, 0.0)]);
        assert_eq!(
            verdict(&judgement, "line over plan", "ratio"),
            Verdict::NotCounted
        );
    }
}

//! What stages may cost, and whether they do: budgets are read from `budget.toml`, compared with what was counted, and
//! written anew from it.
//!
//! Counts and ratios only, never times: they are the same on a busy machine.

pub mod callgrind;
mod file;
mod verdict;

use std::collections::BTreeMap;

pub use file::{Budget, BudgetError, Ratio, Room};
pub use verdict::{Judgement, Line, Verdict, judge};

/// What was counted, by the name of the stage.
pub type Counted = BTreeMap<String, Counts>;

/// What a stage takes each time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counts {
    /// Instructions of the thread that does it, on average.
    pub instructions: f64,
    /// Allocations and reallocations of that thread, on average. What grows now and then makes it a fraction.
    pub allocations: f64,
}

/// What an average of allocations may be off: memory that grows with the traffic, and what the worker does by the clock
/// meanwhile, falls within a measurement or beside it. For the whole line it is a twentieth; of a stage alone, one allocation
/// more each time is found.
fn allocations_off(usual: f64) -> f64 {
    0.5 + usual / 20.0
}

impl Room {
    /// Whether so many allocations each time, on average, are within the budget.
    pub fn allows_allocations(&self, counted: f64) -> bool {
        counted <= self.allocations + allocations_off(self.allocations)
    }
}

/// The nearest whole number, 0 at least.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are small, and a cast to an integer saturates"
)]
fn whole(number: f64) -> u64 {
    number.round().max(0.0) as u64
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn real(count: u64) -> f64 {
    count as f64
}

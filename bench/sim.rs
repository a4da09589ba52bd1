//! Routing in virtual time: many strategies, the same traffic, the same misfortunes.
//!
//! A discrete-event simulation: nothing waits, nothing depends on the machine, every run of a seed is the same to the
//! bit. Ours is not imitated: it is the planner, the board, health and breakers of `tollgate-routing`, told the time.

mod figures;
mod ours;
mod plot;
mod rivals;
mod run;
mod scenario;

pub use figures::{Figures, Point};
pub use plot::{shares_plot, summary_plot};
pub use run::{Run, simulate};
pub use scenario::{Scenario, scenarios};

use tollgate_core::Moment;

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Tollgate's own.
    Ours,
    /// In turn.
    RoundRobin,
    /// Whoever has the fewest requests in flight.
    LeastInFlight,
    /// The lowest exponentially weighted mean of the time to first token, of fixed weight.
    PlainEwma,
    /// Tower's: the better of two drawn, by peak-EWMA times requests in flight.
    PeakEwmaP2c,
    /// Who knows the truth at each moment, and optimises the same objective.
    Oracle,
}

impl Kind {
    /// All of them, ours first.
    pub const ALL: [Self; 6] = [
        Self::Ours,
        Self::RoundRobin,
        Self::LeastInFlight,
        Self::PlainEwma,
        Self::PeakEwmaP2c,
        Self::Oracle,
    ];

    /// The name in tables and plots.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "tollgate",
            Self::RoundRobin => "round robin",
            Self::LeastInFlight => "least in flight",
            Self::PlainEwma => "plain EWMA",
            Self::PeakEwmaP2c => "P2C peak-EWMA",
            Self::Oracle => "oracle",
        }
    }
}

/// What a strategy is told, and what it is asked.
pub(crate) trait Strategy {
    /// Whom to ask, in this order. `truth` is for the oracle alone.
    fn order(&mut self, now: Moment, truth: &[scenario::State]) -> Vec<usize>;
    /// Whether a target may be asked now; if so, a request is at it.
    fn admits(&mut self, now: Moment, target: usize, request: usize) -> bool;
    /// The first token of a request has come.
    fn first_token(&mut self, now: Moment, target: usize, request: usize, ttft_us: u32);
    /// An attempt is over.
    fn ended(&mut self, now: Moment, attempt: &Attempt);
    /// Time passes: whatever is done every few milliseconds is done now.
    fn tick(&mut self, now: Moment);
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) request: usize,
    pub(crate) target: usize,
    pub(crate) failure: Option<scenario::Failure>,
    pub(crate) ttft_us: u32,
    pub(crate) total_us: u32,
    pub(crate) tokens: u32,
}

#[cfg(test)]
mod tests;

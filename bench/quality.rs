//! How good the semantic cache is on labelled pairs of questions: what it answers that it should, and what it should not.
//!
//! Pairs are read one by one, judged as a lookup would judge them, and tallied: at the thresholds that ship, and at
//! thresholds that are chosen on one half of the pairs and tried on the other, never where they were chosen.

mod pairs;
mod points;
mod tally;

pub use pairs::{Pair, read};
pub use points::{Half, Point, Scored, carried_over, wilson};
pub use tally::{Counts, Judged, ModeReport, Report, Shares, Stopped, Tally};

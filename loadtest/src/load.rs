//! A load generator that can be believed: open-loop schedules, latency from the moment a request was due, and a
//! report that says when the generator itself was too slow.
//!
//! `arrivals` says when, `mix` says what, `drive` sends (`lanes`, `caller`, `events`, `alarm`), `figures` measures,
//! `summary` and `thresholds` judge, `rounds` and `compare` set side by side, `stage` starts what is set beside. A
//! `scenario` holds all of it together.

mod alarm;
mod arrivals;
mod caller;
pub mod compare;
mod drive;
mod events;
mod figures;
mod lanes;
mod mix;
pub(crate) mod number;
mod proc;
pub mod report;
mod rounds;
mod scenario;
pub mod stage;
mod summary;
pub(crate) mod thresholds;
pub(crate) mod units;
mod watch;
mod yaml;

pub use arrivals::{Arrival, DueTimes, Leg, Profile, Spacing, Then};
pub use caller::{Witness, Witnessed};
pub use drive::{Contestant, run, run_spread};
pub use figures::{Ending, ErrorClass, Figures, Sample, Window};
pub use lanes::{Spread, check_url};
pub use rounds::{Measured, rounds};
pub(crate) use scenario::unknown;
pub use scenario::{
    CancelWhen, Cancels, Outside, Problem as ScenarioProblem, Problems as ScenarioProblems, PromptSize,
    Protocol, Repeats, RequestKind, Scenario, Secret, Surface, names, shipped, shipped_text,
};
pub use summary::{Generator, Point, Quantiles, Requests, ServerPoint, ServerUse, Streams, Summary};
pub use thresholds::{Threshold, ThresholdError, Verdict};
pub use units::{bytes as size, duration as span};
pub use watch::{Progress, Watcher};

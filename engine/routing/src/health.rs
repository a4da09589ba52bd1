//! Health: what is measured of a target.

mod peak_ewma;
mod recent;
mod report;
mod settings;
mod target;
mod verdict;
mod window;

pub use peak_ewma::PeakEwma;
pub use recent::Percentiles;
pub use report::{HealthReport, LastFailure, LastRetryAfter};
pub use settings::HealthSettings;
pub use target::TargetHealth;
pub use window::{Counts, Window};

pub(crate) use verdict::{Verdict, sent_at};

//! Health: what is measured of a target.

mod peak_ewma;
mod settings;
mod window;

pub use peak_ewma::{PeakEwma, toward};
pub use settings::HealthSettings;
pub use window::{Counts, Window};

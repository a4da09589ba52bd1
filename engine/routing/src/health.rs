//! Health: what is measured of a target.

mod settings;

pub use settings::HealthSettings;

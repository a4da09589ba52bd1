//! Circuit breakers: when a target is left alone, and how it comes back.

mod settings;

pub use settings::BreakerSettings;

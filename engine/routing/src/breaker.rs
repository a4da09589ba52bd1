//! Circuit breakers: when a target is left alone, and how it comes back.

mod backoff;
mod credential;
mod machine;
mod ramp;
mod report;
mod settings;
mod state;

pub(crate) use backoff::{doubled, spread};
pub use credential::{CredentialChange, CredentialHealth, CredentialReport};
pub use machine::Breaker;
pub use report::{BreakerReport, LastTrip, ProbeCount, TripReason};
pub use settings::BreakerSettings;
pub use state::{Changed, Force};

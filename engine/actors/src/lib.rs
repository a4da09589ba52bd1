//! Thin actix shells around pure decisions.
//!
//! - [`Router`]: one per HTTP worker, asked once per request for a whole [`Plan`](tollgate_routing::Plan).
//! - [`Control`]: one; owns the configuration and publishes it as [`Snapshot`]s.

mod control;
mod router;
mod snapshot;

#[cfg(test)]
mod testing;

pub use control::{ConfigSource, Control, OnReload, Reload, ReloadError, Reloaded};
pub use router::{Adopt, Ask, Observe, Router};
pub use snapshot::{Cohort, CohortFigures, Cohorts, Live, Published, Snapshot, Staged};

//! Thin actix shells around pure decisions.
//!
//! - [`Router`]: one per HTTP worker, asked once per request for a whole [`Plan`](tollgate_routing::Plan).
//! - [`Control`]: one; owns the configuration and publishes it as [`Snapshot`]s.

mod control;
mod router;
mod snapshot;

pub use control::{ConfigSource, Control, OnReload, Reload, ReloadError, Reloaded};
pub use router::{Ask, Router};
pub use snapshot::{Published, Snapshot};

//! Thin actix shells around pure decisions.
//!
//! - [`Router`]: one per HTTP worker, asked once per request for a whole [`Plan`](tollgate_routing::Plan).
//! - `Health` and `Breaker`: one each per provider; they publish what they measure and decide into the
//!   [`Board`](tollgate_routing::Board)'s cells, and are reached through the [`Roster`].
//! - [`CacheKeeper`]: one; writes to the cache.
//! - [`Control`]: one; owns the configuration and the changes made to it at run time, and publishes them as
//!   [`Snapshot`]s.

mod breaker;
mod cache_keeper;
mod control;
mod health;
mod roster;
mod router;
mod snapshot;
mod upkeep;
mod vital;
mod watched;

#[cfg(test)]
mod testing;

pub use breaker::{NamedCredential, OnTransition, TargetBreaker, Transition, UnknownTarget};
pub use cache_keeper::{CacheKeeper, CloseFiles, Compare, Condemn, Fill, Hear, Invalidate, KeptOnDisk};
pub use control::{
    Applied, ApplyMode, ChangeRefused, ChangeRoutes, ConfigSource, Control, ControlParts, Difference,
    EndRollout, Ending, ListVersions, Notice, OnNotice, OnReload, Origin, Reload, ReloadCause, ReloadError,
    Reloaded, Rollback, RolloutNow, RolloutStatus, Slo, StagePlan, TakenBack, Version, VersionList,
    VersionState, read_changes,
};
pub use health::{ProbeResult, Prober, TargetReport};
pub use roster::{ActorReport, Adopted, Roster, RosterParts};
pub use router::{Adopt, Ask, Observe, Router};
pub use snapshot::{Cohort, CohortFigures, Cohorts, Live, Published, Reader, Snapshot, Staged};
pub use vital::OnDeath;

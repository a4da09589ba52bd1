//! What Control can be told, and what it answers.

use actix::Message;
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;
use tollgate_config::Problems;
use tollgate_routing::{ChangeProblem, Changes};

use super::difference::Difference;
use super::rollout::{RolloutStatus, StagePlan};
use super::versions::Version;

/// Read the configuration again, now.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Reloaded, ReloadError>")]
pub struct Reload;

/// What had the configuration read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadCause {
    /// Somebody asked for it: [`Reload`].
    Asked,
    /// The file has changed.
    FileChanged,
    /// The process received SIGHUP.
    Signal,
}

/// A reload that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// The snapshot's epoch.
    pub epoch: u64,
    /// Whether anything is different; if not, nothing was published.
    pub changed: bool,
    /// Settings that differ but take effect only after a restart.
    pub needs_restart: Vec<&'static str>,
    /// Run-time changes that do not fit the new configuration. They are set aside until one comes that they fit.
    pub set_aside: Vec<ChangeProblem>,
}

/// A reload that was refused; the old configuration keeps serving.
#[derive(Debug, Clone, Error)]
#[error("the new configuration is refused, the old one keeps serving:\n{0}")]
pub struct ReloadError(pub Problems);

/// Change routes while the gateway runs.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Applied, ChangeRefused>")]
pub struct ChangeRoutes {
    /// What to merge into the document of changes (RFC 7396): `{ "routes": { "fast": { "weights": { "cost": 2 } } } }`;
    /// `null` takes an override away.
    pub patch: Value,
    /// Who changes it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// The number of the live version that the change was made for; `None`: whichever it is.
    pub if_match: Option<u64>,
    /// For whom.
    pub mode: ApplyMode,
}

/// For whom a change is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ApplyMode {
    /// For nobody: what would happen?
    DryRun,
    /// For everybody, at once.
    Live,
    /// For a share of the requests first, and for everybody when it has proved itself.
    Staged(StagePlan),
}

/// Go back to an earlier version. Ends a rollout that is under way.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Applied, ChangeRefused>")]
pub struct Rollback {
    /// The version to go back to, 0 for the file as it is; `None`: the staged change is taken back, or if there is
    /// none, the last one that went live.
    pub to: Option<u64>,
    /// Who goes back.
    pub author: String,
    /// Why.
    pub reason: String,
    /// The number of the live version that this was decided on; `None`: whichever it is.
    pub if_match: Option<u64>,
}

/// Which versions are there?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "VersionList")]
pub struct ListVersions;

/// How does the rollout stand? `None`: none is under way.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Option<RolloutStatus>")]
pub struct RolloutNow;

/// End the rollout that is under way.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Applied, ChangeRefused>")]
pub struct EndRollout {
    /// How.
    pub ending: Ending,
    /// Who ends it.
    pub author: String,
    /// Why.
    pub reason: String,
}

/// How a rollout ends by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The change is for everybody, now.
    Promote,
    /// The change is taken back.
    Abort,
}

/// A change that was made, or would be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Applied {
    /// The version that was made: live, or staged. Of a dry run, and of a patch that changes nothing, the one that is
    /// live.
    pub version: u64,
    /// The epoch of the newest snapshot: what routers are to adopt.
    pub epoch: u64,
    /// The whole document of changes that comes with that version.
    pub overlay: Value,
    /// The same, as it was understood.
    #[serde(skip)]
    pub changes: Changes,
    /// What differs between the routes as they were for everybody and as this version has them.
    pub diff: Vec<Difference>,
    /// Changes that do not fit the configuration file and are set aside, each with the reason.
    pub set_aside: Vec<ChangeProblem>,
    /// Whether it survives a restart.
    pub persistent: bool,
}

/// All versions that are remembered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VersionList {
    /// The live one; 0: the file as it is.
    pub live: u64,
    /// The staged one; `None`: none is.
    pub staged: Option<u64>,
    /// Newest first.
    pub versions: Vec<Version>,
}

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChangeRefused {
    /// Somebody else was faster.
    #[error("version {current} is live, and the change was made for another one")]
    Conflict {
        /// The live version.
        current: u64,
    },
    /// The change makes no sense.
    #[error("the change has {} problem(s)", .0.len())]
    Invalid(Vec<ChangeProblem>),
    /// A rollout is under way.
    #[error("version {version} is being rolled out: promote it, abort it or wait for its end")]
    Busy {
        /// The staged version.
        version: u64,
    },
    /// That version is not remembered, or there is none to go back to.
    #[error("there is no such version to go back to")]
    UnknownVersion,
    /// No rollout is under way.
    #[error("no rollout is under way")]
    NoRollout,
}

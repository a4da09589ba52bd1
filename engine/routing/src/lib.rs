//! Routing as pure functions: what can be chosen ([`Catalog`]), and which choice is made ([`plan()`]).
//!
//! No IO, no clock, no actor: the router actor carries these decisions, and a replay can repeat them.

mod board;
mod catalog;
mod observation;
mod plan;
mod provider;

pub use board::{
    Board, CredentialCell, CredentialState, Gate, GateMode, HealthCell, NotAdmitted, OutcomeRing, Permit,
    RetryBudget, RetryLimits, Urgency, Vitals,
};
pub use catalog::{Catalog, Fallback, Match, Route, RouteTarget, Target, TargetId};
pub use observation::{Ended, Observation, Stage};
pub use plan::{Ask, Candidate, Plan, PlanError, Reason, plan};
pub use provider::{Auth, Credential, HttpVersion, Provider, Timeouts};

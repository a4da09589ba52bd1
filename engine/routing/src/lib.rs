//! Routing as pure functions: what can be chosen ([`Catalog`]), what is known of it ([`Board`]), and which choice is
//! made ([`Planner`]).
//!
//! No IO, no clock, no actor: time and chance are arguments, so that a decision can be made again. Actors carry
//! these functions, a [`Replay`] repeats them.

mod board;
mod breaker;
mod catalog;
mod health;
mod identity;
mod observation;
mod patch;
mod plan;
mod policy;
mod provider;
mod question;
mod rank;
mod replay;

pub use board::{
    Board, Claim, CredentialCell, CredentialState, Gate, GateMode, HealthCell, NotAdmitted, OutcomeRing,
    Permit, RetryBudget, RetryLimits, Urgency, Vitals,
};
pub use breaker::{
    Breaker, BreakerReport, BreakerSettings, Changed, CredentialChange, CredentialHealth, CredentialReport,
    Force, LastTrip, ProbeCount, TripReason,
};
pub use catalog::{
    Catalog, Fallback, Match, ModelBook, ModelFacts, Route, RouteTarget, RouteTargets, Target, TargetId,
    TargetName,
};
pub use health::{
    Counts, HealthReport, HealthSettings, LastFailure, LastRetryAfter, PeakEwma, Percentiles, TargetHealth,
    Window,
};
pub use identity::{
    AwsIdentity, AwsRole, AwsSource, CloudIdentity, GoogleIdentity, GoogleSource, Identity, Minted,
    MintedKey, Standing, Trouble,
};
pub use observation::{Ended, Observation, Stage};
pub use patch::{ChangeProblem, Changes, RouteChange, TargetChange, WeightsChange};
pub use plan::{Ask, Candidate, Contender, Decision, NoCandidate, Plan, PlanError, Planner, Reason, Warm};
pub use policy::{Hedge, Limits, OnNoCandidates, Policy, Strategy, Weights};
pub use provider::{Auth, Credential, HttpVersion, Probe, Proof, Provider, Timeouts};
pub use question::{Admission, Facts, Filter, Group, Names, Question};
pub use rank::{Place, Ranked, Ranking, Terms};
pub use replay::{Change, Forecast, Replay, RouteForecast, Share};

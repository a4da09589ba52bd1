//! Simulated providers, a load generator, and the gentle traffic of `tollgate demo`. This crate knows HTTP and the provider wire
//! formats, and nothing of the gateway: it stands outside and speaks to it as a client or as an upstream would.
//!
//! - [`MockServer`]: providers on loopback that answer in every dialect and misbehave on order.
//! - [`Behaviour`]: what a simulated model does; [`Control`]: changes it at run time and reads what was received.
//! - [`load`]: the load generator of `tollgate bench`.
//! - [`drill`]: rehearsals of outages, with verdicts.
//! - [`Trickle`]: a small open-loop client that keeps a demo alive.

mod dice;
pub mod drill;
pub mod load;
mod mock;
#[cfg(test)]
mod testing;
mod trickle;

pub use mock::{
    Behaviour, BehaviourTable, BodyKind, Control, Ending, Failure, Fault, FaultKind, FaultPoint,
    JournalEntry, Latency, MockOptions, MockServer, ModelStats, Pacing, Problem, Reply, Stats, ToolCall,
    UsageRule, WaitTimeout, count_tokens, redact_credential,
};
pub use trickle::{Trickle, TrickleKind, TrickleOptions, TrickleResult, TrickleSummary};

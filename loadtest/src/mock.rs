//! Simulated providers: one server on loopback that answers like OpenAI, Anthropic, Google, Cohere and Bedrock, deterministic by seed,
//! programmable per model at run time, with a journal of what it received.
//!
//! It serves demos, tests and load tests, so it must be quicker than what it is used to measure: no logging per
//! request, one shared look at the behaviour table, frames rendered as they are sent.

mod admin;
mod answer;
mod ask;
mod behaviour;
mod control;
mod dialects;
mod endpoint;
mod eventstream;
mod exchange;
mod journal;
mod play;
mod respond;
mod sample;
mod script;
mod serve;
mod server;
mod suffix;
mod table;

pub use ask::count_tokens;
pub use behaviour::{
    Behaviour, BodyKind, Failure, Fault, FaultKind, FaultPoint, Latency, Pacing, Problem, Reply, ToolCall,
    UsageRule,
};
pub use control::{Control, WaitTimeout};
pub use journal::{Ending, JournalEntry, redact_credential};
pub use server::{MockOptions, MockServer};
pub use table::{BehaviourTable, ModelStats, Stats};

//! What a worker saw of an attempt, as health and breakers hear of it.
//!
//! Small and `Copy`: it travels through a ring that was allocated once.

use std::time::Duration;

use tollgate_core::{Moment, OutcomeClass};

/// What a worker saw of one attempt at one target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// When it was seen.
    pub at: Moment,
    /// Which target: its [`HealthCell::slot`](crate::HealthCell::slot).
    pub slot: u32,
    /// Which of the provider's credentials was used, by its index there; `None`: it wants none.
    pub credential: Option<u16>,
    /// How far the attempt had come.
    pub stage: Stage,
}

/// How far an attempt had come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stage {
    /// The first content of a stream has arrived. The end is told apart: it may be minutes away.
    FirstToken {
        /// From sending the request, microseconds.
        ttft_us: u32,
        /// Other requests in flight at the target when it was sent.
        in_flight: u32,
    },
    /// It is over.
    Ended(Ended),
}

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ended {
    /// What became of it.
    pub class: OutcomeClass,
    /// Whether the answer was a stream.
    pub streamed: bool,
    /// From sending it to its end, microseconds.
    pub total_us: u32,
    /// From sending it to the first content, microseconds; `None`: not a stream, or none came.
    pub ttft_us: Option<u32>,
    /// Other requests in flight at the target when it was sent.
    pub in_flight: u32,
    /// Answer tokens; 0: none, or unknown.
    pub output_tokens: u32,
    /// Prompt tokens as the provider reports them; 0: it did not.
    pub prompt_tokens: u32,
    /// Prompt tokens as the gateway had estimated them.
    pub estimated_prompt_tokens: u32,
    /// When the provider wants to be asked again.
    pub retry_after: Option<Duration>,
    /// The generation of the half-open probe that this was; `None`: an ordinary request.
    pub probe: Option<u16>,
}

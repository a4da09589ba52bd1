//! What became of asking an endpoint for a vector, for the cache.

use std::time::Duration;

use tollgate_core::Nanodollars;

/// A vector was wanted of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddingRecord {
    /// What became of it.
    pub outcome: EmbeddingOutcome,
    /// How long it took, up to where it was given up; `None`: the endpoint was not called.
    pub elapsed: Option<Duration>,
    /// Tokens that the endpoint billed for; `None`: it did not say.
    pub tokens: Option<u64>,
    /// What they cost; `None`: nothing is known of a price, or of tokens.
    pub cost: Option<Nanodollars>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EmbeddingOutcome {
    /// There is a vector.
    Success,
    /// It did not answer in time.
    Timeout,
    /// No connection, a broken one, or an error.
    Failed,
    /// What it answered is no vector, or one of other dimensions.
    Malformed,
    /// It was not called: it has failed too often of late.
    Open,
    /// It was not called: too many calls were under way.
    Busy,
    /// It was not called: what was said must not go to where it is, or it is configured no more.
    Barred,
}

impl EmbeddingRecord {
    /// An outcome of which there is no more to say.
    pub const fn of(outcome: EmbeddingOutcome) -> Self {
        Self {
            outcome,
            elapsed: None,
            tokens: None,
            cost: None,
        }
    }
}

impl EmbeddingOutcome {
    /// The name in logs and labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Timeout => "timeout",
            Self::Failed => "failed",
            Self::Malformed => "malformed",
            Self::Open => "open",
            Self::Busy => "busy",
            Self::Barred => "barred",
        }
    }
}

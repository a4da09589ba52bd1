//! A scenario: what is sent, how it arrives, for how long, and what must hold. Read from YAML; the command line may
//! replace parts of it. Every run is bounded, in requests and in time.

mod fields;
mod read;
mod shipped;

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::arrivals::Arrival;
use super::figures::Window;
use super::thresholds::Threshold;

pub use fields::Problem;
pub(crate) use fields::unknown;
pub use shipped::{names, shipped, shipped_text};

/// The most requests of a run, unless the scenario says otherwise.
const REQUESTS_AT_MOST: u64 = 10_000_000;

/// Bytes of a prompt that hold all the words that tell it from others.
pub(super) const LEAST_DISTINCT: u64 = 128;

/// What to send, how, and what must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// A short name.
    pub name: String,
    /// What it is for, in a sentence.
    pub about: String,
    /// The server, up to and without `/v1`. `None`: the caller knows.
    pub url: Option<String>,
    /// Keys to send, with their weights. Empty: none is sent.
    pub keys: Vec<(Secret, f64)>,
    /// Kinds of requests, with their weights; at least one.
    pub requests: Vec<(RequestKind, f64)>,
    /// How large prompts are, where a kind does not say.
    pub prompt: PromptSize,
    /// How often a question was asked before.
    pub repeats: Repeats,
    /// Which answers are given up.
    pub cancels: Cancels,
    /// Connections that are opened before the run and kept; with a closed loop, those that send.
    pub connections: usize,
    /// How many requests may be under way at once. What is due beyond is not sent, and makes the run invalid.
    pub outstanding: usize,
    /// How requests are carried.
    pub protocol: Protocol,
    /// How they arrive.
    pub arrival: Arrival,
    /// What is measured.
    pub window: Window,
    /// The run ends after so many requests.
    pub requests_at_most: u64,
    /// A request is given up after this time.
    pub timeout: Duration,
    /// How often the whole is repeated.
    pub rounds: u32,
    /// Threads that send, at least 1.
    pub threads: usize,
    /// Decides every choice.
    pub seed: u64,
    /// The run is invalid when one request in a hundred was sent later than this.
    pub lag_limit: Duration,
    /// The exit status says when one of these holds.
    pub fail_if: Vec<Threshold>,
}

/// A kind of request.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestKind {
    /// What is called.
    pub surface: Surface,
    /// The model asked for.
    pub model: String,
    /// The share of these that is streamed, `0.0..=1.0`.
    pub stream: f64,
    /// `None`: as large as the scenario's.
    pub prompt: Option<PromptSize>,
    /// The most tokens to answer.
    pub answer_tokens: u32,
    /// How many events with content a stream should have; fewer are lost ones. `None`: nobody knows.
    pub chunks_expected: Option<u64>,
}

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Surface {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/messages`
    Messages,
    /// `POST /v1/embeddings`
    Embeddings,
}

/// How large prompts are, in bytes of text.
#[derive(Debug, Clone, PartialEq)]
pub enum PromptSize {
    /// All alike.
    Fixed(u64),
    /// Evenly spread, both ends included.
    Between(u64, u64),
    /// Log-normally spread, as real ones are.
    LogNormal {
        /// Half are smaller.
        median: u64,
        /// Standard deviation of the logarithm.
        sigma: f64,
        /// None is larger.
        most: u64,
    },
    /// Some sizes, with weights.
    OneOf(Vec<(u64, f64)>),
}

/// How often a question was asked before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Repeats {
    /// The share of requests that repeat, `0.0..=1.0`.
    pub share: f64,
    /// Among so many questions they choose.
    pub questions: u64,
}

/// Which answers are given up, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cancels {
    /// The share of requests, `0.0..=1.0`.
    pub share: f64,
    /// When.
    pub when: CancelWhen,
}

/// When an answer is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelWhen {
    /// So long after sending.
    After(Duration),
    /// After so many events with content (of a stream) or pieces (of another answer).
    AfterChunks(u64),
}

/// How requests are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1, kept alive.
    Http1,
    /// HTTP/2 with prior knowledge, or by ALPN.
    Http2,
}

/// A key. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a scenario may refer to beyond its text.
pub struct Outside<'a> {
    /// Environment variables.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Files: traces.
    pub file: &'a dyn Fn(&Path) -> std::io::Result<String>,
}

/// Everything that is wrong with a scenario, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its line and field.
    pub fn parse(text: &str, outside: &Outside<'_>) -> Result<Self, Problems> {
        read::scenario(text, outside)
    }

    /// Why its questions cannot be told apart, where it matters which were asked before. `None`: they can.
    pub fn indistinct(&self) -> Option<String> {
        let sizes = self
            .requests
            .iter()
            .map(|(kind, _)| kind.prompt.as_ref().unwrap_or(&self.prompt));
        let least = sizes.map(PromptSize::typical_least).min()?;
        (self.repeats.share > 0.0 && least < LEAST_DISTINCT).then(|| {
            format!(
                "prompts of {least} bytes are too small to tell questions apart, and with 'repeats' it matters which were asked \
                 before: expected at least {LEAST_DISTINCT}"
            )
        })
    }
}

impl PromptSize {
    /// The least size that is chosen; of a log-normal spread, whose small ones are made large enough, half of all are larger.
    fn typical_least(&self) -> u64 {
        match self {
            Self::Fixed(bytes) => *bytes,
            Self::Between(least, _) => *least,
            Self::LogNormal { median, most, .. } => *median.min(most),
            Self::OneOf(sizes) => {
                let chosen = sizes.iter().filter(|(_, weight)| *weight > 0.0);
                chosen.map(|(bytes, _)| *bytes).min().unwrap_or(u64::MAX)
            }
        }
    }
}

impl Surface {
    /// The path below the server's URL.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Messages => "/v1/messages",
            Self::Embeddings => "/v1/embeddings",
        }
    }
}

#[cfg(test)]
mod tests;

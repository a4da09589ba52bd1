//! What a simulated model does: plain data, read from JSON, validated as a whole before it takes effect.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dice::Dice;

/// The longest latency or pause that may be asked for: one hour.
const LONGEST_MS: f64 = 3_600_000.0;
/// The longest answer that may be asked for, in tokens. `endless` has no limit.
const LONGEST_TOKENS: u32 = 1_000_000;

const SALT_LATENCY: u64 = 1;
const SALT_FAIL: u64 = 2;

/// What a simulated model does with a request. The default answers 16 tokens at once.
///
/// `failure` and `fault` strike every request, unless `fail_first` or `fail_ratio` says which.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// How long the response head takes.
    pub latency: Latency,
    /// How the body trickles out.
    pub pacing: Pacing,
    /// What a successful answer says.
    pub reply: Reply,
    /// Which token counts it reports.
    pub usage: UsageRule,
    /// Answer with this error instead.
    pub failure: Option<Failure>,
    /// Break the connection or the stream.
    pub fault: Option<Fault>,
    /// Only the first n requests since this behaviour was set go wrong.
    pub fail_first: Option<u64>,
    /// This share of requests goes wrong, `0.0..=1.0`, chosen by the seed.
    pub fail_ratio: Option<f64>,
    /// Headers added to every response, replacing those of the same name.
    pub headers: BTreeMap<String, String>,
}

/// Time from the end of the request to the response head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Latency {
    /// Always the same.
    Fixed {
        /// Milliseconds.
        ms: f64,
    },
    /// Log-normally spread, as real providers are.
    Lognormal {
        /// Half of the requests are faster than this.
        median_ms: f64,
        /// Standard deviation of the logarithm: 0.3 is calm, 1.0 has a heavy tail.
        sigma: f64,
    },
    /// Changes once: a provider that becomes slow, or recovers.
    Step {
        /// Milliseconds before the change.
        before_ms: f64,
        /// Milliseconds after it.
        after_ms: f64,
        /// The change comes with this request (counted from 0 since the behaviour was set).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_request: Option<u64>,
        /// The change comes this many milliseconds after the behaviour was set.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_elapsed_ms: Option<u64>,
    },
}

impl Default for Latency {
    fn default() -> Self {
        Self::Fixed { ms: 0.0 }
    }
}

/// How a body trickles out once its head is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pacing {
    /// Pause between the head and the first byte of the body, milliseconds.
    pub first_token_ms: f64,
    /// Tokens in one event of a stream, at least 1.
    pub tokens_per_chunk: u32,
    /// Pause between two events that carry tokens, milliseconds.
    pub inter_token_ms: f64,
    /// Write bodies in pieces of at most this many bytes, wherever that cuts events and characters.
    pub write_bytes: Option<u32>,
    /// Pause between two such pieces, milliseconds.
    pub write_pause_ms: f64,
}

impl Default for Pacing {
    fn default() -> Self {
        Self {
            first_token_ms: 0.0,
            tokens_per_chunk: 1,
            inter_token_ms: 0.0,
            write_bytes: None,
            write_pause_ms: 0.0,
        }
    }
}

/// What a successful answer says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reply {
    /// This text, instead of words chosen by the seed.
    pub text: Option<String>,
    /// Length of the chosen words, in tokens (default 16). The request's own limit still cuts it.
    pub tokens: Option<u32>,
    /// Call this tool, whether or not the request demands one.
    pub tool: Option<ToolCall>,
    /// Think for this many tokens first (default: 8 where a request asks to be shown thoughts, which those of OpenAI's
    /// chats cannot; otherwise none).
    pub thinking_tokens: Option<u32>,
    /// Streams never end by themselves.
    pub endless: bool,
}

/// A tool call to answer with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ToolCall {
    /// The tool's name; `None`: the first tool of the request, or `lookup` when it has none.
    pub name: Option<String>,
    /// The arguments; `None`: an object made to fit the tool's schema.
    pub arguments: Option<Value>,
}

/// Which token counts an answer reports: the given ones, and the counted ones elsewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UsageRule {
    /// Report no usage at all.
    pub omit: bool,
    /// Streams of OpenAI's chats report usage although the request did not ask (`true`), never (`false`), or as asked
    /// (`None`). All others report it unasked.
    pub in_stream: Option<bool>,
    /// Prompt tokens, cached and cache-written ones included.
    pub prompt: Option<u64>,
    /// Of these, read from a prompt cache.
    pub cached: Option<u64>,
    /// Of these, written to a prompt cache (reported by Anthropic and Bedrock only).
    pub cache_written: Option<u64>,
    /// Output tokens, reasoning included.
    pub output: Option<u64>,
    /// Of these, reasoning.
    pub reasoning: Option<u64>,
}

/// An error answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Failure {
    /// HTTP status, `200..=599` (200 with an odd `body` is a lying provider). Providers that know no 529 say 503.
    pub status: u16,
    /// What the body is.
    pub body: BodyKind,
    /// The message of the error; `None`: one that fits the status.
    pub message: Option<String>,
    /// The `type` of the error, as the dialect calls it (Google's `status`, Bedrock's kind); `None`: its own for the
    /// status.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The `code` of the error (OpenAI), its `reason` (Google) or `error_type` (Cohere); `None`: as usual for the status.
    pub code: Option<String>,
    /// Sent as `retry-after`, in seconds or as an HTTP date. Google tells seconds in the body instead.
    pub retry_after: Option<String>,
}

impl Default for Failure {
    fn default() -> Self {
        Self {
            status: 500,
            body: BodyKind::Dialect,
            message: None,
            kind: None,
            code: None,
            retry_after: None,
        }
    }
}

/// What the body of a failure is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyKind {
    /// The error object of the dialect.
    #[default]
    Dialect,
    /// An HTML page, as edge proxies send.
    Html,
    /// JSON that stops in the middle.
    Malformed,
    /// Nothing.
    Empty,
}

/// A broken exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Where.
    pub at: FaultPoint,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Nothing more is sent, the connection stays open.
    Hang,
    /// TCP reset.
    Reset,
    /// The connection is closed without the end of the response.
    Cut,
    /// The dialect's error event inside a 200 stream, then a clean end. Answers that are no stream are not struck.
    ErrorEvent,
}

/// Where a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultPoint {
    /// Before the response head.
    BeforeHead,
    /// After the head, before any body.
    AfterHead,
    /// After this many events of a stream (or 64-byte pieces of another body). Shorter streams of words are lengthened,
    /// and whatever else is shorter breaks before its last one: the fault always comes before the end.
    AfterChunks(u32),
}

/// One thing wrong with a behaviour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where, e.g. `pacing.tokens_per_chunk`.
    pub path: String,
    /// What was found and what was expected.
    pub message: String,
}

/// What a request meets, once chance has spoken.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fate {
    pub(crate) failure: Option<Failure>,
    pub(crate) fault: Option<Fault>,
}

impl Latency {
    /// The latency of request `count`, `elapsed` after the behaviour was set.
    pub(crate) fn draw(&self, dice: Dice, count: u64, elapsed: Duration) -> Duration {
        match *self {
            Self::Fixed { ms } => millis(ms),
            Self::Lognormal { median_ms, sigma } => {
                millis(median_ms * (sigma * dice.normal(SALT_LATENCY)).exp())
            }
            Self::Step {
                before_ms,
                after_ms,
                at_request,
                at_elapsed_ms,
            } => {
                let changed = at_request.is_some_and(|at| count >= at)
                    || at_elapsed_ms.is_some_and(|at| elapsed >= Duration::from_millis(at));
                millis(if changed { after_ms } else { before_ms })
            }
        }
    }
}

impl Behaviour {
    /// What request `count` meets.
    pub(crate) fn fate(&self, dice: Dice, count: u64) -> Fate {
        let gated = self.fail_first.is_some() || self.fail_ratio.is_some();
        let struck = !gated
            || self.fail_first.is_some_and(|first| count < first)
            || self.fail_ratio.is_some_and(|ratio| dice.unit(SALT_FAIL) < ratio);
        if !struck {
            return Fate {
                failure: None,
                fault: None,
            };
        }
        let mut failure = self.failure.clone();
        if gated && failure.is_none() && self.fault.is_none() {
            failure = Some(Failure::default());
        }
        Fate {
            failure,
            fault: self.fault,
        }
    }

    /// Everything wrong with this behaviour, all at once; empty when it can be used.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Problems(Vec::new());
        found.latency(&self.latency);
        found.pacing(&self.pacing);
        for (path, tokens) in [
            ("reply.tokens", self.reply.tokens),
            ("reply.thinking_tokens", self.reply.thinking_tokens),
        ] {
            if tokens.is_some_and(|tokens| tokens > LONGEST_TOKENS) {
                found.add(path, format!("expected at most {LONGEST_TOKENS} tokens"));
            }
        }
        if let Some(failure) = &self.failure {
            found.failure(failure);
        }
        if let Some(Fault { kind, at }) = self.fault {
            let before_body = matches!(at, FaultPoint::BeforeHead);
            if kind == FaultKind::ErrorEvent && before_body {
                found.add(
                    "fault.at",
                    "an error event cannot come before the head of its stream".to_owned(),
                );
            }
        }
        if let Some(ratio) = self.fail_ratio
            && !(0.0..=1.0).contains(&ratio)
        {
            found.add("fail_ratio", format!("found {ratio}, expected 0.0 to 1.0"));
        }
        for (name, value) in &self.headers {
            if HeaderName::try_from(name.as_str()).is_err() || HeaderValue::try_from(value.as_str()).is_err()
            {
                found.add(&format!("headers.{name}"), "not a valid HTTP header".to_owned());
            }
        }
        found.0
    }
}

struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, path: &str, message: String) {
        self.0.push(Problem {
            path: path.to_owned(),
            message,
        });
    }

    fn millis(&mut self, path: &str, ms: f64) {
        if !(0.0..=LONGEST_MS).contains(&ms) {
            self.add(
                path,
                format!("found {ms}, expected 0 to {LONGEST_MS} milliseconds"),
            );
        }
    }

    fn latency(&mut self, latency: &Latency) {
        match *latency {
            Latency::Fixed { ms } => self.millis("latency.fixed.ms", ms),
            Latency::Lognormal { median_ms, sigma } => {
                self.millis("latency.lognormal.median_ms", median_ms);
                if !(0.0..=5.0).contains(&sigma) {
                    self.add(
                        "latency.lognormal.sigma",
                        format!("found {sigma}, expected 0 to 5"),
                    );
                }
            }
            Latency::Step {
                before_ms,
                after_ms,
                at_request,
                at_elapsed_ms,
            } => {
                self.millis("latency.step.before_ms", before_ms);
                self.millis("latency.step.after_ms", after_ms);
                if at_request.is_some() == at_elapsed_ms.is_some() {
                    self.add(
                        "latency.step",
                        "expected one of at_request and at_elapsed_ms".to_owned(),
                    );
                }
            }
        }
    }

    fn pacing(&mut self, pacing: &Pacing) {
        self.millis("pacing.first_token_ms", pacing.first_token_ms);
        self.millis("pacing.inter_token_ms", pacing.inter_token_ms);
        self.millis("pacing.write_pause_ms", pacing.write_pause_ms);
        if pacing.tokens_per_chunk == 0 {
            self.add(
                "pacing.tokens_per_chunk",
                "found 0, expected at least 1".to_owned(),
            );
        }
        if pacing.write_bytes == Some(0) {
            self.add("pacing.write_bytes", "found 0, expected at least 1".to_owned());
        }
    }

    fn failure(&mut self, failure: &Failure) {
        if !(200..=599).contains(&failure.status) {
            self.add(
                "failure.status",
                format!("found {}, expected 200 to 599", failure.status),
            );
        }
        if let Some(value) = &failure.retry_after
            && HeaderValue::try_from(value.as_str()).is_err()
        {
            self.add("failure.retry_after", "not a valid header value".to_owned());
        }
    }
}

/// A duration from milliseconds that were validated, never more than an hour.
pub(crate) fn millis(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms.clamp(0.0, LONGEST_MS) / 1000.0).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests;

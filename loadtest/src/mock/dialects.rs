//! The dialects of the simulated providers, a renderer each. What is said is decided before ([`Answer`]); here it gets
//! its shape. Nothing of this is shared with the gateway's own translation, whose faults it would hide.

mod anthropic;
mod openai;

use actix_web::http::header::HeaderValue;
use bytes::Bytes;

use super::answer::{Answer, Thinking, Tokens};
use super::ask::Ask;
use super::behaviour::{Failure, UsageRule};
use super::endpoint::Endpoint;
use super::script::Script;

pub(crate) use openai::{Surface, model, models};

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

/// In whose words an endpoint refuses, and how it streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    OpenAi,
    Anthropic,
}

impl Voice {
    /// The error object for a status, with what `failure` says about it.
    pub(crate) fn error(self, failure: &Failure, request_id: &str) -> String {
        match self {
            Self::OpenAi => openai::error(failure),
            Self::Anthropic => anthropic::error(failure, request_id),
        }
    }

    /// The error event of a stream.
    pub(crate) fn error_frame(self, failure: &Failure) -> Bytes {
        match self {
            Self::OpenAi => openai::error_frame(failure),
            Self::Anthropic => anthropic::error_frame(failure),
        }
    }

    /// The content type of a stream.
    pub(crate) const fn stream_type(self) -> HeaderValue {
        EVENT_STREAM
    }
}

impl Endpoint {
    /// In whose words it refuses.
    pub(crate) const fn voice(self) -> Voice {
        match self {
            Self::Text(_) | Self::Embeddings => Voice::OpenAi,
            Self::Messages | Self::CountTokens => Voice::Anthropic,
        }
    }

    /// Whether a model writes an answer here, which can be streamed.
    pub(crate) const fn writes(self) -> bool {
        matches!(self, Self::Text(_) | Self::Messages)
    }

    /// Whether a model thinks because the request says so.
    pub(crate) const fn thinking(self) -> Thinking {
        match self {
            Self::Messages => Thinking::OnRequest,
            _ => Thinking::OnOrder,
        }
    }

    /// An answer as a stream.
    pub(crate) fn stream(self, ask: &Ask, answer: &Answer, rule: &UsageRule) -> Script {
        match self {
            Self::Text(surface) => {
                let is_reported = rule.in_stream.unwrap_or(ask.include_usage) && !rule.omit;
                openai::stream(surface, ask, answer, is_reported)
            }
            _ => anthropic::stream(ask, answer),
        }
    }

    /// An answer that is no stream.
    pub(crate) fn body(self, ask: &Ask, answer: &Answer) -> Bytes {
        match self {
            Self::Text(surface) => openai::body(surface, ask, answer),
            _ => anthropic::body(ask, answer),
        }
    }

    /// What is answered where no model writes.
    pub(crate) fn figures(self, ask: &Ask, seed: u64, rule: &UsageRule) -> Bytes {
        match self {
            Self::Embeddings => openai::embeddings(ask, seed, Tokens::of_prompt(rule, ask.prompt_tokens)),
            _ => anthropic::token_count(rule.prompt.unwrap_or(ask.prompt_tokens)),
        }
    }
}

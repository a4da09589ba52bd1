//! The dialects of the simulated providers, a renderer each. What is said is decided before ([`Answer`]); here it gets
//! its shape. Nothing of this is shared with the gateway's own translation, whose faults it would hide.

mod anthropic;
mod bedrock;
mod cohere;
mod gemini;
mod openai;
mod responses;
mod vectors;

use std::borrow::Cow;

use actix_web::http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use bytes::Bytes;

use super::answer::{Answer, Thinking, Tokens};
use super::ask::Ask;
use super::behaviour::{Failure, UsageRule};
use super::endpoint::{Endpoint, Teller, Writer};
use super::script::Script;

pub(crate) use gemini::Framing;
pub(crate) use openai::Surface;

/// The signature of simulated thinking: constant, so that a test can see it come back.
const SIGNATURE: &str = "c2ltdWxhdGVkLXNpZ25hdHVyZQ==";
/// The status of a provider that has too much to do: Anthropic's own, and everybody else's.
const ANTHROPIC_OVERLOADED: u16 = 529;
const OVERLOADED: u16 = 503;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const SERVER_SENT_EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");
const AWS_EVENT_STREAM: HeaderValue = HeaderValue::from_static("application/vnd.amazon.eventstream");
const AWS_ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// In whose words an endpoint refuses, and how it streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    OpenAi,
    Responses,
    Anthropic,
    /// Anthropic's models at Vertex AI: Google refuses who may not ask, the model what makes no sense.
    AnthropicAtGoogle,
    Google(Framing),
    Cohere,
    Bedrock,
}

impl Voice {
    /// A failure as such a provider has it: who knows no 529 says 503 when there is too much to do.
    pub(crate) fn worded(self, failure: &Failure) -> Cow<'_, Failure> {
        let is_unknown = matches!(self, Self::Google(_) | Self::Cohere | Self::Bedrock);
        if is_unknown && failure.status == ANTHROPIC_OVERLOADED {
            return Cow::Owned(Failure {
                status: OVERLOADED,
                ..failure.clone()
            });
        }
        Cow::Borrowed(failure)
    }

    /// The error object for a status, with what `failure` says about it.
    pub(crate) fn error(self, failure: &Failure, request_id: &str) -> String {
        match self {
            Self::OpenAi | Self::Responses => openai::error(failure),
            Self::AnthropicAtGoogle if is_of_google(failure.status) => {
                format!("[{}]", gemini::error(failure))
            }
            Self::Anthropic | Self::AnthropicAtGoogle => anthropic::error(failure, request_id),
            Self::Google(Framing::Array) => format!("[{}]", gemini::error(failure)),
            Self::Google(_) => gemini::error(failure).to_string(),
            Self::Cohere => cohere::error(failure, request_id).to_string(),
            Self::Bedrock => bedrock::error(failure).to_string(),
        }
    }

    /// What a failure has beside its body.
    pub(crate) fn failure_headers(self, failure: &Failure) -> Vec<(HeaderName, String)> {
        let mut headers = Vec::new();
        // Google tells in the body when to ask again, as far as that is a number of seconds.
        let is_in_body = match self {
            Self::Google(_) => true,
            Self::AnthropicAtGoogle => is_of_google(failure.status),
            _ => false,
        } && gemini::wait_seconds(failure).is_some();
        if let (false, Some(wait)) = (is_in_body, &failure.retry_after) {
            headers.push((RETRY_AFTER, wait.clone()));
        }
        if matches!(self, Self::Bedrock) {
            headers.push((AWS_ERROR_TYPE, bedrock::error_type(failure)));
        }
        headers
    }

    /// The headers that hold a request's id.
    pub(crate) const fn id_headers(self) -> &'static [&'static str] {
        match self {
            // Both spellings: OpenAI's and Anthropic's.
            Self::OpenAi | Self::Responses | Self::Anthropic | Self::AnthropicAtGoogle => {
                &["x-request-id", "request-id"]
            }
            Self::Google(_) => &[],
            Self::Cohere => &["x-debug-trace-id"],
            Self::Bedrock => &["x-amzn-requestid"],
        }
    }

    /// The event that ends a stream, after so many others, because there is too much to do.
    pub(crate) fn overload_frame(self, number: u64) -> Bytes {
        let overloaded = Failure {
            status: ANTHROPIC_OVERLOADED,
            ..Failure::default()
        };
        let failure = &*self.worded(&overloaded);
        match self {
            Self::OpenAi => openai::error_frame(failure),
            Self::Responses => responses::error_frame(failure, number),
            Self::Anthropic | Self::AnthropicAtGoogle => anthropic::error_frame(failure),
            Self::Google(framing) => gemini::error_frame(framing, failure, number),
            Self::Cohere => cohere::error_frame(failure),
            Self::Bedrock => bedrock::error_frame(failure),
        }
    }

    /// The content type of a stream.
    pub(crate) const fn stream_type(self) -> HeaderValue {
        match self {
            Self::Google(Framing::Array) => JSON,
            Self::Bedrock => AWS_EVENT_STREAM,
            _ => SERVER_SENT_EVENTS,
        }
    }

    /// The list of models.
    pub(crate) fn models(self, names: &[String]) -> Bytes {
        match self {
            Self::Google(_) => gemini::models(names),
            _ => openai::models(names),
        }
    }

    /// One model.
    pub(crate) fn model(self, name: &str) -> Bytes {
        match self {
            Self::Google(_) => gemini::model(name),
            _ => openai::model(name),
        }
    }
}

/// Whether it is Google that refuses a request to another maker's model.
const fn is_of_google(status: u16) -> bool {
    matches!(status, 401..=404 | 429 | 500..=504)
}

impl Endpoint {
    /// In whose words it refuses.
    pub(crate) const fn voice(self) -> Voice {
        match self {
            Self::Write(writer) => writer.voice(),
            Self::Tell(teller) => teller.voice(),
        }
    }
}

impl Writer {
    pub(crate) const fn voice(self) -> Voice {
        match self {
            Self::Text(_) => Voice::OpenAi,
            Self::Responses => Voice::Responses,
            Self::Messages => Voice::Anthropic,
            Self::RawPredict { .. } => Voice::AnthropicAtGoogle,
            Self::Generate(framing) => Voice::Google(framing),
            Self::Chat => Voice::Cohere,
            Self::Converse { .. } => Voice::Bedrock,
        }
    }

    /// Whether a model thinks because the request says so.
    pub(crate) const fn thinking(self) -> Thinking {
        match self {
            Self::Text(_) => Thinking::OnOrder,
            _ => Thinking::OnRequest,
        }
    }

    /// An answer as a stream.
    pub(crate) fn stream(self, ask: &Ask, answer: &Answer, rule: &UsageRule) -> Script {
        match self {
            Self::Text(surface) => {
                let is_reported = rule.in_stream.unwrap_or(ask.include_usage) && !rule.omit;
                openai::stream(surface, ask, answer, is_reported)
            }
            Self::Responses => responses::stream(ask, answer),
            Self::Messages | Self::RawPredict { .. } => anthropic::stream(ask, answer),
            Self::Generate(framing) => gemini::stream(framing, ask, answer),
            Self::Chat => cohere::stream(answer),
            Self::Converse { .. } => bedrock::stream(answer),
        }
    }

    /// An answer that is no stream.
    pub(crate) fn body(self, ask: &Ask, answer: &Answer) -> Bytes {
        match self {
            Self::Text(surface) => openai::body(surface, ask, answer),
            Self::Responses => responses::body(ask, answer),
            Self::Messages | Self::RawPredict { .. } => anthropic::body(ask, answer),
            Self::Generate(_) => gemini::body(ask, answer),
            Self::Chat => cohere::body(answer),
            Self::Converse { .. } => bedrock::body(answer),
        }
    }
}

impl Teller {
    const fn voice(self) -> Voice {
        match self {
            Self::Embeddings => Voice::OpenAi,
            Self::InputTokens => Voice::Responses,
            Self::CountTokens => Voice::Anthropic,
            Self::RawCount => Voice::AnthropicAtGoogle,
            Self::CountContents | Self::EmbedContent | Self::BatchEmbedContents | Self::Predict => {
                Voice::Google(Framing::Whole)
            }
            Self::Embed | Self::Rerank => Voice::Cohere,
            Self::CountConverse | Self::Invoke => Voice::Bedrock,
        }
    }

    /// What is told, which depends on the seed and the request only.
    pub(crate) fn body(self, ask: &Ask, seed: u64, rule: &UsageRule) -> Bytes {
        let counted = rule.prompt.unwrap_or(ask.prompt_tokens);
        let usage = Tokens::of_prompt(rule, ask.prompt_tokens);
        match self {
            Self::Embeddings => openai::embeddings(ask, seed, usage),
            Self::InputTokens => responses::token_count(counted),
            Self::CountTokens | Self::RawCount => anthropic::token_count(counted),
            Self::CountContents => gemini::token_count(counted),
            Self::EmbedContent => gemini::embedding(ask, seed, usage),
            Self::BatchEmbedContents => gemini::embeddings(ask, seed, usage),
            Self::Predict => gemini::predictions(ask, seed, usage),
            Self::Embed => cohere::embeddings(ask, seed, usage),
            Self::Rerank => cohere::ranks(ask, seed),
            Self::CountConverse => bedrock::token_count(counted),
            Self::Invoke => bedrock::embeddings(ask, seed, usage),
        }
    }
}

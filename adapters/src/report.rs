//! What an answer told about itself: read from its bytes, whoever's dialect they are in.

use tollgate_core::{FinishReason, Nanodollars, OutcomeClass, ServiceTier, Usage};

/// What was learned from an answer, or so far from a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The model that answered, as the provider names it.
    pub model: Option<Box<str>>,
    /// Tokens, where the provider reported them. Cumulative reports: the last one wins, field by field.
    pub usage: Option<Usage>,
    /// What the provider charges for, where it counts that apart from the tokens that went through the model (Cohere).
    pub billed: Option<Usage>,
    /// What the provider itself says the request cost (OpenRouter, Perplexity, xAI).
    pub stated_cost: Option<Nanodollars>,
    /// The service tier that was used.
    pub service_tier: ServiceTier,
    /// Why the (first) answer ended. `None` at the end of a stream: it was cut.
    pub finish: Option<FinishReason>,
    /// Whether content has been seen: the first token of text, reasoning, a tool call or a refusal. From here on a
    /// failure is mid-answer. What an error says is no content.
    pub has_content: bool,
    /// Bytes of answer text, reasoning and tool arguments seen: what an estimate is made from.
    pub output_bytes: u64,
    /// An error inside a stream that began with status 200: the event that tells it need not be the last one.
    pub error: Option<StreamFault>,
    /// Whether the closing event of the dialect was seen (`[DONE]`, `message_stop`); always true for JSON.
    pub complete: bool,
}

/// An error that a provider sent inside a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamFault {
    /// What it comes to.
    pub class: OutcomeClass,
    /// The provider's words.
    pub message: Box<str>,
}

/// How an upstream's stream came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// The body ended properly.
    Eof,
    /// It broke: reset, timeout.
    Broken(OutcomeClass),
}

impl Report {
    /// What the answer came to if it has ended like this.
    pub fn class(&self, end: StreamEnd) -> OutcomeClass {
        match (&self.error, end) {
            (Some(fault), _) => fault.class,
            (None, StreamEnd::Broken(class)) => class,
            (None, StreamEnd::Eof) if self.complete => OutcomeClass::Success,
            (None, StreamEnd::Eof) => OutcomeClass::Malformed,
        }
    }
}

/// An answer that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the provider's answer is not readable: {0}")]
pub struct Malformed(pub String);

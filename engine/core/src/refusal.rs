//! Every "no" to a client, before a dialect gives it a body.
//!
//! What a refusal looks like on the wire is decided in one place (`tollgate_adapters`), what leads to one
//! wherever it happens.

use std::borrow::Cow;
use std::time::Duration;

use crate::OutcomeClass;

/// What kind of "no": decides the status, and each dialect's `type` and `code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalKind {
    /// The body is not JSON, not UTF-8, or not an object.
    MalformedBody,
    /// A field is missing, of the wrong type, or out of range.
    InvalidField,
    /// The request asks for something that this target or route cannot carry, and `strict` is on.
    NotTranslatable,
    /// No key was sent.
    MissingKey,
    /// The key is unknown.
    UnknownKey,
    /// The key has expired.
    ExpiredKey,
    /// The key may not use this model.
    ModelNotAllowed,
    /// No route of this name.
    UnknownModel,
    /// No such path.
    UnknownPath,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The body is larger than the limit.
    BodyTooLarge,
    /// The body did not arrive in time.
    BodyTimeout,
    /// A content type or encoding that is not understood.
    UnsupportedMedia,
    /// The route has no target that could serve this request.
    NoCandidate,
    /// The prompt is longer than any target's context window.
    ContextTooLong,
    /// No target can do what the request needs: tools, vision, a JSON schema.
    NotCapable,
    /// Every target that could serve is outside of the regions or the list that the caller is limited to.
    NotPermitted,
    /// The request costs more than it may.
    MaxCostExceeded,
    /// The time that the request may take is over, or would be.
    DeadlineExceeded,
    /// Every attempt met a rate limit.
    UpstreamRateLimited,
    /// Every attempt failed; [`Refusal::attempts`] says how.
    UpstreamFailed,
    /// The last attempt failed because the provider was too slow.
    UpstreamTimeout,
    /// The provider does not accept the gateway's own credential.
    UpstreamCredential,
    /// Only an answer from the cache was wanted, and there is none.
    NotCached,
    /// No entry of the cache of this number, or it is not the caller's.
    UnknownEntry,
    /// The gateway is shutting down.
    Draining,
    /// A fault of the gateway itself.
    Internal,
}

/// One failed attempt, as it may be shown to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptNote {
    /// The provider's name in the config.
    pub provider: String,
    /// The model asked for there.
    pub model: String,
    /// What became of it.
    pub outcome: OutcomeClass,
    /// The provider's status, if it answered.
    pub status: Option<u16>,
    /// How long it took.
    pub elapsed: Duration,
}

/// A "no" to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind.
    pub kind: RefusalKind,
    /// What is wrong, where, and how to mend it: for a person to read.
    pub message: Cow<'static, str>,
    /// The field of the request that is at fault, as a JSON path (`messages[0].content`).
    pub param: Option<Cow<'static, str>>,
    /// When to come back (`retry-after`).
    pub retry_after: Option<Duration>,
    /// What was tried.
    pub attempts: Vec<AttemptNote>,
}

impl Refusal {
    /// A refusal with a message.
    pub fn new(kind: RefusalKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            param: None,
            retry_after: None,
            attempts: Vec::new(),
        }
    }

    /// Names the field at fault.
    #[must_use]
    pub fn at(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// Adds what was tried.
    #[must_use]
    pub fn after(mut self, attempts: Vec<AttemptNote>) -> Self {
        self.attempts = attempts;
        self
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        self.kind.status()
    }
}

impl RefusalKind {
    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::MalformedBody
            | Self::InvalidField
            | Self::NotTranslatable
            | Self::ContextTooLong
            | Self::NotCapable
            | Self::MaxCostExceeded => 400,
            Self::MissingKey | Self::UnknownKey | Self::ExpiredKey => 401,
            Self::ModelNotAllowed | Self::NotPermitted => 403,
            Self::UnknownModel | Self::UnknownPath | Self::UnknownEntry => 404,
            Self::MethodNotAllowed => 405,
            Self::BodyTimeout => 408,
            Self::BodyTooLarge => 413,
            Self::UnsupportedMedia => 415,
            Self::UpstreamRateLimited => 429,
            Self::Internal => 500,
            Self::UpstreamFailed | Self::UpstreamCredential => 502,
            Self::NoCandidate | Self::Draining => 503,
            Self::UpstreamTimeout | Self::DeadlineExceeded | Self::NotCached => 504,
        }
    }

    /// The name in logs, and `code` in `OpenAI`'s error object.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MalformedBody => "malformed_body",
            Self::InvalidField => "invalid_value",
            Self::NotTranslatable => "unsupported_parameter",
            Self::MissingKey => "missing_api_key",
            Self::UnknownKey => "invalid_api_key",
            Self::ExpiredKey => "expired_api_key",
            Self::ModelNotAllowed => "model_not_allowed",
            Self::UnknownModel => "model_not_found",
            Self::UnknownPath => "unknown_url",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::BodyTooLarge => "request_too_large",
            Self::BodyTimeout => "request_timeout",
            Self::UnsupportedMedia => "unsupported_media_type",
            Self::NoCandidate => "no_candidate",
            Self::ContextTooLong => "context_length_exceeded",
            Self::NotCapable => "model_not_capable",
            Self::NotPermitted => "target_not_permitted",
            Self::MaxCostExceeded => "max_cost_exceeded",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::UpstreamRateLimited => "upstream_rate_limited",
            Self::UpstreamFailed => "upstream_failed",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamCredential => "upstream_credentials_rejected",
            Self::NotCached => "not_cached",
            Self::UnknownEntry => "cache_entry_not_found",
            Self::Draining => "shutting_down",
            Self::Internal => "internal_error",
        }
    }
}

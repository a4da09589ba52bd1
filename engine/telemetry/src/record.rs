//! Everything that is remembered of one request.
//!
//! Owned and cheap to make: shared names, numbers, and a few short lists that are empty for most requests. It
//! holds no prompt, no answer and no credential; what a provider wrote about an error is [`Scrubbed`].

use std::sync::Arc;
use std::time::Duration;

use tollgate_core::{
    Dialect, FinishReason, Nanodollars, OutcomeClass, RefusalKind, RequestId, ServiceTier, Surface,
    Timestamp, Usage,
};

use crate::{EmbeddingRecord, Scrubbed};

/// One request, from its first byte to its settlement.
#[derive(Debug, Clone)]
pub struct RequestRecord {
    /// When it arrived.
    pub at: Timestamp,
    /// Its id, as the client sees it in `x-request-id`.
    pub id: RequestId,
    /// The catalog snapshot that it was planned from; `None`: it did not come that far.
    pub epoch: Option<u64>,
    /// The name of the virtual key; `None`: none was accepted, or none is needed.
    pub key: Option<Arc<str>>,
    /// What was called; `None`: no such path.
    pub surface: Option<Surface>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The model that the client asked for, in its own words: of any length, and never a metric label.
    pub model: Option<Arc<str>>,
    /// The name of the route that matched; `None`: none did.
    pub route: Option<Arc<str>>,
    /// The target whose answer the client got, or was getting; `None`: there was none.
    pub served: Option<Served>,
    /// Every attempt in order, the last one included.
    pub attempts: Vec<AttemptRecord>,
    /// The status that the client got, or would have got had it stayed.
    pub status: u16,
    /// How it ended.
    pub ending: Ending,
    /// Why the model stopped; `None`: no answer, or one that was cut.
    pub finish: Option<FinishReason>,
    /// Tokens by class; `None`: no provider did any work.
    pub usage: Option<Usage>,
    /// The service level that the provider used.
    pub service_tier: ServiceTier,
    /// What it cost; `None`: nothing was used, or the price is not known (then `usage` is there).
    pub cost: Option<Nanodollars>,
    /// What the cache said; `None`: it was not asked.
    pub cache: Option<CacheRecord>,
    /// The vector that the cache wanted of an endpoint; `None`: it wanted none.
    pub embedding: Option<EmbeddingRecord>,
    /// What the client said of an answer from the cache; `None`: nothing.
    pub feedback: Option<FeedbackRecord>,
    /// Where the time went.
    pub timings: Timings,
    /// Bytes of the request's body, as received.
    pub request_bytes: u64,
    /// Bytes of the answer's body, as handed to the client.
    pub response_bytes: u64,
    /// JSON paths of the request that a translation could not carry.
    pub loss: Vec<Box<str>>,
    /// What went wrong, for a person to read.
    pub error: Option<Scrubbed>,
}

/// The target that answered.
#[derive(Debug, Clone)]
pub struct Served {
    /// The provider's name in the config.
    pub provider: Arc<str>,
    /// The model asked for there.
    pub model: Arc<str>,
    /// The dialect spoken there.
    pub dialect: Dialect,
    /// The model that answered, in the provider's words; `None`: it did not say.
    pub response_model: Option<Box<str>>,
    /// The provider's own id of the exchange; `None`: it gave none.
    pub request_id: Option<Box<str>>,
}

/// One attempt at one target.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// The provider's name in the config.
    pub provider: Arc<str>,
    /// The model asked for there.
    pub model: Arc<str>,
    /// What became of it.
    pub outcome: OutcomeClass,
    /// The provider's status; `None`: it did not answer.
    pub status: Option<u16>,
    /// From sending it to its end, or to the next attempt.
    pub elapsed: Duration,
    /// Why it was made.
    pub role: AttemptRole,
    /// What it cost; `None`: nothing was used, or the price is not known.
    pub cost: Option<Nanodollars>,
}

/// Why an attempt was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AttemptRole {
    /// It was the first, or the one before had failed.
    #[default]
    Ordinary,
    /// To find out whether a target works again.
    Probe,
    /// Another one was late.
    Hedge,
    /// To go on with a stream that had broken.
    Continuation,
}

impl AttemptRole {
    /// The name in logs and decisions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Probe => "probe",
            Self::Hedge => "hedge",
            Self::Continuation => "continuation",
        }
    }
}

/// What the cache said to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheRecord {
    /// Whether it had an answer.
    pub result: CacheResult,
    /// How certain it is that the question is the same, `0.0..=1.0`; semantic hits, and those that were withheld.
    pub score: Option<f32>,
    /// How old the answer is; hits only.
    pub age: Option<Duration>,
    /// The number of the entry; hits, and those that were withheld.
    pub entry: Option<u64>,
    /// What the answer cost when it was given; `None`: it was not given again, or its price is not known.
    pub saved: Option<Nanodollars>,
    /// How long the answer took when it was given; hits only.
    pub saved_time: Option<Duration>,
    /// Why it was not asked: bypasses only.
    pub reason: Option<&'static str>,
    /// Why an answer to a question of the same meaning was not given; `None`: there was none.
    pub withheld: Option<WhyWithheld>,
}

/// Why an answer to a question of the same meaning was not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WhyWithheld {
    /// The route only tries what it would be like.
    Shadow,
    /// It was one of the share that is asked for all the same, and compared.
    Recheck,
    /// Its score is below the threshold.
    Near,
}

impl WhyWithheld {
    /// The name in logs and labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Recheck => "recheck",
            Self::Near => "near",
        }
    }
}

/// Whether the cache had an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheResult {
    /// To this very request.
    Hit,
    /// To one that differs in case, spaces or the mark at the end.
    HitFolded,
    /// To one that means the same.
    HitSemantic,
    /// It had none.
    Miss,
    /// It was not asked.
    Bypass,
}

impl CacheResult {
    /// The name in logs and labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::HitFolded => "hit_folded",
            Self::HitSemantic => "hit_semantic",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }
}

/// What a client said of an answer from the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedbackRecord {
    /// The number of the entry.
    pub entry: u64,
    /// Whether it was right.
    pub was_right: bool,
    /// Whether it counts for a threshold; `None`: there is no such entry, or none that this client may speak of.
    pub counts: Option<bool>,
}

impl CacheRecord {
    /// A result of which there is no more to say.
    pub const fn of(result: CacheResult) -> Self {
        Self {
            result,
            score: None,
            age: None,
            entry: None,
            saved: None,
            saved_time: None,
            reason: None,
            withheld: None,
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// A provider's answer was relayed, and this is what it came to: success, an error passed on, a stream
    /// that broke, a client that left.
    Relayed(OutcomeClass),
    /// The gateway itself said no.
    Refused(RefusalKind),
}

impl Ending {
    /// The name in logs and labels: that of the outcome, or `refused`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relayed(class) => class.name(),
            Self::Refused(_) => "refused",
        }
    }

    /// `error.type` of the OpenTelemetry conventions; `None`: it went well.
    pub const fn error_type(self) -> Option<&'static str> {
        match self {
            Self::Relayed(OutcomeClass::Success) => None,
            Self::Relayed(class) => Some(class.name()),
            Self::Refused(kind) => Some(kind.name()),
        }
    }
}

/// Where the time of a request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// From the request's arrival to the last byte of its answer, or to the client's departure.
    pub total: Duration,
    /// From the request's arrival to the first body byte handed to the client; `None`: there was none.
    pub first_byte: Option<Duration>,
    /// From sending the serving attempt to the first content in its answer; `None`: not a stream, or no
    /// content came.
    pub first_token: Option<Duration>,
    /// From the first content to the end of the answer; `None`: as for `first_token`.
    pub generation: Option<Duration>,
    /// Spent waiting for providers, over all attempts.
    pub upstream: Duration,
    /// The gateway's own share: deciding and rewriting, without waiting for either side.
    pub overhead: Duration,
}

impl Timings {
    /// The mean time between two tokens of a stream with this many tokens: `generation` over the intervals.
    /// `None`: not a stream, or fewer than two tokens.
    pub fn per_output_token(&self, output_tokens: u64) -> Option<Duration> {
        let intervals = output_tokens.checked_sub(1).filter(|&count| count > 0)?;
        let nanos = self.generation?.as_nanos() / u128::from(intervals);
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

impl RequestRecord {
    /// The record of a request that has just arrived. Every field is the gateway's to fill; as it stands, it
    /// says that the gateway failed, which is what it must say if nothing else is ever learned.
    pub fn new(id: RequestId, at: Timestamp) -> Self {
        Self {
            at,
            id,
            epoch: None,
            key: None,
            surface: None,
            stream: false,
            model: None,
            route: None,
            served: None,
            attempts: Vec::new(),
            status: RefusalKind::Internal.status(),
            ending: Ending::Refused(RefusalKind::Internal),
            finish: None,
            usage: None,
            service_tier: ServiceTier::Standard,
            cost: None,
            cache: None,
            embedding: None,
            feedback: None,
            timings: Timings::default(),
            request_bytes: 0,
            response_bytes: 0,
            loss: Vec::new(),
            error: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_per_token_counts_the_intervals_between_tokens() {
        let timings = Timings {
            generation: Some(Duration::from_millis(90)),
            ..Timings::default()
        };
        assert_eq!(timings.per_output_token(10), Some(Duration::from_millis(10)));
        assert_eq!(timings.per_output_token(2), Some(Duration::from_millis(90)));
        assert_eq!(timings.per_output_token(1), None);
        assert_eq!(timings.per_output_token(0), None);
        assert_eq!(Timings::default().per_output_token(10), None);
    }

    #[test]
    fn only_success_has_no_error_type() {
        assert_eq!(Ending::Relayed(OutcomeClass::Success).error_type(), None);
        assert_eq!(Ending::Relayed(OutcomeClass::Reset).error_type(), Some("reset"));
        let refused = Ending::Refused(RefusalKind::UnknownKey);
        assert_eq!(
            (refused.name(), refused.error_type()),
            ("refused", Some("invalid_api_key"))
        );
    }
}

//! What an attempt at a provider came to, and the one table of what follows from it.

/// The outcome of one attempt at one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutcomeClass {
    /// A complete answer.
    Success,
    /// The request itself was refused (400, 422, …): another target would refuse it too.
    InvalidRequest,
    /// The prompt is too long for this target (413, context overflow): one with a larger window may take it.
    ContextTooLong,
    /// The provider does not accept our credential (401, 403).
    CredentialRejected,
    /// We have no credential to show: whoever gives them out (a cloud's token service) does not give one.
    CredentialUnavailable,
    /// The account behind our credential has run out of money or quota (402, `insufficient_quota`).
    QuotaExhausted,
    /// The provider does not know the model (404).
    ModelNotFound,
    /// Too many requests or tokens for our credential (429).
    RateLimited,
    /// The provider is over capacity (503, 529).
    Overloaded,
    /// The provider failed (other 5xx, 408, 409, 425).
    ServerError,
    /// No connection: refused, unreachable, name not found, TLS failure.
    ConnectFailed,
    /// No connection within the connect timeout.
    ConnectTimeout,
    /// Connected, but no first byte of an answer in time.
    FirstByteTimeout,
    /// The answer began and then paused for too long.
    IdleTimeout,
    /// The whole exchange took longer than it may.
    TotalTimeout,
    /// The connection broke before the answer was complete.
    Reset,
    /// An error inside a stream that had begun with status 200.
    StreamError,
    /// The answer ended without its closing event, or could not be read.
    Malformed,
    /// The time that the client or the route allows for the whole request was over.
    DeadlineExceeded,
    /// It was no longer needed: a hedge, or the request it was to help, was answered first.
    Superseded,
    /// The client hung up first.
    ClientGone,
}

/// Whose fault an outcome is: who is to be avoided because of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nobody's.
    Nobody,
    /// The client's: never held against a provider.
    Client,
    /// That of the credential used: another one may do.
    Credential,
    /// The target's.
    Target,
}

/// What follows from an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a table of independent yes/no answers is the clearest form of this policy"
)]
pub struct OutcomePolicy {
    /// Who is to blame.
    pub fault: Fault,
    /// Whether another target may be tried, if no byte has reached the client yet.
    pub may_fail_over: bool,
    /// Whether it adds to the count of consecutive failures of the target.
    pub counts_in_streak: bool,
    /// Whether it adds to the failures in the target's error ratio.
    pub counts_in_ratio: bool,
    /// Whether its timing says something about the target's speed.
    pub samples_latency: bool,
}

impl OutcomeClass {
    /// The name in logs and metrics (`error.type` of the OpenTelemetry conventions).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::InvalidRequest => "invalid_request",
            Self::ContextTooLong => "context_too_long",
            Self::CredentialRejected => "credential_rejected",
            Self::CredentialUnavailable => "credential_unavailable",
            Self::QuotaExhausted => "quota_exhausted",
            Self::ModelNotFound => "model_not_found",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server_error",
            Self::ConnectFailed => "connect_failed",
            Self::ConnectTimeout => "connect_timeout",
            Self::FirstByteTimeout => "first_byte_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::TotalTimeout => "total_timeout",
            Self::Reset => "reset",
            Self::StreamError => "stream_error",
            Self::Malformed => "malformed",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Superseded => "superseded",
            Self::ClientGone => "client_gone",
        }
    }

    /// The policy table: the only place that says what an outcome leads to.
    #[expect(clippy::match_same_arms, reason = "a table has a row for each case")]
    pub const fn policy(self) -> OutcomePolicy {
        //                                          fault              fail over  streak  ratio  latency
        match self {
            Self::Success => OutcomePolicy::of(Fault::Nobody, false, false, false, true),
            Self::InvalidRequest => OutcomePolicy::of(Fault::Client, false, false, false, false),
            Self::ClientGone => OutcomePolicy::of(Fault::Client, false, false, false, false),
            Self::Superseded => OutcomePolicy::of(Fault::Nobody, false, false, false, false),
            Self::DeadlineExceeded => OutcomePolicy::of(Fault::Nobody, false, false, false, true),
            Self::ContextTooLong => OutcomePolicy::of(Fault::Client, true, false, false, false),
            Self::CredentialRejected => OutcomePolicy::of(Fault::Credential, true, false, false, false),
            Self::CredentialUnavailable => OutcomePolicy::of(Fault::Credential, true, false, false, false),
            Self::QuotaExhausted => OutcomePolicy::of(Fault::Credential, true, false, false, false),
            Self::RateLimited => OutcomePolicy::of(Fault::Credential, true, false, false, false),
            Self::ModelNotFound => OutcomePolicy::of(Fault::Target, true, false, true, false),
            Self::Overloaded => OutcomePolicy::of(Fault::Target, true, true, true, false),
            Self::ServerError => OutcomePolicy::of(Fault::Target, true, true, true, false),
            Self::ConnectFailed => OutcomePolicy::of(Fault::Target, true, true, true, false),
            Self::ConnectTimeout => OutcomePolicy::of(Fault::Target, true, true, true, true),
            Self::FirstByteTimeout => OutcomePolicy::of(Fault::Target, true, true, true, true),
            Self::IdleTimeout => OutcomePolicy::of(Fault::Target, true, true, true, true),
            Self::TotalTimeout => OutcomePolicy::of(Fault::Target, true, true, true, true),
            Self::Reset => OutcomePolicy::of(Fault::Target, true, true, true, false),
            Self::StreamError => OutcomePolicy::of(Fault::Target, true, true, true, false),
            Self::Malformed => OutcomePolicy::of(Fault::Target, true, true, true, false),
        }
    }
}

impl OutcomePolicy {
    #[expect(clippy::fn_params_excessive_bools, reason = "columns of the table above")]
    const fn of(
        fault: Fault,
        may_fail_over: bool,
        counts_in_streak: bool,
        counts_in_ratio: bool,
        samples_latency: bool,
    ) -> Self {
        Self {
            fault,
            may_fail_over,
            counts_in_streak,
            counts_in_ratio,
            samples_latency,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_fault_never_counts_against_a_target() {
        for class in [
            OutcomeClass::InvalidRequest,
            OutcomeClass::ClientGone,
            OutcomeClass::ContextTooLong,
        ] {
            let policy = class.policy();
            assert_eq!(policy.fault, Fault::Client);
            assert!(!policy.counts_in_streak && !policy.counts_in_ratio && !policy.samples_latency);
        }
    }
}

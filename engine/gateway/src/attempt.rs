//! Stage "attempt": the plan's candidates are asked in turn, until one answers or nothing is left to try.

mod once;
mod request;

use std::time::Duration;

use tollgate_adapters::{Answer, ProviderFailure, StreamReader};
use tollgate_core::{AttemptNote, Fault, OutcomeClass, Refusal, RefusalKind};
use tollgate_routing::{Candidate, Plan};
use tollgate_telemetry::AttemptRecord;

use crate::accept::Call;
use crate::respond::Passed;
use crate::settle::Settlement;
use crate::upstream::UpstreamBody;
use crate::worker::Worker;

pub(crate) use request::ClientHeaders;

/// What a provider answered, ready to be relayed.
pub(crate) enum Answered {
    /// A whole body.
    Whole(Answer, Passed),
    /// The beginning of a stream.
    Stream(Box<Opened>),
    /// The provider's own "no", in the client's dialect.
    Failure(ProviderFailure, Passed),
}

/// A stream whose first piece has arrived.
pub(crate) struct Opened {
    /// What follows.
    pub(crate) body: UpstreamBody,
    /// Reads it; has seen the first piece.
    pub(crate) reader: StreamReader,
    /// What the first piece became.
    pub(crate) first: Vec<bytes::Bytes>,
    /// The pause between two pieces that is allowed.
    pub(crate) idle: Duration,
    /// When the whole exchange must be over.
    pub(crate) deadline: tokio::time::Instant,
    /// Headers for the client.
    pub(crate) passed: Passed,
}

/// One attempt that came to nothing.
enum Failed {
    /// It was made.
    Attempted(AttemptRecord, Reason),
    /// It was not: the request cannot be put into this target's dialect.
    Untranslatable(Refusal),
}

enum Reason {
    /// The provider said so.
    Provider(Box<ProviderFailure>, Passed),
    /// The gateway found out: no connection, no answer, an answer that cannot be read.
    Gateway(String),
}

/// Where to turn after a failure.
enum Turn {
    NextCredential,
    NextCandidate,
    Nowhere,
}

/// Tries the plan's candidates in order.
///
/// A failure that is the client's own ends the line at once. One that is the credential's is tried again at the
/// same target with the provider's next credential; any other moves on to the next candidate.
pub(crate) async fn attempt(
    worker: &Worker,
    call: &Call,
    headers: ClientHeaders<'_>,
    plan: &Plan,
    settlement: &mut Settlement,
) -> Result<Answered, Refusal> {
    let mut last = None;
    'candidates: for candidate in &plan.candidates {
        for credential in request::credentials(&candidate.target.provider) {
            if settlement.attempts() >= plan.route.max_attempts.max(1) {
                break 'candidates;
            }
            settlement.sending(candidate);
            match once::attempt_once(worker, call, headers, plan, candidate, credential, settlement).await {
                Ok(answered) => {
                    settlement.attempted_at_work(OutcomeClass::Success, Some(200));
                    return Ok(answered);
                }
                Err(failed) => {
                    let turn = failed.turn();
                    if let Failed::Attempted(record, _) = &failed {
                        settlement.attempted(record.clone());
                    }
                    // What a provider answered says more than that another was not asked.
                    if last.is_none() || matches!(failed, Failed::Attempted(..)) {
                        last = Some(failed);
                    }
                    match turn {
                        Turn::NextCredential => {}
                        Turn::NextCandidate => continue 'candidates,
                        Turn::Nowhere => break 'candidates,
                    }
                }
            }
        }
    }
    match last {
        Some(failed) => give_up(failed, settlement),
        None => Err(Refusal::new(
            RefusalKind::NoCandidate,
            "no target of this model has a usable credential",
        )),
    }
}

/// Puts the last failure into words for the client. A lone attempt shows the provider's own answer, as if the
/// client had asked there; after several, the answer names them all.
fn give_up(failed: Failed, settlement: &Settlement) -> Result<Answered, Refusal> {
    let trail = settlement.trail();
    let (record, reason) = match failed {
        Failed::Untranslatable(refusal) => return Err(refusal),
        Failed::Attempted(record, reason) => (record, reason),
    };
    let clients_own = !record.outcome.policy().may_fail_over;
    match reason {
        Reason::Provider(failure, passed) if trail.len() == 1 || clients_own => {
            Ok(Answered::Failure(*failure, passed))
        }
        Reason::Provider(failure, _) => {
            let refusal = Refusal::new(kind_of(&trail), summary(&trail, &failure.message));
            Err(refusal.retry_after(failure.retry_after).after(trail))
        }
        Reason::Gateway(message) => {
            Err(Refusal::new(kind_of(&trail), summary(&trail, &message)).after(trail))
        }
    }
}

fn summary(trail: &[AttemptNote], last: &str) -> String {
    match trail {
        [only] => format!("{} ({}) failed: {last}", only.provider, only.model),
        trail => format!("all {} attempts failed; the last one: {last}", trail.len()),
    }
}

fn kind_of(trail: &[AttemptNote]) -> RefusalKind {
    if trail.iter().all(|note| note.outcome == OutcomeClass::RateLimited) {
        return RefusalKind::UpstreamRateLimited;
    }
    match trail.last().map(|note| note.outcome) {
        Some(OutcomeClass::CredentialRejected) => RefusalKind::UpstreamCredential,
        Some(
            OutcomeClass::ConnectTimeout
            | OutcomeClass::FirstByteTimeout
            | OutcomeClass::IdleTimeout
            | OutcomeClass::TotalTimeout,
        ) => RefusalKind::UpstreamTimeout,
        _ => RefusalKind::UpstreamFailed,
    }
}

impl Failed {
    fn attempted(
        candidate: &Candidate,
        outcome: OutcomeClass,
        status: Option<u16>,
        elapsed: Duration,
        reason: Reason,
    ) -> Self {
        let record = AttemptRecord {
            provider: candidate.target.provider.name.clone(),
            model: candidate.model.clone(),
            outcome,
            status,
            elapsed,
        };
        Self::Attempted(record, reason)
    }

    fn turn(&self) -> Turn {
        match self {
            // Another target may speak a dialect that carries it; a field of the wrong type is wrong everywhere.
            Self::Untranslatable(refusal) if refusal.kind == RefusalKind::NotTranslatable => {
                Turn::NextCandidate
            }
            Self::Untranslatable(_) => Turn::Nowhere,
            Self::Attempted(record, _) => {
                let policy = record.outcome.policy();
                match (policy.may_fail_over, policy.fault) {
                    (false, _) => Turn::Nowhere,
                    (true, Fault::Credential) => Turn::NextCredential,
                    (true, _) => Turn::NextCandidate,
                }
            }
        }
    }
}

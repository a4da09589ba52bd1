//! Stage "attempt": the plan's candidates are asked in turn, until one answers or nothing is left to try.

mod once;
mod proof;
mod race;
mod request;
mod send;
mod succession;
mod through;
mod turns;

use std::time::Duration;

use tollgate_adapters::{Answer, ProviderFailure, StreamReader};
use tollgate_core::{AttemptNote, Clock, Fault, OutcomeClass, Refusal, RefusalKind};
use tollgate_routing::{Candidate, Plan};

use crate::bounds::Bounds;
use crate::call::Call;
use crate::passage::Passing;
use crate::recall::Recalled;
use crate::respond::Passed;
use crate::settle::Settlement;
use crate::upstream::UpstreamBody;
use crate::worker::Worker;
use once::Errand;
use turns::{Next, Turns};

pub(crate) use request::{ClientHeaders, embedding_request, first_request, probe_request};
pub(crate) use succession::{Succeeded, Succession};

/// What a provider answered, ready to be relayed.
#[expect(
    clippy::large_enum_variant,
    reason = "most answers are whole: a box for each costs more than the room in the few others"
)]
pub(crate) enum Answered {
    /// A whole body.
    Whole(Answer, Passed),
    /// The beginning of a stream.
    Stream(Box<Opened>),
    /// What passes through, from its beginning.
    Passing(Box<Passing>),
    /// The provider's own "no", in the client's dialect.
    Failure(ProviderFailure, Passed),
    /// Given before, and given again from the cache.
    Recalled(Recalled),
}

/// A stream whose first content has arrived.
pub(crate) struct Opened {
    /// What follows.
    pub(crate) body: UpstreamBody,
    /// Reads it; has seen what has arrived.
    pub(crate) reader: StreamReader,
    /// What that became.
    pub(crate) first: Vec<bytes::Bytes>,
    /// The pause between two pieces that is allowed.
    pub(crate) idle: Duration,
    /// When the whole exchange must be over.
    pub(crate) deadline: tokio::time::Instant,
    /// Headers for the client.
    pub(crate) passed: Passed,
    /// Who may go on with it if it breaks; `None`: nobody.
    pub(crate) succession: Option<Box<Succession>>,
}

/// One attempt that came to nothing.
enum Failed {
    /// It was made.
    Attempted {
        candidate: Candidate,
        outcome: OutcomeClass,
        reason: Reason,
    },
    /// It was not: the request cannot be put into this target's dialect.
    Untranslatable(Candidate, Refusal),
}

enum Reason {
    /// The provider said so.
    Provider(Box<ProviderFailure>, Passed),
    /// The gateway found out: no connection, no answer, an answer that cannot be read.
    Gateway(String),
}

/// Where to turn after a failure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    NextCredential,
    NextCandidate,
    Nowhere,
}

/// Tries the plan's candidates in order, within what the request may take and cost.
///
/// A failure that is the client's own ends the line at once. One that is the credential's is tried again at the
/// same target with the provider's next credential; any other moves on to the next candidate. Who says when to come
/// back is asked again when everybody else has failed, if there is time.
pub(crate) async fn attempt(
    worker: &Worker,
    call: &Call,
    headers: ClientHeaders<'_>,
    plan: &Plan,
    bounds: &Bounds,
    settlement: &mut Settlement,
) -> Result<Answered, Refusal> {
    let ledger = settlement.ledger().clone();
    let errand = Errand {
        worker,
        call,
        headers,
        strict: plan.route.strict,
        request_id: settlement.id(),
        arrived: settlement.arrived(),
        deadline: bounds.deadline,
        is_collecting: plan.route.limits.continue_streams,
        continuing: None,
    };
    plan.route.retry_budget.deposit(Clock.moment());
    let last_resort = settlement
        .decision()
        .is_some_and(tollgate_routing::Decision::is_panic);
    let mut turns = Turns::new(plan, bounds, ledger.clone(), last_resort);
    let mut last = None;
    loop {
        let turn = match turns.next() {
            Next::Try(turn) => turn,
            Next::Wait(pause) => {
                tokio::time::sleep(pause).await;
                continue;
            }
            Next::Nobody => break,
        };
        let raced = race::race(&errand, *turn, &mut turns).await;
        if let Some((leg, answered)) = raced.answered {
            settlement.serves(leg);
            return Ok(answered);
        }
        for failed in raced.failed {
            settlement.asked(failed.candidate());
            turns.failed(&failed);
            // What a provider answered says more than that another was not asked.
            if last.is_none() || matches!(failed, Failed::Attempted { .. }) {
                last = Some(failed);
            }
        }
        if call.is_spent() {
            break;
        }
    }
    if turns.is_out_of_retries() {
        worker.shared.meters.retry_refused(&plan.route.name);
        settlement.advise_against_retry();
    }
    match last {
        Some(failed) => give_up(failed, bounds, settlement),
        None => Err(turns.refusal(bounds)),
    }
}

impl Answered {
    /// Lets somebody else go on if the stream breaks, where the route asks for it.
    pub(crate) fn with_succession(mut self, succession: impl FnOnce() -> Option<Succession>) -> Self {
        if let Self::Stream(opened) = &mut self {
            opened.succession = succession().map(Box::new);
        }
        self
    }
}

/// Puts the last failure into words for the client. A lone attempt shows the provider's own answer, as if the
/// client had asked there; after several, the answer names them all.
fn give_up(failed: Failed, bounds: &Bounds, settlement: &Settlement) -> Result<Answered, Refusal> {
    let trail = settlement.ledger().trail();
    let (outcome, reason) = match failed {
        Failed::Untranslatable(_, refusal) => return Err(refusal),
        Failed::Attempted { outcome, reason, .. } => (outcome, reason),
    };
    if outcome == OutcomeClass::DeadlineExceeded {
        return Err(late(bounds, &trail).after(trail));
    }
    let clients_own = !outcome.policy().may_fail_over;
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

/// The time is over.
fn late(bounds: &Bounds, trail: &[AttemptNote]) -> Refusal {
    let allowed = bounds.allowed().unwrap_or_default().as_millis();
    let tried = match trail {
        [] => "nobody could be asked in that time".to_owned(),
        [only] => format!("{} ({}) had not answered", only.provider, only.model),
        trail => format!("{} attempts were made", trail.len()),
    };
    let message = format!("the request's deadline of {allowed} ms is over: {tried}");
    Refusal::new(RefusalKind::DeadlineExceeded, message)
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
        Some(OutcomeClass::CredentialRejected | OutcomeClass::CredentialUnavailable) => {
            RefusalKind::UpstreamCredential
        }
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
    fn candidate(&self) -> &Candidate {
        match self {
            Self::Attempted { candidate, .. } | Self::Untranslatable(candidate, _) => candidate,
        }
    }

    /// When the provider wants to be asked again.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Attempted {
                reason: Reason::Provider(failure, _),
                ..
            } => failure.retry_after,
            _ => None,
        }
    }

    fn turn(&self) -> Turn {
        match self {
            // Another target may speak a dialect that carries it; a field of the wrong type is wrong everywhere.
            Self::Untranslatable(_, refusal) if refusal.kind == RefusalKind::NotTranslatable => {
                Turn::NextCandidate
            }
            Self::Untranslatable(..) => Turn::Nowhere,
            Self::Attempted { outcome, .. } => {
                let policy = outcome.policy();
                match (policy.may_fail_over, policy.fault) {
                    (false, _) => Turn::Nowhere,
                    (true, Fault::Credential) => Turn::NextCredential,
                    (true, _) => Turn::NextCandidate,
                }
            }
        }
    }
}

/// When a deadline is, on the runtime's clock.
fn on_runtime(deadline: std::time::Instant) -> tokio::time::Instant {
    tokio::time::Instant::from_std(deadline)
}

/// Now, on the runtime's clock.
fn runtime_now() -> tokio::time::Instant {
    tokio::time::Instant::from_std(Clock.now())
}

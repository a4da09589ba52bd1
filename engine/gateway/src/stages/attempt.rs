//! Stage "attempt": the plan's candidates are asked in turn, until one answers or nothing is left to try.

mod errand;
mod failed;
mod once;
mod proof;
mod race;
mod reading;
pub(crate) mod request;
mod send;
mod succession;
mod through;
mod turns;

use tollgate_core::{AttemptNote, Clock, OutcomeClass, Refusal, RefusalKind};
use tollgate_routing::Plan;

use crate::exchange::answered::Answered;
use crate::exchange::call::Call;
use crate::stages::bounds::Bounds;
use crate::stages::settle::Settlement;
use crate::worker::Worker;
use errand::Errand;
use failed::{Failed, Reason};
use request::ClientHeaders;
use turns::{Next, Turns, late};

pub(crate) use succession::Succession;

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

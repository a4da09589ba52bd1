//! Stage "recall": an answer that was given before, where the route keeps answers.
//!
//! Who finds none gets a [`Filling`]: the right to ask upstream, and the duty to bring the answer. Concurrent
//! requests of the same question wait for it.

pub(crate) mod feedback;
pub(crate) mod fill;
pub(crate) mod flights;
pub(crate) mod pace;
mod question;
pub(crate) mod repeats;
pub(crate) mod search;
mod tell;
mod wish;

use std::time::Duration;

use actix_web::HttpRequest;
use tollgate_cache::{Found, Looked, Mode, Policy, Withheld};
use tollgate_core::{Clock, Refusal, RefusalKind, Timestamp};
use tollgate_telemetry::{CacheRecord, CacheResult, WhyWithheld};

use crate::exchange::answered::Answered;
use crate::exchange::call::Call;
use crate::stages::authenticate::Caller;
use crate::stages::bounds::Bounds;
use crate::stages::settle::Settlement;
use crate::worker::Worker;
use feedback::Feedback;
use fill::Filling;
use flights::{Flight, Landing, Turn, landed};
use pace::Pace;
use question::{Question, scope};
use repeats::Sent;
use search::{Terms, search};
use tell::tell;
use wish::Wish;

/// How long one request waits for another's answer: a client that reads slowly holds up its own request, not those of
/// others.
const LONGEST_FLIGHT: Duration = Duration::from_secs(60);

/// Looks for an answer that was given before. `None`: somebody must be asked.
pub(crate) async fn recall(
    worker: &Worker,
    request: &HttpRequest,
    call: &Call,
    caller: &Caller,
    bounds: &Bounds,
    settlement: &mut Settlement,
) -> Result<Option<Answered>, Refusal> {
    let settings = settlement.settings().clone();
    let is_heard = heard(worker, request, caller, settlement).await?;
    let passes = call.surface.through().is_some();
    let Some(found) = settings.catalog.find(&call.model).filter(|_| !passes) else {
        return Ok(None);
    };
    settlement.reached(&found.route);
    let policy = settings.cache.policy(&found.route.name);
    if policy.mode == Mode::Off {
        return Ok(None);
    }
    let bounds = &bounds.clone().within(&found.route.limits);
    let mut wish = Wish::read(request)?;
    // What was just called wrong must not come again, also where a busy keeper has not taken it away yet.
    wish.reads &= is_heard;
    let policy = wish.tighten(policy);
    if policy.mode == Mode::Off || !(wish.reads || wish.writes) {
        return bypassed("request", &wish, settlement);
    }
    let pace = policy.pace.map(|tokens| Pace::new(tokens, bounds.deadline));
    let route = &found.route;
    let scope = scope(request, call, caller, bounds, route, &policy);
    let sent = Sent::new(&scope, call);
    if let Some(found) = again(worker, sent, &wish, settlement.arrived())
        && let Some(recalled) = tell(call, &found, pace, settlement).await
    {
        worker
            .shared
            .cache
            .store()
            .served(&found.entry, settlement.arrived());
        return Ok(Some(Answered::Recalled(recalled)));
    }
    let mut question = match Question::of(scope, call, caller, bounds, route, &policy).await {
        Ok(question) => question,
        Err(reason) => return bypassed(reason, &wish, settlement),
    };
    if let Some(sent) = sent {
        worker.repeats.note(sent, question.exact);
    }
    let mut has_waited_in_vain = false;
    loop {
        let terms = Terms::new(policy.mode, policy.learns(), &wish, settlement.arrived());
        let looked = if wish.reads {
            search(worker, &mut question, terms, bounds.deadline, settlement).await
        } else {
            Looked::default()
        };
        let (found, withheld) = withhold(looked, &policy, &wish);
        if let Some(found) = found
            && let Some(recalled) = tell(call, &found, pace, settlement).await
        {
            let name = caller.name().map_or("", |name| name);
            let cache = &worker.shared.cache;
            cache.served(&found, question.key(), name, settlement.arrived());
            return Ok(Some(Answered::Recalled(recalled)));
        }
        settlement.cached(missed(withheld.as_ref()));
        let withheld = withheld.map(|(withheld, _)| withheld);
        if wish.only {
            return Err(not_cached("miss", settlement));
        }
        if !wish.writes {
            return Ok(None);
        }
        match worker.shared.flights.join(question.exact) {
            Turn::Lead(ticket) => {
                let begun = worker.shared.cache.store().begin();
                let most = settings.cache.max_entry_bytes;
                let filling = Filling::new(question, policy, (ticket, begun), call, most);
                settlement.fills(filling.rechecking(withheld));
                return Ok(None);
            }
            // Who wants a new answer does not want somebody else's.
            Turn::Follow(_) if !wish.reads || has_waited_in_vain => return Ok(None),
            Turn::Follow(flight) => {
                has_waited_in_vain = wait(flight, bounds, settlement).await? != Some(Landing::Left);
            }
        }
    }
}

/// Whether what the client says of an earlier answer has been written down, if it says anything. Of what is not there,
/// or not this caller's, nothing can be learned, and nobody be told.
async fn heard(
    worker: &Worker,
    request: &HttpRequest,
    caller: &Caller,
    settlement: &mut Settlement,
) -> Result<bool, Refusal> {
    match Feedback::of_header(request)? {
        Some(feedback) => Ok(feedback.tell(worker, caller, settlement).await.is_ok()),
        None => Ok(true),
    }
}

/// The answer to a request that came before as it is, and was remembered.
fn again(worker: &Worker, sent: Option<Sent>, wish: &Wish, now: Timestamp) -> Option<Found> {
    let question = worker.repeats.question(sent.filter(|_| wish.reads)?)?;
    worker.shared.cache.exact(&question, wish.max_age, now)
}

/// The cache has no say in this request.
fn bypassed(
    reason: &'static str,
    wish: &Wish,
    settlement: &mut Settlement,
) -> Result<Option<Answered>, Refusal> {
    settlement.cached(CacheRecord {
        reason: Some(reason),
        ..CacheRecord::of(CacheResult::Bypass)
    });
    if wish.only {
        Err(not_cached(reason, settlement))
    } else {
        Ok(None)
    }
}

/// Waits for somebody else's answer. `None`: that takes too long.
async fn wait(
    flight: Flight,
    bounds: &Bounds,
    settlement: &mut Settlement,
) -> Result<Option<Landing>, Refusal> {
    let (left, began) = (bounds.time_left().unwrap_or(Duration::MAX), Clock.now());
    let landing = landed(flight, left.min(LONGEST_FLIGHT)).await;
    settlement.waited(Clock.now().duration_since(began));
    if landing.is_none() && left <= LONGEST_FLIGHT {
        let allowed = bounds.allowed().unwrap_or_default().as_millis();
        let message = format!(
            "the request's deadline of {allowed} ms is over: the same question was being answered for somebody else"
        );
        return Err(Refusal::new(RefusalKind::DeadlineExceeded, message));
    }
    Ok(landing)
}

/// What is given, and what is only compared, and why.
fn withhold(
    looked: Looked,
    policy: &Policy,
    wish: &Wish,
) -> (Option<Found>, Option<(Withheld, WhyWithheld)>) {
    let near = looked.near.map(|near| (near, WhyWithheld::Near));
    let Some(found) = looked.found else {
        return (None, near);
    };
    let why = if policy.shadow {
        Some(WhyWithheld::Shadow)
    } else {
        let is_drawn = !wish.only && rand::random::<f32>() < policy.recheck;
        is_drawn.then_some(WhyWithheld::Recheck)
    };
    match found.score.zip(why) {
        // The same question is always answered.
        None => (Some(found), None),
        Some((score, why)) => {
            let withheld = Withheld {
                entry: found.entry.id,
                score,
                is_hit: true,
            };
            (None, Some((withheld, why)))
        }
    }
}

/// That there is no answer, though perhaps there could have been one.
fn missed(withheld: Option<&(Withheld, WhyWithheld)>) -> CacheRecord {
    CacheRecord {
        score: withheld.map(|it| it.0.score),
        entry: withheld.map(|it| it.0.entry.0),
        withheld: withheld.map(|it| it.1),
        ..CacheRecord::of(CacheResult::Miss)
    }
}

fn not_cached(reason: &str, settlement: &mut Settlement) -> Refusal {
    settlement.advise_against_retry();
    let message =
        format!("only an answer from the cache was wanted, and there is none ({reason}): ask without 'only'");
    Refusal::new(RefusalKind::NotCached, message)
}

/// What the cache said, in a header.
pub(crate) fn summary(cache: &CacheRecord) -> String {
    use std::fmt::Write as _;
    let mut text = String::from(match cache.result {
        CacheResult::Hit => "hit",
        CacheResult::HitFolded => "hit; folded",
        CacheResult::HitSemantic => "semantic",
        CacheResult::Miss => "miss",
        CacheResult::Bypass => "bypass",
    });
    // Whether a miss was drawn for a check, or was near, is no client's business: only that a shadow fell.
    if cache.withheld == Some(WhyWithheld::Shadow) {
        text.push_str("; would=semantic");
    } else if cache.withheld.is_some() {
        return text;
    }
    // Writing into memory cannot fail.
    if let Some(score) = cache.score {
        let _ = write!(text, "; score={score:.3}");
    }
    if let Some(age) = cache.age {
        let _ = write!(text, "; age={}", age.as_secs());
    }
    if let Some(entry) = cache.entry {
        let _ = write!(text, "; entry={entry}");
    }
    if let Some(reason) = cache.reason {
        let _ = write!(text, "; reason={reason}");
    }
    text
}

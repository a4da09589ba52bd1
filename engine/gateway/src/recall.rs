//! Stage "recall": an answer that was given before, where the route keeps answers.
//!
//! Who finds none gets a [`Filling`]: the right to ask upstream, and the duty to bring the answer. Concurrent
//! requests of the same question wait for it.

mod fill;
mod flights;
mod question;
mod wish;

use std::time::Duration;

use actix_web::HttpRequest;
use tollgate_adapters::{Fresh, Kept, Shape};
use tollgate_cache::{Found, Layer, Mode, Policy};
use tollgate_core::{FinishReason, Refusal, RefusalKind};
use tollgate_telemetry::{CacheRecord, CacheResult};

use crate::accept::Call;
use crate::attempt::Answered;
use crate::authenticate::Caller;
use crate::bounds::Bounds;
use crate::settle::Settlement;
use crate::worker::Worker;
use flights::{Turn, landed};
use wish::Wish;

pub(crate) use fill::Filling;
pub(crate) use flights::Flights;
pub(crate) use question::Question;

/// An answer from the cache, in the client's dialect.
pub(crate) struct Recalled {
    pub(crate) body: bytes::Bytes,
    pub(crate) is_stream: bool,
    pub(crate) finish: Option<FinishReason>,
}

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
    let Some(found) = settings.catalog.find(&call.model) else {
        return Ok(None);
    };
    settlement.reached(&found.route);
    let policy = settings.cache.policy(&found.route.name);
    if policy.mode == Mode::Off {
        return Ok(None);
    }
    let wish = Wish::read(request)?;
    let policy = wish.tighten(policy);
    let question = match Question::of(request, call, caller, bounds, &found.route, &policy) {
        _ if policy.mode == Mode::Off || !(wish.reads || wish.writes) => Err("request"),
        question => question,
    };
    let question = match question {
        Ok(question) => question,
        Err(reason) => {
            settlement.cached(CacheRecord {
                reason: Some(reason),
                ..CacheRecord::of(CacheResult::Bypass)
            });
            return if wish.only {
                Err(not_cached(reason))
            } else {
                Ok(None)
            };
        }
    };
    loop {
        let found = find(worker, &question, &policy, &wish, settlement);
        let is_rechecked = |found: &Found| {
            found.layer == Layer::Semantic && !wish.only && rand::random::<f32>() < policy.recheck
        };
        let rechecked = found.as_ref().filter(|it| is_rechecked(it)).map(|it| it.entry.id);
        let found = found.filter(|_| rechecked.is_none());
        if let Some(recalled) = found.and_then(|found| tell(call, &found, settlement)) {
            return Ok(Some(Answered::Recalled(recalled)));
        }
        settlement.cached(CacheRecord::of(CacheResult::Miss));
        if wish.only {
            return Err(not_cached("miss"));
        }
        if !wish.writes {
            return Ok(None);
        }
        match worker.shared.flights.join(question.key.exact) {
            Turn::Lead(ticket) => {
                let begun = worker.shared.cache.store().begin();
                let most = settings.cache.max_entry_bytes;
                let filling = Filling::new(question, policy, (ticket, begun), call, most);
                settlement.fills(filling.rechecking(rechecked));
                return Ok(None);
            }
            // Who wants a new answer does not want somebody else's.
            Turn::Follow(_) if !wish.reads => return Ok(None),
            Turn::Follow(flight) => wait(flight, bounds).await?,
        }
    }
}

async fn wait(flight: tokio::sync::watch::Receiver<()>, bounds: &Bounds) -> Result<(), Refusal> {
    let Some(left) = bounds.time_left() else {
        landed(flight).await;
        return Ok(());
    };
    tokio::time::timeout(left, landed(flight)).await.map_err(|_| {
        let allowed = bounds.allowed().unwrap_or_default().as_millis();
        let message = format!("the request's deadline of {allowed} ms is over: the same question was being answered for somebody else");
        Refusal::new(RefusalKind::DeadlineExceeded, message)
    })
}

fn find(
    worker: &Worker,
    question: &Question,
    policy: &Policy,
    wish: &Wish,
    settlement: &Settlement,
) -> Option<Found> {
    if !wish.reads {
        return None;
    }
    let words = question
        .words
        .as_deref()
        .filter(|_| question.only_exact.is_none());
    let (cache, now) = (&worker.shared.cache, settlement.arrived());
    cache.find(&question.key, words, policy.mode, now, wish.max_age)
}

/// The answer in the client's words. `None`: it cannot be told there.
fn tell(call: &Call, found: &Found, settlement: &mut Settlement) -> Option<Recalled> {
    let (entry, now) = (&found.entry, settlement.arrived());
    let kept = Kept::from_bytes(&entry.answer).ok()?;
    let shape = if call.head.stream {
        Shape::Stream {
            include_usage: call.head.include_usage,
            piece_bytes: Shape::PIECE_BYTES,
        }
    } else {
        Shape::Whole
    };
    let fresh = Fresh {
        request_id: settlement.id(),
        now,
        model: None,
    };
    let body = kept.render(call.surface, shape, fresh)?;
    let age = now.since(entry.created);
    settlement.cached(CacheRecord {
        result: match found.layer {
            Layer::Exact => CacheResult::Hit,
            Layer::Folded => CacheResult::HitFolded,
            Layer::Semantic => CacheResult::HitSemantic,
        },
        score: found.score,
        age: Some(age),
        entry: Some(entry.id.0),
        saved: Some(entry.worth.cost).filter(|cost| cost.0 > 0),
        saved_time: Some(Duration::from_micros(entry.worth.latency_us.into())),
        reason: None,
    });
    Some(Recalled {
        body,
        is_stream: call.head.stream,
        finish: kept.choices().first().map(|choice| choice.finish),
    })
}

fn not_cached(reason: &str) -> Refusal {
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

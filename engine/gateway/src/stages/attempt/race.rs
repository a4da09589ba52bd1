//! A hedge: when an answer is late, a second target is asked beside the first, and the first answer wins.
//!
//! After Dean and Barroso 2013, "The tail at scale": late means beyond the target's own 95th percentile, so that one
//! request in twenty is hedged at the most; a budget keeps it there when percentiles lag.

use std::time::Duration;

use futures_util::future::{Either, select};
use tollgate_core::Clock;
use tollgate_routing::Hedge;

use super::errand::Errand;
use super::failed::Failed;
use super::once::attempt_once;
use super::turns::{Asked, Turns};
use crate::exchange::answered::Answered;
use crate::exchange::leg::Leg;

/// What came of one turn, and of the hedge beside it.
pub(super) struct Raced {
    pub(super) answered: Option<(Leg, Answered)>,
    pub(super) failed: Vec<Failed>,
}

/// Asks one candidate; and another one beside it, if the route says so and the first is late.
pub(super) async fn race<'p>(errand: &Errand<'_>, asked: Asked<'p>, turns: &mut Turns<'p>) -> Raced {
    // What a client is still sending can go to one target only.
    let hedge = turns
        .route()
        .limits
        .hedge
        .filter(|_| errand.call.upload().is_none());
    match hedge.and_then(|hedge| Some((hedge, late_after(&hedge, &asked)?))) {
        None => Raced::of(attempt_once(errand, asked).await),
        // In a box: hedges are few, and every request would carry the room for one.
        Some((hedge, late_after)) => Box::pin(hedged(errand, asked, turns, hedge, late_after)).await,
    }
}

async fn hedged<'p>(
    errand: &Errand<'_>,
    asked: Asked<'p>,
    turns: &mut Turns<'p>,
    hedge: Hedge,
    late_after: Duration,
) -> Raced {
    let ledger = asked.leg.ledger().clone();
    let route = turns.route();
    let mut first = std::pin::pin!(attempt_once(errand, asked));
    errand.worker.hedgeable(route, &hedge);
    if let Ok(done) = tokio::time::timeout(late_after, &mut first).await {
        return Raced::of(done);
    }
    let may_hedge = errand.worker.may_hedge(route);
    let Some(second) = may_hedge.then(|| turns.hedge(hedge.max_cost)).flatten() else {
        return Raced::of(first.await);
    };
    let second = std::pin::pin!(attempt_once(errand, second));
    let (done, other) = match select(first, second).await {
        Either::Left((done, other)) => (done, Either::Left(other)),
        Either::Right((done, other)) => (done, Either::Right(other)),
    };
    match done {
        Ok(answered) => {
            // Whoever is still under way is dropped at the end of this, and books itself as no longer needed.
            ledger.answered();
            Raced::of(Ok(answered))
        }
        Err(failed) => {
            let mut raced = Raced::of(other.await);
            raced.failed.insert(0, failed);
            raced
        }
    }
}

/// How long the first one may take.
fn late_after(hedge: &Hedge, asked: &Asked<'_>) -> Option<Duration> {
    if hedge.after.is_some() {
        return hedge.after;
    }
    let vitals = asked.leg.candidate.target.cell.vitals(Clock.moment());
    vitals
        .p95_ttft_us
        .map(|micros| Duration::from_secs_f32((micros / 1e6).clamp(0.0, 600.0)))
}

impl Raced {
    fn of(done: Result<(Leg, Answered), Failed>) -> Self {
        match done {
            Ok(answered) => Self {
                answered: Some(answered),
                failed: Vec::new(),
            },
            Err(failed) => Self {
                answered: None,
                failed: vec![failed],
            },
        }
    }
}

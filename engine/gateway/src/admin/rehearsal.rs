//! Rehearsals: what a change would have done with recorded decisions, and how far that can be believed.

use std::sync::Arc;

use actix_web::web;
use serde::Serialize;
use tollgate_routing::{Changes, Decision, Forecast, Replay};

use super::problem::{Kind, Problem};
use crate::explain::DecisionRecord;
use crate::worker::Shared;

/// Decisions that one rehearsal looks at, at most.
pub(crate) const MOST_DECISIONS: usize = 100_000;

/// What a change would have done, and how far that can be believed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Rehearsal {
    #[serde(flatten)]
    pub(crate) forecast: Forecast,
    /// When the first of the decisions was made, milliseconds since the Unix epoch; `None`: there are none.
    pub(crate) from_ms: Option<u64>,
    /// When the last one was made.
    pub(crate) to_ms: Option<u64>,
    /// What is exact, and what is an estimate.
    pub(crate) notes: Vec<String>,
}

/// Replays decisions one after the other.
pub(crate) struct Rehearser<'c> {
    changes: &'c Changes,
    replay: Replay,
    decisions: u64,
    from_ms: Option<u64>,
    to_ms: Option<u64>,
    least_epoch: u64,
    last_epoch: u64,
}

impl<'c> Rehearser<'c> {
    pub(crate) fn new(changes: &'c Changes) -> Self {
        Self {
            changes,
            replay: Replay::default(),
            decisions: 0,
            from_ms: None,
            to_ms: None,
            least_epoch: u64::MAX,
            last_epoch: 0,
        }
    }

    /// Makes one decision again.
    pub(crate) fn decide(&mut self, at_ms: u64, decision: &Decision) {
        self.replay.decide(decision, self.changes);
        self.decisions += 1;
        self.from_ms = Some(self.from_ms.map_or(at_ms, |from| from.min(at_ms)));
        self.to_ms = Some(self.to_ms.map_or(at_ms, |to| to.max(at_ms)));
        self.least_epoch = self.least_epoch.min(decision.epoch);
        self.last_epoch = self.last_epoch.max(decision.epoch);
    }

    /// What came of it.
    pub(crate) fn end(self) -> Rehearsal {
        let notes = self.notes();
        Rehearsal {
            forecast: self.replay.forecast(),
            from_ms: self.from_ms,
            to_ms: self.to_ms,
            notes,
        }
    }

    fn notes(&self) -> Vec<String> {
        if self.decisions == 0 {
            return vec![
                "no decision was recorded that this could be tried on: the forecast says nothing".to_owned(),
            ];
        }
        let mut notes = vec![
            "exact: who is asked first, and refusals. The order of each decision is computed by the function that the router \
             uses, from what was known at that moment; without a change every order comes out as it was, to the bit"
                .to_owned(),
            "estimate: cost and time. They are what was expected at that moment of whoever is asked first; \
             failovers, hedges and the real length of answers are not in them"
                .to_owned(),
            "unknown: how a target would bear traffic that it never got. Its latency and errors are taken to stay \
             as they were"
                .to_owned(),
        ];
        if changes_limits(self.changes) {
            notes.push(
                "not foreseen: changes to max_attempts, deadline_ms and max_cost_usd. Who was filtered out by a \
                 deadline or a ceiling is taken to stay filtered out"
                    .to_owned(),
            );
        }
        if self.least_epoch < self.last_epoch {
            notes.push(format!(
                "'before' is as recorded: the decisions were made under epochs {} to {}, not all under the present \
                 configuration",
                self.least_epoch, self.last_epoch
            ));
        }
        notes
    }
}

fn changes_limits(changes: &Changes) -> bool {
    changes
        .values()
        .any(|it| it.max_attempts.is_some() || it.deadline_ms.is_some() || it.max_cost_usd.is_some())
}

/// Replays the newest decisions that are kept, away from the admin thread.
pub(super) async fn rehearse(
    shared: &Arc<Shared>,
    changes: Changes,
    route: Option<String>,
    limit: Option<usize>,
) -> Result<Rehearsal, Problem> {
    let shared = shared.clone();
    let replayed = web::block(move || {
        let mut rehearser = Rehearser::new(&changes);
        let of_route = |it: &DecisionRecord| route.is_none() || it.route.as_deref() == route.as_deref();
        for record in shared.decisions.latest(limit.unwrap_or(MOST_DECISIONS), of_route) {
            rehearser.decide(record.at_ms, &record.decision);
        }
        rehearser.end()
    });
    let ended = |_| Problem::new(Kind::Unavailable, "the replay was broken off");
    replayed.await.map_err(ended)
}

#[cfg(test)]
pub(crate) mod tests;

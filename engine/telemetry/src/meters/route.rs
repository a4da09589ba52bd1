//! What is counted for a route: its requests, and what routing had to do to answer them.

use std::sync::{Arc, OnceLock};

use metrics::{Counter, Histogram};
use tollgate_core::{OutcomeClass, Surface};

use super::family::{self, Family};
use super::names::{self, Metric};
use super::registry::Registry;
use crate::{AttemptRecord, AttemptRole, Ending, RequestRecord};

#[derive(Debug)]
pub(super) struct RouteMeters {
    name: Box<str>,
    registry: Arc<Registry>,
    /// By what was called, status and ending.
    requests: Family<(Option<Surface>, u16, Ending), Counter>,
    attempts: OnceLock<Histogram>,
    failovers: Family<&'static str, Counter>,
    hedges: Family<&'static str, Counter>,
    continuations: Family<&'static str, Counter>,
    filtered: Family<&'static str, Counter>,
    retries_refused: OnceLock<Counter>,
    panics: OnceLock<Counter>,
}

impl RouteMeters {
    pub(super) fn new(name: &str, registry: Arc<Registry>) -> Self {
        Self {
            name: name.into(),
            registry,
            requests: Family::default(),
            attempts: OnceLock::new(),
            failovers: Family::default(),
            hedges: Family::default(),
            continuations: Family::default(),
            filtered: Family::default(),
            retries_refused: OnceLock::new(),
            panics: OnceLock::new(),
        }
    }

    /// Counts a settled request of this route.
    pub(super) fn settle(&self, record: &RequestRecord) {
        let key = (record.surface, record.status, record.ending);
        let make = || self.request_counter(record);
        self.requests.with(key, make, |counter| counter.increment(1));
        let attempts = &*record.attempts;
        if attempts.is_empty() {
            return;
        }
        self.attempts
            .get_or_init(|| {
                self.registry
                    .histogram(&names::ATTEMPTS_PER_REQUEST, &[&self.name])
            })
            .record(f64::from(u32::try_from(attempts.len()).unwrap_or(u32::MAX)));
        for failed in failed_over(attempts) {
            self.count(&self.failovers, &names::FAILOVERS, failed.name());
        }
        for attempt in attempts {
            match attempt.role {
                AttemptRole::Hedge => {
                    self.count(&self.hedges, &names::HEDGES, hedge_result(attempt, record));
                }
                AttemptRole::Continuation => {
                    let result = continuation_result(attempt.outcome);
                    self.count(&self.continuations, &names::CONTINUATIONS, result);
                }
                AttemptRole::Ordinary | AttemptRole::Probe => {}
            }
        }
    }

    pub(super) fn retry_refused(&self) {
        self.once(&self.retries_refused, &names::RETRIES_REFUSED);
    }

    pub(super) fn panicked(&self) {
        self.once(&self.panics, &names::PANIC);
    }

    pub(super) fn filtered(&self, filter: &'static str) {
        self.count(&self.filtered, &names::FILTERED, filter);
    }

    fn request_counter(&self, record: &RequestRecord) -> Counter {
        let surface = record.surface.map_or("", Surface::name);
        let code = match record.status {
            code @ 100..=599 => code.to_string(),
            _ => family::OTHER.to_owned(),
        };
        let labels = [&*self.name, surface, &code, record.ending.name()];
        self.registry.counter(&names::REQUESTS, &labels)
    }

    fn count(&self, counters: &Family<&'static str, Counter>, metric: &'static Metric, value: &'static str) {
        let make = || self.registry.counter(metric, &[&self.name, value]);
        counters.with(value, make, |counter| counter.increment(1));
    }

    fn once(&self, counter: &OnceLock<Counter>, metric: &'static Metric) {
        counter
            .get_or_init(|| self.registry.counter(metric, &[&self.name]))
            .increment(1);
    }
}

/// The failures after which somebody else was asked because of them. A hedge is asked because an attempt is late,
/// and a continuation has a count of its own.
fn failed_over(attempts: &[AttemptRecord]) -> impl Iterator<Item = OutcomeClass> {
    let is_turn = |it: &AttemptRecord| matches!(it.role, AttemptRole::Ordinary | AttemptRole::Probe);
    let last_turn = attempts.iter().rposition(is_turn).unwrap_or(0);
    let before = attempts.iter().take(last_turn).map(|it| it.outcome);
    before.filter(|outcome| outcome.policy().may_fail_over)
}

/// Won: the client got its answer, or was getting it when it left. Lost: another was first, or nobody was waited
/// for any more. Failed: it came to nothing, or broke.
fn hedge_result(hedge: &AttemptRecord, record: &RequestRecord) -> &'static str {
    let is_serving = || {
        let served = record.served.as_ref();
        served.is_some_and(|it| (&it.provider, &it.model) == (&hedge.provider, &hedge.model))
    };
    match hedge.outcome {
        OutcomeClass::Success => "won",
        OutcomeClass::ClientGone if is_serving() => "won",
        OutcomeClass::Superseded | OutcomeClass::DeadlineExceeded | OutcomeClass::ClientGone => "lost",
        _ => "failed",
    }
}

fn continuation_result(outcome: OutcomeClass) -> &'static str {
    match outcome {
        OutcomeClass::Success => "completed",
        OutcomeClass::ClientGone | OutcomeClass::Superseded => "abandoned",
        _ => "failed",
    }
}

//! From all that was seen of a drill to its report. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use super::advice::advice;
use super::breakers::Looks;
use super::calls::{Call, provider_of};
use super::course::{Point, time_until_back, time_until_moved};
use super::facts::Facts;
use super::figures::Phase;
use super::journal::Lines;
use super::plan::Plan;
use super::report::{Measured, Probes, Report};
use super::table::{Drill, Fault};
use super::thresholds::{Metric, Threshold};
use crate::load::number::float;

/// When what happened, since the start of the drill.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Course {
    /// From then on all was well.
    pub(super) settled: Duration,
    pub(super) fault: Duration,
    pub(super) healed: Duration,
    pub(super) ended: Duration,
    /// The busiest target before the fault, where its provider was struck.
    pub(super) primary: Option<String>,
    /// Reloads asked for, or rounds of restarts.
    pub(super) rounds: u64,
    /// Reloads that came into force. `None`: none were asked for.
    pub(super) applied: Option<u64>,
    pub(super) done: Vec<String>,
}

/// All that was seen.
pub(super) struct Evidence<'a> {
    pub(super) drill: &'a Drill,
    pub(super) plan: &'a Plan,
    pub(super) facts: &'a Facts,
    pub(super) obstacles: Vec<String>,
    pub(super) remarks: Vec<String>,
    pub(super) course: Course,
    /// In the order in which they were due.
    pub(super) calls: Vec<Call>,
    pub(super) lines: Lines,
    pub(super) looks: Looks,
    /// `None`: no cache is kept.
    pub(super) cache_lost: Option<f64>,
    pub(super) lag_p99_ms: Option<f64>,
}

pub(super) fn judged(seen: &Evidence<'_>) -> Report {
    let Course {
        fault, healed, ended, ..
    } = seen.course;
    let phases = |is_in: &dyn Fn(&Call) -> bool, lasted: Duration| {
        Phase::of(seen.calls.iter().filter(|call| is_in(call)), &seen.lines, lasted)
    };
    let settled = seen.course.settled;
    let before = phases(
        &|it| it.due >= settled && it.ended < fault,
        fault.saturating_sub(settled),
    );
    let during = phases(
        &|it| it.ended >= fault && it.due < healed,
        healed.saturating_sub(fault),
    );
    let after = phases(&|it| it.due >= healed, ended.saturating_sub(healed));
    let provider = seen.course.primary.as_deref().and_then(provider_of);
    let outcomes = provider.map(|it| outcomes(seen, it)).unwrap_or_default();
    let mut measured = Measured::from_phases(&before, &during, &after);
    if let Some(provider) = provider {
        measured.shift_ms = shift(seen, provider).map(millis);
        measured.met = Some(float(met(seen, &outcomes)));
        measured.return_ms = back(seen, provider, before.share_of(provider)).map(millis);
    }
    measured.recovery_ms = recovery(seen).map(millis);
    measured.log_broken = (seen.lines.read > 0).then(|| float(seen.lines.broken));
    measured.cache_lost = seen.cache_lost;
    if matches!(seen.drill.fault, Fault::Reload(_)) {
        measured.reloads_missing = seen
            .course
            .applied
            .map(|applied| float(seen.course.rounds.saturating_sub(applied)));
    }
    let (sent, went_well) = provider.map_or((0, 0), |it| seen.lines.of_role(it, "probe"));
    let mut report = Report {
        drill: seen.drill.name.to_owned(),
        about: seen.drill.about.to_owned(),
        model: seen.facts.model.clone(),
        rate: seen.plan.rate,
        primary: seen.course.primary.clone(),
        obstacles: seen.obstacles.clone(),
        remarks: seen.remarks.clone(),
        before,
        during,
        after,
        measured,
        outcomes,
        changes: provider.map_or_else(Vec::new, |it| seen.looks.of(it, fault)),
        probes: Probes { sent, went_well },
        done: done(seen),
        lag_p99_ms: seen.lag_p99_ms,
        verdicts: Vec::new(),
        passed: false,
    };
    let verdicts: Vec<_> = thresholds(seen)
        .iter()
        .map(|it| {
            it.judge(&report.measured, |metric| {
                advice(metric, seen.drill, seen.facts, &report)
            })
        })
        .collect();
    report.passed = verdicts.iter().all(|verdict| !verdict.failed);
    report.verdicts = verdicts;
    report
}

/// Nobody is failed, unless asked for, for what cannot be: a cache that is not kept cannot lose anything, and where
/// targets are chosen by how they fare, a provider that others have replaced as well need not get its share back.
fn thresholds(seen: &Evidence<'_>) -> Vec<Threshold> {
    let mut all = seen.plan.thresholds(seen.drill);
    let asked = |metric| seen.plan.fail_if.iter().any(|it| it.metric == metric);
    let is_owed = |metric| match metric {
        Metric::CacheLost => seen.cache_lost.is_some(),
        Metric::Return => !seen.facts.is_scored,
        _ => true,
    };
    all.retain(|it| is_owed(it.metric) || asked(it.metric));
    all
}

fn done(seen: &Evidence<'_>) -> Vec<String> {
    let mut done = seen.course.done.clone();
    if let (Fault::Reload(_), Some(applied)) = (seen.drill.fault, seen.course.applied) {
        done.push(format!(
            "{} reloads were asked for, {applied} came into force",
            seen.course.rounds
        ));
    }
    done
}

/// Attempts at the provider while it was struck, by how they ended. Where the fault spares some, those are of interest
/// that were due in it.
fn outcomes(seen: &Evidence<'_>, provider: &str) -> BTreeMap<String, u64> {
    let Course { fault, healed, .. } = seen.course;
    let fails_all = seen.drill.fault.fails_all();
    let is_in = |call: &&Call| {
        let begins = if fails_all { call.ended } else { call.due };
        begins >= fault && call.due < healed
    };
    let ids = seen
        .calls
        .iter()
        .filter(is_in)
        .filter_map(|call| call.id.as_deref());
    seen.lines.outcomes(provider, ids)
}

/// Those of them that met the fault: where it fails everybody, those that went well did not.
fn met(seen: &Evidence<'_>, outcomes: &BTreeMap<String, u64>) -> u64 {
    let fails_all = seen.drill.fault.fails_all();
    let such = outcomes
        .iter()
        .filter(|(outcome, _)| !fails_all || *outcome != "success");
    such.map(|(_, many)| many).sum()
}

/// From the fault until requests are served by another provider, without an attempt at the struck one. A hedge is an
/// attempt at yet another one: that there were several says nothing.
fn shift(seen: &Evidence<'_>, provider: &str) -> Option<Duration> {
    let Course { fault, healed, .. } = seen.course;
    let points: Vec<Point> = since(seen, fault, healed, |call| {
        let line = call.id.as_deref().and_then(|id| seen.lines.get(id));
        let is_spared = line.map_or(call.attempts == Some(1), |line| {
            line.attempts.iter().all(|attempt| attempt.provider != provider)
        });
        call.is_answered() && is_spared && call.provider().is_some_and(|it| it != provider)
    });
    time_until_moved(fault, &points)
}

/// From the end of the fault until the provider serves what it served.
fn back(seen: &Evidence<'_>, provider: &str, share: f64) -> Option<Duration> {
    let Course { healed, ended, .. } = seen.course;
    let points = since(seen, healed, ended, |call| {
        call.is_answered() && call.provider() == Some(provider)
    });
    time_until_back(healed, &points, share)
}

fn since(seen: &Evidence<'_>, from: Duration, to: Duration, counts: impl Fn(&Call) -> bool) -> Vec<Point> {
    let such = seen.calls.iter().filter(|call| call.due >= from && call.due < to);
    such.map(|call| Point {
        at: call.due,
        counts: counts(call),
    })
    .collect()
}

fn recovery(seen: &Evidence<'_>) -> Option<Duration> {
    let fault = seen.course.fault;
    let answered = seen.calls.iter().filter(|it| it.due >= fault && it.is_answered());
    answered.map(|it| it.ended.saturating_sub(fault)).min()
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

#[cfg(test)]
pub(crate) mod tests;

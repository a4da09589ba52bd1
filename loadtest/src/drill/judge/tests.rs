//! A made-up outage, judged.

use serde_json::json;

use super::super::calls::tests::{answered, broken};
use super::super::table::drill;
use super::*;
use crate::load::{Ending, ErrorClass, Surface};

/// A plan like that of the command line.
pub(crate) static PLAN: Plan = Plan {
    model: None,
    rate: 50.0,
    before: Duration::from_secs(10),
    during: Duration::from_secs(15),
    after: Duration::from_secs(15),
    patience: Duration::from_secs(30),
    fail_if: Vec::new(),
    seed: 1,
    novelty: 1,
};

/// Ten seconds of `a`, an outage of 15, and back after 6 more: a request every 20 ms. The first five of the outage meet
/// it and are saved.
fn outage() -> Vec<Call> {
    let call = |number: u64| {
        let at = number * 20;
        let target = if (10_000..31_000).contains(&at) {
            "b/m"
        } else {
            "a/m"
        };
        let attempts = Some(if (10_000..10_100).contains(&at) { 2 } else { 1 });
        Call {
            attempts,
            ..answered(at, target)
        }
    };
    (0..2000).map(call).collect()
}

/// The access log of these requests: each second attempt came after one at `a` that was reset.
fn lines(calls: &[Call]) -> Lines {
    let mut lines = Lines::default();
    for call in calls {
        let outcome = if call.is_answered() { "success" } else { "reset" };
        let mut attempts = vec![json!({"provider": call.provider(), "outcome": outcome})];
        if call.attempts == Some(2) {
            attempts.insert(0, json!({"provider": "a", "outcome": "reset"}));
        }
        lines.take(
            json!({"id": call.id, "attempts": attempts})
                .to_string()
                .as_bytes(),
        );
    }
    lines
}

fn evidence(drill: &'static str, facts: &'static Facts, calls: Vec<Call>) -> Evidence<'static> {
    Evidence {
        drill: super::super::table::drill(drill).unwrap(),
        plan: &PLAN,
        facts,
        obstacles: Vec::new(),
        remarks: Vec::new(),
        course: Course {
            settled: Duration::ZERO,
            fault: Duration::from_secs(10),
            healed: Duration::from_secs(25),
            ended: Duration::from_secs(40),
            primary: Some("a/m".to_owned()),
            rounds: 0,
            done: Vec::new(),
            applied: None,
        },
        lines: lines(&calls),
        calls,
        looks: Looks::default(),
        cache_lost: None,
        lag_p99_ms: None,
    }
}

fn facts() -> &'static Facts {
    Box::leak(Box::new(Facts {
        route: "fast".to_owned(),
        model: "fast".to_owned(),
        ..Facts::default()
    }))
}

fn failed(report: &Report) -> Vec<&str> {
    let failed = report.verdicts.iter().filter(|it| it.failed);
    failed.map(|it| it.threshold.as_str()).collect()
}

#[test]
fn an_outage_that_was_survived_passes_with_its_times() {
    let report = judged(&evidence("kill-primary", facts(), outage()));
    assert_eq!(failed(&report), Vec::<&str>::new());
    assert!(report.passed);
    assert_eq!(report.measured.success, Some(1.0));
    assert_eq!(report.measured.shift_ms, Some(100.0));
    assert_eq!(report.measured.return_ms, Some(6000.0));
    assert_eq!(report.during.targets["b/m"], 750);
    assert!(
        report.text().contains("kill-primary: PASSED"),
        "{}",
        report.text()
    );
}

#[test]
fn an_outage_that_nobody_met_fails_whatever_else_is_well() {
    let calls: Vec<_> = outage()
        .into_iter()
        .map(|call| Call {
            attempts: Some(1),
            ..call
        })
        .collect();
    let report = judged(&evidence("kill-primary", facts(), calls.clone()));
    assert_eq!((failed(&report), report.measured.met), (vec!["met<1"], Some(0.0)));
    let advice = report
        .verdicts
        .iter()
        .find_map(|it| it.advice.as_deref())
        .unwrap();
    assert!(advice.contains("raise --rate"), "{advice}");
    let met = judged(&evidence("kill-primary", facts(), outage()));
    assert_eq!((met.measured.met, met.outcomes["reset"]), (Some(5.0), 5));
    assert!(
        met.text()
            .contains("met the fault   5 of 10 attempts at it: 5 × reset, 5 × success"),
        "{}",
        met.text()
    );
    // Where the fault spares some, whoever came by has met it.
    let mut slowed = evidence("slow-drip", facts(), calls);
    slowed.calls[600].target = Some("a/m".to_owned());
    slowed.lines = lines(&slowed.calls);
    assert_eq!(judged(&slowed).measured.met, Some(1.0));
}

#[test]
fn hedges_beside_the_struck_provider_do_not_hide_a_shift() {
    let mut evidence = evidence("kill-primary", facts(), outage());
    for call in &mut evidence.calls {
        call.attempts = Some(2);
    }
    let mut lines = Lines::default();
    for call in &evidence.calls {
        let is_struck = (10_000..10_100).contains(&call.due.as_millis());
        let first = if is_struck { "a" } else { call.provider().unwrap() };
        let outcome = if is_struck { "reset" } else { "success" };
        let attempts = json!([{"provider": first, "outcome": outcome},
                              {"provider": "c", "outcome": "superseded", "role": "hedge"}]);
        lines.take(
            json!({"id": call.id, "attempts": attempts})
                .to_string()
                .as_bytes(),
        );
    }
    evidence.lines = lines;
    assert_eq!(judged(&evidence).measured.shift_ms, Some(100.0));
}

#[test]
fn what_a_drill_does_not_measure_fails_nobody_who_asks_for_it() {
    let asking = Plan {
        fail_if: vec!["shift>1ms".parse().unwrap(), "success<99%".parse().unwrap()],
        ..PLAN.clone()
    };
    let mut evidence = evidence("rolling-restart", facts(), outage());
    evidence.course.primary = None;
    evidence.plan = Box::leak(Box::new(asking));
    let report = judged(&evidence);
    assert_eq!(failed(&report), Vec::<&str>::new());
    assert!(report.verdicts.iter().any(|it| it.threshold == "success<99%"));
}

#[test]
fn a_log_without_a_line_is_no_log_that_can_be_read() {
    let mut evidence = evidence("gateway-kill-9", facts(), outage());
    assert_eq!(judged(&evidence).measured.log_broken, Some(0.0));
    evidence.lines = Lines::default();
    assert_eq!(failed(&judged(&evidence)), ["log_broken>0"]);
}

#[test]
fn one_failure_in_a_thousand_and_one_silent_stream_fail_it() {
    let mut calls = outage();
    for number in [600, 700, 800] {
        calls[number].ending = Ending::Failed(ErrorClass::Status);
        calls[number].status = Some(502);
    }
    calls[510] = broken(10_200, ErrorClass::CutShort, None);
    calls[511] = broken(10_220, ErrorClass::ErrorEvent, Some(Surface::Chat));
    let report = judged(&evidence("kill-primary", facts(), calls));
    assert_eq!(failed(&report), ["success<99.9%", "untold>0"]);
    assert_eq!(report.measured.cut, Some(2.0));
    let text = report.text();
    for told in [
        "3 × status 502",
        "2 that had begun: 1 were told in their own dialect, 1 were not",
        "to change: ",
        "kill-primary: FAILED",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
}

#[test]
fn streams_under_way_at_the_fault_belong_to_it() {
    let mut calls = outage();
    calls[498] = Call {
        ended: Duration::from_millis(10_050),
        ..broken(9_960, ErrorClass::ErrorEvent, Some(Surface::Chat))
    };
    let report = judged(&evidence("kill-primary", facts(), calls));
    assert_eq!((report.before.cut.streams, report.during.cut.streams), (0, 1));
    assert!(report.passed);
}

#[test]
fn traffic_that_never_shifts_fails_with_the_reason_that_was_foreseen() {
    let calls = (0..2000).map(|number| {
        let call = answered(number * 20, "a/m");
        let is_down = (500..1250).contains(&number);
        if is_down {
            let ending = Ending::Failed(ErrorClass::Status);
            Call {
                ending,
                status: Some(502),
                ..call
            }
        } else {
            call
        }
    });
    let mut evidence = evidence("kill-primary", facts(), calls.collect());
    evidence.obstacles = vec!["model fast has a single target".to_owned()];
    let report = judged(&evidence);
    assert_eq!(failed(&report)[..2], ["success<99.9%", "shift>10s"]);
    assert_eq!(
        report.verdicts[1].advice.as_deref(),
        Some("model fast has a single target")
    );
    assert_eq!(report.measured.return_ms, Some(0.0));
}

#[test]
fn reloads_that_did_not_come_into_force_are_missing() {
    let mut evidence = evidence("reload-under-load", facts(), outage());
    evidence.course.rounds = 60;
    evidence.course.primary = None;
    evidence.course.applied = Some(58);
    let report = judged(&evidence);
    assert_eq!(failed(&report), ["reloads_missing>0"]);
    assert_eq!(report.done, ["60 reloads were asked for, 58 came into force"]);
    evidence.course.applied = None;
    assert!(!judged(&evidence).passed, "what was not measured fails");
}

#[test]
fn a_cache_that_is_not_kept_fails_nobody_who_did_not_ask() {
    let mut evidence = evidence("gateway-kill-9", facts(), outage());
    assert!(judged(&evidence).passed);
    evidence.cache_lost = Some(0.5);
    assert_eq!(failed(&judged(&evidence)), ["cache_lost>10%"]);
    let asking = Plan {
        fail_if: vec!["cache_lost>1%".parse().unwrap()],
        ..PLAN.clone()
    };
    evidence.plan = Box::leak(Box::new(asking));
    evidence.cache_lost = None;
    assert_eq!(failed(&judged(&evidence)), ["cache_lost>1%"]);
}

#[test]
fn where_targets_are_chosen_by_how_they_fare_a_return_is_told_and_not_owed() {
    let calls = || {
        outage().into_iter().map(|call| Call {
            target: call
                .target
                .filter(|_| call.due < Duration::from_secs(10))
                .or_else(|| Some("b/m".to_owned())),
            ..call
        })
    };
    let weighted = judged(&evidence("kill-primary", facts(), calls().collect()));
    assert_eq!(failed(&weighted), ["return>60s"]);
    let scored = Facts {
        is_scored: true,
        ..facts().clone()
    };
    let scored = judged(&evidence(
        "kill-primary",
        Box::leak(Box::new(scored)),
        calls().collect(),
    ));
    assert_eq!((failed(&scored), scored.measured.return_ms), (Vec::new(), None));
}

#[test]
fn breakers_are_told_as_of_the_fault() {
    let mut evidence = evidence("storm-529", facts(), outage());
    let look = |state: &str| json!({"breakers": [{"target": "a/m", "state": state, "last_trip": {"reason": "5 failures in a row"}}]});
    evidence.looks.take(Duration::from_secs(9), &look("closed"));
    evidence.looks.take(Duration::from_millis(10_400), &look("open"));
    let report = judged(&evidence);
    assert!(
        report.text().contains("+0.4 s  a/m open (5 failures in a row)"),
        "{}",
        report.text()
    );
    assert_eq!(drill("storm-529").map(|it| it.about), Some(report.about.as_str()));
}

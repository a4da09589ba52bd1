//! What to change when a drill fails.

use super::facts::Facts;
use super::report::Report;
use super::table::{Drill, Fault};
use super::thresholds::Metric;

/// What to change when a drill fails by that. `None`: the report alone must tell.
pub(crate) fn advice(metric: Metric, drill: &Drill, facts: &Facts, report: &Report) -> Option<String> {
    let obstacle = report.obstacles.first().cloned();
    let seen = |what: &str| {
        let errors = report.during.errors.keys().chain(report.after.errors.keys());
        errors.clone().any(|error| error.contains(what))
    };
    let told = match metric {
        Metric::Met => "no request came to the struck provider while it was struck, so nothing was rehearsed: raise --rate \
                        or --for, or drill a model that has traffic there (--model)"
            .to_owned(),
        Metric::Success | Metric::Failed | Metric::FailedAfter if !drill.fault.is_upstream() => gateway(drill, facts),
        Metric::Success | Metric::Failed | Metric::FailedAfter => obstacle.unwrap_or_else(|| {
            if seen("patience") {
                "clients gave up waiting: lower `timeouts.first_byte` and `timeouts.idle`, or `hedge`".to_owned()
            } else if seen("status 429") {
                "the others refused what was shifted to them: they have too little quota for it".to_owned()
            } else {
                "a request was given up: see its `attempts` in the access log; `max_attempts`, `retry_budget` and \
                 `deadline` bound them"
                    .to_owned()
            }
        }),
        Metric::Cut if !facts.continues => "`continue_streams: true` lets another target go on with a stream that breaks".to_owned(),
        Metric::Untold if seen("patience") => {
            "clients gave up on a silent stream before the gateway did: lower `timeouts.idle`".to_owned()
        }
        Metric::Untold => "the gateway owes these clients an error event: please report it, with the JSON".to_owned(),
        Metric::Shift => obstacle.unwrap_or_else(|| {
            "`breaker.consecutive_failures` and `breaker.min_requests` say how soon a breaker opens; a failure that \
             takes long to show (`timeouts`) delays it"
                .to_owned()
        }),
        Metric::Return => {
            "`breaker.open_for` and `breaker.max_open_for` say how often it is asked whether a provider is back, \
             `breaker.ramp` how long its share then takes to rise"
                .to_owned()
        }
        Metric::AddedP50 | Metric::AddedP99 if matches!(drill.fault, Fault::Behave(it) if it.contains("hang")) => {
            "who meets a stall waits for `timeouts.first_byte` (or `idle`) before another target is asked: lower it, or \
             `hedge`"
                .to_owned()
        }
        Metric::AddedP50 | Metric::AddedP99 if drill.fault.is_upstream() => {
            "where slowness alone should shift traffic: `breaker.slow_after`, `hedge`, or `weights` (scored routing)"
                .to_owned()
        }
        Metric::Attempts => obstacle.unwrap_or_else(|| {
            "requests go on trying the struck provider first: let its breaker open sooner".to_owned()
        }),
        Metric::Cost => "the targets that stood in are dearer: a cheaper one, or `max_cost`, bounds that".to_owned(),
        Metric::CacheLost => "answers of the last moments before a kill are not on disk yet; all others should be".to_owned(),
        _ => return None,
    };
    Some(told)
}

fn gateway(drill: &Drill, facts: &Facts) -> String {
    match drill.fault {
        Fault::Roll if facts.drain_delay.is_zero() => {
            "give balancers time to notice: `server.drain.delay`, longer than the interval of their readiness checks"
        }
        Fault::Roll => "`server.drain.timeout` must be longer than the longest answers",
        _ => "nobody may fail here: please report it, with the JSON",
    }
    .to_owned()
}

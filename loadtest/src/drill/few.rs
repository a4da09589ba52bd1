//! Whether a drill has requests enough for what it judges. Pure.

use std::time::Duration;

use super::plan::Plan;
use super::table::Drill;
use super::thresholds::{Metric, Threshold};
use crate::load::number::{float, whole};

/// With fewer answers, the 99th percentile is the slowest one of them.
const FOR_A_P99: u64 = 100;

/// What cannot be told with so few requests, and what to change.
pub(super) fn remarks(drill: &Drill, plan: &Plan, thresholds: &[Threshold]) -> Vec<String> {
    let many = |span: Duration| whole(plan.rate * span.as_secs_f64());
    let mut found = Vec::new();
    let shortest = if drill.fault.is_upstream() {
        plan.before.min(plan.during)
    } else {
        plan.before
    };
    let is_judged = |metric| thresholds.iter().find(|it| it.metric == metric);
    if is_judged(Metric::AddedP99).is_some() && many(shortest) < FOR_A_P99 {
        found.push(format!(
            "{} requests in {shortest:?}: their 99th percentile is the slowest one. Raise --rate, --before or --for",
            many(shortest)
        ));
    }
    let since = many(plan.during + plan.after);
    if let Some(success) = is_judged(Metric::Success)
        && success.is_missed_by(1.0 - 1.0 / float(since.max(1)))
    {
        found.push(format!(
            "{since} requests since the fault: one that fails is more than '{success}' allows. Raise --rate or --for"
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::judge::tests::PLAN;
    use crate::drill::table::drill;

    fn told(name: &str, rate: f64) -> Vec<String> {
        let plan = Plan { rate, ..PLAN.clone() };
        let drill = drill(name).expect(name);
        remarks(drill, &plan, &Threshold::merged(drill.fail_if, &[]))
    }

    #[test]
    fn what_so_few_requests_cannot_tell_is_remarked() {
        assert_eq!(told("kill-primary", 50.0), Vec::<String>::new());
        let few = told("kill-primary", 20.0);
        assert_eq!(few.len(), 1);
        assert!(
            few[0].starts_with("600 requests since the fault: one that fails"),
            "{few:?}"
        );
        let fewer = told("kill-primary", 2.0);
        assert_eq!(fewer.len(), 2);
        assert!(
            fewer[0].starts_with("20 requests in 10s: their 99th"),
            "{fewer:?}"
        );
        assert_eq!(told("gateway-kill-9", 2.0), Vec::<String>::new());
    }
}

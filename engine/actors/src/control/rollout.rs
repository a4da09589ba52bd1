//! A staged change: how long it is tried on which share of the requests, and what it must keep to.
//!
//! Pure: figures and a moment in, a verdict out. Figures are those of the whole trial, so that a short burst of bad
//! luck weighs as much as it should and no more.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tollgate_core::Moment;
use tollgate_routing::ChangeProblem;

use crate::{CohortFigures, Cohorts};

/// How a change is tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StagePlan {
    /// The share of requests that sees it, above 0.0 and up to 1.0.
    pub share: f32,
    /// How long it must keep to `slo` before everybody sees it.
    pub hold: Duration,
    /// What it must keep to.
    pub slo: Slo,
}

/// What a staged change must keep to. Everything that is stated counts; with nothing stated, only time passes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Slo {
    /// Failed requests over requests at most, `0.0..=1.0`.
    pub error_ratio: Option<f32>,
    /// The 99th percentile of the time to first token at most.
    pub ttft_p99: Option<Duration>,
    /// The mean time to first token at most.
    pub ttft_mean: Option<Duration>,
    /// Fewer requests say nothing, neither for the change nor against it.
    pub min_requests: u32,
}

/// How a rollout stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RolloutStatus {
    /// The version that is being tried.
    pub version: u64,
    /// The share of requests that sees it.
    pub share: f32,
    /// How long it is to be tried, milliseconds.
    pub hold_ms: u64,
    /// How long it has been tried, milliseconds.
    pub held_ms: u64,
    /// See [`Slo::error_ratio`].
    pub max_error_ratio: Option<f32>,
    /// See [`Slo::ttft_p99`]; milliseconds.
    pub max_ttft_p99_ms: Option<u64>,
    /// See [`Slo::ttft_mean`]; milliseconds.
    pub max_ttft_mean_ms: Option<u64>,
    /// See [`Slo::min_requests`].
    pub min_requests: u32,
    /// Requests that see it.
    pub staged: CohortFigures,
    /// Those that do not.
    pub rest: CohortFigures,
}

/// A rollout under way.
#[derive(Debug)]
pub(super) struct Rollout {
    pub(super) version: u64,
    pub(super) plan: StagePlan,
    pub(super) since: Moment,
    pub(super) watch: Arc<Cohorts>,
}

/// What is to become of a rollout.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// It goes on.
    Wait,
    /// It has kept to its SLO for long enough.
    Promote,
    /// It has not: the figures, in words.
    Breach(String),
}

impl StagePlan {
    /// What is wrong with it; empty: nothing.
    pub(super) fn problems(&self) -> Vec<ChangeProblem> {
        let mut problems = Vec::new();
        let mut note = |path: &str, found: &dyn fmt::Display, expected: &str| {
            problems.push(ChangeProblem {
                path: path.to_owned(),
                found: found.to_string(),
                expected: expected.to_owned(),
            });
        };
        if !(self.share > 0.0 && self.share <= 1.0) {
            note("stage.share", &self.share, "a share above 0, 1 at most");
        }
        if let Some(ratio) = self.slo.error_ratio.filter(|it| !(0.0..=1.0).contains(it)) {
            note("stage.slo.error_ratio", &ratio, "a ratio from 0 to 1");
        }
        problems
    }
}

impl Rollout {
    /// What is to become of it at `now`.
    pub(super) fn judge(&self, now: Moment) -> Verdict {
        let figures = self.watch.staged.figures();
        if figures.requests < u64::from(self.plan.slo.min_requests) {
            return Verdict::Wait;
        }
        if let Some(breach) = self.plan.slo.breach(&figures) {
            return Verdict::Breach(breach);
        }
        if now.since(self.since) >= self.plan.hold {
            Verdict::Promote
        } else {
            Verdict::Wait
        }
    }

    /// How it stands at `now`.
    pub(super) fn status(&self, now: Moment) -> RolloutStatus {
        let slo = &self.plan.slo;
        RolloutStatus {
            version: self.version,
            share: self.plan.share,
            hold_ms: whole_millis(self.plan.hold),
            held_ms: whole_millis(now.since(self.since)),
            max_error_ratio: slo.error_ratio,
            max_ttft_p99_ms: slo.ttft_p99.map(whole_millis),
            max_ttft_mean_ms: slo.ttft_mean.map(whole_millis),
            min_requests: slo.min_requests,
            staged: self.watch.staged.figures(),
            rest: self.watch.rest.figures(),
        }
    }
}

impl Slo {
    /// Which part of it the figures break, in words; `None`: none.
    fn breach(&self, figures: &CohortFigures) -> Option<String> {
        let ratio = figures.error_ratio();
        if let Some(most) = self.error_ratio.filter(|most| ratio > f64::from(*most)) {
            let CohortFigures { requests, errors, .. } = figures;
            return Some(format!(
                "{errors} of {requests} requests failed ({:.2} %), {:.2} % are allowed",
                ratio * 100.0,
                most * 100.0
            ));
        }
        if figures.timed < u64::from(self.min_requests) {
            return None;
        }
        let limits = [
            ("99th percentile of the", figures.ttft_p99_ms, self.ttft_p99),
            ("mean", figures.ttft_mean_ms, self.ttft_mean),
        ];
        limits.into_iter().find_map(|(what, found, most)| {
            let (found, most) = (found?, most?.as_secs_f64() * 1_000.0);
            let timed = figures.timed;
            (found > most).then(|| {
                format!("the {what} time to first token of {timed} requests is {found:.0} ms, {most:.0} ms are allowed")
            })
        })
    }
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(slo: Slo) -> Rollout {
        Rollout {
            version: 2,
            plan: StagePlan {
                share: 0.1,
                hold: Duration::from_secs(60),
                slo: Slo {
                    min_requests: 20,
                    ..slo
                },
            },
            since: Moment::from_millis(1_000),
            watch: Arc::default(),
        }
    }

    const LATE: Moment = Moment::from_millis(61_000);

    #[test]
    fn a_change_that_keeps_to_its_slo_is_for_all_after_the_hold() {
        let rollout = rollout(Slo {
            error_ratio: Some(0.1),
            ..Slo::default()
        });
        (0..20).for_each(|n| rollout.watch.staged.observe(n > 1, None));
        assert_eq!(rollout.judge(Moment::from_millis(60_999)), Verdict::Wait);
        assert_eq!(rollout.judge(LATE), Verdict::Promote);
    }

    #[test]
    fn too_few_requests_say_nothing() {
        let rollout = rollout(Slo {
            error_ratio: Some(0.1),
            ..Slo::default()
        });
        (0..19).for_each(|_| rollout.watch.staged.observe(false, None));
        assert_eq!(rollout.judge(LATE), Verdict::Wait);
        rollout.watch.staged.observe(true, None);
        let Verdict::Breach(why) = rollout.judge(Moment::from_millis(1_100)) else {
            panic!("no breach");
        };
        assert_eq!(why, "19 of 20 requests failed (95.00 %), 10.00 % are allowed");
    }

    #[test]
    fn only_the_cohort_that_sees_the_change_is_judged() {
        let rollout = rollout(Slo {
            error_ratio: Some(0.1),
            ..Slo::default()
        });
        (0..20).for_each(|_| rollout.watch.staged.observe(true, None));
        (0..500).for_each(|_| rollout.watch.rest.observe(false, None));
        assert_eq!(rollout.judge(LATE), Verdict::Promote);
        let status = rollout.status(LATE);
        assert_eq!(
            (status.held_ms, status.staged.errors, status.rest.errors),
            (60_000, 0, 500)
        );
    }

    #[test]
    fn late_first_tokens_are_a_breach() {
        let ms = Duration::from_millis;
        let mean = rollout(Slo {
            ttft_mean: Some(ms(100)),
            ..Slo::default()
        });
        let p99 = rollout(Slo {
            ttft_p99: Some(ms(900)),
            ..Slo::default()
        });
        for n in 0..50 {
            let ttft = Some(ms(if n < 2 { 1_000 } else { 70 }));
            mean.watch.staged.observe(true, ttft);
            p99.watch.staged.observe(true, ttft);
        }
        let Verdict::Breach(why) = mean.judge(LATE) else {
            panic!("no breach")
        };
        assert_eq!(
            why,
            "the mean time to first token of 50 requests is 107 ms, 100 ms are allowed"
        );
        assert!(matches!(p99.judge(LATE), Verdict::Breach(why) if why.starts_with("the 99th percentile")));
    }

    #[test]
    fn without_times_nothing_is_late() {
        let rollout = rollout(Slo {
            ttft_mean: Some(Duration::ZERO),
            ..Slo::default()
        });
        (0..30).for_each(|_| rollout.watch.staged.observe(true, None));
        assert_eq!(rollout.judge(LATE), Verdict::Promote);
    }

    #[test]
    fn nonsense_is_no_plan() {
        let plan = |share, error_ratio| StagePlan {
            share,
            hold: Duration::ZERO,
            slo: Slo {
                error_ratio,
                ..Slo::default()
            },
        };
        assert!(plan(1.0, Some(0.0)).problems().is_empty());
        for share in [0.0, -0.1, 1.1, f32::NAN] {
            assert_eq!(plan(share, None).problems()[0].path, "stage.share");
        }
        assert_eq!(
            plan(0.5, Some(f32::NAN)).problems()[0].path,
            "stage.slo.error_ratio"
        );
    }
}

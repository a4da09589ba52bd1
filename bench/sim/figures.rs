//! What came of a run, in numbers.

use serde::Serialize;
use tollgate_core::Moment;

use super::scenario::Scenario;

/// One request, when it is over.
pub(super) struct Served {
    pub(super) arrived: Moment,
    /// Whom it asked first.
    pub(super) first: Option<usize>,
    pub(super) attempts: u32,
    /// Seconds until the first token; `None`: the client got an error.
    pub(super) ttft: Option<f64>,
    /// US dollars.
    pub(super) cost: f64,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Requests.
    pub requests: usize,
    /// Requests that ended in an error for the client.
    pub client_errors: usize,
    /// Median time to first token over everything, seconds.
    pub p50_s: f64,
    /// 99th percentile of it over everything, seconds.
    pub p99_s: f64,
    /// 99th percentile from five seconds into the trouble until its end, seconds.
    pub converged_p99_s: f64,
    /// Mean cost of a request in that time, US dollars.
    pub converged_cost: f64,
    /// Attempts per request over everything.
    pub attempts: f64,
    /// Seconds from the beginning of the trouble until less than 5 % of half a second's requests ask the troubled
    /// target first; `None`: never.
    pub shift_s: Option<f64>,
    /// The troubled target's share of first choices from two seconds into the trouble until its end.
    pub troubled_share: f64,
    /// Seconds from the end of the trouble until the target has half of the share again that it had before it;
    /// `None`: never, or the story ends before.
    pub return_s: Option<f64>,
    /// By second: the troubled target's share of first choices, and the 99th percentile.
    pub timeline: Vec<Point>,
}

/// A second of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// The troubled target's share of first choices.
    pub share: f64,
    /// 99th percentile of the time to first token, seconds; 0: nobody was served.
    pub p99_s: f64,
}

impl Figures {
    pub(super) fn of(scenario: &Scenario, served: &[Served]) -> Self {
        let (from, to) = (scenario.trouble.0, scenario.trouble.1.min(scenario.length));
        let between = |from: f64, to: f64| {
            served
                .iter()
                .filter(move |it| (from..to).contains(&seconds(it.arrived)))
        };
        let (start, end) = (from as f64, to as f64);
        let healthy = share(between(10.0, start));
        let converged = || between(start + 5.0, end);
        let cost: Vec<f64> = converged()
            .filter(|it| it.ttft.is_some())
            .map(|it| it.cost)
            .collect();
        let shift = (0..(to - from) * 10)
            .map(|tenth| tenth as f64 / 10.0)
            .find(|after| {
                let window = share(between(start + after, start + after + 0.5));
                window < 0.05
            });
        let left = (scenario.length as f64 - end).max(0.0);
        let back = (0..)
            .map(|tenth| f64::from(tenth) / 10.0)
            .take_while(|after| *after < left - 2.0);
        let back = back
            .into_iter()
            .find(|after| share(between(end + after, end + after + 2.0)) >= healthy / 2.0);
        Self {
            requests: served.len(),
            client_errors: served.iter().filter(|it| it.ttft.is_none()).count(),
            p50_s: percentile(served.iter(), 0.5),
            p99_s: percentile(served.iter(), 0.99),
            converged_p99_s: percentile(converged(), 0.99),
            converged_cost: cost.iter().sum::<f64>() / cost.len().max(1) as f64,
            attempts: served.iter().map(|it| f64::from(it.attempts)).sum::<f64>()
                / served.len().max(1) as f64,
            shift_s: shift,
            troubled_share: share(between(start + 2.0, end)),
            return_s: back,
            timeline: (0..scenario.length)
                .map(|second| {
                    let within = || between(second as f64, second as f64 + 1.0);
                    Point {
                        share: share(within()),
                        p99_s: percentile(within(), 0.99),
                    }
                })
                .collect(),
        }
    }
}

fn seconds(moment: Moment) -> f64 {
    moment.micros() as f64 / 1e6
}

/// The share of first choices that fall to the first target.
fn share<'s>(served: impl Iterator<Item = &'s Served>) -> f64 {
    let (all, troubled) = served.fold((0, 0), |(all, troubled), it| {
        (all + 1, troubled + u32::from(it.first == Some(0)))
    });
    f64::from(troubled) / f64::from(all.max(1))
}

fn percentile<'s>(served: impl Iterator<Item = &'s Served>, share: f64) -> f64 {
    let mut times: Vec<f64> = served.filter_map(|it| it.ttft).collect();
    times.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let place = ((times.len() as f64 * share).ceil() as usize).saturating_sub(1);
    times.get(place).copied().unwrap_or(0.0)
}

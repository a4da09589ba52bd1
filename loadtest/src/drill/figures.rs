//! Phases in numbers, from what clients saw and what the access log says of it. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calls::{Call, provider_of};
use super::journal::Lines;
use crate::load::number::{count, float, index, share, whole};
use crate::load::{Ending, ErrorClass};

/// A stretch of a drill.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// How long it lasted.
    pub seconds: f64,
    /// Requests that were under way in it, and not in an earlier one.
    pub requests: u64,
    /// Those with a good answer, complete.
    pub answered: u64,
    /// Those without, but for streams that were cut.
    pub failed: u64,
    /// Streams that broke after content had come.
    pub cut: Cut,
    /// Answered, of those answered or failed: `0.0..=1.0`. `None`: there were none.
    pub success: Option<f64>,
    /// Median latency of good answers, from the moment a request was due, in milliseconds.
    pub p50_ms: Option<f64>,
    /// The 99th percentile of that.
    pub p99_ms: Option<f64>,
    /// Attempts per request, on average. `None`: the access log says nothing.
    pub attempts: Option<f64>,
    /// The most attempts of a request.
    pub most_attempts: u64,
    /// What a good answer cost on average, in nanodollars. `None`: no price is known.
    pub cost_nanodollars: Option<f64>,
    /// Good answers by target.
    pub targets: BTreeMap<String, u64>,
    /// Requests without a good answer, by what their clients saw.
    pub errors: BTreeMap<String, u64>,
}

/// Streams that broke after content had come. Nobody could save them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cut {
    /// How many.
    pub streams: u64,
    /// Those whose client was told by an error event in its own dialect.
    pub told: u64,
}

impl Phase {
    pub(crate) fn of<'a>(calls: impl Iterator<Item = &'a Call>, lines: &Lines, lasted: Duration) -> Self {
        let mut phase = Self {
            seconds: lasted.as_secs_f64(),
            ..Self::default()
        };
        let mut latencies = Vec::new();
        let (mut attempts, mut attempted, mut cost, mut priced) = (0, 0, 0, 0);
        for call in calls {
            phase.take(call);
            if call.is_answered() {
                latencies.push(call.latency());
            }
            let line = call.id.as_deref().and_then(|id| lines.get(id));
            let tried = line
                .map(|line| count(line.attempts.len()))
                .or(call.attempts.map(u64::from));
            if let Some(tried) = tried.filter(|tried| *tried > 0) {
                attempts += tried;
                attempted += 1;
                phase.most_attempts = phase.most_attempts.max(tried);
            }
            if let Some(paid) = line
                .filter(|_| call.is_answered())
                .and_then(|it| it.cost_nanodollars)
            {
                cost += paid;
                priced += 1;
            }
        }
        latencies.sort_unstable();
        phase.success =
            (phase.answered + phase.failed > 0).then(|| share(phase.answered, phase.answered + phase.failed));
        phase.p50_ms = quantile(&latencies, 0.5);
        phase.p99_ms = quantile(&latencies, 0.99);
        phase.attempts = (attempted > 0).then(|| float(attempts) / float(attempted));
        phase.cost_nanodollars = (priced > 0).then(|| float(cost) / float(priced));
        phase
    }

    fn take(&mut self, call: &Call) {
        self.requests += 1;
        self.answered += u64::from(call.is_answered());
        self.failed += u64::from(call.has_failed());
        self.cut.streams += u64::from(call.is_cut());
        self.cut.told += u64::from(call.is_told());
        if let (true, Some(target)) = (call.is_answered(), &call.target) {
            *self.targets.entry(target.clone()).or_default() += 1;
        }
        if let Ending::Failed(class) = call.ending {
            let begun = if call.is_cut() { "stream cut: " } else { "" };
            let seen = match (class, call.status) {
                (ErrorClass::Status, Some(status)) => format!("status {status}"),
                (ErrorClass::Connect, _) => "connection refused".to_owned(),
                (ErrorClass::NoAnswer, _) => "connection lost before an answer".to_owned(),
                (ErrorClass::CutShort, _) => "connection lost".to_owned(),
                (ErrorClass::ErrorEvent, _) if call.error_event == Some(call.surface) => {
                    "error event in its dialect".to_owned()
                }
                (ErrorClass::ErrorEvent, _) => "error event in a foreign dialect".to_owned(),
                (ErrorClass::Timeout, _) => "the client's patience was over".to_owned(),
                (ErrorClass::Unfinished | ErrorClass::Status, _) => "an end without its mark".to_owned(),
            };
            *self.errors.entry(format!("{begun}{seen}")).or_default() += 1;
        }
    }

    /// The share of good answers that came from that provider.
    pub(crate) fn share_of(&self, provider: &str) -> f64 {
        let is_its = |target: &str| {
            target
                .strip_prefix(provider)
                .is_some_and(|it| it.starts_with('/'))
        };
        let its: u64 = self
            .targets
            .iter()
            .filter(|(target, _)| is_its(target))
            .map(|(_, many)| many)
            .sum();
        share(its, self.answered)
    }

    /// The busiest target of the provider with the most good answers.
    pub(crate) fn busiest(&self) -> Option<&str> {
        let mut providers: BTreeMap<&str, u64> = BTreeMap::new();
        for (target, many) in &self.targets {
            *providers.entry(provider_of(target)?).or_default() += many;
        }
        let (busiest, _) = providers.into_iter().max_by_key(|(_, many)| *many)?;
        let its = self
            .targets
            .iter()
            .filter(|(it, _)| provider_of(it) == Some(busiest));
        its.max_by_key(|(_, many)| **many)
            .map(|(target, _)| target.as_str())
    }

    /// What those without a good answer saw, the most frequent first.
    pub(crate) fn told_errors(&self) -> String {
        let mut errors: Vec<_> = self.errors.iter().collect();
        errors.sort_by_key(|(_, many)| std::cmp::Reverse(**many));
        let told: Vec<_> = errors
            .iter()
            .map(|(error, many)| format!("{many} × {error}"))
            .collect();
        told.join(", ")
    }
}

/// In milliseconds: the nearest rank of what is sorted. `None`: nothing was measured.
fn quantile(sorted: &[Duration], at: f64) -> Option<f64> {
    let rank = whole((float(count(sorted.len())) * at).ceil()).max(1);
    sorted
        .get(index(rank - 1))
        .map(|span| span.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::super::calls::tests::{answered, broken};
    use super::*;
    use crate::load::Surface;

    #[test]
    fn a_phase_counts_what_was_saved_apart_from_what_nobody_could_save() {
        let mut calls: Vec<Call> = (0..98).map(|number| answered(number * 10, "a/m")).collect();
        calls.push(answered(990, "b/m"));
        calls.push(Call {
            ending: Ending::Failed(ErrorClass::Status),
            status: Some(502),
            ..answered(1000, "b/m")
        });
        calls.push(broken(1010, ErrorClass::ErrorEvent, Some(Surface::Chat)));
        calls.push(broken(1020, ErrorClass::CutShort, None));
        let phase = Phase::of(calls.iter(), &Lines::default(), Duration::from_secs(1));
        assert_eq!((phase.requests, phase.answered, phase.failed), (102, 99, 1));
        assert_eq!(phase.cut, Cut { streams: 2, told: 1 });
        assert_eq!(phase.success, Some(0.99));
        assert_eq!((phase.p50_ms, phase.p99_ms), (Some(100.0), Some(100.0)));
        assert_eq!((phase.attempts, phase.cost_nanodollars), (Some(1.0), None));
        assert!((phase.share_of("b") - 1.0 / 99.0).abs() < 1e-9);
        assert!(phase.share_of("m").abs() < 1e-9);
        assert_eq!(phase.busiest(), Some("a/m"));
        assert_eq!(phase.errors["status 502"], 1);
        assert_eq!(phase.errors["stream cut: connection lost"], 1);
    }

    #[test]
    fn the_busiest_target_is_one_of_the_busiest_provider() {
        let served = [("a/m", 4), ("b/x", 3), ("b/y", 2)];
        let phase = Phase {
            targets: served.map(|(target, many)| (target.to_owned(), many)).into(),
            ..Phase::default()
        };
        assert_eq!(phase.busiest(), Some("b/x"));
    }

    #[test]
    fn a_phase_without_requests_says_nothing() {
        let phase = Phase::of([].iter(), &Lines::default(), Duration::ZERO);
        assert_eq!((phase.success, phase.p99_ms, phase.busiest()), (None, None, None));
        assert!(phase.share_of("a").abs() < 1e-9);
    }

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        let spans: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(
            (quantile(&spans, 0.5), quantile(&spans, 0.99)),
            (Some(100.0), Some(198.0))
        );
        assert_eq!(quantile(&[], 0.5), None);
    }
}

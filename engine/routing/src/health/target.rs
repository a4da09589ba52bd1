//! The health of one target: from what workers saw to what routing reads.
//!
//! Owned by one actor, fed with observations, read as [`Vitals`] (what the router needs) or as a
//! [`HealthReport`] (what people need).

use std::time::Duration;

use tollgate_core::{Moment, OutcomeClass};

use super::peak_ewma::{PeakEwma, blend};
use super::recent::Recent;
use super::verdict::{Verdict, is_failure};
use super::window::{Counts, Window};
use crate::{Ended, HealthReport, HealthSettings, Observation, Stage, Vitals};

/// Fewer samples say nothing about a 95th percentile.
const ENOUGH_FOR_P95: u64 = 20;
/// The weight of a sample in the slow averages: of answer lengths, and of how prompts were estimated.
const SLOW_WEIGHT: f64 = 1.0 / 16.0;
/// The weight of a request in the failing share of the long run.
const LONG_RUN_WEIGHT: f64 = 1.0 / 32.0;
/// For how many requests that share counts at the most.
const LONG_RUN_REQUESTS: u32 = 20;
/// The time constant with which it fades, whatever is heard.
const LONG_RUN_FADES: Duration = Duration::from_secs(10);
/// How far off an estimate of prompt tokens may be taken to be: beyond, the numbers are not about the same.
const PROMPT_RATIOS: (f64, f64) = (0.1, 10.0);
/// The least share of a whole answer's time that is taken to be the time to its first token.
const LEAST_TTFT_SHARE: f64 = 0.1;

/// What is measured of one target.
#[derive(Debug, Clone)]
pub struct TargetHealth {
    settings: HealthSettings,
    pub(super) ttft: PeakEwma,
    pub(super) per_token: PeakEwma,
    load: Option<(f64, Moment)>,
    pub(super) output_tokens: Option<f64>,
    pub(super) prompt_ratio: Option<f64>,
    pub(super) window: Window,
    pub(super) recent_ttft: Recent,
    pub(super) recent_total: Recent,
    long_run: Option<LongRun>,
    pub(super) consecutive_failures: u32,
    /// A short list: comparing is cheaper than hashing.
    pub(super) outcomes: Vec<(OutcomeClass, u64)>,
    pub(super) last_failure: Option<(OutcomeClass, Moment)>,
    pub(super) last_retry_after: Option<(Duration, Moment)>,
}

/// How a target has fared beyond the window.
#[derive(Debug, Clone, Copy)]
struct LongRun {
    /// The failing share.
    failing: f64,
    /// For how many requests it counts.
    requests: u32,
    /// When it was heard of last.
    at: Moment,
}

impl LongRun {
    /// What is left of it.
    fn fading(&self, now: Moment) -> f64 {
        let age = now.since(self.at).as_secs_f64() / LONG_RUN_FADES.as_secs_f64();
        (-age).exp()
    }
}

impl TargetHealth {
    /// A target of which nothing is known.
    pub fn new(settings: HealthSettings) -> Self {
        Self {
            ttft: PeakEwma::new(settings.decay),
            per_token: PeakEwma::new(settings.decay),
            load: None,
            output_tokens: None,
            prompt_ratio: None,
            window: Window::new(settings.window),
            recent_ttft: Recent::default(),
            recent_total: Recent::default(),
            long_run: None,
            consecutive_failures: 0,
            outcomes: Vec::new(),
            last_failure: None,
            last_retry_after: None,
            settings,
        }
    }

    /// Measures like this from now on. What is known stays known; a window of another width begins empty.
    pub fn configure(&mut self, settings: HealthSettings) {
        self.ttft.set_tau(settings.decay);
        self.per_token.set_tau(settings.decay);
        if settings.window != self.settings.window {
            self.window = Window::new(settings.window);
        }
        self.settings = settings;
    }

    /// How it measures.
    pub fn settings(&self) -> HealthSettings {
        self.settings
    }

    /// Takes in what a worker saw. Observations may come out of order.
    pub fn observe(&mut self, observation: &Observation) {
        let now = observation.at;
        match observation.stage {
            Stage::FirstToken { ttft_us, in_flight } => {
                self.first_content(now, f64::from(ttft_us), in_flight);
            }
            Stage::Ended(ended) => {
                self.count(now, &ended);
                self.time(now, &ended);
                self.measure_tokens(&ended);
            }
        }
    }

    /// What routing reads. Time passes for failures too: to be asked for now and then even when nothing comes.
    pub fn vitals(&self, now: Moment) -> Vitals {
        let counts = self.window.totals(now);
        let (error_ratio, samples) = self.failing_share(now, counts);
        Vitals {
            ttft_us: self.ttft.value().map(narrow),
            measured_at: self.ttft.measured_at().unwrap_or(Moment::ZERO),
            per_token_us: self.per_token.value().map(narrow),
            p95_ttft_us: self.recent_ttft.quantile(now, 0.95, ENOUGH_FOR_P95).map(micros),
            load: narrow(self.load()),
            error_ratio,
            samples,
            output_tokens: self.output_tokens.map(narrow),
            prompt_ratio: self.prompt_ratio.map_or(1.0, narrow),
        }
    }

    /// What people read.
    pub fn report(&self, now: Moment) -> HealthReport {
        HealthReport::of(self, now)
    }

    /// Mean number of other requests in flight while times were measured.
    pub(super) fn load(&self) -> f64 {
        self.load.map_or(0.0, |(mean, _)| mean)
    }

    /// The failing share, and how many requests it is of. A window forgets at once: a target that is avoided because
    /// it fails has an empty one soon, and would look as good as new. So the share is never below that of the long
    /// run, which fades.
    fn failing_share(&self, now: Moment, counts: Counts) -> (f32, u32) {
        let Some(long_run) = &self.long_run else {
            return (counts.failure_ratio(), counts.requests);
        };
        let fading = long_run.fading(now);
        let remembered = narrow_count(f64::from(long_run.requests) * fading);
        (
            counts.failure_ratio().max(narrow(long_run.failing * fading)),
            counts.requests.max(remembered),
        )
    }

    fn count(&mut self, now: Moment, ended: &Ended) {
        let class = ended.class;
        let verdict = Verdict::of(ended, self.settings.slow_after);
        let counts = verdict.counts(class);
        self.window.record(now, counts);
        if counts.requests > 0 {
            let before = self.long_run.unwrap_or(LongRun {
                failing: 0.0,
                requests: 0,
                at: now,
            });
            let faded = before.failing * before.fading(now);
            let sample = f64::from(counts.failures);
            self.long_run = Some(LongRun {
                failing: faded + (sample - faded) * LONG_RUN_WEIGHT,
                requests: (before.requests + 1).min(LONG_RUN_REQUESTS),
                at: before.at.max(now),
            });
        }
        if verdict.is_success() {
            self.consecutive_failures = 0;
        } else if class.policy().counts_in_streak {
            self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        }
        match self.outcomes.iter_mut().find(|(known, _)| *known == class) {
            Some((_, count)) => *count += 1,
            None => self.outcomes.push((class, 1)),
        }
        if is_failure(class) {
            self.last_failure = Some((class, now));
        }
        if let Some(wait) = ended.retry_after {
            self.last_retry_after = Some((wait, now));
        }
    }

    /// What its times say. Those of a success are what they are; a timeout's are a bound.
    fn time(&mut self, now: Moment, ended: &Ended) {
        let total = f64::from(ended.total_us);
        let pace = pace(ended);
        if ended.class == OutcomeClass::Success {
            self.recent_total.record(now, u64::from(ended.total_us));
            match (ended.ttft_us, pace) {
                (None, _) => self.first_content(now, self.ttft_within(total, ended), ended.in_flight),
                (Some(_), Some(pace)) => self.per_token.observe(now, pace),
                (Some(_), None) => {}
            }
        } else if ended.class.policy().samples_latency {
            match (ended.ttft_us, pace) {
                (None, _) => {
                    self.ttft.at_least(now, total);
                    self.recent_ttft.record(now, u64::from(ended.total_us));
                    self.follow_load(now, ended.in_flight);
                }
                (Some(_), Some(pace)) => self.per_token.at_least(now, pace),
                (Some(_), None) => {}
            }
        }
    }

    /// The time to first token that an answer which came at once would have had as a stream.
    fn ttft_within(&self, total: f64, ended: &Ended) -> f64 {
        let writing = self.per_token.value().unwrap_or(0.0) * f64::from(ended.output_tokens);
        (total - writing).max(total * LEAST_TTFT_SHARE)
    }

    fn first_content(&mut self, now: Moment, ttft: f64, in_flight: u32) {
        self.ttft.observe(now, ttft);
        self.recent_ttft.record(now, whole(ttft));
        self.follow_load(now, in_flight);
    }

    /// A plain average over time: a lull under which a time was measured counts as much as a crowd.
    fn follow_load(&mut self, now: Moment, in_flight: u32) {
        let load = f64::from(in_flight);
        self.load = Some(match self.load {
            Some((mean, at)) => (blend(mean, load, now.since(at), self.settings.decay), at.max(now)),
            None => (load, now),
        });
    }

    fn measure_tokens(&mut self, ended: &Ended) {
        if ended.class != OutcomeClass::Success {
            return;
        }
        if ended.output_tokens > 0 {
            follow_slowly(&mut self.output_tokens, f64::from(ended.output_tokens));
        }
        if ended.prompt_tokens > 0 && ended.estimated_prompt_tokens > 0 {
            let ratio = f64::from(ended.prompt_tokens) / f64::from(ended.estimated_prompt_tokens);
            let (least, most) = PROMPT_RATIOS;
            follow_slowly(&mut self.prompt_ratio, ratio.clamp(least, most));
        }
    }
}

/// Microseconds per output token after the first; `None`: it was no stream, or too short to tell.
fn pace(ended: &Ended) -> Option<f64> {
    let gaps = ended.output_tokens.checked_sub(1).filter(|gaps| *gaps > 0)?;
    let writing = ended.total_us.saturating_sub(ended.ttft_us?);
    Some(f64::from(writing) / f64::from(gaps))
}

fn follow_slowly(mean: &mut Option<f64>, sample: f64) {
    let before = mean.unwrap_or(sample);
    *mean = Some(before + (sample - before) * SLOW_WEIGHT);
}

/// Cells hold 32 bits: seven digits of a time are enough to compare it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "too large becomes infinite, and nothing here is"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// A small count.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from floating point saturates"
)]
fn narrow_count(value: f64) -> u32 {
    value.round() as u32
}

/// A time of at most ten minutes.
fn micros(value: u64) -> f32 {
    narrow(f64::from(u32::try_from(value).unwrap_or(u32::MAX)))
}

/// A measured time, to the microsecond.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a measured time is positive and fits; a cast from floating point saturates"
)]
fn whole(time_us: f64) -> u64 {
    time_us as u64
}

#[cfg(test)]
mod tests;

//! The circuit breaker of one target (Nygard, *Release It!*), as a machine that is told the time.
//!
//! It opens on either of two signals, as linkerd's do: failures in a row, which see a dead target at once, and
//! the ratio in a window, which sees one that fails now and then. It stays open for a time that doubles with each
//! trip, lets an exact number of probes through, and re-admits a target gradually (Envoy's slow start, linear
//! from a tenth), because one that has just come back is thrown over again by all of its traffic at once.
//!
//! What was sent before the machine last closed or opened belongs to a past that it has judged already: it is not
//! counted. Nor is what is not the target's fault; a probe that ends that way is given back.

mod transitions;

use tollgate_core::Moment;

use super::ramp::Ramp;
use super::report::{BreakerReport, ProbeCount, TripReason};
use super::state::{Changed, Force, State};
use crate::health::{Verdict, sent_at};
use crate::{BreakerSettings, Counts, Ended, Gate, GateMode, Window};

/// The circuit breaker of one target.
#[derive(Debug, Clone)]
pub struct Breaker {
    settings: BreakerSettings,
    state: State,
    forced: Option<Force>,
    since: Moment,
    /// The latest moment it was told: its time never runs back.
    latest: Moment,
    /// What was sent before this is not counted.
    counts_from: Moment,
    window: Window,
    consecutive_failures: u32,
    /// Good answers in a row since the target is fully re-admitted.
    good_in_a_row: u32,
    trips: u64,
    trips_in_a_row: u32,
    last_trip: Option<(TripReason, Moment)>,
    generation: u16,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(settings: BreakerSettings, now: Moment) -> Self {
        Self {
            state: State::Closed(None),
            forced: None,
            since: now,
            latest: now,
            counts_from: Moment::ZERO,
            window: Window::new(settings.window),
            consecutive_failures: 0,
            good_in_a_row: 0,
            trips: 0,
            trips_in_a_row: 0,
            last_trip: None,
            generation: 0,
            settings,
        }
    }

    /// Takes in the end of an attempt. `jitter`, `0.0..1.0`, varies the time it stays open if this opens it.
    pub fn observe(&mut self, now: Moment, ended: &Ended, jitter: f64) -> Changed {
        let elapsed = self.tick(now);
        let verdict = Verdict::of(ended, self.settings.slow_after);
        let seen = match self.state {
            _ if self.forced.is_some() => Changed::Nothing,
            State::Closed(ramp) if ended.probe.is_none() && sent_at(now, ended) >= self.counts_from => {
                self.closed_saw(ended, verdict, ramp.is_none(), jitter)
            }
            State::HalfOpen(probing) if ended.probe == Some(self.generation) => {
                self.probe_saw(probing, ended, verdict, jitter)
            }
            _ => Changed::Nothing,
        };
        if seen == Changed::Nothing { elapsed } else { seen }
    }

    /// Lets time pass. To be called at [`Breaker::next_tick`], or later.
    pub fn tick(&mut self, now: Moment) -> Changed {
        let now = self.latest.max(now);
        self.latest = now;
        match &mut self.state {
            _ if self.forced.is_some() => Changed::Nothing,
            State::Open { until } if now >= *until => {
                self.send_probes(0);
                self.since = now;
                Changed::State
            }
            State::HalfOpen(probing) if now >= probing.renew_at => {
                let renewals = probing.renewals.saturating_add(1);
                self.send_probes(renewals);
                Changed::Gate
            }
            State::Closed(Some(ramp)) => {
                let has_risen = ramp.advance(now);
                if ramp.is_done() {
                    self.state = State::Closed(None);
                }
                if has_risen {
                    Changed::Gate
                } else {
                    Changed::Nothing
                }
            }
            State::Closed(_) | State::Open { .. } | State::HalfOpen(_) => Changed::Nothing,
        }
    }

    /// A sign of life was seen by other means than a request: if it is open, probes go out now.
    pub fn hasten(&mut self, now: Moment) -> Changed {
        let elapsed = self.tick(now);
        if self.forced.is_some() || !matches!(self.state, State::Open { .. }) {
            return elapsed;
        }
        self.send_probes(0);
        self.since = self.latest;
        Changed::State
    }

    /// When time alone changes it next; `None`: it does not.
    pub fn next_tick(&self) -> Option<Moment> {
        match self.state {
            _ if self.forced.is_some() => None,
            State::Closed(ramp) => ramp.map(Ramp::next_step),
            State::Open { until } => Some(until),
            State::HalfOpen(probing) => Some(probing.renew_at),
        }
    }

    /// What it lets through. Of probes, all those of the generation: the cell knows how many were taken.
    pub fn gate(&self) -> Gate {
        let (mode, until) = match (self.forced, self.state) {
            (Some(force), _) => (force.mode(), self.since),
            (None, State::Closed(_)) => (GateMode::Closed, self.since),
            (None, State::Open { until }) => (GateMode::Open, until),
            (None, State::HalfOpen(_)) => (GateMode::HalfOpen, self.since),
        };
        let probes = self.probes().map_or(0, |probes| probes.needed);
        let admission = match self.state {
            State::Closed(Some(ramp)) if self.forced.is_none() => ramp.admission(),
            _ => u8::MAX,
        };
        Gate {
            mode,
            probes,
            generation: self.generation,
            admission,
            until,
        }
    }

    /// Does as an operator says. While it is forced it learns nothing; let go, it closes as after a good probe:
    /// gradually, if it was not closed before.
    pub fn force(&mut self, now: Moment, force: Force) -> Changed {
        let before = self.forced;
        if before == force.held() {
            return Changed::Nothing;
        }
        self.latest = self.latest.max(now);
        self.forced = force.held();
        self.close(force == Force::Auto && before != Some(Force::Closed));
        Changed::State
    }

    /// Forgets what it has learned, and what an operator has forced: closed, with everything let through.
    pub fn reset(&mut self, now: Moment) -> Changed {
        let before = self.gate();
        self.latest = self.latest.max(now);
        self.forced = None;
        self.trips_in_a_row = 0;
        self.close(false);
        let after = self.gate();
        match (before.mode == after.mode, before.admission == after.admission) {
            (false, _) => Changed::State,
            (true, false) => Changed::Gate,
            (true, true) => Changed::Nothing,
        }
    }

    /// Decides like this from now on. Its state stays; a window of another width begins empty.
    pub fn configure(&mut self, settings: BreakerSettings) {
        if settings.window != self.settings.window {
            self.window = Window::new(settings.window);
        }
        self.settings = settings;
    }

    /// How it decides.
    pub fn settings(&self) -> BreakerSettings {
        self.settings
    }

    /// What people read.
    pub fn report(&self, now: Moment) -> BreakerReport {
        BreakerReport::of(self, now)
    }

    /// Why it opened last, and when; `None`: it never did.
    pub fn last_trip(&self) -> Option<(TripReason, Moment)> {
        self.last_trip
    }
}

/// What the report reads.
impl Breaker {
    pub(super) fn since(&self) -> Moment {
        self.since
    }

    pub(super) fn forced(&self) -> Option<Force> {
        self.forced
    }

    pub(super) fn trips(&self) -> u64 {
        self.trips
    }

    pub(super) fn trips_in_a_row(&self) -> u32 {
        self.trips_in_a_row
    }

    pub(super) fn consecutive_failures(&self) -> u32 {
        self.consecutive_failures
    }

    pub(super) fn counts(&self, now: Moment) -> Counts {
        self.window.totals(now)
    }

    pub(super) fn opens_until(&self) -> Option<Moment> {
        match (self.forced, self.state) {
            (None, State::Open { until }) => Some(until),
            _ => None,
        }
    }

    pub(super) fn probes(&self) -> Option<ProbeCount> {
        match (self.forced, self.state) {
            (None, State::HalfOpen(probing)) => Some(ProbeCount {
                needed: probing.needed,
                passed: probing.passed,
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;

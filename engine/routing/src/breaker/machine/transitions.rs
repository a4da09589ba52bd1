//! How a breaker moves from state to state: always at the latest moment it was told.

use std::time::Duration;

use super::super::backoff::{doubled, spread};
use super::super::ramp::Ramp;
use super::super::report::TripReason;
use super::super::state::{Changed, Probing, State};
use super::Breaker;
use crate::health::Verdict;
use crate::{Counts, Ended};

/// Generations fit into 13 bits of a [`Gate`].
const GENERATIONS: u16 = (1 << 13) - 1;
/// Probes of which nothing has been heard for this long (and twice as long the next time) are given up.
const LONGEST_PATIENCE: Duration = Duration::from_secs(3600);

impl Breaker {
    pub(super) fn closed_saw(
        &mut self,
        ended: &Ended,
        verdict: Verdict,
        is_ramped: bool,
        jitter: f64,
    ) -> Changed {
        if verdict == Verdict::Nothing {
            return Changed::Nothing;
        }
        self.window.record(self.latest, verdict.counts(ended.class));
        if verdict.is_success() {
            self.consecutive_failures = 0;
        } else {
            self.good_in_a_row = 0;
            let adds = u32::from(ended.class.policy().counts_in_streak);
            self.consecutive_failures = self.consecutive_failures.saturating_add(adds);
        }
        if let Some(reason) = self.complaint(ended) {
            return self.trip(reason, jitter);
        }
        if verdict == Verdict::Good && is_ramped {
            self.good_in_a_row = self.good_in_a_row.saturating_add(1);
            if self.good_in_a_row >= u32::from(self.settings.half_open_probes) {
                self.trips_in_a_row = 0;
            }
        }
        Changed::Nothing
    }

    /// Why it should open, if it should.
    fn complaint(&self, ended: &Ended) -> Option<TripReason> {
        let settings = &self.settings;
        let failures = self.consecutive_failures;
        if settings.consecutive_failures > 0 && failures >= settings.consecutive_failures {
            let last = ended.class;
            return Some(TripReason::Streak { failures, last });
        }
        let window = settings.window;
        let counts = self.window.totals(self.latest);
        let Counts {
            requests,
            failures,
            slow,
            ..
        } = counts;
        if requests < settings.min_requests {
            return None;
        }
        if failures > 0 && counts.failure_ratio() >= settings.error_ratio {
            return Some(TripReason::Ratio {
                failures,
                requests,
                window,
            });
        }
        (slow > 0 && counts.slow_ratio() >= settings.slow_ratio).then_some(TripReason::Slow {
            slow,
            requests,
            window,
        })
    }

    pub(super) fn probe_saw(
        &mut self,
        mut probing: Probing,
        ended: &Ended,
        verdict: Verdict,
        jitter: f64,
    ) -> Changed {
        match verdict {
            Verdict::Nothing => return Changed::ReturnProbe(self.generation),
            Verdict::Failed => return self.trip(TripReason::Probe(ended.class), jitter),
            Verdict::Slow => probing.slow = probing.slow.saturating_add(1),
            Verdict::Good => {}
        }
        probing.passed = probing.passed.saturating_add(1);
        self.state = State::HalfOpen(probing);
        let Probing { needed, slow, .. } = probing;
        if probing.passed < needed {
            return Changed::Nothing;
        }
        let slow_share = f32::from(slow) / f32::from(needed);
        if slow > 0 && slow_share >= self.settings.slow_ratio {
            return self.trip(TripReason::SlowProbes { slow, probes: needed }, jitter);
        }
        self.close(true);
        Changed::State
    }

    fn trip(&mut self, reason: TripReason, jitter: f64) -> Changed {
        let now = self.latest;
        let settings = self.settings;
        let open_for = doubled(settings.open_for, self.trips_in_a_row, settings.max_open_for);
        let until = now + spread(open_for, f64::from(settings.jitter), jitter);
        self.trips = self.trips.saturating_add(1);
        self.trips_in_a_row = self.trips_in_a_row.saturating_add(1);
        self.last_trip = Some((reason, now));
        self.begin(State::Open { until });
        Changed::State
    }

    pub(super) fn close(&mut self, gradually: bool) {
        let ramp = Ramp::new(self.latest, self.settings.ramp).filter(|_| gradually);
        self.begin(State::Closed(ramp));
    }

    /// Enters a state with nothing counted.
    fn begin(&mut self, state: State) {
        self.state = state;
        self.since = self.latest;
        self.counts_from = self.latest;
        self.window.clear();
        self.consecutive_failures = 0;
        self.good_in_a_row = 0;
    }

    /// Sends probes out under a new generation.
    pub(super) fn send_probes(&mut self, renewals: u32) {
        self.generation = (self.generation + 1) & GENERATIONS;
        let patience = self
            .settings
            .max_open_for
            .max(Duration::from_secs(1))
            .saturating_mul(2);
        self.state = State::HalfOpen(Probing {
            needed: self.settings.half_open_probes.max(1),
            passed: 0,
            slow: 0,
            renew_at: self.latest + doubled(patience, renewals, LONGEST_PATIENCE),
            renewals,
        });
    }
}

//! When requests are due. A schedule knows nothing of answers: that is what makes a load an open loop, and latency
//! from the intended start honest (Gil Tene, "How not to measure latency"). Pure: the same profile and the same seed
//! give the same times.
//!
//! A rate that changes over time is a chain of legs, each linear. The n-th request is due when the rate, summed up
//! since the start, reaches n (even spacing), or the sum of n draws from the exponential distribution with mean 1
//! (Poisson: the time-rescaling of an inhomogeneous process).

use std::sync::Arc;
use std::time::Duration;

use super::number::float;
use crate::dice::Dice;

/// How requests arrive.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrival {
    /// The next request of a connection follows its last answer: measures throughput, hides stalls.
    Closed,
    /// At a rate, whatever became of the requests before.
    Rate(Profile),
    /// At recorded times since the start, in ascending order.
    Trace(Arc<[Duration]>),
}

/// A rate over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// In their order; at least one.
    pub legs: Vec<Leg>,
    /// How requests lie within the rate.
    pub spacing: Spacing,
    /// What follows the last leg.
    pub then: Then,
}

/// A stretch of time in which the rate changes evenly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leg {
    /// Requests a second at its start, at least 0.
    pub from: f64,
    /// Requests a second at its end, at least 0.
    pub to: f64,
    /// How long it lasts.
    pub lasts: Duration,
}

/// How requests lie within a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spacing {
    /// All gaps alike at a steady rate.
    Even,
    /// As independent clients arrive: gaps are exponentially distributed.
    Poisson,
}

/// What follows the last leg of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Its last rate, for ever.
    Hold,
    /// All legs again.
    Repeat,
}

impl Profile {
    /// The same rate for ever.
    pub fn steady(per_second: f64, spacing: Spacing) -> Self {
        let leg = Leg {
            from: per_second,
            to: per_second,
            lasts: Duration::from_secs(1),
        };
        Self {
            legs: vec![leg],
            spacing,
            then: Then::Hold,
        }
    }
}

impl Leg {
    /// Requests due in all of it.
    fn requests(&self) -> f64 {
        f64::midpoint(self.from, self.to) * self.lasts.as_secs_f64()
    }

    /// Seconds after its start at which `requests` have become due, with `requests` at most all of them. The root of
    /// a quadratic, in the form that does not cancel.
    fn seconds_until(&self, requests: f64) -> f64 {
        let slope = (self.to - self.from) / self.lasts.as_secs_f64();
        let root = (self.from * self.from + 2.0 * slope * requests).max(0.0).sqrt();
        if requests <= 0.0 {
            0.0
        } else {
            2.0 * requests / (self.from + root)
        }
    }
}

impl Arrival {
    /// The times at which requests are due, since the start, in ascending order. Empty for a closed loop.
    pub fn due_times(&self, seed: u64) -> DueTimes {
        let source = match self {
            Self::Closed => Source::Ended,
            Self::Rate(profile) => Source::Rate(Walk::new(profile.clone(), seed)),
            Self::Trace(times) => Source::Trace(Arc::clone(times), 0),
        };
        DueTimes(source)
    }

    /// Whether requests wait for answers.
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

/// An iterator over the times at which requests are due.
#[derive(Debug, Clone)]
pub struct DueTimes(Source);

#[derive(Debug, Clone)]
enum Source {
    Rate(Walk),
    Trace(Arc<[Duration]>, usize),
    Ended,
}

impl Iterator for DueTimes {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let due = match &mut self.0 {
            Source::Rate(walk) => walk.next(),
            Source::Trace(times, next) => {
                *next += 1;
                times.get(*next - 1).copied()
            }
            Source::Ended => None,
        };
        if due.is_none() {
            self.0 = Source::Ended;
        }
        due
    }
}

/// A walk along a profile.
#[derive(Debug, Clone)]
struct Walk {
    profile: Profile,
    seed: u64,
    /// Requests handed out.
    number: u64,
    /// For Poisson: the sum of the draws so far.
    drawn: f64,
    /// The leg it is on; beyond the last one: the rate is held.
    leg: usize,
    /// Seconds, and requests due, before that leg.
    leg_starts: f64,
    due_before: f64,
}

impl Walk {
    const fn new(profile: Profile, seed: u64) -> Self {
        Self {
            profile,
            seed,
            number: 0,
            drawn: 0.0,
            leg: 0,
            leg_starts: 0.0,
            due_before: 0.0,
        }
    }

    fn next(&mut self) -> Option<Duration> {
        let reach = match self.profile.spacing {
            Spacing::Even => float(self.number),
            Spacing::Poisson => {
                self.drawn += -(1.0 - Dice::new(self.seed, &["arrival"], self.number).unit(0)).ln();
                self.drawn
            }
        };
        self.number += 1;
        let seconds = self.seconds_until(reach)?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// `None`: so many never become due.
    fn seconds_until(&mut self, requests: f64) -> Option<f64> {
        let per_round: f64 = self.profile.legs.iter().map(Leg::requests).sum();
        loop {
            let mut rest = requests - self.due_before;
            if self.leg == 0 && self.profile.then == Then::Repeat && rest > per_round && per_round > 0.0 {
                // Whole rounds at once: they may be as short as a nanosecond.
                let rounds = (rest / per_round).floor();
                let lasts: Duration = self.profile.legs.iter().map(|leg| leg.lasts).sum();
                self.leg_starts += rounds * lasts.as_secs_f64();
                self.due_before += rounds * per_round;
                rest = requests - self.due_before;
            }
            let Some(leg) = self.profile.legs.get(self.leg) else {
                if self.profile.then == Then::Repeat && per_round > 0.0 {
                    self.leg = 0;
                    continue;
                }
                let held = self.profile.legs.last()?.to;
                let holds = self.profile.then == Then::Hold && held > 0.0;
                return holds.then(|| self.leg_starts + rest / held);
            };
            // A leg's last moment belongs to the next one.
            if rest < leg.requests() {
                return Some(self.leg_starts + leg.seconds_until(rest));
            }
            self.due_before += leg.requests();
            self.leg_starts += leg.lasts.as_secs_f64();
            self.leg += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secs(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn within(arrival: &Arrival, seconds: f64) -> Vec<Duration> {
        arrival
            .due_times(1)
            .take_while(|due| *due < secs(seconds))
            .collect()
    }

    fn ramp(from: f64, to: f64, lasts: f64) -> Leg {
        Leg {
            from,
            to,
            lasts: secs(lasts),
        }
    }

    fn profile(legs: &[Leg], spacing: Spacing, then: Then) -> Arrival {
        Arrival::Rate(Profile {
            legs: legs.to_vec(),
            spacing,
            then,
        })
    }

    #[test]
    fn a_steady_rate_is_evenly_spaced_from_the_start() {
        let arrival = Arrival::Rate(Profile::steady(4.0, Spacing::Even));
        assert_eq!(
            within(&arrival, 1.1),
            [0.0, 0.25, 0.5, 0.75, 1.0].map(secs).to_vec()
        );
    }

    #[test]
    fn gaps_of_poisson_arrivals_are_exponential() {
        let arrival = Arrival::Rate(Profile::steady(100.0, Spacing::Poisson));
        let times: Vec<f64> = arrival
            .due_times(3)
            .take(20_000)
            .map(|due| due.as_secs_f64())
            .collect();
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let count = f64::from(u32::try_from(gaps.len()).unwrap());
        let mean = gaps.iter().sum::<f64>() / count;
        let deviation = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / count).sqrt();
        assert!((mean - 0.01).abs() < 0.0003, "{mean}");
        assert!((deviation / mean - 1.0).abs() < 0.04, "{deviation} of {mean}");
        let longer = gaps.iter().filter(|gap| **gap > 0.01).count();
        let expected = (-1.0_f64).exp() * count;
        assert!(
            (f64::from(u32::try_from(longer).unwrap()) - expected).abs() < 0.03 * count,
            "{longer}"
        );
    }

    #[test]
    fn steps_change_the_rate_at_once_and_repeat_when_told() {
        let legs = [ramp(10.0, 10.0, 1.0), ramp(100.0, 100.0, 0.5)];
        let in_second = |times: &[Duration], from: f64, to: f64| {
            let range = secs(from)..secs(to);
            times.iter().filter(|due| range.contains(*due)).count()
        };
        let once = within(&profile(&legs, Spacing::Even, Then::Hold), 2.5);
        assert_eq!(in_second(&once, 0.0, 1.0), 10);
        assert_eq!(in_second(&once, 1.0, 1.5), 50);
        assert_eq!(in_second(&once, 1.5, 2.5), 100, "the last rate is held");
        let again = within(&profile(&legs, Spacing::Even, Then::Repeat), 2.5);
        assert_eq!(in_second(&again, 1.5, 2.5), 10, "the first step again");
    }

    #[test]
    fn rounds_that_are_very_short_are_walked_at_once() {
        let blink = Leg {
            lasts: Duration::from_nanos(1),
            ..ramp(2.0, 2.0, 1.0)
        };
        let times = within(&profile(&[blink], Spacing::Even, Then::Repeat), 1000.0);
        assert_eq!(times.len(), 2000);
        for (number, due) in times.iter().enumerate() {
            let expected = f64::from(u32::try_from(number).unwrap()) / 2.0;
            assert!((due.as_secs_f64() - expected).abs() < 1e-3, "{number}: {due:?}");
        }
    }

    #[test]
    fn a_profile_that_ends_in_silence_ends() {
        let falling = profile(&[ramp(10.0, 0.0, 2.0)], Spacing::Even, Then::Hold);
        assert_eq!(falling.due_times(1).count(), 10);
        let silent = profile(&[ramp(0.0, 0.0, 1.0)], Spacing::Even, Then::Repeat);
        assert_eq!(silent.due_times(1).count(), 0);
        assert_eq!(Arrival::Closed.due_times(1).count(), 0);
    }

    #[test]
    fn a_pause_between_two_steps_is_kept() {
        let legs = [ramp(2.0, 2.0, 1.0), ramp(0.0, 0.0, 3.0), ramp(2.0, 2.0, 1.0)];
        let times = within(&profile(&legs, Spacing::Even, Then::Hold), 5.0);
        assert_eq!(times, [0.0, 0.5, 4.0, 4.5].map(secs).to_vec());
    }

    #[test]
    fn a_trace_is_replayed_as_recorded() {
        let times: Arc<[Duration]> = [0.1, 0.1, 2.0].map(secs).into();
        let trace = Arrival::Trace(Arc::clone(&times));
        assert_eq!(trace.due_times(9).collect::<Vec<_>>(), times.to_vec());
    }

    fn legs() -> impl Strategy<Value = Vec<Leg>> {
        let rate = prop_oneof![Just(0.0), 0.1..5000.0];
        let leg = (rate.clone(), rate, 1u64..5000).prop_map(|(from, to, millis)| Leg {
            from,
            to,
            lasts: Duration::from_millis(millis),
        });
        prop::collection::vec(leg, 1..6)
    }

    proptest! {
        #[test]
        fn times_never_go_back_and_a_seed_repeats_them(
            legs in legs(), seed in any::<u64>(), poisson in any::<bool>(), repeat in any::<bool>(),
        ) {
            let arrival = profile(
                &legs,
                if poisson { Spacing::Poisson } else { Spacing::Even },
                if repeat { Then::Repeat } else { Then::Hold },
            );
            let times: Vec<_> = arrival.due_times(seed).take(2000).collect();
            prop_assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert_eq!(&times, &arrival.due_times(seed).take(2000).collect::<Vec<_>>());
        }

        #[test]
        fn as_many_are_due_by_the_end_as_the_rates_sum_up_to(legs in legs()) {
            let total: f64 = legs.iter().map(Leg::requests).sum();
            let end: Duration = legs.iter().map(|leg| leg.lasts).sum();
            let arrival = profile(&legs, Spacing::Even, Then::Hold);
            let due = arrival.due_times(1).take_while(|due| *due < end).count();
            let due = f64::from(u32::try_from(due).unwrap());
            prop_assert!((due - total.ceil()).abs() <= 1.0, "{} of {}", due, total);
        }
    }
}

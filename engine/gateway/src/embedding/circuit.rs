//! Whether the endpoint is worth asking: after failures in a row it is left alone, longer each time, and then asked
//! once.
//!
//! Not the breaker of a route's target: that one weighs ratios, ramps up, and speaks to routing. Here nothing is
//! routed, and nothing is lost by not asking.

use std::time::Duration;

use parking_lot::Mutex;
use tollgate_core::Moment;

/// So many failures in a row open it.
const FAILURES: u32 = 3;
/// How long it is left alone the first time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// And at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Shared by all workers.
#[derive(Debug, Default)]
pub(super) struct Circuit(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// `None`: closed.
    opened: Option<Opened>,
}

#[derive(Debug, Clone, Copy)]
struct Opened {
    until: Moment,
    pause: Duration,
    /// Somebody is asking whether it is over.
    is_probed: bool,
}

/// The right to ask once. Dropped without a word, it was as if nobody had asked.
#[derive(Debug)]
pub(super) struct Pass<'c> {
    circuit: &'c Circuit,
    is_probe: bool,
    is_told: bool,
}

impl Circuit {
    /// `None`: do not ask.
    pub(super) fn admit(&self, now: Moment) -> Option<Pass<'_>> {
        let mut state = self.0.lock();
        let is_probe = match &mut state.opened {
            None => false,
            Some(opened) if now >= opened.until && !opened.is_probed => {
                opened.is_probed = true;
                true
            }
            Some(_) => return None,
        };
        Some(Pass {
            circuit: self,
            is_probe,
            is_told: false,
        })
    }
}

impl Pass<'_> {
    /// It answered.
    pub(super) fn succeeded(mut self) {
        self.is_told = true;
        let mut state = self.circuit.0.lock();
        // An answer to what was asked before it opened does not close it.
        if self.is_probe || state.opened.is_none() {
            *state = State::default();
        }
    }

    /// It did not. `jitter`, `0.0..1.0`, makes the pause up to a tenth longer.
    pub(super) fn failed(mut self, now: Moment, jitter: f64) {
        self.is_told = true;
        let mut state = self.circuit.0.lock();
        state.failures = state.failures.saturating_add(1);
        let pause = match state.opened {
            Some(opened) if self.is_probe => (opened.pause * 2).min(LONGEST_PAUSE),
            None if state.failures >= FAILURES => FIRST_PAUSE,
            _ => return,
        };
        state.opened = Some(Opened {
            until: now + pause.mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 10.0),
            pause,
            is_probed: false,
        });
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_probe && !self.is_told {
            let mut state = self.circuit.0.lock();
            if let Some(opened) = &mut state.opened {
                opened.is_probed = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::ZERO + Duration::from_millis(millis)
    }

    fn fail(circuit: &Circuit, millis: u64) {
        circuit.admit(at(millis)).unwrap().failed(at(millis), 0.0);
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_lets_one_probe_through_after_each_pause() {
        let circuit = Circuit::default();
        fail(&circuit, 0);
        fail(&circuit, 1);
        circuit.admit(at(2)).unwrap().succeeded();
        fail(&circuit, 3);
        fail(&circuit, 4);
        fail(&circuit, 5);
        assert!(circuit.admit(at(1_004)).is_none());
        let probe = circuit.admit(at(1_005)).unwrap();
        assert!(circuit.admit(at(1_006)).is_none(), "one at a time");
        probe.failed(at(1_010), 0.0);
        assert!(circuit.admit(at(3_009)).is_none(), "twice as long");
        circuit.admit(at(3_010)).unwrap().succeeded();
        assert!(circuit.admit(at(3_011)).is_some() && circuit.admit(at(3_011)).is_some());
    }

    #[test]
    fn a_probe_that_nobody_waits_for_gives_its_place_to_the_next() {
        let circuit = Circuit::default();
        let before = circuit.admit(at(0)).unwrap();
        (0..3).for_each(|it| fail(&circuit, it));
        drop(circuit.admit(at(2_000)).unwrap());
        let probe = circuit.admit(at(2_000)).unwrap();
        // What was asked before it opened has no say.
        before.succeeded();
        assert!(circuit.admit(at(2_001)).is_none());
        probe.succeeded();
        assert!(circuit.admit(at(2_002)).is_some());
    }

    #[test]
    fn pauses_end_somewhere() {
        let circuit = Circuit::default();
        (0..3).for_each(|it| fail(&circuit, it));
        let mut now = 2_000;
        for _ in 0..20 {
            now += 70_000;
            let probe = circuit.admit(at(now)).expect("no pause is longer than a minute");
            probe.failed(at(now), 0.99);
        }
    }
}

//! The way back to full traffic: from a tenth to all of it, in even steps.

use std::time::Duration;

use tollgate_core::Moment;

/// Steps of a ramp. Each is a write to the target's cell.
const STEPS: u32 = 20;

/// Where a target is on its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ramp {
    from: Moment,
    step_us: u64,
    done: u32,
}

impl Ramp {
    /// A ramp that begins now; `None`: it would be over at once.
    pub(super) fn new(now: Moment, length: Duration) -> Option<Self> {
        let step_us = u64::try_from(length.as_micros() / u128::from(STEPS)).unwrap_or(u64::MAX);
        (step_us > 0).then_some(Self {
            from: now,
            step_us,
            done: 0,
        })
    }

    /// Goes on to where it should be by now. Whether that changed anything.
    pub(super) fn advance(&mut self, now: Moment) -> bool {
        let steps = now.micros().saturating_sub(self.from.micros()) / self.step_us;
        let steps = u32::try_from(steps).unwrap_or(STEPS).min(STEPS);
        let has_risen = steps > self.done;
        self.done = self.done.max(steps);
        has_risen
    }

    /// Whether everything is let through.
    pub(super) fn is_done(self) -> bool {
        self.done >= STEPS
    }

    /// When it rises next.
    pub(super) fn next_step(self) -> Moment {
        self.from + Duration::from_micros(self.step_us.saturating_mul(u64::from(self.done) + 1))
    }

    /// The share that is let through, in 255ths.
    pub(super) fn admission(self) -> u8 {
        let share = (255 * (STEPS + 9 * self.done)).div_ceil(10 * STEPS);
        u8::try_from(share).unwrap_or(u8::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_rises_evenly_from_a_tenth_to_all_of_it(length in 1u32.., looks in 1u32..100) {
            let begin = Moment::from_millis(77);
            let Some(mut ramp) = Ramp::new(begin, Duration::from_micros(length.into())) else {
                prop_assert!(length < STEPS);
                return Ok(());
            };
            prop_assert_eq!(ramp.admission(), 26);
            for look in 0..=looks {
                let before = ramp;
                let elapsed = u64::from(length) * u64::from(look) / u64::from(looks);
                let now = begin + Duration::from_micros(elapsed);
                let has_risen = ramp.advance(now);
                prop_assert_eq!(has_risen, before.next_step() <= now);
                prop_assert_eq!(has_risen, before.admission() < ramp.admission());
                let even = 255.0 * (0.1 + 0.9 * f64::from(look) / f64::from(looks));
                let share = f64::from(ramp.admission());
                // A step has 11.5 of 255; short ramps are over sooner by what does not divide by the steps.
                let rounding = 1.0 + 255.0 * f64::from(STEPS) / f64::from(length);
                prop_assert!(share <= even + 1.0 + rounding && share >= even - 12.5, "{share} for {even}");
            }
            prop_assert!(ramp.is_done());
            prop_assert_eq!(ramp.admission(), u8::MAX);
        }
    }
}

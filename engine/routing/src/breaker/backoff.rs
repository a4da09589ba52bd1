//! Waiting longer each time, and not all at once: exponential backoff with jitter, chance as an argument.

use std::time::Duration;

/// `base`, doubled so many times, at most `most` (or `base`, if that is more).
pub(crate) fn doubled(base: Duration, times: u32, most: Duration) -> Duration {
    let factor = 1u32.checked_shl(times).unwrap_or(u32::MAX);
    base.saturating_mul(factor).min(most.max(base))
}

/// `duration`, made longer or shorter by up to `share` of it; `chance` (`0.0..=1.0`) says where between.
pub(crate) fn spread(duration: Duration, share: f64, chance: f64) -> Duration {
    scaled(duration, 1.0 + unit(share) * (2.0 * unit(chance) - 1.0))
}

/// `duration`, made longer by up to `share` of it: for when somebody has asked not to be asked sooner.
pub(super) fn prolonged(duration: Duration, share: f64, chance: f64) -> Duration {
    scaled(duration, 1.0 + unit(share) * unit(chance))
}

fn scaled(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(duration)
}

/// A share or a chance; what is none is zero.
fn unit(value: f64) -> f64 {
    if value.is_nan() {
        0.0
    } else {
        value.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_wait_doubles_up_to_the_longest_and_is_spread_around_that(
            base in 0u64..1 << 50, most in 0u64..1 << 50, times: u32, share in 0.0..1.0, chance: f64,
        ) {
            let [base, most] = [base, most].map(Duration::from_micros);
            let wait = doubled(base, times, most);
            prop_assert!(wait >= base && wait <= most.max(base));
            prop_assert!(wait <= doubled(base, times.saturating_add(1), most));
            let seconds = wait.as_secs_f64();
            let near = seconds * 1e-9 + 1e-8;
            let spread = spread(wait, share, chance).as_secs_f64();
            prop_assert!(spread >= seconds * (1.0 - share) - near && spread <= seconds * (1.0 + share) + near);
            let longer = prolonged(wait, share, chance).as_secs_f64();
            prop_assert!(longer >= seconds - near && longer <= seconds * (1.0 + share) + near);
        }
    }

    #[test]
    fn it_doubles() {
        let after = |times| doubled(Duration::from_secs(5), times, Duration::from_secs(60)).as_secs();
        assert_eq!(
            [0, 1, 2, 3, 4, 31, 32, u32::MAX].map(after),
            [5, 10, 20, 40, 60, 60, 60, 60]
        );
    }
}

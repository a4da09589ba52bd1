//! What so many verdicts can tell, exactly: no approximation is needed for sums of a few hundred terms.
//!
//! The bounds are those of Clopper and Pearson ("The use of confidence or fiducial limits", Biometrika 1934), one-sided:
//! instead of computing a bound and comparing it with a target, it is asked how likely the verdicts would be if the
//! truth were just at the target.

/// How likely the verdicts may be where the truth is at the target, for a claim that it is not.
const DOUBT: f64 = 0.05;

/// Whether the lower bound of precision is at `target` or above: with no more than `wrong` of `all` found wrong, it is
/// unlikely that the precision is below it. False where nothing is known.
pub(super) fn upholds(all: u64, wrong: u64, target: f64) -> bool {
    let chance = 1.0 - target;
    wrong <= all && real(wrong) < real(all) * chance && at_most(wrong, all, chance, DOUBT) <= DOUBT
}

/// Whether the upper bound of precision is below `target`: with as many as `wrong` of `all` found wrong, it is unlikely
/// that the precision is as high.
pub(super) fn fails(all: u64, wrong: u64, target: f64) -> bool {
    let chance = 1.0 - target;
    let Some(fewer) = wrong.min(all).checked_sub(1) else {
        return false;
    };
    real(wrong) > real(all) * chance && at_most(fewer, all, chance, 1.0 - DOUBT) >= 1.0 - DOUBT
}

/// The probability of at most `most` successes in `trials` of this `chance`, as far as it is not above `enough`. Summed
/// by logarithms: each term alone may be too small for a number.
fn at_most(most: u64, trials: u64, chance: f64, enough: f64) -> f64 {
    let odds = (chance / (1.0 - chance)).ln();
    let mut term = real(trials) * (1.0 - chance).ln();
    let mut sum = term.exp();
    for successes in 0..most.min(trials) {
        if sum > enough {
            break;
        }
        term += (real(trials - successes) / real(successes + 1)).ln() + odds;
        sum += term.exp();
    }
    sum.min(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts of verdicts are far below 2^53")]
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_sum_is_that_of_the_tables() {
        // Binomial(20, 0.1): P(X <= 2) = 0.6769; Binomial(10, 0.5): P(X <= 3) = 0.171875.
        assert!((at_most(2, 20, 0.1, 1.0) - 0.676_927).abs() < 1e-6);
        assert!((at_most(3, 10, 0.5, 1.0) - 0.171_875).abs() < 1e-9);
        assert!((at_most(10, 10, 0.5, 1.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn as_many_right_ones_are_needed_as_the_bound_of_clopper_and_pearson_says() {
        // 0.99 ^ 298 is 0.05003, 0.99 ^ 299 is 0.0495.
        for (target, needed) in [(0.99, 299), (0.98, 149), (0.95, 59)] {
            assert!(
                upholds(needed, 0, target) && !upholds(needed - 1, 0, target),
                "{target}"
            );
        }
        assert!(upholds(473, 1, 0.99) && !upholds(472, 1, 0.99));
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        for target in [0.95, 0.98, 0.99] {
            assert!(!upholds(0, 0, target) && !fails(0, 0, target));
            assert!(!fails(1_000_000, 0, target) && !upholds(1_000, 1_000, target));
        }
    }

    proptest! {
        #[test]
        fn more_right_ones_never_hurt_and_more_wrong_ones_never_help(all in 1u64..3_000, share in 0.0f64..0.2) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
            let wrong = (real(all) * share) as u64;
            for target in [0.95, 0.98, 0.99] {
                prop_assert!(!(upholds(all, wrong, target) && fails(all, wrong, target)));
                prop_assert!(!upholds(all, wrong, target) || upholds(all + 1, wrong, target));
                prop_assert!(upholds(all, wrong, target) || !upholds(all + 1, wrong + 1, target));
                prop_assert!(fails(all, wrong, target) || !fails(all + 1, wrong, target));
                prop_assert!(!fails(all, wrong, target) || fails(all + 1, wrong + 1, target));
            }
        }

        #[test]
        fn large_counts_stay_numbers(all in 0u64..200_000, wrong in 0u64..200_000) {
            for chance in [0.01, 0.02, 0.05] {
                let sum = at_most(wrong, all, chance, 1.0);
                prop_assert!((0.0..=1.0).contains(&sum), "{sum}");
            }
        }
    }
}

//! Percentiles against sorted samples, and what they forget.

use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Moment {
    Moment::from_millis(seconds * 1000)
}

proptest! {
    #[test]
    fn a_percentile_is_that_of_the_sorted_samples_to_two_digits(
        mut samples in prop::collection::vec(1u64..500_000_000, 1..300), permille in 1u32..=1_000,
    ) {
        let mut recent = Recent::default();
        for sample in &samples {
            recent.record(at(1), *sample);
        }
        samples.sort_unstable();
        let per_mille = permille * u32::try_from(samples.len()).unwrap();
        let rank = usize::try_from(per_mille.div_ceil(1_000)).unwrap();
        let read = recent.quantile(at(1), f64::from(permille) / 1_000.0, 1).unwrap();
        // A share is a float: where it falls on a sample to the last bit, rounding may take the next one.
        let is_on_a_sample = per_mille.is_multiple_of(1_000);
        let may_be = samples.iter().skip(rank - 1).take(1 + usize::from(is_on_a_sample));
        let mut near = may_be.filter(|exact| read.abs_diff(**exact) <= **exact / 100 + 1);
        prop_assert!(near.next().is_some(), "{read} for {}", samples[rank - 1]);
    }

    #[test]
    fn what_is_read_is_of_the_last_two_minutes_and_of_all_of_the_last(
        steps in prop::collection::vec((0u64..150, 1u64..1000), 1..100), later in 0u64..200,
    ) {
        let mut recent = Recent::default();
        let (mut now, mut times) = (1_000, Vec::new());
        for (step, sample) in steps {
            now += step;
            recent.record(at(now), sample);
            times.push(now);
        }
        now += later;
        let samples = recent.percentiles(at(now)).map_or(0, |percentiles| percentiles.samples);
        let within = |seconds| times.iter().filter(|time| now - **time < seconds).count() as u64;
        prop_assert!((within(60)..=within(120)).contains(&samples), "{samples} of {times:?} at {now}");
    }
}

#[test]
fn too_few_samples_have_no_percentile() {
    let mut recent = Recent::default();
    assert_eq!(recent.quantile(at(1), 0.95, 1), None);
    assert_eq!(recent.percentiles(at(1)), None);
    for _ in 0..19 {
        recent.record(at(1), 5);
    }
    assert_eq!(recent.quantile(at(1), 0.95, 20), None);
    recent.record(at(1), 5);
    assert_eq!(recent.quantile(at(1), 0.95, 20), Some(5));
}

#[test]
fn zero_and_absurd_times_are_counted_at_the_ends() {
    let mut recent = Recent::default();
    recent.record(at(1), 0);
    recent.record(at(1), u64::MAX);
    let percentiles = recent.percentiles(at(1)).unwrap();
    assert_eq!((percentiles.p50_us, percentiles.samples), (1, 2));
    assert!((LONGEST_US..=LONGEST_US / 100 * 101).contains(&percentiles.p99_us));
}

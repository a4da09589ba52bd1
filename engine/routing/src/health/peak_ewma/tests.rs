//! Peak-EWMA: its bounds, its jump, its pace.

#![expect(
    clippy::float_cmp,
    reason = "what is taken as it is must be the same to the bit"
)]

use proptest::prelude::*;

use super::*;

const TAU: Duration = Duration::from_secs(5);

fn fed(samples: &[(u64, f64)]) -> PeakEwma {
    let mut ewma = PeakEwma::new(TAU);
    for &(at, sample) in samples {
        ewma.observe(Moment::from_micros(at), sample);
    }
    ewma
}

/// Times that mostly rise and sometimes fall back, with samples of all sizes.
fn history() -> impl Strategy<Value = Vec<(u64, f64)>> {
    let step = prop_oneof![4 => 0i64..10_000_000, 1 => -1_000_000i64..0, 1 => 0i64..100_000_000_000];
    let sample = prop_oneof![4 => 0.0..1e7, 1 => Just(0.0), 1 => 0.0..f64::MAX];
    prop::collection::vec((step, sample), 1..60).prop_map(|steps| {
        let mut at = 5_000_000u64;
        let mut add = |(step, sample)| {
            at = at.saturating_add_signed(step);
            (at, sample)
        };
        steps.into_iter().map(&mut add).collect()
    })
}

proptest! {
    #[test]
    fn it_stays_between_the_smallest_and_the_largest_sample(history in history()) {
        let mut ewma = PeakEwma::new(TAU);
        let (mut least, mut most) = (f64::INFINITY, 0.0f64);
        for (at, sample) in history {
            ewma.observe(Moment::from_micros(at), sample);
            (least, most) = (least.min(sample), most.max(sample));
            let value = ewma.value().unwrap();
            prop_assert!((least..=most).contains(&value), "{least} <= {value} <= {most}");
        }
    }

    #[test]
    fn a_worse_sample_is_taken_at_once_and_a_better_one_never_raises(history in history()) {
        let mut ewma = PeakEwma::new(TAU);
        for (at, sample) in history {
            let before = ewma.value().unwrap_or(0.0);
            ewma.observe(Moment::from_micros(at), sample);
            let after = ewma.value().unwrap();
            if sample >= before {
                prop_assert_eq!(after, sample);
            } else {
                prop_assert!(after <= before && after >= sample);
            }
        }
    }

    #[test]
    fn it_falls_at_the_same_pace_however_often_it_is_fed(feeds in 1u32..5_000, low in 0.0..900.0) {
        let mut ewma = fed(&[(0, 1000.0)]);
        for i in 1..=feeds {
            ewma.observe(Moment::ZERO + TAU * i / feeds, low);
        }
        let way = (1000.0 - ewma.value().unwrap()) / (1000.0 - low);
        prop_assert!((way - 0.632).abs() < 0.001, "{way} of the way");
    }

    #[test]
    fn what_is_no_measurement_changes_nothing(history in history(), at: u64, bad in prop_oneof![
        Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), f64::MIN..-1e-9,
    ]) {
        let before = fed(&history);
        let mut after = before;
        after.observe(Moment::from_micros(at), bad);
        after.at_least(Moment::from_micros(at), bad);
        prop_assert_eq!(before, after);
    }

    #[test]
    fn a_bound_never_lowers_and_a_higher_one_is_taken(history in history(), later: u32, bound in 0.0..1e9) {
        let mut ewma = fed(&history);
        let before = ewma.value().unwrap();
        ewma.at_least(ewma.measured_at().unwrap() + Duration::from_micros(u64::from(later)), bound);
        prop_assert_eq!(ewma.value(), Some(before.max(bound)));
    }

}

#[test]
fn without_samples_there_is_no_value() {
    let ewma = PeakEwma::new(TAU);
    assert_eq!((ewma.value(), ewma.measured_at()), (None, None));
}

#[test]
fn a_bound_is_the_first_word_where_there_is_none_yet() {
    let mut ewma = PeakEwma::new(TAU);
    ewma.at_least(Moment::from_millis(7), 30.0);
    assert_eq!(
        (ewma.value(), ewma.measured_at()),
        (Some(30.0), Some(Moment::from_millis(7)))
    );
}

#[test]
fn a_clock_that_falls_back_neither_moves_the_value_nor_its_date() {
    let ewma = fed(&[(9_000_000, 100.0), (1_000_000, 1.0)]);
    assert_eq!(
        (ewma.value(), ewma.measured_at()),
        (Some(100.0), Some(Moment::from_micros(9_000_000)))
    );
}

#[test]
fn without_a_time_constant_the_latest_sample_is_the_value() {
    let mut ewma = PeakEwma::new(Duration::ZERO);
    ewma.observe(Moment::from_micros(1), 100.0);
    ewma.observe(Moment::from_micros(2), 1.0);
    assert_eq!(ewma.value(), Some(1.0));
}

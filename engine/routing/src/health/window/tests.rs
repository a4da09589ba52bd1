//! The window against a naive recount.

#![expect(
    clippy::float_cmp,
    reason = "what is taken as it is must be the same to the bit"
)]

use proptest::prelude::*;

use super::*;

const WIDTH_US: u64 = 10_000_000;
const BUCKET_US: u64 = WIDTH_US / 10;

/// Counts again, from everything that was ever recorded.
fn recount(records: &[(u64, Counts)], now: u64) -> Counts {
    let head = records.iter().map(|(at, _)| *at).fold(now, u64::max) / BUCKET_US;
    let is_in = |at: u64| (at / BUCKET_US) + 10 > head;
    let mut totals = Counts::default();
    for (at, counts) in records {
        if is_in(*at) {
            totals = totals.and(*counts);
        }
    }
    totals
}

fn counts() -> impl Strategy<Value = Counts> {
    (0u32..3, 0u32..3, 0u32..3, 0u32..3).prop_map(|(requests, failures, slow, rate_limited)| Counts {
        requests,
        failures,
        slow,
        rate_limited,
    })
}

proptest! {
    #[test]
    fn totals_are_those_of_a_naive_recount(
        start in 0u64..100_000_000,
        steps in prop::collection::vec((
            prop_oneof![
                8 => 0i64..2_000_000,
                2 => -3_000_000i64..0,
                1 => -40_000_000i64..0,
                1 => 0i64..60_000_000,
                1 => 0i64..1 << 50,
            ],
            counts(),
        ), 0..80),
        ask_later in prop_oneof![0i64..30_000_000, -30_000_000i64..0],
    ) {
        let mut window = Window::new(Duration::from_micros(WIDTH_US));
        let (mut at, mut records) = (start, Vec::new());
        for (step, counts) in steps {
            at = at.saturating_add_signed(step);
            records.push((at, counts));
            window.record(Moment::from_micros(at), counts);
            let now = at.saturating_add_signed(ask_later);
            prop_assert_eq!(window.totals(Moment::from_micros(now)), recount(&records, now));
            prop_assert_eq!(window.totals(Moment::from_micros(at)), recount(&records, at));
        }
    }

    #[test]
    fn no_width_and_no_moment_breaks_it(width: u64, moments in prop::collection::vec(any::<u64>(), 0..20)) {
        let one = Counts { requests: 1, ..Counts::default() };
        let mut window = Window::new(Duration::from_micros(width));
        for moment in moments {
            window.record(Moment::from_micros(moment), one);
            prop_assert!(window.totals(Moment::from_micros(moment)).requests <= 20);
        }
        window.clear();
        prop_assert_eq!(window.totals(Moment::ZERO), Counts::default());
    }
}

#[test]
fn counts_stop_at_the_largest_number() {
    let mut window = Window::new(Duration::from_secs(10));
    let many = Counts {
        requests: u32::MAX,
        failures: u32::MAX - 1,
        ..Counts::default()
    };
    window.record(Moment::ZERO, many);
    window.record(Moment::from_millis(5_000), many);
    let totals = window.totals(Moment::from_millis(5_000));
    assert_eq!((totals.requests, totals.failures), (u32::MAX, u32::MAX));
    assert_eq!(totals.failure_ratio(), 1.0);
    assert_eq!(Counts::default().failure_ratio(), 0.0);
}

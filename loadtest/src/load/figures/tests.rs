//! Known distributions in, known percentiles out; and what a closed loop hides.

use super::*;
use crate::dice::Dice;
use crate::load::arrivals::{Arrival, Profile, Spacing};

const WINDOW: Window = Window {
    warm_up: Duration::ZERO,
    measured: Duration::from_secs(3600),
};

fn answered(due: Duration, sent: Duration, ended: Duration) -> Sample {
    Sample {
        due,
        sent,
        first: Some(ended),
        ended,
        streamed: false,
        status: Some(200),
        ending: Ending::Answered,
        cancel: None,
        chunks: 0,
        chunks_expected: 0,
        chunks_lost: 0,
        bytes_sent: 100,
        bytes_received: 200,
        from_cache: None,
    }
}

fn after(due: Duration, latency: Duration) -> Sample {
    answered(due, due, due + latency)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a test compares to a percent, not to a nanosecond"
)]
fn near(found: u64, expected: Duration) -> bool {
    let expected = expected.as_nanos() as f64;
    (found as f64 - expected).abs() <= expected * 0.01
}

#[test]
fn an_even_spread_has_its_percentiles_where_they_belong() {
    let mut figures = Figures::new(WINDOW);
    for micros in 1..=100_000 {
        figures.record(&after(Duration::from_millis(1), Duration::from_micros(micros)));
    }
    for (quantile, millis) in [(0.5, 50), (0.9, 90), (0.99, 99), (1.0, 100)] {
        let found = figures.latency.value_at_quantile(quantile);
        assert!(
            near(found, Duration::from_millis(millis)),
            "{quantile}: {found} ns"
        );
    }
    assert_eq!((figures.sent(), figures.failed()), (100_000, 0));
    assert_eq!(
        (figures.bytes_sent, figures.bytes_received),
        (10_000_000, 20_000_000)
    );
}

#[test]
fn an_exponential_distribution_has_its_known_percentiles() {
    let mut figures = Figures::new(WINDOW);
    let mean = 0.010;
    for number in 0..200_000 {
        let seconds = -(1.0 - Dice::new(5, &["test"], number).unit(0)).ln() * mean;
        figures.record(&after(Duration::ZERO, Duration::from_secs_f64(seconds)));
    }
    for quantile in [0.5_f64, 0.9, 0.99] {
        let expected = -(1.0 - quantile).ln() * mean;
        let found = Duration::from_nanos(figures.latency.value_at_quantile(quantile)).as_secs_f64();
        assert!(
            (found / expected - 1.0).abs() < 0.03,
            "{quantile}: {found} s, {expected} s"
        );
    }
}

/// A server that takes one request at a time, a millisecond each, and stands still from second 5 to second 6.
struct Stalling {
    free_at: Duration,
}

impl Stalling {
    const SERVICE: Duration = Duration::from_millis(1);
    const STALL: std::ops::Range<Duration> = Duration::from_secs(5)..Duration::from_secs(6);

    fn serve(&mut self, sent: Duration) -> Duration {
        let mut begins = sent.max(self.free_at);
        if Self::STALL.contains(&begins) {
            begins = Self::STALL.end;
        }
        self.free_at = begins + Self::SERVICE;
        self.free_at
    }
}

#[test]
fn a_closed_loop_hides_a_stall_and_an_open_loop_does_not() {
    let end = Duration::from_secs(10);
    let mut closed = Figures::new(WINDOW);
    let mut server = Stalling {
        free_at: Duration::ZERO,
    };
    let mut now = Duration::ZERO;
    while now < end {
        let done = server.serve(now);
        closed.record(&answered(now, now, done));
        now = done;
    }

    let mut open = Figures::new(WINDOW);
    let mut server = Stalling {
        free_at: Duration::ZERO,
    };
    let schedule = Arrival::Rate(Profile::steady(500.0, Spacing::Even));
    for due in schedule.due_times(1).take_while(|due| *due < end) {
        open.record(&answered(due, due, server.serve(due)));
    }

    // One request of 9,000 met the stall, says the closed loop.
    assert!(near(closed.latency.value_at_quantile(0.99), Stalling::SERVICE));
    // One second of ten stood still, and the queue took another to be worked off: a fifth of all were hit.
    assert!(open.latency.value_at_quantile(0.9) > nanos(Duration::from_millis(400)));
    assert!(near(open.latency.value_at_quantile(0.5), Stalling::SERVICE));
    assert!(near(closed.latency.max(), Duration::from_millis(1001)));
}

#[test]
fn latency_counts_from_the_due_time_and_service_time_from_the_sending() {
    let mut figures = Figures::new(WINDOW);
    let millis = Duration::from_millis;
    figures.record(&answered(millis(100), millis(130), millis(150)));
    assert!(near(figures.latency.max(), millis(50)));
    assert!(near(figures.service.max(), millis(20)));
    assert!(near(figures.lag.max(), millis(30)));
}

#[test]
fn what_was_due_while_warming_up_is_not_counted_however_late_it_ended() {
    let mut figures = Figures::new(Window {
        warm_up: Duration::from_secs(2),
        measured: Duration::from_secs(3),
    });
    let secs = Duration::from_secs;
    figures.record(&answered(secs(1), secs(1), secs(4)));
    figures.record_gap(secs(1), secs(1));
    figures.record_not_sent(secs(1));
    figures.record(&answered(secs(5), secs(5), secs(6)));
    assert_eq!((figures.sent(), figures.warm_up, figures.not_sent), (0, 2, 0));
    assert_eq!(figures.gap.len(), 0);
    figures.record(&answered(secs(2), secs(2), secs(6)));
    figures.record_not_sent(secs(3));
    assert_eq!((figures.sent(), figures.not_sent), (1, 1));
}

#[test]
fn throughput_counts_answers_that_were_complete_within_the_window_whenever_they_were_due() {
    let mut figures = Figures::new(Window {
        warm_up: Duration::from_secs(2),
        measured: Duration::from_secs(3),
    });
    let secs = Duration::from_secs;
    for (due, ended) in [(0, 1), (1, 3), (2, 4), (4, 9)] {
        figures.record(&answered(secs(due), secs(due), secs(ended)));
    }
    assert_eq!((figures.completed, figures.answered, figures.warm_up), (2, 2, 2));
}

#[test]
fn a_fast_failure_does_not_improve_latency_and_a_timeout_counts_as_slow() {
    let mut figures = Figures::new(WINDOW);
    let failed = |class, status, ended| Sample {
        status,
        ending: Ending::Failed(class),
        ..after(Duration::ZERO, Duration::from_millis(ended))
    };
    figures.record(&after(Duration::ZERO, Duration::from_millis(10)));
    figures.record(&failed(ErrorClass::Status, Some(503), 1));
    figures.record(&failed(ErrorClass::Timeout, None, 5000));
    figures.record(&Sample {
        ending: Ending::Cancelled,
        ..after(Duration::ZERO, Duration::from_millis(1))
    });
    assert_eq!(figures.latency.len(), 2);
    assert!(near(figures.latency.min(), Duration::from_millis(10)));
    assert!(near(figures.latency.max(), Duration::from_secs(5)));
    assert_eq!((figures.sent(), figures.failed(), figures.cancelled), (4, 2, 1));
    assert_eq!(figures.statuses, BTreeMap::from([(200, 2), (503, 1)]));
}

#[test]
fn a_request_that_is_to_be_given_up_does_not_make_latency_better_by_being_fast() {
    let mut figures = Figures::new(WINDOW);
    let fast = |cancel| Sample {
        cancel,
        streamed: true,
        ..after(Duration::ZERO, Duration::from_millis(1))
    };
    figures.record(&fast(Some(CancelWhen::After(Duration::from_millis(40)))));
    assert_eq!(
        (figures.latency.len(), figures.service.len(), figures.first.len()),
        (0, 0, 0)
    );
    figures.record(&fast(Some(CancelWhen::AfterChunks(3))));
    assert_eq!(
        (figures.latency.len(), figures.first.len()),
        (0, 1),
        "its first content is awaited"
    );
    figures.record(&fast(None));
    assert_eq!(
        (figures.latency.len(), figures.first.len(), figures.answered),
        (1, 2, 3)
    );
}

#[test]
fn a_stream_that_times_out_before_its_first_content_counts_as_slow_there() {
    let mut figures = Figures::new(WINDOW);
    let timed_out = |first, streamed| Sample {
        first,
        streamed,
        ending: Ending::Failed(ErrorClass::Timeout),
        ..after(Duration::ZERO, Duration::from_secs(5))
    };
    figures.record(&timed_out(None, true));
    figures.record(&timed_out(Some(Duration::from_secs(1)), true));
    figures.record(&timed_out(None, false));
    figures.record(&Sample {
        ending: Ending::Failed(ErrorClass::NoAnswer),
        ..timed_out(None, true)
    });
    assert_eq!(figures.first.len(), 2);
    assert!(near(figures.first.min(), Duration::from_secs(1)));
    assert!(near(figures.first.max(), Duration::from_secs(5)));
}

#[test]
fn merged_figures_are_those_of_one_worker_that_saw_everything() {
    let (mut all, mut parts) = (Figures::new(WINDOW), [Figures::new(WINDOW), Figures::new(WINDOW)]);
    for number in 0..1000_u64 {
        let latency = Duration::from_micros(100 + number * 7 % 5000);
        let sample = Sample {
            streamed: number % 3 == 0,
            chunks: number % 5,
            chunks_expected: number % 7,
            chunks_lost: u64::from(number % 100 == 0),
            from_cache: Some(number % 2 == 0),
            ..after(Duration::from_millis(number * 40), latency)
        };
        all.record(&sample);
        parts[usize::from(number % 3 == 1)].record(&sample);
    }
    let [mut merged, other] = parts;
    merged.merge(&other);
    assert_eq!(merged.latency, all.latency);
    assert_eq!(merged.first, all.first);
    let counts = |of: &Figures| {
        let totals = (
            (of.sent(), of.completed),
            of.streams,
            of.chunks,
            (of.chunks_expected, of.chunks_lost),
            of.cache_hits,
            of.last_end,
        );
        let over_time: Vec<_> = of.buckets.iter().map(|it| (it.due, it.answered)).collect();
        (totals, over_time)
    };
    assert_eq!(counts(&merged), counts(&all));
}

#[test]
fn answers_beyond_all_measure_are_kept_at_the_edge() {
    let mut figures = Figures::new(WINDOW);
    figures.record(&after(Duration::ZERO, Duration::from_secs(100_000)));
    figures.record(&after(Duration::ZERO, Duration::ZERO));
    assert_eq!(figures.latency.len(), 2);
    assert!(figures.buckets.len() <= 2 * 120);
}

//! The breaker, state by state.

use std::time::Duration;

use tollgate_core::OutcomeClass;

use super::*;

mod properties;

const JITTER: f64 = 0.5; // The middle: times are as they are set.

fn at(millis: u64) -> Moment {
    Moment::from_millis(millis)
}

fn breaker() -> Breaker {
    let settings = BreakerSettings {
        max_open_for: Duration::from_secs(60),
        ramp: Duration::from_secs(10),
        ..BreakerSettings::default()
    };
    Breaker::new(settings, at(0))
}

fn ended(class: OutcomeClass) -> Ended {
    Ended {
        class,
        ..Ended::without_verdict()
    }
}

fn probe(class: OutcomeClass, generation: u16) -> Ended {
    Ended {
        probe: Some(generation),
        ..ended(class)
    }
}

fn saw(breaker: &mut Breaker, millis: u64, class: OutcomeClass) -> Changed {
    breaker.observe(at(millis), &ended(class), JITTER)
}

fn probed(breaker: &mut Breaker, millis: u64, class: OutcomeClass) -> Changed {
    let generation = breaker.gate().generation;
    breaker.observe(at(millis), &probe(class, generation), JITTER)
}

/// Open since `millis`, for five seconds.
fn opened(millis: u64) -> Breaker {
    let mut breaker = breaker();
    for _ in 0..5 {
        assert_eq!(breaker.gate().mode, GateMode::Closed);
        let _ = saw(&mut breaker, millis, OutcomeClass::ServerError);
    }
    assert_eq!(breaker.gate().mode, GateMode::Open);
    breaker
}

fn half_open(millis: u64) -> Breaker {
    let mut breaker = opened(millis - 5_000);
    assert_eq!(breaker.tick(at(millis)), Changed::State);
    breaker
}

/// Closed again since `millis`, and fully re-admitted ten seconds later.
fn closed_again(millis: u64) -> Breaker {
    let mut breaker = half_open(millis);
    for _ in 0..3 {
        let _ = probed(&mut breaker, millis, OutcomeClass::Success);
    }
    assert_eq!(breaker.gate().mode, GateMode::Closed);
    breaker
}

#[test]
fn five_failures_in_a_row_open_it_and_a_success_between_them_does_not() {
    let mut breaker = breaker();
    for class in [OutcomeClass::Reset; 4] {
        assert_eq!(saw(&mut breaker, 1, class), Changed::Nothing);
    }
    assert_eq!(saw(&mut breaker, 1, OutcomeClass::Success), Changed::Nothing);
    for class in [OutcomeClass::Reset; 4] {
        assert_eq!(saw(&mut breaker, 1, class), Changed::Nothing);
    }
    assert_eq!(saw(&mut breaker, 1, OutcomeClass::Overloaded), Changed::State);
    let gate = breaker.gate();
    assert_eq!((gate.mode, gate.until), (GateMode::Open, at(5_001)));
    let (reason, _) = breaker.last_trip().unwrap();
    assert_eq!(reason.to_string(), "5 failures in a row, the last one overloaded");
}

#[test]
fn half_of_twenty_failing_opens_it_and_of_nineteen_does_not() {
    let mut breaker = breaker();
    for i in 0..19u64 {
        let class = if i % 2 == 0 {
            OutcomeClass::Malformed
        } else {
            OutcomeClass::Success
        };
        assert_eq!(saw(&mut breaker, i, class), Changed::Nothing);
    }
    assert_eq!(saw(&mut breaker, 20, OutcomeClass::Success), Changed::State);
    let (reason, _) = breaker.last_trip().unwrap();
    assert_eq!(reason.to_string(), "10 of 20 requests within 10s failed");
}

#[test]
fn a_ratio_forgets_what_the_window_has_passed() {
    let mut breaker = breaker();
    for i in 0..100u64 {
        let class = if i % 2 == 0 {
            OutcomeClass::Malformed
        } else {
            OutcomeClass::Success
        };
        assert_eq!(
            saw(&mut breaker, i * 1_000, class),
            Changed::Nothing,
            "ten in ten seconds"
        );
    }
}

#[test]
fn slow_answers_open_it_only_where_they_are_told_to() {
    let slow_after = Some(Duration::from_secs(1));
    let late = Ended {
        total_us: 1_000_001,
        ..ended(OutcomeClass::Success)
    };
    let mut lenient = breaker();
    let mut strict = breaker();
    strict.configure(BreakerSettings {
        slow_after,
        ..strict.settings()
    });
    for i in 0..20u64 {
        let now = at(2_000 + i);
        let change = if i < 4 { ended(OutcomeClass::Success) } else { late };
        assert_eq!(lenient.observe(now, &change, JITTER), Changed::Nothing);
        let expected = if i == 19 { Changed::State } else { Changed::Nothing };
        assert_eq!(strict.observe(now, &change, JITTER), expected, "{i}");
    }
    let (reason, _) = strict.last_trip().unwrap();
    assert_eq!(reason.to_string(), "16 of 20 requests within 10s were slow");
    // And probes that are all late do not close it.
    let _ = strict.tick(at(9_000));
    let generation = strict.gate().generation;
    for _ in 0..3 {
        let probe = Ended {
            probe: Some(generation),
            ..late
        };
        let _ = strict.observe(at(10_001), &probe, JITTER);
    }
    assert_eq!(strict.gate().mode, GateMode::Open);
    assert_eq!(
        strict.last_trip().unwrap().0.to_string(),
        "3 of 3 probes were slow"
    );
}

#[test]
fn nobodys_and_the_clients_fault_never_open_it() {
    let mut breaker = breaker();
    for class in [
        OutcomeClass::ClientGone,
        OutcomeClass::InvalidRequest,
        OutcomeClass::ContextTooLong,
        OutcomeClass::CredentialRejected,
        OutcomeClass::QuotaExhausted,
        OutcomeClass::RateLimited,
        OutcomeClass::Superseded,
        OutcomeClass::DeadlineExceeded,
    ] {
        for _ in 0..100 {
            assert_eq!(saw(&mut breaker, 1, class), Changed::Nothing, "{class:?}");
        }
    }
}

#[test]
fn an_open_breaker_probes_after_its_time_and_closes_when_all_probes_go_well() {
    let mut breaker = opened(1_000);
    assert_eq!(breaker.next_tick(), Some(at(6_000)));
    assert_eq!(breaker.tick(at(5_999)), Changed::Nothing);
    assert_eq!(breaker.tick(at(6_000)), Changed::State);
    let gate = breaker.gate();
    assert_eq!((gate.mode, gate.probes), (GateMode::HalfOpen, 3));
    assert_eq!(
        probed(&mut breaker, 6_100, OutcomeClass::Success),
        Changed::Nothing
    );
    assert_eq!(
        probed(&mut breaker, 6_200, OutcomeClass::Success),
        Changed::Nothing
    );
    assert_eq!(probed(&mut breaker, 6_300, OutcomeClass::Success), Changed::State);
    let gate = breaker.gate();
    assert_eq!((gate.mode, gate.admission), (GateMode::Closed, 26));
}

#[test]
fn traffic_returns_gradually() {
    let mut breaker = closed_again(10_000);
    let mut shares = vec![breaker.gate().admission];
    while let Some(next) = breaker.next_tick() {
        assert_eq!(breaker.tick(next), Changed::Gate);
        shares.push(breaker.gate().admission);
    }
    assert!(shares.windows(2).all(|pair| pair[0] < pair[1]), "{shares:?}");
    assert_eq!((shares.len(), shares.last()), (21, Some(&u8::MAX)));
    assert_eq!(breaker.latest, at(20_000));
}

#[test]
fn each_trip_doubles_the_time_until_successes_after_the_ramp() {
    let mut breaker = half_open(10_000);
    let mut now = 10_000;
    for seconds in [10, 20, 40, 60, 60] {
        assert_eq!(
            probed(&mut breaker, now, OutcomeClass::ConnectFailed),
            Changed::State
        );
        assert_eq!(breaker.gate().until, at(now + seconds * 1_000));
        now += seconds * 1_000;
        assert_eq!(breaker.tick(at(now)), Changed::State);
    }
    for _ in 0..3 {
        let _ = probed(&mut breaker, now, OutcomeClass::Success);
    }
    let mut relapsed = breaker.clone();
    for _ in 0..5 {
        let _ = saw(&mut relapsed, now + 9_999, OutcomeClass::Success);
    }
    for _ in 0..5 {
        let _ = saw(&mut relapsed, now + 9_999, OutcomeClass::Reset);
    }
    assert_eq!(relapsed.gate().until, at(now + 69_999), "during the ramp");
    for _ in 0..3 {
        let _ = saw(&mut breaker, now + 10_000, OutcomeClass::Success);
    }
    for _ in 0..5 {
        let _ = saw(&mut breaker, now + 10_000, OutcomeClass::Reset);
    }
    assert_eq!(breaker.gate().until, at(now + 15_000), "as the first time");
}

#[test]
fn a_probe_that_says_nothing_is_given_back() {
    let mut breaker = half_open(10_000);
    let generation = breaker.gate().generation;
    for class in [
        OutcomeClass::ClientGone,
        OutcomeClass::RateLimited,
        OutcomeClass::Superseded,
    ] {
        assert_eq!(
            probed(&mut breaker, 10_001, class),
            Changed::ReturnProbe(generation)
        );
    }
    assert_eq!(breaker.gate().mode, GateMode::HalfOpen);
}

#[test]
fn probes_that_are_never_heard_of_are_replaced_and_then_no_longer_count() {
    let mut breaker = half_open(10_000);
    let lost = breaker.gate().generation;
    let renew_at = breaker.next_tick().unwrap();
    assert_eq!(renew_at, at(130_000));
    assert_eq!(breaker.tick(renew_at), Changed::Gate);
    let generation = breaker.gate().generation;
    assert_ne!(generation, lost);
    assert_eq!(breaker.next_tick(), Some(at(370_000)), "twice as patient");
    for class in [
        OutcomeClass::Reset,
        OutcomeClass::Success,
        OutcomeClass::ClientGone,
    ] {
        let late = probe(class, lost);
        assert_eq!(breaker.observe(at(130_001), &late, JITTER), Changed::Nothing);
    }
    assert_eq!(breaker.report(at(130_001)).probes.unwrap().passed, 0);
}

#[test]
fn what_was_sent_before_it_opened_counts_neither_while_it_is_open_nor_later() {
    let sent_long_ago = |class| Ended {
        total_us: 60_000_000,
        ..ended(class)
    };
    let mut breaker = half_open(10_000);
    for class in [OutcomeClass::Reset, OutcomeClass::Success] {
        for _ in 0..10 {
            assert_eq!(
                breaker.observe(at(10_001), &sent_long_ago(class), JITTER),
                Changed::Nothing
            );
        }
    }
    let mut breaker = closed_again(70_000);
    for _ in 0..10 {
        assert_eq!(
            breaker.observe(at(70_001), &sent_long_ago(OutcomeClass::Reset), JITTER),
            Changed::Nothing
        );
    }
    assert_eq!(breaker.report(at(70_001)).consecutive_failures, 0);
}

#[test]
fn what_opened_it_does_not_open_it_again() {
    let mut breaker = breaker();
    breaker.configure(BreakerSettings {
        consecutive_failures: 0,
        open_for: Duration::from_secs(1),
        ..breaker.settings()
    });
    for _ in 0..20 {
        let _ = saw(&mut breaker, 1_000, OutcomeClass::Reset);
    }
    assert_eq!(breaker.tick(at(2_000)), Changed::State);
    for _ in 0..3 {
        let _ = probed(&mut breaker, 2_000, OutcomeClass::Success);
    }
    // All twenty are still within the width of its window.
    assert_eq!(saw(&mut breaker, 2_001, OutcomeClass::Reset), Changed::Nothing);
    assert_eq!(breaker.report(at(2_001)).window.failures, 1);
}

#[test]
fn jitter_varies_the_time_by_its_share() {
    for (jitter, until) in [
        (0.0, 3_750),
        (0.5, 5_000),
        (1.0, 6_250),
        (f64::NAN, 3_750),
        (9.0, 6_250),
    ] {
        let mut breaker = breaker();
        breaker.configure(BreakerSettings {
            jitter: 0.25,
            ..breaker.settings()
        });
        for _ in 0..5 {
            let _ = breaker.observe(at(0), &ended(OutcomeClass::Reset), jitter);
        }
        assert_eq!(breaker.gate().until, at(until), "{jitter}");
    }
}

#[test]
fn an_operator_is_obeyed_until_it_may_decide_again() {
    for (force, mode) in [
        (Force::Open, GateMode::ForcedOpen),
        (Force::Closed, GateMode::ForcedClosed),
        (Force::Drain, GateMode::Drained),
    ] {
        for mut breaker in [breaker(), opened(1_000), half_open(6_000), closed_again(6_000)] {
            let probes = breaker.gate().generation;
            assert_eq!(breaker.force(at(7_000), force), Changed::State);
            assert_eq!(breaker.force(at(7_000), force), Changed::Nothing);
            for _ in 0..100 {
                assert_eq!(saw(&mut breaker, 7_001, OutcomeClass::Reset), Changed::Nothing);
                let late = probe(OutcomeClass::Success, probes);
                assert_eq!(breaker.observe(at(7_001), &late, JITTER), Changed::Nothing);
            }
            assert_eq!((breaker.gate().mode, breaker.next_tick()), (mode, None));
            assert_eq!(breaker.tick(at(99_000)), Changed::Nothing);
            assert_eq!(breaker.report(at(99_000)).forced, Some(force.name()));
            assert_eq!(breaker.force(at(100_000), Force::Auto), Changed::State);
            let admission = if force == Force::Closed { u8::MAX } else { 26 };
            let gate = breaker.gate();
            assert_eq!((gate.mode, gate.admission), (GateMode::Closed, admission));
            for _ in 0..5 {
                let _ = saw(&mut breaker, 100_001, OutcomeClass::Reset);
            }
            assert_eq!(breaker.gate().mode, GateMode::Open);
        }
    }
}

#[test]
fn a_reset_forgets_everything() {
    let mut breaker = half_open(10_000);
    let _ = probed(&mut breaker, 10_000, OutcomeClass::Reset);
    assert_eq!(breaker.reset(at(10_001)), Changed::State);
    assert_eq!(
        (breaker.gate().mode, breaker.gate().admission),
        (GateMode::Closed, u8::MAX)
    );
    assert_eq!(breaker.reset(at(10_001)), Changed::Nothing);
    for _ in 0..5 {
        let _ = saw(&mut breaker, 10_002, OutcomeClass::Reset);
    }
    assert_eq!(breaker.gate().until, at(15_002), "as the first time");
}

#[test]
fn a_report_is_json_in_words() {
    let breaker = opened(1_000);
    let json = serde_json::to_value(breaker.report(at(2_000))).unwrap();
    assert_eq!(json["state"], "open");
    assert_eq!(
        (&json["since_ms_ago"], &json["next_probe_in_ms"]),
        (&1_000.into(), &4_000.into())
    );
    assert_eq!(
        json["last_trip"]["reason"],
        "5 failures in a row, the last one server_error"
    );
    assert_eq!(
        (&json["trips"], &json["forced"]),
        (&1.into(), &serde_json::Value::Null)
    );
    let force: Force = serde_json::from_str("\"drain\"").unwrap();
    assert_eq!(force, Force::Drain);
}

#[test]
fn a_sign_of_life_lets_probes_out_early_and_does_nothing_else() {
    let mut open = opened(1_000);
    assert_eq!(open.hasten(at(1_200)), Changed::State);
    assert_eq!((open.gate().mode, open.gate().probes), (GateMode::HalfOpen, 3));
    assert_eq!(
        open.hasten(at(1_300)),
        Changed::Nothing,
        "its probes are out already"
    );
    // A target that shows life and fails all the same is left alone for longer.
    assert_eq!(probed(&mut open, 1_700, OutcomeClass::Reset), Changed::State);
    assert_eq!(open.gate().until, at(11_700));

    let mut closed = breaker();
    assert_eq!(closed.hasten(at(1)), Changed::Nothing);
    let mut forced = opened(1_000);
    let _ = forced.force(at(1_100), Force::Open);
    assert_eq!(forced.hasten(at(1_200)), Changed::Nothing);
    assert_eq!(forced.gate().mode, GateMode::ForcedOpen);
}

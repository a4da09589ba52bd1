//! What a target's health makes of streams, whole answers, timeouts and the faults of others.

use proptest::prelude::*;

use super::*;

fn at(millis: u64) -> Moment {
    Moment::from_millis(millis)
}

fn health() -> TargetHealth {
    TargetHealth::new(HealthSettings {
        slow_after: Some(Duration::from_secs(2)),
        ..HealthSettings::default()
    })
}

fn first_token(millis: u64, ttft_us: u32, in_flight: u32) -> Observation {
    seen(millis, Stage::FirstToken { ttft_us, in_flight })
}

fn ended(millis: u64, class: OutcomeClass, change: impl FnOnce(&mut Ended)) -> Observation {
    let mut ended = Ended {
        class,
        ..Ended::without_verdict()
    };
    change(&mut ended);
    seen(millis, Stage::Ended(ended))
}

fn seen(millis: u64, stage: Stage) -> Observation {
    Observation {
        at: at(millis),
        slot: 0,
        credential: None,
        stage,
    }
}

fn stream(millis: u64, ttft_us: u32, total_us: u32, tokens: u32) -> Observation {
    ended(millis, OutcomeClass::Success, |it| {
        (it.streamed, it.ttft_us, it.total_us, it.output_tokens) = (true, Some(ttft_us), total_us, tokens);
    })
}

fn whole_answer(millis: u64, total_us: u32, tokens: u32) -> Observation {
    ended(millis, OutcomeClass::Success, |it| {
        (it.total_us, it.output_tokens) = (total_us, tokens);
    })
}

const ALL: [OutcomeClass; 20] = [
    OutcomeClass::Success,
    OutcomeClass::InvalidRequest,
    OutcomeClass::ContextTooLong,
    OutcomeClass::CredentialRejected,
    OutcomeClass::QuotaExhausted,
    OutcomeClass::ModelNotFound,
    OutcomeClass::RateLimited,
    OutcomeClass::Overloaded,
    OutcomeClass::ServerError,
    OutcomeClass::ConnectFailed,
    OutcomeClass::ConnectTimeout,
    OutcomeClass::FirstByteTimeout,
    OutcomeClass::IdleTimeout,
    OutcomeClass::TotalTimeout,
    OutcomeClass::Reset,
    OutcomeClass::StreamError,
    OutcomeClass::Malformed,
    OutcomeClass::DeadlineExceeded,
    OutcomeClass::Superseded,
    OutcomeClass::ClientGone,
];

#[test]
fn a_stream_gives_its_first_token_and_then_its_pace() {
    let mut health = health();
    health.observe(&first_token(100, 50_000, 3));
    health.observe(&stream(500, 50_000, 450_000, 11));
    let vitals = health.vitals(at(500));
    assert_eq!((vitals.ttft_us, vitals.measured_at), (Some(50_000.0), at(100)));
    assert_eq!(vitals.per_token_us, Some(40_000.0));
    assert_eq!((vitals.load, vitals.output_tokens), (3.0, Some(11.0)));
}

#[test]
fn a_stream_of_one_token_has_no_pace() {
    let mut health = health();
    health.observe(&stream(1, 10, 500, 1));
    health.observe(&stream(2, 10, 500, 0));
    assert_eq!(health.vitals(at(2)).per_token_us, None);
}

#[test]
fn a_whole_answer_is_taken_apart_by_the_pace_of_streams() {
    let mut health = health();
    health.observe(&whole_answer(0, 700_000, 60));
    assert_eq!(
        health.vitals(at(0)).ttft_us,
        Some(700_000.0),
        "no pace known: all of it"
    );
    let mut health = self::health();
    health.observe(&stream(0, 100_000, 200_000, 11));
    health.observe(&whole_answer(1, 700_000, 60));
    assert_eq!(health.vitals(at(1)).ttft_us, Some(100_000.0));
    // Faster than its tokens could be written: a tenth of it remains.
    health.observe(&whole_answer(60_000, 700_000, 600));
    let ttft = health.vitals(at(60_000)).ttft_us.unwrap();
    assert!((70_000.0..71_000.0).contains(&ttft), "{ttft}");
}

#[test]
fn a_timeout_without_a_first_token_raises_the_estimate_and_never_lowers_it() {
    let mut health = health();
    health.observe(&first_token(0, 200_000, 0));
    health.observe(&ended(60_000, OutcomeClass::DeadlineExceeded, |it| {
        it.total_us = 50_000;
    }));
    assert_eq!(
        health.vitals(at(60_000)).ttft_us,
        Some(200_000.0),
        "it only says: at least 50 ms"
    );
    health.observe(&ended(60_001, OutcomeClass::FirstByteTimeout, |it| {
        it.total_us = 9_000_000;
    }));
    assert_eq!(health.vitals(at(60_001)).ttft_us, Some(9_000_000.0));
}

#[test]
fn a_stream_that_crawls_into_its_timeout_raises_the_pace_and_not_the_first_token() {
    let mut health = health();
    health.observe(&first_token(0, 200_000, 0));
    health.observe(&ended(90_000, OutcomeClass::TotalTimeout, |it| {
        (it.ttft_us, it.total_us, it.output_tokens) = (Some(200_000), 90_200_000, 91);
    }));
    let vitals = health.vitals(at(90_000));
    assert_eq!(
        (vitals.ttft_us, vitals.per_token_us),
        (Some(200_000.0), Some(1_000_000.0))
    );
}

#[test]
fn what_is_not_the_targets_fault_is_no_request_of_its_ratio() {
    let mut health = health();
    for class in ALL {
        health.observe(&ended(5, class, |_| {}));
    }
    let failing = ALL.iter().filter(|class| class.policy().counts_in_ratio).count();
    let report = health.report(at(5));
    assert_eq!(report.window.requests as usize, failing + 1, "and one success");
    assert_eq!(report.window.failures as usize, failing);
    assert_eq!(report.window.rate_limited, 1);
    assert_eq!(report.outcomes.values().sum::<u64>(), 20);
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
        let mut health = self::health();
        health.observe(&ended(5, class, |_| {}));
        assert_eq!(health.vitals(at(5)).samples, 0, "{class:?}");
    }
}

#[test]
fn failures_leave_the_ratio_with_the_window_and_the_streak_with_a_success() {
    let mut health = health();
    for millis in 0..4 {
        health.observe(&ended(millis, OutcomeClass::ServerError, |it| {
            it.retry_after = Some(Duration::from_secs(7));
        }));
    }
    let vitals = health.vitals(at(10));
    assert_eq!((vitals.error_ratio, vitals.samples), (1.0, 4));
    let report = health.report(at(1_003));
    assert_eq!(report.consecutive_failures, 4);
    assert_eq!(report.last_failure.unwrap().ms_ago, 1_000);
    assert_eq!(report.last_retry_after.unwrap().wait_ms, 7_000);
    health.observe(&whole_answer(2_000, 10, 1));
    let vitals = health.vitals(at(2_000));
    assert_eq!((vitals.error_ratio, vitals.samples), (0.8, 5));
    assert_eq!(health.report(at(2_000)).consecutive_failures, 0);
    assert_eq!(health.report(at(11_000)).window.requests, 1);
}

#[test]
fn a_target_that_is_avoided_is_not_as_good_as_new_when_its_window_is_empty() {
    let mut health = health();
    for millis in 0..200 {
        let class = if millis % 5 == 0 {
            OutcomeClass::ServerError
        } else {
            OutcomeClass::Success
        };
        health.observe(&ended(millis, class, |_| {}));
    }
    let ratio = |now| health.vitals(at(now)).error_ratio;
    assert!((0.19..0.21).contains(&ratio(200)), "{}", ratio(200));
    // The window is empty after 10 s; what is remembered fades with the same time constant.
    assert!((0.02..0.10).contains(&ratio(12_000)), "{}", ratio(12_000));
    assert!(ratio(20_000) < ratio(12_000) && ratio(120_000) < 0.001);
}

#[test]
fn late_answers_are_slow_by_their_first_token() {
    let mut health = health();
    health.observe(&stream(0, 1_000_000, 60_000_000, 100));
    health.observe(&stream(0, 2_000_001, 2_100_000, 100));
    health.observe(&whole_answer(0, 2_000_001, 100));
    assert_eq!(health.report(at(0)).window.slow, 2);
}

#[test]
fn a_95th_percentile_needs_twenty_samples() {
    let mut health = health();
    for i in 1..=19 {
        health.observe(&first_token(i, 1_000, 0));
    }
    assert_eq!(health.vitals(at(20)).p95_ttft_us, None);
    health.observe(&first_token(20, 1_000, 0));
    assert_eq!(health.vitals(at(20)).p95_ttft_us, Some(1_003.0), "to two digits");
}

#[test]
fn settings_change_without_forgetting() {
    let mut health = health();
    health.observe(&first_token(0, 1_000, 0));
    health.observe(&ended(0, OutcomeClass::Reset, |_| {}));
    let decay = Duration::ZERO;
    health.configure(HealthSettings {
        decay,
        ..health.settings()
    });
    health.observe(&first_token(1, 10, 0));
    assert_eq!(health.vitals(at(1)).ttft_us, Some(10.0));
    assert_eq!(health.vitals(at(1)).samples, 1);
    let window = Duration::from_secs(1);
    health.configure(HealthSettings {
        window,
        ..health.settings()
    });
    assert_eq!(health.report(at(1)).window.requests, 0);
}

#[test]
fn a_report_is_json() {
    let mut health = health();
    health.observe(&first_token(0, 1_000, 0));
    health.observe(&ended(1, OutcomeClass::Overloaded, |_| {}));
    let json = serde_json::to_value(health.report(at(2))).unwrap();
    assert_eq!(json["outcomes"]["overloaded"], 1);
    assert_eq!(json["last_failure"]["outcome"], "overloaded");
    assert_eq!(json["ttft"]["p50_us"], 1003);
    assert_eq!(json["total"], serde_json::Value::Null);
}

fn observations() -> impl Strategy<Value = Observation> {
    let extreme = || prop_oneof![any::<u32>(), Just(0), Just(u32::MAX)];
    let first =
        (extreme(), extreme()).prop_map(|(ttft_us, in_flight)| Stage::FirstToken { ttft_us, in_flight });
    let times = (extreme(), prop::option::of(extreme()), extreme());
    let tokens = (extreme(), extreme(), extreme());
    let end = (prop::sample::select(&ALL[..]), any::<bool>(), times, tokens).prop_map(
        |(class, streamed, (total_us, ttft_us, in_flight), (output, prompt, estimated))| {
            Stage::Ended(Ended {
                class,
                streamed,
                total_us,
                ttft_us,
                in_flight,
                output_tokens: output,
                prompt_tokens: prompt,
                estimated_prompt_tokens: estimated,
                retry_after: Some(Duration::MAX),
                probe: None,
            })
        },
    );
    let moment = prop_oneof![4 => 0u64..100_000, 1 => any::<u64>()];
    (moment, prop_oneof![first, end]).prop_map(|(millis, stage)| seen(millis, stage))
}

proptest! {
    #[test]
    fn whatever_is_seen_vitals_are_numbers_within_their_ranges(
        seen in prop::collection::vec(observations(), 0..60), now: u64,
    ) {
        let mut health = health();
        for observation in &seen {
            health.observe(observation);
        }
        let vitals = health.vitals(Moment::from_micros(now));
        let fits = |value: Option<f32>| value.is_none_or(|it| (0.0..=4.3e9).contains(&it));
        prop_assert!(fits(vitals.ttft_us) && fits(vitals.per_token_us) && fits(vitals.output_tokens));
        prop_assert!(fits(vitals.p95_ttft_us) && fits(Some(vitals.load)));
        prop_assert!((0.0..=1.0).contains(&vitals.error_ratio));
        prop_assert!((0.1..=10.0).contains(&vitals.prompt_ratio));
        prop_assert!(vitals.samples as usize <= seen.len());
        let report = health.report(Moment::from_micros(now));
        let ends = seen.iter().filter(|it| matches!(it.stage, Stage::Ended(_))).count();
        prop_assert_eq!(report.outcomes.values().sum::<u64>(), ends as u64);
    }
}

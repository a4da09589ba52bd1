//! Credentials: rests, deaths, and how both end.

use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Moment {
    Moment::from_millis(seconds * 1_000)
}

fn ended(class: OutcomeClass, took: Duration, retry_after: Option<Duration>) -> Ended {
    Ended {
        class,
        total_us: u32::try_from(took.as_micros()).unwrap_or(u32::MAX),
        retry_after,
        ..Ended::without_verdict()
    }
}

const NO_TIME: Duration = Duration::ZERO;

fn saw(health: &mut CredentialHealth, seconds: u64, class: OutcomeClass) -> CredentialChange {
    health.observe(at(seconds), &ended(class, NO_TIME, None), 0.5)
}

fn asked_to_wait(seconds: u64) -> CredentialHealth {
    let mut health = CredentialHealth::new();
    let wait = Some(Duration::from_secs(seconds));
    let changed = health.observe(at(100), &ended(OutcomeClass::RateLimited, NO_TIME, wait), 0.0);
    assert_eq!(changed, CredentialChange::Here);
    health
}

#[test]
fn a_rate_limit_rests_as_long_as_it_was_asked_to_and_five_minutes_at_most() {
    assert_eq!(
        asked_to_wait(20).state(at(119)),
        CredentialState::Cooling(at(120))
    );
    assert_eq!(asked_to_wait(20).state(at(120)), CredentialState::Usable);
    assert_eq!(asked_to_wait(86_400).usable_at(), at(400));
    assert_eq!(asked_to_wait(u64::MAX).usable_at(), at(400));
}

#[test]
fn without_a_wish_it_rests_twice_as_long_each_time() {
    let mut health = CredentialHealth::new();
    let mut now = 1_000;
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(
            saw(&mut health, now, OutcomeClass::RateLimited),
            CredentialChange::Here
        );
        assert_eq!(health.usable_at(), at(now + seconds));
        now += seconds;
    }
    assert_eq!(
        saw(&mut health, now, OutcomeClass::Success),
        CredentialChange::Here
    );
    assert_eq!(
        saw(&mut health, now, OutcomeClass::RateLimited),
        CredentialChange::Here
    );
    assert_eq!(health.usable_at(), at(now + 1));
}

#[test]
fn a_wish_for_no_time_is_none() {
    let mut health = CredentialHealth::new();
    let now = ended(OutcomeClass::RateLimited, NO_TIME, Some(Duration::ZERO));
    assert_eq!(health.observe(at(5), &now, 0.5), CredentialChange::Here);
    assert_eq!(health.usable_at(), at(6));
}

#[test]
fn a_burst_that_meets_one_limit_counts_once() {
    let mut health = CredentialHealth::new();
    let took = Duration::from_secs(2);
    let burst = ended(OutcomeClass::RateLimited, took, None);
    assert_eq!(health.observe(at(10), &burst, 0.5), CredentialChange::Here);
    for _ in 0..1_000 {
        assert_eq!(health.observe(at(11), &burst, 0.5), CredentialChange::Nothing);
    }
    assert_eq!((health.usable_at(), health.rate_limits_in_a_row), (at(11), 1));
    // One of them that is told to wait longer is believed.
    let wish = ended(OutcomeClass::RateLimited, took, Some(Duration::from_secs(30)));
    assert_eq!(health.observe(at(11), &wish, 0.0), CredentialChange::Here);
    assert_eq!((health.usable_at(), health.rate_limits_in_a_row), (at(41), 1));
}

#[test]
fn a_stream_that_began_before_the_limit_does_not_lift_it() {
    let mut health = asked_to_wait(20);
    let long = ended(OutcomeClass::Success, Duration::from_secs(60), None);
    assert_eq!(health.observe(at(110), &long, 0.5), CredentialChange::Nothing);
    assert_eq!(health.usable_at(), at(120));
    assert_eq!(
        saw(&mut health, 110, OutcomeClass::Success),
        CredentialChange::Here
    );
    assert_eq!(health.state(at(110)), CredentialState::Usable);
}

#[test]
fn what_is_not_accepted_or_not_paid_is_dead_everywhere_and_tried_again_later() {
    for (class, least) in [
        (OutcomeClass::CredentialRejected, 600),
        (OutcomeClass::QuotaExhausted, 300),
    ] {
        let mut health = CredentialHealth::new();
        assert_eq!(saw(&mut health, 10, class), CredentialChange::Everywhere);
        assert!(matches!(health.state(at(9 + least)), CredentialState::Dead(_)));
        assert_eq!(health.state(at(11 + least * 11 / 10)), CredentialState::Usable);
        // A limit does not shorten it, and one that is still in flight does not prolong it.
        assert_eq!(
            saw(&mut health, 20, OutcomeClass::RateLimited),
            CredentialChange::Nothing
        );
        let late = ended(class, Duration::from_secs(60), None);
        assert_eq!(health.observe(at(20), &late, 0.5), CredentialChange::Nothing);
        assert_eq!(
            saw(&mut health, 20, OutcomeClass::Success),
            CredentialChange::Everywhere
        );
        assert_eq!(health.state(at(20)), CredentialState::Usable);
    }
}

#[test]
fn other_targets_follow_into_death_and_out_of_it() {
    let (mut here, mut there) = (CredentialHealth::new(), CredentialHealth::new());
    assert_eq!(
        saw(&mut here, 10, OutcomeClass::QuotaExhausted),
        CredentialChange::Everywhere
    );
    assert!(there.follow(at(10), &here));
    assert!(!there.follow(at(10), &here), "once");
    assert_eq!(there.usable_at(), here.usable_at());
    assert_eq!(there.report(at(10)).cause, Some("quota_exhausted"));
    assert_eq!(
        saw(&mut here, 11, OutcomeClass::Success),
        CredentialChange::Everywhere
    );
    assert!(there.follow(at(11), &here));
    assert_eq!(there.state(at(11)), CredentialState::Usable);
}

#[test]
fn a_refusal_elsewhere_is_believed_for_a_minute_and_not_where_the_credential_just_worked() {
    let [mut forbidden, mut busy, mut idle] = [const { CredentialHealth::new() }; 3];
    assert_eq!(
        saw(&mut busy, 10, OutcomeClass::Success),
        CredentialChange::Nothing
    );
    assert_eq!(
        saw(&mut forbidden, 20, OutcomeClass::CredentialRejected),
        CredentialChange::Everywhere
    );
    assert!(!busy.follow(at(20), &forbidden));
    assert!(idle.follow(at(20), &forbidden));
    assert_eq!(idle.usable_at(), at(80));
    assert!(busy.follow(at(70), &forbidden), "its proof is a minute old");
}

#[test]
fn what_is_not_about_credentials_changes_nothing_and_a_reset_forgets() {
    let mut health = asked_to_wait(20);
    for class in [
        OutcomeClass::ServerError,
        OutcomeClass::ClientGone,
        OutcomeClass::ConnectFailed,
    ] {
        assert_eq!(saw(&mut health, 101, class), CredentialChange::Nothing);
    }
    let report = health.report(at(105));
    assert_eq!(
        (report.state, report.cause),
        ("cooling_down", Some("rate_limited"))
    );
    assert_eq!(
        (report.usable_in_ms, report.rate_limits_in_a_row),
        (Some(15_000), 1)
    );
    health.reset(at(106));
    let report = health.report(at(106));
    assert_eq!(
        (report.state, report.cause, report.usable_in_ms),
        ("usable", None, None)
    );
}

proptest! {
    #[test]
    fn it_rests_within_its_bounds_and_time_alone_or_a_new_success_ends_it(
        events in prop::collection::vec((
            0u64..200,
            prop::sample::select(vec![
                OutcomeClass::Success,
                OutcomeClass::RateLimited,
                OutcomeClass::RateLimited,
                OutcomeClass::CredentialRejected,
                OutcomeClass::QuotaExhausted,
                OutcomeClass::Reset,
            ]),
            0u64..300,
            prop::option::of(0u64..2_000),
            0.0..1.0f64,
        ), 0..80),
    ) {
        let mut health = CredentialHealth::new();
        let mut now = 1_000;
        for (step, class, took, wish, jitter) in events {
            now += step;
            let (moment, wish) = (at(now), wish.map(Duration::from_secs));
            let before = health.clone();
            let ended = ended(class, Duration::from_secs(took), wish);
            let change = health.observe(moment, &ended, jitter);
            let rest = health.usable_at().since(moment);
            match health.state(moment) {
                CredentialState::Usable => {}
                CredentialState::Cooling(_) => prop_assert!(rest <= LONGEST_REST),
                CredentialState::Dead(_) => prop_assert!(rest <= REJECTED_FOR.mul_f64(1.1)),
            }
            if change == CredentialChange::Nothing {
                prop_assert_eq!(health.state(moment), before.state(moment));
            } else if class == OutcomeClass::Success {
                prop_assert_eq!(health.state(moment), CredentialState::Usable);
            } else {
                prop_assert!(health.usable_at() >= before.usable_at(), "bad news never shorten a rest");
                let wish = wish.unwrap_or_default().min(LONGEST_REST);
                prop_assert!(class != OutcomeClass::RateLimited || rest >= wish);
            }
            prop_assert_eq!(health.state(health.usable_at().max(moment)), CredentialState::Usable);
            let mut works = health.clone();
            let good = Ended { class: OutcomeClass::Success, ..Ended::without_verdict() };
            let _ = works.observe(moment, &good, jitter);
            prop_assert_eq!(works.state(moment), CredentialState::Usable);
            prop_assert_eq!(works.rate_limits_in_a_row, 0);
        }
    }
}

#[test]
fn another_key_of_the_same_name_is_not_blamed_for_the_old_one_but_its_account_stays_the_same() {
    let observed = |class| {
        let mut health = CredentialHealth::new();
        let _ = health.observe(at(1_000), &ended(class, Duration::from_millis(10), None), 0.0);
        let changes = health.renew(at(2_000));
        (changes, health)
    };
    let (changes, mut rejected) = observed(OutcomeClass::CredentialRejected);
    assert!(changes && rejected.state(at(2_000)) == CredentialState::Usable);
    // What was sent with the old key and is refused only now.
    let late = ended(OutcomeClass::RateLimited, Duration::from_secs(600), None);
    let _ = rejected.observe(at(2_500), &late, 0.0);
    assert_eq!(rejected.state(at(2_500)), CredentialState::Usable);
    for class in [OutcomeClass::QuotaExhausted, OutcomeClass::RateLimited] {
        let (changes, health) = observed(class);
        assert!(!changes && health.state(at(1_000)) != CredentialState::Usable);
    }
}

//! What routing did for a request is read from its attempts; what it tells by itself is shown as it is.

use proptest::prelude::*;

use super::*;
use AttemptRole::{Continuation, Hedge, Ordinary, Probe};
use OutcomeClass::{
    ClientGone, ConnectFailed, DeadlineExceeded, InvalidRequest, Overloaded, RateLimited, StreamError,
    Success, Superseded,
};

const ROLES: [AttemptRole; 4] = [Ordinary, Probe, Hedge, Continuation];

/// A request of route `fast`, served by the last of these attempts, the models of which are `m0`, `m1` and so on.
fn tried(attempts: &[(AttemptRole, OutcomeClass)]) -> RequestRecord {
    let mut record = answered("p", &format!("m{}", attempts.len().saturating_sub(1)));
    record.attempts = (0..)
        .zip(attempts)
        .map(|(number, &(role, outcome))| AttemptRecord {
            role,
            ..attempt("p", &format!("m{number}"), outcome)
        })
        .collect();
    record
}

/// The series of one metric, without its name, in order.
fn series(text: &str, metric: &str) -> Vec<String> {
    let start = format!("{metric}{{");
    let mut series: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix(&start).map(str::to_owned))
        .collect();
    series.sort();
    series
}

#[track_caller]
fn assert_counted(attempts: &[(AttemptRole, OutcomeClass)], metric: &str, expected: &[&str]) {
    let (meters, exposition) = Meters::install();
    meters.settle(&tried(attempts));
    assert_eq!(series(&exposition.render(), metric), expected, "{attempts:?}");
}

#[test]
fn a_failure_that_another_attempt_followed_is_a_failover() {
    let failovers = "tollgate_failovers_total";
    for alone in [Success, Overloaded, InvalidRequest, ClientGone] {
        assert_counted(&[(Ordinary, alone)], failovers, &[]);
    }
    assert_counted(
        &[
            (Ordinary, Overloaded),
            (Ordinary, ConnectFailed),
            (Probe, Success),
        ],
        failovers,
        &[
            r#"route="fast",reason="connect_failed"} 1"#,
            r#"route="fast",reason="overloaded"} 1"#,
        ],
    );
    assert_counted(
        &[
            (Ordinary, RateLimited),
            (Ordinary, RateLimited),
            (Ordinary, RateLimited),
        ],
        failovers,
        &[r#"route="fast",reason="rate_limited"} 2"#],
    );
}

#[test]
fn neither_a_hedge_nor_a_continuation_is_a_failover_but_a_hedge_may_fail_over() {
    let failovers = "tollgate_failovers_total";
    assert_counted(&[(Ordinary, Superseded), (Hedge, Success)], failovers, &[]);
    assert_counted(&[(Ordinary, Overloaded), (Hedge, Success)], failovers, &[]);
    assert_counted(
        &[(Ordinary, StreamError), (Continuation, Success)],
        failovers,
        &[],
    );
    assert_counted(
        &[
            (Ordinary, Overloaded),
            (Hedge, ConnectFailed),
            (Ordinary, Success),
        ],
        failovers,
        &[
            r#"route="fast",reason="connect_failed"} 1"#,
            r#"route="fast",reason="overloaded"} 1"#,
        ],
    );
}

#[test]
fn a_hedge_wins_loses_or_fails() {
    for (hedge, result) in [
        (Success, "won"),
        (ClientGone, "won"),
        (Superseded, "lost"),
        (DeadlineExceeded, "lost"),
        (Overloaded, "failed"),
        (StreamError, "failed"),
    ] {
        let expected = format!(r#"route="fast",result="{result}"}} 1"#);
        let attempts = [(Ordinary, Superseded), (Hedge, hedge)];
        assert_counted(&attempts, "tollgate_hedges_total", &[&expected]);
    }
    let (meters, exposition) = Meters::install();
    let mut left = tried(&[(Ordinary, ClientGone), (Hedge, ClientGone)]);
    left.served = None;
    meters.settle(&left);
    left.served = tried(&[(Ordinary, Success)]).served;
    meters.settle(&left);
    assert_eq!(
        series(&exposition.render(), "tollgate_hedges_total"),
        [r#"route="fast",result="lost"} 2"#],
        "whose answer the client was not getting has not won"
    );
}

#[test]
fn a_continuation_completes_fails_or_is_abandoned() {
    for (outcome, result) in [
        (Success, "completed"),
        (ClientGone, "abandoned"),
        (StreamError, "failed"),
    ] {
        let expected = format!(r#"route="fast",result="{result}"}} 1"#);
        let attempts = [(Ordinary, StreamError), (Continuation, outcome)];
        assert_counted(&attempts, "tollgate_stream_continuations_total", &[&expected]);
    }
}

#[test]
fn requests_are_told_apart_by_how_many_attempts_they_took() {
    let (meters, exposition) = Meters::install();
    for attempts in [0, 1, 1, 3, 9] {
        meters.settle(&tried(&vec![(Ordinary, Overloaded); attempts]));
    }
    assert_has(
        &exposition.render(),
        &[
            r#"tollgate_attempts_per_request_bucket{route="fast",le="1"} 2"#,
            r#"tollgate_attempts_per_request_bucket{route="fast",le="2"} 2"#,
            r#"tollgate_attempts_per_request_bucket{route="fast",le="8"} 3"#,
            r#"tollgate_attempts_per_request_bucket{route="fast",le="+Inf"} 4"#,
            r#"tollgate_attempts_per_request_sum{route="fast"} 14"#,
        ],
    );
}

/// Asserts that of the states of `p/m`, this one is 1 and all others 0.
#[track_caller]
fn assert_state(exposition: &Exposition, present: &str) {
    let text = exposition.render();
    assert_eq!(
        series(&text, "tollgate_breaker_state").len(),
        BREAKER_STATES.len()
    );
    for state in BREAKER_STATES {
        let value = u8::from(state == present);
        let line = format!(r#"tollgate_breaker_state{{provider="p",model="m",state="{state}"}} {value}"#);
        assert_has(&text, &[&line]);
    }
}

#[test]
fn a_breaker_is_in_one_state_at_a_time() {
    let (meters, exposition) = Meters::install();
    meters.breaker_state("p", "m", "closed");
    assert_state(&exposition, "closed");
    let mut from = "closed";
    for to in BREAKER_STATES.into_iter().chain(["open", "closed", "open"]) {
        meters.breaker_changed("p", "m", from, to);
        assert_state(&exposition, to);
        from = to;
    }
    let transitions = series(&exposition.render(), "tollgate_breaker_transitions_total");
    let expected = [
        r#"to="closed"} 1"#,
        r#"to="drained"} 1"#,
        r#"to="forced_closed"} 1"#,
        r#"to="forced_open"} 1"#,
        r#"to="half_open"} 1"#,
        r#"to="open"} 3"#,
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|it| format!(r#"provider="p",model="m",{it}"#))
        .collect();
    assert_eq!(transitions, expected, "from closed to closed is no transition");
}

#[test]
fn the_states_of_breakers_are_explained() {
    for state in BREAKER_STATES {
        assert!(names::BREAKER_STATE.help.contains(state), "{state}");
    }
}

#[test]
fn what_is_not_known_of_a_target_is_not_made_up() {
    let (meters, exposition) = Meters::install();
    let ttft = |exposition: &Exposition| series(&exposition.render(), "tollgate_target_ttft_seconds");
    meters.target_health("p", "m", None, 0.0, 0);
    assert!(ttft(&exposition).is_empty(), "it was never measured");
    meters.target_health("p", "m", Some(Duration::from_millis(250)), 0.125, 7);
    assert_eq!(ttft(&exposition), [r#"provider="p",model="m"} 0.25"#]);
    assert_has(
        &exposition.render(),
        &[
            r#"tollgate_target_error_ratio{provider="p",model="m"} 0.125"#,
            r#"tollgate_target_inflight{provider="p",model="m"} 7"#,
        ],
    );
    meters.target_health("p", "m", None, 0.0, 0);
    assert_eq!(ttft(&exposition), [r#"provider="p",model="m"} NaN"#]);
}

#[test]
fn a_target_that_is_gone_is_in_no_state_until_it_comes_back() {
    let (meters, exposition) = Meters::install();
    meters.target_gone("p", "m");
    assert!(
        !exposition.render().contains("tollgate_breaker_state{"),
        "nobody knows it"
    );
    meters.breaker_changed("p", "m", "closed", "open");
    meters.target_health("p", "m", Some(Duration::from_secs(1)), 0.5, 3);
    meters.target_gone("p", "other");
    assert_state(&exposition, "open");
    meters.target_gone("p", "m");
    assert_state(&exposition, "none of them");
    assert_has(
        &exposition.render(),
        &[
            r#"tollgate_target_ttft_seconds{provider="p",model="m"} NaN"#,
            r#"tollgate_target_error_ratio{provider="p",model="m"} NaN"#,
            r#"tollgate_target_inflight{provider="p",model="m"} 0"#,
        ],
    );
    meters.breaker_state("p", "m", "closed");
    assert_state(&exposition, "closed");
}

#[test]
fn past_the_cap_targets_have_counts_but_no_gauges() {
    let (meters, exposition) = Meters::install();
    for number in 0..200 {
        let model = format!("m{number}");
        meters.breaker_changed("p", &model, "closed", "open");
        meters.target_health("p", &model, Some(Duration::from_secs(1)), 0.5, 1);
    }
    let text = exposition.render();
    assert_eq!(
        series(&text, "tollgate_breaker_state").len(),
        128 * BREAKER_STATES.len()
    );
    assert_eq!(series(&text, "tollgate_target_inflight").len(), 128);
    assert_has(
        &text,
        &[r#"tollgate_breaker_transitions_total{provider="p",model="other",to="open"} 72"#],
    );
}

#[test]
fn what_the_gateway_tells_is_counted_as_told() {
    let (meters, exposition) = Meters::install();
    meters.retry_refused("fast");
    meters.retry_refused("fast");
    meters.panicked("fast");
    meters.filtered("fast", "region");
    meters.filtered("fast", "capability");
    meters.filtered("fast", "region");
    meters.outcomes_dropped("p", 5);
    meters.outcomes_dropped("p", 7);
    meters.outcomes_dropped("p", 6);
    meters.probed("p", Success);
    meters.probed("p", ConnectFailed);
    meters.route_version(12);
    meters.rollout_ended(RolloutResult::Promoted);
    meters.rollout_ended(RolloutResult::RolledBack);
    meters.rollout_ended(RolloutResult::Aborted);
    meters.rollout_ended(RolloutResult::Aborted);
    meters.decision_journal().written(3);
    meters.decision_journal().dropped(2);
    assert_has(
        &exposition.render(),
        &[
            r#"tollgate_retries_refused_total{route="fast"} 2"#,
            r#"tollgate_panic_total{route="fast"} 1"#,
            r#"tollgate_filtered_total{route="fast",filter="region"} 2"#,
            r#"tollgate_filtered_total{route="fast",filter="capability"} 1"#,
            r#"tollgate_outcomes_dropped_total{provider="p"} 7"#,
            r#"tollgate_probes_total{provider="p",result="success"} 1"#,
            r#"tollgate_probes_total{provider="p",result="connect_failed"} 1"#,
            "tollgate_route_version 12",
            r#"tollgate_rollouts_total{result="promoted"} 1"#,
            r#"tollgate_rollouts_total{result="rolled_back"} 1"#,
            r#"tollgate_rollouts_total{result="aborted"} 2"#,
            "tollgate_decision_log_lines_total 3",
            "tollgate_decision_log_dropped_total 2",
            "tollgate_log_lines_total 0",
        ],
    );
}

/// The sum of a metric's series.
fn total(text: &str, metric: &str) -> usize {
    let value = |line: &String| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap();
    series(text, metric).iter().map(value).sum()
}

proptest! {
    #[test]
    fn every_hedge_and_continuation_has_one_result_and_no_failover_lacks_a_successor(
        requests in prop::collection::vec(
            prop::collection::vec((prop::sample::select(&ROLES[..]), outcome()), 0..6),
            1..6,
        ),
    ) {
        let (meters, exposition) = Meters::install();
        for attempts in &requests {
            meters.settle(&tried(attempts));
        }
        let of = |role| requests.iter().flatten().filter(|it| it.0 == role).count();
        let failovers = |attempts: &Vec<(AttemptRole, OutcomeClass)>| {
            let is_followed = |at: usize| attempts[at + 1..].iter().any(|it| matches!(it.0, Ordinary | Probe));
            let fails_over = |at: &usize| attempts[*at].1.policy().may_fail_over && is_followed(*at);
            (0..attempts.len()).filter(fails_over).count()
        };
        let text = exposition.render();
        prop_assert_eq!(total(&text, "tollgate_hedges_total"), of(Hedge));
        prop_assert_eq!(total(&text, "tollgate_stream_continuations_total"), of(Continuation));
        prop_assert_eq!(total(&text, "tollgate_failovers_total"), requests.iter().map(failovers).sum::<usize>());
    }
}

fn outcome() -> impl Strategy<Value = OutcomeClass> {
    prop::sample::select(vec![
        Success,
        InvalidRequest,
        RateLimited,
        Overloaded,
        ConnectFailed,
        StreamError,
        DeadlineExceeded,
        Superseded,
        ClientGone,
    ])
}

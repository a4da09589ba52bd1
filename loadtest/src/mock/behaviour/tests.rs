//! Behaviours are read, refused and rolled as they say.

use super::*;

fn parse(json: &str) -> Behaviour {
    serde_json::from_str(json).expect("valid behaviour")
}

#[test]
fn a_behaviour_survives_json() {
    let behaviour = parse(
        r#"{"latency":{"lognormal":{"median_ms":300,"sigma":0.4}},"failure":{"status":429,"retry_after":"2","type":"x"},
            "fault":{"kind":"cut","at":{"after_chunks":10}},"fail_ratio":0.5,"headers":{"x-a":"b"},"usage":{"cached":3}}"#,
    );
    assert_eq!(behaviour.problems(), []);
    let written = serde_json::to_string(&behaviour).expect("json");
    assert_eq!(parse(&written), behaviour);
}

#[test]
fn unknown_fields_are_refused_at_every_level() {
    for bad in [
        r#"{"latncy":{}}"#,
        r#"{"latency":{"fixed":{"ms":1,"s":2}}}"#,
        r#"{"pacing":{"tokens":1}}"#,
        r#"{"usage":{"total":1}}"#,
        r#"{"reply":{"tool":{"nom":"x"}}}"#,
        r#"{"failure":{"status":"500"}}"#,
        r#"{"fault":{"kind":"hang"}}"#,
        r#"{"reply":{"tokens":-1}}"#,
    ] {
        assert!(serde_json::from_str::<Behaviour>(bad).is_err(), "{bad}");
    }
}

#[test]
fn every_problem_is_reported_at_once() {
    let behaviour = parse(
        r#"{"latency":{"step":{"before_ms":-1,"after_ms":1}},"pacing":{"tokens_per_chunk":0,"write_bytes":0},
            "failure":{"status":99,"retry_after":"a\nb"},"fault":{"kind":"error_event","at":"before_head"},
            "fail_ratio":1.5,"headers":{"a b":"c"},"reply":{"tokens":4000000000}}"#,
    );
    let paths: Vec<String> = behaviour
        .problems()
        .into_iter()
        .map(|problem| problem.path)
        .collect();
    assert_eq!(
        paths,
        [
            "latency.step.before_ms",
            "latency.step",
            "pacing.tokens_per_chunk",
            "pacing.write_bytes",
            "reply.tokens",
            "failure.status",
            "failure.retry_after",
            "fault.at",
            "fail_ratio",
            "headers.a b"
        ]
    );
}

#[test]
fn a_step_changes_at_its_request_or_its_time() {
    let dice = Dice::new(0, &[], 0);
    let step = |at_request, at_elapsed_ms| Latency::Step {
        before_ms: 10.0,
        after_ms: 900.0,
        at_request,
        at_elapsed_ms,
    };
    let draw = |latency: Latency, count, ms| latency.draw(dice, count, Duration::from_millis(ms)).as_millis();
    assert_eq!(draw(step(Some(5), None), 4, 0), 10);
    assert_eq!(draw(step(Some(5), None), 5, 0), 900);
    assert_eq!(draw(step(None, Some(100)), 99, 99), 10);
    assert_eq!(draw(step(None, Some(100)), 0, 100), 900);
}

#[test]
fn half_of_lognormal_latencies_are_below_the_median() {
    let latency = Latency::Lognormal {
        median_ms: 100.0,
        sigma: 0.5,
    };
    let below = (0..4_000)
        .filter(|count| {
            latency
                .draw(Dice::new(3, &["m"], *count), *count, Duration::ZERO)
                .as_millis()
                < 100
        })
        .count();
    assert!((1_850..2_150).contains(&below), "{below}");
}

#[test]
fn fail_first_and_fail_ratio_choose_who_is_struck() {
    let struck = |behaviour: &Behaviour, count| {
        behaviour
            .fate(Dice::new(11, &["m"], count), count)
            .failure
            .is_some()
    };
    let first = parse(r#"{"fail_first":2}"#);
    assert_eq!(
        [0, 1, 2, 3].map(|count| struck(&first, count)),
        [true, true, false, false]
    );
    let ratio = parse(r#"{"fail_ratio":0.25,"failure":{"status":503}}"#);
    let failed = (0..4_000).filter(|count| struck(&ratio, *count)).count();
    assert!((850..1_150).contains(&failed), "{failed}");
    assert!(struck(&parse(r#"{"failure":{}}"#), 1_000));
    assert!(!struck(&Behaviour::default(), 0));
}

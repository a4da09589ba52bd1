//! A target that fails is left alone, looked at again, and given back its traffic; the client's own faults count for
//! nothing.

use std::time::{Duration, Instant};

use serde_json::json;
use tollgate_loadtest::{Behaviour, Failure, FaultKind, FaultPoint};
use tollgate_tests::{Stack, broken, chat, failing};

/// Two providers, and one alone; breakers without jitter.
const TWO: &str = r#"
breaker: { consecutive_failures: 3, open_for: 600ms, max_open_for: 10s, jitter: 0%, half_open_probes: 2, ramp: 0s }
providers:
  east: { kind: openai, base_url: "http://{mock}/p/east/v1", api_keys: [ { name: one, key: "first-key-of-east" }, { name: two, key: "second-key-of-east" } ] }
  west: { kind: openai, base_url: "http://{mock}/p/west/v1", api_key: "key-of-west-000001" }
models:
  both:  { targets: [ { provider: east, model: m, priority: 0 }, { provider: west, model: m, priority: 1 } ] }
  alone: { targets: [ { provider: east, model: m } ] }
  strict: { on_no_candidates: refuse, targets: [ { provider: east, model: m } ] }
"#;

const SOON: Duration = Duration::from_secs(1);

#[tokio::test]
async fn it_opens_after_so_many_failures_probes_exactly_and_opens_for_longer_when_a_probe_fails() {
    let stack = Stack::start(TWO).await;
    stack.set("east", failing(500));
    for _ in 0..3 {
        assert_eq!(stack.chat(&chat("both")).await.status, 200);
    }
    stack.breaker_is("east/m", "open", SOON).await;
    let opened = Instant::now();
    assert_eq!(stack.asked("east"), 3);
    let metrics = stack.metrics().await;
    let open = [("provider", "east"), ("model", "m"), ("state", "open")];
    assert_eq!(metrics.sum("tollgate_breaker_state", &open), 1.0);
    stack.many("both", 60, 8).await;
    assert!(
        opened.elapsed() < Duration::from_millis(550),
        "the machine is too slow for this test"
    );
    assert_eq!(stack.asked("east"), 3, "nobody asks while it is open");
    stack.breaker_is("east/m", "half_open", SOON * 2).await;
    // Both probes go out with the first requests, fail, and it opens again.
    stack.many("both", 40, 8).await;
    stack.breaker_is("east/m", "open", SOON).await;
    let reopened = Instant::now();
    let probes = stack.asked("east") - 3;
    assert!((1..=2).contains(&probes), "{probes} probes");
    // Twice as long this time.
    stack.set("east", Behaviour::default());
    stack.breaker_is("east/m", "half_open", SOON * 3).await;
    assert!(
        reopened.elapsed() >= Duration::from_secs(1),
        "{:?}",
        reopened.elapsed()
    );
    let served = stack.many("both", 10, 2).await;
    assert!(served.iter().all(Option::is_some));
    stack.breaker_is("east/m", "closed", SOON).await;
    let response = stack.chat(&chat("both")).await;
    assert_eq!(response.header("x-tollgate-provider"), Some("east"));
}

#[tokio::test]
async fn a_clients_own_faults_never_open_it() {
    let stack = Stack::start(TWO).await;
    stack.set("east", failing(400));
    for _ in 0..12 {
        assert_eq!(stack.chat(&chat("both")).await.status, 400);
    }
    stack.set("east", broken(FaultKind::Hang, FaultPoint::BeforeHead));
    for _ in 0..12 {
        let wire = stack.begin("/v1/chat/completions", &chat("both")).await;
        let seen = stack.asked("east");
        stack
            .mock
            .control()
            .wait_until(SOON * 5, |journal| {
                journal.iter().filter(|it| it.provider == "east").count() >= seen
            })
            .await
            .unwrap();
        drop(wire);
    }
    stack.settled(24).await;
    assert_eq!(stack.breaker("east/m").await, "closed");
}

#[tokio::test]
async fn a_probe_whose_client_leaves_is_given_back() {
    let stack = Stack::start(TWO).await;
    stack.set("east", failing(500));
    for _ in 0..3 {
        stack.chat(&chat("both")).await;
    }
    stack.breaker_is("east/m", "half_open", SOON * 2).await;
    stack.set("east", broken(FaultKind::Hang, FaultPoint::BeforeHead));
    for _ in 0..4 {
        let before = stack.asked("east");
        let wire = stack.begin("/v1/chat/completions", &chat("both")).await;
        let reached = stack
            .mock
            .control()
            .wait_until(SOON * 5, |journal| {
                journal.iter().filter(|it| it.provider == "east").count() > before
            })
            .await;
        reached.expect("the probe is there to be had again");
        drop(wire);
        stack.settled(stack.log().len().max(before + 1)).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    stack.set("east", Behaviour::default());
    stack.many("both", 6, 1).await;
    stack.breaker_is("east/m", "closed", SOON).await;
}

#[tokio::test]
async fn a_rate_limit_rests_the_credential_and_a_rejection_retires_it_and_the_target_goes_on() {
    for status in [429, 401] {
        let stack = Stack::start(TWO).await;
        let failure = Failure {
            status,
            retry_after: (status == 429).then(|| "30".to_owned()),
            ..Failure::default()
        };
        stack.set(
            "east",
            Behaviour {
                failure: Some(failure),
                fail_first: Some(1),
                ..Behaviour::default()
            },
        );
        let first = stack.chat(&chat("alone")).await;
        assert_eq!(
            (first.status, first.header("x-tollgate-attempts")),
            (200, Some("2"))
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
        for _ in 0..6 {
            let response = stack.chat(&chat("alone")).await;
            assert_eq!(
                (response.status, response.header("x-tollgate-attempts")),
                (200, Some("1")),
                "{status}"
            );
        }
        assert_eq!(stack.breaker("east/m").await, "closed", "{status}");
        let breakers = stack.admin_get("/admin/v1/breakers").await.to_string();
        let state = if status == 429 { "cooling_down" } else { "dead" };
        assert!(breakers.contains(state), "{breakers}");
    }
}

#[tokio::test]
async fn the_last_target_is_asked_all_the_same_unless_the_route_refuses() {
    let stack = Stack::start(TWO).await;
    stack.set("east", failing(500));
    for _ in 0..3 {
        stack.chat(&chat("alone")).await;
    }
    stack.breaker_is("east/m", "open", SOON).await;
    let before = stack.asked("east");
    let response = stack.chat(&chat("alone")).await;
    assert_eq!(
        (response.status, stack.asked("east")),
        (500, before + 1),
        "{}",
        response.text()
    );
    let metrics = stack.metrics().await;
    assert!(metrics.sum("tollgate_panic_total", &[("route", "alone")]) >= 1.0);
    let refused = stack.chat(&chat("strict")).await;
    assert_eq!((refused.status, stack.asked("east")), (503, before + 1));
    assert!(refused.header("retry-after").is_some(), "{}", refused.text());
    stack.set("east", Behaviour::default());
    assert_eq!(stack.chat(&chat("alone")).await.status, 200);
}

#[tokio::test]
async fn operators_force_and_drain() {
    let stack = Stack::start(TWO).await;
    let force = async |state: &str| {
        let order = json!({ "force": state, "author": "sre", "reason": "a drill" });
        let path = "/admin/v1/breakers/east/m";
        let response = stack.admin_send("PATCH", path, &[], &order).await;
        assert_eq!(response.status, 200, "{}", response.text());
    };
    let provider = async || {
        let response = stack.chat(&chat("both")).await;
        response.header("x-tollgate-provider").unwrap_or("-").to_owned()
    };
    for (order, state, serves) in [
        ("open", "forced_open", "west"),
        ("drain", "drained", "west"),
        ("closed", "forced_closed", "east"),
    ] {
        force(order).await;
        assert_eq!(stack.breaker("east/m").await, state);
        assert_eq!(provider().await, serves, "{order}");
    }
    stack.set("east", failing(500));
    for _ in 0..6 {
        provider().await;
    }
    assert_eq!(
        stack.breaker("east/m").await,
        "forced_closed",
        "no failure opens it"
    );
    stack.set("east", Behaviour::default());
    force("auto").await;
    assert_eq!(stack.breaker("east/m").await, "closed");
    let unknown = json!({ "force": "open", "author": "sre", "reason": "a drill" });
    let response = stack
        .admin_send("PATCH", "/admin/v1/breakers/nobody/m", &[], &unknown)
        .await;
    assert_eq!(response.status, 404, "{}", response.text());
}

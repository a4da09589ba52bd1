//! A target that fails is left alone, looked at again, and given back its traffic; the client's own faults count for
//! nothing.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate_loadtest::{Behaviour, Failure, FaultKind, FaultPoint};
use tollgate_tests::{Stack, broken, chat, eventually, failing, on_time, slow, tally};

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

/// How long an event is waited for that must come: long, because the machine may be busy.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn it_opens_after_so_many_failures_probes_exactly_and_opens_for_longer_when_a_probe_fails() {
    on_time(async || {
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
    })
    .await;
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
        // It is given back a moment after its client has left; until then the other target answers.
        let given_back = Instant::now() + SOON;
        let wire = loop {
            let asked = stack.asked("east") + stack.asked("west");
            let wire = stack.begin("/v1/chat/completions", &chat("both")).await;
            eventually("it is asked", || {
                stack.asked("east") + stack.asked("west") > asked
            })
            .await;
            if stack.asked("east") > before {
                break wire;
            }
            assert!(Instant::now() < given_back, "the probe is not to be had again");
        };
        drop(wire);
    }
    stack.set("east", Behaviour::default());
    let deadline = Instant::now() + SOON;
    while stack.breaker("east/m").await != "closed" {
        assert!(Instant::now() < deadline, "probes that succeed do not close it");
        stack.many("both", 1, 1).await;
    }
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
        let state = if status == 429 { "cooling_down" } else { "dead" };
        credential_is(&stack, "east/m", state, 1).await;
        for _ in 0..6 {
            let response = stack.chat(&chat("alone")).await;
            assert_eq!(
                (response.status, response.header("x-tollgate-attempts")),
                (200, Some("1")),
                "{status}"
            );
        }
        assert_eq!(stack.breaker("east/m").await, "closed", "{status}");
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

/// What the admin API says of a target's breaker.
async fn report(stack: &Stack, target: &str) -> Value {
    let all = stack.admin_get("/admin/v1/breakers").await;
    let breakers = all["breakers"].as_array().unwrap();
    let found = breakers.iter().find(|it| it["target"] == target);
    found.unwrap_or_else(|| panic!("no {target} in {all}")).clone()
}

/// Waits until so many of a target's credentials are in this state: its breaker hears of an answer a moment after the
/// client has it.
async fn credential_is(stack: &Stack, target: &str, state: &str, count: usize) {
    let deadline = Instant::now() + SOON;
    loop {
        let report = report(stack, target).await.to_string();
        if report.matches(state).count() >= count {
            return;
        }
        assert!(Instant::now() < deadline, "no {count} are {state}: {report}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn no_more_than_its_probes_are_under_way_however_many_want_to_go() {
    let stack = Stack::start(TWO).await;
    stack.set("east", failing(500));
    for _ in 0..3 {
        stack.chat(&chat("both")).await;
    }
    stack.breaker_is("east/m", "half_open", SOON * 2).await;
    stack.set("east", broken(FaultKind::Hang, FaultPoint::BeforeHead));
    let (east, west) = (stack.asked("east"), stack.asked("west"));
    let mut probes = Vec::new();
    for _ in 0..12 {
        probes.push(stack.begin("/v1/chat/completions", &chat("both")).await);
    }
    let counted = |journal: &[tollgate_loadtest::JournalEntry], provider: &str| {
        journal.iter().filter(|it| it.provider == provider).count()
    };
    let waited = stack
        .mock
        .control()
        .wait_until(SOON * 5, |journal| {
            counted(journal, "east") + counted(journal, "west") >= east + west + 12
        })
        .await;
    waited.unwrap();
    assert_eq!((stack.asked("east") - east, stack.asked("west") - west), (2, 10));
    let counts = tally(&stack.many("both", 40, 8).await);
    assert_eq!(counts.get("west"), Some(&40), "{counts:?}");
    assert_eq!(stack.asked("east") - east, 2);
}

#[tokio::test]
async fn a_share_of_failures_opens_it_once_there_are_enough_to_tell() {
    let config = TWO.replace(
        "consecutive_failures: 3",
        "consecutive_failures: 0, error_ratio: 50%, min_requests: 12, window: 10s",
    );
    let stack = Stack::start(&config).await;
    for number in 0..12 {
        assert_eq!(stack.breaker("east/m").await, "closed", "after {number}");
        let does = if number % 2 == 0 {
            failing(500)
        } else {
            Behaviour::default()
        };
        stack.set("east", does);
        assert_eq!(stack.chat(&chat("both")).await.status, 200);
        // Failures among successes: no two in a row.
        stack.settled(number + 1).await;
    }
    stack.breaker_is("east/m", "open", SOON).await;
    let report = report(&stack, "east/m").await.to_string();
    assert!(report.contains("6 of 12 requests"), "{report}");
}

#[tokio::test]
async fn answers_that_are_late_open_it_where_they_are_counted() {
    let config = TWO.replace(
        "consecutive_failures: 3",
        "slow_after: 40ms, slow_ratio: 80%, min_requests: 5",
    );
    let stack = Stack::start(&config).await;
    stack.set("east", slow(90.0));
    for _ in 0..5 {
        assert_eq!(stack.chat(&chat("both")).await.status, 200);
    }
    stack.breaker_is("east/m", "open", SOON).await;
    let response = stack.chat(&chat("both")).await;
    assert_eq!(response.header("x-tollgate-provider"), Some("west"));
}

#[tokio::test]
async fn its_traffic_is_given_back_gradually() {
    on_time(async || {
        // Beside another target, and before it.
        for (model, all) in [("level", 30), ("both", 60)] {
            let routes = "models:\n  level: { targets: [ { provider: east, model: m, weight: 9 }, { provider: west, model: m, weight: 1 } ] }\n";
            let config = TWO.replace("ramp: 0s", "ramp: 2s");
            let stack = Stack::start(&config.replace("models:\n", routes)).await;
            stack.set("east", failing(500));
            while stack.breaker("east/m").await != "open" {
                stack.chat(&chat(model)).await;
            }
            stack.set("east", Behaviour::default());
            stack.breaker_is("east/m", "half_open", SOON * 2).await;
            stack.many(model, 2, 1).await;
            stack.breaker_is("east/m", "closed", SOON).await;
            let closed = Instant::now();
            let admission = report(&stack, "east/m").await["admission"].as_f64().unwrap();
            assert!(admission < 0.5, "{admission}");
            let early = tally(&stack.many(model, 100, 4).await);
            // On a machine that took longer for this, the ramp is over for good reasons.
            if closed.elapsed() < Duration::from_millis(800) {
                let east = early.get("east").copied().unwrap_or(0);
                assert!(east < 60, "{model}, at once: {early:?}");
            }
            loop {
                let admission = report(&stack, "east/m").await["admission"].as_f64().unwrap();
                if admission >= 1.0 {
                    break;
                }
                assert!(closed.elapsed() < Duration::from_secs(5), "{admission}");
                stack.many(model, 5, 1).await;
            }
            assert!(closed.elapsed() >= Duration::from_millis(1_500));
            let late = tally(&stack.many(model, 60, 4).await);
            assert!(late.get("east").copied().unwrap_or(0) >= all, "{model}: {late:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_credential_rests_for_as_long_as_its_provider_says_and_then_works_again() {
    on_time(async || {
        let stack = Stack::start(TWO).await;
        let limited = Failure {
            status: 429,
            retry_after: Some("1".to_owned()),
            ..Failure::default()
        };
        let does = Behaviour {
            failure: Some(limited),
            fail_first: Some(2),
            ..Behaviour::default()
        };
        stack.set("east", does);
        let begun = Instant::now();
        let first = stack.chat(&chat("both")).await;
        assert_eq!(
            (first.header("x-tollgate-provider"), stack.asked("east")),
            (Some("west"), 2),
            "both credentials were tried"
        );
        // Both rest as soon as their answers have been heard of.
        credential_is(&stack, "east/m", "cooling_down", 2).await;
        let mut provider = String::new();
        while provider != "east" {
            assert!(begun.elapsed() < SOON * 5, "it never works again");
            let response = stack.chat(&chat("both")).await;
            provider = response.header("x-tollgate-provider").unwrap().to_owned();
            assert_eq!(response.header("x-tollgate-attempts"), Some("1"));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(
            begun.elapsed() >= Duration::from_millis(950),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(stack.breaker("east/m").await, "closed");
    })
    .await;
}

#[tokio::test]
async fn a_target_without_an_accepted_credential_is_left_out_until_it_gets_a_new_one() {
    let stack = Stack::start(TWO).await;
    stack.set("west", failing(401));
    stack.set("east", failing(500));
    let first = stack.chat(&chat("both")).await;
    assert_eq!(first.status, 502);
    stack.set("east", Behaviour::default());
    stack.set("west", Behaviour::default());
    credential_is(&stack, "west/m", "dead", 1).await;
    let only_west = TWO.replace(
        "models:\n",
        "models:\n  west-only: { on_no_candidates: refuse, targets: [ { provider: west, model: m } ] }\n",
    );
    stack.rewrite(&only_west);
    assert_eq!(stack.reload().await.status, 200);
    let refused = stack.chat(&chat("west-only")).await;
    assert_eq!(
        (refused.status, stack.asked("west")),
        (503, 1),
        "its only credential is not accepted"
    );
    stack.rewrite(&only_west.replace("key-of-west-000001", "key-of-west-000002"));
    assert_eq!(stack.reload().await.status, 200);
    let response = stack.chat(&chat("west-only")).await;
    assert_eq!(
        (response.status, stack.asked("west")),
        (200, 2),
        "{}",
        response.text()
    );
}

#[tokio::test]
async fn what_a_panic_was_is_told_by_its_decision() {
    let stack = Stack::start(TWO).await;
    stack.set("east", failing(500));
    for _ in 0..3 {
        stack.chat(&chat("alone")).await;
    }
    stack.breaker_is("east/m", "open", SOON).await;
    let response = stack
        .chat_with(&chat("alone"), &[("x-tollgate-decision", "1")])
        .await;
    let summary = response.header("x-tollgate-decision").unwrap();
    assert!(
        summary.contains("east/m place=last_resort") && summary.contains("east/m filtered=breaker_open"),
        "{summary}"
    );
    let id = response.header("x-request-id").unwrap();
    let decision = stack.admin_get(&format!("/admin/v1/decisions/{id}")).await;
    assert_eq!(
        decision["decision"]["ranking"][0]["place"], "last_resort",
        "{decision}"
    );
    assert!(
        decision["explanation"]
            .as_str()
            .unwrap()
            .contains("nobody was healthy"),
        "{decision}"
    );
    // An operator's order is not overridden: there is nobody to ask.
    let order = json!({ "force": "open", "author": "sre", "reason": "a drill" });
    stack
        .admin_send("PATCH", "/admin/v1/breakers/east/m", &[], &order)
        .await;
    let before = stack.asked("east");
    let refused = stack.chat(&chat("alone")).await;
    assert_eq!((refused.status, stack.asked("east")), (503, before));
    assert_eq!(refused.code(), "no_candidate");
}

//! Whoever is best by what an operator weighs gets the traffic, and loses it when that changes.

use std::time::{Duration, Instant};

use serde_json::json;
use tollgate_loadtest::{Behaviour, Failure, Pacing};
use tollgate_tests::{BEARER, Stack, chat, chat_stream, on_time, post, slow, tally};

/// Three providers: one cheap, one fast, one that never fails; one route for each weight.
const THREE: &str = r#"
health: { decay: 500ms }
breaker: { enabled: false }
providers:
  cheap: { kind: openai, base_url: "http://{mock}/p/cheap/v1", api_key: "key-of-cheap-00001" }
  fast:  { kind: openai, base_url: "http://{mock}/p/fast/v1",  api_key: "key-of-fast-000001" }
  safe:  { kind: openai, base_url: "http://{mock}/p/safe/v1",  api_key: "key-of-safe-000001" }
models:
  by-cost:         { weights: { cost: 1, latency: 0, availability: 0 }, targets: &all [
    { provider: cheap, model: m, price: { input: "$0.10", output: "$0.10" } },
    { provider: fast,  model: m, price: { input: "$3", output: "$3" } },
    { provider: safe,  model: m, price: { input: "$2", output: "$2" } } ] }
  by-latency:      { weights: { cost: 0, latency: 1, availability: 0 }, targets: *all }
  by-availability: { weights: { cost: 0, latency: 0, availability: 1 }, targets: *all }
"#;

/// Fails this share of the requests, and takes this long.
fn flaky(ratio: f64, ms: f64) -> Behaviour {
    Behaviour {
        failure: Some(Failure::default()),
        fail_ratio: Some(ratio),
        ..slow(ms)
    }
}

async fn three() -> Stack {
    let stack = Stack::start(THREE).await;
    // Far apart: what a busy machine adds does not decide who is fast.
    stack.set("cheap", flaky(0.2, 80.0));
    stack.set("fast", flaky(0.2, 4.0));
    stack.set("safe", slow(80.0));
    stack
}

#[tokio::test]
async fn each_weight_sends_traffic_to_who_is_best_by_it() {
    for (model, best) in [
        ("by-cost", "cheap"),
        ("by-latency", "fast"),
        ("by-availability", "safe"),
    ] {
        // A stop of the machine is a slow answer, and whoever gave it is left for a while.
        on_time(async || {
            let stack = three().await;
            let served = stack.many(model, 1_000, 16).await;
            let first = stack.asked(best);
            let counts = tally(&served);
            assert_eq!(counts.get("-"), None, "{model}: {counts:?}");
            // One in five of a flaky provider's answers comes from somebody else: first choices are what counts.
            assert!(
                first >= 900,
                "{model}: {first} of 1,000 asked {best} first: {counts:?}"
            );
        })
        .await;
    }
}

#[tokio::test]
async fn a_target_ten_times_slower_is_left_within_two_seconds_and_found_again() {
    on_time(async || {
        let stack = Stack::start(THREE).await;
        stack.set("cheap", slow(60.0));
        stack.set("fast", slow(5.0));
        stack.set("safe", slow(30.0));
        stack.many("by-latency", 300, 8).await;
        stack.set("fast", slow(300.0));
        let changed = Instant::now();
        // Over whoever is asked in each half second, until less than one in twenty asks the slow one.
        let mut share = 1.0;
        while share >= 0.05 {
            assert!(
                changed.elapsed() < Duration::from_secs(2),
                "still {share} after two seconds"
            );
            let before = stack.asked("fast");
            let served = stack.many("by-latency", 80, 8).await;
            share = (stack.asked("fast") - before) as f64 / served.len() as f64;
        }
        stack.set("fast", slow(5.0));
        let healed = Instant::now();
        while share < 0.5 {
            assert!(
                healed.elapsed() < Duration::from_secs(30),
                "only {share} after thirty seconds"
            );
            let before = stack.asked("fast");
            let served = stack.many("by-latency", 80, 8).await;
            share = (stack.asked("fast") - before) as f64 / served.len() as f64;
        }
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_stalls_gets_no_pile_up_before_anything_has_come_back() {
    on_time(async || {
        let stack = Stack::start(THREE).await;
        // Long enough for a busy machine's own delays not to decide who looks fast.
        for provider in ["cheap", "fast", "safe"] {
            stack.set(provider, slow(60.0));
        }
        stack.many("by-latency", 96, 6).await;
        let (fast, all) = (stack.asked("fast"), 96);
        stack.set("fast", slow(2_500.0));
        // All at once: no average can have moved before the last of them is decided.
        let served = stack.many("by-latency", all, all).await;
        assert!(served.iter().all(Option::is_some));
        let stalled = stack.asked("fast") - fast;
        assert!(stalled < all / 2, "{stalled} of {all} piled up");
    })
    .await;
}

#[tokio::test]
async fn a_session_stays_with_its_target_and_sessions_are_spread() {
    let config = THREE.replace("models:\n", "models:\n  sticky: { sticky: true, targets: [ { provider: cheap, model: m }, { provider: fast, model: m }, { provider: safe, model: m } ] }\n");
    let stack = Stack::start(&config).await;
    let mut homes = std::collections::BTreeSet::new();
    for session in 0..24 {
        let name = format!("conversation-{session}");
        let mut home = None;
        for _ in 0..4 {
            let headers = [BEARER, ("x-tollgate-session", name.as_str())];
            let response = post(stack.addr, "/v1/chat/completions", &headers, &chat("sticky")).await;
            let provider = response.header("x-tollgate-provider").unwrap().to_owned();
            assert_eq!(
                home.get_or_insert(provider.clone()),
                &provider,
                "{name} has moved"
            );
        }
        homes.extend(home);
    }
    assert_eq!(homes.len(), 3, "{homes:?}");
}

#[tokio::test]
async fn a_canary_gets_its_share_and_nobody_else_more() {
    let config = THREE.replace("models:\n", "models:\n  canary: { targets: [ { provider: safe, model: m }, { provider: fast, model: m, canary: 10% } ] }\n");
    let stack = Stack::start(&config).await;
    let counts = tally(&stack.many("canary", 1_000, 8).await);
    let canary = counts.get("fast").copied().unwrap_or_default();
    assert!((60..=140).contains(&canary), "{counts:?}");
}

#[tokio::test]
async fn a_session_moves_only_when_its_target_is_closed_and_the_others_stay_where_they_are() {
    let targets = "targets: [ { provider: cheap, model: m }, { provider: fast, model: m }, { provider: safe, model: m } ]";
    let routes = format!("models:\n  sticky: {{ sticky: true, {targets} }}\n");
    let stack = Stack::start(&THREE.replace("models:\n", &routes)).await;
    let homes = async || {
        let mut homes = Vec::new();
        for session in 0..30 {
            let name = format!("conversation-{session}");
            let response = stack
                .chat_with(&chat("sticky"), &[("x-tollgate-session", &name)])
                .await;
            homes.push(response.header("x-tollgate-provider").unwrap().to_owned());
        }
        homes
    };
    let force = async |state: &str| {
        let order = json!({ "force": state, "author": "sre", "reason": "a drill" });
        let path = "/admin/v1/breakers/fast/m";
        let response = stack.admin_send("PATCH", path, &[], &order).await;
        assert_eq!(response.status, 200, "{}", response.text());
    };
    let before = homes().await;
    assert!(before.iter().any(|it| it == "fast"));
    force("open").await;
    let during = homes().await;
    for (session, (was, is)) in before.iter().zip(&during).enumerate() {
        if was == "fast" {
            assert_ne!(is, "fast", "session {session}");
        } else {
            assert_eq!(is, was, "session {session} has moved");
        }
    }
    force("closed").await;
    assert_eq!(homes().await, before, "back home");
}

#[tokio::test]
async fn a_stream_that_drips_is_slow_although_its_head_is_quick() {
    on_time(async || {
        let stack = Stack::start(THREE).await;
        let drips = Pacing {
            inter_token_ms: 40.0,
            ..Pacing::default()
        };
        // 16 tokens: 640 ms in all, against 60.
        stack.set(
            "fast",
            Behaviour {
                pacing: drips,
                ..slow(1.0)
            },
        );
        stack.set("cheap", slow(60.0));
        stack.set("safe", slow(300.0));
        let body = chat_stream("by-latency");
        let streams = async |count: usize| {
            for _ in 0..count {
                assert_eq!(stack.chat(&body).await.status, 200);
            }
        };
        // Each must have been asked once before it is known.
        streams(12).await;
        let (dripping, before) = (stack.asked("fast"), stack.asked("cheap"));
        streams(40).await;
        let dripping = stack.asked("fast") - dripping;
        assert!(dripping <= 4, "{dripping} of 40 dripped");
        assert!(stack.asked("cheap") - before >= 30);
    })
    .await;
}

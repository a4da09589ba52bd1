//! The configuration changes under load without a failed request; a bad file is refused whole, and the old one keeps
//! serving.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tollgate_tests::{KEY, Process, Stack, chat, chat_stream, eventually, text_of_chat};

fn served_by(provider: &str) -> String {
    format!(
        r#"
providers:
  east: {{ kind: openai, base_url: "http://{{mock}}/p/east/v1", api_key: "key-of-east-000" }}
  west: {{ kind: openai, base_url: "http://{{mock}}/p/west/v1", api_key: "key-of-west-000" }}
models:
  m: {{ targets: [ {{ provider: {provider}, model: "m--pace2" }} ] }}
"#
    )
}

/// Clients that go on until they are stopped: half of them with streams.
struct Load {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicU64>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn begin(stack: &Stack, clients: usize) -> Self {
        let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = |number: usize| {
            let (addr, stop, served) = (stack.addr, stop.clone(), served.clone());
            tokio::spawn(async move {
                let mut wire = tollgate_tests::Wire::connect(addr).await;
                while !stop.load(Ordering::Relaxed) {
                    let body = if number.is_multiple_of(2) {
                        chat("m")
                    } else {
                        chat_stream("m")
                    };
                    wire.post("/v1/chat/completions", &[tollgate_tests::BEARER], &body)
                        .await;
                    let response = wire.response().await;
                    assert_eq!(response.status, 200, "{}", response.text());
                    let whole = number.is_multiple_of(2) || response.text().contains("data: [DONE]\n\n");
                    assert!(whole, "{}", response.text());
                    served.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let clients = (0..clients).map(client).collect();
        Self {
            stop,
            served,
            clients,
        }
    }

    async fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.expect("a request failed");
        }
        self.served.load(Ordering::Relaxed)
    }
}

fn asked(stack: &Stack, provider: &str) -> u64 {
    stack
        .mock
        .control()
        .stats()
        .models
        .iter()
        .filter(|(key, _)| key.starts_with(provider))
        .map(|(_, it)| it.requests)
        .sum()
}

#[tokio::test]
async fn a_change_of_the_file_takes_over_under_load_without_a_failed_request() {
    let stack = Stack::start(&served_by("east")).await;
    let load = Load::begin(&stack, 8);
    eventually("east serves", || asked(&stack, "east/") > 20).await;
    let changed = Instant::now();
    stack.rewrite(&served_by("west"));
    eventually("west serves", || asked(&stack, "west/") > 20).await;
    let took = changed.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    let east = asked(&stack, "east/");
    eventually("west goes on", || asked(&stack, "west/") > 60).await;
    // Whoever was on the way to it, one of each client at the most, may have been held up.
    let late = asked(&stack, "east/") - east;
    assert!(late <= 8, "the old target is still asked: {late}");
    let served = load.end().await;
    let log = stack.settled(usize::try_from(served).unwrap()).await;
    assert!(log.iter().all(|record| record["outcome"] == "success"));
    // Each record says from which snapshot it was planned.
    assert!(
        log.iter()
            .all(|record| (record["provider"] == "east") == (record["epoch"] == 1)),
        "{log:#?}"
    );
    let metrics = stack.metrics().await;
    assert_eq!(metrics.sum("tollgate_config_epoch", &[]), 2.0);
}

#[tokio::test]
async fn many_reloads_in_a_row_lose_nothing() {
    let stack = Stack::start(&served_by("east")).await;
    let load = Load::begin(&stack, 6);
    for round in 0..20 {
        stack.rewrite(&served_by(if round % 2 == 0 { "west" } else { "east" }));
        assert_eq!(stack.reload().await.status, 200);
        let (east, west) = (asked(&stack, "east/"), asked(&stack, "west/"));
        eventually("somebody serves", || {
            asked(&stack, "east/") > east || asked(&stack, "west/") > west
        })
        .await;
    }
    assert!(load.end().await > 20);
}

#[tokio::test]
async fn what_is_in_flight_keeps_what_it_was_given() {
    let config = served_by("east").replace("m--pace2", "m--tokens40--pace10");
    let stack = Stack::start(&config).await;
    let mut wire = stack.begin("/v1/chat/completions", &chat_stream("m")).await;
    assert_eq!(wire.head().await.status, 200);
    // The provider is gone from the new configuration, and so is the model.
    stack.rewrite(
        "providers: { other: { kind: openai, base_url: \"http://{mock}/p/west/v1\" } }\nmodels: { n: { targets: [ { provider: other } ] } }",
    );
    let reloaded = stack.reload().await;
    assert_eq!(
        (reloaded.status, &reloaded.json()["changed"]),
        (200, &json!(true)),
        "{}",
        reloaded.text()
    );
    assert_eq!(stack.chat(&chat("m")).await.status, 404);
    assert_eq!(stack.chat(&chat("n")).await.status, 200);
    let mut text = String::new();
    while let Some(piece) = wire.piece().await {
        text.push_str(&String::from_utf8(piece).unwrap());
    }
    assert_eq!(text_of_chat(&text).split(' ').count(), 40, "{text}");
}

#[tokio::test]
async fn a_bad_file_is_refused_with_all_its_problems_and_the_old_one_serves() {
    let stack = Stack::start(&served_by("east")).await;
    let bad = served_by("nowhere")
        .replace("kind: openai", "kind: opnai")
        .replacen("api_key", "api_kye", 1);
    for (text, problems) in [
        (
            bad.as_str(),
            &["opnai", "openai", "api_kye", "api_key", "nowhere"] as &[&str],
        ),
        ("{", &[]),
        ("", &[]),
    ] {
        std::fs::write(&stack.config_file, text).unwrap();
        let refused = stack.reload().await;
        assert_eq!(refused.status, 422, "{}", refused.text());
        for problem in problems {
            assert!(
                refused.text().contains(problem),
                "'{problem}' is not in {}",
                refused.text()
            );
        }
        let response = stack.chat(&chat("m")).await;
        assert_eq!(
            (response.status, response.header("x-tollgate-provider")),
            (200, Some("east"))
        );
    }
    let metrics = stack.metrics().await;
    assert!(metrics.sum("tollgate_config_reloads_total", &[("result", "refused")]) >= 3.0);
    assert_eq!(metrics.sum("tollgate_config_epoch", &[]), 1.0);
    // And one that is good again is taken.
    stack.rewrite(&served_by("west"));
    assert_eq!(stack.reload().await.status, 200);
    assert_eq!(
        stack.chat(&chat("m")).await.header("x-tollgate-provider"),
        Some("west")
    );
}

#[tokio::test]
async fn a_file_that_says_the_same_changes_nothing() {
    let stack = Stack::start(&served_by("east")).await;
    stack.rewrite(&served_by("east"));
    let reloaded = stack.reload().await.json();
    assert_eq!(
        (&reloaded["changed"], &reloaded["epoch"]),
        (&json!(false), &json!(1)),
        "{reloaded}"
    );
}

#[tokio::test]
async fn what_needs_a_restart_is_named() {
    let stack = Stack::start(&served_by("east")).await;
    stack.rewrite(&(served_by("east") + "server: { listen: \"127.0.0.1:1\", workers: 1 }\n"));
    let reloaded = stack.reload().await.json();
    assert_eq!(
        reloaded["needs_restart"],
        json!(["server.listen", "server.workers"]),
        "{reloaded}"
    );
    assert_eq!(stack.chat(&chat("m")).await.status, 200);
}

#[tokio::test]
async fn keys_come_and_go() {
    let stack = Stack::start(&served_by("east")).await;
    assert_eq!(stack.chat(&chat("m")).await.status, 200);
    stack.rewrite(&(served_by("east") + "keys: [ { name: other, key: \"another-key-0123456789\" } ]\n"));
    assert_eq!(stack.reload().await.status, 200);
    let refused = stack.chat(&chat("m")).await;
    assert_eq!(
        (refused.status, refused.json()["error"]["code"].as_str()),
        (401, Some("invalid_api_key"))
    );
}

#[tokio::test]
async fn a_hangup_signal_reloads() {
    let mock = tollgate_loadtest::MockServer::start(tollgate_loadtest::MockOptions::default())
        .await
        .unwrap();
    let config = |provider| {
        format!(
            "{}keys: [ {{ name: test, key: \"{KEY}\" }} ]\nserver: {{ listen: \"127.0.0.1:0\" }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n",
            served_by(provider)
                .replace("{mock}", &mock.addr().to_string())
                .trim_start()
        )
    };
    let first = config("east");
    let gateway = tokio::task::spawn_blocking(move || Process::serve(&first, &[]))
        .await
        .unwrap();
    std::fs::write(&gateway.config_file, config("west")).unwrap();
    gateway.signal("HUP");
    eventually("the reload is reported", || gateway.stderr().contains("epoch 2")).await;
    let response = tollgate_tests::post(
        gateway.addr,
        "/v1/chat/completions",
        &[tollgate_tests::BEARER],
        &chat("m"),
    )
    .await;
    assert_eq!(response.header("x-tollgate-provider"), Some("west"));
}

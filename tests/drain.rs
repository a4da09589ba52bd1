//! The way out: readiness turns false, what is in flight is served to its end, the log is flushed, exit 0. And the
//! command line around it.

use std::time::Duration;

use serde_json::Value;
use tollgate_loadtest::{MockOptions, MockServer};
use tollgate_tests::{
    BEARER, KEY, Process, Stack, Wire, chat, chat_stream, eventually, get, messages_stream, post, run,
    scratch_file, text_of_chat,
};

const CONFIG: &str = r#"
providers:
  openai: { kind: openai, base_url: "http://{mock}/v1", api_key: "key-of-openai-000" }
models:
  "*": { targets: [ { provider: openai } ] }
"#;

#[tokio::test]
async fn everything_in_flight_is_served_whole() {
    const CLIENTS: usize = 60;
    let mut stack = Stack::start(CONFIG).await;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let wire = match number % 3 {
            0 => {
                stack
                    .begin("/v1/chat/completions", &chat_stream("m--tokens30--pace20"))
                    .await
            }
            1 => {
                stack
                    .begin("/v1/messages", &messages_stream("m--tokens30--pace20"))
                    .await
            }
            _ => stack.begin("/v1/chat/completions", &chat("m--latency600")).await,
        };
        clients.push(wire);
    }
    let control = stack.mock.control().clone();
    eventually("all are being served", || {
        control.stats().total.in_flight == CLIENTS as u64
    })
    .await;
    stack.begin_drain();
    let serving = tokio::spawn(async move {
        let mut responses = Vec::new();
        for mut wire in clients {
            responses.push(wire.response().await);
        }
        responses
    });
    assert!(stack.drained().await, "the drain ran out of time");
    for (number, response) in serving.await.unwrap().into_iter().enumerate() {
        let end = ["data: [DONE]\n\n", "event: message_stop", "chat.completion"][number % 3];
        assert!(
            response.status == 200 && response.text().contains(end),
            "{number}: {}",
            response.text()
        );
    }
    assert_eq!(stack.log().len(), CLIENTS, "the log is flushed");
    assert_eq!(control.stats().total.client_gone, 0);
}

#[tokio::test]
async fn readiness_says_no_first_and_connections_are_let_go() {
    let config = CONFIG.to_owned()
        + "server: { listen: \"127.0.0.1:0\", workers: 2, drain: { delay: 5s, timeout: 10s } }\n";
    let mut stack = Stack::start(&config).await;
    let mut held = stack.wire().await;
    held.post("/v1/chat/completions", &[BEARER], &chat("m")).await;
    let before = held.response().await;
    assert_eq!((before.status, before.header("connection")), (200, None));
    assert_eq!(get(stack.addr, "/readyz", &[]).await.status, 200);
    stack.begin_drain();
    let mut ready = 200;
    for _ in 0..400 {
        ready = get(stack.addr, "/readyz", &[]).await.status;
        if ready == 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(ready, 503);
    assert_eq!(
        get(stack.admin, "/readyz", &[]).await.status,
        503,
        "on both listeners"
    );
    assert_eq!(get(stack.addr, "/livez", &[]).await.status, 200, "still alive");
    // New work is still taken, and its connection let go.
    held.post("/v1/chat/completions", &[BEARER], &chat("m")).await;
    let during = held.response().await;
    assert_eq!(
        (during.status, during.header("connection")),
        (200, Some("close")),
        "{}",
        during.text()
    );
    assert!(stack.drained().await);
    assert_eq!(stack.log().len(), 2);
    assert!(
        tokio::net::TcpStream::connect(stack.addr).await.is_err(),
        "nobody listens any more"
    );
}

/// Streams that are cut at once: enough that their records take a while.
const CUT: usize = 40;

#[tokio::test]
async fn what_does_not_end_is_cut_at_the_limit_and_accounted_for() {
    let config =
        CONFIG.to_owned() + "server: { listen: \"127.0.0.1:0\", workers: 1, drain: { timeout: 300ms } }\n";
    let mut stack = Stack::start(&config).await;
    let mut cut = Vec::new();
    for _ in 0..CUT {
        let mut wire = stack
            .begin("/v1/chat/completions", &chat_stream("m--endless--pace10"))
            .await;
        assert_eq!(wire.head().await.status, 200);
        cut.push(wire);
    }
    assert!(!stack.drained().await, "it was said that all was served");
    for wire in &mut cut {
        while let Ok(Some(_)) = wire.try_piece().await {}
    }
    let log = stack.log();
    assert_eq!(log.len(), CUT, "a request without a record");
    for record in &log {
        assert!(record["usage"]["output"].as_u64().unwrap() > 0, "{record:#?}");
    }
}

fn config_for(mock: &MockServer) -> String {
    let config = CONFIG.replace("{mock}", &mock.addr().to_string());
    format!(
        "{}keys: [ {{ name: test, key: \"{KEY}\" }} ]\nserver: {{ listen: \"127.0.0.1:0\" }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n",
        config.trim_start()
    )
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test]
async fn the_process_serves_to_the_end_on_sigterm_and_exits_0() {
    let mock = MockServer::start(MockOptions::default()).await.unwrap();
    let config = config_for(&mock);
    let mut gateway = blocking(move || Process::serve(&config, &[])).await;
    let mut wire = Wire::connect(gateway.addr).await;
    wire.post(
        "/v1/chat/completions",
        &[BEARER],
        &chat_stream("m--tokens30--pace20"),
    )
    .await;
    assert_eq!(wire.head().await.status, 200);
    gateway.signal("TERM");
    let mut text = String::new();
    while let Some(piece) = wire.piece().await {
        text.push_str(&String::from_utf8(piece).unwrap());
    }
    assert_eq!(text_of_chat(&text).split(' ').count(), 30, "{text}");
    let (code, gateway) = blocking(move || (gateway.wait(), gateway)).await;
    assert_eq!(code, Some(0), "{}", gateway.stderr());
    // What a process writes is read a moment later, also when it has ended.
    eventually("it says so", || {
        gateway.stderr().contains("draining") && gateway.stderr().contains("drained")
    })
    .await;
    // The access log goes to standard output unless told otherwise, one line a request.
    eventually("the log is written", || gateway.stdout().lines().count() == 1).await;
    let record: Value = serde_json::from_str(&gateway.stdout()).unwrap();
    assert_eq!(record["outcome"], "success");
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let mock = MockServer::start(MockOptions::default()).await.unwrap();
    let config = config_for(&mock);
    let mut gateway = blocking(move || Process::serve(&config, &[])).await;
    let mut wire = Wire::connect(gateway.addr).await;
    wire.post(
        "/v1/chat/completions",
        &[BEARER],
        &chat_stream("m--endless--pace10"),
    )
    .await;
    assert_eq!(wire.head().await.status, 200);
    gateway.signal("TERM");
    eventually("it drains", || gateway.stderr().contains("draining")).await;
    gateway.signal("TERM");
    let code = blocking(move || gateway.wait()).await;
    assert_eq!(code, Some(3));
}

#[tokio::test]
async fn a_bad_config_is_exit_2_with_all_problems_at_once() {
    let file = scratch_file("yaml");
    std::fs::write(&file, "providers:\n  one: { kind: opnai }\n  two: { knd: openai }\nmodels:\n  m: { targets: [ { provider: three } ] }\n").unwrap();
    let path = file.to_str().unwrap().to_owned();
    for verb in ["serve", "check"] {
        let arguments = [verb.to_owned(), "--config".to_owned(), path.clone()];
        let ended = blocking(move || {
            run(
                &std::env::temp_dir(),
                &arguments.each_ref().map(String::as_str),
                &[],
            )
        })
        .await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        for word in ["opnai", "knd", "three", "openai"] {
            assert!(ended.stderr.contains(word), "'{word}' is not in {}", ended.stderr);
        }
    }
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn check_says_that_a_good_config_is_good() {
    let mock = MockServer::start(MockOptions::default()).await.unwrap();
    let file = scratch_file("yaml");
    std::fs::write(&file, config_for(&mock)).unwrap();
    let path = file.to_str().unwrap().to_owned();
    let ended = blocking(move || run(&std::env::temp_dir(), &["check", "--config", &path], &[])).await;
    assert_eq!(
        (ended.code, ended.stdout.starts_with("ok: 1 providers")),
        (Some(0), true),
        "{ended:?}"
    );
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn init_writes_a_file_that_is_good_and_never_overwrites_one() {
    let folder = scratch_file("d");
    std::fs::create_dir(&folder).unwrap();
    let inside = folder.clone();
    blocking(move || {
        let first = run(&inside, &["init"], &[]);
        assert_eq!(first.code, Some(0), "{first:?}");
        let written = std::fs::read(inside.join("tollgate.yaml")).unwrap();
        let keys = [
            ("OPENAI_API_KEY", "sk-0123456789"),
            ("ANTHROPIC_API_KEY", "sk-ant-0123456789"),
            ("TOLLGATE_DEV_KEY", "tg-dev-0123456789"),
        ];
        let checked = run(&inside, &["check"], &keys);
        assert_eq!(checked.code, Some(0), "{checked:?}");
        let second = run(&inside, &["init"], &[]);
        assert_eq!(second.code, Some(1), "{second:?}");
        assert_eq!(std::fs::read(inside.join("tollgate.yaml")).unwrap(), written);
    })
    .await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_port_that_is_taken_is_exit_1_and_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let mock = MockServer::start(MockOptions::default()).await.unwrap();
    let file = scratch_file("yaml");
    std::fs::write(&file, config_for(&mock).replacen("127.0.0.1:0", &addr, 1)).unwrap();
    let path = file.to_str().unwrap().to_owned();
    let ended = blocking(move || run(&std::env::temp_dir(), &["serve", "--config", &path], &[])).await;
    assert_eq!(
        (ended.code, ended.stderr.contains(&addr)),
        (Some(1), true),
        "{ended:?}"
    );
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn without_a_config_and_without_a_key_it_says_what_to_do() {
    let folder = scratch_file("d");
    std::fs::create_dir(&folder).unwrap();
    let inside = folder.clone();
    let ended = blocking(move || run(&inside, &["check"], &[])).await;
    assert_eq!(
        (ended.code, ended.stderr.contains("OPENAI_API_KEY")),
        (Some(2), true),
        "{ended:?}"
    );
    let inside = folder.clone();
    let ended = blocking(move || run(&inside, &["check"], &[("OPENAI_API_KEY", "sk-0123456789")])).await;
    assert_eq!(
        (ended.code, ended.stdout.starts_with("ok: 1 providers")),
        (Some(0), true),
        "{ended:?}"
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn clients_that_heed_readiness_lose_nothing() {
    // Who has just heard that it is ready has these three seconds to connect, also on a machine that stands still.
    let config = CONFIG.to_owned()
        + "server: { listen: \"127.0.0.1:0\", workers: 2, drain: { delay: 3s, timeout: 10s } }\n";
    let mut stack = Stack::start(&config).await;
    let addr = stack.addr;
    let clients: Vec<_> = (0..8)
        .map(|_| {
            tokio::spawn(async move {
                let mut served = 0_usize;
                // As a load balancer would: a new connection each, for as long as it is said to be ready.
                while get(addr, "/readyz", &[]).await.status == 200 {
                    let response = post(addr, "/v1/chat/completions", &[BEARER], &chat("m--latency20")).await;
                    assert_eq!(response.status, 200, "{}", response.text());
                    served += 1;
                }
                served
            })
        })
        .collect();
    let control = stack.mock.control().clone();
    eventually("there is load", || control.stats().total.requests > 50).await;
    assert!(stack.drained().await);
    let mut served = 0;
    for client in clients {
        served += client.await.unwrap();
    }
    assert_eq!(stack.log().len(), served, "each is on record, once");
}

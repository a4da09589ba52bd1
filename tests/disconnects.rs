//! A client that hangs up, at whatever moment: the provider is let go at once, the request is accounted for once,
//! and nothing is left behind.

use std::time::Duration;

use serde_json::Value;
use tollgate_loadtest::JournalEntry;
use tollgate_tests::{BEARER, Stack, Wire, chat, chat_stream, eventually, messages_stream};

const BOTH: &str = r#"
providers:
  openai: { kind: openai, base_url: "http://{mock}/v1", api_key: "key-of-openai-000" }
  claude: { kind: anthropic, base_url: "http://{mock}", api_key: "key-of-claude-000" }
models:
  "o/*": { targets: [ { provider: openai } ] }
  "a/*": { targets: [ { provider: claude } ] }
"#;

/// Within this time of the client's departure the provider must see it gone: long for "at once", because a busy machine
/// may stand still for a second or three, and short for "never".
const AT_ONCE: Duration = Duration::from_secs(10);

async fn wait_for(stack: &Stack, what: impl Fn(&JournalEntry) -> bool) {
    let waited = stack
        .mock
        .control()
        .wait_until(Duration::from_secs(10), |journal| journal.iter().any(&what));
    waited.await.unwrap();
}

/// The client leaves: the provider sees it, and one record says so.
async fn hang_up(stack: &Stack, wire: Wire) -> Value {
    drop(wire);
    let gone = |journal: &[JournalEntry]| journal.iter().all(|entry| entry.client_gone);
    stack
        .mock
        .control()
        .wait_until(AT_ONCE, gone)
        .await
        .expect("the provider was not let go");
    let record = stack.settled(1).await.pop().unwrap();
    assert_eq!(record["outcome"], "client_gone", "{record}");
    assert_eq!(record["usage"]["source"], "estimated", "{record}");
    let input = record["usage"]["input"].as_u64().unwrap();
    assert!((1..10).contains(&input), "a prompt of ten letters: {record}");
    let attempts = record["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 1, "{record}");
    assert_eq!(attempts[0]["outcome"], "client_gone", "{record}");
    record
}

#[tokio::test]
async fn while_it_sends_its_body() {
    let stack = Stack::start(BOTH).await;
    let mut wire = stack.wire().await;
    let headers = [
        BEARER,
        ("content-type", "application/json"),
        ("content-length", "1000"),
    ];
    wire.send("POST", "/v1/chat/completions", &headers, b"{\"model\":\"o/m\",")
        .await;
    // The gateway has seen the head when it counts the request.
    for _ in 0..2_000 {
        if stack.metrics().await.sum("tollgate_inflight_requests", &[]) == 1.0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(wire);
    let record = stack.settled(1).await.pop().unwrap();
    assert_eq!(record["outcome"], "client_gone", "{record}");
    assert_eq!(record["usage"], Value::Null, "nobody has done any work: {record}");
    assert!(stack.mock.control().journal().is_empty());
}

#[tokio::test]
async fn while_it_waits_for_an_answers_head() {
    let stack = Stack::start(BOTH).await;
    let wire = stack.begin("/v1/chat/completions", &chat("o/m--hang")).await;
    wait_for(&stack, |_| true).await;
    let record = hang_up(&stack, wire).await;
    assert_eq!(
        (&record["status"], &record["usage"]["output"]),
        (&499.into(), &0.into()),
        "{record}"
    );
}

#[tokio::test]
async fn while_it_waits_for_the_first_token() {
    let stack = Stack::start(BOTH).await;
    let wire = stack
        .begin("/v1/chat/completions", &chat_stream("o/m--hanghead"))
        .await;
    wait_for(&stack, |entry| entry.status == 200).await;
    let record = hang_up(&stack, wire).await;
    assert_eq!(record["usage"]["output"], 0, "{record}");
}

#[tokio::test]
async fn while_a_whole_answer_is_on_its_way() {
    let stack = Stack::start(BOTH).await;
    let wire = stack.begin("/v1/chat/completions", &chat("o/m--hang1")).await;
    wait_for(&stack, |entry| entry.chunks >= 1).await;
    hang_up(&stack, wire).await;
}

#[tokio::test]
async fn in_the_middle_of_a_stream() {
    let stack = Stack::start(BOTH).await;
    let mut wire = stack
        .begin("/v1/chat/completions", &chat_stream("o/m--endless--pace5"))
        .await;
    assert_eq!(wire.head().await.status, 200);
    let mut seen = 0;
    while seen < 2000 {
        seen += wire.piece().await.unwrap().len();
    }
    let record = hang_up(&stack, wire).await;
    assert_eq!(record["status"], 200, "{record}");
    assert!(
        record["usage"]["output"].as_u64().unwrap() > 0,
        "what was seen is billed: {record}"
    );
    assert!(record["first_token_us"].as_u64().is_some(), "{record}");
}

#[tokio::test]
async fn in_the_middle_of_a_stream_that_stalls() {
    // After its beginning, which tells of usage already; and after some content.
    for (model, sign) in [
        ("a/m--hang1", "message_start"),
        ("a/m--hang5", "content_block_delta"),
    ] {
        let stack = Stack::start(BOTH).await;
        let mut wire = stack.begin("/v1/messages", &messages_stream(model)).await;
        assert_eq!(wire.head().await.status, 200);
        let mut text = String::new();
        while !text.contains(sign) {
            text.push_str(&String::from_utf8(wire.piece().await.unwrap()).unwrap());
        }
        hang_up(&stack, wire).await;
    }
}

#[tokio::test]
async fn in_the_middle_of_a_translated_stream() {
    for (path, body) in [
        ("/v1/messages", messages_stream("o/m--endless--pace5")),
        ("/v1/chat/completions", chat_stream("a/m--endless--pace5")),
    ] {
        let stack = Stack::start(BOTH).await;
        let mut wire = stack.begin(path, &body).await;
        assert_eq!(wire.head().await.status, 200);
        let mut seen = 0;
        while seen < 2000 {
            seen += wire.piece().await.unwrap().len();
        }
        let record = hang_up(&stack, wire).await;
        assert!(record["usage"]["output"].as_u64().unwrap() > 0, "{record}");
    }
}

#[tokio::test]
async fn while_an_attempt_that_failed_is_followed_by_another() {
    let config = BOTH.to_owned()
        + "  twice: { targets: [ { provider: openai, model: m--status500, priority: 0 }, { provider: openai, model: m--hang, priority: 1 } ] }\n";
    let stack = Stack::start(&config).await;
    let wire = stack.begin("/v1/chat/completions", &chat("twice")).await;
    wait_for(&stack, |entry| entry.model == "m--hang").await;
    drop(wire);
    wait_for(&stack, |entry| entry.client_gone).await;
    let record = stack.settled(1).await.pop().unwrap();
    let outcomes: Vec<_> = record["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["outcome"])
        .collect();
    assert_eq!(outcomes, ["server_error", "client_gone"], "{record}");
    assert_eq!(record["outcome"], "client_gone", "{record}");
}

#[tokio::test]
async fn of_http_2_by_resetting_its_stream() {
    let stack = Stack::start(BOTH).await;
    let mut client = tollgate_tests::Http2::connect(stack.addr).await;
    let body = chat_stream("o/m--endless--pace5");
    let answer = client.open("/v1/chat/completions", &[BEARER], &body).await;
    assert_eq!(answer.status(), 200);
    wait_for(&stack, |entry| entry.chunks >= 3).await;
    drop(answer);
    stack
        .mock
        .control()
        .wait_until(AT_ONCE, |journal| journal.iter().all(|entry| entry.client_gone))
        .await
        .unwrap();
    let record = stack.settled(1).await.pop().unwrap();
    assert_eq!(record["outcome"], "client_gone", "{record}");
    // The connection lives on.
    assert_eq!(
        client
            .post("/v1/chat/completions", &[BEARER], &chat("o/m"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn many_at_once_and_nothing_is_left_behind() {
    const CLIENTS: usize = 200;
    let stack = Stack::start(BOTH).await;
    let mut wires = Vec::new();
    for number in 0..CLIENTS {
        let model = [
            "o/m--hang",
            "o/m--hanghead",
            "o/m--endless--pace20",
            "a/m--endless--pace20",
        ][number % 4];
        wires.push(stack.begin("/v1/chat/completions", &chat_stream(model)).await);
    }
    let control = stack.mock.control();
    eventually("all are being served", || {
        control.stats().total.in_flight == CLIENTS as u64
    })
    .await;
    drop(wires);
    eventually("all are let go", || control.stats().total.in_flight == 0).await;
    assert_eq!(control.stats().total.client_gone, CLIENTS as u64);
    let log = stack.settled(CLIENTS).await;
    assert!(log.iter().all(|record| record["outcome"] == "client_gone"));
    let metrics = stack.metrics().await;
    assert_eq!(
        metrics.sum("tollgate_requests_total", &[("outcome", "client_gone")]),
        CLIENTS as f64
    );
    eventually("no connection is kept", || true).await;
    assert_eq!(
        metrics.sum("tollgate_upstream_connections", &[]),
        0.0,
        "connections in the middle of an answer"
    );
}

//! Each clock of an exchange with a provider is its own: connect, first byte, idle, total. Each has its own name in
//! log and metrics, and a client is told in its own dialect, also in the middle of a stream.

use std::net::TcpListener;

use serde_json::{Value, json};
use tollgate_tests::{Stack, Wire, chat, chat_stream, data, messages, messages_stream};

fn config(timeouts: &str) -> String {
    format!(
        r#"
providers:
  openai: {{ kind: openai, base_url: "http://{{mock}}/v1", api_key: "key-of-openai-000", timeouts: {{ {timeouts} }} }}
  claude: {{ kind: anthropic, base_url: "http://{{mock}}", api_key: "key-of-claude-000", timeouts: {{ {timeouts} }} }}
models:
  "o/*": {{ targets: [ {{ provider: openai }} ] }}
  "a/*": {{ targets: [ {{ provider: claude }} ] }}
"#
    )
}

/// The one record there is.
async fn record(stack: &Stack) -> Value {
    stack.settled(1).await.pop().unwrap()
}

async fn counted(stack: &Stack, outcome: &str) -> f64 {
    stack
        .metrics()
        .await
        .sum("tollgate_attempts_total", &[("outcome", outcome)])
}

#[tokio::test]
async fn a_handshake_that_hangs_is_a_connect_timeout() {
    // The kernel accepts, nobody answers: TLS does not come about.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("https://{}/v1", silent.local_addr().unwrap());
    let config = config("connect: 150ms").replacen("http://{mock}/v1", &base_url, 1);
    let stack = Stack::start(&config).await;
    let response = stack.chat(&chat("o/m")).await;
    assert_eq!(
        (response.status, &response.json()["error"]["code"]),
        (504, &json!("upstream_timeout"))
    );
    let record = record(&stack).await;
    assert_eq!(record["attempts"][0]["outcome"], "connect_timeout", "{record}");
    assert_eq!(counted(&stack, "connect_timeout").await, 1.0);
}

#[tokio::test]
async fn requests_that_wait_for_the_same_connection_fail_together() {
    const REQUESTS: usize = 12;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("\"https://{}/v1\", http: 2", listener.local_addr().unwrap());
    let config = config("connect: 1s").replacen("\"http://{mock}/v1\"", &silent, 1);
    let config = format!("{config}server: {{ listen: \"127.0.0.1:0\", workers: 1 }}\n");
    let stack = Stack::start(&config).await;
    let began = std::time::Instant::now();
    let body = chat("o/m");
    let asked = (0..REQUESTS).map(|_| stack.chat(&body));
    for response in futures_util::future::join_all(asked).await {
        assert_eq!(response.json()["error"]["code"], "upstream_timeout");
    }
    // One after the other they would take a second each.
    assert!(began.elapsed().as_secs() < 6, "{:?}", began.elapsed());
    assert_eq!(counted(&stack, "connect_timeout").await, 12.0);
}

#[tokio::test]
async fn a_queue_of_connections_that_is_full_is_a_connect_timeout() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    // Nobody accepts: connections fill the queue until the kernel leaves the next one waiting.
    let mut waiting = Vec::new();
    let patience = std::time::Duration::from_millis(100);
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&addr, patience) {
        waiting.push(stream);
        assert!(waiting.len() < 20_000, "the queue does not fill");
    }
    let config = config("connect: 150ms").replacen("{mock}", &addr.to_string(), 1);
    let stack = Stack::start(&config).await;
    let response = stack.messages(&messages("o/m")).await;
    assert_eq!(
        (response.status, &response.json()["error"]["type"]),
        (504, &json!("timeout_error"))
    );
    assert_eq!(record(&stack).await["attempts"][0]["outcome"], "connect_timeout");
}

#[tokio::test]
async fn a_head_that_does_not_come_is_a_first_byte_timeout() {
    let stack = Stack::start(&config("first_byte: 150ms")).await;
    let response = stack.chat(&chat("o/m--hang")).await;
    assert_eq!(
        (response.status, &response.json()["error"]["code"]),
        (504, &json!("upstream_timeout"))
    );
    let record = record(&stack).await;
    assert_eq!(record["attempts"][0]["outcome"], "first_byte_timeout", "{record}");
    assert_eq!(counted(&stack, "first_byte_timeout").await, 1.0);
    let gone = stack
        .mock
        .control()
        .wait_until(std::time::Duration::from_secs(20), |journal| {
            journal[0].client_gone
        });
    gone.await.expect("the provider goes on working for nobody");
}

#[tokio::test]
async fn a_body_that_does_not_begin_is_a_first_byte_timeout() {
    let stack = Stack::start(&config("first_byte: 150ms")).await;
    let response = stack.messages(&messages_stream("a/m--hanghead")).await;
    assert_eq!(
        (response.status, &response.json()["error"]["type"]),
        (504, &json!("timeout_error"))
    );
    assert_eq!(
        record(&stack).await["attempts"][0]["outcome"],
        "first_byte_timeout"
    );
}

#[tokio::test]
async fn a_first_token_within_its_time_is_waited_for() {
    let stack = Stack::start(&config("first_byte: 5s, idle: 200ms")).await;
    let response = stack.chat(&chat_stream("o/m--latency300--firsttoken300")).await;
    assert!(response.text().contains("[DONE]"), "{}", response.text());
    assert_eq!(record(&stack).await["outcome"], "success");
}

/// An error is the last event of an OpenAI stream, and no choice says that the answer was finished.
fn assert_openai_error(text: &str) {
    let events = data(text);
    assert!(
        events
            .iter()
            .all(|event| event["choices"][0]["finish_reason"].is_null()),
        "{text}"
    );
    let error = &events.last().unwrap()["error"];
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|message| !message.is_empty()),
        "{text}"
    );
    assert_eq!(
        events.iter().filter(|event| event.get("error").is_some()).count(),
        1,
        "{text}"
    );
}

/// An `error` event is the last one of an Anthropic stream, and no `message_stop` is in it.
fn assert_anthropic_error(text: &str) {
    let events = data(text);
    assert!(!text.contains("message_stop"), "{text}");
    assert_eq!(events.last().unwrap()["type"], "error", "{text}");
    assert!(text.contains("event: error\ndata: "), "{text}");
}

async fn stream_that_stalls(timeouts: &str, outcome: &str) {
    for model in ["o/m--hang6", "a/m--hang6"] {
        let stack = Stack::start(&config(timeouts)).await;
        let openai = stack.chat(&chat_stream(model)).await;
        assert_eq!(openai.status, 200);
        assert_openai_error(&openai.text());
        let anthropic = stack.messages(&messages_stream(model)).await;
        assert_eq!(anthropic.status, 200);
        assert_anthropic_error(&anthropic.text());
        for record in stack.settled(2).await {
            assert_eq!(
                (&record["outcome"], &record["status"]),
                (&json!(outcome), &json!(200)),
                "{model}: {record}"
            );
            assert_eq!(record["attempts"][0]["outcome"], outcome, "{model}: {record}");
            assert_eq!(record["usage"]["source"], "estimated", "{model}: {record}");
        }
        assert_eq!(counted(&stack, outcome).await, 2.0);
        assert_eq!(
            stack
                .metrics()
                .await
                .sum("tollgate_requests_total", &[("outcome", outcome)]),
            2.0
        );
    }
}

#[tokio::test]
async fn a_stream_that_pauses_too_long_ends_in_an_error() {
    stream_that_stalls("idle: 200ms", "idle_timeout").await;
}

#[tokio::test]
async fn a_stream_that_takes_too_long_ends_in_an_error() {
    stream_that_stalls("total: 400ms", "total_timeout").await;
}

#[tokio::test]
async fn a_stream_that_flows_is_still_cut_at_the_total() {
    let stack = Stack::start(&config("idle: 5s, total: 500ms")).await;
    let response = stack.chat(&chat_stream("o/m--endless--pace10")).await;
    assert_openai_error(&response.text());
    assert_eq!(record(&stack).await["outcome"], "total_timeout");
}

#[tokio::test]
async fn a_whole_answer_that_stalls_is_an_idle_timeout() {
    let stack = Stack::start(&config("idle: 200ms")).await;
    let response = stack.chat(&chat("o/m--hang2")).await;
    assert_eq!(response.status, 504, "{}", response.text());
    assert_eq!(record(&stack).await["attempts"][0]["outcome"], "idle_timeout");
}

#[tokio::test]
async fn a_whole_answer_that_trickles_is_cut_at_the_total() {
    let stack = Stack::start(&config("first_byte: 5s, idle: 5s, total: 300ms")).await;
    let response = stack.chat(&chat("o/m--drip5")).await;
    assert_eq!(response.status, 504, "{}", response.text());
    assert_eq!(record(&stack).await["attempts"][0]["outcome"], "total_timeout");
}

#[tokio::test]
async fn a_client_that_dawdles_over_its_head_is_let_go() {
    let config = config("idle: 5s")
        + "server: { listen: \"127.0.0.1:0\", workers: 1, client_request_timeout: 200ms }\n";
    let stack = Stack::start(&config).await;
    let mut wire = Wire::connect(stack.addr).await;
    wire.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n")
        .await;
    if let Some(response) = wire.try_head().await {
        assert_eq!(response.status, 408);
    }
}

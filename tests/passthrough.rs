//! Where client and provider speak the same dialect their bytes pass: what is not patched is untouched, in both
//! directions, whatever it is.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tollgate_loadtest::{MockOptions, MockServer};
use tollgate_tests::{
    BEARER, Http2, Response, Stack, chat, chat_stream, data, messages, messages_stream, post,
};

const CONFIG: &str = r#"
providers:
  openai: { kind: openai, base_url: "http://{mock}/v1", api_key: "key-of-openai-000" }
  claude: { kind: anthropic, base_url: "http://{mock}", api_key: "key-of-claude-000" }
models:
  renamed: { targets: [ { provider: openai, model: "gpt-\"4\"" } ], aliases: [ also-known-as ] }
  claude-renamed: { targets: [ { provider: claude, model: claude-haiku-4-5 } ] }
  gpt-4o: { targets: [ { provider: openai } ] }
  claude-haiku-4-5: { targets: [ { provider: claude } ] }
  "o/*": { targets: [ { provider: openai } ] }
  "a/*": { targets: [ { provider: claude } ] }
keys:
  - { name: test, key: "tg-test-key-0123456789", models: [ "*" ] }
  - { name: narrow, key: "tg-narrow-key-0123456789", models: [ "gpt-4o", "claude-renamed", "nothing" ] }
"#;

/// A body as no serializer would write it: order, spaces, escapes, numbers, duplicates inside, unknown fields.
const ODD: &str = "  {\"zeta\" : [1.0, 1e5, -0, 1.10],\n\t\"model\":  \"gpt-4o\" ,\"messages\":[ {\"role\":\"user\",\"content\":\"caf\\u00e9 \\/ \u{1f980}\",\
    \"x\":{\"model\":\"not this one\",\"a\":1,\"a\":2}} ],\"future\":{\"deep\":[[],{}]},\"seed\":18446744073709551615}  \r\n";

fn received(stack: &Stack) -> Vec<String> {
    stack
        .mock
        .control()
        .journal()
        .into_iter()
        .map(|entry| entry.body)
        .collect()
}

#[tokio::test]
async fn a_body_without_need_of_a_patch_arrives_byte_for_byte() {
    let stack = Stack::start(CONFIG).await;
    let response = stack.chat(ODD).await;
    assert_eq!(response.status, 200, "{}", response.text());
    let anthropic = ODD
        .replace("gpt-4o", "claude-haiku-4-5")
        .replace("\"zeta\"", "\"max_tokens\": 10, \"stream\": true, \"zeta\"");
    assert_eq!(stack.messages(&anthropic).await.status, 200);
    assert_eq!(received(&stack), [ODD, &anthropic]);
}

#[tokio::test]
async fn numbers_of_any_size_pass() {
    let stack = Stack::start(CONFIG).await;
    for number in [
        "12345678901234567890123",
        "-9223372036854775809",
        "1e308",
        "0.1000000000000000055511151231257827",
    ] {
        let body = ODD.replace("18446744073709551615", number);
        let response = stack.chat(&body).await;
        assert_eq!(
            (response.status, received(&stack).pop()),
            (200, Some(body)),
            "{number}: {}",
            response.text()
        );
    }
}

#[tokio::test]
async fn only_the_models_name_is_patched() {
    let stack = Stack::start(CONFIG).await;
    let body = ODD.replace("\"gpt-4o\"", "\"renamed\"");
    assert_eq!(stack.chat(&body).await.status, 200);
    let escaped = ODD.replace("\"gpt-4o\"", "\"ren\\u0061med\"");
    assert_eq!(stack.chat(&escaped).await.status, 200);
    let alias = ODD.replace("\"gpt-4o\"", "\"also-known-as\"");
    assert_eq!(stack.chat(&alias).await.status, 200);
    let expected = ODD.replace("\"gpt-4o\"", r#""gpt-\"4\"""#);
    assert_eq!(received(&stack), [expected.as_str(), &expected, &expected]);
}

#[tokio::test]
async fn usage_is_asked_for_and_kept_from_a_client_that_did_not_ask() {
    let stack = Stack::start(CONFIG).await;
    let silent = stack.chat(&chat_stream("gpt-4o")).await.text();
    assert!(!silent.contains("\"choices\":[]"), "{silent}");
    let asked = chat_stream("gpt-4o").replace(
        "\"stream\":true",
        "\"stream\":true,\"stream_options\":{\"include_usage\":true}",
    );
    let told = stack.chat(&asked).await.text();
    let usage = data(&told).pop().unwrap();
    assert_eq!(
        (&usage["choices"], usage["usage"]["prompt_tokens"].is_u64()),
        (&json!([]), true),
        "{told}"
    );
    let no = chat_stream("gpt-4o").replace(
        "\"stream\":true",
        "\"stream\":true,\"stream_options\":{\"include_usage\":false,\"x\":1}",
    );
    assert!(!stack.chat(&no).await.text().contains("\"choices\":[]"));
    for body in received(&stack) {
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["stream_options"]["include_usage"], true, "{body}");
    }
    let last: Value = serde_json::from_str(&received(&stack)[2]).unwrap();
    assert_eq!(last["stream_options"]["x"], 1);
    for record in stack.settled(3).await {
        assert_eq!(record["usage"]["source"], "reported", "{record}");
    }
}

/// What a provider of the same seed answers to the same request without a gateway between.
async fn directly(path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let mock = MockServer::start(MockOptions::default()).await.unwrap();
    post(mock.addr(), path, headers, body).await
}

#[tokio::test]
async fn an_answer_passes_byte_for_byte() {
    let anthropic = [("anthropic-version", "2023-06-01")];
    let asked = |body: String| {
        body.replace(
            "\"stream\":true",
            "\"stream\":true,\"stream_options\":{\"include_usage\":true}",
        )
    };
    let cases = [
        ("/v1/chat/completions", chat("gpt-4o")),
        ("/v1/messages", messages("claude-haiku-4-5")),
        ("/v1/chat/completions", asked(chat_stream("gpt-4o"))),
        ("/v1/messages", messages_stream("claude-haiku-4-5")),
        (
            "/v1/completions",
            r#"{"model":"gpt-4o","prompt":"Say hello."}"#.to_owned(),
        ),
        (
            "/v1/embeddings",
            r#"{"model":"gpt-4o","input":["a","b"],"dimensions":8}"#.to_owned(),
        ),
        ("/v1/messages/count_tokens", messages("claude-haiku-4-5")),
    ];
    for (path, body) in cases {
        let stack = Stack::start(CONFIG).await;
        let direct = directly(path, &anthropic, &body).await;
        let through = stack.post(path, &body).await;
        assert_eq!(
            (direct.status, through.status),
            (200, 200),
            "{path}: {}",
            through.text()
        );
        let text = through.text();
        let (answer, comment) = text.split_at(text.find(": tollgate ").unwrap_or(text.len()));
        assert_eq!(answer, direct.text(), "{path}");
        let is_stream = body.contains("\"stream\":true");
        assert_eq!(
            comment.ends_with("\n\n") && comment.lines().count() == 2,
            is_stream,
            "{path}: {comment}"
        );
        let kind = if is_stream {
            "text/event-stream; charset=utf-8"
        } else {
            "application/json"
        };
        assert_eq!(through.header("content-type"), Some(kind), "{path}");
        for header in [
            "x-request-id",
            "x-tollgate-provider",
            "x-tollgate-model",
            "x-tollgate-overhead-us",
        ] {
            assert!(through.header(header).is_some(), "{path}: no {header}");
        }
        assert_eq!(through.header("x-tollgate-attempts"), Some("1"), "{path}");
        assert_eq!(through.header("x-tollgate-loss"), None, "{path}");
        let record = stack.settled(1).await.pop().unwrap();
        assert_eq!(
            record["upstream_request_id"],
            direct.header("request-id").unwrap(),
            "{path}: {record}"
        );
    }
}

#[tokio::test]
async fn an_error_of_the_provider_passes_byte_for_byte() {
    for (path, body) in [
        (
            "/v1/chat/completions",
            chat("gpt-4o--status400").replace("gpt-4o--status400", "o/gpt-4o--status400"),
        ),
        ("/v1/messages", messages("a/claude--status400")),
    ] {
        let stack = Stack::start(CONFIG).await;
        let direct = directly(
            path,
            &[],
            &body.replace("o/gpt", "gpt").replace("a/claude", "claude"),
        )
        .await;
        let through = stack.post(path, &body).await;
        assert_eq!((through.status, through.text()), (direct.status, direct.text()));
    }
}

#[tokio::test]
async fn a_packed_body_is_unpacked_once() {
    let stack = Stack::start(CONFIG).await;
    let large = ODD.replace(
        "\"future\"",
        &format!("\"pad\":\"{}\",\"future\"", "x".repeat(40_000)),
    );
    let mut pieces = GzEncoder::new(Vec::new(), Compression::fast());
    pieces.write_all(large.as_bytes()).unwrap();
    let packed = pieces.finish().unwrap();
    for encoding in ["gzip", "GZIP", "x-gzip"] {
        let mut wire = stack.wire().await;
        let headers = [
            BEARER,
            ("content-type", "application/json"),
            ("content-encoding", encoding),
        ];
        wire.send("POST", "/v1/chat/completions", &headers, &packed).await;
        assert_eq!(wire.response().await.status, 200, "{encoding}");
    }
    assert!(received(&stack).iter().all(|body| *body == large));
    assert!(
        stack
            .mock
            .control()
            .journal()
            .iter()
            .all(|entry| entry.header("content-encoding").is_none())
    );
}

#[tokio::test]
async fn headers_that_belong_to_the_dialect_go_along_and_no_others() {
    let stack = Stack::start(CONFIG).await;
    let headers = [
        BEARER,
        ("anthropic-version", "2030-01-01"),
        ("anthropic-beta", "a-beta"),
        ("openai-organization", "org-x"),
        ("idempotency-key", "once"),
        ("user-agent", "an-sdk/1.0"),
        ("x-anything", "else"),
    ];
    post(
        stack.addr,
        "/v1/messages",
        &headers,
        &messages("claude-haiku-4-5"),
    )
    .await;
    post(stack.addr, "/v1/chat/completions", &headers, &chat("gpt-4o")).await;
    let journal = stack.mock.control().journal();
    let sent = |number: usize, name: &str| journal[number].header(name).map(str::to_owned);
    assert_eq!(sent(0, "anthropic-version").as_deref(), Some("2030-01-01"));
    assert_eq!(sent(0, "anthropic-beta").as_deref(), Some("a-beta"));
    assert_eq!(sent(1, "openai-organization").as_deref(), Some("org-x"));
    assert_eq!(
        (sent(0, "openai-organization"), sent(1, "anthropic-beta")),
        (None, None)
    );
    for number in 0..2 {
        assert_eq!(sent(number, "idempotency-key").as_deref(), Some("once"));
        assert_eq!(sent(number, "x-anything"), None);
        assert!(sent(number, "user-agent").unwrap().starts_with("tollgate/"));
        assert_eq!(sent(number, "host").unwrap(), stack.mock.addr().to_string());
    }
}

#[tokio::test]
async fn http_2_clients_are_served() {
    let stack = Stack::start(CONFIG).await;
    let mut client = Http2::connect(stack.addr).await;
    let whole = client.post("/v1/chat/completions", &[BEARER], ODD).await;
    assert_eq!(whole.status, 200, "{}", whole.text());
    assert_eq!(received(&stack), [ODD]);
    let stream = client
        .post("/v1/messages", &[BEARER], &messages_stream("claude-haiku-4-5"))
        .await;
    assert!(stream.text().contains("event: message_stop"), "{}", stream.text());
    let refused = client.post("/v1/chat/completions", &[], ODD).await;
    assert_eq!(refused.status, 401);
    // Several at once on one connection.
    let chats = (0..20).map(|_| {
        let mut client = client.clone();
        async move {
            client
                .post("/v1/chat/completions", &[BEARER], &chat_stream("gpt-4o"))
                .await
        }
    });
    for response in futures_util::future::join_all(chats).await {
        assert!(response.status == 200 && response.text().contains("[DONE]"));
    }
}

#[tokio::test]
async fn connections_to_the_provider_are_kept() {
    let config = CONFIG.to_owned() + "server: { listen: \"127.0.0.1:0\", workers: 1 }\n";
    let stack = Stack::start(&config).await;
    for number in 0..30 {
        let response = if number % 2 == 0 {
            stack.chat(&chat("gpt-4o")).await
        } else {
            stack.chat(&chat_stream("gpt-4o")).await
        };
        assert_eq!(response.status, 200);
    }
    let metrics = stack.metrics().await;
    assert_eq!(metrics.sum("tollgate_upstream_connects_total", &[]), 1.0);
    assert_eq!(metrics.sum("tollgate_upstream_connections", &[]), 1.0);
}

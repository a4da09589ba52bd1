//! Files, batches and kept responses belong to an account: they are open only where the operator says so, only to keys
//! that may use them, and nothing but them is reached.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tollgate_loadtest::{MockOptions, MockServer};
use tollgate_tests::{BEARER, Response, Scripted, Stack, json_answer};

const PATIENCE: Duration = Duration::from_secs(30);
const NARROW: (&str, &str) = ("authorization", "Bearer tg-narrow-key-0123456789");
const FILER: (&str, &str) = ("authorization", "Bearer tg-filer-key-01234567890");

fn config(upstream: impl std::fmt::Display, passthrough: &str) -> String {
    format!(
        r#"
breaker: {{ enabled: false }}
providers:
  east: {{ kind: openai, base_url: "http://{upstream}/east/v1", api_key: "key-of-east-000001" }}
  west: {{ kind: openai, base_url: "http://{upstream}/west/v1", api_key: "key-of-west-000001" }}
  claude: {{ kind: anthropic, base_url: "http://{upstream}/claude", api_key: "key-of-claude-0001" }}
  rack: {{ kind: azure, base_url: "http://{upstream}/rack", api_key: "key-of-rack-000001", api_version: "2025-04-01" }}
models:
  fast: {{ targets: [ {{ provider: east, model: gpt-4o }} ] }}
keys:
  - {{ name: test, key: "tg-test-key-0123456789", models: ["*"] }}
  - {{ name: narrow, key: "tg-narrow-key-0123456789", models: [fast] }}
  - {{ name: filer, key: "tg-filer-key-01234567890", models: ["east/files"], max_cost: "$0.01" }}
{passthrough}
"#
    )
}

const OPEN: &str =
    "passthrough: { files: [east, west, claude, rack], batches: [east, claude], responses: [east] }";

async fn stack(config: &str) -> Stack {
    Stack::in_front_of(MockServer::start(MockOptions::default()).await.unwrap(), config)
}

async fn ask(stack: &Stack, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let mut wire = stack.wire().await;
    wire.send(method, path, headers, body.as_bytes()).await;
    wire.response().await
}

fn first_line(request: &str) -> &str {
    request.lines().next().unwrap()
}

#[tokio::test]
async fn accounts_are_closed_unless_they_are_opened() {
    let upstream = Scripted::start(|_| json_answer(200, "{}")).await;
    let stack = stack(&config(upstream.addr, "")).await;
    for path in [
        "/v1/files",
        "/v1/batches",
        "/v1/responses/resp_1",
        "/v1/messages/batches",
    ] {
        let answer = ask(&stack, "GET", path, &[BEARER], "").await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
        assert!(answer.text().contains("passthrough."), "{}", answer.text());
    }
    assert_eq!(ask(&stack, "GET", "/v1/files", &[], "").await.status, 401);
    assert!(upstream.seen().is_empty());
}

/// A header.
type Header = (&'static str, &'static str);

const VERSION: Header = ("anthropic-version", "2023-06-01");

/// A method, a path and headers; and the beginning of what reaches a provider.
const ASKED: &[(&str, &str, &[Header], &str)] = &[
    (
        "GET",
        "/v1/files?limit=2&key=tg-x",
        &[BEARER],
        "GET /east/v1/files?limit=2 ",
    ),
    (
        "GET",
        "/v1/files/file-1/content",
        &[BEARER],
        "GET /east/v1/files/file-1/content ",
    ),
    (
        "DELETE",
        "/v1/files/file-1",
        &[BEARER, ("x-tollgate-provider", "west")],
        "DELETE /west/v1/files/file-1 ",
    ),
    ("GET", "/v1/files", &[BEARER, VERSION], "GET /claude/v1/files "),
    (
        "GET",
        "/anthropic/v1/files/f_1",
        &[BEARER],
        "GET /claude/v1/files/f_1 ",
    ),
    (
        "GET",
        "/v1/files?after=a",
        &[BEARER, ("x-tollgate-provider", "rack")],
        "GET /rack/openai/files?api-version=2025-04-01&after=a ",
    ),
    ("POST", "/v1/batches", &[BEARER], "POST /east/v1/batches "),
    (
        "POST",
        "/v1/batches/b_1/cancel",
        &[BEARER],
        "POST /east/v1/batches/b_1/cancel ",
    ),
    (
        "GET",
        "/v1/messages/batches/m_1/results",
        &[BEARER],
        "GET /claude/v1/messages/batches/m_1/results ",
    ),
    (
        "GET",
        "/v1/responses/resp_1/input_items",
        &[BEARER],
        "GET /east/v1/responses/resp_1/input_items ",
    ),
    (
        "DELETE",
        "/v1/responses/resp_1",
        &[BEARER],
        "DELETE /east/v1/responses/resp_1 ",
    ),
];

#[tokio::test]
async fn what_is_asked_goes_to_the_first_provider_of_the_clients_dialect_or_to_the_one_it_names() {
    let upstream = Scripted::start(|_| json_answer(200, r#"{"id":"x","error":null}"#)).await;
    let stack = stack(&config(upstream.addr, OPEN)).await;
    for (number, (method, path, headers, line)) in ASKED.iter().enumerate() {
        let body = if *method == "POST" {
            r#"{"input_file_id":"f"}"#
        } else {
            ""
        };
        let answer = ask(&stack, method, path, headers, body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let seen = upstream.seen();
        let request = &seen[number];
        assert!(request.starts_with(line), "{line}: {request}");
        assert!(request.ends_with(&format!("\r\n\r\n{body}")), "{request}");
        assert!(!request.contains("tg-"), "our key goes to nobody: {request}");
    }
    let log = stack.settled(ASKED.len()).await;
    assert_eq!(
        (&log[0]["model"], &log[0]["upstream_model"]),
        (&"east/files".into(), &"files".into())
    );
    assert!(
        log.iter()
            .all(|it| it["outcome"] == "success" && it.get("usage").is_none()),
        "{log:#?}"
    );
}

#[tokio::test]
async fn a_key_must_be_allowed_to_use_an_account_and_models_lists_none() {
    let upstream = Scripted::start(|_| json_answer(200, "{}")).await;
    let stack = stack(&config(upstream.addr, OPEN)).await;
    let narrow = ask(&stack, "GET", "/v1/files", &[NARROW], "").await;
    assert_eq!(narrow.status, 403);
    assert!(narrow.text().contains("east/files"), "{}", narrow.text());
    assert_eq!(ask(&stack, "GET", "/v1/files", &[FILER], "").await.status, 200);
    assert_eq!(ask(&stack, "GET", "/v1/batches", &[FILER], "").await.status, 403);
    let elsewhere = [FILER, ("x-tollgate-provider", "west")];
    assert_eq!(ask(&stack, "GET", "/v1/files", &elsewhere, "").await.status, 403);
    let unknown = [BEARER, ("x-tollgate-provider", "nobody")];
    assert_eq!(ask(&stack, "GET", "/v1/files", &unknown, "").await.status, 403);
    assert!(!stack.get("/v1/models").await.text().contains("files"));
    let chat = stack
        .chat(r#"{"model":"east/files","messages":[{"role":"user","content":"x"}]}"#)
        .await;
    assert_eq!(chat.status, 404, "{}", chat.text());
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn nothing_but_what_is_served_is_reached_with_the_gateways_credential() {
    let upstream = Scripted::start(|_| json_answer(200, "{}")).await;
    let stack = stack(&config(upstream.addr, OPEN)).await;
    let cases = [
        ("GET", "/v1/files/../organization/keys", 400),
        ("GET", "/v1/files/%2e%2e/keys", 400),
        ("GET", "/v1/files/a%2fb", 400),
        ("GET", "/v1/files/file-1/keys", 404),
        ("PUT", "/v1/files/file-1", 405),
        ("DELETE", "/v1/batches/b_1", 405),
        ("POST", "/v1/responses/resp_1", 405),
    ];
    for (method, path, status) in cases {
        let answer = ask(&stack, method, path, &[BEARER], "").await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    }
    assert!(upstream.seen().is_empty(), "{:#?}", upstream.seen());
}

#[tokio::test]
async fn a_download_flows_and_one_that_breaks_is_broken_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stack = stack(&config(listener.local_addr().unwrap(), OPEN)).await;
    let mut client = stack.wire().await;
    client
        .send("GET", "/v1/files/file-1/content", &[BEARER], b"")
        .await;
    let accepted = tokio::time::timeout(PATIENCE, listener.accept()).await;
    let (mut upstream, _) = accepted.unwrap().unwrap();
    let mut request = [0; 4096];
    assert!(upstream.read(&mut request).await.unwrap() > 0);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: 10\r\n\
                content-disposition: attachment; filename=\"a.bin\"\r\nset-cookie: a=b\r\n\r\n\0\u{1}";
    upstream.write_all(head.as_bytes()).await.unwrap();
    // It begins before the provider is done.
    let answer = client.head().await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/octet-stream"))
    );
    assert_eq!(
        answer.header("content-disposition"),
        Some("attachment; filename=\"a.bin\"")
    );
    assert_eq!(
        (answer.header("content-length"), answer.header("set-cookie")),
        (Some("10"), None)
    );
    assert_eq!(client.piece().await, Some(vec![0, 1]));
    drop(upstream);
    assert!(
        client.try_piece().await.is_err(),
        "half a file is taken for a whole one"
    );
    assert_eq!(stack.settled(1).await[0]["outcome"], "reset");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_nobodys_fault() {
    let upstream = Scripted::start(|_| {
        json_answer(
            404,
            r#"{"error":{"message":"No such File object: file-1","type":"invalid_request_error"}}"#,
        )
    })
    .await;
    let config = config(upstream.addr, OPEN).replace("breaker: { enabled: false }", "");
    let stack = stack(&config).await;
    for _ in 0..30 {
        let answer = ask(&stack, "GET", "/v1/files/file-1", &[BEARER], "").await;
        assert_eq!(answer.status, 404, "{}", answer.text());
        assert!(answer.text().contains("No such File"), "{}", answer.text());
    }
    assert_eq!(upstream.seen().len(), 30, "no breaker has opened");
    assert_eq!(
        first_line(&upstream.seen()[0]),
        "GET /east/v1/files/file-1 HTTP/1.1"
    );
}

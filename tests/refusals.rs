//! Every "no": the right status, in the client's own dialect, with a message that says how to mend it; and nothing
//! reaches a provider.

mod no;

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tollgate_tests::{BEARER, Stack, get, post};

use no::{BAD, No};

const CONFIG: &str = r#"
providers:
  openai: { kind: openai, base_url: "http://{mock}/v1", api_key: "key-of-openai-000" }
  claude: { kind: anthropic, base_url: "http://{mock}", api_key: "key-of-claude-000" }
models:
  gpt-4o-mini: { targets: [ { provider: openai } ] }
  gpt-4o: { targets: [ { provider: openai } ] }
  claude-haiku: { targets: [ { provider: claude } ] }
keys:
  - { name: test, key: "tg-test-key-0123456789", models: [ "*" ] }
  - { name: narrow, key: "tg-narrow-key-0123456789", models: [ "gpt-4o-*" ] }
  - { name: old, key: "tg-expired-key-0123456789", models: [ "*" ], expires_at: "2020-02-29T12:00:00Z" }
server: { listen: "127.0.0.1:0", workers: 1, body_limit: 4KiB }
"#;

const JSON: (&str, &str) = ("content-type", "application/json");
const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";

/// Sends `body` in both dialects: the same must come of it.
async fn both(stack: &Stack, headers: &[(&str, &str)], body: &[u8], no: &No) {
    for path in [CHAT, MESSAGES] {
        let mut wire = stack.wire().await;
        wire.send("POST", path, headers, body).await;
        no.holds(path, &wire.response().await);
    }
}

/// After all of this: no provider has heard of it, and each refusal is on record, once.
async fn nobody_was_asked(stack: &Stack, refusals: usize) {
    assert_eq!(stack.mock.control().journal(), []);
    for record in stack.settled(refusals).await {
        assert_eq!(record["outcome"], "refused", "{record}");
        assert_eq!(
            (&record["usage"], &record["cost_nanodollars"]),
            (&Value::Null, &Value::Null),
            "{record}"
        );
    }
    assert_eq!(
        stack.metrics().await.sum("tollgate_refusals_total", &[]),
        refusals as f64
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn bodies_that_are_no_json() {
    let stack = Stack::start(CONFIG).await;
    let deep = format!(
        r#"{{"model":"gpt-4o","messages":{}{}}}"#,
        "[".repeat(1500),
        "]".repeat(1500)
    );
    let bodies: [(&[u8], &[&str]); 9] = [
        (b"", &["empty"]),
        (b" \n", &["empty"]),
        (b"{", &["JSON"]),
        (b"{\"model\":\"gpt-4o\",}", &["JSON", "line 1"]),
        (b"{\"model\":\"gpt-4o\"} trailing", &["JSON"]),
        (b"[]", &["object"]),
        (b"\"gpt-4o\"", &["object"]),
        (b"{\"model\":\"gpt-\xff\xfe4o\",\"messages\":[]}", &["UTF-8"]),
        (deep.as_bytes(), &["nest"]),
    ];
    for (body, says) in &bodies {
        both(&stack, &[BEARER, JSON], body, &No { says, ..BAD }).await;
    }
    nobody_was_asked(&stack, bodies.len() * 2).await;
}

#[tokio::test]
async fn fields_that_are_wrong() {
    let stack = Stack::start(CONFIG).await;
    let cases: [(&str, &str, &[&str]); 10] = [
        (r#"{"messages":[]}"#, "model", &["missing"]),
        (r#"{"model":null,"messages":[]}"#, "model", &["string", "null"]),
        (r#"{"model":7,"messages":[]}"#, "model", &["string", "number"]),
        (r#"{"model":"","messages":[]}"#, "model", &["empty"]),
        (r#"{"model":"gpt-4o"}"#, "messages", &["missing"]),
        (
            r#"{"model":"gpt-4o","messages":"hi"}"#,
            "messages",
            &["array", "string"],
        ),
        (
            r#"{"model":"gpt-4o","messages":[],"stream":"yes"}"#,
            "stream",
            &["true or false", "string"],
        ),
        (
            r#"{"model":"gpt-4o","messages":[],"max_tokens":"many"}"#,
            "max_tokens",
            &["number", "string"],
        ),
        (
            r#"{"model":"gpt-4o","model":"gpt-4o-mini","messages":[]}"#,
            "model",
            &["twice"],
        ),
        (
            r#"{"model":"gpt-4o","mod\u0065l":"gpt-4o-mini","messages":[]}"#,
            "model",
            &["twice"],
        ),
    ];
    for (body, param, says) in cases {
        let no = No {
            code: "invalid_value",
            param: Some(param),
            says,
            ..BAD
        };
        both(&stack, &[BEARER, JSON], body.as_bytes(), &no).await;
    }
    nobody_was_asked(&stack, cases.len() * 2).await;
}

#[tokio::test]
async fn keys_that_are_missing_unknown_or_expired() {
    let stack = Stack::start(CONFIG).await;
    let no = |code, says| No {
        status: 401,
        openai: "invalid_request_error",
        anthropic: "authentication_error",
        code,
        param: None,
        says,
    };
    let body = br#"{"model":"gpt-4o","messages":[]}"#;
    let mut refused = 0;
    let missing: [&[(&str, &str)]; 4] = [
        &[JSON],
        &[JSON, ("authorization", "Bearer ")],
        &[JSON, ("authorization", "Basic dXNlcjpwdw==")],
        &[JSON, ("x-api-key", "")],
    ];
    for headers in missing {
        both(
            &stack,
            headers,
            body,
            &no("missing_api_key", &["Authorization: Bearer", "x-api-key"]),
        )
        .await;
        refused += 2;
    }
    for name in ["authorization", "x-api-key", "x-goog-api-key", "api-key"] {
        for (key, code, says) in [
            (
                "tg-unknown-key-0123456789",
                "invalid_api_key",
                &["not known"] as &[&str],
            ),
            (
                "tg-expired-key-0123456789",
                "expired_api_key",
                &["expired", "2020-02-29T12:00:00"],
            ),
        ] {
            let value = if name == "authorization" {
                format!("Bearer {key}")
            } else {
                key.to_owned()
            };
            both(&stack, &[JSON, (name, &value)], body, &no(code, says)).await;
            refused += 2;
        }
    }
    nobody_was_asked(&stack, refused).await;
    // And each header works with a key that is good.
    for name in ["authorization", "x-api-key", "x-goog-api-key", "api-key"] {
        let key = if name == "authorization" {
            BEARER.1
        } else {
            "tg-test-key-0123456789"
        };
        let response = post(
            stack.addr,
            CHAT,
            &[(name, key)],
            r#"{"model":"gpt-4o","messages":[]}"#,
        )
        .await;
        assert_eq!(response.status, 200, "{name}: {}", response.text());
    }
}

#[tokio::test]
async fn a_stranger_is_turned_away_before_the_body_is_read() {
    let stack = Stack::start(CONFIG).await;
    let mut wire = stack.wire().await;
    wire.send("POST", CHAT, &[JSON, ("content-length", "3000")], b"")
        .await;
    assert_eq!(wire.response().await.status, 401);
}

#[tokio::test]
async fn models_that_are_not_there_or_not_allowed() {
    let stack = Stack::start(CONFIG).await;
    let unknown = No {
        status: 404,
        anthropic: "not_found_error",
        code: "model_not_found",
        param: Some("model"),
        says: &["gpt-4o-mnii", "did you mean", "'gpt-4o-mini'"],
        ..BAD
    };
    both(
        &stack,
        &[BEARER, JSON],
        br#"{"model":"gpt-4o-mnii","messages":[]}"#,
        &unknown,
    )
    .await;
    let far = No {
        says: &["GET /v1/models"],
        ..unknown
    };
    both(&stack, &[BEARER, JSON], br#"{"model":"zzz","messages":[]}"#, &far).await;
    let narrow = ("x-api-key", "tg-narrow-key-0123456789");
    let forbidden = No {
        status: 403,
        openai: "insufficient_permissions",
        anthropic: "permission_error",
        code: "model_not_allowed",
        param: Some("model"),
        says: &["GET /v1/models"],
    };
    // Whether it exists or not: the answer is the same.
    for model in ["claude-haiku", "no-such-thing"] {
        let body = format!(r#"{{"model":"{model}","messages":[]}}"#);
        both(&stack, &[narrow, JSON], body.as_bytes(), &forbidden).await;
    }
    // What a key may not use is not suggested to it either.
    let response = post(
        stack.addr,
        CHAT,
        &[narrow],
        r#"{"model":"gpt-4o-","messages":[]}"#,
    )
    .await;
    assert!(
        !response.text().contains("'gpt-4o'") && response.status == 404,
        "{}",
        response.text()
    );
    nobody_was_asked(&stack, 9).await;
}

#[tokio::test]
async fn surfaces_that_no_target_can_serve() {
    let stack = Stack::start(CONFIG).await;
    let response = stack
        .post("/v1/embeddings", r#"{"model":"claude-haiku","input":"x"}"#)
        .await;
    assert_eq!(response.status, 503, "{}", response.text());
    assert_eq!(response.json()["error"]["code"], "no_candidate");
    nobody_was_asked(&stack, 1).await;
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    let stack = Stack::start(CONFIG).await;
    let too_large = No {
        status: 413,
        anthropic: "request_too_large",
        code: "request_too_large",
        says: &["4096", "server.body_limit"],
        ..BAD
    };
    let body = format!(
        r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":"{}"}}]}}"#,
        "x".repeat(5000)
    );
    both(&stack, &[BEARER, JSON], body.as_bytes(), &too_large).await;
    // Stated, and never sent: the answer does not wait for it.
    both(
        &stack,
        &[BEARER, JSON, ("content-length", "4097")],
        b"",
        &too_large,
    )
    .await;
    // Not stated.
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for path in [CHAT, MESSAGES] {
        let mut wire = stack.wire().await;
        let (name, key) = BEARER;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{name}: {key}\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        wire.write(format!("{head}{chunked}").as_bytes()).await;
        too_large.holds(path, &wire.response().await);
    }
    // Small, and large once unpacked: a bomb of a thousand to one.
    let bomb = gzip(&vec![b' '; 4 << 20]);
    assert!(bomb.len() < 4096 * 2, "{}", bomb.len());
    let small_bomb = gzip(&vec![b' '; 1 << 20]);
    assert!(small_bomb.len() < 4096);
    both(
        &stack,
        &[BEARER, JSON, ("content-encoding", "gzip")],
        &small_bomb,
        &too_large,
    )
    .await;
    nobody_was_asked(&stack, 8).await;
    // What fits, fits.
    let body = format!(
        r#"{{"model":"gpt-4o","messages":[],"x":"{}"}}"#,
        "x".repeat(4096 - 39)
    );
    assert_eq!(body.len(), 4096);
    assert_eq!(stack.chat(&body).await.status, 200);
}

#[tokio::test]
async fn encodings_and_types_that_are_not_understood() {
    let stack = Stack::start(CONFIG).await;
    let body = br#"{"model":"gpt-4o","messages":[]}"#;
    let media = No {
        status: 415,
        code: "unsupported_media_type",
        says: &["application/json"],
        ..BAD
    };
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "json",
    ] {
        both(&stack, &[BEARER, ("content-type", kind)], body, &media).await;
    }
    both(&stack, &[BEARER], body, &media).await;
    let encoding = No {
        says: &["gzip", "'br'"],
        ..media
    };
    both(
        &stack,
        &[BEARER, JSON, ("content-encoding", "br")],
        body,
        &encoding,
    )
    .await;
    let bad_gzip = No {
        says: &["gzip"],
        ..BAD
    };
    both(
        &stack,
        &[BEARER, JSON, ("content-encoding", "gzip")],
        body,
        &bad_gzip,
    )
    .await;
    let packed = gzip(body);
    both(
        &stack,
        &[BEARER, JSON, ("content-encoding", "gzip")],
        &packed[..packed.len() / 2],
        &bad_gzip,
    )
    .await;
    let rubbish = No {
        says: &["JSON"],
        ..BAD
    };
    both(
        &stack,
        &[BEARER, JSON, ("content-encoding", "gzip")],
        &gzip(b"not json"),
        &rubbish,
    )
    .await;
    nobody_was_asked(&stack, 18).await;
    for kind in [
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/vnd.api+json",
    ] {
        let mut wire = stack.wire().await;
        wire.send("POST", CHAT, &[BEARER, ("content-type", kind)], body)
            .await;
        assert_eq!(wire.response().await.status, 200, "{kind}");
    }
}

#[tokio::test]
async fn paths_and_methods_that_are_not_served() {
    let stack = Stack::start(CONFIG).await;
    let unknown = No {
        status: 404,
        anthropic: "not_found_error",
        code: "unknown_url",
        says: &["/v1/chat/completions"],
        ..BAD
    };
    for path in ["/v1/nothing", "/v1/messages/streams", "/v2/chat/completions"] {
        unknown.holds(path, &stack.post(path, "{}").await);
    }
    // On a path of nobody's the header that Anthropic's SDKs send tells the dialect.
    let mut wire = stack.wire().await;
    wire.post(
        "/v1/complete",
        &[BEARER, ("anthropic-version", "2023-06-01")],
        "{}",
    )
    .await;
    assert_eq!(wire.response().await.json()["type"], "error");
    let method = No {
        status: 405,
        code: "method_not_allowed",
        says: &["POST"],
        ..BAD
    };
    for path in [CHAT, MESSAGES, "/v1/embeddings", "/v1/messages/count_tokens"] {
        let response = get(stack.addr, path, &[BEARER]).await;
        method.holds(path, &response);
        assert_eq!(response.header("allow"), Some("POST"), "{path}");
    }
    nobody_was_asked(&stack, 8).await;
}

#[tokio::test]
async fn a_connection_survives_a_refusal() {
    let stack = Stack::start(CONFIG).await;
    let mut wire = stack.wire().await;
    wire.post(CHAT, &[BEARER], "{").await;
    assert_eq!(wire.response().await.status, 400);
    wire.post(CHAT, &[BEARER], r#"{"model":"gpt-4o","messages":[]}"#)
        .await;
    assert_eq!(wire.response().await.status, 200);
}

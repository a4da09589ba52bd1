//! What is served beside the models themselves: counts of tokens, aliases of paths, lists of models, probes, metrics.

use serde_json::json;
use tollgate_tests::{Stack, chat, get, messages, messages_stream};

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

#[tokio::test]
async fn tokens_are_counted_by_the_provider_or_estimated_where_it_cannot() {
    let stack = Stack::start(CONFIG).await;
    let counted = stack
        .post("/v1/messages/count_tokens", &messages("claude-renamed"))
        .await;
    assert!(
        counted.json()["input_tokens"].as_u64().unwrap() > 0,
        "{}",
        counted.text()
    );
    let journal = stack.mock.control().journal();
    assert_eq!(journal[0].path, "/v1/messages/count_tokens");
    assert!(journal[0].body.contains("\"claude-haiku-4-5\""));
    let prompt = "four letters a token. ".repeat(100);
    let body = format!(r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":"{prompt}"}}]}}"#);
    let estimated = stack.post("/v1/messages/count_tokens", &body).await;
    assert_eq!(
        (estimated.status, estimated.header("x-tollgate-usage")),
        (200, Some("estimated"))
    );
    let tokens = estimated.json()["input_tokens"].as_u64().unwrap();
    assert!((400..700).contains(&tokens), "{tokens}");
    assert_eq!(stack.mock.control().journal().len(), 1, "nobody was asked");
    let both = stack.settled(2).await;
    assert!(
        both.iter()
            .all(|record| record["outcome"] == "success"
                && record["cost_nanodollars"].as_u64().unwrap_or(0) == 0),
        "{both:#?}"
    );
}

#[tokio::test]
async fn paths_have_their_aliases() {
    let stack = Stack::start(CONFIG).await;
    for path in [
        "/v1/chat/completions",
        "/chat/completions",
        "/openai/v1/chat/completions",
    ] {
        assert_eq!(stack.post(path, &chat("gpt-4o")).await.status, 200, "{path}");
    }
    for path in ["/v1/messages", "/messages", "/anthropic/v1/messages"] {
        assert_eq!(
            stack.post(path, &messages("claude-haiku-4-5")).await.status,
            200,
            "{path}"
        );
    }
    for path in ["/v1/embeddings", "/embeddings", "/openai/v1/embeddings"] {
        assert_eq!(
            stack.post(path, r#"{"model":"gpt-4o","input":"x"}"#).await.status,
            200,
            "{path}"
        );
    }
    for path in ["/v1/models", "/models", "/openai/v1/models"] {
        assert_eq!(stack.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn the_list_of_models_is_what_the_key_may_use_in_both_dialects() {
    let stack = Stack::start(CONFIG).await;
    let narrow = ("x-api-key", "tg-narrow-key-0123456789");
    let openai = get(stack.addr, "/v1/models", &[narrow]).await.json();
    let names: Vec<_> = openai["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| &model["id"])
        .collect();
    assert_eq!(
        (&openai["object"], names),
        (&json!("list"), vec![&json!("claude-renamed"), &json!("gpt-4o")])
    );
    let version = ("anthropic-version", "2023-06-01");
    let anthropic = get(stack.addr, "/v1/models", &[narrow, version]).await.json();
    assert_eq!(anthropic["data"][0]["type"], "model", "{anthropic}");
    let ends = (
        &anthropic["first_id"],
        &anthropic["last_id"],
        &anthropic["has_more"],
    );
    assert_eq!(ends, (&json!("claude-renamed"), &json!("gpt-4o"), &json!(false)));
    let all = stack.get("/v1/models").await.json();
    let has = |name: &str| {
        all["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|model| model["id"] == name)
    };
    assert!(has("renamed") && has("gpt-4o") && has("also-known-as"), "{all}");
    // One of them.
    assert_eq!(
        get(stack.addr, "/v1/models/gpt-4o", &[narrow]).await.json()["id"],
        "gpt-4o"
    );
    assert_eq!(
        stack.get("/v1/models/o/any-name").await.json()["id"],
        "o/any-name"
    );
    assert_eq!(get(stack.addr, "/v1/models/renamed", &[narrow]).await.status, 403);
    assert_eq!(stack.get("/v1/models/no-such-model").await.status, 404);
    for path in ["/v1/models", "/v1/models/gpt-4o"] {
        assert_eq!(get(stack.addr, path, &[]).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn health_and_a_welcome_need_no_key() {
    let stack = Stack::start(CONFIG).await;
    for addr in [stack.addr, stack.admin] {
        for path in [
            "/livez",
            "/readyz",
            "/healthz",
            "/health",
            "/health/liveliness",
            "/health/liveness",
            "/health/readiness",
            "/ready",
        ] {
            assert_eq!(get(addr, path, &[]).await.status, 200, "{addr}{path}");
        }
    }
    let welcome = get(stack.addr, "/", &[]).await;
    assert!(
        welcome.status == 200 && welcome.text().contains("/v1/models"),
        "{}",
        welcome.text()
    );
    assert_eq!(
        get(stack.addr, "/metrics", &[]).await.status,
        404,
        "on the admin listener only"
    );
    assert!(
        stack.mock.control().journal().is_empty(),
        "no provider is asked by a probe"
    );
}

#[tokio::test]
async fn metrics_tell_what_happened() {
    let stack = Stack::start(CONFIG).await;
    assert_eq!(stack.chat(&chat("o/gpt-4o-mini--usage100x50")).await.status, 200);
    assert_eq!(
        stack
            .messages(&messages_stream("a/claude-haiku-4-5--usage30x20"))
            .await
            .status,
        200
    );
    stack.settled(2).await;
    let metrics = stack.metrics().await;
    let route = [
        ("route", "o/*"),
        ("surface", "chat_completions"),
        ("code", "200"),
        ("outcome", "success"),
    ];
    assert_eq!(
        metrics.sum("tollgate_requests_total", &route),
        1.0,
        "{}",
        metrics.text()
    );
    assert_eq!(
        metrics.sum(
            "tollgate_attempts_total",
            &[("provider", "claude"), ("outcome", "success")]
        ),
        1.0
    );
    assert_eq!(
        metrics.sum(
            "tollgate_tokens_total",
            &[("provider", "openai"), ("class", "output")]
        ),
        50.0
    );
    let input = [
        ("gen_ai_provider_name", "anthropic"),
        ("gen_ai_token_type", "input"),
    ];
    let named = metrics.sum("gen_ai_client_token_usage_sum", &input)
        + metrics.sum(
            "gen_ai_client_token_usage_sum",
            &[("gen_ai_provider_name", "claude"), ("gen_ai_token_type", "input")],
        );
    assert_eq!(named, 30.0, "{}", metrics.text());
    assert_eq!(
        metrics.sum("gen_ai_server_time_to_first_token_seconds_count", &[]),
        1.0
    );
    assert_eq!(
        metrics.sum("gen_ai_client_operation_duration_seconds_count", &[]),
        2.0
    );
    assert_eq!(metrics.sum("tollgate_overhead_seconds_count", &[]), 2.0);
    assert_eq!(
        metrics.sum("tollgate_upstream_connects_total", &[("result", "connected")]),
        2.0
    );
    assert_eq!(metrics.sum("tollgate_build_info", &[]), 1.0);
    let status = get(stack.admin, "/status", &[]).await.json();
    assert_eq!(
        (&status["state"], &status["in_flight"]),
        (&json!("ready"), &json!(0)),
        "{status}"
    );
}

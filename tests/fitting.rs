//! Where a request fits and where it may go: prompts by their size, abilities, places, lists and prices, whatever
//! else has failed, and never loosened by a header.

use serde_json::{Value, json};
use tollgate_tests::{Response, Stack, chat, failing, post};

const FIVE: &str = r#"
breaker: { enabled: false }
providers:
  us: { kind: openai, base_url: "http://{mock}/p/us/v1", api_key: "key-of-us-0000001", region: us }
  eu: { kind: openai, base_url: "http://{mock}/p/eu/v1", api_key: "key-of-eu-0000001", region: eu }
  claude: { kind: anthropic, base_url: "http://{mock}/p/claude", api_key: "key-of-claude-0001", region: eu }
models:
  windows: { targets: [
    { provider: claude, model: c, priority: 0, context_tokens: 200000 }, { provider: us, model: small, priority: 1, context_tokens: 128000 } ] }
  falls: { targets: [ { provider: claude, model: c, context_tokens: 200000 } ], fallbacks: [ narrow, wide ] }
  narrow: { targets: [ { provider: us, model: small, context_tokens: 128000 } ] }
  wide: { targets: [ { provider: eu, model: large, context_tokens: 1000000 } ] }
  able: { targets: [
    { provider: us, model: plain, priority: 0, capabilities: [] }, { provider: claude, model: c, priority: 1, capabilities: [tools, vision] },
    { provider: eu, model: strict, priority: 2, capabilities: [json_schema] } ] }
  capped: { max_cost: "$0.01", targets: [
    { provider: us, model: dear, priority: 0, price: { input: "$10", output: "$50" } },
    { provider: eu, model: cheap, priority: 1, price: { input: "$1", output: "$5" } } ] }
  unpriced: { targets: [ { provider: us, model: nobody-knows-what-it-costs } ] }
  european: { regions: [eu], targets: [ { provider: us, model: m, priority: 0 }, { provider: eu, model: m, priority: 1 } ], fallbacks: [ american ] }
  american: { targets: [ { provider: us, model: m } ] }
  anywhere: { targets: [ { provider: us, model: m, priority: 0 }, { provider: eu, model: m, priority: 1 } ] }
  "wild/*": { targets: [ { provider: us } ] }
keys:
  - { name: test, key: "tg-test-key-0123456789", models: ["*"] }
  - { name: eu, key: "tg-key-of-the-eu-00001", models: ["*"], regions: [eu] }
  - { name: listed, key: "tg-key-of-a-list-00001", models: ["*"], targets: ["eu/*", "us/good"] }
  - { name: poor, key: "tg-key-of-the-poor-001", models: ["*"], max_cost: "$0.002" }
"#;

async fn chat_as(stack: &Stack, key: &str, body: &str, headers: &[(&str, &str)]) -> Response {
    let bearer = format!("Bearer {key}");
    let mut all = vec![("authorization", bearer.as_str())];
    all.extend_from_slice(headers);
    post(stack.addr, "/v1/chat/completions", &all, body).await
}

/// A chat of about so many tokens, in a system prompt.
fn long(model: &str, tokens: usize) -> String {
    let text = "word ".repeat(tokens * 4 / 5);
    json!({ "model": model, "messages": [ { "role": "system", "content": text }, { "role": "user", "content": "Sum up." } ] })
        .to_string()
}

fn capped(most: u32) -> String {
    json!({ "model": "capped", "max_tokens": most, "messages": [ { "role": "user", "content": "Say hello." } ] })
        .to_string()
}

#[tokio::test]
async fn a_fallback_that_is_too_small_is_skipped_also_when_everybody_else_has_failed() {
    let stack = Stack::start(FIVE).await;
    stack.set("claude", failing(529));
    let failed = stack.chat(&long("windows", 150_000)).await;
    assert!(failed.status >= 500, "{}", failed.text());
    assert_eq!((stack.asked("claude"), stack.asked("us")), (1, 0));
    let response = stack.chat(&long("falls", 150_000)).await;
    assert_eq!(
        (response.status, response.header("x-tollgate-target")),
        (200, Some("eu/large")),
        "{}",
        response.text()
    );
    assert_eq!(stack.asked("us"), 0);
    // What fits is welcome there.
    let response = stack.chat(&long("windows", 100_000)).await;
    assert_eq!(response.header("x-tollgate-target"), Some("us/small"));
}

#[tokio::test]
async fn a_prompt_counts_whole_in_either_dialect() {
    let stack = Stack::start(FIVE).await;
    let text = "word ".repeat(150_000 * 4 / 5);
    let shapes = [
        json!({ "system": text, "messages": [ { "role": "user", "content": "Sum up." } ] }),
        json!({ "system": [ { "type": "text", "text": text } ], "messages": [ { "role": "user", "content": "Sum up." } ] }),
        json!({ "messages": [ { "role": "user", "content": [ { "type": "text", "text": text } ] } ] }),
        json!({ "messages": [ { "role": "user", "content": "Go." },
            { "role": "assistant", "content": [ { "type": "tool_use", "id": "t", "name": "read", "input": {} } ] },
            { "role": "user", "content": [ { "type": "tool_result", "tool_use_id": "t", "content": text } ] } ] }),
        json!({ "tools": [ { "name": "read", "description": text, "input_schema": { "type": "object" } } ],
            "messages": [ { "role": "user", "content": "Go." } ] }),
    ];
    for mut body in shapes {
        body["model"] = json!("narrow");
        body["max_tokens"] = json!(10);
        let refused = stack.messages(&body.to_string()).await;
        let shape = &body.to_string()[..40];
        assert_eq!((refused.status, stack.asked("us")), (400, 0), "{shape}");
        assert_eq!(
            refused.json()["error"]["type"],
            "invalid_request_error",
            "{}",
            refused.text()
        );
    }
}

#[tokio::test]
async fn tools_pictures_and_schemas_go_to_who_can_do_them() {
    let stack = Stack::start(FIVE).await;
    let function =
        json!({ "type": "function", "function": { "name": "look", "parameters": { "type": "object" } } });
    let picture =
        json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=" } });
    let schema =
        json!({ "type": "json_schema", "json_schema": { "name": "x", "schema": { "type": "object" } } });
    let user = |content: Value| json!([ { "role": "user", "content": content } ]);
    let tools = json!({ "model": "able", "tools": [function], "messages": user(json!("Look.")) });
    let sees = json!({ "model": "able", "messages": user(json!([picture])) });
    let typed = json!({ "model": "able", "response_format": schema, "messages": user(json!("List.")) });
    let mut both = tools.clone();
    both["response_format"] = typed["response_format"].clone();
    let plain = json!({ "model": "able", "messages": user(json!("Hello.")) });
    for (body, expected) in [
        (plain, "us/plain"),
        (tools, "claude/c"),
        (sees, "claude/c"),
        (typed, "eu/strict"),
    ] {
        let response = stack.chat(&body.to_string()).await;
        assert_eq!(
            (response.status, response.header("x-tollgate-target")),
            (200, Some(expected)),
            "{}",
            response.text()
        );
    }
    let refused = stack.chat(&both.to_string()).await;
    assert_eq!(
        (refused.status, refused.code()),
        (400, "model_not_capable".to_owned())
    );
    assert!(
        refused.text().contains("tools") && refused.text().contains("json_schema"),
        "{}",
        refused.text()
    );
    let anthropic = json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" } });
    let body = json!({ "model": "able", "max_tokens": 10, "messages": user(json!([anthropic])) });
    let response = stack.messages(&body.to_string()).await;
    assert_eq!(
        response.header("x-tollgate-target"),
        Some("claude/c"),
        "{}",
        response.text()
    );
}

#[tokio::test]
async fn a_routes_ceiling_holds_and_no_header_raises_it() {
    let stack = Stack::start(FIVE).await;
    // At the worst 50,000 µ$ and 5,000 µ$: the first is above the ceiling of 10,000.
    let generous = [("x-tollgate-max-cost-usd", "5")];
    for headers in [&[][..], &generous] {
        let response = stack.chat_with(&capped(1_000), headers).await;
        assert_eq!(
            (response.status, response.header("x-tollgate-target")),
            (200, Some("eu/cheap"))
        );
    }
    let refused = stack.chat_with(&capped(10_000), &generous).await;
    assert_eq!(
        (refused.status, refused.code()),
        (400, "max_cost_exceeded".to_owned())
    );
    let text = refused.text();
    let price = text.split('$').nth(1).unwrap().split(' ').next().unwrap();
    let price: f64 = price.trim_end_matches(',').parse().unwrap();
    assert!(
        (0.05..0.0501).contains(&price),
        "what it may cost at the cheapest: {text}"
    );
    // The lowest of the three counts.
    let refused = chat_as(&stack, "tg-key-of-the-poor-001", &capped(1_000), &generous).await;
    assert_eq!(
        (refused.status, refused.code()),
        (400, "max_cost_exceeded".to_owned())
    );
    let served = chat_as(&stack, "tg-key-of-the-poor-001", &capped(100), &[]).await;
    assert_eq!(served.status, 200, "{}", served.text());
    assert_eq!(stack.asked("us"), 0);
}

#[tokio::test]
async fn what_has_failed_before_is_part_of_the_ceiling_and_a_price_that_is_not_known_is_above_any() {
    let stack = Stack::start(FIVE).await;
    let refused = stack
        .chat_with(&chat("unpriced"), &[("x-tollgate-max-cost-usd", "100")])
        .await;
    assert_eq!(
        (refused.status, refused.code()),
        (400, "max_cost_exceeded".to_owned())
    );
    assert_eq!(stack.asked("us"), 0);
    assert_eq!(stack.chat(&chat("unpriced")).await.status, 200);
    // The one that may be asked has failed: that the other one is dear is still true.
    stack.set("eu", failing(500));
    let failed = stack.chat(&capped(1_000)).await;
    assert_eq!((failed.status, stack.asked("us")), (500, 1), "{}", failed.text());
}

#[tokio::test]
async fn nonsense_in_a_header_is_refused_and_nobody_is_asked() {
    let stack = Stack::start(FIVE).await;
    for (name, value) in [
        ("x-tollgate-max-cost-usd", "-1"),
        ("x-tollgate-max-cost-usd", "NaN"),
        ("x-tollgate-max-cost-usd", "1e9"),
        ("x-tollgate-max-cost-usd", "99999999999999999999"),
        ("x-tollgate-deadline-ms", "0"),
        ("x-tollgate-deadline-ms", "1.5"),
        ("x-tollgate-deadline-ms", "99999999999999999999"),
        ("x-tollgate-max-attempts", "0"),
        ("x-tollgate-max-attempts", "many"),
    ] {
        let refused = stack.chat_with(&chat("anywhere"), &[(name, value)]).await;
        assert_eq!(
            (refused.status, refused.code()),
            (400, "invalid_value".to_owned()),
            "{name}: {value}"
        );
        assert!(
            refused.text().contains(name) && refused.text().contains(value),
            "{}",
            refused.text()
        );
    }
    assert_eq!(stack.asked("us"), 0);
}

#[tokio::test]
async fn answers_come_from_where_route_key_and_request_all_allow() {
    let stack = Stack::start(FIVE).await;
    let response = stack.chat(&chat("european")).await;
    assert_eq!(response.header("x-tollgate-target"), Some("eu/m"));
    // A header cannot widen what the route says, nor what the key says.
    let wide = [("x-tollgate-regions", "us,eu")];
    let response = stack.chat_with(&chat("european"), &wide).await;
    assert_eq!(response.header("x-tollgate-target"), Some("eu/m"));
    let response = chat_as(&stack, "tg-key-of-the-eu-00001", &chat("anywhere"), &wide).await;
    assert_eq!(response.header("x-tollgate-target"), Some("eu/m"));
    let american = [("x-tollgate-regions", "us")];
    let refused = chat_as(&stack, "tg-key-of-the-eu-00001", &chat("anywhere"), &american).await;
    assert_eq!(
        (refused.status, refused.code()),
        (403, "target_not_permitted".to_owned())
    );
    let response = stack.chat_with(&chat("anywhere"), &american).await;
    assert_eq!(response.header("x-tollgate-target"), Some("us/m"));
    // Nor does an outage, also not over a fallback.
    let before = stack.asked("us");
    stack.set("eu", failing(529));
    let failed = stack.chat(&chat("european")).await;
    assert!(failed.status >= 500, "{}", failed.text());
    assert_eq!(stack.asked("us"), before);
}

#[tokio::test]
async fn a_fallbacks_own_regions_hold_when_it_is_fallen_back_to() {
    let routes =
        "models:\n  first: { targets: [ { provider: claude, model: c } ], fallbacks: [ european ] }\n";
    let stack = Stack::start(&FIVE.replace("models:\n", routes)).await;
    stack.set("claude", failing(529));
    let response = stack.chat(&chat("first")).await;
    assert_eq!(
        (
            response.status,
            response.header("x-tollgate-target"),
            stack.asked("us")
        ),
        (200, Some("eu/m"), 0),
        "{}",
        response.text()
    );
}

#[tokio::test]
async fn a_keys_list_of_targets_holds_for_what_a_pattern_stands_for() {
    let stack = Stack::start(FIVE).await;
    let key = "tg-key-of-a-list-00001";
    let response = chat_as(&stack, key, &chat("anywhere"), &[]).await;
    assert_eq!(response.header("x-tollgate-target"), Some("eu/m"));
    let refused = chat_as(&stack, key, &chat("american"), &[]).await;
    assert_eq!(
        (refused.status, refused.code(), stack.asked("us")),
        (403, "target_not_permitted".to_owned(), 0)
    );
    let refused = chat_as(&stack, key, &chat("wild/bad"), &[]).await;
    assert_eq!(
        (refused.status, stack.asked("us")),
        (403, 0),
        "{}",
        refused.text()
    );
    let response = chat_as(&stack, key, &chat("wild/good"), &[]).await;
    assert_eq!(
        (response.status, response.header("x-tollgate-target")),
        (200, Some("us/good")),
        "{}",
        response.text()
    );
}

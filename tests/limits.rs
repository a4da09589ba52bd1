//! What a request needs, what it may take and what it may cost: kept over everything that is tried for it.

use std::time::{Duration, Instant};

use serde_json::json;
use tollgate_loadtest::{Behaviour, Failure, FaultKind, FaultPoint};
use tollgate_tests::{
    BEARER, KEY, Response, Stack, broken, chat, chat_stream, failing, messages, on_time, post, slow,
    text_of_chat,
};

const FOUR: &str = r#"
breaker: { enabled: false }
providers:
  small: { kind: openai, base_url: "http://{mock}/p/small/v1", api_key: "key-of-small-00001", region: us }
  large: { kind: openai, base_url: "http://{mock}/p/large/v1", api_key: "key-of-large-00001", region: eu }
  us-east: { kind: anthropic, base_url: "http://{mock}/p/us-east", api_key: "key-of-us-east-001" }
  eu-west: { kind: anthropic, base_url: "http://{mock}/p/eu-west", api_key: "key-of-eu-west-001" }
models:
  windows: { targets: [
    { provider: small, model: s, priority: 0, context_tokens: 128000, capabilities: [tools], price: { input: "$10", output: "$50" }, max_output_tokens: 4000 },
    { provider: large, model: l, priority: 1, context_tokens: 200000, capabilities: [tools, vision], price: { input: "$1", output: "$5" }, max_output_tokens: 4000 } ] }
  both: { targets: [ { provider: small, model: s, priority: 0 }, { provider: large, model: l, priority: 1 } ] }
  hedged: { hedge: { after: 60ms, max_ratio: 50% }, targets: [
    { provider: small, model: s, priority: 0, price: { input: "$1", output: "$1" } }, { provider: large, model: l, priority: 1, price: { input: "$1", output: "$1" } } ] }
  storm: { retry_budget: { ratio: 0%, per_second: 0.5 }, targets: [ { provider: small, model: s, priority: 0 }, { provider: large, model: l, priority: 1 } ] }
  patient: { max_retry_wait: 2s, targets: [ { provider: small, model: s } ] }
  on: { continue_streams: true, targets: [ { provider: small, model: s, priority: 0 }, { provider: large, model: l, priority: 1 } ] }
  claude: { targets: [ { provider: us-east, model: claude-sonnet-4-5, priority: 0 }, { provider: eu-west, model: claude-sonnet-4-5, priority: 1 } ], fallbacks: [ mapped ] }
  mapped: { targets: [ { provider: large, model: gpt-mapped } ] }
keys:
  - { name: test, key: "tg-test-key-0123456789", models: ["*"] }
  - { name: eu, key: "tg-key-of-the-eu-00001", models: ["*"], regions: [eu] }
  - { name: listed, key: "tg-key-of-a-list-00001", models: ["*"], targets: ["small/*"], max_cost: "$0.001" }
"#;

async fn with(stack: &Stack, body: &str, headers: &[(&str, &str)]) -> Response {
    let mut all = vec![BEARER];
    all.extend_from_slice(headers);
    post(stack.addr, "/v1/chat/completions", &all, body).await
}

fn code(response: &Response) -> String {
    response.json()["error"]["code"]
        .as_str()
        .unwrap_or("-")
        .to_owned()
}

#[tokio::test]
async fn a_prompt_is_never_sent_where_it_does_not_fit() {
    let stack = Stack::start(FOUR).await;
    let prompt = |tokens: usize| {
        let text = "word ".repeat(tokens * 4 / 5);
        json!({ "model": "windows", "messages": [ { "role": "user", "content": text } ] }).to_string()
    };
    let response = stack.chat(&prompt(150_000)).await;
    assert_eq!(
        (response.status, response.header("x-tollgate-target")),
        (200, Some("large/l"))
    );
    assert_eq!(
        (stack.asked("small"), response.header("x-tollgate-attempts")),
        (0, Some("1"))
    );
    let refused = stack.chat(&prompt(260_000)).await;
    assert_eq!(
        (refused.status, code(&refused)),
        (400, "context_length_exceeded".to_owned())
    );
    assert!(refused.text().contains("200000"), "{}", refused.text());
}

#[tokio::test]
async fn a_request_goes_to_who_can_do_what_it_needs() {
    let stack = Stack::start(FOUR).await;
    let picture =
        json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=" } });
    let body = json!({ "model": "windows", "messages": [ { "role": "user", "content": [ picture ] } ] });
    let response = stack.chat(&body.to_string()).await;
    assert_eq!(
        (response.status, response.header("x-tollgate-target")),
        (200, Some("large/l")),
        "{}",
        response.text()
    );
    let schema =
        json!({ "type": "json_schema", "json_schema": { "name": "x", "schema": { "type": "object" } } });
    let body = json!({ "model": "windows", "response_format": schema, "messages": [ { "role": "user", "content": "x" } ] });
    let refused = stack.chat(&body.to_string()).await;
    assert_eq!(
        (refused.status, code(&refused)),
        (400, "model_not_capable".to_owned())
    );
    assert!(refused.text().contains("json_schema"), "{}", refused.text());
}

#[tokio::test]
async fn nothing_is_sent_where_it_may_cost_more_than_its_ceiling() {
    let stack = Stack::start(FOUR).await;
    let body = json!({ "model": "windows", "max_tokens": 1000, "messages": [ { "role": "user", "content": "Say hello." } ] }).to_string();
    // 1,000 tokens of answer: 50,000 µ$ at one, 5,000 at the other, and the prompt.
    let response = with(&stack, &body, &[("x-tollgate-max-cost-usd", "0.02")]).await;
    assert_eq!(
        (response.status, response.header("x-tollgate-target")),
        (200, Some("large/l"))
    );
    assert_eq!(stack.asked("small"), 0);
    let refused = with(&stack, &body, &[("x-tollgate-max-cost-usd", "0.001")]).await;
    assert_eq!(
        (refused.status, code(&refused)),
        (400, "max_cost_exceeded".to_owned())
    );
    assert!(
        refused.text().contains("$0.005"),
        "the computed price: {}",
        refused.text()
    );
    let key = ("authorization", "Bearer tg-key-of-a-list-00001");
    let refused = post(stack.addr, "/v1/chat/completions", &[key], &body).await;
    assert_eq!(
        (refused.status, code(&refused)),
        (400, "max_cost_exceeded".to_owned())
    );
    let malformed = with(&stack, &body, &[("x-tollgate-max-cost-usd", "lots")]).await;
    assert_eq!(
        (malformed.status, code(&malformed)),
        (400, "invalid_value".to_owned())
    );
    assert_eq!(stack.asked("small"), 0);
}

#[tokio::test]
async fn regions_and_lists_are_kept_also_when_everybody_else_has_failed() {
    let stack = Stack::start(FOUR).await;
    stack.set("large", failing(500));
    let eu = ("authorization", "Bearer tg-key-of-the-eu-00001");
    let response = post(stack.addr, "/v1/chat/completions", &[eu], &chat("both")).await;
    assert_eq!(
        (response.status, stack.asked("small"), stack.asked("large")),
        (500, 0, 1)
    );
    let nowhere = with(&stack, &chat("both"), &[("x-tollgate-regions", "mars")]).await;
    assert_eq!(
        (nowhere.status, code(&nowhere)),
        (403, "target_not_permitted".to_owned())
    );
    assert_eq!(KEY, "tg-test-key-0123456789");
}

#[tokio::test]
async fn one_deadline_bounds_everything() {
    let stack = Stack::start(FOUR).await;
    for provider in ["small", "large"] {
        stack.set(provider, broken(FaultKind::Hang, FaultPoint::BeforeHead));
    }
    for (model, body) in [
        ("both", chat("both")),
        ("both", chat_stream("both")),
        ("hedged", chat("hedged")),
    ] {
        on_time(async || {
            let begun = Instant::now();
            let late = with(&stack, &body, &[("x-tollgate-deadline-ms", "700")]).await;
            let took = begun.elapsed();
            assert_eq!(
                (late.status, code(&late)),
                (504, "deadline_exceeded".to_owned()),
                "{model}"
            );
            assert!(
                (Duration::from_millis(690)..Duration::from_millis(900)).contains(&took),
                "{model}: {took:?}"
            );
        })
        .await;
    }
    let malformed = with(&stack, &chat("both"), &[("x-tollgate-deadline-ms", "-5")]).await;
    assert_eq!(malformed.status, 400);
}

#[tokio::test]
async fn nobody_is_asked_who_is_not_expected_in_the_time_that_is_left() {
    on_time(async || {
        let stack = Stack::start(FOUR).await;
        stack.set("small", slow(400.0));
        stack.set("large", slow(10.0));
        for _ in 0..3 {
            stack.chat(&chat("both")).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        let before = stack.asked("small");
        let response = with(&stack, &chat("both"), &[("x-tollgate-deadline-ms", "200")]).await;
        assert_eq!(
            (response.status, response.header("x-tollgate-provider")),
            (200, Some("large"))
        );
        assert_eq!(stack.asked("small"), before);
    })
    .await;
}

#[tokio::test]
async fn a_late_answer_is_hedged_and_the_loser_is_cancelled_and_booked() {
    let stack = Stack::start(FOUR).await;
    stack.set("small", slow(30_000.0));
    let begun = Instant::now();
    let response = stack.chat(&chat("hedged")).await;
    assert_eq!(
        (response.status, response.header("x-tollgate-provider")),
        (200, Some("large"))
    );
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let record = stack.settled(1).await.pop().unwrap();
    let attempts = record["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{record}");
    assert_eq!(attempts[0]["outcome"], "superseded", "{record}");
    assert_eq!(
        (&attempts[1]["role"], &attempts[1]["outcome"]),
        (&json!("hedge"), &json!("success"))
    );
    let costs: u64 = attempts
        .iter()
        .map(|it| it["cost_nanodollars"].as_u64().unwrap())
        .sum();
    assert_eq!(
        record["cost_nanodollars"].as_u64(),
        Some(costs),
        "both are booked: {record}"
    );
    let cancelled = stack
        .mock
        .control()
        .wait_until(Duration::from_secs(20), |journal| {
            journal.iter().any(|it| it.provider == "small" && it.client_gone)
        })
        .await;
    cancelled.expect("the loser is cancelled");
    assert_eq!(
        stack
            .metrics()
            .await
            .sum("tollgate_hedges_total", &[("route", "hedged"), ("result", "won")]),
        1.0
    );
}

#[tokio::test]
async fn a_retry_budget_stops_a_storm_and_tells_the_client() {
    let stack = Stack::start(FOUR).await;
    stack.set("small", failing(500));
    let served = stack.many("storm", 40, 4).await;
    let ok = served.iter().flatten().count();
    // Five at the beginning, and one every two seconds.
    assert!((4..=9).contains(&ok), "{ok} of 40 were tried again");
    let response = stack.chat(&chat("storm")).await;
    if response.status != 200 {
        assert_eq!(response.header("x-should-retry"), Some("false"));
    }
    assert!(
        stack
            .metrics()
            .await
            .sum("tollgate_retries_refused_total", &[("route", "storm")])
            >= 30.0
    );
}

#[tokio::test]
async fn who_says_when_to_come_back_is_asked_again_within_the_deadline() {
    let limited = Failure {
        status: 429,
        retry_after: Some("1".to_owned()),
        ..Failure::default()
    };
    let does = Behaviour {
        failure: Some(limited),
        fail_first: Some(1),
        ..Behaviour::default()
    };
    let stack = Stack::start(FOUR).await;
    stack.set("small", does.clone());
    let begun = Instant::now();
    let response = stack.chat(&chat("patient")).await;
    assert_eq!(
        (response.status, response.header("x-tollgate-attempts")),
        (200, Some("2")),
        "{}",
        response.text()
    );
    assert!(begun.elapsed() >= Duration::from_secs(1));
    on_time(async || {
        let stack = Stack::start(FOUR).await;
        stack.set("small", does.clone());
        let begun = Instant::now();
        let late = with(&stack, &chat("patient"), &[("x-tollgate-deadline-ms", "400")]).await;
        assert_eq!(late.status, 429, "{}", late.text());
        assert!(
            begun.elapsed() < Duration::from_millis(600),
            "no wait that cannot help: {:?}",
            begun.elapsed()
        );
    })
    .await;
}

#[tokio::test]
async fn an_sdks_own_retries_count() {
    let stack = Stack::start(FOUR).await;
    stack.set("small", failing(500));
    let body = chat("both");
    let response = with(
        &stack,
        &body,
        &[("x-tollgate-max-attempts", "2"), ("x-stainless-retry-count", "1")],
    )
    .await;
    assert_eq!(
        (response.status, stack.asked("small"), stack.asked("large")),
        (500, 1, 0)
    );
}

#[tokio::test]
async fn an_error_inside_a_stream_fails_over_before_its_first_content_and_not_after() {
    for (model, first, second) in [("both", "small", "large"), ("claude", "us-east", "eu-west")] {
        let stack = Stack::start(FOUR).await;
        stack.set(first, broken(FaultKind::ErrorEvent, FaultPoint::AfterHead));
        let response = stack.chat(&chat_stream(model)).await;
        assert_eq!(
            (response.status, response.header("x-tollgate-provider")),
            (200, Some(second)),
            "{}",
            response.text()
        );
        assert!(!response.text().contains("\"error\""), "{}", response.text());
        stack.set(first, broken(FaultKind::ErrorEvent, FaultPoint::AfterChunks(6)));
        let before = stack.asked(second);
        let response = stack.chat(&chat_stream(model)).await;
        assert_eq!(
            (response.status, response.header("x-tollgate-provider")),
            (200, Some(first))
        );
        assert!(response.text().contains("\"error\""), "{}", response.text());
        assert_eq!(stack.asked(second), before);
    }
}

#[tokio::test]
async fn a_stream_that_breaks_is_gone_on_with_where_the_route_says_so() {
    let stack = Stack::start(FOUR).await;
    stack.set("small", broken(FaultKind::Reset, FaultPoint::AfterChunks(5)));
    let response = stack.chat(&chat_stream("on")).await;
    let text = response.text();
    assert!(text.contains(": tollgate seam provider=large model=l"), "{text}");
    assert!(
        text.trim_end().contains("[DONE]") && !text.contains("\"error\""),
        "{text}"
    );
    assert!(text_of_chat(&text).len() > 20, "{text}");
    let record = stack.settled(1).await.pop().unwrap();
    let attempts = record["attempts"].as_array().unwrap();
    assert_eq!(
        (&attempts[0]["outcome"], &attempts[1]["role"]),
        (&json!("reset"), &json!("continuation")),
        "{record}"
    );
    assert_eq!(record["outcome"], "success", "{record}");
}

#[tokio::test]
async fn another_region_comes_before_the_mapped_model_and_everything_arrives_translated() {
    let stack = Stack::start(FOUR).await;
    stack.set("us-east", failing(529));
    stack.set("eu-west", failing(529));
    let body = json!({
        "model": "claude", "max_tokens": 77, "system": "You are terse.", "stop_sequences": ["END"],
        "tools": [ { "name": "look", "description": "Looks.", "input_schema": { "type": "object", "properties": {} } } ],
        "messages": [ { "role": "user", "content": "Say hello." } ],
    });
    let response = stack.messages(&body.to_string()).await;
    assert_eq!(
        (response.status, response.header("x-tollgate-target")),
        (200, Some("large/gpt-mapped")),
        "{}",
        response.text()
    );
    assert_eq!(response.json()["type"], "message");
    let journal = stack.mock.control().journal();
    let order: Vec<_> = journal.iter().map(|it| it.provider.as_str()).collect();
    assert_eq!(order, ["us-east", "eu-west", "large"]);
    let sent: serde_json::Value = serde_json::from_str(&journal[2].body).unwrap();
    let text = sent.to_string();
    for part in ["You are terse.", "\"look\"", "END", "77"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(stack.messages(&messages("claude")).await.status, 200);
}

#[tokio::test]
async fn a_chain_of_twenty_calls_survives_providers_that_fail_one_in_twenty() {
    let config = FOUR.replace("models:\n", "models:\n  agent: { targets: [ { provider: small, model: s }, { provider: large, model: l } ], fallbacks: [ claude ] }\n");
    let stack = Stack::start(&config).await;
    for provider in ["small", "large", "us-east", "eu-west"] {
        let does = Behaviour {
            fail_ratio: Some(0.05),
            ..failing(500)
        };
        stack.set(provider, does);
    }
    let served = stack.many("agent", 2_000, 16).await;
    let broken_chains = served
        .chunks(20)
        .filter(|chain| chain.iter().any(Option::is_none))
        .count();
    assert!(broken_chains <= 1, "{broken_chains} of 100 chains broke");
    let asked: usize = ["small", "large", "us-east", "eu-west"]
        .iter()
        .map(|it| stack.asked(it))
        .sum();
    assert!(
        (2_050..2_250).contains(&asked),
        "{asked} attempts for 2,000 requests"
    );
}

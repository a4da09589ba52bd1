//! What models do beside conversations: judging, drawing, speaking, ranking, counting. Passed through as it is, and under
//! the same rules.

use tollgate_loadtest::{MockOptions, MockServer};
use tollgate_tests::{BEARER, Response, Scripted, Stack, json_answer};

fn config(upstream: impl std::fmt::Display) -> String {
    format!(
        r#"
breaker: {{ enabled: false }}
providers:
  east: {{ kind: openai, base_url: "http://{upstream}/v1", api_key: "key-of-east-000001" }}
  co: {{ kind: cohere, base_url: "http://{upstream}", api_key: "key-of-cohere-0001" }}
  rack: {{ kind: azure, base_url: "http://{upstream}", api_key: "key-of-rack-000001", api_version: "2025-04-01" }}
  g: {{ kind: gemini, base_url: "http://{upstream}", api_key: "key-of-gemini-0001" }}
  rock: {{ kind: bedrock, base_url: "http://{upstream}", api_key: "key-of-bedrock-001" }}
models:
  omni-moderation-latest: {{ targets: [ {{ provider: east, model: judge }} ] }}
  dall-e-2:
    targets: [ {{ provider: rack, model: d2, price: {{ input: "$0", output: "$0", per_image: "$0.02" }} }} ]
  painter: {{ targets: [ {{ provider: east, model: gpt-image-1, price: {{ input: "$5.00", output: "$40.00" }} }} ] }}
  voice: {{ targets: [ {{ provider: east, model: tts-1, price: {{ input: "$15.00", output: "$0" }} }} ] }}
  rank:
    targets: [ {{ provider: co, model: rerank-v3.5, price: {{ input: "$0", output: "$0", per_search: "$0.002" }} }} ]
  jina: {{ targets: [ {{ provider: east, model: jina-reranker-v2, price: {{ input: "$0.02", output: "$0" }} }} ] }}
  chat: {{ targets: [ {{ provider: co, model: command-a-03-2025 }} ] }}
  gem: {{ targets: [ {{ provider: g, model: gemini-2.5-flash }} ] }}
  amazon: {{ targets: [ {{ provider: rock, model: "amazon.nova-lite-v1:0" }} ] }}
  vectors: {{ targets: [ {{ provider: g, model: gemini-embedding-001, price: {{ input: "$0.15", output: "$0" }} }} ] }}
  titan:
    targets:
      - {{ provider: rock, model: "amazon.titan-embed-text-v2:0", price: {{ input: "$0.02", output: "$0" }} }}
  gpt: {{ targets: [ {{ provider: east, model: gpt-4o }} ] }}
keys:
  - {{ name: test, key: "tg-test-key-0123456789", models: ["*"] }}
  - {{ name: narrow, key: "tg-narrow-key-0123456789", models: [voice] }}
"#
    )
}

async fn stack(config: &str) -> Stack {
    Stack::in_front_of(MockServer::start(MockOptions::default()).await.unwrap(), config)
}

/// An answer for each path.
async fn upstream() -> Scripted {
    Scripted::start(|request| {
        let line = request.lines().next().unwrap_or_default();
        let json = |body: &str| json_answer(200, body);
        match line.split(' ').nth(1).unwrap_or_default() {
            path if path.contains("/audio/speech") => {
                let sound = [0xff, 0xfb, 0x00, 0x01];
                let mut answer = b"HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\nconnection: close\r\n\r\n".to_vec();
                answer.extend_from_slice(&sound);
                answer
            }
            path if path.contains("/images/") && path.contains("deployments") => {
                json(r#"{"created":1,"data":[{"url":"https://a"},{"url":"https://b"}]}"#)
            }
            path if path.contains("/images/") => json(
                r#"{"created":1,"data":[{"b64_json":"AA=="}],"usage":{"input_tokens":10,"output_tokens":1000,"total_tokens":1010}}"#,
            ),
            "/v2/rerank" => json(
                r#"{"id":"r","results":[{"index":1,"relevance_score":0.9}],"meta":{"billed_units":{"search_units":2}}}"#,
            ),
            "/v1/rerank" => json(r#"{"model":"j","usage":{"total_tokens":500},"results":[{"index":0,"relevance_score":0.5}]}"#),
            path if path.contains(":countTokens") => json(r#"{"totalTokens":7}"#),
            path if path.contains("/count-tokens") => json(r#"{"inputTokens":8}"#),
            path if path.contains("/input_tokens") => json(r#"{"object":"response.input_tokens","input_tokens":9}"#),
            path if path.contains(":batchEmbedContents") => {
                json(r#"{"embeddings":[{"values":[0.5,-2]},{"values":[1,0]}]}"#)
            }
            path if path.ends_with("/invoke") => json(r#"{"embedding":[0.5,-2],"inputTextTokenCount":50}"#),
            path if path.contains(":embedContent") => json(r#"{"embedding":{"values":[0.5]}}"#),
            _ => json(r#"{"id":"modr-1","model":"judge","results":[{"flagged":false}]}"#),
        }
    })
    .await
}

async fn post(stack: &Stack, path: &str, body: &str) -> Response {
    let answer = stack.post(path, body).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer
}

#[tokio::test]
async fn a_model_that_is_not_named_is_the_vendors_and_routed_as_any_other() {
    let upstream = upstream().await;
    let stack = stack(&config(upstream.addr)).await;
    let body = r#"{"input":"is this bad?", "unknown":[1]}"#;
    let answer = post(&stack, "/v1/moderations", body).await;
    assert_eq!(answer.json()["results"][0]["flagged"], false);
    let seen = upstream.seen();
    assert!(seen[0].starts_with("POST /v1/moderations "), "{}", seen[0]);
    assert!(
        seen[0].ends_with(r#"{"model":"judge","input":"is this bad?", "unknown":[1]}"#),
        "{}",
        seen[0]
    );
    let named = r#"{"model":"omni-moderation-latest","input":"x"}"#;
    post(&stack, "/v1/moderations", named).await;
    assert!(upstream.seen()[1].ends_with(r#"{"model":"judge","input":"x"}"#));
    // The answer does not tell what it took: that is no price of nothing.
    let log = stack.settled(2).await;
    assert_eq!(
        (&log[0]["price_known"], log[0].get("cost_usd")),
        (&false.into(), None),
        "{}",
        log[0]
    );
    assert_eq!(answer.header("x-tollgate-cost-usd"), None);
    let metrics = stack.metrics().await;
    assert_eq!(
        metrics.sum("tollgate_unpriced_requests_total", &[]),
        2.0,
        "{}",
        metrics.text()
    );
}

#[tokio::test]
async fn pictures_cost_what_their_tokens_do_or_what_a_picture_does() {
    let upstream = upstream().await;
    let stack = stack(&config(upstream.addr)).await;
    let tokens = post(
        &stack,
        "/v1/images/generations",
        r#"{"model":"painter","prompt":"a cat"}"#,
    )
    .await;
    // 10 · 5 + 1000 · 40 millionths of a dollar.
    assert_eq!(tokens.header("x-tollgate-cost-usd"), Some("0.040050000"));
    let pictures = post(&stack, "/v1/images/generations", r#"{"prompt":"a cat","n":2}"#).await;
    assert_eq!(pictures.header("x-tollgate-cost-usd"), Some("0.040000000"));
    let seen = upstream.seen();
    let deployed = "POST /openai/deployments/d2/images/generations?api-version=2025-04-01 ";
    assert!(seen[1].starts_with(deployed), "{}", seen[1]);
    assert_eq!(stack.settled(2).await[1]["usage"]["images"], 2);
}

#[tokio::test]
async fn speech_comes_as_the_bytes_it_is() {
    let upstream = upstream().await;
    let stack = stack(&config(upstream.addr)).await;
    let answer = post(
        &stack,
        "/v1/audio/speech",
        r#"{"model":"voice","input":"hello","voice":"alloy"}"#,
    )
    .await;
    assert_eq!(
        (answer.header("content-type"), &answer.body[..]),
        (Some("audio/mpeg"), &[0xff, 0xfb, 0, 1][..])
    );
    assert!(upstream.seen()[0].contains(r#""model":"tts-1""#));
    let narrow = ("authorization", "Bearer tg-narrow-key-0123456789");
    let refused = tollgate_tests::post(
        stack.addr,
        "/v1/rerank",
        &[narrow],
        r#"{"model":"rank","query":"q"}"#,
    )
    .await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    let record = &stack.settled(2).await[0];
    assert_eq!(
        (&record["surface"], &record["price_known"]),
        (&"speech".into(), &false.into()),
        "{record}"
    );
}

#[tokio::test]
async fn ranking_is_billed_by_searches_or_tokens() {
    let upstream = upstream().await;
    let stack = stack(&config(upstream.addr)).await;
    let ask = |model: &str| format!(r#"{{"model":"{model}","query":"q","documents":["a","b"],"top_n":1}}"#);
    for path in ["/v2/rerank", "/v1/rerank"] {
        let answer = post(&stack, path, &ask("rank")).await;
        assert_eq!(answer.json()["results"][0]["index"], 1);
        assert_eq!(answer.header("x-tollgate-cost-usd"), Some("0.004000000"));
        let jina = post(&stack, path, &ask("jina")).await;
        assert_eq!(jina.header("x-tollgate-cost-usd"), Some("0.000010000"));
    }
    let lines: Vec<String> = upstream
        .seen()
        .iter()
        .map(|it| it.lines().next().unwrap().to_owned())
        .collect();
    let (cohere, jina) = ("POST /v2/rerank HTTP/1.1", "POST /v1/rerank HTTP/1.1");
    assert_eq!(lines, [cohere, jina, cohere, jina]);
    assert_eq!(stack.settled(4).await[0]["usage"]["searches"], 2);
    let chat = stack.post("/v1/rerank", &ask("gem")).await;
    assert_eq!(chat.status, 503, "{}", chat.text());
}

#[tokio::test]
async fn tokens_are_counted_by_who_can_and_estimated_for_others() {
    let upstream = upstream().await;
    let stack = stack(&config(upstream.addr)).await;
    let prompt = "four letters a token. ".repeat(100);
    let gemini = format!(r#"{{"contents":[{{"role":"user","parts":[{{"text":"{prompt}"}}]}}]}}"#);
    let converse = format!(
        r#"{{"input":{{"converse":{{"messages":[{{"role":"user","content":[{{"text":"{prompt}"}}]}}]}}}}}}"#
    );
    let responses = |model: &str| format!(r#"{{"model":"{model}","input":"{prompt}"}}"#);
    let cases = [
        (
            "/v1beta/models/gem:countTokens",
            "/v1beta/models/gpt:countTokens",
            gemini.clone(),
            gemini,
            "totalTokens",
            7,
        ),
        (
            "/model/amazon/count-tokens",
            "/model/gpt/count-tokens",
            converse.clone(),
            converse,
            "inputTokens",
            8,
        ),
        (
            "/v1/responses/input_tokens",
            "/v1/responses/input_tokens",
            responses("gpt"),
            responses("chat"),
            "input_tokens",
            9,
        ),
    ];
    for (counted_at, estimated_at, counted, estimated, field, tokens) in cases {
        let answer = post(&stack, counted_at, &counted).await;
        assert_eq!(answer.json()[field], tokens, "{}", answer.text());
        assert_eq!(answer.header("x-tollgate-usage"), None);
        let answer = post(&stack, estimated_at, &estimated).await;
        assert_eq!(
            answer.header("x-tollgate-usage"),
            Some("estimated"),
            "{estimated_at}"
        );
        let tokens = answer.json()[field].as_u64().unwrap();
        assert!((400..700).contains(&tokens), "{estimated_at}: {tokens}");
    }
    let seen = upstream.seen();
    let lines: Vec<&str> = seen.iter().map(|it| it.lines().next().unwrap()).collect();
    let expected = [
        "POST /v1beta/models/gemini-2.5-flash:countTokens HTTP/1.1",
        "POST /model/amazon.nova-lite-v1%3A0/count-tokens HTTP/1.1",
        "POST /v1/responses/input_tokens HTTP/1.1",
    ];
    assert_eq!(lines, expected);
    let log = stack.settled(6).await;
    assert!(
        log.iter()
            .all(|it| it.get("usage").is_none() && it["outcome"] == "success"),
        "{log:#?}"
    );
}

#[tokio::test]
async fn google_clients_embed_at_google() {
    let upstream = upstream().await;
    let stack = stack(&config(upstream.addr)).await;
    let answer = post(
        &stack,
        "/v1beta/models/gem:embedContent",
        r#"{"content":{"parts":[{"text":"x"}]}}"#,
    )
    .await;
    assert_eq!(answer.json()["embedding"]["values"][0], 0.5);
    assert!(upstream.seen()[0].starts_with("POST /v1beta/models/gemini-2.5-flash:embedContent "));
    let wrong = tollgate_tests::post(stack.addr, "/v1beta/models/gpt:embedContent", &[BEARER], "{}").await;
    assert_eq!(wrong.status, 503, "{}", wrong.text());
}

#[tokio::test]
async fn clients_of_openai_embed_at_google_and_on_bedrock() {
    let upstream = upstream().await;
    let stack = stack(&config(upstream.addr)).await;
    let google = post(
        &stack,
        "/v1/embeddings",
        r#"{"model":"vectors","input":["one text","another"]}"#,
    )
    .await;
    let vectors = google.json();
    assert_eq!(
        vectors["data"][1],
        serde_json::json!({"object":"embedding","index":1,"embedding":[1,0]})
    );
    let titan = r#"{"model":"titan","input":"one","encoding_format":"base64"}"#;
    let titan = post(&stack, "/v1/embeddings", titan).await;
    assert_eq!(titan.json()["data"][0]["embedding"], "AAAAPwAAAMA=");
    assert_eq!(titan.json()["usage"]["prompt_tokens"], 50);
    assert_eq!(titan.header("x-tollgate-cost-usd"), Some("0.000001000"));
    let seen = upstream.seen();
    assert!(
        seen[0].starts_with("POST /v1beta/models/gemini-embedding-001:batchEmbedContents "),
        "{}",
        seen[0]
    );
    assert!(
        seen[1].starts_with("POST /model/amazon.titan-embed-text-v2%3A0/invoke "),
        "{}",
        seen[1]
    );
    let several = stack
        .post("/v1/embeddings", r#"{"model":"titan","input":["a","b"]}"#)
        .await;
    assert_eq!(several.status, 400);
    assert!(
        several.text().contains("one text a request"),
        "{}",
        several.text()
    );
    let tokens = stack
        .post("/v1/embeddings", r#"{"model":"vectors","input":[1,2]}"#)
        .await;
    assert_eq!(tokens.status, 400);
    assert!(tokens.text().contains("texts, not tokens"), "{}", tokens.text());
}

//! Bodies of a megabyte go through whole, in the same dialect and in another one.

use tollgate_tests::{BEARER, Stack, post};

const CONFIG: &str = r#"
providers:
  openai: { kind: openai, base_url: "http://{mock}/v1", api_key: simulated-key-1 }
  claude: { kind: anthropic, base_url: "http://{mock}", api_key: simulated-key-2 }
models:
  same: { targets: [ { provider: openai, model: m } ] }
  other: { targets: [ { provider: claude, model: claude-haiku-4-5, context_tokens: 1000000 } ] }
"#;

/// As the simulated providers count: four bytes of the prompt are a token.
fn prompt_tokens(bytes: usize) -> u64 {
    bytes.div_ceil(4) as u64
}

#[tokio::test]
async fn a_megabyte_of_prompt_arrives_whole() {
    let stack = Stack::start(CONFIG).await;
    let text = "lorem ipsum ".repeat(90_000);
    for model in ["same", "other"] {
        let body = serde_json::json!({ "model": model, "messages": [ { "role": "user", "content": text } ] });
        let answer = post(stack.addr, "/v1/chat/completions", &[BEARER], &body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told = answer.json()["usage"]["prompt_tokens"].as_u64();
        assert_eq!(told, Some(prompt_tokens(text.len())), "{model}");
    }
}

#[tokio::test]
async fn a_megabyte_of_answer_arrives_whole() {
    let stack = Stack::start(CONFIG).await;
    let long = "\u{e9}t\u{e9} ".repeat(200_000);
    let behaviour = serde_json::from_value(serde_json::json!({ "reply": { "text": long } })).unwrap();
    stack.mock.control().set_default(behaviour).unwrap();
    for model in ["same", "other"] {
        let body = serde_json::json!({
            "model": model, "max_tokens": 10_000_000, "messages": [ { "role": "user", "content": "go" } ],
        });
        let answer = post(stack.addr, "/v1/chat/completions", &[BEARER], &body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = answer.json()["choices"][0]["message"]["content"]
            .as_str()
            .map(str::len);
        assert_eq!(text, Some(long.len()), "{model}");
    }
}

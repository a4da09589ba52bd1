//! Successful answers of OpenAI and Anthropic, and their usage.

use serde_json::{Value, json};
use tollgate_loadtest::MockOptions;

use crate::wire::*;

fn text_of(events: &[Value]) -> String {
    let deltas = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str());
    deltas.collect()
}

#[tokio::test]
async fn a_chat_is_answered_and_counted() {
    let server = start().await;
    let reply = post_chat(&server, &chat("gpt")).await;
    let json = reply.json();
    assert_eq!((reply.status, reply.end), (200, End::Complete));
    assert_eq!(json["object"], "chat.completion");
    assert_eq!(json["model"], "gpt");
    assert_eq!(json["choices"][0]["finish_reason"], "stop");
    assert_eq!(
        json["choices"][0]["message"]["content"]
            .as_str()
            .expect("text")
            .split(' ')
            .count(),
        16
    );
    assert_eq!(json["usage"]["prompt_tokens"], 2);
    assert_eq!(json["usage"]["completion_tokens"], 16);
    assert_eq!(json["usage"]["total_tokens"], 18);
    assert!(reply.header("x-request-id").expect("an id").starts_with("req_"));
}

#[tokio::test]
async fn a_streamed_chat_has_usage_only_when_asked() {
    let server = start().await;
    let plain = post_chat(&server, &chat_stream("gpt")).await;
    assert_eq!(plain.end, End::Complete);
    assert_eq!(plain.events().last().map(String::as_str), Some("[DONE]"));
    assert_eq!(plain.json_events().len(), 18, "role, 16 tokens, finish");
    assert!(!plain.text().contains("usage"));
    assert_eq!(plain.json_events()[0]["choices"][0]["delta"]["role"], "assistant");

    let mut body = chat_stream("gpt");
    body["stream_options"] = json!({"include_usage": true});
    let events = post_chat(&server, &body).await.json_events();
    let last = events.last().expect("events");
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["completion_tokens"], 16);
    assert!(
        events[..events.len() - 1]
            .iter()
            .all(|event| event["usage"].is_null())
    );
    assert!(events.iter().all(|event| event["id"] == last["id"]));
    assert_eq!(text_of(&events).split(' ').count(), 16);
    assert_eq!(events[events.len() - 2]["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn streamed_and_whole_answers_say_the_same() {
    let (whole, streamed) = (start().await, start().await);
    let whole = post_chat(&whole, &chat("gpt")).await.json();
    let streamed = post_chat(&streamed, &chat_stream("gpt")).await.json_events();
    assert_eq!(whole["choices"][0]["message"]["content"], text_of(&streamed));
}

#[tokio::test]
async fn choices_and_limits_are_respected() {
    let server = start().await;
    let mut body = chat("gpt");
    body["n"] = 3.into();
    body["max_completion_tokens"] = 5.into();
    let json = post_chat(&server, &body).await.json();
    assert_eq!(json["choices"].as_array().map(Vec::len), Some(3));
    assert_eq!(json["choices"][2]["finish_reason"], "length");
    assert_eq!(json["usage"]["completion_tokens"], 15);
    body["stream"] = true.into();
    let events = post_chat(&server, &body).await.json_events();
    let of_choice = |index: u64| {
        events
            .iter()
            .filter(|event| event["choices"][0]["index"] == index)
            .count()
    };
    assert_eq!([0, 1, 2].map(of_choice), [7, 7, 7]);
}

#[tokio::test]
async fn a_demanded_tool_is_called_in_both_dialects() {
    let server = start().await;
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let mut body = chat("gpt");
    body["tools"] = json!([{"type": "function", "function": {"name": "weather", "parameters": schema}}]);
    assert_eq!(
        post_chat(&server, &body).await.json()["choices"][0]["finish_reason"],
        "stop"
    );
    body["tool_choice"] = "required".into();
    let json = post_chat(&server, &body).await.json();
    let call = &json["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(
        (&json["choices"][0]["finish_reason"], &call["function"]["name"]),
        (&json!("tool_calls"), &json!("weather"))
    );
    assert_eq!(call["function"]["arguments"], r#"{"city":"sample"}"#);
    body["stream"] = true.into();
    let events = post_chat(&server, &body).await.json_events();
    let arguments = events
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str());
    assert_eq!(arguments.collect::<String>(), r#"{"city":"sample"}"#);

    let mut body = message("claude");
    body["tools"] = json!([{"name": "weather", "input_schema": schema}]);
    body["tool_choice"] = json!({"type": "tool", "name": "weather"});
    let json = post(&server, "/v1/messages", &body).await.json();
    assert_eq!(
        (&json["stop_reason"], &json["content"][0]["input"]),
        (&json!("tool_use"), &json!({"city": "sample"}))
    );
    body["stream"] = true.into();
    let events = post(&server, "/v1/messages", &body).await.json_events();
    let parts = events
        .iter()
        .filter_map(|event| event["delta"]["partial_json"].as_str());
    assert_eq!(parts.collect::<String>(), r#"{"city":"sample"}"#);
}

#[tokio::test]
async fn a_schema_gets_an_object() {
    let server = start().await;
    let mut body = chat("gpt");
    body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "x", "schema":
        {"type": "object", "properties": {"ok": {"type": "boolean"}}}}});
    let json = post_chat(&server, &body).await.json();
    assert_eq!(json["choices"][0]["message"]["content"], r#"{"ok":true}"#);
}

#[tokio::test]
async fn a_message_stream_keeps_anthropics_order() {
    let server = start().await;
    let mut body = message("claude--tokens2");
    body["stream"] = true.into();
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
    let reply = post(&server, "/v1/messages", &body).await;
    let events = reply.json_events();
    let mut kinds: Vec<_> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    kinds.dedup();
    let expected = [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(kinds, expected);
    assert!(
        reply
            .text()
            .starts_with("event: message_start\ndata: {\"type\":\"message_start\"")
    );
    assert_eq!(events[0]["message"]["usage"]["input_tokens"], 2);
    let delta = &events[events.len() - 2];
    assert_eq!(
        (&delta["usage"]["output_tokens"], &delta["delta"]["stop_reason"]),
        (&json!(10), &json!("end_turn"))
    );
    let signature = events
        .iter()
        .filter(|event| event["delta"]["type"] == "signature_delta")
        .count();
    assert_eq!(signature, 1);
    let json = post(&server, "/v1/messages", &message("claude")).await.json();
    assert_eq!(
        (&json["type"], &json["usage"]["output_tokens"]),
        (&json!("message"), &json!(16))
    );
    assert_eq!(json["content"][0]["type"], "text");
}

#[tokio::test]
async fn usage_can_be_dictated_or_left_out() {
    let server = start().await;
    let usage = json!({"prompt": 1000, "cached": 600, "cache_written": 100, "output": 50, "reasoning": 20});
    server
        .control()
        .set("m", behaviour(json!({"usage": usage})))
        .expect("valid");
    let openai = post_chat(&server, &chat("m")).await.json();
    assert_eq!(openai["usage"]["prompt_tokens"], 1000);
    assert_eq!(openai["usage"]["prompt_tokens_details"]["cached_tokens"], 600);
    assert_eq!(
        openai["usage"]["completion_tokens_details"]["reasoning_tokens"],
        20
    );
    let anthropic = post(&server, "/v1/messages", &message("m")).await.json();
    assert_eq!(anthropic["usage"]["input_tokens"], 300);
    assert_eq!(anthropic["usage"]["cache_creation_input_tokens"], 100);
    assert_eq!(anthropic["usage"]["output_tokens"], 50);
    server
        .control()
        .set("m", behaviour(json!({"usage": {"omit": true}})))
        .expect("valid");
    let mut body = chat_stream("m");
    body["stream_options"] = json!({"include_usage": true});
    assert!(!post_chat(&server, &body).await.text().contains("usage"));
    assert!(post(&server, "/v1/messages", &message("m")).await.json()["usage"].is_null());
    server
        .control()
        .set("m", behaviour(json!({"usage": {"in_stream": true}})))
        .expect("valid");
    assert!(
        post_chat(&server, &chat_stream("m"))
            .await
            .text()
            .contains("\"usage\":{")
    );
}

#[tokio::test]
async fn embeddings_are_the_same_as_floats_and_as_base64() {
    use base64::Engine as _;
    let server = start().await;
    let mut body = json!({"model": "e", "input": ["a", "b"], "dimensions": 8});
    let floats = post(&server, "/v1/embeddings", &body).await.json();
    body["encoding_format"] = "base64".into();
    let packed = post(&server, "/v1/embeddings", &body).await.json();
    for index in [0, 1] {
        let packed = packed["data"][index]["embedding"].as_str().expect("text");
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(packed)
            .expect("base64");
        let packed: Vec<f32> = bytes
            .chunks(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        let floats: Vec<f32> =
            serde_json::from_value(floats["data"][index]["embedding"].clone()).expect("floats");
        assert_eq!((floats.len(), &floats), (8, &packed));
    }
    assert_ne!(floats["data"][0]["embedding"], floats["data"][1]["embedding"]);
    assert_eq!(floats["usage"]["prompt_tokens"], 1);
}

#[tokio::test]
async fn the_other_surfaces_answer() {
    let server = start().await;
    let body = json!({"model": "t", "prompt": "12345", "max_tokens": 3});
    let json = post(&server, "/v1/completions", &body).await.json();
    assert_eq!(
        (&json["object"], &json["usage"]["prompt_tokens"]),
        (&json!("text_completion"), &json!(2))
    );
    assert_eq!(
        json["choices"][0]["text"]
            .as_str()
            .expect("text")
            .split(' ')
            .count(),
        3
    );
    let count = post(&server, "/v1/messages/count_tokens", &message("claude"))
        .await
        .json();
    assert_eq!(count, json!({"input_tokens": 2}));
    let azure = json!({"messages": [{"role": "user", "content": "hi"}]});
    let azure = post(
        &server,
        "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
        &azure,
    )
    .await;
    assert_eq!(azure.json()["model"], "gpt-4o");
    let models = call(server.addr(), "GET", "/v1/models", "").await.json();
    assert_eq!(models["data"][0]["object"], "model");
    assert_eq!(
        call(server.addr(), "GET", "/v1/models/a/b", "").await.json()["id"],
        "a/b"
    );
    assert_eq!(call(server.addr(), "GET", "/v1/nothing", "").await.status, 404);
    assert_eq!(
        call(server.addr(), "GET", "/v1/chat/completions", "")
            .await
            .status,
        405
    );
    assert_eq!(
        post_chat(&server, &json!([])).await.json()["error"]["type"],
        "invalid_request_error"
    );
}

#[tokio::test]
async fn the_same_seed_answers_byte_for_byte_the_same() {
    let mut transcripts = Vec::new();
    for seed in [5, 5, 6] {
        let server = start_with(MockOptions {
            seed,
            ..MockOptions::default()
        })
        .await;
        let mut transcript = Vec::new();
        for _ in 0..3 {
            transcript.push(post_chat(&server, &chat_stream("gpt")).await.text());
            transcript.push(
                post(&server, "/v1/messages", &message("claude--fail50"))
                    .await
                    .text(),
            );
        }
        server.stop().await;
        transcripts.push(transcript);
    }
    assert_eq!(transcripts[0], transcripts[1]);
    assert_ne!(transcripts[0], transcripts[2]);
    assert_ne!(
        transcripts[0][0], transcripts[0][2],
        "each request is answered differently"
    );
}

//! Streams.

use serde_json::json;
use tollgate_adapters::{Report, StreamEnd};
use tollgate_core::{OutcomeClass, ProviderKind, Surface};

use crate::support::{egress, events, stream, translate};

/// Events as Anthropic frames them.
fn anthropic(events: &[serde_json::Value]) -> String {
    let frame =
        |event: &serde_json::Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    events.iter().map(frame).collect()
}

/// Chunks as OpenAI frames them, and the closing event.
fn openai(chunks: &[serde_json::Value]) -> String {
    let frames: Vec<_> = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    frames.concat() + "data: [DONE]\n\n"
}

fn delta(delta: &serde_json::Value) -> serde_json::Value {
    json!({"id": "x", "model": "there", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn told_by(kind: ProviderKind, surface: Surface, body: &str, end: StreamEnd) -> (String, Report) {
    let mut request = json!({"model": "m", "max_tokens": 9, "stream": true,
        "messages": [{"role": "user", "content": "x"}]});
    if surface == Surface::ChatCompletions {
        request["stream_options"] = json!({"include_usage": true});
    }
    let begin = || translate(surface, &request, &egress(kind, "model-there")).unwrap();
    let whole = stream(begin(), body.as_bytes(), body.len(), end);
    assert_eq!(stream(begin(), body.as_bytes(), 1, end), whole);
    whole
}

fn claude(body: &str, end: StreamEnd) -> (String, Report) {
    told_by(ProviderKind::Anthropic, Surface::ChatCompletions, body, end)
}

fn gpt(body: &str) -> (String, Report) {
    told_by(ProviderKind::OpenAi, Surface::Messages, body, StreamEnd::Eof)
}

fn whole_message() -> Vec<serde_json::Value> {
    vec![
        json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-there",
            "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1}}}),
        json!({"type": "ping"}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "h"}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "m"}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "redacted_thinking", "data": "ZA=="}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "Let me \u{1f50e}"}}),
        json!({"type": "content_block_stop", "index": 2}),
        json!({"type": "content_block_start", "index": 3, "content_block": {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}}),
        json!({"type": "content_block_delta", "index": 3, "delta": {"type": "input_json_delta", "partial_json": "{}"}}),
        json!({"type": "content_block_stop", "index": 3}),
        json!({"type": "content_block_start", "index": 4, "content_block": {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}}),
        json!({"type": "content_block_delta", "index": 4, "delta": {"type": "input_json_delta", "partial_json": ""}}),
        json!({"type": "content_block_delta", "index": 4, "delta": {"type": "input_json_delta", "partial_json": "{\"a\":"}}),
        json!({"type": "content_block_delta", "index": 4, "delta": {"type": "input_json_delta", "partial_json": "1}"}}),
        json!({"type": "content_block_stop", "index": 4}),
        json!({"type": "content_block_start", "index": 5, "content_block": {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}}}),
        json!({"type": "content_block_stop", "index": 5}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": {"output_tokens": 33}}),
        json!({"type": "message_stop"}),
    ]
}

#[test]
fn a_message_becomes_chunks() {
    let (told, report) = claude(&anthropic(&whole_message()), StreamEnd::Eof);
    assert!(report.complete && report.error.is_none());
    insta::assert_snapshot!(told);
}

#[test]
fn a_client_that_did_not_ask_for_usage_gets_none() {
    let request = json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "x"}]});
    let target = egress(ProviderKind::Anthropic, "model-there");
    let encoded = translate(Surface::ChatCompletions, &request, &target).unwrap();
    let body = anthropic(&whole_message());
    let (told, report) = stream(encoded, body.as_bytes(), 50, StreamEnd::Eof);
    assert!(!told.contains("usage") && told.ends_with("data: [DONE]\n\n"));
    assert_eq!(report.usage.unwrap().output_total(), 33);
}

#[test]
fn chunks_become_a_message() {
    let chunks = [
        json!({"id": "", "choices": [], "prompt_filter_results": []}),
        delta(&json!({"role": "assistant", "content": ""})),
        delta(&json!({"reasoning_content": "hm"})),
        delta(&json!({"content": "Let me \u{1f50e}"})),
        json!({"choices": [{"index": 0, "finish_reason": null, "content_filter_results": {}}]}),
        delta(
            &json!({"content": "", "tool_calls": [{"index": 0, "id": "call_1", "type": "function",
            "function": {"name": "f", "arguments": ""}}]}),
        ),
        delta(&json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"a\":"}}]})),
        delta(&json!({"tool_calls": [{"index": 0, "function": {"arguments": "\"}\"}"}}]})),
        delta(
            &json!({"tool_calls": [{"index": 1, "id": "call_2", "function": {"name": "g", "arguments": ""}}]}),
        ),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
        json!({"choices": [], "usage": {"prompt_tokens": 15, "completion_tokens": 33, "total_tokens": 48,
            "prompt_tokens_details": {"cached_tokens": 5}}}),
    ];
    let (told, report) = gpt(&openai(&chunks));
    assert!(report.complete);
    insta::assert_snapshot!(told);
}

/// Names and arguments of the calls that a client of Anthropic's dialect puts together.
fn calls(told: &str) -> Vec<(String, String)> {
    let mut calls: Vec<(u64, String, String)> = Vec::new();
    for event in events(told) {
        let index = event["index"].as_u64().unwrap_or(0);
        if event["content_block"]["type"] == "tool_use" {
            calls.push((
                index,
                event["content_block"]["name"].as_str().unwrap().to_owned(),
                String::new(),
            ));
        } else if let Some(json) = event["delta"]["partial_json"].as_str() {
            let call = calls.iter_mut().find(|(known, ..)| *known == index).unwrap();
            call.2 += json;
        }
    }
    calls.into_iter().map(|(_, name, json)| (name, json)).collect()
}

fn pair(name: &str, json: &str) -> (String, String) {
    (name.to_owned(), json.to_owned())
}

#[test]
fn calls_are_told_apart_however_a_server_sends_them() {
    let call = |json: serde_json::Value| delta(&json!({ "tool_calls": [json] }));
    let whole = [pair("f", r#"{"a":1}"#), pair("g", r#"{"b":2}"#)];
    let ways = [
        // Without indexes, each whole, and arguments as an object.
        vec![
            call(json!({"id": "1", "function": {"name": "f", "arguments": {"a": 1}}})),
            call(json!({"id": "2", "function": {"name": "g", "arguments": "{\"b\":2}"}})),
        ],
        // One index for both; the name in each fragment.
        vec![
            call(json!({"index": 0, "id": "1", "function": {"name": "f", "arguments": "{\"a\":"}})),
            call(json!({"index": 0, "id": "1", "function": {"name": "f", "arguments": "1}"}})),
            call(json!({"index": 0, "id": "2", "function": {"name": "g", "arguments": "{\"b\":2}"}})),
        ],
        // Side by side.
        vec![
            call(json!({"index": 0, "id": "1", "function": {"name": "f", "arguments": "{\"a\""}})),
            call(json!({"index": 1, "id": "2", "function": {"name": "g", "arguments": "{\"b\""}})),
            call(json!({"index": 0, "function": {"arguments": ":1}"}})),
            call(json!({"index": 1, "function": {"arguments": ":2}"}})),
        ],
        // No ids at all.
        vec![
            call(json!({"function": {"name": "f", "arguments": "{\"a\":1}"}})),
            call(json!({"function": {"name": "g", "arguments": "{\"b\":2}"}})),
        ],
    ];
    for chunks in ways {
        let (told, _) = gpt(&openai(&chunks));
        assert_eq!(calls(&told), whole, "{told}");
    }
}

#[test]
fn one_event_may_say_everything() {
    let chunk = json!({"model": "there", "choices": [{"index": 0, "delta": {"content": "all"}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
    let (told, _) = gpt(&openai(&[chunk]));
    let kinds: Vec<_> = events(&told)
        .iter()
        .map(|event| event["type"].as_str().unwrap().to_owned())
        .collect();
    let expected =
        "message_start content_block_start content_block_delta content_block_stop message_delta message_stop";
    assert_eq!(kinds.join(" "), expected);
    assert!(told.contains(r#""stop_reason":"max_tokens""#) && told.contains(r#""output_tokens":2"#));
}

#[test]
fn usage_is_found_wherever_it_stands_and_never_added_up() {
    let groq = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
        "x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}});
    let counts = |told: &str| {
        let last = events(told)
            .into_iter()
            .find(|event| event["type"] == "message_delta")
            .unwrap();
        (
            last["usage"]["input_tokens"].as_u64().unwrap(),
            last["usage"]["output_tokens"].as_u64().unwrap(),
        )
    };
    let (told, _) = gpt(&openai(&[delta(&json!({"content": "x"})), groq]));
    assert_eq!(counts(&told), (3, 4));
    let each = |n: u64| {
        json!({"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": if n == 2 { "stop".into() } else { json!(null) }}],
            "usage": {"prompt_tokens": 3, "completion_tokens": n}})
    };
    let (told, _) = gpt(&openai(&[each(1), each(2)]));
    assert_eq!(counts(&told), (3, 2));
}

#[test]
fn a_refusal_is_one_in_both_dialects() {
    let chunks = [
        delta(&json!({"refusal": "No"})),
        delta(&json!({"refusal": "."})),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
    ];
    let (told, _) = gpt(&openai(&chunks));
    assert!(
        told.contains(r#""stop_reason":"refusal""#) && told.contains(r#""text":"No""#),
        "{told}"
    );
    let message = [
        json!({"type": "message_start", "message": {"model": "c", "usage": {"input_tokens": 1}}}),
        json!({"type": "message_delta", "delta": {"stop_reason": "refusal"}, "usage": {"output_tokens": 1}}),
        json!({"type": "message_stop"}),
    ];
    let (told, _) = claude(&anthropic(&message), StreamEnd::Eof);
    assert!(
        told.contains(r#""finish_reason":"content_filter""#) && told.contains(r#"{"refusal":""#),
        "{told}"
    );
}

#[test]
fn an_error_inside_a_stream_is_told_in_the_clients_dialect() {
    let begun = &whole_message()[..4];
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let (told, report) = claude(&(anthropic(begun) + &anthropic(&[error])), StreamEnd::Eof);
    assert_eq!(report.error.unwrap().class, OutcomeClass::Overloaded);
    let last = events(&told).pop().unwrap();
    assert_eq!(last["error"]["message"], "Overloaded");
    assert!(last["error"]["type"].is_string() && told.ends_with("data: [DONE]\n\n"));
    assert!(!told.contains("finish_reason\":\"stop"));

    let error = json!({"error": {"message": "slow down", "code": 429}, "choices": []});
    let (told, report) = gpt(&openai(&[delta(&json!({"content": "x"})), error]));
    assert_eq!(report.error.unwrap().class, OutcomeClass::RateLimited);
    let last = events(&told).pop().unwrap();
    assert_eq!(
        (&last["type"], &last["error"]["type"]),
        (&json!("error"), &json!("rate_limit_error"))
    );
    assert!(told.contains("event: error\n") && !told.contains("message_stop"));
}

#[test]
fn a_cut_stream_never_ends_as_if_it_were_whole() {
    let message = whole_message();
    // Up to the event that tells the end, each cut is an error; behind it, the answer was there.
    for length in 0..message.len() {
        for end in [StreamEnd::Eof, StreamEnd::Broken(OutcomeClass::Reset)] {
            let (told, report) = claude(&anthropic(&message[..length]), end);
            let has_end = length == message.len() - 1 && end == StreamEnd::Eof;
            assert_eq!(told.contains("\"error\""), !has_end, "{length} {end:?}: {told}");
            assert_eq!(
                told.contains("finish_reason\":\"tool_calls"),
                has_end,
                "{length} {end:?}"
            );
            assert_eq!(report.complete, has_end);
            assert!(told.ends_with("data: [DONE]\n\n"));
        }
    }
    let cut = format!("data: {}\n\n", delta(&json!({"content": "x"})));
    let (told, report) = gpt(&cut);
    assert!(told.contains("event: error\n") && !told.contains("message_stop") && !report.complete);
}

#[test]
fn proxies_that_begin_twice_begin_once() {
    let mut message = whole_message();
    message.insert(1, message[0].clone());
    let (told, _) = claude(&anthropic(&message), StreamEnd::Eof);
    assert_eq!(told.matches("\"role\":\"assistant\"").count(), 1);
}

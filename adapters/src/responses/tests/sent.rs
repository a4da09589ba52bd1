//! Requests of other dialects, as they are sent.

use serde_json::json;
use tollgate_core::{Dialect, RefusalKind};

use super::*;
use crate::chat::State;
use crate::{anthropic, openai};

/// A request of Chat Completions as it is sent, and what was lost.
fn chat(body: &Value, model: &str) -> (Value, Vec<String>) {
    let bytes = body.to_string();
    sent(openai::decode::request(bytes.as_bytes()).unwrap(), model)
}

fn messages(body: &Value, model: &str) -> (Value, Vec<String>) {
    let bytes = body.to_string();
    sent(anthropic::decode::request(bytes.as_bytes()).unwrap(), model)
}

fn sent(request: crate::chat::ChatRequest<'_>, model: &str) -> (Value, Vec<String>) {
    let mut loss = Loss::default();
    let (out, _) = encode::request(request, &egress(model), &mut loss).unwrap();
    let named = crate::testing::named(&loss);
    (serde_json::from_slice(&out).unwrap(), named)
}

#[test]
fn a_tool_loop_becomes_items() {
    let (sent, lost) = chat(
        &json!({"model": "m", "messages": [
            {"role": "system", "content": "a"}, {"role": "developer", "content": "b"},
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "well", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}},
                {"id": "c2", "type": "function", "function": {"name": "g.h", "arguments": ""}}]},
            {"role": "tool", "tool_call_id": "c2", "content": "2"},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "1"}]},
            {"role": "user", "content": [{"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "https://x/y"}}]}],
            "tools": [{"type": "function", "function": {"name": "g.h", "parameters": {"type": "object"}}}],
            "tool_choice": {"type": "function", "function": {"name": "g.h"}}}),
        "gpt-4o",
    );
    let name = sent["tools"][0]["name"].clone();
    assert!(name.as_str().unwrap().starts_with("g_h_"));
    assert_eq!(
        sent,
        json!({"model": "gpt-4o", "instructions": "a\n\nb", "input": [
            {"type": "message", "role": "user", "content": "go"},
            {"type": "message", "role": "assistant", "content": "well"},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"x\":1}"},
            {"type": "function_call", "call_id": "c2", "name": name, "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "1"},
            {"type": "function_call_output", "call_id": "c2", "output": "2"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": "https://x/y", "detail": "auto"}]}],
            "tools": [{"type": "function", "name": name, "parameters": {"type": "object"}, "strict": false}],
            "tool_choice": {"type": "function", "name": name}, "store": false})
    );
    assert_eq!(lost, [""; 0]);
}

#[test]
fn nothing_is_stored_and_thoughts_are_asked_for_encrypted() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "reasoning_effort": "max",
        "temperature": 0.2, "stream": true, "stream_options": {"include_usage": true}, "max_tokens": 4});
    let (sent, lost) = chat(&body, "gpt-5.2");
    assert_eq!(sent["store"], false);
    assert_eq!(sent["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(sent["reasoning"], json!({"effort": "xhigh"}));
    assert_eq!(sent["stream"], true);
    assert_eq!(sent["max_output_tokens"], 16);
    assert_eq!(lost, ["max_tokens", "temperature"]);
    let (sent, lost) = chat(&body, "gpt-4o");
    assert_eq!((sent.get("include"), sent.get("reasoning")), (None, None));
    assert_eq!(sent["temperature"], 0.2);
    assert_eq!(lost, ["max_tokens", "reasoning_effort"]);
}

#[test]
fn what_has_no_place_is_named() {
    let (sent, lost) = chat(
        &json!({"model": "m", "messages": [
            {"role": "user", "name": "Ann", "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}},
                {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}]},
            {"role": "assistant", "content": "prefix", "reasoning_content": "hm"}],
            "tools": [{"type": "code"}, {"type": "function", "function": {"name": "f", "strict": true,
                "parameters": {"type": "object", "properties": {"a": {}}}}}],
            "seed": 1, "stop": ["x"], "top_k": 3, "logprobs": true, "top_logprobs": 2, "frequency_penalty": 0.1,
            "logit_bias": {"1": 2}, "metadata": {"a": "b"}, "verbosity": "low"}),
        "gpt-4o",
    );
    assert_eq!(sent["metadata"], json!({"a": "b"}));
    assert_eq!(sent["text"], json!({"verbosity": "low"}));
    assert_eq!(sent["tools"][0]["strict"], false);
    assert_eq!(
        lost,
        [
            "messages[0].name",
            "messages[0].content[1]",
            "messages[0].content[0].cache_control",
            "messages[1].reasoning_content",
            "messages[1]",
            "tools[0]",
            "tools[1].strict",
            "top_k",
            "seed",
            "frequency_penalty",
            "logprobs",
            "top_logprobs",
            "stop",
            "logit_bias"
        ]
    );
}

#[test]
fn formats_are_flat_here_and_json_is_asked_for_in_words() {
    let format = |format: Value, text: &str| {
        let body =
            json!({"model": "m", "messages": [{"role": "user", "content": text}], "response_format": format});
        let (sent, lost) = chat(&body, "gpt-4o");
        assert_eq!(lost, [""; 0]);
        (
            sent["text"]["format"].clone(),
            sent["input"].as_array().unwrap().len(),
        )
    };
    let schema = json!({"type": "json_schema", "json_schema": {"name": "n", "description": "d", "strict": true,
        "schema": {"type": "object"}}});
    let expected = json!({"type": "json_schema", "name": "n", "description": "d", "schema": {"type": "object"},
        "strict": true});
    assert_eq!(format(schema, "x"), (expected, 1));
    let object = json!({"type": "json_object"});
    assert_eq!(format(object.clone(), "as JSON please"), (object.clone(), 1));
    assert_eq!(format(object.clone(), "please"), (object, 2));
}

#[test]
fn results_may_hold_images_and_instructions_alone_get_somebody_to_talk_to() {
    let (sent, lost) = messages(
        &json!({"model": "m", "max_tokens": 100, "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": [
                {"type": "text", "text": "see"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]}]}],
            "stop_sequences": ["x"], "metadata": {"user_id": "u"}}),
        "gpt-5",
    );
    assert_eq!(
        sent["input"][2],
        json!({"type": "function_call_output", "call_id": "t1", "output": [{"type": "input_text", "text": "see"},
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"}]})
    );
    assert_eq!(sent["user"], "u");
    assert_eq!(
        lost,
        [
            "messages[1].content[0]",
            "messages[2].content[0].is_error",
            "stop_sequences"
        ]
    );
    let (sent, _) = chat(
        &json!({"model": "m", "messages": [{"role": "system", "content": "x"}]}),
        "gpt-5",
    );
    assert_eq!(sent["input"].as_array().unwrap().len(), 1);
}

#[test]
fn thoughts_return_in_front_of_their_call_to_whom_they_came_from() {
    let item = r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"}"#;
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "go"},
        {"role": "assistant", "reasoning_content": "hm", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "1"}]})
    .to_string();
    let with_state = |of: Dialect, data: &'static str| {
        let mut request = openai::decode::request(body.as_bytes()).unwrap();
        let data = data.into();
        request.turns[1].parts[0].state = Some(State { of, data });
        sent(request, "gpt-5")
    };
    let (out, lost) = with_state(Dialect::Responses, item);
    assert_eq!(out["input"][1], serde_json::from_str::<Value>(item).unwrap());
    assert_eq!(out["input"][2]["type"], "function_call");
    assert_eq!(lost, [""; 0]);
    for (of, data) in [
        (Dialect::Gemini, item),
        (Dialect::Responses, "no json"),
        (Dialect::Responses, r#"{"type":"message"}"#),
    ] {
        let (out, lost) = with_state(of, data);
        assert_eq!(out["input"][1]["type"], "function_call");
        assert_eq!(lost, ["messages[1].reasoning_content"]);
    }
    // Thoughts that led to nothing.
    let mut request = openai::decode::request(body.as_bytes()).unwrap();
    let data = item.into();
    let of = Dialect::Responses;
    request.turns.truncate(2);
    request.turns[1].parts[0].state = Some(State { of, data });
    request.turns[1].parts.truncate(1);
    let (out, lost) = sent(request, "gpt-5");
    assert_eq!(out["input"].as_array().unwrap().len(), 1);
    assert_eq!(lost, ["messages[1].reasoning_content", "messages[1]"]);
}

#[test]
fn one_answer_is_all_there_is() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "n": 2}).to_string();
    let request = openai::decode::request(body.as_bytes()).unwrap();
    let refusal = encode::request(request, &egress("gpt-5"), &mut Loss::default()).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::NotTranslatable);
}

//! Whole answers.

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_core::{FinishReason, ProviderKind, Surface};

use crate::support::{egress, translate};

/// What a client gets for a provider's answer, when its request named a tool that the provider could not.
fn from(kind: ProviderKind, surface: Surface, answer: &Value) -> Value {
    let tools = match surface {
        Surface::Messages => json!([{"name": "ns.tool", "input_schema": {"type": "object"}}]),
        _ => json!([{"type": "function", "function": {"name": "ns.tool"}}]),
    };
    let request = json!({"model": "m", "max_tokens": 9, "tools": tools,
        "messages": [{"role": "user", "content": "x"}]});
    let encoded = translate(surface, &request, &egress(kind, "model-there")).unwrap();
    let sent: Value = serde_json::from_slice(&encoded.body).unwrap();
    let name = match surface {
        Surface::Messages => &sent["tools"][0]["function"]["name"],
        _ => &sent["tools"][0]["name"],
    };
    let answer = answer.to_string().replace("NS_TOOL", name.as_str().unwrap());
    let answer = encoded.reader.read(Bytes::from(answer)).unwrap();
    serde_json::from_slice(&answer.body).unwrap()
}

fn from_claude(answer: &Value) -> Value {
    from(ProviderKind::Anthropic, Surface::ChatCompletions, answer)
}

fn from_openai(answer: &Value) -> Value {
    from(ProviderKind::OpenAi, Surface::Messages, answer)
}

#[test]
fn an_answer_of_claude_becomes_a_completion() {
    let answer = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-there",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "ZGF0YQ=="},
            {"type": "text", "text": "Let me "},
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
            {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
            {"type": "text", "text": "see."},
            {"type": "tool_use", "id": "toolu_1", "name": "NS_TOOL", "input": {"a": 1, "b": "c d"}},
            {"type": "tool_use", "id": "toolu_2", "name": "plain", "input": {}}],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 7,
            "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 2}, "output_tokens": 20,
            "output_tokens_details": {"thinking_tokens": 8}}});
    insta::assert_json_snapshot!(from_claude(&answer));
}

#[test]
fn ends_of_claude_become_finish_reasons() {
    let end = |stop: &str, content: Value| {
        let answer = json!({"type": "message", "content": content, "stop_reason": stop,
            "usage": {"input_tokens": 1, "output_tokens": 1}});
        let told = from_claude(&answer);
        (
            told["choices"][0]["finish_reason"].clone(),
            told["choices"][0]["message"].clone(),
        )
    };
    let text = || json!([{"type": "text", "text": "x"}]);
    for (stop, finish) in [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
    ] {
        assert_eq!(end(stop, text()).0, finish, "{stop}");
    }
    let (_, refused) = end("refusal", json!([]));
    assert_eq!(
        (&refused["content"], refused["refusal"].is_string()),
        (&Value::Null, true)
    );
    let (_, refused_late) = end("refusal", text());
    assert_eq!(
        (&refused_late["content"], refused_late["refusal"].is_string()),
        (&json!("x"), true)
    );
}

#[test]
fn a_completion_becomes_a_message() {
    let call = |id: &str, name: &str, arguments: Value| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let answer = json!({"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-there", "choices": [{
        "index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": "Let me see.",
            "reasoning_content": "hm", "tool_calls": [
                call("call_1", "NS_TOOL", json!("{\"a\": 1}")), call("call_2", "f", json!("")),
                call("", "g", json!({"b": 2})), call("call_1", "h", json!("{\"cut"))]}}],
        "usage": {"prompt_tokens": 40, "completion_tokens": 20, "total_tokens": 60,
            "prompt_tokens_details": {"cached_tokens": 30}, "completion_tokens_details": {"reasoning_tokens": 8}}});
    insta::assert_json_snapshot!(from_openai(&answer));
}

#[test]
fn ends_of_completions_become_stop_reasons() {
    let end = |message: Value, finish: &str| {
        let answer = json!({"choices": [{"message": message, "finish_reason": finish}]});
        let told = from_openai(&answer);
        (told["stop_reason"].clone(), told["content"].clone())
    };
    for (finish, stop) in [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("eos", "end_turn"),
    ] {
        assert_eq!(end(json!({"content": "x"}), finish).0, stop, "{finish}");
    }
    let refused = end(json!({"content": null, "refusal": "No."}), "stop");
    assert_eq!(
        refused,
        (json!("refusal"), json!([{"type": "text", "text": "No."}]))
    );
    let call = json!({"id": "c", "function": {"name": "f", "arguments": "{}"}});
    assert_eq!(
        end(json!({"content": "", "tool_calls": [call]}), "stop").0,
        "tool_use"
    );
    assert_eq!(end(json!({"content": ""}), "length").1, json!([]));
}

#[test]
fn tokens_are_counted_as_each_dialect_counts() {
    let xai = json!({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 35,
            "completion_tokens_details": {"reasoning_tokens": 20}}});
    let told = from(ProviderKind::Xai, Surface::Messages, &xai);
    assert_eq!(told["usage"]["output_tokens"], 25);
    assert_eq!(told["usage"]["output_tokens_details"]["thinking_tokens"], 20);
}

#[test]
fn an_error_in_place_of_an_answer_is_an_error_in_the_clients_dialect() {
    let request = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]});
    let encoded = translate(
        Surface::Messages,
        &request,
        &egress(ProviderKind::OpenRouter, "m"),
    )
    .unwrap();
    let body = r#"{"error":{"code":429,"message":"slow down"}}"#;
    let answer = encoded.reader.read(Bytes::from(body)).unwrap();
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (&told["type"], &told["error"]["type"]),
        (&json!("error"), &json!("rate_limit_error"))
    );
    assert!(answer.report.error.is_some() && answer.report.finish.is_none());
}

#[test]
fn what_is_no_answer_is_malformed() {
    for body in [
        "",
        "[]",
        "{}",
        "<html>",
        r#"{"choices":[]}"#,
        r#"{"choices":{}}"#,
        "\u{1}",
    ] {
        let request = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]});
        let encoded = translate(Surface::Messages, &request, &egress(ProviderKind::OpenAi, "m")).unwrap();
        assert!(encoded.reader.read(Bytes::from(body)).is_err(), "{body}");
    }
}

#[test]
fn the_report_is_that_of_the_provider() {
    let request = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
    let target = egress(ProviderKind::Anthropic, "m");
    let encoded = translate(Surface::ChatCompletions, &request, &target).unwrap();
    let body = r#"{"content":[{"type":"text","text":"four"}],"stop_reason":"max_tokens","model":"c",
        "usage":{"input_tokens":3,"output_tokens":4}}"#;
    let report = encoded.reader.read(Bytes::from(body)).unwrap().report;
    assert_eq!(
        (report.finish, report.model.as_deref()),
        (Some(FinishReason::Length), Some("c"))
    );
    assert_eq!((report.output_bytes, report.usage.unwrap().total()), (4, 7));
}

//! Whole answers, read and written.

use serde_json::json;
use tollgate_core::{Dialect, FinishReason, Usage};

use super::*;
use crate::chat::answer::{ChatAnswer, Choice, End};
use crate::chat::names::Renamed;
use crate::chat::{Call, Kind, Part, State};

fn answered() -> Value {
    json!({"id": "resp_1", "object": "response", "status": "completed", "model": "gpt-5-2025", "error": null,
        "incomplete_details": null, "service_tier": "flex", "output": [
        {"id": "rs_1", "type": "reasoning", "status": null, "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "gAAA"},
        {"id": "ws_1", "type": "web_search_call", "status": "completed"},
        {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [
            {"type": "output_text", "text": "so", "annotations": []}, {"type": "refusal", "refusal": "no"}]},
        {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}],
        "usage": {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 8,
            "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 18}})
}

fn part(kind: Kind<'static>) -> Part<'static> {
    Part::new(String::new(), kind)
}

fn call(id: &'static str) -> Part<'static> {
    let (id, name, arguments) = (id.into(), "f".into(), "{ \"a\": 1 }".into());
    part(Kind::ToolCall(Call { id, name, arguments }))
}

fn rendered(parts: Vec<Part<'static>>, finish: FinishReason) -> Value {
    let end = End {
        finish: Some(finish),
        ..End::default()
    };
    let answer = ChatAnswer {
        model: None,
        choices: vec![Choice { parts, end }],
    };
    let usage = Usage {
        input: 5,
        cache_read: 3,
        output: 2,
        reasoning: 1,
        ..Usage::default()
    };
    let bytes = render::answer(&answer, Some(&usage), &made(), &Renamed::default());
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn items_become_parts_and_the_providers_own_are_left_out() {
    let body = answered().to_string();
    let answer = answer::read(body.as_bytes()).unwrap();
    let parts = &answer.choices[0].parts;
    assert_eq!(parts.len(), 4);
    assert!(matches!(&parts[0].kind, Kind::Thinking { text, .. } if text == "hm"));
    let state = parts[0].state.as_ref().unwrap();
    let data: Value = serde_json::from_str(&state.data).unwrap();
    let expected = json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}],
        "encrypted_content": "gAAA"});
    assert_eq!((state.of, data), (Dialect::Responses, expected));
    assert!(matches!(&parts[3].kind, Kind::ToolCall(call) if call.id == "call_1"));
    assert_eq!(answer.choices[0].end.finish, Some(FinishReason::ToolCalls));
    assert_eq!(answer.model.as_deref(), Some("gpt-5-2025"));
}

#[test]
fn an_answer_tells_what_it_used_and_how_it_ended() {
    let report = answer::report(answered().to_string().as_bytes()).unwrap();
    let usage = report.usage.unwrap();
    assert_eq!(
        (usage.input, usage.cache_read, usage.output, usage.reasoning),
        (6, 4, 3, 5)
    );
    assert_eq!(report.finish, Some(FinishReason::ToolCalls));
    assert_eq!(report.service_tier, tollgate_core::ServiceTier::Flex);
    assert_eq!(report.output_bytes, 8);
    assert!(report.has_content && report.complete && report.error.is_none());
    let own =
        json!({"status": "completed", "output": [{"type": "custom_tool_call", "name": "f", "input": "x"}]});
    let report = answer::report(own.to_string().as_bytes()).unwrap();
    assert_eq!(
        (report.finish, report.has_content),
        (Some(FinishReason::ToolCalls), true)
    );
    for (reason, finish) in [
        ("max_output_tokens", FinishReason::Length),
        ("content_filter", FinishReason::ContentFilter),
    ] {
        let body = json!({"status": "incomplete", "incomplete_details": {"reason": reason}, "output": [
            {"type": "reasoning", "id": "rs_1", "summary": []}]})
        .to_string();
        let report = answer::report(body.as_bytes()).unwrap();
        assert_eq!((report.finish, report.has_content), (Some(finish), false));
        assert_eq!(answer::read(body.as_bytes()).unwrap().choices[0].parts, []);
    }
}

#[test]
fn an_error_in_place_of_an_answer_is_one() {
    for body in [
        json!({"error": {"message": "no such model", "code": "model_not_found"}}),
        json!({"code": "invalid-argument", "error": "no such model"}),
        json!({"status": "failed", "model": "m", "output": [{"type": "message", "content": []}],
            "error": {"code": "server_error", "message": "no such model"}}),
    ] {
        let report = answer::report(body.to_string().as_bytes()).unwrap();
        assert!(report.error.unwrap().message.contains("no such model"));
        assert_eq!(report.finish, None);
    }
    for body in ["[]", "{}", "x", r#"{"output":{}}"#] {
        assert!(answer::read(body.as_bytes()).is_err() && answer::report(body.as_bytes()).is_err());
    }
}

#[test]
fn parts_become_items() {
    let answer = rendered(
        vec![
            part(Kind::Thinking {
                text: "hm".into(),
                signature: Some("proof".into()),
            }),
            part(Kind::Text("a".into())),
            part(Kind::Text("b".into())),
            call("c1"),
            call("c1"),
            call(""),
        ],
        FinishReason::Stop,
    );
    let output = answer["output"].as_array().unwrap();
    let kinds: Vec<_> = output.iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "reasoning",
            "message",
            "function_call",
            "function_call",
            "function_call"
        ]
    );
    let carried: Value = json!(carried::signature("proof"));
    assert_eq!(output[0]["encrypted_content"], carried);
    assert_eq!(output[1]["content"][0]["text"], "ab");
    assert_eq!(output[2]["arguments"], "{\"a\":1}");
    let mut ids: Vec<_> = output[2..]
        .iter()
        .map(|item| item["call_id"].to_string())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert_eq!(
        (&answer["status"], &answer["object"]),
        (&json!("completed"), &json!("response"))
    );
    assert_eq!(
        answer["usage"],
        json!({"input_tokens": 8, "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
            "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 11})
    );
    for name in [
        "error",
        "incomplete_details",
        "instructions",
        "temperature",
        "top_p",
    ] {
        assert_eq!(answer.get(name), Some(&Value::Null), "{name}");
    }
}

#[test]
fn an_answer_that_was_cut_is_incomplete_and_a_filtered_one_says_so() {
    let cut = rendered(vec![part(Kind::Text("a".into()))], FinishReason::Length);
    assert_eq!(cut["status"], "incomplete");
    assert_eq!(cut["incomplete_details"], json!({"reason": "max_output_tokens"}));
    assert_eq!(cut["output"][0]["status"], "incomplete");
    let filtered = rendered(Vec::new(), FinishReason::ContentFilter);
    assert_eq!(
        filtered["incomplete_details"],
        json!({"reason": "content_filter"})
    );
    assert_eq!(filtered["output"][0]["content"][0]["type"], "refusal");
    let refused = rendered(vec![part(Kind::Refusal("no".into()))], FinishReason::Stop);
    assert_eq!(refused["status"], "completed");
}

#[test]
fn states_of_other_providers_survive_the_client() {
    let state = |of| State {
        of,
        data: "{\"x\":\"y\"}".into(),
    };
    let mut called = call("c1");
    called.state = Some(state(Dialect::Gemini));
    let mut told = part(Kind::Text("so".into()));
    told.state = Some(state(Dialect::Gemini));
    let secret = part(Kind::RedactedThinking("secret".into()));
    let answer = rendered(vec![secret.clone(), told, called], FinishReason::Stop);
    // The client sends back what it got.
    let mut input = vec![json!({"role": "user", "content": "go"})];
    input.extend(answer["output"].as_array().unwrap().iter().cloned());
    let body = json!({"model": "m", "input": input}).to_string();
    let request = decode::request(body.as_bytes()).unwrap();
    let parts: Vec<_> = request.turns.iter().flat_map(|turn| &turn.parts).collect();
    assert_eq!(parts.len(), 4);
    assert_eq!(parts[1].kind, secret.kind);
    assert_eq!(parts[2].state, Some(state(Dialect::Gemini)));
    assert_eq!(parts[3].state, Some(state(Dialect::Gemini)));
}

#[test]
fn what_claude_signed_comes_back_to_it_in_front_of_the_call() {
    let answered = json!({"model": "claude", "stop_reason": "tool_use", "content": [
        {"type": "thinking", "thinking": "hm", "signature": "proof"},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "thinking", "thinking": "", "signature": "proof alone"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}]});
    let bytes = answered.to_string();
    let answer = crate::anthropic::answer::read(bytes.as_bytes()).unwrap();
    let rendered = render::answer(&answer, None, &made(), &Renamed::default());
    let rendered: Value = serde_json::from_slice(&rendered).unwrap();
    let mut input = vec![json!({"role": "user", "content": "go"})];
    input.extend(rendered["output"].as_array().unwrap().iter().cloned());
    input.push(json!({"type": "function_call_output", "call_id": "toolu_1", "output": "2"}));
    let body = json!({"model": "m", "input": input}).to_string();
    let request = decode::request(body.as_bytes()).unwrap();
    let mut loss = Loss::default();
    let (sent, _) =
        crate::anthropic::encode::request(request, &egress("claude-sonnet-4-5"), &mut loss).unwrap();
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(sent["messages"][1]["content"], answered["content"]);
    assert_eq!(sent["messages"][2]["content"][0]["tool_use_id"], "toolu_1");
    assert!(loss.is_empty());
}

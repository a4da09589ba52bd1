//! Answers of Gemini, and answers of others as Gemini clients get them.

use serde_json::{Value, json};
use tollgate_core::{FinishReason, OutcomeClass, ServiceTier, Usage};

use super::{made, to_anthropic};
use crate::chat::names::Renamed;
use crate::error_words::ErrorWords;
use crate::gemini::{answer, error, render};

const SIGNATURE: &str = "EskgCsYgAb4-9vtF7";

fn to_client(body: &Value) -> Value {
    let bytes = serde_json::to_vec(body).unwrap();
    let read = answer::read(&bytes).unwrap();
    let usage = answer::report(&bytes).unwrap().usage;
    let out = crate::openai::render::answer(&read, usage.as_ref(), &made(), &Renamed::default());
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn calls_end_an_answer_whatever_google_calls_its_end() {
    let body = json!({"candidates": [{"content": {"role": "model", "parts": [
        {"text": "Let me see.", "thought": true},
        {"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": SIGNATURE},
        {"functionCall": {"name": "f", "args": {"x": 1}}},
        {"text": "", "thoughtSignature": SIGNATURE}]}, "finishReason": "STOP", "index": 0, "groundingMetadata": {"text": "no"}}],
        "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 7, "cachedContentTokenCount": 4,
            "toolUsePromptTokenCount": 3, "totalTokenCount": 25, "serviceTier": "priority"}, "modelVersion": "gemini-3"});
    let bytes = serde_json::to_vec(&body).unwrap();
    let report = answer::report(&bytes).unwrap();
    assert_eq!(
        (report.finish, report.complete, report.has_content),
        (Some(FinishReason::ToolCalls), true, true)
    );
    assert_eq!(report.service_tier, ServiceTier::Priority);
    let usage = report.usage.unwrap();
    assert_eq!(
        (usage.input, usage.cache_read, usage.output, usage.reasoning),
        (9, 4, 5, 7)
    );
    assert_eq!(report.output_bytes, 11 + 7 + 7);
    let read = answer::read(&bytes).unwrap();
    let states: Vec<_> = read.choices[0]
        .parts
        .iter()
        .map(|part| part.state.as_ref().map(|state| &*state.data))
        .collect();
    assert_eq!(states, [None, Some(SIGNATURE), Some(SIGNATURE)]);
    let client = to_client(&body);
    let choice = &client["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_ne!(
        choice["message"]["tool_calls"][0]["id"],
        choice["message"]["tool_calls"][1]["id"]
    );
    assert_eq!(choice["message"]["reasoning_content"], "Let me see.");
}

#[test]
fn a_blocked_prompt_is_an_answer_that_was_filtered() {
    let body = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 4}, "modelVersion": "g"});
    let client = to_client(&body);
    assert_eq!(client["choices"][0]["finish_reason"], "content_filter");
    assert!(
        client["choices"][0]["message"]["refusal"]
            .as_str()
            .unwrap()
            .contains("PROHIBITED_CONTENT")
    );
    assert_eq!(client["usage"]["prompt_tokens"], 4);
}

#[test]
fn an_end_without_content_is_an_end() {
    let body = json!({"candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}],
        "usageMetadata": {"promptTokenCount": 15, "thoughtsTokenCount": 2, "totalTokenCount": 17}});
    let client = to_client(&body);
    assert_eq!(client["choices"][0]["finish_reason"], "length");
    assert_eq!(client["choices"][0]["message"]["content"], "");
    assert_eq!(client["usage"]["completion_tokens"], 2);
    for (word, told) in [
        ("SAFETY", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "stop"),
        ("NEW", "stop"),
    ] {
        let body = json!({"candidates": [{"finishReason": word}]});
        assert_eq!(to_client(&body)["choices"][0]["finish_reason"], told);
    }
}

#[test]
fn errors_in_place_of_an_answer_are_reported_also_in_an_array() {
    let error = json!({"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}});
    for body in [error.clone(), json!([error])] {
        let report = answer::report(body.to_string().as_bytes()).unwrap();
        let fault = report.error.unwrap();
        assert_eq!(
            (fault.class, &*fault.message),
            (OutcomeClass::RateLimited, "slow down")
        );
    }
    assert!(
        answer::report(b"{}").is_err() && answer::report(b"<html>").is_err() && answer::read(b"{}").is_err()
    );
}

#[test]
fn audio_is_counted_apart() {
    let body = json!({"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 10,
        "cachedContentTokenCount": 30, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 40}, {"modality": "AUDIO", "tokenCount": 60}],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 20}], "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 4}]}});
    let usage = answer::report(body.to_string().as_bytes())
        .unwrap()
        .usage
        .unwrap();
    assert_eq!((usage.input, usage.audio_input, usage.cache_read), (30, 40, 30));
    assert_eq!((usage.output, usage.audio_output), (6, 4));
}

#[test]
fn an_answer_of_claude_survives_the_round_trip_through_a_gemini_client() {
    let claude = json!({"type": "message", "model": "claude", "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s+/="}, {"type": "redacted_thinking", "data": "r"},
        {"type": "text", "text": "Calling."}, {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": 1}}], "stop_reason": "tool_use"});
    let bytes = serde_json::to_vec(&claude).unwrap();
    let read = crate::anthropic::answer::read(&bytes).unwrap();
    let usage = Usage {
        input: 5,
        output: 2,
        reasoning: 3,
        cache_read: 1,
        ..Usage::default()
    };
    let mut renamed = Renamed::default();
    renamed.note("the.tool", "f");
    let out = render::answer(&read, Some(&usage), &made(), &renamed);
    let mut out: Value = serde_json::from_slice(&out).unwrap();
    let expected = json!({"promptTokenCount": 6, "candidatesTokenCount": 2, "cachedContentTokenCount": 1, "thoughtsTokenCount": 3, "totalTokenCount": 11});
    assert_eq!(out["usageMetadata"], expected);
    let candidate = &mut out["candidates"][0];
    assert_eq!(candidate["finishReason"], "STOP");
    let call = json!({"functionCall": {"id": "toolu_1", "name": "the.tool", "args": {"x": 1}}});
    assert_eq!(candidate["content"]["parts"][3], call);

    let next = json!({"contents": [{"role": "user", "parts": [{"text": "go"}]}, candidate["content"].take(),
        {"role": "user", "parts": [{"functionResponse": {"name": "the.tool", "response": {"result": "done"}}}]}],
        "generationConfig": {"thinkingConfig": {"thinkingBudget": 2000}}});
    let (sent, lost) = to_anthropic(&next);
    let content = &sent["messages"][1]["content"];
    assert_eq!(
        content[0],
        json!({"type": "thinking", "thinking": "hm", "signature": "s+/="})
    );
    assert_eq!(content[1], json!({"type": "redacted_thinking", "data": "r"}));
    assert_eq!(content[3]["id"], "toolu_1");
    assert_eq!(sent["messages"][2]["content"][0]["tool_use_id"], "toolu_1");
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn an_answer_without_parts_has_one_for_clients_that_look_at_the_first() {
    let refused =
        json!({"choices": [{"message": {"content": null, "refusal": "No."}, "finish_reason": "stop"}]});
    let empty = json!({"choices": [{"message": {"content": ""}, "finish_reason": "length"}]});
    let rendered = |body: &Value| -> Value {
        let bytes = serde_json::to_vec(body).unwrap();
        let read = crate::openai::answer::read(&bytes).unwrap();
        serde_json::from_slice(&render::answer(&read, None, &made(), &Renamed::default())).unwrap()
    };
    let of_refused = rendered(&refused);
    assert_eq!(of_refused["candidates"][0]["finishReason"], "SAFETY");
    assert_eq!(
        of_refused["candidates"][0]["content"]["parts"],
        json!([{"text": "No."}])
    );
    let of_empty = rendered(&empty);
    assert_eq!(
        of_empty["candidates"][0]["content"]["parts"],
        json!([{"text": ""}])
    );
    assert_eq!(of_empty["candidates"][0]["finishReason"], "MAX_TOKENS");
    assert_eq!(of_empty["modelVersion"], "the-model");
}

#[test]
fn errors_have_the_shape_that_sdks_read() {
    let words = ErrorWords {
        status: 429,
        kind: None,
        message: "too \"many\"",
        param: Some("contents[0]"),
        code: Some("budget_exceeded"),
        request_id: Some("req_1"),
    };
    let body: Value = serde_json::from_slice(&error::body(&words)).unwrap();
    assert_eq!(body["error"]["code"], 429);
    assert_eq!(body["error"]["status"], "RESOURCE_EXHAUSTED");
    assert_eq!(body["error"]["message"], "too \"many\"");
    assert_eq!(body["error"]["details"][0]["reason"], "BUDGET_EXCEEDED");
    assert_eq!(
        body["error"]["details"][1]["fieldViolations"][0]["field"],
        "contents[0]"
    );
    assert_eq!(body["error"]["details"][2]["requestId"], "req_1");
    let event = String::from_utf8(error::event(b"{}")).unwrap();
    assert_eq!(event, "data: {}\n\n");
    for (status, word) in [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (500, "INTERNAL"),
        (529, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
    ] {
        assert_eq!(error::status_word(status), word);
    }
}

//! Whole answers and errors, in and out.

use serde_json::{Value, json};
use tollgate_core::{FinishReason, OutcomeClass, ServiceTier, Usage, UsageSource};

use super::super::{answer, error, render};
use super::made;
use crate::chat::answer::{ChatAnswer, Choice, End};
use crate::chat::names::Renamed;
use crate::chat::{Call, Kind, Part};
use crate::error_words::ErrorWords;

fn part(kind: Kind<'static>) -> Part<'static> {
    Part::new(String::new(), kind)
}

fn rendered(parts: Vec<Part<'static>>, end: End<'static>, usage: Option<&Usage>) -> Value {
    let answer = ChatAnswer {
        model: None,
        choices: vec![Choice { parts, end }],
    };
    let mut renamed = Renamed::default();
    renamed.note("a.b", "a_b");
    serde_json::from_slice(&render::answer(&answer, usage, &made(), &renamed)).unwrap()
}

fn call(id: &'static str, name: &'static str, arguments: &'static str) -> Part<'static> {
    let (id, name, arguments) = (id.into(), name.into(), arguments.into());
    part(Kind::ToolCall(Call { id, name, arguments }))
}

#[test]
fn an_answer_is_read_without_what_is_the_providers_own() {
    let body = json!({
        "metrics": {"latencyMs": 5},
        "output": {"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
            {"reasoningContent": {"redactedContent": "ZA=="}},
            {"text": "so"},
            {"citationsContent": {"content": [{"text": "a"}, {"text": "b"}], "citations": []}},
            {"toolUse": {"toolUseId": "srv", "name": "nova_grounding", "input": {}, "type": "server_tool_use"}},
            {"toolResult": {"toolUseId": "srv", "content": []}},
            {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}, "type": "tool_use"}}
        ]}},
        "stopReason": "tool_use",
        "serviceTier": {"type": "flex"},
        "trace": {"promptRouter": {"invokedModelId": "arn:x"}},
        "usage": {"inputTokens": 10, "outputTokens": 4, "totalTokens": 124, "cacheReadInputTokens": 30,
            "cacheWriteInputTokens": 80, "cacheDetails": [{"ttl": "5m", "inputTokens": 50}, {"ttl": "1h", "inputTokens": 30}]}
    })
    .to_string();
    let read = answer::read(body.as_bytes()).unwrap();
    let kinds: Vec<_> = read.choices[0]
        .parts
        .iter()
        .map(|part| format!("{:?}", part.kind))
        .collect();
    assert_eq!(kinds.len(), 5, "{kinds:?}");
    assert!(kinds[3].contains("ab") && kinds[4].contains("t1"), "{kinds:?}");
    assert_eq!(read.choices[0].end.finish, Some(FinishReason::ToolCalls));
    let report = answer::report(body.as_bytes()).unwrap();
    let usage = report.usage.unwrap();
    assert_eq!(
        (
            usage.input,
            usage.cache_read,
            usage.cache_write,
            usage.cache_write_1h,
            usage.output
        ),
        (10, 30, 50, 30, 4)
    );
    assert_eq!(report.service_tier, ServiceTier::Flex);
    assert_eq!(report.model.as_deref(), Some("arn:x"));
    assert_eq!(report.output_bytes, 2 + 2 + 2 + 2 + 7);
    assert!(report.has_content && report.complete);
}

#[test]
fn each_end_is_understood() {
    for (word, expected) in [
        ("end_turn", FinishReason::Stop),
        ("tool_use", FinishReason::ToolCalls),
        ("max_tokens", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::Length),
        ("stop_sequence", FinishReason::StopSequence),
        ("guardrail_intervened", FinishReason::ContentFilter),
        ("content_filtered", FinishReason::ContentFilter),
        ("malformed_tool_use", FinishReason::Stop),
        ("malformed_model_output", FinishReason::Stop),
    ] {
        let body = json!({"output": {"message": {"content": []}}, "stopReason": word}).to_string();
        assert_eq!(
            answer::report(body.as_bytes()).unwrap().finish,
            Some(expected),
            "{word}"
        );
    }
}

#[test]
fn the_stop_sequence_and_the_guardrails_words_are_found() {
    let body = json!({"output": {"message": {"content": []}}, "stopReason": "stop_sequence",
        "additionalModelResponseFields": {"delta": {"stop_sequence": "|"}},
        "trace": {"guardrail": {"actionReason": "Guardrail blocked."}}})
    .to_string();
    let end = answer::read(body.as_bytes()).unwrap().choices.remove(0).end;
    assert_eq!(end.stop_sequence.as_deref(), Some("|"));
    assert_eq!(end.explanation.as_deref(), Some("Guardrail blocked."));
}

#[test]
fn an_error_in_place_of_an_answer_is_one_and_anything_else_is_malformed() {
    let report = answer::report(br#"{"__type":"ThrottlingException","message":"slow down"}"#).unwrap();
    let fault = report.error.unwrap();
    assert_eq!(
        (fault.class, &*fault.message),
        (OutcomeClass::RateLimited, "slow down")
    );
    for body in [
        &b"[]"[..],
        b"{}",
        br#"{"output":{}}"#,
        br#"{"output":{"message":{"content":"x"}}}"#,
    ] {
        assert!(answer::report(body).is_err() && answer::read(body).is_err());
    }
}

#[test]
fn an_answer_is_written_as_clients_read_it() {
    let usage = Usage {
        input: 1,
        cache_read: 2,
        cache_write: 3,
        cache_write_1h: 4,
        audio_input: 0,
        output: 5,
        reasoning: 6,
        audio_output: 0,
        units: tollgate_core::Units::default(),
        source: UsageSource::Reported,
    };
    let signed = Kind::Thinking {
        text: "hm".into(),
        signature: Some("c2ln".into()),
    };
    let bare = Kind::Thinking {
        text: "hm".into(),
        signature: None,
    };
    let parts = vec![
        part(signed),
        part(bare),
        part(Kind::RedactedThinking("ZA==".into())),
        part(Kind::RedactedThinking("no base64!".into())),
        part(Kind::Text(String::new().into())),
        part(Kind::Text("so".into())),
        call("", "a_b", ""),
        call("x", "g", "{\"cut"),
        call("x", "g", "{}"),
    ];
    let end = End {
        finish: Some(FinishReason::Stop),
        stop_sequence: Some("|".into()),
        explanation: None,
    };
    let out = rendered(parts, end, Some(&usage));
    let id = made().call_id("tooluse_", 0);
    let twice = made().call_id("tooluse_", 2);
    assert_eq!(
        out,
        json!({
            "output": {"message": {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
                {"reasoningContent": {"reasoningText": {"text": "hm"}}},
                {"reasoningContent": {"redactedContent": "ZA=="}},
                {"text": "so"},
                {"toolUse": {"toolUseId": id, "name": "a.b", "input": {}}},
                {"toolUse": {"toolUseId": "x", "name": "g", "input": {"invalid_arguments": "{\"cut"}}},
                {"toolUse": {"toolUseId": twice, "name": "g", "input": {}}}
            ]}},
            "stopReason": "tool_use",
            "usage": {"inputTokens": 1, "outputTokens": 11, "totalTokens": 21, "cacheReadInputTokens": 2, "cacheWriteInputTokens": 7,
                "cacheDetails": [{"ttl": "5m", "inputTokens": 3}, {"ttl": "1h", "inputTokens": 4}]},
            "metrics": {"latencyMs": 0},
            "additionalModelResponseFields": {"stop_sequence": "|"}
        })
    );
    assert!(
        id.len() <= 64
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    );
}

#[test]
fn a_refusal_is_text_that_was_filtered() {
    let out = rendered(vec![part(Kind::Refusal("no".into()))], End::default(), None);
    assert_eq!(out["output"]["message"]["content"], json!([{"text": "no"}]));
    assert_eq!(out["stopReason"], "content_filtered");
    assert_eq!(
        out["usage"],
        json!({"inputTokens": 0, "outputTokens": 0, "totalTokens": 0})
    );
}

#[test]
fn errors_have_a_message_and_a_type_by_their_status() {
    let words = ErrorWords {
        status: 429,
        kind: None,
        message: "slow \"down\"",
        param: None,
        code: None,
        request_id: None,
    };
    assert_eq!(error::body(&words), br#"{"message":"slow \"down\""}"#);
    for status in [400, 403, 404, 408, 424, 429, 500, 503] {
        assert_eq!(error::status_of(error::type_of(status)), Some(status));
    }
    assert_eq!(error::TYPE_HEADER, "x-amzn-errortype");
    assert_eq!(error::type_of(529), "ServiceUnavailableException");
    assert_eq!(error::type_of(422), "ValidationException");
    assert_eq!(
        error::status_of("ThrottlingException:http://internal.amazon.com/x"),
        Some(429)
    );
    assert_eq!(error::status_of("com.amazon#ValidationException"), Some(400));
    assert_eq!(error::status_of("Other"), None);
}

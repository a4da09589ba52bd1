//! Whole answers, read and written.

use serde_json::{Value, json};
use tollgate_core::{FinishReason, OutcomeClass, Usage};

use super::*;
use crate::chat::Kind;
use crate::cohere::{answer, error, render};
use crate::error_words::ErrorWords;

fn answered(fields: &Value) -> Vec<u8> {
    let mut body = json!({"id": "1", "finish_reason": "COMPLETE", "message": {"role": "assistant"}});
    let given = fields.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(given);
    bytes(&body)
}

/// The answer as a Cohere client sees it, through the canonical model.
fn rendered(body: &[u8]) -> Value {
    let report = answer::report(body).unwrap();
    let read = answer::read(body).unwrap();
    let out = render::answer(&read, report.usage.as_ref(), &made(), &Renamed::default());
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn what_an_answer_says_is_read_in_its_order() {
    let body = answered(&json!({"finish_reason": "TOOL_CALL", "message": {
        "role": "assistant", "tool_plan": "plan",
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "so"}, {"type": "new"}],
        "tool_calls": [
            {"id": "f_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
            {"id": "f_2", "type": "function", "function": {"name": "f"}}, {"id": "x"}],
        "citations": [{"text": "cited"}]}}));
    let read = answer::read(&body).unwrap();
    let choice = &read.choices[0];
    let said: Vec<String> = choice
        .parts
        .iter()
        .map(|part| match &part.kind {
            Kind::Thinking { text, .. } => format!("thinking {text}"),
            Kind::Text(text) => format!("text {text}"),
            Kind::ToolCall(call) => format!("{} {} {}", call.id, call.name, call.arguments),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        said,
        [
            "thinking plan",
            "thinking hm",
            "text so",
            "f_1 f {\"a\":1}",
            "f_2 f "
        ]
    );
    assert_eq!(choice.end.finish, Some(FinishReason::ToolCalls));
    let report = answer::report(&body).unwrap();
    assert!(report.complete && report.has_content);
    assert_eq!(report.output_bytes, 4 + 2 + 2 + 7);
}

#[test]
fn what_went_through_the_model_is_usage() {
    let report = |usage: Value| answer::report(&answered(&json!({"usage": usage}))).unwrap().usage;
    let both = json!({"billed_units": {"input_tokens": 83, "output_tokens": 109},
        "tokens": {"input_tokens": 379, "output_tokens": 164, "reasoning_tokens": 54}, "cached_tokens": 144});
    let expected = Usage {
        input: 235,
        cache_read: 144,
        output: 110,
        reasoning: 54,
        ..reported()
    };
    assert_eq!(report(both), Some(expected));
    let billed = json!({"billed_units": {"input_tokens": 83.0, "output_tokens": 9.0}, "cached_tokens": 1});
    assert_eq!(
        report(billed),
        Some(Usage {
            input: 83,
            output: 9,
            ..reported()
        })
    );
    assert_eq!(report(json!({})), None);
    let odd =
        json!({"tokens": {"input_tokens": 3, "output_tokens": 1, "reasoning_tokens": 5}, "cached_tokens": 9});
    assert_eq!(
        report(odd),
        Some(Usage {
            cache_read: 3,
            reasoning: 1,
            ..reported()
        })
    );
}

#[test]
fn what_is_charged_for_is_told_beside_it() {
    let usage = json!({"billed_units": {"input_tokens": 7, "output_tokens": 109}, "tokens": {"input_tokens": 69, "output_tokens": 110}});
    let report = answer::report(&answered(&json!({"usage": usage}))).unwrap();
    let billed = Usage {
        input: 7,
        output: 109,
        ..reported()
    };
    assert_eq!(report.billed, Some(billed));
    assert_eq!(report.usage.unwrap().input, 69);
}

#[test]
fn ends_are_told_apart() {
    for (word, expected) in [
        ("COMPLETE", Some(FinishReason::Stop)),
        ("STOP_SEQUENCE", Some(FinishReason::StopSequence)),
        ("MAX_TOKENS", Some(FinishReason::Length)),
        ("TOOL_CALL", Some(FinishReason::ToolCalls)),
        ("ERROR_TOXIC", Some(FinishReason::ContentFilter)),
        ("NEW_ONE", Some(FinishReason::Stop)),
        ("ERROR", None),
        ("TIMEOUT", None),
    ] {
        let body = answered(&json!({"finish_reason": word}));
        let report = answer::report(&body).unwrap();
        assert_eq!(report.finish, expected, "{word}");
        assert_eq!(report.error.is_some(), expected.is_none(), "{word}");
        assert_eq!(answer::read(&body).unwrap().choices[0].end.finish, expected);
        if expected.is_some() && word != "NEW_ONE" {
            assert_eq!(rendered(&body)["finish_reason"], word);
        }
    }
}

#[test]
fn an_error_in_place_of_an_answer_is_one() {
    let report = answer::report(br#"{"id":"1","message":"too many tokens"}"#).unwrap();
    let fault = report.error.unwrap();
    assert_eq!(
        (&*fault.message, fault.class),
        ("too many tokens", OutcomeClass::StreamError)
    );
    assert!(answer::report(b"{}").is_err() && answer::report(b"[]").is_err());
    assert!(answer::read(br#"{"message":"x"}"#).is_err());
}

#[test]
fn answers_come_out_as_they_went_in() {
    let body = answered(
        &json!({"finish_reason": "TOOL_CALL", "message": {"role": "assistant",
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "so"}],
        "tool_calls": [{"id": "f_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
        "usage": {"tokens": {"input_tokens": 5, "output_tokens": 4, "reasoning_tokens": 1}, "cached_tokens": 2}}),
    );
    let mut expected: Value = serde_json::from_slice(&body).unwrap();
    expected["id"] = json!(made().message_id());
    expected["usage"]["billed_units"] = json!({"input_tokens": 5, "output_tokens": 4});
    assert_eq!(rendered(&body), expected);
}

#[test]
fn answers_of_others_always_have_content_or_calls_with_ids() {
    let openai = |message: Value, finish: &str| {
        let body = bytes(&json!({"choices": [{"index": 0, "message": message, "finish_reason": finish}]}));
        let read = crate::openai::answer::read(&body).unwrap();
        let out = render::answer(&read, None, &made(), &Renamed::default());
        serde_json::from_slice::<Value>(&out).unwrap()
    };
    let empty = openai(json!({"role": "assistant", "content": ""}), "length");
    assert_eq!(
        empty["message"],
        json!({"role": "assistant", "content": [{"type": "text", "text": ""}]})
    );
    assert_eq!(empty["finish_reason"], "MAX_TOKENS");
    let refusal = openai(json!({"content": null, "refusal": "no"}), "stop");
    assert_eq!(
        refusal["message"]["content"],
        json!([{"type": "text", "text": "no"}])
    );
    assert_eq!(refusal["finish_reason"], "ERROR_TOXIC");
    let call = json!({"type": "function", "function": {"name": "f", "arguments": ""}});
    let calls = openai(json!({"content": null, "tool_calls": [call, call]}), "stop");
    let calls = (
        &calls["finish_reason"],
        &calls["message"]["tool_calls"],
        calls["message"].get("content"),
    );
    assert_eq!((calls.0, calls.2), (&json!("TOOL_CALL"), None));
    assert_ne!(calls.1[0]["id"], calls.1[1]["id"]);
    assert_eq!(calls.1[0]["function"]["arguments"], "{}");
}

#[test]
fn errors_have_cohere_s_shape() {
    let words = ErrorWords {
        status: 429,
        kind: None,
        message: "slow\ndown",
        param: None,
        code: Some("rate_limited"),
        request_id: Some("req_1"),
    };
    let body = error::body(&words);
    let told: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        told,
        json!({"id": "req_1", "message": "slow\ndown", "error_type": "rate_limited"})
    );
    let event = String::from_utf8(error::event(&body)).unwrap();
    let data = event.strip_prefix("event: message-end\ndata: ").unwrap();
    let data: Value = serde_json::from_str(data.strip_suffix("\n\ndata: [DONE]\n\n").unwrap()).unwrap();
    assert_eq!(
        data,
        json!({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "slow\ndown"},
        "id": "req_1", "message": "slow\ndown", "error_type": "rate_limited"})
    );
}

//! Through the canonical model and back into the same dialect: nothing is lost that is not named. And whatever
//! bytes arrive, no reader panics.

mod carried;
mod crossing;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use tollgate_core::ProviderKind;

use super::*;
use crate::report::StreamEnd;
use crate::testing::{egress, object, words};

fn there_and_back(surface: Surface, kind: ProviderKind, model: &str, body: &Value) -> (Value, Vec<String>) {
    let bytes = serde_json::to_vec(body).unwrap();
    let (out, loss, _) = request(surface, None, &bytes, &egress(kind, model)).unwrap();
    let named = crate::testing::named(&loss);
    (serde_json::from_slice(&out).unwrap(), named)
}

fn schema() -> impl Strategy<Value = Value> {
    words().prop_map(|text| json!({"type": "object", "properties": {"a": {"description": text}}}))
}

/// A part of a user's message in OpenAI's dialect.
fn openai_part() -> impl Strategy<Value = Value> {
    prop_oneof![
        words().prop_map(|text| json!({"type": "text", "text": text})),
        "[a-z]{1,8}".prop_map(|path| json!({"type": "image_url", "image_url": {"url": format!("https://x/{path}"), "detail": "high"}})),
        Just(json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}})),
        Just(json!({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}})),
        Just(json!({"type": "file", "file": {"file_id": "f-1"}})),
        Just(json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}})),
        words().prop_map(|text| json!({"type": "new_thing", "what": text})),
        words().prop_map(|text| json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral"}, "mark": 1})),
    ]
}

fn openai_round() -> impl Strategy<Value = Vec<Value>> {
    (vec(openai_part(), 2..4), words(), 0..3_usize, words()).prop_map(|(parts, said, calls, result)| {
        let mut round = vec![json!({"role": "user", "content": parts, "extra_field": 1})];
        let list: Vec<_> = (0..calls)
            .map(|call| {
                json!({"id": format!("call_{call}"), "type": "function",
                "function": {"name": "f", "arguments": json!({"a": said}).to_string()}})
            })
            .collect();
        if list.is_empty() {
            round.push(json!({"role": "assistant", "content": said}));
        } else {
            round.push(
                json!({"role": "assistant", "content": said, "reasoning_content": "hm", "tool_calls": list}),
            );
        }
        for call in 0..calls {
            let id = format!("call_{call}");
            round.push(json!({"role": "tool", "tool_call_id": id, "content": result}));
        }
        if calls > 0 {
            round.push(json!({"role": "assistant", "content": result}));
        }
        round
    })
}

prop_compose! {
    fn openai_request()(
        system in proptest::option::of(words()),
        rounds in vec(openai_round(), 1..4),
        temperature in proptest::option::of(0..200_u32),
        limit in proptest::option::of(1..9999_u64),
        stop in proptest::option::of(vec(words(), 1..3)),
        seed in proptest::option::of(any::<i32>()),
        effort in proptest::option::of("low|medium|high"),
        parameters in schema(),
        has_tools: bool,
        stream: bool,
    ) -> Value {
        let mut messages: Vec<Value> = system.into_iter().map(|text| json!({"role": "developer", "content": text})).collect();
        messages.extend(rounds.into_iter().flatten());
        let tool = json!({"type": "function", "function": {"name": "f", "description": "d", "parameters": parameters, "strict": false}});
        object(vec![
            ("model", Some(json!("m"))),
            ("messages", Some(json!(messages))),
            ("temperature", temperature.map(|percent| Value::from(f64::from(percent) / 100.0))),
            ("max_completion_tokens", limit.map(Value::from)),
            ("stop", stop.map(Value::from)),
            ("seed", seed.map(Value::from)),
            ("reasoning_effort", effort.map(Value::from)),
            ("tools", has_tools.then(|| json!([tool]))),
            ("tool_choice", has_tools.then(|| json!("required"))),
            ("parallel_tool_calls", has_tools.then(|| json!(false))),
            ("response_format", stream.then(|| json!({"type": "json_schema", "json_schema": {"name": "n", "schema": parameters, "strict": true}}))),
            ("user", Some(json!("u"))),
            ("logit_bias", Some(json!({"1": 2}))),
            ("stream", stream.then_some(Value::Bool(true))),
            ("stream_options", stream.then(|| json!({"include_usage": true}))),
        ])
    }
}

fn anthropic_block() -> impl Strategy<Value = Value> {
    prop_oneof![
        words().prop_map(|text| json!({"type": "text", "text": text})),
        words().prop_map(
            |text| json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": "1h"}})
        ),
        Just(
            json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}})
        ),
        Just(json!({"type": "image", "source": {"type": "file", "file_id": "f"}})),
        Just(
            json!({"type": "document", "source": {"type": "url", "url": "https://x/a.pdf"}, "title": "t", "citations": {"enabled": true}})
        ),
        words().prop_map(|text| json!({"type": "search_result", "source": text})),
    ]
}

fn anthropic_round() -> impl Strategy<Value = Vec<Value>> {
    (vec(anthropic_block(), 2..4), words(), 0..3_usize).prop_map(|(blocks, said, calls)| {
        let mut content = vec![
            json!({"type": "thinking", "thinking": said, "signature": "c2ln"}),
            json!({"type": "redacted_thinking", "data": "ZA=="}),
            json!({"type": "text", "text": said}),
        ];
        let ids: Vec<_> = (0..calls).map(|call| format!("toolu_{call}")).collect();
        content.extend(
            ids.iter()
                .map(|id| json!({"type": "tool_use", "id": id, "name": "f", "input": {"a": said}})),
        );
        let mut answers: Vec<_> = ids
            .iter()
            .map(|id| json!({"type": "tool_result", "tool_use_id": id, "content": said, "is_error": true}))
            .collect();
        answers.extend(blocks.iter().cloned());
        vec![
            json!({"role": "user", "content": blocks}),
            json!({"role": "assistant", "content": content}),
            json!({"role": "user", "content": answers}),
            json!({"role": "assistant", "content": said}),
        ]
    })
}

prop_compose! {
    fn anthropic_request()(
        system in proptest::option::of(words()),
        rounds in vec(anthropic_round(), 1..4),
        temperature in proptest::option::of(0..100_u32),
        stop in proptest::option::of(vec(words(), 1..3)),
        input_schema in schema(),
        tier in proptest::option::of("auto|standard_only"),
        stream: bool,
        has_format: bool,
    ) -> Value {
        object(vec![
            ("model", Some(json!("claude-sonnet-4-5"))),
            ("max_tokens", Some(json!(777))),
            ("system", system.map(Value::from)),
            ("messages", Some(json!(rounds.into_iter().flatten().collect::<Vec<_>>()))),
            ("temperature", temperature.map(|percent| Value::from(f64::from(percent) / 100.0))),
            ("stop_sequences", stop.map(Value::from)),
            ("tools", Some(json!([{"name": "f", "description": "d", "input_schema": input_schema}, {"type": "web_search_1", "name": "w"}]))),
            ("tool_choice", Some(json!({"type": "auto", "disable_parallel_tool_use": true}))),
            ("output_config", has_format.then(|| json!({"format": {"type": "json_schema", "schema": input_schema}}))),
            ("metadata", Some(json!({"user_id": "u"}))),
            ("service_tier", tier.map(Value::from)),
            ("container", Some(json!("c"))),
            ("stream", stream.then_some(Value::Bool(true))),
        ])
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn openai_comes_back_as_it_went(body in openai_request()) {
        let (out, lost) = there_and_back(Surface::ChatCompletions, ProviderKind::OpenAi, "m", &body);
        prop_assert_eq!(lost, Vec::<String>::new());
        prop_assert_eq!(out, body);
    }

    #[test]
    fn anthropic_comes_back_as_it_went(body in anthropic_request()) {
        let (out, lost) = there_and_back(Surface::Messages, ProviderKind::Anthropic, "claude-sonnet-4-5", &body);
        prop_assert_eq!(lost, Vec::<String>::new());
        prop_assert_eq!(out, body);
    }

    #[test]
    fn any_bytes_are_a_request_or_a_refusal(bytes: Vec<u8>, json in "[{}\\[\\]\":,a-z0-9\\\\ ]{0,200}") {
        for body in [&bytes[..], json.as_bytes()] {
            let _ = request(Surface::ChatCompletions, None, body, &egress(ProviderKind::Anthropic, "m"));
            let _ = request(Surface::Messages, None, body, &egress(ProviderKind::OpenAi, "m"));
        }
    }

    /// Requests of the right form with something wrong in one place.
    #[test]
    fn requests_that_are_broken_somewhere_do_no_harm(
        body in openai_request(), other in anthropic_request(), place: prop::sample::Index, with: prop::sample::Index,
    ) {
        for (surface, kind, body) in [
            (Surface::ChatCompletions, ProviderKind::Anthropic, body),
            (Surface::Messages, ProviderKind::Mistral, other),
        ] {
            let mut bytes = serde_json::to_vec(&body).unwrap();
            let at = place.index(bytes.len());
            bytes[at] = b"\"{}[]:,0nx\xff\\"[with.index(12)];
            let _ = request(surface, None, &bytes, &egress(kind, "m"));
        }
    }

    #[test]
    fn any_bytes_are_an_answer_or_malformed(bytes: Vec<u8>, json in "[{}\\[\\]\":,a-z0-9\\\\ ]{0,200}") {
        for body in [bytes, json.into_bytes()] {
            for way in ways() {
                let _ = way.answer(&body.clone().into());
            }
        }
    }

    /// Whatever a provider streams, the client's stream ends, and does not depend on how it was cut.
    #[test]
    fn any_stream_ends_and_is_the_same_in_all_chunks(
        lines in vec(prop_oneof![event_line(), "data: [ -~]{0,30}", Just(String::new())], 0..30),
        size in 1..50_usize,
    ) {
        let body = lines.join("\n") + "\n\n";
        for way in ways() {
            let told = |size: usize| {
                let (mut stream, mut out) = (way.clone().stream(), Vec::new());
                body.as_bytes().chunks(size).for_each(|chunk| stream.push(chunk, &mut out));
                stream.finish(StreamEnd::Eof, &mut out);
                out.concat()
            };
            let whole = told(body.len());
            prop_assert_eq!(&told(size), &whole);
            let text = String::from_utf8(whole).unwrap();
            let has_ended = text.ends_with("data: [DONE]\n\n") || text.contains("message_stop") || text.contains("event: error");
            prop_assert!(has_ended, "{}", text);
        }
    }
}

/// Events that mean something, in any order.
fn event_line() -> impl Strategy<Value = String> {
    let delta = |delta: Value| json!({"choices": [{"index": 0, "delta": delta}]});
    let lines = [
        delta(json!({"content": "x\u{1f50e}"})),
        delta(json!({"reasoning": "hm"})),
        delta(json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}}]})),
        delta(json!({"tool_calls": [{"index": 1, "function": {"name": "g", "arguments": "}"}}]})),
        delta(json!({"tool_calls": [{"id": "b", "function": {"arguments": {"a": 1}}}, {}]})),
        json!({"choices": [{"finish_reason": "stop"}]}),
        json!({"error": {"message": "no"}}),
        json!({"type": "message_start", "message": {"model": "m"}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "a"}}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "a", "name": "f"}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "a"}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "a"}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}),
        json!({"type": "message_stop"}),
        json!({"type": "error", "error": {"message": "no"}}),
    ];
    prop::sample::select(lines.map(|line| format!("data: {line}\n")).to_vec())
}

/// A translation in each direction.
fn ways() -> [Translation; 2] {
    let body = br#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#;
    let way = |surface, kind| request(surface, None, body, &egress(kind, "m")).unwrap().2;
    [
        way(Surface::ChatCompletions, ProviderKind::Anthropic),
        way(Surface::Messages, ProviderKind::OpenAi),
    ]
}

#[test]
fn nesting_as_deep_as_a_body_can_be_overflows_no_stack() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"text","text":"x","y":{deep}}}]}}],
        "tools":[{{"type":"function","function":{{"name":"f","parameters":{{"type":"object","x":{deep}}}}}}}]}}"#
    );
    let sent = request(
        Surface::ChatCompletions,
        None,
        body.as_bytes(),
        &egress(ProviderKind::Anthropic, "m"),
    );
    assert!(sent.is_ok());
}

#[test]
fn a_thousand_calls_are_answered_in_no_time() {
    let calls: Vec<_> = (0..20_000)
        .map(|call| json!({"id": format!("c{call}"), "type": "function", "function": {"name": "f", "arguments": "{}"}}))
        .collect();
    let body = json!({"model": "m", "messages": [{"role": "assistant", "tool_calls": calls}]});
    let (sent, _) = there_and_back(Surface::ChatCompletions, ProviderKind::Anthropic, "m", &body);
    assert_eq!(sent["messages"][2]["content"].as_array().unwrap().len(), 20_000);
}

//! Custom tools: functions to those who know no others, and custom tools again to the client.
//!
//! The answers are those of `answers`, as if both tools had been asked with `input`: one of them is custom.

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_adapters::Encoded;
use tollgate_core::{Dialect, ProviderKind, Surface};

use crate::said::assembled;
use crate::support::{PROVIDERS, events, fixture, framed, hello, send, streamed};

/// Clients that have custom tools, and kinds of provider that have not.
fn pairs() -> Vec<(Surface, ProviderKind)> {
    let others = PROVIDERS.into_iter().skip(2).map(|(kind, _)| kind);
    let of_chat = others.clone().chain([ProviderKind::Mistral]);
    let of_chat = of_chat.map(|kind| (Surface::ChatCompletions, kind));
    let of_responses = others.chain([ProviderKind::Vllm]);
    let of_responses = of_responses.map(|kind| (Surface::Responses, kind));
    of_chat.chain(of_responses).collect()
}

fn asked(client: Surface, kind: ProviderKind, stream: bool) -> Encoded {
    let mut body = hello(client);
    body["tools"] = match client {
        Surface::Responses => json!([{"type": "custom", "name": "weather"},
            {"type": "function", "name": "forecast", "parameters": {"type": "object"}}]),
        _ => json!([{"type": "custom", "custom": {"name": "weather"}},
            {"type": "function", "function": {"name": "forecast", "parameters": {"type": "object"}}}]),
    };
    let sent = send(client, stream, &body, kind, "there").unwrap();
    assert!(sent.loss.is_empty(), "{client:?} to {kind}: {}", sent.loss);
    sent
}

/// What is told of calls in `what`, with both tools called with the argument `input`.
fn called(what: &str, kind: ProviderKind, client: Surface) -> Value {
    let told = fixture(what, kind.dialect_for(client))["calls"].to_string();
    serde_json::from_str(&told.replace("city", "input")).unwrap()
}

/// The calls that a client is told of: what they are, whom they call, and with what.
fn calls(dialect: Dialect, answer: &Value) -> Vec<[String; 3]> {
    let list = match dialect {
        Dialect::Responses => &answer["output"],
        _ => &answer["choices"][0]["message"]["tool_calls"],
    };
    let of = |call: &Value, fields: [&str; 3]| {
        fields.map(|field| call.pointer(field).and_then(Value::as_str).unwrap().to_owned())
    };
    let call = |call: &Value| match call["type"].as_str().unwrap() {
        "custom" => Some(of(call, ["/type", "/custom/name", "/custom/input"])),
        "function" => Some(of(call, ["/type", "/function/name", "/function/arguments"])),
        "custom_tool_call" => Some(of(call, ["/type", "/name", "/input"])),
        "function_call" => Some(of(call, ["/type", "/name", "/arguments"])),
        _ => None,
    };
    list.as_array().unwrap().iter().filter_map(call).collect()
}

fn check(client: Surface, answer: &Value, context: &str) {
    let kinds = match client {
        Surface::Responses => ["custom_tool_call", "function_call"],
        _ => ["custom", "function"],
    };
    let found = calls(client.dialect(), answer);
    assert_eq!(found[0], [kinds[0], "weather", "Rome"], "{context}");
    assert_eq!(found[1][..2], [kinds[1], "forecast"], "{context}");
    let arguments: Value = serde_json::from_str(&found[1][2]).unwrap();
    assert_eq!(arguments, json!({"input": "Oslo"}), "{context}");
}

#[test]
fn a_call_comes_back_as_one_of_a_custom_tool() {
    for (client, kind) in pairs() {
        let body = Bytes::from(called("answers", kind, client).to_string());
        let told = asked(client, kind, false).reader.read(body).unwrap();
        let told = serde_json::from_slice(&told.body).unwrap();
        check(client, &told, &format!("{client:?} to {kind}"));
    }
}

#[test]
fn a_streamed_call_comes_back_as_one_of_a_custom_tool_however_it_is_cut() {
    for (client, kind) in pairs() {
        let body = framed(kind.dialect_for(client), &called("streams", kind, client));
        let context = format!("{client:?} to {kind}");
        let (told, report) = streamed(asked(client, kind, true), &body, body.len());
        assert!(report.complete && report.error.is_none(), "{context}");
        for size in [1, 7, 100] {
            let (again, _) = streamed(asked(client, kind, true), &body, size);
            assert_eq!(again, told, "{context}: in chunks of {size}");
        }
        let events = events(client.dialect(), &told);
        check(client, &assembled(client.dialect(), &events), &context);
        if client == Surface::Responses {
            check_events(&events, &context);
        }
    }
}

/// The text in pieces and whole, in the events of its own.
fn check_events(events: &[(String, Value)], context: &str) {
    let named = |wanted: &'static str| {
        let named = events.iter().filter(move |(name, _)| name == wanted);
        named.map(|(_, data)| data)
    };
    let text = |data: &Value, name: &str| data[name].as_str().unwrap().to_owned();
    let deltas = named("response.custom_tool_call_input.delta");
    assert_eq!(
        deltas.map(|data| text(data, "delta")).collect::<String>(),
        "Rome",
        "{context}"
    );
    let done: Vec<_> = named("response.custom_tool_call_input.done").collect();
    assert_eq!((done.len(), &*text(done[0], "input")), (1, "Rome"), "{context}");
    let added = named("response.output_item.added");
    let added = added.filter(|data| data["item"]["type"] == "custom_tool_call");
    let items: Vec<_> = added.map(|data| text(&data["item"], "id")).collect();
    assert_eq!(items, [text(done[0], "item_id")], "{context}");
}

/// What OpenAI itself answers, which knows custom tools.
fn native() -> Value {
    json!({"type": "custom_tool_call", "id": "ctc_1", "call_id": "c1", "name": "weather", "input": "in \"Rome\"\n🦀",
        "status": "completed"})
}

#[test]
fn where_they_are_known_custom_tools_stay_what_they_are() {
    let kind = ProviderKind::OpenAiResponses;
    let client = Surface::ChatCompletions;
    let sent = asked(client, kind, false);
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(body["tools"][0], json!({"type": "custom", "name": "weather"}));
    let answer =
        json!({"id": "r", "object": "response", "status": "completed", "model": "m", "output": [native()]});
    let told = sent.reader.read(Bytes::from(answer.to_string())).unwrap();
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!(
        told["choices"][0]["message"]["tool_calls"],
        json!([{"id": "c1", "type": "custom", "custom": {"name": "weather", "input": "in \"Rome\"\n🦀"}}])
    );
    assert_eq!(told["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn where_they_are_known_they_stream_with_or_without_pieces() {
    let mut begun = native();
    begun["input"] = "".into();
    begun["status"] = "in_progress".into();
    let delta = |text: &str| {
        json!(["response.custom_tool_call_input.delta",
        {"type": "response.custom_tool_call_input.delta", "output_index": 0, "item_id": "ctc_1", "delta": text}])
    };
    let added = json!(["response.output_item.added",
        {"type": "response.output_item.added", "output_index": 0, "item": begun}]);
    let done = json!(["response.output_item.done",
        {"type": "response.output_item.done", "output_index": 0, "item": native()}]);
    let completed = json!(["response.completed", {"type": "response.completed",
        "response": {"id": "r", "status": "completed", "model": "m", "output": [native()]}}]);
    let in_pieces = json!([added, delta("in \"Ro"), delta("me\"\n🦀"), done, completed]);
    let at_once = json!([added, done, completed]);
    let at_the_end = json!([completed]);
    for stream in [in_pieces, at_once, at_the_end] {
        let body = framed(Dialect::Responses, &stream);
        let sent = asked(Surface::ChatCompletions, ProviderKind::OpenAiResponses, true);
        let (told, _) = streamed(sent, &body, body.len());
        let whole = assembled(Dialect::OpenAi, &events(Dialect::OpenAi, &told));
        assert_eq!(
            calls(Dialect::OpenAi, &whole),
            [["custom", "weather", "in \"Rome\"\n🦀"].map(str::to_owned)],
            "{stream}"
        );
        assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    }
}

//! Requests of this dialect, as they are understood.

use serde_json::json;
use tollgate_core::{Dialect, RefusalKind};

use super::*;
use crate::chat::media::Source;
use crate::chat::{Kind, Output, Role, ToolChoice, ToolKind};

fn refused(body: &Value) -> (RefusalKind, String) {
    let refusal = decode::request(body.to_string().as_bytes()).unwrap_err();
    (refusal.kind, refusal.param.unwrap_or_default().into_owned())
}

#[test]
fn a_string_is_what_the_user_says() {
    let body = json!({"model": "m", "instructions": "be brief", "input": "hi"}).to_string();
    let request = decode::request(body.as_bytes()).unwrap();
    let said: Vec<_> = request
        .turns
        .iter()
        .map(|turn| (turn.role, turn.at.as_str(), &turn.parts[0].kind))
        .collect();
    assert_eq!(
        said[0],
        (Role::System, "instructions", &Kind::Text("be brief".into()))
    );
    assert_eq!(said[1], (Role::User, "input", &Kind::Text("hi".into())));
    assert_eq!(request.origin, Dialect::Responses);
}

#[test]
fn every_item_has_its_turn() {
    let body = json!({"model": "m", "input": [
        {"role": "developer", "content": "d"},
        {"role": "user", "content": [
            {"type": "input_text", "text": "look", "prompt_cache_breakpoint": {"mode": "explicit"}},
            {"type": "input_image", "image_url": "data:image/PNG;base64,AAAA", "detail": "auto"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "JVBE"},
            {"type": "input_file", "file_url": "https://x/y.pdf"},
            {"type": "input_new"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"},
            {"type": "summary_text", "text": "b"}], "encrypted_content": "gAAA"},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{\"x\":1}",
            "status": "completed"},
        {"type": "function_call_output", "call_id": "call_1", "output": "42"},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "so", "annotations": []}, {"type": "refusal", "refusal": "no"}]},
        {"type": "web_search_call", "id": "ws_1"},
    ]})
    .to_string();
    let request = decode::request(body.as_bytes()).unwrap();
    let kinds = |index: usize| -> Vec<_> {
        let parts = request.turns[index].parts.iter();
        parts.map(|part| part.kind.clone()).collect()
    };
    assert_eq!(request.turns[0].role, Role::Developer);
    assert!(request.turns[1].parts[0].cache.is_some());
    let user = kinds(1);
    assert!(
        matches!(&user[1], Kind::Image { source: Source::Base64 { media_type, .. }, detail: None } if media_type == "image/png")
    );
    assert!(
        matches!(&user[2], Kind::Document { source: Source::Base64 { media_type, .. }, .. } if media_type == "application/pdf")
    );
    assert!(matches!(
        &user[3],
        Kind::Document {
            source: Source::Url(_),
            ..
        }
    ));
    assert!(matches!(&user[4], Kind::Opaque(_)));
    let thoughts = &request.turns[2].parts[0];
    assert!(matches!(&thoughts.kind, Kind::Thinking { text, signature: None } if text == "a\n\nb"));
    assert_eq!(thoughts.state.as_ref().unwrap().of, Dialect::Responses);
    assert!(
        matches!(&kinds(3)[0], Kind::ToolCall(call) if call.id == "call_1" && call.arguments == "{\"x\":1}")
    );
    assert!(matches!(&kinds(4)[0], Kind::ToolResult { id, .. } if id == "call_1"));
    assert_eq!(kinds(5).len(), 2);
    assert!(request.turns[5].extra.is_empty());
    assert!(matches!(&kinds(6)[0], Kind::Opaque(_)));
    assert_eq!(request.turns[6].parts[0].at, "input[6]");
}

#[test]
fn settings_are_understood_and_others_kept() {
    let body = json!({"model": "m", "input": "x", "max_output_tokens": 9, "temperature": 0.5, "top_p": 0.9,
        "parallel_tool_calls": false, "reasoning": {"effort": "low", "summary": "auto"}, "stream": true,
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": true},
            "verbosity": "low"},
        "include": ["reasoning.encrypted_content"], "store": false, "truncation": "disabled", "user": "u",
        "prompt_cache_key": "k", "metadata": {"a": "b"}, "service_tier": "flex", "previous_response_id": null})
    .to_string();
    let request = decode::request(body.as_bytes()).unwrap();
    assert_eq!(request.sampling.max_output_tokens.unwrap().value, 9);
    assert_eq!(request.reasoning.effort.unwrap().value, "low");
    assert!(matches!(
        request.output.unwrap().value,
        Output::JsonSchema {
            strict: Some(true),
            ..
        }
    ));
    assert!(request.stream && request.include_usage);
    assert_eq!(request.user.unwrap().at, "user");
    let mut extra: Vec<_> = request.extra.iter().map(|(name, _)| &**name).collect();
    extra.sort_unstable();
    assert_eq!(extra, ["metadata", "prompt_cache_key", "text.verbosity"]);
}

#[test]
fn tools_are_functions_or_the_providers_own() {
    let tools = json!([{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": null},
        {"type": "function", "name": "g"}, {"type": "web_search"}, {"type": "custom", "name": "c"}]);
    let read = |choice: Value| {
        let body = json!({"model": "m", "input": "x", "tools": tools, "tool_choice": choice}).to_string();
        let request = decode::request(body.as_bytes()).unwrap();
        let kinds = request.tools.iter().map(|tool| match &tool.kind {
            ToolKind::Function(function) => function.name.to_string(),
            ToolKind::Opaque(_) => "own".to_owned(),
        });
        let choice = request.tool_choice.map(|choice| match choice.value {
            ToolChoice::Tool(name) => name.into_owned(),
            other => format!("{other:?}"),
        });
        (kinds.collect::<Vec<_>>(), choice)
    };
    assert_eq!(
        read(Value::Null),
        (vec!["f".into(), "g".into(), "own".into(), "c".into()], None)
    );
    assert_eq!(read(json!("required")).1, Some("Required".to_owned()));
    assert_eq!(
        read(json!({"type": "function", "name": "g"})).1,
        Some("g".to_owned())
    );
    let allowed = json!({"type": "allowed_tools", "mode": "required",
        "tools": [{"type": "function", "name": "g"}, {"type": "web_search"}]});
    assert_eq!(
        read(allowed),
        (vec!["g".into(), "own".into()], Some("Required".to_owned()))
    );
    let custom = json!({"type": "custom", "name": "c"});
    assert_eq!(read(custom.clone()).1, Some("c".to_owned()));
    let allowed = json!({"type": "allowed_tools", "mode": "auto", "tools": [custom, {"type": "function", "name": "c"}]});
    assert_eq!(read(allowed), (vec!["c".into()], Some("Auto".to_owned())));
}

#[test]
fn what_needs_the_provider_itself_is_refused() {
    let with = |name: &str, value: Value| {
        let mut body = json!({"model": "m", "input": "x", "tools": [{"type": "web_search"}]});
        body[name] = value;
        refused(&body)
    };
    let refusal = |at: &str| (RefusalKind::NotTranslatable, at.to_owned());
    for (name, value) in [
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!({"id": "conv_1"})),
        ("prompt", json!({"id": "pmpt_1"})),
        ("background", json!(true)),
        ("tool_choice", json!({"type": "web_search"})),
        ("tool_choice", json!("required")),
    ] {
        assert_eq!(with(name, value), refusal(name));
    }
    assert_eq!(
        with("input", json!([{"type": "item_reference", "id": "rs_1"}])),
        refusal("input[0]")
    );
    assert_eq!(
        with("input", json!([{"type": "compaction", "encrypted_content": "x"}])),
        refusal("input[0]")
    );
}

#[test]
fn wrong_types_are_refused_with_their_paths() {
    let at = |body: Value| {
        let (kind, at) = refused(&body);
        assert_eq!(kind, RefusalKind::InvalidField, "{body}");
        at
    };
    assert_eq!(at(json!({"model": "m"})), "input");
    assert_eq!(at(json!({"input": []})), "input");
    assert_eq!(at(json!({"input": 7})), "input");
    assert_eq!(at(json!({"input": ["x"]})), "input[0]");
    assert_eq!(
        at(json!({"input": [{"role": "tool", "content": "x"}]})),
        "input[0].role"
    );
    assert_eq!(at(json!({"input": [{"role": "user"}]})), "input[0].content");
    assert_eq!(
        at(json!({"input": [{"role": "user", "content": [{"type": "input_text"}]}]})),
        "input[0].content[0].text"
    );
    assert_eq!(
        at(json!({"input": [{"type": "function_call", "name": "f"}]})),
        "input[0].call_id"
    );
    assert_eq!(
        at(json!({"input": "x", "text": {"format": {"type": "xml"}}})),
        "text.format.type"
    );
    assert_eq!(at(json!({"input": "x", "tool_choice": "any"})), "tool_choice");
}

#[test]
fn what_other_providers_gave_comes_back_in_reasoning_items() {
    let item = |carried: String| json!({"type": "reasoning", "summary": [], "encrypted_content": carried});
    let state = crate::chat::State {
        of: Dialect::Gemini,
        data: "sig\"1".into(),
    };
    let mut signed = item(carried::signature("proof"));
    signed["summary"] = json!([{"type": "summary_text", "text": "hm"}]);
    let body = json!({"model": "m", "input": [
        {"role": "user", "content": "x"},
        signed,
        item(carried::redacted("secret")),
        item(carried::state(&state, Some("call_2"))),
        {"role": "assistant", "content": "text"},
        item(carried::state(&state, None)),
        {"type": "function_call", "call_id": "call_2", "name": "f", "arguments": ""},
        item(carried::state(&state, Some("call_9"))),
    ]})
    .to_string();
    let request = decode::request(body.as_bytes()).unwrap();
    let part = |index: usize| &request.turns[index].parts[0];
    assert!(
        matches!(&part(1).kind, Kind::Thinking { text, signature: Some(proof) } if text == "hm" && proof == "proof")
    );
    assert!(matches!(&part(2).kind, Kind::RedactedThinking(data) if data == "secret"));
    assert_eq!(part(3).state.as_ref(), Some(&state));
    assert_eq!(part(4).state.as_ref(), Some(&state));
    assert!(matches!(&part(4).kind, Kind::ToolCall(_)));
    // Its call is gone: it is there to be named.
    assert_eq!(part(5).at, "input[7]");
    assert_eq!(part(5).state.as_ref(), Some(&state));
}

#[test]
fn what_was_made_here_is_not_sent_to_the_provider_itself() {
    let carried = carried::signature("proof");
    let body = json!({"model": "m", "input": [
        {"role": "user", "content": "tollgate: rs_tollgate_"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        {"type": "reasoning", "summary": [], "encrypted_content": carried},
        {"type": "reasoning", "id": "rs_tollgate_1", "summary": []}], "store": false});
    let mut loss = Loss::default();
    let left = carried::without_carried(body.to_string().as_bytes(), &mut loss).unwrap();
    let mut expected = body;
    expected["input"].as_array_mut().unwrap().truncate(2);
    assert_eq!(serde_json::from_slice::<Value>(&left).unwrap(), expected);
    assert_eq!(loss.to_string(), "input[2], input[3]");
    assert_eq!(carried::without_carried(&left, &mut loss), None);
    for other in ["tollgate", "{\"input\":\"tollgate\"}", "{}"] {
        assert_eq!(carried::without_carried(other.as_bytes(), &mut loss), None);
    }
}

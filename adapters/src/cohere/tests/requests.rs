//! Requests, read and written.

use serde_json::{Value, json};

use super::*;

const ONE: &str = "command-a-03-2025";
const THINKER: &str = "command-a-reasoning-08-2025";

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

fn asked(fields: &Value) -> Value {
    let mut body = json!({"model": "m", "messages": [user("hi")]});
    let given = fields.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(given);
    body
}

fn tool(name: &str, schema: &Value) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": schema}})
}

#[test]
fn a_request_of_this_dialect_comes_out_as_it_went_in() {
    let body = json!({
        "model": "command-a",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [
                {"type": "text", "text": "what is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO", "detail": "low"}}]},
            {"role": "assistant", "tool_plan": "I will look.", "tool_calls": [
                {"id": "look_1", "type": "function", "function": {"name": "look-up", "arguments": "{\"q\":1}"}}]},
            {"role": "tool", "tool_call_id": "look_1", "content": [
                {"type": "document", "document": {"data": {"text": "a cat"}, "id": "d1"}},
                {"type": "text", "text": "sure"}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "a cat it is"}, {"type": "text", "text": "A cat."}],
                "citations": [{"start": 0, "end": 2}]},
            {"role": "user", "content": "thanks"}],
        "documents": ["plain", {"data": {"text": "x"}, "id": "1"}, {"data": "words"}],
        "tools": [tool("look-up", &json!({"type": "object", "properties": {"q": {"type": "integer"}}}))],
        "strict_tools": true, "tool_choice": "REQUIRED",
        "response_format": {"type": "json_object", "json_schema": {"type": "object"}},
        "max_tokens": 9, "stop_sequences": ["a", "b"], "temperature": 0.5, "seed": 4, "frequency_penalty": 0.25,
        "presence_penalty": 0.5, "k": 3, "p": 0.5, "logprobs": true,
        "thinking": {"type": "enabled", "token_budget": 100}, "stream": true, "safety_mode": "STRICT",
        "citation_options": {"mode": "FAST"}, "priority": 3
    });
    let (sent, loss) = there_and_back(&body);
    assert_eq!(sent, body);
    assert!(loss.is_empty(), "{loss}");
}

#[test]
fn wrong_types_are_refused_with_their_path() {
    for (fields, at) in [
        (json!({"messages": []}), "messages"),
        (
            json!({"messages": [{"role": "chatbot", "content": "x"}]}),
            "messages[0].role",
        ),
        (
            json!({"messages": [{"role": "tool", "content": "x"}]}),
            "messages[0].tool_call_id",
        ),
        (
            json!({"messages": [{"role": "user", "content": 1}]}),
            "messages[0].content",
        ),
        (json!({"tool_choice": "auto"}), "tool_choice"),
        (
            json!({"response_format": {"type": "json_schema"}}),
            "response_format.type",
        ),
        (json!({"thinking": {"type": "adaptive"}}), "thinking.type"),
        (json!({"stop_sequences": [1]}), "stop_sequences[0]"),
        (json!({"documents": [1]}), "documents[0]"),
        (json!({"documents": [{"id": "x"}]}), "documents[0].data"),
        (json!({"k": -1}), "k"),
    ] {
        let refusal = refused(&asked(&fields));
        assert_eq!(refusal.param.as_deref(), Some(at), "{fields}");
    }
}

#[test]
fn what_openai_clients_ask_has_its_names_here() {
    let (sent, loss) = from_openai(
        ONE,
        &asked(&json!({
            "max_completion_tokens": 7, "temperature": 0.5, "top_p": 0.5, "stop": "x", "seed": 1,
            "frequency_penalty": 0.5, "stream": true, "tool_choice": "required",
            "tools": [tool("f", &json!({"type": "object", "properties": {}}))]
        })),
    );
    assert_eq!(
        sent,
        json!({
            "model": ONE, "messages": [user("hi")],
            "tools": [tool("f", &json!({"type": "object", "properties": {}}))], "tool_choice": "REQUIRED",
            "max_tokens": 7, "temperature": 0.5, "frequency_penalty": 0.5, "p": 0.5, "stop_sequences": ["x"], "seed": 1,
            "stream": true
        })
    );
    assert!(loss.is_empty(), "{loss}");
}

#[test]
fn numbers_out_of_range_are_named_and_the_nearest_are_sent() {
    let (sent, loss) = from_openai(
        ONE,
        &asked(&json!({
            "temperature": 1.5, "top_p": 1, "presence_penalty": -1, "top_k": 900, "seed": -1,
            "stop": ["1", "2", "3", "4", "5", "6"], "logprobs": true, "top_logprobs": 2,
            "user": "u", "service_tier": "flex", "parallel_tool_calls": false, "logit_bias": {"1": 2}
        })),
    );
    assert_eq!((&sent["temperature"], &sent["p"]), (&json!(1.0), &json!(0.99)));
    assert_eq!(
        (&sent["presence_penalty"], &sent["k"]),
        (&json!(0.0), &json!(500))
    );
    assert_eq!(sent["stop_sequences"].as_array().unwrap().len(), 5);
    let expected = [
        "parallel_tool_calls",
        "temperature",
        "presence_penalty",
        "top_k",
        "stop[5]",
        "seed",
        "logprobs",
        "top_logprobs",
        "user",
        "service_tier",
        "logit_bias",
    ];
    assert_eq!(lost(&loss), expected);
    for unknown in ["logit_bias", "user", "service_tier", "seed", "logprobs", "top_p"] {
        assert!(sent.get(unknown).is_none(), "{unknown}");
    }
}

#[test]
fn several_answers_cannot_be_had() {
    let body = bytes(&asked(&json!({"n": 2})));
    let request = crate::openai::decode::request(&body).unwrap();
    let refusal = encode::request(request, &egress(ONE), &mut Loss::default()).unwrap_err();
    assert_eq!(refusal.param.as_deref(), Some("n"));
}

#[test]
fn a_tool_that_must_be_called_is_the_only_one_sent() {
    let tools = json!([
        tool("f", &json!({"type": "object"})),
        tool("g", &json!({"type": "object"}))
    ]);
    let named = json!({"type": "function", "function": {"name": "g"}});
    let (sent, loss) = from_openai(ONE, &asked(&json!({"tools": tools, "tool_choice": named})));
    assert_eq!(sent["tools"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&sent["tools"][0]["function"]["name"], &sent["tool_choice"]),
        (&json!("g"), &json!("REQUIRED"))
    );
    assert!(loss.is_empty());
    let (sent, _) = from_openai(ONE, &asked(&json!({"tools": tools, "tool_choice": "none"})));
    assert_eq!(
        (&sent["tool_choice"], sent["tools"].as_array().unwrap().len()),
        (&json!("NONE"), 2)
    );
    let (sent, _) = from_openai(ONE, &asked(&json!({"tools": tools, "tool_choice": "auto"})));
    assert!(sent.get("tool_choice").is_none());
    // The first of the family does not know the choice.
    let (sent, loss) = from_openai(
        "command-r-08-2024",
        &asked(&json!({"tools": tools, "tool_choice": "required"})),
    );
    assert!(sent.get("tool_choice").is_none() && sent.get("tools").is_some());
    assert_eq!(lost(&loss), ["tool_choice"]);
    let (sent, loss) = from_openai(
        "command-r-08-2024",
        &asked(&json!({"tools": tools, "tool_choice": "none"})),
    );
    assert!(sent.get("tools").is_none() && loss.is_empty());
}

#[test]
fn names_of_tools_are_made_legal_in_history_too_and_known_again_in_the_answer() {
    let body = bytes(&json!({"model": "m", "messages": [
        user("x"),
        {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "mcp.get-it", "arguments": ""}}]},
        {"role": "tool", "tool_call_id": "1", "content": ""}],
        "tools": [tool("mcp.get-it", &json!({"type": "object"}))]}));
    let (sent, loss, renamed) = sent_to(ONE, crate::openai::decode::request(&body).unwrap());
    let name = sent["tools"][0]["function"]["name"].as_str().unwrap();
    assert!(
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
        "{name}"
    );
    assert_eq!(
        sent["messages"][1]["tool_calls"][0]["function"],
        json!({"name": name, "arguments": "{}"})
    );
    assert_eq!(
        sent["messages"][2],
        json!({"role": "tool", "tool_call_id": "1", "content": "(no output)"})
    );
    assert_eq!(renamed.original(name), "mcp.get-it");
    assert!(loss.is_empty(), "{loss}");
}

#[test]
fn strict_is_said_of_all_tools_or_of_none() {
    let strict = |required: Value| {
        json!({"type": "function", "function": {"name": "f", "strict": true, "parameters":
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": required}}})
    };
    let (sent, loss) = from_openai(ONE, &asked(&json!({"tools": [strict(json!(["a"]))]})));
    assert_eq!(sent["strict_tools"], json!(true));
    assert!(loss.is_empty() && sent["tools"][0]["function"].get("strict").is_none());
    let lax = tool("g", &json!({"type": "object"}));
    let (sent, loss) = from_openai(ONE, &asked(&json!({"tools": [strict(json!(["a"])), lax]})));
    assert!(sent.get("strict_tools").is_none());
    assert_eq!(lost(&loss), ["tools[0].function.strict"]);
    let (sent, _) = from_openai(ONE, &asked(&json!({"tools": [strict(json!([]))]})));
    assert!(sent.get("strict_tools").is_none());
}

#[test]
fn results_come_directly_behind_their_calls_in_their_order() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let (sent, loss) = from_openai(
        ONE,
        &json!({"model": "m", "messages": [
        user("go"),
        {"role": "assistant", "content": null, "tool_calls": [call("a"), call("b"), call("c")]},
        user("wait"),
        {"role": "tool", "tool_call_id": "b", "content": "B"},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "!"}]}]}),
    );
    let messages = sent["messages"].as_array().unwrap();
    let told: Vec<_> = messages[2..5]
        .iter()
        .map(|m| (m["tool_call_id"].as_str().unwrap(), &m["content"]))
        .collect();
    assert_eq!(
        told[0],
        (
            "a",
            &json!([{"type": "text", "text": "A"}, {"type": "text", "text": "!"}])
        )
    );
    assert_eq!(told[1], ("b", &json!("B")));
    assert!(told[2].1.as_str().unwrap().contains("not answered"));
    assert_eq!(messages[5], user("wait"));
    assert!(messages[1].get("content").is_none());
    assert!(loss.is_empty(), "{loss}");
}

#[test]
fn arguments_that_are_no_object_are_put_into_one() {
    let (sent, _) = from_openai(
        ONE,
        &json!({"model": "m", "messages": [
        user("go"),
        {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"x\": \"cut o"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "ok"}]}),
    );
    let arguments = sent["messages"][1]["tool_calls"][0]["function"]["arguments"]
        .as_str()
        .unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(arguments).unwrap(),
        json!({"invalid_arguments": "{\"x\": \"cut o"})
    );
}

#[test]
fn a_user_speaks_and_no_answer_is_left_to_be_continued() {
    let (sent, loss) = from_openai(
        ONE,
        &json!({"model": "m", "messages": [{"role": "developer", "content": "x"}]}),
    );
    assert_eq!(sent["messages"][0], json!({"role": "system", "content": "x"}));
    assert_eq!(sent["messages"][1]["role"], "user");
    assert!(loss.is_empty());
    let (sent, loss) = from_openai(
        ONE,
        &json!({"model": "m", "messages": [user("a"), {"role": "assistant", "content": "b"}]}),
    );
    assert_eq!(sent["messages"][2]["role"], "user");
    assert_eq!(lost(&loss), ["messages[1]"]);
}

#[test]
fn parts_without_a_place_are_named() {
    let (sent, loss) = from_openai(
        ONE,
        &json!({"model": "m", "messages": [{"role": "user", "name": "joe", "content": [
        {"type": "text", "text": ""},
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "https://x/y", "detail": "high"}},
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
        {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,aGk="}}]}]}),
    );
    assert_eq!(
        sent["messages"][0]["content"],
        json!([
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "https://x/y", "detail": "high"}},
        {"type": "text", "text": "a.txt\n\nhi"}])
    );
    assert_eq!(
        lost(&loss),
        [
            "messages[0].name",
            "messages[0].content[3]",
            "messages[0].content[4]",
        ]
    );
}

#[test]
fn thoughts_go_back_to_who_thinks_and_as_a_plan_to_others() {
    let messages = |with_calls: bool| {
        let mut said = json!([{"type": "thinking", "thinking": "hm", "signature": "sig"}, {"type": "redacted_thinking", "data": "x"}]);
        if with_calls {
            said.as_array_mut()
                .unwrap()
                .push(json!({"type": "tool_use", "id": "t", "name": "f", "input": {}}));
        } else {
            said.as_array_mut()
                .unwrap()
                .push(json!({"type": "text", "text": "so"}));
        }
        let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r", "is_error": true}]});
        let then = if with_calls { result } else { user("and?") };
        json!({"model": "m", "max_tokens": 9, "messages": [user("x"), {"role": "assistant", "content": said}, then]})
    };
    let (sent, loss) = from_anthropic(THINKER, &messages(true));
    assert_eq!(
        sent["messages"][1]["content"],
        json!([{"type": "thinking", "thinking": "hm"}])
    );
    assert_eq!(
        lost(&loss),
        [
            "messages[1].content[1]",
            "messages[1].content[0].signature",
            "messages[2].content[0].is_error"
        ]
    );
    let (sent, _) = from_anthropic(ONE, &messages(true));
    assert_eq!(sent["messages"][1]["tool_plan"], "hm");
    assert!(sent["messages"][1].get("content").is_none());
    let (sent, loss) = from_anthropic(ONE, &messages(false));
    assert_eq!(sent["messages"][1], json!({"role": "assistant", "content": "so"}));
    assert_eq!(lost(&loss), ["messages[1].content[0]", "messages[1].content[1]"]);
}

#[test]
fn a_plan_that_an_openai_client_was_told_as_reasoning_is_a_plan_again() {
    let answer = br#"{"id":"1","message":{"role":"assistant","tool_plan":"I will look.","tool_calls":[
        {"id":"f_1","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"TOOL_CALL"}"#;
    let read = crate::cohere::answer::read(answer).unwrap();
    let told = crate::openai::render::answer(&read, None, &made(), &Renamed::default());
    let told: Value = serde_json::from_slice(&told).unwrap();
    let message = &told["choices"][0]["message"];
    assert_eq!(
        (&message["reasoning_content"], &message["content"]),
        (&json!("I will look."), &Value::Null)
    );
    let (sent, loss) = from_openai(
        ONE,
        &json!({"model": "m", "messages": [
        user("x"), message, {"role": "tool", "tool_call_id": "f_1", "content": "r"}]}),
    );
    assert_eq!(
        sent["messages"][1],
        json!({"role": "assistant", "tool_plan": "I will look.", "tool_calls": [
        {"id": "f_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]})
    );
    assert!(loss.is_empty(), "{loss}");
}

#[test]
fn state_of_other_providers_is_named_and_never_sent() {
    use crate::chat::{Kind, Part, State};
    let body = bytes(&asked(&json!({})));
    let mut request = crate::openai::decode::request(&body).unwrap();
    let mut part = Part::new("contents[0].parts[0]".to_owned(), Kind::Text("hi".into()));
    part.state = Some(State {
        of: tollgate_core::Dialect::Gemini,
        data: "SECRET".into(),
    });
    request.turns[0].parts = vec![part];
    let (sent, loss, _) = sent_to(ONE, request);
    assert!(!sent.to_string().contains("SECRET"));
    assert_eq!(lost(&loss), ["contents[0].parts[0].thoughtSignature"]);
}

#[test]
fn forms_of_answers_are_asked_for_where_they_can_be() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let wanted = |schema: &Value| json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": true}});
    let (sent, loss) = from_openai(ONE, &asked(&json!({"response_format": wanted(&schema)})));
    assert_eq!(
        sent["response_format"],
        json!({"type": "json_object", "json_schema":
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}})
    );
    assert!(loss.is_empty());
    let tools = json!([tool("f", &json!({"type": "object"}))]);
    for fields in [
        json!({"response_format": wanted(&schema), "tools": tools}),
        json!({"response_format": {"type": "json_object"}, "tools": tools}),
        json!({"response_format": wanted(&json!({"anyOf": []}))}),
    ] {
        let (sent, loss) = from_openai(ONE, &asked(&fields));
        assert!(sent.get("response_format").is_none(), "{fields}");
        assert_eq!(sent["messages"][0]["role"], "system");
        assert!(sent["messages"][0]["content"].as_str().unwrap().contains("JSON"));
        assert_eq!(lost(&loss), ["response_format"]);
    }
}

#[test]
fn thinking_is_asked_of_those_who_can() {
    for (fields, expected) in [
        (
            json!({"reasoning_effort": "low"}),
            json!({"type": "enabled", "token_budget": 2048}),
        ),
        (json!({"reasoning_effort": "high"}), json!({"type": "enabled"})),
        (json!({"reasoning_effort": "none"}), json!({"type": "disabled"})),
        (
            json!({"reasoning_effort": "medium", "max_tokens": 1000}),
            json!({"type": "enabled", "token_budget": 800}),
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 5000}}),
            json!({"type": "enabled", "token_budget": 5000}),
        ),
    ] {
        let (sent, loss) = from_openai(THINKER, &asked(&fields));
        assert_eq!(sent["thinking"], expected, "{fields}");
        assert!(loss.is_empty());
    }
    let (sent, loss) = from_openai(ONE, &asked(&json!({"reasoning_effort": "low"})));
    assert!(sent.get("thinking").is_none());
    assert_eq!(lost(&loss), ["reasoning_effort"]);
    let (_, loss) = from_openai(ONE, &asked(&json!({"reasoning_effort": "none"})));
    assert!(loss.is_empty());
}

#[test]
fn other_dialects_read_what_cohere_clients_say() {
    let body = bytes(
        &json!({"model": "m", "documents": [{"data": {"text": "fact"}, "id": "d"}], "messages": [
        {"role": "system", "content": "s"},
        user("first"),
        {"role": "assistant", "tool_plan": "plan", "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "document", "document": {"data": {"x": 1}}}]},
        {"role": "assistant", "content": "so", "citations": [{"start": 0}]},
        user("last")], "k": 0, "p": 0.5, "safety_mode": "OFF"}),
    );
    let mut loss = Loss::default();
    let request = decode::request(&body).unwrap();
    let (sent, _) = crate::openai::encode::request(request, &egress("gpt-4o"), &mut loss);
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(
        sent["messages"][3],
        json!({"role": "tool", "tool_call_id": "a", "content": "{\"x\":1}"})
    );
    assert_eq!(
        sent["messages"][5]["content"],
        json!([
        {"type": "text", "text": "d\n\n{\"text\":\"fact\"}"}, {"type": "text", "text": "last"}])
    );
    assert_eq!((&sent["top_p"], sent.get("top_k")), (&json!(0.5), None));
    assert_eq!(
        lost(&loss),
        ["messages[4].citations", "messages[2].tool_plan", "safety_mode"]
    );
    let mut loss = Loss::default();
    let request = decode::request(&body).unwrap();
    let (sent, _) =
        crate::anthropic::encode::request(request, &egress("claude-sonnet-4"), &mut loss).unwrap();
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(sent["messages"][2]["content"][0]["content"], "{\"x\":1}");
    assert_eq!(sent["messages"][4]["content"][0]["type"], "document");
}

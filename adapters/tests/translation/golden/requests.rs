//! Requests.

use serde_json::{Value, json};
use tollgate_core::{ProviderKind, RefusalKind, Surface};

use crate::support::{egress, sent, translate};

/// The body that a target gets, and what it lacks.
fn to(kind: ProviderKind, model: &str, surface: Surface, request: &Value) -> Value {
    let encoded = translate(surface, request, &egress(kind, model)).unwrap();
    let loss: Vec<_> = encoded.loss.paths().collect();
    json!({ "sent": sent(&encoded), "loss": loss })
}

fn to_claude(request: &Value) -> Value {
    to(
        ProviderKind::Anthropic,
        "claude-sonnet-4-5",
        Surface::ChatCompletions,
        request,
    )
}

fn to_openai(request: &Value) -> Value {
    to(ProviderKind::OpenAi, "gpt-4.1", Surface::Messages, request)
}

/// A chat request of one message, and more.
fn chat(content: &Value, more: &Value) -> Value {
    let mut request = json!({"model": "m", "messages": [{"role": "user", "content": content}]});
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

fn message(content: &Value, more: &Value) -> Value {
    let mut request = chat(content, more);
    request["max_tokens"] = 500.into();
    request
}

fn weather() -> Value {
    json!({"type": "function", "function": {"name": "weather", "description": "The weather.", "strict": true,
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
            "additionalProperties": false}}})
}

fn call(id: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}})
}

#[test]
fn instructions_lead_wherever_they_stood() {
    let request = json!({"model": "m", "temperature": 1.7, "max_completion_tokens": 50, "user": "u1",
    "stop": ["END", "\n"], "seed": 1, "logit_bias": {"1": -100}, "presence_penalty": 0, "n": 1,
    "messages": [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "a"},
        {"role": "user", "content": [{"type": "text", "text": "b"}], "name": "bob"},
        {"role": "assistant", "content": ""},
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "It is \n"},
    ]});
    insta::assert_json_snapshot!(to_claude(&request));
}

#[test]
fn images_and_documents_reach_claude() {
    let content = json!([
        {"type": "text", "text": "What are these?"},
        {"type": "image_url", "image_url": {"url": "data:image/JPG;charset=utf-8;base64,/9j/4A==", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
        {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,aGVsbG8="}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ]);
    insta::assert_json_snapshot!(to_claude(&chat(&content, &json!({}))));
}

#[test]
fn tool_loops_are_put_in_order_for_claude() {
    let request = json!({"model": "m", "parallel_tool_calls": false, "tools": [weather()],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "messages": [
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "Weather in Rome, Oslo and Bern?"},
        {"role": "assistant", "content": null, "tool_calls": [
            call("call_1", "{\"city\": \"Rome\"}"), call("call.2", ""), call("call_3", "{\"city\": \"Be")]},
        {"role": "tool", "tool_call_id": "call.2", "content": [{"type": "text", "text": "snow"}]},
        {"role": "user", "content": "And hurry."},
        {"role": "tool", "tool_call_id": "call_1", "content": "sun"},
        {"role": "tool", "tool_call_id": "call_9", "content": "of no call"},
    ]});
    insta::assert_json_snapshot!(to_claude(&request));
}

#[test]
fn history_with_tools_gets_tools_and_illegal_names_are_mapped() {
    let named = json!({"model": "m", "tools": [{"type": "function", "function": {"name": "ns.tool/1"}}],
        "tool_choice": "required", "messages": [{"role": "user", "content": "x"}]});
    let mut history = json!({"model": "m", "tool_choice": "auto", "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "tool_calls": [call("c", "{}")]}, {"role": "tool", "tool_call_id": "c", "content": ""}]});
    history["messages"][1]["tool_calls"][0]["function"]["name"] = "ns.tool/1".into();
    insta::assert_json_snapshot!([to_claude(&named), to_claude(&history)]);
}

#[test]
fn output_formats_reach_claude() {
    let schema = json!({"type": "json_schema", "json_schema": {"name": "city", "strict": true,
        "schema": {"type": "object", "properties": {}, "additionalProperties": false}}});
    let with_schema = chat(&json!("x"), &json!({"response_format": schema}));
    let object = chat(&json!("x"), &json!({"response_format": {"type": "json_object"}}));
    let old = to(
        ProviderKind::Anthropic,
        "claude-3-5-haiku-latest",
        Surface::ChatCompletions,
        &with_schema,
    );
    insta::assert_json_snapshot!([to_claude(&with_schema), to_claude(&object), old]);
}

#[test]
fn effort_becomes_thinking_as_each_generation_knows_it() {
    let ask = |more: Value| chat(&json!("x"), &more);
    let efforts = ask(json!({"reasoning_effort": "high", "temperature": 0.5, "top_p": 0.5}));
    let small = ask(json!({"reasoning_effort": "high", "max_tokens": 100}));
    let tight = ask(json!({"reasoning_effort": "high", "max_tokens": 4000}));
    let forced = ask(json!({"reasoning_effort": "low", "tools": [weather()], "tool_choice": "required"}));
    let newest = |request: &Value| {
        to(
            ProviderKind::Anthropic,
            "claude-opus-4-8",
            Surface::ChatCompletions,
            request,
        )
    };
    let old = to(
        ProviderKind::Anthropic,
        "claude-3-5-haiku-latest",
        Surface::ChatCompletions,
        &efforts,
    );
    insta::assert_json_snapshot!([
        to_claude(&efforts),
        to_claude(&small),
        to_claude(&tight),
        to_claude(&forced),
        newest(&efforts),
        old
    ]);
}

#[test]
fn thoughts_come_back_from_the_history_of_a_client() {
    let request = json!({"model": "m", "reasoning_effort": "low", "tools": [weather()], "messages": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": "Let me see.", "reasoning_content": "hm", "thinking_blocks": [
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "ZGF0YQ=="}], "tool_calls": [call("c1", "{}")]},
        {"role": "tool", "tool_call_id": "c1", "content": "sun"},
    ]});
    let mut unsigned = request.clone();
    unsigned["messages"][1]
        .as_object_mut()
        .unwrap()
        .remove("thinking_blocks");
    insta::assert_json_snapshot!([to_claude(&request), to_claude(&unsigned)]);
}

#[test]
fn cache_marks_reach_claude() {
    let request = json!({"model": "m", "tools": [{"type": "function", "function": {"name": "f"},
            "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "long", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
            {"role": "user", "content": "x", "cache_control": {"type": "ephemeral"}}]});
    insta::assert_json_snapshot!(to_claude(&request));
}

#[test]
fn instructions_alone_get_somebody_to_talk_to() {
    let request = json!({"model": "m", "messages": [{"role": "system", "content": "Say hi."}]});
    insta::assert_json_snapshot!(to_claude(&request));
}

#[test]
fn messages_reach_openai() {
    let request = json!({"model": "m", "max_tokens": 300, "stream": true, "temperature": 0.3, "top_k": 5,
        "stop_sequences": ["END"], "metadata": {"user_id": "u"}, "service_tier": "standard_only",
        "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind.",
            "cache_control": {"type": "ephemeral"}}],
        "tools": [{"name": "weather", "description": "The weather.", "input_schema": {"type": "object",
            "properties": {"city": {"type": "string"}}}}, {"type": "web_search_20250305", "name": "web_search"}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "messages": [
            {"role": "user", "content": "Weather?"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}},
                {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true, "content": "no such city"},
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [
                    {"type": "text", "text": "sun"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}]},
                {"type": "text", "text": "And?"}]}]});
    let to_mistral = to(
        ProviderKind::Mistral,
        "mistral-large",
        Surface::Messages,
        &request,
    );
    let to_deepseek = to(
        ProviderKind::DeepSeek,
        "deepseek-chat",
        Surface::Messages,
        &request,
    );
    let to_reasoning = to(ProviderKind::OpenAi, "gpt-5", Surface::Messages, &request);
    insta::assert_json_snapshot!([to_openai(&request), to_mistral, to_deepseek, to_reasoning]);
}

#[test]
fn images_and_documents_reach_openai() {
    let content = json!([
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {"type": "document", "title": "Paper", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
        {"type": "document", "title": "Notes", "source": {"type": "text", "media_type": "text/plain", "data": "hello"}},
        {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}, "citations": {"enabled": true}},
        {"type": "search_result", "source": "x", "title": "t", "content": []},
        {"type": "text", "text": "What are these?"},
    ]);
    let request = message(&content, &json!({}));
    let to_mistral = to(
        ProviderKind::Mistral,
        "mistral-large",
        Surface::Messages,
        &request,
    );
    insta::assert_json_snapshot!([to_openai(&request), to_mistral]);
}

#[test]
fn thinking_becomes_what_each_provider_knows() {
    let request = message(
        &json!("x"),
        &json!({"thinking": {"type": "enabled", "budget_tokens": 10_000}, "stream": true}),
    );
    let off = message(&json!("x"), &json!({"thinking": {"type": "disabled"}}));
    let adaptive = json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}});
    let adaptive = message(&json!("x"), &adaptive);
    let targets = [
        (ProviderKind::OpenAi, "gpt-5"),
        (ProviderKind::OpenAi, "gpt-4.1"),
        (ProviderKind::DeepSeek, "deepseek-chat"),
        (ProviderKind::DashScope, "qwen3-max"),
        (ProviderKind::OpenRouter, "x/y"),
    ];
    let each = targets.map(|(kind, model)| {
        let to = |request| to(kind, model, Surface::Messages, request);
        json!({ format!("{kind} {model}"): [to(&request), to(&off), to(&adaptive)] })
    });
    insta::assert_json_snapshot!(each);
}

#[test]
fn schemas_reach_openai_and_those_who_only_know_json() {
    let format = json!({"type": "json_schema", "schema": {"type": "object",
        "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false}});
    let request = message(&json!("x"), &json!({"output_config": {"format": format}}));
    let beta = message(
        &json!("x"),
        &json!({"output_format": {"type": "json_schema", "schema": {"type": "object"}}}),
    );
    let to_deepseek = to(
        ProviderKind::DeepSeek,
        "deepseek-chat",
        Surface::Messages,
        &request,
    );
    insta::assert_json_snapshot!([to_openai(&request), to_openai(&beta), to_deepseek]);
}

#[test]
fn choices_of_tools_that_cannot_be_carried_are_lost_with_them() {
    let search = json!([{"type": "web_search_20250305", "name": "web_search"}]);
    let chosen = json!({"type": "tool", "name": "web_search"});
    let alone = to_openai(&message(
        &json!("x"),
        &json!({"tools": search, "tool_choice": chosen}),
    ));
    assert_eq!(alone["loss"], json!(["tools[0]", "tool_choice"]));
    assert!(alone["sent"]["tools"].is_null() && alone["sent"]["tool_choice"].is_null());
    let unknown = json!([{"type": "code_interpreter"}]);
    let beside = to_claude(&chat(
        &json!("x"),
        &json!({"tools": unknown, "tool_choice": "required"}),
    ));
    assert_eq!(beside["loss"], json!(["tools[0]", "tool_choice"]));
    assert!(beside["sent"]["tool_choice"].is_null());
}

#[test]
fn a_beginning_of_the_answer_is_continued_or_named() {
    let turns = json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": "{"}]);
    let request = json!({"model": "m", "max_tokens": 9, "messages": turns});
    let ask = |kind, model, surface| {
        let told = to(kind, model, surface, &request);
        (told["sent"]["messages"].clone(), told["loss"].clone())
    };
    let named = json!(["messages[1]"]);
    let (messages, loss) = ask(ProviderKind::Mistral, "m", Surface::Messages);
    assert_eq!((&messages[1]["prefix"], loss), (&json!(true), json!([])));
    assert_eq!(
        ask(ProviderKind::OpenAi, "gpt-4.1", Surface::Messages),
        (turns.clone(), named.clone())
    );
    let old = ask(
        ProviderKind::Anthropic,
        "claude-sonnet-4-5",
        Surface::ChatCompletions,
    );
    assert_eq!(old, (turns.clone(), json!([])));
    let (messages, loss) = ask(ProviderKind::Anthropic, "claude-opus-5", Surface::ChatCompletions);
    assert_eq!((&messages[2]["role"], loss), (&json!("user"), named));
}

#[test]
fn a_target_that_gives_one_answer_is_not_asked_for_two() {
    let request = chat(&json!("x"), &json!({"n": 2}));
    let target = egress(ProviderKind::Anthropic, "claude-sonnet-4-5");
    let refusal = translate(Surface::ChatCompletions, &request, &target).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.param.as_deref()),
        (RefusalKind::NotTranslatable, Some("n"))
    );
}

#[test]
fn strict_routes_refuse_what_would_be_lost() {
    let request = chat(&json!("x"), &json!({"seed": 1, "logit_bias": {"1": 1}}));
    let mut target = egress(ProviderKind::Anthropic, "claude-sonnet-4-5");
    target.strict = true;
    let refusal = translate(Surface::ChatCompletions, &request, &target).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.param.as_deref()),
        (RefusalKind::NotTranslatable, Some("seed"))
    );
    assert!(
        refusal.message.contains("seed, logit_bias"),
        "{}",
        refusal.message
    );
    let plain = chat(
        &json!("x"),
        &json!({"presence_penalty": 0, "logprobs": false, "store": false}),
    );
    assert!(translate(Surface::ChatCompletions, &plain, &target).is_ok());
}

#[test]
fn fields_of_the_wrong_type_are_refused_with_their_path() {
    let claude = egress(ProviderKind::Anthropic, "claude-sonnet-4-5");
    let openai = egress(ProviderKind::OpenAi, "gpt-4.1");
    let wrong = [
        (
            json!({"messages": [{"role": "user", "content": 3}]}),
            "messages[0].content",
        ),
        (
            json!({"messages": [{"role": "bot", "content": "x"}]}),
            "messages[0].role",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
            "messages[0].content[0].text",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}),
            "messages[0].content[0].image_url.url",
        ),
        (
            json!({"messages": [{"role": "tool", "content": "x"}]}),
            "messages[0].tool_call_id",
        ),
        (json!({"messages": [], "temperature": 1}), "messages"),
        (
            json!({"messages": [{"role": "user", "content": "x"}], "temperature": "hot"}),
            "temperature",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x"}], "stop": [1]}),
            "stop",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x"}], "tools": [{"type": "function", "function": {}}]}),
            "tools[0].function.name",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_schema"}}),
            "response_format.json_schema",
        ),
    ];
    for (mut request, path) in wrong {
        request["model"] = "m".into();
        let refusal = translate(Surface::ChatCompletions, &request, &claude).unwrap_err();
        assert_eq!(
            (refusal.kind, refusal.param.as_deref()),
            (RefusalKind::InvalidField, Some(path))
        );
    }
    let wrong = [
        (
            json!({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}),
            "messages[0].content[0].tool_use_id",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x"}], "system": 1}),
            "system",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x"}], "thinking": {"type": "deep"}}),
            "thinking.type",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x"}], "tool_choice": "auto"}),
            "tool_choice",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x"}], "output_config": {"format": {"type": "json_schema"}}}),
            "output_config.format.schema",
        ),
    ];
    for (mut request, path) in wrong {
        request["model"] = "m".into();
        let refusal = translate(Surface::Messages, &request, &openai).unwrap_err();
        assert_eq!(
            (refusal.kind, refusal.param.as_deref()),
            (RefusalKind::InvalidField, Some(path))
        );
    }
}

//! What each maker's models take, and what becomes of a request that asks for more.

use serde_json::{Value, json};

use super::{NOVA, OPUS, SONNET, again, from_anthropic, from_openai, user};

const NOTHING: [&str; 0] = [];

#[test]
fn thoughts_go_only_to_models_that_take_them() {
    let thought = |signature: Value| {
        json!({"messages": [user("hi"),
            {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": signature}}}, {"text": "x"}]},
            user("go on")]})
    };
    let lost = |body: &Value, model: &str| again(body, model).1;
    assert_eq!(lost(&thought(json!("c2ln")), SONNET), NOTHING);
    assert_eq!(lost(&thought(json!(null)), SONNET), ["messages[1].content[0]"]);
    assert_eq!(lost(&thought(json!("c2ln")), NOVA), ["messages[1].content[0]"]);
    assert_eq!(lost(&thought(json!(null)), "openai.gpt-oss-120b-1:0"), NOTHING);
}

#[test]
fn thinking_is_told_to_each_model_in_its_words() {
    let body = |effort: &str| json!({"model": "m", "reasoning_effort": effort, "messages": [{"role": "user", "content": "x"}]});
    let told = |effort: &str, model: &str| {
        let (out, lost) = from_openai(&body(effort), model);
        (out["additionalModelRequestFields"].clone(), lost)
    };
    let budget = json!({"thinking": {"type": "enabled", "budget_tokens": 2048}});
    assert_eq!(told("low", SONNET), (budget, Vec::new()));
    let adaptive = json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}});
    assert_eq!(told("high", OPUS), (adaptive, Vec::new()));
    let nova = json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}});
    assert_eq!(told("medium", NOVA), (nova, Vec::new()));
    assert_eq!(
        told("minimal", "openai.gpt-oss-20b-1:0").0,
        json!({"reasoning_effort": "low"})
    );
    assert_eq!(told("none", "openai.gpt-oss-20b-1:0").1, ["reasoning_effort"]);
    assert_eq!(told("none", NOVA), (Value::Null, Vec::new()));
    assert_eq!(
        told("high", "meta.llama3-1-8b-instruct-v1:0"),
        (Value::Null, vec!["reasoning_effort".to_owned()])
    );
}

#[test]
fn the_highest_effort_of_nova_gives_way_to_a_limit_and_takes_sampling_away() {
    let mut body = json!({"model": "m", "reasoning_effort": "high", "temperature": 0.5, "messages": [{"role": "user", "content": "x"}]});
    let (out, lost) = from_openai(&body, NOVA);
    assert_eq!(
        (out.get("inferenceConfig"), lost),
        (None, vec!["temperature".to_owned()])
    );
    body["max_tokens"] = json!(100);
    let (out, lost) = from_openai(&body, NOVA);
    assert_eq!(
        out["additionalModelRequestFields"]["reasoningConfig"]["maxReasoningEffort"],
        "medium"
    );
    assert_eq!(lost, ["reasoning_effort"]);
}

#[test]
fn tools_are_chosen_as_each_model_takes_it() {
    let tool = json!({"type": "function", "function": {"name": "f", "description": " ", "parameters": {"type": "object"}}});
    let body = |choice: Value, parallel: Value| {
        json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "tools": [tool], "tool_choice": choice,
            "parallel_tool_calls": parallel})
    };
    let told = |choice: Value, parallel: Value, model: &str| {
        let (out, lost) = from_openai(&body(choice, parallel), model);
        let config = &out["toolConfig"];
        assert_eq!(
            config["tools"][0]["toolSpec"]["description"],
            Value::Null,
            "blank ones are refused"
        );
        (
            config["toolChoice"].clone(),
            out["additionalModelRequestFields"]["tool_choice"].clone(),
            lost,
        )
    };
    let named = json!({"type": "function", "function": {"name": "f"}});
    let none = Vec::<String>::new;
    let null = Value::Null;
    assert_eq!(
        told(json!("auto"), json!(true), SONNET),
        (null.clone(), null.clone(), none())
    );
    assert_eq!(
        told(json!("required"), null.clone(), SONNET),
        (json!({"any": {}}), null.clone(), none())
    );
    let single = json!({"type": "tool", "name": "f", "disable_parallel_tool_use": true});
    assert_eq!(
        told(named.clone(), json!(false), SONNET),
        (null.clone(), single, none())
    );
    let single = json!({"type": "auto", "disable_parallel_tool_use": true});
    assert_eq!(
        told(json!("auto"), json!(false), SONNET),
        (null.clone(), single, none())
    );
    let lost = vec!["parallel_tool_calls".to_owned()];
    assert_eq!(
        told(json!("auto"), json!(false), NOVA),
        (null.clone(), null.clone(), lost)
    );
    let lost = vec!["tool_choice".to_owned()];
    assert_eq!(
        told(named, null.clone(), "meta.llama3-1-8b-instruct-v1:0"),
        (null.clone(), null.clone(), lost)
    );
    assert_eq!(
        told(json!("none"), null.clone(), SONNET),
        (null.clone(), json!({"type": "none"}), none())
    );
}

#[test]
fn tools_that_may_not_be_called_are_not_sent_unless_history_needs_them() {
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}});
    let mut body = json!({"model": "m", "tools": [tool], "tool_choice": "none", "messages": [{"role": "user", "content": "x"}]});
    let (out, lost) = from_openai(&body, NOVA);
    assert_eq!((out.get("toolConfig"), lost), (None, Vec::new()));
    body["messages"] = json!([
        {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "1"}]);
    let (out, lost) = from_openai(&body, NOVA);
    assert_eq!(out["toolConfig"]["tools"][0]["toolSpec"]["name"], "f");
    assert_eq!(lost, ["tool_choice"]);
}

#[test]
fn schemas_are_text_in_a_string_or_words_for_those_who_take_none() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "response_format":
        {"type": "json_schema", "json_schema": {"name": "a b", "schema": {"type": "object", "title": "\"q\""}}}});
    let (out, lost) = from_openai(&body, SONNET);
    assert_eq!(lost, NOTHING);
    let schema = &out["outputConfig"]["textFormat"]["structure"]["jsonSchema"];
    let parsed: Value = serde_json::from_str(schema["schema"].as_str().unwrap()).unwrap();
    assert_eq!(parsed, json!({"type": "object", "title": "\"q\""}));
    assert!(schema["name"].as_str().unwrap().starts_with("a_b_"));
    let (out, lost) = from_openai(&body, NOVA);
    assert_eq!(out.get("outputConfig"), None);
    assert!(
        out["system"][0]["text"]
            .as_str()
            .unwrap()
            .contains("\"type\":\"object\"")
    );
    assert_eq!(lost, ["response_format"]);
}

#[test]
fn settings_are_kept_as_far_as_the_dialect_has_them() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 5, "temperature": 1.5,
        "top_p": 0.5, "stop": ["|", ""], "seed": 1, "user": "u", "presence_penalty": 1.0, "service_tier": "flex", "metadata": {"a": "b"}});
    let (out, lost) = from_openai(&body, NOVA);
    assert_eq!(
        out["inferenceConfig"],
        json!({"maxTokens": 5, "temperature": 1.0, "topP": 0.5, "stopSequences": ["|"]})
    );
    assert_eq!(out["serviceTier"], json!({"type": "flex"}));
    assert_eq!(
        lost,
        [
            "seed",
            "presence_penalty",
            "user",
            "metadata",
            "temperature",
            "stop[1]"
        ]
    );
    let (out, _) = from_openai(&body, SONNET);
    assert_eq!(
        out["additionalModelResponseFieldPaths"],
        json!(["/stop_sequence", "/delta/stop_sequence"])
    );
}

#[test]
fn models_from_before_instructions_are_told_by_the_user() {
    let body = json!({"model": "m", "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "x"}]});
    let (out, lost) = from_openai(&body, "amazon.titan-text-express-v1");
    assert_eq!((out.get("system"), lost), (None, Vec::new()));
    assert_eq!(
        out["messages"],
        json!([{"role": "user", "content": [{"text": "be brief"}, {"text": "x"}]}])
    );
}

#[test]
fn marks_for_caches_go_only_to_models_that_keep_them() {
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [
        {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}]});
    let (out, lost) = from_anthropic(&body, SONNET);
    assert_eq!(
        out["messages"][0]["content"][1],
        json!({"cachePoint": {"type": "default"}})
    );
    assert_eq!(lost, NOTHING);
    let (out, lost) = from_anthropic(&body, "meta.llama3-1-8b-instruct-v1:0");
    assert_eq!(out["messages"][0]["content"], json!([{"text": "x"}]));
    assert_eq!(lost, ["messages[0].content[0].cache_control"]);
}

#[test]
fn marks_for_an_hour_are_kept_for_less_where_there_is_no_more() {
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    let body = json!({"model": "m", "max_tokens": 9,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": mark}]}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": mark}]});
    let (out, lost) = from_anthropic(&body, SONNET);
    let long = json!({"cachePoint": {"type": "default", "ttl": "1h"}});
    assert_eq!(
        (&out["messages"][0]["content"][1], &out["toolConfig"]["tools"][1]),
        (&long, &long)
    );
    assert_eq!(lost, NOTHING);
    let (out, lost) = from_anthropic(&body, NOVA);
    let short = json!({"cachePoint": {"type": "default"}});
    assert_eq!(
        (&out["messages"][0]["content"][1], &out["toolConfig"]["tools"][1]),
        (&short, &short)
    );
    assert_eq!(
        lost,
        [
            "messages[0].content[0].cache_control.ttl",
            "tools[0].cache_control.ttl"
        ]
    );
}

#[test]
fn a_turn_at_the_end_to_be_continued_goes_only_to_models_that_do() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "{ "}]});
    let (out, lost) = from_openai(&body, SONNET);
    assert_eq!(
        (out["messages"][1]["content"][0]["text"].as_str(), lost.len()),
        (Some("{"), 0)
    );
    let (out, lost) = from_openai(&body, OPUS);
    assert_eq!(
        (out["messages"][2]["role"].as_str(), lost),
        (Some("user"), vec!["messages[1]".to_owned()])
    );
}

//! Requests of other clients, as Gemini gets them.

use serde_json::{Value, json};

use super::{encoded, of_anthropic, of_openai};
use crate::gemini::{decode, signature};

fn calls_of_openai() -> Value {
    json!({"model": "m", "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "1st", "arguments": "{\"x\":1}"}},
            {"id": "b", "type": "function", "function": {"name": "f", "arguments": "cut off {"}}]},
        {"role": "tool", "tool_call_id": "b", "content": "{\"n\": 2}"},
        {"role": "tool", "tool_call_id": "a", "content": "one"},
        {"role": "user", "content": "and?"}],
        "tools": [{"type": "function", "function": {"name": "1st", "parameters": {"type": "object", "$defs": {}}}}]})
}

#[test]
fn results_name_their_function_and_follow_the_order_of_the_calls() {
    let (out, lost) = of_openai(&calls_of_openai(), "gemini-2.5-flash");
    let first = out["tools"][0]["functionDeclarations"][0]["name"]
        .as_str()
        .unwrap();
    assert!(first.starts_with('_'), "{first}");
    assert_eq!(out["systemInstruction"], json!({"parts": [{"text": "s"}]}));
    let expected = json!([
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [
            {"functionCall": {"id": "a", "name": first, "args": {"x": 1}}},
            {"functionCall": {"id": "b", "name": "f", "args": {"invalid_arguments": "cut off {"}}}]},
        {"role": "user", "parts": [
            {"functionResponse": {"id": "a", "name": first, "response": {"result": "one"}}},
            {"functionResponse": {"id": "b", "name": "f", "response": {"n": 2}}}]},
        {"role": "user", "parts": [{"text": "and?"}]}]);
    assert_eq!((&out["contents"], lost), (&expected, vec![]));
}

#[test]
fn a_call_that_another_model_made_is_excused_where_signatures_are_demanded() {
    let (out, _) = of_openai(&calls_of_openai(), "gemini-3-flash-preview");
    let calls = &out["contents"][1]["parts"];
    assert_eq!(calls[0]["thoughtSignature"], "skip_thought_signature_validator");
    // Of calls that are made at once, only the first is signed.
    assert_eq!(calls[1]["thoughtSignature"], Value::Null);
}

#[test]
fn a_failed_or_missing_result_is_an_error() {
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}, {"type": "tool_use", "id": "b", "name": "f", "input": {}},
            {"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "is_error": true, "content": "broke"},
            {"type": "tool_result", "tool_use_id": "b", "is_error": true, "content": "{\"code\":1}"}]}]});
    let (out, lost) = of_anthropic(&body, "gemini-2.5-flash");
    let response = |at: usize| out["contents"][2]["parts"][at]["functionResponse"]["response"].clone();
    assert_eq!(response(0), json!({"error": "broke"}));
    assert_eq!(response(1), json!({"error": {"code": 1}}));
    assert!(response(2)["error"].is_string());
    assert!(lost.is_empty());
}

#[test]
fn files_of_results_stand_in_them_or_behind() {
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "see"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}]}]}]});
    let image = json!({"inlineData": {"mimeType": "image/png", "data": "iVBO"}});
    let (out, _) = of_anthropic(&body, "gemini-3-pro-preview");
    assert_eq!(
        out["contents"][2]["parts"][0]["functionResponse"]["parts"],
        json!([image])
    );
    let (out, _) = of_anthropic(&body, "gemini-2.5-pro");
    assert_eq!(
        out["contents"][2]["parts"][0]["functionResponse"]["parts"],
        Value::Null
    );
    assert_eq!(out["contents"][3], json!({"role": "user", "parts": [image]}));
}

#[test]
fn thoughts_of_others_are_not_sent_and_named() {
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "sig"}, {"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "well"}]},
        {"role": "user", "content": "on"}]});
    let (out, lost) = of_anthropic(&body, "gemini-3-pro-preview");
    assert_eq!(out["contents"][1]["parts"], json!([{"text": "well"}]));
    assert_eq!(lost, ["messages[1].content[0]", "messages[1].content[1]"]);
}

#[test]
fn what_others_want_back_never_reaches_google() {
    let tagged = signature::of_proof("claude's");
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [{"text": "h", "thought": true}, {"text": "m", "thought": true}, {"text": "", "thought": true, "thoughtSignature": tagged}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "id": "c"}, "thoughtSignature": signature::of_state(&crate::chat::State {
            of: tollgate_core::Dialect::Responses, data: "blob".into() })}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "id": "c", "response": {}}}]}]});
    let bytes = serde_json::to_vec(&body).unwrap();
    assert!(crate::chat::carried::is_tagged_in(&bytes));
    let (out, lost, _) = encoded(decode::request(&bytes).unwrap(), "gemini-3-pro-preview");
    assert!(!crate::chat::carried::is_tagged_in(out.to_string().as_bytes()));
    assert_eq!(
        lost,
        ["contents[1].parts[2]", "contents[2].parts[0].thoughtSignature"]
    );
    assert_eq!(
        out["contents"][1]["parts"][0]["thoughtSignature"],
        "skip_thought_signature_validator"
    );
    // To Anthropic, the thoughts go as one with their proof.
    let (out, _) = super::to_anthropic(&body);
    let thoughts = json!({"type": "thinking", "thinking": "hm", "signature": "claude's"});
    assert_eq!(out["messages"][1]["content"][0], thoughts);
}

#[test]
fn effort_is_told_in_the_words_of_each_generation() {
    let config = |effort: &str, model: &str| {
        let body =
            json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "reasoning_effort": effort});
        let (out, lost) = of_openai(&body, model);
        (
            out["generationConfig"]["thinkingConfig"].clone(),
            !lost.is_empty(),
        )
    };
    let budget = |tokens: u64| json!({"thinkingBudget": tokens, "includeThoughts": true});
    let level = |level: &str| json!({"thinkingLevel": level, "includeThoughts": true});
    assert_eq!(config("low", "gemini-2.5-pro"), (budget(2048), false));
    assert_eq!(config("max", "gemini-2.5-flash"), (budget(24_576), false));
    assert_eq!(
        config("medium", "gemini-3-flash-preview"),
        (level("MEDIUM"), false)
    );
    assert_eq!(config("medium", "gemini-3-pro-preview"), (level("HIGH"), true));
    assert_eq!(
        config("none", "gemini-2.5-flash"),
        (json!({"thinkingBudget": 0}), false)
    );
    assert_eq!(
        config("none", "gemini-2.5-pro"),
        (json!({"thinkingBudget": 128}), true)
    );
    assert_eq!(
        config("none", "gemini-3-pro-preview"),
        (json!({"thinkingLevel": "LOW"}), true)
    );
    assert_eq!(config("high", "gemini-2.0-flash"), (Value::Null, true));
    assert_eq!(config("none", "gemini-2.0-flash"), (Value::Null, false));
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "thinking": {"type": "enabled", "budget_tokens": 5000}});
    let config = |model: &str| of_anthropic(&body, model).0["generationConfig"]["thinkingConfig"].clone();
    assert_eq!(config("gemini-2.5-pro"), budget(5000));
    assert_eq!(config("gemini-3.1-pro-preview"), level("MEDIUM"));
}

#[test]
fn settings_have_their_places_and_the_rest_is_named() {
    let body = json!({"model": "m", "messages": [{"role": "user", "name": "Al", "content": "x"}], "max_completion_tokens": 5, "temperature": 1.5, "top_p": 0.5,
        "seed": 1, "frequency_penalty": 0.5, "stop": ["1", "2", "3", "4", "5", "6"], "n": 2, "logprobs": true, "top_logprobs": 2,
        "user": "u", "service_tier": "priority", "parallel_tool_calls": false, "logit_bias": {"1": 1},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}});
    let (out, lost) = of_openai(&body, "gemini-2.5-flash");
    assert_eq!(
        out["generationConfig"],
        json!({"maxOutputTokens": 5, "temperature": 1.5, "topP": 0.5, "frequencyPenalty": 0.5, "seed": 1,
        "candidateCount": 2, "stopSequences": ["1", "2", "3", "4", "5"],
        "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}})
    );
    let expected = [
        "messages[0].name",
        "parallel_tool_calls",
        "stop[5]",
        "logprobs",
        "top_logprobs",
        "user",
        "service_tier",
        "logit_bias",
    ];
    assert_eq!(lost, expected);
}

#[test]
fn json_beside_functions_is_asked_for_in_words_where_the_field_is_refused() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}],
        "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}});
    let (out, lost) = of_openai(&body, "gemini-2.5-flash");
    assert_eq!(
        (&out["generationConfig"], lost),
        (&Value::Null, vec!["response_format".to_owned()])
    );
    assert!(
        out["systemInstruction"]["parts"][0]["text"]
            .as_str()
            .unwrap()
            .contains("{\"type\":\"object\"}")
    );
    let calling = json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}});
    assert_eq!(out["toolConfig"], calling);
    let (out, lost) = of_openai(&body, "gemini-3-flash-preview");
    assert_eq!(
        out["generationConfig"]["responseJsonSchema"],
        json!({"type": "object"})
    );
    assert!(lost.is_empty());
}

#[test]
fn pictures_and_papers_are_inline_or_fetched() {
    let body = |url: &str| {
        json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "x"},
        {"type": "image_url", "image_url": {"url": url}}]}]})
    };
    let sent = |url: &str, model: &str| {
        let (out, lost) = of_openai(&body(url), model);
        (out["contents"][0]["parts"][1].clone(), lost)
    };
    let inline = json!({"inlineData": {"mimeType": "image/jpeg", "data": "AA=="}});
    assert_eq!(sent("data:image/JPG;base64,AA==", "gemini-2.0-flash").0, inline);
    let fetched = json!({"fileData": {"mimeType": "image/png", "fileUri": "https://x/y.PNG?z=.jpg"}});
    assert_eq!(sent("https://x/y.PNG?z=.jpg", "gemini-2.5-flash").0, fetched);
    let lost = vec!["messages[0].content[1]".to_owned()];
    assert_eq!(
        sent("https://x/y.png", "gemini-2.0-flash"),
        (Value::Null, lost.clone())
    );
    assert_eq!(sent("http://x/y.png", "gemini-2.5-flash"), (Value::Null, lost));
    assert_eq!(
        sent("gs://x/y.png", "gemini-2.0-flash").0["fileData"]["fileUri"],
        "gs://x/y.png"
    );
}

#[test]
fn the_user_speaks_first_and_gemma_hears_instructions_from_the_user() {
    let only_system = json!({"model": "m", "messages": [{"role": "system", "content": "s"}]});
    let (out, _) = of_openai(&only_system, "gemini-2.5-flash");
    assert_eq!(out["contents"][0]["role"], "user");
    let body = json!({"model": "m", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]});
    let (out, _) = of_openai(&body, "gemma-3-27b-it");
    assert_eq!(
        out,
        json!({"contents": [{"role": "user", "parts": [{"text": "s"}, {"text": "u"}]}]})
    );
}

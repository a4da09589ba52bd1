//! Requests of Gemini clients: into the same dialect, and into others.

use serde_json::{Value, json};

use super::{there_and_back, to_anthropic, to_openai};
use crate::gemini::decode;

const SIGNATURE: &str = "EskgCsYgAb4-9vtF7";

/// The same request, asked of its own dialect: all of it, and nothing else.
fn assert_stays(body: &Value, model: &str) {
    assert_eq!(there_and_back(body, model), (body.clone(), Vec::new()));
}

#[test]
fn a_request_with_everything_comes_out_as_it_went_in() {
    let body = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [
                {"text": "What is this?"},
                {"inlineData": {"mimeType": "image/png", "data": "iVBO"}},
                {"inlineData": {"mimeType": "audio/wav", "data": "UklG"}},
                {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}, "videoMetadata": {"fps": 1}},
                {"inlineData": {"mimeType": "text/csv", "data": "YSxi"}},
                {"inlineData": {"mimeType": "application/pdf", "data": "JVBE", "displayName": "a.pdf"}},
                {"fileData": {"mimeType": "image/webp", "fileUri": "gs://bucket/x"}, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}},
                {"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}}]},
            {"role": "model", "parts": [
                {"text": "I wonder.", "thought": true},
                {"text": "Let me look.", "thoughtSignature": SIGNATURE},
                {"executableCode": {"language": "PYTHON", "code": "1"}},
                {"functionCall": {"name": "look.up", "args": {"q": "1"}, "id": "c1"}, "thoughtSignature": SIGNATURE},
                {"functionCall": {"name": "look.up", "args": {}}}]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "c1", "name": "look.up", "response": {"output": [1, "two"]}, "parts": [{"inlineData": {"mimeType": "image/png", "data": "iVBO"}}]}},
                {"functionResponse": {"name": "look.up", "response": {"error": "no such page"}, "scheduling": "SILENT"}}]},
            {"role": "user", "parts": [{"text": "And?"}]},
            {"role": "model", "parts": [{"text": "A cat."}, {"text": "", "thoughtSignature": SIGNATURE}]},
            {"role": "user", "parts": [{"text": "Thanks."}]},
        ],
        "tools": [
            {"functionDeclarations": [{"name": "look.up", "description": "Looks it up.", "behavior": "NON_BLOCKING",
                "parametersJsonSchema": {"type": "object", "properties": {"q": {"type": "string"}}}},
                {"name": "now", "description": ""}]},
            {"googleSearch": {}}, {"urlContext": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look.up", "now"]},
            "retrievalConfig": {"languageCode": "de"}},
        "generationConfig": {"maxOutputTokens": 100, "temperature": 2.5, "topP": 0.5, "presencePenalty": 0.5, "topK": 4,
            "seed": 7, "candidateCount": 2, "stopSequences": ["1", "2", "3", "4", "5", "6"],
            "responseLogprobs": true, "logprobs": 3,
            "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
            "thinkingConfig": {"thinkingBudget": 0, "newSwitch": true},
            "responseModalities": ["TEXT"], "mediaResolution": "MEDIA_RESOLUTION_LOW"},
        "serviceTier": "flex",
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "cachedContent": "cachedContents/1",
        "labels": {"team_name": "x"},
    });
    assert_stays(&body, "gemini-2.5-flash");
}

#[test]
fn snake_case_is_read_and_camel_case_written() {
    let snake = json!({
        "system_instruction": {"parts": [{"text": "s"}]},
        "contents": [
            {"role": "user", "parts": [{"file_data": {"file_uri": "gs://b/x.png", "mime_type": "image/png"}}]},
            {"role": "model", "parts": [{"function_call": {"name": "f", "args": {"snake_case": 1}}, "thought_signature": SIGNATURE}]},
            {"role": "user", "parts": [{"function_response": {"name": "f", "response": {"snake_case": 1}}}]}],
        "tools": [{"function_declarations": [{"name": "f", "description": "d", "parameters_json_schema": {"type": "object", "properties": {"snake_case": {}}}}]}],
        "tool_config": {"function_calling_config": {"mode": "any", "allowed_function_names": ["f"]}},
        "generation_config": {"max_output_tokens": 5, "top_k": 3, "thinking_config": {"thinking_budget": 9, "include_thoughts": true}},
        "safety_settings": [{"category": "C"}],
    });
    let camel = json!({
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [
            {"role": "user", "parts": [{"fileData": {"fileUri": "gs://b/x.png", "mimeType": "image/png"}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"snake_case": 1}}, "thoughtSignature": SIGNATURE}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"snake_case": 1}}}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "description": "d", "parametersJsonSchema": {"type": "object", "properties": {"snake_case": {}}}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {"maxOutputTokens": 5, "topK": 3, "thinkingConfig": {"thinkingBudget": 9, "includeThoughts": true}},
        "safetySettings": [{"category": "C"}],
    });
    assert_eq!(there_and_back(&snake, "gemini-2.5-flash"), (camel, Vec::new()));
}

#[test]
fn wishes_about_thinking_stay_what_they_are_and_fit_the_model() {
    let config = |config: Value, model: &str| {
        let body = json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}], "generationConfig": {"thinkingConfig": config}});
        let (out, lost) = there_and_back(&body, model);
        (out["generationConfig"]["thinkingConfig"].clone(), lost)
    };
    for same in [
        json!({"thinkingBudget": -1}),
        json!({"thinkingBudget": 500, "includeThoughts": true}),
        json!({"includeThoughts": true}),
    ] {
        assert_eq!(config(same.clone(), "gemini-2.5-pro"), (same.clone(), vec![]));
        assert_eq!(config(same.clone(), "gemini-3-pro-preview"), (same, vec![]));
    }
    let high = json!({"thinkingLevel": "high", "includeThoughts": true});
    let written = json!({"thinkingLevel": "HIGH", "includeThoughts": true});
    assert_eq!(config(high.clone(), "gemini-3-pro-preview").0, written);
    let budget = json!({"thinkingBudget": 16384, "includeThoughts": true});
    assert_eq!(config(high.clone(), "gemini-2.5-pro"), (budget, vec![]));
    let lost = vec!["generationConfig.thinkingConfig".to_owned()];
    assert_eq!(config(high, "gemini-2.0-flash"), (Value::Null, lost));
}

#[test]
fn calls_without_ids_get_stable_ones_and_results_find_them_by_name() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [
            {"functionCall": {"name": "weather", "args": {"at": "Boston"}}},
            {"functionCall": {"name": "weather", "args": {"at": "Delhi"}}},
            {"functionCall": {"name": "time"}}]},
        {"role": "function", "parts": [
            {"functionResponse": {"name": "time", "response": {"result": "noon"}}},
            {"functionResponse": {"name": "weather", "response": {"result": "wet"}}},
            {"functionResponse": {"name": "weather", "response": {"error": "hot"}}}]},
    ]});
    let (out, lost) = to_openai(&body);
    assert_eq!(lost, ["contents[2].parts[2].is_error"]);
    let calls = &out["messages"][1]["tool_calls"];
    let ids: Vec<_> = (0..3).map(|call| calls[call]["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["unnamed_call_0", "unnamed_call_1", "unnamed_call_2"]);
    let results: Vec<_> = (2..5)
        .map(|at| {
            (
                &out["messages"][at]["tool_call_id"],
                &out["messages"][at]["content"],
            )
        })
        .map(|(id, text)| format!("{} {}", id.as_str().unwrap(), text.as_str().unwrap()))
        .collect();
    assert_eq!(
        results,
        ["unnamed_call_0 wet", "unnamed_call_1 hot", "unnamed_call_2 noon"]
    );
}

#[test]
fn a_result_belongs_to_the_nearest_turn_that_calls_its_function() {
    let body = json!({"contents": [
        {"parts": {"text": "go"}},
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
        {"role": "user", "parts": [{"text": "never mind"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "id": "two"}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": "2"}}}]},
    ]});
    let (out, _) = to_openai(&body);
    let answered = |at: usize| {
        (
            out["messages"][at]["tool_call_id"].clone(),
            out["messages"][at]["content"].clone(),
        )
    };
    assert_eq!(answered(2).0, "unnamed_call_0");
    assert_ne!(answered(2).1, "2");
    assert_eq!(answered(5), (json!("two"), json!("2")));
}

#[test]
fn other_dialects_get_what_they_have_a_place_for_and_the_rest_is_named() {
    let body = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "see"}, {"fileData": {"mimeType": "image/png", "fileUri": "https://x/y.png"}},
                {"fileData": {"mimeType": "image/png", "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/1"}}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT", "properties": {"n": {"type": "INTEGER", "nullable": true}}}}]},
            {"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"}},
        "generationConfig": {"maxOutputTokens": 9, "stopSequences": ["s"], "temperature": 0.5, "responseMimeType": "application/json",
            "responseSchema": {"type": "OBJECT"}},
        "safetySettings": [{"category": "C"}], "cachedContent": "c",
    });
    let (out, lost) = to_anthropic(&body);
    assert_eq!(out["system"], "Be brief.");
    assert_eq!(out["max_tokens"], 9);
    assert_eq!(out["tool_choice"], json!({"type": "auto"}));
    let schema = json!({"type": "object", "properties": {"n": {"type": ["integer", "null"]}}});
    assert_eq!(out["tools"], json!([{"name": "f", "input_schema": schema}]));
    assert_eq!(
        out["output_config"]["format"]["schema"],
        json!({"type": "object"})
    );
    assert_eq!(
        out["messages"][0]["content"][1]["source"],
        json!({"type": "url", "url": "https://x/y.png"})
    );
    let expected = [
        "contents[0].parts[2]",
        "safetySettings",
        "cachedContent",
        "toolConfig.functionCallingConfig.mode",
        "tools[1]",
    ];
    assert_eq!(lost, expected);
}

#[test]
fn what_has_the_wrong_type_is_refused_with_its_path() {
    for (body, path) in [
        (json!({"contents": []}), "contents"),
        (json!({"contents": [{"role": "assistant"}]}), "contents[0].role"),
        (
            json!({"contents": [{"parts": [{"text": 1}]}]}),
            "contents[0].parts[0].text",
        ),
        (
            json!({"contents": [{"parts": [{"functionCall": {}}]}]}),
            "contents[0].parts[0].functionCall.name",
        ),
        (
            json!({"contents": [{"parts": [{"functionResponse": {"response": "x"}}]}]}),
            "contents[0].parts[0].functionResponse.response",
        ),
        (
            json!({"contents": [{}], "generation_config": {"top_k": "x"}}),
            "generationConfig.topK",
        ),
        (
            json!({"contents": [{}], "generationConfig": []}),
            "generationConfig",
        ),
        (
            json!({"contents": [{}], "tools": [{"functionDeclarations": [{}]}]}),
            "tools[0].functionDeclarations[0].name",
        ),
    ] {
        let refusal = decode::request(&serde_json::to_vec(&body).unwrap()).unwrap_err();
        assert_eq!(refusal.param.as_deref(), Some(path), "{body}");
    }
}

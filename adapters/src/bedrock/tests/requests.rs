//! Requests, in and out.

use serde_json::{Value, json};

use tollgate_core::Dialect;

use super::super::decode;
use super::{SONNET, again, egress, from_anthropic, from_openai, sent, to_anthropic, to_openai, user};
use crate::chat::State;
use crate::loss::Loss;

const NOTHING: [&str; 0] = [];

#[test]
fn a_request_of_the_dialect_comes_back_as_it_went() {
    let body = json!({
        "messages": [
            {"role": "user", "content": [
                {"text": "look"}, {"cachePoint": {"type": "default"}},
                {"image": {"format": "jpeg", "source": {"bytes": "AAAA"}}},
                {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/k"}}}},
                {"document": {"format": "pdf", "name": "a (1)", "source": {"bytes": "JVBE"}, "citations": {"enabled": true}}},
                {"video": {"format": "mp4", "source": {"bytes": "AAAA"}}},
                {"guardContent": {"text": {"text": "who?", "qualifiers": ["query"]}}},
                {"searchResult": {"source": "s", "title": "t", "content": [{"text": "x"}]}}
            ]},
            {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
                {"reasoningContent": {"redactedContent": "ZGF0YQ=="}},
                {"citationsContent": {"content": [{"text": "as "}, {"text": "said"}], "citations": [{"title": "t"}]}},
                {"toolUse": {"toolUseId": "srv", "name": "nova_code_interpreter", "input": {}, "type": "server_tool_use"}},
                {"toolResult": {"toolUseId": "srv", "content": [{"json": {"a": 1}}], "type": "nova_code_interpreter_result"}},
                {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1.5}}}
            ]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "t1", "content": [{"json": {"ok": [1, 2]}}, {"text": "and"},
                    {"image": {"format": "webp", "source": {"bytes": "AAAA"}}}], "status": "error"}}
            ]}
        ],
        "system": [{"text": "be brief"}, {"cachePoint": {"type": "default", "ttl": "1h"}},
            {"guardContent": {"image": {"format": "png", "source": {"bytes": "AAAA"}}}}],
        "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "stopSequences": ["|"], "newer": 1},
        "toolConfig": {"tools": [
            {"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": {"type": "object"}}, "strict": false}},
            {"cachePoint": {"type": "default"}},
            {"systemTool": {"name": "nova_grounding"}}
        ], "toolChoice": {"any": {}}},
        "additionalModelRequestFields": {"top_k": 4, "anthropic_beta": ["x"]},
        "additionalModelResponseFieldPaths": ["/stop_sequence"],
        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
        "promptVariables": {"a": {"text": "b"}},
        "requestMetadata": {"k": "v"},
        "performanceConfig": {"latency": "optimized"},
        "serviceTier": {"type": "default"},
        "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema":
            {"name": "n", "description": "d", "schema": "{\"type\":\"object\",\"properties\":{}}"}}}}
    });
    let (out, lost) = again(&body, SONNET);
    assert_eq!(lost, NOTHING);
    assert_eq!(out, body);
}

#[test]
fn what_others_have_no_place_for_is_named_by_its_path() {
    let body = json!({
        "messages": [{"role": "user", "content": [
            {"guardContent": {"text": {"text": "who?", "qualifiers": ["query"]}}},
            {"video": {"format": "mp4", "source": {"bytes": "AAAA"}}}
        ]}],
        "guardrailConfig": {"guardrailIdentifier": "g"},
        "inferenceConfig": {"newer": 1},
        "additionalModelRequestFields": {"anthropic_beta": ["x"]},
        "toolConfig": {"tools": [{"systemTool": {"name": "nova_grounding"}}]}
    });
    let (out, mut lost) = to_openai(&body);
    assert_eq!(
        out["messages"][0]["content"], "who?",
        "guarded text is the prompt"
    );
    lost.sort();
    assert_eq!(
        lost,
        [
            "additionalModelRequestFields.anthropic_beta",
            "guardrailConfig",
            "inferenceConfig.newer",
            "messages[0].content[0].guardContent",
            "messages[0].content[1]",
            "toolConfig.tools[0]",
        ]
    );
}

#[test]
fn a_request_becomes_one_of_chat_completions() {
    let body = json!({
        "messages": [
            user("hi"),
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"json": {"ok": 1}}]}}]}
        ],
        "system": [{"text": "be brief"}],
        "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}],
            "toolChoice": {"tool": {"name": "f"}}},
        "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"name": "n", "schema": "{\"type\":\"object\"}"}}}}
    });
    let (out, lost) = to_openai(&body);
    assert_eq!(lost, NOTHING);
    assert_eq!(
        out["messages"][2]["tool_calls"][0]["function"]["arguments"],
        "{\"a\":1}"
    );
    assert_eq!(out["messages"][3]["tool_call_id"], "t1");
    assert_eq!(out["messages"][3]["content"], "{\"ok\":1}");
    assert_eq!(out["tool_choice"]["function"]["name"], "f");
    assert_eq!(
        out["response_format"]["json_schema"]["schema"],
        json!({"type": "object"})
    );
}

#[test]
fn thoughts_of_claude_and_marks_reach_its_own_dialect_and_come_from_there() {
    let bedrock = json!({
        "messages": [
            {"role": "user", "content": [{"text": "hi"}, {"cachePoint": {"type": "default"}}]},
            {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "", "signature": "c2ln"}}},
                {"reasoningContent": {"redactedContent": "ZGF0YQ=="}},
                {"toolUse": {"toolUseId": "t1", "name": "f", "input": {}}}
            ]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "x"}]}}]}
        ],
        "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}]},
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        "inferenceConfig": {"maxTokens": 4000}
    });
    let (out, lost) = to_anthropic(&bedrock, "claude-sonnet-4-5");
    assert_eq!(lost, NOTHING);
    let thought = json!({"type": "thinking", "thinking": "", "signature": "c2ln"});
    assert_eq!(out["messages"][1]["content"][0], thought);
    assert_eq!(
        out["messages"][0]["content"][0]["cache_control"]["type"],
        "ephemeral"
    );
    assert_eq!(out["thinking"], json!({"type": "enabled", "budget_tokens": 2000}));
    let (back, lost) = from_anthropic(&out, SONNET);
    assert_eq!(lost, NOTHING);
    assert_eq!(back, bedrock);
}

#[test]
fn conversations_are_put_into_the_order_that_is_insisted_on() {
    let body = json!({"model": "m", "messages": [
        {"role": "assistant", "content": "Hello!  "},
        {"role": "user", "content": "a"},
        {"role": "user", "content": "  "},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "call|1", "type": "function", "function": {"name": "a.b", "arguments": "{\"x\":"}},
            {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": ""}}]},
        {"role": "user", "content": "hurry"},
        {"role": "tool", "tool_call_id": "call_2", "content": ""},
        {"role": "system", "content": "late"}
    ]});
    let (out, lost) = from_openai(&body, SONNET);
    assert_eq!(lost, NOTHING);
    assert_eq!(out["system"], json!([{"text": "late"}]));
    let roles: Vec<_> = out["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|turn| turn["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant", "user"]);
    let calls = &out["messages"][3]["content"];
    let id = calls[0]["toolUse"]["toolUseId"].as_str().unwrap();
    assert!(id.starts_with("call_1_"), "{id}");
    assert_eq!(
        calls[0]["toolUse"]["input"],
        json!({"invalid_arguments": "{\"x\":"})
    );
    assert_eq!(calls[1]["toolUse"]["input"], json!({}));
    let results = &out["messages"][4]["content"];
    assert_eq!(results[0]["toolResult"]["toolUseId"], id);
    assert_eq!(results[0]["toolResult"]["status"], "error");
    assert_eq!(
        results[1]["toolResult"]["content"],
        json!([{"text": "(nothing)"}])
    );
    assert_eq!(results[2], json!({"text": "hurry"}));
    // Tools that only history knows are defined all the same.
    let tools = out["toolConfig"]["tools"].as_array().unwrap();
    let name = calls[0]["toolUse"]["name"].as_str().unwrap();
    assert!(name.starts_with("a_b_"));
    assert_eq!(tools[0]["toolSpec"]["name"], name);
    assert_eq!(tools[1]["toolSpec"]["inputSchema"]["json"]["type"], "object");
}

#[test]
fn images_go_as_bytes_only_and_by_their_registered_names() {
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let body = json!({"model": "m", "messages": [{"role": "user", "content": [
        {"type": "text", "text": "see"}, image("data:image/jpg;base64,AAAA"), image("https://x/y.png"),
        image("data:image/bmp;base64,AAAA")]}]});
    let (out, lost) = from_openai(&body, SONNET);
    assert_eq!(lost, ["messages[0].content[2]", "messages[0].content[3]"]);
    let content = out["messages"][0]["content"].as_array().unwrap();
    assert_eq!(
        content[1],
        json!({"image": {"format": "jpeg", "source": {"bytes": "AAAA"}}})
    );
    assert_eq!(content.len(), 2);
}

#[test]
fn documents_get_legal_names_that_differ_and_a_text_beside_them() {
    let file = |name: &str| json!({"type": "file", "file": {"filename": name, "file_data": "data:application/pdf;base64,JVBE"}});
    let body = json!({"model": "m", "messages": [{"role": "user", "content":
        [file("Q1_report  2024.pdf"), file("Q1-report 2024.PDF"), file("\u{fc}.v2.csv")]}]});
    let (out, lost) = from_openai(&body, SONNET);
    assert_eq!(lost, NOTHING);
    let content = out["messages"][0]["content"].as_array().unwrap();
    let names: Vec<_> = content
        .iter()
        .filter_map(|block| block["document"]["name"].as_str())
        .collect();
    assert_eq!(names, ["Q1-report 2024", "Q1-report 2024 (2)", "--v2"]);
    assert_eq!(content[3], json!({"text": "See the document."}));
}

#[test]
fn documents_of_text_are_sent_as_bytes() {
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "h\u{e4}"}},
        {"type": "text", "text": "?"}]}]});
    let (out, lost) = from_anthropic(&body, SONNET);
    assert_eq!(lost, NOTHING);
    let document = json!({"format": "txt", "name": "document", "source": {"bytes": "aMOk"}});
    assert_eq!(out["messages"][0]["content"][0]["document"], document);
}

#[test]
fn a_document_in_chunks_is_one_text_elsewhere_and_chunks_again_here() {
    let body = json!({"messages": [{"role": "user", "content": [{"text": "?"}, {"document": {"format": "txt", "name": "n",
        "source": {"content": [{"text": "a"}, {"text": "b"}]}}}]}]});
    assert_eq!(again(&body, SONNET), (body.clone(), Vec::new()));
    let (out, lost) = to_anthropic(&body, "claude-sonnet-4-5");
    assert_eq!(out["messages"][0]["content"][1]["source"]["data"], "ab");
    assert_eq!(lost, ["messages[0].content[1].document.source"]);
}

#[test]
fn thinking_of_a_client_of_the_dialect_is_understood_in_all_its_spellings() {
    let mode = |fields: Value| {
        let body = json!({"messages": [user("x")], "additionalModelRequestFields": fields});
        let bytes = serde_json::to_vec(&body).unwrap();
        let request = decode::request(&bytes).unwrap();
        let mode = request.reasoning.mode.map(|mode| format!("{:?}", mode.value));
        (
            mode,
            request.reasoning.effort.map(|effort| effort.value.into_owned()),
            request.extra.len(),
        )
    };
    let effort = |word: &str| (None, Some(word.to_owned()), 0);
    assert_eq!(
        mode(json!({"thinking": {"type": "enabled", "budget_tokens": 2000}}))
            .0
            .unwrap(),
        "Budget(2000)"
    );
    assert_eq!(
        mode(json!({"reasoning_config": {"type": "enabled", "budget_tokens": 5}}))
            .0
            .unwrap(),
        "Budget(5)"
    );
    assert_eq!(mode(json!({"reasoning_config": "high"})), effort("high"));
    assert_eq!(
        mode(json!({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}})),
        effort("low")
    );
    assert_eq!(
        mode(json!({"reasoningConfig": {"type": "disabled"}})).0.unwrap(),
        "Off"
    );
    assert_eq!(mode(json!({"output_config": {"effort": "max"}})), effort("max"));
    assert_eq!(mode(json!({"output_config": {"effort": "max", "x": 1}})).2, 1);
}

#[test]
fn what_another_provider_wants_back_is_not_sent_and_named() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"},{"role":"user","content":"z"}]}"#;
    let mut request = crate::openai::decode::request(body).unwrap();
    let state = |of, data: &'static str| {
        Some(State {
            of,
            data: data.into(),
        })
    };
    request.turns[0].parts[0].state = state(Dialect::Responses, "a");
    request.turns[1].parts[0].state = state(Dialect::Gemini, "b");
    let (out, lost) = sent(request, SONNET);
    assert_eq!(
        lost,
        [
            "messages[0].content.encrypted_content",
            "messages[1].content.thoughtSignature"
        ]
    );
    assert_eq!(out["messages"][1]["content"], json!([{"text": "y"}]));
}

#[test]
fn more_than_one_answer_is_refused() {
    let body = br#"{"model":"m","n":2,"messages":[{"role":"user","content":"x"}]}"#;
    let request = crate::openai::decode::request(body).unwrap();
    let refused = super::super::encode::request(request, &egress(SONNET), &mut Loss::default());
    assert_eq!(refused.unwrap_err().param.as_deref(), Some("n"));
}

#[test]
fn wrong_types_are_refused_with_their_place() {
    let refused = |body: &Value| {
        let bytes = serde_json::to_vec(body).unwrap();
        decode::request(&bytes).unwrap_err().param.unwrap_or_default()
    };
    let message = |block: Value| json!({"messages": [{"role": "user", "content": [block]}]});
    for (body, place) in [
        (json!({}), "messages"),
        (
            json!({"messages": [{"role": "tool", "content": []}]}),
            "messages[0].role",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x"}]}),
            "messages[0].content",
        ),
        (message(json!({"text": 1})), "messages[0].content[0].text"),
        (
            message(json!({"image": {"format": "png"}})),
            "messages[0].content[0].image.source",
        ),
        (
            message(json!({"toolUse": {"toolUseId": "a", "name": "f", "input": []}})),
            "messages[0].content[0].toolUse.input",
        ),
        (
            message(json!({"toolResult": {"content": []}})),
            "messages[0].content[0].toolResult.toolUseId",
        ),
        (
            json!({"messages": [user("x")], "inferenceConfig": {"maxTokens": "9"}}),
            "inferenceConfig.maxTokens",
        ),
        (
            json!({"messages": [user("x")], "toolConfig": {"toolChoice": {}}}),
            "toolConfig.toolChoice",
        ),
        (
            json!({"messages": [user("x")], "outputConfig": {"textFormat": {"type": "json_schema",
                "structure": {"jsonSchema": {"schema": "{"}}}}}),
            "outputConfig.textFormat.structure.jsonSchema.schema",
        ),
    ] {
        assert_eq!(refused(&body), place);
    }
}

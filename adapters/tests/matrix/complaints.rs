//! Bugs of translation that users of other gateways have met, each as a test. The thread is named with it.

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_core::{Dialect, ProviderKind, Surface};

use crate::support::{events, hello, send, streamed};

const CLAUDE: &str = "claude-sonnet-4-5";
const GEMINI: &str = "gemini-3-pro-preview";

/// What a provider is sent for a request.
fn sent(client: Surface, body: &Value, kind: ProviderKind, model: &str) -> Value {
    serde_json::from_slice(&send(client, false, body, kind, model).unwrap().body).unwrap()
}

/// A Chat request of these messages.
fn chat(messages: &Value) -> Value {
    json!({"model": "m", "max_tokens": 9000, "messages": messages})
}

/// What a Chat client keeps of an answer: the message, to be sent back.
fn kept(kind: ProviderKind, model: &str, answer: &Value) -> Value {
    let asked = send(
        Surface::ChatCompletions,
        false,
        &hello(Surface::ChatCompletions),
        kind,
        model,
    )
    .unwrap();
    let told = asked.reader.read(Bytes::from(answer.to_string())).unwrap();
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    told["choices"][0]["message"].clone()
}

/// An answer of Anthropic's with this content.
fn message(content: &Value) -> Value {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": CLAUDE, "content": content,
        "stop_reason": "tool_use", "stop_sequence": null, "usage": {"input_tokens": 3, "output_tokens": 2}})
}

/// An answer of Google's with these parts.
fn candidate(parts: &Value) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2}, "modelVersion": GEMINI})
}

/// The client's next request at Anthropic, after an answer of Anthropic's: the content of the assistant's turn.
fn replayed(content: &Value) -> Value {
    let assistant = kept(ProviderKind::Anthropic, CLAUDE, &message(content));
    let user = json!({"role": "user", "content": "Go on."});
    let mut turns = vec![user.clone(), assistant.clone()];
    for call in assistant["tool_calls"].as_array().into_iter().flatten() {
        turns.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "1"}));
    }
    turns.push(user);
    let body = sent(
        Surface::ChatCompletions,
        &chat(&turns.into()),
        ProviderKind::Anthropic,
        CLAUDE,
    );
    body["messages"][1]["content"].clone()
}

/// maximhq/bifrost#3512: what OpenAI's clients say of a tool was refused by Anthropic.
#[test]
fn tools_of_openais_clients_are_such_as_anthropic_takes() {
    let tool = |function: Value| json!({"type": "function", "function": function});
    let mut body = hello(Surface::ChatCompletions);
    body["tools"] = json!([
        tool(json!({"name": "bare"})),
        tool(
            json!({"name": "untyped", "description": "", "strict": false, "parameters": {"properties": {"a": {"type": "string"}}}})
        ),
        tool(json!({"name": "null", "parameters": {"type": null, "properties": null}})),
    ]);
    let sent = sent(Surface::ChatCompletions, &body, ProviderKind::Anthropic, CLAUDE);
    let tools = sent["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 3);
    for tool in tools {
        assert_eq!(tool["input_schema"]["type"], "object", "{tool}");
        assert!(tool["input_schema"]["properties"].is_object(), "{tool}");
        let known = ["name", "description", "input_schema"];
        let fields = tool.as_object().unwrap().keys();
        assert!(fields.clone().all(|field| known.contains(&&**field)), "{tool}");
        assert_ne!(tool["description"], "", "{tool}");
    }
}

/// BerriAI/litellm#16893, deepseek-ai/DeepSeek-V3#967: results of parallel calls in another order, or in turns of their own.
#[test]
fn results_of_parallel_calls_come_together_in_the_order_of_the_calls() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": id});
    let turns = json!([
        {"role": "user", "content": "Go."},
        {"role": "assistant", "content": null, "tool_calls": [call("a"), call("b"), call("c")]},
        result("c"), result("a"),
        {"role": "user", "content": "And?"},
    ]);
    let sent = sent(
        Surface::ChatCompletions,
        &chat(&turns),
        ProviderKind::Anthropic,
        CLAUDE,
    );
    let last = sent["messages"][2]["content"].as_array().unwrap();
    let ids: Vec<_> = last
        .iter()
        .filter_map(|block| block["tool_use_id"].as_str())
        .collect();
    // The one that never came is told as an error: without it the whole request is refused (Chainlit/chainlit#2662).
    assert_eq!(ids, ["a", "b", "c"], "{sent}");
    assert_eq!(last[1]["is_error"], true, "{sent}");
    assert_eq!(last.last().unwrap()["text"], "And?", "{sent}");
    assert_eq!(sent["messages"].as_array().unwrap().len(), 3, "{sent}");
}

/// maximhq/bifrost#1437, router-for-me/CLIProxyAPI#2360: "Function call is missing a `thought_signature`".
#[test]
fn googles_signature_of_a_call_comes_back_with_the_call() {
    let parts = json!([{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}]);
    let assistant = kept(ProviderKind::Gemini, GEMINI, &candidate(&parts));
    let id = assistant["tool_calls"][0]["id"].clone();
    let turns = json!([{"role": "user", "content": "Go."}, assistant,
        {"role": "tool", "tool_call_id": id, "content": "1"}]);
    let sent = sent(
        Surface::ChatCompletions,
        &chat(&turns),
        ProviderKind::Gemini,
        GEMINI,
    );
    let part = &sent["contents"][1]["parts"][0];
    assert_eq!(
        (&part["functionCall"]["name"], &part["thoughtSignature"]),
        (&json!("f"), &json!("c2ln"))
    );
}

/// router-for-me/CLIProxyAPI#5652: the signature of a tool that Google runs itself was cut out.
#[test]
fn parts_of_googles_own_tools_keep_their_signatures() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "Go."}]},
        {"role": "model", "parts": [
            {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": ["x"]}, "id": "1"}, "thoughtSignature": "c2ln"},
            {"toolResponse": {"toolType": "GOOGLE_SEARCH_WEB", "response": {}, "id": "1"}, "thoughtSignature": "c2lo"},
            {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2lp"}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}]});
    assert_eq!(
        sent(Surface::GenerateContent, &body, ProviderKind::Gemini, GEMINI),
        body
    );
}

/// BerriAI/litellm#15601, openai/openai-agents-python#4155: thoughts that are nothing but a signature were dropped.
#[test]
fn thoughts_that_are_nothing_but_a_signature_go_back_unchanged() {
    let content = json!([{"type": "thinking", "thinking": "", "signature": "sig"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}]);
    assert_eq!(replayed(&content), content);
}

/// mnfst/llm-gateway#1658: several thoughts, each with its own signature, lost their order and their proofs.
#[test]
fn each_thought_keeps_its_place_and_its_signature() {
    let content = json!([{"type": "thinking", "thinking": "one", "signature": "sig1"},
        {"type": "thinking", "thinking": "two", "signature": "sig2"}, {"type": "text", "text": "So."},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}]);
    assert_eq!(replayed(&content), content);
    let mut body = hello(Surface::ChatCompletions);
    body["max_tokens"] = json!(9000);
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 2000});
    let sent = sent(Surface::ChatCompletions, &body, ProviderKind::Anthropic, CLAUDE);
    assert_eq!(sent["thinking"], body["thinking"]);
}

/// BerriAI/litellm#9058: encrypted thoughts were dropped.
#[test]
fn encrypted_thoughts_go_back_unchanged() {
    let content = json!([{"type": "redacted_thinking", "data": "ErYECg=="},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}]);
    assert_eq!(replayed(&content), content);
}

/// BerriAI/litellm#31654: thoughts that nobody signed made Anthropic refuse the whole request.
#[test]
fn thoughts_without_a_signature_are_left_out_and_named() {
    let assistant = json!({"role": "assistant", "content": "So.",
        "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": null}]});
    let user = json!({"role": "user", "content": "Go."});
    let body = chat(&json!([user, assistant, user]));
    let out = send(
        Surface::ChatCompletions,
        false,
        &body,
        ProviderKind::Anthropic,
        CLAUDE,
    )
    .unwrap();
    let sent: Value = serde_json::from_slice(&out.body).unwrap();
    assert_eq!(sent["messages"][1]["content"], "So.", "{sent}");
    assert!(
        out.loss.paths().any(|path| path.starts_with("messages[1]")),
        "{:?}",
        out.loss
    );
}

/// envoyproxy/ai-gateway#1818: in a stream, the signature came in front of the thoughts that it proves.
#[test]
fn in_a_stream_the_signature_follows_its_thoughts() {
    let chunk = |parts: Value| format!("data: {}\n\n", candidate(&parts));
    let stream = [
        chunk(json!([{"text": "one ", "thought": true}])),
        chunk(json!([{"text": "two", "thought": true, "thoughtSignature": "c2ln"}])),
        chunk(json!([{"text": "So."}])),
    ]
    .concat();
    for size in [1, 13, stream.len()] {
        let asked = send(
            Surface::Messages,
            true,
            &hello(Surface::Messages),
            ProviderKind::Gemini,
            GEMINI,
        )
        .unwrap();
        let (told, _) = streamed(asked, stream.as_bytes(), size);
        let deltas: Vec<_> = events(Dialect::Anthropic, &told)
            .into_iter()
            .filter_map(|(_, event)| event["delta"]["type"].as_str().map(str::to_owned))
            .collect();
        let thoughts = deltas.iter().rposition(|kind| kind == "thinking_delta").unwrap();
        let proof = deltas.iter().position(|kind| kind == "signature_delta").unwrap();
        let text = deltas.iter().position(|kind| kind == "text_delta").unwrap();
        assert!(thoughts < proof && proof < text, "{deltas:?}");
    }
}

/// maximhq/bifrost#7348: `allowed_tools` and `parallel_tool_calls` never reached Anthropic.
#[test]
fn which_tools_may_be_called_and_how_many_at_once_reaches_anthropic() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
    let mut body = hello(Surface::ChatCompletions);
    body["tools"] = json!([tool("f"), tool("g")]);
    body["tool_choice"] =
        json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [tool("g")]}});
    body["parallel_tool_calls"] = json!(false);
    let sent = sent(Surface::ChatCompletions, &body, ProviderKind::Anthropic, CLAUDE);
    let names: Vec<_> = sent["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| &tool["name"])
        .collect();
    assert_eq!(names, ["g"]);
    assert_eq!(
        sent["tool_choice"],
        json!({"type": "any", "disable_parallel_tool_use": true})
    );
}

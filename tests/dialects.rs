//! Six protocols in, six protocols out: a client of any dialect is answered by a provider of any, whole and streamed,
//! over real sockets.

use serde_json::{Value, json};
use tollgate_adapters::eventstream;
use tollgate_tests::{KEY, Response, Scripted, Stack, json_answer, post};

/// The dialects by the kind of provider that speaks them.
pub(crate) const DIALECTS: [&str; 6] = [
    "openai",
    "openai-responses",
    "anthropic",
    "gemini",
    "cohere",
    "bedrock",
];

pub(crate) const SAID: &str = "Good day to you.";

/// A provider of every dialect: it answers each path as its owner would.
pub(crate) async fn providers() -> Scripted {
    Scripted::start(|request| {
        let path = request.split(' ').nth(1).unwrap_or_default();
        match path {
            "/v1/chat/completions" => answered(request, &chat(), &chat_stream()),
            "/v1/responses" => answered(request, &responses(), &responses_stream()),
            "/v1/messages" => answered(request, &messages(), &messages_stream()),
            "/v2/embed" => json_answer(200, &vectors().to_string()),
            "/v2/chat" => answered(request, &cohere(), &cohere_stream()),
            "/v1beta/models/m-1:generateContent" => json_answer(200, &gemini().to_string()),
            "/v1beta/models/m-1:streamGenerateContent?alt=sse" => streamed(
                "text/event-stream",
                format!("data: {}\r\n\r\n", gemini()).as_bytes(),
            ),
            "/model/m-1/converse" => json_answer(200, &bedrock().to_string()),
            "/model/m-1/converse-stream" => streamed("application/vnd.amazon.eventstream", &bedrock_stream()),
            other => json_answer(404, &json!({ "error": { "message": other } }).to_string()),
        }
    })
    .await
}

pub(crate) fn answered(request: &str, whole: &Value, stream: &str) -> Vec<u8> {
    let body = request.split_once("\r\n\r\n").unwrap().1;
    let body: Value = serde_json::from_str(body).unwrap();
    if body["stream"] == true {
        streamed("text/event-stream", stream.as_bytes())
    } else {
        json_answer(200, &whole.to_string())
    }
}

pub(crate) fn streamed(kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

pub(crate) fn events(events: &[Value]) -> String {
    let event = |data: &Value| {
        let name = data["type"].as_str().unwrap_or_default();
        format!("event: {name}\ndata: {data}\n\n")
    };
    events.iter().map(event).collect()
}

fn chat() -> Value {
    json!({
        "id": "c", "object": "chat.completion", "created": 1, "model": "m-1",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": SAID }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12 },
    })
}

fn chat_stream() -> String {
    let chunk = |choices: Value, usage: Value| {
        let chunk = json!({
            "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m-1",
            "choices": choices, "usage": usage,
        });
        format!("data: {chunk}\n\n")
    };
    let delta =
        |delta: Value, finish: Value| json!([{ "index": 0, "delta": delta, "finish_reason": finish }]);
    let usage = json!({ "prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12 });
    [
        chunk(
            delta(json!({ "role": "assistant", "content": SAID }), Value::Null),
            Value::Null,
        ),
        chunk(delta(json!({}), json!("stop")), Value::Null),
        chunk(json!([]), usage),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat()
}

fn responses() -> Value {
    json!({
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m-1", "error": null,
        "output": [{
            "type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
            "content": [{ "type": "output_text", "text": SAID, "annotations": [] }],
        }],
        "usage": { "input_tokens": 7, "output_tokens": 5, "total_tokens": 12 },
    })
}

fn responses_stream() -> String {
    let mut begun = responses();
    begun["output"] = json!([]);
    begun["usage"] = Value::Null;
    begun["status"] = json!("in_progress");
    let item = json!({ "type": "message", "id": "msg_1", "role": "assistant", "content": [] });
    let part = json!({ "type": "output_text", "text": "", "annotations": [] });
    events(&[
        json!({ "type": "response.created", "response": begun }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": item }),
        json!({
            "type": "response.content_part.added", "item_id": "msg_1", "output_index": 0, "content_index": 0,
            "part": part,
        }),
        json!({
            "type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0,
            "delta": SAID,
        }),
        json!({ "type": "response.completed", "response": responses() }),
    ])
}

fn messages() -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m-1",
        "content": [{ "type": "text", "text": SAID }], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": { "input_tokens": 7, "output_tokens": 5 },
    })
}

fn messages_stream() -> String {
    let mut begun = messages();
    begun["content"] = json!([]);
    begun["stop_reason"] = Value::Null;
    events(&[
        json!({ "type": "message_start", "message": begun }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": SAID } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({
            "type": "message_delta", "delta": { "stop_reason": "end_turn", "stop_sequence": null },
            "usage": { "output_tokens": 5 },
        }),
        json!({ "type": "message_stop" }),
    ])
}

fn gemini() -> Value {
    json!({
        "candidates": [{
            "content": { "role": "model", "parts": [{ "text": SAID }] }, "finishReason": "STOP", "index": 0,
        }],
        "usageMetadata": { "promptTokenCount": 7, "candidatesTokenCount": 5, "totalTokenCount": 12 },
        "modelVersion": "m-1", "responseId": "r",
    })
}

fn cohere() -> Value {
    json!({
        "id": "c", "finish_reason": "COMPLETE",
        "message": { "role": "assistant", "content": [{ "type": "text", "text": SAID }] },
        "usage": {
            "billed_units": { "input_tokens": 7, "output_tokens": 5 },
            "tokens": { "input_tokens": 7, "output_tokens": 5 },
        },
    })
}

fn vectors() -> Value {
    json!({
        "id": "e", "embeddings": { "float": [[0.5, -1.0]] }, "texts": ["Hi"],
        "meta": { "billed_units": { "input_tokens": 3 } }, "response_type": "embeddings_by_type",
    })
}

fn cohere_stream() -> String {
    let content = json!({ "message": { "content": { "text": SAID } } });
    let usage = cohere()["usage"].clone();
    events(&[
        json!({ "type": "message-start", "id": "c", "delta": { "message": { "role": "assistant", "content": [] } } }),
        json!({
            "type": "content-start", "index": 0,
            "delta": { "message": { "content": { "type": "text", "text": "" } } },
        }),
        json!({ "type": "content-delta", "index": 0, "delta": content }),
        json!({ "type": "content-end", "index": 0 }),
        json!({ "type": "message-end", "id": "c", "delta": { "finish_reason": "COMPLETE", "usage": usage } }),
    ])
}

fn bedrock() -> Value {
    json!({
        "output": { "message": { "role": "assistant", "content": [{ "text": SAID }] } },
        "stopReason": "end_turn", "metrics": { "latencyMs": 1 },
        "usage": { "inputTokens": 7, "outputTokens": 5, "totalTokens": 12 },
    })
}

fn bedrock_stream() -> Vec<u8> {
    let mut out = Vec::new();
    let mut write =
        |event: &str, data: Value| eventstream::write(event, data.to_string().as_bytes(), &mut out);
    write("messageStart", json!({ "role": "assistant" }));
    write(
        "contentBlockDelta",
        json!({ "contentBlockIndex": 0, "delta": { "text": SAID } }),
    );
    write("contentBlockStop", json!({ "contentBlockIndex": 0 }));
    write("messageStop", json!({ "stopReason": "end_turn" }));
    write(
        "metadata",
        json!({ "usage": bedrock()["usage"], "metrics": { "latencyMs": 1 } }),
    );
    out
}

pub(crate) async fn start(upstream: &Scripted) -> Stack {
    let providers = DIALECTS.map(|kind| {
        let base = match kind {
            "openai" | "openai-responses" => "/v1",
            _ => "",
        };
        let url = format!("http://{}{base}", upstream.addr);
        format!("  {kind}: {{ kind: {kind}, base_url: \"{url}\", api_key: \"key-of-{kind}\" }}\n")
    });
    let models = DIALECTS
        .map(|kind| format!("  \"on-{kind}\": {{ targets: [ {{ provider: {kind}, model: m-1 }} ] }}\n"));
    let config = format!("providers:\n{}models:\n{}", providers.concat(), models.concat());
    Stack::start(&config).await
}

/// What a client of `dialect` sends, with its SDK's own way to show a key.
async fn ask(stack: &Stack, dialect: &str, model: &str, stream: bool) -> Response {
    let turns = json!([{ "role": "user", "content": "Hi" }]);
    let (path, body) = match dialect {
        "openai" => (
            "/v1/chat/completions".to_owned(),
            json!({ "model": model, "messages": turns, "stream": stream }),
        ),
        "openai-responses" => (
            "/v1/responses".to_owned(),
            json!({ "model": model, "input": "Hi", "stream": stream }),
        ),
        "anthropic" => (
            "/v1/messages".to_owned(),
            json!({ "model": model, "messages": turns, "max_tokens": 9, "stream": stream }),
        ),
        "gemini" => {
            let method = if stream {
                "streamGenerateContent?alt=sse"
            } else {
                "generateContent"
            };
            let parts = json!([{ "text": "Hi" }]);
            (
                format!("/v1beta/models/{model}:{method}"),
                json!({ "contents": [{ "role": "user", "parts": parts }] }),
            )
        }
        "cohere" => (
            "/v2/chat".to_owned(),
            json!({ "model": model, "messages": turns, "stream": stream }),
        ),
        _ => {
            let method = if stream { "converse-stream" } else { "converse" };
            (
                format!("/model/{model}/{method}"),
                json!({ "messages": [{ "role": "user", "content": [{ "text": "Hi" }] }] }),
            )
        }
    };
    let bearer = format!("Bearer {KEY}");
    let signed = format!(
        "AWS4-HMAC-SHA256 Credential={KEY}/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0"
    );
    let key = match dialect {
        "anthropic" => ("x-api-key", KEY),
        "gemini" => ("x-goog-api-key", KEY),
        "bedrock" => ("authorization", signed.as_str()),
        _ => ("authorization", bearer.as_str()),
    };
    let headers = [key, ("content-type", "application/json")];
    post(stack.addr, &path, &headers, &body.to_string()).await
}

/// The text and the output tokens of a whole answer.
fn whole(dialect: &str, answer: &Value) -> (Value, Value) {
    let (text, tokens) = match dialect {
        "openai" => ("/choices/0/message/content", "/usage/completion_tokens"),
        "openai-responses" => ("/output/0/content/0/text", "/usage/output_tokens"),
        "anthropic" => ("/content/0/text", "/usage/output_tokens"),
        "gemini" => (
            "/candidates/0/content/parts/0/text",
            "/usageMetadata/candidatesTokenCount",
        ),
        "cohere" => ("/message/content/0/text", "/usage/tokens/output_tokens"),
        _ => ("/output/message/content/0/text", "/usage/outputTokens"),
    };
    let at = |path: &str| answer.pointer(path).cloned().unwrap_or_default();
    (at(text), at(tokens))
}

/// The events of a stream.
fn told(dialect: &str, body: &[u8]) -> Vec<Value> {
    let mut found = Vec::new();
    if dialect == "bedrock" {
        let mut framer = eventstream::Framer::default();
        framer
            .push(body, |frame| {
                let event = frame.event.unwrap();
                let mut data: Value = serde_json::from_slice(event.data).unwrap();
                data["type"] = json!(event.name);
                found.push(data);
            })
            .unwrap();
        return found;
    }
    let text = String::from_utf8(body.to_vec()).unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    found.extend(
        data.filter(|data| *data != "[DONE]")
            .map(|data| serde_json::from_str::<Value>(data).unwrap()),
    );
    found
}

/// The text of a stream, put together.
fn text_of(dialect: &str, events: &[Value]) -> String {
    let path = match dialect {
        "openai" => "/choices/0/delta/content",
        "openai-responses" => "/delta",
        "anthropic" | "bedrock" => "/delta/text",
        "gemini" => "/candidates/0/content/parts/0/text",
        _ => "/delta/message/content/text",
    };
    let text = |event: &Value| event.pointer(path).and_then(Value::as_str).map(ToOwned::to_owned);
    events.iter().filter_map(text).collect()
}

/// Whether the last events close a stream as readers of this dialect expect it.
fn is_closed(dialect: &str, events: &[Value]) -> bool {
    let has = |kind: &str| events.iter().any(|event| event["type"] == kind);
    match dialect {
        "openai" => events
            .iter()
            .any(|event| event["choices"][0]["finish_reason"] == "stop"),
        "openai-responses" => has("response.completed"),
        "anthropic" => has("message_stop"),
        "gemini" => events
            .last()
            .is_some_and(|event| event["candidates"][0]["finishReason"] == "STOP"),
        "cohere" => has("message-end"),
        _ => has("messageStop") && has("metadata"),
    }
}

#[tokio::test]
async fn any_client_is_answered_by_any_provider() {
    let upstream = providers().await;
    let stack = start(&upstream).await;
    for client in DIALECTS {
        for provider in DIALECTS {
            let response = ask(&stack, client, &format!("on-{provider}"), false).await;
            let pair = format!("{client} by {provider}: {}", response.text());
            assert_eq!(response.status, 200, "{pair}");
            assert_eq!(response.header("x-tollgate-provider"), Some(provider), "{pair}");
            let expected = (json!(SAID), json!(5));
            assert_eq!(whole(client, &response.json()), expected, "{pair}");
        }
    }
}

#[tokio::test]
async fn any_client_is_streamed_to_by_any_provider() {
    let upstream = providers().await;
    let stack = start(&upstream).await;
    for client in DIALECTS {
        for provider in DIALECTS {
            let response = ask(&stack, client, &format!("on-{provider}"), true).await;
            let pair = format!("{client} by {provider}: {}", response.text());
            assert_eq!(response.status, 200, "{pair}");
            let kind = response.header("content-type").unwrap_or_default();
            assert_eq!(kind.contains("eventstream"), client == "bedrock", "{pair}");
            let events = told(client, &response.body);
            assert_eq!(text_of(client, &events), SAID, "{pair}");
            assert!(is_closed(client, &events), "{pair}");
        }
    }
    let log = stack.settled(36).await;
    for entry in log {
        let usage = (&entry["usage"]["input"], &entry["usage"]["output"]);
        assert_eq!(usage, (&json!(7), &json!(5)), "{entry}");
    }
}

#[tokio::test]
async fn providers_see_their_own_keys_where_they_expect_them() {
    let upstream = providers().await;
    let stack = start(&upstream).await;
    for (provider, header) in [
        (
            "openai-responses",
            "authorization: bearer key-of-openai-responses",
        ),
        ("gemini", "x-goog-api-key: key-of-gemini"),
        ("cohere", "authorization: bearer key-of-cohere"),
        ("bedrock", "authorization: bearer key-of-bedrock"),
    ] {
        for client in DIALECTS {
            ask(&stack, client, &format!("on-{provider}"), false).await;
            let seen = upstream.seen().pop().unwrap().to_ascii_lowercase();
            assert!(seen.contains(header), "{client} {seen}");
            assert!(!seen.contains(KEY), "{client} {seen}");
        }
    }
}

#[tokio::test]
async fn each_dialect_is_told_no_in_its_own_words() {
    let upstream = providers().await;
    let stack = start(&upstream).await;
    for (client, message) in [
        ("openai", "/error/message"),
        ("openai-responses", "/error/message"),
        ("anthropic", "/error/message"),
        ("gemini", "/error/message"),
        ("cohere", "/message"),
        ("bedrock", "/message"),
    ] {
        let response = ask(&stack, client, "no-such-model", false).await;
        let body = response.json();
        assert_eq!(response.status, 404, "{client} {body}");
        let message = body.pointer(message).and_then(Value::as_str).unwrap_or_default();
        assert!(message.contains("no-such-model"), "{client} {body}");
        let kind = response.header("x-amzn-errortype");
        assert_eq!(kind.is_some(), client == "bedrock", "{client}");
    }
}

#[tokio::test]
async fn a_key_in_the_query_is_taken_as_googles_clients_send_it() {
    let upstream = providers().await;
    let stack = start(&upstream).await;
    let body = json!({ "contents": [{ "parts": [{ "text": "Hi" }] }] }).to_string();
    let json = [("content-type", "application/json")];
    let path = "/v1beta/models/on-openai:generateContent";
    let with = post(stack.addr, &format!("{path}?key={KEY}"), &json, &body).await;
    assert_eq!(with.status, 200, "{}", with.text());
    let older = path.replace("v1beta", "v1");
    let older = post(stack.addr, &format!("{older}?key={KEY}"), &json, &body).await;
    assert_eq!(older.status, 200, "{}", older.text());
    let without = post(stack.addr, path, &json, &body).await;
    assert_eq!(
        (without.status, without.json()["error"]["status"].clone()),
        (401, json!("UNAUTHENTICATED"))
    );
}

#[tokio::test]
async fn embeddings_of_cohere_are_openais_to_its_clients() {
    let upstream = providers().await;
    let stack = start(&upstream).await;
    let ask = |encoding: &'static str| {
        let body = json!({ "model": "on-cohere", "input": "Hi", "encoding_format": encoding }).to_string();
        let stack = &stack;
        async move { stack.post("/v1/embeddings", &body).await.json() }
    };
    let floats = ask("float").await;
    assert_eq!(floats["data"][0]["embedding"], json!([0.5, -1.0]), "{floats}");
    assert_eq!(floats["usage"]["prompt_tokens"], 3, "{floats}");
    let packed = ask("base64").await;
    assert_eq!(packed["data"][0]["embedding"], "AAAAPwAAgL8=", "{packed}");
    let seen = upstream.seen().pop().unwrap();
    let sent: Value = serde_json::from_str(seen.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(
        (&sent["model"], &sent["texts"]),
        (&json!("m-1"), &json!(["Hi"])),
        "{sent}"
    );
}

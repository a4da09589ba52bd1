//! Custom tools of OpenAI's clients, whose input is a text as it is, with providers that know nothing but functions: the
//! text arrives, whole and streamed, and the provider is told in the next turn what it had said.

use serde_json::{Value, json};
use tollgate_tests::{Response, Scripted, Stack, data, json_answer};

use crate::dialects::{answered, events, start, streamed};

/// What the model writes into the tool: all that JSON has to escape, and some that it need not.
const PATCH: &str = "*** Begin Patch\n+say(\"h\u{e9}llo \u{1f980}\")\t\\n\n*** End Patch";
/// Where clients ask, and what they call a custom tool there.
const CLIENTS: [&str; 2] = ["/v1/chat/completions", "/v1/responses"];
const PROVIDERS: [&str; 2] = ["anthropic", "gemini"];

/// Providers that call the function `edit` with the patch, whatever they are asked.
async fn providers() -> Scripted {
    Scripted::start(|request| {
        let path = request.split(' ').nth(1).unwrap_or_default();
        match path {
            "/v1/messages" => answered(request, &messages(), &messages_stream()),
            "/v1beta/models/m-1:generateContent" => json_answer(200, &gemini().to_string()),
            "/v1beta/models/m-1:streamGenerateContent?alt=sse" => streamed(
                "text/event-stream",
                format!("data: {}\r\n\r\n", gemini()).as_bytes(),
            ),
            other => json_answer(404, &json!({ "error": { "message": other } }).to_string()),
        }
    })
    .await
}

fn messages() -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m-1",
        "content": [{ "type": "tool_use", "id": "toolu_1", "name": "edit", "input": { "input": PATCH } }],
        "stop_reason": "tool_use", "stop_sequence": null, "usage": { "input_tokens": 7, "output_tokens": 5 },
    })
}

/// The arguments come in pieces of three letters, cut wherever that is.
fn messages_stream() -> String {
    let mut begun = messages();
    begun["content"] = json!([]);
    begun["stop_reason"] = Value::Null;
    let block = json!({ "type": "tool_use", "id": "toolu_1", "name": "edit", "input": {} });
    let mut all = vec![
        json!({ "type": "message_start", "message": begun }),
        json!({ "type": "content_block_start", "index": 0, "content_block": block }),
    ];
    let arguments: Vec<char> = json!({ "input": PATCH }).to_string().chars().collect();
    all.extend(arguments.chunks(3).map(|piece| {
        let piece: String = piece.iter().collect();
        let delta = json!({ "type": "input_json_delta", "partial_json": piece });
        json!({ "type": "content_block_delta", "index": 0, "delta": delta })
    }));
    all.extend([
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({
            "type": "message_delta", "delta": { "stop_reason": "tool_use", "stop_sequence": null },
            "usage": { "output_tokens": 5 },
        }),
        json!({ "type": "message_stop" }),
    ]);
    events(&all)
}

fn gemini() -> Value {
    let call = json!({ "functionCall": { "name": "edit", "args": { "input": PATCH } } });
    json!({
        "candidates": [{ "content": { "role": "model", "parts": [call] }, "finishReason": "STOP", "index": 0 }],
        "usageMetadata": { "promptTokenCount": 7, "candidatesTokenCount": 5, "totalTokenCount": 12 },
    })
}

/// Asks with the tool, after these turns of the client's own dialect.
async fn ask(stack: &Stack, path: &str, provider: &str, earlier: &[Value], stream: bool) -> Response {
    let mut turns = vec![json!({ "role": "user", "content": "Greet in colour." })];
    turns.extend_from_slice(earlier);
    let of_tool = json!({ "name": "edit", "description": "Applies a patch." });
    let mut body = json!({ "model": format!("on-{provider}"), "stream": stream });
    if path == "/v1/responses" {
        body["input"] = turns.into();
        body["tools"] = json!([of_tool]);
        body["tools"][0]["type"] = "custom".into();
    } else {
        body["messages"] = turns.into();
        body["tools"] = json!([{ "type": "custom", "custom": of_tool }]);
    }
    let response = stack.post(path, &body.to_string()).await;
    assert_eq!(response.status, 200, "{path} {provider}: {}", response.text());
    assert_eq!(response.header("x-tollgate-loss"), None, "{path} {provider}");
    response
}

/// The call that a whole answer tells of, as it stands there.
fn called(path: &str, answer: &Value) -> Value {
    let calls = match path {
        "/v1/responses" => &answer["output"],
        _ => &answer["choices"][0]["message"]["tool_calls"],
    };
    let is_call = |it: &&Value| it["type"] == "custom" || it["type"] == "custom_tool_call";
    let found: Vec<_> = calls.as_array().unwrap().iter().filter(is_call).collect();
    assert_eq!(found.len(), 1, "{answer}");
    found[0].clone()
}

/// Name and input of a call.
fn said(call: &Value) -> (&Value, &Value) {
    let call = call.get("custom").unwrap_or(call);
    (&call["name"], &call["input"])
}

/// The function that a provider was offered last: its name, and the fields that it must have.
fn offered(upstream: &Scripted, provider: &str) -> (Value, Value) {
    let asked = asked(upstream);
    let (tool, schema) = if provider == "anthropic" {
        (&asked["tools"][0], "input_schema")
    } else {
        (
            &asked["tools"][0]["functionDeclarations"][0],
            "parametersJsonSchema",
        )
    };
    (tool["name"].clone(), tool[schema]["required"].clone())
}

fn asked(upstream: &Scripted) -> Value {
    let request = upstream.seen().pop().unwrap();
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test]
async fn the_text_of_a_whole_answer_arrives_as_it_is() {
    let upstream = providers().await;
    let stack = start(&upstream).await;
    for path in CLIENTS {
        for provider in PROVIDERS {
            let answer = ask(&stack, path, provider, &[], false).await.json();
            let call = called(path, &answer);
            assert_eq!(said(&call), (&json!("edit"), &json!(PATCH)), "{path} {provider}");
            let expected = (json!("edit"), json!(["input"]));
            assert_eq!(offered(&upstream, provider), expected, "{path} {provider}");
            if path == "/v1/chat/completions" {
                assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls", "{answer}");
            }
        }
    }
}

#[tokio::test]
async fn the_text_of_a_stream_arrives_as_it_is() {
    let upstream = providers().await;
    let stack = start(&upstream).await;
    for provider in PROVIDERS {
        let text = ask(&stack, CLIENTS[0], provider, &[], true).await.text();
        let deltas: Vec<_> = data(&text)
            .iter()
            .map(|it| it["choices"][0]["delta"]["tool_calls"][0].clone())
            .filter(|it| !it.is_null())
            .collect();
        let (kind, name) = (&deltas[0]["type"], &deltas[0]["custom"]["name"]);
        assert_eq!(
            (kind, name),
            (&json!("custom"), &json!("edit")),
            "{provider}: {text}"
        );
        let pieces = deltas.iter().filter_map(|it| it["custom"]["input"].as_str());
        assert_eq!(pieces.collect::<String>(), PATCH, "{provider}: {text}");
        assert!(
            text.contains(r#""finish_reason":"tool_calls""#),
            "{provider}: {text}"
        );

        let text = ask(&stack, CLIENTS[1], provider, &[], true).await.text();
        let events = data(&text);
        let named = |name: &'static str| events.iter().filter(move |it| it["type"] == name);
        let pieces = named("response.custom_tool_call_input.delta").filter_map(|it| it["delta"].as_str());
        assert_eq!(pieces.collect::<String>(), PATCH, "{provider}: {text}");
        let done: Vec<_> = named("response.custom_tool_call_input.done").collect();
        assert_eq!(
            (done.len(), &done[0]["input"]),
            (1, &json!(PATCH)),
            "{provider}: {text}"
        );
        let completed = named("response.completed").next().unwrap();
        let call = called(CLIENTS[1], &completed["response"]);
        assert_eq!(said(&call), (&json!("edit"), &json!(PATCH)), "{provider}: {text}");
    }
}

#[tokio::test]
async fn what_the_tool_has_done_goes_back_with_the_call_that_it_answers() {
    const DONE: &str = "1 file was changed";
    let upstream = providers().await;
    let stack = start(&upstream).await;
    for path in CLIENTS {
        for provider in PROVIDERS {
            let answer = ask(&stack, path, provider, &[], false).await.json();
            let call = called(path, &answer);
            let turns = if path == "/v1/responses" {
                let id = &call["call_id"];
                [
                    call.clone(),
                    json!({ "type": "custom_tool_call_output", "call_id": id, "output": DONE }),
                ]
            } else {
                let id = &call["id"];
                [
                    answer["choices"][0]["message"].clone(),
                    json!({ "role": "tool", "tool_call_id": id, "content": DONE }),
                ]
            };
            ask(&stack, path, provider, &turns, false).await;
            let asked = asked(&upstream);
            let (call, result) = match provider {
                "anthropic" => (
                    &asked["messages"][1]["content"][0],
                    &asked["messages"][2]["content"][0],
                ),
                _ => (
                    &asked["contents"][1]["parts"][0]["functionCall"],
                    &asked["contents"][2]["parts"][0]["functionResponse"],
                ),
            };
            let input = if provider == "anthropic" { "input" } else { "args" };
            assert_eq!(
                (&call["name"], &call[input]),
                (&json!("edit"), &json!({ "input": PATCH })),
                "{path} {provider}: {asked}"
            );
            assert!(result.to_string().contains(DONE), "{path} {provider}: {asked}");
            if provider == "anthropic" {
                assert_eq!(call["id"], result["tool_use_id"], "{path}: {asked}");
            }
        }
    }
}

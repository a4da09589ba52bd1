//! Claude on Vertex AI: Messages at Google's addresses, with Google's access tokens.

use tollgate_tests::{chat_stream, text_of_chat, text_of_messages};

use super::*;

const TOKEN: &str = "ya29.c.token-of-the-tests-for-claude-0123456789";
const CLAUDE: &str = "claude-opus-4-5@20251101";
const ASKED: &str =
    r#"{"model":"opus","max_tokens":50,"messages":[{"role":"user","content":"hi"}],"unheard_of":{"of":1}}"#;

fn message() -> Value {
    json!({ "id": "msg_vrtx_1", "type": "message", "role": "assistant", "model": "claude-opus-4-5",
        "content": [{ "type": "text", "text": "hello" }], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": { "input_tokens": 1000, "output_tokens": 100 } })
}

fn stream() -> Vec<u8> {
    let mut begun = message();
    begun["content"] = json!([]);
    begun["stop_reason"] = Value::Null;
    let events = [
        json!({ "type": "message_start", "message": begun }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "hel" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "lo" } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn", "stop_sequence": null },
            "usage": { "output_tokens": 100 } }),
        json!({ "type": "message_stop" }),
    ];
    let events = events.map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()));
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    (head.to_owned() + &events.concat()).into_bytes()
}

/// Google's words for a model that is busy, and Anthropic's for a request that is wrong.
fn failed(path: &str) -> Option<Vec<u8>> {
    if path.contains("/claude-busy:") {
        let error = json!([{ "error": { "code": 429, "message": "Quota exceeded for the base model.", "status": "RESOURCE_EXHAUSTED" } }]);
        return Some(json_answer(429, &error.to_string()));
    }
    let error = json!({ "type": "error", "error": { "type": "invalid_request_error", "message": "max_tokens: too many" } });
    path.contains("/claude-wrong:")
        .then(|| json_answer(400, &error.to_string()))
}

/// Vertex AI, which serves whoever shows the token and says what is to be said in the right place.
async fn vertex() -> Scripted {
    Scripted::start(|request| {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let (path, head) = head.split_once('\n').unwrap();
        let shown = head
            .lines()
            .find_map(|line| line.strip_prefix("authorization: Bearer "));
        if shown.map(str::trim) != Some(TOKEN) {
            let no = json!({ "error": { "code": 401, "message": "no token", "status": "UNAUTHENTICATED" } });
            return json_answer(401, &no.to_string());
        }
        let body: Value = serde_json::from_str(body).unwrap();
        let place = "POST /v1/projects/the-project/locations/eu/publishers/anthropic/models/";
        let Some(asked) = path
            .strip_prefix(place)
            .filter(|_| body["anthropic_version"] == "vertex-2023-10-16")
        else {
            return json_answer(
                404,
                r#"{"error":{"code":404,"message":"not there","status":"NOT_FOUND"}}"#,
            );
        };
        if let Some(error) = failed(path) {
            return error;
        }
        let (method, _) = asked.split_once(' ').unwrap();
        match (method, &body["model"], &body["stream"]) {
            ("claude-opus-4-5@20251101:rawPredict", Value::Null, Value::Null) => {
                json_answer(200, &message().to_string())
            }
            ("claude-opus-4-5@20251101:streamRawPredict", Value::Null, Value::Bool(true)) => stream(),
            ("count-tokens:rawPredict", Value::String(model), _) if model == CLAUDE => {
                json_answer(200, r#"{"input_tokens":7}"#)
            }
            _ => json_answer(
                400,
                r#"{"error":{"code":400,"message":"not like this","status":"INVALID_ARGUMENT"}}"#,
            ),
        }
    })
    .await
}

/// A gateway in front of it, whose tokens come from a service of their own.
async fn serving(vertex: &Scripted) -> (Process, Scripted) {
    let service = Scripted::start(|request| match &*form(request)["refresh_token"] {
        "1//refresh" => {
            let token = json!({ "access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer" });
            json_answer(200, &token.to_string())
        }
        _ => json_answer(400, r#"{"error":"invalid_grant"}"#),
    })
    .await;
    let user = json!({ "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "1//refresh",
        "token_uri": format!("http://{}/token", service.addr) });
    let target = |model: &str| format!("{{ targets: [ {{ provider: p, model: \"{model}\" }} ] }}");
    let config = format!(
        "providers:\n  p: {{ kind: vertex-anthropic, base_url: \"http://{}/v1/projects/the-project/locations/eu\", \
         google: {{ credentials: \"${{THE_FILE}}\" }} }}\n\
         models:\n  opus: {}\n  busy: {}\n  wrong: {}\n\
         server: {{ listen: \"127.0.0.1:0\", workers: 1 }}\nadmin: {{ listen: \"127.0.0.1:0\" }}\n",
        vertex.addr,
        target(CLAUDE),
        target("claude-busy"),
        target("claude-wrong"),
    );
    let gateway = Process::serve(&config, &[("THE_FILE", &user.to_string())]);
    (gateway, service)
}

#[tokio::test]
async fn a_client_of_anthropic_reaches_it_with_a_patch_and_pays_its_price() {
    let vertex = vertex().await;
    let (gateway, _service) = serving(&vertex).await;
    let beta = ("anthropic-beta", "context-1m-2025-08-07");
    let answer = post(
        gateway.addr,
        "/v1/messages",
        &[beta, ("anthropic-version", "2023-06-01")],
        ASKED,
    )
    .await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, message()),
        "{}",
        gateway.stderr()
    );
    // A thousand tokens in at $5 and a hundred out at $25 a million.
    assert_eq!(answer.header("x-tollgate-cost-usd"), Some("0.007500000"));
    let seen = vertex.seen().pop().unwrap();
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    let version = r#""anthropic_version":"vertex-2023-10-16""#;
    assert_eq!(body, ASKED.replace(r#""model":"opus""#, version));
    assert!(head.contains("anthropic-beta: context-1m-2025-08-07"), "{head}");
    assert!(!head.contains("anthropic-version"), "{head}");
    assert_hidden(&gateway, &[TOKEN, "1//refresh"]).await;
}

#[tokio::test]
async fn streams_pass_and_are_translated() {
    let vertex = vertex().await;
    let (gateway, _service) = serving(&vertex).await;
    let streamed = ASKED.replace("{\"model\"", "{\"stream\":true,\"model\"");
    let answer = post(gateway.addr, "/v1/messages", &[], &streamed).await;
    let said = text_of_messages(&answer.text());
    assert_eq!((answer.status, &*said), (200, "hello"), "{}", answer.text());
    let answer = post(gateway.addr, "/v1/chat/completions", &[], &chat_stream("opus")).await;
    let said = text_of_chat(&answer.text());
    assert_eq!((answer.status, &*said), (200, "hello"), "{}", answer.text());
}

#[tokio::test]
async fn other_clients_are_translated_and_tokens_are_counted() {
    let vertex = vertex().await;
    let (gateway, _service) = serving(&vertex).await;
    let answer = post(gateway.addr, "/v1/chat/completions", &[], &chat("opus")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "hello");
    let answer = post(gateway.addr, "/v1/messages/count_tokens", &[], ASKED).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "input_tokens": 7 })),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn errors_of_google_and_of_anthropic_are_told_in_the_clients_words() {
    let vertex = vertex().await;
    let (gateway, _service) = serving(&vertex).await;
    let asked = |model: &str| ASKED.replace("opus", model);
    let busy = post(gateway.addr, "/v1/messages", &[], &asked("busy")).await;
    let error = busy.json()["error"].clone();
    assert_eq!((busy.status, &error["type"]), (429, &json!("rate_limit_error")));
    assert!(
        error["message"].as_str().unwrap().contains("Quota exceeded"),
        "{error}"
    );
    let wrong = post(gateway.addr, "/v1/messages", &[], &asked("wrong")).await;
    let error = wrong.json();
    assert_eq!(
        (wrong.status, &error["type"], &error["error"]["type"]),
        (400, &json!("error"), &json!("invalid_request_error"))
    );
    let chat = post(gateway.addr, "/v1/chat/completions", &[], &chat("wrong")).await;
    let error = chat.json()["error"].clone();
    assert_eq!(
        (chat.status, &error["message"]),
        (400, &json!("max_tokens: too many"))
    );
}

#[tokio::test]
async fn what_vertex_does_not_have_is_refused_before_it_is_asked() {
    let vertex = vertex().await;
    let (gateway, _service) = serving(&vertex).await;
    for path in ["/v1/embeddings", "/v1/moderations"] {
        let answer = post(gateway.addr, path, &[], r#"{"model":"opus","input":"x"}"#).await;
        assert_eq!(answer.json()["error"]["code"], "no_candidate", "{path}");
    }
    assert!(vertex.seen().is_empty());
}

//! Google's dialect: what the Gemini API and Vertex AI have of their own.

use serde_json::json;

use crate::wire::*;

const ASK: &str = "/v1beta/models/m:generateContent";

fn body() -> serde_json::Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "1234"}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"a": "12", "b": ["34"]}}}]}],
        "systemInstruction": {"parts": [{"text": "5678"}]}})
}

#[tokio::test]
async fn thoughts_are_parts_of_their_own_and_counted_apart() {
    let server = start().await;
    let mut body = body();
    body["generationConfig"] = json!({"thinkingConfig": {"include_thoughts": true}, "candidateCount": 2});
    let json = post(&server, ASK, &body).await.json();
    let parts = &json["candidates"][0]["content"]["parts"];
    assert_eq!(
        (&parts[0]["thought"], parts[1].get("thought")),
        (&json!(true), None)
    );
    assert_eq!(json["candidates"][1]["index"], 1);
    let usage = &json["usageMetadata"];
    assert_eq!(
        (
            &usage["promptTokenCount"],
            &usage["candidatesTokenCount"],
            &usage["thoughtsTokenCount"]
        ),
        (&json!(3), &json!(32), &json!(8))
    );
    assert_eq!(usage["totalTokenCount"], 43);
    assert_eq!(json["modelVersion"], "m");
    let path = "/v1beta/models/m:streamGenerateContent?alt=sse";
    let reply = post(&server, path, &body).await;
    assert!(reply.text().ends_with("\r\n\r\n"));
    let events = reply.json_events();
    assert_eq!(events.len(), 2 * 8 + 2 * 16 + 2);
    let first = &events[0];
    assert_eq!(first["candidates"][0]["content"]["parts"][0]["thought"], true);
    assert_eq!(
        first["usageMetadata"]["totalTokenCount"], 3,
        "only the prompt is known"
    );
    assert!(first["candidates"][0].get("finishReason").is_none());
    for (index, last) in events[events.len() - 2..].iter().enumerate() {
        assert_eq!(last["candidates"][0]["index"], index);
        assert_eq!(last["candidates"][0]["finishReason"], "STOP");
        assert_eq!(last["usageMetadata"]["totalTokenCount"], 43);
    }
}

#[tokio::test]
async fn a_call_is_one_part_in_a_stream_too() {
    let server = start().await;
    let mut body = body();
    body["tools"] = json!([{"functionDeclarations": [{"name": "time"}, {"name": "weather",
        "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}}]}]);
    assert!(
        post(&server, ASK, &body).await.json()["candidates"][0]["content"]["parts"][0]["text"].is_string()
    );
    body["toolConfig"] =
        json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}});
    let expected = json!({"name": "weather", "args": {"city": "sample"}});
    let json = post(&server, ASK, &body).await.json();
    assert_eq!(
        json["candidates"][0]["content"]["parts"][0]["functionCall"],
        expected
    );
    assert_eq!(json["candidates"][0]["finishReason"], "STOP");
    let path = "/v1beta/models/m--think2:streamGenerateContent?alt=sse";
    let events = post(&server, path, &body).await.json_events();
    let part = &events[2]["candidates"][0]["content"]["parts"][0];
    assert_eq!(part["functionCall"], expected);
    assert!(part["thoughtSignature"].is_string(), "{part}");
    assert_eq!(events.len(), 4, "two thoughts, the call, the end");
}

#[tokio::test]
async fn without_alt_sse_a_stream_is_one_array() {
    let server = start().await;
    let reply = post(
        &server,
        "/v1beta/models/m--tokens3:streamGenerateContent",
        &body(),
    )
    .await;
    assert_eq!(reply.header("content-type").as_deref(), Some("application/json"));
    let chunks = reply.json();
    assert_eq!(
        chunks.as_array().map(Vec::len),
        Some(4),
        "three words and the end"
    );
    assert_eq!(chunks[3]["candidates"][0]["finishReason"], "STOP");
}

#[tokio::test]
async fn schemas_counts_vectors_and_models_are_answered() {
    let server = start().await;
    let mut structured = body();
    structured["generationConfig"] = json!({"responseMimeType": "application/json",
        "responseSchema": {"type": "OBJECT", "properties": {"ok": {"type": "BOOLEAN"}}}});
    let json = post(&server, ASK, &structured).await.json();
    assert_eq!(
        json["candidates"][0]["content"]["parts"][0]["text"],
        r#"{"ok":true}"#
    );
    let count = post(&server, "/v1beta/models/m:countTokens", &body())
        .await
        .json();
    assert_eq!(count["totalTokens"], 3);
    let nested = json!({"generateContentRequest": body()});
    let count = post(&server, "/v1beta/models/m:countTokens", &nested)
        .await
        .json();
    assert_eq!(count["totalTokens"], 3);

    let content = |text: &str| json!({"content": {"parts": [{"text": text}]}, "outputDimensionality": 4});
    let one = post(&server, "/v1beta/models/e:embedContent", &content("12345"))
        .await
        .json();
    assert_eq!(one["embedding"]["values"].as_array().map(Vec::len), Some(4));
    let batch = json!({"requests": [content("12345"), content("b")]});
    let several = post(&server, "/v1beta/models/e:batchEmbedContents", &batch)
        .await
        .json();
    assert_eq!(several["embeddings"][0]["values"], one["embedding"]["values"]);
    assert_ne!(several["embeddings"][1]["values"], one["embedding"]["values"]);
    assert_eq!(several["usageMetadata"]["promptTokenCount"], 2);
    let predicted = json!({"instances": [{"content": "12345"}, {"content": "b"}],
        "parameters": {"outputDimensionality": 4}});
    let path = "/v1/projects/p/locations/eu/publishers/google/models/e:predict";
    let predicted = post(&server, path, &predicted).await.json();
    let embeddings = &predicted["predictions"][0]["embeddings"];
    assert_eq!(embeddings["values"], one["embedding"]["values"]);
    assert_eq!(embeddings["statistics"]["token_count"], 2);
    assert_eq!(predicted["predictions"].as_array().map(Vec::len), Some(2));

    let models = call(server.addr(), "GET", "/v1beta/models", "").await.json();
    assert!(
        models["models"][0]["name"]
            .as_str()
            .expect("a name")
            .starts_with("models/")
    );
    let model = call(server.addr(), "GET", "/v1beta/models/gemini", "")
        .await
        .json();
    assert_eq!(model["name"], "models/gemini");
}

#[tokio::test]
async fn claude_at_vertex_wants_its_version_and_no_model() {
    let server = start().await;
    let path = "/v1/projects/p/locations/eu/publishers/anthropic/models/claude@20251101:rawPredict";
    let mut body = json!({"anthropic_version": "vertex-2023-10-16", "max_tokens": 9,
        "messages": [{"role": "user", "content": "12345678"}]});
    let json = post(&server, path, &body).await.json();
    assert_eq!(
        (&json["type"], &json["model"]),
        (&json!("message"), &json!("claude@20251101"))
    );
    body["model"] = json!("claude");
    let refused = post(&server, path, &body).await;
    assert_eq!(
        (refused.status, &refused.json()["error"]["type"]),
        (400, &json!("invalid_request_error"))
    );
    let path = path.replace("claude@20251101", "count-tokens");
    assert_eq!(
        post(&server, &path, &body).await.json(),
        json!({"input_tokens": 2})
    );
}

//! Cohere's dialect.

use serde_json::{Value, json};

use crate::wire::*;

fn kinds(events: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<_> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    kinds.dedup();
    kinds
}

#[tokio::test]
async fn events_come_in_coheres_order() {
    let server = start().await;
    let mut body = json!({"model": "m--tokens3", "stream": true, "thinking": {"type": "enabled"},
        "messages": [{"role": "user", "content": [{"type": "text", "text": "1234"}]},
            {"role": "tool", "tool_call_id": "x", "content": [{"type": "document", "document": {"data": {"a": "5678"}}}]}]});
    let reply = post(&server, "/v2/chat", &body).await;
    let events = reply.json_events();
    let expected = [
        "message-start",
        "content-start",
        "content-delta",
        "content-end",
        "content-start",
        "content-delta",
        "content-end",
        "message-end",
    ];
    assert_eq!(kinds(&events), expected);
    assert_eq!(
        events[1]["delta"]["message"]["content"],
        json!({"type": "thinking", "thinking": ""})
    );
    assert!(events[2]["delta"]["message"]["content"]["thinking"].is_string());
    assert_eq!(
        (&events[2]["index"], &events[11]["index"]),
        (&json!(0), &json!(1))
    );
    assert!(reply.text().ends_with("\n\ndata: [DONE]\n\n"));
    let failing = json!({"model": "m--error5", "stream": true, "messages": []});
    let failed = post(&server, "/v2/chat", &failing).await.text();
    assert!(failed.ends_with("\"ERROR\"}}\n\ndata: [DONE]\n\n"), "{failed}");
    let delta = &events[events.len() - 1]["delta"];
    assert_eq!(delta["finish_reason"], "COMPLETE");
    assert_eq!(
        delta["usage"]["tokens"],
        json!({"input_tokens": 2, "output_tokens": 11})
    );
    body["stream"] = false.into();
    let reply = post(&server, "/v2/chat", &body).await;
    let content = &reply.json()["message"]["content"];
    assert_eq!(
        (&content[0]["type"], &content[1]["type"]),
        (&json!("thinking"), &json!("text"))
    );
    assert!(reply.header("x-debug-trace-id").is_some());
}

#[tokio::test]
async fn a_demanded_tool_is_called() {
    let server = start().await;
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "tool_choice": "REQUIRED",
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": schema}}]});
    let json = post(&server, "/v2/chat", &body).await.json();
    let call = &json["message"]["tool_calls"][0];
    assert_eq!(
        (&json["finish_reason"], &call["function"]["name"]),
        (&json!("TOOL_CALL"), &json!("weather"))
    );
    assert_eq!(call["function"]["arguments"], r#"{"city":"sample"}"#);
    assert!(json["message"].get("content").is_none());
    body["stream"] = true.into();
    let events = post(&server, "/v2/chat", &body).await.json_events();
    let expected = [
        "message-start",
        "tool-call-start",
        "tool-call-delta",
        "tool-call-end",
        "message-end",
    ];
    assert_eq!(kinds(&events), expected);
    let arguments = events
        .iter()
        .filter_map(|event| event["delta"]["message"]["tool_calls"]["function"]["arguments"].as_str());
    assert_eq!(arguments.collect::<String>(), r#"{"city":"sample"}"#);
}

#[tokio::test]
async fn schemas_vectors_and_ranks_are_answered() {
    let server = start().await;
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "response_format":
        {"type": "json_object", "json_schema": {"type": "object", "properties": {"ok": {"type": "boolean"}}}}});
    let json = post(&server, "/v2/chat", &body).await.json();
    assert_eq!(json["message"]["content"][0]["text"], r#"{"ok":true}"#);
    let body =
        json!({"model": "e", "input_type": "search_query", "texts": ["12345", "b"], "output_dimension": 4});
    let json = post(&server, "/v2/embed", &body).await.json();
    let vectors = &json["embeddings"]["float"];
    assert_eq!(
        (
            vectors[0].as_array().map(Vec::len),
            vectors.as_array().map(Vec::len)
        ),
        (Some(4), Some(2))
    );
    assert_ne!(vectors[0], vectors[1]);
    assert_eq!(json["meta"]["billed_units"]["input_tokens"], 2);
    let refused = post(&server, "/v2/embed", &json!({"model": "e", "texts": ["a"]})).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.json()["message"]
            .as_str()
            .expect("words")
            .contains("input_type")
    );

    let mut body = json!({"model": "r", "query": "q", "documents": ["a", "b", "c", "d"], "top_n": 3});
    let results = post(&server, "/v2/rerank", &body).await.json()["results"].take();
    let scores: Vec<_> = (0..3)
        .map(|at| results[at]["relevance_score"].as_f64().expect("a score"))
        .collect();
    assert!(scores.is_sorted_by(|one, next| one >= next), "{scores:?}");
    assert_eq!(results.as_array().map(Vec::len), Some(3));
    body["query"] = json!("another");
    assert_ne!(
        post(&server, "/v2/rerank", &body).await.json()["results"],
        results
    );
}

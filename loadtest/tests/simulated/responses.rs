//! OpenAI's Responses.

use serde_json::{Value, json};

use crate::wire::*;

fn kinds(events: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<_> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    kinds.dedup();
    kinds
}

#[tokio::test]
async fn events_come_in_openais_order_with_their_numbers() {
    let server = start().await;
    let body = json!({"model": "m--tokens3--think2", "stream": true, "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "1234"}]},
        {"type": "function_call_output", "call_id": "call_1", "output": "5678"}]});
    let reply = post(&server, "/v1/responses", &body).await;
    let events = reply.json_events();
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(kinds(&events), expected);
    assert!(
        reply
            .text()
            .starts_with("event: response.created\ndata: {\"type\":\"response.created\"")
    );
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
    }
    let text: String = events
        .iter()
        .filter(|event| event["type"] == "response.output_text.delta")
        .filter_map(|event| event["delta"].as_str())
        .collect();
    let done = events
        .iter()
        .find(|event| event["type"] == "response.output_text.done");
    assert_eq!(done.expect("its end")["text"], text);
    let response = &events.last().expect("events")["response"];
    assert_eq!(
        (&response["status"], &response["usage"]["output_tokens"]),
        (&json!("completed"), &json!(5))
    );
    assert_eq!(response["usage"]["input_tokens"], 2);
    assert_eq!(response["usage"]["output_tokens_details"]["reasoning_tokens"], 2);
    assert_eq!(response["output"][0]["type"], "reasoning");
    assert_eq!(response["output"][1]["content"][0]["text"], text);
    // The last of them is the answer as it is whole, but for its number.
    let mut body = body;
    body["stream"] = false.into();
    let whole = post(&start().await, "/v1/responses", &body).await.json();
    assert_eq!(&whole, response);
}

#[tokio::test]
async fn a_demanded_tool_is_called() {
    let server = start().await;
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let mut body = json!({"model": "m", "input": "hi", "tool_choice": {"type": "function", "name": "weather"},
        "tools": [{"type": "function", "name": "time"}, {"type": "function", "name": "weather", "parameters": schema}]});
    let json = post(&server, "/v1/responses", &body).await.json();
    let call = &json["output"][0];
    assert_eq!(
        (&call["type"], &call["name"], &call["arguments"]),
        (
            &json!("function_call"),
            &json!("weather"),
            &json!(r#"{"city":"sample"}"#)
        )
    );
    body["stream"] = true.into();
    let events = post(&server, "/v1/responses", &body).await.json_events();
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(kinds(&events), expected);
    assert_eq!(events[2]["item"]["arguments"], "");
    let done = &events[events.len() - 3];
    assert_eq!(done["arguments"], r#"{"city":"sample"}"#);
}

#[tokio::test]
async fn schemas_summaries_and_counts_are_answered() {
    let server = start().await;
    let format = json!({"format": {"type": "json_schema", "name": "x",
        "schema": {"type": "object", "properties": {"ok": {"type": "boolean"}}}}});
    let body = json!({"model": "m", "input": "hi", "text": format, "reasoning": {"summary": "auto"}});
    let json = post(&server, "/v1/responses", &body).await.json();
    assert_eq!(json["output"][0]["summary"][0]["type"], "summary_text");
    assert_eq!(json["output"][1]["content"][0]["text"], r#"{"ok":true}"#);
    let body = json!({"model": "m", "input": "12345678", "instructions": "1234"});
    let counted = post(&server, "/v1/responses/input_tokens", &body).await.json();
    assert_eq!(
        counted,
        json!({"object": "response.input_tokens", "input_tokens": 3})
    );
}

#[tokio::test]
async fn an_endless_stream_is_not_written_ahead() {
    let server = start().await;
    let body = json!({"model": "m--endless--think2--cut4000000000", "stream": true, "input": "hi"});
    let mut stream = send(server.addr(), "POST", "/v1/responses", &body.to_string()).await;
    let mut raw = vec![0; 64 * 1024];
    let mut total = 0;
    while total < 500_000 {
        total += tokio::io::AsyncReadExt::read(&mut stream, &mut raw)
            .await
            .expect("reads");
    }
}

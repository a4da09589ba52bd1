//! Bedrock's dialect, with a reader of its binary streams that trusts no length and no checksum.

use serde_json::{Value, json};

use crate::wire::*;

/// The messages of a stream: what names each (`:event-type` or `:exception-type`), and its payload. What is behind the
/// last whole one was cut.
pub(crate) fn messages(reply: &Reply) -> Vec<(String, Value)> {
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("four bytes"));
    let mut rest = reply.body.as_slice();
    let mut found = Vec::new();
    while rest.len() >= 16 {
        let total = usize::try_from(number(&rest[..4])).expect("a length");
        let Some(message) = rest.get(..total) else {
            break;
        };
        rest = &rest[total..];
        let (body, checksum) = message.split_at(total - 4);
        assert_eq!(
            crc32fast::hash(body),
            number(checksum),
            "the checksum of a message"
        );
        assert_eq!(
            crc32fast::hash(&body[..8]),
            number(&body[8..12]),
            "the checksum of a prelude"
        );
        let headers_end = 12 + usize::try_from(number(&body[4..8])).expect("a length");
        let mut headers = &body[12..headers_end];
        let mut kind = String::new();
        while !headers.is_empty() {
            let (name, after) = headers[1..].split_at(usize::from(headers[0]));
            assert_eq!(after[0], 7, "a string");
            let length = usize::from(u16::from_be_bytes([after[1], after[2]]));
            let (value, after) = after[3..].split_at(length);
            if name.ends_with(b"-type") && !name.starts_with(b":content") && !name.starts_with(b":message") {
                kind = String::from_utf8(value.to_vec()).expect("text");
            }
            headers = after;
        }
        found.push((kind, serde_json::from_slice(&body[headers_end..]).expect("JSON")));
    }
    found
}

fn body() -> Value {
    json!({"messages": [{"role": "user", "content": [{"text": "1234"}]}, {"role": "user", "content": [
        {"toolResult": {"toolUseId": "a-long-id", "status": "success", "content": [{"json": {"a": "56"}}, {"text": "78"}]}}]}],
        "system": [{"text": "9012"}]})
}

#[tokio::test]
async fn messages_come_in_bedrocks_order() {
    let server = start().await;
    let mut body = body();
    body["additionalModelRequestFields"] = json!({"thinking": {"type": "enabled", "budget_tokens": 1024}});
    let reply = post(
        &server,
        "/model/eu.anthropic.claude-v1%3A0--tokens3/converse-stream",
        &body,
    )
    .await;
    assert_eq!(
        reply.header("content-type").as_deref(),
        Some("application/vnd.amazon.eventstream")
    );
    let messages = messages(&reply);
    let mut kinds: Vec<_> = messages.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds.len(), 1 + 8 + 2 + 3 + 1 + 2);
    kinds.dedup();
    let expected = [
        "messageStart",
        "contentBlockDelta",
        "contentBlockStop",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
    ];
    assert_eq!(kinds, expected, "blocks of text have no start");
    assert!(messages[1].1["delta"]["reasoningContent"]["text"].is_string());
    assert!(messages[9].1["delta"]["reasoningContent"]["signature"].is_string());
    assert_eq!(messages[11].1["contentBlockIndex"], 1);
    assert_eq!(messages[messages.len() - 2].1["stopReason"], "end_turn");
    let usage = &messages[messages.len() - 1].1["usage"];
    assert_eq!(
        (
            &usage["inputTokens"],
            &usage["outputTokens"],
            &usage["totalTokens"]
        ),
        (&json!(3), &json!(11), &json!(14))
    );
    let json = post(&server, "/model/m--think2/converse", &body).await.json();
    let content = &json["output"]["message"]["content"];
    assert!(content[0]["reasoningContent"]["reasoningText"]["signature"].is_string());
    assert!(content[1]["text"].is_string());
}

#[tokio::test]
async fn a_demanded_tool_is_called() {
    let server = start().await;
    let mut body = body();
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    body["toolConfig"] = json!({"toolChoice": {"tool": {"name": "weather"}}, "tools": [
        {"toolSpec": {"name": "time", "inputSchema": {"json": {}}}},
        {"toolSpec": {"name": "weather", "inputSchema": {"json": schema}}}]});
    let json = post(&server, "/model/m/converse", &body).await.json();
    let call = &json["output"]["message"]["content"][0]["toolUse"];
    assert_eq!(
        (&call["name"], &call["input"]),
        (&json!("weather"), &json!({"city": "sample"}))
    );
    assert_eq!(json["stopReason"], "tool_use");
    let messages = messages(&post(&server, "/model/m/converse-stream", &body).await);
    assert_eq!(messages[1].0, "contentBlockStart");
    assert_eq!(messages[1].1["start"]["toolUse"]["name"], "weather");
    let arguments = messages
        .iter()
        .filter_map(|(_, payload)| payload["delta"]["toolUse"]["input"].as_str());
    assert_eq!(arguments.collect::<String>(), r#"{"city":"sample"}"#);
}

#[tokio::test]
async fn errors_have_their_kind_in_a_header_or_as_an_exception() {
    let server = start().await;
    let reply = post(&server, "/model/m--status429/converse", &body()).await;
    let kind = reply.header("x-amzn-errortype").expect("a kind");
    assert!(kind.starts_with("ThrottlingException:http"), "{kind}");
    assert!(reply.header("x-amzn-requestid").is_some());
    let reply = post(&server, "/model/m--error2/converse-stream", &body()).await;
    let messages = messages(&reply);
    assert_eq!(
        (messages.len(), messages[2].0.as_str()),
        (3, "serviceUnavailableException")
    );
    assert!(reply.text().contains("exception-type"));
}

#[tokio::test]
async fn cached_tokens_are_told_apart() {
    let server = start().await;
    let usage = json!({"usage": {"prompt": 1000, "cached": 600, "cache_written": 100, "output": 50}});
    server.control().set("m", behaviour(usage)).expect("valid");
    let usage = post(&server, "/model/m/converse", &body()).await.json()["usage"].take();
    let expected = json!({"inputTokens": 300, "cacheReadInputTokens": 600, "cacheWriteInputTokens": 100,
        "outputTokens": 50, "totalTokens": 1050});
    assert_eq!(usage, expected);
}

#[tokio::test]
async fn schemas_counts_and_vectors_are_answered() {
    let server = start().await;
    let mut structured = body();
    let schema = r#"{"type":"object","properties":{"ok":{"type":"boolean"}}}"#;
    structured["outputConfig"] = json!({"textFormat": {"type": "json_schema",
        "structure": {"jsonSchema": {"name": "x", "schema": schema}}}});
    let json = post(&server, "/model/m/converse", &structured).await.json();
    assert_eq!(json["output"]["message"]["content"][0]["text"], r#"{"ok":true}"#);
    let counted = json!({"input": {"converse": body()}});
    let counted = post(&server, "/model/m/count-tokens", &counted).await.json();
    assert_eq!(counted, json!({"inputTokens": 3}));
    let titan = json!({"inputText": "12345", "dimensions": 4});
    let titan = post(&server, "/model/amazon.titan-embed-text-v2%3A0/invoke", &titan)
        .await
        .json();
    assert_eq!(titan["embedding"].as_array().map(Vec::len), Some(4));
    assert_eq!(titan["inputTextTokenCount"], 2);
    let texts = json!({"texts": ["12345", "b"], "input_type": "search_query", "output_dimension": 4});
    let cohere = post(&server, "/model/cohere.embed-v4/invoke", &texts)
        .await
        .json();
    assert_eq!(cohere["embeddings"]["float"][0], titan["embedding"]);
    let other = post(&server, "/model/other/invoke", &texts).await;
    assert_eq!(other.status, 400);
    assert!(
        other.json()["message"]
            .as_str()
            .expect("words")
            .contains("'other'")
    );
}

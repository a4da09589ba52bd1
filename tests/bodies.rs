//! Requests to send, and what to look for in answers.

use serde_json::Value;

/// A chat request.
pub fn chat(model: &str) -> String {
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"Say hello."}}]}}"#)
}

/// A chat request for a stream.
pub fn chat_stream(model: &str) -> String {
    format!(r#"{{"model":"{model}","stream":true,"messages":[{{"role":"user","content":"Say hello."}}]}}"#)
}

/// An Anthropic request.
pub fn messages(model: &str) -> String {
    format!(
        r#"{{"model":"{model}","max_tokens":1000,"messages":[{{"role":"user","content":"Say hello."}}]}}"#
    )
}

/// An Anthropic request for a stream.
pub fn messages_stream(model: &str) -> String {
    format!(
        r#"{{"model":"{model}","max_tokens":1000,"stream":true,"messages":[{{"role":"user","content":"Say hello."}}]}}"#
    )
}

/// The JSON data of a stream's events, in order; `[DONE]` and comments are not among them.
pub fn data(stream: &str) -> Vec<Value> {
    let payloads = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    let parse = |text| serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    payloads.filter(|text| *text != "[DONE]").map(parse).collect()
}

/// The text of a streamed chat.
pub fn text_of_chat(stream: &str) -> String {
    let pieces = data(stream);
    pieces
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["content"].as_str())
        .collect()
}

/// The text of a streamed message.
pub fn text_of_messages(stream: &str) -> String {
    let pieces = data(stream);
    pieces
        .iter()
        .filter_map(|event| event["delta"]["text"].as_str())
        .collect()
}

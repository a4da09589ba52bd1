//! What the benches share: bodies like those that clients and providers send, the line and its stages, what they may
//! cost, and a simulation of routing.

pub mod budget;
pub mod decisions;
#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a bench whose fixture is wrong should stop"
)]
pub mod line;
pub mod quality;
#[expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "counts and times are small, and a simulation that is wrong should stop"
)]
pub mod sim;
#[expect(clippy::expect_used, reason = "a bench whose fixture is wrong should stop")]
pub mod stages;

use tollgate_adapters::Egress;
use tollgate_core::{ProviderKind, RequestId, Timestamp};

/// A chat request of about `bytes` bytes, most of it in one user turn.
pub fn chat_request(bytes: usize, stream: bool) -> Vec<u8> {
    let request = |text: &str| {
        serde_json::json!({
            "model": "fast",
            "messages": [
                { "role": "system", "content": "You are a careful assistant." },
                { "role": "user", "content": text },
            ],
            "temperature": 0.7,
            "max_tokens": 256,
            "stream": stream,
        })
        .to_string()
    };
    let empty = request("").len();
    request(&"lorem ipsum dolor sit amet, ".repeat(bytes.saturating_sub(empty) / 28 + 1)).into_bytes()
}

/// The same in Anthropic's dialect.
pub fn message_request(bytes: usize, stream: bool) -> Vec<u8> {
    let chat: serde_json::Value = serde_json::from_slice(&chat_request(bytes, stream)).unwrap_or_default();
    let of_chat = |place: &str| chat.pointer(place);
    serde_json::json!({
        "model": of_chat("/model"),
        "system": of_chat("/messages/0/content"),
        "messages": [ of_chat("/messages/1") ],
        "temperature": of_chat("/temperature"),
        "max_tokens": of_chat("/max_tokens"),
        "stream": of_chat("/stream"),
    })
    .to_string()
    .into_bytes()
}

/// One event of an OpenAI stream.
pub fn chat_chunk(text: &str) -> Vec<u8> {
    let chunk = serde_json::json!({
        "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "gpt-4o-mini",
        "choices": [ { "index": 0, "delta": { "content": text }, "finish_reason": null } ],
    });
    format!("data: {chunk}\n\n").into_bytes()
}

/// A whole OpenAI answer.
pub fn chat_answer(words: usize) -> Vec<u8> {
    serde_json::json!({
        "id": "chatcmpl-bench", "object": "chat.completion", "created": 1_700_000_000, "model": "gpt-4o-mini",
        "choices": [ {
            "index": 0, "message": { "role": "assistant", "content": "word ".repeat(words) }, "finish_reason": "stop",
        } ],
        "usage": { "prompt_tokens": 200, "completion_tokens": words, "total_tokens": 200 + words },
    })
    .to_string()
    .into_bytes()
}

/// A target of a kind.
pub fn egress(kind: ProviderKind) -> Egress<'static> {
    let now = Timestamp::from_unix_millis(1_700_000_000_000);
    Egress {
        kind,
        model: if kind == ProviderKind::Anthropic {
            "claude-haiku-4-5"
        } else {
            "gpt-4o-mini"
        },
        api_version: None,
        max_output_tokens: Some(4096),
        strict: false,
        request_id: RequestId::new(now, 7),
        now,
    }
}

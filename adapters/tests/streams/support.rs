//! Ways through the crate that all tests use.

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_adapters::{Egress, Scratch, StreamReader, encode, read_head};
use tollgate_core::{Dialect, ProviderKind, RequestId, Surface, Timestamp};

/// Client and provider, in all combinations.
pub(crate) const PAIRS: [(Surface, ProviderKind); 4] = [
    (Surface::ChatCompletions, ProviderKind::OpenAi),
    (Surface::ChatCompletions, ProviderKind::Anthropic),
    (Surface::Messages, ProviderKind::OpenAi),
    (Surface::Messages, ProviderKind::Anthropic),
];

/// A target with nothing special about it.
pub(crate) fn egress(kind: ProviderKind) -> Egress<'static> {
    Egress {
        kind,
        model: if kind == ProviderKind::Anthropic {
            "claude-sonnet-4-5"
        } else {
            "gpt-4o"
        },
        api_version: None,
        max_output_tokens: None,
        strict: false,
        request_id: RequestId::new(Timestamp::from_unix_millis(1_700_000_000_000), 7),
        now: Timestamp::from_unix_millis(1_700_000_000_000),
    }
}

/// A request for a stream.
pub(crate) fn request(surface: Surface) -> Value {
    let mut request = json!({"model": "m", "max_tokens": 99, "stream": true,
        "messages": [{"role": "user", "content": "Tell me."}]});
    if surface == Surface::ChatCompletions {
        request["stream_options"] = json!({"include_usage": true});
    }
    request
}

/// What reads the answer to it.
pub(crate) fn reader(surface: Surface, kind: ProviderKind) -> StreamReader {
    let body = Bytes::from(request(surface).to_string());
    let head = read_head(surface, &body, &mut Scratch::default()).unwrap();
    let encoded = encode(surface, &head, &body, &egress(kind)).unwrap();
    encoded.reader.stream()
}

/// An event as a provider of this dialect frames it.
pub(crate) fn framed(dialect: Dialect, event: &Value) -> String {
    match dialect {
        Dialect::OpenAi => format!("data: {event}\n\n"),
        Dialect::Anthropic => format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()),
        other => panic!("nothing here is said in {other:?}"),
    }
}

/// A chunk with this delta.
pub(crate) fn chunk(delta: &Value) -> Value {
    json!({"id": "chatcmpl-there", "object": "chat.completion.chunk", "created": 17, "model": "there",
        "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

/// Events that say nothing yet, as each dialect begins.
pub(crate) fn opening(dialect: Dialect) -> Vec<Value> {
    match dialect {
        Dialect::OpenAi => vec![
            json!({"id": "", "choices": [], "prompt_filter_results": [{"content_filter_results": {"hate": {"filtered": false}}}]}),
            chunk(&json!({"role": "assistant", "content": "", "refusal": null, "tool_calls": []})),
        ],
        Dialect::Anthropic => vec![
            json!({"type": "message_start", "message": {"id": "msg_there", "type": "message", "role": "assistant",
                "model": "claude-there", "content": [], "usage": {"input_tokens": 10, "output_tokens": 1}}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "ping"}),
        ],
        other => panic!("nothing here is said in {other:?}"),
    }
}

/// Pushes text, and tells what the client gets.
pub(crate) fn push(reader: &mut StreamReader, text: &str) -> String {
    let mut out = Vec::new();
    reader.push(Bytes::copy_from_slice(text.as_bytes()), &mut out);
    String::from_utf8(out.concat()).unwrap()
}

/// In what dialect a provider of this kind is asked for a chat.
pub(crate) fn spoken_by(kind: ProviderKind) -> Dialect {
    kind.dialect_for(Surface::ChatCompletions)
}

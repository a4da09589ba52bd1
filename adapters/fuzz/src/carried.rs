//! What a client gives back of a provider's state, when the client lies.
//!
//! Input: one byte for the client's dialect, one for the place where the state stands, one for the owner that it names,
//! one for the alphabet of base64 (bit 0), and what the state is.
//!
//! A client gives some strings back unread: signatures, encrypted thoughts. Those that the gateway made carry the state
//! of one provider through a client of another dialect. Whatever stands in them must reach nobody but a provider of the
//! dialect that it names, and no provider ever sees such a string as it is.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_core::{Dialect, Surface};

use super::cutting::settings;
use super::parties::{CLIENTS, PROVIDERS, egress, send};
use super::wire::assert_object;

/// Something that nothing else says.
const SECRET: &str = "Zm9yIG9uZSBwcm92aWRlcg";

/// How a key begins that carries a state: `tollgate:` in base64; and in `encrypted_content` of a Responses client.
const TAGS: [&str; 2] = ["dG9sbGdhdGU6", "tollgate:"];

/// Names that are no dialect's are in it, too.
const OWNERS: [&str; 12] = [
    "openai",
    "responses",
    "anthropic",
    "gemini",
    "cohere",
    "bedrock",
    "gemini/next",
    "gemini/last",
    "anthropic/next",
    "signature",
    "redacted",
    "nobody",
];

/// What a client says is carried goes to nobody but whom it names.
pub(crate) fn check(data: &[u8]) {
    let Some(([client, place, owner, alphabet], state)) = settings::<4>(data) else {
        return;
    };
    let client = CLIENTS[usize::from(client) % CLIENTS.len()];
    let owner = OWNERS[usize::from(owner) % OWNERS.len()];
    let state = format!("{SECRET}{}", String::from_utf8_lossy(state));
    let state = match alphabet & 2 {
        0 => state,
        _ => STANDARD.encode(format!(
            "tollgate:{}:{state}",
            OWNERS[usize::from(place) % OWNERS.len()]
        )),
    };
    let carried = carried(client.dialect(), owner, &state, alphabet);
    let body = request(client, place, &carried);
    let body = Bytes::from(serde_json::to_vec(&body).expect("JSON can be written"));
    for (kind, model) in PROVIDERS {
        let Ok(encoded) = send(client, false, &body, &egress(kind, model)) else {
            continue;
        };
        assert_object(&encoded.body, "a request");
        let upstream = kind.dialect_for(client);
        if (client, upstream) == (Surface::CohereChat, Dialect::Cohere) {
            // No client of this dialect is ever given a state: the field is the client's own, and goes as it is.
            continue;
        }
        let has = |mark: &str| {
            let found = |part: &[u8]| part == mark.as_bytes();
            encoded.body.windows(mark.len()).any(found)
        };
        let shown = || String::from_utf8_lossy(&encoded.body).into_owned();
        for tag in TAGS {
            assert!(!has(tag), "{kind} sees what is carried by {owner}: {}", shown());
        }
        assert!(
            !has(SECRET) || takes(upstream, owner),
            "{kind} sees what is {owner}'s: {}",
            shown()
        );
    }
}

/// Whether what is carried for `owner` may be seen by a provider of this dialect.
fn takes(upstream: Dialect, owner: &str) -> bool {
    match owner.split('/').next().unwrap_or_default() {
        // The proof of thoughts, and encrypted ones: whoever speaks a dialect that has such may have given them.
        "signature" | "redacted" => matches!(upstream, Dialect::Anthropic | Dialect::Bedrock),
        name => name == upstream.name(),
    }
}

/// The string that a client of this dialect gives back.
fn carried(client: Dialect, owner: &str, state: &str, alphabet: u8) -> String {
    if client == Dialect::Responses {
        let inside = match owner {
            "signature" | "redacted" => json!({ owner: state }),
            owner => json!({"of": owner, "state": state, "call": "c1"}),
        };
        return format!("tollgate:{inside}");
    }
    let text = format!("tollgate:{owner}:{state}");
    match alphabet & 1 {
        0 => STANDARD.encode(text),
        _ => URL_SAFE_NO_PAD.encode(text),
    }
}

/// A conversation with thoughts, a text, a call and its result, and `carried` in one of the places for such things.
fn request(client: Surface, place: u8, carried: &str) -> Value {
    let is_at = |here: u8, value: Value| if place % 4 == here { value } else { Value::Null };
    match client.dialect() {
        Dialect::OpenAi | Dialect::Cohere => {
            let extra = json!({"google": {"thought_signature": carried}});
            json!({"model": "m", "messages": [
                {"role": "user", "content": "Hello."},
                {"role": "assistant", "content": "I look.", "extra_content": is_at(0, extra.clone()),
                    "thinking_blocks": is_at(2, json!([{"type": "thinking", "thinking": "Hm.", "signature": carried}])),
                    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"},
                        "extra_content": is_at(1, extra)}]},
                {"role": "tool", "tool_call_id": "c1", "content": "42"},
            ]})
        }
        Dialect::Anthropic => {
            let thoughts = match place % 4 {
                0 => json!({"type": "redacted_thinking", "data": carried}),
                1 => json!({"type": "thinking", "thinking": "", "signature": carried}),
                _ => json!({"type": "thinking", "thinking": "Hm.", "signature": carried}),
            };
            json!({"model": "m", "max_tokens": 9, "messages": [
                {"role": "user", "content": "Hello."},
                {"role": "assistant", "content": [thoughts, {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "c1", "name": "f", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "42"}]},
            ]})
        }
        Dialect::Responses => {
            let summary = match place % 2 {
                0 => json!([]),
                _ => json!([{"type": "summary_text", "text": "Hm."}]),
            };
            json!({"model": "m", "input": [
                {"role": "user", "content": "Hello."},
                {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": carried},
                {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "42"},
            ]})
        }
        Dialect::Gemini => json!({"contents": [
            {"role": "user", "parts": [{"text": "Hello."}]},
            {"role": "model", "parts": [
                {"text": "Hm.", "thought": true, "thoughtSignature": is_at(0, carried.into())},
                {"text": "I look.", "thoughtSignature": is_at(1, carried.into())},
                {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": is_at(2, carried.into())},
                {"text": "", "thoughtSignature": is_at(3, carried.into())},
            ]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "42"}}}]},
        ]}),
        Dialect::Bedrock => {
            let thoughts = match place % 2 {
                0 => json!({"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": carried}}}),
                _ => json!({"reasoningContent": {"redactedContent": carried}}),
            };
            json!({"messages": [
                {"role": "user", "content": [{"text": "Hello."}]},
                {"role": "assistant", "content": [thoughts, {"text": "I look."},
                    {"toolUse": {"toolUseId": "c1", "name": "f", "input": {}}}]},
                {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "content": [{"text": "42"}]}}]},
            ]})
        }
    }
}

//! Clients that keep an answer and send it along with the next turn, as their SDKs do.

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_core::{ProviderKind, Surface};

use crate::report::StreamEnd;
use crate::sse::Framer;
use crate::testing::egress;
use crate::translate::{Translation, request};

pub(super) const CLIENTS: [Surface; 2] = [Surface::ChatCompletions, Surface::Messages];

pub(super) const GEMINI: &str = "gemini-2.5-flash";

pub(super) fn ask(client: Surface, turns: &[Value], thinks: bool) -> Value {
    let mut body = json!({"model": "m", "max_tokens": 9000, "messages": turns});
    if thinks && client == Surface::Messages {
        body["thinking"] = json!({"type": "enabled", "budget_tokens": 2000});
    }
    body
}

pub(super) fn way_back(client: Surface, kind: ProviderKind) -> Translation {
    let body = ask(client, &[json!({"role": "user", "content": "go"})], false).to_string();
    request(client, None, body.as_bytes(), &egress(kind, GEMINI))
        .unwrap()
        .2
}

/// The message that the client keeps of an answer.
pub(super) fn kept(client: Surface, kind: ProviderKind, answer: &Value) -> Value {
    let body = Bytes::from(answer.to_string());
    let (told, _) = way_back(client, kind).answer(&body).unwrap();
    let told: Value = serde_json::from_slice(&told).unwrap();
    match client {
        Surface::Messages => json!({"role": "assistant", "content": told["content"]}),
        _ => told["choices"][0]["message"].clone(),
    }
}

/// The message that the client keeps of a stream, which comes in pieces of `size` bytes.
pub(super) fn kept_of_stream(client: Surface, kind: ProviderKind, bytes: &[u8], size: usize) -> Value {
    let (mut stream, mut out) = (way_back(client, kind).stream(), Vec::new());
    for piece in bytes.chunks(size) {
        stream.push(piece, &mut out);
    }
    stream.finish(StreamEnd::Eof, &mut out);
    joined(client, &out.concat())
}

pub(super) fn joined(client: Surface, bytes: &[u8]) -> Value {
    let (mut message, mut blocks) = (json!({"role": "assistant"}), Vec::new());
    let framed = Framer::default().push(bytes, |frame| {
        let Some(event) = frame.event.filter(|event| event.data != b"[DONE]") else {
            return;
        };
        let event: Value = serde_json::from_slice(event.data).unwrap();
        if client == Surface::Messages {
            take_event(&event, &mut blocks);
        } else {
            let delta = event["choices"][0]["delta"].clone();
            merge(&mut message, delta);
        }
    });
    framed.unwrap();
    if client == Surface::Messages {
        message["content"] = blocks.into();
    }
    message
}

/// As Anthropic's SDKs gather blocks.
pub(super) fn take_event(event: &Value, blocks: &mut Vec<Value>) {
    let last = blocks.len().wrapping_sub(1);
    match event["type"].as_str().unwrap() {
        "content_block_start" => {
            assert_eq!(event["index"], blocks.len());
            let mut block = event["content_block"].clone();
            if block["type"] == "tool_use" {
                block["input"] = json!("");
            }
            blocks.push(block);
        }
        "content_block_delta" => {
            assert_eq!(event["index"], last);
            for (name, more) in event["delta"].as_object().unwrap() {
                let name = if name == "partial_json" { "input" } else { name };
                if name != "type" {
                    let text = format!(
                        "{}{}",
                        blocks[last][name].as_str().unwrap(),
                        more.as_str().unwrap()
                    );
                    blocks[last][name] = text.into();
                }
            }
        }
        "content_block_stop" if blocks[last]["type"] == "tool_use" => {
            let input = blocks[last]["input"].as_str().unwrap();
            let input = if input.is_empty() { "{}" } else { input };
            blocks[last]["input"] = serde_json::from_str(input).unwrap();
        }
        _ => {}
    }
}

/// As OpenAI's SDKs add up deltas: texts are joined, calls found by their index, other lists appended.
pub(super) fn merge(into: &mut Value, delta: Value) {
    let Value::Object(delta) = delta else { return };
    for (name, value) in delta {
        let place = &mut into[&name];
        match value {
            Value::Array(more) => {
                for element in more {
                    if place.is_null() {
                        *place = json!([]);
                    }
                    let list = place.as_array_mut().unwrap();
                    let known = element["index"]
                        .as_u64()
                        .and_then(|index| list.iter().position(|known| known["index"] == index));
                    match known {
                        Some(known) => merge(&mut list[known], element),
                        None => list.push(element),
                    }
                }
            }
            Value::String(more) if !matches!(&*name, "role" | "type" | "id") => {
                *place = format!("{}{more}", place.as_str().unwrap_or_default()).into();
            }
            Value::Object(_) if place.is_object() => merge(place, value),
            value => *place = value,
        }
    }
}

/// The next request of the client, with what it kept, as a provider gets it.
pub(super) fn next(client: Surface, kind: ProviderKind, model: &str, message: Value) -> (Value, Vec<String>) {
    let user = |text: &str| json!({"role": "user", "content": text});
    let body = ask(client, &[user("go"), message, user("on")], false).to_string();
    let (out, loss, _) = request(client, None, body.as_bytes(), &egress(kind, model)).unwrap();
    let named = crate::testing::named(&loss);
    (serde_json::from_slice(&out).unwrap(), named)
}

pub(super) fn gemini(parts: &Value) -> Value {
    json!({"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1}, "modelVersion": "g"})
}

/// The same as a stream, in which each part is an event.
pub(super) fn gemini_stream(parts: &Value) -> Vec<u8> {
    let mut out = String::new();
    for part in parts.as_array().unwrap() {
        let chunk = json!({"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}], "modelVersion": "g"});
        out.extend(["data: ", &chunk.to_string(), "\n\n"]);
    }
    out.extend(["data: ", &gemini(&json!([{"text": ""}])).to_string(), "\n\n"]);
    out.into_bytes()
}

/// What is signed in the model's turn: what it is, and the signature.
pub(super) fn signed(sent: &Value) -> Vec<(&'static str, String)> {
    let model = |content: &&Value| content["role"] == "model";
    let contents = sent["contents"].as_array().unwrap().iter().filter(model);
    let parts = contents.flat_map(|content| content["parts"].as_array().unwrap());
    parts.filter_map(signed_part).collect()
}

pub(super) fn signed_part(part: &Value) -> Option<(&'static str, String)> {
    let signature = part["thoughtSignature"].as_str()?.to_owned();
    let is_call = part["functionCall"].is_object();
    let kind = match (is_call, part["thought"] == true) {
        (true, _) => "call",
        (_, true) => "thought",
        _ => "text",
    };
    Some((kind, signature))
}

pub(super) fn loop_of_gemini() -> Value {
    json!([{"text": "hm", "thought": true}, {"text": "So.", "thoughtSignature": "c2lnMQ=="},
        {"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "c2ln+/Ig=="},
        {"functionCall": {"name": "f", "args": {}}}])
}

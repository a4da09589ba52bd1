//! Counts the text of a prompt, in whichever dialect it is written, without keeping it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Text in bytes that counts as one token.
pub(super) const BYTES_PER_TOKEN: u64 = 4;

/// The tokens of `text_bytes` bytes of prompt: a quarter, rounded up, at least 1. What counts as prompt text are the
/// strings of messages, instructions, prompts and inputs, in each dialect's words: whole contents, text parts and tool
/// results, summed before they are divided. A token id in an embeddings `input` counts as 4 bytes.
pub fn count_tokens(text_bytes: u64) -> u64 {
    text_bytes.div_ceil(BYTES_PER_TOKEN).max(1)
}

/// A length in bytes.
pub(super) fn length(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// The bytes of prompt text in a value that is read already; a value of another shape has none.
pub(super) fn text_bytes(value: Option<&Value>) -> u64 {
    let read = value.map(TextBytes::deserialize);
    read.and_then(Result::ok).unwrap_or_default().0
}

/// The bytes of prompt text in a value: strings, the members of objects that hold text, elements of lists.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TextBytes(pub(super) u64);

/// The bytes of all strings in a value, names of members aside: what a tool gave back as an object.
fn string_bytes(value: &Value) -> u64 {
    match value {
        Value::String(text) => length(text.len()),
        Value::Array(items) => items.iter().map(string_bytes).sum(),
        Value::Object(members) => members.values().map(string_bytes).sum(),
        _ => 0,
    }
}

impl<'de> Deserialize<'de> for TextBytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextBytesVisitor)
    }
}

struct TextBytesVisitor;

/// A key that is copied only when it is escaped.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for TextBytesVisitor {
    type Value = TextBytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, or a list of messages or parts")
    }

    fn visit_str<E>(self, text: &str) -> Result<TextBytes, E> {
        Ok(TextBytes(length(text.len())))
    }

    fn visit_unit<E>(self) -> Result<TextBytes, E> {
        Ok(TextBytes(0))
    }

    fn visit_u64<E>(self, _token_id: u64) -> Result<TextBytes, E> {
        Ok(TextBytes(BYTES_PER_TOKEN))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<TextBytes, A::Error> {
        let mut sum = 0;
        while let Some(TextBytes(bytes)) = seq.next_element()? {
            sum += bytes;
        }
        Ok(TextBytes(sum))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TextBytes, A::Error> {
        let mut sum = 0;
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            match key.as_ref() {
                // In this order: everybody's, Google's parts, and results of tools as Google, Bedrock, Responses and
                // Cohere wrap them.
                "content" | "text" | "parts" | "functionResponse" | "toolResult" | "output" | "document" => {
                    sum += map.next_value::<TextBytes>()?.0;
                }
                "response" | "json" | "data" => sum += string_bytes(&map.next_value::<Value>()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(TextBytes(sum))
    }
}

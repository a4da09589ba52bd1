//! What an answer says that would be lost if it was told again: then it is not kept.
//!
//! Readers leave out what they do not know. That is right for an answer that passes once, and wrong for one that
//! others are given in its place. What is about the answer, but not of it (fingerprints, filters' verdicts, timings),
//! is no loss.

use crate::json::{self, Fields};

/// At the top of a completion: what the provider found, beside what the model said.
const FOUND: &[&str] = &[
    "citations",
    "search_results",
    "images",
    "related_questions",
    "videos",
];

/// In a message or delta: what is kept, and what says it again or nothing.
const MESSAGE: &[&str] = &[
    "role",
    "content",
    "refusal",
    "tool_calls",
    "function_call",
    "reasoning",
    "reasoning_content",
    "thinking_blocks",
    "reasoning_details",
    "reasoning_signature",
    "provider_specific_fields",
    "provider_metadata",
    "token_id",
    "token_ids",
    "tool_call_id",
    "channel",
    "name",
    "prefix",
];

/// The ends of a completion that are ends. Others are taken for faults.
const ENDS: &[&str] = &[
    "stop",
    "length",
    "tool_calls",
    "function_call",
    "content_filter",
    "max_tokens",
    "model_length",
    "end_turn",
    "stop_sequence",
    "eos",
    "eos_token",
];

/// The same of a message.
const STOPS: &[&str] = &[
    "end_turn",
    "stop_sequence",
    "max_tokens",
    "model_context_window_exceeded",
    "tool_use",
    "refusal",
    "pause_turn",
];

/// Whether a value says something.
fn is_filled(json: &str) -> bool {
    !matches!(json, "null" | "[]" | "{}" | "\"\"" | "false")
}

fn filled<'f>(fields: &'f Fields<'_>) -> impl Iterator<Item = &'f str> {
    fields
        .iter()
        .filter(|(_, json)| is_filled(json))
        .map(|(name, _)| name)
}

/// What would be lost of a completion or a chunk of one. `None`: nothing.
pub(super) fn of_completion(completion: &Fields<'_>) -> Option<String> {
    let found = filled(completion).find(|name| FOUND.contains(name));
    let in_choice = |choice: &str| of_choice(&Fields::of(choice)?);
    found
        .map(str::to_owned)
        .or_else(|| completion.elements("choices").into_iter().find_map(in_choice))
}

fn of_choice(choice: &Fields<'_>) -> Option<String> {
    if let Some(logprobs) = choice.object("logprobs")
        && filled(&logprobs).next().is_some()
    {
        return Some("logprobs".to_owned());
    }
    let message = choice.object("delta").or_else(|| choice.object("message"))?;
    let unknown = filled(&message).find(|name| !MESSAGE.contains(name));
    let of_part = |part: &str| {
        let kind = Fields::of(part)?.text("type").unwrap_or_default();
        let is_known = matches!(&*kind, "text" | "output_text" | "thinking" | "refusal");
        (!is_known).then(|| kind.into_owned())
    };
    let of_call = |call: &str| {
        let call = Fields::of(call)?;
        let kind = call
            .text("type")
            .filter(|kind| !kind.is_empty() && kind != "function");
        kind.map(Into::into)
    };
    unknown
        .map(str::to_owned)
        .or_else(|| message.elements("content").into_iter().find_map(of_part))
        .or_else(|| message.elements("tool_calls").into_iter().find_map(of_call))
}

/// The end of a choice, if it is one that is not known.
pub(super) fn odd_end(choice: &Fields<'_>) -> Option<String> {
    let word = choice.text("finish_reason")?;
    (!ENDS.contains(&&*word)).then(|| word.into_owned())
}

/// The end of a message, if it is one that is not known.
pub(super) fn odd_stop(delta: &Fields<'_>) -> Option<String> {
    let word = delta.text("stop_reason")?;
    (!STOPS.contains(&&*word)).then(|| word.into_owned())
}

/// What would be lost of a message.
pub(super) fn of_message(message: &Fields<'_>) -> Option<String> {
    if message.raw("container").is_some_and(is_filled) {
        return Some("container".to_owned());
    }
    let blocks = message.elements("content").into_iter();
    blocks.map(Fields::of).find_map(|block| of_block(&block?))
}

/// What would be lost of a block.
fn of_block(block: &Fields<'_>) -> Option<String> {
    let kind = block.text("type").unwrap_or_default();
    if block.raw("citations").is_some_and(is_filled) {
        return Some("citations".to_owned());
    }
    let is_known = matches!(&*kind, "text" | "thinking" | "redacted_thinking" | "tool_use");
    (!is_known).then(|| kind.into_owned())
}

/// What would be lost of an event.
pub(super) fn of_event(kind: &str, event: &Fields<'_>) -> Option<String> {
    match kind {
        // Blocks come in events of their own.
        "message_start" => {
            let message = event.object("message")?;
            let content = message.raw("content").is_some_and(is_filled);
            content
                .then(|| "content".to_owned())
                .or_else(|| of_message(&message))
        }
        "content_block_start" => of_block(&event.object("content_block")?),
        "content_block_delta" => {
            let kind = event.object("delta")?.text("type")?;
            let known = [
                "text_delta",
                "thinking_delta",
                "signature_delta",
                "input_json_delta",
            ];
            (!known.contains(&&*kind)).then(|| kind.into_owned())
        }
        "message_delta" => of_message(&event.object("delta")?),
        _ => None,
    }
}

/// The indices of the choices in a chunk.
pub(super) fn indices(chunk: &Fields<'_>) -> Vec<u64> {
    let choices = chunk.raw("choices").map(json::elements).unwrap_or_default();
    let choices = choices.into_iter().filter_map(Fields::of);
    choices.map(|choice| choice.count("index").unwrap_or(0)).collect()
}

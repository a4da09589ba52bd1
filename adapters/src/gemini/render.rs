//! The canonical answer, written as a generateContent answer.

use tollgate_core::{FinishReason, Usage};

use super::signature;
use super::turns::write_call;
use super::usage::{self, finish_word};
use crate::chat::answer::{ChatAnswer, Choice};
use crate::chat::made::{CallIds, Made};
use crate::chat::names::Renamed;
use crate::chat::write::{Array, Object, object};
use crate::chat::{Kind, Part};

/// Writes an answer.
pub(crate) fn answer(
    answer: &ChatAnswer<'_>,
    usage: Option<&Usage>,
    made: &Made,
    renamed: &Renamed,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |o| {
        o.array("candidates", |a| {
            for (index, choice) in answer.choices.iter().enumerate() {
                a.object(|o| write_choice(o, index, choice, made, renamed));
            }
        });
        if let Some(usage) = usage {
            o.object("usageMetadata", |o| usage::write(o, usage));
        }
        o.text("modelVersion", answer.model.as_deref().unwrap_or(&made.model))
            .text("responseId", &made.answer_id());
    });
    out
}

fn write_choice(o: &mut Object<'_>, index: usize, choice: &Choice<'_>, made: &Made, renamed: &Renamed) {
    let has_refused = choice
        .parts
        .iter()
        .any(|part| matches!(part.kind, Kind::Refusal(_)));
    let finish = choice.end.finish.unwrap_or(FinishReason::Stop);
    let finish = if has_refused {
        FinishReason::ContentFilter
    } else {
        finish
    };
    o.object("content", |o| {
        o.array("parts", |a| write_parts(a, &choice.parts, made, renamed));
        o.text("role", "model");
    });
    o.text("finishReason", finish_word(finish));
    if let Some(words) = choice.end.explanation.as_ref() {
        o.text("finishMessage", words);
    }
    o.plain("index", index);
}

/// Writes the parts of an answer; at least one, for clients look at the first.
fn write_parts(a: &mut Array<'_>, parts: &[Part<'_>], made: &Made, renamed: &Renamed) {
    let mut ids = CallIds::new("call_");
    let mut is_empty = true;
    for part in parts {
        let written = match &part.kind {
            Kind::ToolCall(call) => {
                let id = ids.next(&call.id, made);
                a.object(|o| {
                    let name = renamed.original(&call.name);
                    o.object("functionCall", |o| write_call(o, call, Some(id), name));
                    write_state(o, part);
                });
                true
            }
            _ => write_said(a, part),
        };
        is_empty &= !written;
    }
    if is_empty {
        a.object(|o| o.text("text", "").end());
    }
}

/// Writes a part that is no call. Whether there was anything to write.
fn write_said(a: &mut Array<'_>, part: &Part<'_>) -> bool {
    match &part.kind {
        Kind::Text(text) | Kind::Refusal(text) if !text.is_empty() || part.state.is_some() => a.object(|o| {
            o.text("text", text);
            write_state(o, part);
        }),
        Kind::Thinking { text, signature } => a.object(|o| {
            o.text("text", text).plain("thought", true);
            match signature.as_deref().filter(|proof| !proof.is_empty()) {
                Some(proof) => o.text("thoughtSignature", &signature::of_proof(proof)).end(),
                None => write_state(o, part),
            }
        }),
        Kind::RedactedThinking(data) => a.object(|o| {
            o.text("text", "").plain("thought", true);
            o.text("thoughtSignature", &signature::of_redacted(data));
        }),
        _ => return false,
    }
    true
}

fn write_state(o: &mut Object<'_>, part: &Part<'_>) {
    if let Some(state) = &part.state {
        o.text("thoughtSignature", &signature::of_state(state));
    }
}

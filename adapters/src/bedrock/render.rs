//! The canonical answer, written as a Converse answer.

use tollgate_core::{Dialect, FinishReason, Usage};

use super::turns::{is_base64, write_part};
use super::usage::{self, stop_word};
use crate::anthropic::turns::write_input;
use crate::chat::answer::{ChatAnswer, finish_with};
use crate::chat::carried::{Carrier, carrier};
use crate::chat::made::{CallIds, Made};
use crate::chat::names::Renamed;
use crate::chat::write::{Array, object};
use crate::chat::{Kind, Part};

/// How the ids of calls that came without one begin.
pub(crate) const CALL_PREFIX: &str = "tooluse_";

/// Writes an answer: the first choice, for the dialect has but one.
pub(crate) fn answer(
    answer: &ChatAnswer<'_>,
    usage: Option<&Usage>,
    made: &Made,
    renamed: &Renamed,
) -> Vec<u8> {
    let first = answer.choices.first();
    let parts = first.map_or(&[][..], |choice| &choice.parts);
    let has = |wanted: fn(&Kind<'_>) -> bool| parts.iter().any(|part| wanted(&part.kind));
    let end = first.map(|choice| choice.end.clone()).unwrap_or_default();
    let calls = has(|kind| matches!(kind, Kind::ToolCall(_)));
    let finish = finish_with(end.finish.unwrap_or(FinishReason::Stop), calls);
    let finish = if has(|kind| matches!(kind, Kind::Refusal(_))) {
        FinishReason::ContentFilter
    } else {
        finish
    };
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |o| {
        o.object("output", |o| {
            o.object("message", |o| {
                o.text("role", "assistant");
                o.array("content", |a| write_blocks(a, parts, made, renamed));
            });
        });
        o.text("stopReason", stop_word(finish));
        o.object("usage", |o| usage::write(o, &usage.copied().unwrap_or_default()));
        // How long it took is not known here, but clients expect the field.
        o.object("metrics", |o| o.plain("latencyMs", 0).end());
        if let Some(stop) = &end.stop_sequence {
            o.object("additionalModelResponseFields", |o| {
                o.text("stop_sequence", stop);
            });
        }
    });
    out
}

fn write_blocks(a: &mut Array<'_>, parts: &[Part<'_>], made: &Made, renamed: &Renamed) {
    let mut ids = CallIds::new(CALL_PREFIX);
    for part in parts {
        let carrier = carrier(part);
        if let Some(Carrier { block, instead }) = &carrier {
            write_part(a, block, Dialect::Bedrock);
            if *instead {
                continue;
            }
        }
        match &part.kind {
            Kind::ToolCall(call) => {
                let id = ids.next(&call.id, made);
                a.object(|o| {
                    o.object("toolUse", |o| {
                        o.text("toolUseId", id).text("name", renamed.original(&call.name));
                        write_input(o, &call.arguments);
                    });
                });
            }
            // SDKs decode it: what is not base64 would fail the whole answer.
            Kind::RedactedThinking(data) if !is_base64(data) => {}
            Kind::Text(_) | Kind::Refusal(_) | Kind::Thinking { .. } | Kind::RedactedThinking(_)
                if !part.is_empty() =>
            {
                write_part(a, part, Dialect::Bedrock);
            }
            // Answers have none of the others.
            _ => {}
        }
    }
}

//! The canonical answer, written as a Messages answer.

use tollgate_core::{FinishReason, Usage};

use super::turns::{write_input, write_part};
use crate::chat::answer::{ChatAnswer, finish_with};
use crate::chat::carried::{Carrier, carrier, is_hollow};
use crate::chat::made::{CallIds, Made};
use crate::chat::names::Renamed;
use crate::chat::write::{Array, Object, array, object};
use crate::chat::{Call, Kind, Part};

/// Anthropic's word for the end of an answer.
pub(crate) const fn stop_word(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Stop => "end_turn",
        FinishReason::StopSequence => "stop_sequence",
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::ContentFilter => "refusal",
        FinishReason::Paused => "pause_turn",
    }
}

/// Writes an answer: the first choice, for the dialect has but one.
pub(crate) fn answer(
    answer: &ChatAnswer<'_>,
    usage: Option<&Usage>,
    made: &Made,
    renamed: &Renamed,
) -> Vec<u8> {
    let first = answer.choices.first();
    let parts = first.map_or(&[][..], |choice| &choice.parts);
    let is_call = |part: &Part<'_>| matches!(part.kind, Kind::ToolCall(_));
    let is_refusal = |part: &Part<'_>| matches!(part.kind, Kind::Refusal(_));
    let end = first.map(|choice| choice.end.clone()).unwrap_or_default();
    let finish = finish_with(
        end.finish.unwrap_or(FinishReason::Stop),
        parts.iter().any(is_call),
    );
    let finish = if parts.iter().any(is_refusal) {
        FinishReason::ContentFilter
    } else {
        finish
    };
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |o| {
        o.text("id", &made.message_id())
            .text("type", "message")
            .text("role", "assistant");
        o.text("model", answer.model.as_deref().unwrap_or(&made.model));
        array(o.key("content"), |a| write_blocks(a, parts, made, renamed));
        o.text("stop_reason", stop_word(finish));
        match &end.stop_sequence {
            Some(stop) => o.text("stop_sequence", stop).end(),
            None => o.raw("stop_sequence", "null").end(),
        }
        object(o.key("usage"), |o| {
            write_usage(o, &usage.copied().unwrap_or_default());
        });
    });
    out
}

fn write_blocks(a: &mut Array<'_>, parts: &[Part<'_>], made: &Made, renamed: &Renamed) {
    let mut ids = CallIds::new("toolu_");
    for part in parts {
        let carrier = carrier(part);
        if let Some(Carrier { block, instead }) = &carrier {
            write_part(a, block);
            if *instead {
                continue;
            }
        }
        match &part.kind {
            Kind::ToolCall(call) => {
                let id = ids.next(&call.id, made);
                a.object(|o| write_call(o, call, id, renamed));
            }
            _ if part.is_empty() || is_hollow(part) => {}
            _ => write_part(a, part),
        }
    }
}

fn write_call(o: &mut Object<'_>, call: &Call<'_>, id: &str, renamed: &Renamed) {
    o.text("type", "tool_use").text("id", id);
    o.text("name", renamed.original(&call.name));
    write_input(o, &call.arguments);
}

/// Writes the fields of `usage`: here input excludes all that has to do with caches.
pub(crate) fn write_usage(o: &mut Object<'_>, usage: &Usage) {
    o.plain("input_tokens", usage.input.saturating_add(usage.audio_input));
    let written = usage.cache_write.saturating_add(usage.cache_write_1h);
    o.plain("cache_creation_input_tokens", written);
    o.plain("cache_read_input_tokens", usage.cache_read);
    o.object("cache_creation", |o| {
        o.plain("ephemeral_5m_input_tokens", usage.cache_write);
        o.plain("ephemeral_1h_input_tokens", usage.cache_write_1h);
    });
    o.plain("output_tokens", usage.output_total());
    if usage.reasoning > 0 {
        o.object("output_tokens_details", |o| {
            o.plain("thinking_tokens", usage.reasoning).end();
        });
    }
}

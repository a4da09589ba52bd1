//! The canonical answer, written as a Messages answer.

use tollgate_core::{FinishReason, Usage};

use super::turns::{write_input, write_part};
use crate::chat::answer::{ChatAnswer, finish_with};
use crate::chat::carried::{Owner, of_state};
use crate::chat::made::{CallIds, Made};
use crate::chat::names::Renamed;
use crate::chat::write::{Array, Object, array, object};
use crate::chat::{Call, Kind, Part, State};

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
        let carried = part.state.as_ref();
        if carried.is_some_and(|state| !write_carrying(a, part, state)) {
            continue;
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

/// Thoughts without words, and nothing to be sent back with them.
fn is_hollow(part: &Part<'_>) -> bool {
    let Kind::Thinking { text, signature } = &part.kind else {
        return false;
    };
    text.is_empty() && signature.as_ref().is_none_or(|signature| signature.is_empty())
}

/// Writes a block that carries what a provider wants back with a part. Whether the part itself is still to be written.
///
/// Thoughts have a signature for it. All else has none: there it stands in front, in the block that clients must give
/// back whatever they make of its content, and that has nothing to show. An empty `thinking` block would do neither.
fn write_carrying(a: &mut Array<'_>, part: &Part<'_>, state: &State<'_>) -> bool {
    match &part.kind {
        Kind::Thinking { signature, .. } if signature.as_ref().is_some_and(|text| !text.is_empty()) => {
            return true;
        }
        Kind::Thinking { text, .. } if !text.is_empty() => {
            let kind = Kind::Thinking {
                text: text.as_ref().into(),
                signature: Some(of_state(state, Owner::Itself).into()),
            };
            write_part(a, &Part::new(String::new(), kind));
            return false;
        }
        _ => {}
    }
    let stands_alone = is_hollow(part) || part.is_empty();
    let owner = if stands_alone { Owner::Itself } else { Owner::Next };
    let kind = Kind::RedactedThinking(of_state(state, owner).into());
    write_part(a, &Part::new(String::new(), kind));
    !stands_alone
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

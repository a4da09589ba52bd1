//! The canonical answer, written as a Cohere chat answer.

use tollgate_core::{FinishReason, Usage};

use super::usage::finish_word;
use crate::chat::answer::{ChatAnswer, finish_with};
use crate::chat::made::{CallIds, Made};
use crate::chat::names::Renamed;
use crate::chat::write::{Array, Object, compact, object};
use crate::chat::{Call, Kind, Part};

/// Writes an answer: the first choice, for the dialect has but one.
pub(crate) fn answer(
    answer: &ChatAnswer<'_>,
    usage: Option<&Usage>,
    made: &Made,
    renamed: &Renamed,
) -> Vec<u8> {
    let first = answer.choices.first();
    let parts = first.map_or(&[][..], |choice| &choice.parts);
    let end = first.map(|choice| choice.end.clone()).unwrap_or_default();
    let calls: Vec<_> = parts.iter().filter_map(as_call).collect();
    let has_refused = parts.iter().any(|part| matches!(part.kind, Kind::Refusal(_)));
    let finish = finish_with(end.finish.unwrap_or(FinishReason::Stop), !calls.is_empty());
    let finish = if has_refused {
        FinishReason::ContentFilter
    } else {
        finish
    };
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |o| {
        o.text("id", &made.message_id())
            .text("finish_reason", finish_word(finish));
        o.object("message", |o| {
            o.text("role", "assistant");
            let said: Vec<_> = parts.iter().filter(|part| is_said(part)).collect();
            if !said.is_empty() || calls.is_empty() {
                o.array("content", |a| {
                    for part in &said {
                        write_said(a, part);
                    }
                    // Thoughts are no answer: who gets none is told why.
                    let is_silent = calls.is_empty() && said.iter().all(|part| is_thought(part));
                    let words = end.explanation.as_deref().unwrap_or_default();
                    if said.is_empty() || (is_silent && !words.is_empty()) {
                        a.object(|o| o.text("type", "text").text("text", words).end());
                    }
                });
            }
            if !calls.is_empty() {
                o.array("tool_calls", |a| write_calls(a, &calls, made, renamed));
            }
        });
        if let Some(usage) = usage {
            object(o.key("usage"), |o| write_usage(o, usage));
        }
    });
    out
}

fn as_call<'p, 'a>(part: &'p Part<'a>) -> Option<&'p Call<'a>> {
    match &part.kind {
        Kind::ToolCall(call) => Some(call),
        _ => None,
    }
}

fn is_said(part: &Part<'_>) -> bool {
    match &part.kind {
        Kind::Text(text) | Kind::Refusal(text) | Kind::Thinking { text, .. } => !text.is_empty(),
        _ => false,
    }
}

const fn is_thought(part: &Part<'_>) -> bool {
    matches!(part.kind, Kind::Thinking { .. })
}

fn write_said(a: &mut Array<'_>, part: &Part<'_>) {
    a.object(|o| match &part.kind {
        Kind::Text(text) | Kind::Refusal(text) => o.text("type", "text").text("text", text).end(),
        Kind::Thinking { text, .. } => o.text("type", "thinking").text("thinking", text).end(),
        _ => {}
    });
}

fn write_calls(a: &mut Array<'_>, calls: &[&Call<'_>], made: &Made, renamed: &Renamed) {
    let mut ids = CallIds::new("call_");
    for call in calls {
        let id = ids.next(&call.id, made);
        let arguments = compact(&call.arguments);
        a.object(|o| {
            o.text("id", id).text("type", "function");
            o.object("function", |o| {
                o.text("name", renamed.original(&call.name));
                o.text("arguments", if arguments.is_empty() { "{}" } else { &arguments });
            });
        });
    }
}

/// Writes the fields of `usage`: all that was counted counts as billed.
pub(crate) fn write_usage(o: &mut Object<'_>, usage: &Usage) {
    let (input, output) = (usage.prompt_total(), usage.output_total());
    o.object("billed_units", |o| {
        o.plain("input_tokens", input).plain("output_tokens", output);
    });
    o.object("tokens", |o| {
        o.plain("input_tokens", input).plain("output_tokens", output);
        if usage.reasoning > 0 {
            o.plain("reasoning_tokens", usage.reasoning);
        }
    });
    o.plain("cached_tokens", usage.cache_read);
}

//! The canonical answer, written as a Chat Completions answer.

use tollgate_core::{FinishReason, Usage};

use super::carried;
use super::turns::write_thoughts;
use crate::chat::answer::{ChatAnswer, Choice, finish_with};
use crate::chat::custom;
use crate::chat::made::Made;
use crate::chat::names::Renamed;
use crate::chat::write::{Object, compact, object};
use crate::chat::{Call, Kind};

/// What is said of a refusal that the provider does not explain.
pub(crate) const REFUSED: &str = "The model declined to answer.";

/// OpenAI's word for the end of an answer.
pub(crate) const fn finish_word(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Stop | FinishReason::StopSequence | FinishReason::Paused => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
    }
}

/// Writes an answer.
pub(crate) fn answer(
    answer: &ChatAnswer<'_>,
    usage: Option<&Usage>,
    made: &Made,
    renamed: &Renamed,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |o| {
        o.text("id", &made.completion_id())
            .text("object", "chat.completion");
        o.plain("created", made.now.unix_seconds());
        o.text("model", answer.model.as_deref().unwrap_or(&made.model));
        o.array("choices", |a| {
            for (index, choice) in answer.choices.iter().enumerate() {
                a.object(|o| write_choice(o, index, choice, made, renamed));
            }
        });
        if let Some(usage) = usage {
            object(o.key("usage"), |o| write_usage(o, usage));
        }
    });
    out
}

fn write_choice(o: &mut Object<'_>, index: usize, choice: &Choice<'_>, made: &Made, renamed: &Renamed) {
    let (mut text, mut thoughts, mut refusal) = (None::<String>, String::new(), None::<String>);
    let (mut blocks, mut calls) = (Vec::new(), Vec::new());
    let mut state = None;
    for part in &choice.parts {
        match &part.kind {
            Kind::Text(more) => {
                text.get_or_insert_default().push_str(more);
                state = part.state.as_ref().or(state);
            }
            Kind::Refusal(more) => refusal.get_or_insert_default().push_str(more),
            Kind::Thinking { text, signature } => {
                thoughts.push_str(text);
                let is_kept = signature.is_some() || part.state.is_some();
                blocks.extend(is_kept.then_some(part));
            }
            Kind::RedactedThinking(_) => blocks.push(part),
            Kind::ToolCall(call) => calls.push((call, part.state.as_ref())),
            _ => {}
        }
    }
    let finish = finish_with(choice.end.finish.unwrap_or(FinishReason::Stop), !calls.is_empty());
    if finish == FinishReason::ContentFilter && refusal.is_none() {
        refusal = Some(choice.end.explanation.as_deref().unwrap_or(REFUSED).to_owned());
    }
    o.plain("index", index).object("message", |o| {
        o.text("role", "assistant");
        match text {
            Some(text) => o.text("content", &text).end(),
            None if calls.is_empty() && refusal.is_none() => o.text("content", "").end(),
            None => o.raw("content", "null").end(),
        }
        match refusal {
            Some(refusal) => o.text("refusal", &refusal).end(),
            None => o.raw("refusal", "null").end(),
        }
        if !thoughts.is_empty() {
            o.text("reasoning_content", &thoughts);
        }
        if !blocks.is_empty() {
            o.array("thinking_blocks", |a| {
                for part in blocks {
                    write_thoughts(a, part);
                }
            });
        }
        if let Some(state) = state {
            carried::write(o, state);
        }
        if !calls.is_empty() {
            o.array("tool_calls", |a| {
                for (index, (call, state)) in calls.iter().enumerate() {
                    a.object(|o| {
                        write_call(o, index, call, made, renamed);
                        if let Some(state) = state {
                            carried::write(o, state);
                        }
                    });
                }
            });
        }
    });
    o.raw("logprobs", "null")
        .text("finish_reason", finish_word(finish));
}

fn write_call(o: &mut Object<'_>, index: usize, call: &Call<'_>, made: &Made, renamed: &Renamed) {
    if call.id.is_empty() {
        o.text("id", &made.call_id("call_", index));
    } else {
        o.text("id", &call.id);
    }
    let name = renamed.original(&call.name);
    if renamed.is_custom(name) {
        o.text("type", "custom").object("custom", |o| {
            o.text("name", name);
            o.text("input", &custom::input(&call.arguments));
        });
        return;
    }
    o.text("type", "function").object("function", |o| {
        o.text("name", name);
        let arguments = compact(&call.arguments);
        o.text("arguments", if arguments.is_empty() { "{}" } else { &arguments });
    });
}

/// Writes the fields of `usage`: here totals include their parts.
pub(crate) fn write_usage(o: &mut Object<'_>, usage: &Usage) {
    o.plain("prompt_tokens", usage.prompt_total());
    o.plain("completion_tokens", usage.output_total());
    o.plain("total_tokens", usage.total());
    o.object("prompt_tokens_details", |o| {
        o.plain("cached_tokens", usage.cache_read);
        o.plain("audio_tokens", usage.audio_input);
        let written = usage.cache_write.saturating_add(usage.cache_write_1h);
        if written > 0 {
            o.plain("cache_write_tokens", written);
        }
    });
    o.object("completion_tokens_details", |o| {
        o.plain("reasoning_tokens", usage.reasoning)
            .plain("audio_tokens", usage.audio_output);
    });
}

//! Token counts and ends of answers as Bedrock writes them.

use tollgate_core::{FinishReason, Units, Usage, UsageSource};

use crate::chat::write::Object;
use crate::json::Fields;

/// The `usage` of an answer, in classes that do not overlap; `None` if it counts nothing.
///
/// There `inputTokens` exclude everything about caches, and `outputTokens` include thoughts, which are not counted
/// apart. `cacheDetails` split what was written by how long it is kept.
pub(crate) fn read(usage: &Fields<'_>) -> Option<Usage> {
    let (input, output) = (usage.count("inputTokens"), usage.count("outputTokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    let details = usage.elements("cacheDetails").into_iter().filter_map(Fields::of);
    let long: u64 = details
        .filter(|detail| detail.text("ttl").as_deref() == Some("1h"))
        .filter_map(|detail| detail.count("inputTokens"))
        .fold(0, u64::saturating_add);
    let written = usage.count("cacheWriteInputTokens").unwrap_or(long);
    let cache_write_1h = long.min(written);
    Some(Usage {
        input: input.unwrap_or(0),
        cache_read: usage.count("cacheReadInputTokens").unwrap_or(0),
        cache_write: written - cache_write_1h,
        cache_write_1h,
        audio_input: 0,
        output: output.unwrap_or(0),
        reasoning: 0,
        audio_output: 0,
        units: Units::default(),
        source: UsageSource::Reported,
    })
}

/// Writes the fields of `usage`.
pub(crate) fn write(o: &mut Object<'_>, usage: &Usage) {
    let input = usage.input.saturating_add(usage.audio_input);
    let written = usage.cache_write.saturating_add(usage.cache_write_1h);
    let output = usage.output_total();
    let total = [usage.cache_read, written, output]
        .into_iter()
        .fold(input, u64::saturating_add);
    o.plain("inputTokens", input)
        .plain("outputTokens", output)
        .plain("totalTokens", total);
    if usage.cache_read > 0 || written > 0 {
        o.plain("cacheReadInputTokens", usage.cache_read)
            .plain("cacheWriteInputTokens", written);
    }
    if written > 0 {
        o.array("cacheDetails", |a| {
            for (ttl, tokens) in [("5m", usage.cache_write), ("1h", usage.cache_write_1h)] {
                if tokens > 0 {
                    a.object(|o| o.text("ttl", ttl).plain("inputTokens", tokens).end());
                }
            }
        });
    }
}

/// `stopReason`; words that are not known are taken for an ordinary end.
pub(crate) fn finish(word: &str) -> FinishReason {
    match word {
        "stop_sequence" => FinishReason::StopSequence,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "guardrail_intervened" | "content_filtered" | "refusal" => FinishReason::ContentFilter,
        "pause_turn" => FinishReason::Paused,
        _ => FinishReason::Stop,
    }
}

/// The dialect's word for the end of an answer. It has none for a pause.
pub(crate) const fn stop_word(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Stop | FinishReason::Paused => "end_turn",
        FinishReason::StopSequence => "stop_sequence",
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::ContentFilter => "content_filtered",
    }
}

//! Token counts and words for the end of an answer.
//!
//! Cohere counts twice. `tokens` is what went through the model, with the preamble that Cohere adds and with
//! thoughts: the counts that other dialects report, and what `cached_tokens` is a part of. `billed_units` is what it
//! charges for: less, and in no relation to caches.

use tollgate_core::{FinishReason, Usage, UsageSource};

use crate::json::Fields;

/// What went through the model: `tokens`, or `billed_units` where there are none. `None` if nothing is counted.
pub(crate) fn counted(usage: &Fields<'_>) -> Option<Usage> {
    let Some(tokens) = usage.object("tokens").filter(|tokens| is_count(tokens)) else {
        return billed(usage);
    };
    let prompt = tokens.count("input_tokens").unwrap_or(0);
    let cache_read = usage.count("cached_tokens").unwrap_or(0).min(prompt);
    let answer = tokens.count("output_tokens").unwrap_or(0);
    let reasoning = tokens.count("reasoning_tokens").unwrap_or(0).min(answer);
    Some(Usage {
        input: prompt - cache_read,
        cache_read,
        output: answer - reasoning,
        reasoning,
        source: UsageSource::Reported,
        ..Usage::default()
    })
}

/// What is charged for: `billed_units`. `None` if nothing is said of it.
pub(crate) fn billed(usage: &Fields<'_>) -> Option<Usage> {
    let units = usage.object("billed_units").filter(|units| is_count(units))?;
    Some(Usage {
        input: units.count("input_tokens").unwrap_or(0),
        output: units.count("output_tokens").unwrap_or(0),
        source: UsageSource::Reported,
        ..Usage::default()
    })
}

fn is_count(counts: &Fields<'_>) -> bool {
    counts.count("input_tokens").is_some() || counts.count("output_tokens").is_some()
}

/// `finish_reason`. `None` for those with which nothing is finished; words that are not known are taken for an
/// ordinary end.
pub(crate) fn finish(word: &str) -> Option<FinishReason> {
    Some(match word {
        "ERROR" | "TIMEOUT" | "" => return None,
        "STOP_SEQUENCE" => FinishReason::StopSequence,
        "MAX_TOKENS" | "ERROR_LIMIT" => FinishReason::Length,
        "TOOL_CALL" => FinishReason::ToolCalls,
        "ERROR_TOXIC" => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    })
}

/// Whether with this word the answer failed.
pub(crate) fn is_failure(word: &str) -> bool {
    matches!(word, "ERROR" | "TIMEOUT")
}

/// Cohere's word for the end of an answer.
pub(crate) const fn finish_word(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Stop | FinishReason::Paused => "COMPLETE",
        FinishReason::StopSequence => "STOP_SEQUENCE",
        FinishReason::Length => "MAX_TOKENS",
        FinishReason::ToolCalls => "TOOL_CALL",
        FinishReason::ContentFilter => "ERROR_TOXIC",
    }
}

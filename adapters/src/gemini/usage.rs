//! `usageMetadata` and `finishReason`, read and written.

use tollgate_core::{FinishReason, ServiceTier, Units, Usage, UsageSource};

use crate::chat::write::Object;
use crate::json::Fields;
use crate::usage::service_tier;

/// Google's counts. A stream states them in each event, for all that came before. One that states a total is all there
/// is to say; others overwrite what they name.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    prompt: Option<u64>,
    tool_prompt: Option<u64>,
    candidates: Option<u64>,
    thoughts: Option<u64>,
    cached: Option<u64>,
    total: Option<u64>,
    audio_prompt: Option<u64>,
    audio_cached: Option<u64>,
    audio_candidates: Option<u64>,
}

impl Counts {
    /// Takes in a `usageMetadata`.
    pub(crate) fn update(&mut self, usage: &Fields<'_>) {
        if usage.count("totalTokenCount").is_some() {
            *self = Self::default();
        }
        let counts = [
            (&mut self.prompt, "promptTokenCount"),
            (&mut self.tool_prompt, "toolUsePromptTokenCount"),
            (&mut self.candidates, "candidatesTokenCount"),
            (&mut self.thoughts, "thoughtsTokenCount"),
            (&mut self.cached, "cachedContentTokenCount"),
            (&mut self.total, "totalTokenCount"),
        ];
        for (count, name) in counts {
            *count = usage.count(name).or(*count);
        }
        let audio = [
            (&mut self.audio_prompt, "promptTokensDetails"),
            (&mut self.audio_cached, "cacheTokensDetails"),
            (&mut self.audio_candidates, "candidatesTokensDetails"),
        ];
        for (count, name) in audio {
            *count = audio_of(usage, name).or(*count);
        }
    }

    /// The tokens in classes that never overlap; `None`: nothing was counted. Here the prompt includes what was
    /// cached, and neither thoughts nor what tools read are in the other counts.
    pub(crate) fn usage(&self) -> Option<Usage> {
        if self.prompt.is_none() && self.candidates.is_none() && self.thoughts.is_none() {
            return None;
        }
        let prompt = self.prompt.unwrap_or(0);
        let cache_read = self.cached.unwrap_or(0);
        // A part that is larger than its whole was not in it.
        let mut input = prompt.checked_sub(cache_read).unwrap_or(prompt);
        let audio = self.audio_prompt.unwrap_or(0);
        let audio_input = audio.saturating_sub(self.audio_cached.unwrap_or(0)).min(input);
        input = (input - audio_input).saturating_add(self.tool_prompt.unwrap_or(0));
        let reasoning = self.thoughts.unwrap_or(0);
        let known = prompt
            .saturating_add(self.tool_prompt.unwrap_or(0))
            .saturating_add(reasoning);
        let rest = self.total.map_or(0, |total| total.saturating_sub(known));
        let mut output = self.candidates.unwrap_or(rest);
        let audio_output = self.audio_candidates.unwrap_or(0).min(output);
        output -= audio_output;
        Some(Usage {
            input,
            cache_read,
            cache_write: 0,
            cache_write_1h: 0,
            audio_input,
            output,
            reasoning,
            audio_output,
            units: Units::default(),
            source: UsageSource::Reported,
        })
    }
}

/// The tokens of audio in a list of modalities.
fn audio_of(usage: &Fields<'_>, name: &str) -> Option<u64> {
    let details = usage.elements(name).into_iter().filter_map(Fields::of);
    let mut audio = details.filter(|detail| detail.text("modality").as_deref() == Some("AUDIO"));
    audio.next()?.count("tokenCount")
}

/// The tier that was used: the Gemini API names it, Vertex the kind of traffic.
pub(crate) fn tier(usage: &Fields<'_>) -> Option<ServiceTier> {
    if let Some(tier) = usage.text("serviceTier") {
        return Some(service_tier(tier.to_ascii_lowercase().as_bytes()));
    }
    let traffic = usage.text("trafficType")?;
    Some(match traffic.rsplit('_').next() {
        Some("FLEX") => ServiceTier::Flex,
        Some("PRIORITY") => ServiceTier::Priority,
        _ => ServiceTier::Standard,
    })
}

/// Writes the fields of `usageMetadata`.
pub(crate) fn write(o: &mut Object<'_>, usage: &Usage) {
    let candidates = usage.output.saturating_add(usage.audio_output);
    o.plain("promptTokenCount", usage.prompt_total())
        .plain("candidatesTokenCount", candidates);
    if usage.cache_read > 0 {
        o.plain("cachedContentTokenCount", usage.cache_read);
    }
    if usage.reasoning > 0 {
        o.plain("thoughtsTokenCount", usage.reasoning);
    }
    o.plain("totalTokenCount", usage.total());
}

/// `finishReason`. `None`: it is not said; words that are not known are taken for an ordinary end.
pub(crate) fn finish(word: &str) -> Option<FinishReason> {
    Some(match word {
        "" | "FINISH_REASON_UNSPECIFIED" => return None,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "MODEL_ARMOR" => {
            FinishReason::ContentFilter
        }
        "IMAGE_SAFETY" | "IMAGE_PROHIBITED_CONTENT" | "IMAGE_RECITATION" => FinishReason::ContentFilter,
        _ => FinishReason::Stop,
    })
}

/// Google's word for the end of an answer. That calls are to be made is told by the calls alone.
pub(crate) const fn finish_word(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Stop | FinishReason::StopSequence | FinishReason::ToolCalls | FinishReason::Paused => {
            "STOP"
        }
        FinishReason::Length => "MAX_TOKENS",
        FinishReason::ContentFilter => "SAFETY",
    }
}

//! Token counts as providers write them, read into classes that never overlap.

use tollgate_core::{FinishReason, Nanodollars, ServiceTier, Units, Usage, UsageSource};

use crate::json::Fields;

/// The `usage` object of the OpenAI dialect. `None` if it counts nothing.
///
/// There `prompt_tokens` include cached, written and audio tokens, and `completion_tokens` include reasoning and
/// audio; except where they do not (xAI, Gemini behind some gateways): the total tells, and `excludes_reasoning`
/// where there is no total. A part that is larger than its whole was not in it.
pub(crate) fn openai(usage: &Fields<'_>, excludes_reasoning: bool) -> Option<Usage> {
    let either = |one: &str, other: &str| usage.count(one).or_else(|| usage.count(other));
    let prompt = either("prompt_tokens", "input_tokens");
    let completion = either("completion_tokens", "output_tokens");
    if prompt.is_none() && completion.is_none() {
        return None;
    }
    let (prompt, completion) = (prompt.unwrap_or(0), completion.unwrap_or(0));
    let details = |names: [&str; 2]| {
        names
            .into_iter()
            .find_map(|name| usage.object(name))
            .unwrap_or_default()
    };
    let of_prompt = details(["prompt_tokens_details", "input_tokens_details"]);
    let of_completion = details(["completion_tokens_details", "output_tokens_details"]);

    let cached = of_prompt
        .count("cached_tokens")
        .filter(|cached| *cached > 0)
        .or_else(|| usage.count("prompt_cache_hit_tokens"))
        .or_else(|| either("cached_tokens", "num_cached_tokens"));
    let mut input = prompt;
    let cached = cached.unwrap_or(0);
    let cache_read = if cached > prompt {
        cached
    } else {
        take(&mut input, Some(cached))
    };
    let cache_write = take(&mut input, of_prompt.count("cache_write_tokens"));
    let audio_input = take(&mut input, of_prompt.count("audio_tokens"));

    let reasoning = of_completion
        .count("reasoning_tokens")
        .or_else(|| usage.count("reasoning_tokens"));
    let stated = reasoning.unwrap_or(0);
    let of_total = usage.count("total_tokens").map_or(excludes_reasoning, |total| {
        stated > 0 && total == prompt.saturating_add(completion).saturating_add(stated)
    });
    let apart = of_total || stated > completion;
    let mut output = completion;
    let reasoning = if apart {
        stated
    } else {
        take(&mut output, reasoning)
    };
    let audio_output = take(&mut output, of_completion.count("audio_tokens"));
    Some(Usage {
        input,
        cache_read,
        cache_write,
        cache_write_1h: 0,
        audio_input,
        output,
        reasoning,
        audio_output,
        units: Units::default(),
        source: UsageSource::Reported,
    })
}

/// What several providers took for one answer.
pub(crate) fn sum(one: &Usage, other: &Usage) -> Usage {
    Usage {
        input: one.input.saturating_add(other.input),
        cache_read: one.cache_read.saturating_add(other.cache_read),
        cache_write: one.cache_write.saturating_add(other.cache_write),
        cache_write_1h: one.cache_write_1h.saturating_add(other.cache_write_1h),
        audio_input: one.audio_input.saturating_add(other.audio_input),
        output: one.output.saturating_add(other.output),
        reasoning: one.reasoning.saturating_add(other.reasoning),
        audio_output: one.audio_output.saturating_add(other.audio_output),
        units: one.units.plus(other.units),
        source: if one.source == other.source {
            one.source
        } else {
            UsageSource::Estimated
        },
    }
}

/// Moves `wanted` tokens out of `rest`, but no more than there are.
fn take(rest: &mut u64, wanted: Option<u64>) -> u64 {
    let taken = wanted.unwrap_or(0).min(*rest);
    *rest -= taken;
    taken
}

/// Anthropic's counts. A stream states them in several events, each overwriting what it names.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct AnthropicCounts {
    input: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_5m: Option<u64>,
    cache_write_1h: Option<u64>,
}

impl AnthropicCounts {
    /// Overwrites what `usage` names.
    pub(crate) fn update(&mut self, usage: &Fields<'_>) {
        let keep = |slot: &mut Option<u64>, found: Option<u64>| *slot = found.or(*slot);
        keep(&mut self.input, usage.count("input_tokens"));
        keep(&mut self.output, usage.count("output_tokens"));
        keep(&mut self.cache_read, usage.count("cache_read_input_tokens"));
        keep(&mut self.cache_write, usage.count("cache_creation_input_tokens"));
        if let Some(split) = usage.object("cache_creation") {
            keep(&mut self.cache_write_5m, split.count("ephemeral_5m_input_tokens"));
            keep(&mut self.cache_write_1h, split.count("ephemeral_1h_input_tokens"));
        }
        if let Some(details) = usage.object("output_tokens_details") {
            keep(&mut self.thinking, details.count("thinking_tokens"));
        }
    }

    /// In disjoint classes; `None` as long as nothing was counted. There `input_tokens` exclude everything
    /// about caches, and `output_tokens` include thinking.
    pub(crate) fn usage(&self) -> Option<Usage> {
        if self.input.is_none() && self.output.is_none() {
            return None;
        }
        let split = self
            .cache_write_5m
            .unwrap_or(0)
            .saturating_add(self.cache_write_1h.unwrap_or(0));
        let mut cache_write = self.cache_write.unwrap_or(split);
        let cache_write_1h = take(&mut cache_write, self.cache_write_1h);
        let mut output = self.output.unwrap_or(0);
        let reasoning = take(&mut output, self.thinking);
        Some(Usage {
            input: self.input.unwrap_or(0),
            cache_read: self.cache_read.unwrap_or(0),
            cache_write,
            cache_write_1h,
            audio_input: 0,
            output,
            reasoning,
            audio_output: 0,
            units: Units::default(),
            source: UsageSource::Reported,
        })
    }
}

/// What the `usage` of the OpenAI dialect says the request cost: OpenRouter's `cost` in dollars, Perplexity's
/// `cost.total_cost`, xAI's `cost_in_usd_ticks` of 10⁻¹⁰ dollars.
pub(crate) fn stated_cost(usage: &Fields<'_>) -> Option<Nanodollars> {
    if let Some(ticks) = usage.count("cost_in_usd_ticks") {
        return Some(Nanodollars(ticks.div_ceil(10)));
    }
    let dollars = match usage.object("cost") {
        Some(cost) => cost.raw("total_cost")?,
        None => usage.raw("cost")?,
    };
    nanodollars(dollars)
}

/// A JSON number of dollars, exactly: digits finer than a nanodollar are rounded up. `None` for what is
/// negative, no number, or more than there is.
fn nanodollars(dollars: &str) -> Option<Nanodollars> {
    let (mantissa, exponent) = dollars.split_once(['e', 'E']).unwrap_or((dollars, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits: u128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        digits = digits
            .checked_mul(10)?
            .checked_add(u128::from(digit.checked_sub(b'0').filter(|d| *d < 10)?))?;
    }
    let shift = exponent
        .checked_add(9)?
        .checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let power = 10_u128.checked_pow(shift.unsigned_abs());
    let nanos = match power {
        Some(power) if shift >= 0 => digits.checked_mul(power)?,
        Some(power) => digits.div_ceil(power),
        None if shift < 0 || digits == 0 => u128::from(digits != 0),
        None => return None,
    };
    u64::try_from(nanos).ok().map(Nanodollars)
}

/// The service tier by its name in an answer. Names without a price list of their own are standard.
pub(crate) fn service_tier(name: &[u8]) -> ServiceTier {
    match name {
        b"flex" => ServiceTier::Flex,
        b"priority" => ServiceTier::Priority,
        _ => ServiceTier::Standard,
    }
}

/// `finish_reason` of the OpenAI dialect. `None` for `error`, with which nothing is finished; words that are not
/// known are taken for an ordinary end.
pub(crate) fn openai_finish(word: &str) -> Option<FinishReason> {
    match word {
        "error" | "" => None,
        "length" | "max_tokens" | "model_length" => Some(FinishReason::Length),
        "tool_calls" | "function_call" => Some(FinishReason::ToolCalls),
        "content_filter" => Some(FinishReason::ContentFilter),
        _ => Some(FinishReason::Stop),
    }
}

/// `stop_reason` of Anthropic's dialect; words that are not known are taken for an ordinary end.
pub(crate) fn anthropic_finish(word: &str) -> FinishReason {
    match word {
        "stop_sequence" => FinishReason::StopSequence,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::ContentFilter,
        "pause_turn" => FinishReason::Paused,
        _ => FinishReason::Stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usage(json: &str) -> Usage {
        openai(&Fields::of(json).unwrap(), false).unwrap()
    }

    #[test]
    fn classes_are_taken_out_of_the_totals_of_openai() {
        let seen = usage(
            r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
            "prompt_tokens_details":{"cached_tokens":30,"audio_tokens":5,"cache_write_tokens":10},
            "completion_tokens_details":{"reasoning_tokens":20,"audio_tokens":1}}"#,
        );
        assert_eq!(
            (seen.input, seen.cache_read, seen.cache_write, seen.audio_input),
            (55, 30, 10, 5)
        );
        assert_eq!((seen.output, seen.reasoning, seen.audio_output), (29, 20, 1));
        assert_eq!(seen.source, UsageSource::Reported);
    }

    #[test]
    fn reasoning_beside_the_completion_is_told_by_the_total() {
        let json = r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":35,
            "completion_tokens_details":{"reasoning_tokens":20}}"#;
        let seen = usage(json);
        assert_eq!((seen.output, seen.reasoning), (5, 20));
        let without_total = Fields::of(r#"{"completion_tokens":20,"reasoning_tokens":5}"#).unwrap();
        assert_eq!(openai(&without_total, true).unwrap().output_total(), 25);
        assert_eq!(openai(&without_total, false).unwrap().output_total(), 20);
    }

    #[test]
    fn a_part_that_is_larger_than_its_whole_was_not_in_it() {
        let json = r#"{"prompt_tokens":29,"completion_tokens":9,"total_tokens":38,
            "prompt_tokens_details":{"cached_tokens":157},"completion_tokens_details":{"reasoning_tokens":84}}"#;
        let seen = usage(json);
        assert_eq!(
            (seen.input, seen.cache_read, seen.output, seen.reasoning),
            (29, 157, 9, 84)
        );
    }

    #[test]
    fn cached_tokens_are_found_under_each_of_their_names() {
        for json in [
            r#"{"prompt_tokens":9,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":5}"#,
            r#"{"prompt_tokens":9,"cached_tokens":4}"#,
            r#"{"prompt_tokens":9,"num_cached_tokens":4,"prompt_tokens_details":{"cached_tokens":0}}"#,
            r#"{"input_tokens":9,"input_tokens_details":{"cached_tokens":4}}"#,
        ] {
            assert_eq!((usage(json).input, usage(json).cache_read), (5, 4), "{json}");
        }
    }

    #[test]
    fn a_usage_that_counts_nothing_is_none() {
        for json in ["{}", r#"{"prompt_tokens":null}"#, r#"{"prompt_tokens":"9"}"#] {
            assert_eq!(openai(&Fields::of(json).unwrap(), false), None);
        }
    }

    #[test]
    fn counts_of_anthropic_overwrite_field_by_field() {
        let mut counts = AnthropicCounts::default();
        assert_eq!(counts.usage(), None);
        let update = |counts: &mut AnthropicCounts, json: &str| counts.update(&Fields::of(json).unwrap());
        update(
            &mut counts,
            r#"{"input_tokens":10,"cache_creation_input_tokens":7,"cache_read_input_tokens":3,
            "cache_creation":{"ephemeral_5m_input_tokens":5,"ephemeral_1h_input_tokens":2},"output_tokens":1}"#,
        );
        update(
            &mut counts,
            r#"{"input_tokens":12,"output_tokens":40,"output_tokens_details":{"thinking_tokens":30}}"#,
        );
        let seen = counts.usage().unwrap();
        assert_eq!(
            (seen.input, seen.cache_read, seen.cache_write, seen.cache_write_1h),
            (12, 3, 5, 2)
        );
        assert_eq!((seen.output, seen.reasoning), (10, 30));
    }

    #[test]
    fn stated_costs_are_exact() {
        let cost = |json: &str| stated_cost(&Fields::of(json).unwrap()).map(|cost| cost.0);
        assert_eq!(cost(r#"{"cost":0.00014425}"#), Some(144_250));
        assert_eq!(cost(r#"{"cost":1.5e-05}"#), Some(15_000));
        assert_eq!(cost(r#"{"cost":1e-40}"#), Some(1));
        assert_eq!(cost(r#"{"cost":0}"#), Some(0));
        assert_eq!(cost(r#"{"cost":{"total_cost":0.006}}"#), Some(6_000_000));
        assert_eq!(cost(r#"{"cost_in_usd_ticks":1234}"#), Some(124));
        for none in [
            r#"{"cost":-1}"#,
            r#"{"cost":1e99}"#,
            r#"{"cost":"1"}"#,
            r#"{"cost":null}"#,
            "{}",
        ] {
            assert_eq!(cost(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_token_is_invented(prompt: u64, completion: u64, cached: u64, reasoning: u64, audio: u64) {
            let json = format!(
                r#"{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":0,
                "prompt_tokens_details":{{"cached_tokens":{cached},"audio_tokens":{audio}}},
                "completion_tokens_details":{{"reasoning_tokens":{reasoning}}}}}"#
            );
            let seen = usage(&json);
            let beside = |part: u64, whole: u64| if part > whole { part.saturating_add(whole) } else { whole };
            prop_assert_eq!(seen.prompt_total(), beside(cached, prompt));
            prop_assert_eq!(seen.output_total(), beside(reasoning, completion));
        }

        #[test]
        fn any_text_is_a_cost_or_none(text: String) {
            let _ = nanodollars(&text);
        }
    }
}

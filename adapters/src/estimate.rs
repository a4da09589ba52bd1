//! Usage where no provider reported any.

use tollgate_core::{Usage, UsageSource};

use crate::report::Report;

/// About four bytes of UTF-8 text make a token: a rule of thumb that holds for English prose in the common
/// vocabularies; code and other scripts take more tokens per character, but also more bytes.
const BYTES_PER_TOKEN: u64 = 4;

/// Tokens estimated from the bytes of prompt and answer text: bytes over four, rounded up, so that anything
/// non-empty is at least one token. All of it counts as plain input and output; flagged as estimated.
pub fn estimate_usage(prompt_bytes: u64, output_bytes: u64) -> Usage {
    Usage {
        input: prompt_bytes.div_ceil(BYTES_PER_TOKEN),
        output: output_bytes.div_ceil(BYTES_PER_TOKEN),
        source: UsageSource::Estimated,
        ..Usage::default()
    }
}

/// What a request is billed for: what the provider says it charges for, else the tokens that it reported, as far as it
/// could. Without a report, the estimate.
/// Of an answer that was cut, the reported prompt (Anthropic tells it at the beginning) and at least the estimate
/// of what came; flagged as estimated.
pub fn settled_usage(report: &Report, prompt_bytes: u64) -> Usage {
    let estimate = estimate_usage(prompt_bytes, report.output_bytes);
    let Some(reported) = report.billed.or(report.usage) else {
        return estimate;
    };
    let missing = estimate.output.saturating_sub(reported.output_total());
    if report.complete || report.finish.is_some() {
        return reported;
    }
    Usage {
        output: reported.output.saturating_add(missing),
        source: UsageSource::Estimated,
        ..reported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_answer_is_billed_for_what_came() {
        let reported = Usage {
            input: 7,
            output: 1,
            source: UsageSource::Reported,
            ..Usage::default()
        };
        let mut report = Report {
            output_bytes: 400,
            ..Report::default()
        };
        assert_eq!(settled_usage(&report, 80), estimate_usage(80, 400));
        report.usage = Some(reported);
        let cut = settled_usage(&report, 80);
        assert_eq!(
            (cut.input, cut.output, cut.source),
            (7, 100, UsageSource::Estimated)
        );
        report.complete = true;
        assert_eq!(settled_usage(&report, 80), reported);
    }

    #[test]
    fn what_a_provider_charges_for_is_billed_and_what_it_used_is_told() {
        let tokens = |input| Usage {
            input,
            output: 2,
            source: UsageSource::Reported,
            ..Usage::default()
        };
        let report = Report {
            usage: Some(tokens(500)),
            billed: Some(tokens(7)),
            complete: true,
            ..Report::default()
        };
        assert_eq!(settled_usage(&report, 80), tokens(7));
        assert_eq!(report.usage, Some(tokens(500)));
    }

    #[test]
    fn anything_said_is_at_least_a_token_and_nothing_is_none() {
        let tokens = |prompt, output| {
            let usage = estimate_usage(prompt, output);
            assert_eq!(usage.source, UsageSource::Estimated);
            (usage.input, usage.output)
        };
        assert_eq!(tokens(0, 0), (0, 0));
        assert_eq!(tokens(1, 5), (1, 2));
        assert_eq!(tokens(u64::MAX, 4000), (u64::MAX / 4 + 1, 1000));
    }
}

//! Usage where no provider reported any.

use tollgate_core::{Usage, UsageSource};

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

#[cfg(test)]
mod tests {
    use super::*;

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

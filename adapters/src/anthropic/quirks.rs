//! What each generation of Claude takes and refuses, told by its name.

/// The longest name of a tool.
pub(crate) const LONGEST_NAME: usize = 128;

/// The version in a model's name: `claude-3-7-sonnet-20250219` is (3, 7), `claude-opus-4-6` (4, 6),
/// `claude-sonnet-5` (5, 0). `None` where the name does not tell: then nothing new is assumed, nothing old is
/// avoided.
pub(crate) fn version(model: &str) -> Option<(u32, u32)> {
    let claude = model.get(model.find("claude")?..)?;
    let number = |token: &str| -> Option<u32> { token.parse().ok().filter(|_| token.len() <= 2) };
    let mut tokens = claude
        .split(['-', '.', '@', ':', '_'])
        .skip_while(|token| number(token).is_none());
    let major = number(tokens.next()?)?;
    Some((major, tokens.next().and_then(number).unwrap_or(0)))
}

/// What a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each of which either holds for a model or does not"
)]
pub(crate) struct Takes {
    /// It can think at all (since 3.7).
    pub(crate) thinking: bool,
    /// It decides itself how long to think, and takes `output_config.effort` (since 4.6).
    pub(crate) adaptive: bool,
    /// `temperature`, `top_p`, `top_k` (until 4.6).
    pub(crate) sampling: bool,
    /// `temperature` and `top_p` in one request (until 4.0).
    pub(crate) both_samplings: bool,
    /// `output_config.format` (since 4.5), and strict tools.
    pub(crate) json_schema: bool,
    /// An assistant's turn at the end, to be continued (until 4.5).
    pub(crate) prefill: bool,
}

/// What `model` takes.
pub(crate) fn takes(model: &str) -> Takes {
    let version = version(model);
    let since = |first: (u32, u32)| version.is_some_and(|version| version >= first);
    let before = |first: (u32, u32)| version.is_none_or(|version| version < first);
    Takes {
        thinking: !before((3, 7)) || version.is_none(),
        adaptive: since((4, 6)),
        sampling: before((4, 7)),
        both_samplings: before((4, 1)),
        json_schema: since((4, 5)) || version.is_none(),
        prefill: before((4, 6)),
    }
}

/// The word for an effort, of `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`; `None` for `none`.
pub(crate) fn effort(model: &str, word: &str) -> Option<&'static str> {
    Some(match word {
        "none" => return None,
        "minimal" | "low" => "low",
        "medium" => "medium",
        "xhigh" if version(model).is_none_or(|version| version >= (4, 7)) => "xhigh",
        "xhigh" | "max" => "max",
        _ => "high",
    })
}

/// The tokens to think with, for models that want a number.
pub(crate) fn budget(effort: &str) -> u64 {
    match effort {
        "minimal" => 1024,
        "low" => 2048,
        "medium" => 8192,
        "xhigh" | "max" => 32_768,
        _ => 16_384,
    }
}

/// The effort that comes nearest to a budget.
pub(crate) fn effort_of_budget(tokens: u64) -> &'static str {
    match tokens {
        0..4096 => "low",
        4096..16_384 => "medium",
        _ => "high",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_names_old_and_new() {
        for (model, expected) in [
            ("claude-3-7-sonnet-20250219", Some((3, 7))),
            ("claude-sonnet-4-20250514", Some((4, 0))),
            ("claude-opus-4-6-20260205", Some((4, 6))),
            ("claude-sonnet-5", Some((5, 0))),
            ("us.anthropic.claude-haiku-4-5-20251001-v1:0", Some((4, 5))),
            ("anthropic/claude-sonnet-4.5", Some((4, 5))),
            ("claude-fable-5-1", Some((5, 1))),
            ("claude-2.1", Some((2, 1))),
            ("claude-next", None),
            ("replay--x", None),
        ] {
            assert_eq!(version(model), expected, "{model}");
        }
    }

    #[test]
    fn generations_differ_in_what_they_take() {
        assert!(takes("claude-opus-4-7").adaptive && !takes("claude-opus-4-7").sampling);
        assert!(takes("claude-opus-4-6").sampling && !takes("claude-opus-4-6").prefill);
        assert!(!takes("claude-3-5-sonnet-20240620").thinking && takes("unknown").thinking);
        assert_eq!(effort("claude-opus-4-6", "xhigh"), Some("max"));
        assert_eq!(effort("claude-opus-4-8", "xhigh"), Some("xhigh"));
    }
}

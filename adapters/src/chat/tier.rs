//! How soon an answer is wanted, and at what price: the words of the dialects for it.

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    /// As usual, or as the account is set.
    Standard,
    /// Later, and cheaper.
    Flex,
    /// Sooner, and dearer.
    Priority,
}

impl Tier {
    /// The tier of a word; `None`: one that only its own dialect knows.
    pub(crate) fn of(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        match word.strip_prefix("service_tier_").unwrap_or(&word) {
            "auto" | "default" | "standard" | "standard_only" | "unspecified" => Some(Self::Standard),
            "flex" => Some(Self::Flex),
            "priority" => Some(Self::Priority),
            _ => None,
        }
    }

    /// The word that OpenAI, Bedrock and Google share; `None`: nothing need be said.
    pub(crate) const fn word(self) -> Option<&'static str> {
        match self {
            Self::Standard => None,
            Self::Flex => Some("flex"),
            Self::Priority => Some("priority"),
        }
    }
}

/// What OpenAI is told for a word of another dialect; `Ok(None)`: nothing need be said.
///
/// # Errors
/// The server knows no such tier. `knows`: whether it knows OpenAI's tiers.
pub(crate) fn openai_word(word: &str, knows: bool) -> Result<Option<&'static str>, NoTier> {
    match Tier::of(word) {
        // Not what the account is set to, which may be dearer.
        Some(Tier::Standard) if word == "standard_only" && knows => Ok(Some("default")),
        Some(Tier::Standard) if word != "standard_only" => Ok(None),
        Some(tier) if knows => Ok(tier.word()),
        _ => Err(NoTier),
    }
}

/// There is no such tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoTier;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialects_words_are_known() {
        for word in [
            "auto",
            "default",
            "standard_only",
            "STANDARD",
            "SERVICE_TIER_STANDARD",
        ] {
            assert_eq!(Tier::of(word), Some(Tier::Standard), "{word}");
        }
        assert_eq!(Tier::of("SERVICE_TIER_FLEX").and_then(Tier::word), Some("flex"));
        assert_eq!(Tier::of("priority"), Some(Tier::Priority));
        assert_eq!(Tier::of("reserved"), None);
        assert_eq!(openai_word("SERVICE_TIER_PRIORITY", true), Ok(Some("priority")));
        assert_eq!(openai_word("priority", false), Err(NoTier));
        assert_eq!(openai_word("standard_only", true), Ok(Some("default")));
        assert_eq!(openai_word("standard_only", false), Err(NoTier));
        assert_eq!(openai_word("default", false), Ok(None));
    }
}

//! Text from outside that may be logged: credentials masked, control characters gone, length bounded.
//!
//! Providers quote keys in their error messages ("Incorrect API key provided: sk-…"). The type is the proof
//! that a text went through here: [`crate::RequestRecord`] takes no other.

use std::fmt;

/// How much of a text is kept, in bytes.
const MAX_BYTES: usize = 512;

/// A word this long that mixes letters and digits is taken for a credential, whatever it starts with.
const LONG_WORD: usize = 32;

/// Shorter words are left alone even after a known prefix: `sk-` alone gives nothing away.
const SHORT_WORD: usize = 8;

/// How the keys of providers, clouds and of Tollgate itself begin.
const PREFIXES: [&str; 16] = [
    "sk-", "sk_", "pk-", "tg-", "tg_", "gsk_", "xai-", "AIza", "key-", "r8_", "hf_", "fw_", "ghp_", "AKIA",
    "ASIA", "eyJ",
];

/// A text without credentials, at most 512 bytes long and a few for the mark that it was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrubbed(Box<str>);

impl Scrubbed {
    /// Masks what looks like a credential (`***`): words that begin like a key, words that follow `Bearer`
    /// or `Basic`, and long words that mix letters and digits. Better one id too many masked than one key
    /// shown.
    pub fn new(text: &str) -> Self {
        let (text, is_cut) = cut(text, MAX_BYTES);
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        let mut follows_scheme = false;
        while !rest.is_empty() {
            let word_end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let (word, tail) = rest.split_at_checked(word_end).unwrap_or((rest, ""));
            if !word.is_empty() {
                let reaches_cut = is_cut && tail.is_empty();
                let is_secret =
                    looks_secret(word, reaches_cut) || (follows_scheme && word.len() >= SHORT_WORD);
                clean.push_str(if is_secret { "***" } else { word });
                follows_scheme = word.eq_ignore_ascii_case("bearer") || word.eq_ignore_ascii_case("basic");
            }
            let gap_end = tail.find(is_word).unwrap_or(tail.len());
            let (gap, next) = tail.split_at_checked(gap_end).unwrap_or((tail, ""));
            clean.extend(gap.chars().map(|c| if c.is_control() { ' ' } else { c }));
            rest = next;
        }
        if is_cut {
            clean.push('…');
        }
        Self(clean.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scrubbed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first `max` bytes of a text, ending between two characters, and whether something was left off.
pub(crate) fn cut(text: &str, max: usize) -> (&str, bool) {
    if text.len() <= max {
        return (text, false);
    }
    let end = (0..=max)
        .rev()
        .find(|&end| text.is_char_boundary(end))
        .unwrap_or(0);
    (text.get(..end).unwrap_or(""), true)
}

/// Characters that keys are made of.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '/' | '*')
}

/// `reaches_cut`: the word goes on beyond what was kept, so that its length says nothing.
fn looks_secret(word: &str, reaches_cut: bool) -> bool {
    let long_enough = |len| word.len() >= len || reaches_cut;
    let has_prefix = PREFIXES.iter().any(|prefix| word.starts_with(prefix));
    let is_mixed = word.bytes().any(|b| b.is_ascii_digit()) && word.bytes().any(|b| b.is_ascii_alphabetic());
    (has_prefix && long_enough(SHORT_WORD)) || (is_mixed && long_enough(LONG_WORD))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_masked_wherever_they_stand() {
        for (text, expected) in [
            (
                "Incorrect API key provided: sk-proj-abcdef12.",
                "Incorrect API key provided: ***",
            ),
            (
                "bad header `Authorization: Bearer abcdefgh1`",
                "bad header `Authorization: Bearer ***`",
            ),
            ("key=0123456789abcdef0123456789abcdef!", "key=***!"),
            ("{\"key\":\"AIzaSyA-1234567\"}", "{\"key\":\"***\"}"),
        ] {
            assert_eq!(Scrubbed::new(text).as_str(), expected);
        }
    }

    #[test]
    fn ordinary_words_are_kept() {
        let text =
            "The model `gpt-4o-mini-2024-07-18` does not exist, see platform.openai.com/docs (max 128000)";
        assert_eq!(Scrubbed::new(text).as_str(), text);
    }

    #[test]
    fn a_key_across_the_cut_is_masked() {
        let text = format!("{} sk-abc{}", "x ".repeat(252), "d".repeat(40));
        let clean = Scrubbed::new(&text);
        assert!(!clean.as_str().contains("sk-"), "{clean}");
        assert!(clean.as_str().ends_with("***…"), "{clean}");
    }

    proptest! {
        #[test]
        fn a_key_in_any_text_never_shows(before in ".{0,80}", after in "[^A-Za-z0-9+/*._-].{0,80}", key in "[A-Za-z0-9]{16,40}") {
            // A word glued to the key's front hides its prefix: the masked forms are those that stand alone.
            let text = format!("{before} sk-{key}{after}");
            prop_assert!(!Scrubbed::new(&text).as_str().contains(&key));
        }

        #[test]
        fn any_text_is_bounded_and_free_of_control_characters(text in "(?s).{0,2000}") {
            let clean = Scrubbed::new(&text);
            prop_assert!(clean.as_str().len() <= MAX_BYTES + '…'.len_utf8() + "***".len());
            prop_assert!(!clean.as_str().chars().any(char::is_control));
        }
    }
}

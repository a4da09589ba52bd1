//! What each generation of Gemini takes, told by its name; and the names of functions, which the dialect limits.

use std::borrow::Cow;

use crate::chat::names::legal;

/// The longest name of a function.
const LONGEST_NAME: usize = 64;

/// A name that Google takes: it begins with a letter or an underscore, and may hold dots and colons.
pub(crate) fn function_name(name: &str) -> Cow<'_, str> {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_taken = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    if begins && name.len() <= LONGEST_NAME && name.chars().all(is_taken) {
        return Cow::Borrowed(name);
    }
    let mended = legal(name, LONGEST_NAME - 1);
    if mended.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return mended;
    }
    Cow::Owned(format!("_{mended}"))
}

/// The version in a model's name: `gemini-2.5-pro` is (2, 5), `gemini-3-flash-preview` (3, 0). What is always the
/// `latest` is of the third generation at least. `None` where the name does not tell.
pub(crate) fn version(model: &str) -> Option<(u32, u32)> {
    let gemini = model.get(model.rfind("gemini-")?..)?.strip_prefix("gemini-")?;
    if gemini.ends_with("-latest") && !gemini.starts_with(|c: char| c.is_ascii_digit()) {
        return Some((3, 0));
    }
    let first = gemini.split(['-', '@', ':']).next()?;
    let number = |digits: &str| -> Option<u32> { digits.parse().ok().filter(|_| digits.len() <= 2) };
    match first.split_once('.') {
        Some((major, minor)) => Some((number(major)?, number(minor)?)),
        None => Some((number(first)?, 0)),
    }
}

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thinks {
    /// It cannot.
    Never,
    /// With a number of tokens (2.5).
    Budget { least: u64, most: u64, can_be_off: bool },
    /// At one of these levels, the lowest first (since 3.0).
    Level(&'static [&'static str]),
}

/// What a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each of which either holds for a model or does not"
)]
pub(crate) struct Takes {
    pub(crate) thinks: Thinks,
    /// It refuses a call in its history that has no signature (since 3.0).
    pub(crate) insists_on_signatures: bool,
    /// Files in the results of functions (since 3.0).
    pub(crate) files_in_results: bool,
    /// JSON as the form of the answer beside functions (since 3.0).
    pub(crate) schema_beside_functions: bool,
    /// It fetches files from anywhere (since 2.5).
    pub(crate) fetches: bool,
    /// `systemInstruction`.
    pub(crate) system: bool,
}

/// What `model` takes. Where its name does not tell, nothing new is avoided, nothing new is assumed.
pub(crate) fn takes(model: &str) -> Takes {
    let version = version(model);
    let since = |first: (u32, u32)| version.is_some_and(|version| version >= first);
    let before = |first: (u32, u32)| version.is_some_and(|version| version < first);
    let is_gemma = model.contains("gemma");
    let old_gemma = ["gemma-1", "gemma-2", "gemma-3"];
    Takes {
        thinks: if before((2, 5)) || is_gemma {
            Thinks::Never
        } else {
            thinks(model, version)
        },
        insists_on_signatures: since((3, 0)),
        files_in_results: since((3, 0)),
        schema_beside_functions: !before((3, 0)),
        fetches: !before((2, 5)) && !is_gemma,
        system: !old_gemma.into_iter().any(|old| model.contains(old)),
    }
}

fn thinks(model: &str, version: Option<(u32, u32)>) -> Thinks {
    let budget = |least, most, can_be_off| Thinks::Budget {
        least,
        most,
        can_be_off,
    };
    let is_flash = model.contains("flash");
    match version {
        Some(version) if version >= (3, 0) && is_flash => {
            Thinks::Level(&["minimal", "low", "medium", "high"])
        }
        Some((3, 0)) => Thinks::Level(&["low", "high"]),
        Some(version) if version > (3, 0) => Thinks::Level(&["low", "medium", "high"]),
        Some(_) if model.contains("flash-lite") => budget(512, 24_576, true),
        Some(_) if !is_flash => budget(128, 32_768, false),
        _ => budget(1, 24_576, true),
    }
}

/// The level that comes nearest to an effort, and whether it is that very one.
pub(crate) fn level(levels: &[&'static str], effort: &str) -> (&'static str, bool) {
    let rank = |word: &str| match word {
        "none" => 0,
        "minimal" => 1,
        "low" => 2,
        "medium" => 3,
        "high" => 4,
        _ => 5,
    };
    let enough = levels.iter().find(|level| rank(level) >= rank(effort));
    let nearest = enough.or(levels.last()).copied().unwrap_or("high");
    (nearest, nearest == effort)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions_are_read_from_names() {
        for (model, expected) in [
            ("gemini-2.5-pro", Some((2, 5))),
            ("models/gemini-2.0-flash-001", Some((2, 0))),
            ("google/gemini-3-pro-preview", Some((3, 0))),
            ("gemini-3.1-flash-lite@001", Some((3, 1))),
            ("gemini-flash-latest", Some((3, 0))),
            ("gemini-1.5-pro-latest", Some((1, 5))),
            ("gemini-exp-1206", None),
            ("gemma-3-27b-it", None),
            ("endpoints/123", None),
        ] {
            assert_eq!(version(model), expected, "{model}");
        }
    }

    #[test]
    fn generations_differ_in_how_they_are_told_to_think() {
        assert_eq!(takes("gemini-2.0-flash").thinks, Thinks::Never);
        assert_eq!(
            takes("gemini-3-pro-preview").thinks,
            Thinks::Level(&["low", "high"])
        );
        assert!(matches!(
            takes("gemini-2.5-pro").thinks,
            Thinks::Budget {
                can_be_off: false,
                ..
            }
        ));
        assert!(!takes("gemma-3-27b-it").system && takes("gemma-4-31b-it").system);
        let pro: &[&str] = &["low", "high"];
        assert_eq!(level(pro, "medium"), ("high", false));
        assert_eq!(level(pro, "minimal"), ("low", false));
        assert_eq!(level(pro, "high"), ("high", true));
        assert_eq!(level(pro, "max"), ("high", false));
    }

    proptest! {
        #[test]
        fn names_of_functions_are_legal_and_stay_so(name: String) {
            let sent = function_name(&name);
            prop_assert!(sent.len() <= LONGEST_NAME && !sent.is_empty());
            prop_assert!(sent.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'), "{}", sent);
            prop_assert_eq!(function_name(&sent), &*sent);
        }
    }
}

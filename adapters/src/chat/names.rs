//! Names of tools and ids of their calls, as dialects allow them: what is illegal is mapped, always to the same.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// `text` if it is made of `[a-zA-Z0-9_-]` and at most `longest` bytes long; else a name like it that is, with a
/// hash of the original in it so that different names stay different.
pub(crate) fn legal(text: &str, longest: usize) -> Cow<'_, str> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !text.is_empty() && text.len() <= longest && text.chars().all(is_legal) {
        return Cow::Borrowed(text);
    }
    let similar: String = text
        .chars()
        .take(longest.saturating_sub(9))
        .map(|c| if is_legal(c) { c } else { '_' })
        .collect();
    Cow::Owned(format!("{similar}_{:08x}", hash(text) & 0xffff_ffff))
}

/// `id` if it is nine ASCII letters and digits (what Mistral takes), else nine that stand for it.
pub(crate) fn nine(id: &str) -> Cow<'_, str> {
    if id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Cow::Borrowed(id);
    }
    let mut rest = hash(id);
    let digits = (0..9).filter_map(|_| {
        let digit = u32::try_from(rest % 36).ok();
        rest /= 36;
        char::from_digit(digit?, 36)
    });
    Cow::Owned(digits.collect())
}

/// FNV-1a (Fowler, Noll, Vo), 64 bits, with a final mix: stable across versions and machines.
fn hash(text: &str) -> u64 {
    let fnv = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// What became of the names of tools on the way to the provider, to be undone on the way to the client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Renamed {
    /// The client's name for what was sent, where they differ.
    changed: HashMap<Box<str>, Box<str>>,
    /// The client's names of its custom tools ([`super::custom`]).
    custom: HashSet<Box<str>>,
}

impl Renamed {
    /// Remembers that `name` was sent as `sent`.
    pub(crate) fn note(&mut self, name: &str, sent: &str) {
        if name != sent {
            self.changed.entry(sent.into()).or_insert_with(|| name.into());
        }
    }

    /// The client's name for what the provider calls `sent`.
    pub(crate) fn original<'n>(&'n self, sent: &'n str) -> &'n str {
        self.changed.get(sent).map_or(sent, |name| name)
    }

    /// Remembers which of the client's names are those of custom tools.
    pub(crate) fn note_custom(&mut self, names: impl IntoIterator<Item = Box<str>>) {
        self.custom.extend(names);
    }

    /// Whether the client's `name` is that of a custom tool.
    pub(crate) fn is_custom(&self, name: &str) -> bool {
        self.custom.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn legal_names_stay_and_others_differ_from_each_other() {
        assert_eq!(legal("get_weather-2", 64), "get_weather-2");
        assert_ne!(legal("a.b", 64), legal("a:b", 64));
        assert!(legal("a.b", 64).starts_with("a_b_"));
        assert_eq!(nine("abcdef012"), "abcdef012");
        assert_ne!(nine("toolu_1"), nine("toolu_2"));
    }

    proptest! {
        #[test]
        fn mapped_names_are_legal(text: String, longest in 16usize..128) {
            let name = legal(&text, longest);
            prop_assert!(!name.is_empty() && name.len() <= longest);
            prop_assert_eq!(legal(&name, longest), &*name);
            let id = nine(&text);
            prop_assert_eq!(nine(&id), &*id);
            prop_assert_eq!(id.len(), 9);
        }
    }
}

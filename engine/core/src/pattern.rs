//! Names with a wildcard: `gpt-4o`, `local/*`, `*`.

use std::fmt;
use std::sync::Arc;

/// A name, or a prefix and a suffix around one `*` that stands for any text, the empty one included.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    prefix: Arc<str>,
    /// `None`: no wildcard, `prefix` is the whole name.
    suffix: Option<Arc<str>>,
}

impl Pattern {
    /// Reads a pattern. `None` when it has more than one `*`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('*') {
            None => Some(Self {
                prefix: text.into(),
                suffix: None,
            }),
            Some((_, suffix)) if suffix.contains('*') => None,
            Some((prefix, suffix)) => Some(Self {
                prefix: prefix.into(),
                suffix: Some(suffix.into()),
            }),
        }
    }

    /// What the wildcard stands for in `name` (empty text for a pattern without one); `None`: no match.
    pub fn capture<'n>(&self, name: &'n str) -> Option<&'n str> {
        match &self.suffix {
            None => (*self.prefix == *name).then_some(""),
            Some(suffix) => name.strip_prefix(&*self.prefix)?.strip_suffix(&**suffix),
        }
    }

    /// Whether `name` matches.
    pub fn matches(&self, name: &str) -> bool {
        self.capture(name).is_some()
    }

    /// Whether there is a wildcard.
    pub fn is_wildcard(&self) -> bool {
        self.suffix.is_some()
    }

    /// How many characters are fixed: of two patterns that match, the one with more is the more specific.
    pub fn specificity(&self) -> usize {
        self.prefix.len() + self.suffix.as_ref().map_or(0, |suffix| suffix.len())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prefix)?;
        self.suffix
            .as_ref()
            .map_or(Ok(()), |suffix| write!(f, "*{suffix}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_wildcard_captures_what_it_stands_for() {
        let local = Pattern::parse("local/*").unwrap();
        assert_eq!(local.capture("local/llama"), Some("llama"));
        assert_eq!(local.capture("remote/llama"), None);
        assert_eq!(Pattern::parse("gpt-4o").unwrap().capture("gpt-4o"), Some(""));
        assert_eq!(Pattern::parse("*-mini").unwrap().capture("mini"), None);
        assert_eq!(Pattern::parse("a*b*c"), None);
    }

    proptest! {
        #[test]
        fn prefix_and_suffix_never_overlap(prefix in "[ab]{0,3}", suffix in "[ab]{0,3}", name in "[ab]{0,6}") {
            let pattern = Pattern::parse(&format!("{prefix}*{suffix}")).unwrap();
            let long_enough = name.len() >= prefix.len() + suffix.len();
            let naive = long_enough && name.starts_with(&prefix) && name.ends_with(&suffix);
            prop_assert_eq!(pattern.matches(&name), naive);
        }
    }
}

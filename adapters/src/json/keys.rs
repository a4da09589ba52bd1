//! The keys of a JSON text at any depth, in one pass that looks at quotes only: what a stream's observer can
//! afford for each event.
//!
//! It cannot be fooled by text: inside a string a quote is escaped, so that what looks like a key is one.

use memchr::memchr;

use super::span::{quoted_end, skip_space};

/// How far to look for a quote byte by byte.
const NEAR: usize = 8;

/// A key and where its value begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key<'a> {
    /// The key as written, escapes and all.
    pub(crate) name: &'a [u8],
    /// From the first byte of the value to the end of the text.
    pub(crate) value: &'a [u8],
}

/// All keys, in order. Ends early where the text is not JSON.
pub(crate) fn keys(json: &[u8]) -> impl Iterator<Item = Key<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = next_quote(json, at)? + 1;
            let end = quoted_end(json, start)?;
            let colon = skip_space(json, end);
            at = end;
            if json.get(colon) == Some(&b':') {
                at = skip_space(json, colon + 1);
                return Some(Key {
                    name: json.get(start..end - 1)?,
                    value: json.get(at..)?,
                });
            }
        }
    })
}

/// The next quote is near: between two strings there is little but a colon or a comma.
fn next_quote(json: &[u8], at: usize) -> Option<usize> {
    let rest = json.get(at..)?;
    let near = rest.iter().take(NEAR).position(|byte| *byte == b'"');
    let found = near.or_else(|| Some(NEAR + memchr(b'"', rest.get(NEAR..)?)?))?;
    Some(at + found)
}

impl<'a> Key<'a> {
    /// The inside of the value, escapes and all, if it is a string.
    pub(crate) fn string(&self) -> Option<&'a [u8]> {
        if self.value.first() != Some(&b'"') {
            return None;
        }
        self.value.get(1..quoted_end(self.value, 1)? - 1)
    }

    /// Whether the value is there at all: not `null`.
    pub(crate) fn is_set(&self) -> bool {
        !self.value.starts_with(b"null")
    }

    /// Whether the value is an array or object with something in it.
    pub(crate) fn is_filled(&self) -> bool {
        matches!(self.value.first(), Some(b'[' | b'{'))
            && !matches!(
                self.value.get(skip_space(self.value, 1)),
                Some(b']' | b'}') | None
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_found_at_any_depth_and_never_inside_of_text() {
        let json = br#"{"a":{"b" : "\"usage\":{}"},"c":["d",{"e":[ ]}],"f":null}"#;
        let names: Vec<&[u8]> = keys(json).map(|key| key.name).collect();
        assert_eq!(names, [&b"a"[..], b"b", b"c", b"e", b"f"]);
        let values: Vec<_> = keys(json)
            .map(|key| (key.string(), key.is_set(), key.is_filled()))
            .collect();
        assert_eq!(values[0], (None, true, true));
        assert_eq!(values[1], (Some(&br#"\"usage\":{}"#[..]), true, false));
        assert_eq!(values[3], (None, true, false));
        assert_eq!(values[4], (None, false, false));
    }

    proptest! {
        #[test]
        fn any_bytes_have_finitely_many_keys(bytes in "[\"\\\\:{}a ]{0,60}") {
            for key in keys(bytes.as_bytes()) {
                let _ = (key.string(), key.is_filled());
            }
        }
    }
}

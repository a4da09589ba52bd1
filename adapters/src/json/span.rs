//! Where values stand in JSON that is already known to be valid. On anything else: `None`, never a panic.

use std::ops::Range;

use memchr::{memchr2, memrchr};

/// The first position at or after `at` that is not white space.
pub(crate) fn skip_space(json: &[u8], at: usize) -> usize {
    let rest = json.get(at..).unwrap_or_default();
    at + rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
        .count()
}

/// Strings up to this length are searched here, eight bytes at once: most are shorter, and a call costs more than that.
const SHORT: usize = 32;

/// Behind the closing quote of the string whose first character (not its quote) is at `at`.
pub(crate) fn quoted_end(json: &[u8], mut at: usize) -> Option<usize> {
    for word in json.get(at..)?.chunks_exact(8).take(SHORT / 8) {
        let word = u64::from_le_bytes(word.try_into().ok()?);
        let marks = equal_bytes(word, b'"') | equal_bytes(word, b'\\');
        if marks != 0 {
            at += marks.trailing_zeros() as usize / 8;
            if json.get(at) == Some(&b'"') {
                return Some(at + 1);
            }
            break;
        }
        at += 8;
    }
    loop {
        let found = at + memchr2(b'"', b'\\', json.get(at..)?)?;
        if json.get(found) == Some(&b'"') {
            return Some(found + 1);
        }
        at = found + 2;
    }
}

/// The highest bit of each byte of `word` that is `byte`; above the first of them, others may be set as well.
///
/// After Mycroft 1987: a byte is zero where subtracting one borrows though it had no highest bit.
fn equal_bytes(word: u64, byte: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let differs = word ^ (ONES * u64::from(byte));
    differs.wrapping_sub(ONES) & !differs & (ONES << 7)
}

/// Where the value begins whose key's first character is at `key`.
pub(crate) fn after_colon(json: &[u8], key: usize) -> Option<usize> {
    let colon = skip_space(json, quoted_end(json, key)?);
    (json.get(colon) == Some(&b':')).then(|| skip_space(json, colon + 1))
}

/// Where the key begins, with its quote, whose value begins at `value`. It must have no quote in it.
pub(crate) fn key_before(json: &[u8], value: usize) -> Option<usize> {
    let colon = json.get(..value)?.trim_ascii_end().strip_suffix(b":")?;
    let inside = colon.trim_ascii_end().strip_suffix(b"\"")?;
    memrchr(b'"', inside)
}

/// The bytes of the value that begins at `start`.
pub(crate) fn value_span(json: &[u8], start: usize) -> Option<Range<usize>> {
    let mut at = start;
    let mut depth = 0_usize;
    loop {
        match json.get(at)? {
            b'"' => at = quoted_end(json, at + 1)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
                continue;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at += 1;
            }
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => {
                at += 1;
                continue;
            }
            _ => {
                let rest = json.get(at..)?;
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
                at += rest.iter().position(ends).unwrap_or(rest.len());
            }
        }
        if depth == 0 {
            return Some(start..at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(json: &str) -> Option<&str> {
        value_span(json.as_bytes(), 0).map(|span| &json[span])
    }

    #[test]
    fn a_value_ends_where_it_ends() {
        assert_eq!(span(r#""a\"b" , 1"#), Some(r#""a\"b""#));
        assert_eq!(span("null}"), Some("null"));
        assert_eq!(span("-1.5e3 ,"), Some("-1.5e3"));
        assert_eq!(
            span(r#"{"a":[1,{"b":"]}"}]} , 2"#),
            Some(r#"{"a":[1,{"b":"]}"}]}"#)
        );
        assert_eq!(span("[] ]"), Some("[]"));
        assert_eq!(span("[[]"), None);
    }

    #[test]
    fn the_value_of_a_key_is_found_across_spaces() {
        let json = br#"{"a\"b" : 7}"#;
        assert_eq!(after_colon(json, 2), Some(10));
        assert_eq!(after_colon(br#"{"a" 7}"#, 2), None);
    }

    #[test]
    fn a_key_is_found_from_its_value() {
        assert_eq!(key_before(br#"{ "a\u0062" : 7}"#, 14), Some(2));
        assert_eq!(key_before(b"[7]", 1), None);
        assert_eq!(key_before(b"\":7", 2), None);
    }

    proptest! {
        #[test]
        fn a_quote_is_found_where_a_look_at_each_byte_finds_it(bytes in r#"[a"\\#\]]{0,4}[a-z"\\é#\]]{0,48}"#) {
            let bytes = bytes.as_bytes();
            for start in 0..=bytes.len() {
                let mut at = start;
                while matches!(bytes.get(at), Some(byte) if *byte != b'"') {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                let expected = (at < bytes.len()).then_some(at + 1);
                prop_assert_eq!(quoted_end(bytes, start), expected, "from {}", start);
            }
        }

        #[test]
        fn any_bytes_have_a_span_within_them_or_none(bytes: Vec<u8>, at in 0usize..40) {
            if let Some(span) = value_span(&bytes, at) {
                prop_assert!(span.end <= bytes.len());
            }
            let _ = after_colon(&bytes, at);
        }
    }
}

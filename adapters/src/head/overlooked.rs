//! What simd-json takes for JSON although it is none: a zero byte behind a number or a literal, and anything at all
//! behind a number of nineteen digits or more, of which it does not look at the end. A provider would refuse such a
//! body; that is told here, where it can be told what and where.

use memchr::memchr;
use simd_json::{Node, StaticNode};

/// From so many digits on, the end of a number is not looked at.
const LONG: usize = 19;
/// The smallest whole number that is so long.
const LONGEST: u64 = 10_u64.pow(18);

/// Whether a body that was parsed is no JSON after all. `origin` is the address that the strings of the tape are
/// counted from.
pub(super) fn is_no_json(body: &[u8], nodes: &[Node<'_>], origin: usize) -> bool {
    let is_doubtful = memchr(0, body).is_some() || has_long_number(body, nodes, origin);
    is_doubtful && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err()
}

/// Whether there may be a number that is long. Looks only between the two strings that such a number stands between:
/// strings are most of a large body.
fn has_long_number(body: &[u8], nodes: &[Node<'_>], origin: usize) -> bool {
    let place = |text: &str| text.as_ptr().addr().wrapping_sub(origin);
    let is_long = |before: Option<&str>, behind: Option<&str>| {
        // Unescaped, a string may end earlier than in the body: then a little too much is looked at.
        let from = before.map_or(0, |text| place(text).saturating_add(text.len()));
        let to = behind.map_or(body.len(), place);
        body.get(from..to).is_none_or(has_long_row)
    };
    let (mut before, mut has_odd) = (None, false);
    for node in nodes {
        match *node {
            Node::Static(number) => has_odd |= is_odd(number),
            Node::String(text) => {
                if has_odd && is_long(before, Some(text)) {
                    return true;
                }
                (before, has_odd) = (Some(text), false);
            }
            Node::Object { .. } | Node::Array { .. } => {}
        }
    }
    has_odd && is_long(before, None)
}

/// Whether a number may be one that is long: a fraction may be whatever its value is.
fn is_odd(number: StaticNode) -> bool {
    match number {
        StaticNode::U64(number) => number >= LONGEST,
        StaticNode::I64(number) => number.unsigned_abs() >= LONGEST,
        StaticNode::F64(_) => true,
        _ => false,
    }
}

/// Whether there are so many digits in a row, dots among them. Looks at one byte of as many: a row has one of these.
fn has_long_row(json: &[u8]) -> bool {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.');
    let (blocks, _) = json.as_chunks::<LONG>();
    let mut sampled = blocks.iter().enumerate();
    sampled.any(|(block, [.., last])| {
        is_digit(last) && row_around(json, block * LONG + LONG - 1, is_digit) >= LONG
    })
}

/// How many bytes of a kind stand in a row, of which one is at `at`.
fn row_around(body: &[u8], at: usize, is_of_kind: impl Fn(&u8) -> bool) -> usize {
    let (before, from) = body.split_at_checked(at).unwrap_or_default();
    let behind = from.iter().take_while(|byte| is_of_kind(byte)).count();
    behind + before.iter().rev().take_while(|byte| is_of_kind(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_long_row_is_found_wherever_it_stands(before in "[a-z,1 ]{0,60}", digits in 15_usize..60, behind in "[a-z, ]{0,30}") {
            let body = format!("{before}:{}{behind}", "7".repeat(digits));
            let is_long = body.as_bytes().split(|byte| !byte.is_ascii_digit()).any(|row| row.len() >= LONG);
            prop_assert_eq!(has_long_row(body.as_bytes()), is_long);
        }

        #[test]
        fn what_follows_a_long_number_is_looked_at_whatever_strings_stand_around_it(
            before in prop::collection::vec(r#"[a-z1-9,é]{0,30}(\\"|\\\\|\\u00e9|\\n)?[1-9]{0,25}"#, 0..4),
            number in r"-?[1-9]([0-9]{17,40}|[0-9]{0,3}\.[0-9]{15,40})",
            garbage in "[a-z+]{0,2}",
            behind in prop::collection::vec(r#"[a-z1-9]{0,30}(\\")?"#, 0..4),
        ) {
            let quoted = |texts: Vec<String>| texts.iter().map(|text| format!("\"{text}\",")).collect::<Vec<_>>().concat();
            let body = format!("[{}{number}{garbage},{}0.5]", quoted(before), quoted(behind));
            let mut copy = body.clone().into_bytes();
            let origin = copy.as_ptr().addr();
            if let Ok(tape) = simd_json::to_tape(&mut copy) {
                prop_assert_eq!(is_no_json(body.as_bytes(), &tape.0, origin), !garbage.is_empty());
            }
        }
    }
}

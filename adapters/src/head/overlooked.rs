//! What simd-json takes for JSON although it is none: a zero byte behind a number or a literal, and anything at all
//! behind a number of nineteen digits or more, of which it does not look at the end. A provider would refuse such a
//! body; that is told here, where it can be told what and where.

use memchr::memchr;
use simd_json::StaticNode;

/// From so many digits on, the end of a number is not looked at.
const LONG: usize = 19;
/// The smallest whole number that is so long.
const LONGEST: u64 = 10_u64.pow(18);

/// Whether a number may be one that is long: a fraction may be whatever its value is.
pub(super) fn is_odd(number: StaticNode) -> bool {
    match number {
        StaticNode::U64(number) => number >= LONGEST,
        StaticNode::I64(number) => number.unsigned_abs() >= LONGEST,
        StaticNode::F64(_) => true,
        _ => false,
    }
}

/// Whether a body that was parsed is no JSON after all. `has_odd_numbers`: it has numbers that may be long.
pub(super) fn is_no_json(body: &[u8], has_odd_numbers: bool) -> bool {
    let is_doubtful = memchr(0, body).is_some() || (has_odd_numbers && has_long_number(body));
    is_doubtful && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err()
}

/// Whether there are so many digits in a row, dots among them. Looks at one byte of as many: a row has one of these.
fn has_long_number(body: &[u8]) -> bool {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.');
    let (blocks, _) = body.as_chunks::<LONG>();
    let mut sampled = blocks.iter().enumerate();
    sampled.any(|(block, [.., last])| {
        is_digit(last) && row_around(body, block * LONG + LONG - 1, is_digit) >= LONG
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
        fn a_long_number_is_found_wherever_it_stands(before in "[a-z,1 ]{0,60}", digits in 15_usize..60, behind in "[a-z, ]{0,30}") {
            let body = format!("{before}:{}{behind}", "7".repeat(digits));
            let is_long = body.as_bytes().split(|byte| !byte.is_ascii_digit()).any(|row| row.len() >= LONG);
            prop_assert_eq!(has_long_number(body.as_bytes()), is_long);
        }
    }
}

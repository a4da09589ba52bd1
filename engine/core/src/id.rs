//! The id of a request: unique, sortable by time, safe to print.

use std::fmt;

use crate::Timestamp;

/// 128 bits: 48 of wall-clock milliseconds, 80 random. Written as `req_` and 26 characters of Crockford's
/// base 32 (the layout of a ULID), so that ids sort by time. Only ids as written here are read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(u128);

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl RequestId {
    /// The id of a request that arrived `at`; `random` gives the lower 80 bits.
    pub const fn new(at: Timestamp, random: u128) -> Self {
        Self(((at.unix_millis() as u128) << 80) | (random & ((1 << 80) - 1)))
    }

    /// Reads an id as `Display` writes it: `req_` and 26 lower-case digits. `None` when it is anything else, or
    /// more than 128 bits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: &[u8; 26] = text.strip_prefix("req_")?.as_bytes().try_into().ok()?;
        digits
            .iter()
            .try_fold(0_u128, |bits, &digit| {
                bits.checked_mul(32).zip(value(digit)).map(|(bits, it)| bits | it)
            })
            .map(Self)
    }

    /// The 80 random bits: a seed for choices made for this request.
    pub const fn entropy(self) -> u128 {
        self.0 & ((1 << 80) - 1)
    }
}

/// The five bits that a digit stands for. `None`: not in the alphabet.
fn value(digit: u8) -> Option<u128> {
    let place = ALPHABET.iter().position(|&it| it == digit)?;
    u128::try_from(place).ok()
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"req_00000000000000000000000000";
        let mut rest = self.0;
        for slot in text.iter_mut().skip(4).rev() {
            let digit = usize::try_from(rest & 31).unwrap_or(0);
            *slot = ALPHABET.get(digit).copied().unwrap_or(b'0');
            rest >>= 5;
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or("req_"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_sort_by_time_and_have_a_fixed_length() {
        let early = RequestId::new(Timestamp::from_unix_millis(1), u128::MAX).to_string();
        let late = RequestId::new(Timestamp::from_unix_millis(2), 0).to_string();
        assert!(early < late);
        assert_eq!((early.len(), late.len()), (30, 30));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(bits in any::<u128>()) {
            let id = RequestId(bits);
            prop_assert_eq!(RequestId::parse(&id.to_string()), Some(id));
        }

        #[test]
        fn what_is_read_would_be_written_the_same(text in "req_[0-9a-z]{25,27}|.{0,40}") {
            if let Some(id) = RequestId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn what_is_not_written_like_an_id_is_none() {
        let digits = "01kdvdna7t000000000000001a";
        assert!(RequestId::parse(&format!("req_{digits}")).is_some());
        for text in [
            String::new(),
            "req_".into(),
            digits.into(),
            format!("REQ_{digits}"),
            format!("req-{digits}"),
            format!("req_req_{digits}"),
            format!("req_{}", &digits[1..]),
            format!("req_{digits}0"),
            format!(" req_{digits}"),
            format!("req_{digits}\n"),
            format!("req_{}", digits.to_uppercase()),
            format!("req_{}é", &digits[2..]),
            format!("req_+{}", &digits[1..]),
            format!("req_{}", "\0".repeat(26)),
        ] {
            assert_eq!(RequestId::parse(&text), None, "{text:?}");
        }
        for strange in ["i", "l", "o", "u", "-", "_", "{", "/"] {
            let text = format!("req_{}{strange}", &digits[1..]);
            assert_eq!(RequestId::parse(&text), None, "{text:?}");
        }
    }

    #[test]
    fn an_id_of_more_than_128_bits_is_none() {
        let of = |first: &str, rest: &str| RequestId::parse(&format!("req_{first}{}", rest.repeat(25)));
        assert_eq!(of("7", "z"), Some(RequestId(u128::MAX)));
        for first in ["8", "g", "z"] {
            assert_eq!(of(first, "0"), None);
            assert_eq!(of(first, "z"), None);
        }
    }
}

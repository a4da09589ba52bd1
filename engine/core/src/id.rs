//! The id of a request: unique, sortable by time, safe to print.

use std::fmt;

use crate::Timestamp;

/// 128 bits: 48 of wall-clock milliseconds, 80 random. Written as `req_` and 26 characters of Crockford's
/// base 32 (the layout of a ULID), so that ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(u128);

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl RequestId {
    /// The id of a request that arrived `at`; `random` gives the lower 80 bits.
    pub const fn new(at: Timestamp, random: u128) -> Self {
        Self(((at.unix_millis() as u128) << 80) | (random & ((1 << 80) - 1)))
    }

    /// The 80 random bits: a seed for choices made for this request.
    pub const fn entropy(self) -> u128 {
        self.0 & ((1 << 80) - 1)
    }
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
    use super::*;

    #[test]
    fn ids_sort_by_time_and_have_a_fixed_length() {
        let early = RequestId::new(Timestamp::from_unix_millis(1), u128::MAX).to_string();
        let late = RequestId::new(Timestamp::from_unix_millis(2), 0).to_string();
        assert!(early < late);
        assert_eq!((early.len(), late.len()), (30, 30));
    }
}

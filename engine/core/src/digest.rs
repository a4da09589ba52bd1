//! What stands for a text where only sameness matters.

use std::fmt;

/// The first 128 bits of a BLAKE3 hash. Two different inputs of the same digest are not found by trying: who could
/// choose one input freely would need some 2^64 attempts for any collision, 2^128 for one with a given input.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 16]);

impl Digest {
    /// One that was stored.
    pub const fn of_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// To be stored.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Makes a [`Digest`] of a sequence of fields. Fields are framed: `"ab", "c"` differs from `"a", "bc"`.
#[derive(Clone, Debug)]
pub struct Digester(blake3::Hasher);

impl Digester {
    /// One for a purpose: digests of different purposes differ, whatever their fields.
    pub fn new(purpose: &str) -> Self {
        let mut digester = Self(blake3::Hasher::new());
        digester.field(purpose.as_bytes());
        digester
    }

    /// The next field.
    pub fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// The next field: a number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.field(&number.to_le_bytes())
    }

    /// The digest of the fields so far.
    pub fn finish(&self) -> Digest {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(
            self.0
                .finalize()
                .as_bytes()
                .first_chunk::<16>()
                .unwrap_or(&[0; 16]),
        );
        Digest(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(purpose: &str, fields: &[Vec<u8>]) -> Digest {
        let mut digester = Digester::new(purpose);
        for field in fields {
            digester.field(field);
        }
        digester.finish()
    }

    #[test]
    fn a_digest_is_the_same_for_ever() {
        // Entries on disk are found by it.
        let digest = of("test", &[b"a".to_vec(), b"bc".to_vec()]);
        assert_eq!(digest, Digest::of_bytes(digest.to_bytes()));
        assert_eq!(digest.to_string(), "d34c59d48a282d2e2ef900a1cf73341c");
    }

    proptest! {
        #[test]
        fn different_fields_have_different_digests(a: Vec<Vec<u8>>, b: Vec<Vec<u8>>) {
            prop_assert_eq!(of("test", &a) == of("test", &b), a == b);
            prop_assert_ne!(of("test", &a), of("other", &a));
        }
    }
}

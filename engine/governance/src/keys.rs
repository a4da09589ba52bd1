//! Virtual keys: hashed at rest, compared in constant time, limited to models and to a time.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;
use tollgate_core::{Nanodollars, Pattern, Timestamp};

/// The SHA-256 of a key: what is kept of it. Written as 64 lower-case hex digits.
///
/// Keys are random and long, so a plain fast hash is enough: there is no dictionary to try.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Hashes a key.
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// Whether both are of the same key, in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// Reads 64 hex digits.
    pub fn parse_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(hash))
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "KeyHash({a:02x}{b:02x}…)")
    }
}

/// A key that a client presents, and what it may do.
#[derive(Debug)]
pub struct VirtualKey {
    /// Its name in the config file, logs and metrics.
    pub name: Arc<str>,
    /// What is kept of the key itself.
    pub hash: KeyHash,
    /// The models it may use and list, by the names that clients ask for.
    pub models: Vec<Pattern>,
    /// From when on it is refused; `None`: never.
    pub expires_at: Option<Timestamp>,
    /// Where its answers may come from; `None`: anywhere.
    pub regions: Option<Arc<[Arc<str>]>>,
    /// The targets that may answer it, as patterns of `provider/model`; empty: all.
    pub targets: Arc<[Pattern]>,
    /// What one of its requests may cost at the worst case; `None`: no limit.
    pub max_cost: Option<Nanodollars>,
}

/// Why a presented key is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyDenied {
    /// No such key.
    #[error("unknown key")]
    Unknown,
    /// It has expired.
    #[error("expired at {0}")]
    Expired(Timestamp),
}

/// All virtual keys of one configuration.
#[derive(Debug, Default)]
pub struct Keyring {
    by_hash: HashMap<KeyHash, Arc<VirtualKey>>,
}

impl VirtualKey {
    /// Whether the key may use and list `model`, a name as clients ask for it.
    pub fn may_use(&self, model: &str) -> bool {
        self.models.iter().any(|pattern| pattern.matches(model))
    }
}

impl Keyring {
    /// A ring of keys. Of two with the same hash the last one wins (the config refuses such a pair).
    pub fn new(keys: impl IntoIterator<Item = VirtualKey>) -> Self {
        Self {
            by_hash: keys.into_iter().map(|key| (key.hash, Arc::new(key))).collect(),
        }
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// The key that a client presented, if it is accepted at `now`.
    ///
    /// Constant-time in what matters: the table is searched by the hash of what was presented, which tells an
    /// attacker nothing about stored keys, and the final comparison does not stop at the first difference.
    pub fn authenticate(&self, presented: &str, now: Timestamp) -> Result<&Arc<VirtualKey>, KeyDenied> {
        let hash = KeyHash::of(presented);
        let key = self.by_hash.get(&hash).ok_or(KeyDenied::Unknown)?;
        if !key.hash.matches(&hash) {
            return Err(KeyDenied::Unknown);
        }
        match key.expires_at {
            Some(end) if now >= end => Err(KeyDenied::Expired(end)),
            _ => Ok(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_millis(1_000_000);

    fn ring(expires_at: Option<Timestamp>) -> Keyring {
        Keyring::new([VirtualKey {
            name: "dev".into(),
            hash: KeyHash::of("tg-secret"),
            models: vec![Pattern::parse("local/*").unwrap()],
            expires_at,
            regions: None,
            targets: Arc::new([]),
            max_cost: None,
        }])
    }

    #[test]
    fn only_the_right_key_is_accepted() {
        assert_eq!(&*ring(None).authenticate("tg-secret", NOW).unwrap().name, "dev");
        for wrong in ["", "tg-secre", "tg-secret ", "TG-SECRET"] {
            assert_eq!(
                ring(None).authenticate(wrong, NOW).unwrap_err(),
                KeyDenied::Unknown
            );
        }
    }

    #[test]
    fn a_key_may_use_only_the_models_on_its_list() {
        let ring = ring(None);
        let key = ring.authenticate("tg-secret", NOW).unwrap();
        assert!(key.may_use("local/llama"));
        assert!(!key.may_use("gpt-4o"));
    }

    #[test]
    fn a_key_is_refused_from_its_end_on() {
        let before = Timestamp::from_unix_millis(999_999);
        assert!(ring(Some(NOW)).authenticate("tg-secret", before).is_ok());
        assert_eq!(
            ring(Some(NOW)).authenticate("tg-secret", NOW).unwrap_err(),
            KeyDenied::Expired(NOW)
        );
    }

    #[test]
    fn hashes_are_read_back_and_never_shown_whole_in_debug_output() {
        let hash = KeyHash::of("tg-secret");
        assert_eq!(KeyHash::parse_hex(&hash.to_string()), Some(hash));
        assert_eq!(KeyHash::parse_hex("zz"), None);
        assert!(format!("{hash:?}").len() < 20);
    }
}

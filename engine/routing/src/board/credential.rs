//! Whether a credential may be used for a target: one word.

use std::sync::atomic::{AtomicU64, Ordering};

use tollgate_core::Moment;

use super::gate::{high_half, near, wrapped_millis};

/// The state of a credential, as used for one target. Written by the provider's breaker.
#[derive(Debug, Default)]
pub struct CredentialCell(AtomicU64);

/// Whether a credential may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialState {
    /// It may.
    Usable,
    /// It met a rate limit and rests until then.
    Cooling(Moment),
    /// The provider does not accept it, or its account is empty; it is tried again then.
    Dead(Moment),
}

impl CredentialCell {
    /// Its state at `now`: what has rested long enough is usable.
    pub fn state(&self, now: Moment) -> CredentialState {
        let word = self.0.load(Ordering::Acquire);
        let until = near(now, high_half(word));
        match word & 0b11 {
            1 if until > now => CredentialState::Cooling(until),
            2 if until > now => CredentialState::Dead(until),
            _ => CredentialState::Usable,
        }
    }

    /// Whether it may be used at `now`.
    pub fn is_usable(&self, now: Moment) -> bool {
        self.state(now) == CredentialState::Usable
    }

    /// Publishes its state. To be called by the provider's breaker alone.
    pub fn set(&self, state: CredentialState) {
        let word = |until, code: u64| (u64::from(wrapped_millis(until)) << 32) | code;
        let word = match state {
            CredentialState::Usable => 0,
            CredentialState::Cooling(until) => word(until, 1),
            CredentialState::Dead(until) => word(until, 2),
        };
        // Release: who sees the new state sees what led to it.
        self.0.store(word, Ordering::Release);
    }
}

impl CredentialState {
    /// The name in the admin API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::Cooling(_) => "cooling_down",
            Self::Dead(_) => "dead",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_rested_long_enough_is_usable() {
        let cell = CredentialCell::default();
        let at = Moment::from_millis;
        assert!(cell.is_usable(at(0)));
        cell.set(CredentialState::Cooling(at(500)));
        assert_eq!(cell.state(at(499)), CredentialState::Cooling(at(500)));
        assert!(cell.is_usable(at(500)));
        cell.set(CredentialState::Dead(at(9_000)));
        assert_eq!(cell.state(at(499)).name(), "dead");
        cell.set(CredentialState::Usable);
        assert!(cell.is_usable(at(499)));
    }
}

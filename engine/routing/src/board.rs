//! The board: what workers see of the health of targets, and how they tell what they saw.
//!
//! A [`HealthCell`] is one cache line of atomics per target, a [`CredentialCell`] one word per target and
//! credential, an [`OutcomeRing`] one bounded queue per provider. The [`Board`] hands them out by name, so that a
//! new configuration finds the health of its targets where the old one left it.

mod cell;
mod claim;
mod credential;
mod gate;
#[cfg(test)]
mod interleavings;
mod permit;
mod retry_budget;
mod ring;

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::{CloudIdentity, Identity};

pub use cell::{HealthCell, Urgency, Vitals};
pub use claim::Claim;
pub use credential::{CredentialCell, CredentialState};
pub use gate::{Gate, GateMode};
pub use permit::{NotAdmitted, Permit};
pub use retry_budget::{RetryBudget, RetryLimits};
pub use ring::OutcomeRing;

/// Outcomes that may wait for a provider's health actor: it drains every few milliseconds, so that a hundred milliseconds
/// without it lose nothing up to 20,000 requests a second. A third of a MiB for each provider, used or not.
const RING_CAPACITY: usize = 1 << 12;

/// Hands out cells by name. What it has handed out once it hands out again, for as long as the process lives; an
/// identity for as long as anybody has it.
#[derive(Debug, Default)]
pub struct Board(Mutex<Cells>);

#[derive(Debug, Default)]
struct Cells {
    targets: HashMap<(Arc<str>, Arc<str>), Arc<HealthCell>>,
    credentials: HashMap<CredentialKey, Arc<CredentialCell>>,
    rings: HashMap<Arc<str>, Arc<OutcomeRing>>,
    budgets: HashMap<Arc<str>, Arc<RetryBudget>>,
    identities: HashMap<CloudIdentity, Weak<Identity>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CredentialKey {
    provider: Arc<str>,
    model: Arc<str>,
    name: Arc<str>,
    fingerprint: u64,
}

impl Board {
    /// The cell of a provider's model; `*` stands for all models of a provider that a wildcard route reaches.
    pub fn target(&self, provider: &str, model: &str) -> Arc<HealthCell> {
        let mut cells = self.0.lock();
        let slot = u32::try_from(cells.targets.len()).unwrap_or(u32::MAX);
        cells
            .targets
            .entry((provider.into(), model.into()))
            .or_insert_with(|| Arc::new(HealthCell::new(slot)))
            .clone()
    }

    /// The cell of a credential as used for a model. `fingerprint` tells a new key from an old one of the same
    /// name: it begins without a past.
    pub fn credential(
        &self,
        provider: &str,
        model: &str,
        name: &str,
        fingerprint: u64,
    ) -> Arc<CredentialCell> {
        let key = CredentialKey {
            provider: provider.into(),
            model: model.into(),
            name: name.into(),
            fingerprint,
        };
        self.0.lock().credentials.entry(key).or_default().clone()
    }

    /// The identity that is described so: the same one, with the keys that it has, for as long as a configuration or a
    /// request has it.
    pub fn identity(&self, described: CloudIdentity) -> Arc<Identity> {
        let known = &mut self.0.lock().identities;
        known.retain(|_, identity| identity.strong_count() > 0);
        if let Some(identity) = known.get(&described).and_then(Weak::upgrade) {
            return identity;
        }
        let identity = Arc::new(Identity::new(described.clone()));
        known.insert(described, Arc::downgrade(&identity));
        identity
    }

    /// The ring into which outcomes at a provider are posted.
    pub fn outcomes(&self, provider: &str) -> Arc<OutcomeRing> {
        let mut cells = self.0.lock();
        let ring = || Arc::new(OutcomeRing::new(RING_CAPACITY));
        cells.rings.entry(provider.into()).or_insert_with(ring).clone()
    }

    /// The retry budget of a route.
    pub fn retry_budget(&self, route: &str, limits: RetryLimits) -> Arc<RetryBudget> {
        let mut cells = self.0.lock();
        let budget = || Arc::new(RetryBudget::new(limits));
        let budget = cells.budgets.entry(route.into()).or_insert_with(budget).clone();
        budget.limit(limits);
        budget
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_names_get_the_same_cells() {
        let board = Board::default();
        let (a, b) = (board.target("p", "m"), board.target("p", "n"));
        assert!(Arc::ptr_eq(&a, &board.target("p", "m")));
        assert_ne!(a.slot(), b.slot());
        let key = |fingerprint| board.credential("p", "m", "main", fingerprint);
        assert!(Arc::ptr_eq(&key(1), &key(1)));
        assert!(!Arc::ptr_eq(&key(1), &key(2)));
        assert!(Arc::ptr_eq(&board.outcomes("p"), &board.outcomes("p")));
    }
}

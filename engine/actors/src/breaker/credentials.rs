//! The credentials of a provider as used for one target.

use std::sync::Arc;

use serde::Serialize;
use tollgate_core::Moment;
use tollgate_routing::{
    CredentialCell, CredentialChange, CredentialHealth, CredentialReport, Ended, Provider,
};

/// A credential at a target, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedCredential {
    /// Its name in the config file.
    pub name: Arc<str>,
    /// How it is.
    #[serde(flatten)]
    pub credential: CredentialReport,
}

/// The credentials of one target, in the order of the provider's.
pub(super) struct Credentials(Vec<Held>);

struct Held {
    cell: Arc<CredentialCell>,
    health: CredentialHealth,
}

impl Credentials {
    pub(super) fn new(cells: Vec<Arc<CredentialCell>>, now: Moment) -> Self {
        Self(cells.into_iter().map(|cell| Held::new(cell, now)).collect())
    }

    /// Takes other credentials. One with the same name and key is the same, wherever it stands now.
    pub(super) fn follow(&mut self, cells: Vec<Arc<CredentialCell>>, now: Moment) {
        let mut known = std::mem::take(&mut self.0);
        let held = cells.into_iter().map(|cell| {
            let at = known.iter().position(|it| Arc::ptr_eq(&it.cell, &cell));
            at.map_or_else(|| Held::new(cell, now), |at| known.swap_remove(at))
        });
        self.0 = held.collect();
    }

    /// Takes in the end of an attempt that used one of them. Returns its health, if that concerns other targets too.
    pub(super) fn observe(
        &mut self,
        credential: u16,
        now: Moment,
        ended: &Ended,
        jitter: f64,
    ) -> Option<CredentialHealth> {
        let held = self.0.get_mut(usize::from(credential))?;
        let change = held.health.observe(now, ended, jitter);
        if change == CredentialChange::Nothing {
            return None;
        }
        held.publish(now);
        (change == CredentialChange::Everywhere).then(|| held.health.clone())
    }

    /// Hears what another target has seen of a credential.
    pub(super) fn hear(&mut self, credential: u16, now: Moment, other: &CredentialHealth) {
        if let Some(held) = self.0.get_mut(usize::from(credential))
            && held.health.follow(now, other)
        {
            held.publish(now);
        }
    }

    /// They are other keys by now, under the same names.
    pub(super) fn renew(&mut self, now: Moment) {
        for held in &mut self.0 {
            if held.health.renew(now) {
                held.publish(now);
            }
        }
    }

    pub(super) fn report(&self, provider: &Provider, now: Moment) -> Vec<NamedCredential> {
        let named = provider.credentials.iter().zip(&self.0);
        named
            .map(|(credential, held)| NamedCredential {
                name: credential.name.clone(),
                credential: held.health.report(now),
            })
            .collect()
    }
}

impl Held {
    fn new(cell: Arc<CredentialCell>, now: Moment) -> Self {
        let held = Self {
            cell,
            health: CredentialHealth::new(),
        };
        // The cell may remember what was known under an earlier configuration.
        held.publish(now);
        held
    }

    fn publish(&self, now: Moment) {
        self.cell.set(self.health.state(now));
    }
}

//! Identities at clouds: somebody asks for their keys, so that no request has to.
//!
//! Each identity has a keeper, a task on the control thread, which asks for a key at once, and again well before it
//! ends. Workers use what is there; only where there is no valid key at all does a request wait, for a while, and all
//! that wait do so for the same answer. What a keeper is told and cannot use is said on standard error, in the metrics
//! and by the admin API.

mod aws;
mod google;
mod keeper;

use std::sync::Arc;
use std::time::Duration;

use actix_rt::ArbiterHandle;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tollgate_actors::{Published, Roster};
use tollgate_core::Clock;
use tollgate_routing::{Catalog, Credential, Identity, Minted, Proof};
use tollgate_telemetry::Meters;

use crate::upstream::Connector;

/// How long a request waits for a key where there is none that is valid.
const FIRST_KEY: Duration = Duration::from_secs(10);

/// Where identities are kept.
#[derive(Clone)]
pub(crate) struct Identities(Arc<Shared>);

struct Shared {
    /// Where keepers live.
    arbiter: ArbiterHandle,
    connector: Arc<Connector>,
    meters: Meters,
    published: Published,
    roster: Roster,
    /// Some identity stands otherwise than before.
    changed: Notify,
    /// Somebody doubts an identity's key.
    doubted: Notify,
}

impl Identities {
    /// Keepers will live in `arbiter`. The roster is told of other keys that the providers in force get.
    pub(crate) fn new(arbiter: ArbiterHandle, meters: Meters, published: Published, roster: Roster) -> Self {
        Self(Arc::new(Shared {
            arbiter,
            connector: Arc::new(Connector::from_env(meters.clone())),
            meters,
            published,
            roster,
            changed: Notify::new(),
            doubted: Notify::new(),
        }))
    }

    /// Begins to keep the identities of a configuration that are not kept yet. Those that nobody has any more end by
    /// themselves.
    pub(crate) fn follow(&self, catalog: &Catalog) {
        for identity in of_catalog(catalog) {
            self.keep(identity);
        }
    }

    fn keep(&self, identity: &Arc<Identity>) {
        if identity.begin_keeping() {
            let keeper = keeper::keep(Arc::downgrade(identity), self.0.clone());
            // An arbiter that has ended takes nobody in: the process is about to end.
            self.0.arbiter.spawn(keeper);
        }
    }

    /// The key to use now. Waits where there is none yet, but not where it is known that there will be none soon.
    ///
    /// # Errors
    /// Why there is none: what was tried, and what became of it. No secret.
    pub(crate) async fn key(&self, identity: &Arc<Identity>) -> Result<Arc<Minted>, String> {
        if let Some(minted) = identity.key(Clock.wall()) {
            return Ok(minted);
        }
        self.keep(identity);
        let until = Instant::from_std(Clock.now()) + FIRST_KEY;
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if let Some(minted) = identity.key(Clock.wall()) {
                return Ok(minted);
            }
            let name = identity.described().name();
            if let Some(trouble) = &identity.standing().trouble {
                return Err(format!("no credential from {name}: {}", trouble.what));
            }
            // A key that has ended unnoticed: the machine has slept.
            self.doubt(identity);
            if timeout_at(until, changed).await.is_err() {
                return Err(format!(
                    "no credential from {name}: no answer within {FIRST_KEY:?}"
                ));
            }
        }
    }

    /// A provider does not accept the identity's key: it is asked for again, unless that was just now.
    pub(crate) fn doubt(&self, identity: &Identity) {
        identity.doubt();
        self.0.doubted.notify_waiters();
    }
}

impl Shared {
    /// An identity has another key than before.
    fn renewed(&self, identity: &Arc<Identity>) {
        for provider in self.published.load().catalog.providers() {
            let mut own = provider.credentials.iter().filter_map(of_credential);
            if own.any(|it| Arc::ptr_eq(it, identity)) {
                self.roster.renewed(&provider.name);
            }
        }
    }
}

/// The identities of a configuration, each as often as it is used.
pub(crate) fn of_catalog(catalog: &Catalog) -> impl Iterator<Item = &Arc<Identity>> {
    let credentials = catalog.providers().iter().flat_map(|it| &it.credentials);
    credentials.filter_map(of_credential)
}

/// The identity that a credential is; `None`: it is a key.
pub(crate) fn of_credential(credential: &Credential) -> Option<&Arc<Identity>> {
    match &credential.proof {
        Proof::Identity(identity) => Some(identity),
        Proof::Key(_) => None,
    }
}

/// An error and what it comes from, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}

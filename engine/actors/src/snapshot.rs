//! What everybody sees of the configuration: one immutable snapshot, replaced as a whole.
//!
//! A snapshot is the configuration file, with the changes over it that were made while the gateway ran, and beside
//! that a staged change that only a share of the requests sees.

mod cohort;

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};
use tollgate_config::Settings;
use tollgate_routing::Catalog;

pub use cohort::{Cohort, CohortFigures, Cohorts};

/// One epoch of everything the gateway runs on.
pub type Snapshot = Arc<Live>;

/// What the gateway runs on. Everything of [`Settings`] can be read through it; `catalog` is the one in force.
#[derive(Debug)]
pub struct Live {
    /// The configuration file. Its own `catalog` is without the changes made at run time.
    pub settings: Arc<Settings>,
    /// The file's catalog with the changes over it: what requests are routed by. Its epoch is this snapshot's.
    pub catalog: Arc<Catalog>,
    /// A change that is being tried; `None`: none is.
    pub staged: Option<Arc<Staged>>,
    /// The number of the changes that `catalog` carries; 0: those of the file alone.
    pub version: u64,
}

/// A change that a share of the requests sees before all of them do.
#[derive(Debug)]
pub struct Staged {
    /// What those requests are routed by. Its epoch differs from that of all other catalogs, so that a plan's
    /// epoch says which one it was made from.
    pub catalog: Arc<Catalog>,
    /// The share of requests, `0.0..=1.0`.
    pub share: f32,
    /// The number of the change.
    pub version: u64,
    /// How both parts of the requests fare.
    pub watch: Arc<Cohorts>,
}

/// Where the newest snapshot is found. Written by [`Control`](crate::Control) alone; cheap to clone.
#[derive(Debug, Clone)]
pub struct Published(Arc<ArcSwap<Live>>);

/// A reader that keeps the snapshot it saw last: a load costs one atomic read while nothing changes.
pub type Reader = Cache<Arc<ArcSwap<Live>>, Snapshot>;

impl Live {
    /// A configuration as it is in its file.
    pub fn new(settings: Settings) -> Self {
        let catalog = settings.catalog.unchanged(settings.catalog.epoch);
        Self {
            settings: Arc::new(settings),
            catalog: Arc::new(catalog),
            staged: None,
            version: 0,
        }
    }

    /// The number of this snapshot: it rises with each that is published.
    pub fn epoch(&self) -> u64 {
        self.catalog.epoch
    }

    /// The catalog for a request: the staged one, if there is one and the request's `seed` draws it.
    pub fn catalog_for(&self, seed: u64) -> &Catalog {
        match &self.staged {
            Some(staged) if staged.takes(seed) => &staged.catalog,
            _ => &self.catalog,
        }
    }

    /// Where to tell how a request fared whose plan is of epoch `planned`; `None`: nothing is staged, or the plan
    /// is of another snapshot than this.
    pub fn cohort(&self, planned: u64) -> Option<&Cohort> {
        let staged = self.staged.as_deref()?;
        if planned == staged.catalog.epoch {
            Some(&staged.watch.staged)
        } else {
            (planned == self.epoch()).then_some(&staged.watch.rest)
        }
    }
}

impl Deref for Live {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl Staged {
    /// Whether a request belongs to the share that sees the change.
    pub fn takes(&self, seed: u64) -> bool {
        draw(seed) < f64::from(self.share)
    }
}

/// A number in `0.0..1.0` that follows from a request's seed, and not in the way in which routing draws from it.
/// The finaliser of Stafford's variant 13 of `SplitMix64`.
fn draw(seed: u64) -> f64 {
    let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let bits = u32::try_from((seed ^ (seed >> 31)) >> 32).unwrap_or(u32::MAX);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

impl Published {
    /// Publishes a first snapshot: the configuration as it is in its file.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Live::new(settings))))
    }

    /// The newest snapshot.
    pub fn load(&self) -> Snapshot {
        self.0.load_full()
    }

    pub(crate) fn replace(&self, live: Live) {
        self.0.store(Arc::new(live));
    }

    /// For somebody who looks often.
    pub fn reader(&self) -> Reader {
        Cache::new(self.0.clone())
    }
}

#[cfg(test)]
mod tests;

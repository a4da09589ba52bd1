//! What everybody sees of the configuration: one immutable snapshot, replaced as a whole.

use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};
use tollgate_config::Settings;

/// One epoch of the configuration.
pub type Snapshot = Arc<Settings>;

/// Where the newest snapshot is found. Written by [`Control`](crate::Control) alone; cheap to clone.
#[derive(Clone)]
pub struct Published(Arc<ArcSwap<Settings>>);

/// A reader that keeps the snapshot it saw last: a load costs one atomic read while nothing changes.
pub(crate) type Reader = Cache<Arc<ArcSwap<Settings>>, Snapshot>;

impl Published {
    /// Publishes a first snapshot.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(settings)))
    }

    /// The newest snapshot.
    pub fn load(&self) -> Snapshot {
        self.0.load_full()
    }

    pub(crate) fn replace(&self, settings: Settings) {
        self.0.store(Arc::new(settings));
    }

    pub(crate) fn reader(&self) -> Reader {
        Cache::new(self.0.clone())
    }
}

//! Who is in the cache, and who has to leave when it is full.
//!
//! `quick_cache` evicts by Clock-PRO, much like S3-FIFO: what is asked for once, as by a scan, leaves before what is
//! asked for again; and what comes back soon after it had to leave stays longer. It divides its capacity among shards.

use std::sync::Arc;

use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};
use rapidhash::fast::RandomState;
use tollgate_core::Digest;

use super::entry::{Entry, EntryId};

/// An entry of this many bytes is taken for typical: it only decides how many evicted keys are remembered.
const TYPICAL_BYTES: u64 = 4096;
/// A shard holds at least this, so that large answers fit.
const SHARD_BYTES: u64 = 4 << 20;

#[derive(Debug)]
pub(super) struct Residents {
    cache: Cache<Digest, Arc<Entry>, Charge, RandomState, Leaving>,
    /// Nothing larger is taken.
    largest: u64,
}

#[derive(Debug, Clone, Copy)]
struct Charge;

impl Weighter<Digest, Arc<Entry>> for Charge {
    fn weight(&self, _: &Digest, entry: &Arc<Entry>) -> u64 {
        entry.charge().into()
    }
}

/// Gathers who had to leave, evicted or replaced.
#[derive(Debug, Clone, Copy)]
struct Leaving;

impl Lifecycle<Digest, Arc<Entry>> for Leaving {
    type RequestState = Vec<Arc<Entry>>;

    fn begin_request(&self) -> Self::RequestState {
        Vec::new()
    }

    fn on_evict(&self, left: &mut Self::RequestState, _: Digest, entry: Arc<Entry>) {
        left.push(entry);
    }
}

impl Residents {
    pub(super) fn new(budget_bytes: u64, shards: usize) -> Self {
        let most = usize::try_from(budget_bytes / SHARD_BYTES).unwrap_or(usize::MAX);
        // Rounded down: shards of a power of two.
        let shards = shards.min(1 << most.max(1).ilog2());
        let typical = usize::try_from(budget_bytes / TYPICAL_BYTES).unwrap_or(usize::MAX);
        let shard_bytes = budget_bytes / shards as u64;
        let options = OptionsBuilder::new()
            .shards(shards)
            .estimated_items_capacity(typical.max(32 * shards))
            .weight_capacity(shard_bytes * shards as u64)
            .build();
        let options = options.unwrap_or_else(|_| unreachable!("both capacities are given"));
        Self {
            cache: Cache::with_options(options, Charge, RandomState::default(), Leaving),
            // What does not fit into the main queue of a shard, quick_cache does not take.
            largest: shard_bytes / 100 * 96,
        }
    }

    pub(super) fn can_hold(&self, entry: &Entry) -> bool {
        u64::from(entry.charge()) <= self.largest
    }

    /// Who had to leave for it: the one with the same key, and others.
    pub(super) fn insert(&self, entry: &Arc<Entry>) -> Vec<Arc<Entry>> {
        self.cache
            .insert_with_lifecycle(entry.key.exact, Arc::clone(entry))
    }

    /// Counts as a use.
    pub(super) fn get(&self, exact: &Digest) -> Option<Arc<Entry>> {
        self.cache.get(exact)
    }

    /// Does not count as a use.
    pub(super) fn peek(&self, exact: &Digest) -> Option<Arc<Entry>> {
        self.cache.peek(exact)
    }

    pub(super) fn touch(&self, exact: &Digest) {
        self.cache.get(exact);
    }

    /// `None`: it is not there, or another is in its place.
    pub(super) fn remove(&self, exact: &Digest, id: EntryId) -> Option<Arc<Entry>> {
        let removed = self.cache.remove_if(exact, |entry| entry.id == id);
        removed.map(|(_, entry)| entry)
    }

    pub(super) fn len(&self) -> usize {
        self.cache.len()
    }

    /// Holds no lock between two entries.
    pub(super) fn iter(&self) -> impl Iterator<Item = Arc<Entry>> {
        self.cache.iter().map(|(_, entry)| entry)
    }
}

//! What the cache of answers does, and how full it is.

use super::{Meters, names};
use crate::record::CacheRecord;

/// How full the cache is, and what it has let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheFigures {
    /// Entries that could be served.
    pub entries: u64,
    /// Bytes that they take, with all that belongs to them.
    pub bytes: u64,
    /// Entries that made room for others, since the start.
    pub evicted: u64,
    /// Entries that came, since the start.
    pub filled: u64,
    /// Answers that could not be kept because the keeper was busy, since the start.
    pub dropped: u64,
}

impl Meters {
    /// What the cache said to a request of this route.
    pub(super) fn cached(&self, route: &str, record: &CacheRecord) {
        let family = &self.shared.cache_results;
        let result = record.result.name();
        let key = (Box::from(route), result);
        let make = || {
            let registry = &self.shared.registry;
            let requests = registry.counter(&names::CACHE_REQUESTS, &[route, result]);
            (requests, registry.counter(&names::CACHE_SAVED, &[route]))
        };
        family.with(key, make, |(requests, saved)| {
            requests.increment(1);
            saved.increment(record.saved.map_or(0, |saved| saved.0));
        });
    }

    /// Shows how full the cache is.
    pub fn cache_figures(&self, figures: CacheFigures) {
        let registry = &self.shared.registry;
        #[expect(clippy::cast_precision_loss, reason = "entries and bytes stay below 2^53")]
        let (entries, bytes) = (figures.entries as f64, figures.bytes as f64);
        registry.gauge(&names::CACHE_ENTRIES, &[]).set(entries);
        registry.gauge(&names::CACHE_BYTES, &[]).set(bytes);
        registry
            .counter(&names::CACHE_EVICTED, &[])
            .absolute(figures.evicted);
        registry
            .counter(&names::CACHE_FILLED, &[])
            .absolute(figures.filled);
        registry
            .counter(&names::CACHE_DROPPED, &[])
            .absolute(figures.dropped);
    }
}

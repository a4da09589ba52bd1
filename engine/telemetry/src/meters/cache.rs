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
    /// What was learned of semantic hits.
    pub lessons: CacheLessons,
}

/// What was learned of semantic hits, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheLessons {
    /// Verdicts by comparison of answers: right, unclear, wrong.
    pub compared: [u64; 3],
    /// Verdicts of clients: right, unclear, wrong.
    pub told: [u64; 3],
    /// Entries that were found wrong.
    pub condemned: u64,
    /// Classes with evidence whose thresholds are, in this order: closed, raised, lowered.
    pub moved: [u64; 3],
    /// Classes with evidence.
    pub classes: u64,
}

impl Meters {
    /// What the cache said to a request of this route.
    pub(super) fn cached(&self, route: &str, record: &CacheRecord) {
        let family = &self.shared.cache_results;
        let result = record.result.name();
        let key = (Box::from(route), result);
        if let Some(why) = record.withheld {
            let key = (Box::from(route), why.name());
            let make = || {
                let registry = &self.shared.registry;
                registry.counter(&names::CACHE_WITHHELD, &[route, why.name()])
            };
            self.shared
                .cache_withheld
                .with(key, make, |count| count.increment(1));
        }
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
        self.cache_lessons(&figures.lessons);
    }

    fn cache_lessons(&self, lessons: &CacheLessons) {
        let registry = &self.shared.registry;
        for (source, counts) in [("comparison", lessons.compared), ("client", lessons.told)] {
            for (verdict, count) in ["right", "unclear", "wrong"].into_iter().zip(counts) {
                let verdicts = registry.counter(&names::CACHE_VERDICTS, &[source, verdict]);
                verdicts.absolute(count);
            }
        }
        let condemned = registry.counter(&names::CACHE_CONDEMNED, &[]);
        condemned.absolute(lessons.condemned);
        let [closed, raised, lowered] = lessons.moved;
        for (state, count) in [
            ("judged", lessons.classes),
            ("closed", closed),
            ("raised", raised),
            ("lowered", lowered),
        ] {
            #[expect(clippy::cast_precision_loss, reason = "some thousands at most")]
            registry.gauge(&names::CACHE_CLASSES, &[state]).set(count as f64);
        }
    }
}

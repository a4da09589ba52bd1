//! What the cache of answers does, and how full it is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::Counter;
use tollgate_core::Nanodollars;

use super::{Meters, names};
use crate::record::{CacheRecord, CacheResult};

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

/// What the cache has said to the requests of a route since the start, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CacheUse {
    /// Requests by what it said; what it never said is left out.
    pub requests: BTreeMap<&'static str, u64>,
    /// Bypasses by their reason.
    pub bypasses: BTreeMap<&'static str, u64>,
    /// What the answers that it gave would have cost, at the price that was paid for them.
    pub saved: Nanodollars,
    /// How long they took when they were given, microseconds.
    pub saved_us: u64,
}

impl CacheUse {
    /// Adds what was counted under another name of the route.
    pub fn add(&mut self, other: &Self) {
        for (mine, others) in [
            (&mut self.requests, &other.requests),
            (&mut self.bypasses, &other.bypasses),
        ] {
            for (&name, count) in others {
                *mine.entry(name).or_default() += count;
            }
        }
        self.saved.0 = self.saved.0.saturating_add(other.saved.0);
        self.saved_us = self.saved_us.saturating_add(other.saved_us);
    }
}

/// The counters of a route, a result and a reason: those that are scraped, and the same for whoever asks.
#[derive(Debug)]
pub(super) struct CacheCounters {
    scraped: [Counter; 3],
    /// Requests; nanodollars saved; microseconds saved.
    told: [AtomicU64; 3],
}

/// Of what a [`CacheCounters`] counts: the route, the result, the reason of a bypass.
pub(super) type CacheKey = (Box<str>, CacheResult, Option<&'static str>);

impl CacheCounters {
    fn count(&self, amounts: [u64; 3]) {
        for ((scraped, told), amount) in self.scraped.iter().zip(&self.told).zip(amounts) {
            scraped.increment(amount);
            told.fetch_add(amount, Ordering::Relaxed);
        }
    }
}

impl Meters {
    /// What the cache said to a request of this route.
    pub(super) fn cached(&self, route: &str, record: &CacheRecord) {
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
        let key = (Box::from(route), record.result, record.reason);
        let make = || {
            let registry = &self.shared.registry;
            CacheCounters {
                scraped: [
                    registry.counter(&names::CACHE_REQUESTS, &[route, record.result.name()]),
                    registry.counter(&names::CACHE_SAVED, &[route]),
                    registry.counter(&names::CACHE_SAVED_TIME, &[route]),
                ],
                told: Default::default(),
            }
        };
        let micros = record
            .saved_time
            .map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        let amounts = [1, record.saved.map_or(0, |saved| saved.0), micros];
        self.shared.cache_results.with(key, make, |it| it.count(amounts));
    }

    /// What the cache has said so far, by route.
    pub fn cache_use(&self) -> BTreeMap<Box<str>, CacheUse> {
        let mut routes: BTreeMap<Box<str>, CacheUse> = BTreeMap::new();
        self.shared
            .cache_results
            .each(|(route, result, reason), counters| {
                let [requests, saved, saved_us] =
                    counters.told.each_ref().map(|it| it.load(Ordering::Relaxed));
                let so_far = routes.entry(route.clone()).or_default();
                *so_far.requests.entry(result.name()).or_default() += requests;
                if let Some(reason) = reason {
                    *so_far.bypasses.entry(reason).or_default() += requests;
                }
                so_far.saved.0 = so_far.saved.0.saturating_add(saved);
                so_far.saved_us = so_far.saved_us.saturating_add(saved_us);
            });
        routes
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

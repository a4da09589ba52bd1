//! Vectors that the cache wants of an endpoint, and lookups that are too long for a worker.

use metrics::{Counter, Histogram};

use super::family::Family;
use super::registry::Registry;
use super::{Meters, names};
use crate::{EmbeddingOutcome, EmbeddingRecord};

#[derive(Debug)]
pub(super) struct EmbeddingMeters {
    outcomes: Family<EmbeddingOutcome, Counter>,
    seconds: Histogram,
    tokens: Counter,
    cost: Counter,
    long_lookups: Family<LongLookup, Counter>,
}

/// What became of a lookup that was too long for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LongLookup {
    /// It was done elsewhere.
    Done,
    /// It took too long there as well.
    Late,
    /// Too many were under way.
    Busy,
}

impl LongLookup {
    const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Late => "late",
            Self::Busy => "busy",
        }
    }
}

impl EmbeddingMeters {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            outcomes: Family::default(),
            seconds: registry.histogram(&names::CACHE_EMBEDDING_SECONDS, &[]),
            tokens: registry.counter(&names::CACHE_EMBEDDING_TOKENS, &[]),
            cost: registry.counter(&names::CACHE_EMBEDDING_COST, &[]),
            long_lookups: Family::default(),
        }
    }
}

impl Meters {
    /// A vector was wanted of an endpoint, and no request's record says so: [`Meters::settle`] counts those that do.
    pub fn embedding(&self, record: &EmbeddingRecord) {
        let meters = &self.shared.embeddings;
        let name = record.outcome.name();
        let make = || self.shared.registry.counter(&names::CACHE_EMBEDDINGS, &[name]);
        meters
            .outcomes
            .with(record.outcome, make, |count| count.increment(1));
        if let Some(elapsed) = record.elapsed {
            meters.seconds.record(elapsed.as_secs_f64());
        }
        meters.tokens.increment(record.tokens.unwrap_or(0));
        meters.cost.increment(record.cost.map_or(0, |cost| cost.0));
    }

    /// A lookup in the cache was too long for a worker.
    pub fn long_lookup(&self, result: LongLookup) {
        let registry = &self.shared.registry;
        let make = || registry.counter(&names::CACHE_LONG_LOOKUPS, &[result.name()]);
        let lookups = &self.shared.embeddings.long_lookups;
        lookups.with(result, make, |count| count.increment(1));
    }
}

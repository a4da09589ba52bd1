//! Who is near in a partition: proposes the ids of entries; whether they still live is for the store to say.
//!
//! Each partition has an index of its own, so that a search touches nothing else. It takes the shape that is cheapest
//! for its size: a handful of shared vectors, a flat array that is scanned, a graph (HNSW, by usearch). Shapes change
//! while searches go on: the next one is made beside the present one, piece by piece, and put in its place when it is
//! complete.
//!
//! What must stay true:
//! - One writer at a time per partition: usearch loses nodes otherwise. Writers never make readers wait for the work on
//!   a graph; they change a list, or swap a shape.
//! - No search fails. What usearch refuses is a miss, and counted.
//! - Partitions that are empty are gone.

mod flat;
mod graph;
mod members;
mod partition;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dashmap::DashMap;
use parking_lot::Mutex;
use rapidhash::fast::RandomState;
use tollgate_core::Digest;

use crate::Vector;
use partition::{Gone, Partition};

/// How partitions are kept.
#[derive(Debug, Clone, Copy)]
pub struct IndexSettings {
    /// From this size on a partition has a graph. At least 32.
    pub flat_below: usize,
    /// Graphs larger than this are not searched by [`Patience::Worker`]; of more than 128 dimensions, smaller ones.
    pub worker_limit: usize,
    /// How many searches may run at once in one graph. More are refused, and counted.
    pub searchers: usize,
    /// How many shards the map of partitions has: a power of two above one.
    pub shards: usize,
}

impl Default for IndexSettings {
    fn default() -> Self {
        Self {
            flat_below: 1_000,
            worker_limit: 200_000,
            searchers: 64,
            shards: 64,
        }
    }
}

/// How long whoever asks can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Some 100 µs: others wait on this thread.
    Worker,
    /// As long as it takes.
    Keeper,
}

/// An id, with the cosine to what was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// As given to [`Index::insert`].
    pub id: u64,
    /// -1 ..= 1. About: a graph rounds, and may be changed meanwhile.
    pub cosine: f32,
}

/// What a search came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Proposal {
    /// The nearest, best first. Empty too when the search was refused.
    Found(Vec<Near>),
    /// It would take too long for this patience.
    TooLong,
}

/// What has happened so far, and what there is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct IndexStatistics {
    /// Partitions that are not empty, counted in each space.
    pub partitions: usize,
    /// Those of them with a graph.
    pub graphs: usize,
    /// Graphs made anew because of what was removed from them.
    pub rebuilds: u64,
    /// Searches and inserts that usearch refused.
    pub refused: u64,
    /// Searches that found their partition being rearranged.
    pub busy: u64,
    /// Vectors that were searched for in their own graphs.
    pub sampled: u64,
    /// Those of them that were found.
    pub sampled_found: u64,
}

/// All partitions.
#[derive(Debug)]
pub struct Index {
    settings: IndexSettings,
    partitions: DashMap<Digest, Arc<Partition>, RandomState>,
    /// Those that have, or are getting, a graph.
    graphs: Mutex<Vec<Arc<Partition>>>,
    counts: Counts,
}

/// Written by whoever has something to count.
#[derive(Debug, Default)]
struct Counts {
    graphs: AtomicUsize,
    rebuilds: AtomicU64,
    refused: AtomicU64,
    busy: AtomicU64,
    sampled: AtomicU64,
    sampled_found: AtomicU64,
}

impl Index {
    /// An empty one.
    pub fn new(settings: IndexSettings) -> Self {
        let shards = settings.shards.max(2).next_power_of_two();
        let settings = IndexSettings {
            flat_below: settings.flat_below.max(2 * partition::FEW),
            ..settings
        };
        Self {
            settings,
            partitions: DashMap::with_hasher_and_shard_amount(RandomState::default(), shards),
            graphs: Mutex::default(),
            counts: Counts::default(),
        }
    }

    /// The ids of the `want` nearest to `vector` in a partition.
    pub fn nearest(&self, partition: &Digest, vector: &Vector, want: usize, patience: Patience) -> Proposal {
        let partition = self.partitions.get(partition).map(|it| Arc::clone(&it));
        partition.map_or(Proposal::Found(Vec::new()), |it| {
            it.nearest(vector, want, patience, &self.settings, &self.counts)
        })
    }

    /// Whether a partition has anybody in it.
    pub fn holds(&self, partition: &Digest) -> bool {
        self.partitions.contains_key(partition)
    }

    /// Adds a vector under an id that is not in use. `false`: it was refused, and will not be proposed.
    pub fn insert(&self, partition: &Digest, id: u64, vector: &Arc<Vector>) -> bool {
        loop {
            let at = Arc::clone(&self.partitions.entry(*partition).or_default());
            match at.insert(id, vector, &self.settings, &self.counts) {
                Ok(placed) => {
                    if placed.needs_care {
                        let mut graphs = self.graphs.lock();
                        if !graphs.iter().any(|it| Arc::ptr_eq(it, &at)) {
                            graphs.push(at);
                        }
                    }
                    return placed.accepted;
                }
                // It became empty meanwhile, and whoever emptied it takes it away.
                Err(Gone) => self.forget(partition, &at),
            }
        }
    }

    /// Takes an id away. Nothing happens if it is not there.
    pub fn remove(&self, partition: &Digest, id: u64) {
        let at = self.partitions.get(partition).map(|it| Arc::clone(&it));
        let Some(at) = at else { return };
        if at.remove(id, &self.settings, &self.counts).is_err() {
            self.forget(partition, &at);
        }
    }

    fn forget(&self, partition: &Digest, gone: &Arc<Partition>) {
        self.partitions
            .remove_if(partition, |_, it| Arc::ptr_eq(it, gone));
    }

    /// Does some of the work on graphs: at most about `inserts` insertions of 0.1 to 0.3 ms in each partition that waits
    /// for them. `true`: there is more to do.
    pub fn maintain(&self, inserts: usize) -> bool {
        let graphs: Vec<_> = self.graphs.lock().clone();
        let mut more = false;
        for partition in &graphs {
            more |= partition.maintain(inserts, &self.settings, &self.counts);
        }
        drop(graphs);
        self.graphs.lock().retain(|it| it.needs_care());
        more
    }

    /// What there is, and what has happened.
    pub fn statistics(&self) -> IndexStatistics {
        let read = |it: &AtomicU64| it.load(Ordering::Relaxed);
        IndexStatistics {
            partitions: self.partitions.len(),
            graphs: self.counts.graphs.load(Ordering::Relaxed),
            rebuilds: read(&self.counts.rebuilds),
            refused: read(&self.counts.refused),
            busy: read(&self.counts.busy),
            sampled: read(&self.counts.sampled),
            sampled_found: read(&self.counts.sampled_found),
        }
    }
}

/// The bytes that a vector of so many dimensions takes in an index at most, its graph being rebuilt included.
pub fn charge(dimensions: usize) -> usize {
    members::BYTES + 2 * (dimensions + graph::LINK_BYTES)
}

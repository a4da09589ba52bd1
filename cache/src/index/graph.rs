//! A graph over many vectors, by usearch (HNSW, Malkov and Yashunin 2018).
//!
//! usearch lets searches run while one thread adds and removes, which is all that is done here; but it must not be
//! enlarged while anything runs, so that takes `&mut self`. A removed node's place is used again; the links to it stay,
//! which is why a graph has to be built anew after enough removals.

use usearch::{IndexOptions, MetricKind, ScalarKind};

use super::Near;
use crate::Vector;

/// What a member takes beside its codes: 32 links of the ground floor and a sixteenth of those above, with their heads;
/// pointers to node and codes; a slot in usearch's table of keys; slack of all that grows by doubling.
pub(super) const LINK_BYTES: usize = 256;

const CONNECTIVITY: usize = 16;
const EXPANSION_ADD: usize = 128;
const EXPANSION_SEARCH: usize = 64;

/// usearch has no memory left, or too many search at once.
#[derive(Debug)]
pub(super) struct Refused;

impl<E: std::error::Error> From<E> for Refused {
    fn from(_: E) -> Self {
        Self
    }
}

pub(super) struct Graph {
    index: usearch::Index,
    /// How many use it at once at most.
    threads: usize,
}

impl Graph {
    /// An empty one with room.
    pub(super) fn new(dimensions: usize, room: usize, searchers: usize) -> Result<Self, Refused> {
        let index = usearch::Index::new(&IndexOptions {
            dimensions,
            metric: MetricKind::Cos,
            quantization: ScalarKind::I8,
            connectivity: CONNECTIVITY,
            expansion_add: EXPANSION_ADD,
            expansion_search: EXPANSION_SEARCH,
            multi: false,
        })?;
        // One more for whoever adds.
        let threads = searchers.saturating_add(1);
        index.reserve_capacity_and_threads(room.max(1), threads)?;
        Ok(Self { index, threads })
    }

    pub(super) fn dimensions(&self) -> usize {
        self.index.dimensions()
    }

    pub(super) fn len(&self) -> usize {
        self.index.size()
    }

    /// Whether one more can be added.
    pub(super) fn has_room(&self) -> bool {
        self.index.size() < self.index.capacity()
    }

    /// Makes room for as many again. Takes some milliseconds per 100,000 members.
    pub(super) fn enlarge(&mut self) -> Result<(), Refused> {
        let room = self.index.capacity().max(32).saturating_mul(2);
        Ok(self.index.reserve_capacity_and_threads(room, self.threads)?)
    }

    pub(super) fn add(&self, id: u64, vector: &Vector) -> Result<(), Refused> {
        Ok(self.index.add(id, vector.codes())?)
    }

    pub(super) fn remove(&self, id: u64) -> bool {
        self.index.remove(id).is_ok_and(|removed| removed > 0)
    }

    pub(super) fn nearest(&self, asked: &Vector, want: usize) -> Result<Vec<Near>, Refused> {
        let matches = self.index.search(asked.codes(), want)?;
        let found = matches.keys.iter().zip(&matches.distances);
        Ok(found
            .map(|(id, distance)| Near {
                id: *id,
                cosine: (1.0 - distance).clamp(-1.0, 1.0),
            })
            .collect())
    }
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Graph").field("len", &self.len()).finish()
    }
}

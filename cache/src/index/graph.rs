//! A graph over many vectors, by usearch (HNSW, Malkov and Yashunin 2018).
//!
//! usearch lets searches run while one thread adds and removes, which is all that is done here; but it must not be
//! enlarged while anything runs, so that takes `&mut self`. A removed node's place is used again; the links to it stay,
//! which is why a graph has to be built anew after enough removals.
//!
//! usearch's distance of squares costs half of its cosine, and orders vectors of one length alike: so they are brought
//! to about one length first. What comes of it is a proposal; exact cosines are for those who have the vectors.

use usearch::{IndexOptions, MetricKind, ScalarKind};

use super::Near;
use crate::Vector;

/// What a member takes beside its codes: 32 links of the ground floor and a sixteenth of those above, with their heads;
/// pointers to node and codes; a slot in usearch's table of keys; slack of all that grows by doubling.
pub(super) const LINK_BYTES: usize = 256;

const CONNECTIVITY: usize = 16;
const EXPANSION_ADD: usize = 128;
/// Of 2,000 real questions at 10,000 others this finds the nearest for all that have one at a cosine of 0.8 or more, for
/// 99.1 % of those that have one at 0.6, and for 97.4 % of all. More is slower: 48 takes a third longer, for 99.5 %.
const EXPANSION_SEARCH: usize = 32;
/// The root of the mean square of the codes in a graph. Up to four times as much is kept of each.
const CODE_SCALE: f32 = 31.0;

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
            metric: MetricKind::L2sq,
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

    pub(super) fn holds(&self, id: u64) -> bool {
        self.index.contains(id)
    }

    pub(super) fn add(&self, id: u64, vector: &Vector) -> Result<(), Refused> {
        Ok(self.index.add(id, &self.codes(vector))?)
    }

    pub(super) fn remove(&self, id: u64) -> bool {
        self.index.remove(id).is_ok_and(|removed| removed > 0)
    }

    pub(super) fn nearest(&self, asked: &Vector, want: usize) -> Result<Vec<Near>, Refused> {
        let matches = self.index.search(&self.codes(asked), want)?;
        let found = matches.keys.iter().zip(&matches.distances);
        let length = self.length();
        Ok(found
            .map(|(id, square)| Near {
                id: *id,
                cosine: (1.0 - square / (2.0 * length * length)).clamp(-1.0, 1.0),
            })
            .collect())
    }

    /// Of all vectors in the graph, about.
    fn length(&self) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "some hundreds or thousands")]
        let dimensions = self.dimensions() as f32;
        CODE_SCALE * dimensions.sqrt()
    }

    fn codes(&self, vector: &Vector) -> Vec<i8> {
        let factor = self.length() * vector.inverse_length();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a cast from a float saturates, as it should"
        )]
        let scaled = |code: &i8| {
            let scaled = f32::from(*code) * factor;
            (scaled + 0.5_f32.copysign(scaled)) as i8
        };
        vector.codes().iter().map(scaled).collect()
    }
}

impl std::fmt::Debug for Graph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Graph").field("len", &self.len()).finish()
    }
}

//! One partition: its shape, which searches read, and who changes it.
//!
//! Whoever changes it holds `writer` all along, and `shape` only for the moment of a change to a list or a swap. A graph
//! is added to and removed from while it is searched. A new graph rises beside the present shape, a few vectors at a
//! time: with each insert, and in [`Partition::maintain`].

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard, RwLock};

use super::flat::{Flat, nearest_of};
use super::graph::{Graph, Refused};
use super::members::{Members, Row};
use super::{Counts, IndexSettings, Near, Patience, Proposal};
use crate::Vector;

/// Up to here the vectors of the entries themselves are looked at.
pub(super) const FEW: usize = 16;
/// How many waiting vectors each insert carries over into a rising graph.
const CARRIED: usize = 2;
/// How many vectors are looked for in their own graph at a time, and how many of them have to be found.
const SAMPLE: usize = 64;
const SAMPLE_FOUND: usize = 63;
/// What the limits of searches on a worker were measured with.
const USUAL_DIMENSIONS: usize = 128;
/// A search does not wait longer than this for a graph that is being enlarged.
const WAIT: Duration = Duration::from_micros(50);

/// It became empty, and is not used any more.
#[derive(Debug)]
pub(super) struct Gone;

/// What an insert came to.
#[derive(Debug)]
pub(super) struct Placed {
    /// It will be found.
    pub(super) accepted: bool,
    /// A graph was begun, which wants [`Partition::maintain`].
    pub(super) needs_care: bool,
}

#[derive(Debug)]
pub(super) struct Partition {
    shape: RwLock<Shape>,
    writer: Mutex<Writer>,
}

#[derive(Debug)]
enum Shape {
    Few(Vec<Row>),
    Flat(Flat),
    Graph(Graph),
}

#[derive(Debug, Default)]
struct Writer {
    gone: bool,
    graph: Option<Box<Care>>,
}

/// What it takes to look after a graph, or to make the first.
#[derive(Debug)]
struct Care {
    members: Members,
    rising: Option<Rising>,
    /// Since the graph was built: places in it that are empty or have been used again.
    removed: usize,
    /// Inserts since the last look at whether the graph finds its own.
    unseen: usize,
    /// Where the next sample begins.
    sample_at: usize,
    /// The graph lacks somebody.
    incomplete: bool,
}

/// A graph on its way.
#[derive(Debug)]
struct Rising {
    graph: Graph,
    waiting: Vec<u64>,
}

impl Default for Partition {
    fn default() -> Self {
        Self {
            shape: RwLock::new(Shape::Few(Vec::new())),
            writer: Mutex::default(),
        }
    }
}

impl Partition {
    pub(super) fn nearest(
        &self,
        asked: &Vector,
        want: usize,
        patience: Patience,
        settings: &IndexSettings,
        counts: &Counts,
    ) -> Proposal {
        let Some(shape) = self.shape.try_read_for(WAIT) else {
            counts.busy.fetch_add(1, Ordering::Relaxed);
            return Proposal::Found(Vec::new());
        };
        if patience == Patience::Worker && shape.is_long(settings) {
            return Proposal::TooLong;
        }
        Proposal::Found(shape.nearest(asked, want).unwrap_or_else(|Refused| {
            counts.refused.fetch_add(1, Ordering::Relaxed);
            Vec::new()
        }))
    }

    pub(super) fn insert(
        &self,
        id: u64,
        vector: &Arc<Vector>,
        settings: &IndexSettings,
        counts: &Counts,
    ) -> Result<Placed, Gone> {
        let mut writer = self.writer.lock();
        if writer.gone {
            return Err(Gone);
        }
        let row = Row::new(id, vector);
        let accepted = self.place(row.clone(), counts);
        let needs_care = match writer.graph.as_deref_mut() {
            _ if !accepted => false,
            None => self.begin(&mut writer, settings, counts),
            Some(care) => {
                care.members.push(row);
                care.unseen += 1;
                if let Some(rising) = care.rising.as_mut() {
                    rising.waiting.push(id);
                }
                self.carry(care, CARRIED, counts);
                false
            }
        };
        Ok(Placed { accepted, needs_care })
    }

    /// `Err`: it was the last.
    pub(super) fn remove(&self, id: u64, settings: &IndexSettings, counts: &Counts) -> Result<(), Gone> {
        let mut writer = self.writer.lock();
        if writer.gone {
            return Ok(());
        }
        let left = self.displace(id);
        if let Some(care) = writer.graph.as_deref_mut()
            && care.members.remove(id)
        {
            care.removed += 1;
            if let Some(rising) = &care.rising {
                rising.graph.remove(id);
            }
        }
        match left {
            0 => {
                writer.gone = true;
                self.end(&mut writer, counts);
                return Err(Gone);
            }
            // Half of where a graph begins, so that it does not come and go.
            few if few < settings.flat_below / 2 => self.end(&mut writer, counts),
            _ => {}
        }
        Ok(())
    }

    /// Up to about `inserts` insertions into a graph that rises; begins one where the present one has become bad.
    /// `true`: there is more to do.
    pub(super) fn maintain(&self, mut inserts: usize, settings: &IndexSettings, counts: &Counts) -> bool {
        /// After so many a writer that waits is let in.
        const SLICE: usize = 8;
        loop {
            let mut writer = self.writer.lock();
            let Some(care) = writer.graph.as_deref_mut() else {
                return false;
            };
            if care.rising.is_none() {
                self.examine(care, settings, counts);
            }
            if care.rising.is_none() {
                return false;
            }
            self.carry(care, inserts.min(SLICE), counts);
            inserts = inserts.saturating_sub(SLICE);
            if inserts == 0 {
                return care.rising.is_some();
            }
            MutexGuard::unlock_fair(writer);
        }
    }

    pub(super) fn needs_care(&self) -> bool {
        self.writer.lock().graph.is_some()
    }

    /// Puts a row into the present shape.
    fn place(&self, row: Row, counts: &Counts) -> bool {
        let in_graph = |shape: &Shape| match shape {
            Shape::Graph(graph) => Some(graph.add(row.id, &row.vector).is_ok()),
            _ => None,
        };
        let wants_room = self.shape.read().wants_room();
        let has_room = !wants_room || self.shape.write().enlarge();
        // A graph takes its time, and can be searched meanwhile.
        let added = in_graph(&self.shape.read());
        let accepted = has_room && added.unwrap_or_else(|| self.shape.write().push(row));
        if !accepted {
            counts.refused.fetch_add(1, Ordering::Relaxed);
        }
        accepted
    }

    /// Takes an id out of the present shape. How many are left.
    fn displace(&self, id: u64) -> usize {
        let shape = self.shape.read();
        if let Shape::Graph(graph) = &*shape {
            graph.remove(id);
            return graph.len();
        }
        drop(shape);
        self.shape.write().remove(id)
    }

    /// Begins the first graph if there are enough for one. `true`: it did.
    fn begin(&self, writer: &mut Writer, settings: &IndexSettings, counts: &Counts) -> bool {
        let shape = self.shape.read();
        let Shape::Flat(flat) = &*shape else {
            return false;
        };
        let size = flat.rows().len();
        // If there is no memory for it, another try is made now and then.
        if size < settings.flat_below || !(size - settings.flat_below).is_multiple_of(1024) {
            return false;
        }
        let mut care = Care {
            members: Members::of(flat.rows()),
            rising: None,
            removed: 0,
            unseen: 0,
            sample_at: 0,
            incomplete: false,
        };
        care.rise(flat.dimensions(), settings, counts);
        let begun = care.rising.is_some();
        if begun {
            writer.graph = Some(Box::new(care));
            counts.graphs.fetch_add(1, Ordering::Relaxed);
        }
        begun
    }

    /// Back to a scan, without a graph.
    fn end(&self, writer: &mut Writer, counts: &Counts) {
        let Some(care) = writer.graph.take() else { return };
        counts.graphs.fetch_sub(1, Ordering::Relaxed);
        let Some(dimensions) = self.shape.read().graph_dimensions() else {
            return;
        };
        let flat = Flat::of(dimensions, care.members.rows().to_vec());
        self.swap(Shape::Flat(flat));
    }

    /// Carries waiting vectors over into the rising graph, and puts it in place when none waits any more.
    fn carry(&self, care: &mut Care, at_most: usize, counts: &Counts) {
        let Some(rising) = care.rising.as_mut() else {
            return;
        };
        for _ in 0..at_most {
            let Some(id) = rising.waiting.pop() else { break };
            // One that went and came again while it waited is there already.
            let Some(row) = care.members.get(id).filter(|_| !rising.graph.holds(id)) else {
                continue;
            };
            let room = rising.graph.has_room() || rising.graph.enlarge().is_ok();
            if !room || rising.graph.add(id, &row.vector).is_err() {
                counts.refused.fetch_add(1, Ordering::Relaxed);
                care.incomplete = true;
            }
        }
        if rising.waiting.is_empty()
            && let Some(rising) = care.rising.take()
        {
            self.swap(Shape::Graph(rising.graph));
            care.removed = 0;
            care.unseen = 0;
        }
    }

    /// Looks whether the graph is still good, and begins another if not.
    fn examine(&self, care: &mut Care, settings: &IndexSettings, counts: &Counts) {
        let size = care.members.len();
        let worn = care.removed > size.max(settings.flat_below);
        let due = care.unseen + care.removed >= (size / 8).max(settings.flat_below / 2);
        if !(worn || care.incomplete || due && self.is_forgetful(care, counts)) {
            return;
        }
        let Some(dimensions) = self.shape.read().graph_dimensions() else {
            return;
        };
        care.rise(dimensions, settings, counts);
        if care.rising.is_some() {
            counts.rebuilds.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether too many of a sample are not found by their own vectors.
    fn is_forgetful(&self, care: &mut Care, counts: &Counts) -> bool {
        care.unseen = 0;
        let rows = care.members.rows();
        let stride = (rows.len() / SAMPLE).max(1);
        care.sample_at = (care.sample_at + 1) % stride;
        let shape = self.shape.read();
        let (mut asked, mut found) = (0, 0);
        for row in rows.iter().skip(care.sample_at).step_by(stride).take(SAMPLE) {
            asked += 1;
            let nearest = shape.nearest(&row.vector, 1).unwrap_or_default();
            // One just like it will do.
            found += usize::from(
                nearest
                    .first()
                    .is_some_and(|it| it.id == row.id || it.cosine > 0.999),
            );
        }
        counts.sampled.fetch_add(asked as u64, Ordering::Relaxed);
        counts.sampled_found.fetch_add(found as u64, Ordering::Relaxed);
        asked >= SAMPLE && found < SAMPLE_FOUND
    }

    fn swap(&self, shape: Shape) {
        let old = mem::replace(&mut *self.shape.write(), shape);
        // Taking a graph down takes a while: not under the lock.
        drop(old);
    }
}

impl Care {
    fn rise(&mut self, dimensions: usize, settings: &IndexSettings, counts: &Counts) {
        let room = self.members.len().saturating_mul(2);
        match Graph::new(dimensions, room, settings.searchers) {
            Ok(graph) => {
                let waiting = self.members.rows().iter().map(|row| row.id).collect();
                self.rising = Some(Rising { graph, waiting });
                self.incomplete = false;
            }
            Err(Refused) => {
                counts.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Shape {
    fn nearest(&self, asked: &Vector, want: usize) -> Result<Vec<Near>, Refused> {
        match self {
            Self::Few(rows) => Ok(nearest_of(rows, asked, want)),
            Self::Flat(flat) => Ok(flat.nearest(asked, want)),
            Self::Graph(graph) if graph.dimensions() == asked.dimensions() => graph.nearest(asked, want),
            Self::Graph(_) => Ok(Vec::new()),
        }
    }

    /// Whether a search takes too long for a worker.
    fn is_long(&self, settings: &IndexSettings) -> bool {
        match self {
            Self::Few(_) => false,
            // A graph is on its way, or could not be made; or the vectors are long.
            Self::Flat(flat) => {
                flat.rows().len().saturating_mul(flat.dimensions())
                    > settings.flat_below.saturating_mul(4 * USUAL_DIMENSIONS)
            }
            // A search looks at as many vectors, give or take, however many there are: so what a vector takes more has
            // to be made up for by a graph that is far smaller, and fits into a nearer memory.
            Self::Graph(graph) => {
                let longer = (graph.dimensions() / USUAL_DIMENSIONS).max(1);
                graph.len().saturating_mul(longer * longer) > settings.worker_limit
            }
        }
    }

    fn graph_dimensions(&self) -> Option<usize> {
        match self {
            Self::Graph(graph) => Some(graph.dimensions()),
            _ => None,
        }
    }

    fn push(&mut self, row: Row) -> bool {
        match self {
            Self::Few(rows) => {
                let dimensions = rows
                    .first()
                    .map_or(row.vector.dimensions(), |it| it.vector.dimensions());
                if row.vector.dimensions() != dimensions {
                    return false;
                }
                if rows.len() < FEW {
                    rows.reserve_exact(1);
                    rows.push(row);
                    return true;
                }
                let mut flat = Flat::of(dimensions, mem::take(rows));
                let pushed = flat.push(row);
                *self = Self::Flat(flat);
                pushed
            }
            Self::Flat(flat) => flat.push(row),
            Self::Graph(graph) => graph.add(row.id, &row.vector).is_ok(),
        }
    }

    fn wants_room(&self) -> bool {
        matches!(self, Self::Graph(graph) if !graph.has_room())
    }

    fn enlarge(&mut self) -> bool {
        match self {
            Self::Graph(graph) => graph.enlarge().is_ok(),
            _ => true,
        }
    }

    /// How many are left.
    fn remove(&mut self, id: u64) -> usize {
        match self {
            Self::Few(rows) => {
                rows.retain(|it| it.id != id);
                rows.len()
            }
            Self::Flat(flat) => {
                flat.remove(id);
                let left = flat.rows().len();
                if left <= FEW / 2 {
                    *self = Self::Few(flat.rows().to_vec());
                }
                left
            }
            Self::Graph(graph) => {
                graph.remove(id);
                graph.len()
            }
        }
    }
}

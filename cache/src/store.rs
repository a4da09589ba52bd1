//! The entries, their budget, their end.
//!
//! The map of residents is the truth; fingerprints and indices only point to it, and whatever they propose is looked up
//! there. Residents are found by their exact fingerprint, so that the policy of eviction knows again what it has thrown
//! out. Every entry is charged all it takes, the room in maps and indices included, and the sum stays within the budget.
//!
//! What must stay true, whatever runs at the same time:
//! - An entry that has expired, was found wrong, was replaced, evicted or invalidated is not handed out.
//! - When [`Store::invalidate`] has returned, nothing that it selects is found, nor can an answer that was asked for
//!   before it come in later.
//! - Whatever points to an entry is gone when the entry is: whoever adds pointers looks afterwards whether the entry is
//!   still there, and whoever takes an entry away takes the pointers after it. One of the two sees the other.

mod barrier;
mod entry;
mod residents;
mod statistics;
#[cfg(test)]
mod tests;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use parking_lot::Mutex;
use rapidhash::fast::RandomState;
use tollgate_core::{Digest, Timestamp};

use crate::Vector;
use crate::index::{Index, IndexSettings, Patience, Proposal};
use barrier::Barrier;
use residents::Residents;
use statistics::Tally;
use waiting::Queue;

pub use barrier::{Begun, Selection};
pub use entry::{Elsewhere, Entry, EntryId, Key, Labels, NewEntry, Question, Worth};
pub use statistics::{Bytes as BytesByPart, Statistics};
pub use waiting::Waiting;

/// How many dead ids a search may come upon without the living becoming fewer than asked for.
const SPARE: usize = 4;

/// What a store is made for.
#[derive(Debug, Clone, Copy)]
pub struct StoreSettings {
    /// What all entries may take together.
    pub budget_bytes: u64,
    /// How many shards each map has: a power of two above one.
    pub shards: usize,
    /// The first id to be given; those below may be in use by entries that are [restored](Store::restore).
    pub first_id: EntryId,
    /// How partitions are searched.
    pub index: IndexSettings,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            budget_bytes: 256 << 20,
            shards: 64,
            first_id: EntryId(1),
            index: IndexSettings::default(),
        }
    }
}

/// An entry that is near to a question.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Not expired, not found wrong.
    pub entry: Arc<Entry>,
    /// Of its vector and that of the question: -1 ..= 1.
    pub cosine: f32,
}

/// What a search came to.
#[derive(Debug, Clone)]
pub enum Nearest {
    /// The nearest entries, best first.
    Found(Vec<Candidate>),
    /// Ask again with [`Patience::Keeper`], on a thread that can wait.
    TooLong,
}

/// What an insert came to.
#[derive(Debug)]
pub enum Inserted {
    /// It can be found.
    Stored {
        /// What was stored.
        entry: Arc<Entry>,
        /// Who had to go for it: replaced, or evicted.
        gone: Vec<EntryId>,
    },
    /// It cannot, and nothing has changed.
    Refused(Refused),
}

/// Why an entry is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It takes more than the budget of a shard.
    TooLarge,
    /// What it answers was asked before something was invalidated that it belongs to.
    Invalidated,
    /// There is a newer entry of the same key.
    Superseded,
    /// It is too old already.
    Expired,
}

/// The entries of a cache, and all ways to them.
#[derive(Debug)]
pub struct Store {
    residents: Residents,
    /// To the exact fingerprint.
    folded: DashMap<Digest, Digest, RandomState>,
    /// To the exact fingerprint.
    ids: DashMap<EntryId, Digest, RandomState>,
    index: Index,
    barrier: Barrier,
    /// One writer at a time for each key.
    keys: Box<[Mutex<()>]>,
    next_id: AtomicU64,
    tally: Tally,
    queue: Queue,
    /// No entry expires before this, in milliseconds since the epoch. Lowered by inserts, raised by the sweep.
    earliest: AtomicU64,
    budget_bytes: u64,
}

impl Store {
    /// An empty one.
    pub fn new(settings: StoreSettings) -> Self {
        let shards = settings.shards.max(2).next_power_of_two();
        let index = IndexSettings {
            shards,
            ..settings.index
        };
        let map = || RandomState::default();
        Self {
            residents: Residents::new(settings.budget_bytes, shards),
            folded: DashMap::with_hasher_and_shard_amount(map(), shards),
            ids: DashMap::with_hasher_and_shard_amount(map(), shards),
            index: Index::new(index),
            barrier: Barrier::default(),
            keys: (0..256).map(|_| Mutex::default()).collect(),
            next_id: AtomicU64::new(settings.first_id.0),
            tally: Tally::default(),
            queue: Queue::of(settings.budget_bytes),
            earliest: AtomicU64::new(u64::MAX),
            budget_bytes: settings.budget_bytes,
        }
    }

    /// The entry of the same request.
    pub fn exact(&self, key: &Digest, now: Timestamp) -> Option<Arc<Entry>> {
        self.residents.get(key).filter(|it| it.is_servable(now))
    }

    /// The latest entry of a request that differs in case, spaces and the like only.
    pub fn folded(&self, key: &Digest, now: Timestamp) -> Option<Arc<Entry>> {
        let exact = *self.folded.get(key)?;
        self.exact(&exact, now)
            .filter(|it| it.key.folded.as_ref() == Some(key))
    }

    /// The entry of this id, whether it can be served or not.
    pub fn get(&self, id: EntryId) -> Option<Arc<Entry>> {
        let exact = *self.ids.get(&id)?;
        self.residents.peek(&exact).filter(|it| it.id == id)
    }

    /// The up to `k` servable entries of a partition whose questions are nearest to `vector`.
    pub fn nearest(
        &self,
        partition: &Digest,
        vector: &Vector,
        k: usize,
        now: Timestamp,
        patience: Patience,
    ) -> Nearest {
        let vector_of = |entry: &Entry| Some(Arc::clone(&entry.question.as_ref()?.vector));
        let proposal = self.index.nearest(partition, vector, k + SPARE, patience);
        self.living(proposal, partition, vector, vector_of, k, now)
    }

    /// The same in another space: by the vectors that [`Question::elsewhere`] has at `place`.
    pub fn nearest_elsewhere(
        &self,
        (partition, place): (&Digest, &Digest),
        vector: &Vector,
        k: usize,
        now: Timestamp,
        patience: Patience,
    ) -> Nearest {
        let vector_of = |entry: &Entry| {
            let elsewhere = entry.question.as_ref()?.elsewhere.as_ref()?;
            (elsewhere.place == *place).then(|| Arc::clone(&elsewhere.vector))
        };
        let proposal = self.index.nearest(place, vector, k + SPARE, patience);
        self.living(proposal, partition, vector, vector_of, k, now)
    }

    /// Whether there is anybody to be found at this place.
    pub fn has_any_at(&self, place: &Digest) -> bool {
        self.index.holds(place)
    }

    /// Those of a proposal that can be served, with their exact cosines.
    fn living(
        &self,
        proposal: Proposal,
        partition: &Digest,
        vector: &Vector,
        vector_of: impl Fn(&Entry) -> Option<Arc<Vector>>,
        k: usize,
        now: Timestamp,
    ) -> Nearest {
        let Proposal::Found(near) = proposal else {
            return Nearest::TooLong;
        };
        let mut found: Vec<Candidate> = near
            .iter()
            .filter_map(|it| self.get(EntryId(it.id)))
            .filter(|it| it.is_servable(now) && it.key.partition == *partition)
            .filter_map(|entry| {
                // A graph that is being changed may be wrong about how near it is.
                let cosine = vector_of(&entry)?.cosine(vector);
                Some(Candidate { entry, cosine })
            })
            .take(k)
            .collect();
        found.sort_by(|a, b| b.cosine.total_cmp(&a.cosine));
        Nearest::Found(found)
    }

    /// Notes that an entry was served, which keeps it from being evicted soon.
    pub fn served(&self, entry: &Entry, now: Timestamp) {
        entry.note_hit(now);
        self.residents.touch(&entry.key.exact);
    }

    /// A place among the answers that wait to be put away, of which so many bytes were sent; it is to be held until
    /// then. `None`: too much waits already, a quarter of the budget or 16 MiB.
    pub fn wait(&self, bytes: u64) -> Option<Waiting> {
        self.queue.join(bytes)
    }

    /// Notes that an answer could not be handed over to be kept.
    pub fn dropped(&self) {
        self.tally.dropped();
    }

    /// To be called before an answer is asked for that may come into the store.
    pub fn begin(&self) -> Begun {
        self.barrier.begin()
    }

    /// Adds an entry, in place of one with the same exact key. Not on a worker: with a question it takes up to a
    /// millisecond.
    pub fn insert(&self, new: NewEntry, now: Timestamp) -> Inserted {
        let id = EntryId(self.next_id.fetch_add(1, Ordering::Relaxed));
        self.put(id, new, now)
    }

    /// Adds an entry of an earlier run, unless there is a newer one with the same exact key.
    pub fn restore(&self, id: EntryId, new: NewEntry, now: Timestamp) -> Inserted {
        self.put(id, new, now)
    }

    fn put(&self, id: EntryId, new: NewEntry, now: Timestamp) -> Inserted {
        let begun = new.begun;
        let entry = Arc::new(Entry::new(id, new));
        if entry.expires <= now {
            return Inserted::Refused(Refused::Expired);
        }
        if !self.residents.can_hold(&entry) {
            return Inserted::Refused(Refused::TooLarge);
        }
        // Before it is there, so that who finds it finds it in every way.
        self.point_to(&entry);
        let gone = match self.publish(&entry, begun) {
            Ok(gone) => gone,
            Err(refused) => {
                self.unpoint(&entry);
                return Inserted::Refused(refused);
            }
        };
        if let Some(folded) = entry.key.folded {
            self.folded.insert(folded, entry.key.exact);
        }
        self.earliest
            .fetch_min(entry.expires.unix_millis(), Ordering::Relaxed);
        let replaced = |it: &Arc<Entry>| it.key.exact == entry.key.exact;
        let evicted = gone.iter().filter(|it| !replaced(it)).count();
        self.tally.evicted(evicted);
        for it in &gone {
            self.departed(it);
        }
        if !self.is_resident(&entry) {
            self.unpoint(&entry);
        }
        Inserted::Stored {
            entry,
            gone: gone.iter().map(|it| it.id).collect(),
        }
    }

    /// Makes the entry a resident, unless it must not become one. Those who had to leave.
    fn publish(&self, entry: &Arc<Entry>, begun: Begun) -> Result<Vec<Arc<Entry>>, Refused> {
        let stripe = usize::from(entry.key.exact.to_bytes()[0]);
        let _alone = self.keys.get(stripe).map(Mutex::lock);
        let newer = self.residents.peek(&entry.key.exact);
        if newer.is_some_and(|it| it.id > entry.id) {
            return Err(Refused::Superseded);
        }
        self.barrier.pass(entry, begun, || {
            self.tally.came(entry);
            self.residents.insert(entry)
        })
    }

    fn is_resident(&self, entry: &Entry) -> bool {
        self.residents
            .peek(&entry.key.exact)
            .is_some_and(|it| it.id == entry.id)
    }

    /// By id and by meaning: such pointers are this entry's alone.
    fn point_to(&self, entry: &Entry) {
        self.ids.insert(entry.id, entry.key.exact);
        if let Some(question) = &entry.question {
            self.index
                .insert(&entry.key.partition, entry.id.0, &question.vector);
            if let Some(Elsewhere { place, vector }) = &question.elsewhere {
                self.index.insert(place, entry.id.0, vector);
            }
        }
    }

    /// Takes away what points to an entry that is no resident any more.
    fn unpoint(&self, entry: &Entry) {
        self.ids.remove(&entry.id);
        let exact = &entry.key.exact;
        if let Some(folded) = &entry.key.folded {
            // Looked at under the lock: whoever takes its place at this moment points to it afterwards.
            self.folded.remove_if(folded, |_, it| {
                it == exact && self.residents.peek(exact).is_none()
            });
        }
        if let Some(question) = &entry.question {
            self.index.remove(&entry.key.partition, entry.id.0);
            if let Some(elsewhere) = &question.elsewhere {
                self.index.remove(&elsewhere.place, entry.id.0);
            }
        }
    }

    /// To be called once for each entry that was a resident and is not any more.
    fn departed(&self, entry: &Entry) {
        self.tally.went(entry);
        self.unpoint(entry);
    }

    /// Takes an entry away. `None`: it is not there.
    pub fn remove(&self, id: EntryId) -> Option<Arc<Entry>> {
        let exact = *self.ids.get(&id)?;
        self.take(&exact, id)
    }

    fn take(&self, exact: &Digest, id: EntryId) -> Option<Arc<Entry>> {
        let entry = self.residents.remove(exact, id)?;
        self.departed(&entry);
        Some(entry)
    }

    /// The entry was wrong: takes it away, and out of the hands of those who have just found it. `None`: it is not
    /// there.
    pub fn condemn(&self, id: EntryId) -> Option<Arc<Entry>> {
        let entry = self.get(id)?;
        entry.condemn();
        self.take(&entry.key.exact, id)
    }

    /// Takes away all that is selected, and refuses what was [begun](Self::begin) before and comes in later. Looks at
    /// every entry: some 100 ms for a million.
    pub fn invalidate(&self, selection: &Selection) -> Vec<EntryId> {
        self.barrier.raise(selection);
        let gone = self.remove_all(|entry| selection.selects(entry));
        self.tally.invalidated(gone.len());
        gone
    }

    /// Takes away what has expired. Looks at every entry if one has.
    pub fn sweep(&self, now: Timestamp) -> Vec<EntryId> {
        if self.earliest.load(Ordering::Relaxed) > now.unix_millis() {
            return Vec::new();
        }
        // An entry that comes from now on lowers it again.
        self.earliest.store(u64::MAX, Ordering::Relaxed);
        let mut earliest = u64::MAX;
        let gone = self.remove_all(|entry| {
            let expired = entry.expires <= now;
            if !expired {
                earliest = earliest.min(entry.expires.unix_millis());
            }
            expired
        });
        self.earliest.fetch_min(earliest, Ordering::Relaxed);
        self.tally.expired(gone.len());
        gone
    }

    fn remove_all(&self, mut doomed: impl FnMut(&Entry) -> bool) -> Vec<EntryId> {
        self.residents
            .iter()
            .filter(|entry| doomed(entry))
            .filter_map(|entry| self.take(&entry.key.exact, entry.id))
            .map(|entry| entry.id)
            .collect()
    }

    /// Does some of the work on indices; see [`Index::maintain`]. `true`: there is more to do.
    pub fn maintain(&self, inserts: usize) -> bool {
        self.index.maintain(inserts)
    }

    /// All entries at one time or another while this goes on: each that stays, once; those that come or go, perhaps.
    pub fn iter(&self) -> impl Iterator<Item = Arc<Entry>> {
        self.residents.iter()
    }

    /// What there is, and what has happened.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            entries: self.residents.len(),
            pointers: self.ids.len() + self.folded.len(),
            budget_bytes: self.budget_bytes,
            index: self.index.statistics(),
            ..self.tally.statistics()
        }
    }
}

//! What is kept of an answer, and what it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tollgate_core::{Digest, Nanodollars, Timestamp};

use super::barrier::Begun;
use crate::verify::Analysis;
use crate::{Vector, index};

/// What an entry takes in the maps, slack of doubling included: a resident and a ghost of `quick_cache`, its id, its
/// folded fingerprint.
const MAP_BYTES: usize = 256;
/// What an allocation takes beside its content, on average.
const ALLOCATION_BYTES: usize = 16;

/// Which entry: unlike any other's, also of earlier runs where they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId(pub u64);

/// What an entry is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The whole request.
    pub exact: Digest,
    /// The request with its last words folded. `None`: it has none that can be.
    pub folded: Option<Digest>,
    /// All but the last words.
    pub partition: Digest,
}

impl Key {
    /// What stands for the question, its last words folded if they can be.
    pub fn question(&self) -> Digest {
        self.folded.unwrap_or(self.exact)
    }
}

/// What an entry is invalidated by.
#[derive(Debug, Clone)]
pub struct Labels {
    /// Whose it is.
    pub tenant: Arc<str>,
    /// The route that was asked.
    pub route: Arc<str>,
    /// Whatever the caller has said.
    pub tags: Box<[Box<str>]>,
}

/// What a hit saves: what the answer took when it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Worth {
    /// What was paid for it.
    pub cost: Nanodollars,
    /// How long it took, up to an hour and some.
    pub latency_us: u32,
    /// Tokens that went in.
    pub prompt_tokens: u32,
    /// Tokens that came out.
    pub output_tokens: u32,
}

/// The last words, as far as they can be compared.
#[derive(Debug, Clone)]
pub struct Question {
    /// As they were said.
    pub words: Box<str>,
    /// Where they point, by the table that ships.
    pub vector: Arc<Vector>,
    /// Where they point in another space. `None`: there is none, or nobody said.
    pub elsewhere: Option<Elsewhere>,
    /// What the verifier has to know of them.
    pub analysis: Arc<Analysis>,
}

/// A vector of another space than the built-in one.
#[derive(Debug, Clone)]
pub struct Elsewhere {
    /// Where the partition's vectors of that space are: [`Space::place`](crate::embed::Space::place).
    pub place: Digest,
    /// Where the words point there.
    pub vector: Arc<Vector>,
}

/// What comes in.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// What it is found by.
    pub key: Key,
    /// What it is invalidated by.
    pub labels: Labels,
    /// `None`: it is found by sameness only.
    pub question: Option<Question>,
    /// In a form of the caller's.
    pub answer: Bytes,
    /// What a hit saves.
    pub worth: Worth,
    /// When the answer was given.
    pub created: Timestamp,
    /// How long from then on it may be served.
    pub ttl: Duration,
    /// What [`Store::begin`](super::Store::begin) said before the answer was asked for.
    pub begun: Begun,
}

/// A cached answer.
#[derive(Debug)]
pub struct Entry {
    /// Given when it came in.
    pub id: EntryId,
    /// What it is found by.
    pub key: Key,
    /// What it is invalidated by.
    pub labels: Labels,
    /// `None`: it is found by sameness only.
    pub question: Option<Question>,
    /// As it came in.
    pub answer: Bytes,
    /// What a hit saves.
    pub worth: Worth,
    /// When the answer was given.
    pub created: Timestamp,
    /// From when on it is not served.
    pub expires: Timestamp,
    charge: u32,
    /// Written by those who serve it.
    hits: AtomicU32,
    /// Milliseconds since the epoch; 0: never. Written by those who serve it.
    last_hit: AtomicU64,
    /// Written once, by who has found it wrong.
    condemned: AtomicBool,
}

impl Entry {
    pub(super) fn new(id: EntryId, new: NewEntry) -> Self {
        let ttl = u64::try_from(new.ttl.as_millis()).unwrap_or(u64::MAX);
        let expires = new.created.unix_millis().saturating_add(ttl);
        let mut entry = Self {
            id,
            key: new.key,
            labels: new.labels,
            question: new.question,
            // What was given may be a small part of something large.
            answer: Bytes::from(new.answer.as_ref().to_vec().into_boxed_slice()),
            worth: new.worth,
            created: new.created,
            expires: Timestamp::from_unix_millis(expires),
            charge: 0,
            hits: AtomicU32::new(0),
            last_hit: AtomicU64::new(0),
            condemned: AtomicBool::new(false),
        };
        entry.charge = u32::try_from(entry.bytes_of_parts().iter().sum::<usize>()).unwrap_or(u32::MAX);
        entry
    }

    /// Whether it may be served.
    pub fn is_servable(&self, now: Timestamp) -> bool {
        now < self.expires && !self.is_condemned()
    }

    /// It was wrong once.
    pub fn is_condemned(&self) -> bool {
        self.condemned.load(Ordering::Relaxed)
    }

    /// How often it was served.
    pub fn hits(&self) -> u32 {
        self.hits.load(Ordering::Relaxed)
    }

    /// When it was served last. `None`: never.
    pub fn last_hit(&self) -> Option<Timestamp> {
        let millis = self.last_hit.load(Ordering::Relaxed);
        (millis > 0).then(|| Timestamp::from_unix_millis(millis))
    }

    /// The bytes that it takes, all that points to it included.
    pub fn charge(&self) -> u32 {
        self.charge
    }

    pub(super) fn note_hit(&self, now: Timestamp) {
        self.hits.fetch_add(1, Ordering::Relaxed);
        self.last_hit.fetch_max(now.unix_millis(), Ordering::Relaxed);
    }

    pub(super) fn condemn(&self) {
        self.condemned.store(true, Ordering::Relaxed);
    }

    /// Answer; question; the rest.
    pub(super) fn bytes_of_parts(&self) -> [usize; 3] {
        let question = self.question.as_ref().map_or(0, |it| {
            let placed = |vector: &Vector| {
                let dimensions = vector.dimensions();
                size_of::<Vector>() + dimensions + 3 * ALLOCATION_BYTES + index::charge(dimensions)
            };
            let vectors = placed(&it.vector) + it.elsewhere.as_ref().map_or(0, |it| placed(&it.vector));
            let analysis = it.analysis.bytes() + 8 * ALLOCATION_BYTES;
            it.words.len() + ALLOCATION_BYTES + vectors + analysis
        });
        let Labels { tenant, route, tags } = &self.labels;
        let tags: usize = tags
            .iter()
            .map(|it| size_of_val(it) + it.len() + ALLOCATION_BYTES)
            .sum();
        let labels = tenant.len() + route.len() + tags + 3 * ALLOCATION_BYTES;
        let rest = size_of::<Self>() + 2 * ALLOCATION_BYTES + labels + MAP_BYTES;
        [self.answer.len() + ALLOCATION_BYTES, question, rest]
    }
}

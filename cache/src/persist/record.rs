//! What is written down: an entry with all it takes to serve it, and what has to be undone after it.

use std::time::Duration;

use bytes::Bytes;
use tollgate_core::{Digest, Nanodollars, Timestamp};

/// One step of the cache's history.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// An entry has come. It takes the place of the one with the same id.
    Put(StoredEntry),
    /// The entry of this id has gone.
    Remove(u64),
    /// All entries that are there by now and are selected have gone.
    Invalidate(Selection),
    /// The entry of this id has been found wrong.
    Condemn(u64),
}

/// An entry, as it is kept on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEntry {
    /// Unlike any other entry's, also of earlier runs: see [`Log::first_id`](super::Log::first_id).
    pub id: u64,
    /// The whole request.
    pub exact: Digest,
    /// The request with its last words folded. `None`: it has none that can be.
    pub folded: Option<Digest>,
    /// All but the last words.
    pub partition: Digest,
    /// Whose it is.
    pub tenant: String,
    /// The route that was asked.
    pub route: String,
    /// What it can be invalidated by.
    pub tags: Vec<String>,
    /// The last user turn. `None`: it is found by sameness only.
    pub words: Option<String>,
    /// The words' direction, as in [`Vector::codes`](crate::Vector::codes). `None`: there is none, or it came from
    /// another model than the one that is in use now; it can be made again from the words.
    pub codes: Option<Box<[i8]>>,
    /// The answer, as the gateway encodes it.
    pub answer: Bytes,
    /// What serving it saves.
    pub worth: StoredWorth,
    /// When the answer was given.
    pub created: Timestamp,
    /// From when on it is not served.
    pub expires: Timestamp,
    /// It was found wrong.
    pub condemned: bool,
}

/// What the answer took when it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoredWorth {
    /// What was paid for it.
    pub cost: Nanodollars,
    /// How long it took; kept in microseconds.
    pub latency: Duration,
    /// Tokens in and out.
    pub tokens: u64,
}

/// Which entries are meant: those that fulfil every condition that is given; without any, all.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Selection {
    /// Those of this tenant.
    pub tenant: Option<String>,
    /// Those of this route.
    pub route: Option<String>,
    /// Those with this tag.
    pub tag: Option<String>,
    /// Those whose answer was given before this.
    pub created_before: Option<Timestamp>,
}

impl Selection {
    /// Whether the entry is meant.
    pub fn selects(&self, entry: &StoredEntry) -> bool {
        self.tenant.as_ref().is_none_or(|it| *it == entry.tenant)
            && self.route.as_ref().is_none_or(|it| *it == entry.route)
            && self.tag.as_ref().is_none_or(|it| entry.tags.contains(it))
            && self.created_before.is_none_or(|it| entry.created < it)
    }
}

impl StoredEntry {
    /// About how much room it takes on disk.
    pub(super) fn bytes(&self) -> u64 {
        let texts = self.tenant.len() + self.route.len() + self.words.as_ref().map_or(0, String::len);
        let tags: usize = self.tags.iter().map(|it| it.len() + 2).sum();
        (texts + tags + self.answer.len() + self.codes.as_ref().map_or(0, |it| it.len()) + 128) as u64
    }
}

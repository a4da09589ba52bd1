//! What there is in a store, and what has happened to it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::entry::Entry;
use crate::index::IndexStatistics;

/// What entries take, by what takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bytes {
    /// Answers.
    pub answers: u64,
    /// Words, vectors, analyses, and their places in indices.
    pub questions: u64,
    /// Labels, keys, maps.
    pub rest: u64,
}

impl Bytes {
    /// All of it: what the budget is about.
    pub fn total(&self) -> u64 {
        self.answers + self.questions + self.rest
    }
}

/// A store in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Statistics {
    /// How many entries there are, expired ones included until they are swept.
    pub entries: usize,
    /// Ids and folded fingerprints that lead to them.
    pub pointers: usize,
    /// What they take.
    pub bytes: Bytes,
    /// What they may take.
    pub budget_bytes: u64,
    /// Entries that have come in.
    pub inserted: u64,
    /// Entries that had to leave for others.
    pub evicted: u64,
    /// Entries that were swept away when their time was over.
    pub expired: u64,
    /// Entries that were invalidated.
    pub invalidated: u64,
    /// Answers that could not be handed over to be kept.
    pub dropped: u64,
    /// Partitions and their graphs.
    pub index: IndexStatistics,
}

/// Written by whoever changes the store.
#[derive(Debug, Default)]
pub(super) struct Tally {
    answers: AtomicU64,
    questions: AtomicU64,
    rest: AtomicU64,
    inserted: AtomicU64,
    evicted: AtomicU64,
    expired: AtomicU64,
    invalidated: AtomicU64,
    dropped: AtomicU64,
}

impl Tally {
    pub(super) fn came(&self, entry: &Entry) {
        self.inserted.fetch_add(1, Ordering::Relaxed);
        for (sum, bytes) in self.parts().iter().zip(entry.bytes_of_parts()) {
            sum.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn went(&self, entry: &Entry) {
        for (sum, bytes) in self.parts().iter().zip(entry.bytes_of_parts()) {
            sum.fetch_sub(bytes as u64, Ordering::Relaxed);
        }
    }

    pub(super) fn evicted(&self, entries: usize) {
        self.evicted.fetch_add(entries as u64, Ordering::Relaxed);
    }

    pub(super) fn expired(&self, entries: usize) {
        self.expired.fetch_add(entries as u64, Ordering::Relaxed);
    }

    pub(super) fn invalidated(&self, entries: usize) {
        self.invalidated.fetch_add(entries as u64, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn statistics(&self) -> Statistics {
        let read = |it: &AtomicU64| it.load(Ordering::Relaxed);
        Statistics {
            bytes: Bytes {
                answers: read(&self.answers),
                questions: read(&self.questions),
                rest: read(&self.rest),
            },
            inserted: read(&self.inserted),
            evicted: read(&self.evicted),
            expired: read(&self.expired),
            invalidated: read(&self.invalidated),
            dropped: read(&self.dropped),
            ..Statistics::default()
        }
    }

    fn parts(&self) -> [&AtomicU64; 3] {
        [&self.answers, &self.questions, &self.rest]
    }
}

//! What is written down: an entry with all it takes to serve it, and what has to be undone after it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tollgate_core::{Digest, Timestamp};

use crate::Vector;
use crate::store::{Begun, Entry, EntryId, Key, Labels, NewEntry, Question, Selection, Worth};

/// One step of the cache's history.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// An entry has come. It takes the place of the one with the same id.
    Put(StoredEntry),
    /// The entry of this id has gone.
    Remove(u64),
    /// All entries that are there by now and are selected have gone.
    Invalidate(Selection),
    /// The entry of this id has been found wrong, and has gone therefore.
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
    pub tenant: Arc<str>,
    /// The route that was asked.
    pub route: Arc<str>,
    /// What it can be invalidated by.
    pub tags: Box<[Box<str>]>,
    /// The last user turn. `None`: it is found by sameness only.
    pub words: Option<Box<str>>,
    /// The words' direction in the space beside the built-in one, as in [`Vector::codes`](crate::Vector::codes). `None`:
    /// there is none, or it came from another model than the one that is in use now. What the built-in table makes of
    /// the words is not kept: it is made again.
    pub codes: Option<Box<[i8]>>,
    /// The answer, as the gateway encodes it.
    pub answer: Bytes,
    /// What serving it saves.
    pub worth: Worth,
    /// When the answer was given.
    pub created: Timestamp,
    /// From when on it is not served.
    pub expires: Timestamp,
    /// It was found wrong: it does not come back.
    pub condemned: bool,
}

impl From<&Entry> for StoredEntry {
    fn from(entry: &Entry) -> Self {
        let question = entry.question.as_ref();
        Self {
            id: entry.id.0,
            exact: entry.key.exact,
            folded: entry.key.folded,
            partition: entry.key.partition,
            tenant: Arc::clone(&entry.labels.tenant),
            route: Arc::clone(&entry.labels.route),
            tags: entry.labels.tags.clone(),
            words: question.map(|it| it.words.clone()),
            codes: question.and_then(|it| Some(it.elsewhere.as_ref()?.vector.codes().into())),
            answer: entry.answer.clone(),
            worth: entry.worth,
            created: entry.created,
            expires: entry.expires,
            condemned: entry.is_condemned(),
        }
    }
}

impl StoredEntry {
    /// Where the words point in the space beside the built-in one. `None`: nobody knows.
    pub fn vector(&self) -> Option<Vector> {
        Vector::of_codes(self.codes.clone()?)
    }

    /// What [`Store::restore`](crate::store::Store::restore) takes. The question is made anew, of the words and the
    /// vector: what the verifier has to know of them is not kept. `begun` is what the store said before loading, so
    /// that what is invalidated meanwhile stays out.
    pub fn into_new(self, question: Option<Question>, begun: Begun) -> (EntryId, NewEntry) {
        let lifetime = self
            .expires
            .unix_millis()
            .saturating_sub(self.created.unix_millis());
        let new = NewEntry {
            key: Key {
                exact: self.exact,
                folded: self.folded,
                partition: self.partition,
            },
            labels: Labels {
                tenant: self.tenant,
                route: self.route,
                tags: self.tags,
            },
            question,
            answer: self.answer,
            worth: self.worth,
            created: self.created,
            ttl: Duration::from_millis(lifetime),
            begun,
        };
        (EntryId(self.id), new)
    }

    /// Whether it is meant: as [`Selection::selects`], of an entry that is not in the store.
    pub(super) fn is_selected_by(&self, selection: &Selection) -> bool {
        selection.tenant.as_ref().is_none_or(|it| **it == *self.tenant)
            && selection.route.as_ref().is_none_or(|it| **it == *self.route)
            && selection.tag.as_ref().is_none_or(|it| self.tags.contains(it))
            && selection.created_before.is_none_or(|it| self.created < it)
            && selection.partition.is_none_or(|it| it == self.partition)
    }

    /// About how much room it takes on disk.
    pub(super) fn bytes(&self) -> u64 {
        let texts = self.tenant.len() + self.route.len() + self.words.as_ref().map_or(0, |it| it.len());
        let tags: usize = self.tags.iter().map(|it| it.len() + 2).sum();
        (texts + tags + self.answer.len() + self.codes.as_ref().map_or(0, |it| it.len()) + 128) as u64
    }
}

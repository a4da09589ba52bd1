//! What became of entries after they were written: removed (or found wrong), replaced, invalidated.
//!
//! The loader gathers it from the logs before it hands out the first entry, so that no entry is served for a moment
//! that a later record takes away. While it runs, the log gathers the same of what happens meanwhile.

use std::collections::HashMap;

use tollgate_core::Digest;

use super::record::StoredEntry;
use crate::store::Selection;

/// When something was written: the number of the log, and the place in it. A snapshot comes before all of its log.
pub(super) type Moment = (u64, u64);

#[derive(Debug, Default)]
pub(super) struct Undone {
    /// Where the entry of this id was written or removed last.
    last: HashMap<u64, Moment>,
    /// By their most selective condition; the same again only counts the last time.
    invalidated: HashMap<Condition, Vec<(Selection, Moment)>>,
    /// Nothing that was written until the end of this log is to be trusted.
    distrusted: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Condition {
    Partition(Digest),
    Tag(Box<str>),
    Tenant(Box<str>),
    Route(Box<str>),
    None,
}

impl Undone {
    /// The entry was written, or removed.
    pub(super) fn replace(&mut self, id: u64, at: Moment) {
        self.last.insert(id, at);
    }

    pub(super) fn invalidate(&mut self, selection: Selection, at: Moment) {
        let condition = match &selection {
            Selection {
                partition: Some(it), ..
            } => Condition::Partition(*it),
            Selection { tag: Some(it), .. } => Condition::Tag(it.clone()),
            Selection { tenant: Some(it), .. } => Condition::Tenant(it.clone()),
            Selection { route: Some(it), .. } => Condition::Route(it.clone()),
            _ => Condition::None,
        };
        let alike = self.invalidated.entry(condition).or_default();
        match alike.iter_mut().find(|(it, _)| *it == selection) {
            Some((_, when)) => *when = at,
            None => alike.push((selection, at)),
        }
    }

    /// What was written until the end of this log may have been undone by what is lost.
    pub(super) fn distrust(&mut self, number: u64) {
        self.distrusted = self.distrusted.max(Some(number));
    }

    /// Nothing of this log, nor of the snapshot before it, is used.
    pub(super) fn is_distrusted(&self, number: u64) -> bool {
        self.distrusted.is_some_and(|last| number <= last)
    }

    /// Whether an entry that was written `at` is still there.
    pub(super) fn spares(&self, entry: &StoredEntry, at: Moment) -> bool {
        let is_latest = self.last.get(&entry.id).is_none_or(|last| *last <= at);
        is_latest && !entry.condemned && !self.is_distrusted(at.0) && !self.is_invalidated(entry, at)
    }

    fn is_invalidated(&self, entry: &StoredEntry, at: Moment) -> bool {
        if self.invalidated.is_empty() {
            return false;
        }
        let own = [
            Condition::None,
            Condition::Partition(entry.partition),
            Condition::Tenant((*entry.tenant).into()),
            Condition::Route((*entry.route).into()),
        ];
        let tags = entry.tags.iter().cloned().map(Condition::Tag);
        let meant = own.into_iter().chain(tags);
        meant
            .filter_map(|condition| self.invalidated.get(&condition))
            .flatten()
            .any(|(selection, when)| *when > at && entry.is_selected_by(selection))
    }
}

//! What became of entries after they were written: removed, replaced, invalidated, found wrong.
//!
//! The loader gathers it from the logs before it hands out the first entry, so that no entry is served for a moment
//! that a later record takes away. While it runs, the log gathers the same of what happens meanwhile.

use std::collections::HashMap;

use super::record::{Selection, StoredEntry};

/// When something was written: the number of the log, and the place in it. A snapshot comes before all of its log.
pub(super) type Moment = (u64, u64);

#[derive(Debug, Default)]
pub(super) struct Undone {
    /// Where the entry of this id was written or removed last.
    last: HashMap<u64, Moment>,
    condemned: HashMap<u64, Moment>,
    /// By their most selective condition; the same again only counts the last time.
    invalidated: HashMap<Condition, HashMap<Selection, Moment>>,
    /// Nothing that was written until the end of this log is to be trusted.
    distrusted: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Condition {
    Tag(String),
    Tenant(String),
    Route(String),
    None,
}

impl Undone {
    /// The entry was written or removed.
    pub(super) fn replace(&mut self, id: u64, at: Moment) {
        self.last.insert(id, at);
    }

    pub(super) fn condemn(&mut self, id: u64, at: Moment) {
        self.condemned.insert(id, at);
    }

    pub(super) fn invalidate(&mut self, selection: Selection, at: Moment) {
        let condition = match &selection {
            Selection { tag: Some(tag), .. } => Condition::Tag(tag.clone()),
            Selection {
                tenant: Some(tenant), ..
            } => Condition::Tenant(tenant.clone()),
            Selection {
                route: Some(route), ..
            } => Condition::Route(route.clone()),
            _ => Condition::None,
        };
        self.invalidated
            .entry(condition)
            .or_default()
            .insert(selection, at);
    }

    /// What was written until the end of this log may have been undone by what is lost.
    pub(super) fn distrust(&mut self, number: u64) {
        self.distrusted = self.distrusted.max(Some(number));
    }

    /// Nothing of this log, nor of the snapshot before it, is used.
    pub(super) fn is_distrusted(&self, number: u64) -> bool {
        self.distrusted.is_some_and(|last| number <= last)
    }

    /// Whether the entry that was written `at` was found wrong later on.
    pub(super) fn condemns(&self, id: u64, at: Moment) -> bool {
        self.condemned.get(&id).is_some_and(|when| *when > at)
    }

    /// Whether an entry that was written `at` is still there.
    pub(super) fn spares(&self, entry: &StoredEntry, at: Moment) -> bool {
        let is_latest = self.last.get(&entry.id).is_none_or(|last| *last <= at);
        is_latest && !self.is_distrusted(at.0) && !self.is_invalidated(entry, at)
    }

    fn is_invalidated(&self, entry: &StoredEntry, at: Moment) -> bool {
        if self.invalidated.is_empty() {
            return false;
        }
        let own = [
            Condition::None,
            Condition::Tenant(entry.tenant.clone()),
            Condition::Route(entry.route.clone()),
        ];
        let tags = entry.tags.iter().cloned().map(Condition::Tag);
        let meant = own.into_iter().chain(tags);
        meant
            .filter_map(|condition| self.invalidated.get(&condition))
            .flatten()
            .any(|(selection, when)| *when > at && selection.selects(entry))
    }
}

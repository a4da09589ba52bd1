//! What keeps an answer out that was asked for before its like was invalidated, and comes in after.

use std::collections::VecDeque;

use parking_lot::RwLock;
use tollgate_core::{Digest, Timestamp};

use super::Refused;
use super::entry::Entry;

/// So many invalidations are remembered. What was begun before all of them is refused whatever it is.
const REMEMBERED: usize = 1024;

/// Which entries are meant: those that fulfil every condition that is given; without any, all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Those of this tenant.
    pub tenant: Option<Box<str>>,
    /// Those of this route.
    pub route: Option<Box<str>>,
    /// Those with this tag.
    pub tag: Option<Box<str>>,
    /// Those whose answer was given before this.
    pub created_before: Option<Timestamp>,
    /// Those of this partition.
    pub partition: Option<Digest>,
}

impl Selection {
    /// Whether the entry is meant.
    pub fn selects(&self, entry: &Entry) -> bool {
        let Entry { labels, key, .. } = entry;
        self.tenant.as_deref().is_none_or(|it| *it == *labels.tenant)
            && self.route.as_deref().is_none_or(|it| *it == *labels.route)
            && self.tag.as_ref().is_none_or(|it| labels.tags.contains(it))
            && self.created_before.is_none_or(|it| entry.created < it)
            && self.partition.is_none_or(|it| it == key.partition)
    }
}

/// How many invalidations there had been when an answer was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Begun(u64);

#[derive(Debug, Default)]
pub(super) struct Barrier(RwLock<Raised>);

#[derive(Debug, Default)]
struct Raised {
    /// Counts invalidations.
    latest: u64,
    /// Each with its number, the latest at the back.
    recent: VecDeque<(u64, Selection)>,
    /// The number of the last that is not remembered.
    forgotten: u64,
}

impl Barrier {
    pub(super) fn begin(&self) -> Begun {
        Begun(self.0.read().latest)
    }

    /// From now on nothing that is selected and was begun before passes; and all that has passed has got to where
    /// it goes.
    pub(super) fn raise(&self, selection: &Selection) {
        let mut raised = self.0.write();
        raised.latest += 1;
        let number = raised.latest;
        raised.recent.retain(|(_, it)| it != selection);
        raised.recent.push_back((number, selection.clone()));
        if raised.recent.len() > REMEMBERED
            && let Some((number, _)) = raised.recent.pop_front()
        {
            raised.forgotten = number;
        }
    }

    /// Does `publish` unless the entry must not pass. Nothing is raised meanwhile.
    pub(super) fn pass<T>(
        &self,
        entry: &Entry,
        begun: Begun,
        publish: impl FnOnce() -> T,
    ) -> Result<T, Refused> {
        let raised = self.0.read();
        let since = raised
            .recent
            .iter()
            .rev()
            .take_while(|(number, _)| *number > begun.0);
        if begun.0 < raised.forgotten || since.into_iter().any(|(_, it)| it.selects(entry)) {
            return Err(Refused::Invalidated);
        }
        Ok(publish())
    }
}

//! What was given to whom by meaning of late, and which questions must not be taken for each other again.
//!
//! Both are bounded: what is not needed for long leaves first. Somebody who speaks of what has left is still heard, but
//! it counts for no score.

use quick_cache::sync::Cache;
use tollgate_core::{Digest, fnv1a};

use crate::EntryId;

/// Entries that keys may speak of, and questions that are kept apart.
const REMEMBERED: usize = 1 << 14;

/// An entry, given by meaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// How certain it was that the questions are the same.
    pub score: f32,
    /// What was asked, folded.
    pub asked: Digest,
}

#[derive(Debug)]
pub(super) struct Recent {
    /// By entry and key. `None`: it has spoken.
    seen: Cache<(EntryId, u64), Option<Seen>>,
    /// The smaller digest first.
    parted: Cache<(Digest, Digest), ()>,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            seen: Cache::new(REMEMBERED),
            parted: Cache::new(REMEMBERED),
        }
    }
}

impl Recent {
    pub(super) fn served(&self, entry: EntryId, key: &str, seen: Seen) {
        let place = place(entry, key);
        if self.seen.get(&place) != Some(None) {
            self.seen.insert(place, Some(seen));
        }
    }

    pub(super) fn was_served(&self, entry: EntryId, key: &str) -> bool {
        self.seen.contains_key(&place(entry, key))
    }

    pub(super) fn heard(&self, entry: EntryId, key: &str) -> Option<Seen> {
        let place = place(entry, key);
        let seen = self.seen.get(&place)??;
        self.seen.insert(place, None);
        Some(seen)
    }

    pub(super) fn part(&self, one: Digest, other: Digest) {
        self.parted.insert(ordered(one, other), ());
    }

    pub(super) fn are_parted(&self, one: Digest, other: Digest) -> bool {
        !self.parted.is_empty() && self.parted.get(&ordered(one, other)).is_some()
    }
}

fn place(entry: EntryId, key: &str) -> (EntryId, u64) {
    (entry, fnv1a(key.bytes()))
}

fn ordered(one: Digest, other: Digest) -> (Digest, Digest) {
    if one <= other { (one, other) } else { (other, one) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_core::Digester;

    fn digest(text: &str) -> Digest {
        Digester::new("test").field(text.as_bytes()).finish()
    }

    #[test]
    fn a_key_is_heard_once_of_each_entry_however_often_it_is_served() {
        let (recent, entry) = (Recent::default(), EntryId(7));
        let seen = Seen {
            score: 0.9,
            asked: digest("a"),
        };
        assert_eq!(recent.heard(entry, "one"), None, "it was not served");
        recent.served(entry, "one", seen);
        recent.served(entry, "two", seen);
        assert!(recent.was_served(entry, "one") && !recent.was_served(EntryId(8), "one"));
        assert_eq!(recent.heard(entry, "one"), Some(seen));
        recent.served(entry, "one", seen);
        assert_eq!(recent.heard(entry, "one"), None);
        assert_eq!(recent.heard(entry, "two"), Some(seen), "another key");
    }

    #[test]
    fn what_is_parted_is_so_both_ways_and_memory_is_bounded() {
        let recent = Recent::default();
        recent.part(digest("a"), digest("b"));
        assert!(recent.are_parted(digest("a"), digest("b")) && recent.are_parted(digest("b"), digest("a")));
        assert!(!recent.are_parted(digest("a"), digest("c")));
        let seen = Seen {
            score: 0.9,
            asked: digest("a"),
        };
        for number in 0..3 * REMEMBERED as u64 {
            recent.served(EntryId(number), "one", seen);
            recent.part(digest("a"), digest(&number.to_string()));
        }
        assert!(recent.seen.len() <= REMEMBERED && recent.parted.len() <= REMEMBERED);
    }
}

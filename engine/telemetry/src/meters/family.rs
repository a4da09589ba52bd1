//! Handles by label values, made once and found again without allocating; and the cap on values that are not
//! ours to choose.

use std::hash::Hash;

use hashbrown::{Equivalent, HashMap, HashSet};
use parking_lot::RwLock;

/// The label value of everything past a cap.
pub(crate) const OTHER: &str = "other";

/// Handles of one kind, by key. Entries live as long as the process: a series that vanished and came back
/// would look like a restart to Prometheus.
#[derive(Debug)]
pub(crate) struct Family<K, V> {
    members: RwLock<HashMap<K, V>>,
}

impl<K, V> Default for Family<K, V> {
    fn default() -> Self {
        Self {
            members: RwLock::default(),
        }
    }
}

impl<K: Eq + Hash, V> Family<K, V> {
    /// Uses the member for `key`, if there is one.
    pub(crate) fn existing<Q, R>(&self, key: &Q, using: impl FnOnce(&V) -> R) -> Option<R>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.members.read().get(key).map(using)
    }

    /// Shows all members, in no order.
    pub(crate) fn each(&self, mut show: impl FnMut(&K, &V)) {
        self.members
            .read()
            .iter()
            .for_each(|(key, member)| show(key, member));
    }

    /// Uses the member for `key`, which is made if there is none.
    pub(crate) fn with<R>(&self, key: K, make: impl FnOnce() -> V, using: impl FnOnce(&V) -> R) -> R {
        if let Some(member) = self.members.read().get(&key) {
            return using(member);
        }
        let mut members = self.members.write();
        using(members.entry(key).or_insert_with(make))
    }
}

/// A bounded set of texts that may be label values.
#[derive(Debug)]
pub(crate) struct Names {
    max: usize,
    admitted: RwLock<HashSet<Box<str>>>,
}

impl Names {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            admitted: RwLock::default(),
        }
    }

    /// The text itself where it has been admitted or there is room for it, else `other`. Texts of more than
    /// 128 bytes are never admitted.
    pub(crate) fn admit<'t>(&self, text: &'t str) -> &'t str {
        if self.admitted.read().contains(text) {
            return text;
        }
        let mut admitted = self.admitted.write();
        let has_room = admitted.len() < self.max && text.len() <= 128;
        if has_room {
            admitted.insert(text.into());
        }
        if has_room || admitted.contains(text) {
            text
        } else {
            OTHER
        }
    }

    /// The same without making room: for texts whose owner has disowned them.
    pub(crate) fn known<'t>(&self, text: &'t str) -> &'t str {
        if self.admitted.read().contains(text) {
            text
        } else {
            OTHER
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_the_cap_everything_is_other_and_the_admitted_stay() {
        let names = Names::new(2);
        assert_eq!(
            [names.admit("a"), names.admit("b"), names.admit("c")],
            ["a", "b", OTHER]
        );
        assert_eq!(
            [names.admit("a"), names.known("b"), names.known("c")],
            ["a", "b", OTHER]
        );
        assert_eq!(Names::new(2).admit(&"x".repeat(129)), OTHER);
    }

    #[test]
    fn a_member_is_made_once() {
        let family = Family::default();
        let mut made = 0;
        for _ in 0..3 {
            family.with(
                "key",
                || {
                    made += 1;
                    made
                },
                |&value| assert_eq!(value, 1),
            );
        }
        assert_eq!(family.existing("other", |&value: &i32| value), None);
    }
}

//! Which target's prompt cache is warm for which prompts, as far as one worker has seen.
//!
//! Bounded by two generations: what is new goes into the young one; when that is full it becomes the old one, and
//! what the old one held is forgotten. What is used keeps being told anew, so the least used goes first, roughly,
//! and nothing has to be kept in order.

use std::collections::HashMap;
use std::time::Duration;

use tollgate_core::Moment;
use tollgate_routing::Warm;

/// Prompts remembered at most; half of it is a generation.
const CAPACITY: usize = 8_192;
/// How long a provider is expected to keep a prompt: OpenAI and Anthropic say five minutes after the last use.
const KEPT_FOR: Duration = Duration::from_secs(300);

/// Warm prompts by the hash of their beginning.
#[derive(Debug, Default)]
pub(super) struct Warmth {
    young: HashMap<u64, Entry>,
    old: HashMap<u64, Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    warm: Warm,
    at: Moment,
}

impl Warmth {
    /// Who has this prompt, if anybody still does.
    pub(super) fn of(&self, now: Moment, prefix: u64) -> Option<Warm> {
        let entry = self.young.get(&prefix).or_else(|| self.old.get(&prefix))?;
        (now.since(entry.at) < KEPT_FOR).then_some(entry.warm)
    }

    /// A target has just read this prompt.
    pub(super) fn warmed(&mut self, now: Moment, prefix: u64, slot: u32, tokens: u64) {
        if self.young.len() >= CAPACITY / 2 && !self.young.contains_key(&prefix) {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        let entry = Entry {
            warm: Warm { slot, tokens },
            at: now,
        };
        self.young.insert(prefix, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WARM: Warm = Warm { slot: 3, tokens: 900 };

    #[test]
    fn a_prompt_is_warm_for_five_minutes_after_its_last_use() {
        let mut warmth = Warmth::default();
        let at = |secs: u64| Moment::from_millis(secs * 1_000);
        warmth.warmed(at(0), 1, 3, 900);
        assert_eq!(warmth.of(at(299), 1), Some(WARM));
        assert_eq!(warmth.of(at(300), 1), None);
        warmth.warmed(at(299), 1, 3, 900);
        assert_eq!(warmth.of(at(500), 1), Some(WARM));
        assert_eq!(warmth.of(at(500), 2), None);
    }

    #[test]
    fn the_target_that_read_it_last_has_it() {
        let mut warmth = Warmth::default();
        warmth.warmed(Moment::ZERO, 1, 3, 900);
        warmth.warmed(Moment::ZERO, 1, 4, 10);
        assert_eq!(warmth.of(Moment::ZERO, 1), Some(Warm { slot: 4, tokens: 10 }));
    }

    #[test]
    fn what_is_used_outlives_what_is_not() {
        let mut warmth = Warmth::default();
        warmth.warmed(Moment::ZERO, 0, 3, 900);
        for prefix in 1..20_000 {
            warmth.warmed(Moment::ZERO, prefix, 1, 1);
            warmth.warmed(Moment::ZERO, 0, 3, 900);
        }
        assert_eq!(warmth.of(Moment::ZERO, 0), Some(WARM));
        assert_eq!(warmth.of(Moment::ZERO, 1), None);
    }

    proptest! {
        #[test]
        fn it_never_holds_more_than_its_capacity(prefixes in proptest::collection::vec(0u64..20_000, 0..20_000)) {
            let mut warmth = Warmth::default();
            for prefix in prefixes {
                warmth.warmed(Moment::ZERO, prefix, 0, 0);
                prop_assert!(warmth.young.len() + warmth.old.len() <= CAPACITY);
                prop_assert!(warmth.of(Moment::ZERO, prefix).is_some());
            }
        }
    }
}

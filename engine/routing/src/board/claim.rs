//! A place at a target, kept from the decision for it to the request to it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::HealthCell;

/// Whoever was chosen counts as in flight at once. A router answers all questions of a burst before the first of
/// them is acted upon: without claims each would see the same empty target.
pub struct Claim {
    cell: Arc<HealthCell>,
    /// Cleared by whoever holds the plan, once.
    is_held: AtomicBool,
}

impl Claim {
    /// A place at the target whose cell this is.
    pub(crate) fn new(cell: Arc<HealthCell>) -> Self {
        cell.enter();
        let is_held = AtomicBool::new(true);
        Self { cell, is_held }
    }

    /// Gives the place back: a permit takes over, or somebody else is asked. Only the first time counts.
    pub fn release(&self) {
        if self.is_held.swap(false, Ordering::Relaxed) {
            self.cell.leave();
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claim").field(&self.cell.slot()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_counts_until_it_is_given_back_and_is_given_back_once() {
        let cell = Arc::new(HealthCell::new(0));
        let (first, second) = (Claim::new(cell.clone()), Claim::new(cell.clone()));
        assert_eq!(cell.in_flight(), 2);
        first.release();
        drop(first);
        assert_eq!(cell.in_flight(), 1);
        drop(second);
        assert_eq!(cell.in_flight(), 0);
    }
}

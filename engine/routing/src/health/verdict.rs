//! What the end of an attempt says about its target. Health and breaker must read it alike.

use std::time::Duration;

use tollgate_core::{Fault, Moment, OutcomeClass};

use super::window::Counts;
use crate::Ended;

/// What an attempt says about its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It answered in time.
    Good,
    /// It answered, and late.
    Slow,
    /// It failed.
    Failed,
    /// Nothing: somebody else is to blame, or nobody.
    Nothing,
}

impl Verdict {
    /// By the policy table. A success is slow whose first content (its whole answer, where it was no stream) came
    /// after `slow_after`.
    pub(crate) fn of(ended: &Ended, slow_after: Option<Duration>) -> Self {
        let policy = ended.class.policy();
        if policy.counts_in_ratio || policy.counts_in_streak {
            return Self::Failed;
        }
        if ended.class != OutcomeClass::Success {
            return Self::Nothing;
        }
        let waited = Duration::from_micros(u64::from(ended.ttft_us.unwrap_or(ended.total_us)));
        if slow_after.is_some_and(|limit| waited > limit) {
            Self::Slow
        } else {
            Self::Good
        }
    }

    /// Whether it was an answer.
    pub(crate) fn is_success(self) -> bool {
        matches!(self, Self::Good | Self::Slow)
    }

    /// What it adds to a window. Only what counts in the ratio is in it; a rate limit has a count of its own.
    pub(crate) fn counts(self, class: OutcomeClass) -> Counts {
        let failed = class.policy().counts_in_ratio;
        Counts {
            requests: u32::from(failed || self.is_success()),
            failures: u32::from(failed),
            slow: u32::from(self == Self::Slow),
            rate_limited: u32::from(class == OutcomeClass::RateLimited),
        }
    }
}

/// When what ended at `now` was sent.
pub(crate) fn sent_at(now: Moment, ended: &Ended) -> Moment {
    Moment::from_micros(now.micros().saturating_sub(u64::from(ended.total_us)))
}

/// Whether it was the fault of the target or of the credential: what an operator calls a failure.
pub(crate) fn is_failure(class: OutcomeClass) -> bool {
    matches!(class.policy().fault, Fault::Target | Fault::Credential)
}

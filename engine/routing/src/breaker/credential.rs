//! The state of one credential as used for one target: it rests after a rate limit, and is laid aside when the
//! provider does not accept it or its account is empty.
//!
//! Neither is the target's fault: with another credential it answers. Rate limits are counted per model by most
//! providers, so a rest is of one target; an account is one, so a death is told to the other targets of the
//! provider ([`CredentialHealth::follow`]). A credential is never laid aside for good: accounts are recharged,
//! and keys allowed again.
//!
//! Of many requests in flight that meet the same limit, the first one counts: what was sent before a verdict
//! neither adds to it nor, where it went well, lifts it.

use std::time::Duration;

use serde::Serialize;
use tollgate_core::{Moment, OutcomeClass};

use super::backoff::{doubled, prolonged, spread};
use crate::health::sent_at;
use crate::{CredentialState, Ended};

/// A provider that asks for a longer rest than this is asked again after this.
const LONGEST_REST: Duration = Duration::from_secs(300);
/// The rest after a rate limit that came without `Retry-After`: twice as long each time.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);
/// After this a credential that was not accepted is tried again.
const REJECTED_FOR: Duration = Duration::from_secs(600);
/// After this a credential without quota is tried again.
const EXHAUSTED_FOR: Duration = Duration::from_secs(300);
/// For how long a target believes another that the credential is not accepted: 403 may be about that one alone.
const BELIEVED_FOR: Duration = Duration::from_secs(60);
/// A target at which it was accepted so recently does not believe it at all.
const PROVEN_FOR: Duration = Duration::from_secs(60);
/// How far a backoff is spread, and how far the other times are prolonged at most.
const JITTER: (f64, f64) = (0.2, 0.1);

/// The state of one credential as used for one target.
#[derive(Debug, Clone)]
pub struct CredentialHealth {
    state: CredentialState,
    /// The outcome that led to it.
    cause: Option<OutcomeClass>,
    /// When it was judged last: what was sent before says nothing new.
    judged_at: Moment,
    rate_limits_in_a_row: u32,
    /// When a success that was sent after the last judgement came.
    proven_at: Option<Moment>,
}

/// Who is concerned by a change of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum CredentialChange {
    /// Nobody: nothing has changed.
    Nothing,
    /// This target: publish its state.
    Here,
    /// All targets of the provider: publish it, and let the others [`CredentialHealth::follow`].
    Everywhere,
}

/// A credential at a target, as people and the admin API read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CredentialReport {
    /// A [`CredentialState::name`].
    pub state: &'static str,
    /// Why it is not usable; `None`: it is.
    pub cause: Option<&'static str>,
    /// When it will be; `None`: it is.
    pub usable_in_ms: Option<u64>,
    /// Rate limits without a success between them.
    pub rate_limits_in_a_row: u32,
}

impl Default for CredentialHealth {
    fn default() -> Self {
        Self::new()
    }
}

impl CredentialHealth {
    /// A credential of which nothing is known: usable.
    pub const fn new() -> Self {
        Self {
            state: CredentialState::Usable,
            cause: None,
            judged_at: Moment::ZERO,
            rate_limits_in_a_row: 0,
            proven_at: None,
        }
    }

    /// Takes in the end of an attempt that used it. `jitter`, `0.0..1.0`, varies the times it rests.
    pub fn observe(&mut self, now: Moment, ended: &Ended, jitter: f64) -> CredentialChange {
        let is_news = sent_at(now, ended) >= self.judged_at;
        match ended.class {
            OutcomeClass::Success if is_news => self.has_worked(now),
            OutcomeClass::RateLimited => self.rate_limited(now, ended, is_news, jitter),
            OutcomeClass::CredentialRejected => self.dies(now, ended, is_news, REJECTED_FOR, jitter),
            OutcomeClass::QuotaExhausted => self.dies(now, ended, is_news, EXHAUSTED_FOR, jitter),
            _ => CredentialChange::Nothing,
        }
    }

    /// Hears of a change everywhere that another target of the provider has seen. Whether it changes this one.
    pub fn follow(&mut self, now: Moment, other: &Self) -> bool {
        let until = match other.state {
            CredentialState::Dead(until) if other.cause == Some(OutcomeClass::CredentialRejected) => {
                if self.proven_at.is_some_and(|at| now.since(at) < PROVEN_FOR) {
                    return false;
                }
                until.min(now + BELIEVED_FOR)
            }
            CredentialState::Dead(until) => until,
            CredentialState::Usable if matches!(self.state, CredentialState::Dead(_)) => {
                self.become_usable();
                return true;
            }
            CredentialState::Usable | CredentialState::Cooling(_) => return false,
        };
        if until <= self.usable_at() {
            return false;
        }
        self.judge(now, CredentialState::Dead(until), other.cause);
        true
    }

    /// Its state at `now`: what has rested long enough is usable.
    pub fn state(&self, now: Moment) -> CredentialState {
        if now < self.usable_at() {
            self.state
        } else {
            CredentialState::Usable
        }
    }

    /// When it may be used; what is past or [`Moment::ZERO`]: now.
    pub fn usable_at(&self) -> Moment {
        match self.state {
            CredentialState::Usable => Moment::ZERO,
            CredentialState::Cooling(until) | CredentialState::Dead(until) => until,
        }
    }

    /// It is another key by now, under the same name: that the old one was not accepted is over. Whether that changes
    /// anything. A limit or an empty account stays: those are the account's.
    pub fn renew(&mut self, now: Moment) -> bool {
        let was_rejected = matches!(self.state, CredentialState::Dead(_))
            && self.cause == Some(OutcomeClass::CredentialRejected);
        if was_rejected {
            self.judge(now, CredentialState::Usable, None);
        }
        was_rejected
    }

    /// Forgets what it knows, as an operator wishes.
    pub fn reset(&mut self, now: Moment) {
        *self = Self {
            judged_at: self.judged_at.max(now),
            ..Self::new()
        };
    }

    /// What people read.
    pub fn report(&self, now: Moment) -> CredentialReport {
        let state = self.state(now);
        let is_usable = state == CredentialState::Usable;
        let wait = self.usable_at().since(now).as_millis();
        CredentialReport {
            state: state.name(),
            cause: self.cause.filter(|_| !is_usable).map(OutcomeClass::name),
            usable_in_ms: (!is_usable).then(|| u64::try_from(wait).unwrap_or(u64::MAX)),
            rate_limits_in_a_row: self.rate_limits_in_a_row,
        }
    }

    fn has_worked(&mut self, now: Moment) -> CredentialChange {
        self.proven_at = Some(now);
        self.rate_limits_in_a_row = 0;
        match self.state {
            CredentialState::Usable => CredentialChange::Nothing,
            CredentialState::Cooling(_) => {
                self.become_usable();
                CredentialChange::Here
            }
            CredentialState::Dead(_) => {
                self.become_usable();
                CredentialChange::Everywhere
            }
        }
    }

    fn rate_limited(&mut self, now: Moment, ended: &Ended, is_news: bool, jitter: f64) -> CredentialChange {
        let held = self.state(now);
        let asked_for = ended.retry_after.filter(|wait| !wait.is_zero());
        if matches!(held, CredentialState::Dead(_)) || (!is_news && asked_for.is_none()) {
            return CredentialChange::Nothing;
        }
        if is_news {
            self.rate_limits_in_a_row = self.rate_limits_in_a_row.saturating_add(1);
        }
        let rest = asked_for.map_or_else(
            || {
                let times = self.rate_limits_in_a_row.saturating_sub(1);
                spread(doubled(FIRST_BACKOFF, times, LONGEST_BACKOFF), JITTER.0, jitter)
            },
            |wait| prolonged(wait.min(LONGEST_REST), JITTER.1, jitter).min(LONGEST_REST),
        );
        let until = (now + rest).max(self.usable_at());
        let state = CredentialState::Cooling(until);
        if held == state {
            return CredentialChange::Nothing;
        }
        if is_news {
            self.judge(now, state, Some(ended.class));
        } else {
            self.state = state;
            self.cause = Some(ended.class);
        }
        CredentialChange::Here
    }

    fn dies(
        &mut self,
        now: Moment,
        ended: &Ended,
        is_news: bool,
        dead_for: Duration,
        jitter: f64,
    ) -> CredentialChange {
        let is_dead = matches!(self.state(now), CredentialState::Dead(_));
        if is_dead && !is_news {
            return CredentialChange::Nothing;
        }
        let until = (now + prolonged(dead_for, JITTER.1, jitter)).max(self.usable_at());
        self.judge(now, CredentialState::Dead(until), Some(ended.class));
        CredentialChange::Everywhere
    }

    fn judge(&mut self, now: Moment, state: CredentialState, cause: Option<OutcomeClass>) {
        self.state = state;
        self.cause = cause;
        self.judged_at = self.judged_at.max(now);
        self.proven_at = None;
    }

    fn become_usable(&mut self) {
        self.state = CredentialState::Usable;
        self.cause = None;
    }
}

#[cfg(test)]
mod tests;

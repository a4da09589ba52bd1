//! The account of a request's attempts: what each came to, what all of them used and cost.
//!
//! Shared between the settlement, which reads it at the end, and the legs, which write it as they end. Several legs
//! may be under way at once, and each may be dropped at any moment; so the ledger is always true: an attempt that
//! was sent stands in it as left by the client until something better is known.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use tollgate_adapters::estimate_usage;
use tollgate_core::{AttemptNote, Clock, Nanodollars, Usage};
use tollgate_telemetry::AttemptRecord;

/// The account of one request's attempts. Lives on the worker's thread.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    attempts: RefCell<Vec<AttemptRecord>>,
    usage: Cell<Option<Usage>>,
    cost: Cell<Nanodollars>,
    /// Something was used whose price is not known.
    is_unpriced: Cell<bool>,
    /// What legs under way may still cost at the worst case.
    at_stake: Cell<Nanodollars>,
    /// Time in which somebody was waited for; two at once count once.
    upstream: Cell<Duration>,
    waited_until: Cell<Option<Instant>>,
    prompt_bytes: Cell<u64>,
    /// Nothing is booked: what was asked costs nothing anywhere.
    is_free: Cell<bool>,
    /// The client has its answer: who is still under way is no longer needed.
    is_answered: Cell<bool>,
}

impl Ledger {
    /// The request was read.
    pub(crate) fn request(&self, prompt_bytes: u64, is_free: bool) {
        self.prompt_bytes.set(prompt_bytes);
        self.is_free.set(is_free);
    }

    /// Prompt tokens, as estimated.
    pub(crate) fn prompt_tokens(&self) -> u64 {
        estimate_usage(self.prompt_bytes.get(), 0).prompt_total()
    }

    /// Bytes of text in the prompt.
    pub(crate) fn prompt_bytes(&self) -> u64 {
        self.prompt_bytes.get()
    }

    /// An attempt goes out: its number.
    pub(crate) fn open(&self, attempt: AttemptRecord) -> usize {
        let mut attempts = self.attempts.borrow_mut();
        attempts.push(attempt);
        attempts.len() - 1
    }

    /// Changes what is written of an attempt.
    pub(crate) fn amend(&self, number: usize, change: impl FnOnce(&mut AttemptRecord)) {
        if let Some(attempt) = self.attempts.borrow_mut().get_mut(number) {
            change(attempt);
        }
    }

    /// Books what an attempt used. `cost`: `None` where the price is not known. What is booked.
    pub(crate) fn book(&self, usage: Usage, cost: Option<Nanodollars>) -> Option<Nanodollars> {
        if self.is_free.get() {
            return None;
        }
        self.usage
            .set(Some(self.usage.get().map_or(usage, |before| before.plus(usage))));
        match cost {
            Some(cost) => self.cost.set(self.cost.get() + cost),
            None => self.is_unpriced.set(true),
        }
        cost
    }

    /// A leg that may cost so much is under way.
    pub(crate) fn stake(&self, worst: Nanodollars) {
        self.at_stake.set(self.at_stake.get() + worst);
    }

    /// It no longer is.
    pub(crate) fn settle_stake(&self, worst: Nanodollars) {
        self.at_stake
            .set(Nanodollars(self.at_stake.get().0.saturating_sub(worst.0)));
    }

    /// Somebody was waited for, from `since` until now.
    pub(crate) fn waited(&self, since: Instant) {
        let now = Clock.now();
        let from = self.waited_until.get().map_or(since, |until| until.max(since));
        self.upstream
            .set(self.upstream.get() + now.saturating_duration_since(from));
        self.waited_until.set(Some(now));
    }

    /// The client has its answer.
    pub(crate) fn answered(&self) {
        self.is_answered.set(true);
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.is_answered.get()
    }

    /// How many attempts were made.
    pub(crate) fn attempts(&self) -> usize {
        self.attempts.borrow().len()
    }

    /// What has been spent, and may still be by who is under way.
    pub(crate) fn committed(&self) -> Nanodollars {
        self.cost.get() + self.at_stake.get()
    }

    /// What was used; `None`: nothing.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.usage.get()
    }

    /// What it cost; `None`: nothing was used, or a price is not known.
    pub(crate) fn cost(&self) -> Option<Nanodollars> {
        self.usage.get()?;
        (!self.is_unpriced.get()).then(|| self.cost.get())
    }

    /// Time in which somebody was waited for.
    pub(crate) fn upstream(&self) -> Duration {
        self.upstream.get()
    }

    /// The attempts so far, as a client may see them.
    pub(crate) fn trail(&self) -> Vec<AttemptNote> {
        let note = |it: &AttemptRecord| AttemptNote {
            provider: it.provider.to_string(),
            model: it.model.to_string(),
            outcome: it.outcome,
            status: it.status,
            elapsed: it.elapsed,
        };
        self.attempts.borrow().iter().map(note).collect()
    }

    /// Hands over the attempts.
    pub(crate) fn take_attempts(&self) -> Vec<AttemptRecord> {
        self.attempts.take()
    }
}

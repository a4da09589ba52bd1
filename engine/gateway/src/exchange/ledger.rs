//! The account of a request's attempts: what each came to, what all of them used and cost.
//!
//! Shared between the settlement, which reads it at the end, and the legs, which write it as they end. Several legs
//! may be under way at once, and each may be dropped at any moment; so the ledger is always true: an attempt that
//! was sent stands in it as left by the client until something better is known.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tollgate_adapters::estimate_usage;
use tollgate_core::{AttemptNote, Clock, Nanodollars, Surface, Usage, UsageSource};
use tollgate_telemetry::AttemptRecord;

use crate::exchange::call::Call;
use crate::exchange::upload::Upload;

/// What is booked of what attempts use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Billing {
    /// What providers report, and what is estimated where they do not.
    #[default]
    Everything,
    /// Only what they report. What they do not leaves the cost unknown.
    AsTold,
    /// Nothing: what was asked costs nothing anywhere.
    Nothing,
}

impl Billing {
    fn of(surface: Surface) -> Self {
        match surface.through() {
            _ if surface.is_free() => Self::Nothing,
            Some(_) => Self::AsTold,
            None => Self::Everything,
        }
    }
}

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
    billing: Cell<Billing>,
    /// How much has come of a body that is passed on; `None`: none is.
    uploaded: RefCell<Option<Rc<Cell<u64>>>>,
    /// The client has its answer: who is still under way is no longer needed.
    is_answered: Cell<bool>,
}

impl Ledger {
    /// The request was read.
    pub(crate) fn request(&self, call: &Call) {
        self.prompt_bytes.set(call.head.prompt_bytes);
        self.billing.set(Billing::of(call.surface));
        *self.uploaded.borrow_mut() = call.upload().map(Upload::received);
    }

    /// Bytes of a body that was passed on, so far.
    pub(crate) fn uploaded(&self) -> u64 {
        self.uploaded
            .borrow()
            .as_ref()
            .map_or(0, |received| received.get())
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
        let usage = match self.billing.get() {
            Billing::Nothing => return None,
            Billing::AsTold if usage.source == UsageSource::Estimated => Usage::default(),
            _ => usage,
        };
        self.usage
            .set(Some(self.usage.get().map_or(usage, |before| before.plus(usage))));
        match cost {
            Some(cost) => self.cost.set(self.cost.get() + cost),
            None => self.is_unpriced.set(true),
        }
        cost
    }

    /// Whether so much was used that its price can be told: not where a provider tells nothing, and nothing is guessed.
    pub(crate) fn knows(&self, usage: &Usage) -> bool {
        self.billing.get() != Billing::AsTold || usage.source == UsageSource::Reported
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

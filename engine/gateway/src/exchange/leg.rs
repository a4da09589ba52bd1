//! A leg: one attempt at one target, from its permit to its verdict.
//!
//! Whatever way it ends, its account is kept: told of an end, it writes what it came to; dropped before that, it
//! writes that nobody wanted its answer any more, and what the provider will bill for the prompt all the same.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tollgate_adapters::{Loss, estimate_usage};
use tollgate_core::{Clock, Nanodollars, OutcomeClass, ServiceTier, Usage, UsageSource};
use tollgate_routing::{Candidate, Ended, Permit};
use tollgate_telemetry::{AttemptRecord, AttemptRole};

use crate::exchange::ledger::Ledger;

/// One attempt under way.
pub(crate) struct Leg {
    /// Whom it asks.
    pub(crate) candidate: Candidate,
    ledger: Rc<Ledger>,
    /// `None` once its end is told.
    permit: Option<Permit>,
    role: AttemptRole,
    number: Option<usize>,
    /// When the request went out; `None`: it did not yet.
    sent: Option<Instant>,
    /// When the first content of a stream came.
    first_token: Option<Instant>,
    loss: Vec<Box<str>>,
}

/// What an attempt came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verdict {
    /// What became of it.
    pub(crate) class: OutcomeClass,
    /// The provider's status; `None`: it did not answer.
    pub(crate) status: Option<u16>,
    /// What was used; `None`: nothing.
    pub(crate) usage: Option<Usage>,
    /// At what service level.
    pub(crate) tier: ServiceTier,
    /// What the provider says it cost; `None`: it does not say.
    pub(crate) stated_cost: Option<Nanodollars>,
    /// When the provider wants to be asked again.
    pub(crate) retry_after: Option<Duration>,
}

impl Verdict {
    /// An end at which nothing was used.
    pub(crate) fn of(class: OutcomeClass, status: Option<u16>) -> Self {
        Self {
            class,
            status,
            usage: None,
            tier: ServiceTier::Standard,
            stated_cost: None,
            retry_after: None,
        }
    }
}

impl Leg {
    /// Begins an attempt. Nothing is sent yet.
    pub(crate) fn begin(
        ledger: &Rc<Ledger>,
        candidate: Candidate,
        permit: Permit,
        role: AttemptRole,
    ) -> Self {
        ledger.stake(candidate.worst_cost.unwrap_or_default());
        let role = match role {
            AttemptRole::Ordinary if permit.is_probe() => AttemptRole::Probe,
            role => role,
        };
        Self {
            candidate,
            ledger: ledger.clone(),
            permit: Some(permit),
            role,
            number: None,
            sent: None,
            first_token: None,
            loss: Vec::new(),
        }
    }

    /// The request goes out now, without what `loss` names.
    pub(crate) fn sent(&mut self, loss: &Loss) {
        self.loss = loss.paths().map(Into::into).collect();
        self.sent = Some(Clock.now());
        self.number = Some(self.ledger.open(AttemptRecord {
            provider: self.candidate.target.provider.name.clone(),
            model: self.candidate.model.clone(),
            outcome: OutcomeClass::ClientGone,
            status: None,
            elapsed: Duration::ZERO,
            role: self.role,
            cost: None,
        }));
    }

    /// The provider was waited for, from when the request went out until now.
    pub(crate) fn waited(&self) {
        if let Some(sent) = self.sent {
            self.ledger.waited(sent);
        }
    }

    /// The first content of a stream is here.
    pub(crate) fn first_token(&mut self) {
        let (None, Some(sent)) = (self.first_token, self.sent) else {
            return;
        };
        let now = Clock.now();
        self.first_token = Some(now);
        if let Some(permit) = &self.permit {
            permit.first_token(Clock.moment(), micros(now.duration_since(sent)));
        }
    }

    /// The status is known, though not the end.
    pub(crate) fn answering(&self, status: u16) {
        let elapsed = self.elapsed();
        self.amend(|attempt| {
            attempt.status = Some(status);
            attempt.outcome = OutcomeClass::Success;
            attempt.elapsed = elapsed;
        });
    }

    /// From sending the request to the first content; `None`: not a stream, or none came.
    pub(crate) fn ttft(&self) -> Option<Duration> {
        Some(self.first_token?.duration_since(self.sent?))
    }

    /// From the first content until now; `None`: as for [`Leg::ttft`].
    pub(crate) fn generation(&self) -> Option<Duration> {
        Some(Clock.now().duration_since(self.first_token?))
    }

    /// The account that it is written into.
    pub(crate) fn ledger(&self) -> &Rc<Ledger> {
        &self.ledger
    }

    /// JSON paths that the request sent does not carry.
    pub(crate) fn loss(&self) -> &[Box<str>] {
        &self.loss
    }

    /// It is over: what was used is booked, and the target's health hears of it.
    pub(crate) fn end(mut self, verdict: &Verdict) {
        self.close(verdict);
    }

    fn close(&mut self, verdict: &Verdict) {
        let Some(permit) = self.permit.take() else { return };
        self.ledger
            .settle_stake(self.candidate.worst_cost.unwrap_or_default());
        let cost = verdict.usage.and_then(|usage| {
            let price = self.candidate.facts.price.as_ref();
            let price =
                price.filter(|it| it.covers(&usage) && (self.ledger.knows(&usage) || it.is_nothing()));
            let cost = verdict
                .stated_cost
                .or_else(|| Some(price?.cost(&usage, verdict.tier)));
            self.ledger.book(usage, cost)
        });
        let elapsed = self.elapsed();
        self.amend(|attempt| {
            attempt.outcome = verdict.class;
            attempt.status = verdict.status;
            attempt.elapsed = elapsed;
            attempt.cost = cost;
        });
        let usage = verdict.usage.unwrap_or_default();
        let reported = usage.source == UsageSource::Reported;
        permit.ended(
            Clock.moment(),
            Ended {
                class: verdict.class,
                streamed: self.first_token.is_some(),
                total_us: micros(elapsed),
                ttft_us: self.ttft().map(micros),
                output_tokens: narrow(usage.output_total()),
                prompt_tokens: if reported { narrow(usage.prompt_total()) } else { 0 },
                estimated_prompt_tokens: narrow(self.ledger.prompt_tokens()),
                retry_after: verdict.retry_after,
                ..Ended::without_verdict()
            },
        );
    }

    fn amend(&self, change: impl FnOnce(&mut AttemptRecord)) {
        if let Some(number) = self.number {
            self.ledger.amend(number, change);
        }
    }

    fn elapsed(&self) -> Duration {
        self.sent
            .map_or(Duration::ZERO, |sent| Clock.now().duration_since(sent))
    }
}

impl Drop for Leg {
    /// Not told of: its answer is no longer wanted, by the client or because another one came first.
    fn drop(&mut self) {
        if self.permit.is_none() {
            return;
        }
        let class = if self.ledger.is_answered() {
            OutcomeClass::Superseded
        } else {
            OutcomeClass::ClientGone
        };
        let prompt = self.sent.map(|_| estimate_usage(self.ledger.prompt_bytes(), 0));
        self.waited();
        self.close(&Verdict {
            usage: prompt,
            ..Verdict::of(class, None)
        });
    }
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

fn narrow(tokens: u64) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

//! Whose turn it is: the plan's candidates and their credentials, as far as a request may still go.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;
use tollgate_core::{AttemptNote, Clock, Nanodollars, Refusal, RefusalKind};
use tollgate_routing::{Contender, Credential, OnNoCandidates, Permit, Plan, Route, Target, Urgency};
use tollgate_telemetry::AttemptRole;

use super::failed::{Failed, Turn};
use super::request;
use crate::exchange::ledger::Ledger;
use crate::exchange::leg::Leg;
use crate::stages::bounds::Bounds;

/// Who is asked now.
pub(super) struct Asked<'p> {
    pub(super) leg: Leg,
    pub(super) credential: Option<&'p Credential>,
}

/// What comes next.
pub(super) enum Next<'p> {
    Try(Box<Asked<'p>>),
    /// Everybody has failed, and one of them wants to be asked again after this.
    Wait(Duration),
    Nobody,
}

/// Why a request went no further, when that was not the candidates' doing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stopped {
    TooLate,
    TooDear(Nanodollars),
    NoRetriesLeft,
    NotAdmitted,
}

/// The candidates of a plan, one after the other.
pub(super) struct Turns<'p> {
    plan: &'p Plan,
    bounds: &'p Bounds,
    ledger: Rc<Ledger>,
    most_attempts: usize,
    urgency: Urgency,
    /// The candidate whose credentials are tried.
    current: usize,
    /// Its credentials that are left.
    credentials: SmallVec<[request::Numbered<'p>; 2]>,
    is_loaded: bool,
    /// Who asked to be asked again, and when.
    comeback: Option<(usize, Duration)>,
    /// Whoever asked to be asked again is asked now: that its credential still rests by a hair is no reason not to.
    is_back: bool,
    is_over: bool,
    stopped: Option<Stopped>,
}

impl<'p> Turns<'p> {
    pub(super) fn new(plan: &'p Plan, bounds: &'p Bounds, ledger: Rc<Ledger>, last_resort: bool) -> Self {
        Self {
            plan,
            bounds,
            ledger,
            most_attempts: bounds.max_attempts(&plan.route),
            urgency: if last_resort {
                Urgency::NobodyElse
            } else {
                Urgency::Ordinary
            },
            current: 0,
            credentials: SmallVec::new(),
            is_loaded: false,
            comeback: None,
            is_back: false,
            is_over: false,
            stopped: None,
        }
    }

    /// The route that the plan was made for.
    pub(super) fn route(&self) -> &'p Route {
        &self.plan.route
    }

    /// Who is asked next.
    pub(super) fn next(&mut self) -> Next<'p> {
        loop {
            if let Some(asked) = self.ask(AttemptRole::Ordinary) {
                return Next::Try(Box::new(asked));
            }
            if self.is_over {
                return Next::Nobody;
            }
            if let Some(pause) = self.take_comeback() {
                return Next::Wait(pause);
            }
            if !self.turns_to_the_unhealthy() {
                return Next::Nobody;
            }
        }
    }

    /// Somebody else to be asked beside the one who is late, if that may cost so much.
    pub(super) fn hedge(&mut self, max_cost: Option<Nanodollars>) -> Option<Asked<'p>> {
        self.skip_candidate();
        let worst = self.plan.contender(self.current)?.worst_cost();
        if max_cost.is_some_and(|ceiling| worst.is_none_or(|worst| worst > ceiling)) {
            return None;
        }
        self.ask(AttemptRole::Hedge)
    }

    /// The next one to be asked, whoever has been asked before; but not this one.
    pub(super) fn ask_anyone_but(&mut self, target: &Arc<Target>, role: AttemptRole) -> Option<Asked<'p>> {
        let is_excluded = |it: Contender<'_>| Arc::ptr_eq(it.target, target);
        while self.plan.contender(self.current).is_some_and(is_excluded) {
            self.skip_candidate();
        }
        self.ask(role)
    }

    /// Moves on after a failure.
    pub(super) fn failed(&mut self, failed: &Failed) {
        let limit = self.plan.route.limits.max_retry_wait;
        let wait = failed.retry_after().filter(|wait| *wait <= limit);
        if let Some(wait) = wait
            && self.comeback.is_none_or(|(_, known)| wait < known)
        {
            let of = &failed.candidate().target;
            let place = self.plan.contenders().position(|it| Arc::ptr_eq(it.target, of));
            self.comeback = place.map(|at| (at, wait));
        }
        // A hedge has moved on already.
        let of = failed.candidate();
        let is_current = self
            .plan
            .contender(self.current)
            .is_some_and(|it| Arc::ptr_eq(it.target, &of.target) && *it.model == of.model);
        match failed.turn() {
            Turn::NextCandidate if is_current => self.skip_candidate(),
            Turn::NextCredential | Turn::NextCandidate => {}
            Turn::Nowhere => self.is_over = true,
        }
    }

    /// Whether the route's retry budget ended the line.
    pub(super) fn is_out_of_retries(&self) -> bool {
        self.stopped == Some(Stopped::NoRetriesLeft)
    }

    /// Why nobody was asked at all.
    pub(super) fn refusal(&self, bounds: &Bounds) -> Refusal {
        match self.stopped {
            Some(Stopped::TooLate) => late(bounds, &[]),
            Some(Stopped::TooDear(worst)) => {
                let ceiling = bounds.max_cost.unwrap_or_default();
                let message = format!(
                    "the request may cost ${worst} at the worst case, more than its ceiling of ${ceiling}: \
                     lower max_tokens or raise the ceiling"
                );
                Refusal::new(RefusalKind::MaxCostExceeded, message)
            }
            Some(Stopped::NotAdmitted) => Refusal::new(
                RefusalKind::NoCandidate,
                "the circuit breakers of all targets of this model are open",
            ),
            Some(Stopped::NoRetriesLeft) | None => Refusal::new(
                RefusalKind::NoCandidate,
                "no target of this model has a usable credential",
            ),
        }
    }

    /// The next candidate and credential that may be asked now.
    fn ask(&mut self, role: AttemptRole) -> Option<Asked<'p>> {
        let plan = self.plan;
        while !self.is_over {
            let contender = plan.contender(self.current)?;
            if self.ledger.attempts() >= self.most_attempts {
                self.is_over = true;
                return None;
            }
            self.load(contender.target);
            let Some((number, credential)) = self.credentials.pop() else {
                self.skip_candidate();
                continue;
            };
            if let Some(stopped) = self.forbids(contender) {
                self.stopped = Some(stopped);
                self.is_over = stopped == Stopped::TooLate && self.bounds.time_left() == Some(Duration::ZERO);
                self.skip_candidate();
                continue;
            }
            let Some(mut permit) = self.admit(contender.target) else {
                self.stopped = Some(Stopped::NotAdmitted);
                self.skip_candidate();
                continue;
            };
            let is_further = self.ledger.attempts() > 0;
            if is_further && !plan.route.retry_budget.withdraw(Clock.moment()) {
                self.stopped = Some(Stopped::NoRetriesLeft);
                self.is_over = true;
                return None;
            }
            permit.using(number);
            let leg = Leg::begin(&self.ledger, contender.candidate(), permit, role);
            return Some(Asked { leg, credential });
        }
        None
    }

    fn load(&mut self, target: &'p Target) {
        if !self.is_loaded {
            let anyway = self.is_back || self.urgency == Urgency::NobodyElse;
            self.credentials = request::credentials(target, Clock.moment(), anyway);
            self.is_loaded = true;
        }
    }

    fn skip_candidate(&mut self) {
        self.current += 1;
        self.is_back = false;
        self.credentials.clear();
        self.is_loaded = false;
    }

    /// Whether the request's time or money does not reach for this candidate.
    fn forbids(&self, contender: Contender<'_>) -> Option<Stopped> {
        if let Some(left) = self.bounds.time_left()
            && (left.is_zero() || contender.expected().is_some_and(|expected| expected > left))
        {
            return Some(Stopped::TooLate);
        }
        let ceiling = self.bounds.max_cost?;
        let worst = self.ledger.committed() + contender.worst_cost().unwrap_or(Nanodollars(u64::MAX));
        (worst > ceiling).then_some(Stopped::TooDear(worst))
    }

    fn admit(&self, target: &Target) -> Option<Permit> {
        if let Some(claim) = &self.plan.claim {
            claim.release();
        }
        let outcomes = &target.provider.outcomes;
        target.cell.admit(outcomes, Clock.moment(), self.urgency).ok()
    }

    /// Goes back to who asked to be asked again, if there is time to wait for that.
    fn take_comeback(&mut self) -> Option<Duration> {
        let (place, wait) = self.comeback.take()?;
        if self.bounds.time_left().is_some_and(|left| left <= wait) {
            return None;
        }
        self.current = place;
        self.is_loaded = false;
        self.is_back = true;
        Some(wait)
    }

    /// Breakers have closed everybody off between the plan and now, and nobody was asked: somebody must be.
    fn turns_to_the_unhealthy(&mut self) -> bool {
        let tries_anyway = self.plan.route.policy.on_no_candidates == OnNoCandidates::TryAnyway;
        let shut_out = self.urgency == Urgency::Ordinary && self.ledger.attempts() == 0 && tries_anyway;
        if shut_out {
            self.urgency = Urgency::NobodyElse;
            self.current = 0;
            self.is_loaded = false;
        }
        shut_out
    }
}

/// The time is over.
pub(super) fn late(bounds: &Bounds, trail: &[AttemptNote]) -> Refusal {
    let allowed = bounds.allowed().unwrap_or_default().as_millis();
    let tried = match trail {
        [] => "nobody could be asked in that time".to_owned(),
        [only] => format!("{} ({}) had not answered", only.provider, only.model),
        trail => format!("{} attempts were made", trail.len()),
    };
    let message = format!("the request's deadline of {allowed} ms is over: {tried}");
    Refusal::new(RefusalKind::DeadlineExceeded, message)
}

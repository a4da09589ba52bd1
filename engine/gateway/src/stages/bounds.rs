//! What a request may take and cost: what the client says in headers, within what its key allows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use tollgate_core::{Clock, Nanodollars, Refusal, RefusalKind, fnv1a};
use tollgate_routing::{Limits, Route};

use crate::exchange::incoming::header;
use crate::stages::authenticate::Caller;

const DEADLINE: HeaderName = HeaderName::from_static("x-tollgate-deadline-ms");
const MAX_COST: HeaderName = HeaderName::from_static("x-tollgate-max-cost-usd");
const MAX_ATTEMPTS: HeaderName = HeaderName::from_static("x-tollgate-max-attempts");
const SESSION: HeaderName = HeaderName::from_static("x-tollgate-session");
const REGIONS: HeaderName = HeaderName::from_static("x-tollgate-regions");
/// How often the official SDKs have sent this request before.
const SDK_RETRIES: HeaderName = HeaderName::from_static("x-stainless-retry-count");

/// The longest deadline that may be asked for, milliseconds: a day.
const LONGEST_DEADLINE_MS: u64 = 86_400_000;

/// What a request may take and cost.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    arrived: Instant,
    /// When it must be answered; `None`: no limit but the providers' timeouts.
    pub(crate) deadline: Option<Instant>,
    /// What it may cost, all attempts together; `None`: no limit.
    pub(crate) max_cost: Option<Nanodollars>,
    /// Attempts at most; `None`: as the route says.
    max_attempts: Option<usize>,
    /// Times that the client's own SDK has tried before.
    sdk_retries: usize,
    /// The client's conversation, as a hash; `None`: it does not say.
    pub(crate) session: Option<u64>,
    /// Where answers may come from; `None`: anywhere.
    pub(crate) regions: Option<Arc<[Arc<str>]>>,
}

impl Bounds {
    /// Reads what the client says. A header may only tighten what its key allows.
    pub(crate) fn read(request: &HttpRequest, caller: &Caller, arrived: Instant) -> Result<Self, Refusal> {
        let deadline_ms: Option<u64> = number(request, &DEADLINE, 1, LONGEST_DEADLINE_MS)?;
        let asked = header(request, &MAX_COST).map(|text| {
            Nanodollars::parse(text).map_err(|error| invalid(&MAX_COST, text, &error.to_string()))
        });
        let max_cost = [asked.transpose()?, caller.max_cost()]
            .into_iter()
            .flatten()
            .min();
        let max_attempts: Option<u64> = number(request, &MAX_ATTEMPTS, 1, 100)?;
        let sdk_retries = header(request, &SDK_RETRIES).and_then(|text| text.trim().parse().ok());
        let session = header(request, &SESSION).filter(|text| !text.is_empty());
        Ok(Self {
            arrived,
            deadline: deadline_ms.map(|millis| arrived + Duration::from_millis(millis)),
            max_cost,
            max_attempts: max_attempts.and_then(|most| usize::try_from(most).ok()),
            sdk_retries: sdk_retries.unwrap_or(0),
            session: session.map(|text| fnv1a(text.bytes())),
            regions: regions(request, caller),
        })
    }

    /// The same within what the route allows.
    pub(crate) fn within(mut self, limits: &Limits) -> Self {
        let route = limits.deadline.map(|limit| self.arrived + limit);
        self.deadline = [self.deadline, route].into_iter().flatten().min();
        self.max_cost = [self.max_cost, limits.max_cost].into_iter().flatten().min();
        self
    }

    /// Time left; `None`: no deadline.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let deadline = self.deadline?;
        Some(deadline.saturating_duration_since(Clock.now()))
    }

    /// How long all of it may take, as the client or the route says.
    pub(crate) fn allowed(&self) -> Option<Duration> {
        Some(self.deadline?.duration_since(self.arrived))
    }

    /// Attempts at most. A client's own retries count as attempts: six of ours for each of three of its own would
    /// be eighteen at a provider that is in trouble.
    pub(crate) fn max_attempts(&self, route: &Route) -> usize {
        let most = self
            .max_attempts
            .map_or(route.max_attempts, |most| most.min(route.max_attempts));
        most.saturating_sub(self.sdk_retries).max(1)
    }
}

/// Both the key's regions and the client's; where both say something, what both allow.
fn regions(request: &HttpRequest, caller: &Caller) -> Option<Arc<[Arc<str>]>> {
    let allowed = caller.regions();
    let Some(text) = header(request, &REGIONS) else {
        return allowed.cloned();
    };
    let asked = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let is_allowed = |name: &&str| allowed.is_none_or(|allowed| allowed.iter().any(|it| **it == **name));
    Some(asked.filter(is_allowed).map(Arc::from).collect())
}

fn number(request: &HttpRequest, name: &HeaderName, least: u64, most: u64) -> Result<Option<u64>, Refusal> {
    let Some(text) = header(request, name) else {
        return Ok(None);
    };
    match text.trim().parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ => Err(invalid(
            name,
            text,
            &format!("expected a whole number from {least} to {most}"),
        )),
    }
}

fn invalid(name: &HeaderName, found: &str, expected: &str) -> Refusal {
    let message = format!("the header {name} is '{found}': {expected}");
    Refusal::new(RefusalKind::InvalidField, message).at(name.to_string())
}

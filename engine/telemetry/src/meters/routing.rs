//! What the gateway tells of routing as it happens: breakers, health, budgets of retries, changes of routes.
//! (What can be read from a settled request is counted by [`Meters::settle`].)
//!
//! Every method finds handles that were made before and allocates nothing then; the first call for a route, a
//! provider or a target makes them.

use std::sync::Arc;
use std::time::Duration;

use tollgate_core::OutcomeClass;

use super::provider::ProviderMeters;
use super::route::RouteMeters;
use super::{JournalMeters, Meters, names};

/// How a staged change of routes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RolloutResult {
    /// It is live for all requests.
    Promoted,
    /// It broke what it had promised to keep, and was taken back.
    RolledBack,
    /// Somebody took it back, or replaced it, before it had proved itself.
    Aborted,
}

impl RolloutResult {
    const fn name(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled_back",
            Self::Aborted => "aborted",
        }
    }
}

impl Meters {
    /// A target's breaker went from one state to another: `closed`, `open`, `half_open`, `forced_open`,
    /// `forced_closed` or `drained`. Counts nothing if they are the same.
    pub fn breaker_changed(&self, provider: &str, model: &str, from: &'static str, to: &'static str) {
        self.provider(provider, |provider| {
            let signs = provider.signs(model);
            signs.state(Some(to));
            if from != to {
                signs.transition(to);
            }
        });
    }

    /// Shows the state of a target's breaker, of which nothing is known to have changed: at the start, or now and
    /// then.
    pub fn breaker_state(&self, provider: &str, model: &str, state: &'static str) {
        self.provider(provider, |provider| provider.signs(model).state(Some(state)));
    }

    /// Shows a target's health as routing sees it: peak-EWMA of the time to first token (`None`: never measured,
    /// or too long ago), errors among recent attempts (0 to 1), attempts under way.
    pub fn target_health(
        &self,
        provider: &str,
        model: &str,
        ttft: Option<Duration>,
        error_ratio: f64,
        in_flight: u64,
    ) {
        self.provider(provider, |provider| {
            provider.signs(model).health(ttft, error_ratio, in_flight);
        });
    }

    /// A target is no longer configured: its breaker is in no state, and nothing is known of its health. Should it
    /// come back, it is shown again.
    pub fn target_gone(&self, provider: &str, model: &str) {
        let known = |provider: &Arc<ProviderMeters>| provider.known_signs(model);
        if let Some(signs) = self.shared.providers.existing(provider, known).flatten() {
            signs.state(None);
            signs.health(None, f64::NAN, 0);
        }
    }

    /// Nobody else was asked, because the route's retry budget is spent.
    pub fn retry_refused(&self, route: &str) {
        self.route(route, RouteMeters::retry_refused);
    }

    /// Nobody was healthy, and the best was asked all the same.
    pub fn panicked(&self, route: &str) {
        self.route(route, RouteMeters::panicked);
    }

    /// A candidate was left out of a plan. `filter`: the name of the reason.
    pub fn filtered(&self, route: &str, filter: &'static str) {
        self.route(route, |route| route.filtered(filter));
    }

    /// How many outcomes at a provider were lost on their way to its health, since the start: the total, not what
    /// was added. A total that is less than one told before changes nothing.
    pub fn outcomes_dropped(&self, provider: &str, total: u64) {
        self.provider(provider, |provider| provider.outcomes_dropped(total));
    }

    /// A provider was asked for a sign of life. `result`: [`OutcomeClass::Success`], or what went wrong.
    pub fn probed(&self, provider: &str, result: OutcomeClass) {
        self.provider(provider, |provider| provider.probed(result));
    }

    /// Says which version of the routes is in force.
    pub fn route_version(&self, version: u64) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a count of changes stays far below 2^53"
        )]
        self.shared.route_version.set(version as f64);
    }

    /// A staged change of routes is over.
    pub fn rollout_ended(&self, result: RolloutResult) {
        let make = || self.shared.registry.counter(&names::ROLLOUTS, &[result.name()]);
        self.shared
            .rollouts
            .with(result, make, |counter| counter.increment(1));
    }

    /// What the journal of decisions counts.
    pub fn decision_journal(&self) -> JournalMeters {
        self.shared.decision_journal.clone()
    }
}

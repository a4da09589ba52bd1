//! Tollgate itself: planner, board, health and breakers, driven as their actors drive them.

use std::collections::HashMap;
use std::sync::Arc;

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tollgate_core::{
    Capabilities, Moment, OutcomeClass, PicodollarsPerToken, Price, ProviderKind, Rates, Surface,
};
use tollgate_routing::{
    Ask, Board, Breaker, BreakerSettings, Catalog, Changed, CredentialChange, CredentialHealth, Ended,
    HealthSettings, ModelFacts, OutcomeRing, Permit, Planner, Policy, Provider, Route, RouteTarget, Stage,
    Strategy as By, Target, TargetHealth, TargetId, Urgency, Weights,
};

use super::scenario::{Failure, State};
use super::{Attempt, Strategy};

/// What is known of one target, by its owners.
struct Watched {
    target: Arc<Target>,
    ring: Arc<OutcomeRing>,
    health: TargetHealth,
    breaker: Breaker,
    credential: CredentialHealth,
}

/// Tollgate.
pub(super) struct Ours {
    catalog: Catalog,
    planner: Planner,
    watched: Vec<Watched>,
    /// Whom the last plan names, by candidate.
    last_resort: bool,
    permits: HashMap<(usize, usize), Permit>,
    rng: SmallRng,
}

impl Ours {
    pub(super) fn new(states: &[State], weights: (f32, f32), seed: u64) -> Option<Self> {
        let board = Board::default();
        let mut watched = Vec::new();
        let mut entries = Vec::new();
        for (id, state) in (0u32..).zip(states) {
            let url = http::Uri::from_static("http://127.0.0.1:1");
            let mut provider = Provider::new(&format!("p{id}"), ProviderKind::OpenAi, url, &board);
            provider.credentials = vec![tollgate_routing::Credential {
                name: "key".into(),
                proof: tollgate_routing::Proof::Key(tollgate_core::Secret::new("simulated")),
                weight: 1,
            }];
            let ring = provider.outcomes.clone();
            let facts = ModelFacts {
                price: Some(price(state.price)),
                ..ModelFacts::default()
            };
            let target = Target::new(TargetId(id), Arc::new(provider), Some("m".into()), facts, &board);
            let target = Arc::new(target);
            entries.push(RouteTarget::new(target.clone()));
            watched.push(Watched {
                target,
                ring,
                health: TargetHealth::new(HealthSettings::default()),
                breaker: Breaker::new(BreakerSettings::default(), Moment::ZERO),
                credential: CredentialHealth::new(),
            });
        }
        let mut route = Route::new("m", entries)?;
        route.policy = Policy {
            strategy: By::Scored,
            weights: Weights {
                cost: weights.0,
                latency: weights.1,
                availability: 1.0,
            },
            ..Policy::default()
        };
        Some(Self {
            catalog: Catalog::new(1, Vec::new(), vec![route]),
            planner: Planner::default(),
            watched,
            last_resort: false,
            permits: HashMap::new(),
            rng: SmallRng::seed_from_u64(seed),
        })
    }

    fn drain(&mut self, now: Moment, index: usize) {
        let jitter = self.rng.random();
        let Some(watched) = self.watched.get_mut(index) else {
            return;
        };
        while let Some(seen) = watched.ring.pop() {
            watched.health.observe(&seen);
            let Stage::Ended(ended) = seen.stage else { continue };
            let changed = watched.breaker.observe(seen.at, &ended, jitter);
            watched.publish(now, changed);
            if watched.credential.observe(seen.at, &ended, jitter) != CredentialChange::Nothing
                && let Some(cell) = watched.target.credentials.first()
            {
                cell.set(watched.credential.state(now));
            }
        }
        if watched.breaker.next_tick().is_some_and(|due| due <= now) {
            let changed = watched.breaker.tick(now);
            watched.publish(now, changed);
        }
        watched.target.cell.publish(&watched.health.vitals(now));
    }
}

impl Watched {
    fn publish(&self, now: Moment, changed: Changed) {
        match changed {
            Changed::Nothing => {}
            Changed::Gate | Changed::State => self.target.cell.set_gate(self.breaker.gate()),
            Changed::ReturnProbe(generation) => self.target.cell.return_probe(generation, now),
        }
    }
}

impl Strategy for Ours {
    fn order(&mut self, now: Moment, _: &[State]) -> Vec<usize> {
        let ask = Ask {
            now,
            seed: self.rng.random(),
            surface: Surface::ChatCompletions,
            model: "m",
            needs: Capabilities::NONE,
            prompt_tokens: 100,
            max_output_tokens: None,
            stream: true,
            session: None,
            warm: None,
            time_left: None,
            max_cost: None,
            regions: None,
            targets: &[],
        };
        match self.planner.plan(&self.catalog, &ask) {
            Ok(plan) => {
                self.last_resort = plan.decision.is_panic();
                let index = |id: TargetId| usize::try_from(id.0).unwrap_or(0);
                plan.contenders().map(|it| index(it.target.id)).collect()
            }
            Err(_) => Vec::new(),
        }
    }

    fn admits(&mut self, now: Moment, target: usize, request: usize) -> bool {
        let Some(watched) = self.watched.get(target) else {
            return false;
        };
        let urgency = if self.last_resort {
            Urgency::NobodyElse
        } else {
            Urgency::Ordinary
        };
        let usable = self.last_resort || watched.target.credentials.iter().all(|it| it.is_usable(now));
        let admitted = usable.then(|| watched.target.cell.admit(&watched.ring, now, urgency).ok());
        let Some(mut permit) = admitted.flatten() else {
            return false;
        };
        permit.using(Some(0));
        self.permits.insert((request, target), permit);
        true
    }

    fn first_token(&mut self, now: Moment, target: usize, request: usize, ttft_us: u32) {
        if let Some(permit) = self.permits.get(&(request, target)) {
            permit.first_token(now, ttft_us);
        }
    }

    fn ended(&mut self, now: Moment, attempt: &Attempt) {
        let Some(permit) = self.permits.remove(&(attempt.request, attempt.target)) else {
            return;
        };
        let class = match attempt.failure {
            None => OutcomeClass::Success,
            Some(Failure::ServerError) => OutcomeClass::ServerError,
            Some(Failure::Refused) => OutcomeClass::ConnectFailed,
            Some(Failure::RateLimited) => OutcomeClass::RateLimited,
        };
        let is_answer = attempt.failure.is_none();
        permit.ended(
            now,
            Ended {
                class,
                streamed: is_answer,
                total_us: attempt.total_us,
                ttft_us: is_answer.then_some(attempt.ttft_us),
                output_tokens: attempt.tokens,
                retry_after: (attempt.failure == Some(Failure::RateLimited))
                    .then_some(std::time::Duration::from_secs(1)),
                ..Ended::without_verdict()
            },
        );
    }

    fn tick(&mut self, now: Moment) {
        (0..self.watched.len()).for_each(|index| self.drain(now, index));
    }
}

fn price(dollars_per_million: f64) -> Arc<Price> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a small price"
    )]
    let output = PicodollarsPerToken((dollars_per_million * 1e6) as u64);
    Arc::new(Price {
        base: Rates {
            output,
            ..Rates::default()
        },
        ..Price::default()
    })
}

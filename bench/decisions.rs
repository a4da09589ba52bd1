//! Something to decide: routes of any width whose targets have been measured, as after some minutes of traffic.

use std::sync::Arc;

use tollgate_core::{
    Capabilities, Moment, OutcomeClass, PicodollarsPerToken, Price, ProviderKind, Rates, Secret, Surface,
};
use tollgate_routing::{
    Ask, Board, Catalog, Credential, Ended, HealthSettings, ModelFacts, OutcomeRing, Planner, Policy,
    Provider, Question, Route, RouteTarget, Strategy, Target, TargetHealth, TargetId, Urgency,
};

/// The moment at which everything has been measured and is still fresh.
pub const NOW: Moment = Moment::from_millis(60_000);

/// Requests that each target has answered.
const ANSWERS: u32 = 20;

/// A catalog of one route, `fast`, and what it was made from.
pub struct Routed {
    /// The route is all there is in it.
    pub catalog: Catalog,
    /// Its targets, each at a provider of its own, with one key.
    pub targets: Vec<Arc<Target>>,
}

impl Routed {
    /// A route with so many targets, which scores decide. Each has been measured, costs something, and has requests
    /// in flight. `None`: never.
    pub fn new(targets: u32) -> Option<Self> {
        let board = Board::default();
        let targets: Vec<_> = (0..targets).map(|id| Arc::new(target(id, &board))).collect();
        for (number, target) in (0u32..).zip(&targets) {
            measure(target, number);
        }
        let entries = targets.iter().cloned().map(RouteTarget::new).collect();
        let mut route = Route::new("fast", entries)?;
        route.policy = Policy {
            strategy: Strategy::Scored,
            ..Policy::default()
        };
        let catalog = Catalog::new(1, Vec::new(), vec![route]);
        Some(Self { catalog, targets })
    }

    /// What is asked when one request comes. `None`: never.
    pub fn question(&self) -> Option<Question> {
        let plan = Planner::default().plan(&self.catalog, &ask(7)).ok()?;
        Some(plan.decision.question)
    }
}

/// A stream is asked for.
pub fn ask(seed: u64) -> Ask<'static> {
    Ask {
        now: NOW,
        seed,
        surface: Surface::ChatCompletions,
        model: "fast",
        needs: Capabilities::NONE,
        prompt_tokens: 400,
        max_output_tokens: Some(256),
        stream: true,
        session: None,
        warm: None,
        time_left: None,
        max_cost: None,
        regions: None,
        targets: &[],
    }
}

/// A good answer of 100 tokens in 1.2 seconds.
pub fn answered() -> Ended {
    Ended {
        class: OutcomeClass::Success,
        streamed: true,
        total_us: 1_200_000,
        ttft_us: Some(200_000),
        output_tokens: 100,
        prompt_tokens: 410,
        estimated_prompt_tokens: 400,
        ..Ended::without_verdict()
    }
}

fn target(id: u32, board: &Board) -> Target {
    let url = http::Uri::from_static("http://127.0.0.1:1/v1");
    let mut provider = Provider::new(&format!("p{id}"), ProviderKind::OpenAi, url, board);
    provider.credentials = vec![Credential {
        name: "key".into(),
        proof: tollgate_routing::Proof::Key(Secret::new("nobody's")),
        weight: 1,
    }];
    let cents = u64::from(id % 5 + 1);
    let rates = Rates {
        input: PicodollarsPerToken(50_000 * cents),
        output: PicodollarsPerToken(200_000 * cents),
        ..Rates::default()
    };
    let price = Price {
        base: rates,
        ..Price::default()
    };
    let facts = ModelFacts {
        price: Some(Arc::new(price)),
        context_tokens: Some(128_000),
        max_output_tokens: Some(16_384),
        capabilities: Some(Capabilities::NONE),
    };
    Target::new(TargetId(id), Arc::new(provider), Some("m".into()), facts, board)
}

/// Lets a target answer, the nth somewhat slower than the one before, and tells its cell.
fn measure(target: &Arc<Target>, number: u32) {
    let ring = Arc::new(OutcomeRing::new(64));
    let mut health = TargetHealth::new(HealthSettings::default());
    for answer in 1..=ANSWERS {
        let now = Moment::from_millis(NOW.millis() - 100 * u64::from(ANSWERS - answer) - 50);
        let Ok(permit) = target.cell.admit(&ring, now, Urgency::Ordinary) else {
            continue;
        };
        let slower = number % 40 * 5_000 + answer * 500;
        permit.first_token(now, 200_000 + slower);
        permit.ended(
            now,
            Ended {
                total_us: 1_200_000 + slower,
                ttft_us: Some(200_000 + slower),
                ..answered()
            },
        );
    }
    while let Some(seen) = ring.pop() {
        health.observe(&seen);
    }
    target.cell.publish(&health.vitals(NOW));
}

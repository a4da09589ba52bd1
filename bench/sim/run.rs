//! The event loop: requests arrive, attempts begin and end, time passes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use tollgate_core::Moment;

use super::figures::{Figures, Served};
use super::ours::Ours;
use super::rivals::Rival;
use super::scenario::{ERROR_AFTER, Failure, REFUSED_AFTER, REQUESTS_PER_SECOND, Scenario, State, TOKENS};
use super::{Attempt, Kind, Strategy};

/// One strategy in one story.
pub struct Run {
    /// Who decided.
    pub kind: Kind,
    /// What came of it.
    pub figures: Figures,
}

/// How often outcomes are drained and timers looked at, as in the health actor.
const TICK_US: u64 = 5_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Tick,
    Arrive,
    FirstToken(usize),
    End(usize),
}

/// A request on its way.
struct Request {
    arrived: Moment,
    order: Vec<usize>,
    /// The next in the order.
    next: usize,
    first: Option<usize>,
    attempts: u32,
    sent: Moment,
    tokens: u32,
    under_way: Option<Attempt>,
}

struct World<'s> {
    scenario: &'s Scenario,
    strategy: Box<dyn Strategy>,
    /// Draws what happens to requests: the same for every strategy.
    rng: SmallRng,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    serial: u64,
    requests: Vec<Request>,
    served: Vec<Served>,
}

/// Runs a story. `None`: our own strategy could not be set up.
pub fn simulate(scenario: &Scenario, kind: Kind, seed: u64) -> Option<Run> {
    let states = (scenario.providers)(Moment::ZERO);
    let strategy: Box<dyn Strategy> = match kind {
        Kind::Ours => Box::new(Ours::new(&states, scenario.weights, seed)?),
        other => Box::new(Rival::new(other, states.len(), scenario.weights, seed)),
    };
    let mut world = World {
        scenario,
        strategy,
        rng: SmallRng::seed_from_u64(seed ^ 0x5eed),
        events: BinaryHeap::new(),
        serial: 0,
        requests: Vec::new(),
        served: Vec::new(),
    };
    world.at(0, Event::Arrive);
    world.at(0, Event::Tick);
    let end = scenario.length * 1_000_000;
    while let Some(Reverse((time, _, event))) = world.events.pop() {
        if time > end {
            break;
        }
        world.happen(Moment::from_micros(time), event);
    }
    Some(Run {
        kind,
        figures: Figures::of(scenario, &world.served),
    })
}

impl World<'_> {
    fn at(&mut self, time_us: u64, event: Event) {
        self.serial += 1;
        self.events.push(Reverse((time_us, self.serial, event)));
    }

    fn happen(&mut self, now: Moment, event: Event) {
        match event {
            Event::Tick => {
                self.strategy.tick(now);
                self.at(now.micros() + TICK_US, Event::Tick);
            }
            Event::Arrive => {
                let gap = -(1.0 - self.rng.random::<f64>()).ln() / REQUESTS_PER_SECOND;
                self.at(now.micros() + micros(gap * 1e6), Event::Arrive);
                self.arrive(now);
            }
            Event::FirstToken(request) => {
                if let Some(attempt) = self.requests[request].under_way {
                    self.strategy
                        .first_token(now, attempt.target, request, attempt.ttft_us);
                }
            }
            Event::End(request) => self.end(now, request),
        }
    }

    fn arrive(&mut self, now: Moment) {
        let truth = (self.scenario.providers)(now);
        let tokens = self.log_normal(TOKENS.0, TOKENS.1).clamp(2.0, 2_000.0);
        let order = self.strategy.order(now, &truth);
        self.requests.push(Request {
            arrived: now,
            order,
            next: 0,
            first: None,
            attempts: 0,
            sent: now,
            tokens: u32::try_from(micros(tokens)).unwrap_or(2),
            under_way: None,
        });
        self.attempt(now, self.requests.len() - 1);
    }

    /// Asks the next in the order who may be asked.
    fn attempt(&mut self, now: Moment, request: usize) {
        loop {
            let Some(target) = self.requests[request]
                .order
                .get(self.requests[request].next)
                .copied()
            else {
                return self.give_up(now, request);
            };
            self.requests[request].next += 1;
            if !self.strategy.admits(now, target, request) {
                continue;
            }
            let state = (self.scenario.providers)(now)[target];
            let attempt = self.outcome(request, target, &state);
            let it = &mut self.requests[request];
            it.attempts += 1;
            it.first.get_or_insert(target);
            it.sent = now;
            it.under_way = Some(attempt);
            if attempt.failure.is_none() {
                self.at(
                    now.micros() + u64::from(attempt.ttft_us),
                    Event::FirstToken(request),
                );
            }
            self.at(now.micros() + u64::from(attempt.total_us), Event::End(request));
            return;
        }
    }

    /// What will become of an attempt that is sent now.
    fn outcome(&mut self, request: usize, target: usize, state: &State) -> Attempt {
        let failure = (self.rng.random::<f64>() < state.error).then_some(state.failure);
        let tokens = self.requests[request].tokens;
        let ttft = self.log_normal(state.ttft_ms, state.sigma) * 1e3;
        let total = match failure {
            Some(Failure::Refused) => REFUSED_AFTER.as_secs_f64() * 1e6,
            Some(_) => ERROR_AFTER.as_secs_f64() * 1e6,
            None => ttft + f64::from(tokens - 1) * state.per_token_ms * 1e3,
        };
        let narrow = |time: f64| u32::try_from(micros(time)).unwrap_or(u32::MAX);
        Attempt {
            request,
            target,
            failure,
            ttft_us: narrow(ttft),
            total_us: narrow(total),
            tokens: if failure.is_some() { 0 } else { tokens },
        }
    }

    fn end(&mut self, now: Moment, request: usize) {
        let Some(attempt) = self.requests[request].under_way.take() else {
            return;
        };
        self.strategy.ended(now, &attempt);
        if attempt.failure.is_some() {
            return self.attempt(now, request);
        }
        let it = &self.requests[request];
        let price = (self.scenario.providers)(it.sent)[attempt.target].price;
        let waited = it.sent.since(it.arrived).as_secs_f64() + f64::from(attempt.ttft_us) / 1e6;
        self.served.push(Served {
            arrived: it.arrived,
            first: it.first,
            attempts: it.attempts,
            ttft: Some(waited),
            cost: f64::from(attempt.tokens) * price / 1e6,
        });
        self.requests[request].order = Vec::new();
    }

    fn give_up(&mut self, _: Moment, request: usize) {
        let it = &self.requests[request];
        self.served.push(Served {
            arrived: it.arrived,
            first: it.first,
            attempts: it.attempts,
            ttft: None,
            cost: 0.0,
        });
    }

    /// By Box and Muller 1958.
    fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        let (a, b): (f64, f64) = (1.0 - self.rng.random::<f64>(), self.rng.random());
        let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
        median * (sigma * normal).exp()
    }
}

fn micros(value: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and times are positive"
    )]
    let whole = value as u64;
    whole
}

//! What others do, as published; and who knows everything.

use rand::rngs::SmallRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tollgate_core::Moment;

use super::scenario::State;
use super::{Attempt, Kind, Strategy};

/// The time constant of tower's estimate, microseconds: its documentation's ten seconds.
const TOWER_DECAY_US: f64 = 10_000_000.0;
/// The weight of a sample in a plain average.
const PLAIN_WEIGHT: f64 = 0.1;

/// A strategy other than ours. None has a breaker; all go on to the next in their order when one fails.
pub(super) struct Rival {
    kind: Kind,
    rng: SmallRng,
    turn: usize,
    in_flight: Vec<u32>,
    plain_us: Vec<Option<f64>>,
    tower: Vec<Option<(f64, Moment)>>,
    weights: (f32, f32),
}

impl Rival {
    pub(super) fn new(kind: Kind, targets: usize, weights: (f32, f32), seed: u64) -> Self {
        Self {
            kind,
            rng: SmallRng::seed_from_u64(seed),
            turn: 0,
            in_flight: vec![0; targets],
            plain_us: vec![None; targets],
            tower: vec![None; targets],
            weights,
        }
    }

    /// Tower's load: the estimate, decayed towards zero for the time in which nothing was heard, times requests
    /// pending.
    fn tower_load(&self, now: Moment, target: usize) -> f64 {
        let pending = f64::from(self.in_flight[target]) + 1.0;
        let Some((estimate, at)) = self.tower[target] else {
            return 0.0;
        };
        let idle = now.since(at).as_secs_f64() * 1e6;
        estimate * (-idle / TOWER_DECAY_US).exp() * pending
    }

    fn sample(&mut self, now: Moment, target: usize, time_us: f64) {
        let plain = self.plain_us[target].unwrap_or(time_us);
        self.plain_us[target] = Some(plain + (time_us - plain) * PLAIN_WEIGHT);
        self.tower[target] = Some(match self.tower[target] {
            Some((estimate, at)) if time_us < estimate => {
                let kept = (-(now.since(at).as_secs_f64() * 1e6) / TOWER_DECAY_US).exp();
                (estimate * kept + time_us * (1.0 - kept), now)
            }
            _ => (time_us, now),
        });
    }

    /// Expected cost of the true parameters, by the objective that ours optimises.
    fn truth(&self, state: &State) -> f64 {
        let time = state.ttft_ms + state.per_token_ms * super::scenario::TOKENS.0;
        let (cost, latency) = self.weights;
        f64::from(cost) * state.price.ln() + f64::from(latency) * time.ln() + (state.error + 0.01).ln()
    }
}

impl Strategy for Rival {
    fn order(&mut self, now: Moment, truth: &[State]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..truth.len()).collect();
        let by = |order: &mut Vec<usize>, key: &dyn Fn(usize) -> f64| {
            order.sort_by(|a, b| key(*a).total_cmp(&key(*b)));
        };
        match self.kind {
            Kind::RoundRobin | Kind::Ours => {
                self.turn += 1;
                order.rotate_left(self.turn % truth.len());
            }
            Kind::LeastInFlight => {
                order.shuffle(&mut self.rng);
                by(&mut order, &|it| f64::from(self.in_flight[it]));
            }
            Kind::PlainEwma => by(&mut order, &|it| self.plain_us[it].unwrap_or(0.0)),
            Kind::PeakEwmaP2c => {
                order.shuffle(&mut self.rng);
                if self.tower_load(now, order[1]) < self.tower_load(now, order[0]) {
                    order.swap(0, 1);
                }
            }
            Kind::Oracle => {
                by(&mut order, &|it| self.truth(&truth[it]));
                // As ours does, it spreads what is about equally good.
                let best = self.truth(&truth[order[0]]);
                let near = order
                    .iter()
                    .take_while(|it| self.truth(&truth[**it]) <= best + 0.14)
                    .count();
                let first = self.rng.random_range(0..near);
                order[..=first].rotate_right(1);
            }
        }
        order
    }

    fn admits(&mut self, _: Moment, target: usize, _: usize) -> bool {
        self.in_flight[target] += 1;
        true
    }

    fn first_token(&mut self, now: Moment, target: usize, _: usize, ttft_us: u32) {
        self.sample(now, target, f64::from(ttft_us));
    }

    fn ended(&mut self, now: Moment, attempt: &Attempt) {
        self.in_flight[attempt.target] -= 1;
        if attempt.failure.is_some() {
            // What these balancers see: an answer, and how soon it came.
            self.sample(now, attempt.target, f64::from(attempt.total_us));
        }
    }

    fn tick(&mut self, _: Moment) {}
}

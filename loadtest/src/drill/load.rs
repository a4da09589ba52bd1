//! The load of a drill: chats and messages, streamed and not, at a steady rate; where there are two gateways, behind a
//! balancer that asks them whether they are ready.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use super::http::Http;
use super::plan::Plan;
use super::site::Site;
use crate::load::number::{index, whole};
use crate::load::{
    Arrival, CancelWhen, Cancels, Contestant, Profile, PromptSize, Protocol, Repeats, RequestKind, Scenario,
    Secret, Spacing, Spread, Summary, Surface, Watcher, Window, Witness, run_spread,
};

/// How often a balancer asks its servers whether they are ready.
const READINESS_EVERY: Duration = Duration::from_millis(250);
/// No drill lasts so long.
const FOR_EVER: Duration = Duration::from_secs(24 * 60 * 60);
/// Connections that are opened before the first request.
const CONNECTIONS: usize = 16;
/// The share of streams. They take longer: were it half, the median would be either.
const STREAMS: f64 = 0.4;
/// Bytes of a prompt.
const PROMPT_BYTES: u64 = 400;

/// What is sent, and where.
pub(super) struct Load {
    scenario: Scenario,
    contestant: Contestant,
    gateways: Vec<SocketAddr>,
    spread: Spread,
    /// How often the balancer has asked all of them. Written by the balancer.
    asked: Arc<AtomicU64>,
    witness: Witness,
    novelty: u64,
    /// Written by whoever leads the drill, as is the next.
    is_over: Arc<AtomicBool>,
    is_given_up: Arc<AtomicBool>,
}

impl Load {
    pub(super) fn new(plan: &Plan, model: &str, site: &dyn Site, witness: Witness) -> anyhow::Result<Self> {
        let gateways: Vec<_> = (0..).map_while(|number| site.gateway(number)).collect();
        let first = gateways.first().context("no gateway")?;
        Ok(Self {
            scenario: scenario(plan, model, site.key()),
            contestant: Contestant {
                name: "gateway".to_owned(),
                url: format!("http://{first}"),
                pid: None,
                ..Contestant::default()
            },
            spread: Spread::new(gateways.iter().copied()),
            gateways,
            asked: Arc::default(),
            witness,
            novelty: plan.novelty,
            is_over: Arc::default(),
            is_given_up: Arc::default(),
        })
    }

    /// Sends until it is told to end.
    pub(super) fn send(&self) -> anyhow::Result<Summary> {
        let mut watcher = Watcher {
            progress: &mut |_| {},
            stop: Arc::clone(&self.is_given_up),
            enough: Arc::clone(&self.is_over),
            witness: Some(Arc::clone(&self.witness)),
        };
        run_spread(
            &self.scenario,
            &self.contestant,
            &self.spread,
            self.novelty,
            &mut watcher,
        )
    }

    /// How often the balancer has asked all gateways whether they are ready, and has heeded the answers.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Acquire)
    }

    /// Sends nothing any more. Who still waits for an answer is waited for.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Nor waits for anybody.
    pub(super) fn give_up(&self) {
        self.end();
        self.is_given_up.store(true, Ordering::Relaxed);
    }

    /// Takes gateways out of service that are not ready, until the load ends. There is nothing to balance with one.
    pub(super) fn balance(&self) -> anyhow::Result<()> {
        if self.gateways.len() < 2 {
            return Ok(());
        }
        let http = Http::new("")?;
        while !self.is_over.load(Ordering::Relaxed) {
            for (number, gateway) in self.gateways.iter().enumerate() {
                if http.status(*gateway, "/readyz") == Some(200) {
                    self.spread.take_in(number);
                } else {
                    self.spread.take_out(number);
                }
            }
            // What it says of who is in service was written before.
            self.asked.fetch_add(1, Ordering::Release);
            thread::sleep(READINESS_EVERY);
        }
        Ok(())
    }
}

fn scenario(plan: &Plan, model: &str, key: String) -> Scenario {
    let kind = |surface, weight| {
        let kind = RequestKind {
            surface,
            model: model.to_owned(),
            stream: STREAMS,
            prompt: None,
            answer_tokens: 64,
            chunks_expected: None,
        };
        (kind, weight)
    };
    Scenario {
        name: "drill".to_owned(),
        about: String::new(),
        url: None,
        keys: vec![(Secret(key), 1.0)],
        requests: vec![kind(Surface::Chat, 2.0), kind(Surface::Messages, 1.0)],
        prompt: PromptSize::Fixed(PROMPT_BYTES),
        repeats: Repeats {
            share: 0.0,
            questions: 1,
        },
        cancels: Cancels {
            share: 0.0,
            when: CancelWhen::AfterChunks(1),
        },
        connections: CONNECTIONS,
        outstanding: under_way(plan.rate, plan.patience),
        protocol: Protocol::Http1,
        arrival: Arrival::Rate(Profile::steady(plan.rate, Spacing::Poisson)),
        window: Window {
            warm_up: Duration::ZERO,
            measured: FOR_EVER,
        },
        requests_at_most: u64::MAX,
        timeout: plan.patience,
        rounds: 1,
        threads: 1,
        seed: plan.seed,
        lag_limit: Duration::from_millis(50),
        fail_if: Vec::new(),
    }
}

/// The most requests that may be under way at a rate, when each may take so long.
fn under_way(rate: f64, patience: Duration) -> usize {
    index(whole(rate * patience.as_secs_f64() * 1.5)).clamp(256, 50_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_all_that_a_stall_holds_up() {
        assert_eq!(under_way(50.0, Duration::from_secs(30)), 2250);
        assert_eq!(under_way(0.1, Duration::from_secs(1)), 256);
        assert_eq!(under_way(1e9, Duration::from_secs(30)), 50_000);
    }
}

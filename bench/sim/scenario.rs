//! What happens to whom: providers as they are, and what goes wrong with one of them.

use std::time::Duration;

use tollgate_core::Moment;

/// How a provider does at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    /// Median time to first token, milliseconds; log-normal around it.
    pub ttft_ms: f64,
    /// Standard deviation of its logarithm.
    pub sigma: f64,
    /// Time per output token, milliseconds.
    pub per_token_ms: f64,
    /// The share of requests that fail.
    pub error: f64,
    /// How they fail.
    pub failure: Failure,
    /// US dollars per million output tokens.
    pub price: f64,
}

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// A 5xx after a short while.
    ServerError,
    /// Nobody listens.
    Refused,
    /// 429, and come back in a second.
    RateLimited,
}

/// A story.
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What happens, in words.
    pub story: &'static str,
    /// When the misfortune begins and ends, seconds.
    pub trouble: (u64, u64),
    /// When it is over, seconds.
    pub length: u64,
    /// Weights of cost and latency; availability counts 1.
    pub weights: (f32, f32),
    /// How each provider does at a moment; the first one is the one that misfortune befalls.
    pub providers: fn(Moment) -> [State; 4],
}

impl Scenario {
    /// Whether the first provider is in trouble at `now`.
    pub fn is_trouble(&self, now: Moment) -> bool {
        let (from, to) = self.trouble;
        (Moment::from_millis(from * 1_000)..Moment::from_millis(to * 1_000)).contains(&now)
    }

    /// The same story, cut short.
    #[must_use]
    pub fn until(mut self, length: u64) -> Self {
        self.length = length;
        self
    }
}

const HEALTHY: State = State {
    ttft_ms: 300.0,
    sigma: 0.3,
    per_token_ms: 10.0,
    error: 0.0,
    failure: Failure::ServerError,
    price: 1.0,
};

/// Four providers that do the same, but for a few percent.
fn alike() -> [State; 4] {
    let slower = |share: f64| State {
        ttft_ms: HEALTHY.ttft_ms * share,
        ..HEALTHY
    };
    [HEALTHY, slower(1.02), slower(1.04), slower(1.06)]
}

fn within(now: Moment, from_s: u64, to_s: u64) -> bool {
    (from_s * 1_000..to_s * 1_000).contains(&now.millis())
}

fn befallen(now: Moment, change: impl Fn(&mut State)) -> [State; 4] {
    let mut all = alike();
    if within(now, 30, 90) {
        change(&mut all[0]);
    }
    all
}

/// All stories. In each the first 30 s are quiet.
pub fn scenarios() -> Vec<Scenario> {
    let story = |name, story, providers| Scenario {
        name,
        story,
        trouble: (30, 90),
        length: 150,
        weights: (1.0, 1.0),
        providers,
    };
    vec![
        story("brown-out", "ten times slower for a minute", |now| {
            befallen(now, |it| it.ttft_ms *= 10.0)
        }),
        story(
            "slow drip",
            "the first token comes in time, each further one takes twenty times as long",
            |now| befallen(now, |it| it.per_token_ms *= 20.0),
        ),
        story("outage", "connections are refused for a minute", |now| {
            befallen(now, |it| (it.error, it.failure) = (1.0, Failure::Refused))
        }),
        story("errors", "a third of the requests fail for a minute", |now| {
            befallen(now, |it| it.error = 0.33)
        }),
        story(
            "429 storm",
            "four of five requests meet a rate limit for a minute",
            |now| befallen(now, |it| (it.error, it.failure) = (0.8, Failure::RateLimited)),
        ),
        story(
            "flapping",
            "down and up again every five seconds, for a minute",
            |now| {
                let is_down = now.millis() / 5_000 % 2 == 0;
                befallen(now, |it| it.error = if is_down { 1.0 } else { 0.0 })
            },
        ),
        Scenario {
            name: "step",
            story: "three times slower, and it stays so",
            trouble: (30, 150),
            ..story("", "", |now| {
                let mut all = alike();
                if now.millis() >= 30_000 {
                    all[0].ttft_ms *= 3.0;
                }
                all
            })
        },
        Scenario {
            name: "prices",
            story: "the cheapest of 1, 3, 3 and 10 dollars is ten times slower for a minute; cost counts double",
            weights: (2.0, 1.0),
            ..story("", "", |now| {
                let mut all = befallen(now, |it| it.ttft_ms *= 10.0);
                for (state, price) in all.iter_mut().zip([1.0, 3.0, 3.0, 10.0]) {
                    state.price = price;
                }
                all
            })
        },
    ]
}

/// Every so often somebody asks.
pub(crate) const REQUESTS_PER_SECOND: f64 = 200.0;
/// Median length of an answer, tokens, and the standard deviation of its logarithm.
pub(crate) const TOKENS: (f64, f64) = (60.0, 0.4);
/// How long a refused connection and a server's error take.
pub(crate) const REFUSED_AFTER: Duration = Duration::from_millis(2);
pub(crate) const ERROR_AFTER: Duration = Duration::from_millis(60);

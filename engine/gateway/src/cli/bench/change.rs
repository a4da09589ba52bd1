//! What the command line changes of a scenario.

use std::time::Duration;

use tollgate_loadtest::load::{Arrival, Profile, PromptSize, Protocol, Scenario, Secret, Spacing, Threshold};

/// The fastest rate that may be asked for, requests a second.
const FASTEST: f64 = 1_000_000.0;

/// The largest prompt that may be asked for, in bytes.
const LARGEST_PROMPT: u64 = 32 << 20;

/// What is changed of a scenario.
#[derive(Debug, Clone, Default, PartialEq, clap::Args)]
#[command(next_help_heading = "Changes to the scenario")]
pub(super) struct Change {
    /// Requests a second, arriving as independent clients send them.
    #[arg(long, conflicts_with = "closed")]
    rate: Option<f64>,
    /// Closed loop: each connection sends as soon as its last answer is in. Measures throughput, hides stalls.
    #[arg(long)]
    closed: bool,
    /// Measure for so long in each round ("10s", "5m").
    #[arg(long, value_parser = span)]
    duration: Option<Duration>,
    /// Send for so long before measuring; "0s" for none.
    #[arg(long, value_parser = span)]
    warm_up: Option<Duration>,
    /// Repeat all of it; figures are medians over the rounds.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// Connections that are opened before the run.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    connections: Option<u16>,
    /// Threads that send.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    threads: Option<u8>,
    /// How requests are carried.
    #[arg(long, value_enum)]
    protocol: Option<Carrier>,
    /// Prompts of this size ("10KiB") instead of the scenario's.
    #[arg(long, value_name = "SIZE", value_parser = prompt_size)]
    prompt: Option<u64>,
    /// Stop after so many requests in each round.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
    /// Decides every choice: the same seed sends the same mix.
    #[arg(long)]
    seed: Option<u64>,
    /// The run is invalid if one request in a hundred is sent later than this ("2ms").
    #[arg(long, value_name = "SPAN", value_parser = span)]
    lag_limit: Option<Duration>,
    /// Send this key instead of the scenario's.
    #[arg(long, env = "TOLLGATE_BENCH_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Ask for this model instead of the scenario's.
    #[arg(long)]
    model: Option<String>,
    /// Fail (exit status 1) if this holds, such as 'p99>5ms', 'errors>0.1%' or 'rps<900'. Beside the scenario's own.
    #[arg(long, value_name = "THRESHOLD")]
    fail_if: Vec<Threshold>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Carrier {
    Http1,
    Http2,
}

/// Unlike spans in a config file, it may be zero.
fn span(text: &str) -> Result<Duration, String> {
    tollgate_loadtest::load::span(text)
        .ok_or_else(|| "expected a duration such as 250us, 10s or 5m, at most 24h".to_owned())
}

fn prompt_size(text: &str) -> Result<u64, String> {
    let size = tollgate_loadtest::load::size(text).filter(|size| *size <= LARGEST_PROMPT);
    size.ok_or_else(|| "expected a size such as 512B or 10KiB, at most 32MiB".to_owned())
}

impl Change {
    /// Whether anything is changed. A key may be there without being asked for: from the environment.
    pub(super) fn asks_for_anything(&self) -> bool {
        let asked = Self {
            key: None,
            ..self.clone()
        };
        asked != Self::default()
    }

    pub(super) fn apply(&self, scenario: &mut Scenario) -> Result<(), String> {
        if let Some(rate) = self.rate {
            if !(rate > 0.0 && rate <= FASTEST) {
                return Err(format!("--rate {rate}: expected above 0, at most {FASTEST}"));
            }
            scenario.arrival = Arrival::Rate(Profile::steady(rate, Spacing::Poisson));
        }
        if self.closed {
            scenario.arrival = Arrival::Closed;
        }
        for (name, span) in [("--duration", self.duration), ("--lag-limit", self.lag_limit)] {
            if span.is_some_and(|it| it.is_zero()) {
                return Err(format!("{name}: expected above 0"));
            }
        }
        let window = &mut scenario.window;
        window.measured = self.duration.unwrap_or(window.measured);
        window.warm_up = self.warm_up.unwrap_or(window.warm_up);
        scenario.rounds = self.rounds.unwrap_or(scenario.rounds);
        scenario.connections = self.connections.map_or(scenario.connections, usize::from);
        scenario.outstanding = scenario.outstanding.max(scenario.connections);
        scenario.threads = self.threads.map_or(scenario.threads, usize::from);
        scenario.protocol = match self.protocol {
            Some(Carrier::Http1) => Protocol::Http1,
            Some(Carrier::Http2) => Protocol::Http2,
            None => scenario.protocol,
        };
        scenario.requests_at_most = self.requests.unwrap_or(scenario.requests_at_most);
        scenario.seed = self.seed.unwrap_or(scenario.seed);
        scenario.lag_limit = self.lag_limit.unwrap_or(scenario.lag_limit);
        if let Some(key) = &self.key {
            scenario.keys = vec![(Secret(key.clone()), 1.0)];
        }
        if let Some(size) = self.prompt {
            scenario.prompt = PromptSize::Fixed(size);
            let kinds = scenario.requests.iter_mut();
            kinds.for_each(|(kind, _)| kind.prompt = None);
            if let Some(wrong) = scenario.indistinct() {
                return Err(format!("--prompt: {wrong}"));
            }
        }
        if let Some(model) = &self.model {
            let kinds = scenario.requests.iter_mut();
            kinds.for_each(|(kind, _)| kind.model.clone_from(model));
        }
        scenario.fail_if.extend(self.fail_if.iter().cloned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steady() -> Scenario {
        tollgate_loadtest::load::shipped("steady").unwrap().unwrap()
    }

    #[test]
    fn flags_change_a_scenario_within_its_bounds() {
        let mut scenario = steady();
        let change = Change {
            rate: Some(50.0),
            duration: Some(Duration::from_secs(1)),
            warm_up: Some(Duration::ZERO),
            rounds: Some(2),
            connections: Some(5000),
            threads: Some(2),
            protocol: Some(Carrier::Http2),
            requests: Some(10),
            model: Some("mine".to_owned()),
            prompt: prompt_size("10KiB").ok(),
            fail_if: vec!["rps<1".parse().unwrap()],
            ..Change::default()
        };
        let thresholds = scenario.fail_if.len();
        change.apply(&mut scenario).unwrap();
        assert_eq!(
            scenario.arrival,
            Arrival::Rate(Profile::steady(50.0, Spacing::Poisson))
        );
        assert_eq!((scenario.connections, scenario.outstanding), (5000, 5000));
        assert_eq!(
            (scenario.rounds, scenario.threads, scenario.requests_at_most),
            (2, 2, 10)
        );
        assert_eq!(scenario.window.warm_up, Duration::ZERO);
        assert_eq!(scenario.requests[0].0.model, "mine");
        assert_eq!(scenario.prompt, PromptSize::Fixed(10_240));
        assert_eq!(scenario.fail_if.len(), thresholds + 1);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for rate in [0.0, -1.0, f64::NAN, 1e9] {
            let rate = Some(rate);
            let change = Change {
                rate,
                ..Change::default()
            };
            assert!(change.apply(&mut steady()).is_err());
        }
        let nothing = Change {
            duration: Some(Duration::ZERO),
            ..Change::default()
        };
        assert!(nothing.apply(&mut steady()).is_err());
        assert!(span("0s").is_ok() && span("soon").is_err());
        let small = Change {
            prompt: Some(50),
            ..Change::default()
        };
        small.apply(&mut steady()).unwrap();
        let mut cache = tollgate_loadtest::load::shipped("cache").unwrap().unwrap();
        let wrong = small.apply(&mut cache).unwrap_err();
        assert!(
            wrong.starts_with("--prompt: prompts of 50 bytes are too small"),
            "{wrong}"
        );
    }

    #[test]
    fn nothing_is_changed_unasked() {
        let mut scenario = steady();
        Change::default().apply(&mut scenario).unwrap();
        assert_eq!(scenario, steady());
    }
}

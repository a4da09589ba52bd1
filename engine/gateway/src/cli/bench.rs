//! `tollgate bench`: load a gateway, and say what it adds. Without a URL: a gateway of its own in front of simulated
//! providers, as `tollgate demo` has.
//!
//! Exit status: 0 done, 1 a threshold failed, 2 unusable arguments, 3 the run cannot be believed.

mod own;
mod progress;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use tollgate_core::Clock;
use tollgate_loadtest::load::compare::told;
use tollgate_loadtest::load::report::Report;
use tollgate_loadtest::load::stage::Nginx;
use tollgate_loadtest::load::{
    Arrival, Contestant, Outside, Profile, Protocol, Scenario, Secret, Spacing, Threshold, names, rounds,
    shipped_text,
};

use own::Own;
use progress::ProgressLine;

/// The status of a run that cannot be believed.
const INVALID: u8 = 3;
/// The status of arguments that cannot be used.
const UNUSABLE: u8 = 2;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    run: Run,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the scenarios that come with the program.
    Scenarios,
    /// Print a scenario, to start from.
    Show {
        /// Its name.
        name: String,
    },
    /// Compare two reports, figure by figure, with confidence from their rounds.
    Compare {
        /// A report, as `--json` wrote it.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
    },
    /// Print the JSON Schema of reports.
    Schema,
}

#[derive(Debug, clap::Args)]
struct Run {
    /// A scenario that comes with the program, or a file.
    #[arg(default_value = "smoke")]
    scenario: String,
    /// Load this server instead, up to and without `/v1`. Any OpenAI-compatible one will do.
    #[arg(long)]
    url: Option<String>,
    /// Send this key instead of the scenario's.
    #[arg(long, env = "TOLLGATE_BENCH_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Ask for this model instead of the scenario's.
    #[arg(long)]
    model: Option<String>,
    /// The server's process, to read its CPU time and memory.
    #[arg(long, requires = "url")]
    pid: Option<u32>,
    /// Load the upstream as well, round by round: what the server adds is told. Without a URL: the simulated provider.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    direct: Option<String>,
    /// Load a plain nginx proxy in front of that upstream as well.
    #[arg(long)]
    nginx: bool,
    /// Workers of the gateway that is started where no URL is given.
    #[arg(long, default_value_t = 1, conflicts_with = "url")]
    workers: usize,
    #[command(flatten)]
    change: Change,
    /// Fail (exit status 1) if this holds, such as 'p99>5ms', 'errors>0.1%' or 'rps<900'. Beside the scenario's own.
    #[arg(long, value_name = "THRESHOLD")]
    fail_if: Vec<Threshold>,
    /// Write the report there, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report there, as one page of HTML with plots.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// What is changed of a scenario.
#[derive(Debug, clap::Args)]
struct Change {
    /// Requests a second, arriving as independent clients send them.
    #[arg(long, conflicts_with = "closed")]
    rate: Option<f64>,
    /// Each connection sends as soon as its last answer is in.
    #[arg(long)]
    closed: bool,
    /// Measure for so long in each round.
    #[arg(long, value_parser = super::demo::duration)]
    duration: Option<Duration>,
    /// Send for so long before measuring.
    #[arg(long, value_parser = super::demo::duration)]
    warm_up: Option<Duration>,
    /// Repeat all of it.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// Connections.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    connections: Option<u16>,
    /// Threads that send.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    threads: Option<u8>,
    /// `http1` or `http2`.
    #[arg(long, value_parser = protocol)]
    protocol: Option<Protocol>,
    /// Stop after so many requests in each round.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
    /// Decides every choice.
    #[arg(long)]
    seed: Option<u64>,
    /// The run is invalid if one request in a hundred is sent later than this.
    #[arg(long, value_parser = super::demo::duration)]
    lag_limit: Option<Duration>,
}

fn protocol(text: &str) -> Result<Protocol, String> {
    match text {
        "http1" => Ok(Protocol::Http1),
        "http2" => Ok(Protocol::Http2),
        _ => Err("expected http1 or http2".to_owned()),
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.verb {
        None => bench(&args.run),
        Some(Verb::Scenarios) => super::print(&listed()),
        Some(Verb::Compare { first, second }) => match (report(first), report(second)) {
            (Ok(first), Ok(second)) => super::print(&told(&first, &second)),
            (Err(why), _) | (_, Err(why)) => Ok(unusable(format_args!("{why:#}"))),
        },
        Some(Verb::Schema) => super::print(&Report::schema()),
        Some(Verb::Show { name }) => match shipped_text(name) {
            Some(text) => super::print(text),
            None => Ok(unusable(format_args!(
                "no scenario '{name}'; there are:\n{}",
                listed()
            ))),
        },
    }
}

fn unusable(why: std::fmt::Arguments<'_>) -> ExitCode {
    crate::say(why);
    ExitCode::from(UNUSABLE)
}

fn report(path: &Path) -> anyhow::Result<Report> {
    let text = std::fs::read(path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| format!("{} is no report", path.display()))
}

fn listed() -> String {
    let about = |name| {
        let scenario = tollgate_loadtest::load::shipped(name).and_then(Result::ok);
        scenario.map_or_else(String::new, |it| it.about)
    };
    names()
        .map(|name| format!("{name:<14} {}\n", about(name)))
        .collect()
}

fn bench(args: &Run) -> anyhow::Result<ExitCode> {
    let mut scenario = match read(&args.scenario) {
        Ok(scenario) => scenario,
        Err(why) => return Ok(unusable(format_args!("{why}"))),
    };
    if let Err(why) = args.change.apply(&mut scenario) {
        return Ok(unusable(format_args!("{why}")));
    }
    scenario.fail_if.extend(args.fail_if.iter().cloned());
    if let Some(key) = &args.key {
        scenario.keys = vec![(Secret(key.clone()), 1.0)];
    }
    if let Some(model) = &args.model {
        scenario
            .requests
            .iter_mut()
            .for_each(|(kind, _)| kind.model.clone_from(model));
    }
    let url = args.url.clone().or_else(|| scenario.url.clone());
    let own = match &url {
        Some(_) => None,
        None => Some(Own::start(args.workers)?),
    };
    let mut contestants = vec![tested(url, args.pid, own.as_ref())?];
    let direct = match args.direct.as_deref() {
        Some("") | None => own.as_ref().map(Own::direct),
        Some(url) => Some(url.to_owned()),
    };
    let nginx = if args.nginx {
        nginx(direct.as_deref(), &scenario)?
    } else {
        None
    };
    if args.direct.is_some() {
        let Some(url) = direct else {
            return Ok(unusable(format_args!(
                "--direct: expected the URL of the upstream"
            )));
        };
        let (name, pid) = ("direct".to_owned(), None);
        contestants.push(Contestant { name, url, pid });
    }
    contestants.extend(nginx.as_ref().map(|nginx| Contestant {
        name: "nginx".to_owned(),
        url: nginx.url(),
        pid: Some(nginx.pid()),
    }));
    let report = measure(&scenario, &contestants)?;
    if let Some(path) = &args.json {
        write(path, &serde_json::to_string_pretty(&report)?)?;
    }
    if let Some(path) = &args.html {
        write(path, &report.page())?;
    }
    super::print(&report.table())?;
    Ok(match (report.invalid.is_empty(), report.has_failed()) {
        (false, _) => ExitCode::from(INVALID),
        (true, true) => ExitCode::FAILURE,
        (true, false) => ExitCode::SUCCESS,
    })
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

fn tested(url: Option<String>, pid: Option<u32>, own: Option<&Own>) -> anyhow::Result<Contestant> {
    let contestant = match (url, own) {
        (Some(url), _) => Contestant {
            name: "server".to_owned(),
            url,
            pid,
        },
        (None, own) => own
            .context("neither a URL nor a gateway of our own")?
            .contestant(),
    };
    Ok(contestant)
}

/// nginx in front of the upstream; skipped, and said so, where there is none.
fn nginx(upstream: Option<&str>, scenario: &Scenario) -> anyhow::Result<Option<Nginx>> {
    let skipped = |why: &str| crate::say(format_args!("--nginx is SKIPPED: {why}"));
    let Some(program) = Nginx::find() else {
        skipped("no nginx on the PATH or in /usr/sbin");
        return Ok(None);
    };
    if scenario.protocol == Protocol::Http2 {
        skipped("the baseline is HTTP/1.1");
        return Ok(None);
    }
    let addr = upstream.and_then(address);
    let Some(addr) = addr else {
        skipped("--direct does not say which upstream: expected http://IP:PORT without a path");
        return Ok(None);
    };
    let streams = scenario.requests.iter().any(|(kind, _)| kind.stream > 0.0);
    Nginx::start(&program, addr, streams).map(Some)
}

fn address(url: &str) -> Option<SocketAddr> {
    url.strip_prefix("http://")?.trim_end_matches('/').parse().ok()
}

fn measure(scenario: &Scenario, contestants: &[Contestant]) -> anyhow::Result<Report> {
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_interrupt(Arc::clone(&stop))?;
    let now = Clock.wall();
    let mut line = ProgressLine::new(scenario.rounds);
    let results = rounds(
        scenario,
        contestants,
        now.unix_millis(),
        &stop,
        &mut |name, round, progress| {
            line.show(name, round, progress);
        },
    );
    line.clear();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut report = Report::new(scenario, now.to_string(), cores, results?);
    if stop.load(Ordering::Relaxed) {
        report.invalid.push("interrupted before its end".to_owned());
    }
    Ok(report)
}

/// The first interrupt ends the run early, and its report is written; the second ends the process.
fn stop_on_interrupt(stop: Arc<AtomicBool>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let wait = async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.store(true, Ordering::Relaxed);
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    };
    std::thread::spawn(move || runtime.block_on(wait));
    Ok(())
}

/// A scenario that comes with the program, or one from a file.
fn read(name: &str) -> anyhow::Result<Scenario> {
    let outside = Outside {
        env: &|name| std::env::var(name).ok(),
        file: &|path| std::fs::read_to_string(path),
    };
    if let Some(text) = shipped_text(name) {
        return Scenario::parse(text, &outside).map_err(|wrong| anyhow::anyhow!("{name}: {wrong}"));
    }
    let path = Path::new(name);
    let text = std::fs::read_to_string(path).with_context(|| {
        format!(
            "'{name}' is no scenario of ours, and no file; ours are:\n{}",
            listed()
        )
    })?;
    // A trace is found beside its scenario.
    let beside = |file: &Path| {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::read_to_string(folder.join(file))
    };
    let outside = Outside {
        file: &beside,
        ..outside
    };
    Scenario::parse(&text, &outside).map_err(|wrong| anyhow::anyhow!("{name}:\n{wrong}"))
}

impl Change {
    fn apply(&self, scenario: &mut Scenario) -> Result<(), String> {
        if let Some(rate) = self.rate {
            if !(rate > 0.0 && rate <= 1_000_000.0) {
                return Err(format!("--rate {rate}: expected above 0, at most 1000000"));
            }
            scenario.arrival = Arrival::Rate(Profile::steady(rate, Spacing::Poisson));
        }
        if self.closed {
            scenario.arrival = Arrival::Closed;
        }
        if self.duration.is_some_and(|it| it.is_zero()) {
            return Err("--duration: expected above 0".to_owned());
        }
        let window = &mut scenario.window;
        window.measured = self.duration.unwrap_or(window.measured);
        window.warm_up = self.warm_up.unwrap_or(window.warm_up);
        scenario.rounds = self.rounds.unwrap_or(scenario.rounds);
        scenario.connections = self.connections.map_or(scenario.connections, usize::from);
        scenario.outstanding = scenario.outstanding.max(scenario.connections);
        scenario.threads = self.threads.map_or(scenario.threads, usize::from);
        scenario.protocol = self.protocol.unwrap_or(scenario.protocol);
        scenario.requests_at_most = self.requests.unwrap_or(scenario.requests_at_most);
        scenario.seed = self.seed.unwrap_or(scenario.seed);
        scenario.lag_limit = self.lag_limit.unwrap_or(scenario.lag_limit);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_change_a_scenario_within_its_bounds() {
        let mut scenario = read("steady").unwrap();
        let change = Change {
            rate: Some(50.0),
            closed: false,
            duration: Some(Duration::from_secs(1)),
            warm_up: Some(Duration::ZERO),
            rounds: Some(2),
            connections: Some(5000),
            threads: Some(2),
            protocol: Some(Protocol::Http2),
            requests: Some(10),
            seed: Some(9),
            lag_limit: None,
        };
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
        for rate in [0.0, -1.0, f64::NAN, 1e9] {
            let rate = Some(rate);
            assert!(Change { rate, ..change }.apply(&mut scenario).is_err());
        }
    }

    #[test]
    fn a_scenario_that_is_not_there_is_told_with_those_that_are() {
        let error = format!("{:#}", read("smok").unwrap_err());
        assert!(error.contains("mixed-tenants"), "{error}");
    }

    #[test]
    fn only_plain_addresses_are_put_behind_nginx() {
        assert_eq!(address("http://127.0.0.1:80/").map(|it| it.port()), Some(80));
        for other in [
            "https://127.0.0.1:80",
            "http://h:80",
            "http://127.0.0.1:80/p/x",
            "",
        ] {
            assert_eq!(address(other), None, "{other}");
        }
    }
}

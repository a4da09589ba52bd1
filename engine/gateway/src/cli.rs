//! The command line: `tollgate VERB`.
//!
//! Exit status: 0 done, 1 failed, 2 unusable arguments or configuration, or refused by the admin API, 3 the drain ran
//! out of time, or a measurement cannot be believed, 4 somebody else has changed something meanwhile.

mod bench;
mod cache;
mod check;
mod children;
mod client;
mod cores;
mod demo;
mod drill;
mod explain;
mod files;
mod forecast;
mod init;
mod leash;
mod mock;
mod replay;
mod routes;
mod serve;
mod table;
mod weights;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tollgate_actors::ConfigSource;

/// An AI gateway: one endpoint in front of every model provider.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve. Without a config file, every provider whose key is in the environment is used.
    Serve(ConfigArgs),
    /// Check a config file, and say everything that is wrong with it.
    Check(ConfigArgs),
    /// Write a commented config file to start from.
    Init(init::Args),
    /// Simulated providers, a gateway in front of them and live traffic: no key, no network.
    Demo(demo::Args),
    /// Simulated providers alone, for tests of your own.
    Mock(mock::Args),
    /// Read and change how routes weigh cost, latency and availability, while the gateway runs.
    Weights(weights::Args),
    /// Show routes: their targets, how they fare, what their breakers let through.
    Routes(routes::RoutesArgs),
    /// Show the circuit breakers.
    Breakers(routes::BreakersArgs),
    /// Force a circuit breaker.
    Breaker(routes::BreakerArgs),
    /// Say why a request went where it went.
    Explain(explain::Args),
    /// Make recorded decisions again, under other weights or the same.
    Replay(replay::Args),
    /// See what the cache does and holds, compare questions, take answers out.
    Cache(cache::Args),
    /// Load a gateway, or any OpenAI-compatible server, and say what it adds.
    Bench(bench::Args),
    /// Rehearse an outage with a config file, against simulated providers, and get a verdict.
    Drill(drill::Args),
    /// Become another program that ends with the process that started it.
    #[command(hide = true)]
    Leash(leash::Args),
    /// Print the JSON Schema of the config file.
    Schema,
    /// Print the reference of the config file, in Markdown.
    Reference,
}

#[derive(Debug, clap::Args)]
struct ConfigArgs {
    /// The config file [default: ./tollgate.yaml if it exists, else the environment].
    #[arg(short, long, env = "TOLLGATE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let done = match Cli::parse().verb {
        Verb::Serve(args) => serve::run(&args.source()),
        Verb::Check(args) => check::run(&args.source()),
        Verb::Init(args) => init::run(&args),
        Verb::Demo(args) => demo::run(&args),
        Verb::Mock(args) => mock::run(&args),
        Verb::Weights(args) => weights::run(&args),
        Verb::Routes(args) => routes::run(&args),
        Verb::Breakers(args) => routes::breakers(&args),
        Verb::Breaker(args) => routes::breaker(&args),
        Verb::Explain(args) => explain::run(&args),
        Verb::Replay(args) => replay::run(&args),
        Verb::Cache(args) => cache::run(&args),
        Verb::Bench(args) => bench::run(&args),
        Verb::Drill(args) => drill::run(&args),
        Verb::Leash(args) => leash::run(&args),
        Verb::Schema => print(&tollgate_config::json_schema()),
        Verb::Reference => print(&tollgate_config::reference_markdown()),
    };
    done.unwrap_or_else(|error| {
        crate::say(format_args!("{error:#}"));
        ExitCode::FAILURE
    })
}

impl ConfigArgs {
    fn source(&self) -> ConfigSource {
        let default = PathBuf::from("tollgate.yaml");
        match &self.config {
            Some(path) => ConfigSource::File(path.clone()),
            None if default.exists() => ConfigSource::File(default),
            None => ConfigSource::Environment,
        }
    }
}

/// Writes to standard output; a reader that has gone away is no error.
fn print(text: &str) -> anyhow::Result<ExitCode> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_operators_verbs_are_read() {
        Cli::command().debug_assert();
        for line in [
            "routes fast --json",
            "breakers --admin http://h:1",
            "breaker force a/m drain --reason x",
            "explain req_1 --key k",
            "weights get",
            "weights set fast cost=2 --reason x --rollout 10% --hold 60s --max-error-ratio 2%",
            "weights rollback 3 --reason x",
            "weights history --json",
            "weights rollout promote",
            "replay --decisions f --weights w --json",
            "cache stats --json",
            "cache get 17 --key k",
            "cache list --route fast --sort hits --limit 5",
            "cache explain a b --offline",
            "bench",
            "bench steady --baselines --pin --fail-if p99>5ms --json out.json",
            "bench steady --direct --nginx --warm-up 0s",
            "bench --url http://h:1 --direct http://h:2 --nginx --pid 7",
            "bench my.yaml --url http://h:1 --rate 50 --duration 5s",
            "bench show smoke",
            "drill list",
            "drill all --config f --json out.json",
            "drill kill-primary --for 60s --model fast --rate 20 --fail-if success<99% --fail-if shift>5s",
            "bench compare a.json b.json",
            "cache invalidate --tag t --older-than 1h --reason x",
        ] {
            let words = std::iter::once("tollgate").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
    }
}

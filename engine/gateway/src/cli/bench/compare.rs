//! `tollgate bench compare`: two servers in rounds that alternate, or two reports of rounds that were made before.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use tollgate_loadtest::load::check_url;
use tollgate_loadtest::load::compare::told;
use tollgate_loadtest::load::report::Report;

use super::line_up::{Failure, Server, side_by_side};
use super::{change, cut_short, interrupted, measure, not_run, read, status, unusable};

/// Rounds of each where nothing is said: with fewer than four there is no verdict.
const ROUNDS: u32 = 6;
/// The scenario where nothing is said.
const SCENARIO: &str = "steady";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A server's URL up to and without `/v1`, a build of this program, or a report as `--json` wrote it.
    first: String,
    /// Another one of the same kind.
    second: String,
    /// A scenario that comes with the program, or a file. Without it: steady.
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Workers of each build that is started. Without it: one.
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Give the builds cores of their own, and everything else the others.
    #[arg(long)]
    pin: bool,
    #[command(flatten)]
    change: change::Change,
}

/// What may be compared.
#[derive(Debug)]
enum Side {
    Report(Box<Report>),
    Server(Server),
}

impl Args {
    /// Whether a flag says how servers are to be run.
    fn asks_for_a_run(&self) -> bool {
        self.scenario.is_some() || self.workers.is_some() || self.pin || self.change.asks_for_anything()
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let sides = side(&args.first).and_then(|first| Ok((first, side(&args.second)?)));
    match sides {
        Err(why) => Ok(unusable(format_args!("{why:#}"))),
        Ok((Side::Report(_), Side::Report(_))) if args.asks_for_a_run() => Ok(unusable(format_args!(
            "two reports are compared as they are: expected no flag that changes a run"
        ))),
        Ok((Side::Report(first), Side::Report(second))) => {
            super::super::print(&told(&first, &second))?;
            Ok(status(&[&first, &second]))
        }
        Ok((Side::Server(first), Side::Server(second))) => servers(args, [&first, &second]),
        Ok(_) => Ok(unusable(format_args!(
            "a report can only be compared to a report, and a server to a server"
        ))),
    }
}

fn side(text: &str) -> anyhow::Result<Side> {
    if text.starts_with("http://") || text.starts_with("https://") {
        check_url(text)?;
        return Ok(Side::Server(Server::Url(text.trim_end_matches('/').to_owned())));
    }
    let path = Path::new(text);
    let bytes = std::fs::read(path).with_context(|| text.to_owned())?;
    if bytes.trim_ascii_start().starts_with(b"{") {
        let report = serde_json::from_slice(&bytes).with_context(|| format!("{text} is no report"))?;
        return Ok(Side::Report(report));
    }
    let path: PathBuf = path.canonicalize().with_context(|| text.to_owned())?;
    Ok(Side::Server(Server::Program(path)))
}

fn servers(args: &Args, servers: [&Server; 2]) -> anyhow::Result<ExitCode> {
    let scenario = read(args.scenario.as_deref().unwrap_or(SCENARIO)).and_then(|mut scenario| {
        scenario.rounds = ROUNDS;
        args.change.apply(&mut scenario).map_err(anyhow::Error::msg)?;
        Ok(scenario)
    });
    let scenario = match scenario {
        Ok(scenario) => scenario,
        Err(why) => return Ok(unusable(format_args!("{why:#}"))),
    };
    let stop = interrupted()?;
    let line_up = match side_by_side(servers, args.workers.unwrap_or(1), args.pin, &scenario) {
        Ok(line_up) => line_up,
        Err(Failure::Arguments(why)) => return Ok(unusable(format_args!("{why}"))),
        Err(Failure::Start(error)) => return Ok(not_run(&error)),
    };
    let (report, early) = match measure(&scenario, &line_up, &stop) {
        Ok(measured) => measured,
        Err(error) => return Ok(not_run(&error)),
    };
    drop(line_up);
    // Each as if it had been alone: what is judged and doubted of it is its own.
    let alone = |number: usize| {
        let it = report.contestants.get(number).cloned();
        let alone = Report::new(
            &scenario,
            report.started.clone(),
            report.cores,
            it.into_iter().collect(),
        );
        cut_short(alone, early.as_ref())
    };
    let (first, second) = (alone(0), alone(1));
    super::super::print(&told(&first, &second))?;
    Ok(status(&[&first, &second]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_is_a_url_a_report_or_a_program() {
        assert!(matches!(
            side("http://localhost:1/"),
            Ok(Side::Server(Server::Url(url))) if url == "http://localhost:1"
        ));
        let own = std::env::current_exe().unwrap();
        let found = side(own.to_str().unwrap());
        assert!(matches!(found, Ok(Side::Server(Server::Program(_)))), "{found:?}");
        assert!(side("/nonexistent/report.json").is_err());
    }
}

//! `tollgate bench`: load a gateway, and say what it adds. Without a URL: a gateway of its own in front of simulated
//! providers, as `tollgate demo` has.
//!
//! Exit status: 0 done, 1 a threshold failed, 2 unusable arguments, 3 the run cannot be believed, could not be made, or its
//! report could not be written.

mod change;
mod compare;
mod line_up;
mod own;
mod progress;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Subcommand;
use tokio::signal::unix::{SignalKind, signal};
use tollgate_core::Clock;
use tollgate_loadtest::load::report::Report;
use tollgate_loadtest::load::{Outside, Scenario, names, rounds, shipped_text};

use line_up::{Failure, LineUp};
use progress::ProgressLine;

/// The status of a run that cannot be believed, or could not be made.
const INVALID: u8 = 3;
/// The status of arguments that cannot be used.
const UNUSABLE: u8 = 2;
/// Signals within this time are one order to stop.
const ONE_ORDER: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    run: Run,
}

const AFTER_HELP: &str = "\
Examples:
  tollgate bench                            a little of everything, against a gateway of its own
  tollgate bench steady --baselines         and what the upstream alone and a plain nginx proxy take
  tollgate bench steady --html report.html --fail-if 'p99>5ms'
  tollgate bench --url http://localhost:8080 --key tg-… --model fast --rate 50

Exit status: 0 done, 1 a threshold failed, 2 unusable arguments, 3 the run cannot be believed or could not be made.";

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the scenarios that come with the program.
    Scenarios,
    /// Print a scenario, to start from.
    Show {
        /// Its name.
        name: String,
    },
    /// Compare two servers, figure by figure, with confidence from rounds that alternate; or two reports.
    Compare(Box<compare::Args>),
    /// Print the JSON Schema of reports.
    Schema,
}

#[derive(Debug, clap::Args)]
struct Run {
    /// A scenario that comes with the program, or a file.
    #[arg(default_value = "smoke")]
    scenario: String,
    /// Write the report there, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report there, as one page of HTML with plots.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    asked: line_up::Asked,
    #[command(flatten)]
    change: change::Change,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.verb {
        None => bench(&args.run),
        Some(Verb::Scenarios) => super::print(&listed()),
        Some(Verb::Compare(args)) => compare::run(args),
        Some(Verb::Schema) => super::print(&Report::schema()),
        Some(Verb::Show { name }) => match shipped_text(name) {
            Some(text) => super::print(text),
            None => Ok(unusable(format_args!(
                "no scenario '{name}'; there are:\n{}",
                listed().trim_end()
            ))),
        },
    }
}

fn unusable(why: std::fmt::Arguments<'_>) -> ExitCode {
    crate::say(why);
    ExitCode::from(UNUSABLE)
}

fn listed() -> String {
    let about = |name| {
        let scenario = tollgate_loadtest::load::shipped(name).and_then(Result::ok);
        scenario.map_or_else(String::new, |it| it.about)
    };
    let mut text = String::new();
    for name in names() {
        let _ = writeln!(text, "{name:<22} {}", about(name));
    }
    text
}

fn bench(args: &Run) -> anyhow::Result<ExitCode> {
    let scenario = match prepared(args) {
        Ok(scenario) => scenario,
        Err(why) => return Ok(unusable(format_args!("{why:#}"))),
    };
    let stop = interrupted()?;
    let line_up = match args.asked.line_up(&scenario) {
        Ok(line_up) => line_up,
        Err(Failure::Arguments(why)) => return Ok(unusable(format_args!("{why}"))),
        Err(Failure::Start(error)) => return Ok(not_run(&error)),
    };
    for why in &line_up.skipped {
        crate::say(format_args!("SKIPPED {why}"));
    }
    let report = match measure(&scenario, &line_up, &stop) {
        Ok((report, early)) => cut_short(report, early.as_ref()),
        Err(error) => return Ok(not_run(&error)),
    };
    drop(line_up);
    super::print(&report.table())?;
    let json = args.json.as_ref().map(|path| written(path, &report.json()));
    let html = args.html.as_ref().map(|path| written(path, &report.page()));
    if [json, html].into_iter().flatten().all(|is_written| is_written) {
        return Ok(status(&[&report]));
    }
    Ok(ExitCode::from(INVALID))
}

fn status(reports: &[&Report]) -> ExitCode {
    if reports.iter().any(|it| !it.invalid.is_empty()) {
        ExitCode::from(INVALID)
    } else if reports.iter().any(|it| it.has_failed()) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// A report that says so if it ends early.
fn cut_short(mut report: Report, why: Option<&String>) -> Report {
    if let Some(why) = why {
        report.invalid.insert(0, why.clone());
    }
    report
}

fn not_run(error: &anyhow::Error) -> ExitCode {
    crate::say(format_args!("{error:#}"));
    ExitCode::from(INVALID)
}

/// The scenario as it is run. Everything that can be found wrong before the run is.
fn prepared(args: &Run) -> anyhow::Result<Scenario> {
    let mut scenario = read(&args.scenario)?;
    args.change.apply(&mut scenario).map_err(anyhow::Error::msg)?;
    for (flag, path) in [("--json", &args.json), ("--html", &args.html)] {
        let Some(path) = path else { continue };
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        let is_there = folder.is_none_or(Path::is_dir) && !path.is_dir();
        anyhow::ensure!(
            is_there,
            "{flag} {}: no such folder, or a folder itself",
            path.display()
        );
    }
    Ok(scenario)
}

/// Writes a report; says so if it cannot be.
fn written(path: &Path, text: &str) -> bool {
    let done = std::fs::write(path, text);
    if let Err(error) = &done {
        crate::say(format_args!("{} cannot be written: {error}", path.display()));
    }
    done.is_ok()
}

/// What was measured, and why it is not all if it is not.
fn measure(
    scenario: &Scenario,
    line_up: &LineUp,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<(Report, Option<String>)> {
    let now = Clock.wall();
    let mut line = ProgressLine::new(scenario.rounds);
    let measured = rounds(
        scenario,
        &line_up.contestants,
        now.unix_millis(),
        stop,
        &mut |name, round, progress| {
            line.show(name, round, progress);
        },
    );
    line.clear();
    let measured = measured?;
    let mut report = Report::new(scenario, now.to_string(), line_up.cores, measured.contestants);
    report.skipped.clone_from(&line_up.skipped);
    let interrupted = stop
        .load(Ordering::Relaxed)
        .then(|| "interrupted before its end".to_owned());
    let early = interrupted.or_else(|| Some(format!("ended early: {:#}", measured.ended_by?)));
    Ok((report, early))
}

/// What becomes true at the first interrupt or order to terminate: the run ends early, and its report is written. The
/// second ends the process.
pub(super) fn interrupted() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    // Heard of from here on, not only when the thread gets to it.
    let (mut interrupt, mut terminate) = {
        let _within = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let told = Arc::clone(&stop);
    let wait = async move {
        let mut first = None;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            let now = Clock.now();
            let first = *first.get_or_insert(now);
            // Some who order it tell the process and its group: that is still one order.
            if now.saturating_duration_since(first) > ONE_ORDER {
                std::process::exit(130);
            }
            told.store(true, Ordering::Relaxed);
        }
    };
    std::thread::spawn(move || runtime.block_on(wait));
    Ok(stop)
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
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => anyhow::anyhow!(
            "'{name}' is no scenario that comes with the program, and no file; with it come:\n{}",
            listed().trim_end()
        ),
        _ => anyhow::anyhow!("{name}: {error}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_that_is_not_there_is_told_with_those_that_are() {
        let error = format!("{:#}", read("smok").unwrap_err());
        assert!(error.contains("mixed-tenants"), "{error}");
    }
}

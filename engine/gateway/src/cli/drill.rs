//! `tollgate drill`: rehearse an outage with a config file, against simulated providers, and get a verdict.
//!
//! Exit status: 0 passed, 1 failed, 2 unusable arguments or file, 3 it could not be held, 130 interrupted.

mod original;
mod rewrite;
mod stage;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tollgate_core::Clock;
use tollgate_loadtest::drill::{
    Drill, Facts, Fault, Interrupted, NotHeld, Plan, Report, Reports, Stand, Threshold, UnknownModel,
    Watcher, conduct, drill, drills,
};

use original::Original;
use stage::{Cast, Stage, Unready};

/// The status of a drill that could not be held.
const NOT_HELD: u8 = 3;
/// The status of arguments that cannot be used.
const UNUSABLE: u8 = 2;
/// The status of a process that was interrupted, as shells have it.
const INTERRUPTED: u8 = 130;

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// A drill, `all` of them, the `list` of them, or the `schema` of reports.
    #[arg(value_name = "DRILL")]
    which: String,
    /// The config file to rehearse with. No secret of it is needed [default: that of `tollgate demo`].
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The model that clients ask for [default: the first that several providers serve].
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Requests a second.
    #[arg(long, default_value_t = 50.0)]
    rate: f64,
    /// How long the fault lasts.
    #[arg(long = "for", value_name = "TIME", default_value = "15s", value_parser = super::demo::duration)]
    lasts: Duration,
    /// How long all is well before it.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = super::demo::duration)]
    before: Duration,
    /// How long it goes on after it, at least; longer until the provider has its traffic back.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = super::demo::duration)]
    after: Duration,
    /// How long clients wait for an answer.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = super::demo::duration)]
    patience: Duration,
    /// Fail if this holds, such as 'success<99.9%' or 'shift>5s': instead of the drill's own threshold.
    #[arg(long, value_name = "THRESHOLD")]
    fail_if: Vec<Threshold>,
    /// Write the report there, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Decides every choice.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

const AFTER_HELP: &str = "\
Examples:
  tollgate drill list
  tollgate drill kill-primary --config tollgate.yaml --for 60s
  tollgate drill all --config tollgate.yaml --json drills.json
  tollgate drill storm-429 --model smart --rate 20 --fail-if 'shift>5s'

Exit status: 0 passed, 1 failed, 2 unusable arguments or file, 3 it could not be held, 130 interrupted.";

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match args.which.as_str() {
        "list" => return super::print(&listed()),
        "schema" => return super::print(&Report::schema()),
        _ => {}
    }
    let chosen: Vec<&Drill> = match args.which.as_str() {
        "all" => drills().iter().collect(),
        name => drill(name).into_iter().collect(),
    };
    if chosen.is_empty() {
        let name = &args.which;
        return Ok(unusable(format_args!(
            "no drill '{name}'; there are:\n{}",
            listed()
        )));
    }
    if let Err(wrong) = args.check(&chosen) {
        return Ok(unusable(format_args!("{wrong}")));
    }
    match args.original() {
        Ok(original) => hold(args, &chosen, &original),
        Err(wrong) => Ok(unusable(format_args!("{wrong:#}"))),
    }
}

fn listed() -> String {
    let lines = drills()
        .iter()
        .map(|drill| format!("{:<21} {}\n", drill.name, drill.about));
    lines.collect()
}

fn unusable(why: std::fmt::Arguments<'_>) -> ExitCode {
    crate::say(why);
    ExitCode::from(UNUSABLE)
}

impl Args {
    fn check(&self, chosen: &[&Drill]) -> Result<(), String> {
        let is_idle = |it: &&Threshold| !chosen.iter().any(|drill| it.is_of(drill));
        if let Some(idle) = self.fail_if.iter().find(is_idle) {
            return Err(format!(
                "--fail-if '{idle}': {} does not measure that",
                self.which
            ));
        }
        if !(self.rate >= 0.1 && self.rate <= 10_000.0) {
            return Err(format!("--rate {}: expected 0.1 to 10000", self.rate));
        }
        let spans = [
            ("--for", self.lasts),
            ("--before", self.before),
            ("--after", self.after),
            ("--patience", self.patience),
        ];
        match spans.iter().find(|(_, span)| *span < Duration::from_millis(500)) {
            Some((name, span)) => Err(format!("{name} {span:?}: expected half a second at least")),
            None => Ok(()),
        }
    }

    fn original(&self) -> anyhow::Result<Original> {
        let name = self.file();
        let Some(path) = &self.config else {
            let text = include_str!("demo.yaml").to_owned();
            return Ok(Original::read(name, text, Path::new(""))?);
        };
        let text = std::fs::read_to_string(path).with_context(|| name.clone())?;
        let whole = std::path::absolute(path)?;
        Ok(Original::read(
            name,
            text,
            whole.parent().unwrap_or(Path::new("/")),
        )?)
    }

    /// What the config file is called.
    fn file(&self) -> String {
        let path = self.config.as_ref().map(|path| path.display().to_string());
        path.unwrap_or_else(|| "the demo's configuration".to_owned())
    }

    fn plan(&self, novelty: u64) -> Plan {
        Plan {
            model: self.model.clone(),
            rate: self.rate,
            before: self.before,
            during: self.lasts,
            after: self.after,
            patience: self.patience,
            fail_if: self.fail_if.clone(),
            seed: self.seed,
            novelty,
        }
    }
}

/// Holds the drills one after another, each on a stage of its own.
fn hold(args: &Args, chosen: &[&Drill], original: &Original) -> anyhow::Result<ExitCode> {
    let stop = super::bench::interrupted()?;
    let mut reports = Reports::default();
    // Told before minutes go by, and what was there is of another run.
    if let Err(wrong) = write(args, &reports) {
        return Ok(unusable(format_args!("{wrong:#}")));
    }
    for drill in chosen {
        match one(args, drill, original, &stop) {
            Ok(report) => {
                super::print(&report.text())?;
                reports.drills.push(report);
            }
            Err(Unready::File(problems)) => return Ok(unusable(format_args!("{problems}"))),
            Err(Unready::Failed(error)) if error.is::<UnknownModel>() => {
                return Ok(unusable(format_args!("{error}")));
            }
            Err(Unready::Failed(error)) if error.is::<Interrupted>() || stop.load(Ordering::Relaxed) => {
                crate::say(format_args!("interrupted: there is no verdict"));
                return Ok(ExitCode::from(INTERRUPTED));
            }
            Err(Unready::Failed(error)) => {
                crate::say(format_args!("{} could not be held: {error:#}", drill.name));
                reports.not_held.push(NotHeld {
                    drill: drill.name.to_owned(),
                    why: format!("{error:#}"),
                });
            }
        }
        let is_complete = reports.drills.len() == chosen.len();
        reports.passed = is_complete && reports.drills.iter().all(|report| report.passed);
        if let Err(lost) = write(args, &reports) {
            crate::say(format_args!("{lost:#}"));
            return Ok(ExitCode::from(NOT_HELD));
        }
    }
    if chosen.len() > 1 {
        super::print(&format!("\n{}", reports.text()))?;
    }
    Ok(match (reports.not_held.is_empty(), reports.passed) {
        (false, _) => ExitCode::from(NOT_HELD),
        (true, true) => ExitCode::SUCCESS,
        (true, false) => ExitCode::FAILURE,
    })
}

/// The report so far, where one is asked for.
fn write(args: &Args, reports: &Reports) -> anyhow::Result<()> {
    let Some(path) = &args.json else { return Ok(()) };
    let text = serde_json::to_string_pretty(reports)?;
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

fn one(args: &Args, drill: &Drill, original: &Original, stop: &Arc<AtomicBool>) -> Result<Report, Unready> {
    let cast = Cast {
        gateways: if drill.fault == Fault::Roll { 2 } else { 1 },
        with_cache: drill.fault == Fault::KillGateway,
    };
    let mut stage = Stage::set(original, cast, stop)?;
    let is_shown = std::io::stderr().is_terminal();
    let mut watcher = Watcher {
        foresee: &mut |facts, obstacles, remarks| {
            // Standard output is checked when the report is printed.
            let remarks: Vec<_> = remarks.iter().cloned().chain(original.remark()).collect();
            let _ = super::print(&foreseen(args, drill, facts, obstacles, &remarks));
        },
        progress: &mut |stand| {
            if is_shown {
                let _ = write!(std::io::stderr(), "\r\u{1b}[K{}", standing(drill, stand));
            }
        },
        stop: Arc::clone(stop),
    };
    let report = conduct(
        drill,
        &args.plan(Clock.wall().unix_millis()),
        &mut stage,
        &mut watcher,
    );
    if is_shown {
        let _ = write!(std::io::stderr(), "\r\u{1b}[K");
    }
    let mut report = report?;
    report.remarks.extend(original.remark());
    Ok(report)
}

fn foreseen(args: &Args, drill: &Drill, facts: &Facts, obstacles: &[String], remarks: &[String]) -> String {
    let file = args.file();
    let mut text = format!(
        "\n{}: {}\n  model {} of {file}, {} requests a second, two of five streams\n",
        drill.name, drill.about, facts.model, args.rate
    );
    text.extend(obstacles.iter().map(|it| format!("  this cannot pass: {it}\n")));
    text.extend(remarks.iter().map(|it| format!("  note: {it}\n")));
    text
}

fn standing(drill: &Drill, stand: Stand) -> String {
    format!(
        "{}  {}  {:.0} s of {:.0} s  {} requests",
        drill.name,
        stand.phase,
        stand.lasted.as_secs_f64(),
        stand.planned.as_secs_f64(),
        stand.requests
    )
}

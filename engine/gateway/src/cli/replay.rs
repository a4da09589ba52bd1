//! `tollgate replay`: recorded decisions, made again under other weights on the operator's own machine.
//!
//! Without other weights it is a check: every decision must come out as it was recorded, to the bit.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Value, json};
use tollgate_routing::{Changes, Ranking};

use super::forecast;
use crate::admin::{Rehearser, noun};
use crate::explain::DecisionRecord;

/// Lines that are told one by one; more are counted.
const TOLD: usize = 10;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Recorded decisions, a line each: what telemetry.decisions writes, or GET
    /// /admin/v1/decisions?format=jsonl. `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    decisions: PathBuf,
    /// Other weights: YAML or JSON as for `tollgate weights plan`. Without it every decision must come out as it was
    /// recorded.
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Write JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// A line that is no decision.
#[derive(Debug, PartialEq)]
struct Malformed {
    /// From 1.
    line: u64,
    said: String,
}

/// What was read, and what came of it.
#[derive(Debug, Default)]
struct Outcome {
    malformed: u64,
    /// The first of them.
    told: Vec<Malformed>,
    /// Ids of the first decisions that came out otherwise under the weights they were made with.
    not_reproduced: Vec<String>,
    not_reproduced_count: u64,
    /// Routes and targets that the decisions know.
    known: BTreeSet<String>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let changes = match args.weights.as_deref().map(changes_in).transpose() {
        Ok(changes) => changes,
        Err(error) => {
            crate::say(format_args!("{error:#}"));
            return Ok(ExitCode::from(2));
        }
    };
    let verifies = changes.is_none();
    let changes = changes.unwrap_or_default();
    let mut rehearser = Rehearser::new(&changes);
    let name = args.decisions.display();
    let read = if args.decisions.as_os_str() == "-" {
        replay(std::io::stdin().lock(), &mut rehearser)
    } else {
        let file = File::open(&args.decisions).with_context(|| format!("{name} cannot be opened"))?;
        replay(BufReader::new(file), &mut rehearser)
    };
    let outcome = read.with_context(|| format!("{name} cannot be read"))?;
    let mut result = serde_json::to_value(rehearser.end())?;
    if let Some(members) = result.as_object_mut() {
        members.insert("malformed_lines".to_owned(), json!(outcome.malformed));
        members.insert("not_reproduced".to_owned(), json!(outcome.not_reproduced_count));
        members.insert("unknown".to_owned(), json!(unknown(&changes, &outcome.known)));
    }
    for line in &outcome.told {
        crate::say(format_args!("line {}: {}", line.line, line.said));
    }
    let text = if args.json {
        format!("{result:#}\n")
    } else {
        text(&result, &outcome, verifies)
    };
    super::print(&text)?;
    let decisions = forecast::whole(&result, "decisions");
    let failed = decisions == 0 || (verifies && outcome.not_reproduced_count > 0);
    Ok(ExitCode::from(u8::from(failed)))
}

/// The changes in a file.
fn changes_in(file: &Path) -> anyhow::Result<Changes> {
    let document = super::weights::document(file)?;
    let Value::Object(mut members) = document else {
        anyhow::bail!("{}: {} instead of routes", file.display(), noun(&document));
    };
    members.retain(|key, _| key != "reason" && key != "author");
    anyhow::ensure!(
        members.contains_key("routes"),
        "{}: expected 'routes' with changes by route",
        file.display()
    );
    tollgate_actors::read_changes(&Value::Object(members)).map_err(|problems| {
        let lines: Vec<String> = problems
            .iter()
            .map(|it| format!("{}: {it}", file.display()))
            .collect();
        anyhow::anyhow!(lines.join("\n"))
    })
}

/// Makes every decision again. A line that is no decision is counted, and no reason to stop.
fn replay(mut lines: impl BufRead, rehearser: &mut Rehearser<'_>) -> std::io::Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut ranking = Ranking::default();
    let (mut line, mut number) = (Vec::new(), 0u64);
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(outcome);
        }
        number += 1;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match serde_json::from_slice::<DecisionRecord>(&line) {
            Ok(record) => {
                outcome.verify(&mut ranking, &record);
                rehearser.decide(record.at_ms, &record.decision);
            }
            Err(error) => outcome.malformed(number, &error),
        }
    }
}

impl Outcome {
    fn verify(&mut self, ranking: &mut Ranking, record: &DecisionRecord) {
        let question = &record.decision.question;
        if ranking.rank(question) != record.decision.ranking.as_slice() {
            self.not_reproduced_count += 1;
            if self.not_reproduced.len() < TOLD {
                self.not_reproduced.push(record.id.to_string());
            }
        }
        for group in &question.groups {
            if !self.known.contains(&*group.route) {
                self.known.insert(group.route.to_string());
            }
        }
        for facts in &question.candidates {
            let Some(group) = question.groups.get(usize::from(facts.fallback)) else {
                continue;
            };
            let (route, (provider, model)) = (&group.route, group.names.of(facts));
            self.known.insert(format!("{route}\n{provider}/{model}"));
            self.known.insert(format!("{route}\n{provider}/*"));
        }
    }

    fn malformed(&mut self, line: u64, error: &serde_json::Error) {
        self.malformed += 1;
        if self.told.len() < TOLD {
            let mut said = error.to_string();
            if let Some(end) = said.rfind(" at line ") {
                said.truncate(end);
            }
            let said = format!("not a decision: {said} (column {})", error.column());
            self.told.push(Malformed { line, said });
        }
    }
}

/// Routes and targets of the changes that no decision knows: perhaps they are misspelt.
fn unknown(changes: &Changes, known: &BTreeSet<String>) -> Vec<String> {
    let mut unknown = Vec::new();
    for (route, change) in changes {
        if !known.contains(route) {
            unknown.push(format!("routes.{route}"));
            continue;
        }
        let targets = change.targets.keys();
        let strange = targets.filter(|target| !known.contains(&format!("{route}\n{target}")));
        unknown.extend(strange.map(|target| format!("routes.{route}.targets.{target}")));
    }
    unknown
}

fn text(result: &Value, outcome: &Outcome, verifies: bool) -> String {
    let decisions = forecast::whole(result, "decisions");
    let mut text = String::new();
    if verifies {
        let same = decisions.saturating_sub(outcome.not_reproduced_count);
        let _ = writeln!(
            text,
            "{same} of {decisions} decisions come out as they were recorded, to the bit"
        );
        if !outcome.not_reproduced.is_empty() {
            let _ = writeln!(text, "otherwise: {}", outcome.not_reproduced.join(", "));
        }
    } else {
        text.push_str(&forecast::text(result));
        if outcome.not_reproduced_count > 0 {
            let _ = writeln!(
                text,
                "beware: {} decisions do not come out as they were recorded even without a change; another version of \
                 tollgate made them",
                outcome.not_reproduced_count
            );
        }
        for name in forecast::list(result, "unknown").filter_map(Value::as_str) {
            let _ = writeln!(text, "beware: no decision knows {name}");
        }
    }
    if outcome.malformed > 0 {
        let _ = writeln!(
            text,
            "{} lines are no decisions and were left out",
            outcome.malformed
        );
    }
    text
}

#[cfg(test)]
mod tests;

//! A report as people read it in a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::breakers::Change;
use super::figures::Phase;
use super::report::{NotHeld, Report, Reports};
use crate::load::number::share;

/// The most changes of breakers that are shown.
const MOST_CHANGES: usize = 12;
/// The most targets and errors that are shown of a phase.
const MOST_NAMES: usize = 4;

const HEAD: [&str; 8] = [
    "", "SECONDS", "REQUESTS", "SUCCESS", "P50", "P99", "ATTEMPTS", "COST",
];

impl Report {
    /// The report as text, some ten lines.
    pub fn text(&self) -> String {
        let mut text = String::from("\n");
        text.push_str(&self.phases());
        text.push_str(&self.moves());
        text.push_str(&self.judgement());
        text
    }

    fn phases(&self) -> String {
        let phases = [
            ("before", &self.before),
            ("during", &self.during),
            ("after", &self.after),
        ];
        let mut rows = vec![HEAD.map(str::to_owned)];
        rows.extend(phases.map(|(name, phase)| cells(name, phase)));
        let mut text = aligned(&rows);
        for (name, phase) in phases {
            let served = phase.targets.iter().map(|(target, many)| {
                let percent = share(*many, phase.answered) * 100.0;
                (*many, format!("{target} {percent:.0} %"))
            });
            if phase.answered > 0 {
                let _ = writeln!(text, "  {name:<7} served by {}", most(served));
            }
            let errors = phase
                .errors
                .iter()
                .map(|(error, many)| (*many, format!("{many} × {error}")));
            if !phase.errors.is_empty() {
                let _ = writeln!(text, "  {name:<7} without an answer: {}", most(errors));
            }
        }
        text
    }

    fn moves(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, said: String| {
            let _ = writeln!(text, "  {name:<15} {said}");
        };
        let measured = &self.measured;
        let time = |ms: Option<f64>, never: &str| ms.map_or_else(|| never.to_owned(), span);
        if let Some(primary) = &self.primary {
            line("primary", format!("{primary}: its provider was struck"));
            line("time to shift", time(measured.shift_ms, "never"));
            line("time to return", time(measured.return_ms, "not within the drill"));
            line("met the fault", met(measured.met, &self.outcomes));
        }
        if let Some((p50, p99)) = measured.added_p50_ms.zip(measured.added_p99_ms) {
            line(
                "added latency",
                format!("p50 {}, p99 {}", signed(p50), signed(p99)),
            );
        }
        if let Some(cost) = measured.cost {
            line("cost a request", format!("{:+.1} %", cost * 100.0));
        }
        let (streams, told) = (
            self.during.cut.streams + self.after.cut.streams,
            self.during.cut.told + self.after.cut.told,
        );
        if streams > 0 {
            let silent = streams - told;
            line(
                "streams cut",
                format!("{streams} that had begun: {told} were told in their own dialect, {silent} were not"),
            );
        }
        if self.primary.is_none()
            && let Some(recovery) = measured.recovery_ms
        {
            line("recovery", format!("{} to the first good answer", span(recovery)));
        }
        let shown = self.changes.iter().take(MOST_CHANGES);
        for (number, change) in shown.enumerate() {
            line(if number == 0 { "breaker" } else { "" }, changed(change));
        }
        if let Some(more) = self
            .changes
            .len()
            .checked_sub(MOST_CHANGES)
            .filter(|more| *more > 0)
        {
            line("", format!("and {more} more changes"));
        }
        if self.probes.sent > 0 {
            let probes = self.probes;
            line(
                "probes",
                format!("{} sent, {} went well", probes.sent, probes.went_well),
            );
        }
        for (number, done) in self.done.iter().take(MOST_CHANGES).enumerate() {
            line(if number == 0 { "done" } else { "" }, done.clone());
        }
        if let Some(lag) = self.lag_p99_ms.filter(|lag| *lag > 20.0) {
            line(
                "note",
                format!(
                    "the load was sent late (p99 {}): the machine is busy, and latencies show that",
                    span(lag)
                ),
            );
        }
        text
    }

    fn judgement(&self) -> String {
        let mut rows = Vec::new();
        for verdict in &self.verdicts {
            let mark = if verdict.failed { "FAIL" } else { "ok" };
            rows.push([
                mark.to_owned(),
                verdict.expected.clone(),
                verdict.seen.clone(),
                verdict.about.clone(),
            ]);
        }
        let mut text = aligned(&rows);
        for advice in self.verdicts.iter().filter_map(|it| it.advice.as_ref()) {
            let told = format!("  to change: {advice}\n");
            if !text.contains(&told) {
                text.push_str(&told);
            }
        }
        let verdict = if self.passed { "PASSED" } else { "FAILED" };
        let _ = writeln!(text, "  {}: {verdict}", self.drill);
        text
    }
}

impl Reports {
    /// One line each.
    pub fn text(&self) -> String {
        let row = |report: &Report| {
            let measured = &report.measured;
            let time = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), span);
            [
                report.drill.clone(),
                if report.passed { "passed" } else { "FAILED" }.to_owned(),
                measured.success.map_or_else(|| "-".to_owned(), percent),
                time(measured.shift_ms),
                time(measured.return_ms),
                measured.added_p99_ms.map_or_else(|| "-".to_owned(), signed),
                measured
                    .attempts
                    .map_or_else(|| "-".to_owned(), |it| format!("{it:.2}")),
                measured
                    .cost
                    .map_or_else(|| "-".to_owned(), |it| format!("{:+.1} %", it * 100.0)),
                measured
                    .cut
                    .map_or_else(|| "-".to_owned(), |it| format!("{it:.0}")),
            ]
        };
        let head = [
            "DRILL",
            "VERDICT",
            "SUCCESS",
            "SHIFT",
            "RETURN",
            "ADDED P99",
            "ATTEMPTS",
            "COST",
            "CUT",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(self.drills.iter().map(row));
        let not_held = |it: &NotHeld| {
            let mut row = [const { String::new() }; 9];
            let [drill, verdict, rest @ ..] = &mut row;
            (*drill, *verdict) = (it.drill.clone(), "NOT HELD".to_owned());
            rest.fill("-".to_owned());
            row
        };
        rows.extend(self.not_held.iter().map(not_held));
        aligned(&rows)
    }
}

fn cells(name: &str, phase: &Phase) -> [String; 8] {
    let time = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), span);
    let attempts = phase.attempts.map_or_else(
        || "-".to_owned(),
        |mean| format!("{mean:.2}, at most {}", phase.most_attempts),
    );
    [
        name.to_owned(),
        format!("{:.1}", phase.seconds),
        phase.requests.to_string(),
        phase.success.map_or_else(|| "-".to_owned(), percent),
        time(phase.p50_ms),
        time(phase.p99_ms),
        attempts,
        phase
            .cost_nanodollars
            .map_or_else(|| "-".to_owned(), |nano| format!("${:.7}", nano / 1e9)),
    ]
}

/// Never 100 % where something failed.
fn percent(share: f64) -> String {
    let percent = (share * 10_000.0).floor() / 100.0;
    if percent.fract() == 0.0 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.2} %")
    }
}

fn span(ms: f64) -> String {
    if ms.abs() < 1000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1000.0)
    }
}

fn signed(ms: f64) -> String {
    let sign = if ms < 0.0 { "-" } else { "+" };
    format!("{sign}{}", span(ms.abs()))
}

/// How many of the attempts at the struck provider met the fault, and how all of them ended.
fn met(met: Option<f64>, outcomes: &BTreeMap<String, u64>) -> String {
    let met = met.unwrap_or_default();
    let all: u64 = outcomes.values().sum();
    let ended = outcomes
        .iter()
        .map(|(outcome, many)| (*many, format!("{many} × {outcome}")));
    let ended = if all == 0 {
        String::new()
    } else {
        format!(": {}", most(ended))
    };
    format!("{met:.0} of {all} attempts at it{ended}")
}

fn changed(change: &Change) -> String {
    let why = change
        .why
        .as_ref()
        .map_or_else(String::new, |why| format!(" ({why})"));
    format!("{:+.1} s  {} {}{why}", change.at, change.of, change.state)
}

/// Those with the highest numbers, and how many others there are.
fn most(named: impl Iterator<Item = (u64, String)>) -> String {
    let mut named: Vec<_> = named.collect();
    named.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    let more = named.len().saturating_sub(MOST_NAMES);
    let mut first: Vec<_> = named.into_iter().take(MOST_NAMES).map(|(_, name)| name).collect();
    if more > 0 {
        first.push(format!("{more} more"));
    }
    first.join(", ")
}

/// Columns as wide as they must be, two spaces in front.
fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for (width, cell) in widths.iter().zip(row) {
            let _ = write!(line, " {cell:<width$} ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;

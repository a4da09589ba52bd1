//! The report of a run: everything that was measured, what the server under load adds to the baselines, what was
//! judged, and whether the run can be believed. Written as JSON (its schema is part of the reference); the table and
//! the page are drawn from the same.

mod page;
mod plot;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arrivals::Arrival;
use super::number::{float, share};
use super::scenario::{Protocol, Scenario};
use super::summary::{Quantiles, Requests, Summary};
use super::thresholds::Verdict;
use crate::dice::hash_bytes;

/// The version of the format.
const FORMAT: &str = "tollgate-bench/1";
/// A generator that is busier than this may have been what was measured.
const BUSIEST: f64 = 0.9;
/// What the baseline without anything between is called.
pub const DIRECT: &str = "direct";
/// Fewer samples than this are no distribution.
const FEWEST: u64 = 10;

/// The result of `tollgate bench`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// `tollgate-bench/1`
    pub format: String,
    /// The version of the program.
    pub version: String,
    /// When it began: RFC 3339, UTC.
    pub started: String,
    /// What was run.
    pub scenario: Described,
    /// Cores of the machine.
    pub cores: usize,
    /// Why the run cannot be believed. Empty: it can.
    pub invalid: Vec<String>,
    /// Baselines that were asked for and are not in it, and why.
    pub skipped: Vec<String>,
    /// What was loaded: the server under test first, then the baselines.
    pub contestants: Vec<Contestant>,
    /// What the server under test adds to each baseline.
    pub added: Vec<Added>,
    /// What was judged, of the server under test: each threshold over all its rounds.
    pub verdicts: Vec<Verdict>,
}

/// A scenario in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// How requests arrive, in words.
    pub arrival: String,
    /// How they are carried.
    pub protocol: Protocol,
    /// Connections.
    pub connections: usize,
    /// Seconds of warm-up, not measured.
    pub warm_up_seconds: f64,
    /// Seconds measured in each round.
    pub measured_seconds: f64,
    /// What decides every choice.
    pub seed: u64,
    /// All else that decides what is sent, by the scenario's field; keys are only counted. Two reports of equal descriptions
    /// are of the same load.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}

/// A server and its rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Contestant {
    /// `tollgate`, `direct`, `nginx`, or what the server under test was called.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// In their order; the rounds of all contestants alternate.
    pub rounds: Vec<Summary>,
}

/// What the server under test adds to a baseline: the medians over rounds, one less the other, in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Added {
    /// The baseline.
    pub to: String,
    /// To the median latency.
    pub p50_us: Option<f64>,
    /// To the 99th percentile.
    pub p99_us: Option<f64>,
    /// To the median time to the first content of streams.
    pub first_p50_us: Option<f64>,
    /// CPU time a request of the server under test, divided by the baseline's.
    pub cpu_ratio: Option<f64>,
    /// What the server under test adds to the median latency of `direct`, divided by what this baseline adds to it.
    /// `None`: this is `direct`, or it is not there, or one of them adds nothing that could be measured.
    pub added_p50_ratio: Option<f64>,
    /// The same of the 99th percentile.
    pub added_p99_ratio: Option<f64>,
}

impl Report {
    /// A report of rounds. `contestants` starts with the server under test.
    pub fn new(scenario: &Scenario, started: String, cores: usize, contestants: Vec<Contestant>) -> Self {
        let (tested, baselines) = match contestants.split_first() {
            Some((tested, baselines)) => (Some(tested), baselines),
            None => (None, [].as_slice()),
        };
        let added = tested.into_iter().flat_map(|tested| {
            baselines
                .iter()
                .map(|baseline| added(tested, baseline, baselines))
        });
        let rounds = || tested.iter().flat_map(|it| &it.rounds);
        let verdicts = scenario
            .fail_if
            .iter()
            .map(|threshold| {
                worst(
                    rounds().map(|round| threshold.judge(round)).collect(),
                    threshold.to_string(),
                )
            })
            .collect();
        Self {
            format: FORMAT.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started,
            scenario: Described::of(scenario),
            cores,
            invalid: contestants
                .iter()
                .flat_map(|it| doubts(scenario, it))
                .chain(baselines.iter().filter_map(failing))
                .collect(),
            skipped: Vec::new(),
            added: added.collect(),
            verdicts,
            contestants,
        }
    }

    /// Whether a threshold failed.
    pub fn has_failed(&self) -> bool {
        self.verdicts.iter().any(|verdict| verdict.failed)
    }

    /// As a table for a terminal.
    pub fn table(&self) -> String {
        table::of(self)
    }

    /// As JSON, for people to read as well.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// As one page of HTML that needs nothing else.
    pub fn page(&self) -> String {
        page::of(self)
    }

    /// The JSON Schema of the format.
    pub fn schema() -> String {
        let schema = schemars::schema_for!(Self);
        let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// The verdict of the round that came off worst: the first that failed, or else the last.
fn worst(mut verdicts: Vec<Verdict>, threshold: String) -> Verdict {
    let failed = verdicts.iter().position(|verdict| verdict.failed);
    let place = failed.unwrap_or(verdicts.len().saturating_sub(1));
    if place < verdicts.len() {
        return verdicts.swap_remove(place);
    }
    Verdict {
        threshold,
        found: None,
        written: None,
        failed: true,
    }
}

/// What makes a round doubtful: how much of it there is, and what is said then.
type Doubt<'a> = &'a dyn Fn(&Summary) -> Option<(f64, String)>;

/// Why what was measured of a contestant cannot be believed: each doubt once, as bad as it got.
fn doubts(scenario: &Scenario, contestant: &Contestant) -> Vec<String> {
    let limit_us = scenario.lag_limit.as_secs_f64() * 1e6;
    let not_sent: Doubt<'_> = &|round| {
        let Requests { sent, not_sent, .. } = round.requests;
        let said = format!(
            "{not_sent} requests ({:.1} %) were due and not sent: {} were under way, or the generator could not keep up",
            100.0 * share(not_sent, not_sent + sent),
            scenario.outstanding,
        );
        (not_sent > 0).then(|| (float(not_sent), said))
    };
    let late: Doubt<'_> = &|round| {
        let lag = round.generator.lag.as_ref()?.p99;
        let said = format!(
            "the generator was late: one request in a hundred by more than {}, allowed are {}",
            time(lag),
            time(limit_us),
        );
        (lag > limit_us).then_some((lag, said))
    };
    let busy: Doubt<'_> = &|round| {
        let busy = round.generator.busy.filter(|busy| *busy > BUSIEST)?;
        let said = format!("the generator was the bottleneck: {:.0} % busy", busy * 100.0);
        Some((busy, said))
    };
    let few: Doubt<'_> = &|round| {
        let sent = round.requests.sent;
        let said = format!("only {sent} requests were measured");
        (sent < FEWEST).then(|| (-float(sent), said))
    };
    let none: Doubt<'_> = &|round| {
        let Requests { sent, failed, .. } = round.requests;
        let said = format!("not one of {sent} requests has a good answer");
        (sent > 0 && failed == sent).then(|| (float(sent), said))
    };
    let all = [not_sent, late, busy, few, none].into_iter();
    all.filter_map(|doubt| told(contestant, doubt)).collect()
}

/// What a server adds to a baseline that mostly fails is no figure.
fn failing(baseline: &Contestant) -> Option<String> {
    told(baseline, &|round| {
        let Requests { sent, failed, .. } = round.requests;
        let said = format!(
            "{failed} of {sent} requests failed: it is no baseline (does it have other keys or models?)"
        );
        // Where all have failed, that is told of any server.
        (failed * 2 > sent && failed < sent).then(|| (share(failed, sent), said))
    })
}

/// A doubt of the round in which it is greatest.
fn told(contestant: &Contestant, doubt: Doubt<'_>) -> Option<String> {
    let rounds = (1..).zip(&contestant.rounds);
    let found: Vec<_> = rounds
        .filter_map(|(number, round)| doubt(round).map(|(much, said)| (number, much, said)))
        .collect();
    let worst = found.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let others = match found.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more rounds)"),
    };
    Some(format!(
        "{} round {}: {}{others}",
        contestant.name, worst.0, worst.2
    ))
}

fn added(tested: &Contestant, baseline: &Contestant, baselines: &[Contestant]) -> Added {
    type Of<'a> = &'a dyn Fn(&Summary) -> Option<f64>;
    let less = |of: Of<'_>, from: &Contestant| Some(median(tested, of)? - median(from, of)?);
    let p50: Of<'_> = &|round| round.latency.as_ref().map(|it| it.p50);
    let p99: Of<'_> = &|round| round.latency.as_ref().map(|it| it.p99);
    let cpu: Of<'_> = &|round| round.server.as_ref().map(|it| it.cpu_us_per_request);
    let direct = baselines.iter().find(|it| it.name == DIRECT);
    let direct = direct.filter(|it| it.name != baseline.name);
    let ratio = |of: Of<'_>| {
        let direct = direct?;
        let theirs = median(baseline, of)? - median(direct, of)?;
        let ours = less(of, direct)?;
        (ours > 0.0 && theirs > 0.0).then_some(ours / theirs)
    };
    Added {
        to: baseline.name.clone(),
        p50_us: less(p50, baseline),
        p99_us: less(p99, baseline),
        first_p50_us: less(&|round| round.first.as_ref().map(|it| it.p50), baseline),
        cpu_ratio: median(tested, cpu)
            .zip(median(baseline, cpu).filter(|theirs| *theirs > 0.0))
            .map(|(ours, theirs)| ours / theirs),
        added_p50_ratio: ratio(p50),
        added_p99_ratio: ratio(p99),
    }
}

/// The median over the rounds of a contestant. `None`: one of them has no such figure, or there are none.
fn median(contestant: &Contestant, of: &dyn Fn(&Summary) -> Option<f64>) -> Option<f64> {
    median_of(contestant.rounds.iter().map(of).collect::<Option<_>>()?)
}

/// The median. `None`: of nothing.
pub(super) fn median_of(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    values
        .get(middle.checked_sub(1)?)
        .map(|lower| f64::midpoint(*lower, upper))
}

impl Described {
    fn of(scenario: &Scenario) -> Self {
        Self {
            name: scenario.name.clone(),
            about: scenario.about.clone(),
            arrival: arrival(&scenario.arrival),
            protocol: scenario.protocol,
            connections: scenario.connections,
            warm_up_seconds: scenario.window.warm_up.as_secs_f64(),
            measured_seconds: scenario.window.measured.as_secs_f64(),
            seed: scenario.seed,
            settings: settings(scenario),
        }
    }

    /// What differs between two, for people: each setting with both values.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let all = |it: &Self| {
            let mut all = it.settings.clone();
            all.extend([
                ("name".to_owned(), it.name.clone()),
                ("arrival".to_owned(), it.arrival.clone()),
                ("protocol".to_owned(), format!("{:?}", it.protocol)),
                ("connections".to_owned(), it.connections.to_string()),
                ("warm_up".to_owned(), format!("{} s", it.warm_up_seconds)),
                ("duration".to_owned(), format!("{} s", it.measured_seconds)),
                ("seed".to_owned(), it.seed.to_string()),
            ]);
            all
        };
        let (mine, theirs) = (all(self), all(other));
        let names: BTreeSet<_> = mine.keys().chain(theirs.keys()).collect();
        let told = |of: Option<&String>| of.map_or("not told", String::as_str).to_owned();
        names
            .into_iter()
            .map(|name| (name, mine.get(name), theirs.get(name)))
            .filter(|(_, mine, theirs)| mine != theirs)
            .map(|(name, mine, theirs)| format!("{name}: {} and {}", told(mine), told(theirs)))
            .collect()
    }
}

/// What decides what is sent and is not described otherwise.
fn settings(scenario: &Scenario) -> BTreeMap<String, String> {
    let weights: Vec<f64> = scenario.keys.iter().map(|(_, weight)| *weight).collect();
    let text = |name: &str, value: String| (name.to_owned(), value);
    let mut settings = BTreeMap::from([
        text("requests", format!("{:?}", scenario.requests)),
        text("keys", format!("{weights:?}")),
        text("prompt", format!("{:?}", scenario.prompt)),
        text("repeats", format!("{:?}", scenario.repeats)),
        text("cancels", format!("{:?}", scenario.cancels)),
        text("outstanding", scenario.outstanding.to_string()),
        text("requests_at_most", scenario.requests_at_most.to_string()),
        text("timeout", format!("{:?}", scenario.timeout)),
        text("threads", scenario.threads.to_string()),
    ]);
    match &scenario.arrival {
        Arrival::Closed => {}
        Arrival::Rate(profile) => settings.extend([text("then", format!("{:?}", profile.then))]),
        Arrival::Trace(times) => {
            let bytes: Vec<u8> = times.iter().flat_map(|at| at.as_nanos().to_le_bytes()).collect();
            settings.extend([text("trace", format!("{:016x}", hash_bytes(&bytes)))]);
        }
    }
    settings
}

fn arrival(arrival: &Arrival) -> String {
    let profile = match arrival {
        Arrival::Closed => return "closed loop".to_owned(),
        Arrival::Trace(times) => return format!("trace of {} requests", times.len()),
        Arrival::Rate(profile) => profile,
    };
    let mut text = format!("{:?}", profile.spacing).to_lowercase();
    for leg in &profile.legs {
        let _ = if leg.from.total_cmp(&leg.to).is_eq() {
            write!(text, ", {} a second", leg.from)
        } else {
            write!(text, ", {} to {} a second in {:?}", leg.from, leg.to, leg.lasts)
        };
        if profile.legs.len() > 1 && leg.from.total_cmp(&leg.to).is_eq() {
            let _ = write!(text, " for {:?}", leg.lasts);
        }
    }
    text
}

/// Microseconds as people read them: three digits and a unit.
pub(super) fn time(micros: f64) -> String {
    let (number, unit) = match micros {
        it if it.abs() >= 1e6 => (it / 1e6, "s"),
        it if it.abs() >= 1e3 => (it / 1e3, "ms"),
        it => (it, "µs"),
    };
    let places = match number.abs() {
        it if it >= 99.95 => 0,
        it if it >= 9.995 => 1,
        _ => 2,
    };
    format!("{number:.places$} {unit}")
}

/// Text within HTML.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A quantile for people; a dash where nothing was measured.
fn at(of: Option<&Quantiles>, place: fn(&Quantiles) -> f64) -> String {
    of.map_or_else(|| "-".to_owned(), |it| time(place(it)))
}

/// A count with its share of `all`.
fn part(count: u64, all: u64) -> String {
    format!("{count} ({:.2} %)", 100.0 * share(count, all))
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.1} KiB", float(bytes) / 1024.0),
        _ => format!("{:.1} MiB", float(bytes) / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests;

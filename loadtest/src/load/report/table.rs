//! A report as rows, a column for each contestant, medians over its rounds; and those as text for a terminal.

use std::fmt::Write as _;

use super::super::figures::ErrorClass;
use super::super::summary::{Quantiles, ServerUse, Summary};
use super::super::thresholds::Verdict;
use super::{Added, Contestant, Report, at, median, part, size, time};

/// Rows of one kind.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) rows: Vec<Row>,
}

/// A name, and a cell for each contestant.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) cells: Vec<String>,
}

pub(super) fn of(report: &Report) -> String {
    let mut text = head(report);
    let names = Row {
        name: String::new(),
        cells: report.contestants.iter().map(|it| it.name.clone()).collect(),
    };
    let mut lines = vec![Some(names)];
    for section in sections(report) {
        lines.extend(section.rows.into_iter().map(Some));
        lines.push(None);
    }
    text.push_str(&aligned(&lines));
    tail(report, &mut text);
    text
}

/// All rows that have anything to say.
pub(super) fn sections(report: &Report) -> Vec<Section> {
    let all = Table(report);
    let sections = [
        ("Requests", all.requests()),
        ("Latency, from the moment a request was due", all.latency()),
        ("Streams and service", all.other_times()),
        ("What the server uses", all.server()),
        ("The generator itself", all.generator()),
    ];
    sections
        .into_iter()
        .map(|(title, rows)| Section { title, rows })
        .filter(|section| !section.rows.is_empty())
        .collect()
}

fn head(report: &Report) -> String {
    format!(
        "{}: {}\n{}\n\n",
        report.scenario.name,
        report.scenario.about,
        run(report)
    )
}

/// How it was run, in a line.
pub(super) fn run(report: &Report) -> String {
    let scenario = &report.scenario;
    let rounds = report.contestants.iter().map(|it| it.rounds.len()).max();
    format!(
        "{}; {} connections, {:?}; {} × {} s, after {} s of warm-up; {} cores",
        scenario.arrival,
        scenario.connections,
        scenario.protocol,
        rounds.unwrap_or(0),
        scenario.measured_seconds,
        scenario.warm_up_seconds,
        report.cores,
    )
    .to_lowercase()
}

/// A name, and what is written for it.
type Named<T> = (&'static str, T);
type Place = fn(&Quantiles) -> f64;
type Times = fn(&Summary) -> Option<&Quantiles>;
type Count = fn(&Contestant) -> u64;
type Used = fn(&ServerUse) -> Option<f64>;
type Write = fn(f64) -> String;

fn sum(of: &Contestant, count: impl Fn(&Summary) -> u64) -> u64 {
    of.rounds.iter().map(count).sum()
}

fn number(of: Option<f64>, write: impl Fn(f64) -> String) -> String {
    of.map_or_else(|| "-".to_owned(), write)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// What rows are made from.
struct Table<'a>(&'a Report);

impl Table<'_> {
    fn row(&self, name: &str, cell: impl Fn(&Contestant) -> String) -> Row {
        Row {
            name: name.to_owned(),
            cells: self.0.contestants.iter().map(cell).collect(),
        }
    }

    /// Whether a round of any contestant is so.
    fn any(&self, is: impl Fn(&Summary) -> bool) -> bool {
        self.0.contestants.iter().flat_map(|it| &it.rounds).any(is)
    }

    fn requests(&self) -> Vec<Row> {
        let sent = |it: &Contestant| sum(it, |round| round.requests.sent);
        let mut rows = vec![
            self.row("requests sent", |it| sent(it).to_string()),
            self.row("answered a second", |it| {
                number(median(it, &|round| Some(round.answered_per_second)), |rate| {
                    format!("{rate:.1}")
                })
            }),
            self.row("errors", |it| {
                part(sum(it, |round| round.requests.failed), sent(it))
            }),
        ];
        let optional: [Named<Count>; 2] = [
            ("given up", |it| sum(it, |round| round.requests.cancelled)),
            ("not sent", |it| sum(it, |round| round.requests.not_sent)),
        ];
        for (name, count) in optional {
            if self.0.contestants.iter().any(|it| count(it) > 0) {
                rows.push(self.row(name, |it| part(count(it), sent(it))));
            }
        }
        rows.push(self.row("under way at most", |it| {
            let most = it.rounds.iter().map(|round| round.requests.most_under_way).max();
            most.unwrap_or(0).to_string()
        }));
        if self.any(|round| round.streams.asked > 0) {
            rows.push(self.row("chunks, lost", |it| {
                let came = sum(it, |round| round.streams.chunks);
                format!("{came}, {}", sum(it, |round| round.streams.chunks_lost))
            }));
        }
        if self.any(|round| round.cache_hit_share.is_some()) {
            rows.push(self.row("from the cache", |it| {
                number(median(it, &|round| round.cache_hit_share), percent)
            }));
        }
        rows.push(self.row("bytes out, in", |it| {
            let (sent, received) = (
                sum(it, |round| round.bytes_sent),
                sum(it, |round| round.bytes_received),
            );
            format!("{}, {}", size(sent), size(received))
        }));
        rows
    }

    fn latency(&self) -> Vec<Row> {
        let places: [Named<Place>; 6] = [
            ("p50", |it| it.p50),
            ("p90", |it| it.p90),
            ("p99", |it| it.p99),
            ("p99.9", |it| it.p999),
            ("max", |it| it.max),
            ("mean", |it| it.mean),
        ];
        let row = |(name, place): Named<Place>| {
            self.row(&format!("latency {name}"), |it| {
                number(median(it, &|round| round.latency.as_ref().map(place)), time)
            })
        };
        places.into_iter().map(row).collect()
    }

    fn other_times(&self) -> Vec<Row> {
        let others: [Named<Times>; 3] = [
            ("service", |it| it.service.as_ref()),
            ("first chunk", |it| it.first.as_ref()),
            ("chunk gap", |it| it.gap.as_ref()),
        ];
        let measured = others
            .into_iter()
            .filter(|(_, of)| self.any(|round| of(round).is_some()));
        let row = |(name, of): Named<Times>| {
            self.row(&format!("{name} p50, p99, max"), |it| {
                let at = |place: Place| number(median(it, &|round| of(round).map(place)), time);
                format!("{}, {}, {}", at(|it| it.p50), at(|it| it.p99), at(|it| it.max))
            })
        };
        measured.map(row).collect()
    }

    fn server(&self) -> Vec<Row> {
        let mib: Write = |mib| format!("{mib:.1} MiB");
        let figures: [(&str, Used, Write); 6] = [
            ("CPU a request", |it| Some(it.cpu_us_per_request), time),
            ("CPU a chunk", |it| it.cpu_us_per_chunk, time),
            ("memory before", |it| Some(it.rss_idle_mib), mib),
            ("memory at most", |it| Some(it.rss_max_mib), mib),
            ("memory at the end", |it| Some(it.rss_end_mib), mib),
            (
                "memory a request under way",
                |it| it.rss_kib_per_request,
                |kib| format!("{kib:.1} KiB"),
            ),
        ];
        let has = |of: Used| self.any(|round| round.server.as_ref().and_then(of).is_some());
        let measured = figures.into_iter().filter(|(_, of, _)| has(*of));
        let row = |(name, of, write): (&str, Used, Write)| {
            self.row(name, |it| {
                number(median(it, &|round| round.server.as_ref().and_then(of)), write)
            })
        };
        measured.map(row).collect()
    }

    fn generator(&self) -> Vec<Row> {
        let worst_lag = |it: &Contestant| {
            let lag = it.rounds.iter().filter_map(|round| round.generator.lag.clone());
            lag.max_by(|a, b| a.p99.total_cmp(&b.p99))
        };
        vec![
            self.row("generator lag p50, p99", |it| {
                let lag = worst_lag(it);
                format!(
                    "{}, {}",
                    at(lag.as_ref(), |it| it.p50),
                    at(lag.as_ref(), |it| it.p99)
                )
            }),
            self.row("generator busy, ceiling", |it| {
                let busy = number(median(it, &|round| round.generator.busy), |busy| {
                    format!("{:.0} %", busy * 100.0)
                });
                let ceiling = median(it, &|round| round.generator.ceiling_per_second);
                format!("{busy}, {}/s", number(ceiling, |rate| format!("{rate:.0}")))
            }),
        ]
    }
}

/// Each way to fail that there was, and how often.
pub(super) fn failures(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for contestant in &report.contestants {
        let mut times = std::collections::BTreeMap::new();
        for (class, more) in contestant.rounds.iter().flat_map(|round| &round.errors) {
            *times.entry(class).or_insert(0) += more;
        }
        for (class, times) in times {
            let which = match class {
                ErrorClass::Status => bad_statuses(contestant),
                _ => String::new(),
            };
            lines.push(format!("{}: {times} × {}{which}", contestant.name, class.noun()));
        }
    }
    lines
}

/// ` (404 × 12, 503 × 1)`
fn bad_statuses(contestant: &Contestant) -> String {
    let mut times = std::collections::BTreeMap::new();
    for (status, more) in contestant.rounds.iter().flat_map(|round| &round.statuses) {
        *times.entry(*status).or_insert(0) += more;
    }
    let bad = times.iter().filter(|(status, _)| !(200..300).contains(*status));
    let told: Vec<_> = bad.map(|(status, times)| format!("{status} × {times}")).collect();
    format!(" ({})", told.join(", "))
}

/// `a tollgate adds to nginx: …`
pub(super) fn added(of: &Added) -> String {
    let signed = |of: Option<f64>| {
        number(of, |it| {
            let sign = if it < 0.0 { "" } else { "+" };
            format!("{sign}{}", time(it))
        })
    };
    let mut text = format!("p50 {}, p99 {}", signed(of.p50_us), signed(of.p99_us));
    if of.first_p50_us.is_some() {
        let _ = write!(text, ", first chunk p50 {}", signed(of.first_p50_us));
    }
    if let Some(ratio) = of.cpu_ratio {
        let _ = write!(text, "; CPU a request × {ratio:.2}");
    }
    if let Some(ratio) = of.added_p50_ratio {
        let p99 = number(of.added_p99_ratio, |it| format!("{it:.2}"));
        let _ = write!(text, "; adds to direct × {ratio:.2} at p50, × {p99} at p99");
    }
    text
}

/// What was found.
pub(super) fn found(verdict: &Verdict) -> String {
    let found = verdict.written.as_ref();
    found.map_or_else(|| "not measured".to_owned(), |it| format!("found {it}"))
}

fn tail(report: &Report, text: &mut String) {
    let mut line = |what: String| {
        text.push_str(&what);
        text.push('\n');
    };
    failures(report).into_iter().for_each(&mut line);
    for it in &report.added {
        line(format!("beside {}: {}", it.to, added(it)));
    }
    for verdict in &report.verdicts {
        let says = if verdict.failed { "FAILED" } else { "passed" };
        line(format!(
            "{says} fail if {}: {}",
            verdict.threshold,
            found(verdict)
        ));
    }
    for why in &report.skipped {
        line(format!("SKIPPED  {why}"));
    }
    for why in &report.invalid {
        line(format!("INVALID  {why}"));
    }
}

/// Columns as wide as they must be; numbers to the right. `None` is an empty line.
fn aligned(rows: &[Option<Row>]) -> String {
    let cells = || rows.iter().flatten();
    let columns = cells().map(|row| row.cells.len()).max().unwrap_or(0);
    let chars = |text: &str| text.chars().count();
    let first = cells().map(|row| chars(&row.name)).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = cells().filter_map(|row| row.cells.get(column));
        cells.map(|cell| chars(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        if let Some(row) = row {
            let _ = write!(text, "{:<first$}", row.name);
            for (cell, width) in row.cells.iter().zip(&widths) {
                let _ = write!(text, "  {cell:>width$}");
            }
            text.truncate(text.trim_end().len());
        }
        text.push('\n');
    }
    text
}

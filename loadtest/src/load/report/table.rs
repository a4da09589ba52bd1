//! A report as text: a column for each contestant, medians over its rounds.

use std::fmt::Write as _;

use super::super::summary::{Quantiles, Summary};
use super::{Contestant, Report, at, median, part, size, time};

pub(super) fn of(report: &Report) -> String {
    let mut text = head(report);
    let mut rows = vec![row("", report, |it| it.name.clone())];
    counts(report, &mut rows);
    times(report, &mut rows);
    costs(report, &mut rows);
    text.push_str(&aligned(&rows));
    tail(report, &mut text);
    text
}

fn head(report: &Report) -> String {
    let scenario = &report.scenario;
    let rounds = report
        .contestants
        .iter()
        .map(|it| it.rounds.len())
        .max()
        .unwrap_or(0);
    format!(
        "{}: {}\n{}; {} connections; {rounds} × {} s, after {} s of warm-up\n\n",
        scenario.name,
        scenario.about,
        scenario.arrival,
        scenario.connections,
        scenario.measured_seconds,
        scenario.warm_up_seconds,
    )
}

/// A name, and a cell for each contestant.
type Row = Vec<String>;
/// A name, and what is written for it.
type Named<T> = (&'static str, T);
type Place = fn(&Quantiles) -> f64;
type Times = fn(&Summary) -> Option<&Quantiles>;
type Count = fn(&Contestant) -> u64;

fn row(name: &str, report: &Report, cell: impl Fn(&Contestant) -> String) -> Row {
    std::iter::once(name.to_owned())
        .chain(report.contestants.iter().map(cell))
        .collect()
}

fn sum(of: &Contestant, count: impl Fn(&Summary) -> u64) -> u64 {
    of.rounds.iter().map(count).sum()
}

fn number(of: Option<f64>, write: impl Fn(f64) -> String) -> String {
    of.map_or_else(|| "-".to_owned(), write)
}

fn counts(report: &Report, rows: &mut Vec<Row>) {
    let sent = |it: &Contestant| sum(it, |round| round.requests.sent);
    rows.push(row("requests sent", report, |it| sent(it).to_string()));
    rows.push(row("answered a second", report, |it| {
        number(median(it, &|round| Some(round.answered_per_second)), |rate| {
            format!("{rate:.1}")
        })
    }));
    rows.push(row("errors", report, |it| {
        part(sum(it, |round| round.requests.failed), sent(it))
    }));
    let optional: [Named<Count>; 2] = [
        ("given up", |it| sum(it, |round| round.requests.cancelled)),
        ("not sent", |it| sum(it, |round| round.requests.not_sent)),
    ];
    for (name, count) in optional {
        if report.contestants.iter().any(|it| count(it) > 0) {
            rows.push(row(name, report, |it| part(count(it), sent(it))));
        }
    }
    let streams = |it: &Contestant| sum(it, |round| round.streams.asked);
    if report.contestants.iter().any(|it| streams(it) > 0) {
        rows.push(row("chunks, lost", report, |it| {
            let (came, lost) = (
                sum(it, |round| round.streams.chunks),
                sum(it, |round| round.streams.chunks_lost),
            );
            format!("{came}, {lost}")
        }));
    }
    if report
        .contestants
        .iter()
        .flat_map(|it| &it.rounds)
        .any(|round| round.cache_hit_share.is_some())
    {
        rows.push(row("from the cache", report, |it| {
            number(median(it, &|round| round.cache_hit_share), |share| {
                format!("{:.1} %", share * 100.0)
            })
        }));
    }
    rows.push(row("bytes out, in", report, |it| {
        let (sent, received) = (
            sum(it, |round| round.bytes_sent),
            sum(it, |round| round.bytes_received),
        );
        format!("{}, {}", size(sent), size(received))
    }));
}

fn times(report: &Report, rows: &mut Vec<Row>) {
    let places: [Named<Place>; 6] = [
        ("p50", |it| it.p50),
        ("p90", |it| it.p90),
        ("p99", |it| it.p99),
        ("p99.9", |it| it.p999),
        ("max", |it| it.max),
        ("mean", |it| it.mean),
    ];
    for (name, place) in places {
        rows.push(row(&format!("latency {name}"), report, |it| {
            number(median(it, &|round| round.latency.as_ref().map(place)), time)
        }));
    }
    let others: [Named<Times>; 3] = [
        ("service", |it| it.service.as_ref()),
        ("first chunk", |it| it.first.as_ref()),
        ("chunk gap", |it| it.gap.as_ref()),
    ];
    for (name, of) in others {
        if report
            .contestants
            .iter()
            .flat_map(|it| &it.rounds)
            .all(|round| of(round).is_none())
        {
            continue;
        }
        rows.push(row(&format!("{name} p50, p99"), report, |it| {
            let at = |place: Place| number(median(it, &|round| of(round).map(place)), time);
            format!("{}, {}", at(|it| it.p50), at(|it| it.p99))
        }));
    }
}

fn costs(report: &Report, rows: &mut Vec<Row>) {
    let has_server = |round: &Summary| round.server.is_some();
    if report
        .contestants
        .iter()
        .flat_map(|it| &it.rounds)
        .any(has_server)
    {
        rows.push(row("server CPU a request", report, |it| {
            number(
                median(it, &|round| round.server.as_ref().map(|it| it.cpu_us_per_request)),
                time,
            )
        }));
        rows.push(row("server RSS start, end", report, |it| {
            let servers: Option<Vec<_>> = it.rounds.iter().map(|round| round.server.as_ref()).collect();
            servers
                .and_then(|all| Some((all.first()?.rss_start_mib, all.last()?.rss_end_mib)))
                .map_or_else(
                    || "-".to_owned(),
                    |(start, end)| format!("{start:.1}, {end:.1} MiB"),
                )
        }));
    }
    rows.push(row("generator lag p50, p99", report, |it| {
        let lag = it.rounds.iter().filter_map(|round| round.generator.lag.as_ref());
        let worst = lag.max_by(|a, b| a.p99.total_cmp(&b.p99));
        format!("{}, {}", at(worst, |it| it.p50), at(worst, |it| it.p99))
    }));
    rows.push(row("generator busy, ceiling", report, |it| {
        let busy = number(median(it, &|round| round.generator.busy), |busy| {
            format!("{:.0} %", busy * 100.0)
        });
        let ceiling = median(it, &|round| round.generator.ceiling_per_second);
        format!("{busy}, {}/s", number(ceiling, |rate| format!("{rate:.0}")))
    }));
}

fn tail(report: &Report, text: &mut String) {
    let mut line = |what: std::fmt::Arguments<'_>| {
        let _ = writeln!(text, "{what}");
    };
    for contestant in &report.contestants {
        for round in &contestant.rounds {
            for (class, times) in &round.errors {
                line(format_args!(
                    "{}: {times} × {}",
                    contestant.name,
                    format!("{class:?}").to_lowercase()
                ));
            }
        }
    }
    for added in &report.added {
        let cpu = added
            .cpu_ratio
            .map_or_else(String::new, |ratio| format!("; CPU × {ratio:.2}"));
        let or_dash = |of: Option<f64>| number(of, time);
        line(format_args!(
            "added to {}: p50 {}, p99 {}{cpu}",
            added.to,
            or_dash(added.p50_us),
            or_dash(added.p99_us)
        ));
    }
    for verdict in &report.verdicts {
        let found = verdict
            .found
            .map_or_else(|| "not measured".to_owned(), |it| format!("found {}", short(it)));
        line(format_args!(
            "{} fail if {}: {found}",
            if verdict.failed { "FAILED" } else { "passed" },
            verdict.threshold
        ));
    }
    for why in &report.invalid {
        line(format_args!("INVALID  {why}"));
    }
}

/// A number in a metric's own unit: as many places as it takes.
fn short(number: f64) -> String {
    if number.fract() == 0.0 || number.abs() >= 100.0 {
        format!("{number:.0}")
    } else {
        format!("{number:.4}")
    }
}

/// Columns as wide as they must be; numbers to the right.
fn aligned(rows: &[Row]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for ((place, cell), width) in row.iter().enumerate().zip(&widths) {
            let _ = if place == 0 {
                write!(text, "{cell:<width$}")
            } else {
                write!(text, "  {cell:>width$}")
            };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

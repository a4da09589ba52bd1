//! A report as one page of HTML that needs nothing else: no script, no font, no image from elsewhere.

use std::fmt::Write as _;

use super::super::summary::{Quantiles, ServerUse, Summary};
use super::plot::{Plot, Scale, Series, on_axis};
use super::{Contestant, Report, escaped, median, table, time};

/// Colours of series, from which lines take turns; the style sheet has as many.
const COLOURS: usize = 4;

const STYLE: &str = include_str!("page.css");

pub(super) fn of(report: &Report) -> String {
    let name = escaped(&report.scenario.name);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>tollgate bench: {name}</title>\n<style>\n{STYLE}</style></head><body><main>\n\
         <header><h1>{name}</h1>{}</header>\n<p>{}</p>\n<p class=\"quiet\">{}</p>\n",
        badge(report),
        escaped(&report.scenario.about),
        escaped(&table::run(report)),
    );
    notes(report, &mut text);
    cards(report, &mut text);
    beside(report, &mut text);
    thresholds(report, &mut text);
    figures(report, &mut text);
    text.push_str("<h2>Course and distribution</h2>\n<div class=\"plots\">\n");
    for plot in plots(report) {
        if !plot.is_empty() {
            text.push_str(&plot.figure());
        }
    }
    let _ = writeln!(
        text,
        "</div>\n<footer class=\"quiet\">Started {}; tollgate {}; {} cores; seed {}. Latency counts from the moment a \
         request was due. Figures are medians over rounds.</footer>\n</main></body></html>",
        escaped(&report.started),
        escaped(&report.version),
        report.cores,
        report.scenario.seed,
    );
    text
}

fn badge(report: &Report) -> String {
    let (class, says) = if !report.invalid.is_empty() {
        ("warn", "invalid")
    } else if report.has_failed() {
        ("bad", "failed")
    } else {
        ("good", "passed")
    };
    format!("<span class=\"badge {class}\">{says}</span>")
}

/// What a reader must know before any figure.
fn notes(report: &Report, text: &mut String) {
    for (class, head, lines) in [
        ("warn", "This run cannot be believed", report.invalid.clone()),
        ("warn", "Skipped", report.skipped.clone()),
        ("bad", "Without a good answer", table::failures(report)),
    ] {
        if lines.is_empty() {
            continue;
        }
        let items: String = lines
            .iter()
            .map(|line| format!("<li>{}</li>", escaped(line)))
            .collect();
        let _ = writeln!(
            text,
            "<div class=\"note {class}\"><b>{head}</b><ul>{items}</ul></div>"
        );
    }
}

/// The figures that are looked for first, of the server under test.
fn cards(report: &Report, text: &mut String) {
    let Some(tested) = report.contestants.first() else {
        return;
    };
    let latency =
        |of: fn(&Quantiles) -> f64| median(tested, &|round| round.latency.as_ref().map(of)).map(time);
    let server =
        |of: fn(&ServerUse) -> Option<f64>| median(tested, &|round| round.server.as_ref().and_then(of));
    let first = median(tested, &|round| round.first.as_ref().map(|it| it.p50)).map(time);
    let all: [(&str, Option<String>); 7] = [
        ("median latency", latency(|it| it.p50)),
        ("99th percentile", latency(|it| it.p99)),
        ("median time to the first chunk", first),
        (
            "answered a second",
            median(tested, &|round| Some(round.answered_per_second)).map(|it| format!("{it:.1}")),
        ),
        (
            "without a good answer",
            median(tested, &|round| Some(round.error_share)).map(|it| format!("{:.2} %", it * 100.0)),
        ),
        (
            "CPU a request",
            server(|it| Some(it.cpu_us_per_request)).map(time),
        ),
        (
            "memory at most",
            server(|it| Some(it.rss_max_mib)).map(|it| format!("{it:.1} MiB")),
        ),
    ];
    text.push_str("<div class=\"cards\">");
    for (name, figure) in all {
        if let Some(figure) = figure {
            let _ = write!(
                text,
                "<div class=\"card\"><b>{}</b><span class=\"quiet\">{name}</span></div>",
                escaped(&figure)
            );
        }
    }
    text.push_str("</div>\n");
}

fn beside(report: &Report, text: &mut String) {
    if report.added.is_empty() {
        return;
    }
    let tested = report.contestants.first().map_or("", |it| it.name.as_str());
    let _ = writeln!(
        text,
        "<h2>{} beside its baselines</h2>\n<div class=\"scroll\"><table><tbody>",
        escaped(tested)
    );
    for added in &report.added {
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td class=\"text\">{}</td></tr>",
            escaped(&added.to),
            escaped(&table::added(added))
        );
    }
    text.push_str("</tbody></table></div>\n");
}

fn thresholds(report: &Report, text: &mut String) {
    if report.verdicts.is_empty() {
        return;
    }
    text.push_str("<h2>Thresholds</h2>\n<div class=\"scroll\"><table><tbody>\n");
    for verdict in &report.verdicts {
        let (class, says) = if verdict.failed {
            ("bad", "failed")
        } else {
            ("good", "passed")
        };
        let _ = writeln!(
            text,
            "<tr><td>fail if {}</td><td class=\"text\">{}</td><td class=\"{class}\"><b>{says}</b></td></tr>",
            escaped(&verdict.threshold),
            escaped(&table::found(verdict)),
        );
    }
    text.push_str("</tbody></table></div>\n");
}

fn figures(report: &Report, text: &mut String) {
    text.push_str("<h2>Figures</h2>\n<div class=\"scroll\"><table><thead><tr><th></th>");
    for (number, contestant) in report.contestants.iter().enumerate() {
        let _ = write!(
            text,
            "<th><span class=\"dot c{}\"></span>{}</th>",
            number % COLOURS,
            escaped(&contestant.name)
        );
    }
    text.push_str("</tr></thead><tbody>\n");
    let columns = report.contestants.len() + 1;
    for section in table::sections(report) {
        let _ = writeln!(
            text,
            "<tr><th class=\"part\" colspan=\"{columns}\">{}</th></tr>",
            section.title
        );
        for row in section.rows {
            let cells = row.cells.iter().map(|cell| format!("<td>{}</td>", escaped(cell)));
            let _ = writeln!(
                text,
                "<tr><td>{}</td>{}</tr>",
                escaped(&row.name),
                cells.collect::<String>()
            );
        }
    }
    text.push_str("</tbody></table></div>\n");
}

/// A line for each round of each contestant.
fn lines(report: &Report, of: impl Fn(&Summary) -> Vec<(f64, f64)>) -> Vec<Series> {
    let of_contestant = |(number, contestant): (usize, &Contestant)| {
        let line = |round| Series {
            name: contestant.name.clone(),
            colour: number % COLOURS,
            points: of(round),
        };
        contestant.rounds.iter().map(line).collect::<Vec<_>>()
    };
    let contestants = report.contestants.iter().enumerate();
    contestants.flat_map(of_contestant).collect()
}

fn curve(of: Option<&Quantiles>) -> Vec<(f64, f64)> {
    // The last point is the end of all percentiles, for which there is no place.
    let points = of.map(|it| it.curve.as_slice()).unwrap_or_default();
    points
        .iter()
        .filter(|(percentile, _)| *percentile < 100.0)
        .copied()
        .collect()
}

fn plots(report: &Report) -> Vec<Plot> {
    let mut plots = distributions(report);
    plots.extend(course(report));
    plots
}

fn distributions(report: &Report) -> Vec<Plot> {
    type Times = fn(&Summary) -> Option<&Quantiles>;
    let all: [(&'static str, Times); 3] = [
        ("Latency by percentile", |it| it.latency.as_ref()),
        ("Time to the first chunk of a stream", |it| it.first.as_ref()),
        ("Gap between chunks of a stream", |it| it.gap.as_ref()),
    ];
    let plot = |(title, of): (&'static str, Times)| Plot {
        title,
        x: ("percentile", Scale::Percentile),
        y: ("time", Scale::Log),
        write_y: time,
        series: lines(report, |it| curve(of(it))),
    };
    all.into_iter().map(plot).collect()
}

fn course(report: &Report) -> Vec<Plot> {
    type Of = super::super::summary::Point;
    let over_time = |title, y, write_y, series| Plot {
        title,
        x: ("seconds since the warm-up", Scale::Linear),
        y: (y, Scale::Linear),
        write_y,
        series,
    };
    let points = |of: fn(&Of) -> Option<f64>| {
        lines(report, move |round| {
            let mut points = round.over_time.as_slice();
            // The run may have ended within the last stretch, which then looks like a fall.
            if let [first, second, .., last] = points
                && last.at + (second.at - first.at) > round.seconds
            {
                points = points.split_last().map_or(points, |(_, rest)| rest);
            }
            points.iter().filter_map(|it| Some((it.at, of(it)?))).collect()
        })
    };
    let server = |of: fn(&super::super::summary::ServerPoint) -> f64| {
        lines(report, move |round| {
            let samples = round.server.iter().flat_map(|it| &it.samples);
            samples.map(|it| (it.at, of(it))).collect()
        })
    };
    let failures = points(|it| Some(it.failed_per_second));
    let is_above_zero = |(_, value): &(f64, f64)| *value > 0.0;
    let has_failures = failures.iter().flat_map(|it| &it.points).any(is_above_zero);
    let mut plots = vec![
        over_time(
            "Good answers a second",
            "answers",
            on_axis,
            points(|it| Some(it.answered_per_second)),
        ),
        over_time("99th percentile of latency", "time", time, points(|it| it.p99)),
    ];
    if has_failures {
        plots.push(over_time("Failures a second", "failures", on_axis, failures));
    }
    plots.push(over_time(
        "CPU of the server",
        "cores",
        on_axis,
        server(|it| it.cores),
    ));
    plots.push(over_time(
        "Resident memory of the server",
        "MiB",
        on_axis,
        server(|it| it.rss_mib),
    ));
    plots
}

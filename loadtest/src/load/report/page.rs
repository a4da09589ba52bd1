//! A report as one page of HTML that needs nothing else: no script, no font, no image from elsewhere.

use std::fmt::Write as _;

use super::super::summary::{Quantiles, Summary};
use super::plot::{Plot, Scale, Series};
use super::{Report, escaped, table, time};

/// Colours of series, from which lines take turns; the style sheet has as many.
const COLOURS: usize = 4;

const STYLE: &str = include_str!("page.css");

pub(super) fn of(report: &Report) -> String {
    let name = escaped(&report.scenario.name);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>tollgate bench: {name}</title>\n<style>\n{STYLE}</style></head><body><main>\n<h1>{name}</h1>\n\
         <p>{}</p>\n<p class=\"quiet\">{}; tollgate {}; {} cores</p>\n",
        escaped(&report.scenario.about),
        escaped(&report.started),
        escaped(&report.version),
        report.cores,
    );
    verdict(report, &mut text);
    let _ = writeln!(text, "<pre>{}</pre>", escaped(&table::of(report)));
    for plot in plots(report) {
        if !plot.is_empty() {
            text.push_str(&plot.figure());
        }
    }
    text.push_str("</main></body></html>\n");
    text
}

fn verdict(report: &Report, text: &mut String) {
    let (class, says) = if !report.invalid.is_empty() {
        ("bad", "This run cannot be believed.")
    } else if report.has_failed() {
        ("bad", "A threshold failed.")
    } else {
        ("good", "The run is valid, and every threshold passed.")
    };
    let _ = writeln!(text, "<p class=\"{class}\">{says}</p>");
    if !report.invalid.is_empty() {
        let items = report
            .invalid
            .iter()
            .map(|why| format!("<li>{}</li>", escaped(why)));
        let _ = writeln!(text, "<ul>{}</ul>", items.collect::<String>());
    }
}

/// A line for each round of each contestant; `of` may add to the name, and take another colour.
fn lines(report: &Report, of: impl Fn(&Summary) -> Vec<(f64, f64)>) -> Vec<Series> {
    named(report, "", &of)
}

fn named(report: &Report, suffix: &str, of: &dyn Fn(&Summary) -> Vec<(f64, f64)>) -> Vec<Series> {
    let of_contestant = |(number, contestant): (usize, &super::Contestant)| {
        let line = |round| Series {
            name: format!("{}{suffix}", contestant.name),
            colour: number % COLOURS,
            points: of(round),
        };
        contestant.rounds.iter().map(line).collect::<Vec<_>>()
    };
    report
        .contestants
        .iter()
        .enumerate()
        .flat_map(of_contestant)
        .collect()
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
    let by_percentile = |title, series| Plot {
        title,
        x: ("percentile", Scale::Percentile),
        y: ("time", Scale::Log),
        write_y: time,
        series,
    };
    let over_time = |title, y, write_y, series| Plot {
        title,
        x: ("seconds since the warm-up", Scale::Linear),
        y: (y, Scale::Linear),
        write_y,
        series,
    };
    let plain: fn(f64) -> String = |value| format!("{value}");
    let points = |of: fn(&super::super::summary::Point) -> Option<f64>| {
        lines(report, move |round| {
            round
                .over_time
                .iter()
                .filter_map(|it| Some((it.at, of(it)?)))
                .collect()
        })
    };
    let server = |of: fn(&super::super::summary::ServerPoint) -> f64| {
        lines(report, move |round| {
            let samples = round.server.iter().flat_map(|it| &it.samples);
            samples.map(|it| (it.at, of(it))).collect()
        })
    };
    let failures = points(|it| (it.failed_per_second > 0.0).then_some(it.failed_per_second));
    let has_failures = failures.iter().any(|it| !it.points.is_empty());
    let mut plots = vec![
        by_percentile(
            "Latency by percentile, from the moment a request was due",
            lines(report, |it| curve(it.latency.as_ref())),
        ),
        over_time(
            "Good answers a second",
            "answers",
            plain,
            points(|it| Some(it.answered_per_second)),
        ),
        over_time(
            "99th percentile of latency, by the moment a request was due",
            "time",
            time,
            points(|it| it.p99),
        ),
        by_percentile(
            "Time to the first chunk of a stream",
            lines(report, |it| curve(it.first.as_ref())),
        ),
        by_percentile(
            "Gap between chunks of a stream",
            lines(report, |it| curve(it.gap.as_ref())),
        ),
    ];
    if has_failures {
        plots.push(over_time(
            "Failures a second",
            "failures",
            plain,
            points(|it| Some(it.failed_per_second)),
        ));
    }
    plots.push(over_time(
        "CPU of the server",
        "cores",
        |value| format!("{value:.1}"),
        server(|it| it.cores),
    ));
    plots.push(over_time(
        "Resident memory of the server",
        "MiB",
        plain,
        server(|it| it.rss_mib),
    ));
    plots
}

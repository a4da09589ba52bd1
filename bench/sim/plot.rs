//! Plots as SVG, with nothing but text: they must be readable in a repository.

use std::fmt::Write as _;

use super::{Kind, Run, Scenario};

const WIDTH: f64 = 860.0;
const COLOURS: [&str; 6] = ["#0b62d6", "#b0b0b0", "#7f7f7f", "#c77c11", "#a23b72", "#2e8b57"];

fn colour(kind: Kind) -> &'static str {
    let place = Kind::ALL.iter().position(|it| *it == kind).unwrap_or(0);
    COLOURS.get(place).copied().unwrap_or("#000000")
}

/// Over the time of a story: the troubled target's share of first choices above, the 99th percentile of the time to
/// first token below.
pub fn shares_plot(scenario: &Scenario, runs: &[Run]) -> String {
    let mut svg = open(560.0, &format!("{}: {}", scenario.name, scenario.story));
    let top = runs
        .iter()
        .flat_map(|run| &run.figures.timeline)
        .map(|point| point.p99_s)
        .fold(1.0, f64::max);
    for (offset, label, scale) in [
        (60.0, "share of first choices that the troubled target gets", 1.0),
        (310.0, "99th percentile of the time to first token, seconds", top),
    ] {
        frame(&mut svg, scenario, offset, label, scale);
        for run in runs {
            let points = run.figures.timeline.iter().enumerate().map(|(second, point)| {
                let value = if offset < 100.0 { point.share } else { point.p99_s };
                (
                    x(scenario, second as f64),
                    offset + 200.0 - 200.0 * (value / scale).min(1.0),
                )
            });
            line(
                &mut svg,
                points,
                colour(run.kind),
                if run.kind == Kind::Ours { 2.4 } else { 1.1 },
            );
        }
    }
    legend(&mut svg, runs, 540.0);
    svg.push_str("</svg>\n");
    svg
}

/// All stories: the 99th percentile after convergence, relative to the oracle's, as bars.
pub fn summary_plot(stories: &[(Scenario, Vec<Run>)]) -> String {
    let height = 70.0 + 74.0 * stories.len() as f64;
    let mut svg = open(
        height + 20.0,
        "p99 time to first token in trouble, after five seconds, as a multiple of the oracle's (capped at 6)",
    );
    for (row, (scenario, runs)) in stories.iter().enumerate() {
        let y = 50.0 + 74.0 * row as f64;
        let oracle = runs.iter().find(|run| run.kind == Kind::Oracle);
        let truth = oracle.map_or(1.0, |run| run.figures.converged_p99_s);
        let _ = writeln!(
            svg,
            "<text x='10' y='{:.0}' font-weight='bold'>{}</text>",
            y + 30.0,
            scenario.name
        );
        for (bar, run) in runs.iter().filter(|run| run.kind != Kind::Oracle).enumerate() {
            let ratio = run.figures.converged_p99_s / truth;
            let top = y + 12.0 * bar as f64;
            let _ = writeln!(
                svg,
                "<rect x='120' y='{top:.0}' width='{:.0}' height='10' fill='{}'/><text x='{:.0}' y='{:.0}' font-size='9'>{ratio:.2}</text>",
                ratio.min(6.0) * 110.0,
                colour(run.kind),
                126.0 + ratio.min(6.0) * 110.0,
                top + 9.0
            );
        }
    }
    if let Some((_, runs)) = stories.first() {
        legend(&mut svg, runs, height + 6.0);
    }
    svg.push_str("</svg>\n");
    svg
}

fn open(height: f64, title: &str) -> String {
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' font-family='sans-serif' font-size='12'>\n\
         <rect width='{WIDTH}' height='{height}' fill='white'/>\n<text x='10' y='24' font-size='14'>{title}</text>\n"
    )
}

fn x(scenario: &Scenario, second: f64) -> f64 {
    50.0 + second * 790.0 / scenario.length as f64
}

fn frame(svg: &mut String, scenario: &Scenario, y: f64, label: &str, scale: f64) {
    let (from, to) = scenario.trouble;
    let (left, right) = (
        x(scenario, from as f64),
        x(scenario, to.min(scenario.length) as f64),
    );
    let _ = writeln!(
        svg,
        "<rect x='{left:.0}' y='{y}' width='{:.0}' height='200' fill='#fdeeee'/>\n\
         <rect x='50' y='{y}' width='790' height='200' fill='none' stroke='#cccccc'/>\n\
         <text x='50' y='{:.0}'>{label}</text>\n<text x='8' y='{:.0}'>{scale:.1}</text>\n<text x='20' y='{:.0}'>0</text>",
        right - left,
        y - 6.0,
        y + 10.0,
        y + 200.0
    );
}

fn line(svg: &mut String, points: impl Iterator<Item = (f64, f64)>, colour: &str, width: f64) {
    svg.push_str("<polyline fill='none' points='");
    for (x, y) in points {
        let _ = write!(svg, "{x:.1},{y:.1} ");
    }
    let _ = writeln!(svg, "' stroke='{colour}' stroke-width='{width}'/>");
}

fn legend(svg: &mut String, runs: &[Run], y: f64) {
    for (place, run) in runs.iter().enumerate() {
        let x = 50.0 + 135.0 * place as f64;
        let _ = writeln!(
            svg,
            "<rect x='{x:.0}' y='{:.0}' width='12' height='12' fill='{}'/><text x='{:.0}' y='{:.0}'>{}</text>",
            y - 10.0,
            colour(run.kind),
            x + 16.0,
            y,
            run.kind.name()
        );
    }
}

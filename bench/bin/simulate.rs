//! Runs all stories with all strategies: `cargo run --release -p tollgate-bench --bin simulate -- [FOLDER]`.
//!
//! Prints the table of docs/performance/routing.md; with a folder, writes plots and figures there.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use tollgate_bench::sim::{Kind, Run, Scenario, scenarios, shares_plot, simulate, summary_plot};

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let mut stories: Vec<(Scenario, Vec<Run>)> = Vec::new();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "| story | strategy | p50 | p99 | p99 in trouble | cost/1k | errors | attempts | to shift | share in trouble | to return |\n\
         |---|---|---|---|---|---|---|---|---|---|---|"
    )?;
    for scenario in scenarios() {
        let runs: Option<Vec<Run>> = Kind::ALL
            .into_iter()
            .map(|kind| simulate(&scenario, kind, 7))
            .collect();
        let runs = runs.context("our own strategy could not be set up")?;
        for run in &runs {
            writeln!(out, "{}", row(&scenario, run))?;
        }
        stories.push((scenario, runs));
    }
    if let Some(folder) = folder {
        write(&folder, &stories)?;
    }
    Ok(())
}

fn row(scenario: &Scenario, run: &Run) -> String {
    let it = &run.figures;
    let time = |seconds: Option<f64>| seconds.map_or_else(|| "never".to_owned(), |it| format!("{it:.1} s"));
    format!(
        "| {} | {} | {:.0} ms | {:.0} ms | {:.0} ms | ${:.4} | {} | {:.3} | {} | {:.1} % | {} |",
        scenario.name,
        run.kind.name(),
        it.p50_s * 1e3,
        it.p99_s * 1e3,
        it.converged_p99_s * 1e3,
        it.converged_cost * 1e3,
        it.client_errors,
        it.attempts,
        time(it.shift_s),
        it.troubled_share * 100.0,
        time(it.return_s),
    )
}

fn write(folder: &std::path::Path, stories: &[(Scenario, Vec<Run>)]) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let mut figures = serde_json::Map::new();
    for (scenario, runs) in stories {
        let name = scenario.name.replace(' ', "-");
        fs::write(folder.join(format!("{name}.svg")), shares_plot(scenario, runs))?;
        let by_kind = runs.iter().map(|run| {
            let mut brief = run.figures.clone();
            brief.timeline.clear();
            Ok((run.kind.name().to_owned(), serde_json::to_value(brief)?))
        });
        let by_kind: serde_json::Result<serde_json::Map<_, _>> = by_kind.collect();
        figures.insert(scenario.name.to_owned(), by_kind?.into());
    }
    fs::write(folder.join("summary.svg"), summary_plot(stories))?;
    fs::write(
        folder.join("routing.json"),
        format!("{:#}\n", serde_json::Value::from(figures)),
    )?;
    Ok(())
}

//! How good the semantic cache is on pairs of your own:
//! `cargo run --release -p tollgate-bench --bin cache-quality -- FILE.jsonl [--mode safe|balanced|aggressive] [--json]`.
//!
//! Each line of the file is `{"a": …, "b": …, "same": true, "kind": …}`; `same` may be 1 or 0, `kind` may be missing; `-`
//! reads standard input. How the figures are to be read: docs/guide/caching-quality.md.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};

use anyhow::{Context as _, bail};
use tollgate_bench::quality::{Judged, ModeReport, Pair, Point, Report, Shares, Stopped, Tally, read};
use tollgate_cache::index::IndexSettings;
use tollgate_cache::store::{EntryId, StoreSettings};
use tollgate_cache::{Cache, Mode};

/// As many pairs are handed to each thread at once.
const BATCH: usize = 1024;

const USAGE: &str = "cache-quality FILE.jsonl [--mode safe|balanced|aggressive] [--json]";

struct Asked {
    path: String,
    mode: Option<Mode>,
    json: bool,
}

fn asked(arguments: impl Iterator<Item = String>) -> anyhow::Result<Asked> {
    let (mut path, mut mode, mut json) = (None, None, false);
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--json" => json = true,
            "--mode" => {
                mode = Some(match arguments.next().as_deref() {
                    Some("safe") => Mode::Safe,
                    Some("balanced") => Mode::Balanced,
                    Some("aggressive") => Mode::Aggressive,
                    other => bail!(
                        "--mode is safe, balanced or aggressive, not {}\n{USAGE}",
                        other.unwrap_or("nothing")
                    ),
                });
            }
            flag if flag.starts_with("--") => bail!("no such option: {flag}\n{USAGE}"),
            _ if path.is_some() => bail!("one file at a time\n{USAGE}"),
            _ => path = Some(argument),
        }
    }
    let path = path.context(USAGE)?;
    Ok(Asked { path, mode, json })
}

fn main() -> anyhow::Result<()> {
    let asked = asked(std::env::args().skip(1))?;
    let input: Box<dyn BufRead> = if asked.path == "-" {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        Box::new(BufReader::new(
            File::open(&asked.path).with_context(|| asked.path.clone())?,
        ))
    };
    let cache = Cache::new(StoreSettings {
        budget_bytes: 1 << 20,
        shards: 2,
        first_id: EntryId(1),
        index: IndexSettings::default(),
    });
    cache.learn();
    let mut tally = Tally::new(&cache, |mode| asked.mode.is_none_or(|wanted| wanted == mode))?;
    count(&cache, input, &mut tally).with_context(|| asked.path.clone())?;
    let report = tally.report();
    if report.pairs == 0 {
        bail!("{}: no pairs", asked.path);
    }
    let mut out = std::io::stdout().lock();
    if asked.json {
        writeln!(out, "{:#}", serde_json::to_value(&report)?)?;
    } else {
        print(&mut out, &report)?;
    }
    Ok(())
}

/// Judges all pairs, some on each core at a time.
fn count(cache: &Cache, input: impl BufRead, tally: &mut Tally) -> anyhow::Result<()> {
    let threads = std::thread::available_parallelism()?.get();
    let mut pairs = read(input).peekable();
    while pairs.peek().is_some() {
        let round: Vec<Pair> = pairs
            .by_ref()
            .take(BATCH * threads)
            .collect::<anyhow::Result<_>>()?;
        let judged = std::thread::scope(|scope| {
            let batches: Vec<_> = round
                .chunks(BATCH)
                .map(|batch| {
                    scope.spawn(move || {
                        batch
                            .iter()
                            .map(|pair| Judged::of(cache, pair))
                            .collect::<anyhow::Result<Vec<_>>>()
                    })
                })
                .collect();
            let joined = batches.into_iter().map(|batch| {
                batch
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            joined.collect::<anyhow::Result<Vec<_>>>()
        })?;
        for (pair, judged) in round.iter().zip(judged.iter().flatten()) {
            tally.add(pair, judged);
        }
    }
    Ok(())
}

fn print(out: &mut impl Write, report: &Report) -> anyhow::Result<()> {
    writeln!(out, "{} pairs, judged by {}\n", report.pairs, report.models)?;
    for mode in &report.modes {
        mode_table(out, mode)?;
    }
    points(out, "of what the cache compares", &report.points_of_the_cache)?;
    points(
        out,
        "if every question were compared",
        &report.points_of_the_verifier,
    )?;
    let (same, different) = report
        .modes
        .first()
        .map_or((0, 0), |mode| (mode.all.counts.same, mode.all.counts.different));
    let unfit = report.unfit.iter().map(|(name, stopped)| (*name, *stopped));
    let guards = report.guards.iter().map(|(name, stopped)| (&**name, *stopped));
    stopped(out, "not compared", unfit, (same, different))?;
    stopped(out, "guard", guards, (same, different))
}

fn mode_table(out: &mut impl Write, mode: &ModeReport) -> anyhow::Result<()> {
    writeln!(
        out,
        "| {}, from {:.3} | same | hits | recall | different | false hits | rate (95 %) | precision (95 %) |\n\
         |---|---|---|---|---|---|---|---|",
        mode.mode, mode.threshold
    )?;
    for (kind, shares) in &mode.kinds {
        writeln!(out, "{}", row(kind, shares))?;
    }
    writeln!(out, "{}\n", row("all", &mode.all))?;
    Ok(())
}

fn row(name: &str, shares: &Shares) -> String {
    let it = &shares.counts;
    let within = |share: Option<f64>, interval: Option<(f64, f64)>| {
        let interval = interval.map_or_else(String::new, |(low, high)| {
            format!(" ({:.2}–{:.2})", low * 100.0, high * 100.0)
        });
        format!("{}{interval}", percent(share))
    };
    format!(
        "| {name} | {} | {} | {} | {} | {} | {} | {} |",
        it.same,
        it.hits,
        percent(shares.recall),
        it.different,
        it.false_hits,
        within(shares.false_hit_rate, shares.false_hit_rate_95),
        within(shares.precision, shares.precision_95),
    )
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.2} %", share * 100.0))
}

fn points(out: &mut impl Write, of: &str, points: &[Point]) -> anyhow::Result<()> {
    if points.is_empty() {
        return Ok(writeln!(
            out,
            "No operating points {of}: a half lacks pairs of one sort.\n"
        )?);
    }
    writeln!(
        out,
        "| thresholds chosen on the other half, {of} | recall | false hits | thresholds |\n|---|---|---|---|"
    )?;
    for point in points {
        let [x, y] = point.thresholds;
        writeln!(
            out,
            "| at most {} false | {} | {} | {x:.3}, {y:.3} |",
            percent(Some(point.allowed)),
            percent(Some(point.recall)),
            percent(Some(point.false_hits)),
        )?;
    }
    Ok(writeln!(out)?)
}

fn stopped<'a>(
    out: &mut impl Write,
    what: &str,
    reasons: impl Iterator<Item = (&'a str, Stopped)>,
    (same, different): (u64, u64),
) -> anyhow::Result<()> {
    #[expect(clippy::cast_precision_loss, reason = "counts of pairs, far below 2^52")]
    let of = |count: u64, all: u64| percent((all > 0).then(|| count as f64 / all as f64));
    writeln!(
        out,
        "| {what} | of same, first | of same, alone | of different, first | of different, alone |\n|---|---|---|---|---|"
    )?;
    for (name, it) in reasons {
        writeln!(
            out,
            "| {name} | {} | {} | {} | {} |",
            of(it.same, same),
            of(it.same_alone, same),
            of(it.different, different),
            of(it.different_alone, different),
        )?;
    }
    Ok(writeln!(out)?)
}

#[cfg(test)]
mod tests {
    use super::{Mode, asked};

    #[test]
    fn what_is_not_understood_is_said() {
        let of = |arguments: &[&str]| asked(arguments.iter().map(|it| (*it).to_owned()));
        let good = of(&["--json", "x.jsonl", "--mode", "balanced"]).expect("understood");
        assert!(good.json && good.path == "x.jsonl" && good.mode == Some(Mode::Balanced));
        for bad in [
            &[][..],
            &["x", "y"],
            &["x", "--mode"],
            &["x", "--mode", "exact"],
            &["x", "--jsn"],
        ] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
    }
}

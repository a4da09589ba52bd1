//! Pairs of questions in, their features out: what the trees of the verifier are grown on.
//!
//! Reads lines of `{"a": …, "b": …}` and prints for each `{"f": […], "cos": …, "ids_a": […], "ids_b": […], "guard": …,
//! "unfit": …, "folded": …, "decided": …, "nets": […], "score": …}`. `unfit` is why one of them is not compared at all;
//! `folded` whether they are one but for case and spaces, so that nothing need be compared; `decided` what is said whatever
//! the score is: `true` (folded, or one spelling), `false` (a guard fires) or `null`. Nets and score are those of the model that ships, with `--score`; without, there are none, so that a new model can
//! be made where the old one no longer fits. With `--names`: the names of the features only. With `--table FILE`: other
//! vectors than those that ship; not with `--score`.

use std::io::{BufWriter, Read, Write};
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tollgate_cache::embed::{Embedder, Table};
use tollgate_cache::text;
use tollgate_cache::verify::{Guard, Verdict, Verifier};

/// As many lines are handed to each thread at once.
const BATCH: usize = 4096;

/// The score of what is the same for certain; no trees come to it.
const CERTAIN: f32 = 1.0;

#[derive(Deserialize)]
struct Asked {
    a: String,
    b: String,
}

#[derive(Serialize)]
struct Row<'a> {
    f: &'a [f32],
    cos: f32,
    ids_a: &'a [u16],
    ids_b: &'a [u16],
    guard: Option<Guard>,
    unfit: Option<&'static str>,
    folded: bool,
    decided: Option<bool>,
    nets: &'a [f32],
    score: f32,
}

/// What a lookup says of a pair whatever trees say of it.
fn decided(folded: bool, verdict: Verdict) -> Option<bool> {
    if folded || (verdict.guard.is_none() && verdict.score >= CERTAIN) {
        return Some(true);
    }
    verdict.guard.map(|_| false)
}

fn row(line: &str, table: &Table, verifier: &Verifier) -> Result<String> {
    let Asked { a, b } = serde_json::from_str(line).with_context(|| line.to_owned())?;
    let cos = table
        .embed(&a)
        .zip(table.embed(&b))
        .map_or(0.0, |(a, b)| a.cosine(&b));
    let unfit = [&a, &b]
        .into_iter()
        .find_map(|text| text::unfit(text, table.tokenizer()));
    let folded = text::fold(&a) == text::fold(&b);
    let (a, b) = (verifier.analyse(&a), verifier.analyse(&b));
    let verdict = verifier.judge(&a, &b, cos);
    let row = Row {
        f: &verifier.features(&a, &b, cos),
        cos,
        ids_a: a.pieces(),
        ids_b: b.pieces(),
        guard: verdict.guard,
        unfit,
        folded,
        decided: decided(folded, verdict),
        nets: &verifier.opinions(&a, &b, cos),
        score: verdict.score,
    };
    Ok(serde_json::to_string(&row)?)
}

/// The rows of as many lines as go round the threads once.
fn rows(round: &[&str], table: &Table, verifier: &Verifier) -> Result<Vec<Vec<String>>> {
    std::thread::scope(|scope| {
        let batches: Vec<_> = round
            .chunks(BATCH)
            .map(|batch| scope.spawn(move || batch.iter().map(|line| row(line, table, verifier)).collect()))
            .collect();
        let joined = batches.into_iter().map(|batch| {
            batch
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        joined.collect()
    })
}

fn main() -> Result<()> {
    let asked = |name: &str| std::env::args().any(|argument| argument == name);
    let built_in = Table::built_in();
    let table = &match std::env::args()
        .skip_while(|argument| argument != "--table")
        .nth(1)
    {
        Some(path) => {
            let file = Bytes::from(std::fs::read(&path).with_context(|| path.clone())?);
            Arc::new(Table::of_safetensors(
                &path,
                &file,
                Arc::clone(built_in.tokenizer()),
            )?)
        }
        None => Arc::clone(built_in),
    };
    let verifier = if asked("--score") {
        Arc::clone(Verifier::built_in())
    } else {
        Arc::new(Verifier::unfitted(Arc::clone(table)))
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    if asked("--names") {
        for name in verifier.names() {
            writeln!(out, "{name}")?;
        }
        return Ok(out.flush()?);
    }
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    let lines: Vec<&str> = input.lines().filter(|line| !line.trim().is_empty()).collect();
    let threads = std::thread::available_parallelism()?.get();
    for round in lines.chunks(BATCH * threads) {
        for row in rows(round, table, &verifier)?.iter().flatten() {
            writeln!(out, "{row}")?;
        }
    }
    Ok(out.flush()?)
}

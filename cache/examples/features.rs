//! Pairs of questions in, their features out: what the trees of the verifier are grown on.
//!
//! Reads lines of `{"a": …, "b": …}` and prints for each `{"f": […], "cos": …, "ids_a": […], "ids_b": […], "guard": …}`.
//! With `--names`: prints the names of the features and ends. With `--table FILE`: another table of vectors than that in
//! `cache/model`.

use std::io::{BufWriter, Read, Write};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tollgate_cache::Vector;
use tollgate_cache::text::WordPiece;
use tollgate_cache::verify::{Guard, Pieces, Tensors, Verifier};

/// As many lines are handed to each thread at once.
const BATCH: usize = 4096;

#[derive(Deserialize)]
struct Asked {
    a: String,
    b: String,
}

#[derive(Serialize)]
struct Row {
    f: Vec<f32>,
    cos: f32,
    ids_a: Vec<u16>,
    ids_b: Vec<u16>,
    guard: Option<Guard>,
}

/// A table of vectors from a file.
#[derive(Debug)]
struct Table {
    codes: Vec<i8>,
    scales: Vec<f32>,
    dimensions: usize,
}

impl Table {
    fn read(path: &str) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| path.to_owned())?;
        let tensors = Tensors::of(&bytes)?;
        let [rows, dimensions] = tensors.shape("embeddings")?[..] else {
            bail!("the table is no matrix")
        };
        let (codes, scales) = (tensors.i8s("embeddings")?, tensors.exactly("weights", rows)?);
        Ok(Self {
            codes,
            scales,
            dimensions,
        })
    }

    /// The direction of the mean of the pieces of `text`.
    fn embed(&self, text: &str) -> Option<Vector> {
        let mut pieces = Vec::new();
        self.pieces(text, &mut pieces);
        let mut sum = vec![0.0; self.dimensions];
        for (codes, scale) in pieces.iter().filter_map(|piece| self.row(*piece)) {
            sum.iter_mut()
                .zip(codes)
                .for_each(|(sum, code)| *sum += f32::from(*code) * scale);
        }
        Vector::of(&sum)
    }
}

impl Pieces for Table {
    fn pieces(&self, text: &str, into: &mut Vec<u16>) {
        let wordpiece = WordPiece::built_in();
        let mut tokens = Vec::new();
        wordpiece.tokens(text, &mut tokens);
        tokens.retain(|token| *token != wordpiece.unknown());
        into.extend(tokens.into_iter().filter_map(|token| u16::try_from(token).ok()));
    }

    fn row(&self, piece: u16) -> Option<(&[i8], f32)> {
        let row = usize::from(piece);
        let codes = self
            .codes
            .get(row * self.dimensions..(row + 1) * self.dimensions)?;
        Some((codes, *self.scales.get(row)?))
    }

    fn length(&self, piece: u16) -> f32 {
        self.row(piece).map_or(0.0, |(codes, scale)| {
            scale
                * codes
                    .iter()
                    .map(|code| f32::from(*code).powi(2))
                    .sum::<f32>()
                    .sqrt()
        })
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }
}

fn row(line: &str, table: &Table, verifier: &Verifier) -> Result<String> {
    let Asked { a, b } = serde_json::from_str(line).with_context(|| line.to_owned())?;
    let cos = table
        .embed(&a)
        .zip(table.embed(&b))
        .map_or(0.0, |(a, b)| a.cosine(&b));
    let (a, b) = (verifier.analyse(&a), verifier.analyse(&b));
    let row = Row {
        f: verifier.features(&a, &b, cos).to_vec(),
        cos,
        ids_a: a.pieces().to_vec(),
        ids_b: b.pieces().to_vec(),
        guard: verifier.guard(&a, &b),
    };
    Ok(serde_json::to_string(&row)?)
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = match arguments
        .iter()
        .position(|it| it == "--table")
        .map(|at| arguments.get(at + 1))
    {
        Some(path) => path.context("--table FILE")?,
        None => concat!(env!("CARGO_MANIFEST_DIR"), "/model/embedder.safetensors"),
    };
    let table = Arc::new(Table::read(path)?);
    let verifier = Verifier::new(Arc::clone(&table) as Arc<dyn Pieces>);
    let mut out = BufWriter::new(std::io::stdout().lock());
    if arguments.iter().any(|it| it == "--names") {
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
        let (table, verifier) = (&table, &verifier);
        let rows = std::thread::scope(|scope| {
            let batches: Vec<_> = round
                .chunks(BATCH)
                .map(|batch| {
                    scope.spawn(move || batch.iter().map(|line| row(line, table, verifier)).collect())
                })
                .collect();
            batches
                .into_iter()
                .map(|batch| {
                    batch
                        .join()
                        .unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked")))
                })
                .collect::<Result<Vec<Vec<String>>>>()
        })?;
        for row in rows.into_iter().flatten() {
            writeln!(out, "{row}")?;
        }
    }
    Ok(out.flush()?)
}

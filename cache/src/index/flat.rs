//! Vectors side by side, all of which are looked at: for up to some thousands this is faster than any graph, finds the
//! nearest for certain, and forgets at once.

use std::sync::Arc;

use super::Near;
use super::members::Row;
use crate::{Vector, vector};

/// Vectors of the same dimensions.
#[derive(Debug)]
pub(super) struct Flat {
    dimensions: usize,
    /// Row after row.
    codes: Vec<i8>,
    /// 1 / length of each row.
    scales: Vec<f32>,
    rows: Vec<Row>,
}

impl Flat {
    pub(super) fn of(dimensions: usize, rows: Vec<Row>) -> Self {
        let mut flat = Self {
            dimensions: dimensions.max(1),
            codes: Vec::with_capacity((rows.len() + 1) * dimensions),
            scales: Vec::with_capacity(rows.len() + 1),
            rows: Vec::with_capacity(rows.len() + 1),
        };
        for row in rows {
            flat.push(row);
        }
        flat
    }

    pub(super) fn dimensions(&self) -> usize {
        self.dimensions
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// `false`: it has other dimensions.
    pub(super) fn push(&mut self, row: Row) -> bool {
        if row.vector.dimensions() != self.dimensions {
            return false;
        }
        self.codes.extend_from_slice(row.vector.codes());
        self.scales.push(row.vector.inverse_length());
        self.rows.push(row);
        true
    }

    pub(super) fn remove(&mut self, id: u64) -> bool {
        let Some(at) = self.rows.iter().position(|it| it.id == id) else {
            return false;
        };
        self.rows.swap_remove(at);
        self.scales.swap_remove(at);
        let last = self.codes.len().saturating_sub(self.dimensions);
        self.codes.copy_within(last.., at * self.dimensions);
        self.codes.truncate(last);
        true
    }

    pub(super) fn nearest(&self, asked: &Vector, want: usize) -> Vec<Near> {
        if asked.dimensions() != self.dimensions {
            return Vec::new();
        }
        let mut best = Best::new(want);
        let rows = self.codes.chunks_exact(self.dimensions);
        for ((codes, scale), row) in rows.zip(&self.scales).zip(&self.rows) {
            #[expect(clippy::cast_precision_loss, reason = "as in `Vector::cosine`")]
            let product = vector::dot(asked.codes(), codes) as f32;
            best.offer(row.id, product * asked.inverse_length() * scale);
        }
        best.finish()
    }
}

/// All of a few that are not side by side.
pub(super) fn nearest_of(rows: &[Row], asked: &Vector, want: usize) -> Vec<Near> {
    let mut best = Best::new(want);
    for Row { id, vector } in rows {
        if vector.dimensions() == asked.dimensions() {
            best.offer(*id, asked.cosine(vector));
        }
    }
    best.finish()
}

/// The best so far, in order.
struct Best {
    want: usize,
    found: Vec<Near>,
    /// What the next one has to beat.
    least: f32,
}

impl Best {
    fn new(want: usize) -> Self {
        Self {
            want,
            found: Vec::with_capacity(want.min(64) + 1),
            least: if want == 0 {
                f32::INFINITY
            } else {
                f32::NEG_INFINITY
            },
        }
    }

    fn offer(&mut self, id: u64, cosine: f32) {
        if cosine <= self.least {
            return;
        }
        let at = self.found.partition_point(|it| it.cosine >= cosine);
        self.found.insert(at, Near { id, cosine });
        self.found.truncate(self.want);
        if self.found.len() == self.want {
            self.least = self.found.last().map_or(self.least, |it| it.cosine);
        }
    }

    fn finish(mut self) -> Vec<Near> {
        for near in &mut self.found {
            near.cosine = near.cosine.clamp(-1.0, 1.0);
        }
        self.found
    }
}

/// A row of some vector.
impl Row {
    pub(super) fn new(id: u64, vector: &Arc<Vector>) -> Self {
        Self {
            id,
            vector: Arc::clone(vector),
        }
    }
}

//! A small net that aligns the pieces of two questions and compares what it aligned: decomposable attention (Parikh et
//! al. 2016) over the embedder's rows, with the neighbours of each piece mixed in, and the same for both orders.
//!
//! Most of its work per piece does not depend on the question: the products of a piece's row with the four matrices
//! that see rows are computed when the piece is first met, and kept.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::dense::{Compact, Dense, dot};
use super::pieces::Pieces;
use super::tensors::{ModelError, Tensors, wrong};

/// No more pieces of a question are looked at, as in training.
const MAX_PIECES: usize = 40;
/// What it says where one side has no piece that it knows: as good as no.
const NOTHING: f32 = -8.0;

/// The net.
#[derive(Debug)]
pub(super) struct Net {
    here: Dense,
    before: Dense,
    after: Dense,
    align: Dense,
    compare: Compact,
    hidden: Dense,
    out: Dense,
    /// How sharp the alignment is: what similarities are multiplied with.
    sharpness: f32,
    /// The piece that each question is made to end with, if any: what has no partner on the other side looks at it.
    end: Option<u16>,
    /// By piece: its products with `here`, `before`, `after` and `align`, once they were needed.
    products: Box<[OnceLock<Box<[f32]>>]>,
}

/// A question as the net sees it: for each piece, one after the other, its state and its direction for aligning.
#[derive(Debug)]
struct Encoded {
    states: Vec<f32>,
    directions: Vec<f32>,
    weights: Vec<f32>,
}

impl Net {
    /// The net whose arrays begin with `prefix`.
    pub(super) fn of(tensors: &Tensors<'_>, prefix: &str, pieces: &Pieces) -> Result<Self, ModelError> {
        let name = |layer: &str| format!("{prefix}.{layer}");
        let shape = tensors.shape(&name("P0.weight"))?;
        let [width, dimensions] = shape[..] else {
            return Err(wrong(&name("P0.weight"), "no matrix"));
        };
        if dimensions != pieces.dimensions() || width == 0 {
            return Err(wrong(&name("P0.weight"), "not made for this table"));
        }
        let layer = |layer: &str, inputs, outputs| Dense::of(tensors, &name(layer), inputs, outputs);
        let sharpness = tensors.exactly(&name("t"), 1)?;
        let end = if tensors.has(&name("end")) {
            tensors.i32s(&name("end"))?.first().copied()
        } else {
            None
        };
        let known = |end: i32| {
            u16::try_from(end)
                .ok()
                .filter(|end| usize::from(*end) < pieces.count())
        };
        let end = end.map(|end| known(end).ok_or_else(|| wrong(&name("end"), "no piece")));
        Ok(Self {
            end: end.transpose()?,
            here: layer("P0", dimensions, width)?,
            before: layer("Pm", dimensions, width)?,
            after: layer("Pp", dimensions, width)?,
            align: layer("A", dimensions, width)?,
            compare: Compact::of(tensors, &name("G"), 4 * width, width)?,
            hidden: layer("H", 4 * width + 3, width)?,
            out: layer("O", width, 1)?,
            sharpness: sharpness.first().map_or(1.0, |t| t.exp()),
            products: (0..pieces.count()).map(|_| OnceLock::new()).collect(),
        })
    }

    /// How sure it is that the two are one question, as log odds. The same for both orders.
    pub(super) fn judge(&self, pieces: &Pieces, a: &[u16], b: &[u16], cosine: f32) -> f32 {
        let (a, b) = (&*self.ended(a), &*self.ended(b));
        let (x, y) = (self.encode(pieces, a), self.encode(pieces, b));
        if x.weights.is_empty() || y.weights.is_empty() {
            return NOTHING;
        }
        let width = self.here.outputs();
        let columns = y.weights.len();
        let similar: Vec<f32> = x
            .directions
            .chunks_exact(width)
            .flat_map(|a| {
                y.directions
                    .chunks_exact(width)
                    .map(move |b| self.sharpness * dot(a, b))
            })
            .collect();
        let turned: Vec<f32> = (0..columns)
            .flat_map(|at| similar.iter().skip(at).step_by(columns).copied())
            .collect();
        let (left, right) = (self.compared(&x, &y, &similar), self.compared(&y, &x, &turned));
        let mut input = Vec::with_capacity(4 * self.here.outputs() + 3);
        input.extend(left.iter().zip(&right).map(|(x, y)| x + y));
        input.extend(left.iter().zip(&right).map(|(x, y)| (x - y).abs()));
        let (ratio, shared) = surface(a, b);
        input.extend([cosine, ratio, shared]);
        let mut hidden = Vec::new();
        self.hidden.apply(&input, &mut hidden);
        for x in &mut hidden {
            *x = x.max(0.0);
        }
        let mut out = Vec::with_capacity(1);
        self.out.apply(&hidden, &mut out);
        out.first().copied().unwrap_or(NOTHING)
    }

    /// A question with the piece at its end that this net wants there.
    fn ended<'a>(&self, question: &'a [u16]) -> Cow<'a, [u16]> {
        match self.end {
            Some(end) if !question.is_empty() => [question, &[end]].concat().into(),
            _ => question.into(),
        }
    }

    fn encode(&self, pieces: &Pieces, question: &[u16]) -> Encoded {
        let width = self.here.outputs();
        let known = || {
            question
                .iter()
                .filter(|piece| usize::from(**piece) < self.products.len())
                .take(MAX_PIECES)
        };
        let products: Vec<&[f32]> = known()
            .filter_map(|piece| self.products(pieces, *piece))
            .collect();
        let part = |at: Option<usize>, part: usize| {
            let products = at.and_then(|at| products.get(at));
            products
                .and_then(|it| it.get(part * width..(part + 1) * width))
                .unwrap_or_default()
        };
        let (mut states, mut directions) = (Vec::with_capacity(products.len() * width), Vec::new());
        directions.reserve(products.len() * width);
        for at in 0..products.len() {
            let from = states.len();
            states.extend_from_slice(part(Some(at), 0));
            let state = states.get_mut(from..).unwrap_or_default();
            for neighbour in [part(at.checked_sub(1), 1), part(Some(at + 1), 2)] {
                for (sum, x) in state.iter_mut().zip(neighbour) {
                    *sum += x;
                }
            }
            for x in state {
                *x = x.max(0.0);
            }
            directions.extend_from_slice(part(Some(at), 3));
        }
        let weights = known().map(|piece| pieces.length(*piece).max(1e-6) / pieces.mean_length());
        Encoded {
            states,
            directions,
            weights: weights.collect(),
        }
    }

    /// The products of a piece with what sees single pieces; the last are made one long.
    fn products(&self, pieces: &Pieces, piece: u16) -> Option<&[f32]> {
        let slot = self.products.get(usize::from(piece))?;
        Some(slot.get_or_init(|| {
            let length = pieces.length(piece).max(1e-6);
            let row: Vec<f32> = match pieces.row(piece) {
                Some(row) => row
                    .codes()
                    .iter()
                    .map(|code| f32::from(*code) * row.scale() / length)
                    .collect(),
                None => vec![0.0; pieces.dimensions()],
            };
            let (mut all, mut product) = (Vec::with_capacity(4 * self.here.outputs()), Vec::new());
            for layer in [&self.here, &self.before, &self.after] {
                layer.apply(&row, &mut product);
                all.extend_from_slice(&product);
            }
            self.align.apply(&row, &mut product);
            for x in &mut product {
                *x += 1e-6;
            }
            let length = dot(&product, &product).sqrt().max(1e-12);
            all.extend(product.iter().map(|x| x / length));
            all.into()
        }))
    }

    /// What comparing each state of `x` with those of `y` it is aligned to says, pooled: the weighed mean, the greatest.
    fn compared(&self, x: &Encoded, y: &Encoded, similar: &[f32]) -> Vec<f32> {
        let width = self.here.outputs();
        let (mut pooled, mut most, mut total) = (vec![0.0; width], vec![0.0_f32; width], 0.0);
        let (mut input, mut scratch, mut found) = (
            Vec::with_capacity(4 * width),
            Vec::new(),
            Vec::with_capacity(width),
        );
        let (mut shares, mut aligned) = (Vec::with_capacity(y.weights.len()), vec![0.0; width]);
        let rows = x
            .states
            .chunks_exact(width)
            .zip(similar.chunks_exact(y.weights.len()));
        for ((state, similar), weight) in rows.zip(&x.weights) {
            let highest = similar.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            soften(similar, highest, &mut shares);
            aligned.fill(0.0);
            mean(&y.states, &shares, &mut aligned);
            input.clear();
            input.extend_from_slice(state);
            input.extend_from_slice(&aligned);
            input.extend(state.iter().zip(&aligned).map(|(x, y)| (x - y).abs()));
            input.extend(state.iter().zip(&aligned).map(|(x, y)| x * y));
            self.compare
                .apply(&input, highest.clamp(-9.0, 30.0), &mut scratch, &mut found);
            total += weight;
            for ((sum, most), x) in pooled.iter_mut().zip(&mut most).zip(&found) {
                *sum += x.max(0.0) * weight;
                *most = most.max(*x);
            }
        }
        for x in &mut pooled {
            *x /= total.max(1e-3);
        }
        pooled.extend(most);
        pooled
    }
}

/// The exponentials of similarities, made to sum to one.
fn soften(similar: &[f32], highest: f32, shares: &mut Vec<f32>) {
    shares.clear();
    shares.extend(similar.iter().map(|x| (x - highest).exp()));
    let total: f32 = shares.iter().sum();
    for share in shares {
        *share /= total;
    }
}

/// Adds the mean of `states`, each weighed by its share. What is below a millionth is left out: it changes nothing.
fn mean(states: &[f32], shares: &[f32], into: &mut [f32]) {
    let states = states.chunks_exact(into.len().max(1));
    for (state, share) in states.zip(shares).filter(|(_, share)| **share > 1e-6) {
        for (sum, x) in into.iter_mut().zip(state) {
            *sum += share * x;
        }
    }
}

/// How their lengths compare, and what share of all pieces both have.
fn surface(a: &[u16], b: &[u16]) -> (f32, f32) {
    let set = |of: &[u16]| {
        let mut set = of.to_vec();
        set.sort_unstable();
        set.dedup();
        set
    };
    let (x, y) = (set(a), set(b));
    let shared = x.iter().filter(|piece| y.binary_search(piece).is_ok()).count();
    #[expect(clippy::cast_precision_loss, reason = "counts of pieces")]
    let ratio = |of: usize, to: usize| of as f32 / to.max(1) as f32;
    (
        ratio(a.len().min(b.len()), a.len().max(b.len())),
        ratio(shared, x.len() + y.len() - shared),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::embed::Table;

    #[derive(serde::Deserialize)]
    struct Golden {
        a: Vec<u16>,
        b: Vec<u16>,
        cosine: f32,
        logit: f32,
    }

    fn net(pieces: &Pieces) -> Net {
        let file = include_bytes!("golden/net.safetensors");
        Net::of(&Tensors::of(file).unwrap(), "net0", pieces).unwrap()
    }

    /// The file is made by `cache/train/net_golden.py` and depends on the embedder's table: make both anew together.
    #[test]
    fn it_says_what_pytorch_says() {
        let pieces = Pieces::of(Arc::clone(Table::built_in()));
        let net = net(&pieces);
        let golden: Vec<Golden> = serde_json::from_str(include_str!("golden/net.json")).unwrap();
        assert!(golden.len() > 5 && golden.iter().any(|pair| pair.logit.abs() > 0.1));
        for Golden { a, b, cosine, logit } in golden {
            let said = net.judge(&pieces, &a, &b, cosine);
            assert!((said - logit).abs() < 5e-3, "{said} {logit} {a:?} {b:?}");
            assert!((net.judge(&pieces, &b, &a, cosine) - said).abs() < 1e-6);
        }
    }

    #[test]
    fn a_question_without_pieces_is_like_no_other() {
        let pieces = Pieces::of(Arc::clone(Table::built_in()));
        let net = net(&pieces);
        assert!(
            net.judge(&pieces, &[], &[2003], 1.0) <= NOTHING
                && net.judge(&pieces, &[2003], &[], 1.0) <= NOTHING
        );
        assert!(net.judge(&pieces, &[u16::MAX], &[2003, 0], 1.0).is_finite());
    }
}

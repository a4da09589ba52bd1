//! A small net that aligns the pieces of two questions and compares what it aligned: decomposable attention (Parikh et
//! al. 2016) over the embedder's rows, with the neighbours of each piece mixed in, and the same for both orders.
//!
//! Most of its work per piece does not depend on the question: the products of a piece's row with the four matrices
//! that see rows are computed when the piece is first met, and kept.

use std::sync::OnceLock;

use super::dense::Dense;
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
    compare: Dense,
    hidden: Dense,
    out: Dense,
    /// How sharp the alignment is: what similarities are multiplied with.
    sharpness: f32,
    /// By piece: its products with `here`, `before`, `after` and `align`, once they were needed.
    products: Box<[OnceLock<Box<[f32]>>]>,
}

/// A question as the net sees it: for each piece its state and its direction for aligning, both of the same width.
#[derive(Debug)]
struct Encoded {
    states: Vec<Vec<f32>>,
    directions: Vec<Vec<f32>>,
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
        Ok(Self {
            here: layer("P0", dimensions, width)?,
            before: layer("Pm", dimensions, width)?,
            after: layer("Pp", dimensions, width)?,
            align: layer("A", dimensions, width)?,
            compare: layer("G", 4 * width + 1, width)?,
            hidden: layer("H", 4 * width + 3, width)?,
            out: layer("O", width, 1)?,
            sharpness: sharpness.first().map_or(1.0, |t| t.exp()),
            products: (0..pieces.count()).map(|_| OnceLock::new()).collect(),
        })
    }

    /// How sure it is that the two are one question, as log odds. The same for both orders.
    pub(super) fn judge(&self, pieces: &Pieces, a: &[u16], b: &[u16], cosine: f32) -> f32 {
        let (x, y) = (self.encode(pieces, a), self.encode(pieces, b));
        if x.states.is_empty() || y.states.is_empty() {
            return NOTHING;
        }
        let similar = self.similarities(&x, &y);
        let turned: Vec<Vec<f32>> = (0..y.states.len())
            .map(|at| similar.iter().filter_map(|row| row.get(at).copied()).collect())
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

    fn encode(&self, pieces: &Pieces, question: &[u16]) -> Encoded {
        let width = self.here.outputs();
        let known = question.iter().take(MAX_PIECES);
        let products: Vec<&[f32]> = known
            .clone()
            .filter_map(|piece| self.products(pieces, *piece))
            .collect();
        let part = |at: Option<usize>, part: usize| {
            let products = at.and_then(|at| products.get(at));
            products
                .and_then(|it| it.get(part * width..(part + 1) * width))
                .unwrap_or_default()
        };
        let state = |at: usize| {
            let mut state = part(Some(at), 0).to_vec();
            for neighbour in [part(at.checked_sub(1), 1), part(Some(at + 1), 2)] {
                state.iter_mut().zip(neighbour).for_each(|(sum, x)| *sum += x);
            }
            for x in &mut state {
                *x = x.max(0.0);
            }
            state
        };
        Encoded {
            states: (0..products.len()).map(state).collect(),
            directions: (0..products.len()).map(|at| part(Some(at), 3).to_vec()).collect(),
            weights: known
                .map(|piece| pieces.length(*piece).max(1e-6) / pieces.mean_length())
                .collect(),
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

    fn similarities(&self, x: &Encoded, y: &Encoded) -> Vec<Vec<f32>> {
        let row = |a: &Vec<f32>| y.directions.iter().map(|b| self.sharpness * dot(a, b)).collect();
        x.directions.iter().map(row).collect()
    }

    /// What comparing each state of `x` with those of `y` it is aligned to says, pooled: the weighed mean, the greatest.
    fn compared(&self, x: &Encoded, y: &Encoded, similar: &[Vec<f32>]) -> Vec<f32> {
        let width = self.here.outputs();
        let (mut mean, mut most, mut total) = (vec![0.0; width], vec![0.0_f32; width], 0.0);
        let (mut input, mut found) = (Vec::with_capacity(4 * width + 1), Vec::with_capacity(width));
        for ((state, similar), weight) in x.states.iter().zip(similar).zip(&x.weights) {
            let highest = similar.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let aligned = softened(&y.states, similar, highest, width);
            input.clear();
            input.extend_from_slice(state);
            input.extend_from_slice(&aligned);
            input.extend(state.iter().zip(&aligned).map(|(x, y)| (x - y).abs()));
            input.extend(state.iter().zip(&aligned).map(|(x, y)| x * y));
            input.push(highest.clamp(-9.0, 30.0));
            self.compare.apply(&input, &mut found);
            total += weight;
            for ((mean, most), x) in mean.iter_mut().zip(&mut most).zip(&found) {
                *mean += x.max(0.0) * weight;
                *most = most.max(*x);
            }
        }
        for x in &mut mean {
            *x /= total.max(1e-3);
        }
        mean.extend(most);
        mean
    }
}

/// The mean of `states`, each weighed by the exponential of its similarity.
fn softened(states: &[Vec<f32>], similar: &[f32], highest: f32, width: usize) -> Vec<f32> {
    let weights: Vec<f32> = similar.iter().map(|x| (x - highest).exp()).collect();
    let total: f32 = weights.iter().sum();
    let mut mean = vec![0.0; width];
    for (state, weight) in states.iter().zip(weights) {
        let share = weight / total;
        mean.iter_mut().zip(state).for_each(|(sum, x)| *sum += share * x);
    }
    mean
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

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
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
            assert!((said - logit).abs() < 1e-3, "{said} {logit} {a:?} {b:?}");
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

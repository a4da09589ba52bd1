//! Two questions as bags of word pieces: what is left of each when what they share is taken away, and how well the rest
//! of one finds partners in the other.

use super::dense::dot;
use super::pieces::Pieces;
use crate::embed::Row;
use crate::lanes::widest;
use crate::vector::products;

/// Pieces without a partner that are looked at, and pieces of the other side that they are compared with.
const MAX_ODD: usize = 32;
const MAX_OTHERS: usize = 64;

/// What the pieces say.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Alignment {
    /// Cosine of the sums of all pieces.
    pub(super) cosine: f32,
    /// Cosine of what is left of each.
    pub(super) rest_cosine: f32,
    /// How much is left, of all there is: the lesser, the greater.
    pub(super) rest: (f32, f32),
    /// The worst cosine of a piece left to its best partner: of the worse side, of the better.
    pub(super) worst: (f32, f32),
    /// Weight without partner: the lesser, the greater.
    pub(super) unaligned: (f32, f32),
    /// The heaviest single piece without partner.
    pub(super) heaviest: f32,
    /// The distance between what is left, of all there is.
    pub(super) distance: f32,
    /// Jaccard index of the pieces.
    pub(super) jaccard: f32,
}

/// One side's pieces that the other lacks.
struct Rest<'a> {
    rows: Vec<Piece<'a>>,
    sum: Vec<f32>,
    length: f32,
}

#[derive(Clone, Copy)]
struct Piece<'a> {
    row: Row<'a>,
    length: f32,
}

/// Compares two texts' pieces.
pub(super) fn align(table: &Pieces, a: &[u16], b: &[u16]) -> Alignment {
    let (sorted_a, sorted_b) = (sorted(a), sorted(b));
    let (odd_a, odd_b) = (without(&sorted_a, &sorted_b), without(&sorted_b, &sorted_a));
    let (rest_a, rest_b) = (rest(table, &odd_a), rest(table, &odd_b));
    let (all_a, all_b) = (sum(table, &sorted_a), sum(table, &sorted_b));
    let (length_a, length_b) = (dot(&all_a, &all_a).sqrt(), dot(&all_b, &all_b).sqrt());
    let all = length_a + length_b + 1e-6;
    let (x, y) = (
        partners(&rest_a, &rows(table, b)),
        partners(&rest_b, &rows(table, a)),
    );
    let difference: f32 = rest_a
        .sum
        .iter()
        .zip(&rest_b.sum)
        .map(|(x, y)| (x - y) * (x - y))
        .sum();
    let shared = a.len() - odd_a.len();
    Alignment {
        cosine: ratio(dot(&all_a, &all_b), length_a * length_b, 0.0),
        rest_cosine: ratio(
            dot(&rest_a.sum, &rest_b.sum),
            rest_a.length * rest_b.length,
            if odd_a.is_empty() && odd_b.is_empty() {
                1.0
            } else {
                0.0
            },
        ),
        rest: ordered(rest_a.length / all, rest_b.length / all),
        worst: ordered(x.worst, y.worst),
        unaligned: ordered(x.weight, y.weight),
        heaviest: x.heaviest.max(y.heaviest),
        distance: difference.sqrt() / all,
        jaccard: ratio(count(shared), count(a.len() + b.len() - shared), 1.0),
    }
}

struct Partners {
    worst: f32,
    weight: f32,
    heaviest: f32,
}

/// How well each of `rest` finds a partner among `others`.
fn partners(rest: &Rest<'_>, others: &[Piece<'_>]) -> Partners {
    let mut found = Partners {
        worst: 1.0,
        weight: 0.0,
        heaviest: 0.0,
    };
    for row in rest.rows.iter().take(MAX_ODD) {
        let best = widest(|| {
            let cosines = others.iter().map(|other| cosine(row, other));
            cosines.fold(-1.0_f32, f32::max)
        });
        let best = if others.is_empty() { 0.0 } else { best };
        let lost = row.length * (1.0 - best);
        found.worst = found.worst.min(best);
        found.weight += lost;
        found.heaviest = found.heaviest.max(lost);
    }
    found
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a sum of products of bytes, rounded at the seventh digit"
)]
#[inline(always)]
#[expect(clippy::inline_always, reason = "see `widest`")]
fn cosine(a: &Piece<'_>, b: &Piece<'_>) -> f32 {
    let product = products(a.row.codes(), b.row.codes());
    product as f32 * a.row.scale() * b.row.scale() / ((a.length + 1e-6) * (b.length + 1e-6))
}

fn rest<'a>(table: &'a Pieces, odd: &[u16]) -> Rest<'a> {
    let sum = sum(table, odd);
    Rest {
        rows: rows(table, odd),
        length: dot(&sum, &sum).sqrt(),
        sum,
    }
}

fn rows<'a>(table: &'a Pieces, pieces: &[u16]) -> Vec<Piece<'a>> {
    let pieces = pieces.iter().take(MAX_OTHERS);
    let row = |piece: &u16| {
        Some(Piece {
            row: table.row(*piece)?,
            length: table.length(*piece),
        })
    };
    pieces.filter_map(row).collect()
}

fn sum(table: &Pieces, pieces: &[u16]) -> Vec<f32> {
    let mut sum = vec![0.0; table.dimensions()];
    let rows = pieces.iter().filter_map(|piece| table.row(*piece));
    widest(|| {
        for row in rows {
            for (total, code) in sum.iter_mut().zip(row.codes()) {
                *total += f32::from(*code) * row.scale();
            }
        }
    });
    sum
}

fn ordered(a: f32, b: f32) -> (f32, f32) {
    (a.min(b), a.max(b))
}

fn ratio(of: f32, to: f32, otherwise: f32) -> f32 {
    if to > 1e-9 { of / to } else { otherwise }
}

#[expect(clippy::cast_precision_loss, reason = "a count of words")]
fn count(number: usize) -> f32 {
    number as f32
}

fn sorted(pieces: &[u16]) -> Vec<u16> {
    let mut pieces = pieces.to_vec();
    pieces.sort_unstable();
    pieces
}

/// `a` without `b`, each piece as often as it is there. Both sorted.
fn without(a: &[u16], b: &[u16]) -> Vec<u16> {
    let mut others = b.iter().peekable();
    let mut left = Vec::new();
    for piece in a {
        while others.next_if(|other| *other < piece).is_some() {}
        if others.next_if(|other| *other == piece).is_none() {
            left.push(*piece);
        }
    }
    left
}

//! Vectors and ranks that depend on the seed and the text only.

use std::fmt::Write as _;

use crate::dice::{hash_bytes, mix};

/// The vector of a text: of length one.
pub(super) fn vector(seed: u64, text: &str, dimensions: usize) -> Vec<f32> {
    unit_vector(mix(seed) ^ hash_bytes(text.as_bytes()), dimensions)
}

/// How well a text fits: 0 to 1, in thousandths.
pub(super) fn relevance_thousandths(seed: u64, text: &str) -> u64 {
    mix(mix(seed) ^ hash_bytes(text.as_bytes())) % 1000
}

/// A vector as a JSON array.
pub(super) fn write_vector(out: &mut String, vector: &[f32]) {
    for (position, value) in vector.iter().enumerate() {
        let _infallible = write!(out, "{}{value}", if position == 0 { '[' } else { ',' });
    }
    out.push(']');
}

/// The vectors of all texts, each between `open` and `close`, as a JSON array.
pub(super) fn all_vectors(
    texts: &[String],
    seed: u64,
    dimensions: usize,
    (open, close): (&str, &str),
) -> String {
    let mut out = String::with_capacity(texts.len() * dimensions * 12 + 2);
    out.push('[');
    for (index, text) in texts.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "," });
        out.push_str(open);
        write_vector(&mut out, &vector(seed, text, dimensions));
        out.push_str(close);
    }
    out.push(']');
    out
}

fn unit_vector(seed: u64, dimensions: usize) -> Vec<f32> {
    let mut state = seed;
    let raw: Vec<f32> = std::iter::repeat_with(|| {
        state = mix(state);
        // 16 bits are exact in an f32; the half keeps a vector of one dimension from being zero.
        f32::from(u16::try_from(state >> 48).unwrap_or(0)) - 32_767.5
    })
    .take(dimensions)
    .collect();
    let norm = raw.iter().map(|value| value * value).sum::<f32>().sqrt();
    raw.into_iter().map(|value| value / norm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_have_length_one_and_depend_on_their_seed() {
        for dimensions in [1, 2, 64, 1536] {
            let vector = unit_vector(5, dimensions);
            let norm: f32 = vector.iter().map(|value| value * value).sum();
            assert!((norm - 1.0).abs() < 1e-3, "{dimensions}: {norm}");
        }
        assert_ne!(unit_vector(1, 8), unit_vector(2, 8));
        assert_eq!(unit_vector(1, 8), unit_vector(1, 8));
    }
}

//! A direction in the space of meanings, in one byte per dimension.

use crate::lanes::widest;

/// A unit vector, quantised: each component is `code / scale` with the largest at ±127.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector {
    codes: Box<[i8]>,
    /// 1 / length of `codes`.
    inverse_length: f32,
}

impl Vector {
    /// The direction of `components`. `None`: they have none (empty, all zero, or not finite).
    pub fn of(components: &[f32]) -> Option<Self> {
        // As bits, what is not finite is largest; and a maximum of whole numbers needs no order, so it is taken in lanes.
        let largest = components.iter().map(|it| it.abs().to_bits()).max()?;
        let largest = f32::from_bits(largest);
        if !(largest.is_finite() && largest > 0.0) {
            return None;
        }
        let codes = components.iter().map(|it| code(it / largest)).collect();
        Self::of_codes(codes)
    }

    /// The direction of `codes`. `None`: they have none.
    pub fn of_codes(codes: Box<[i8]>) -> Option<Self> {
        let square = dot(&codes, &codes);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a sum of squares of bytes, rounded at the seventh digit"
        )]
        let length = (square as f32).sqrt();
        (square > 0).then(|| Self {
            codes,
            inverse_length: 1.0 / length,
        })
    }

    /// The components, times some positive number.
    pub fn codes(&self) -> &[i8] {
        &self.codes
    }

    /// How many dimensions it has.
    pub fn dimensions(&self) -> usize {
        self.codes.len()
    }

    /// 1 / length of the codes.
    pub(crate) fn inverse_length(&self) -> f32 {
        self.inverse_length
    }

    /// The cosine of the angle between the two: -1 ..= 1. 0 if they differ in dimensions.
    pub fn cosine(&self, other: &Self) -> f32 {
        if self.codes.len() != other.codes.len() {
            return 0.0;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "a sum of products of bytes, rounded at the seventh digit"
        )]
        let product = dot(&self.codes, &other.codes) as f32;
        (product * (self.inverse_length * other.inverse_length)).clamp(-1.0, 1.0)
    }
}

/// The nearest of 127ths. `component` is within -1 ..= 1.
///
/// Added to 1.5 * 2^23, a number is rounded to a whole one, which stands in the lowest bits (two's complement).
fn code(component: f32) -> i8 {
    const WHOLE: f32 = 12_582_912.0;
    let [lowest, ..] = (component * 127.0 + WHOLE).to_bits().to_le_bytes();
    lowest.cast_signed()
}

/// The sum of the products of two slices of one length.
pub(crate) fn dot(a: &[i8], b: &[i8]) -> i32 {
    widest(|| products(a, b))
}

/// [`dot`], for a loop that is itself done by [`widest`].
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "both are below the length of the arrays")]
pub(crate) fn products(a: &[i8], b: &[i8]) -> i32 {
    /// Eight sums side by side, of two products each: what vector instructions do at once, also the oldest.
    const SUMS: usize = 8;
    let (a_chunks, a_rest) = a.as_chunks::<{ 2 * SUMS }>();
    let (b_chunks, b_rest) = b.as_chunks::<{ 2 * SUMS }>();
    let mut sums = [0_i32; SUMS];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        let product = |at: usize| i32::from(a[at]) * i32::from(b[at]);
        for (at, sum) in sums.iter_mut().enumerate() {
            *sum += product(at) + product(at + SUMS);
        }
    }
    let rest = a_rest
        .iter()
        .zip(b_rest)
        .map(|(a, b)| i32::from(*a) * i32::from(*b));
    sums.iter().sum::<i32>() + rest.sum::<i32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_has_no_direction_is_no_vector() {
        assert_eq!(Vector::of(&[]), None);
        assert_eq!(Vector::of(&[0.0, -0.0]), None);
        assert_eq!(Vector::of(&[1.0, f32::NAN]), None);
        assert_eq!(Vector::of(&[1.0, f32::INFINITY]), None);
        assert!(Vector::of(&[f32::MIN_POSITIVE, 0.0]).is_some());
    }

    proptest! {
        #[test]
        fn a_dot_product_is_the_sum_of_products(pairs in prop::collection::vec(any::<(i8, i8)>(), 0..100)) {
            let (a, b): (Vec<i8>, Vec<i8>) = pairs.iter().copied().unzip();
            let expected: i32 = pairs.iter().map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
            prop_assert_eq!(dot(&a, &b), expected);
        }

        #[test]
        fn the_cosine_is_that_of_the_components(
            a in prop::collection::vec(-1.0f32..1.0, 128), b in prop::collection::vec(-1.0f32..1.0, 128)) {
            let length = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
            prop_assume!(length(&a) > 0.1 && length(&b) > 0.1);
            let exact = a.iter().zip(&b).map(|(a, b)| a * b).sum::<f32>() / (length(&a) * length(&b));
            let (a, b) = (Vector::of(&a).unwrap(), Vector::of(&b).unwrap());
            prop_assert!((a.cosine(&b) - exact).abs() < 0.02, "{} {exact}", a.cosine(&b));
            prop_assert!((a.cosine(&a) - 1.0).abs() < 1e-5);
            prop_assert_eq!(a.cosine(&b).to_bits(), b.cosine(&a).to_bits());
        }
    }
}

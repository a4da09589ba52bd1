//! A matrix times a vector, in plain loops that the compiler makes vector instructions of: exactly in `f32`, or twice as
//! fast in whole numbers of twelve bits.

use super::tensors::{ModelError, Tensors};
use crate::lanes::widest;

/// Outputs that are summed at once: four registers of four, which leaves some for the weights.
const BLOCK: usize = 16;

/// A linear layer: `weights · x + bias`.
#[derive(Debug)]
pub(super) struct Dense {
    /// Block after block of outputs; in each, input after input, the block's weights.
    weights: Vec<[f32; BLOCK]>,
    bias: Vec<f32>,
    inputs: usize,
}

impl Dense {
    /// The layer `name` of `inputs` numbers to `outputs`; without `name.bias` in the file it adds nothing.
    pub(super) fn of(
        tensors: &Tensors<'_>,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self, ModelError> {
        let weight = format!("{name}.weight");
        let rows = tensors.exactly(&weight, inputs * outputs)?;
        let bias = format!("{name}.bias");
        let bias = if tensors.has(&bias) {
            tensors.exactly(&bias, outputs)?
        } else {
            vec![0.0; outputs]
        };
        let blocks = outputs.div_ceil(BLOCK);
        let mut weights = vec![[0.0; BLOCK]; blocks * inputs];
        for (output, row) in rows.chunks_exact(inputs.max(1)).enumerate() {
            for (input, weight) in row.iter().enumerate() {
                let place = weights.get_mut(output / BLOCK * inputs + input);
                if let Some(slot) = place.and_then(|block| block.get_mut(output % BLOCK)) {
                    *slot = *weight;
                }
            }
        }
        Ok(Self {
            weights,
            bias,
            inputs,
        })
    }

    /// How many numbers come out.
    pub(super) fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Fills `into` with what comes out for `x`. Inputs that are zero cost nothing.
    pub(super) fn apply(&self, x: &[f32], into: &mut Vec<f32>) {
        let active: Vec<(usize, f32)> = x.iter().copied().enumerate().filter(|(_, x)| *x != 0.0).collect();
        into.clear();
        for (block, bias) in self
            .weights
            .chunks_exact(self.inputs.max(1))
            .zip(self.bias.chunks(BLOCK))
        {
            let mut sums = [0.0; BLOCK];
            for (input, x) in &active {
                if let Some(weights) = block.get(*input) {
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum += x * weight;
                    }
                }
            }
            into.extend(bias.iter().zip(&sums).map(|(bias, sum)| bias + sum));
        }
    }
}

/// Whole numbers go to ± this: 256 products of two of them still fit in 32 bits.
const MOST: f32 = 2047.0;
/// Rows of whole numbers are as long as a multiple of this.
const STEP: usize = 16;

/// A linear layer whose weights are whole numbers with a scale per output. The last input keeps to itself, exactly.
#[derive(Debug)]
pub(super) struct Compact {
    /// Output after output, zeros at the end of each.
    rows: Vec<i16>,
    scales: Vec<f32>,
    last: Vec<f32>,
    bias: Vec<f32>,
    /// How long a row is.
    length: usize,
}

impl Compact {
    /// The layer `name` of `inputs` numbers and one more to `outputs`.
    pub(super) fn of(
        tensors: &Tensors<'_>,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self, ModelError> {
        let weights = tensors.exactly(&format!("{name}.weight"), (inputs + 1) * outputs)?;
        let bias = tensors.exactly(&format!("{name}.bias"), outputs)?;
        let length = inputs.next_multiple_of(STEP);
        let (mut rows, mut scales, mut last) = (Vec::with_capacity(length * outputs), Vec::new(), Vec::new());
        for row in weights.chunks_exact(inputs + 1) {
            let Some((end, row)) = row.split_last() else {
                continue;
            };
            scales.push(whole(row, &mut rows));
            rows.resize(rows.len().next_multiple_of(STEP), 0);
            last.push(*end);
        }
        Ok(Self {
            rows,
            scales,
            last,
            bias,
            length,
        })
    }

    /// Fills `into` with what comes out for `x` and the `last` input. `scratch` is for working in.
    pub(super) fn apply(&self, x: &[f32], last: f32, scratch: &mut Vec<i16>, into: &mut Vec<f32>) {
        scratch.clear();
        let scale = whole(x, scratch);
        scratch.resize(self.length, 0);
        let rows = self.rows.chunks_exact(self.length.max(1)).zip(&self.scales);
        into.clear();
        into.extend(
            rows.zip(self.last.iter().zip(&self.bias))
                .map(|((row, of), (weight, bias))| {
                    let product = widest(|| products(row, scratch));
                    #[expect(
                        clippy::cast_precision_loss,
                        reason = "the seventh digit of numbers that had four"
                    )]
                    let product = product as f32;
                    product * of * scale + last * weight + bias
                }),
        );
    }
}

/// The sum of the products, in as many sums as a step has numbers: so the compiler finds the instruction for it.
#[inline(always)]
#[expect(clippy::inline_always, reason = "see `widest`")]
fn products(a: &[i16], b: &[i16]) -> i32 {
    let mut sums = [0; STEP];
    for (a, b) in a.as_chunks::<STEP>().0.iter().zip(b.as_chunks::<STEP>().0) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += i32::from(*a) * i32::from(*b);
        }
    }
    sums.iter().sum()
}

/// Adds the whole numbers that `numbers` are multiples of to `into`. Returns of what: the largest is [`MOST`] of it.
fn whole(numbers: &[f32], into: &mut Vec<i16>) -> f32 {
    /// Added to a float below 2^22, leaves its nearest whole number in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let largest = numbers.iter().fold(0.0_f32, |most, it| most.max(it.abs()));
    if largest == 0.0 {
        into.extend(numbers.iter().map(|_| 0));
        return 0.0;
    }
    let inverse = MOST / largest;
    #[expect(clippy::cast_possible_truncation, reason = "within ±2047 by the division")]
    into.extend(
        numbers
            .iter()
            .map(|it| (it * inverse + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i16),
    );
    largest / MOST
}

/// The inner product. In lanes, since the compiler must not reorder a sum of floats by itself.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let ((x, x_rest), (y, y_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (x, y) in x.iter().zip(y) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    let rest: f32 = x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::super::tensors::tests::file;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whole_numbers_are_as_good_as_four_digits(
            inputs in 1usize..70, outputs in 1usize..70, last in -30.0f32..30.0,
            seed in prop::collection::vec(-1.0f32..1.0, 5200)) {
            let weights = seed[..(inputs + 1) * outputs].to_vec();
            let bias = seed[5000..5000 + outputs].to_vec();
            let x = &seed[100..100 + inputs];
            let bytes = file(
                &[("l.weight", vec![outputs, inputs + 1], weights.clone()), ("l.bias", vec![outputs], bias.clone())], &[]);
            let layer = Compact::of(&Tensors::of(&bytes).unwrap(), "l", inputs, outputs).unwrap();
            let (mut scratch, mut found) = (Vec::new(), Vec::new());
            layer.apply(x, last, &mut scratch, &mut found);
            prop_assert_eq!(found.len(), outputs);
            for (at, found) in found.iter().enumerate() {
                let row = &weights[at * (inputs + 1)..(at + 1) * (inputs + 1)];
                let products = row.iter().zip(x.iter().chain([&last])).map(|(w, x)| w * x);
                let expected = bias[at] + products.sum::<f32>();
                prop_assert!((found - expected).abs() < 0.005 + 1e-5 * expected.abs(), "{} {}", found, expected);
            }
        }

        #[test]
        fn it_is_the_matrix_times_the_vector_plus_the_bias(
            inputs in 1usize..70, outputs in 1usize..70, seed in prop::collection::vec(-1.0f32..1.0, 5000)) {
            let weights = seed[..inputs * outputs].to_vec();
            let bias = seed[4900..4900 + outputs].to_vec();
            let mut x = seed[100..100 + inputs].to_vec();
            x[0] = 0.0;
            let bytes = file(&[("l.weight", vec![outputs, inputs], weights.clone()), ("l.bias", vec![outputs], bias.clone())], &[]);
            let layer = Dense::of(&Tensors::of(&bytes).unwrap(), "l", inputs, outputs).unwrap();
            let mut found = Vec::new();
            layer.apply(&x, &mut found);
            prop_assert_eq!(found.len(), outputs);
            for (at, found) in found.iter().enumerate() {
                let row = &weights[at * inputs..(at + 1) * inputs];
                let expected = bias[at] + row.iter().zip(&x).map(|(w, x)| w * x).sum::<f32>();
                prop_assert!((found - expected).abs() < 1e-4);
            }
        }
    }
}

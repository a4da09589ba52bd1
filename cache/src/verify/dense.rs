//! A matrix times a vector, in plain `f32` loops of a width that the compiler makes vector instructions of.

use super::tensors::{ModelError, Tensors};

/// Outputs that are summed at once: eight registers of four.
const BLOCK: usize = 32;

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

#[cfg(test)]
mod tests {
    use super::super::tensors::tests::file;
    use super::*;
    use proptest::prelude::*;

    proptest! {
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

//! Gradient boosted trees (Friedman 2001), grown elsewhere, walked here: each adds what its leaf says, the sum becomes a
//! probability.

use super::tensors::{ModelError, Tensors, wrong};

/// Sums of trees.
#[derive(Debug)]
pub(super) struct Trees {
    nodes: Vec<Node>,
    roots: Vec<i32>,
    leaves: Vec<f32>,
    bias: f32,
}

/// `features[feature] <= threshold` goes left. A child below zero is leaf `-1 - child`.
#[derive(Debug, Clone, Copy)]
struct Node {
    feature: u16,
    threshold: f32,
    left: i32,
    right: i32,
}

impl Trees {
    /// The trees in `tensors`, for questions of `features` numbers.
    pub(super) fn of(tensors: &Tensors<'_>, features: usize) -> Result<Self, ModelError> {
        let (feature, threshold) = (tensors.i32s("trees.feature")?, tensors.f32s("trees.threshold")?);
        let (left, right) = (tensors.i32s("trees.left")?, tensors.i32s("trees.right")?);
        let count = feature.len();
        if [threshold.len(), left.len(), right.len()] != [count; 3] {
            return Err(wrong("trees.feature", "the arrays of nodes differ in length"));
        }
        let leaves = tensors.f32s("trees.leaf")?;
        let children = left.iter().zip(&right);
        let nodes =
            feature
                .iter()
                .zip(&threshold)
                .zip(children)
                .map(|((feature, threshold), (left, right))| {
                    let known = usize::try_from(*feature).is_ok_and(|feature| feature < features);
                    let feature = u16::try_from(*feature).ok().filter(|_| known);
                    let feature =
                        feature.ok_or_else(|| wrong("trees.feature", "a feature that does not exist"))?;
                    Ok(Node {
                        feature,
                        threshold: *threshold,
                        left: *left,
                        right: *right,
                    })
                });
        let trees = Self {
            nodes: nodes.collect::<Result<_, ModelError>>()?,
            roots: tensors.i32s("trees.root")?,
            leaves,
            bias: tensors
                .f32s("trees.bias")
                .ok()
                .and_then(|bias| bias.first().copied())
                .unwrap_or(0.0),
        };
        trees.check()?;
        Ok(trees)
    }

    /// No trees: every score is a half.
    pub(super) fn none() -> Self {
        Self {
            nodes: Vec::new(),
            roots: Vec::new(),
            leaves: Vec::new(),
            bias: 0.0,
        }
    }

    /// Children stand behind their parents, so that every walk ends; leaves exist and are finite.
    fn check(&self) -> Result<(), ModelError> {
        let exists = |child: i32, parent: Option<usize>| match usize::try_from(child) {
            Ok(node) => node < self.nodes.len() && parent.is_none_or(|parent| node > parent),
            Err(_) => self.leaf(child).is_some_and(f32::is_finite),
        };
        let sound = self.nodes.iter().enumerate().all(|(at, node)| {
            exists(node.left, Some(at)) && exists(node.right, Some(at)) && !node.threshold.is_nan()
        });
        if !(sound && self.bias.is_finite() && self.roots.iter().all(|root| exists(*root, None))) {
            return Err(wrong(
                "trees.left",
                "a child that does not exist or stands before its parent",
            ));
        }
        Ok(())
    }

    fn leaf(&self, child: i32) -> Option<f32> {
        self.leaves
            .get(usize::try_from(-1 - i64::from(child)).ok()?)
            .copied()
    }

    /// The probability that `features` are those of one question in two forms. 0 ..= 1.
    pub(super) fn score(&self, features: &[f32]) -> f32 {
        let sum: f32 = self.roots.iter().map(|root| self.walk(*root, features)).sum();
        sigmoid(sum + self.bias)
    }

    fn walk(&self, mut at: i32, features: &[f32]) -> f32 {
        while let Some(node) = usize::try_from(at).ok().and_then(|at| self.nodes.get(at)) {
            let feature = features.get(usize::from(node.feature)).copied().unwrap_or(0.0);
            at = if feature <= node.threshold {
                node.left
            } else {
                node.right
            };
        }
        self.leaf(at).unwrap_or(0.0)
    }

    /// No score with these first features is higher than this, whatever those are that are missing at the end.
    pub(super) fn most(&self, features: &[f32]) -> f32 {
        let sum: f32 = self.roots.iter().map(|root| self.best(*root, features)).sum();
        // Each addend is at least that of any walk and the order is the same, so rounding keeps the sum at least as high.
        sigmoid(sum + self.bias)
    }

    fn best(&self, mut at: i32, features: &[f32]) -> f32 {
        while let Some(node) = usize::try_from(at).ok().and_then(|at| self.nodes.get(at)) {
            let Some(feature) = features.get(usize::from(node.feature)) else {
                return self
                    .best(node.left, features)
                    .max(self.best(node.right, features));
            };
            at = if *feature <= node.threshold {
                node.left
            } else {
                node.right
            };
        }
        self.leaf(at).unwrap_or(0.0)
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::super::tensors::tests::file;
    use super::*;
    use proptest::prelude::*;

    /// Two trees over two features: `x0 <= 1 ? (x1 <= 0 ? -1 : 2) : 3` and `x1 <= 5 ? 0.5 : -0.5`.
    fn two(change: impl Fn(&mut [(&str, Vec<i32>)])) -> Result<Trees, ModelError> {
        let mut whole = [
            ("trees.feature", vec![0, 1, 1]),
            ("trees.left", vec![1, -1, -4]),
            ("trees.right", vec![-3, -2, -5]),
            ("trees.root", vec![0, 2]),
        ];
        change(&mut whole);
        let floats = [
            ("trees.threshold", vec![3], vec![1.0, 0.0, 5.0]),
            ("trees.leaf", vec![5], vec![-1.0, 2.0, 3.0, 0.5, -0.5]),
            ("trees.bias", vec![1], vec![0.25]),
        ];
        let bytes = file(&floats, &whole);
        Trees::of(&Tensors::of(&bytes).unwrap(), 2)
    }

    #[test]
    fn each_tree_adds_its_leaf() {
        let trees = two(|_| ()).unwrap();
        for (features, sum) in [
            ([1.0, 0.0], -0.25),
            ([0.0, 1.0], 2.75),
            ([2.0, 6.0], 2.75),
            ([2.0, 0.0], 3.75),
        ] {
            assert!(
                (trees.score(&features) - sigmoid(sum)).abs() < 1e-6,
                "{features:?}"
            );
        }
    }

    #[test]
    fn trees_that_would_never_end_are_refused() {
        for (array, node, value) in [
            (1, 1, 0),
            (1, 0, 0),
            (1, 0, 9),
            (2, 0, -9),
            (0, 0, 2),
            (0, 0, -1),
            (3, 0, 3),
        ] {
            assert!(
                two(|whole| whole[array].1[node] = value).is_err(),
                "{array} {node} {value}"
            );
        }
        assert!(two(|whole| _ = whole[0].1.pop()).is_err());
    }

    proptest! {
        #[test]
        fn what_is_missing_never_makes_a_score_higher_than_said(x in -2.0f32..4.0, y in -2.0f32..8.0) {
            let trees = two(|_| ()).unwrap();
            prop_assert!(trees.score(&[x, y]) <= trees.most(&[x]));
            prop_assert!(trees.score(&[x, y]) <= trees.most(&[]));
            prop_assert!((trees.score(&[x, y]) - trees.most(&[x, y])).abs() < f32::EPSILON);
        }
    }
}

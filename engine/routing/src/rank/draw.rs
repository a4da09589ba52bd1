//! Chance that can be repeated: every draw of a decision follows from its seed.

use crate::question::Question;

/// What a draw follows from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lot {
    /// The request's own seed.
    Request(u64),
    /// The session: all of its requests draw the same.
    Session(Option<u64>),
}

impl Lot {
    /// The session where there is one and it counts, else the request.
    pub(super) fn order(question: &Question, is_sticky: bool) -> Self {
        match question.session {
            Some(_) if is_sticky => Self::Session(question.session),
            _ => Self::Request(question.seed),
        }
    }

    /// With a target's key in it.
    pub(super) fn mixed(self, key: u64) -> u64 {
        match self {
            Self::Request(seed) => mix(seed ^ key),
            Self::Session(session) => mix(mix(session.unwrap_or_default()) ^ key),
        }
    }
}

/// An exponential variate of rate `weight`: the smallest of several is each one's with probability ∝ weight.
pub(super) fn exponential(lot: Lot, key: u64, weight: f64) -> f64 {
    -(1.0 - unit(mix(lot.mixed(key)))).ln() / weight
}

/// A number in `0.0..1.0`. `purpose` tells the draws of one decision apart.
pub(super) fn chance(seed: u64, purpose: u64) -> f64 {
    unit(mix(seed.wrapping_add(purpose.wrapping_mul(GOLDEN))))
}

/// A whole number below `bound`; 0 where that is 0.
pub(super) fn below(seed: u64, purpose: u64, bound: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a product of a number below 1 and a small bound"
    )]
    let number = (chance(seed, purpose) * bound as f64) as usize;
    number.min(bound.saturating_sub(1))
}

/// 2⁶⁴ over the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of `SplitMix64` (Steele, Lea and Flood 2014): every bit of the input changes every bit of the
/// output with probability one half.
fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(GOLDEN);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

fn unit(bits: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    let mantissa = (bits >> 11) as f64;
    mantissa / 9_007_199_254_740_992.0
}

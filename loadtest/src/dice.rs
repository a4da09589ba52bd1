//! Chance without state: every random choice is a hash of (seed, words, counter), so that a run with the same seed
//! and the same requests makes the same choices, however its requests interleave.

use std::f64::consts::TAU;

/// A source of repeatable rolls for one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice for request number `counter` of whatever `words` name.
    pub(crate) fn new(seed: u64, words: &[&str], counter: u64) -> Self {
        let mut state = mix(seed);
        for word in words {
            state = mix(state ^ hash_bytes(word.as_bytes()));
        }
        Self(mix(state ^ counter))
    }

    /// A number that depends on the request and on `salt` only: each kind of choice has a salt of its own.
    pub(crate) fn roll(self, salt: u64) -> u64 {
        mix(self.0 ^ mix(salt))
    }

    /// Evenly spread in `0.0..1.0`.
    pub(crate) fn unit(self, salt: u64) -> f64 {
        let high_bits = u32::try_from(self.roll(salt) >> 32).unwrap_or(0);
        f64::from(high_bits) / (f64::from(u32::MAX) + 1.0)
    }

    /// Standard normal (Box–Muller).
    pub(crate) fn normal(self, salt: u64) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit(salt)).ln()).sqrt();
        radius * (TAU * self.unit(salt ^ 0x5bd1_e995)).cos()
    }
}

/// FNV-1a.
pub(crate) fn hash_bytes(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The finaliser of splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_request_rolls_the_same_and_another_does_not() {
        let first = Dice::new(7, &["openai", "gpt"], 3);
        assert_eq!(first.roll(1), Dice::new(7, &["openai", "gpt"], 3).roll(1));
        for other in [
            Dice::new(8, &["openai", "gpt"], 3),
            Dice::new(7, &["openai", "gpu"], 3),
            Dice::new(7, &["openai", "gpt"], 4),
        ] {
            assert_ne!(first.roll(1), other.roll(1));
        }
        assert_ne!(first.roll(1), first.roll(2));
    }

    #[test]
    fn units_are_even_and_normals_are_centred() {
        let rolls = 20_000_u32;
        let dice = |counter: u32| Dice::new(1, &["m"], u64::from(counter));
        let below_quarter = (0..rolls).filter(|counter| dice(*counter).unit(0) < 0.25).count();
        assert!((4_700..5_300).contains(&below_quarter), "{below_quarter}");
        let mean = (0..rolls).map(|counter| dice(counter).normal(0)).sum::<f64>() / f64::from(rolls);
        assert!(mean.abs() < 0.03, "{mean}");
    }
}

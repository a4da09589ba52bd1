//! Money in integers: prices in picodollars per token, totals in nanodollars. No float ever touches a total.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use thiserror::Error;

/// 10⁻⁹ US dollars. Unsigned: a cost below zero cannot be written down. Sums saturate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nanodollars(pub u64);

/// 10⁻¹² US dollars per token: $1 per million tokens is 1,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PicodollarsPerToken(pub u64);

/// Why a text is not an amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MoneyError {
    /// Not of the form `$1.25` or `1.25`.
    #[error("expected an amount in US dollars such as \"$1.00\" or \"$0.000001\"")]
    NotAnAmount,
    /// Finer than the unit can hold.
    #[error("finer than {0} decimal places")]
    TooFine(u32),
    /// Beyond what 64 bits hold.
    #[error("too large")]
    TooLarge,
}

impl Nanodollars {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Reads `$1.00`, `1`, `$0.000000001`: at most nine decimal places.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        decimal(text, 9).map(Self)
    }
}

impl PicodollarsPerToken {
    /// From dollars per million tokens, as price lists state them (`"$0.15"`): at most six decimal places.
    pub fn parse_per_million(text: &str) -> Result<Self, MoneyError> {
        decimal(text, 6).map(Self)
    }

    /// `tokens` at this price, in picodollars. Cannot overflow: both factors are 64 bits wide.
    pub const fn times(self, tokens: u64) -> u128 {
        self.0 as u128 * tokens as u128
    }
}

/// A decimal number, optionally after a `$`, scaled by 10^`places`.
fn decimal(text: &str, places: u32) -> Result<u64, MoneyError> {
    let text = text.trim();
    let text = text.strip_prefix('$').unwrap_or(text).trim_start();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_number(whole) || !is_number(fraction) {
        return Err(MoneyError::NotAnAmount);
    }
    let fraction = fraction.trim_end_matches('0');
    let spare = u32::try_from(fraction.len())
        .ok()
        .and_then(|len| places.checked_sub(len));
    let spare = spare.ok_or(MoneyError::TooFine(places))?;
    let number = |part: &str| {
        if part.is_empty() {
            Some(0)
        } else {
            part.parse::<u64>().ok()
        }
    };
    let scaled = |whole: u64, fraction: u64| {
        let fraction = fraction.checked_mul(10u64.checked_pow(spare)?)?;
        whole
            .checked_mul(10u64.checked_pow(places)?)?
            .checked_add(fraction)
    };
    number(whole)
        .zip(number(fraction))
        .and_then(|(whole, fraction)| scaled(whole, fraction))
        .ok_or(MoneyError::TooLarge)
}

/// Plain dollars with nine decimal places and no currency sign: `0.000123450`.
impl fmt::Display for Nanodollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

impl Add for Nanodollars {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Nanodollars {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Nanodollars {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_read_with_and_without_a_sign() {
        assert_eq!(Nanodollars::parse("$1.00"), Ok(Nanodollars(1_000_000_000)));
        assert_eq!(Nanodollars::parse("0.000000001"), Ok(Nanodollars(1)));
        assert_eq!(Nanodollars::parse(".5"), Ok(Nanodollars(500_000_000)));
        assert_eq!(
            PicodollarsPerToken::parse_per_million("$0.15"),
            Ok(PicodollarsPerToken(150_000))
        );
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for bad in ["", "$", "-1", "1e3", "1.2.3", "one", "∞", "."] {
            assert_eq!(Nanodollars::parse(bad), Err(MoneyError::NotAnAmount), "{bad}");
        }
        assert_eq!(Nanodollars::parse("0.0000000001"), Err(MoneyError::TooFine(9)));
        assert_eq!(Nanodollars::parse("99999999999"), Err(MoneyError::TooLarge));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(nanos: u64) {
            prop_assert_eq!(Nanodollars::parse(&Nanodollars(nanos).to_string()), Ok(Nanodollars(nanos)));
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = Nanodollars::parse(&text);
        }
    }
}

//! Numbers between the exact and the approximate: counts and nanoseconds as floats for arithmetic and people, and back.

use std::time::Duration;

/// As a float: exact up to 2⁵³, which no count of requests and no nanosecond of a run comes near.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts and nanoseconds of a run are below 2^53"
)]
pub(crate) const fn float(count: u64) -> f64 {
    count as f64
}

/// As a whole number, rounded; 0 for what is negative or no number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and what is negative or no number becomes 0"
)]
pub(crate) fn whole(number: f64) -> u64 {
    number.round() as u64
}

/// As an index or a length.
pub(crate) fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A length or an index as a count.
pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Nanoseconds, at most 2⁶⁴ − 1 (584 years).
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// `part` of `whole`, `0.0..=1.0`; 0 of nothing.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        float(part) / float(whole)
    }
}

//! Durations, sizes and shares, as people write them in scenarios and thresholds.

use std::time::Duration;

use super::number::{float, whole};

/// The longest span that a scenario may name.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads `250us`, `500ms`, `2s`, `1.5m`, `1h`: one number and one unit, at most a day. `None`: it is nothing
/// of the kind.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let seconds = match unit {
        "ns" => number / 1e9,
        "us" | "µs" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return None,
    };
    let span = Duration::try_from_secs_f64(seconds).ok()?;
    (span <= LONGEST).then_some(span)
}

/// Reads `1024`, `512B`, `1KiB`, `64KB`, `2MiB`: bytes. `None`: it is nothing of the kind, or more than a TiB.
pub fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    let unit: u64 = match unit {
        "" | "B" => 1,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    let bytes = number * float(unit);
    (bytes <= float(1 << 40)).then(|| whole(bytes))
}

/// Reads `5%` or `0.05`: a share of all, `0.0..=1.0`.
pub(crate) fn share(text: &str) -> Option<f64> {
    let (number, unit) = split(text)?;
    let share = match unit {
        "%" => number / 100.0,
        "" => number,
        _ => return None,
    };
    (0.0..=1.0).contains(&share).then_some(share)
}

/// A plain decimal number, not negative.
pub(crate) fn number(text: &str) -> Option<f64> {
    match split(text)? {
        (number, "") => Some(number),
        _ => None,
    }
}

/// The decimal number at the start, finite and not negative, and the unit after it.
pub(crate) fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let is_unit = |c: char| !c.is_ascii_digit() && c != '.' && c != '_';
    let (number, unit) = text.split_at_checked(text.find(is_unit).unwrap_or(text.len()))?;
    let well_formed =
        number.starts_with(|c: char| c.is_ascii_digit()) && number.ends_with(|c: char| c.is_ascii_digit());
    if !well_formed {
        return None;
    }
    let number: f64 = number.replace('_', "").parse().ok()?;
    number.is_finite().then_some((number, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_sizes_and_shares_are_read() {
        assert_eq!(duration("250us"), Some(Duration::from_micros(250)));
        assert_eq!(duration("1.5m"), Some(Duration::from_secs(90)));
        assert_eq!(duration("0s"), Some(Duration::ZERO));
        assert_eq!(bytes("64KiB"), Some(65_536));
        assert_eq!(bytes("1_000"), Some(1_000));
        assert_eq!(share("0.1%"), Some(0.001));
        assert_eq!(share("0.25"), Some(0.25));
        assert_eq!(number("12.5"), Some(12.5));
    }

    #[test]
    fn what_is_no_quantity_is_not_read() {
        for bad in [
            "",
            "s",
            "5",
            "-1s",
            "1e3s",
            ".s",
            "1.s",
            "5 parsecs",
            "25h",
            "_1s",
            "NaNs",
            "infs",
        ] {
            assert_eq!(duration(bad), None, "{bad}");
        }
        for bad in ["101%", "1.5", "-1%", "many", "5 %%"] {
            assert_eq!(share(bad), None, "{bad}");
        }
        for bad in ["1XB", "KiB", "99999999999999GiB", "-5"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
        assert_eq!(number("5%"), None);
    }
}

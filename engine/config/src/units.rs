//! Durations and sizes, as people write them.

use std::time::Duration;

/// A day: nothing in a gateway is meant to wait longer.
pub(crate) const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads `500ms`, `2s`, `1.5s`, `5m`, `1h30m`. `None`: no such span, or longer than a day.
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let unit_len = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_len)?;
        let unit_nanos: u64 = match unit {
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_nanos(scaled(number, unit_nanos)?))?;
        rest = after;
    }
    (total <= LONGEST).then_some(total)
}

/// Writes what [`duration`] reads: `1h30m`, `500ms`. Fractions of a millisecond are dropped.
pub(crate) fn duration_text(duration: Duration) -> String {
    let (seconds, millis) = (duration.as_secs(), duration.subsec_millis());
    let parts = [
        (seconds / 3600, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (u64::from(millis), "ms"),
    ];
    let mut text = String::new();
    for (count, unit) in parts.into_iter().filter(|(count, _)| *count > 0) {
        text.push_str(&count.to_string());
        text.push_str(unit);
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

/// Reads `1024B`, `512KiB`, `32MiB`, `1GB`. `None`: no such size, or beyond 64 bits.
pub(crate) fn size_bytes(text: &str) -> Option<u64> {
    let (number, unit) = split_number(text.trim())?;
    let unit: u64 = match unit.trim_start() {
        "B" => 1,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    scaled(number, unit)
}

/// The decimal number at the start, and what follows.
fn split_number(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    text.split_at_checked(end)
}

/// `number` times `unit`, fractions of one dropped; up to nine decimal places.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    let places = u32::try_from(fraction.len())
        .ok()
        .filter(|places| (1..=9).contains(places))?;
    let part = u128::from(fraction.parse::<u64>().ok()?) * u128::from(unit) / 10u128.pow(places);
    whole.checked_add(u64::try_from(part).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read() {
        for (text, millis) in [
            ("500ms", 500),
            ("2s", 2000),
            ("1.5s", 1500),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("0s", 0),
            ("24h", 86_400_000),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for bad in [
            "",
            "5",
            "s",
            "5 s",
            "-1s",
            "1d",
            "25h",
            "1e3s",
            ".s",
            "1.s",
            "99999999999999999999s",
            "1s5",
        ] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(size_bytes("32MiB"), Some(32 << 20));
        assert_eq!(size_bytes("1.5 KiB"), Some(1536));
        assert_eq!(size_bytes("10MB"), Some(10_000_000));
        for bad in [
            "",
            "32",
            "MiB",
            "32mb",
            "-1B",
            "99999999999999999999GiB",
            "18446744073709551615GiB",
        ] {
            assert_eq!(size_bytes(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn durations_are_read_as_they_are_written(millis in 0..=86_400_000u64) {
            let span = Duration::from_millis(millis);
            prop_assert_eq!(duration(&duration_text(span)), Some(span));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9.]{0,25}[a-zA-Z]{0,3}|\\PC*") {
            let _ = (duration(&text), size_bytes(&text));
        }
    }
}

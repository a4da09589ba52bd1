//! Numbers, however they are written: `1,000`, `1000`, `1k`, `one thousand` are one number; `2nd` and `second` another.

use super::lexicon::{Facts, Numeral, hash};
use super::scan::Shape;

/// A token as far as numbers are concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// Stands for it; see [`plain`](super::lexicon::plain).
    pub(super) form: u64,
    pub(super) shape: Shape,
    pub(super) facts: Facts,
}

/// A number that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    /// Stands for the value.
    pub(super) key: u64,
    /// Of how many pieces.
    pub(super) pieces: usize,
    /// Often no number at all (`one`, `first`): never tells two questions apart alone.
    pub(super) soft: bool,
}

/// The number at the beginning of `pieces`; `before` is the piece before them. `None`: there is none.
pub(super) fn read(pieces: &[Piece<'_>], before: Option<&Piece<'_>>) -> Option<Reading> {
    let first = pieces.first()?;
    if first.shape.number {
        return Some(digits(first, pieces, before));
    }
    if let Some(value) = roman(first) {
        return Some(cardinal(value, 1, false));
    }
    first.facts.numeral?;
    words(pieces, before)
}

fn cardinal(value: u128, pieces: usize, soft: bool) -> Reading {
    Reading {
        key: hash(&value.to_string()),
        pieces,
        soft,
    }
}

fn ordinal(value: u128, pieces: usize) -> Reading {
    Reading {
        key: hash(&format!("{value}.")),
        pieces,
        soft: value == 1,
    }
}

/// `1000`, `1.5 million`, `3rd`, `10k`.
fn digits(first: &Piece<'_>, pieces: &[Piece<'_>], before: Option<&Piece<'_>>) -> Reading {
    let next = pieces.get(1);
    let plain = Reading {
        key: hash(first.text),
        pieces: 1,
        soft: false,
    };
    let Some(next) = next else { return plain };
    if next.shape.glued && matches!(next.text, "st" | "nd" | "rd" | "th") {
        return first.text.parse().map_or(plain, |value| ordinal(value, 2));
    }
    let money = before.is_some_and(|it| it.shape.sign);
    let mut scale: u128 = match next.text {
        "s" if next.shape.glued => return Reading { pieces: 2, ..plain },
        "k" if next.shape.glued => 1_000,
        "m" if next.shape.glued && (money || next.shape.capital) => 1_000_000,
        "mn" | "mil" => 1_000_000,
        "b" | "bn" if next.shape.glued => 1_000_000_000,
        "tn" => 1_000_000_000_000,
        _ => 1,
    };
    let mut used = if scale > 1 { 2 } else { 1 };
    while let Some(Numeral::Scale(by)) = pieces.get(used).and_then(|it| it.facts.numeral) {
        scale = scale.saturating_mul(by.into());
        used += 1;
    }
    if scale == 1 {
        return plain;
    }
    scaled(first.text, scale).map_or(
        Reading {
            pieces: used,
            ..plain
        },
        |value| cardinal(value, used, false),
    )
}

/// `text` times `scale`, if that is a whole number that fits.
fn scaled(text: &str, scale: u128) -> Option<u128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 12 {
        return None;
    }
    let tens = 10_u128.checked_pow(u32::try_from(part.len()).ok()?)?;
    let value: u128 = whole.parse::<u128>().ok()?.checked_mul(tens)?;
    let value = value
        .checked_add(if part.is_empty() { 0 } else { part.parse().ok()? })?
        .checked_mul(scale)?;
    (value % tens == 0).then_some(value / tens)
}

/// `two hundred and five`, `twenty-first`, `a million`.
fn words(pieces: &[Piece<'_>], before: Option<&Piece<'_>>) -> Option<Reading> {
    let (mut total, mut current, mut used) = (0_u128, 0_u128, 0);
    let mut last: Option<Numeral> = None;
    while let Some(piece) = pieces.get(used) {
        let Some(numeral) = piece.facts.numeral else {
            let joined = piece.text == "and" && matches!(last, Some(Numeral::Scale(_)));
            let next = pieces.get(used + 1).and_then(|it| it.facts.numeral);
            if joined && matches!(next, Some(Numeral::Digit(_) | Numeral::Ten(_))) {
                used += 1;
                continue;
            }
            break;
        };
        match (numeral, last) {
            (Numeral::Digit(value) | Numeral::Ten(value), None | Some(Numeral::Scale(_)))
            | (Numeral::Digit(value @ 1..10), Some(Numeral::Ten(_))) => {
                current = current.saturating_add(value.into());
            }
            (Numeral::Scale(by @ (12 | 100)), _) => current = current.max(1).saturating_mul(by.into()),
            (Numeral::Scale(by), _) => {
                total = total.saturating_add(current.max(1)).saturating_mul(by.into());
                current = 0;
            }
            (Numeral::Ordinal(value), Some(Numeral::Ten(_))) if value < 10 => {
                return Some(ordinal(
                    total.saturating_add(current).saturating_add(value.into()),
                    used + 1,
                ));
            }
            (Numeral::Ordinal(value) | Numeral::OrdinalTen(value), None) => {
                let span = piece.text == "second"
                    && before.is_some_and(|it| {
                        it.shape.number || matches!(it.text, "a" | "per" | "each" | "every" | "one")
                    });
                return (!span).then(|| ordinal(value.into(), 1));
            }
            _ => break,
        }
        last = Some(numeral);
        used += 1;
    }
    let value = total.saturating_add(current);
    let measured = pieces.get(used).is_some_and(|it| it.facts.unit > 0);
    (used > 0).then(|| cardinal(value, used, value == 1 && !measured))
}

/// `II`, `IV`, `XII` in capitals. Single letters are left alone.
fn roman(piece: &Piece<'_>) -> Option<u128> {
    if !piece.shape.capitals || piece.text.len() > 5 {
        return None;
    }
    let (mut value, mut next) = (0_i32, 0);
    for digit in piece.text.chars().rev() {
        let digit = match digit {
            'i' => 1,
            'v' => 5,
            'x' => 10,
            _ => return None,
        };
        value = if digit < next {
            value - digit
        } else {
            value + digit
        };
        next = next.max(digit);
    }
    u128::try_from(value).ok()
}

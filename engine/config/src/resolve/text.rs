//! Texts with a form: read, or reported.

use std::sync::Arc;
use std::time::Duration;

use tollgate_core::{Nanodollars, PicodollarsPerToken, Secret};

use super::Context;
use crate::place::Place;
use crate::raw::{DurationText, MoneyText, SecretText, ShareText};
use crate::units;

impl Context<'_> {
    /// A span of time above zero, or its default.
    pub(super) fn duration(
        &self,
        written: Option<&DurationText>,
        place: Place<'_>,
        default: Duration,
    ) -> Duration {
        let value = self.duration_or_zero(written, place, default);
        if value.is_zero() {
            self.report.problem(place, "no time at all", "more than 0s");
        }
        value
    }

    /// A span of time, or its default.
    pub(super) fn duration_or_zero(
        &self,
        written: Option<&DurationText>,
        place: Place<'_>,
        default: Duration,
    ) -> Duration {
        let Some(DurationText(text)) = written else {
            return default;
        };
        units::duration(text).unwrap_or_else(|| {
            let expected = "a span of time up to 24h such as \"500ms\", \"2s\" or \"5m\"";
            self.report
                .problem(place, self.report.quoted(place, text), expected);
            default
        })
    }

    /// A span of time above zero; `None`: not given.
    pub(super) fn optional_duration(
        &self,
        written: Option<&DurationText>,
        place: Place<'_>,
    ) -> Option<Duration> {
        written.map(|text| self.duration(Some(text), place, Duration::from_secs(1)))
    }

    /// A share up to `most`, or its default.
    pub(super) fn share(
        &self,
        written: Option<&ShareText>,
        place: Place<'_>,
        most: f32,
        default: f32,
    ) -> f32 {
        let value = match written {
            None => return default,
            Some(ShareText::Number(number)) => Some(*number),
            Some(ShareText::Text(text)) => match text.trim().strip_suffix('%') {
                Some(percent) => percent.trim().parse().ok().map(|percent: f64| percent / 100.0),
                None => text.trim().parse().ok(),
            },
        };
        match value {
            Some(value) if (0.0..=f64::from(most)).contains(&value) => narrow(value),
            _ => {
                let found = match written {
                    Some(ShareText::Text(text)) => self.report.quoted(place, text),
                    Some(ShareText::Number(number)) => number.to_string(),
                    None => String::new(),
                };
                let expected = format!("a share from 0% to {}% such as \"5%\" or 0.05", most * 100.0);
                self.report.problem(place, found, expected);
                default
            }
        }
    }

    /// An amount of money.
    pub(super) fn amount(&self, written: Option<&MoneyText>, place: Place<'_>) -> Option<Nanodollars> {
        let MoneyText(text) = written?;
        Nanodollars::parse(text)
            .map_err(|error| {
                let found = format!("{} ({error})", self.report.quoted(place, text));
                self.report.problem(place, found, "US dollars such as \"$0.25\"");
            })
            .ok()
    }

    /// Names of regions, each at most once; `None`: not given.
    pub(super) fn regions(
        &self,
        written: Option<&Vec<Option<String>>>,
        place: Place<'_>,
    ) -> Option<Arc<[Arc<str>]>> {
        let mut regions: Vec<Arc<str>> = Vec::new();
        for (index, name) in written?.iter().enumerate() {
            let Some(name) = name else { continue };
            if name.trim().is_empty() {
                self.report
                    .problem(place.item(index), "empty", "the region of a provider");
            } else if !regions.iter().any(|known| **known == **name) {
                regions.push(name.as_str().into());
            }
        }
        Some(regions.into())
    }

    /// A price per million tokens.
    pub(super) fn money(&self, written: Option<&MoneyText>, place: Place<'_>) -> Option<PicodollarsPerToken> {
        let MoneyText(text) = written?;
        PicodollarsPerToken::parse_per_million(text)
            .map_err(|error| {
                let expected = "US dollars per million tokens such as \"$0.15\"";
                self.report.problem(
                    place,
                    format!("{} ({error})", self.report.quoted(place, text)),
                    expected,
                );
            })
            .ok()
    }

    /// A key: visible ASCII, `least` characters or more. White space around it (a line break at the end of a
    /// mounted secret) is dropped.
    pub(super) fn secret(&self, written: &SecretText, place: Place<'_>, least: usize) -> Option<Secret> {
        let text = written.0.trim();
        let found = if text.is_empty() {
            "empty".to_owned()
        } else if text.len() < least {
            format!("a key of {} characters", text.chars().count())
        } else if text.len() > 16 * 1024 {
            format!("a key of {} bytes", text.len())
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            "a key with characters that cannot be sent".to_owned()
        } else {
            return Some(Secret::new(text));
        };
        let expected = match least {
            0 | 1 => "a key: visible ASCII characters".to_owned(),
            _ => format!("a key of at least {least} visible ASCII characters"),
        };
        self.report.problem(place, found, expected);
        None
    }
}

/// A share as the router computes with it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "seven digits of a share are enough"
)]
pub(super) fn narrow(value: f64) -> f32 {
    value as f32
}

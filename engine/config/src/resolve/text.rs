//! Texts with a form: read, or reported.

use std::time::Duration;

use tollgate_core::{PicodollarsPerToken, Secret};

use super::Context;
use crate::place::Place;
use crate::raw::{DurationText, MoneyText, SecretText};
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

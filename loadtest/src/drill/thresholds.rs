//! What must not hold: `success<99.9%`, `shift>10s`. What was not measured fails too, as with `bench`.

use std::fmt;
use std::str::FromStr;

use super::report::{Measured, Verdict};
use super::table::{Drill, Fault};
use crate::load::thresholds::{Beyond, ThresholdError, condition};
use crate::load::units;
use crate::load::unknown;

/// A condition under which a drill fails.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    pub(crate) metric: Metric,
    beyond: Beyond,
    /// In the metric's own unit: shares, milliseconds, or a number.
    limit: f64,
    text: String,
}

/// What can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metric {
    Met,
    Success,
    Failed,
    FailedAfter,
    Cut,
    Untold,
    AddedP50,
    AddedP99,
    Shift,
    Return,
    Recovery,
    Attempts,
    Cost,
    LogBroken,
    CacheLost,
    ReloadsMissing,
}

/// How a metric is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Share,
    Millis,
    Number,
}

const METRICS: [(&str, Metric, Unit, &str); 16] = [
    (
        "met",
        Metric::Met,
        Unit::Number,
        "attempts at the struck provider that met the fault",
    ),
    (
        "success",
        Metric::Success,
        Unit::Share,
        "requests answered since the fault, of those that could be",
    ),
    (
        "failed",
        Metric::Failed,
        Unit::Number,
        "requests without an answer since the fault",
    ),
    (
        "failed_after",
        Metric::FailedAfter,
        Unit::Number,
        "requests without an answer that were due after the fault",
    ),
    (
        "cut",
        Metric::Cut,
        Unit::Number,
        "streams that broke after content had come",
    ),
    (
        "untold",
        Metric::Untold,
        Unit::Number,
        "of these, those whose client was not told in its own dialect",
    ),
    (
        "added_p50",
        Metric::AddedP50,
        Unit::Millis,
        "the median of latency, against before",
    ),
    (
        "added_p99",
        Metric::AddedP99,
        Unit::Millis,
        "the 99th percentile of latency, against before",
    ),
    (
        "shift",
        Metric::Shift,
        Unit::Millis,
        "from the fault until 95 % are served elsewhere, without an attempt at it",
    ),
    (
        "return",
        Metric::Return,
        Unit::Millis,
        "from its end until the provider has its share again",
    ),
    (
        "recovery",
        Metric::Recovery,
        Unit::Millis,
        "from the fault to the end of the first good answer",
    ),
    (
        "attempts",
        Metric::Attempts,
        Unit::Number,
        "attempts per request during the fault, on average",
    ),
    (
        "cost",
        Metric::Cost,
        Unit::Share,
        "what a request cost more during the fault than before",
    ),
    (
        "log_broken",
        Metric::LogBroken,
        Unit::Number,
        "lines of the access log that cannot be read",
    ),
    (
        "cache_lost",
        Metric::CacheLost,
        Unit::Share,
        "answers that the cache had before a restart, and not after it",
    ),
    (
        "reloads_missing",
        Metric::ReloadsMissing,
        Unit::Number,
        "reloads that were asked for and not applied",
    ),
];

impl Metric {
    fn named(name: &str) -> Result<Self, String> {
        let found = METRICS.iter().find(|(known, ..)| *known == name);
        found
            .map(|(_, metric, ..)| *metric)
            .ok_or_else(|| unknown("metric", name, &METRICS.map(|(known, ..)| known)))
    }

    fn row(self) -> Option<&'static (&'static str, Self, Unit, &'static str)> {
        METRICS.iter().find(|(_, metric, ..)| *metric == self)
    }

    /// Whether a drill with that fault measures it, however it goes.
    fn is_of(self, fault: &Fault) -> bool {
        match self {
            Self::Met | Self::Shift | Self::Return => fault.is_upstream(),
            Self::CacheLost => *fault == Fault::KillGateway,
            Self::ReloadsMissing => matches!(fault, Fault::Reload(_)),
            // For the moment that it is gone, nobody may be answered at all.
            Self::AddedP50 | Self::AddedP99 | Self::Attempts | Self::Cost => *fault != Fault::KillGateway,
            Self::Success
            | Self::Failed
            | Self::FailedAfter
            | Self::Cut
            | Self::Untold
            | Self::Recovery
            | Self::LogBroken => true,
        }
    }

    /// What it is, in words.
    pub(crate) fn about(self) -> &'static str {
        self.row().map_or("", |(.., about)| about)
    }

    fn unit(self) -> Unit {
        self.row().map_or(Unit::Number, |(_, _, unit, _)| *unit)
    }

    fn name(self) -> &'static str {
        self.row().map_or("", |(name, ..)| name)
    }
}

impl Unit {
    fn limit(self, text: &str) -> Result<f64, &'static str> {
        match self {
            Self::Share => {
                let (number, unit) = units::split(text).ok_or("a share such as 99.9%")?;
                match unit {
                    "%" => Ok(number / 100.0),
                    "" => Ok(number),
                    _ => Err("a share such as 99.9%"),
                }
            }
            Self::Millis => {
                let span = units::duration(text).ok_or("a duration such as 500ms or 10s")?;
                Ok(span.as_secs_f64() * 1000.0)
            }
            Self::Number => units::number(text).ok_or("a number"),
        }
    }

    /// A value for people.
    pub(crate) fn told(self, value: f64) -> String {
        match self {
            Self::Share if (0.9..1.0).contains(&value) => {
                format!("{:.2} %", (value * 10_000.0).floor() / 100.0)
            }
            Self::Share => format!("{:.1} %", value * 100.0),
            Self::Millis if value.abs() < 1000.0 => format!("{value:.0} ms"),
            Self::Millis => format!("{:.1} s", value / 1000.0),
            Self::Number if value.fract() == 0.0 => format!("{value:.0}"),
            Self::Number => format!("{value:.2}"),
        }
    }
}

impl Threshold {
    /// Whether the drill measures what it speaks of.
    pub fn is_of(&self, drill: &Drill) -> bool {
        self.metric.is_of(&drill.fault)
    }

    /// Whether a drill fails by it that measured that.
    pub(crate) fn is_missed_by(&self, found: f64) -> bool {
        self.beyond.holds(found, self.limit)
    }

    /// Defaults, but for those whose metric `wanted` speaks of: these count instead.
    pub(crate) fn merged(defaults: &[&str], wanted: &[Self]) -> Vec<Self> {
        let defaults = defaults.iter().filter_map(|text| text.parse::<Self>().ok());
        let kept = defaults.filter(|it| wanted.iter().all(|other| other.metric != it.metric));
        kept.chain(wanted.iter().cloned()).collect()
    }

    /// Whether a drill fails by it. `advice` is asked for what to change.
    pub(crate) fn judge(&self, measured: &Measured, advice: impl Fn(Metric) -> Option<String>) -> Verdict {
        let found = measured.of(self.metric);
        let failed = found.is_none_or(|found| self.is_missed_by(found));
        let unit = self.metric.unit();
        let must = self.beyond.opposite();
        Verdict {
            threshold: self.text.clone(),
            expected: format!("{} {must} {}", self.metric.name(), unit.told(self.limit)),
            seen: found.map_or_else(|| "never, or not to be told".to_owned(), |it| unit.told(it)),
            about: self.metric.about().to_owned(),
            found,
            failed,
            advice: if failed { advice(self.metric) } else { None },
        }
    }
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let (metric, beyond, limit) = condition(text, "success<99.9%", Metric::named, |metric, limit| {
            metric.unit().limit(limit)
        })?;
        Ok(Self {
            metric,
            beyond,
            limit,
            text: text.trim().to_owned(),
        })
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::table::drills;

    fn judged(text: &str, measured: &Measured) -> Verdict {
        text.parse::<Threshold>()
            .unwrap()
            .judge(measured, |_| Some("do this".to_owned()))
    }

    #[test]
    fn thresholds_are_judged_in_their_units() {
        let measured = Measured {
            success: Some(0.9985),
            shift_ms: Some(1250.0),
            attempts: Some(1.25),
            ..Measured::default()
        };
        let verdict = judged("success<99.9%", &measured);
        assert!(verdict.failed);
        assert_eq!(
            (verdict.expected.as_str(), verdict.seen.as_str()),
            ("success ≥ 99.90 %", "99.85 %")
        );
        assert_eq!(verdict.advice.as_deref(), Some("do this"));
        let verdict = judged("shift > 2s", &measured);
        assert_eq!((verdict.failed, verdict.advice), (false, None));
        assert_eq!(verdict.seen, "1.2 s");
        assert!(judged("attempts>=1.25", &measured).failed);
        assert!(!judged("success<0.99", &measured).failed);
    }

    #[test]
    fn what_was_not_measured_fails() {
        let verdict = judged("return>60s", &Measured::default());
        assert_eq!((verdict.found, verdict.failed), (None, true));
    }

    #[test]
    fn a_share_just_below_its_limit_is_not_rounded_up_to_it() {
        assert_eq!(Unit::Share.told(0.999_96), "99.99 %");
        assert_eq!(Unit::Share.told(1.0), "100.0 %");
    }

    #[test]
    fn what_the_user_says_of_a_metric_counts_instead_of_the_default() {
        let wanted = ["success<90%".parse().unwrap(), "cost>200%".parse().unwrap()];
        let merged = Threshold::merged(&["success<99.9%", "untold>0"], &wanted);
        let texts: Vec<_> = merged.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["untold>0", "success<90%", "cost>200%"]);
    }

    #[test]
    fn a_threshold_is_of_the_drills_that_measure_it() {
        let many = |text: &str| {
            let threshold: Threshold = text.parse().expect(text);
            drills().iter().filter(|drill| threshold.is_of(drill)).count()
        };
        assert_eq!(many("success<99%"), drills().len());
        assert_eq!(many("shift>5s"), drills().len() - 3);
        assert_eq!(many("added_p99>5s"), drills().len() - 1);
        assert_eq!((many("cache_lost>1%"), many("reloads_missing>0")), (1, 1));
    }

    #[test]
    fn a_bad_threshold_says_what_is_wrong_with_it() {
        for (text, told) in [
            ("", "expected a metric"),
            ("shift", "expected a metric"),
            ("sucess<99%", "did you mean 'success'?"),
            ("shift>5", "expected a duration"),
            ("success<5ms", "expected a share"),
            ("untold>few", "expected a number"),
        ] {
            let error = text.parse::<Threshold>().expect_err(text).to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}

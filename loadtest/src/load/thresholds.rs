//! Thresholds: `p99>5ms`, `errors>0.1%`, `rps<900`. A run fails when one of them holds. What was not measured
//! fails too: a threshold that silently passes is worse than none.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::number::float;
use super::report::time;
use super::scenario::unknown;
use super::summary::{Quantiles, Summary};
use super::units;

/// A condition under which a run fails.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    metric: Metric,
    beyond: Beyond,
    /// In the metric's own unit.
    limit: f64,
    text: String,
}

/// What a threshold came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The threshold as it was written.
    pub threshold: String,
    /// What was measured: microseconds, shares, counts, MiB or KiB, as the threshold's metric has them. `None`: it was not
    /// measured.
    pub found: Option<f64>,
    /// The same for people, with its unit.
    pub written: Option<String>,
    /// Whether the run fails by it.
    pub failed: bool,
}

/// Why a text is no threshold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}': {wrong}")]
pub struct ThresholdError {
    text: String,
    wrong: String,
}

/// On which side of its limit a figure fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beyond {
    Above,
    AtLeast,
    Below,
    AtMost,
}

impl Beyond {
    pub(crate) fn holds(self, found: f64, limit: f64) -> bool {
        match self {
            Self::Above => found > limit,
            Self::AtLeast => found >= limit,
            Self::Below => found < limit,
            Self::AtMost => found <= limit,
        }
    }

    /// The sign of what must hold instead.
    pub(crate) const fn opposite(self) -> &'static str {
        match self {
            Self::Above => "≤",
            Self::AtLeast => "<",
            Self::Below => "≥",
            Self::AtMost => ">",
        }
    }
}

impl ThresholdError {
    pub(crate) fn new(text: &str, wrong: String) -> Self {
        let text = text.chars().take(80).collect();
        Self { text, wrong }
    }
}

/// Reads `NAME SIGN LIMIT`: the metric, and the limit in its unit. `example` is told where it is not that; the metric says
/// what is wrong with its name, and what is expected as its limit.
pub(crate) fn condition<M>(
    text: &str,
    example: &str,
    metric: impl Fn(&str) -> Result<M, String>,
    limit: impl Fn(&M, &str) -> Result<f64, &'static str>,
) -> Result<(M, Beyond, f64), ThresholdError> {
    let wrong = |wrong: String| ThresholdError::new(text, wrong);
    let at = text.find(['<', '>']).ok_or_else(|| {
        wrong(format!(
            "expected a metric, one of > >= < <=, and a limit, such as '{example}'"
        ))
    })?;
    let (name, rest) = text.split_at_checked(at).unwrap_or_default();
    let signs = [
        (">=", Beyond::AtLeast),
        ("<=", Beyond::AtMost),
        (">", Beyond::Above),
        ("<", Beyond::Below),
    ];
    let found = signs
        .into_iter()
        .find_map(|(sign, beyond)| Some((beyond, rest.strip_prefix(sign)?)));
    let (beyond, written) = found.ok_or_else(|| wrong("expected one of > >= < <=".to_owned()))?;
    let (metric, written) = (metric(name.trim()).map_err(wrong)?, written.trim());
    let limit = limit(&metric, written)
        .map_err(|expected| wrong(format!("found '{written}' as the limit, expected {expected}")))?;
    Ok((metric, beyond, limit))
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Metric {
    Time(Times, At),
    Errors,
    CacheHits,
    RssGrowth,
    Rate,
    Lost,
    NotSent,
    Rss,
    RssPerRequest,
    Cpu,
}

/// A distribution of times.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Times {
    Latency,
    Service,
    First,
    Gap,
    Lag,
}

/// A place in a distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Mean,
    P50,
    P90,
    P95,
    P99,
    P999,
    Max,
}

const PLACES: [(&str, At); 7] = [
    ("mean", At::Mean),
    ("p50", At::P50),
    ("p90", At::P90),
    ("p95", At::P95),
    ("p99", At::P99),
    ("p99.9", At::P999),
    ("max", At::Max),
];
const TIMES: [(&str, Times); 5] = [
    ("latency", Times::Latency),
    ("service", Times::Service),
    ("ttft", Times::First),
    ("gap", Times::Gap),
    ("lag", Times::Lag),
];
const PLAIN: [(&str, Metric); 9] = [
    ("errors", Metric::Errors),
    ("cache_hits", Metric::CacheHits),
    ("rss_growth", Metric::RssGrowth),
    ("rps", Metric::Rate),
    ("lost", Metric::Lost),
    ("not_sent", Metric::NotSent),
    ("rss", Metric::Rss),
    ("rss_per_request", Metric::RssPerRequest),
    ("cpu", Metric::Cpu),
];

fn named<T: Copy>(names: &[(&str, T)], name: &str) -> Option<T> {
    names.iter().find(|(known, _)| *known == name).map(|(_, it)| *it)
}

impl Metric {
    /// `p99` is of latency; `ttft.p99`, `gap.max` and the like of others.
    fn parse(name: &str) -> Result<Self, String> {
        if let Some(metric) = named(&PLAIN, name) {
            return Ok(metric);
        }
        if let Some(at) = named(&PLACES, name) {
            return Ok(Self::Time(Times::Latency, at));
        }
        let places = PLACES.map(|(name, _)| name);
        if let Some((times, at)) = name
            .split_once('.')
            .and_then(|(times, at)| Some((named(&TIMES, times)?, at)))
        {
            let at = named(&PLACES, at).ok_or_else(|| unknown("place", at, &places))?;
            return Ok(Self::Time(times, at));
        }
        let mut known: Vec<&str> = PLAIN.iter().map(|(name, _)| *name).chain(places).collect();
        known.extend(["ttft.p99", "gap.p99", "service.p99", "lag.p99"]);
        Err(unknown("metric", name, &known))
    }

    /// A limit in the metric's own unit: microseconds, shares, counts, MiB, KiB.
    fn limit(self, text: &str) -> Result<f64, &'static str> {
        let (limit, expected) = match self {
            Self::Time(..) | Self::Cpu => (
                units::duration(text).map(|it| it.as_secs_f64() * 1e6),
                "a duration such as 5ms or 250us",
            ),
            Self::Errors | Self::CacheHits => (units::share(text), "a share such as 0.1% or 0.001"),
            Self::RssGrowth => {
                let percent = text.trim().strip_suffix('%').and_then(units::number);
                (percent.map(|it| it / 100.0), "a percentage such as 10%")
            }
            Self::Rate | Self::Lost | Self::NotSent => (units::number(text), "a number"),
            Self::Rss => (
                units::bytes(text).map(|it| float(it) / 1_048_576.0),
                "a size such as 64MiB",
            ),
            Self::RssPerRequest => (
                units::bytes(text).map(|it| float(it) / 1024.0),
                "a size such as 40KiB",
            ),
        };
        limit.ok_or(expected)
    }

    fn of(self, summary: &Summary) -> Option<f64> {
        let server = summary.server.as_ref();
        match self {
            Self::Time(times, at) => {
                let quantiles = match times {
                    Times::Latency => &summary.latency,
                    Times::Service => &summary.service,
                    Times::First => &summary.first,
                    Times::Gap => &summary.gap,
                    Times::Lag => &summary.generator.lag,
                };
                quantiles.as_ref().map(|it| at.of(it))
            }
            // Nothing sent is no proof of anything.
            Self::Errors => (summary.requests.sent > 0).then_some(summary.error_share),
            Self::CacheHits => summary.cache_hit_share,
            Self::RssGrowth => {
                let server = server.filter(|it| it.rss_start_mib > 0.0)?;
                Some(server.rss_end_mib / server.rss_start_mib - 1.0)
            }
            Self::Rate => Some(summary.answered_per_second),
            // Where nobody knows how many there should be, none can be missed.
            Self::Lost => (summary.streams.chunks_expected > 0).then(|| float(summary.streams.chunks_lost)),
            Self::NotSent => Some(float(summary.requests.not_sent)),
            Self::Rss => server.map(|it| it.rss_max_mib),
            Self::RssPerRequest => server.and_then(|it| it.rss_kib_per_request),
            Self::Cpu => server.map(|it| it.cpu_us_per_request),
        }
    }
}

impl Metric {
    /// A figure of it for people.
    fn write(self, found: f64) -> String {
        match self {
            Self::Time(..) | Self::Cpu => time(found),
            Self::Errors | Self::CacheHits | Self::RssGrowth => format!("{:.2} %", found * 100.0),
            Self::Rate => format!("{found:.1}"),
            Self::Lost | Self::NotSent => format!("{found:.0}"),
            Self::Rss => format!("{found:.1} MiB"),
            Self::RssPerRequest => format!("{found:.1} KiB"),
        }
    }
}

impl At {
    const fn of(self, quantiles: &Quantiles) -> f64 {
        match self {
            Self::Mean => quantiles.mean,
            Self::P50 => quantiles.p50,
            Self::P90 => quantiles.p90,
            Self::P95 => quantiles.p95,
            Self::P99 => quantiles.p99,
            Self::P999 => quantiles.p999,
            Self::Max => quantiles.max,
        }
    }
}

impl Threshold {
    /// Whether a run fails by it.
    pub fn judge(&self, summary: &Summary) -> Verdict {
        let found = self.metric.of(summary);
        Verdict {
            threshold: self.text.clone(),
            found,
            written: found.map(|it| self.metric.write(it)),
            failed: found.is_none_or(|found| self.beyond.holds(found, self.limit)),
        }
    }
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let (metric, beyond, limit) = condition(text, "p99>5ms", Metric::parse, |metric, limit| {
            metric.limit(limit)
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
    use std::time::Duration;

    use super::super::figures::{Ending, ErrorClass, Figures, Sample, Window};
    use super::super::summary::summarise;
    use super::*;

    /// 999 answers after 1 to 999 ms, one failure.
    fn summary() -> Summary {
        let mut figures = Figures::new(Window {
            warm_up: Duration::ZERO,
            measured: Duration::from_secs(10),
        });
        for millis in 1..=1000 {
            figures.record(&Sample {
                due: Duration::ZERO,
                sent: Duration::ZERO,
                first: None,
                ended: Duration::from_millis(millis),
                streamed: false,
                status: Some(200),
                ending: if millis == 1000 {
                    Ending::Failed(ErrorClass::CutShort)
                } else {
                    Ending::Answered
                },
                cancel: None,
                chunks: 0,
                chunks_expected: u64::from(millis == 1),
                chunks_lost: 0,
                bytes_sent: 0,
                bytes_received: 0,
                from_cache: None,
            });
        }
        summarise(&figures, Duration::from_secs(10), 1)
    }

    #[test]
    fn thresholds_are_judged_in_their_units() {
        let summary = summary();
        for (text, fails) in [
            ("p99>5ms", true),
            ("p99 > 1s", false),
            ("p50>=400ms", true),
            ("max<0.5s", false),
            ("latency.p99.9 > 900ms", true),
            ("errors>0.05%", true),
            ("errors>0.001", false),
            ("rps<900", true),
            ("rps<=99", false),
            ("lost>0", false),
            ("not_sent>=0", true),
        ] {
            let verdict = text.parse::<Threshold>().unwrap().judge(&summary);
            assert_eq!(verdict.failed, fails, "{text}: {verdict:?}");
        }
    }

    #[test]
    fn what_was_found_is_written_in_units_of_people() {
        for (text, written) in [
            ("p50>5ms", "500 ms"),
            ("errors>5%", "0.10 %"),
            ("rps<1", "99.9"),
            ("lost>0", "0"),
        ] {
            let verdict = text.parse::<Threshold>().unwrap().judge(&summary());
            assert_eq!(verdict.written.as_deref(), Some(written), "{text}");
        }
    }

    #[test]
    fn what_was_not_measured_fails() {
        for text in [
            "ttft.p50>1s",
            "cpu>1s",
            "rss>1GiB",
            "rss_per_request>1MiB",
            "rss_growth>10%",
            "cache_hits<1%",
            "lost>0",
        ] {
            let mut summary = summary();
            summary.streams.chunks_expected = 0;
            let verdict = text.parse::<Threshold>().unwrap().judge(&summary);
            assert_eq!((verdict.found, verdict.failed), (None, true), "{text}");
        }
    }

    #[test]
    fn a_bad_threshold_says_what_is_wrong_with_it() {
        for (text, told) in [
            ("", "expected a metric"),
            ("p99", "expected a metric"),
            ("p98>5ms", "unknown metric 'p98': did you mean 'p9"),
            ("eror>1%", "did you mean 'errors'?"),
            ("ttft.p42>5ms", "unknown place 'p42'"),
            ("p99>5", "expected a duration"),
            ("p99>-5ms", "expected a duration"),
            ("p99=>5ms", "unknown metric 'p99='"),
            ("errors>5ms", "expected a share"),
            ("rps<many", "found 'many' as the limit, expected a number"),
            ("rss_growth>0.1", "expected a percentage"),
        ] {
            let error = text.parse::<Threshold>().expect_err(text).to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}

//! What a drill came to, in numbers that people and programs read.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::breakers::Change;
use super::figures::Phase;
use super::thresholds::Metric;
use crate::load::number::float;

/// Several drills.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reports {
    /// Whether all of them have passed.
    pub passed: bool,
    /// One each.
    pub drills: Vec<Report>,
    /// Those that could not be held: there is nothing to judge.
    #[serde(default)]
    pub not_held: Vec<NotHeld>,
}

/// A drill that could not be held.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotHeld {
    /// Its name.
    pub drill: String,
    /// Why not.
    pub why: String,
}

/// One drill.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Its name.
    pub drill: String,
    /// What happens in it.
    pub about: String,
    /// The model that clients asked for.
    pub model: String,
    /// Requests a second.
    pub rate: f64,
    /// The target that had most of the traffic before the fault; its provider was struck. `None`: no provider was.
    pub primary: Option<String>,
    /// Why it could not pass, as was said before it began.
    pub obstacles: Vec<String>,
    /// What else was said.
    pub remarks: Vec<String>,
    /// Requests that had ended when the fault came.
    pub before: Phase,
    /// Those that had not, and those due until it was mended.
    pub during: Phase,
    /// Those due after that.
    pub after: Phase,
    /// What is judged.
    pub measured: Measured,
    /// Attempts at the struck provider while it was struck, by how they ended.
    #[serde(default)]
    pub outcomes: BTreeMap<String, u64>,
    /// What the breakers and credentials of the struck provider did.
    pub changes: Vec<Change>,
    /// Probes of its breakers.
    pub probes: Probes,
    /// Of drills of the gateway: what was done, a sentence each.
    pub done: Vec<String>,
    /// How late the generator sent one request in a hundred, in milliseconds.
    pub lag_p99_ms: Option<f64>,
    /// One for each threshold.
    pub verdicts: Vec<Verdict>,
    /// Whether none of them failed.
    pub passed: bool,
}

/// Requests that were to find out whether a target works again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Probes {
    /// How many.
    pub sent: u64,
    /// Those that went well.
    pub went_well: u64,
}

/// What is judged. `None`: it was not measured, or never came to pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// Attempts at the struck provider that met the fault.
    #[serde(default)]
    pub met: Option<f64>,
    /// Requests answered since the fault, of those answered or failed.
    pub success: Option<f64>,
    /// Requests without an answer since the fault.
    pub failed: Option<f64>,
    /// Of these, those due after it was mended.
    pub failed_after: Option<f64>,
    /// Streams that broke after content had come.
    pub cut: Option<f64>,
    /// Of these, those whose client was not told in its own dialect.
    pub untold: Option<f64>,
    /// The median latency during the fault, less that before it.
    pub added_p50_ms: Option<f64>,
    /// The 99th percentile, likewise.
    pub added_p99_ms: Option<f64>,
    /// From the fault until 95 % are served by another provider, without an attempt at the struck one.
    pub shift_ms: Option<f64>,
    /// From the end of the fault until the provider has four fifths of the share that it had.
    pub return_ms: Option<f64>,
    /// From the fault to the end of the first good answer to a request that was due after it.
    pub recovery_ms: Option<f64>,
    /// Attempts per request during the fault.
    pub attempts: Option<f64>,
    /// What a good answer cost more during the fault than before: 0.5 is half as much again.
    pub cost: Option<f64>,
    /// Lines of the access log that cannot be read. `None`: it has none.
    pub log_broken: Option<f64>,
    /// Answers that the cache had before a restart and not after it, of those that it had.
    pub cache_lost: Option<f64>,
    /// Reloads that were asked for and not applied.
    pub reloads_missing: Option<f64>,
}

/// What a threshold came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// As it was written.
    pub threshold: String,
    /// What should hold, in words.
    pub expected: String,
    /// What was measured, in words.
    pub seen: String,
    /// What is measured by it.
    pub about: String,
    /// What was measured: a share, milliseconds or a number.
    pub found: Option<f64>,
    /// Whether the drill fails by it.
    pub failed: bool,
    /// What to change, where that is known.
    pub advice: Option<String>,
}

impl Measured {
    pub(crate) fn of(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Met => self.met,
            Metric::Success => self.success,
            Metric::Failed => self.failed,
            Metric::FailedAfter => self.failed_after,
            Metric::Cut => self.cut,
            Metric::Untold => self.untold,
            Metric::AddedP50 => self.added_p50_ms,
            Metric::AddedP99 => self.added_p99_ms,
            Metric::Shift => self.shift_ms,
            Metric::Return => self.return_ms,
            Metric::Recovery => self.recovery_ms,
            Metric::Attempts => self.attempts,
            Metric::Cost => self.cost,
            Metric::LogBroken => self.log_broken,
            Metric::CacheLost => self.cache_lost,
            Metric::ReloadsMissing => self.reloads_missing,
        }
    }

    /// What can be said from phases alone.
    pub(crate) fn from_phases(before: &Phase, during: &Phase, after: &Phase) -> Self {
        let since = |count: fn(&Phase) -> u64| Some(float(count(during) + count(after)));
        let added = |of: fn(&Phase) -> Option<f64>| of(during).zip(of(before)).map(|(now, then)| now - then);
        let (answered, failed) = (during.answered + after.answered, during.failed + after.failed);
        let ended = answered + failed;
        Self {
            success: (ended > 0).then(|| float(answered) / float(ended)),
            failed: since(|it| it.failed),
            failed_after: Some(float(after.failed)),
            cut: since(|it| it.cut.streams),
            untold: since(|it| it.cut.streams - it.cut.told),
            added_p50_ms: added(|it| it.p50_ms),
            added_p99_ms: added(|it| it.p99_ms),
            attempts: during.attempts,
            cost: during
                .cost_nanodollars
                .zip(before.cost_nanodollars.filter(|it| *it > 0.0))
                .map(|(now, then)| now / then - 1.0),
            ..Self::default()
        }
    }
}

impl Report {
    /// The JSON Schema of [`Reports`].
    pub fn schema() -> String {
        let mut text = serde_json::to_string_pretty(&schemars::schema_for!(Reports)).unwrap_or_default();
        text.push('\n');
        text
    }
}

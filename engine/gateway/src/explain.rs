//! What is kept of a decision: how it came about, and what became of it. No prompt, no answer, no secret.
//!
//! The record holds the whole question that the scoring function was asked, so that it can be explained to a person
//! and asked again under other weights.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use tollgate_core::{RequestId, Timestamp};
use tollgate_routing::{Decision, Facts, Question, Ranked};
use tollgate_telemetry::{Line, RequestRecord};

/// A decision and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// The request's id, as the client sees it in `x-request-id`.
    #[serde(with = "as_text")]
    pub id: RequestId,
    /// When it arrived, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The name of the virtual key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
    /// The route's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Arc<str>>,
    /// The status that the client got.
    pub status: u16,
    /// How it ended.
    pub outcome: Cow<'static, str>,
    /// What it cost; absent: nothing was used, or the price is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_nanodollars: Option<u64>,
    /// From sending the serving attempt to its first token, microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_us: Option<u64>,
    /// From the request's arrival to the end of its answer, microseconds.
    pub total_us: u64,
    /// What was tried, in order.
    pub attempts: Vec<AttemptOutcome>,
    /// How it was decided.
    pub decision: Decision,
}

/// What became of one attempt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AttemptOutcome {
    /// `provider/model`.
    pub target: TargetName,
    /// What became of it.
    pub outcome: Cow<'static, str>,
    /// Why it was made.
    pub role: Cow<'static, str>,
    /// The provider's status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long it took, microseconds.
    pub elapsed_us: u64,
}

/// A provider and a model there, written as `provider/model`. Kept apart: put together only to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetName {
    /// The provider's name; without a slash.
    pub provider: Arc<str>,
    /// The model's name there.
    pub model: Arc<str>,
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

impl Serialize for TargetName {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TargetName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let (provider, model) = text
            .split_once('/')
            .ok_or_else(|| D::Error::custom("expected provider/model"))?;
        Ok(Self {
            provider: provider.into(),
            model: model.into(),
        })
    }
}

impl DecisionRecord {
    /// Keeps a decision together with what became of it.
    pub(crate) fn new(record: &RequestRecord, decision: Decision) -> Self {
        let micros = |duration: std::time::Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self {
            id: record.id,
            at_ms: record.at.unix_millis(),
            key: record.key.clone(),
            route: record.route.clone(),
            status: record.status,
            outcome: record.ending.error_type().unwrap_or("success").into(),
            cost_nanodollars: record.cost.map(|cost| cost.0),
            ttft_us: record.timings.first_token.map(micros),
            total_us: micros(record.timings.total),
            attempts: record
                .attempts
                .iter()
                .map(|attempt| AttemptOutcome {
                    target: TargetName {
                        provider: attempt.provider.clone(),
                        model: attempt.model.clone(),
                    },
                    outcome: attempt.outcome.name().into(),
                    role: attempt.role.name().into(),
                    status: attempt.status,
                    elapsed_us: micros(attempt.elapsed),
                })
                .collect(),
            decision,
        }
    }

    /// When the request arrived.
    pub fn at(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.at_ms)
    }

    /// The decision in words: what was asked of whom and why, and what came of it.
    pub fn explanation(&self) -> String {
        let mut text = String::new();
        let question = &self.decision.question;
        let route = self.route.as_deref().unwrap_or("-");
        let _ = writeln!(
            text,
            "{}  {}  route {route}, epoch {}",
            self.id,
            self.at(),
            self.decision.epoch
        );
        if self.decision.is_panic() {
            text.push_str("nobody was healthy: the best of them was asked all the same\n");
        }
        text.push_str("\nin this order:\n");
        for (place, ranked) in self.decision.ranking.iter().enumerate() {
            let facts = question.candidates.get(usize::from(ranked.candidate));
            if let Some(facts) = facts {
                ranked_line(&mut text, place + 1, question, facts, ranked);
            }
        }
        let left_out = question.candidates.iter().filter_map(|it| Some((it, it.filter?)));
        for (position, (facts, filter)) in left_out.enumerate() {
            if position == 0 {
                text.push_str("\nleft out:\n");
            }
            let _ = writeln!(text, "  {}: {}", question.name(facts), filter.name());
        }
        text.push_str("\nwhat came of it:\n");
        for attempt in &self.attempts {
            let millis = std::time::Duration::from_micros(attempt.elapsed_us);
            let status = attempt
                .status
                .map(|status| format!(" ({status})"))
                .unwrap_or_default();
            let role = match &*attempt.role {
                "ordinary" => String::new(),
                role => format!(", {role}"),
            };
            let _ = writeln!(
                text,
                "  {}: {}{status} after {millis:.1?}{role}",
                attempt.target, attempt.outcome
            );
        }
        let cost = self.cost_nanodollars.map(tollgate_core::Nanodollars);
        let cost = cost.map(|cost| format!(", ${cost}")).unwrap_or_default();
        let _ = writeln!(text, "  answered {}: {}{cost}", self.status, self.outcome);
        text
    }
}

fn ranked_line(text: &mut String, place: usize, question: &Question, facts: &Facts, ranked: &Ranked) {
    let terms = &ranked.terms;
    let (name, by) = (question.name(facts), ranked.place.name());
    let _ = write!(text, "  {place}. {name}: by {by}");
    if facts.fallback > 0 {
        let group = question.groups.get(usize::from(facts.fallback));
        let _ = write!(text, ", fallback {}", group.map_or("-", |group| &*group.route));
    }
    if facts.priority > 0 {
        let _ = write!(text, ", priority {}", facts.priority);
    }
    let _ = write!(
        text,
        "; score {:.3} = cost {:.3}, latency {:.3}, availability {:.3}, bias {:.3}",
        terms.score, terms.cost, terms.latency, terms.availability, terms.bias
    );
    let cost = facts
        .cost
        .map(|cost| format!("${}", tollgate_core::Nanodollars(cost)));
    let time = std::time::Duration::from_secs_f32((terms.predicted_us / 1e6).clamp(0.0, 1e6));
    let _ = writeln!(
        text,
        " (expects {}, {time:.1?}, {:.1} % errors of {}, {} in flight)",
        cost.as_deref().unwrap_or("an unknown price"),
        facts.error_ratio * 100.0,
        facts.samples,
        facts.in_flight
    );
}

/// The decision in one line, for a header: visible ASCII, cut where it becomes long.
pub(crate) fn summary(decision: &Decision) -> String {
    const MOST_BYTES: usize = 2_048;
    let question = &decision.question;
    let mut text = format!("epoch={}", decision.epoch);
    for ranked in &decision.ranking {
        let Some(facts) = question.candidates.get(usize::from(ranked.candidate)) else {
            continue;
        };
        let (name, place, score) = (question.name(facts), ranked.place.name(), ranked.terms.score);
        let _ = write!(text, "; {name} place={place} score={score:.3}");
    }
    for facts in &question.candidates {
        if let Some(filter) = facts.filter {
            let _ = write!(text, "; {} filtered={}", question.name(facts), filter.name());
        }
    }
    let mut text: String = text
        .chars()
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .collect();
    text.truncate(MOST_BYTES);
    text
}

impl Line for DecisionRecord {
    fn write_line(&self, out: &mut Vec<u8>) {
        let start = out.len();
        if serde_json::to_writer(&mut *out, self).is_err() {
            // Nothing in it can fail to be written but a number that is none; half a line is worse than none.
            out.truncate(start);
            return;
        }
        out.push(b'\n');
    }
}

mod as_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use tollgate_core::RequestId;

    pub(super) fn serialize<S: Serializer>(id: &RequestId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<RequestId, D::Error> {
        let text = String::deserialize(from)?;
        RequestId::parse(&text).ok_or_else(|| D::Error::custom("not a request id"))
    }
}

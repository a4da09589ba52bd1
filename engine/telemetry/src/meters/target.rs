//! What is counted for a target as reached by a route: tokens, money, durations.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::{Counter, Histogram};
use tollgate_core::{Surface, Usage, UsageSource};

use super::family::{Family, Names};
use super::names::{self, Metric};
use super::registry::Registry;
use crate::RequestRecord;

/// Names under which one target may say it answered. Aliases resolve to dated versions, one or two at a time.
const MAX_RESPONSE_MODELS: usize = 8;

/// Keys by which the cost of one target is told apart.
const MAX_KEYS: usize = 256;

/// The classes of tokens, as labels, in the order of [`classes`].
const CLASSES: [&str; 8] = [
    "input",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "audio_input",
    "output",
    "reasoning",
    "audio_output",
];

/// The handles of one target as reached by one route, for one surface.
#[derive(Debug)]
pub struct TargetMeters {
    registry: Arc<Registry>,
    route: Box<str>,
    provider: Box<str>,
    model: Box<str>,
    operation: &'static str,
    tokens: [OnceLock<Counter>; 8],
    estimated: OnceLock<Counter>,
    unpriced: OnceLock<Counter>,
    first_token: OnceLock<Histogram>,
    per_token: OnceLock<Histogram>,
    durations: Family<Option<&'static str>, Histogram>,
    answers: Family<Box<str>, AnswerMeters>,
    response_models: Names,
    costs: Family<Box<str>, Counter>,
    keys: Names,
}

/// Tokens of the answers of one model, by its own name for itself.
#[derive(Debug)]
struct AnswerMeters {
    input: Histogram,
    output: Histogram,
}

impl TargetMeters {
    pub(super) fn new(
        registry: &Arc<Registry>,
        route: &str,
        provider: &str,
        model: &str,
        surface: Surface,
    ) -> Self {
        Self {
            registry: registry.clone(),
            route: route.into(),
            provider: provider.into(),
            model: model.into(),
            operation: surface.operation(),
            tokens: Default::default(),
            estimated: OnceLock::new(),
            unpriced: OnceLock::new(),
            first_token: OnceLock::new(),
            per_token: OnceLock::new(),
            durations: Family::default(),
            answers: Family::default(),
            response_models: Names::new(MAX_RESPONSE_MODELS),
            costs: Family::default(),
            keys: Names::new(MAX_KEYS),
        }
    }

    /// Counts a settled request that this target served.
    pub(super) fn record(&self, record: &RequestRecord) {
        let error = record.ending.error_type();
        let make = || {
            let labels = [
                self.operation,
                &self.provider,
                &self.model,
                error.unwrap_or_default(),
            ];
            self.registry.histogram(&names::OPERATION_DURATION, &labels)
        };
        let total = seconds(record.timings.total);
        self.durations.with(error, make, |it| it.record(total));
        if let Some(waited) = record.timings.first_token {
            self.gen_ai(&self.first_token, &names::TIME_TO_FIRST_TOKEN, waited);
        }
        let Some(usage) = &record.usage else { return };
        if let Some(pace) = record.timings.per_output_token(usage.output_total()) {
            self.gen_ai(&self.per_token, &names::TIME_PER_OUTPUT_TOKEN, pace);
        }
        self.count_tokens(record, usage);
        self.count_cost(record);
    }

    fn gen_ai(&self, histogram: &OnceLock<Histogram>, metric: &'static Metric, value: Duration) {
        let labels = [self.operation, &self.provider, &self.model];
        histogram
            .get_or_init(|| self.registry.histogram(metric, &labels))
            .record(seconds(value));
    }

    fn count_tokens(&self, record: &RequestRecord, usage: &Usage) {
        for ((counter, class), tokens) in self.tokens.iter().zip(CLASSES).zip(classes(usage)) {
            if tokens > 0 {
                let labels = [&*self.route, &self.provider, &self.model, class];
                let make = || self.registry.counter(&names::TOKENS_TOTAL, &labels);
                counter.get_or_init(make).increment(tokens);
            }
        }
        if usage.source == UsageSource::Estimated {
            self.once(&self.estimated, &names::USAGE_ESTIMATED);
        }
        let named = record
            .served
            .as_ref()
            .and_then(|served| served.response_model.as_deref());
        let name = self.response_models.admit(named.unwrap_or(&self.model));
        let count = |answer: &AnswerMeters| {
            answer.input.record(tokens_as_f64(usage.prompt_total()));
            answer.output.record(tokens_as_f64(usage.output_total()));
        };
        if self.answers.existing(name, count).is_none() {
            self.answers.with(name.into(), || self.answer(name), count);
        }
    }

    fn count_cost(&self, record: &RequestRecord) {
        let Some(cost) = record.cost else {
            self.once(&self.unpriced, &names::UNPRICED);
            return;
        };
        let key = record.key.as_deref().map_or("", |key| self.keys.admit(key));
        let count = |counter: &Counter| counter.increment(cost.0);
        if self.costs.existing(key, count).is_none() {
            let make = || {
                let labels = [key, &self.route, &self.provider, &self.model];
                self.registry.counter(&names::COST, &labels)
            };
            self.costs.with(key.into(), make, count);
        }
    }

    fn once(&self, counter: &OnceLock<Counter>, metric: &'static Metric) {
        let labels = [&*self.route, &self.provider, &self.model];
        counter
            .get_or_init(|| self.registry.counter(metric, &labels))
            .increment(1);
    }

    fn answer(&self, response_model: &str) -> AnswerMeters {
        let histogram = |token_type| {
            let labels = [
                self.operation,
                &self.provider,
                &self.model,
                response_model,
                token_type,
            ];
            self.registry.histogram(&names::TOKEN_USAGE, &labels)
        };
        AnswerMeters {
            input: histogram("input"),
            output: histogram("output"),
        }
    }
}

/// The counts of a [`Usage`], in the order of [`CLASSES`].
fn classes(usage: &Usage) -> [u64; 8] {
    [
        usage.input,
        usage.cache_read,
        usage.cache_write,
        usage.cache_write_1h,
        usage.audio_input,
        usage.output,
        usage.reasoning,
        usage.audio_output,
    ]
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "for a histogram's buckets")]
fn tokens_as_f64(tokens: u64) -> f64 {
    tokens as f64
}

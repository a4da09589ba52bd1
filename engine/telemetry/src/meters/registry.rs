//! The one place that makes a series: a metric of the table with values for its labels.

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::names::{ALL, Kind, Metric};

static METADATA: Metadata<'static> = Metadata::new("tollgate", Level::INFO, None);

/// A registry that knows the table.
#[derive(Debug)]
pub(super) struct Registry {
    recorder: PrometheusRecorder,
}

impl Registry {
    pub(super) fn new() -> Self {
        let mut builder = PrometheusBuilder::new();
        for metric in ALL {
            if let Kind::Histogram(bounds) = metric.kind {
                builder = with_bounds(builder, metric.name, bounds);
            }
        }
        let recorder = builder.build_recorder();
        for metric in ALL {
            let name = KeyName::from_const_str(metric.name);
            let help = SharedString::const_str(metric.help);
            match metric.kind {
                Kind::Counter => recorder.describe_counter(name, None, help),
                Kind::Gauge => recorder.describe_gauge(name, None, help),
                Kind::Histogram(_) => recorder.describe_histogram(name, None, help),
            }
        }
        Self { recorder }
    }

    pub(super) fn handle(&self) -> PrometheusHandle {
        self.recorder.handle()
    }

    pub(super) fn counter(&self, metric: &'static Metric, values: &[&str]) -> Counter {
        debug_assert!(matches!(metric.kind, Kind::Counter), "{}", metric.name);
        self.recorder.register_counter(&key(metric, values), &METADATA)
    }

    pub(super) fn gauge(&self, metric: &'static Metric, values: &[&str]) -> Gauge {
        debug_assert!(matches!(metric.kind, Kind::Gauge), "{}", metric.name);
        self.recorder.register_gauge(&key(metric, values), &METADATA)
    }

    pub(super) fn histogram(&self, metric: &'static Metric, values: &[&str]) -> Histogram {
        debug_assert!(matches!(metric.kind, Kind::Histogram(_)), "{}", metric.name);
        self.recorder.register_histogram(&key(metric, values), &METADATA)
    }
}

fn key(metric: &'static Metric, values: &[&str]) -> Key {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    let label = |(&name, &value): (&&'static str, &&str)| Label::new(name, value.to_owned());
    let labels: Vec<Label> = metric.labels.iter().zip(values).map(label).collect();
    Key::from_parts(metric.name, labels)
}

#[expect(
    clippy::expect_used,
    reason = "the only error is an empty list of bounds, and the table has none: tested"
)]
fn with_bounds(builder: PrometheusBuilder, name: &str, bounds: &[f64]) -> PrometheusBuilder {
    builder
        .set_buckets_for_metric(Matcher::Full(name.to_owned()), bounds)
        .expect("bounds in the table")
}

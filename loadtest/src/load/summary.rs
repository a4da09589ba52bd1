//! What a round came to, in numbers that people and programs read: the core of a report. Times are microseconds.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::figures::{Bucket, ErrorClass, Figures};
use super::number::{float, share};

/// Points of a curve over percentiles: so many per halving of what is left to 100 %.
const CURVE_TICKS: u32 = 4;

/// One contestant, one round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// How many requests, by what became of them.
    pub requests: Requests,
    /// Seconds that were measured: as many as the scenario has, or to the last answer of a run that ended before.
    pub seconds: f64,
    /// Good answers that were complete within these seconds, a second; whenever they were due.
    pub answered_per_second: f64,
    /// Requests without a good answer, of those sent: `0.0..=1.0`.
    pub error_share: f64,
    /// Answers by HTTP status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without a good answer, by cause.
    pub errors: BTreeMap<ErrorClass, u64>,
    /// From the moment a request was due to the end of its answer. Of good answers, and of requests that timed out; not of
    /// those that were to be given up.
    pub latency: Option<Quantiles>,
    /// From the actual sending to the end of the answer.
    pub service: Option<Quantiles>,
    /// From the moment a stream was due to its first event with content; to its end, where it timed out without any.
    pub first: Option<Quantiles>,
    /// Between two events with content of a stream; from the last one to the end, where it timed out.
    pub gap: Option<Quantiles>,
    /// Streams, and their events with content.
    pub streams: Streams,
    /// Bytes of request bodies.
    pub bytes_sent: u64,
    /// Bytes of answers' bodies.
    pub bytes_received: u64,
    /// Answers from a cache, of those that say. `None`: none says.
    pub cache_hit_share: Option<f64>,
    /// The course of it.
    pub over_time: Vec<Point>,
    /// What sending cost, and how late it was.
    pub generator: Generator,
    /// CPU and memory of the server, where its process is known.
    pub server: Option<ServerUse>,
}

/// Requests by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Requests {
    /// Sent and counted: the next three together.
    pub sent: u64,
    /// With a good answer, complete.
    pub answered: u64,
    /// Given up on purpose.
    pub cancelled: u64,
    /// Without a good answer.
    pub failed: u64,
    /// Due, but not sent: too many were under way, or the generator could not keep up.
    pub not_sent: u64,
    /// Sent while warming up, and not counted.
    pub warm_up: u64,
    /// The most that were under way at once, the warm-up included.
    pub most_under_way: u64,
}

/// Streams and their events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Streams {
    /// How many were asked for.
    pub asked: u64,
    /// Events with content that came.
    pub chunks: u64,
    /// Events with content that should have come, where the scenario says how many; not of streams that were given up.
    #[serde(default)]
    pub chunks_expected: u64,
    /// Those of them that did not. A stream that failed before its first has lost all.
    pub chunks_lost: u64,
}

/// A distribution of times, in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quantiles {
    /// How many were measured.
    pub count: u64,
    /// The mean.
    pub mean: f64,
    /// The shortest.
    pub min: f64,
    /// Half are shorter.
    pub p50: f64,
    /// Nine of ten are shorter.
    pub p90: f64,
    /// 95 of 100 are shorter.
    pub p95: f64,
    /// 99 of 100 are shorter.
    pub p99: f64,
    /// 999 of 1000 are shorter.
    pub p999: f64,
    /// The longest.
    pub max: f64,
    /// Pairs of a percentile (0 to 100) and the time below which it lies.
    pub curve: Vec<(f64, f64)>,
}

/// A stretch of the run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// Its start, in seconds since the end of the warm-up.
    pub at: f64,
    /// Requests due, a second.
    pub due_per_second: f64,
    /// Good answers, a second.
    pub answered_per_second: f64,
    /// Failures, a second.
    pub failed_per_second: f64,
    /// Median latency of the requests due in it; `None`: there are none.
    pub p50: Option<f64>,
    /// The 99th percentile of that.
    pub p99: Option<f64>,
}

/// What sending cost, and how late it was: whether the generator was the bottleneck.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Generator {
    /// Threads that sent.
    pub threads: usize,
    /// From the moment a request was due to its sending. Of a closed loop, from the end of the answer before.
    pub lag: Option<Quantiles>,
    /// CPU time of these threads a request. `None`: not to be read on this system.
    pub cpu_us_per_request: Option<f64>,
    /// The share of their time that these threads were busy, `0.0..=1.0`.
    pub busy: Option<f64>,
    /// What they could send a second if they were busy all the time.
    pub ceiling_per_second: Option<f64>,
}

/// CPU and memory of a process and its children.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerUse {
    /// CPU time a request.
    pub cpu_us_per_request: f64,
    /// CPU time an event with content. `None`: there were none, or not all requests were streams.
    pub cpu_us_per_chunk: Option<f64>,
    /// Resident memory before the first connection of the round, in MiB.
    pub rss_idle_mib: f64,
    /// Resident memory at the start of what is measured, in MiB.
    pub rss_start_mib: f64,
    /// At its end.
    pub rss_end_mib: f64,
    /// The most.
    pub rss_max_mib: f64,
    /// What memory grew by, by the most requests under way at once, in KiB: what one costs, connections and buffers
    /// included. `None`: too few for that.
    pub rss_kib_per_request: Option<f64>,
    /// The course of it.
    pub samples: Vec<ServerPoint>,
}

/// CPU and memory at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerPoint {
    /// Seconds since the end of the warm-up.
    pub at: f64,
    /// Cores in use since the sample before.
    pub cores: f64,
    /// Resident memory in MiB.
    pub rss_mib: f64,
}

/// Figures as a summary. `elapsed`: how long was measured. What the generator and the
/// server used is added by whoever measured it.
pub(crate) fn summarise(figures: &Figures, elapsed: Duration, threads: usize) -> Summary {
    let seconds = elapsed.as_secs_f64();
    let sent = figures.sent();
    let told = figures.cache_hits + figures.cache_misses;
    let width = figures.bucket_width();
    Summary {
        requests: Requests {
            sent,
            answered: figures.answered,
            cancelled: figures.cancelled,
            failed: figures.failed(),
            not_sent: figures.not_sent,
            warm_up: figures.warm_up,
            most_under_way: 0,
        },
        seconds,
        answered_per_second: if seconds > 0.0 {
            float(figures.completed) / seconds
        } else {
            0.0
        },
        error_share: share(figures.failed(), sent),
        statuses: figures.statuses.clone(),
        errors: figures.errors.clone(),
        latency: quantiles(&figures.latency),
        service: quantiles(&figures.service),
        first: quantiles(&figures.first),
        gap: quantiles(&figures.gap),
        streams: Streams {
            asked: figures.streams,
            chunks: figures.chunks,
            chunks_expected: figures.chunks_expected,
            chunks_lost: figures.chunks_lost,
        },
        bytes_sent: figures.bytes_sent,
        bytes_received: figures.bytes_received,
        cache_hit_share: (told > 0).then(|| share(figures.cache_hits, told)),
        over_time: (0_u32..)
            .zip(&figures.buckets)
            .map(|(number, it)| point(width * number, width, it))
            .collect(),
        generator: Generator {
            threads,
            lag: quantiles(&figures.lag),
            cpu_us_per_request: None,
            busy: None,
            ceiling_per_second: None,
        },
        server: None,
    }
}

fn point(at: Duration, width: Duration, bucket: &Bucket) -> Point {
    let per_second = |count: u64| float(count) / width.as_secs_f64();
    let quantile =
        |at: f64| (!bucket.latency.is_empty()).then(|| micros(bucket.latency.value_at_quantile(at)));
    Point {
        at: at.as_secs_f64(),
        due_per_second: per_second(bucket.due),
        answered_per_second: per_second(bucket.answered),
        failed_per_second: per_second(bucket.failed),
        p50: quantile(0.5),
        p99: quantile(0.99),
    }
}

fn micros(nanos: u64) -> f64 {
    float(nanos) / 1000.0
}

/// `None`: nothing was measured.
fn quantiles(of: &Histogram<u64>) -> Option<Quantiles> {
    if of.is_empty() {
        return None;
    }
    let at = |quantile: f64| micros(of.value_at_quantile(quantile));
    let curve = of.iter_quantiles(CURVE_TICKS);
    Some(Quantiles {
        count: of.len(),
        mean: of.mean() / 1000.0,
        min: micros(of.min()),
        p50: at(0.5),
        p90: at(0.9),
        p95: at(0.95),
        p99: at(0.99),
        p999: at(0.999),
        max: micros(of.max()),
        curve: curve
            .map(|it| (it.quantile_iterated_to() * 100.0, micros(it.value_iterated_to())))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::figures::{Ending, Sample, Window};

    fn figures() -> Figures {
        let mut figures = Figures::new(Window {
            warm_up: Duration::from_secs(1),
            measured: Duration::from_secs(10),
        });
        for number in 0..1000_u64 {
            let due = Duration::from_secs(1) + Duration::from_millis(number * 10);
            let failed = number % 10 == 0;
            figures.record(&Sample {
                due,
                sent: due,
                first: None,
                ended: due + Duration::from_micros(100 + number),
                streamed: false,
                status: Some(if failed { 500 } else { 200 }),
                ending: if failed {
                    Ending::Failed(ErrorClass::Status)
                } else {
                    Ending::Answered
                },
                cancel: None,
                chunks: 0,
                chunks_expected: 0,
                chunks_lost: 0,
                bytes_sent: 1,
                bytes_received: 1,
                from_cache: (number < 100).then_some(number < 25),
            });
        }
        figures
    }

    #[test]
    fn a_summary_adds_up() {
        let summary = summarise(&figures(), Duration::from_secs(10), 2);
        assert_eq!((summary.requests.sent, summary.requests.failed), (1000, 100));
        assert!((summary.answered_per_second - 90.0).abs() < 1e-9);
        assert!((summary.error_share - 0.1).abs() < 1e-9);
        assert_eq!(summary.cache_hit_share, Some(0.25));
        let latency = summary.latency.unwrap();
        assert!(latency.p50 <= latency.p90 && latency.p999 <= latency.max);
        assert!((latency.p50 / 600.0 - 1.0).abs() < 0.02, "{}", latency.p50);
        assert!(
            latency
                .curve
                .windows(2)
                .all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1)
        );
        let answered: f64 = summary
            .over_time
            .iter()
            .map(|it| it.answered_per_second * 0.25)
            .sum();
        assert!((answered - 900.0).abs() < 1e-6, "{answered}");
        assert_eq!(summary.first, None, "there were no streams");
    }

    #[test]
    fn a_run_without_requests_is_a_summary_without_quantiles() {
        let empty = Figures::new(Window {
            warm_up: Duration::ZERO,
            measured: Duration::from_secs(1),
        });
        let summary = summarise(&empty, Duration::ZERO, 1);
        assert_eq!((summary.latency, summary.error_share.to_bits()), (None, 0));
        assert_eq!(summary.answered_per_second.to_bits(), 0);
    }
}

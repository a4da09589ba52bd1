//! What a run measured. Latency counts from the moment a request was *due*, not from when it could be sent: a server
//! that stalls delays all that would have come in meanwhile, and each of them is charged for it. Service time counts
//! from the actual sending, beside it, for comparison.
//!
//! Each worker has figures of its own; they are merged at the end. Times are nanoseconds in histograms with three
//! significant digits, from a microsecond to an hour.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::number::{count, index, nanos};
use super::scenario::CancelWhen;

const SHORTEST_NS: u64 = 1_000;
const LONGEST_NS: u64 = 3_600_000_000_000;
const DIGITS: u8 = 3;
/// For the many small histograms over time, a coarser one does.
const COARSE_DIGITS: u8 = 2;
/// Points of the plots over time.
const MOST_BUCKETS: u32 = 120;

/// Why a request has no good answer.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// No connection.
    Connect,
    /// The connection broke before the head of an answer.
    NoAnswer,
    /// A status that is not 2xx.
    Status,
    /// The body broke off.
    CutShort,
    /// A stream that came to its end without saying that it is complete.
    Unfinished,
    /// A stream that told of an error.
    ErrorEvent,
    /// No end within the time allowed.
    Timeout,
}

impl ErrorClass {
    /// What it is, for people.
    pub(crate) const fn noun(self) -> &'static str {
        match self {
            Self::Connect => "no connection",
            Self::NoAnswer => "no answer",
            Self::Status => "a status that is not 2xx",
            Self::CutShort => "an answer cut short",
            Self::Unfinished => "a stream without its end",
            Self::ErrorEvent => "an error within a stream",
            Self::Timeout => "a timeout",
        }
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A good answer, complete.
    Answered,
    /// Given up on purpose, as the scenario asks.
    Cancelled,
    /// No good answer.
    Failed(ErrorClass),
}

/// One request and what became of it. Times are since the start of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// When it should have been sent.
    pub due: Duration,
    /// When it was sent.
    pub sent: Duration,
    /// First byte of the body; of a stream: first event with content. `None`: it did not come so far.
    pub first: Option<Duration>,
    /// The end of the answer, or of the attempt.
    pub ended: Duration,
    /// Whether a stream was asked for.
    pub streamed: bool,
    /// `None`: no head of an answer came.
    pub status: Option<u16>,
    /// How it ended.
    pub ending: Ending,
    /// When it was to be given up. `None`: not on purpose.
    pub cancel: Option<CancelWhen>,
    /// Events with content.
    pub chunks: u64,
    /// Events with content that should have come, where that is known; 0 of a stream that was given up on purpose.
    pub chunks_expected: u64,
    /// Those of them that did not.
    pub chunks_lost: u64,
    /// Bytes of the request's body.
    pub bytes_sent: u64,
    /// Bytes of the answer's body.
    pub bytes_received: u64,
    /// Whether the answer says that it is from a cache; `None`: it does not say.
    pub from_cache: Option<bool>,
}

impl Sample {
    /// Whether it was to be given up at a moment, whatever had come until then: what is seen of it favours the fast.
    pub(crate) const fn shows_only_if_fast(&self) -> bool {
        matches!(self.cancel, Some(CancelWhen::After(_)))
    }
}

/// The window that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// What is due before is sent but not counted.
    pub warm_up: Duration,
    /// How long is counted after that.
    pub measured: Duration,
}

impl Window {
    /// Whether a request due then counts.
    pub fn counts(&self, due: Duration) -> bool {
        due >= self.warm_up && due < self.end()
    }

    /// When nothing is sent any more.
    pub fn end(&self) -> Duration {
        self.warm_up + self.measured
    }

    /// The width of the points of plots over time: at least a quarter of a second.
    fn bucket(&self) -> Duration {
        (self.measured / MOST_BUCKETS).max(Duration::from_millis(250))
    }
}

/// A stretch of the run.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    /// Requests due in it.
    pub(crate) due: u64,
    /// Good answers that were complete in it.
    pub(crate) answered: u64,
    /// Failures that became apparent in it.
    pub(crate) failed: u64,
    /// Latency of the requests due in it.
    pub(crate) latency: Histogram<u64>,
}

/// All that was measured.
#[derive(Debug, Clone)]
pub struct Figures {
    window: Window,
    /// From the due time to the end, of good answers and of those that timed out (which are at least so slow), except those
    /// that were to be given up.
    pub(crate) latency: Histogram<u64>,
    /// From the sending to the end, of the same.
    pub(crate) service: Histogram<u64>,
    /// From the due time to the first content, of streams; to the end, of those that timed out without any.
    pub(crate) first: Histogram<u64>,
    /// Between two events of a stream that carry content; from the last one to the end, of those that timed out.
    pub(crate) gap: Histogram<u64>,
    /// From the due time to the sending: how late the generator was.
    pub(crate) lag: Histogram<u64>,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) errors: BTreeMap<ErrorClass, u64>,
    pub(crate) answered: u64,
    /// Good answers that were complete within the window, whenever they were due: throughput.
    pub(crate) completed: u64,
    pub(crate) cancelled: u64,
    /// Due, but not sent: too many were under way, or it was too late.
    pub(crate) not_sent: u64,
    /// Sent while warming up.
    pub(crate) warm_up: u64,
    pub(crate) streams: u64,
    pub(crate) chunks: u64,
    pub(crate) chunks_expected: u64,
    pub(crate) chunks_lost: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    /// Answers from a cache, and answers that say they are not.
    pub(crate) cache_hits: u64,
    pub(crate) cache_misses: u64,
    /// The last end of a request that counts.
    pub(crate) last_end: Duration,
    pub(crate) buckets: Vec<Bucket>,
}

fn histogram(digits: u8) -> Histogram<u64> {
    // The bounds are constants that fit; without them the histogram would grow by itself.
    Histogram::new_with_bounds(SHORTEST_NS, LONGEST_NS, digits).unwrap_or_else(|_| auto())
}

#[expect(clippy::expect_used, reason = "three significant digits are always allowed")]
fn auto() -> Histogram<u64> {
    Histogram::new(DIGITS).expect("three significant digits are allowed")
}

impl Figures {
    /// Nothing measured yet.
    pub fn new(window: Window) -> Self {
        let fine = || histogram(DIGITS);
        Self {
            window,
            latency: fine(),
            service: fine(),
            first: fine(),
            gap: fine(),
            lag: fine(),
            statuses: BTreeMap::new(),
            errors: BTreeMap::new(),
            answered: 0,
            completed: 0,
            cancelled: 0,
            not_sent: 0,
            warm_up: 0,
            streams: 0,
            chunks: 0,
            chunks_expected: 0,
            chunks_lost: 0,
            bytes_sent: 0,
            bytes_received: 0,
            cache_hits: 0,
            cache_misses: 0,
            last_end: Duration::ZERO,
            buckets: Vec::new(),
        }
    }

    /// The window that these count in.
    pub const fn window(&self) -> Window {
        self.window
    }

    /// Writes down what became of a request.
    pub fn record(&mut self, sample: &Sample) {
        let is_good = sample.ending == Ending::Answered;
        self.completed += u64::from(is_good && self.window.counts(sample.ended));
        if !self.window.counts(sample.due) {
            self.warm_up += 1;
            return;
        }
        let since_due = |moment: Duration| nanos(moment.saturating_sub(sample.due));
        self.lag.saturating_record(since_due(sample.sent));
        self.last_end = self.last_end.max(sample.ended);
        self.bytes_sent += sample.bytes_sent;
        self.bytes_received += sample.bytes_received;
        self.streams += u64::from(sample.streamed);
        self.chunks += sample.chunks;
        self.chunks_expected += sample.chunks_expected;
        self.chunks_lost += sample.chunks_lost;
        if let Some(status) = sample.status {
            *self.statuses.entry(status).or_default() += 1;
        }
        match sample.from_cache {
            Some(true) => self.cache_hits += 1,
            Some(false) => self.cache_misses += 1,
            None => {}
        }
        let is_timeout = sample.ending == Ending::Failed(ErrorClass::Timeout);
        // The first content of a stream that timed out without any took at least so long.
        if let Some(first) = sample.first.or_else(|| is_timeout.then_some(sample.ended))
            && sample.streamed
            && !sample.shows_only_if_fast()
        {
            self.first.saturating_record(since_due(first));
        }
        match sample.ending {
            Ending::Answered => self.answered += 1,
            Ending::Cancelled => self.cancelled += 1,
            Ending::Failed(class) => *self.errors.entry(class).or_default() += 1,
        }
        // Of those that are to be given up, only the fast come to an end.
        let is_timed = (is_timeout || is_good) && sample.cancel.is_none();
        if is_timed {
            self.latency.saturating_record(since_due(sample.ended));
            self.service
                .saturating_record(nanos(sample.ended.saturating_sub(sample.sent)));
        }
        if let Some(bucket) = self.bucket(sample.due) {
            bucket.due += 1;
            if is_timed {
                bucket.latency.saturating_record(since_due(sample.ended));
            }
        }
        if let Some(bucket) = self.bucket(sample.ended) {
            bucket.answered += u64::from(is_good);
            bucket.failed += u64::from(matches!(sample.ending, Ending::Failed(_)));
        }
    }

    /// Writes down the time between two chunks of a stream that was due then.
    pub fn record_gap(&mut self, due: Duration, gap: Duration) {
        if self.window.counts(due) {
            self.gap.saturating_record(nanos(gap));
        }
    }

    /// Writes down that a request was due and could not be sent.
    pub fn record_not_sent(&mut self, due: Duration) {
        if self.window.counts(due) {
            self.not_sent += 1;
            if let Some(bucket) = self.bucket(due) {
                bucket.due += 1;
            }
        }
    }

    /// Adds what another worker measured in the same window.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.latency, &other.latency),
            (&mut self.service, &other.service),
            (&mut self.first, &other.first),
            (&mut self.gap, &other.gap),
            (&mut self.lag, &other.lag),
        ] {
            add(mine, theirs);
        }
        for (status, times) in &other.statuses {
            *self.statuses.entry(*status).or_default() += times;
        }
        for (class, times) in &other.errors {
            *self.errors.entry(*class).or_default() += times;
        }
        for (mine, theirs) in [
            (&mut self.answered, other.answered),
            (&mut self.completed, other.completed),
            (&mut self.cancelled, other.cancelled),
            (&mut self.not_sent, other.not_sent),
            (&mut self.warm_up, other.warm_up),
            (&mut self.streams, other.streams),
            (&mut self.chunks, other.chunks),
            (&mut self.chunks_expected, other.chunks_expected),
            (&mut self.chunks_lost, other.chunks_lost),
            (&mut self.bytes_sent, other.bytes_sent),
            (&mut self.bytes_received, other.bytes_received),
            (&mut self.cache_hits, other.cache_hits),
            (&mut self.cache_misses, other.cache_misses),
        ] {
            *mine += theirs;
        }
        self.last_end = self.last_end.max(other.last_end);
        self.reach(other.buckets.len());
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            mine.due += theirs.due;
            mine.answered += theirs.answered;
            mine.failed += theirs.failed;
            add(&mut mine.latency, &theirs.latency);
        }
    }

    /// Requests that were sent and count.
    pub fn sent(&self) -> u64 {
        self.answered + self.cancelled + self.failed()
    }

    /// Requests without a good answer.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// The width of the stretches in the plots over time.
    pub(crate) fn bucket_width(&self) -> Duration {
        self.window.bucket()
    }

    /// The stretch that `moment` lies in. `None`: long after the end, where nothing is drawn any more.
    fn bucket(&mut self, moment: Duration) -> Option<&mut Bucket> {
        let since = moment.checked_sub(self.window.warm_up)?;
        let place = index(nanos(since) / nanos(self.window.bucket()).max(1));
        let most = count(usize::try_from(MOST_BUCKETS).unwrap_or(0) * 2);
        if count(place) >= most {
            return None;
        }
        self.reach(place + 1);
        self.buckets.get_mut(place)
    }

    fn reach(&mut self, buckets: usize) {
        while self.buckets.len() < buckets {
            self.buckets.push(Bucket {
                due: 0,
                answered: 0,
                failed: 0,
                latency: histogram(COARSE_DIGITS),
            });
        }
    }
}

/// All histograms have the same bounds: there is always room.
fn add(mine: &mut Histogram<u64>, theirs: &Histogram<u64>) {
    let added = mine.add(theirs);
    debug_assert!(added.is_ok(), "histograms of the same bounds add up");
}

#[cfg(test)]
mod tests;

//! Looks at a round from outside while it runs: what the server's process uses, and how many requests are under way, for
//! whoever watches.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use tollgate_core::Clock;

use super::caller::{Live, Witness};
use super::figures::Window;
use super::number::float;
use super::proc::{self, Usage};
use super::summary::{ServerPoint, ServerUse, Summary};

/// How often the server's process is looked at, and the watcher told.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The end is noticed within this time, also of short runs.
const END_IS_NOTICED: Duration = Duration::from_millis(10);
/// With fewer requests under way than this, memory of one is lost among all else.
const FEWEST_UNDER_WAY: u64 = 100;

/// How a round goes, for whoever watches.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Since the start, warm-up included.
    pub elapsed: Duration,
    /// How long it takes when nothing is late.
    pub planned: Duration,
    /// Requests sent so far.
    pub sent: u64,
    /// Good answers so far.
    pub answered: u64,
    /// Failures so far.
    pub failed: u64,
    /// Requests whose answers are not complete yet.
    pub under_way: u64,
}

/// Whoever watches a run.
pub struct Watcher<'a> {
    /// Told four times a second.
    pub progress: &'a mut dyn FnMut(Progress),
    /// Ends the run early once it is true: no more requests are sent, and what has no answer soon is given up and
    /// not counted.
    pub stop: Arc<AtomicBool>,
    /// Once it is true no more requests are sent; the answers of all that were are waited for.
    pub enough: Arc<AtomicBool>,
    /// Told of each request, also of those of the warm-up.
    pub witness: Option<Witness>,
}

/// What is watched.
pub(super) struct Watch<'a> {
    pub(super) live: &'a Live,
    pub(super) window: Window,
    /// `None`: the server's process is not known.
    pub(super) pid: Option<u32>,
    /// The start of the run.
    pub(super) origin: Instant,
    pub(super) is_over: &'a dyn Fn() -> bool,
}

/// What was seen of the server.
pub(super) struct Seen {
    first: Usage,
    last: Usage,
    /// When that was, since the start.
    looked: Duration,
    rss_max_mib: f64,
    samples: Vec<ServerPoint>,
}

impl Seen {
    const fn new(now: Duration, usage: Usage) -> Self {
        Self {
            first: usage,
            last: usage,
            looked: now,
            rss_max_mib: usage.rss_mib,
            samples: Vec::new(),
        }
    }

    fn take(&mut self, now: Duration, warm_up: Duration, usage: Usage) {
        let span = now.saturating_sub(self.looked);
        // The last look may follow the one before at once: of so short a time there is no share.
        if span >= LOOK_EVERY / 2 {
            let cpu = usage.cpu.saturating_sub(self.last.cpu).as_secs_f64();
            self.samples.push(ServerPoint {
                at: now.saturating_sub(warm_up).as_secs_f64(),
                cores: cpu / span.as_secs_f64(),
                rss_mib: usage.rss_mib,
            });
        }
        self.rss_max_mib = self.rss_max_mib.max(usage.rss_mib);
        self.last = usage;
        self.looked = now;
    }

    /// Over what was measured. `idle`: before the first connection of the round.
    pub(super) fn used(self, summary: &Summary, idle: Usage) -> ServerUse {
        let cpu_us = self.last.cpu.saturating_sub(self.first.cpu).as_secs_f64() * 1e6;
        let (sent, chunks) = (summary.requests.sent, summary.streams.chunks);
        let under_way = summary.requests.most_under_way;
        let grown_kib = (self.rss_max_mib - idle.rss_mib).max(0.0) * 1024.0;
        ServerUse {
            cpu_us_per_request: if sent > 0 { cpu_us / float(sent) } else { 0.0 },
            cpu_us_per_chunk: (chunks > 0 && summary.streams.asked == sent).then(|| cpu_us / float(chunks)),
            rss_idle_mib: idle.rss_mib,
            rss_start_mib: self.first.rss_mib,
            rss_end_mib: self.last.rss_mib,
            rss_max_mib: self.rss_max_mib,
            rss_kib_per_request: (under_way >= FEWEST_UNDER_WAY).then(|| grown_kib / float(under_way)),
            samples: self.samples,
        }
    }
}

/// Watches until the round is over. `None`: the server's process is not known, or the window was never reached.
pub(super) fn watch(round: &Watch<'_>, watcher: &mut Watcher<'_>) -> Option<Seen> {
    let Window { warm_up, measured } = round.window;
    let mut seen: Option<Seen> = None;
    let mut next = warm_up.min(LOOK_EVERY);
    loop {
        let over = (round.is_over)();
        let now = Clock.now().saturating_duration_since(round.origin);
        if now < next && !over {
            thread::sleep(next.saturating_sub(now).min(END_IS_NOTICED));
            continue;
        }
        next = now + LOOK_EVERY;
        if now < warm_up {
            next = next.min(warm_up);
        } else if let Some(usage) = round.pid.and_then(proc::usage) {
            match &mut seen {
                None => seen = Some(Seen::new(now, usage)),
                Some(seen) => seen.take(now, warm_up, usage),
            }
        }
        let (sent, answered, failed) = round.live.read();
        (watcher.progress)(Progress {
            elapsed: now,
            planned: warm_up + measured,
            sent,
            answered,
            failed,
            under_way: round.live.under_way(),
        });
        if over {
            return seen;
        }
    }
}

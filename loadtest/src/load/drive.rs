//! Runs a scenario against a server: threads that send, each with a runtime and connections of its own, and a watcher
//! that reads the server's CPU time and memory.
//!
//! An open loop never waits for answers: each request is sent when it is due, on a connection that is free or a new
//! one. What is due while too many are under way is counted as not sent, and so is what a generator that cannot keep up
//! has not sent soon after the end. Requests are dealt to the threads in turns, so that the schedule is the same however
//! many there are.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tollgate_core::Clock;

use super::alarm::Alarm;
use super::caller::{Caller, Live, Witness};
use super::figures::{Ending, ErrorClass, Figures, Window};
use super::lanes::{Endpoint, Lanes, Spread};
use super::mix::Mix;
use super::number::{count, float, nanos, share};
use super::proc;
use super::scenario::{Scenario, Secret};
use super::summary::{Generator, Summary, summarise};
use super::watch::{Watch, Watcher, watch};

/// After so many requests that were due at once, answers are looked at again.
const AT_ONCE: u64 = 32;
/// How long a closed loop waits after a connection that could not be opened.
const BREATHER: Duration = Duration::from_millis(20);
/// How often a worker that has nothing to do looks whether it is told to stop.
const LISTEN_EVERY: Duration = Duration::from_millis(50);
/// How long answers are waited for in a run that is stopped.
const GRACE: Duration = Duration::from_secs(1);
/// So long after its end, or the scenario's limit of lag where that is more, nothing is sent any more that was due before.
const CATCH_UP: Duration = Duration::from_secs(1);

/// A server to load.
#[derive(Debug, Clone, Default)]
pub struct Contestant {
    /// What reports call it.
    pub name: String,
    /// `http://host:port`, up to and without `/v1`.
    pub url: String,
    /// Its process, where it runs on this machine. `None`: its CPU time and memory are not read.
    pub pid: Option<u32>,
    /// The key it is sent. `None`: the scenario's.
    pub key: Option<Secret>,
    /// The model it is asked for. `None`: the scenario's.
    pub model: Option<String>,
}

impl Contestant {
    /// The scenario as it is run against this one.
    fn own(&self, scenario: &Scenario) -> Scenario {
        let mut own = scenario.clone();
        if let Some(key) = &self.key {
            own.keys = vec![(key.clone(), 1.0)];
        }
        if let Some(model) = &self.model {
            let kinds = own.requests.iter_mut();
            kinds.for_each(|(kind, _)| kind.model.clone_from(model));
        }
        own
    }
}

/// What a worker measured.
struct Worked {
    figures: Figures,
    /// CPU time of its thread within the window. `None`: not to be read.
    cpu: Option<Duration>,
    /// When its last answer was in, since the start.
    ended: Duration,
    /// Why it sent no more.
    last: Last,
}

/// Why a worker sends no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// The time to measure is over.
    Time,
    /// All requests are sent that there are, or the run was told to end.
    Request,
}

/// What all workers share.
struct Shared {
    scenario: Scenario,
    mix: Arc<Mix>,
    endpoint: Endpoint,
    live: Arc<Live>,
    workers: usize,
    /// All connections are open.
    ready: Barrier,
    origin: OnceLock<Instant>,
    /// Written by all workers: the number of the next request of a closed loop.
    next: AtomicU64,
    /// Written by the watcher, and by a worker that cannot start.
    stop: Arc<AtomicBool>,
    /// Written by whoever watches.
    enough: Arc<AtomicBool>,
    witness: Option<Witness>,
}

/// Whether a server is there at all: looks its host up and opens a connection.
///
/// # Errors
/// Why it cannot be reached.
pub(super) fn reach(scenario: &Scenario, contestant: &Contestant) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let endpoint = runtime.block_on(Endpoint::find(&contestant.url, scenario.protocol))?;
    opened(&runtime, &Lanes::new(endpoint), 1, scenario.timeout)
}

/// One round of a scenario against a server. Blocks until it is over; not to be called within a runtime.
///
/// # Errors
/// The server cannot be reached at all, or the system has no more threads or files.
pub fn run(
    scenario: &Scenario,
    contestant: &Contestant,
    novelty: u64,
    watcher: &mut Watcher<'_>,
) -> anyhow::Result<Summary> {
    let endpoint = runtime()?.block_on(Endpoint::find(&contestant.url, scenario.protocol))?;
    run_on(endpoint, scenario, contestant, novelty, watcher)
}

/// The same against several servers that stand for the contestant's: connections are spread among them.
///
/// # Errors
/// As of [`run`].
pub fn run_spread(
    scenario: &Scenario,
    contestant: &Contestant,
    spread: &Spread,
    novelty: u64,
    watcher: &mut Watcher<'_>,
) -> anyhow::Result<Summary> {
    let endpoint = runtime()?.block_on(Endpoint::find(&contestant.url, scenario.protocol))?;
    run_on(
        endpoint.on(spread.clone()),
        scenario,
        contestant,
        novelty,
        watcher,
    )
}

fn run_on(
    endpoint: Endpoint,
    scenario: &Scenario,
    contestant: &Contestant,
    novelty: u64,
    watcher: &mut Watcher<'_>,
) -> anyhow::Result<Summary> {
    let scenario = &contestant.own(scenario);
    let workers = scenario.threads.clamp(1, scenario.connections.max(1));
    let shared = Arc::new(Shared {
        mix: Arc::new(Mix::new(scenario, novelty)),
        scenario: scenario.clone(),
        endpoint,
        live: Arc::default(),
        workers,
        ready: Barrier::new(workers + 1),
        origin: OnceLock::new(),
        next: AtomicU64::new(0),
        stop: Arc::clone(&watcher.stop),
        enough: Arc::clone(&watcher.enough),
        witness: watcher.witness.clone(),
    });
    let idle = contestant.pid.and_then(proc::usage);
    let mut threads = Vec::new();
    for number in 0..workers {
        let shared = Arc::clone(&shared);
        let named = thread::Builder::new().name(format!("load-{number}"));
        // A thread that cannot be started would leave the others waiting at the barrier: there is no way on.
        threads.push(
            named
                .spawn(move || work(&shared, number))
                .context("no more threads")?,
        );
    }
    shared.ready.wait();
    let origin = shared.origin();
    let seen = watch(
        &Watch {
            live: &shared.live,
            window: scenario.window,
            pid: contestant.pid,
            origin,
            is_over: &|| threads.iter().all(thread::JoinHandle::is_finished),
        },
        watcher,
    );
    let mut all = Figures::new(scenario.window);
    let (mut cpu, mut ended) = (Some(Duration::ZERO), Duration::ZERO);
    let mut last = Last::Request;
    for thread in threads {
        let worked = thread
            .join()
            .map_err(|_panic| anyhow::anyhow!("a thread that sends has died"))??;
        all.merge(&worked.figures);
        cpu = cpu.zip(worked.cpu).map(|(sum, more)| sum + more);
        ended = ended.max(worked.ended);
        if worked.last == Last::Time {
            last = Last::Time;
        }
    }
    let Window { warm_up, measured } = scenario.window;
    let worked = ended.saturating_sub(warm_up);
    let elapsed = match last {
        Last::Time => measured,
        Last::Request => worked.min(measured),
    };
    let mut summary = summarise(&all, elapsed, workers);
    summary.requests.most_under_way = shared.live.most_under_way();
    add_cpu(&mut summary.generator, cpu, worked, all.sent());
    summary.server = seen.zip(idle).map(|(seen, idle)| seen.used(&summary, idle));
    Ok(summary)
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn add_cpu(generator: &mut Generator, cpu: Option<Duration>, elapsed: Duration, sent: u64) {
    let Some(cpu) = cpu.filter(|cpu| !cpu.is_zero() && sent > 0) else {
        return;
    };
    let threads = float(count(generator.threads));
    let per_request = cpu.as_secs_f64() / float(sent);
    generator.cpu_us_per_request = Some(per_request * 1e6);
    generator.busy = Some((share(nanos(cpu), nanos(elapsed)) / threads).min(1.0));
    generator.ceiling_per_second = Some(threads / per_request);
}

impl Shared {
    /// The start of the run: the first who asks after all are ready decides.
    fn origin(&self) -> Instant {
        *self.origin.get_or_init(|| Clock.now())
    }

    /// The part of worker `number` of `total` things: as even as can be, at least one.
    fn part(&self, total: usize, number: usize) -> usize {
        let extra = usize::from(number < total % self.workers);
        (total / self.workers + extra).max(1)
    }

    fn is_told_to_end(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.enough.load(Ordering::Relaxed)
    }

    /// Why request `number`, which is due then, is not sent. `None`: it is.
    fn last(&self, number: u64, due: Duration) -> Option<Last> {
        if number >= self.scenario.requests_at_most || self.is_told_to_end() {
            return Some(Last::Request);
        }
        (due >= self.scenario.window.end()).then_some(Last::Time)
    }
}

fn work(shared: &Arc<Shared>, number: usize) -> anyhow::Result<Worked> {
    let prepared = prepare(shared, number);
    // Also when it failed: the others wait here.
    shared.ready.wait();
    let (runtime, caller) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            shared.stop.store(true, Ordering::Relaxed);
            return Err(error);
        }
    };
    runtime.block_on(async {
        let caller = Arc::new(caller.started(shared.origin()));
        let warm = tokio::spawn(cpu_at(shared.origin() + shared.scenario.window.warm_up));
        let last = if shared.scenario.arrival.is_closed() {
            closed(shared, &caller, number).await
        } else {
            open(shared, &caller, number).await?
        };
        let ended = caller.now();
        let before = if warm.is_finished() {
            warm.await.ok().flatten()
        } else {
            None
        };
        let cpu = proc::thread_cpu()
            .zip(before)
            .map(|(now, before)| now.saturating_sub(before));
        Ok(Worked {
            figures: caller.figures(),
            cpu,
            ended,
            last,
        })
    })
}

fn prepare(shared: &Shared, number: usize) -> anyhow::Result<(Runtime, Caller)> {
    let runtime = runtime()?;
    let (scenario, endpoint) = (&shared.scenario, &shared.endpoint);
    let caller = Caller::new(
        scenario,
        Arc::clone(&shared.mix),
        endpoint,
        Arc::clone(&shared.live),
        shared.witness.clone(),
        Clock.now(),
    )?;
    let lanes = shared.part(scenario.connections, number);
    opened(&runtime, &caller.lanes, lanes, scenario.timeout)?;
    Ok((runtime, caller))
}

fn opened(runtime: &Runtime, lanes: &Lanes, many: usize, patience: Duration) -> anyhow::Result<()> {
    let opened = runtime.block_on(async { tokio::time::timeout(patience, lanes.open(many)).await });
    let opened = opened.map_err(|_elapsed| anyhow::anyhow!("no connection within {patience:?}"))?;
    opened.map_err(unreachable)
}

/// Why there is no connection; who has no descriptor left is told so, as nothing is wrong with the server then.
fn unreachable(error: std::io::Error) -> anyhow::Error {
    let has_no_files = error.raw_os_error().is_some_and(|code| {
        [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE]
            .iter()
            .any(|it| it.raw_os_error() == code)
    });
    anyhow::Error::new(error).context(if has_no_files {
        "too few open files are allowed for so many connections: raise the limit (ulimit -n)"
    } else {
        "the server cannot be reached"
    })
}

/// CPU time of this thread at `moment`.
async fn cpu_at(moment: Instant) -> Option<Duration> {
    tokio::time::sleep_until(moment.into()).await;
    proc::thread_cpu()
}

/// Sends what is due when it is due, and waits for the answers after the last.
async fn open(shared: &Shared, caller: &Arc<Caller>, worker: usize) -> anyhow::Result<Last> {
    let alarm = Alarm::new().context("no timer")?;
    let most = shared.part(shared.scenario.outstanding, worker);
    let slots = Arc::new(Semaphore::new(most));
    let numbered = (0_u64..).zip(shared.scenario.arrival.due_times(shared.scenario.seed));
    let too_late = shared.scenario.window.end() + CATCH_UP.max(shared.scenario.lag_limit);
    let (mut in_a_row, mut last) = (0, Last::Request);
    for (number, due) in numbered.skip(worker).step_by(shared.workers) {
        if let Some(why) = shared.last(number, due) {
            last = why;
            break;
        }
        let now = caller.now();
        if now >= too_late {
            caller.not_sent(due);
            continue;
        }
        in_a_row = if now < due { 0 } else { in_a_row + 1 };
        if in_a_row >= AT_ONCE {
            in_a_row = 0;
            tokio::task::yield_now().await;
        }
        if !is_due(shared, &alarm, caller.at(due)).await? {
            break;
        }
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            caller.not_sent(due);
            continue;
        };
        let caller = Arc::clone(caller);
        tokio::spawn(async move {
            caller.call(number, due).await;
            drop(slot);
        });
    }
    let all = u32::try_from(most).unwrap_or(u32::MAX);
    // Each ends within its timeout. The semaphore is never closed.
    unless_stopped(shared, async { drop(slots.acquire_many(all).await) }).await;
    Ok(last)
}

/// Waits until a request is due. `false`: the run was stopped before.
async fn is_due(shared: &Shared, alarm: &Alarm, due: Instant) -> std::io::Result<bool> {
    while !shared.is_told_to_end() {
        let look = Clock.now() + LISTEN_EVERY;
        if due <= look {
            alarm.until(due).await?;
            return Ok(true);
        }
        alarm.until(look).await?;
    }
    Ok(false)
}

/// Waits for answers; in a run that is stopped, only for a moment.
async fn unless_stopped(shared: &Shared, answers: impl Future<Output = ()>) {
    let stopped = async {
        while !shared.stop.load(Ordering::Relaxed) {
            tokio::time::sleep(LISTEN_EVERY).await;
        }
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        () = answers => {}
        () = stopped => {}
    }
}

/// Each lane sends as soon as its last answer is in.
async fn closed(shared: &Arc<Shared>, caller: &Arc<Caller>, worker: usize) -> Last {
    let mut lanes = JoinSet::new();
    for _ in 0..shared.part(shared.scenario.connections, worker) {
        let (shared, caller) = (Arc::clone(shared), Arc::clone(caller));
        lanes.spawn(async move {
            loop {
                let due = caller.now();
                let number = shared.next.fetch_add(1, Ordering::Relaxed);
                if let Some(why) = shared.last(number, due) {
                    break why;
                }
                if caller.call(number, due).await == Ending::Failed(ErrorClass::Connect) {
                    tokio::time::sleep(BREATHER).await;
                }
            }
        });
    }
    let mut last = Last::Request;
    let ends = async {
        while let Some(ended) = lanes.join_next().await {
            if matches!(ended, Ok(Last::Time)) {
                last = Last::Time;
            }
        }
    };
    unless_stopped(shared, ends).await;
    last
}

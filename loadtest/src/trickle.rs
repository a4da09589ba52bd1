//! A trickle of traffic for `tollgate demo`: a few requests a second, on a schedule that does not wait for answers
//! (open loop), through the front door like any client's.

mod call;
mod prompts;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use hyper::http::uri::{Scheme, Uri};
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tollgate_core::Clock;

use call::Caller;

/// Results that may wait to be read; past that they are dropped and counted.
const RESULTS_WAITING: usize = 256;
/// The most requests a second this generator is meant for.
const FASTEST: f64 = 1000.0;

/// What to send, where to, how often.
#[derive(Debug, Clone)]
pub struct TrickleOptions {
    /// The gateway, without a version: `http://127.0.0.1:8080`. Plain HTTP only.
    pub base_url: String,
    /// The virtual key to send.
    pub key: String,
    /// What is asked in turns; chosen by the seed, all alike often.
    pub mix: Vec<(TrickleKind, String)>,
    /// Requests a second, above 0 and at most 1000.
    pub per_second: f64,
    /// Stop after this many; `None`: when told.
    pub limit: Option<u64>,
    /// Requests that may be under way; those due beyond that are skipped and counted.
    pub most_in_flight: usize,
    /// A request is given up after this time.
    pub timeout: Duration,
    /// Chooses kinds, prompts and lengths.
    pub seed: u64,
}

/// One kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrickleKind {
    /// A chat completion.
    Chat,
    /// A streamed chat completion, with usage.
    ChatStream,
    /// An Anthropic message.
    Message,
    /// A streamed Anthropic message.
    MessageStream,
    /// One embedding.
    Embedding,
}

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrickleResult {
    /// Counts from 0.
    pub number: u64,
    /// What was asked.
    pub kind: TrickleKind,
    /// HTTP method.
    pub method: &'static str,
    /// Path below the base URL.
    pub path: &'static str,
    /// The model asked for.
    pub model_asked: String,
    /// Status answered; `None`: no answer (see `error`).
    pub status: Option<u16>,
    /// `x-tollgate-provider`: who served it.
    pub provider: Option<String>,
    /// `x-tollgate-model`: which model served it.
    pub model: Option<String>,
    /// `x-tollgate-cost-usd`, from the head, or from the comment at the end of a stream.
    pub cost_usd: Option<String>,
    /// `x-tollgate-attempts`.
    pub attempts: Option<String>,
    /// `x-tollgate-overhead-us`.
    pub overhead_us: Option<String>,
    /// `x-request-id`.
    pub request_id: Option<String>,
    /// Milliseconds from sending to the first byte of the body (of a stream: its first event).
    pub first_token_ms: Option<f64>,
    /// Milliseconds from sending to the end of the body, or to the failure.
    pub total_ms: f64,
    /// Why there is no answer, or not all of it.
    pub error: Option<String>,
}

/// What a trickle came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TrickleSummary {
    /// Requests sent.
    pub sent: u64,
    /// Requests due while too many were under way.
    pub skipped: u64,
    /// Results nobody read in time.
    pub results_dropped: u64,
}

/// Traffic under way. Dropping it stops the traffic.
#[derive(Debug)]
pub struct Trickle {
    /// Held only to be dropped, which stops the traffic.
    stop: watch::Sender<()>,
    task: JoinHandle<TrickleSummary>,
}

impl Trickle {
    /// Starts sending, on the runtime it is called from. Results come through the receiver, which is closed at the
    /// end.
    ///
    /// # Errors
    /// The base URL is not plain HTTP, the rate is out of range, the mix is empty, or the key is no header value.
    pub fn start(options: TrickleOptions) -> anyhow::Result<(Self, mpsc::Receiver<TrickleResult>)> {
        let base: Uri = options
            .base_url
            .parse()
            .with_context(|| format!("base URL '{}'", options.base_url))?;
        anyhow::ensure!(
            base.scheme() == Some(&Scheme::HTTP) && base.authority().is_some(),
            "base URL '{}': expected http://host:port",
            options.base_url
        );
        anyhow::ensure!(
            options.per_second > 0.0 && options.per_second <= FASTEST,
            "rate {}: expected above 0, at most {FASTEST} a second",
            options.per_second
        );
        anyhow::ensure!(!options.mix.is_empty(), "nothing to send: the mix is empty");
        let caller = Caller::new(&options)?;
        let (stop, stopped) = watch::channel(());
        let (results, receiver) = mpsc::channel(RESULTS_WAITING);
        let task = tokio::spawn(send_all(options, caller, results, stopped));
        Ok((Self { stop, task }, receiver))
    }

    /// Sends nothing more, gives up what is under way, and says what it came to.
    pub async fn stop(self) -> TrickleSummary {
        let Self { stop, task } = self;
        drop(stop);
        task.await.unwrap_or_default()
    }

    /// Waits until the limit is reached and every answer is in. Never resolves without a limit.
    pub async fn finished(self) -> TrickleSummary {
        let Self { stop, task } = self;
        let summary = task.await.unwrap_or_default();
        drop(stop);
        summary
    }
}

/// The schedule: request n is due at n / rate, whatever became of those before it.
async fn send_all(
    options: TrickleOptions,
    caller: Caller,
    results: mpsc::Sender<TrickleResult>,
    mut stopped: watch::Receiver<()>,
) -> TrickleSummary {
    let started = Clock.now();
    let caller = Arc::new(caller);
    let slots = Arc::new(Semaphore::new(options.most_in_flight.max(1)));
    let dropped = Arc::new(AtomicU64::new(0));
    let mut summary = TrickleSummary::default();
    let mut calls = JoinSet::new();
    let mut due = started;
    let period = Duration::from_secs_f64(1.0 / options.per_second);
    for number in 0..options.limit.unwrap_or(u64::MAX) {
        tokio::select! {
            // The handle is dropped: at every look, not only at the first.
            _told = stopped.changed() => break,
            () = tokio::time::sleep_until(due.into()) => {}
        }
        due += period;
        while calls.try_join_next().is_some() {}
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            summary.skipped += 1;
            continue;
        };
        summary.sent += 1;
        let (caller, results, dropped) = (Arc::clone(&caller), results.clone(), Arc::clone(&dropped));
        calls.spawn(async move {
            let result = caller.call(number).await;
            if results.try_send(result).is_err() {
                dropped.fetch_add(1, Ordering::Relaxed);
            }
            drop(slot);
        });
    }
    tokio::select! {
        _told = stopped.changed() => calls.shutdown().await,
        () = async { while calls.join_next().await.is_some() {} } => {}
    }
    summary.results_dropped = dropped.load(Ordering::Relaxed);
    summary
}

//! A gateway in front of simulated providers, all on loopback, all in this process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::oneshot;
use tollgate::Gateway;
use tollgate_actors::ConfigSource;
use tollgate_loadtest::{MockOptions, MockServer};
use tollgate_routing::Board;

use crate::metrics::Metrics;
use crate::wire::{Response, Wire, get, post};

/// The virtual key that [`Stack`]'s configurations know.
pub const KEY: &str = "tg-test-key-0123456789";
/// How that key is presented.
pub const BEARER: (&str, &str) = ("authorization", "Bearer tg-test-key-0123456789");
/// How long an event is waited for that must come: long, because the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running gateway and its providers.
pub struct Stack {
    /// The simulated providers.
    pub mock: MockServer,
    /// Where the gateway's data plane listens.
    pub addr: SocketAddr,
    /// Where its admin listener listens.
    pub admin: SocketAddr,
    /// Its config file; may be rewritten.
    pub config_file: PathBuf,
    /// Its access log, unless the config has a section `telemetry` of its own.
    pub log_file: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<bool>>,
}

impl Stack {
    /// Starts both. `config` is YAML in which `{mock}` stands for the providers' address; listeners on free
    /// ports, the access log and a key that may use every model are added.
    pub async fn start(config: &str) -> Self {
        let mock = MockServer::start(MockOptions::default()).await.unwrap();
        Self::in_front_of(mock, config)
    }

    /// Starts a gateway in front of given providers.
    pub fn in_front_of(mock: MockServer, config: &str) -> Self {
        let (config_file, log_file) = (scratch_file("yaml"), scratch_file("log"));
        std::fs::write(&config_file, complete(config, mock.addr(), &log_file)).unwrap();
        let source = ConfigSource::File(config_file.clone());
        let (started, starting) = mpsc::sync_channel(1);
        let (stop, stopping) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let board = Arc::new(Board::default());
                let settings = source
                    .load(1, &board)
                    .unwrap_or_else(|problems| panic!("{problems}"));
                let gateway = Gateway::start(source, settings, board).unwrap();
                started.send((gateway.addr(), gateway.admin_addr())).unwrap();
                let _ = stopping.await;
                gateway.drain().await
            })
        });
        let (addr, admin) = starting.recv().expect("the gateway did not start");
        Self {
            mock,
            addr,
            admin,
            config_file,
            log_file,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Rewrites the config file, completed as in [`Stack::start`].
    pub fn rewrite(&self, config: &str) {
        std::fs::write(
            &self.config_file,
            complete(config, self.mock.addr(), &self.log_file),
        )
        .unwrap();
    }

    /// A connection to the data plane.
    pub async fn wire(&self) -> Wire {
        Wire::connect(self.addr).await
    }

    /// A POST of JSON with [`KEY`], read to the end of its answer.
    pub async fn post(&self, path: &str, body: &str) -> Response {
        post(self.addr, path, &[BEARER], body).await
    }

    /// A POST of JSON with [`KEY`] on a connection of its own, of whose answer nothing is read yet.
    pub async fn begin(&self, path: &str, body: &str) -> Wire {
        let mut wire = self.wire().await;
        wire.post(path, &[BEARER], body).await;
        wire
    }

    /// A chat, read to the end of its answer.
    pub async fn chat(&self, body: &str) -> Response {
        self.post("/v1/chat/completions", body).await
    }

    /// An Anthropic message, read to the end of its answer.
    pub async fn messages(&self, body: &str) -> Response {
        self.post("/v1/messages", body).await
    }

    /// A GET with [`KEY`].
    pub async fn get(&self, path: &str) -> Response {
        get(self.addr, path, &[BEARER]).await
    }

    /// What Prometheus would scrape now.
    pub async fn metrics(&self) -> Metrics {
        let response = get(self.admin, "/metrics", &[]).await;
        assert_eq!(response.status, 200);
        Metrics::new(response.text())
    }

    /// Reads the configuration again, now.
    pub async fn reload(&self) -> Response {
        post(self.admin, "/admin/v1/reload", &[], "").await
    }

    /// The access log so far.
    pub fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log_file).unwrap_or_default();
        // The last line may be half written.
        let whole = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }

    /// Waits until nothing is in flight and the log has a line for each of `requests`: not more, not fewer.
    pub async fn settled(&self, requests: usize) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.log();
            let in_flight = self.metrics().await.sum("tollgate_inflight_requests", &[]);
            if log.len() == requests && in_flight == 0.0 {
                return log;
            }
            let late = Instant::now() > deadline || log.len() > requests;
            assert!(
                !late,
                "{in_flight} in flight, {} of {requests} records: {log:#?}",
                log.len()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Begins the drain, as SIGTERM would.
    pub fn begin_drain(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Waits for the end of the drain; whether everything was served to its end.
    pub async fn drained(&mut self) -> bool {
        self.begin_drain();
        let thread = self.thread.take().unwrap();
        tokio::task::spawn_blocking(move || thread.join().unwrap())
            .await
            .unwrap()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.begin_drain();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.config_file);
        let _ = std::fs::remove_file(&self.log_file);
    }
}

fn complete(config: &str, mock: SocketAddr, log: &std::path::Path) -> String {
    let mut text = config.replace("{mock}", &mock.to_string()).trim_end().to_owned() + "\n";
    let defaults = [
        (
            "server:",
            "server: { listen: \"127.0.0.1:0\", workers: 2, drain: { timeout: 10s } }\n".to_owned(),
        ),
        ("admin:", "admin: { listen: \"127.0.0.1:0\" }\n".to_owned()),
        (
            "telemetry:",
            format!("telemetry: {{ access_log: \"{}\" }}\n", log.display()),
        ),
        (
            "keys:",
            format!("keys: [ {{ name: test, key: \"{KEY}\", models: [\"*\"] }} ]\n"),
        ),
    ];
    for (section, default) in defaults {
        if !text.lines().any(|line| line.starts_with(section)) {
            text.push_str(&default);
        }
    }
    text
}

/// A path in the folder for temporary files that nobody else uses.
pub fn scratch_file(extension: &str) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("tollgate-test-{}-{number}.{extension}", std::process::id());
    let path = std::env::temp_dir().join(name);
    // Left behind by a process of the same number that was killed.
    let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
    path
}

/// Waits until `holds` does, for a limited time; panics with `what` if it never does.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

//! The server: its own thread with its own actix system, so that it can be started from any runtime.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_web::dev::{Extensions, ServerHandle};
use actix_web::rt::System;
use actix_web::rt::net::TcpStream;
use actix_web::rt::time::sleep;
use actix_web::{App, HttpServer, web};
use anyhow::Context as _;
use socket2::{SockRef, Socket};
use tokio::sync::oneshot;

use super::behaviour::Behaviour;
use super::control::Control;
use super::journal::Journal;
use super::table::BehaviourTable;
use super::{admin, serve};

/// The largest request body taken in.
const BODY_LIMIT: usize = 64 * 1024 * 1024;
/// Idle connections are kept longer than any client under test keeps them, so that the client decides.
const KEEP_ALIVE: Duration = Duration::from_secs(120);

/// How often a connection is looked at whose server does not tell that it is gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How to start a [`MockServer`].
#[derive(Debug, Clone)]
pub struct MockOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Decides every random choice.
    pub seed: u64,
    /// Worker threads, at least 1.
    pub workers: usize,
    /// The name of the provider at the root; others are at `/p/{name}`.
    pub name: String,
    /// What models do that are not told otherwise.
    pub defaults: Behaviour,
    /// What some do instead from the start: by `model`, `provider/model` or `provider/*`.
    pub models: BTreeMap<String, Behaviour>,
    /// Requests the journal keeps; 0 keeps none, which is what load tests want.
    pub journal_capacity: usize,
    /// Bytes of each body the journal keeps.
    pub journal_body_bytes: usize,
}

impl Default for MockOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: 1,
            workers: 1,
            name: "mock".to_owned(),
            defaults: Behaviour::default(),
            models: BTreeMap::new(),
            journal_capacity: 1000,
            journal_body_bytes: 64 * 1024,
        }
    }
}

/// Running simulated providers. Dropping it stops them at once.
#[derive(Debug)]
pub struct MockServer {
    addr: SocketAddr,
    control: Control,
    handle: ServerHandle,
    ended: Option<oneshot::Receiver<std::io::Result<()>>>,
}

impl MockServer {
    /// Starts the server; it accepts connections when this returns.
    ///
    /// # Errors
    /// The address cannot be bound, a behaviour makes no sense, or the thread does not start.
    pub async fn start(options: MockOptions) -> anyhow::Result<Self> {
        let initial = BehaviourTable {
            default: options.defaults,
            models: options.models,
        };
        let models = initial.models.iter().map(|(key, it)| (key.as_str(), it));
        for (key, behaviour) in std::iter::once(("by default", &initial.default)).chain(models) {
            if let Some(problem) = behaviour.problems().first() {
                anyhow::bail!("behaviour, {key}: {}: {}", problem.path, problem.message);
            }
        }
        let listener = TcpListener::bind(options.listen)
            .with_context(|| format!("cannot listen on {}", options.listen))?;
        let addr = listener.local_addr()?;
        let journal = Journal::new(options.journal_capacity, options.journal_body_bytes);
        let control = Control::new(options.seed, options.name, initial, journal);
        let (handle_tx, handle_rx) = oneshot::channel();
        let (ended_tx, ended_rx) = oneshot::channel();
        let (shared, workers) = (control.clone(), options.workers.max(1));
        thread::Builder::new()
            .name("simulated-providers".to_owned())
            .spawn(move || {
                let outcome = System::new().block_on(async move {
                    let server = build(listener, shared, workers)?;
                    // Nobody listening any more means that the start was given up: the server is then dropped.
                    match handle_tx.send(server.handle()) {
                        Ok(()) => server.await,
                        Err(_given_up) => Ok(()),
                    }
                });
                let _nobody_waits = ended_tx.send(outcome);
            })?;
        let Ok(handle) = handle_rx.await else {
            let outcome = ended_rx.await.context("the server's thread died")?;
            outcome.context("the server does not start")?;
            anyhow::bail!("the server ended as it started");
        };
        Ok(Self {
            addr,
            control,
            handle,
            ended: Some(ended_rx),
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL of the provider at the root, without a version: `http://127.0.0.1:41234`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The base URL of another provider on the same port.
    pub fn provider_url(&self, provider: &str) -> String {
        format!("http://{}/p/{provider}", self.addr)
    }

    /// Steers it and reads what it received.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Stops it at once, open connections included, and waits until it has.
    pub async fn stop(mut self) {
        self.handle.stop(false).await;
        if let Some(ended) = self.ended.take() {
            let _outcome = ended.await;
        }
    }

    /// Waits until the server ends by itself, which it does when its listener fails.
    ///
    /// # Errors
    /// Why it ended.
    pub async fn ended(&mut self) -> std::io::Result<()> {
        match self.ended.take() {
            Some(ended) => ended.await.unwrap_or(Ok(())),
            None => Ok(()),
        }
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        // The command is sent before the first poll; the thread ends by itself.
        drop(self.handle.stop(false));
    }
}

fn build(listener: TcpListener, control: Control, workers: usize) -> std::io::Result<actix_web::dev::Server> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::PayloadConfig::new(BODY_LIMIT))
            .app_data(web::Data::new(control.clone()))
            .service(web::scope("/mock").configure(admin::routes))
            .default_service(web::to(serve::answer))
    })
    .workers(workers)
    .worker_max_blocking_threads(1)
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(Duration::from_secs(30))
    .h1_allow_half_closed(false)
    .tcp_nodelay(true)
    .shutdown_timeout(1)
    .disable_signals()
    .on_connect(|io, extensions: &mut Extensions| {
        if let Some(line) = io.downcast_ref::<TcpStream>().and_then(Line::of) {
            extensions.insert(line);
        }
    })
    .listen_auto_h2c(listener)?;
    Ok(server.run())
}

/// A second handle of a connection's socket, for what the server library does not offer: resetting it.
#[derive(Debug, Clone)]
pub(crate) struct Line(Arc<Socket>);

impl Line {
    /// `None` when the process has no file descriptor left: the connection then cannot be reset, only closed.
    fn of(stream: &TcpStream) -> Option<Self> {
        SockRef::from(stream)
            .try_clone()
            .ok()
            .map(|socket| Self(Arc::new(socket)))
    }

    /// From now on closing the connection resets it, and throws away what is unsent.
    pub(crate) fn reset_on_close(&self) {
        // Fails only on a socket that is already gone.
        let _gone = self.0.set_linger(Some(Duration::ZERO));
    }

    /// Takes the connection down with everything on it: for HTTP/2, where an error ends only one stream.
    pub(crate) fn take_down(&self) {
        let _gone = self.0.shutdown(std::net::Shutdown::Both);
    }

    /// Resolves when the peer has closed the connection.
    pub(crate) async fn gone(&self) {
        while !self.is_closed() {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Whether the peer has closed the connection; looks without taking anything, and never waits.
    fn is_closed(&self) -> bool {
        match self.0.peek(&mut [MaybeUninit::uninit()]) {
            Ok(bytes) => bytes == 0,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

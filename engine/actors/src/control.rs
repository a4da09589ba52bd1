//! Control: owns the configuration, and publishes each valid version as a snapshot.
//!
//! A bad file is refused whole and the old configuration keeps serving. Nothing in flight is touched: a request
//! keeps what it was given when it came.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, StreamHandler};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tollgate_config::{Problems, Settings};
use tollgate_routing::Board;

use crate::{Live, Published};

/// How often the file is looked at. A look is one `stat`, and it sees through the symlinks by which Kubernetes
/// swaps a mounted file, which inotify does not.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where the configuration comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigSource {
    /// A file; followed.
    File(PathBuf),
    /// Provider keys found in the environment.
    Environment,
}

/// Called with the result of each reload.
pub type OnReload = Box<dyn Fn(&Result<Reloaded, ReloadError>)>;

/// The owner of the configuration.
pub struct Control {
    source: ConfigSource,
    published: Published,
    board: Arc<Board>,
    epoch: u64,
    seen: Option<FileState>,
    on_reload: OnReload,
}

/// Enough of a file's state to notice that it has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileState {
    inode: u64,
    len: u64,
    modified: Option<std::time::SystemTime>,
}

/// Read the configuration again, now.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Reloaded, ReloadError>")]
pub struct Reload;

/// The process received SIGHUP.
struct Hangup;

/// A reload that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// The snapshot's epoch.
    pub epoch: u64,
    /// Whether anything is different; if not, nothing was published.
    pub changed: bool,
    /// Settings that differ but take effect only after a restart.
    pub needs_restart: Vec<&'static str>,
}

/// A reload that was refused; the old configuration keeps serving.
#[derive(Debug, Clone, Error)]
#[error("the new configuration is refused, the old one keeps serving:\n{0}")]
pub struct ReloadError(pub Problems);

impl ConfigSource {
    /// Reads the configuration; targets and providers get their cells from `board`.
    pub fn load(&self, epoch: u64, board: &Board) -> Result<Settings, Problems> {
        let env = |name: &str| std::env::var(name).ok();
        match self {
            Self::File(path) => {
                tollgate_config::load(tollgate_config::Source::File(path), &env, epoch, board)
            }
            Self::Environment => tollgate_config::zero_config(&env, epoch, board),
        }
    }

    fn state(&self) -> Option<FileState> {
        use std::os::unix::fs::MetadataExt;
        let Self::File(path) = self else { return None };
        let metadata = std::fs::metadata(path).ok()?;
        Some(FileState {
            inode: metadata.ino(),
            len: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }
}

impl Control {
    /// Takes charge of what `published` holds, which came from `source`. Cells come from `board`. `on_reload` hears
    /// of every reload.
    pub fn new(source: ConfigSource, published: Published, board: Arc<Board>, on_reload: OnReload) -> Self {
        let seen = source.state();
        let epoch = published.load().catalog.epoch;
        Self {
            source,
            published,
            board,
            epoch,
            seen,
            on_reload,
        }
    }

    fn reload(&mut self) -> Result<Reloaded, ReloadError> {
        self.seen = self.source.state();
        let outcome = self.load_and_publish();
        (self.on_reload)(&outcome);
        outcome
    }

    fn load_and_publish(&mut self) -> Result<Reloaded, ReloadError> {
        let settings = self
            .source
            .load(self.epoch + 1, &self.board)
            .map_err(ReloadError)?;
        let current = self.published.load();
        if settings.hash == current.hash {
            return Ok(Reloaded {
                epoch: self.epoch,
                changed: false,
                needs_restart: Vec::new(),
            });
        }
        let needs_restart = needs_restart(&current, &settings);
        self.epoch += 1;
        self.published.replace(Live::new(settings));
        Ok(Reloaded {
            epoch: self.epoch,
            changed: true,
            needs_restart,
        })
    }

    fn look(&mut self) {
        let state = self.source.state();
        // A file that is gone for a moment (an editor writing it anew) is looked at again next time.
        if state.is_some() && state != self.seen {
            drop(self.reload());
        }
    }
}

fn needs_restart(old: &Settings, new: &Settings) -> Vec<&'static str> {
    let differs = [
        ("server.listen", old.server.listen != new.server.listen),
        ("server.workers", old.server.workers != new.server.workers),
        ("server.tls", old.server.tls != new.server.tls),
        (
            "server.keep_alive",
            old.server.keep_alive != new.server.keep_alive,
        ),
        ("admin.listen", old.admin.listen != new.admin.listen),
        (
            "telemetry.access_log",
            old.telemetry.access_log != new.telemetry.access_log,
        ),
    ];
    differs
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
}

impl Actor for Control {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        if matches!(self.source, ConfigSource::File(_)) {
            context.run_interval(LOOK_EVERY, |control, _| control.look());
        }
        if let Ok(mut hangups) = signal(SignalKind::hangup()) {
            let hangups =
                futures_util::stream::poll_fn(move |cx| hangups.poll_recv(cx).map(|it| it.map(|()| Hangup)));
            context.add_stream(hangups);
        }
    }
}

impl Handler<Reload> for Control {
    type Result = Result<Reloaded, ReloadError>;

    fn handle(&mut self, _: Reload, _: &mut Self::Context) -> Self::Result {
        self.reload()
    }
}

impl StreamHandler<Hangup> for Control {
    fn handle(&mut self, _: Hangup, _: &mut Self::Context) {
        drop(self.reload());
    }
}

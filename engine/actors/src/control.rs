//! Control: owns the configuration and the changes made to it at run time, and publishes each valid state as a
//! snapshot.
//!
//! A bad file is refused whole and the old configuration keeps serving; so is a bad change. Nothing in flight is
//! touched: a request keeps what it was given when it came. Whatever is published raises the epoch.

mod changes;
mod difference;
mod messages;
mod notice;
mod overlay;
mod rollout;
mod source;
mod state_file;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, StreamHandler};
use tokio::signal::unix::{SignalKind, signal};
use tollgate_config::Settings;
use tollgate_core::Clock;
use tollgate_routing::{Board, ChangeProblem};

pub use difference::Difference;
pub use messages::{
    Applied, ApplyMode, ChangeRefused, ChangeRoutes, EndRollout, Ending, ListVersions, Reload, ReloadCause,
    ReloadError, Reloaded, Rollback, RolloutNow, VersionList,
};
pub use notice::{Notice, OnNotice};
pub use overlay::read as read_changes;
pub use rollout::{RolloutStatus, Slo, StagePlan};
pub use source::ConfigSource;
pub use versions::{Origin, TakenBack, Version, VersionState};

use crate::vital::Vital;
use crate::{Live, OnDeath, Published, Roster, Snapshot, Staged};
use rollout::Rollout;
use source::{FileState, needs_restart};
use state_file::StateFile;
use versions::Versions;

/// How often the file is looked at. A look is one `stat`, and it sees through the symlinks by which Kubernetes
/// swaps a mounted file, which inotify does not.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Called with the cause and the result of each reload.
pub type OnReload = Box<dyn Fn(ReloadCause, &Result<Reloaded, ReloadError>)>;

/// What Control works with.
pub struct ControlParts {
    /// Where the configuration came from.
    pub source: ConfigSource,
    /// What it came to, and where its successors go.
    pub published: Published,
    /// Where targets get their cells.
    pub board: Arc<Board>,
    /// The actors that follow the configuration.
    pub roster: Roster,
    /// Hears of every reload.
    pub on_reload: OnReload,
    /// Hears of everything else that an operator should know.
    pub on_notice: OnNotice,
    /// Hears if Control itself panics.
    pub on_death: OnDeath,
}

/// The owner of the configuration.
pub struct Control {
    source: ConfigSource,
    published: Published,
    board: Arc<Board>,
    roster: Roster,
    on_reload: OnReload,
    on_notice: OnNotice,
    /// The highest epoch that was given to a catalog.
    epoch: u64,
    seen: Option<FileState>,
    versions: Versions,
    rollout: Option<Rollout>,
    state: Option<StateFile>,
    _vital: Vital,
}

/// The process received SIGHUP.
struct Hangup;

impl Control {
    /// Takes charge of what is published: run-time changes of an earlier life are laid over it, and the roster gets
    /// its actors. To be called before requests come in.
    pub fn new(parts: ControlParts) -> Self {
        let live = parts.published.load();
        let opened = live.admin.state_file.as_deref();
        let opened = opened.map(|path| StateFile::open(path, Clock.wall()));
        let (state, versions, unusable) = match opened {
            Some((file, versions, unusable)) => (Some(file), versions, unusable),
            None => (None, Versions::default(), None),
        };
        let mut control = Self {
            seen: parts.source.state(),
            source: parts.source,
            published: parts.published,
            board: parts.board,
            roster: parts.roster,
            on_reload: parts.on_reload,
            on_notice: parts.on_notice,
            epoch: live.epoch(),
            versions,
            rollout: None,
            state,
            _vital: Vital::new("control".to_owned(), parts.on_death),
        };
        if let Some(text) = unusable {
            control.notice(&Notice::StateUnusable { text });
        }
        if control.versions.live() > 0 {
            let set_aside = control.publish(live.settings.clone());
            control.notice(&Notice::Restored {
                version: control.versions.live(),
                set_aside,
            });
        } else {
            control.roster.follow(&live);
        }
        control
    }

    fn notice(&self, notice: &Notice) {
        (self.on_notice)(notice);
    }

    fn reload(&mut self, cause: ReloadCause) -> Result<Reloaded, ReloadError> {
        self.seen = self.source.state();
        let outcome = self.load_and_publish();
        (self.on_reload)(cause, &outcome);
        outcome
    }

    fn load_and_publish(&mut self) -> Result<Reloaded, ReloadError> {
        let loaded = self.source.load(self.epoch + 1, &self.board);
        let settings = loaded.map_err(ReloadError)?;
        let current = self.published.load();
        if settings.hash == current.hash {
            return Ok(Reloaded {
                epoch: current.epoch(),
                changed: false,
                needs_restart: Vec::new(),
                set_aside: Vec::new(),
            });
        }
        let needs_restart = needs_restart(&current, &settings);
        let set_aside = self.publish(Arc::new(settings));
        Ok(Reloaded {
            epoch: self.published.load().epoch(),
            changed: true,
            needs_restart,
            set_aside,
        })
    }

    /// Publishes `settings` with the live version over them, and the staged one beside. What does not fit is left
    /// out and returned.
    fn publish(&mut self, settings: Arc<Settings>) -> Vec<ChangeProblem> {
        let live_overlay = self.versions.live_overlay();
        let mut laid = self.lay(&settings, &live_overlay);
        let staged = self.rollout.take().map(|rollout| {
            let overlay = self.versions.overlay(rollout.version);
            let beside = self.lay(&settings, &overlay.unwrap_or(live_overlay));
            laid.set_aside.extend(beside.set_aside);
            let staged = Staged {
                catalog: Arc::new(beside.catalog),
                share: rollout.plan.share,
                version: rollout.version,
                watch: rollout.watch.clone(),
            };
            self.rollout = Some(rollout);
            Arc::new(staged)
        });
        self.published.replace(Live {
            settings,
            catalog: Arc::new(laid.catalog),
            staged,
            version: self.versions.live(),
        });
        self.roster.follow(&self.published.load());
        laid.set_aside.sort_by(|a, b| a.path.cmp(&b.path));
        laid.set_aside.dedup();
        laid.set_aside
    }

    /// A catalog of the next epoch.
    fn lay(&mut self, settings: &Settings, overlay: &serde_json::Value) -> overlay::Laid {
        self.epoch += 1;
        // What is in the history was read before it got there.
        let changes = overlay::read(overlay).unwrap_or_default();
        overlay::lay(&settings.catalog, &changes, self.epoch)
    }

    fn live(&self) -> Snapshot {
        self.published.load()
    }

    fn look(&mut self) {
        let state = self.source.state();
        // A file that is gone for a moment (an editor writing it anew) is looked at again next time.
        if state.is_some() && state != self.seen {
            drop(self.reload(ReloadCause::FileChanged));
        }
    }
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
        self.reload(ReloadCause::Asked)
    }
}

impl StreamHandler<Hangup> for Control {
    fn handle(&mut self, _: Hangup, _: &mut Self::Context) {
        drop(self.reload(ReloadCause::Signal));
    }
}

#[cfg(test)]
mod tests;

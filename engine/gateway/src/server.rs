//! The process: listeners, workers, actors, and the way out.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use actix::{Actor as _, Addr};
use actix_rt::ArbiterHandle;
use actix_web::dev::{Server as ActixServer, ServerHandle};
use actix_web::http::KeepAlive;
use actix_web::{App, HttpServer};
use anyhow::Context as _;
use tokio::sync::Semaphore;
use tollgate_actors::{
    CloseFiles, ConfigSource, Control, ControlParts, Notice, Published, ReloadCause, ReloadError, Reloaded,
    Roster, RosterParts, Transition,
};
use tollgate_config::{AccessLog, Settings};
use tollgate_core::Clock;
use tollgate_routing::{Board, Catalog};
use tollgate_telemetry::{
    Exposition, Journal, JournalHandle, JournalOptions, Meters, Recent, ReloadResult, ReloadedBy,
    RolloutResult, Sink,
};

use crate::explain::DecisionRecord;
use crate::identity::Identities;
use crate::lifecycle::Lifecycle;
use crate::probe::HttpProber;
use crate::stages::recall::search::LONG_LOOKUPS;
use crate::upstream::Connector;
use crate::worker::{Shared, Worker};
use crate::{admin, app, kept, tls};

/// How often the health of targets is shown in the metrics: an operator sees a breaker within a second.
const HEALTH_SHOWN: Duration = Duration::from_millis(500);
/// How often metrics are folded, which keeps their memory flat.
const METRICS_UPKEEP: Duration = Duration::from_secs(1);
/// Connections that the kernel may hold for us.
const BACKLOG: i32 = 4096;
/// How long the shutdown waits for the records of requests that it has cut.
const SETTLING: Duration = Duration::from_secs(2);

/// A gateway that is listening.
pub struct Gateway {
    addr: SocketAddr,
    admin_addr: SocketAddr,
    shared: Arc<Shared>,
    control: Addr<Control>,
    data: ServerHandle,
    admin: ServerHandle,
    journals: Journals,
}

/// What workers stand on.
pub(crate) struct Ground {
    pub(crate) shared: Arc<Shared>,
    /// What the metrics are shown from.
    pub(crate) exposition: Exposition,
    pub(crate) journals: Journals,
}

/// The writers of records.
pub(crate) struct Journals {
    /// The access log's; `None`: there is none.
    access: Option<JournalHandle>,
    /// That of decisions; `None`: they are not written down.
    decisions: Option<JournalHandle<DecisionRecord>>,
}

/// The exit status of a process whose control actor has died (`EX_SOFTWARE` of sysexits).
const DEAD_ACTOR: i32 = 70;

impl Gateway {
    /// Binds both listeners and begins to serve `settings`, which were loaded from `source` with `board`. To be
    /// called within an actix system.
    pub fn start(source: ConfigSource, settings: Settings, board: Arc<Board>) -> anyhow::Result<Self> {
        let listener = bind(settings.server.listen)
            .with_context(|| format!("server.listen: {}", settings.server.listen))?;
        let admin_listener = bind(settings.admin.listen)
            .with_context(|| format!("admin.listen: {}", settings.admin.listen))?;
        let (addr, admin_addr) = (listener.local_addr()?, admin_listener.local_addr()?);
        if settings
            .catalog
            .providers()
            .iter()
            .any(|it| it.base_url.scheme_str() == Some("https"))
        {
            std::thread::spawn(Connector::warm_up);
        }
        let Ground {
            shared,
            exposition,
            journals,
        } = Ground::lay(settings, board, actix_rt::Arbiter::current())?;
        let control = control(source, &shared);
        let exposition = Arc::new(exposition);
        keep_up(exposition.clone());
        show_health(shared.clone());
        let data = serve_data(&shared, listener)?;
        let admin = admin::serve(&shared, control.clone(), exposition, admin_listener)?;
        let (data_handle, admin_handle) = (data.handle(), admin.handle());
        actix_rt::spawn(data);
        actix_rt::spawn(admin);
        Ok(Self {
            addr,
            admin_addr,
            shared,
            control,
            data: data_handle,
            admin: admin_handle,
            journals,
        })
    }

    /// Where the data plane listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where the admin listener listens.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    /// The owner of the configuration.
    pub fn control(&self) -> &Addr<Control> {
        &self.control
    }

    /// Shuts down in order: readiness turns false, what is in flight is served to its end (within the limit of
    /// `server.drain`), listeners close, the log is flushed. Whether everything was served to its end.
    pub async fn drain(self) -> bool {
        let drain = self.shared.published.load().server.drain;
        self.shared.lifecycle.start_draining();
        tokio::time::sleep(drain.delay).await;
        let served = self.shared.lifecycle.drained(drain.timeout).await;
        // What was answered last is kept as well.
        let _ = self.shared.keeper.send(CloseFiles).await;
        self.data.stop(false).await;
        self.admin.stop(false).await;
        // What is cut is settled by the threads of the workers as they end, which nobody has waited for so far: the
        // journals stay open until its records are in them.
        self.shared.lifecycle.drained(SETTLING).await;
        let Journals { access, decisions } = self.journals;
        let closing = actix_web::web::block(move || {
            let limit = Duration::from_secs(5);
            // What could not be written in time is counted as dropped.
            let _ = access.map(|journal| journal.close(limit));
            let _ = decisions.map(|journal| journal.close(limit));
        });
        drop(closing.await);
        served
    }
}

impl Ground {
    /// Starts what is not a worker's own. The actors of providers will live in `arbiter`.
    pub(crate) fn lay(settings: Settings, board: Arc<Board>, arbiter: ArbiterHandle) -> anyhow::Result<Self> {
        let (meters, exposition) = Meters::install();
        let journals = Journals {
            access: journal(&settings, &meters)?,
            decisions: decision_journal(&settings, &meters)?,
        };
        let workers = settings.server.workers.unwrap_or_else(cores);
        let decisions = Recent::new(workers, settings.telemetry.decisions.keep);
        let (cache, keeper) = kept::start(&settings.cache, &meters);
        let embeddings = kept::embeddings(&settings.cache);
        let roster = Roster::new(RosterParts {
            arbiter: arbiter.clone(),
            prober: Some(Arc::new(HttpProber(meters.clone()))),
            on_transition: on_transition(&meters),
            on_death: Arc::new(end_the_process),
        });
        let published = Published::new(settings);
        let identities = Identities::new(arbiter, meters.clone(), published.clone(), roster.clone());
        identities.follow(&published.load().catalog);
        let shared = Arc::new(Shared {
            published,
            lifecycle: Lifecycle::default(),
            journal: journals.access.as_ref().map(JournalHandle::journal),
            board,
            roster,
            decisions,
            decision_journal: journals.decisions.as_ref().map(JournalHandle::journal),
            cache,
            keeper,
            embeddings,
            long_lookups: Arc::new(Semaphore::new(LONG_LOOKUPS)),
            flights: Arc::default(),
            workers: AtomicUsize::new(0),
            meters,
            identities,
        });
        shared.meters.config_epoch(shared.published.load().catalog.epoch);
        Ok(Self {
            shared,
            exposition,
            journals,
        })
    }
}

fn serve_data(shared: &Arc<Shared>, listener: TcpListener) -> anyhow::Result<ActixServer> {
    let settings = shared.published.load();
    let server = &settings.server;
    let for_workers = shared.clone();
    let mut http = HttpServer::new(move || {
        let worker = Worker::start(for_workers.clone());
        App::new().configure(|config| app::routes(&worker, config))
    })
    .disable_signals()
    .keep_alive(KeepAlive::Timeout(server.keep_alive))
    .client_request_timeout(server.client_request_timeout)
    .h1_allow_half_closed(false)
    .tcp_nodelay(true)
    .shutdown_timeout(1);
    if let Some(workers) = server.workers {
        http = http.workers(workers);
    }
    let bound = match &server.tls {
        Some(files) => http.listen_rustls_0_23(listener, tls::server_config(files)?)?,
        None => http.listen_auto_h2c(listener)?,
    };
    Ok(bound.run())
}

/// A listener with room for a burst of connections.
fn bind(addr: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(addr), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn control(source: ConfigSource, shared: &Arc<Shared>) -> Addr<Control> {
    let heard = shared.clone();
    let on_reload = Box::new(move |cause, outcome: &_| report_reload(&heard, cause, outcome));
    Control::new(ControlParts {
        source,
        published: shared.published.clone(),
        board: shared.board.clone(),
        roster: shared.roster.clone(),
        on_reload,
        on_notice: on_notice(&shared.meters),
        on_death: Arc::new(end_the_process),
    })
    .start()
}

fn on_notice(meters: &Meters) -> tollgate_actors::OnNotice {
    let meters = meters.clone();
    Box::new(move |notice: &Notice| {
        match notice {
            Notice::Promoted { .. } => meters.rollout_ended(RolloutResult::Promoted),
            Notice::TakenBack { automatic: true, .. } => meters.rollout_ended(RolloutResult::RolledBack),
            Notice::TakenBack { .. } => meters.rollout_ended(RolloutResult::Aborted),
            _ => {}
        }
        crate::say(format_args!("{notice}"));
    })
}

/// Frozen health or configuration is worse than a restart.
fn end_the_process(actor: &str) {
    crate::say(format_args!("the actor {actor} has died: the process ends"));
    std::process::exit(DEAD_ACTOR);
}

fn on_transition(meters: &Meters) -> tollgate_actors::OnTransition {
    let meters = meters.clone();
    Arc::new(move |change: &Transition| {
        let (target, from, to) = (&change.target, change.from.name(), change.to.name());
        if let Some((provider, model)) = target.split_once('/') {
            meters.breaker_changed(provider, model, from, to);
        }
        crate::say(format_args!(
            "breaker of {target}: {from} → {to} ({})",
            change.reason
        ));
    })
}

/// Shows what routing sees of each target in the metrics.
fn show_health(shared: Arc<Shared>) {
    actix_rt::spawn(async move {
        let mut ticks = tokio::time::interval(HEALTH_SHOWN);
        let mut shown = HashMap::new();
        loop {
            ticks.tick().await;
            let live = shared.published.load();
            meters_of_targets(&shared.meters, &live.catalog, &mut shown);
            shared.meters.route_version(live.version);
        }
    });
}

/// `shown` has the targets of the last time: those that are gone are taken out.
fn meters_of_targets(meters: &Meters, catalog: &Catalog, shown: &mut HashMap<(Arc<str>, Arc<str>), u64>) {
    let now = Clock.moment();
    for target in catalog.targets() {
        let (provider, model) = (&target.provider.name, target.model.as_deref().unwrap_or("*"));
        let vitals = target.cell.vitals(now);
        let ttft = vitals
            .ttft_us
            .map(|us| Duration::from_secs_f32(us.max(0.0) / 1e6));
        let in_flight = u64::from(target.cell.in_flight());
        meters.target_health(provider, model, ttft, f64::from(vitals.error_ratio), in_flight);
        meters.breaker_state(provider, model, target.cell.gate(now).mode.name());
        shown.insert((provider.clone(), model.into()), catalog.epoch);
        meters.outcomes_dropped(provider, target.provider.outcomes.dropped());
    }
    shown.retain(|(provider, model), epoch| {
        let stays = *epoch == catalog.epoch;
        if !stays {
            meters.target_gone(provider, model);
        }
        stays
    });
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn report_reload(shared: &Shared, cause: ReloadCause, outcome: &Result<Reloaded, ReloadError>) {
    let by = match cause {
        ReloadCause::Asked => ReloadedBy::Request,
        ReloadCause::FileChanged => ReloadedBy::File,
        ReloadCause::Signal => ReloadedBy::Signal,
    };
    if let Some(journal) = &shared.journal {
        // A rotation of the log says SIGHUP as well.
        journal.reopen();
    }
    match outcome {
        Ok(reloaded) => {
            shared.meters.config_reloaded(by, ReloadResult::Applied);
            shared.meters.config_epoch(reloaded.epoch);
            if reloaded.changed {
                crate::say(format_args!("configuration reloaded, epoch {}", reloaded.epoch));
                let live = shared.published.load();
                kept::follow(&live.cache, &shared.keeper);
                shared.identities.follow(&live.catalog);
            }
            for name in &reloaded.needs_restart {
                crate::say(format_args!(
                    "{name} has changed: it takes effect after a restart"
                ));
            }
        }
        Err(refused) => {
            shared.meters.config_reloaded(by, ReloadResult::Refused);
            crate::say(format_args!("{refused}"));
        }
    }
}

fn keep_up(exposition: Arc<Exposition>) {
    actix_rt::spawn(async move {
        let mut ticks = tokio::time::interval(METRICS_UPKEEP);
        loop {
            ticks.tick().await;
            exposition.upkeep();
        }
    });
}

/// The writer of decisions; `None`: they are not written down.
fn decision_journal(
    settings: &Settings,
    meters: &Meters,
) -> anyhow::Result<Option<JournalHandle<DecisionRecord>>> {
    let Some(path) = &settings.telemetry.decisions.journal else {
        return Ok(None);
    };
    let place = || format!("telemetry.decisions.journal: {}", path.display());
    let sink = Sink::file(path).with_context(place)?;
    let options = JournalOptions {
        name: "decisions",
        ..JournalOptions::default()
    };
    Ok(Some(Journal::spawn(options, sink, meters.decision_journal())?))
}

/// The access log's writer; `None`: there is no log.
fn journal(settings: &Settings, meters: &Meters) -> anyhow::Result<Option<JournalHandle>> {
    let sink = match &settings.telemetry.access_log {
        AccessLog::Off => return Ok(None),
        AccessLog::Stdout => Sink::stdout(),
        AccessLog::File(path) => {
            Sink::file(path).with_context(|| format!("telemetry.access_log: {}", path.display()))?
        }
    };
    Ok(Some(Journal::spawn(
        JournalOptions::default(),
        sink,
        meters.journal(),
    )?))
}

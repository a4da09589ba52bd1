//! The process: listeners, workers, actors, and the way out.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor as _, Addr};
use actix_web::dev::{Server as ActixServer, ServerHandle};
use actix_web::http::KeepAlive;
use actix_web::{App, HttpServer};
use anyhow::Context as _;
use tollgate_actors::{ConfigSource, Control, Published};
use tollgate_config::{AccessLog, Settings};
use tollgate_telemetry::{Exposition, Journal, JournalHandle, JournalOptions, Meters, ReloadResult, Sink};

use crate::lifecycle::Lifecycle;
use crate::upstream::Connector;
use crate::worker::{Shared, Worker};
use crate::{admin, app, tls};

/// How often metrics are folded, which keeps their memory flat.
const METRICS_UPKEEP: Duration = Duration::from_secs(1);
/// Connections that the kernel may hold for us.
const BACKLOG: i32 = 4096;

/// A gateway that is listening.
pub struct Gateway {
    addr: SocketAddr,
    admin_addr: SocketAddr,
    shared: Arc<Shared>,
    control: Addr<Control>,
    data: ServerHandle,
    admin: ServerHandle,
    journal: Option<JournalHandle>,
}

impl Gateway {
    /// Binds both listeners and begins to serve. To be called within an actix system.
    pub fn start(source: ConfigSource, settings: Settings) -> anyhow::Result<Self> {
        let (meters, exposition) = Meters::install();
        let journal = journal(&settings, &meters)?;
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
        let published = Published::new(settings);
        let log = journal.as_ref().map(JournalHandle::journal);
        let shared = Arc::new(Shared {
            published,
            lifecycle: Lifecycle::default(),
            meters,
            journal: log,
        });
        shared.meters.config_epoch(shared.published.load().catalog.epoch);
        let control = control(source, &shared);
        let exposition = Arc::new(exposition);
        keep_up(exposition.clone());
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
            journal,
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
        self.data.stop(false).await;
        self.admin.stop(false).await;
        if let Some(journal) = self.journal {
            let closing = actix_web::web::block(move || journal.close(Duration::from_secs(5)));
            drop(closing.await);
        }
        served
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
    let on_reload = Box::new(move |outcome: &_| report_reload(&heard, outcome));
    Control::new(source, shared.published.clone(), on_reload).start()
}

fn report_reload(shared: &Shared, outcome: &Result<tollgate_actors::Reloaded, tollgate_actors::ReloadError>) {
    if let Some(journal) = &shared.journal {
        // A rotation of the log says SIGHUP as well.
        journal.reopen();
    }
    match outcome {
        Ok(reloaded) => {
            shared.meters.config_reloaded(ReloadResult::Applied);
            shared.meters.config_epoch(reloaded.epoch);
            if reloaded.changed {
                crate::say(format_args!("configuration reloaded, epoch {}", reloaded.epoch));
            }
            for name in &reloaded.needs_restart {
                crate::say(format_args!(
                    "{name} has changed: it takes effect after a restart"
                ));
            }
        }
        Err(refused) => {
            shared.meters.config_reloaded(ReloadResult::Refused);
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

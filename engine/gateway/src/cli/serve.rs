//! `tollgate serve`: run until a signal says stop, then drain.

use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tollgate_actors::ConfigSource;
use tollgate_config::{AuthMode, Settings};
use tollgate_routing::Board;

use crate::Gateway;

pub(super) fn run(source: &ConfigSource) -> anyhow::Result<ExitCode> {
    let board = Arc::new(Board::default());
    let settings = match source.load(1, &board) {
        Ok(settings) => settings,
        Err(problems) => {
            crate::say(format_args!("{problems}"));
            return Ok(ExitCode::from(2));
        }
    };
    // Each request under way takes two connections, and shells often allow a thousand files.
    super::files::raise(0);
    actix_rt::System::new().block_on(serve(source.clone(), settings, board))
}

async fn serve(source: ConfigSource, settings: Settings, board: Arc<Board>) -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    for warning in &settings.warnings {
        crate::say(format_args!("warning: {warning}"));
    }
    let anonymous = settings.auth == AuthMode::Anonymous;
    let tls = settings.server.tls.is_some();
    let gateway = Gateway::start(source, settings, board)?;
    let scheme = if tls { "https" } else { "http" };
    crate::say(format_args!(
        "serving on {scheme}://{}, admin on http://{}",
        gateway.addr(),
        gateway.admin_addr()
    ));
    if anonymous {
        crate::say(format_args!(
            "no keys are configured: everyone who reaches this address may use it"
        ));
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    crate::say(format_args!("draining; a second signal stops at once"));
    tokio::select! {
        served = gateway.drain() => {
            crate::say(format_args!("{}", if served { "drained" } else { "the drain ran out of time" }));
            Ok(if served { ExitCode::SUCCESS } else { ExitCode::from(3) })
        }
        _ = terminate.recv() => Ok(ExitCode::from(3)),
        _ = interrupt.recv() => Ok(ExitCode::from(3)),
    }
}

//! `tollgate mock`: simulated providers alone.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tollgate_loadtest::{BehaviourTable, MockOptions, MockServer};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen: an address of this machine. Port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:9099")]
    listen: SocketAddr,
    /// Decides every random choice: the same seed and the same requests give the same answers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Requests that the journal keeps (0: none, for load tests).
    #[arg(long, default_value_t = 1000)]
    journal: usize,
    /// What they do from the start: JSON, as `GET /mock/behaviour` shows it.
    #[arg(long, value_name = "FILE")]
    behaviours: Option<PathBuf>,
}

/// Serves until a signal says stop.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match args.behaviours.as_deref().map(read).transpose() {
        Ok(behaviours) => {
            super::files::raise(0);
            actix_rt::System::new().block_on(serve(args, behaviours.unwrap_or_default()))
        }
        Err(wrong) => {
            crate::say(format_args!("{wrong:#}"));
            Ok(ExitCode::from(2))
        }
    }
}

fn read(file: &Path) -> anyhow::Result<BehaviourTable> {
    let text = std::fs::read(file).with_context(|| file.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| format!("{} holds no behaviours", file.display()))
}

async fn serve(args: &Args, behaviours: BehaviourTable) -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let options = MockOptions {
        listen: args.listen,
        seed: args.seed,
        workers: args.workers,
        journal_capacity: args.journal,
        defaults: behaviours.default,
        models: behaviours.models,
        ..MockOptions::default()
    };
    let mut mock = MockServer::start(options).await?;
    super::print(&format!(
        "simulated providers on {url}\n  base_url of\n    \
         anthropic, azure, gemini, cohere, bedrock:  {url}\n    \
         vertex, vertex-anthropic:                   {url}/v1/projects/any/locations/any\n    \
         all others:                                 {url}/v1\n  \
         behaviour, journal: {url}/mock/behaviour, {url}/mock/journal\n",
        url = mock.url()
    ))?;
    tokio::select! {
        ended = mock.ended() => ended?,
        _ = terminate.recv() => mock.stop().await,
        _ = interrupt.recv() => mock.stop().await,
    }
    Ok(ExitCode::SUCCESS)
}

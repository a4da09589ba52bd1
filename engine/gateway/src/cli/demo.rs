//! `tollgate demo`: simulated providers, a gateway in front of them, live traffic. No key, no network.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tollgate_actors::ConfigSource;
use tollgate_core::Nanodollars;
use tollgate_loadtest::{
    Behaviour, Failure, Latency, MockOptions, MockServer, Pacing, Trickle, TrickleKind, TrickleOptions,
    TrickleResult,
};
use tollgate_routing::Board;

use crate::Gateway;

/// The virtual key of the demo. It opens nothing but simulated providers.
const KEY: &str = "tg-demo-key";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the gateway listens; a free port is taken where this one is in use.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Requests a second.
    #[arg(long, default_value_t = 4.0)]
    rate: f64,
    /// Stop after this long ("10s", "1m"); without it, at Ctrl-C.
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    tollgate_config::duration(text).ok_or_else(|| "expected a duration such as 10s, 500ms or 1m".to_owned())
}

/// Runs until Ctrl-C, or for as long as was asked.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    actix_rt::System::new().block_on(demo(args))
}

async fn demo(args: &Args) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mock = MockServer::start(MockOptions::default()).await?;
    misbehave(&mock)?;
    let config = ConfigFile::write(
        &mock,
        free_port(args.port),
        free_port(args.port.saturating_add(1)),
    )?;
    let source = ConfigSource::File(config.0.clone());
    let board = Arc::new(Board::default());
    let settings = source
        .load(1, &board)
        .map_err(|problems| anyhow::anyhow!("the demo's own configuration: {problems}"))?;
    let gateway = Gateway::start(source, settings, board)?;
    super::print(&introduction(&gateway, &mock, &config.0))?;
    let (trickle, results) = Trickle::start(traffic(&gateway, args.rate))?;
    let mut tally = Tally::default();
    tokio::select! {
        shown = show(results, &mut tally) => shown?,
        () = wait(args.duration) => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    trickle.stop().await;
    gateway.drain().await;
    mock.stop().await;
    super::print(&tally.to_string())?;
    Ok(if tally.served > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Providers as they are on a bad day: latency with a tail, one that is overloaded now and then.
fn misbehave(mock: &MockServer) -> anyhow::Result<()> {
    let paced = |median_ms, inter_token_ms| Behaviour {
        latency: Latency::Lognormal {
            median_ms,
            sigma: 0.4,
        },
        pacing: Pacing {
            inter_token_ms,
            ..Pacing::default()
        },
        ..Behaviour::default()
    };
    let overloaded = Failure {
        status: 529,
        ..Failure::default()
    };
    let flaky = Behaviour {
        failure: Some(overloaded),
        fail_ratio: Some(0.2),
        ..paced(180.0, 8.0)
    };
    for (key, behaviour) in [
        ("openai/*", paced(120.0, 5.0)),
        ("claude/*", flaky),
        ("azure/*", paced(300.0, 6.0)),
        ("local/*", paced(40.0, 12.0)),
    ] {
        let set = mock.control().set(key, behaviour);
        set.map_err(|problems| anyhow::anyhow!("the demo's behaviour of {key}: {problems:?}"))?;
    }
    Ok(())
}

/// `wanted`, or any free port where that one is in use.
fn free_port(wanted: u16) -> u16 {
    let is_free = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).is_ok();
    if is_free { wanted } else { 0 }
}

/// The demo's config file; gone with it.
struct ConfigFile(PathBuf);

impl ConfigFile {
    fn write(mock: &MockServer, port: u16, admin_port: u16) -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("tollgate-demo-{}.yaml", std::process::id()));
        let text = include_str!("demo.yaml")
            .replace("{mock}", &mock.addr().to_string())
            .replace("{port}", &port.to_string())
            .replace("{admin_port}", &admin_port.to_string())
            .replace("{key}", KEY);
        std::fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        // Left behind where it cannot be removed: it holds nothing that matters.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn traffic(gateway: &Gateway, per_second: f64) -> TrickleOptions {
    let mix = [
        (TrickleKind::Chat, "fast"),
        (TrickleKind::ChatStream, "fast"),
        (TrickleKind::Chat, "shared"),
        (TrickleKind::Message, "smart"),
        (TrickleKind::MessageStream, "smart"),
        (TrickleKind::ChatStream, "local/llama-3.3"),
        (TrickleKind::Embedding, "embed"),
    ];
    TrickleOptions {
        base_url: format!("http://{}", reachable(gateway.addr())),
        key: KEY.to_owned(),
        mix: mix
            .into_iter()
            .map(|(kind, model)| (kind, model.to_owned()))
            .collect(),
        per_second,
        limit: None,
        most_in_flight: 64,
        timeout: Duration::from_secs(30),
        seed: 1,
    }
}

fn reachable(addr: SocketAddr) -> SocketAddr {
    if addr.ip().is_unspecified() {
        SocketAddr::from((Ipv4Addr::LOCALHOST, addr.port()))
    } else {
        addr
    }
}

fn introduction(gateway: &Gateway, mock: &MockServer, config: &Path) -> String {
    include_str!("demo.txt")
        .replace("{addr}", &reachable(gateway.addr()).to_string())
        .replace("{admin}", &gateway.admin_addr().to_string())
        .replace("{mock}", &mock.addr().to_string())
        .replace("{config}", &config.display().to_string())
        .replace("{key}", KEY)
}

async fn wait(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

async fn show(mut results: mpsc::Receiver<TrickleResult>, tally: &mut Tally) -> anyhow::Result<()> {
    while let Some(result) = results.recv().await {
        tally.count(&result);
        super::print(&line(&result))?;
    }
    Ok(())
}

/// What the demo's traffic came to.
#[derive(Debug, Default)]
struct Tally {
    served: u64,
    failed: u64,
    failed_over: u64,
    cost: Nanodollars,
}

impl Tally {
    fn count(&mut self, result: &TrickleResult) {
        if result.status == Some(200) && result.error.is_none() {
            self.served += 1;
        } else {
            self.failed += 1;
        }
        self.failed_over += u64::from(result.attempts.as_deref().is_some_and(|attempts| attempts != "1"));
        let cost = result
            .cost_usd
            .as_deref()
            .and_then(|text| Nanodollars::parse(text).ok());
        self.cost += cost.unwrap_or_default();
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            served,
            failed,
            failed_over,
            cost,
        } = self;
        writeln!(
            f,
            "\nserved {served} requests ({failed_over} after a failover, {failed} failed) for ${cost}"
        )
    }
}

fn line(result: &TrickleResult) -> String {
    let kind = match result.kind {
        TrickleKind::Chat => "openai chat",
        TrickleKind::ChatStream => "openai stream",
        TrickleKind::Message => "anthropic chat",
        TrickleKind::MessageStream => "anthropic stream",
        TrickleKind::Embedding => "openai embedding",
    };
    let text = |field: &Option<String>| field.clone().unwrap_or_else(|| "-".to_owned());
    let served = format!("{}/{}", text(&result.provider), text(&result.model));
    let status = result
        .status
        .map_or_else(|| "-".to_owned(), |status| status.to_string());
    let first = result
        .first_token_ms
        .map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0}"));
    let mut line = format!(
        "{:>5}  {kind:<16}  {:<16} → {served:<28} {status}  tries {}  first {first:>4} ms  total {:>5.0} ms  \
         overhead {:>4} µs  ${}",
        result.number + 1,
        result.model_asked,
        text(&result.attempts),
        result.total_ms,
        text(&result.overhead_us),
        text(&result.cost_usd),
    );
    if let Some(error) = &result.error {
        line.push_str("  ");
        line.push_str(error);
    }
    line.push('\n');
    line
}

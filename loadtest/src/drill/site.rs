//! What a drill acts upon: a gateway or two, and simulated providers, as processes that can be killed.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::mock::{Behaviour, Latency, Pacing, Reply};

/// The processes of a drill. Everything blocks until it is done.
pub trait Site {
    /// Where gateway number `gateway` serves. `None`: there is no such one.
    fn gateway(&self, gateway: usize) -> Option<SocketAddr>;
    /// Where its admin API is.
    fn admin(&self, gateway: usize) -> Option<SocketAddr>;
    /// The key of clients, which opens everything.
    fn key(&self) -> String;
    /// The key of the admin API.
    fn admin_key(&self) -> String;
    /// Where the simulated provider of that name is steered.
    fn provider(&self, name: &str) -> Option<SocketAddr>;
    /// Whether the gateways keep a cache over a restart.
    fn keeps_cache(&self) -> bool;
    /// The access logs of all gateways.
    fn access_logs(&self) -> Vec<PathBuf>;

    /// A process that has ended and was not asked to: its name and what it said last.
    fn fallen(&mut self) -> Option<String>;

    /// Kills the process of a provider: connections are refused from now on.
    ///
    /// # Errors
    /// There is none of that name.
    fn kill_provider(&mut self, name: &str) -> anyhow::Result<()>;
    /// Starts it again, where it was.
    ///
    /// # Errors
    /// It does not start.
    fn revive_provider(&mut self, name: &str) -> anyhow::Result<()>;

    /// Writes the gateways' config file anew.
    ///
    /// # Errors
    /// It cannot be written.
    fn tune(&mut self, tuning: &Tuning) -> anyhow::Result<()>;
    /// Has a gateway read its config file (SIGHUP).
    ///
    /// # Errors
    /// It does not run.
    fn hang_up(&mut self, gateway: usize) -> anyhow::Result<()>;
    /// Kills a gateway: SIGKILL.
    ///
    /// # Errors
    /// It does not run.
    fn kill_gateway(&mut self, gateway: usize) -> anyhow::Result<()>;
    /// Asks a gateway to end (SIGTERM), and waits until it has. Its exit status, or none where a signal ended it.
    ///
    /// # Errors
    /// It does not end in time.
    fn end_gateway(&mut self, gateway: usize) -> anyhow::Result<Option<i32>>;
    /// Starts a gateway where it was, and waits until it serves.
    ///
    /// # Errors
    /// It does not start.
    fn start_gateway(&mut self, gateway: usize) -> anyhow::Result<()>;
}

/// How the config file differs from that of everyday.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tuning {
    /// This provider's host is a name that nobody can resolve.
    pub nameless: Option<String>,
    /// Makes the file another one, without consequence: a further key, of [`edition_key`]'s name.
    pub edition: u64,
}

/// The name of the key that is in the file of an edition, and in no other one.
pub fn edition_key(edition: u64) -> String {
    format!("tollgate-drill-edition-{edition}")
}

/// What simulated providers do all day: some tens of milliseconds to the first byte, streams of a fifth of a second.
pub fn everyday() -> Behaviour {
    Behaviour {
        latency: Latency::Lognormal {
            median_ms: 30.0,
            sigma: 0.3,
        },
        pacing: Pacing {
            inter_token_ms: 8.0,
            ..Pacing::default()
        },
        reply: Reply {
            tokens: Some(24),
            ..Reply::default()
        },
        ..Behaviour::default()
    }
}

//! Gateways and simulated providers as processes of their own: for measurements, so that what each of them costs can be
//! read, and for drills, so that they can be killed. Dropping one ends it; so does the end of this process.
//!
//! Start them from a thread that lives as long as they should: the kernel ends them with it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use tollgate_loadtest::BehaviourTable;
use tollgate_loadtest::load::stage::{Output, Process, Scratch};

use super::leash::leashed;

/// What a line of `tollgate serve` says before its addresses.
const SERVING: &str = "serving on http://";
const ADMIN: &str = ", admin on http://";
/// What a line of `tollgate mock` says before its address.
const SIMULATED: &str = "simulated providers on http://";

/// A running `tollgate serve`.
#[derive(Debug)]
pub(super) struct GatewayChild {
    /// To signal it, kill it, and wait for its end.
    pub(super) process: Process,
    /// Where it serves.
    pub(super) addr: SocketAddr,
    /// Where its admin API is.
    pub(super) admin: SocketAddr,
}

impl GatewayChild {
    /// Starts `program`, which is a build of this one, with a config file, and waits until it serves. `cores`: where it
    /// runs; empty: anywhere.
    pub(super) fn start(program: &Path, config: &Path, cores: &[usize]) -> anyhow::Result<Self> {
        Self::start_with(program, config, cores, |_| {})
    }

    /// The same; `prepare` may change its environment.
    pub(super) fn start_with(
        program: &Path,
        config: &Path,
        cores: &[usize],
        prepare: impl FnOnce(&mut Command),
    ) -> anyhow::Result<Self> {
        let mut command = leashed(program, cores)?;
        command.arg("serve").arg("--config").arg(config);
        prepare(&mut command);
        let (process, (addr, admin)) =
            Process::start_and_hear("the gateway", &mut command, Output::Error, addresses)?;
        Ok(Self { process, addr, admin })
    }

    /// Up to and without `/v1`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

/// How simulated providers are started.
#[derive(Debug, Clone, Default)]
pub(super) struct MockSetup<'a> {
    /// Where they listen; `None`: on a free port of loopback.
    pub(super) listen: Option<SocketAddr>,
    /// What they do; `None`: they answer at once, and well.
    pub(super) behaviours: Option<BehaviourTable>,
    /// Requests that the journal keeps.
    pub(super) journal: usize,
    /// Where they run; empty: anywhere.
    pub(super) cores: &'a [usize],
}

/// A running `tollgate mock`.
#[derive(Debug)]
pub(super) struct MockChild {
    /// To signal it, kill it, and wait for its end.
    pub(super) process: Process,
    /// Where they listen.
    pub(super) addr: SocketAddr,
}

impl MockChild {
    /// Starts them, and waits until they listen.
    pub(super) fn start(setup: &MockSetup<'_>) -> anyhow::Result<Self> {
        let mut command = leashed(&own()?, setup.cores)?;
        let listen = setup.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
        command.args(["mock", "--listen", &listen.to_string()]);
        command.args(["--journal", &setup.journal.to_string()]);
        // Read before they say that they listen.
        let files = Scratch::new("mock")?;
        if let Some(behaviours) = &setup.behaviours {
            let file = files.path().join("behaviours.json");
            std::fs::write(&file, serde_json::to_vec(behaviours)?)
                .with_context(|| format!("{} cannot be written", file.display()))?;
            command.arg("--behaviours").arg(file);
        }
        let find = |line: &str| line.strip_prefix(SIMULATED)?.parse().ok();
        let (process, addr) =
            Process::start_and_hear("simulated providers", &mut command, Output::Standard, find)?;
        Ok(Self { process, addr })
    }

    /// The base URL of the provider at the root, without a version.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

/// This program's own file.
pub(super) fn own() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("this program's own file")
}

fn addresses(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let (_, rest) = line.split_once(SERVING)?;
    let (addr, admin) = rest.split_once(ADMIN)?;
    Some((addr.parse().ok()?, admin.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_a_gateway_are_found_in_what_it_says() {
        let line = "tollgate: serving on http://127.0.0.1:8080, admin on http://[::1]:8081";
        let (addr, admin) = addresses(line).unwrap();
        assert_eq!((addr.port(), admin.port()), (8080, 8081));
        for other in [
            "",
            "warning: serving on http://",
            "serving on http://x, admin on http://y",
        ] {
            assert_eq!(addresses(other), None, "{other}");
        }
    }
}

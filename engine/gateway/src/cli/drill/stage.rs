//! The processes of a drill: a simulated provider for each provider of a config file, so that one can be killed, and
//! gateways with that file made harmless, started as an operator starts them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tollgate_config::{Drain, Source};
use tollgate_core::Clock;
use tollgate_loadtest::BehaviourTable;
use tollgate_loadtest::drill::{Interrupted, Site, Tuning, everyday};
use tollgate_loadtest::load::stage::{Process, Scratch, Signal};
use tollgate_routing::Board;

use super::super::children::{GatewayChild, MockChild, MockSetup, own};
use super::original::Original;
use super::rewrite::{Stand, keeps_cache, providers, rewritten, variables};

/// Any free port of loopback.
const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// How long a gateway may take to end, beyond the longest drain that its file allows it to take.
const ENDING: Duration = Duration::from_secs(30);
/// How long an address may be taken where a process was that is to come back: anybody may get it for a moment.
const TAKEN: Duration = Duration::from_secs(5);
/// Lines that are told of one that has ended by itself.
const LINES_TOLD: usize = 5;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a killed process may take to be gone.
const GONE: Duration = Duration::from_secs(5);

/// What is to be on the stage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cast {
    pub(super) gateways: usize,
    /// Whether the cache is part of the drill, where the file keeps one.
    pub(super) with_cache: bool,
}

/// Running processes. Dropping it ends them.
pub(super) struct Stage<'a> {
    // In this order: gateways end before their providers, and both before their files go.
    gateways: Vec<Gateway>,
    providers: BTreeMap<String, Provider>,
    original: &'a Original,
    cache: Option<PathBuf>,
    key: String,
    admin_key: String,
    /// What gateways find in their environment: what the file refers to, and nothing else.
    environment: Vec<(String, String)>,
    /// How gateways end.
    drain: Drain,
    /// Ends all waiting once it is true.
    stop: Arc<AtomicBool>,
    files: Scratch,
}

impl Drop for Stage<'_> {
    /// Nobody waits for anything any more: all are killed at once, so that none drains one after the other.
    fn drop(&mut self) {
        let gateways = self.gateways.iter_mut().filter_map(|it| it.child.as_mut());
        let gateways = gateways.map(|it| &mut it.process);
        let providers = self.providers.values_mut().filter_map(|it| it.child.as_mut());
        for process in gateways.chain(providers.map(|it| &mut it.process)) {
            process.signal(Signal::KILL);
        }
    }
}

struct Gateway {
    /// `None`: it does not run.
    child: Option<GatewayChild>,
    listen: SocketAddr,
    admin: SocketAddr,
    config: PathBuf,
    access_log: PathBuf,
    state: Option<PathBuf>,
}

struct Provider {
    /// `None`: it was killed.
    child: Option<MockChild>,
    addr: SocketAddr,
}

/// Why there is no stage.
#[derive(Debug)]
pub(super) enum Unready {
    /// The file cannot be used: its problems, one a line.
    File(String),
    /// Something does not start.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Unready {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl<'a> Stage<'a> {
    pub(super) fn set(original: &'a Original, cast: Cast, stop: &Arc<AtomicBool>) -> Result<Self, Unready> {
        let files = Scratch::new("drill")?;
        let mut simulated = BTreeMap::new();
        for name in providers(&original.document) {
            simulated.insert(name, Provider::start(ANYWHERE)?);
        }
        let cache = (cast.with_cache && keeps_cache(&original.document)).then(|| files.path().join("cache"));
        let mut stage = Self {
            gateways: Vec::new(),
            providers: simulated,
            original,
            cache,
            key: format!("tg-drill-{:032x}", rand::random::<u128>()),
            admin_key: format!("tg-drill-admin-{:032x}", rand::random::<u128>()),
            environment: Vec::new(),
            drain: Drain {
                delay: Duration::ZERO,
                timeout: Duration::ZERO,
            },
            stop: Arc::clone(stop),
            files,
        };
        for number in 0..cast.gateways {
            let gateway = stage.gateway_files(number)?;
            stage.gateways.push(gateway);
        }
        let everyday = Tuning::default();
        stage.write_all(&everyday)?;
        stage.drain = stage.check()?;
        for number in 0..cast.gateways {
            stage.start_gateway(number)?;
        }
        // From now on where they are: they are to come back there.
        stage.write_all(&everyday)?;
        Ok(stage)
    }

    fn gateway_files(&self, number: usize) -> anyhow::Result<Gateway> {
        let path = |name: &str| self.files.path().join(format!("{name}-{}", number + 1));
        let from = self.original.state.as_ref().filter(|it| it.exists());
        let copied = from.map(|from| {
            let to = path("state.json");
            std::fs::copy(from, &to).with_context(|| from.display().to_string())?;
            anyhow::Ok(to)
        });
        Ok(Gateway {
            child: None,
            listen: ANYWHERE,
            admin: ANYWHERE,
            config: self.files.path().join(format!("tollgate-{}.yaml", number + 1)),
            access_log: path("access.log"),
            state: copied.transpose()?,
        })
    }

    fn write_all(&mut self, tuning: &Tuning) -> anyhow::Result<()> {
        let addrs = self
            .providers
            .iter()
            .map(|(name, it)| (name.clone(), it.addr))
            .collect();
        for gateway in &self.gateways {
            let config = rewritten(
                &self.original.document,
                &Stand {
                    providers: &addrs,
                    listen: gateway.listen,
                    admin: gateway.admin,
                    access_log: &gateway.access_log,
                    state: gateway.state.as_deref(),
                    cache: self.cache.as_deref(),
                    key: &self.key,
                    admin_key: &self.admin_key,
                    tuning,
                },
            );
            let names = variables(&config).into_iter();
            let found = names.filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)));
            self.environment = found.collect();
            // JSON is YAML. Whole or not at all: a gateway may be reading it.
            replace(&gateway.config, &serde_json::to_string_pretty(&config)?)?;
        }
        Ok(())
    }

    /// Whether a gateway can use the file, and how it ends with it.
    fn check(&self) -> Result<Drain, Unready> {
        let gateway = self.gateways.first().context("no gateway")?;
        let env = |name: &str| {
            let found = self.environment.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        tollgate_config::load(Source::File(&gateway.config), &env, 1, &Board::default())
            .map(|settings| settings.server.drain)
            .map_err(|problems| Unready::File(self.original.blamed(&problems)))
    }

    /// Waits for the end of a gateway, as long as it may take to drain.
    fn drained(&mut self, gateway: usize) -> anyhow::Result<ExitStatus> {
        let at_most = ENDING + self.drain.delay + self.drain.timeout;
        let stop = Arc::clone(&self.stop);
        let process = &mut self.running(gateway)?.process;
        process.signal(Signal::TERM);
        let begun = Clock.now();
        loop {
            if let Some(status) = process.wait(LOOK_EVERY) {
                return Ok(status);
            }
            anyhow::ensure!(!stop.load(Ordering::Relaxed), Interrupted);
            let lasted = Clock.now().saturating_duration_since(begun);
            anyhow::ensure!(
                lasted < at_most,
                "gateway {} has not ended after {lasted:?}",
                gateway + 1
            );
        }
    }

    fn gateway_mut(&mut self, number: usize) -> anyhow::Result<&mut Gateway> {
        self.gateways
            .get_mut(number)
            .with_context(|| format!("no gateway {}", number + 1))
    }

    fn running(&mut self, number: usize) -> anyhow::Result<&mut GatewayChild> {
        let gateway = self.gateway_mut(number)?;
        gateway
            .child
            .as_mut()
            .with_context(|| format!("gateway {} does not run", number + 1))
    }

    fn provider_mut(&mut self, name: &str) -> anyhow::Result<&mut Provider> {
        self.providers
            .get_mut(name)
            .with_context(|| format!("no provider '{name}'"))
    }
}

impl Provider {
    fn start(listen: SocketAddr) -> anyhow::Result<Self> {
        let behaviours = BehaviourTable {
            default: everyday(),
            models: BTreeMap::new(),
        };
        let child = MockChild::start(&MockSetup {
            listen: Some(listen),
            behaviours: Some(behaviours),
            ..MockSetup::default()
        })?;
        Ok(Self {
            addr: child.addr,
            child: Some(child),
        })
    }
}

/// Starts a process again where it was, as soon as nobody else has its address.
fn again<T>(start: impl Fn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let begun = Clock.now();
    loop {
        match start() {
            Err(_taken) if Clock.now().saturating_duration_since(begun) < TAKEN => {
                std::thread::sleep(LOOK_EVERY);
            }
            ended => return ended,
        }
    }
}

fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let new = path.with_extension("new");
    let written = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, path));
    written.with_context(|| format!("{} cannot be written", path.display()))
}

impl Site for Stage<'_> {
    fn gateway(&self, gateway: usize) -> Option<SocketAddr> {
        self.gateways.get(gateway).map(|it| it.listen)
    }

    fn admin(&self, gateway: usize) -> Option<SocketAddr> {
        self.gateways.get(gateway).map(|it| it.admin)
    }

    fn key(&self) -> String {
        self.key.clone()
    }

    fn admin_key(&self) -> String {
        self.admin_key.clone()
    }

    fn provider(&self, name: &str) -> Option<SocketAddr> {
        self.providers.get(name).map(|it| it.addr)
    }

    fn keeps_cache(&self) -> bool {
        self.cache.is_some()
    }

    fn access_logs(&self) -> Vec<PathBuf> {
        self.gateways.iter().map(|it| it.access_log.clone()).collect()
    }

    fn fallen(&mut self) -> Option<String> {
        let fallen = |name: String, process: &mut Process| {
            let status = process.wait(Duration::ZERO)?;
            let said = process.said();
            let last = said.lines().rev().take(LINES_TOLD).collect::<Vec<_>>();
            let told = last.into_iter().rev().collect::<Vec<_>>().join("\n");
            Some(format!(
                "{name} has ended by itself ({status}); its last words:\n{told}"
            ))
        };
        let mut gateways = (1..).zip(&mut self.gateways);
        let gateway = gateways
            .find_map(|(number, it)| fallen(format!("gateway {number}"), &mut it.child.as_mut()?.process));
        gateway.or_else(|| {
            let mut providers = self.providers.iter_mut();
            providers.find_map(|(name, it)| {
                fallen(
                    format!("the simulated provider {name}"),
                    &mut it.child.as_mut()?.process,
                )
            })
        })
    }

    fn kill_provider(&mut self, name: &str) -> anyhow::Result<()> {
        let child = self.provider_mut(name)?.child.take();
        let mut child = child.with_context(|| format!("provider '{name}' does not run"))?;
        child.process.signal(Signal::KILL);
        child.process.wait(GONE);
        Ok(())
    }

    fn revive_provider(&mut self, name: &str) -> anyhow::Result<()> {
        let provider = self.provider_mut(name)?;
        if provider.child.is_none() {
            *provider = again(|| Provider::start(provider.addr))?;
        }
        Ok(())
    }

    fn tune(&mut self, tuning: &Tuning) -> anyhow::Result<()> {
        self.write_all(tuning)
    }

    fn hang_up(&mut self, gateway: usize) -> anyhow::Result<()> {
        let told = self.running(gateway)?.process.signal(Signal::HUP);
        anyhow::ensure!(told, "gateway {} has ended by itself", gateway + 1);
        Ok(())
    }

    fn kill_gateway(&mut self, gateway: usize) -> anyhow::Result<()> {
        let process = &mut self.running(gateway)?.process;
        process.signal(Signal::KILL);
        process.wait(GONE).context("a killed process does not end")?;
        self.gateway_mut(gateway)?.child = None;
        Ok(())
    }

    fn end_gateway(&mut self, gateway: usize) -> anyhow::Result<Option<i32>> {
        let status = self.drained(gateway)?;
        self.gateway_mut(gateway)?.child = None;
        Ok(status.code())
    }

    fn start_gateway(&mut self, gateway: usize) -> anyhow::Result<()> {
        let environment = self.environment.clone();
        let it = self.gateway_mut(gateway)?;
        let start = || {
            GatewayChild::start_with(&own()?, &it.config, &[], |command| {
                command.env_clear().envs(environment.clone());
            })
        };
        let child = if it.listen == ANYWHERE {
            start()
        } else {
            again(start)
        }?;
        (it.listen, it.admin) = (child.addr, child.admin);
        it.child = Some(child);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_start_at_once_is_started_again() {
        let tries = std::cell::Cell::new(0);
        let started = again(|| {
            tries.set(tries.get() + 1);
            anyhow::ensure!(tries.get() > 2, "taken");
            Ok(tries.get())
        });
        assert_eq!(started.unwrap(), 3);
    }
}

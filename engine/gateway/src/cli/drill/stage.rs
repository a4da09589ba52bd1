//! The processes of a drill: a simulated provider for each provider of a config file, so that one can be killed, and
//! gateways with that file made harmless, started as an operator starts them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tollgate_config::{Problems, Source};
use tollgate_loadtest::BehaviourTable;
use tollgate_loadtest::drill::{Site, Tuning, everyday};
use tollgate_loadtest::load::stage::{Scratch, Signal};
use tollgate_routing::Board;

use super::super::children::{GatewayChild, MockChild, MockSetup, own};
use super::rewrite::{Stand, keeps_cache, providers, rewritten, state, variables};

/// Any free port of loopback.
const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// How long a gateway may take to end, beyond the longest drain that its file allows it to take.
const ENDING: Duration = Duration::from_secs(120);
/// How long a killed process may take to be gone.
const GONE: Duration = Duration::from_secs(5);

/// A config file, as it was written.
#[derive(Debug)]
pub(super) struct Original {
    pub(super) document: Value,
    /// What it refers to is found from there.
    pub(super) folder: PathBuf,
}

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
    files: Scratch,
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
    /// The file cannot be used.
    File(Problems),
    /// Something does not start.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Unready {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl<'a> Stage<'a> {
    pub(super) fn set(original: &'a Original, cast: Cast) -> Result<Self, Unready> {
        let files = Scratch::new("drill")?;
        let mut simulated = BTreeMap::new();
        for name in providers(&original.document) {
            simulated.insert(name, Provider::start(None)?);
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
            files,
        };
        for number in 0..cast.gateways {
            let gateway = stage.gateway_files(number)?;
            stage.gateways.push(gateway);
        }
        let everyday = Tuning::default();
        stage.write_all(&everyday)?;
        stage.check()?;
        for number in 0..cast.gateways {
            stage.start_gateway(number)?;
        }
        // From now on where they are: they are to come back there.
        stage.write_all(&everyday)?;
        Ok(stage)
    }

    fn gateway_files(&self, number: usize) -> anyhow::Result<Gateway> {
        let path = |name: &str| self.files.path().join(format!("{name}-{}", number + 1));
        let from = state(&self.original.document).map(|it| self.original.folder.join(it));
        let from = from.filter(|it| it.exists());
        let copied = from.map(|from| {
            let to = path("state.json");
            std::fs::copy(&from, &to).with_context(|| from.display().to_string())?;
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
                    folder: &self.original.folder,
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

    /// Whether a gateway can use the file.
    fn check(&self) -> Result<(), Unready> {
        let Some(gateway) = self.gateways.first() else {
            return Ok(());
        };
        let env = |name: &str| {
            let found = self.environment.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        tollgate_config::load(Source::File(&gateway.config), &env, 1, &Board::default())
            .map(drop)
            .map_err(Unready::File)
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
    /// On a free port, or where it was.
    fn start(listen: Option<SocketAddr>) -> anyhow::Result<Self> {
        let behaviours = BehaviourTable {
            default: everyday(),
            models: BTreeMap::new(),
        };
        let child = MockChild::start(&MockSetup {
            listen,
            behaviours: Some(behaviours),
            ..MockSetup::default()
        })?;
        Ok(Self {
            addr: child.addr,
            child: Some(child),
        })
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
            *provider = Provider::start(Some(provider.addr))?;
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
        let process = &mut self.running(gateway)?.process;
        process.signal(Signal::TERM);
        let status = process.wait(ENDING).context("the gateway does not end")?;
        self.gateway_mut(gateway)?.child = None;
        Ok(status.code())
    }

    fn start_gateway(&mut self, gateway: usize) -> anyhow::Result<()> {
        let environment = self.environment.clone();
        let it = self.gateway_mut(gateway)?;
        let child = GatewayChild::start_with(&own()?, &it.config, &[], |command| {
            command.env_clear().envs(environment);
        })?;
        (it.listen, it.admin) = (child.addr, child.admin);
        it.child = Some(child);
        Ok(())
    }
}

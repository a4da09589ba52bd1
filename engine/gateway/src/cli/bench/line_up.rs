//! Who is loaded: the server under test, and what it is set beside. All of it is there before the first request, and
//! gone with the value.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tollgate_loadtest::load::stage::Nginx;
use tollgate_loadtest::load::{Contestant, Protocol, Scenario, Secret, check_url};

use super::super::{children, cores, leash};
use super::own::Own;

/// Files that a process has open besides its connections.
const OTHER_FILES: u64 = 200;
/// How long an address of an upstream may take to answer where it has several.
const SOON: Duration = Duration::from_secs(1);

/// What is loaded.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is loaded")]
pub(super) struct Asked {
    /// Load this server instead, up to and without `/v1`. Any OpenAI-compatible one will do.
    #[arg(long)]
    url: Option<String>,
    /// The server's process, to read its CPU time and memory.
    #[arg(long, requires = "url")]
    pid: Option<u32>,
    /// Set all baselines beside the server, round by round: --direct and --nginx.
    #[arg(long)]
    baselines: bool,
    /// Load the upstream as well: what the server adds to it is told. Without --url, that is the simulated provider.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    direct: Option<String>,
    /// Send this key to the upstream, instead of the server's.
    #[arg(
        long,
        value_name = "KEY",
        env = "TOLLGATE_BENCH_DIRECT_KEY",
        hide_env_values = true
    )]
    direct_key: Option<String>,
    /// Ask the upstream for this model, instead of the server's.
    #[arg(long, value_name = "MODEL")]
    direct_model: Option<String>,
    /// Load a plain nginx proxy in front of that upstream as well.
    #[arg(long)]
    nginx: bool,
    /// Workers of the gateway that is started where no URL is given.
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "url")]
    workers: usize,
    /// Give the server that is loaded cores of its own, and everything else the others: ratios get steadier.
    #[arg(long, conflicts_with = "url")]
    pin: bool,
}

/// The contestants, and the processes behind them.
pub(super) struct LineUp {
    pub(super) contestants: Vec<Contestant>,
    /// What was asked for and is not there, and why.
    pub(super) skipped: Vec<String>,
    /// Cores that all of this may run on.
    pub(super) cores: usize,
    // In this order: what stands in front ends before what it passes on to.
    _nginx: Option<Nginx>,
    _own: Option<Own>,
}

/// Why there is nothing to load.
pub(super) enum Failure {
    /// Arguments that cannot be used.
    Arguments(String),
    /// Something did not start.
    Start(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Start(error)
    }
}

/// Cores for the server that is loaded, and for everything else. Empty: any.
#[derive(Debug, Default, PartialEq, Eq)]
struct Places {
    server: Vec<usize>,
    rest: Vec<usize>,
}

impl Places {
    /// As they are, or divided where `pin` says so.
    fn of(cores: &[usize], workers: usize, pin: bool) -> Result<Self, Failure> {
        if !pin {
            return Ok(Self::default());
        }
        Self::divide(cores, workers).ok_or_else(|| {
            Failure::Arguments(format!(
                "--pin: {} workers and everything else need more cores than the {} there are",
                workers.max(1),
                cores.len()
            ))
        })
    }

    /// The first cores are the server's. `None`: none would be left.
    fn divide(cores: &[usize], workers: usize) -> Option<Self> {
        let (server, rest) = cores.split_at_checked(workers.max(1))?;
        (!rest.is_empty()).then(|| Self {
            server: server.to_vec(),
            rest: rest.to_vec(),
        })
    }
}

impl Asked {
    /// Starts what the scenario needs and the arguments ask for.
    pub(super) fn line_up(&self, scenario: &Scenario) -> Result<LineUp, Failure> {
        let url = self.url.clone().or_else(|| scenario.url.clone());
        let upstream = self.direct.as_ref().filter(|url| !url.is_empty());
        for url in [&url, &upstream.cloned()].into_iter().flatten() {
            check_url(url).map_err(|wrong| Failure::Arguments(format!("{wrong:#}")))?;
        }
        if self.direct_model.is_some() && !(self.baselines || self.nginx || self.direct.is_some()) {
            let wrong = "--direct-model: expected with --direct, --nginx or --baselines";
            return Err(Failure::Arguments(wrong.to_owned()));
        }
        let cores = cores::allowed();
        let places = Places::of(&cores, self.workers, self.pin)?;
        let allowed = files_for(scenario)?;
        let own = match &url {
            Some(_) => None,
            None => Some(Own::start(
                &[&children::own()?],
                self.workers,
                &places.server,
                &places.rest,
            )?),
        };
        // Threads that send are started later, and stay there too.
        cores::stay_on(&places.rest)?;
        let direct = match self.direct.as_deref() {
            Some("") | None => own.as_ref().map(Own::direct),
            Some(url) => Some(contestant("direct", url, None)),
        };
        let direct = direct.map(|it| self.as_upstream(it));
        let tested = match (url, &own) {
            (Some(url), _) => contestant("server", &url, self.pid),
            (None, own) => own
                .iter()
                .flat_map(Own::contestants)
                .next()
                .context("neither a URL nor a gateway")?,
        };
        let mut contestants = vec![tested];
        let mut skipped = Vec::new();
        if self.baselines || self.direct.is_some() {
            let Some(direct) = direct.clone() else {
                let wrong = "which upstream does that server have? Expected --direct http://HOST:PORT";
                return Err(Failure::Arguments(wrong.to_owned()));
            };
            contestants.push(direct);
        }
        let mut nginx = None;
        if self.baselines || self.nginx {
            match start_nginx(direct.as_ref(), scenario, &places.server, allowed) {
                Ok(started) => {
                    let nginx_itself = contestant("nginx", &started.url(), Some(started.pid()));
                    // What it passes on is the upstream's.
                    contestants.push(self.as_upstream(nginx_itself));
                    nginx = Some(started);
                }
                Err(why) => skipped.push(format!("nginx: {why:#}")),
            }
        }
        Ok(LineUp {
            contestants,
            skipped,
            cores: cores.len(),
            _nginx: nginx,
            _own: own,
        })
    }
}

impl Asked {
    /// Asked as the upstream is to be asked.
    fn as_upstream(&self, contestant: Contestant) -> Contestant {
        Contestant {
            key: self.direct_key.clone().map(Secret),
            model: self.direct_model.clone(),
            ..contestant
        }
    }
}

/// A server that is compared to another.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// It runs somewhere.
    Url(String),
    /// A build of this program, which is started.
    Program(PathBuf),
}

/// Two servers, side by side. Programs have `workers` each, and stand in front of the same simulated providers.
pub(super) fn side_by_side(
    servers: [&Server; 2],
    workers: usize,
    pin: bool,
    scenario: &Scenario,
) -> Result<LineUp, Failure> {
    let cores = cores::allowed();
    let places = Places::of(&cores, workers, pin)?;
    files_for(scenario)?;
    let programs = servers.into_iter().filter_map(|it| match it {
        Server::Program(path) => Some(path.as_path()),
        Server::Url(_) => None,
    });
    let programs: Vec<_> = programs.collect();
    let own = if programs.is_empty() {
        None
    } else {
        Some(Own::start(&programs, workers, &places.server, &places.rest)?)
    };
    cores::stay_on(&places.rest)?;
    let mut started = own.iter().flat_map(Own::contestants);
    let contestants = ["first", "second"]
        .into_iter()
        .zip(servers)
        .filter_map(|(name, server)| match server {
            Server::Url(url) => Some(contestant(name, url, None)),
            Server::Program(_) => started.next().map(|it| Contestant {
                name: name.to_owned(),
                ..it
            }),
        })
        .collect();
    drop(started);
    Ok(LineUp {
        contestants,
        skipped: Vec::new(),
        cores: cores.len(),
        _nginx: None,
        _own: own,
    })
}

fn contestant(name: &str, url: &str, pid: Option<u32>) -> Contestant {
    Contestant {
        name: name.to_owned(),
        url: url.to_owned(),
        pid,
        ..Contestant::default()
    }
}

/// Raises the limit of open files as far as it may be, and says what is allowed.
fn files_for(scenario: &Scenario) -> Result<u64, Failure> {
    let (ours, proxys) = files_needed(scenario);
    let allowed = super::super::files::raise(proxys);
    if allowed < ours {
        return Err(Failure::Arguments(format!(
            "{} requests under way need {ours} open files, allowed are {allowed}: raise the limit (ulimit -n), or send \
             fewer",
            scenario.outstanding,
        )));
    }
    Ok(allowed)
}

/// Files that we need, with a connection for each request under way, and that a proxy needs, with two.
fn files_needed(scenario: &Scenario) -> (u64, u64) {
    let connections = match scenario.protocol {
        Protocol::Http1 => scenario.outstanding.max(scenario.connections),
        Protocol::Http2 => scenario.connections,
    };
    let connections = u64::try_from(connections).unwrap_or(u64::MAX / 4);
    (connections + OTHER_FILES, connections * 2 + OTHER_FILES)
}

fn start_nginx(
    upstream: Option<&Contestant>,
    scenario: &Scenario,
    cores: &[usize],
    files_allowed: u64,
) -> anyhow::Result<Nginx> {
    let program = Nginx::find().context("not on the PATH, nor where it is usually installed")?;
    anyhow::ensure!(
        scenario.protocol == Protocol::Http1,
        "this baseline is for HTTP/1.1"
    );
    let (_, needed) = files_needed(scenario);
    anyhow::ensure!(
        files_allowed >= needed,
        "it needs {needed} open files, allowed are {files_allowed}: raise the limit (ulimit -n)"
    );
    let upstream = upstream.and_then(|it| address(&it.url));
    let upstream =
        upstream.context("--direct does not say which upstream: expected http://HOST:PORT without a path")?;
    let streams = scenario.requests.iter().any(|(kind, _)| kind.stream > 0.0);
    Nginx::start(
        leash::leashed(&program, cores)?,
        upstream,
        streams,
        scenario.outstanding,
    )
}

/// Of a host with several addresses: the first that somebody listens on, or else the first.
fn address(url: &str) -> Option<SocketAddr> {
    let address = url.strip_prefix("http://")?.trim_end_matches('/');
    let all: Vec<_> = address.to_socket_addrs().ok()?.collect();
    let listens = |addr: &&SocketAddr| TcpStream::connect_timeout(addr, SOON).is_ok();
    all.iter().find(listens).or(all.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_are_put_behind_nginx() {
        assert_eq!(address("http://127.0.0.1:80/").map(|it| it.port()), Some(80));
        assert!(address("http://localhost:81").is_some_and(|it| it.ip().is_loopback()));
        for other in [
            "https://127.0.0.1:80",
            "http://127.0.0.1:80/p/x",
            "http://127.0.0.1",
            "",
        ] {
            assert_eq!(address(other), None, "{other}");
        }
    }

    #[test]
    fn the_server_has_cores_of_its_own_where_there_are_enough() {
        let places = Places::divide(&[0, 2, 5], 2).unwrap();
        assert_eq!((places.server, places.rest), (vec![0, 2], vec![5]));
        assert_eq!(Places::divide(&[0, 1], 2), None);
        assert_eq!(Places::divide(&[0], 4), None);
        assert_eq!(Places::divide(&[0, 1], 0).unwrap().server, [0]);
    }
}

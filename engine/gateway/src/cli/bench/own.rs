//! The gateway that is loaded where no URL is given: a process of its own, so that its CPU time and memory can be
//! told from the generator's, in front of simulated providers.

use std::process::Command;

use anyhow::Context as _;
use tollgate_loadtest::load::Contestant;
use tollgate_loadtest::load::stage::{Process, Scratch};
use tollgate_loadtest::{Behaviour, MockOptions, MockServer, Pacing, Reply};

/// What a line of `tollgate serve` says before its address.
const SERVING: &str = "serving on ";

/// A gateway with all that it needs. Dropping it ends the process.
pub(super) struct Own {
    // In this order: the gateway ends before its upstream and its files go.
    gateway: Process,
    url: String,
    mock: MockServer,
    _files: Scratch,
}

impl Own {
    pub(super) fn start(workers: usize) -> anyhow::Result<Self> {
        let mock = start_mock()?;
        let files = Scratch::new("gateway")?;
        let config = files.path().join("tollgate.yaml");
        let access_log = files.path().join("access.log");
        let text = include_str!("../bench.yaml")
            .replace("{mock}", &mock.addr().to_string())
            .replace("{workers}", &workers.max(1).to_string())
            .replace("{access_log}", &access_log.display().to_string());
        std::fs::write(&config, text).with_context(|| format!("{} cannot be written", config.display()))?;
        let program = std::env::current_exe().context("this program's own file")?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(&config);
        let address = |line: &str| {
            let (_, rest) = line.split_once(SERVING)?;
            rest.split(',').next().map(str::to_owned)
        };
        let (gateway, url) = Process::start_and_hear("the gateway", &mut command, address)?;
        Ok(Self {
            gateway,
            url,
            mock,
            _files: files,
        })
    }

    pub(super) fn contestant(&self) -> Contestant {
        Contestant {
            name: "tollgate".to_owned(),
            url: self.url.clone(),
            pid: Some(self.gateway.pid()),
        }
    }

    /// The URL of the simulated provider.
    pub(super) fn direct(&self) -> String {
        self.mock.url()
    }
}

/// Providers that answer at once, and one model whose streams are long and paced.
fn start_mock() -> anyhow::Result<MockServer> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let options = MockOptions {
        journal_capacity: 0,
        ..MockOptions::default()
    };
    let mock = runtime.block_on(MockServer::start(options))?;
    let paced = Behaviour {
        pacing: Pacing {
            inter_token_ms: 5.0,
            ..Pacing::default()
        },
        reply: Reply {
            tokens: Some(64),
            ..Reply::default()
        },
        ..Behaviour::default()
    };
    let set = mock.control().set("stream", paced);
    set.map_err(|problems| anyhow::anyhow!("the behaviour of simulated streams: {problems:?}"))?;
    Ok(mock)
}

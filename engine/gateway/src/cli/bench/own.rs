//! The gateways that are loaded where no URL is given, in front of simulated providers: each a process of its own, so that
//! what each of them costs can be told from what the generator costs.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use tollgate_loadtest::load::Contestant;
use tollgate_loadtest::load::stage::Scratch;
use tollgate_loadtest::{Behaviour, BehaviourTable, Failure, Pacing, Reply};

use super::super::children::{GatewayChild, MockChild, MockSetup};

/// Gateways with all that they need. Dropping it ends the processes.
pub(super) struct Own {
    // In this order: a gateway ends before its upstream and its files go.
    gateways: Vec<GatewayChild>,
    mock: MockChild,
    _files: Scratch,
}

impl Own {
    /// A gateway of each program. Gateways run on the cores of `server`, the providers on those of `rest`; empty: anywhere.
    pub(super) fn start(
        programs: &[&Path],
        workers: usize,
        server: &[usize],
        rest: &[usize],
    ) -> anyhow::Result<Self> {
        let mock = MockChild::start(&MockSetup {
            behaviours: Some(behaviours()),
            cores: rest,
            ..MockSetup::default()
        })?;
        let files = Scratch::new("gateway")?;
        let mut gateways = Vec::new();
        for (number, program) in programs.iter().enumerate() {
            let config = files.path().join(format!("tollgate-{number}.yaml"));
            let access_log = files.path().join(format!("access-{number}.log"));
            let text = include_str!("../bench.yaml")
                .replace("{mock}", &mock.addr.to_string())
                .replace("{workers}", &workers.max(1).to_string())
                .replace("{access_log}", &access_log.display().to_string());
            std::fs::write(&config, text)
                .with_context(|| format!("{} cannot be written", config.display()))?;
            gateways.push(GatewayChild::start(program, &config, server)?);
        }
        Ok(Self {
            gateways,
            mock,
            _files: files,
        })
    }

    /// One for each gateway, in their order.
    pub(super) fn contestants(&self) -> impl Iterator<Item = Contestant> {
        self.gateways.iter().map(|it| Contestant {
            name: "tollgate".to_owned(),
            url: it.url(),
            pid: Some(it.process.pid()),
            ..Contestant::default()
        })
    }

    /// The simulated provider itself.
    pub(super) fn direct(&self) -> Contestant {
        Contestant {
            name: "direct".to_owned(),
            url: self.mock.url(),
            pid: Some(self.mock.process.pid()),
            ..Contestant::default()
        }
    }
}

/// Providers that answer at once, two models whose streams are paced: many chunks soon, or a chunk now and then, and one
/// that fails three times of ten.
fn behaviours() -> BehaviourTable {
    let paced = |tokens, inter_token_ms| Behaviour {
        pacing: Pacing {
            inter_token_ms,
            ..Pacing::default()
        },
        reply: Reply {
            tokens: Some(tokens),
            ..Reply::default()
        },
        ..Behaviour::default()
    };
    let flaky = Behaviour {
        failure: Some(Failure {
            status: 500,
            ..Failure::default()
        }),
        fail_ratio: Some(0.3),
        ..Behaviour::default()
    };
    BehaviourTable {
        default: Behaviour::default(),
        models: BTreeMap::from([
            ("flaky".to_owned(), flaky),
            ("stream".to_owned(), paced(64, 5.0)),
            ("slow".to_owned(), paced(40, 1000.0)),
        ]),
    }
}

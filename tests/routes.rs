//! What the tests of routing share: behaviours by a few words, many requests at once, the admin API.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tollgate_loadtest::{Behaviour, Failure, Fault, FaultKind, FaultPoint, Latency};

use crate::{BEARER, Response, Stack, Wire, chat, get, post};

/// Answers with this status instead.
pub fn failing(status: u16) -> Behaviour {
    let failure = Failure {
        status,
        ..Failure::default()
    };
    Behaviour {
        failure: Some(failure),
        ..Behaviour::default()
    }
}

/// Answers after this long.
pub fn slow(ms: f64) -> Behaviour {
    Behaviour {
        latency: Latency::Fixed { ms },
        ..Behaviour::default()
    }
}

/// Breaks like this, there.
pub fn broken(kind: FaultKind, at: FaultPoint) -> Behaviour {
    Behaviour {
        fault: Some(Fault { kind, at }),
        ..Behaviour::default()
    }
}

impl Stack {
    /// Sets what a simulated provider's models do.
    pub fn set(&self, provider: &str, does: Behaviour) {
        let key = format!("{provider}/*");
        self.mock.control().set(&key, does).unwrap();
    }

    /// How many requests a simulated provider has received.
    pub fn asked(&self, provider: &str) -> usize {
        let stats = self.mock.control().stats();
        let prefix = format!("{provider}/");
        let of = stats.models.iter().filter(|(name, _)| name.starts_with(&prefix));
        of.map(|(_, model)| usize::try_from(model.requests).unwrap())
            .sum()
    }

    /// So many chats for `model`, `at_once` at a time: who answered each, in the order of their ends.
    pub async fn many(&self, model: &str, count: usize, at_once: usize) -> Vec<Option<String>> {
        let lanes = (0..at_once).map(|lane| {
            let (addr, body) = (self.addr, chat(model));
            let mine = (count + at_once - 1 - lane) / at_once;
            tokio::spawn(async move {
                let mut wire = Wire::connect(addr).await;
                let mut served = Vec::with_capacity(mine);
                for _ in 0..mine {
                    wire.post("/v1/chat/completions", &[BEARER], &body).await;
                    let response = wire.response().await;
                    let provider = response.header("x-tollgate-provider").map(str::to_owned);
                    served.push(provider.filter(|_| response.status == 200));
                }
                served
            })
        });
        let lanes: Vec<_> = lanes.collect();
        let mut served = Vec::new();
        for lane in lanes {
            served.extend(lane.await.unwrap());
        }
        served
    }

    /// A chat with further headers, read to the end of its answer.
    pub async fn chat_with(&self, body: &str, headers: &[(&str, &str)]) -> Response {
        let mut all = vec![BEARER];
        all.extend_from_slice(headers);
        post(self.addr, "/v1/chat/completions", &all, body).await
    }

    /// A GET of the admin API, as JSON.
    pub async fn admin_get(&self, path: &str) -> Value {
        let response = get(self.admin, path, &[]).await;
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        response.json()
    }

    /// A request to the admin API with a JSON body.
    pub async fn admin_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Response {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        let mut wire = Wire::connect(self.admin).await;
        wire.send(method, path, &all, body.to_string().as_bytes()).await;
        wire.response().await
    }

    /// The state of a target's breaker, as the admin API has it.
    pub async fn breaker(&self, target: &str) -> String {
        let status = self.admin_get("/status").await;
        status["breakers"][target].as_str().unwrap_or("-").to_owned()
    }

    /// Waits until a target's breaker is in this state.
    pub async fn breaker_is(&self, target: &str, state: &str, within: Duration) {
        let deadline = std::time::Instant::now() + within;
        loop {
            let found = self.breaker(target).await;
            if found == state {
                return;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "{target} is {found}, not {state} within {within:?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Response {
    /// The code of an error in OpenAI's dialect; `-`: there is none.
    pub fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["error"]["code"].as_str().unwrap_or("-").to_owned()
    }
}

/// How many of `served` fell to each; errors under `-`.
pub fn tally(served: &[Option<String>]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for provider in served {
        *counts
            .entry(provider.clone().unwrap_or_else(|| "-".to_owned()))
            .or_default() += 1;
    }
    counts
}

//! Asking a provider for signs of life: a GET of something that costs nothing.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use tollgate_actors::{ProbeResult, Prober};
use tollgate_core::OutcomeClass;
use tollgate_routing::Provider;
use tollgate_telemetry::Meters;

use crate::stages::attempt::request::probe_request;
use crate::upstream::{Connector, Upstream};

/// Sends probes over connections of their own: whether a new connection can be had is part of the question.
pub(crate) struct HttpProber(pub(crate) Meters);

impl Prober for HttpProber {
    fn probe(&self, provider: Arc<Provider>) -> LocalBoxFuture<'static, ProbeResult> {
        let (meters, counted) = (self.0.clone(), self.0.clone());
        async move {
            let Some(probe) = &provider.probe else {
                return ProbeResult::Alive;
            };
            let upstream = Upstream::new(Connector::from_env(meters));
            let ask = ask(&upstream, &provider, &probe.path);
            let timed = tokio::time::timeout(probe.timeout, ask).await;
            let result = timed.unwrap_or(ProbeResult::Failed(OutcomeClass::FirstByteTimeout));
            counted.probed(&provider.name, class_of(result));
            result
        }
        .boxed_local()
    }
}

fn class_of(result: ProbeResult) -> OutcomeClass {
    match result {
        ProbeResult::Alive => OutcomeClass::Success,
        ProbeResult::Failed(class) => class,
    }
}

async fn ask(upstream: &Upstream, provider: &Provider, path: &str) -> ProbeResult {
    let Ok(request) = probe_request(provider, path) else {
        return ProbeResult::Failed(OutcomeClass::InvalidRequest);
    };
    match upstream.send(provider, request).await {
        // A front end that says it cannot reach the provider is not the provider.
        Ok(answer) if matches!(answer.response.status().as_u16(), 502..=504) => {
            ProbeResult::Failed(OutcomeClass::Overloaded)
        }
        Ok(_) => ProbeResult::Alive,
        Err(error) => ProbeResult::Failed(error.class()),
    }
}

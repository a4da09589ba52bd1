//! Health, fed through the ring as workers feed it.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use tollgate_core::OutcomeClass;
use tollgate_routing::{Ended, GateMode};

use super::*;
use crate::testing::{CONFIG, Crew, ended, until};

#[actix_rt::test]
async fn what_workers_see_is_published_to_the_cell() {
    let crew = Crew::of(CONFIG, None);
    let cell = crew.cell("a", "m1");
    let success = Ended {
        ttft_us: Some(40_000),
        streamed: true,
        total_us: 90_000,
        output_tokens: 11,
        ..ended(OutcomeClass::Success)
    };
    crew.admit("a", "m1")
        .ended(Clock.moment() + Duration::from_secs(1), success);
    until(|| cell.vitals(Clock.moment()).samples == 1).await;
    crew.see("a", "m1", OutcomeClass::ServerError, 1);
    until(|| cell.vitals(Clock.moment()).samples == 2).await;
    let vitals = cell.vitals(Clock.moment());
    assert!((vitals.error_ratio - 0.5).abs() < 1e-6);
    assert_eq!(crew.cell("b", "m2").vitals(Clock.moment()).samples, 0);
}

#[actix_rt::test]
async fn a_first_token_is_seen_before_its_stream_ends() {
    let crew = Crew::of(CONFIG, None);
    let (cell, permit) = (crew.cell("a", "m1"), crew.admit("a", "m1"));
    permit.first_token(Clock.moment(), 30_000);
    until(|| cell.vitals(Clock.moment()).ttft_us.is_some()).await;
    let ttft = cell.vitals(Clock.moment()).ttft_us.unwrap();
    assert!((ttft - 30_000.0).abs() < 1.0, "{ttft}");
    assert_eq!(cell.in_flight(), 1);
}

#[actix_rt::test]
async fn a_ring_full_of_outcomes_is_drained_in_batches() {
    let crew = Crew::of(CONFIG, None);
    let (cell, posted) = (crew.cell("a", "m1"), BATCH * 2 + 17);
    crew.see("a", "m1", OutcomeClass::Success, posted);
    until(|| cell.vitals(Clock.moment()).samples as usize == posted).await;
    crew.see("a", "m1", OutcomeClass::Success, 1);
    until(|| cell.vitals(Clock.moment()).samples as usize == posted + 1).await;
}

#[actix_rt::test]
async fn a_report_names_targets_and_counts_outcomes() {
    let crew = Crew::of(CONFIG, None);
    crew.see("a", "m3", OutcomeClass::RateLimited, 2);
    let cell = crew.cell("a", "m3");
    let mut reports = crew.roster.health().await;
    for _ in 0..1_000 {
        if !reports[1].health.outcomes.is_empty() {
            break;
        }
        actix_rt::time::sleep(Duration::from_millis(1)).await;
        reports = crew.roster.health().await;
    }
    let names: Vec<&str> = reports.iter().map(|it| &*it.target).collect();
    assert_eq!(names, ["a/m1", "a/m3", "b/m2"]);
    assert_eq!(reports[1].health.outcomes.get("rate_limited"), Some(&2));
    assert_eq!(reports[1].slot, cell.slot());
}

/// Counts probes and answers them all the same.
struct Canned {
    result: ProbeResult,
    sent: AtomicU32,
}

impl Canned {
    fn new(result: ProbeResult) -> Arc<Self> {
        let sent = AtomicU32::new(0);
        Arc::new(Self { result, sent })
    }

    fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Prober for Canned {
    fn probe(&self, provider: Arc<Provider>) -> LocalBoxFuture<'static, ProbeResult> {
        assert_eq!(&*provider.name, "a", "b has no probes");
        self.sent.fetch_add(1, Ordering::Relaxed);
        let result = self.result;
        async move { result }.boxed_local()
    }
}

fn with_probes(open_for: &str) -> String {
    let probe = "    probe: { interval: 1s, path: /models, timeout: 1s }\n    breaker:";
    CONFIG
        .replacen("    breaker:", probe, 1)
        .replacen("open_for: 30ms", &format!("open_for: {open_for}"), 1)
}

#[actix_rt::test]
async fn a_provider_that_cannot_be_reached_is_noticed_without_traffic() {
    let prober = Canned::new(ProbeResult::Failed(OutcomeClass::ConnectFailed));
    let crew = Crew::of(&with_probes("30s"), Some(prober.clone()));
    let (first, other) = (crew.cell("a", "m1"), crew.cell("a", "m3"));
    until(|| first.gate(Clock.moment()).mode == GateMode::Open).await;
    assert_eq!(other.gate(Clock.moment()).mode, GateMode::Open);
    assert!(prober.sent() >= 2);
    assert_eq!(first.in_flight(), 0);
}

#[actix_rt::test]
async fn a_sign_of_life_brings_back_what_was_out_of_reach_and_nothing_else() {
    let prober = Canned::new(ProbeResult::Alive);
    let crew = Crew::of(&with_probes("60s"), Some(prober.clone()));
    crew.see("a", "m1", OutcomeClass::ConnectFailed, 2);
    crew.see("a", "m3", OutcomeClass::ServerError, 2);
    let (away, broken) = (crew.cell("a", "m1"), crew.cell("a", "m3"));
    until(|| broken.gate(Clock.moment()).mode == GateMode::Open).await;
    until(|| away.gate(Clock.moment()).mode == GateMode::HalfOpen).await;
    assert!(prober.sent() >= 1);
    assert_eq!(broken.gate(Clock.moment()).mode, GateMode::Open);
    let samples = away.vitals(Clock.moment()).samples;
    assert_eq!(samples, 2, "a probe is no request");
}

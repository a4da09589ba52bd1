//! Breakers, as workers and operators meet them.

use tollgate_core::OutcomeClass;
use tollgate_routing::CredentialState;

use super::*;
use crate::testing::{CONFIG, Crew, ended, until};

fn mode(cell: &HealthCell) -> GateMode {
    cell.gate(Clock.moment()).mode
}

#[actix_rt::test]
async fn a_failing_target_is_left_alone_probed_and_taken_back() {
    let crew = Crew::of(CONFIG, None);
    let cell = crew.cell("a", "m1");
    crew.see("a", "m1", OutcomeClass::ServerError, 2);
    until(|| mode(&cell) == GateMode::Open).await;
    // Nothing happens any more, and yet probes go out.
    until(|| mode(&cell) == GateMode::HalfOpen).await;
    let probe = crew.admit("a", "m1");
    assert!(probe.is_probe());
    probe.ended(Clock.moment(), ended(OutcomeClass::Success));
    until(|| mode(&cell) == GateMode::Closed).await;
    assert_eq!(
        mode(&crew.cell("a", "m3")),
        GateMode::Closed,
        "another model of the provider"
    );

    let told = crew.transitions.lock().clone();
    let steps: Vec<_> = told.iter().map(|it| (it.from, it.to)).collect();
    assert_eq!(
        steps,
        [
            (GateMode::Closed, GateMode::Open),
            (GateMode::Open, GateMode::HalfOpen),
            (GateMode::HalfOpen, GateMode::Closed),
        ]
    );
    assert_eq!((&*told[0].provider, &*told[0].target), ("a", "a/m1"));
    assert!(
        told[0].reason.starts_with("2 failures in a row"),
        "{}",
        told[0].reason
    );
}

#[actix_rt::test]
async fn a_probe_whose_client_left_is_given_back() {
    let crew = Crew::of(CONFIG, None);
    let cell = crew.cell("a", "m1");
    crew.see("a", "m1", OutcomeClass::ServerError, 2);
    until(|| mode(&cell) == GateMode::HalfOpen).await;
    let probe = crew.admit("a", "m1");
    assert_eq!(cell.gate(Clock.moment()).probes, 0);
    drop(probe);
    until(|| cell.gate(Clock.moment()).probes == 1).await;
    assert_eq!(mode(&cell), GateMode::HalfOpen);
}

#[actix_rt::test]
async fn operators_have_the_last_word() {
    let crew = Crew::of(CONFIG, None);
    let (roster, cell) = (&crew.roster, crew.cell("b", "m2"));
    assert_eq!(roster.force("b/m2", Force::Drain).await, Ok(GateMode::Drained));
    assert_eq!(mode(&cell), GateMode::Drained);
    assert_eq!(
        roster.force("b/m2", Force::Closed).await,
        Ok(GateMode::ForcedClosed)
    );
    crew.see("b", "m2", OutcomeClass::ServerError, 10);
    assert_eq!(roster.force("b/m2", Force::Open).await, Ok(GateMode::ForcedOpen));
    let reports = roster.breakers().await;
    let forced: Vec<_> = reports.iter().filter_map(|it| it.breaker.forced).collect();
    assert_eq!(forced, ["open"]);
    assert_eq!(roster.force("b/m2", Force::Auto).await, Ok(GateMode::Closed));
    for unknown in ["b/none", "none/m2", "b", "", "/", "b/"] {
        let error = roster.force(unknown, Force::Open).await.unwrap_err();
        assert_eq!(error, UnknownTarget(unknown.to_owned()));
    }
    let told = crew.transitions.lock();
    assert_eq!(told.len(), 4);
    assert_eq!(told[0].reason, "an operator says so");
}

/// Ends a request that used a credential.
fn used(crew: &Crew, model: &str, credential: u16, class: OutcomeClass) {
    let mut permit = crew.admit("a", model);
    permit.using(Some(credential));
    permit.ended(Clock.moment(), ended(class));
}

async fn states(crew: &Crew) -> Vec<(String, String, &'static str)> {
    let of = |it: &TargetBreaker| {
        let (target, credentials) = (it.target.to_string(), it.credentials.clone());
        credentials
            .into_iter()
            .map(move |it| (target.clone(), it.name.to_string(), it.credential.state))
    };
    let reports = crew.roster.breakers().await;
    let states = reports.iter().flat_map(of);
    states.filter(|(_, _, state)| *state != "usable").collect()
}

async fn until_some(crew: &Crew) -> Vec<(String, String, &'static str)> {
    for _ in 0..10_000 {
        let states = states(crew).await;
        if !states.is_empty() {
            return states;
        }
        actix_rt::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("all credentials are usable");
}

#[actix_rt::test]
async fn a_key_that_is_not_accepted_is_dead_for_every_model_of_the_provider() {
    for class in [OutcomeClass::CredentialRejected, OutcomeClass::QuotaExhausted] {
        let crew = Crew::of(CONFIG, None);
        used(&crew, "m1", 1, class);
        let dead = |target: &str| (target.to_owned(), "second".to_owned(), "dead");
        assert_eq!(until_some(&crew).await, [dead("a/m1"), dead("a/m3")]);
        assert_eq!(
            mode(&crew.cell("a", "m1")),
            GateMode::Closed,
            "the target is not to blame"
        );
    }
}

#[actix_rt::test]
async fn a_rate_limit_rests_one_key_for_one_model() {
    let crew = Crew::of(CONFIG, None);
    used(&crew, "m3", 0, OutcomeClass::RateLimited);
    let resting = ("a/m3".to_owned(), "first".to_owned(), "cooling_down");
    assert_eq!(until_some(&crew).await, [resting]);
}

#[actix_rt::test]
async fn the_cell_says_what_the_report_says() {
    let crew = Crew::of(CONFIG, None);
    let live = crate::Live::new(crate::testing::settings_of(CONFIG, &crew.board, 1));
    let route = live.catalog.find("slow").unwrap().route;
    let cell = route.targets[0].target.credentials[0].clone();
    used(&crew, "m3", 0, OutcomeClass::RateLimited);
    until(|| matches!(cell.state(Clock.moment()), CredentialState::Cooling(_))).await;
    assert!(route.targets[0].target.credentials[1].is_usable(Clock.moment()));
}

#[actix_rt::test]
async fn a_reload_keeps_the_state_of_what_stays() {
    let crew = Crew::of(&CONFIG.replacen("open_for: 30ms", "open_for: 60s", 1), None);
    let cell = crew.cell("a", "m1");
    crew.see("a", "m1", OutcomeClass::ServerError, 2);
    used(&crew, "m3", 1, OutcomeClass::CredentialRejected);
    until(|| mode(&cell) == GateMode::Open).await;
    until_some(&crew).await;
    // The first key goes, the second one moves up.
    let later =
        CONFIG
            .replacen("open_for: 30ms", "open_for: 60s", 1)
            .replacen("{ name: first, key: ka }, ", "", 1);
    crew.follow(&later);
    let mut reports = crew.roster.breakers().await;
    for _ in 0..10_000 {
        if reports[0].credentials.len() == 1 {
            break;
        }
        actix_rt::time::sleep(Duration::from_millis(1)).await;
        reports = crew.roster.breakers().await;
    }
    assert_eq!(
        (reports[0].breaker.state, reports[0].credentials.len()),
        ("open", 1)
    );
    let dead = |target: &str| (target.to_owned(), "second".to_owned(), "dead");
    assert_eq!(states(&crew).await, [dead("a/m1"), dead("a/m3")]);
}

#[actix_rt::test]
async fn a_provider_that_comes_back_begins_anew() {
    let crew = Crew::of(&CONFIG.replacen("open_for: 30ms", "open_for: 60s", 1), None);
    let cell = crew.cell("a", "m1");
    crew.see("a", "m1", OutcomeClass::ServerError, 2);
    until(|| mode(&cell) == GateMode::Open).await;
    let without_a = r#"
server: { listen: "127.0.0.1:0" }
providers: { b: { kind: openai, base_url: "http://127.0.0.1:9/v1", api_key: kc } }
models: { fast: { targets: [ { provider: b, model: m2 } ] } }
"#;
    crew.follow(without_a);
    assert_eq!(crew.roster.breakers().await.len(), 1);
    crew.follow(CONFIG);
    until(|| mode(&cell) == GateMode::Closed).await;
    assert_eq!(crew.roster.breakers().await.len(), 3);
    crew.see("a", "m1", OutcomeClass::ServerError, 2);
    until(|| mode(&cell) == GateMode::Open).await;
}

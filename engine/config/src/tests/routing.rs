//! What the file says of routing: policies, limits, breakers, probes, regions, canaries.

use std::time::Duration;

use tollgate_core::{Capabilities, Nanodollars, Pattern, Timestamp};
use tollgate_routing::{
    Board, BreakerSettings, HealthSettings, Hedge, OnNoCandidates, Policy, Probe, Route, Strategy,
};

use super::{env, read};
use crate::{Settings, Source, load};

mod mistakes;

/// A file with every setting of routing.
const FULL: &str = r#"
providers:
  p:
    kind: vllm
    region: eu
    timeouts: { first_byte: 2s, first_token: 3s }
    health: { decay: 1s, slow_after: 4s }
    breaker: { consecutive_failures: 0, error_ratio: 0.25, slow_after: 5s, slow_ratio: 90%, open_for: 1s, ramp: 0s }
    probe: { interval: 2s, path: /health, timeout: 500ms }
  q: { kind: vllm, breaker: { enabled: false } }
health: { decay: 7s, window: 20s }
breaker: { min_requests: 7, max_open_for: 2m, jitter: 0, half_open_probes: 1, error_ratio: 60% }
models:
  m:
    weights: { cost: 2, latency: 0.5 }
    near_best: 15%
    explore: 2%
    on_no_candidates: refuse
    sticky: true
    deadline: 30s
    max_cost: "$0.25"
    max_retry_wait: 0s
    retry_budget: { ratio: 20%, per_second: 1.5 }
    hedge: { after: 800ms, max_ratio: 10%, max_cost: "$0.01" }
    continue_streams: true
    regions: [eu, eu, us]
    aliases: [mm]
    targets:
      - { provider: p, canary: 5%, capabilities: [tools, vision, json_mode] }
      - { provider: q, capabilities: [] }
  n: { targets: [{ provider: p, model: m }, { provider: q }], hedge: {} }
keys:
  - { name: k, key: "${KEY}", regions: [eu], targets: ["p/*", "q/m"], max_cost: "$0.50" }
admin: { state: state.json }
telemetry: { decisions: { keep: 0, journal: decisions.jsonl, sample: 50% } }
"#;

fn route(settings: &Settings, name: &str) -> std::sync::Arc<Route> {
    settings.catalog.find(name).unwrap().route
}

#[test]
fn policies_and_limits_arrive_where_they_belong() {
    let settings = read(FULL).unwrap();
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    let m = route(&settings, "m");
    let policy = m.policy;
    assert_eq!(policy.strategy, Strategy::Scored, "weights mean scores");
    let weights = policy.weights;
    assert_eq!(
        (weights.cost, weights.latency, weights.availability),
        (2.0, 0.5, 1.0)
    );
    assert!((policy.near_best - 1.15f32.ln()).abs() < 1e-6);
    assert_eq!((policy.explore, policy.sticky), (0.02, true));
    assert_eq!(policy.on_no_candidates, OnNoCandidates::Refuse);
    let limits = &m.limits;
    assert_eq!(limits.deadline, Some(Duration::from_secs(30)));
    assert_eq!(limits.max_cost, Nanodollars::parse("$0.25").ok());
    assert_eq!(
        (limits.max_retry_wait, limits.continue_streams),
        (Duration::ZERO, true)
    );
    let hedge = Hedge {
        after: Some(Duration::from_millis(800)),
        max_ratio: 0.1,
        max_cost: Nanodollars::parse("$0.01").ok(),
    };
    assert_eq!(limits.hedge, Some(hedge));
    let regions: Vec<&str> = limits
        .regions
        .iter()
        .flat_map(|it| it.iter())
        .map(|it| &**it)
        .collect();
    assert_eq!(regions, ["eu", "us"]);
    assert_eq!(route(&settings, "mm").alias_of.as_deref(), Some("m"));

    let n = route(&settings, "n");
    assert_eq!(n.policy, Policy::default());
    assert_eq!(
        (n.limits.deadline, n.limits.max_cost, &n.limits.regions),
        (None, None, &None)
    );
    assert_eq!(n.limits.max_retry_wait, Duration::from_secs(1));
    let hedge = Hedge {
        after: None,
        max_ratio: 0.05,
        max_cost: None,
    };
    assert_eq!(n.limits.hedge, Some(hedge));
}

#[test]
fn targets_and_keys_arrive_where_they_belong() {
    let settings = read(FULL).unwrap();
    let m = route(&settings, "m");
    assert_eq!((m.targets[0].canary, m.targets[1].canary), (Some(0.05), None));
    let able = Capabilities::TOOLS
        .union(Capabilities::VISION)
        .union(Capabilities::JSON_MODE);
    assert_eq!(m.targets[0].target.facts.capabilities, Some(able));
    assert_eq!(m.targets[1].target.facts.capabilities, Some(Capabilities::NONE));
    // The same provider's same model is the same target, whichever route leads there.
    let n = route(&settings, "n");
    assert_eq!(n.targets[0].target.id, m.targets[0].target.id);
    assert_ne!(n.targets[1].target.id, m.targets[1].target.id);
    assert!(std::sync::Arc::ptr_eq(
        &n.targets[0].target.cell,
        &m.targets[0].target.cell
    ));

    let now = Timestamp::from_unix_millis(0);
    let key = settings.keyring.authenticate("very-secret-KEY", now).unwrap();
    assert_eq!(key.regions.as_ref().map(|it| it.len()), Some(1));
    assert_eq!(key.max_cost, Nanodollars::parse("$0.50").ok());
    assert!(
        key.targets.iter().any(|it| it.matches("p/anything"))
            && !key.targets.iter().any(|it| it.matches("q/n"))
    );
    assert_eq!(*key.targets, ["p/*", "q/m"].map(|it| Pattern::parse(it).unwrap()));
}

#[test]
fn what_a_provider_does_not_say_is_as_at_the_top() {
    let settings = read(FULL).unwrap();
    let (p, q) = (&settings.catalog.providers()[0], &settings.catalog.providers()[1]);
    let seconds = Duration::from_secs;
    assert_eq!((p.region.as_deref(), &q.region), (Some("eu"), &None));
    assert_eq!(
        (p.timeouts.first_byte, p.timeouts.first_token),
        (seconds(2), seconds(3))
    );
    let health = HealthSettings {
        decay: seconds(1),
        window: seconds(20),
        slow_after: Some(seconds(4)),
    };
    assert_eq!(p.health, health);
    assert_eq!(
        q.health,
        HealthSettings {
            decay: seconds(7),
            window: seconds(20),
            slow_after: None
        }
    );
    let at_the_top = BreakerSettings {
        error_ratio: 0.6,
        min_requests: 7,
        max_open_for: seconds(120),
        jitter: 0.0,
        half_open_probes: 1,
        ..BreakerSettings::default()
    };
    let breaker = BreakerSettings {
        consecutive_failures: 0,
        error_ratio: 0.25,
        slow_after: Some(seconds(5)),
        slow_ratio: 0.9,
        open_for: seconds(1),
        ramp: Duration::ZERO,
        ..at_the_top
    };
    assert_eq!(p.breaker, breaker);
    assert_eq!((q.breaker.consecutive_failures, q.breaker.slow_after), (0, None));
    assert!(q.breaker.error_ratio > 1.0, "nothing trips it");
    assert_eq!(q.breaker.open_for, at_the_top.open_for);
    let probe = Probe {
        interval: seconds(2),
        path: "/health".into(),
        timeout: Duration::from_millis(500),
    };
    assert_eq!((p.probe.as_ref(), &q.probe), (Some(&probe), &None));
}

#[test]
fn a_provider_may_have_a_breaker_where_the_others_have_none() {
    let settings = read(
        "breaker: { enabled: false, consecutive_failures: 9 }\n\
         providers: { a: { kind: vllm }, b: { kind: vllm, breaker: { enabled: true } }, \
         c: { kind: vllm, breaker: { min_requests: 3 } } }",
    )
    .unwrap();
    let streaks = |it: &std::sync::Arc<tollgate_routing::Provider>| it.breaker.consecutive_failures;
    assert_eq!(
        settings
            .catalog
            .providers()
            .iter()
            .map(streaks)
            .collect::<Vec<_>>(),
        [0, 9, 0]
    );
    let ratio = settings.catalog.providers()[1].breaker.error_ratio;
    assert!((ratio - 0.5).abs() < f32::EPSILON);
}

#[test]
fn decisions_and_state_are_kept_where_the_file_says() {
    let settings = read(FULL).unwrap();
    let decisions = &settings.telemetry.decisions;
    assert_eq!((decisions.keep, decisions.sample), (0, 0.5));
    assert_eq!(decisions.journal.as_deref(), Some("decisions.jsonl".as_ref()));
    assert_eq!(settings.admin.state_file.as_deref(), Some("state.json".as_ref()));
    let silent = read("providers: { l: { kind: vllm } }").unwrap();
    assert_eq!(
        (
            silent.telemetry.decisions.keep,
            &silent.telemetry.decisions.journal
        ),
        (1024, &None)
    );
    assert_eq!(silent.admin.state_file, None);
}

#[test]
fn shares_are_percentages_or_fractions() {
    let explore = |text: &str| {
        let text = format!(
            "providers: {{ l: {{ kind: vllm }} }}\nmodels: {{ m: {{ targets: [{{ provider: l }}], explore: {text} }} }}"
        );
        read(&text).map(|settings| route(&settings, "m").policy.explore)
    };
    for (text, expected) in [
        ("5%", 0.05),
        ("0.05", 0.05),
        ("'0.05'", 0.05),
        ("0", 0.0),
        ("1", 1.0),
        ("2.5 %", 0.025),
        ("100%", 1.0),
    ] {
        let found: f32 = explore(text).unwrap();
        assert!((found - expected).abs() < 1e-6, "{text}: {found}");
    }
    for text in [
        "101%", "1.01", "5", "-1%", "'-0.1'", "much", "'%'", "nan%", "inf", "true", "[5%]", "1e400", "''",
    ] {
        let found = explore(text).unwrap_err().to_string();
        assert!(
            found.starts_with("t.yaml:2: models.m.explore: "),
            "{text}: {found}"
        );
    }
}

const BASE: &str = "providers: { l: { kind: vllm, region: eu }, k: { kind: ollama } }\n";

#[test]
fn what_has_no_effect_is_warned_about() {
    let settings = read(
        r#"
providers: { l: { kind: vllm, region: eu }, k: { kind: ollama } }
models:
  a: { targets: [{ provider: l }], strategy: weighted, weights: { cost: 2 } }
  b: { targets: [{ provider: l }], hedge: {} }
  c: { targets: [{ provider: l }], hedge: {}, fallbacks: [a] }
  d: { targets: [{ provider: l }, { provider: k }], regions: [us] }
  e: { targets: [{ provider: l, canary: 60% }, { provider: k, canary: 60% }] }
  f: { targets: [{ provider: l, canary: 60% }, { provider: k, canary: 60%, priority: 1 }] }
keys:
  - { name: k, key: "${KEY}", regions: [mars], targets: ["l/*", "*", "*/m", "ll/m"] }
"#,
    )
    .unwrap();
    assert_eq!(
        settings.warnings.join("\n"),
        "t.yaml:4: models.a.weights: weights have no effect with strategy weighted\n\
         t.yaml:5: models.b.hedge: there is no second target to hedge with\n\
         t.yaml:7: models.d.regions: no target of this model is in any of these regions\n\
         t.yaml:8: models.e.targets: the canaries of priority 0 have shares of more than 100% together\n\
         t.yaml:11: keys[0].targets[3]: there is no provider \"ll\"\n\
         t.yaml:11: keys[0].regions: no provider is in any of these regions"
    );
}

#[test]
fn cells_outlive_a_configuration() {
    let board = Board::default();
    let load = |name, epoch| {
        let source = Source::Text { name, text: FULL };
        load(source, &env, epoch, &board).unwrap()
    };
    let (old, new) = (load("a.yaml", 1), load("b.yaml", 2));
    let cells = |settings: &Settings| route(settings, "m").targets[0].target.cell.clone();
    assert!(std::sync::Arc::ptr_eq(&cells(&old), &cells(&new)));
    let budget = |settings: &Settings, name| route(settings, name).retry_budget.clone();
    assert!(std::sync::Arc::ptr_eq(&budget(&old, "m"), &budget(&new, "mm")));
    let rings = |settings: &Settings| settings.catalog.providers()[0].outcomes.clone();
    assert!(std::sync::Arc::ptr_eq(&rings(&old), &rings(&new)));
}

#[test]
fn a_refused_file_leaves_the_budgets_in_force_alone() {
    let text = |per_second: u32, explore: &str| {
        format!(
            "{BASE}models: {{ m: {{ targets: [{{ provider: l }}], explore: {explore}, \
             retry_budget: {{ ratio: 0, per_second: {per_second} }} }} }}"
        )
    };
    let board = Board::default();
    let load = |text: &str| load(Source::Text { name: "t.yaml", text }, &env, 1, &board);
    let budget = route(&load(&text(1, "1%")).unwrap(), "m").retry_budget.clone();
    let is_limited_to = |per_second: f32| {
        let bits = format!("per_second: {}", per_second.to_bits());
        format!("{budget:?}").contains(&bits)
    };
    assert!(is_limited_to(1.0), "{budget:?}");
    load(&text(9, "900%")).unwrap_err();
    assert!(is_limited_to(1.0), "{budget:?}");
    load(&text(9, "1%")).unwrap();
    assert!(is_limited_to(9.0), "{budget:?}");
}

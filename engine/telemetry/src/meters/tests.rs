//! A settled request is counted once, everywhere it should be, under labels that cannot run away; and the
//! reference page is the table.

use std::fmt::Write;
use std::time::Duration;

use tollgate_core::{Dialect, Nanodollars, RequestId, Timestamp, Usage, UsageSource};

use super::names::{ALL, BREAKER_STATES, Kind};
use super::*;
use crate::{AttemptRecord, AttemptRole, Served, Timings};

mod routing;

fn answered(provider: &str, model: &str) -> RequestRecord {
    let at = Timestamp::from_unix_millis(0);
    RequestRecord {
        key: Some("dev".into()),
        surface: Some(Surface::ChatCompletions),
        stream: true,
        route: Some("fast".into()),
        served: Some(Served {
            provider: provider.into(),
            model: model.into(),
            dialect: Dialect::OpenAi,
            response_model: None,
            request_id: None,
        }),
        attempts: vec![attempt(provider, model, OutcomeClass::Success)],
        status: 200,
        ending: Ending::Relayed(OutcomeClass::Success),
        usage: Some(Usage {
            input: 100,
            cache_read: 30,
            output: 10,
            reasoning: 1,
            source: UsageSource::Reported,
            ..Usage::default()
        }),
        cost: Some(Nanodollars(1_500)),
        timings: Timings {
            total: Duration::from_millis(900),
            first_token: Some(Duration::from_millis(250)),
            generation: Some(Duration::from_millis(600)),
            overhead: Duration::from_micros(20),
            ..Timings::default()
        },
        ..RequestRecord::new(RequestId::new(at, 0), at)
    }
}

fn attempt(provider: &str, model: &str, outcome: OutcomeClass) -> AttemptRecord {
    AttemptRecord {
        provider: provider.into(),
        model: model.into(),
        outcome,
        status: None,
        elapsed: Duration::from_millis(5),
        role: AttemptRole::Ordinary,
        cost: None,
    }
}

#[track_caller]
fn assert_has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|it| it == *line), "no line {line} in\n{text}");
    }
}

#[test]
fn an_answered_request_is_counted_in_every_place_once() {
    let (meters, exposition) = Meters::install();
    let mut record = answered("openai", "gpt-4o-mini");
    record
        .attempts
        .insert(0, attempt("claude", "claude-haiku-4-5", OutcomeClass::Overloaded));
    meters.settle(&record);
    let target =
        r#"gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="gpt-4o-mini""#;
    let place = r#"route="fast",provider="openai",model="gpt-4o-mini""#;
    assert_has(
        &exposition.render(),
        &[
            r#"tollgate_requests_total{route="fast",surface="chat_completions",code="200",outcome="success"} 1"#,
            r#"tollgate_attempts_total{provider="claude",model="claude-haiku-4-5",outcome="overloaded"} 1"#,
            r#"tollgate_attempts_total{provider="openai",model="gpt-4o-mini",outcome="success"} 1"#,
            &format!(r#"tollgate_tokens_total{{{place},class="input"}} 100"#),
            &format!(r#"tollgate_tokens_total{{{place},class="cache_read"}} 30"#),
            &format!(r#"tollgate_tokens_total{{{place},class="reasoning"}} 1"#),
            &format!(r#"tollgate_cost_nanodollars_total{{key="dev",{place}}} 1500"#),
            &format!(
                r#"gen_ai_client_token_usage_sum{{{target},gen_ai_response_model="gpt-4o-mini",gen_ai_token_type="input"}} 130"#
            ),
            &format!(
                r#"gen_ai_client_token_usage_sum{{{target},gen_ai_response_model="gpt-4o-mini",gen_ai_token_type="output"}} 11"#
            ),
            &format!(r#"gen_ai_client_operation_duration_seconds_sum{{{target},error_type=""}} 0.9"#),
            &format!(r"gen_ai_server_time_to_first_token_seconds_sum{{{target}}} 0.25"),
            &format!(r"gen_ai_server_time_per_output_token_seconds_sum{{{target}}} 0.06"),
            "tollgate_overhead_seconds_count 1",
        ],
    );
}

#[test]
fn a_refused_request_is_counted_without_a_target() {
    let (meters, exposition) = Meters::install();
    let at = Timestamp::from_unix_millis(0);
    let mut record = RequestRecord::new(RequestId::new(at, 0), at);
    record.ending = Ending::Refused(RefusalKind::UnknownKey);
    record.status = 401;
    meters.settle(&record);
    meters.settle(&record);
    let text = exposition.render();
    assert_has(
        &text,
        &[
            r#"tollgate_requests_total{route="",surface="",code="401",outcome="refused"} 2"#,
            r#"tollgate_refusals_total{kind="invalid_api_key"} 2"#,
        ],
    );
    assert!(!text.contains("gen_ai_client_operation_duration_seconds"));
}

#[test]
fn what_is_estimated_or_has_no_price_is_flagged_and_not_billed() {
    let (meters, exposition) = Meters::install();
    let mut record = answered("local", "llama");
    record.cost = None;
    record.usage.as_mut().unwrap().source = UsageSource::Estimated;
    meters.settle(&record);
    let text = exposition.render();
    let place = r#"{route="fast",provider="local",model="llama"} 1"#;
    assert_has(
        &text,
        &[
            &format!("tollgate_usage_estimated_total{place}"),
            &format!("tollgate_unpriced_requests_total{place}"),
        ],
    );
    assert!(!text.contains("tollgate_cost_nanodollars_total{"));
}

#[test]
fn clients_that_make_up_models_cannot_make_up_labels() {
    let (meters, exposition) = Meters::install();
    for number in 0..1_000 {
        let mut unknown = answered("local", &format!("made-up-{number}"));
        unknown.ending = Ending::Relayed(OutcomeClass::ModelNotFound);
        unknown.attempts = vec![attempt(
            "local",
            &format!("made-up-{number}"),
            OutcomeClass::ModelNotFound,
        )];
        meters.settle(&unknown);
        meters.settle(&answered("local", &format!("served-{number}")));
        let mut chatty = answered("local", "one");
        chatty.served.as_mut().unwrap().response_model = Some(format!("one-{number}").into());
        chatty.key = Some(format!("key-{number}").into());
        chatty.loss = vec![format!("x_{number}").into()];
        meters.settle(&chatty);
    }
    let text = exposition.render();
    assert!(!text.contains("made-up"));
    let series = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(
        series("tollgate_attempts_total{"),
        128 + 1 + 1,
        "models, other served, other not found"
    );
    assert_eq!(series("tollgate_translation_loss_total{"), 64 + 1);
    assert!(series("tollgate_cost_nanodollars_total{") <= 128 + 1 + 256 + 1);
    assert!(series("gen_ai_client_token_usage_count{") <= 2 * (128 + 1 + 8 + 1));
    assert_has(
        &text,
        &[r#"tollgate_attempts_total{provider="local",model="other",outcome="model_not_found"} 1000"#],
    );
}

#[test]
fn requests_are_in_flight_until_their_guard_is_dropped() {
    let (meters, exposition) = Meters::install();
    let (one, two) = (meters.request_arrived(), meters.request_arrived());
    assert_has(&exposition.render(), &["tollgate_inflight_requests 2"]);
    drop((one, two));
    assert_has(&exposition.render(), &["tollgate_inflight_requests 0"]);
}

#[test]
fn connections_reloads_and_epochs_are_told() {
    let (meters, exposition) = Meters::install();
    let upstream = meters.upstream("openai");
    upstream.connected();
    upstream.connected();
    upstream.closed();
    meters.upstream("openai").failed();
    meters.config_epoch(7);
    meters.config_reloaded(ReloadedBy::Signal, ReloadResult::Applied);
    meters.config_reloaded(ReloadedBy::File, ReloadResult::Refused);
    assert_has(
        &exposition.render(),
        &[
            r#"tollgate_upstream_connects_total{provider="openai",result="connected"} 2"#,
            r#"tollgate_upstream_connects_total{provider="openai",result="failed"} 1"#,
            r#"tollgate_upstream_connections{provider="openai"} 1"#,
            "tollgate_config_epoch 7",
            r#"tollgate_config_reloads_total{by="signal",result="applied"} 1"#,
            r#"tollgate_config_reloads_total{by="file",result="refused"} 1"#,
            &format!(
                r#"tollgate_build_info{{version="{}"}} 1"#,
                env!("CARGO_PKG_VERSION")
            ),
        ],
    );
}

#[test]
fn two_gateways_in_one_process_do_not_share_metrics() {
    let (one, _) = Meters::install();
    let (_, other) = Meters::install();
    one.settle(&answered("openai", "gpt-4o-mini"));
    assert!(!other.render().contains("tollgate_requests_total{"));
}

#[test]
fn samples_survive_upkeep() {
    let (meters, exposition) = Meters::install();
    for _ in 0..3 {
        meters.settle(&answered("openai", "gpt-4o-mini"));
        exposition.upkeep();
    }
    assert_has(&exposition.render(), &["tollgate_overhead_seconds_count 3"]);
}

#[test]
fn names_from_outside_cannot_break_the_exposition() {
    let (meters, exposition) = Meters::install();
    let mut record = answered("local", "a\"b\\c\nd");
    record.attempts.clear();
    meters.settle(&record);
    for line in exposition
        .render()
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let value = line.rsplit(' ').next().unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn indices_are_left_out_of_field_names() {
    assert_eq!(
        without_indices("messages[12].content[0].detail"),
        "messages[].content[].detail"
    );
    assert_eq!(without_indices("logit_bias"), "logit_bias");
    assert_eq!(without_indices("a[[1]]]b[2"), "a[]]]b[");
}

#[test]
fn the_table_is_sound() {
    let mut seen = std::collections::HashSet::new();
    for metric in ALL {
        assert!(seen.insert(metric.name), "{} twice", metric.name);
        match metric.kind {
            Kind::Counter => assert!(metric.name.ends_with("_total"), "{}", metric.name),
            Kind::Gauge => assert!(!metric.name.ends_with("_total"), "{}", metric.name),
            Kind::Histogram(bounds) => {
                assert!(
                    (1..=15).contains(&bounds.len()),
                    "{}: +Inf is the 16th",
                    metric.name
                );
                assert!(bounds.is_sorted_by(|a, b| a < b), "{}", metric.name);
            }
        }
    }
}

/// Run with `UPDATE_DOCS=1` to write the page.
#[test]
fn the_reference_page_is_made_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/metrics.md");
    let expected = reference_page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/reference/metrics.md is stale: run this test with UPDATE_DOCS=1"
    );
}

fn reference_page() -> String {
    let mut page = String::from(PAGE_HEAD);
    for metric in ALL {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(
            page,
            "| `{}` | {kind} | {} | {} |",
            metric.name,
            labels.join(", "),
            metric.help
        )
        .unwrap();
    }
    page.push_str("\n## Buckets\n\n| histogram | upper bounds |\n|---|---|\n");
    for metric in ALL {
        if let Kind::Histogram(bounds) = metric.kind {
            let bounds: Vec<_> = bounds.iter().map(f64::to_string).collect();
            writeln!(page, "| `{}` | {} |", metric.name, bounds.join(", ")).unwrap();
        }
    }
    page
}

const PAGE_HEAD: &str = "\
# Metrics

<!-- Made from engine/telemetry/src/meters/names.rs. To renew: UPDATE_DOCS=1 cargo test -p tollgate-telemetry -->

Prometheus text, at `/metrics` on the admin listener. `gen_ai_*` follow the OpenTelemetry semantic conventions
for generative AI, written the Prometheus way; `tollgate_*` are what these lack.

Labels are bounded. `route`, `provider` and `key` are names from the configuration (an empty value: none, or not
known yet). Models are those of the configuration, and those that a wildcard route let through and the provider
did not disown, up to 128 a provider; the names that answers give to their model, up to 8 a target; keys in the
cost of a target, up to 256; lost fields, up to 64. What is past a cap is counted under `other`. What a client
calls a model is never a label by itself: the access log has it. `gen_ai_provider_name` is the provider's name
in the configuration. Gauges of a target (`tollgate_breaker_state`, `tollgate_target_*`) are left out past the
cap: a gauge of several targets says nothing.

Counters are exact integers inside. Prometheus keeps them as floats: past 9 million dollars a counter of
nanodollars loses its last digits there.

| metric | kind | labels | meaning |
|---|---|---|---|
";

#[test]
fn an_identity_is_shown_until_it_is_gone() {
    let (meters, exposition) = Meters::install();
    let identity = meters.identity("aws");
    identity.failed();
    identity.renewed(Some(1_800_000_000));
    identity.renewed(Some(1_800_003_600));
    assert_has(
        &exposition.render(),
        &[
            r#"tollgate_identity_asked_total{identity="aws",result="renewed"} 2"#,
            r#"tollgate_identity_asked_total{identity="aws",result="failed"} 1"#,
            r#"tollgate_identity_expires_timestamp_seconds{identity="aws"} 1800003600"#,
        ],
    );
    drop(identity);
    let gone = r#"tollgate_identity_expires_timestamp_seconds{identity="aws"} NaN"#;
    assert_has(&exposition.render(), &[gone]);
}

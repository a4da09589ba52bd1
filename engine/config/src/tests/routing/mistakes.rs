//! Each mistake in what the file says of routing has a message of its own.

use super::BASE;
use crate::tests::problems;

/// What a model `m` says beside its targets, and the one problem it has.
const MODELS: &[(&str, &str)] = &[
    (
        "weights: { cost: 0, latency: 0, availability: 0 }",
        "weights: only weights of 0; expected one weight above 0, or strategy weighted",
    ),
    (
        "weights: { cost: -1 }",
        "weights.cost: -1; expected a number from 0 to 1000000",
    ),
    (
        "weights: { latency: 1e7 }",
        "weights.latency: 10000000.0; expected a number from 0 to 1000000",
    ),
    (
        "weights: { lateny: 1 }",
        "weights.lateny: unknown key; did you mean \"latency\"? expected one of cost, latency, availability",
    ),
    (
        "strategy: scoerd",
        "strategy: \"scoerd\"; did you mean \"scored\"? expected one of weighted, scored",
    ),
    (
        "near_best: -5%",
        "near_best: \"-5%\"; expected a share from 0% to 10000% such as \"5%\" or 0.05",
    ),
    (
        "on_no_candidates: panic",
        "on_no_candidates: \"panic\"; expected one of try_anyway, refuse",
    ),
    ("deadline: 0s", "deadline: no time at all; expected more than 0s"),
    (
        "deadline: soon",
        "deadline: \"soon\"; expected a span of time up to 24h such as \"500ms\", \"2s\" or \"5m\"",
    ),
    (
        "max_cost: free",
        "max_cost: \"free\" (expected an amount in US dollars such as \"$1.00\" or \"$0.000001\"); expected US dollars such as \"$0.25\"",
    ),
    (
        "hedge: { after: p99 }",
        "hedge.after: \"p99\"; expected p95, or a span of time such as \"800ms\"",
    ),
    (
        "hedge: { after: 0ms }",
        "hedge.after: \"0ms\"; expected p95, or a span of time such as \"800ms\"",
    ),
    (
        "hedge: { max_ratio: 200% }",
        "hedge.max_ratio: \"200%\"; expected a share from 0% to 100% such as \"5%\" or 0.05",
    ),
    (
        "retry_budget: { per_second: -1 }",
        "retry_budget.per_second: -1; expected a number from 0 to 1000000",
    ),
    (
        "regions: []",
        "regions: an empty list; expected at least one item",
    ),
    (
        "regions: ['']",
        "regions[0]: empty; expected the region of a provider",
    ),
    (
        "sticky: sometimes",
        "sticky: \"sometimes\"; expected true or false",
    ),
    (
        "continue_streams: 1",
        "continue_streams: 1; expected true or false",
    ),
];

#[test]
fn each_mistake_of_a_model_has_its_own_message() {
    for (model, expected) in MODELS {
        let targets = "targets: [{ provider: l }, { provider: k }]";
        let found = problems(&format!("{BASE}models: {{ m: {{ {targets}, {model} }} }}"));
        assert_eq!(found, format!("t.yaml:2: models.m.{expected}"), "{model}");
    }
}

/// Other sections, and the one problem they have.
const SECTIONS: &[(&str, &str)] = &[
    (
        "models: { m: { targets: [{ provider: l, canary: 105% }] } }",
        "models.m.targets[0].canary: \"105%\"; expected a share from 0% to 100% such as \"5%\" or 0.05",
    ),
    (
        "models: { m: { targets: [{ provider: l, capabilities: [visoin] }] } }",
        "models.m.targets[0].capabilities[0]: \"visoin\"; did you mean \"vision\"? expected one of tools, vision, audio, documents, json_schema, json_mode, reasoning",
    ),
    (
        "health: { decay: 0s }",
        "health.decay: no time at all; expected more than 0s",
    ),
    (
        "breaker: { error_ratio: 101% }",
        "breaker.error_ratio: \"101%\"; expected a share from 0% to 100% such as \"5%\" or 0.05",
    ),
    (
        "breaker: { half_open_probes: 0 }",
        "breaker.half_open_probes: 0; expected a whole number from 1 to 255",
    ),
    (
        "breaker: { half_open_probes: 256 }",
        "breaker.half_open_probes: 256; expected a whole number from 1 to 255",
    ),
    (
        "breaker: { min_requests: 0 }",
        "breaker.min_requests: 0; expected a whole number from 1 to 1000000",
    ),
    (
        "breaker: { open_for: 10s, max_open_for: 5s }",
        "breaker.max_open_for: less than open_for (10s); expected open_for, or longer",
    ),
    (
        "keys: [{ name: a, key: \"${KEY}\", targets: [l] }]",
        "keys[0].targets[0]: \"l\"; expected provider/model, with at most one * such as \"claude/*\"",
    ),
    (
        "keys: [{ name: a, key: \"${KEY}\", targets: ['*/*'] }]",
        "keys[0].targets[0]: \"*/*\"; expected provider/model, with at most one * such as \"claude/*\"",
    ),
    (
        "keys: [{ name: a, key: \"${KEY}\", regions: [] }]",
        "keys[0].regions: an empty list; expected at least one item",
    ),
    (
        "keys: [{ name: a, key: \"${KEY}\", max_cost: '-1' }]",
        "keys[0].max_cost: \"-1\" (expected an amount in US dollars such as \"$1.00\" or \"$0.000001\"); expected US dollars such as \"$0.25\"",
    ),
    (
        "admin: { state: ' ' }",
        "admin.state: empty; expected the path of a file",
    ),
    (
        "telemetry: { decisions: { keep: 100001 } }",
        "telemetry.decisions.keep: 100001; expected a whole number from 0 to 100000",
    ),
    (
        "telemetry: { decisions: { journal: '' } }",
        "telemetry.decisions.journal: empty; expected the path of a file",
    ),
    (
        "telemetry: { access_log: a.log, decisions: { journal: a.log } }",
        "telemetry.decisions.journal: the file of the access log; expected a file of its own",
    ),
];

#[test]
fn each_mistake_of_another_section_has_its_own_message() {
    for (text, expected) in SECTIONS {
        assert_eq!(
            problems(&format!("{BASE}{text}")),
            format!("t.yaml:2: {expected}"),
            "{text}"
        );
    }
}

/// What a provider says, and the one problem it has.
const PROVIDERS: &[(&str, &str)] = &[
    (
        "timeouts: { first_byte: 20s, first_token: 5s }",
        "timeouts.first_token: less than first_byte (20s); expected first_byte, or longer",
    ),
    (
        "timeouts: { first_token: 5s }",
        "timeouts.first_token: less than first_byte (120s); expected first_byte, or longer",
    ),
    (
        "region: ''",
        "region: \"\"; expected a region's name, without commas",
    ),
    (
        "region: 'eu,us'",
        "region: \"eu,us\"; expected a region's name, without commas",
    ),
    (
        "probe: { path: models }",
        "probe.path: \"models\"; expected a path below the base URL such as \"/models\"",
    ),
    (
        "probe: { path: '/a b' }",
        "probe.path: \"/a b\"; expected a path below the base URL such as \"/models\"",
    ),
    (
        "probe: { interval: 0s }",
        "probe.interval: no time at all; expected more than 0s",
    ),
    (
        "breaker: { window: 10 }",
        "breaker.window: 10; put it in quotes; expected text such as \"500ms\"",
    ),
];

#[test]
fn each_mistake_of_how_a_provider_is_watched_has_its_own_message() {
    for (provider, expected) in PROVIDERS {
        let found = problems(&format!("providers: {{ p: {{ kind: vllm, {provider} }} }}"));
        assert_eq!(found, format!("t.yaml:1: providers.p.{expected}"), "{provider}");
    }
}

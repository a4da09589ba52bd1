//! Each value with its origin, and no secret among them.

use proptest::prelude::*;
use serde_json::json;
use tollgate_routing::Board;

use super::*;
use crate::{Source, load, zero_config};

fn env(name: &str) -> Option<String> {
    match name {
        "UNSET" => None,
        "WORKERS" => Some("3".to_owned()),
        "IDLE" => Some("7s".to_owned()),
        "LISTEN" => Some("127.0.0.1:9".to_owned()),
        _ => Some(format!("very-secret-{name}")),
    }
}

fn of(text: &str) -> Json {
    let name = "t.yaml";
    let settings = load(Source::Text { name, text }, &env, 1, &Board::default());
    settings
        .unwrap_or_else(|problems| panic!("{problems}"))
        .effective()
}

const FILE: &str = r#"providers:
  a:
    kind: openai
    api_key: "${KEY}"
    headers: { x-team: "${TEAM}", x-plain: visible-header }
    timeouts: { connect: 1s, first_byte: 20s, idle: "${IDLE}" }
    breaker: { open_for: 2s }
  b: { kind: vllm, http: 2, probe: { path: /health } }
health: { decay: 4s }
breaker: { error_ratio: 30%, open_for: 9s }
models:
  fast:
    targets:
      - { provider: a, model: "${MODEL}", weight: 3 }
      - { provider: a, model: "${UNSET:-gpt-4o-mini}", price: { input: "$1", output: "$2" } }
      - { provider: b }
    aliases: [quick]
    weights: { cost: 2 }
    hedge:
  "b/*": { targets: [{ provider: b }] }
  gpt-4.1: { targets: [{ provider: a }] }
keys: [ { name: dev, key: written-in-the-file } ]
server: { workers: "${WORKERS}", listen: "${LISTEN}" }
"#;

#[test]
fn every_value_says_where_it_comes_from() {
    let found = of(FILE);
    for (pointer, value, origin) in [
        ("/providers/a/kind", json!("openai"), "t.yaml:3"),
        ("/providers/a/api_key", json!("***"), "env:KEY"),
        ("/providers/a/headers/x-team", json!("***"), "env:TEAM"),
        ("/providers/a/headers/x-plain", json!("***"), "t.yaml:5"),
        ("/providers/a/timeouts/connect", json!("1s"), "t.yaml:6"),
        ("/providers/a/timeouts/idle", json!("7s"), "env:IDLE"),
        ("/providers/a/timeouts/total", json!("600s"), "default"),
        ("/providers/a/timeouts/first_token", json!("20s"), "default"),
        (
            "/providers/a/base_url",
            json!("https://api.openai.com/v1"),
            "default",
        ),
        ("/providers/a/auth", json!("bearer"), "default"),
        ("/providers/a/region", Json::Null, "default"),
        // Field by field: the provider, the top of the file, the default.
        ("/providers/a/breaker/open_for", json!("2s"), "t.yaml:7"),
        ("/providers/a/breaker/error_ratio", json!("30%"), "t.yaml:10"),
        ("/providers/a/breaker/min_requests", json!(20), "default"),
        ("/providers/b/breaker/open_for", json!("9s"), "t.yaml:10"),
        ("/providers/b/health/decay", json!("4s"), "t.yaml:9"),
        ("/providers/b/http", json!(2), "t.yaml:8"),
        ("/providers/a/probe", Json::Null, "default"),
        ("/providers/b/probe/path", json!("/health"), "t.yaml:8"),
        ("/providers/b/probe/interval", json!("10s"), "default"),
        ("/models/fast/targets/0/weight", json!(3), "t.yaml:14"),
        ("/models/fast/targets/0/priority", json!(0), "default"),
        ("/models/fast/targets/0/model", json!("***"), "env:MODEL"),
        ("/models/fast/targets/0/price", Json::Null, "default"),
        ("/models/fast/targets/1/model", json!("gpt-4o-mini"), "t.yaml:15"),
        ("/models/fast/targets/1/price/input", json!("$1"), "t.yaml:15"),
        ("/models/fast/targets/1/price/cache_read", Json::Null, "default"),
        ("/models/fast/targets/1/context_tokens", json!(128_000), "catalog"),
        ("/models/fast/targets/2/model", json!("fast"), "default"),
        ("/models/fast/aliases/0", json!("quick"), "t.yaml:17"),
        ("/models/fast/strategy", json!("scored"), "default"),
        ("/models/fast/weights/cost", json!(2), "t.yaml:18"),
        ("/models/fast/weights/latency", json!(1), "default"),
        // A section with nothing in it is written all the same.
        ("/models/fast/hedge/after", json!("p95"), "default"),
        ("/models/b~1*/hedge", Json::Null, "default"),
        ("/models/b~1*/strategy", json!("weighted"), "default"),
        ("/models/b~1*/targets/0/model", Json::Null, "default"),
        (
            "/models/gpt-4.1/targets/0/price/cache_read",
            json!("$0.50"),
            "catalog",
        ),
        ("/keys/0/key", json!("***"), "t.yaml:22"),
        ("/keys/0/models", json!(["*"]), "default"),
        ("/keys/0/max_cost", Json::Null, "default"),
        ("/server/workers", json!(3), "env:WORKERS"),
        ("/server/listen", json!("127.0.0.1:9"), "env:LISTEN"),
        ("/server/drain/timeout", json!("30s"), "default"),
        ("/admin/listen", json!("127.0.0.1:8081"), "default"),
        ("/telemetry/decisions/sample", json!("1%"), "default"),
    ] {
        let leaf = found.pointer(pointer);
        let expected = json!({ "value": value, "origin": origin });
        assert_eq!(leaf, Some(&expected), "{pointer}");
    }
    assert_eq!(
        found["models"].as_object().unwrap().len(),
        3,
        "aliases are no models"
    );
    let capabilities = found.pointer("/models/gpt-4.1/targets/0/capabilities").unwrap();
    assert_eq!(capabilities["origin"], "catalog");
    assert!(
        capabilities["value"]
            .as_array()
            .unwrap()
            .contains(&json!("tools"))
    );
}

#[test]
fn models_that_follow_from_providers_are_there() {
    let found = of("providers: { l: { kind: vllm } }");
    let target = &found["models"]["l/*"]["targets"][0];
    assert_eq!(target["provider"], json!({ "value": "l", "origin": "default" }));
    assert_eq!(target["weight"], json!({ "value": 1, "origin": "default" }));
    assert_eq!(found["models"]["l/*"]["max_attempts"]["value"], 8);
}

#[test]
fn without_a_file_everything_is_from_the_environment_or_a_default() {
    let env = |name: &str| (name == "OPENAI_API_KEY").then(|| "very-secret".to_owned());
    let found = zero_config(&env, 1, &Board::default()).unwrap().effective();
    let key = &found["providers"]["openai"]["api_key"];
    assert_eq!(*key, json!({ "value": "***", "origin": "env:OPENAI_API_KEY" }));
    assert_eq!(found["providers"]["openai"]["kind"]["origin"], "env");
    assert!(!found.to_string().contains("very-secret"));
}

#[test]
fn sections_that_are_off_exist() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().unwrap().values();
    let names: Vec<&String> = definitions
        .filter_map(|it| it["properties"].as_object())
        .flat_map(Map::keys)
        .collect();
    for name in OFF_UNLESS_WRITTEN {
        assert!(names.iter().any(|it| *it == name), "{name}");
    }
}

#[test]
fn prices_are_written_as_people_write_them() {
    for (rate, text) in [
        (150_000, "$0.15"),
        (1_000_000, "$1.00"),
        (2_500_000, "$2.50"),
        (37_500, "$0.0375"),
        (0, "$0.00"),
        (1, "$0.000001"),
    ] {
        let rate = tollgate_core::PicodollarsPerToken(rate);
        assert_eq!(derived::dollars_per_million(rate), text);
        assert_eq!(
            tollgate_core::PicodollarsPerToken::parse_per_million(text),
            Ok(rate)
        );
    }
}

/// All places of a secret in the schema, as a document that fills each of them with `secret`.
fn with_secrets_everywhere(secret: &str) -> String {
    let secret = Json::from(secret);
    let file = json!({ "type": "service_account", "private_key": secret }).to_string();
    let role = "arn:aws:iam::123456789012:role/x";
    json!({
        "providers": {
            "a": { "kind": "openai", "api_key": secret, "headers": { "x-a": secret, "authorization": secret } },
            "b": { "kind": "anthropic", "api_keys": [{ "key": secret }, { "name": "n", "key": "${KEY}", "weight": 0 }] },
            "c": { "kind": "bedrock", "region": "us-east-1", "aws": {
                "access_key_id": secret, "secret_access_key": secret, "session_token": secret,
                "role_arn": role, "external_id": secret,
            } },
            "d": { "kind": "vertex", "project": "p", "region": "global", "google": { "credentials": file } },
        },
        "models": { "m": { "targets": [{ "provider": "a", "model": "${MODEL}" }], "aliases": ["${ALIAS}"] } },
        "keys": [
            { "name": "k", "key": secret, "models": ["${NAME}"] },
            { "name": "h", "key_hash": "00".repeat(32) },
            { "name": "${KEY_NAME}", "key": "${ANOTHER}" },
        ],
        "admin": { "key": secret, "state": "${STATE}" },
        "telemetry": { "access_log": "${LOG}", "decisions": { "journal": "${JOURNAL}" } },
    })
    .to_string()
}

#[test]
fn every_secret_of_the_schema_is_in_the_test_of_secrets() {
    let schema = schema().to_string();
    let secrets = schema.matches("\"writeOnly\":true").count();
    // api_key, api_keys[].key, headers, keys[].key, keys[].key_hash, admin.key; four of aws, one of google.
    assert_eq!(secrets, 11, "a new secret belongs into with_secrets_everywhere");
}

proptest! {
    #[test]
    fn no_secret_and_no_free_text_from_the_environment_is_in_it(secret in "[A-Z0-9]{12,40}") {
        let text = of(&with_secrets_everywhere(&secret)).to_string();
        prop_assert!(!text.contains(&secret) && !text.contains("very-secret"), "{text}");
        prop_assert!(!text.contains(&"00".repeat(32)));
    }
}

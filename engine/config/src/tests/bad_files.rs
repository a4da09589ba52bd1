//! Files with problems, and how they are told.

use super::{problems, read};
use crate::{Source, load};
use tollgate_routing::Board;

/// A provider and a model that are right, for tests of other things.
const BASE: &str = "providers: { l: { kind: vllm } }\n";

#[test]
fn a_misspelt_key_is_told_with_its_line_and_the_nearest_one() {
    assert_eq!(
        problems("providers:\n  openai:\n    knd: openai\n    api_key: x\n"),
        "t.yaml:2: providers.openai.kind: missing; expected one of openai, openai-responses, anthropic, gemini, vertex, vertex-anthropic, bedrock, cohere, azure, deepseek, dashscope, \
         mistral, groq, together, fireworks, xai, openrouter, ollama, vllm\n\
         t.yaml:3: providers.openai.knd: unknown key; did you mean \"kind\"? expected one of kind, base_url, \
         api_key, api_keys, project, api_version, auth, aws, google, headers, timeouts, http, max_idle_connections, \
         max_streams_per_connection, region, health, breaker, probe"
    );
}

#[test]
fn all_problems_are_reported_in_one_run() {
    let text = r#"
providers:
  a: { kind: opnai, api_key: "${KEY}" }
  b: { kind: openai, api_key: "${UNSET}" }
  c: { kind: openai }
  d: 5
models:
  one:
    targets:
      - { provider: a, weight: -1 }
      - { provider: bb }
      - { provider: d }
    fallbacks: [one, twoo]
  two: { targets: [{ provider: b, weight: 0 }] }
server: { keep_alive: 5, body_limit: huge, wrkers: 2 }
keys:
  - { name: k, key: short }
  - { name: k, key: "${KEY}" }
"#;
    assert_eq!(
        problems(text),
        "t.yaml:3: providers.a.kind: \"opnai\"; did you mean \"openai\"? expected one of openai, openai-responses, anthropic, gemini, vertex, vertex-anthropic, bedrock, cohere, azure, \
         deepseek, dashscope, mistral, groq, together, fireworks, xai, openrouter, ollama, vllm\n\
         t.yaml:4: providers.b.api_key: the environment variable UNSET is not set; set it, or give a default: \
         ${UNSET:-default}\n\
         t.yaml:5: providers.c.api_key: missing; expected a key such as \"${OPENAI_API_KEY}\", or auth: none\n\
         t.yaml:6: providers.d: 5; expected a mapping with kind, base_url, api_key, api_keys, project, api_version, auth, \
         aws, google, headers, timeouts, http, max_idle_connections, max_streams_per_connection, region, health, breaker, probe\n\
         t.yaml:10: models.one.targets[0].weight: -1; expected a whole number from 0 to 1000000\n\
         t.yaml:11: models.one.targets[1].provider: no such provider: \"bb\"; did you mean \"b\"? \
         expected a name from providers\n\
         t.yaml:13: models.one.fallbacks[0]: \"one\": the model itself; expected the name of another model\n\
         t.yaml:13: models.one.fallbacks[1]: no such model: \"twoo\"; did you mean \"two\"? expected a name from \
         models\n\
         t.yaml:14: models.two.targets: only targets of weight 0; expected one target in use at least\n\
         t.yaml:15: server.keep_alive: 5; put it in quotes; expected text such as \"500ms\"\n\
         t.yaml:15: server.wrkers: unknown key; did you mean \"workers\"? expected one of listen, allow_anonymous, \
         body_limit, upload_limit, workers, tls, keep_alive, client_request_timeout, drain\n\
         t.yaml:15: server.body_limit: \"huge\"; expected a size from 1KiB to 1GiB such as \"32MiB\"\n\
         t.yaml:17: keys[0].key: a key of 5 characters; expected a key of at least 8 visible ASCII characters\n\
         t.yaml:18: keys[1].name: a name that another key has; expected a name of its own"
    );
}

#[test]
fn what_is_opened_of_accounts_is_a_provider_that_keeps_it_once() {
    let text = r#"
providers:
  o: { kind: openai, api_key: "${KEY}" }
  c: { kind: cohere, api_key: "${KEY}" }
  g: { kind: groq, api_key: "${KEY}" }
models: { m: { targets: [{ provider: o }] } }
passthrough:
  files: [o, o, c]
  batches: [oo]
  responses: [g]
  fils: [o]
server: { upload_limit: 1B }
"#;
    assert_eq!(
        problems(text),
        "t.yaml:8: passthrough.files[1]: \"o\" a second time; expected each provider once\n\
         t.yaml:8: passthrough.files[2]: \"c\", of kind cohere, which keeps none; expected a provider of kind openai, \
         openai-responses, anthropic, azure, deepseek, dashscope, mistral, groq, together, fireworks, xai, openrouter, \
         ollama, vllm\n\
         t.yaml:9: passthrough.batches[0]: no such provider: \"oo\"; did you mean \"o\"? expected a name from providers\n\
         t.yaml:10: passthrough.responses[0]: \"g\", of kind groq, which keeps none; expected a provider of kind openai, \
         openai-responses, azure, xai, openrouter\n\
         t.yaml:11: passthrough.fils: unknown key; did you mean \"files\"? expected one of files, batches, responses, \
         audio_model, image_model\n\
         t.yaml:12: server.upload_limit: \"1B\"; expected a size from 1KiB to 1024GiB such as \"512MiB\""
    );
}

/// Each text under `BASE`, and the one problem it has.
const CASES: &[(&str, &str)] = &[
    (
        "models: {}",
        "2: models: empty; expected at least one model, or no such key",
    ),
    (
        "models: { m: {} }",
        "2: models.m.targets: missing; expected a list",
    ),
    ("models: { m: }", "2: models.m.targets: missing; expected a list"),
    (
        "server: { tls: }",
        "2: server.tls.cert_file: missing; expected text\n\
         t.yaml:2: server.tls.key_file: missing; expected text",
    ),
    (
        "models: { m: { targets: [] } }",
        "2: models.m.targets: an empty list; expected at least one item",
    ),
    (
        "models: { m: { targets: l } }",
        "2: models.m.targets: \"l\"; expected a list",
    ),
    (
        "models: { 'a*b*': { targets: [{ provider: l }] } }",
        "2: models.a*b*: more than one *; expected a name with at most one *",
    ),
    (
        "models: { gpt-4.1: { targets: [{ provider: l, model: 4 }] } }",
        "2: models.\"gpt-4.1\".targets[0].model: 4; put it in quotes; expected text",
    ),
    (
        "models: { m: { targets: [{ provider: l, model: 'x*' }] } }",
        "2: models.m.targets[0].model: a pattern; expected a model's full name, or none for what the * of the route \
         stands for",
    ),
    (
        "models: { m: { targets: [{ provider: l, price: { input: 1€, output: $1 } }] } }",
        "2: models.m.targets[0].price.input: \"1€\" (expected an amount in US dollars such as \"$1.00\" or \
         \"$0.000001\"); expected US dollars per million tokens such as \"$0.15\"",
    ),
    (
        "models: { m: { targets: [{ provider: l }] } }\nroutes: { m: { targets: [{ provider: l }] } }",
        "3: routes.m: \"m\" is already a name of \"m\"; expected each name once, in models and routes together",
    ),
    (
        "models: { m: { targets: [{ provider: l }], aliases: [a, a] } }",
        "2: models.m.aliases[1]: \"a\" is already a name of \"m\"; expected each name once, in models and routes \
         together",
    ),
    (
        "models: { m: { targets: [{ provider: l }], aliases: [a], fallbacks: [a] } }",
        "2: models.m.fallbacks[0]: \"a\": the model itself; expected the name of another model",
    ),
    (
        "models: { m: { targets: [{ provider: l }] }, m: {} }",
        "2: models.m: the same key a second time; expected each key once",
    ),
    (
        "server: { listen: 0.0.0.0:80 }",
        "2: server.listen: 0.0.0.0:80 without any keys; server.allow_anonymous: true lets everybody in; expected keys, \
         or a loopback address such as 127.0.0.1:8080",
    ),
    (
        "server: { listen: here }",
        "2: server.listen: \"here\"; expected an IP address and a port such as \"127.0.0.1:8080\" or \"[::]:8080\"",
    ),
    (
        "admin: { listen: 0.0.0.0:80 }",
        "2: admin.listen: 0.0.0.0:80 without admin.key; expected admin.key, or a loopback address such as \
         127.0.0.1:8081",
    ),
    (
        "admin: { listen: '127.0.0.1:1' }\nserver: { listen: '127.0.0.1:1' }",
        "2: admin.listen: the address of server.listen; expected another port",
    ),
    (
        "server: { workers: 0 }",
        "2: server.workers: 0; expected a whole number from 1 to 1024",
    ),
    (
        "server: { workers: 1.5 }",
        "2: server.workers: 1.5; expected a whole number from 1 to 1024",
    ),
    (
        "server: { keep_alive: 0s }",
        "2: server.keep_alive: no time at all; expected more than 0s",
    ),
    (
        "server: { tls: { cert_file: /no/such.pem, key_file: 3 } }",
        "2: server.tls.key_file: 3; put it in quotes; expected text\n\
         t.yaml:2: server.tls.cert_file: no such file; expected the path of a PEM file",
    ),
    (
        "keys: [{ name: a }]",
        "2: keys[0].key: missing; expected key or key_hash",
    ),
    (
        "keys: [{ name: a, key: 12345678901 }]",
        "2: keys[0].key: a number; put it in quotes; expected text",
    ),
    (
        "keys: [{ name: a, key: \"${KEY}\" }, { name: b, key: \"${KEY}\" }]",
        "2: keys[1].key: the key of another entry; expected a key of its own",
    ),
    (
        "keys: [{ name: a, key_hash: \"${KEY}\" }]",
        "2: keys[0].key_hash: not a SHA-256; expected 64 hex digits: the SHA-256 of the key",
    ),
    (
        "keys: [{ name: a, key: \"${KEY}\", expires_at: tomorrow }]",
        "2: keys[0].expires_at: \"tomorrow\"; expected a date such as \"2027-01-31\" or \"2027-01-31T12:00:00Z\"",
    ),
    (
        "keys: [{ name: a, key: \"${KEY}\", models: ['a*b*'] }]",
        "2: keys[0].models[0]: more than one *; expected a name with at most one *",
    ),
    (
        "keys: [null]",
        "2: keys[0]: nothing; expected a mapping with name, key, key_hash, models, expires_at, regions, targets, max_cost",
    ),
    (
        "telemetry: { access_log: '' }",
        "2: telemetry.access_log: empty; expected stdout, off or the path of a file",
    ),
    (
        "prices: { file: /no/such.json }",
        "2: prices.file: cannot be read: No such file or directory (os error 2); expected a readable price catalogue",
    ),
    (
        "server: { listen: \"${UNSET\" }",
        "2: server.listen: a malformed variable; write $$ for a single $; expected ${NAME} or ${NAME:-default}",
    ),
    (
        "nonsense: 1",
        "2: nonsense: unknown key; expected one of providers, models, routes, keys, server, admin, telemetry, prices, health, breaker, cache, passthrough",
    ),
];

#[test]
fn each_mistake_has_its_own_message() {
    for (text, expected) in CASES {
        assert_eq!(
            problems(&format!("{BASE}{text}")),
            format!("t.yaml:{expected}"),
            "{text}"
        );
    }
}

/// What a provider `p` says, and the one problem it has.
const PROVIDERS: &[(&str, &str)] = &[
    (
        "kind: azure, api_key: x",
        "base_url: missing, and kind azure has no address of its own; expected the resource's URL such as \"https://NAME.openai.azure.com\"",
    ),
    (
        "",
        "kind: missing; expected one of openai, openai-responses, anthropic, gemini, vertex, vertex-anthropic, bedrock, cohere, azure, deepseek, dashscope, mistral, groq, together, fireworks, xai, openrouter, ollama, vllm",
    ),
    (
        "kind: vllm, base_url: 'https://u:pw@h/v1'",
        "base_url: a URL with credentials; expected a URL such as \"https://api.example.com/v1\", without credentials, query or fragment",
    ),
    (
        "kind: vllm, api_version: '1'",
        "api_version: an api_version; expected none: only kind azure has one",
    ),
    (
        "kind: vllm, http: 3",
        "http: 3; expected one of http1, http2, 1, 2",
    ),
    (
        "kind: vllm, auth: cookie",
        "auth: \"cookie\"; did you mean \"google\"? expected one of bearer, x-api-key, x-goog-api-key, api-key, aws, google, none",
    ),
    (
        "kind: vllm, auth: none, api_key: x",
        "auth: none, with a key; expected another auth, or no key",
    ),
    (
        "kind: vllm, api_key: x, api_keys: [{ key: y }]",
        "api_keys: both api_key and api_keys; expected one of them",
    ),
    (
        "kind: vllm, api_keys: [{ key: y, weight: 0 }]",
        "api_keys: only keys of weight 0; expected one key in use at least",
    ),
    (
        "kind: vllm, api_keys: [{ name: k, key: y }, { name: k, key: z }]",
        "api_keys[1].name: a name that another key has; expected a name of its own",
    ),
    (
        "kind: vllm, api_key: \"${EMPTY}\"",
        "api_key: empty; expected a key: visible ASCII characters",
    ),
    (
        "kind: vllm, api_key: \"a\\nb\"",
        "api_key: a key with characters that cannot be sent; expected a key: visible ASCII characters",
    ),
    (
        "kind: vllm, headers: { host: x }",
        "headers.host: a header that the gateway sets itself; expected another header",
    ),
    (
        "kind: vllm, headers: { 'a b': x }",
        "headers.\"a b\": no name of a header; expected letters, digits and dashes",
    ),
    (
        "kind: vllm, headers: { x: [1] }",
        "headers.x: a list; expected text",
    ),
    (
        "kind: vllm, timeouts: { total: 25h }",
        "timeouts.total: \"25h\"; expected a span of time up to 24h such as \"500ms\", \"2s\" or \"5m\"",
    ),
    (
        "kind: vllm, timeouts: { idle: 0s }",
        "timeouts.idle: no time at all; expected more than 0s",
    ),
    (
        "kind: anthropic",
        "api_key: missing; expected a key such as \"${ANTHROPIC_API_KEY}\", or auth: none",
    ),
];

#[test]
fn each_mistake_of_a_provider_has_its_own_message() {
    for (provider, expected) in PROVIDERS {
        let found = problems(&format!("providers: {{ p: {{ {provider} }} }}"));
        assert_eq!(found, format!("t.yaml:1: providers.p.{expected}"), "{provider}");
    }
}

#[test]
fn a_key_is_not_asked_for_where_none_is_needed() {
    for provider in [
        "kind: openai, auth: none",
        "kind: openai, base_url: 'http://10.0.0.1/v1'",
        "kind: openai, base_url: 'http://vllm:8000/v1'",
        "kind: openai, headers: { Authorization: x }",
        "kind: ollama",
    ] {
        read(&format!("providers: {{ p: {{ {provider} }} }}"))
            .unwrap_or_else(|found| panic!("{provider}: {found}"));
    }
}

#[test]
fn what_is_not_a_document_is_told_with_its_line() {
    for (text, expected) in [
        ("", "t.yaml:1: providers: missing; expected a mapping"),
        (
            "[]",
            "t.yaml:1: a list; expected a mapping with providers, models, routes, keys, server, admin, telemetry, prices, health, breaker, cache, passthrough",
        ),
        (
            "providers: {}",
            "t.yaml:1: providers: empty; expected at least one entry",
        ),
        ("providers:\n", "t.yaml:1: providers: missing; expected a mapping"),
        (
            "a: 1\n---\nb: 2\n",
            "t.yaml:2: a second document; expected one document in a file",
        ),
        (
            "a: &x { b: *x }\n",
            "t.yaml:1: an alias within its own anchor; expected no such cycle",
        ),
        (
            "[a]: 1\n",
            "t.yaml:1: a key that is a list or a mapping; expected keys that are text",
        ),
    ] {
        assert_eq!(problems(text), expected, "{text}");
    }
    assert!(problems("providers:\n  a: { kind\n").starts_with("t.yaml:"));
    assert!(problems("a: b: c\n").starts_with("t.yaml:1: not YAML: "));
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem() {
    let missing = std::path::Path::new("/no/such/tollgate.yaml");
    let found = load(Source::File(missing), &super::env, 1, &Board::default())
        .unwrap_err()
        .to_string();
    assert_eq!(
        found,
        "/no/such/tollgate.yaml: cannot be read: No such file or directory (os error 2)"
    );
}

#[test]
fn secrets_do_not_show_in_problems() {
    let found = problems(
        r#"
providers:
  a: { kind: "${SECRET}", api_key: [sk-123], base_url: "https://${SECRET}@x" }
  b: { kind: openai, auth: sk-very-secret-1, api_key: very-secret-2, timeouts: { idle: "${SECRET}" } }
  very: very-secret-1234567890
models: { m: { targets: [{ provider: a, weight: "${SECRET}", model: "${SECRET}", price: { input: "${SECRET}", output: "$1" } }] } }
routes: { n: { targets: [{ provider: "${SECRET}" }], fallbacks: ["${SECRET}"], aliases: ["${SECRET}", "${SECRET}"] } }
keys: [{ name: a, key: "secret", models: ["${SECRET}"], expires_at: "${SECRET}" }]
server: { listen: "${SECRET}", body_limit: "${SECRET}", workers: "${SECRET}" }
"#,
    );
    assert!(found.lines().count() >= 13, "{found}");
    assert!(!found.contains("secret") && !found.contains("123"), "{found}");
}

#[test]
fn a_file_with_thousands_of_problems_is_told_in_short() {
    let keys: Vec<String> = (0..5000).map(|number| format!("key{number}: 1\n")).collect();
    let found = read(&format!("{BASE}{}", keys.concat())).unwrap_err();
    assert_eq!(found.iter().count(), 200);
    assert!(found.to_string().ends_with("and 800 more"));
}

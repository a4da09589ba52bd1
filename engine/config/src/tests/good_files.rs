//! Files without problems, and what they come to.

use std::time::Duration;
use tollgate_routing::Board;

use tollgate_core::{Account, Nanodollars, ProviderKind, ServiceTier, Timestamp, Usage};
use tollgate_routing::{Auth, Credential, HttpVersion, Proof, Timeouts};

use super::{env, read};
use crate::{AccessLog, AuthMode, Source, load};

fn written(credential: &Credential) -> &str {
    match &credential.proof {
        Proof::Key(secret) => secret.expose(),
        Proof::Identity(_) => panic!("an identity"),
    }
}

/// The smallest useful file.
pub(super) const SMALL: &str = r#"
providers:
  openai:    { kind: openai, api_key: "${OPENAI_API_KEY}" }
  claude:    { kind: anthropic, api_key: "${ANTHROPIC_API_KEY}" }
  local:     { kind: openai, base_url: "http://127.0.0.1:8000/v1" }
models:
  fast:      { targets: [ { provider: openai, model: gpt-4o-mini, weight: 8 }, { provider: claude, model: claude-haiku-4-5, weight: 2 } ] }
  "local/*": { targets: [ { provider: local } ] }
keys:
  - { name: dev, key: "${TOLLGATE_DEV_KEY}", models: ["*"] }
"#;

#[test]
fn the_smallest_useful_file_is_enough() {
    let settings = read(SMALL).unwrap();
    assert_eq!(settings.server.listen.to_string(), "0.0.0.0:8080");
    assert_eq!(settings.admin.listen.to_string(), "127.0.0.1:8081");
    assert_eq!(settings.server.body_limit_bytes, 32 << 20);
    assert_eq!(settings.auth, AuthMode::Keys);
    assert_eq!(settings.telemetry.access_log, AccessLog::Stdout);
    assert_eq!(settings.catalog.epoch, 7);
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);

    let fast = settings.catalog.find("fast").unwrap().route;
    assert_eq!(
        fast.targets.iter().map(|it| it.weight).collect::<Vec<_>>(),
        [8, 2]
    );
    assert_eq!(fast.max_attempts, 8);
    let mini = &fast.targets[0].target;
    assert_eq!(
        (mini.model.as_deref(), mini.provider.auth),
        (Some("gpt-4o-mini"), Auth::Bearer)
    );
    let usage = Usage {
        input: 1_000_000,
        ..Usage::default()
    };
    let cost = mini
        .facts
        .price
        .as_ref()
        .unwrap()
        .cost(&usage, ServiceTier::Standard);
    assert_eq!(cost, Nanodollars::parse("$0.15").unwrap());
    assert_eq!(fast.targets[1].target.provider.auth, Auth::XApiKey);

    let local = settings.catalog.find("local/llama").unwrap();
    assert_eq!(
        (local.model, &local.route.targets[0].target.model),
        ("llama", &None)
    );
    assert_eq!(local.route.targets[0].target.provider.auth, Auth::None);

    let key = settings
        .keyring
        .authenticate("very-secret-TOLLGATE_DEV_KEY", Timestamp::from_unix_millis(0));
    assert!(key.unwrap().may_use("anything"));
}

/// A file with every setting.
const FULL: &str = r#"
providers:
  p:
    kind: azure
    base_url: https://res.openai.azure.com/
    api_keys: [{ key: aaaa, weight: 3 }, { name: second, key: bbbb }]
    api_version: "2024-10-21"
    auth: bearer
    headers: { X-Team: "${TEAM}" }
    timeouts: { connect: 1s, first_byte: 2s, idle: 3s, total: 1m }
    http: 2
    max_idle_connections: 5
    max_streams_per_connection: 6
models:
  m:
    targets:
      - provider: p
        model: deployment
        weight: 4
        priority: 5
        price: { input: "$1", output: "2.5", cache_read: $0.1 }
        context_tokens: 1000
        max_output_tokens: 2000
    fallbacks: [n]
    strict: true
    aliases: [mm, mmm]
routes:
  n: { targets: [{ provider: p }], max_attempts: 3 }
keys:
  - { name: a, key_hash: "0000000000000000000000000000000000000000000000000000000000000000", expires_at: 2027-01-31 }
server:
  listen: localhost:9000
  body_limit: 1MiB
  upload_limit: 2GiB
  workers: "${WORKERS}"
  keep_alive: 1s
  client_request_timeout: 2s
  drain: { delay: 3s, timeout: 4s }
admin: { listen: "0.0.0.0:9001", key: "${ADMIN}" }
telemetry: { access_log: "off" }
"#;

#[test]
fn every_setting_of_providers_and_models_arrives_where_it_belongs() {
    let settings = read(FULL).unwrap();
    let m = settings.catalog.find("m").unwrap().route;
    let target = &m.targets[0].target;
    let provider = &target.provider;
    assert_eq!(provider.kind, ProviderKind::Azure);
    assert_eq!(provider.base_url.to_string(), "https://res.openai.azure.com/");
    assert_eq!(provider.api_version.as_deref(), Some("2024-10-21"));
    assert_eq!((provider.auth, provider.http), (Auth::Bearer, HttpVersion::Http2));
    assert_eq!(
        (provider.max_idle_connections, provider.max_streams_per_connection),
        (5, 6)
    );
    let credentials: Vec<_> = provider
        .credentials
        .iter()
        .map(|it| (&*it.name, written(it), it.weight))
        .collect();
    assert_eq!(credentials, [("key-1", "aaaa", 3), ("second", "bbbb", 1)]);
    assert_eq!(provider.headers[0].0, "x-team");
    assert_eq!(provider.headers[0].1, "very-secret-TEAM");
    let seconds = Duration::from_secs;
    let timeouts = Timeouts {
        connect: seconds(1),
        first_byte: seconds(2),
        first_token: seconds(2),
        idle: seconds(3),
        total: seconds(60),
    };
    assert_eq!(provider.timeouts, timeouts);
    assert_eq!((m.targets[0].weight, m.targets[0].priority), (4, 5));
    let rates = target.facts.price.as_ref().unwrap().base;
    assert_eq!(
        (rates.input.0, rates.output.0, rates.cache_read.unwrap().0),
        (1_000_000, 2_500_000, 100_000)
    );
    assert_eq!(
        (target.facts.context_tokens, target.facts.max_output_tokens),
        (Some(1000), Some(2000))
    );
    assert_eq!((&*m.fallbacks[0].model, m.strict, m.max_attempts), ("n", true, 8));
    let alias = settings.catalog.find("mmm").unwrap().route;
    assert_eq!((alias.targets[0].target.id, alias.strict), (target.id, true));
    let n = settings.catalog.find("n").unwrap().route;
    assert_eq!(
        (n.targets[0].target.model.as_deref(), n.max_attempts),
        (Some("n"), 3)
    );
}

#[test]
fn what_is_opened_of_accounts_is_there_in_its_order_and_listed_nowhere_else() {
    let text = r#"
providers:
  p: { kind: openai, api_key: "${KEY}" }
  q: { kind: anthropic, api_key: "${KEY}" }
models:
  m: { targets: [{ provider: p, price: { input: "$0", output: "$0", per_search: "$0.002", per_minute: "$0.006" } }] }
passthrough: { files: [q, p], audio_model: m }
"#;
    let settings = read(text).unwrap();
    let files = settings.catalog.accounts(Account::Files);
    let files: Vec<_> = files
        .map(|(provider, route)| (&*provider.name, &*route.name))
        .collect();
    assert_eq!(files, [("q", "q/files"), ("p", "p/files")]);
    assert_eq!(settings.catalog.accounts(Account::Batches).count(), 0);
    assert!(settings.catalog.find("q/files").is_none() && settings.catalog.routes().count() == 1);
    assert_eq!(settings.catalog.targets().count(), 3, "their health is shown");
    assert_eq!(settings.passthrough.audio_model.as_deref(), Some("m"));
    assert_eq!(settings.passthrough.image_model, None);
    let price = settings.catalog.find("m").unwrap().route.targets[0]
        .target
        .facts
        .price
        .clone()
        .unwrap();
    assert_eq!(
        (price.units.search, price.units.image),
        (Some(Nanodollars(2_000_000)), None)
    );
}

#[test]
fn every_setting_of_listeners_arrives_where_it_belongs() {
    let settings = read(FULL).unwrap();
    let seconds = Duration::from_secs;
    let server = &settings.server;
    assert_eq!(
        (server.listen.to_string().as_str(), server.workers),
        ("127.0.0.1:9000", Some(3))
    );
    assert_eq!(
        (server.body_limit_bytes, server.keep_alive),
        (1 << 20, seconds(1))
    );
    assert_eq!(server.upload_limit_bytes, 2 << 30);
    assert_eq!(server.client_request_timeout, seconds(2));
    assert_eq!(
        (server.drain.delay, server.drain.timeout),
        (seconds(3), seconds(4))
    );
    assert_eq!(settings.admin.listen.port(), 9001);
    assert_eq!(settings.admin.key.as_ref().unwrap().expose(), "very-secret-ADMIN");
    assert_eq!(settings.telemetry.access_log, AccessLog::Off);
}

#[test]
fn without_models_each_provider_is_reached_by_its_name() {
    let settings = read("providers: { l: { kind: vllm }, o: { kind: ollama } }").unwrap();
    assert_eq!(settings.auth, AuthMode::Anonymous);
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8080");
    let found = settings.catalog.find("o/llama3:8b").unwrap();
    assert_eq!(
        (found.model, &*found.route.targets[0].target.provider.name),
        ("llama3:8b", "o")
    );
    assert_ne!(
        found.route.targets[0].target.id,
        settings.catalog.find("l/x").unwrap().route.targets[0].target.id
    );
}

#[test]
fn anchors_and_aliases_are_expanded() {
    let settings = read(
        "providers: { l: { kind: vllm, timeouts: &slow { total: 1h } }, m: { kind: vllm, timeouts: *slow } }",
    )
    .unwrap();
    assert!(
        settings
            .catalog
            .providers()
            .iter()
            .all(|it| it.timeouts.total == Duration::from_secs(3600))
    );
}

#[test]
fn the_same_text_has_the_same_hash_and_another_text_another() {
    let hash = |text| read(text).unwrap().hash;
    assert_eq!(hash(SMALL), hash(SMALL));
    assert_eq!(hash(SMALL).len(), 16);
    assert_ne!(hash(SMALL), hash(&format!("{SMALL}# changed\n")));
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let settings = read(SMALL).unwrap();
    assert!(!format!("{settings:?}").contains("very-secret"));
}

#[test]
fn doubtful_things_are_warned_about() {
    let settings = read(
        r#"
providers: { o: { kind: openai, base_url: "http://api.example.com/v1", api_key: "${KEY}" } }
models: { m: { targets: [{ provider: o, model: no-such-model }] } }
keys: [{ name: k, key: "${KEY}", models: [m, n] }]
"#,
    )
    .unwrap();
    let warnings = settings.warnings.join("\n");
    assert_eq!(
        warnings,
        "t.yaml:2: providers.o.base_url: the key is sent over plain http\n\
         t.yaml:3: models.m.targets[0]: no price is known for \"no-such-model\": its cost counts as nothing; give it \
         a price\n\
         t.yaml:4: keys[0].models[1]: there is no model \"n\""
    );
}

#[test]
fn the_examples_and_the_starter_have_no_problems() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples");
    let mut kinds = std::collections::BTreeSet::new();
    let mut count = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        let settings = load(Source::File(&path), &env, 1, &Board::default())
            .unwrap_or_else(|problems| panic!("{problems}"));
        assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
        assert!(settings.catalog.routes().count() > 0, "{}", path.display());
        kinds.extend(settings.catalog.providers().iter().map(|it| it.kind));
        count += 1;
    }
    assert!(count >= 14);
    assert_eq!(kinds.len(), ProviderKind::ALL.len(), "each kind has an example");
    assert!(read(crate::starter()).unwrap().warnings.is_empty());
}

#[test]
fn paths_are_relative_to_the_file_and_newer_prices_make_another_hash() {
    let directory = std::env::temp_dir().join(format!("tollgate-config-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("tollgate.yaml");
    let text = "providers: { o: { kind: openai, auth: none } }\n\
                models: { m: { targets: [{ provider: o, model: x }] } }\n\
                prices: { file: prices.json }\ntelemetry: { access_log: access.log }\n";
    std::fs::write(&file, text).unwrap();
    let read_at = |price: u64| {
        let prices = format!(
            r#"{{"unit":"picodollars per token","models":[{{"provider":"openai","model":"x","price":{{"input":{price},"output":0}}}}]}}"#
        );
        std::fs::write(directory.join("prices.json"), prices).unwrap();
        load(Source::File(&file), &env, 1, &Board::default()).unwrap()
    };
    let (first, second) = (read_at(1), read_at(2));
    std::fs::remove_dir_all(&directory).unwrap();
    let price = second.catalog.find("m").unwrap().route.targets[0]
        .target
        .facts
        .price
        .clone();
    assert_eq!(price.unwrap().base.input.0, 2);
    assert_ne!(first.hash, second.hash);
    assert_eq!(
        first.telemetry.access_log,
        AccessLog::File(directory.join("access.log"))
    );
}

#[test]
fn documented_defaults_are_the_defaults() {
    let schema = crate::schema::schema();
    let defaults = |definition: &str| -> serde_json::Map<String, serde_json::Value> {
        let properties = schema["$defs"][definition]["properties"].as_object().unwrap();
        let stated = properties
            .iter()
            .filter_map(|(key, it)| Some((key.clone(), it.get("default")?.clone())));
        stated.collect()
    };
    let mut provider = defaults("Provider");
    provider.insert("kind".to_owned(), "vllm".into());
    let (health, breaker) = (defaults("Health"), defaults("Breaker"));
    for (name, section) in [
        ("timeouts", defaults("Timeouts")),
        ("health", health.clone()),
        ("breaker", breaker.clone()),
    ] {
        provider.insert(name.to_owned(), section.into());
    }
    let mut server = defaults("Server");
    server.insert("drain".to_owned(), defaults("Drain").into());
    let mut telemetry = defaults("Telemetry");
    telemetry.insert("decisions".to_owned(), defaults("Decisions").into());
    let mut target = defaults("Target");
    target.insert("provider".to_owned(), "l".into());
    let mut model = defaults("Model");
    model.insert("strategy".to_owned(), "weighted".into());
    model.insert("targets".to_owned(), serde_json::json!([target]));
    // As near as the logarithm of 15% is to 0.14.
    model.shift_remove("near_best");
    for (name, definition) in [("weights", "Weights"), ("retry_budget", "RetryBudget")] {
        model.insert(name.to_owned(), defaults(definition).into());
    }
    let written = serde_json::json!({
        "providers": { "l": provider }, "server": server, "admin": defaults("Admin"), "telemetry": telemetry,
        "health": health, "breaker": breaker, "models": { "l/*": model },
    });
    let written = read(&written.to_string()).unwrap();
    let silent = read("providers: { l: { kind: vllm } }").unwrap();
    assert_eq!((&written.server, &written.admin), (&silent.server, &silent.admin));
    assert_eq!(written.telemetry, silent.telemetry);
    let model = |settings: &crate::Settings| {
        let route = settings.catalog.find("l/x").unwrap().route;
        format!(
            "{:?} {:?} {:?} {} {}",
            route.policy, route.limits, route.retry_budget, route.strict, route.max_attempts
        )
    };
    assert_eq!(model(&written), model(&silent));
    let provider = |settings: &crate::Settings| format!("{:?}", settings.catalog.providers()[0]);
    assert_eq!(provider(&written), provider(&silent));
}

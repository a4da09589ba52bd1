//! Config files made harmless: of every kind of provider, with secrets in every place that can hold one.

use tollgate_config::document;
use tollgate_core::ProviderKind;
use tollgate_routing::Board;

use super::*;

/// Secrets in plain text, in variables, in headers; files of the real gateway everywhere.
const FULL: &str = r#"
server: { listen: "0.0.0.0:443", workers: 3, tls: { cert_file: c.pem, key_file: k.pem }, allow_anonymous: true,
          drain: { delay: 4s } }
admin: { listen: "10.0.0.1:8081", key: "SECRET-admin", state: state.json }
telemetry: { access_log: /var/log/real.log, decisions: { keep: 7, journal: /var/log/decisions.log } }
prices: { file: prices.json }
providers:
  openai: { kind: openai, api_key: "${OPENAI_KEY_SECRET}", headers: { x-team: "SECRET-header" },
            timeouts: { first_byte: 4s }, region: "${REGION:-eu}" }
  claude: { kind: anthropic, api_keys: [ { name: one, key: "SECRET-1", weight: 2 }, { key: "SECRET-2" } ] }
  azure: { kind: azure, base_url: "https://real.openai.azure.com", api_key: "SECRET-azure", api_version: "2024-10-21" }
  azure2: { kind: azure, base_url: "https://real.openai.azure.com", api_key: "SECRET-azure" }
  local: { kind: vllm, base_url: "http://10.1.1.1:8000/v1" }
  llama: { kind: ollama }
  router: { kind: openrouter, api_key: "SECRET-router" }
  bedrock: { kind: bedrock, region: us-east-1, auth: aws }
  role: { kind: bedrock, region: us-east-1, aws: { access_key_id: "SECRET-id", secret_access_key: "SECRET-key", role_arn: "arn:aws:iam::123456789012:role/SECRET" } }
  vertex: { kind: vertex, project: p, region: europe-west4, google: { credentials_file: SECRET.json } }
  claude_there: { kind: vertex-anthropic, project: p, region: eu, google: { credentials_file: SECRET.json } }
cache: { directory: /var/lib/real, policy: { mode: exact } }
models:
  fast:
    cache: { mode: safe }
    targets: [ { provider: openai, model: gpt-4o-mini, weight: 9 }, { provider: claude, model: claude-haiku-4-5 } ]
    hedge: { after: 300ms }
routes:
  other: { targets: [ { provider: azure, model: gpt-4o } ] }
keys:
  - { name: web, key: "SECRET-web-key", models: [fast], regions: [eu] }
  - { name: batch, key_hash: "SECRETe2f0f0e2f0f0e2f0f0e2f0f0e2f0f0e2f0f0e2f0f0e2f0f0e2f0f0abcd" }
"#;

fn made(text: &str, cache: Option<&Path>, tuning: &Tuning) -> Value {
    let there = Whereabouts {
        folder: Path::new("/etc/tollgate"),
        env: &|name| (name == "BOOKS").then(|| "/opt/$books".to_owned()),
    };
    let original = anchored(&document("tollgate.yaml", text).expect("YAML"), there);
    let addr = |port: usize| SocketAddr::from(([127, 0, 0, 1], 4000 + u16::try_from(port).unwrap()));
    let providers = providers(&original)
        .into_iter()
        .enumerate()
        .map(|(port, name)| (name, addr(port)))
        .collect();
    let stand = Stand {
        providers: &providers,
        listen: addr(100),
        admin: addr(101),
        access_log: Path::new("/scratch/access.log"),
        state: None,
        cache,
        key: "drill-key",
        admin_key: "drill-admin-key",
        tuning,
    };
    rewritten(&original, &stand)
}

#[test]
fn no_secret_no_address_and_no_file_of_the_original_is_left() {
    let config = made(FULL, None, &Tuning::default());
    let text = config.to_string();
    for gone in ["SECRET", "real", "10.", "0.0.0.0", ".pem", "state.json", "cache"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    assert_eq!(variables(&config), BTreeSet::from(["REGION".to_owned()]));
    assert_eq!(config["prices"]["file"], "/etc/tollgate/prices.json");
}

#[test]
fn paths_with_variables_are_expanded_before_they_are_joined() {
    let found = |path: &str| {
        let config = made(
            &format!("prices: {{ file: \"{path}\" }}"),
            None,
            &Tuning::default(),
        );
        config["prices"]["file"].as_str().unwrap().to_owned()
    };
    assert_eq!(found("prices.json"), "/etc/tollgate/prices.json");
    assert_eq!(
        found("${BOOKS}/prices.json"),
        "/opt/$$books/prices.json",
        "a $ is written as two"
    );
    assert_eq!(found("${NONE:-books}/p.json"), "/etc/tollgate/books/p.json");
    assert_eq!(
        found("${NONE}/p.json"),
        "${NONE}/p.json",
        "left for the gateway to complain of"
    );
    let there = Whereabouts {
        folder: Path::new("/etc/tollgate"),
        env: &|name| (name == "STATE").then(|| "/var/lib/$t".to_owned()),
    };
    let state_of = |text: &str| state(&document("f", text).unwrap(), there);
    let path = |text: &str| Some(PathBuf::from(text));
    assert_eq!(
        state_of("admin: { state: \"${STATE}/s\" }"),
        path("/var/lib/$t/s")
    );
    assert_eq!(state_of("admin: { state: s }"), path("/etc/tollgate/s"));
    assert_eq!(
        (state_of("admin: { state: \"${NONE}\" }"), state_of("server: {}")),
        (None, None)
    );
}

#[test]
fn the_key_of_the_drill_has_a_name_of_its_own() {
    let text = "providers: { p: { kind: ollama } }\nkeys: [ { name: tollgate-drill, key: a } ]";
    let config = made(text, None, &Tuning::default());
    assert_eq!(config["keys"][1]["name"], "tollgate-drill-");
    assert_taken(&config);
}

#[test]
fn what_decides_where_requests_go_stays() {
    let config = made(FULL, None, &Tuning::default());
    assert_eq!(config["providers"]["openai"]["timeouts"]["first_byte"], "4s");
    assert_eq!(config["providers"]["claude"]["api_keys"][0]["weight"], 2);
    assert_eq!(config["models"]["fast"]["targets"][0]["weight"], 9);
    assert_eq!(config["models"]["fast"]["hedge"]["after"], "300ms");
    assert_eq!(config["server"]["drain"]["delay"], "4s");
    assert_eq!(config["server"]["workers"], 3);
    assert_eq!(config["keys"][0]["models"], json!(["fast"]));
    assert_eq!(config["keys"][2]["key"], "drill-key");
    assert_eq!(config["telemetry"]["decisions"]["keep"], 7);
}

#[test]
fn the_gateway_takes_it_without_any_variable() {
    let config = made(
        &FULL.replace("prices: { file: prices.json }", ""),
        None,
        &Tuning::default(),
    );
    assert_taken(&config);
}

/// A gateway can use it, in an environment without any variable.
fn assert_taken(config: &Value) {
    let source = tollgate_config::Source::Text {
        name: "drill.json",
        text: &config.to_string(),
    };
    let loaded = tollgate_config::load(source, &|_| None, 1, &Board::default());
    assert!(loaded.is_ok(), "{:?}", loaded.err());
}

#[test]
fn every_kind_of_provider_is_found_where_it_is_simulated() {
    let vertex = "/v1/projects/simulated/locations/simulated";
    for kind in ProviderKind::ALL {
        let below = match kind {
            ProviderKind::Anthropic
            | ProviderKind::Azure
            | ProviderKind::Gemini
            | ProviderKind::Cohere
            | ProviderKind::Bedrock => "",
            ProviderKind::Vertex | ProviderKind::VertexAnthropic => vertex,
            ProviderKind::OpenAi
            | ProviderKind::OpenAiResponses
            | ProviderKind::DeepSeek
            | ProviderKind::DashScope
            | ProviderKind::Mistral
            | ProviderKind::Groq
            | ProviderKind::Together
            | ProviderKind::Fireworks
            | ProviderKind::Xai
            | ProviderKind::OpenRouter
            | ProviderKind::Ollama
            | ProviderKind::Vllm => "/v1",
        };
        let text = format!(
            "providers: {{ p: {{ kind: {kind}, api_key: k, region: us-east-1 }} }}\n\
             models: {{ m: {{ targets: [ {{ provider: p, model: m }} ] }} }}"
        );
        let config = made(&text, None, &Tuning::default());
        let base = &config["providers"]["p"]["base_url"];
        assert_eq!(base, &json!(format!("http://127.0.0.1:4000{below}")), "{kind}");
        assert_taken(&config);
    }
}

#[test]
fn a_cache_is_kept_elsewhere_where_it_is_part_of_the_drill() {
    let config = made(FULL, Some(Path::new("/scratch/cache")), &Tuning::default());
    assert_eq!(config["cache"]["directory"], "/scratch/cache");
    assert_eq!(config["models"]["fast"]["cache"]["mode"], "safe");
    assert!(keeps_cache(&document("f", FULL).unwrap()));
    assert!(!keeps_cache(
        &document("f", "cache: { policy: { mode: exact } }").unwrap()
    ));
}

#[test]
fn a_tuned_file_differs_in_that_alone() {
    let plain = made(FULL, None, &Tuning::default());
    let tuning = Tuning {
        nameless: Some("claude".to_owned()),
        edition: 3,
    };
    let mut tuned = made(FULL, None, &tuning);
    let url = tuned["providers"]["claude"]["base_url"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        url.contains(".invalid:") && url.split(['/', '.']).any(|label| label.len() == 64),
        "{url}"
    );
    assert_eq!(tuned["keys"].as_array().unwrap().len(), 4);
    tuned["providers"]["claude"] = plain["providers"]["claude"].clone();
    tuned["keys"].as_array_mut().unwrap().pop();
    assert_eq!(tuned, plain);
}

#[test]
fn nonsense_is_left_for_the_gateway_to_complain_of() {
    for text in [
        "",
        "providers: 7",
        "providers: [ a ]",
        "keys: { a: b }\nserver: 3",
        "models: { m: 1 }\nadmin:",
    ] {
        let config = made(text, None, &Tuning::default());
        assert_eq!(config["server"]["listen"], "127.0.0.1:4100", "{text}");
    }
}

/// Texts of a config file that say nothing of who or where its owner is, and that name no file.
const HARMLESS: [&str; 33] = [
    "providers.*.api_keys[].name",
    "providers.*.api_version",
    "providers.*.project",
    "providers.*.region",
    "providers.*.probe.path",
    "models.*.targets[].provider",
    "models.*.targets[].model",
    "models.*.fallbacks[]",
    "models.*.aliases[]",
    "models.*.regions[]",
    "models.*.cache.namespace",
    "models.*.cache.tags[]",
    "routes.*.targets[].provider",
    "routes.*.targets[].model",
    "routes.*.fallbacks[]",
    "routes.*.aliases[]",
    "routes.*.regions[]",
    "routes.*.cache.namespace",
    "routes.*.cache.tags[]",
    "passthrough.files[]",
    "passthrough.batches[]",
    "passthrough.responses[]",
    "passthrough.audio_model",
    "passthrough.image_model",
    "keys[].name",
    "keys[].expires_at",
    "keys[].models[]",
    "keys[].regions[]",
    "keys[].targets[]",
    "cache.embedder.provider",
    "cache.embedder.model",
    "cache.policy.namespace",
    "cache.policy.tags[]",
];
/// Those that are replaced or taken out; files that are only read get whole paths.
const REWRITTEN: [&str; 27] = [
    "providers.*.base_url",
    "providers.*.api_key",
    "providers.*.api_keys[].key",
    "providers.*.aws.access_key_id",
    "providers.*.aws.external_id",
    "providers.*.aws.profile",
    "providers.*.aws.region",
    "providers.*.aws.role_arn",
    "providers.*.aws.role_session_name",
    "providers.*.aws.secret_access_key",
    "providers.*.aws.session_token",
    "providers.*.google.credentials",
    "providers.*.google.credentials_file",
    "providers.*.headers.*",
    "keys[].key",
    "keys[].key_hash",
    "server.listen",
    "server.tls.cert_file",
    "server.tls.key_file",
    "admin.listen",
    "admin.key",
    "admin.state",
    "telemetry.access_log",
    "telemetry.decisions.journal",
    "prices.file",
    "cache.directory",
    "cache.embedder.directory",
];

/// The places of a JSON Schema that may hold any text: those without a pattern or a list of words.
fn texts(schema: &Value, node: &Value, path: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = node["$ref"].as_str().and_then(|it| it.strip_prefix("#/$defs/")) {
        texts(schema, &schema["$defs"][name], path, found);
    }
    for of in ["anyOf", "oneOf", "allOf"] {
        let of = node[of].as_array().into_iter().flatten();
        of.for_each(|it| texts(schema, it, path, found));
    }
    let is_text = node["type"] == "string"
        || node["type"]
            .as_array()
            .is_some_and(|it| it.contains(&json!("string")));
    if is_text && node.get("enum").is_none() && node.get("const").is_none() && node.get("pattern").is_none() {
        found.insert(path.to_owned());
    }
    for (name, property) in node["properties"].as_object().into_iter().flatten() {
        let dot = if path.is_empty() { "" } else { "." };
        texts(schema, property, &format!("{path}{dot}{name}"), found);
    }
    if node["additionalProperties"].is_object() {
        texts(schema, &node["additionalProperties"], &format!("{path}.*"), found);
    }
    if node["items"].is_object() {
        texts(schema, &node["items"], &format!("{path}[]"), found);
    }
}

#[test]
fn every_text_of_a_config_file_is_known_to_be_harmless_or_rewritten() {
    let schema: Value = serde_json::from_str(&tollgate_config::json_schema()).unwrap();
    let mut found = BTreeSet::new();
    texts(&schema, &schema, "", &mut found);
    let known: BTreeSet<_> = HARMLESS
        .iter()
        .chain(&REWRITTEN)
        .map(|it| (*it).to_owned())
        .collect();
    assert_eq!(
        found, known,
        "a new text: does it name a file, a server or a secret?"
    );
}

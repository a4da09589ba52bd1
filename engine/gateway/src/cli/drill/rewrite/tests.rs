//! Config files made harmless: of every kind of provider, with secrets in every place that can hold one.

use tollgate_config::document;
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
    let original = document("tollgate.yaml", text).expect("YAML");
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
        folder: Path::new("/etc/tollgate"),
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
    let text = config.to_string();
    let source = tollgate_config::Source::Text {
        name: "drill.json",
        text: &text,
    };
    let loaded = tollgate_config::load(source, &|_| None, 1, &Board::default());
    assert!(loaded.is_ok(), "{:?}", loaded.err());
}

#[test]
fn every_kind_of_provider_is_found_where_it_is_simulated() {
    for (kind, version) in [
        ("openai", "/v1"),
        ("anthropic", ""),
        ("azure", ""),
        ("deepseek", "/v1"),
        ("dashscope", "/v1"),
        ("mistral", "/v1"),
        ("groq", "/v1"),
        ("together", "/v1"),
        ("fireworks", "/v1"),
        ("xai", "/v1"),
        ("openrouter", "/v1"),
        ("ollama", "/v1"),
        ("vllm", "/v1"),
    ] {
        let config = made(
            &format!("providers: {{ p: {{ kind: {kind} }} }}"),
            None,
            &Tuning::default(),
        );
        assert_eq!(
            config["providers"]["p"]["base_url"],
            format!("http://127.0.0.1:4000{version}")
        );
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

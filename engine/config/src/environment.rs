//! Without any file: a provider for each key found in the environment.
//!
//! Written as the file that a user would write, and read like one, so that there is one way to settings.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

use tollgate_adapters::profile;
use tollgate_core::ProviderKind;
use tollgate_routing::Board;

use crate::address;
use crate::effective::Lines;
use crate::expand::Env;
use crate::problem::{Problem, Problems};
use crate::source::{Text, load_text};
use crate::{PriceBook, Settings};

/// A provider found in the environment.
struct Found {
    kind: ProviderKind,
    /// The variable that holds its key. `None`: it needs none.
    key: Option<&'static str>,
    base_url: Option<String>,
}

/// Settings from provider keys in the environment (`OPENAI_API_KEY`, `ANTHROPIC_API_KEY` and so on; Azure needs
/// `AZURE_API_BASE` or `AZURE_OPENAI_ENDPOINT` as well, Bedrock `AWS_REGION`, Vertex AI `GOOGLE_CLOUD_PROJECT` and
/// `GOOGLE_CLOUD_LOCATION`; `OLLAMA_HOST` stands for an Ollama).
///
/// Each provider is reached as `PROVIDER/*`, and under the bare names of its models in the price catalogue;
/// where there is one provider only, under any name. There are no virtual keys, so only this machine is served.
pub fn zero_config(env: Env<'_>, epoch: u64, board: &Board) -> Result<Settings, Problems> {
    let found: Vec<Found> = ProviderKind::ALL
        .into_iter()
        .filter_map(|kind| find(kind, env))
        .collect();
    if found.is_empty() {
        return Err(Problems::new(vec![nothing_found()]));
    }
    let text = document(&found);
    let source = Text {
        name: "environment",
        yaml: &text,
        directory: Path::new(""),
        lines: Lines::Made,
    };
    load_text(source, env, epoch, board)
}

fn find(kind: ProviderKind, env: Env<'_>) -> Option<Found> {
    let set = |name: &str| env(name).filter(|value| !value.trim().is_empty());
    let key = profile(kind)
        .api_key_env
        .iter()
        .copied()
        .find(|name| set(name).is_some());
    let base_url = match kind {
        ProviderKind::Azure => Some(set("AZURE_API_BASE").or_else(|| set("AZURE_OPENAI_ENDPOINT"))?),
        ProviderKind::Ollama => set("OLLAMA_HOST").map(|host| ollama_url(&host)),
        ProviderKind::Bedrock => {
            let region = set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION"))?;
            Some(address::bedrock(&region))
        }
        ProviderKind::Vertex => {
            let project = set("GOOGLE_CLOUD_PROJECT")?;
            let location = set("GOOGLE_CLOUD_LOCATION")?;
            Some(address::vertex(&project, &location))
        }
        _ => None,
    };
    let is_there = match kind {
        ProviderKind::Ollama => base_url.is_some(),
        _ => key.is_some(),
    };
    is_there.then_some(Found { kind, key, base_url })
}

/// `OLLAMA_HOST` is an address, with or without a scheme and a port; 0.0.0.0 is what a server listens on.
fn ollama_url(host: &str) -> String {
    let host = host.trim().trim_end_matches('/');
    let (scheme, authority) = host.split_once("://").unwrap_or(("http", host));
    let authority = authority.replacen("0.0.0.0", "127.0.0.1", 1);
    let has_port = authority.rsplit(']').next().is_some_and(|it| it.contains(':'));
    let port = if has_port || scheme == "https" {
        ""
    } else {
        ":11434"
    };
    format!("{scheme}://{authority}{port}/v1")
}

/// The config file that stands for what was found. Values from the environment are referred to by name, or
/// written as JSON strings, which YAML reads as they are.
fn document(found: &[Found]) -> String {
    let mut text = String::from("providers:\n");
    let json = |value: &str| serde_json::Value::from(value.replace('$', "$$")).to_string();
    for Found { kind, key, base_url } in found {
        let _ = write!(text, "  {kind}:\n    kind: {kind}\n");
        if let Some(key) = key {
            let _ = writeln!(text, "    api_key: \"${{{key}}}\"");
        }
        if let Some(url) = base_url {
            let _ = writeln!(text, "    base_url: {}", json(url));
        }
    }
    text.push_str("models:\n");
    if let [only] = found {
        let _ = writeln!(text, "  \"*\": {{ targets: [ {{ provider: {} }} ] }}", only.kind);
    }
    let book = PriceBook::shipped();
    let mut taken = HashSet::new();
    for Found { kind, .. } in found {
        let _ = writeln!(text, "  \"{kind}/*\": {{ targets: [ {{ provider: {kind} }} ] }}");
        // A name with a slash looks like `provider/model`, and stays free for that.
        let bare = book.models(*kind).filter(|model| !model.contains(['/', '*']));
        for model in bare.filter(|model| taken.insert((*model).to_owned())) {
            let model = json(model);
            let _ = writeln!(
                text,
                "  {model}: {{ targets: [ {{ provider: {kind}, model: {model} }} ] }}"
            );
        }
    }
    text
}

fn nothing_found() -> Problem {
    let variables: Vec<&str> = ProviderKind::ALL
        .into_iter()
        .filter(|kind| !profile(*kind).key_is_optional)
        .filter_map(|kind| profile(kind).api_key_env.first().copied())
        .collect();
    Problem {
        file: "environment".to_owned(),
        path: String::new(),
        line: None,
        found: "no config file, and no provider's key in the environment".to_owned(),
        expected: format!("one of {}", variables.join(", ")),
        hint: Some("write a config file with 'tollgate init', or set a key".to_owned()),
    }
}

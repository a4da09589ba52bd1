//! A config file made harmless: providers are simulated ones, secrets are placeholders, listeners are on loopback, and
//! nothing that the real gateway writes is written. All that decides where requests go stays as it is. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tollgate_config::{Env, expanded, literal};
use tollgate_loadtest::drill::{Tuning, edition_key};

/// A host that nobody can resolve: a label of 64 bytes, one more than names may have. No query leaves the machine.
const NAMELESS: &str = "0123456789012345678901234567890123456789012345678901234567890123.invalid";

/// What is put in place of what the file says.
pub(super) struct Stand<'a> {
    /// Simulated providers, by name.
    pub(super) providers: &'a BTreeMap<String, SocketAddr>,
    pub(super) listen: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) access_log: &'a Path,
    /// A copy of the changes made at run time. `None`: there are none.
    pub(super) state: Option<&'a Path>,
    /// Where a cache may be kept. `None`: nothing is cached, so that requests reach providers.
    pub(super) cache: Option<&'a Path>,
    pub(super) key: &'a str,
    pub(super) admin_key: &'a str,
    pub(super) tuning: &'a Tuning,
}

/// The names of the providers of a file.
pub(super) fn providers(document: &Value) -> Vec<String> {
    let section = document.get("providers").and_then(Value::as_object);
    section.into_iter().flat_map(Map::keys).cloned().collect()
}

/// Whether a file keeps a cache over restarts.
pub(super) fn keeps_cache(document: &Value) -> bool {
    document
        .pointer("/cache/directory")
        .is_some_and(|it| !it.is_null())
}

/// What paths in a file are understood by.
#[derive(Clone, Copy)]
pub(super) struct Whereabouts<'a> {
    /// Where the file is.
    pub(super) folder: &'a Path,
    /// The variables in them.
    pub(super) env: Env<'a>,
}

impl Whereabouts<'_> {
    /// Where that is. `None`: a variable is not set.
    fn find(self, path: &str) -> Option<PathBuf> {
        Some(self.folder.join(expanded(path, self.env)?))
    }
}

/// The file that changes made at run time are kept in. `None`: there is none, or it cannot be told where.
pub(super) fn state(document: &Value, there: Whereabouts<'_>) -> Option<PathBuf> {
    there.find(document.pointer("/admin/state")?.as_str()?)
}

/// The document with whole paths to the files that a drill reads as well: its own file is elsewhere.
pub(super) fn anchored(document: &Value, there: Whereabouts<'_>) -> Value {
    let mut anchored = document.clone();
    for pointer in ["/prices/file", "/cache/embedder/directory"] {
        if let Some(Value::String(path)) = anchored.pointer_mut(pointer)
            && let Some(found) = there.find(path)
        {
            *path = literal(&found.display().to_string());
        }
    }
    anchored
}

/// The environment variables that a document refers to.
pub(super) fn variables(document: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    gather(document, &mut found);
    found
}

fn gather(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let pieces = text.split("${").skip(1);
            found.extend(pieces.filter_map(|piece| {
                let name = piece.split(['}', ':']).next()?;
                (!name.is_empty()).then(|| name.to_owned())
            }));
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
        Value::Object(members) => members.values().for_each(|member| gather(member, found)),
        _ => {}
    }
}

/// The document, made harmless. What is not shaped as it should be is left for the gateway to complain of.
pub(super) fn rewritten(document: &Value, stand: &Stand<'_>) -> Value {
    let mut config = document.clone();
    for (name, provider) in members(&mut config, "providers") {
        simulate(name, provider, stand);
    }
    if stand.cache.is_none() {
        for section in ["models", "routes"] {
            for (_, model) in members(&mut config, section) {
                remove(model, &["cache"]);
            }
        }
    }
    keys(&mut config, stand);
    within(&mut config, "server", |server| {
        remove(server, &["tls", "allow_anonymous"]);
        put(server, "listen", json!(stand.listen.to_string()));
    });
    within(&mut config, "admin", |admin| {
        remove(admin, &["state"]);
        put(admin, "listen", json!(stand.admin.to_string()));
        put(admin, "key", json!(stand.admin_key));
        if let Some(state) = stand.state {
            put(admin, "state", json!(state.display().to_string()));
        }
    });
    within(&mut config, "telemetry", |telemetry| {
        put(
            telemetry,
            "access_log",
            json!(stand.access_log.display().to_string()),
        );
        if let Some(decisions) = telemetry.get_mut("decisions") {
            remove(decisions, &["journal"]);
        }
    });
    cache(&mut config, stand);
    config
}

fn simulate(name: &str, provider: &mut Value, stand: &Stand<'_>) {
    let Some(addr) = stand.providers.get(name) else {
        return;
    };
    let host = if stand.tuning.nameless.as_deref() == Some(name) {
        format!("{NAMELESS}:{}", addr.port())
    } else {
        addr.to_string()
    };
    let below = below_host(provider.get("kind").and_then(Value::as_str).unwrap_or_default());
    put(provider, "base_url", json!(format!("http://{host}{below}")));
    let placeholder = |what: &str| json!(format!("simulated-{what}"));
    if shows_identity(provider) {
        // Nobody is asked for real credentials: a key stands in for them.
        remove(provider, &["auth", "aws", "google"]);
        put(provider, "api_key", placeholder(name));
    }
    if provider.get("api_key").is_some_and(|it| !it.is_null()) {
        put(provider, "api_key", placeholder(name));
    }
    let several = provider.get_mut("api_keys").and_then(Value::as_array_mut);
    for (number, credential) in several.into_iter().flatten().enumerate() {
        put(credential, "key", placeholder(&format!("{name}-{number}")));
    }
    for (header, value) in members(provider, "headers") {
        *value = placeholder(header);
    }
}

/// What is behind the host in the address of such a provider. Where the version stands in the paths already, nothing is;
/// at Vertex AI all is below a project and a location, and whose they are is nobody's business here.
fn below_host(kind: &str) -> &'static str {
    match kind {
        "anthropic" | "azure" | "gemini" | "cohere" | "bedrock" => "",
        "vertex" | "vertex-anthropic" => "/v1/projects/simulated/locations/simulated",
        _ => "/v1",
    }
}

fn shows_identity(provider: &Value) -> bool {
    let of_cloud = |name: &str| provider.get(name).is_some_and(|it| !it.is_null());
    let auth = provider.get("auth").and_then(Value::as_str);
    matches!(auth, Some("aws" | "google")) || of_cloud("aws") || of_cloud("google")
}

/// Keys keep their names and what they may; the drill has one of its own.
fn keys(config: &mut Value, stand: &Stand<'_>) {
    let mut keys = match config.get_mut("keys").map(Value::take) {
        Some(Value::Array(keys)) => keys,
        _ => Vec::new(),
    };
    for (number, key) in keys.iter_mut().enumerate() {
        remove(key, &["key_hash"]);
        put(key, "key", json!(format!("{}-stand-in-{number}", stand.key)));
    }
    let name = free_name(&keys, "tollgate-drill");
    keys.push(json!({"name": name, "key": stand.key, "models": ["*"]}));
    let edition = stand.tuning.edition;
    let marker = edition_key(edition);
    if edition > 0 && free_name(&keys, &marker) == marker {
        keys.push(json!({"name": marker, "key": format!("{}-edition-{edition}", stand.key)}));
    }
    put(config, "keys", Value::Array(keys));
}

/// That name, or one like it that no key has.
fn free_name(keys: &[Value], wished: &str) -> String {
    let is_taken = |name: &str| {
        keys.iter()
            .any(|key| key.get("name").is_some_and(|it| it == name))
    };
    let mut name = wished.to_owned();
    while is_taken(&name) {
        name.push('-');
    }
    name
}

fn cache(config: &mut Value, stand: &Stand<'_>) {
    let Some(directory) = stand.cache else {
        remove(config, &["cache"]);
        return;
    };
    if let Some(cache) = config.get_mut("cache") {
        put(cache, "directory", json!(directory.display().to_string()));
    }
}

/// A section of the file, made where it is not there.
fn within(config: &mut Value, name: &str, change: impl FnOnce(&mut Value)) {
    if let Value::Object(members) = config {
        let section = members.entry(name).or_insert_with(|| json!({}));
        if !section.is_object() {
            *section = json!({});
        }
        change(section);
    }
}

fn members<'a>(
    config: &'a mut Value,
    name: &str,
) -> impl Iterator<Item = (&'a str, &'a mut Value)> + use<'a> {
    let section = config.get_mut(name).and_then(Value::as_object_mut);
    section
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

fn put(section: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = section {
        members.insert(name.to_owned(), value);
    }
}

fn remove(section: &mut Value, names: &[&str]) {
    if let Value::Object(members) = section {
        for name in names {
            members.remove(*name);
        }
    }
}

#[cfg(test)]
mod tests;

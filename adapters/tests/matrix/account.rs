//! What becomes of each field of each client dialect at each kind of provider: probed one by one, and written down
//! in `docs/reference/translation.md`. `UPDATE=1 cargo test -p tollgate-adapters --test matrix` writes it anew.
//!
//! A probe is a request with a field and the same request without it (`tests/fixtures/matrix/fields`). What is sent
//! of the two, and what is named as lost, tells what became of the field.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;
use tollgate_core::{Dialect, ProviderKind, RefusalKind, Surface};

use crate::support::{CLIENTS, PROVIDERS, fixture, hello, send};

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Carried,
    Converted,
    /// Some of it is sent, some is named as lost.
    Partly,
    Dropped,
    Refused,
    /// Nothing is sent or named.
    Silent,
}

/// The columns of a client's table: the last one has no Responses API, which matters to its clients only.
fn columns(client: Surface) -> Vec<ProviderKind> {
    let kinds = PROVIDERS.into_iter().map(|(kind, _)| kind);
    let more = (client == Surface::Responses).then_some(ProviderKind::Vllm);
    kinds.chain(more).collect()
}

/// A model of the provider that has what the probe is about.
fn model(kind: ProviderKind, probe: &Value) -> &'static str {
    match kind {
        ProviderKind::OpenAi | ProviderKind::OpenAiResponses if probe["thinks"] != true => "gpt-4.1",
        ProviderKind::Cohere if probe["sees"] == true => "command-a-vision-07-2025",
        ProviderKind::Vllm => "qwen3",
        _ => PROVIDERS.into_iter().find(|(known, _)| *known == kind).unwrap().1,
    }
}

/// A JSON merge patch (RFC 7396), without its way to remove: no probe needs it.
fn merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (name, value) in patch {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, patch) => *into = patch.clone(),
    }
}

fn fate(client: Surface, kind: ProviderKind, probe: &Value) -> Fate {
    let context = format!("{client:?} to {kind}: {}", probe["field"]);
    let asked = |patch: &Value| {
        let mut request = hello(client);
        if patch.is_object() {
            merge(&mut request, patch);
        }
        send(client, false, &request, kind, model(kind, probe))
    };
    let with = match asked(&probe["with"]) {
        Ok(with) => with,
        Err(refusal) => {
            let known = [RefusalKind::NotTranslatable, RefusalKind::InvalidField];
            assert!(known.contains(&refusal.kind), "{context}: {refusal:?}");
            return Fate::Refused;
        }
    };
    let without = asked(&probe["without"]).unwrap();
    let paths = |loss: &tollgate_adapters::Loss| loss.paths().map(str::to_owned).collect::<BTreeSet<_>>();
    let is_named = !paths(&with.loss).is_subset(&paths(&without.loss));
    let is_sent = with.body != without.body;
    let sent: Value = serde_json::from_slice(&with.body).unwrap();
    let mut patched = sent.clone();
    merge(&mut patched, &probe["with"]);
    match (is_sent, is_named) {
        (true, true) => Fate::Partly,
        (true, false) if patched == sent => Fate::Carried,
        (true, false) => Fate::Converted,
        (false, true) => Fate::Dropped,
        (false, false) => Fate::Silent,
    }
}

/// A cell. `moot`: the field says what is so anyway, or asks for what is done anyway.
fn word(fate: Fate, moot: bool) -> &'static str {
    match fate {
        Fate::Carried => "carried",
        Fate::Converted => "converted",
        Fate::Partly => "partly",
        Fate::Dropped => "dropped",
        Fate::Refused => "**refused**",
        Fate::Silent if moot => "moot",
        Fate::Silent => "SILENT",
    }
}

const fn title(client: Surface) -> &'static str {
    match client.dialect() {
        Dialect::OpenAi => "OpenAI Chat Completions",
        Dialect::Responses => "OpenAI Responses",
        Dialect::Anthropic => "Anthropic Messages",
        Dialect::Gemini => "Google generateContent",
        Dialect::Cohere => "Cohere chat",
        Dialect::Bedrock => "AWS Bedrock Converse",
    }
}

fn table(client: Surface) -> String {
    let columns = columns(client);
    let mut out = format!("\n## From {}\n\n| field |", title(client));
    for kind in &columns {
        write!(out, " {kind} |").unwrap();
    }
    writeln!(out, "\n|---|{}", "---|".repeat(columns.len())).unwrap();
    for probe in fixture("fields", client.dialect()).as_array().unwrap() {
        write!(out, "| `{}` |", probe["field"].as_str().unwrap()).unwrap();
        for kind in &columns {
            let fate = fate(client, *kind, probe);
            write!(out, " {} |", word(fate, probe["moot"] == true)).unwrap();
        }
        out.push('\n');
    }
    out
}

#[test]
fn the_account_in_the_docs_is_fresh() {
    let mut page = include_str!("account.md").to_owned();
    page.extend(CLIENTS.into_iter().map(table));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/translation.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/reference/translation.md is stale: UPDATE=1 cargo test -p tollgate-adapters --test matrix"
    );
}

#[test]
fn nothing_is_lost_in_silence() {
    let mut silent = Vec::new();
    for client in CLIENTS {
        for probe in fixture("fields", client.dialect()).as_array().unwrap() {
            for kind in columns(client) {
                if fate(client, kind, probe) == Fate::Silent && probe["moot"] != true {
                    silent.push(format!("{client:?} to {kind}: {}", probe["field"]));
                }
            }
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
}

//! The same conversations from each client to each kind of provider.

use serde_json::{Value, json};
use tollgate_core::{ProviderKind, Surface};

use crate::support::{CLIENTS, PROVIDERS, fixture, send};

/// The kinds of provider, and another server of the dialect that has no Responses API.
fn providers() -> impl Iterator<Item = (ProviderKind, &'static str)> {
    PROVIDERS.into_iter().chain([(ProviderKind::Vllm, "qwen3")])
}

fn pairs() -> impl Iterator<Item = (Surface, ProviderKind, &'static str)> {
    CLIENTS
        .into_iter()
        .flat_map(|client| providers().map(move |(kind, model)| (client, kind, model)))
}

#[test]
fn a_conversation_reaches_each_provider() {
    for (client, kind, model) in pairs() {
        let asked = fixture("requests", client.dialect());
        let mut told = json!({});
        for (name, body) in asked.as_object().unwrap() {
            let sent = send(client, false, body, kind, model).unwrap();
            let loss: Vec<_> = sent.loss.paths().collect();
            let body: Value = serde_json::from_slice(&sent.body).unwrap();
            told[name] = json!({"path": sent.path, "body": body, "loss": loss});
        }
        let name = format!("{}_to_{kind}", client.dialect().name());
        insta::with_settings!({snapshot_path => "snapshots/requests", prepend_module_to_snapshot => false}, {
            insta::assert_json_snapshot!(name, told);
        });
    }
}

#[test]
fn in_the_clients_own_dialect_only_the_model_is_another() {
    for (client, kind, model) in pairs() {
        if kind.dialect_for(client) != client.dialect() {
            continue;
        }
        for body in fixture("requests", client.dialect())
            .as_object()
            .unwrap()
            .values()
        {
            let sent = send(client, false, body, kind, model).unwrap();
            let mut expected = body.clone();
            if !client.is_addressed() {
                expected["model"] = model.into();
            }
            assert_eq!(
                sent.body,
                serde_json::to_vec(&expected).unwrap(),
                "{client:?} {kind}"
            );
            assert!(sent.loss.is_empty());
        }
    }
}

/// Everything that is text in a request, in order.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(values) => values.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

#[test]
fn whatever_is_said_is_said_to_each_provider_once() {
    for (client, kind, model) in pairs() {
        let body = &fixture("requests", client.dialect())["tools"];
        let sent = send(client, false, body, kind, model).unwrap();
        let mut found = Vec::new();
        texts(&serde_json::from_slice(&sent.body).unwrap(), &mut found);
        for said in [
            "Be brief.",
            "What is the weather in the city of this picture, and in Oslo?",
            "iVBORw0KGgo=",
            "Rome, I think. Let me look both up.",
            "Sun, 31 degrees.",
            "No such city.",
            "And in short?",
            "The weather now.",
            "The weather to come.",
        ] {
            let times: usize = found.iter().map(|text| text.matches(said).count()).sum();
            assert_eq!(times, 1, "{client:?} {kind}: {said}");
        }
        let is_called = |id: &str| found.iter().filter(|text| *text == id).count();
        // Google pairs calls with results by their order, too.
        if kind != ProviderKind::Gemini {
            assert_eq!(
                (is_called("call_1"), is_called("call_2")),
                (2, 2),
                "{client:?} {kind}"
            );
        }
    }
}

#[test]
fn a_schema_reaches_each_provider() {
    for (client, kind, model) in pairs() {
        let body = &fixture("requests", client.dialect())["schema"];
        let sent = send(client, false, body, kind, model).unwrap();
        let sent = String::from_utf8(sent.body.to_vec()).unwrap();
        assert!(sent.contains("summary"), "{client:?} {kind}: {sent}");
        assert!(sent.contains("9000"), "{client:?} {kind}: {sent}");
    }
}

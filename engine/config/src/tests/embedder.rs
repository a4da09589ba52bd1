//! `cache.embedder`: what it may be, and how it is told what it may not.

use std::time::Duration;

use super::{problems, read};
use crate::{Embedder, Settings};

const PROVIDERS: &str = "server: { listen: \"127.0.0.1:0\" }\nproviders:\n  p: { kind: openai, base_url: \"http://127.0.0.1:9/v1\" }\n  claude: { kind: anthropic, base_url: \"http://127.0.0.1:9\" }\n";

fn with(embedder: &str) -> String {
    format!("{PROVIDERS}cache:\n  embedder: {embedder}\n")
}

fn good(embedder: &str) -> Settings {
    read(&with(embedder)).unwrap()
}

#[test]
fn nobody_is_asked_until_it_is_written() {
    for embedder in ["", "{}"] {
        assert!(good(embedder).cache.embedder.is_none(), "{embedder}");
    }
    assert!(read(PROVIDERS).unwrap().cache.embedder.is_none());
}

#[test]
fn an_endpoint_has_defaults_and_a_name_for_its_space() {
    let endpoint = |text: &str| {
        let settings = good(text);
        assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
        match settings.cache.embedder {
            Some(Embedder::Endpoint(endpoint)) => endpoint,
            other => panic!("{other:?}"),
        }
    };
    let plain = endpoint("{ provider: p, model: text-embedding-3-small }");
    assert_eq!((&*plain.provider, &*plain.model), ("p", "text-embedding-3-small"));
    assert_eq!((plain.dimensions, plain.max_in_flight), (None, 32));
    assert_eq!(plain.timeout, Duration::from_millis(150));
    assert_eq!(plain.id(), "http://127.0.0.1:9/v1 text-embedding-3-small");
    let all = endpoint(
        "{ provider: p, model: text-embedding-3-small, dimensions: 256, timeout: 1s, max_in_flight: 4 }",
    );
    assert_eq!((all.dimensions, all.max_in_flight), (Some(256), 4));
    assert_ne!(
        plain.id(),
        all.id(),
        "another number of dimensions is another space"
    );
    assert_ne!(plain, all);
    let unpriced = good("{ provider: p, model: nobody-knows-this }");
    assert!(unpriced.warnings[0].contains("t.yaml:6: cache.embedder.model: its price is not known"));
}

#[test]
fn what_cannot_be_asked_is_told_with_its_line() {
    for (embedder, told) in [
        (
            "{ provider: q, model: m }",
            "t.yaml:6: cache.embedder.provider: no such provider: \"q\"",
        ),
        ("{ provider: claud, model: m }", "did you mean \"claude\"?"),
        (
            "{ provider: claude, model: m }",
            "cache.embedder.provider: a provider of kind anthropic; expected one with an OpenAI-compatible /embeddings",
        ),
        (
            "{ provider: p }",
            "cache.embedder.model: missing; expected the name of an embedding model",
        ),
        ("{ provider: p, model: \" \" }", "cache.embedder.model: empty"),
        (
            "{ provider: p, model: m, timeout: 0s }",
            "cache.embedder.timeout: no time at all",
        ),
        (
            "{ provider: p, model: m, dimensions: 0 }",
            "cache.embedder.dimensions: 0; expected a whole number from 1 to 8192",
        ),
        (
            "{ provider: p, model: m, max_in_flight: 0 }",
            "cache.embedder.max_in_flight: 0",
        ),
        (
            "{ provider: p, directory: d, model: m }",
            "cache.embedder.provider: both directory and provider",
        ),
        ("{ model: m }", "cache.embedder.model: model without a provider"),
        (
            "{ directory: there-is-none, timeout: 1s }",
            "cache.embedder.timeout: timeout without a provider",
        ),
        (
            "{ directory: there-is-none }",
            "t.yaml:6: cache.embedder.directory: cannot read",
        ),
        ("{ directry: d }", "did you mean \"directory\"?"),
        (
            "built_in",
            "cache.embedder: \"built_in\"; expected a mapping with directory, provider",
        ),
    ] {
        let found = problems(&with(embedder));
        assert!(found.contains(told), "{embedder}\n{told}\n{found}");
    }
}

#[test]
fn a_provider_that_is_broken_itself_is_told_once() {
    let text = with("{ provider: q, model: m }").replace("  p:", "  q: { kind: opnai }\n  p:");
    let found = problems(&text);
    assert!(
        found.contains("providers.q.kind") && !found.contains("cache.embedder"),
        "{found}"
    );
}

#[test]
fn a_directory_is_read_and_told_apart_by_what_is_in_it() {
    let directory = std::env::temp_dir().join(format!("tollgate-config-model2vec-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("vocab.txt"), "[UNK]\ncat\ndog").unwrap();
    let load = |rows: [u8; 6]| {
        let header = r#"{"embeddings":{"dtype":"I8","shape":[3,2],"data_offsets":[0,6]}}"#;
        let length = u64::try_from(header.len()).unwrap().to_le_bytes();
        let file = [&length[..], header.as_bytes(), &rows].concat();
        std::fs::write(directory.join("model.safetensors"), file).unwrap();
        good(&format!("{{ directory: \"{}\" }}", directory.display())).cache
    };
    let (first, again, other) = (
        load([1, 1, 2, 0, 0, 2]),
        load([1, 1, 2, 0, 0, 2]),
        load([1, 1, 2, 0, 0, 3]),
    );
    assert!(matches!(first.embedder, Some(Embedder::Directory { .. })));
    assert_eq!(first.embedder, again.embedder);
    assert_ne!(first.embedder, other.embedder);
    std::fs::remove_dir_all(&directory).unwrap();
}

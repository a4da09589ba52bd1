//! Directories as model2vec writes them, and as it does not.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use super::*;
use crate::embed::Embedder;
use crate::embed::fixture::{Tensor, safetensors};

/// A directory that is gone after the test.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "tollgate-model2vec-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.0.join(name), content).unwrap();
        self
    }

    fn with_table(self) -> Self {
        let rows = Tensor::new("embeddings", "I8", &[4, 2], vec![5, 5, 1, 0, 0, 1, 1, 1]);
        self.with("model.safetensors", safetensors(&[rows]))
    }

    fn with_tokenizer(self, tokenizer: &serde_json::Value) -> Self {
        self.with("tokenizer.json", tokenizer.to_string())
    }

    fn error(&self) -> String {
        Table::from_directory(&self.0).unwrap_err().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn tokenizer() -> serde_json::Value {
    json!({
        "version": "1.0",
        "normalizer": { "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true },
        "pre_tokenizer": { "type": "BertPreTokenizer" },
        "model": { "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": { "##s": 3, "[UNK]": 0, "dog": 2, "cat": 1 } },
    })
}

#[test]
fn a_directory_with_a_tokenizer_or_a_vocabulary_is_an_embedder() {
    let with_tokenizer = Directory::new().with_table().with_tokenizer(&tokenizer());
    let with_vocabulary = Directory::new()
        .with_table()
        .with("vocab.txt", "[UNK]\ncat\ndog\n##s\n");
    let one = Table::from_directory(&with_tokenizer.0).unwrap();
    let other = Table::from_directory(&with_vocabulary.0).unwrap();
    assert_eq!(one.id(), other.id(), "it is the same model");
    assert!(one.id().starts_with("model2vec-2-"));
    assert_eq!(one.embed("Dogs"), crate::Vector::of(&[1.0, 2.0]));
    assert_eq!(one.embed("Dogs"), other.embed("Dogs"));
}

#[test]
fn numbers_may_have_gaps() {
    let mut tokenizer = tokenizer();
    tokenizer["model"]["vocab"] = json!({ "[UNK]": 0, "cat": 3 });
    let directory = Directory::new().with_table().with_tokenizer(&tokenizer);
    let table = Table::from_directory(&directory.0).unwrap();
    assert_eq!(table.embed("cat"), crate::Vector::of(&[1.0, 1.0]));
    assert_eq!(table.embed("dog"), None);
}

#[test]
fn what_is_missing_is_named() {
    let empty = Directory::new();
    assert!(empty.error().contains("vocab.txt") && empty.error().contains("model2vec directory holds"));
    let no_table = Directory::new().with_tokenizer(&tokenizer());
    assert!(
        no_table.error().contains("model.safetensors"),
        "{}",
        no_table.error()
    );
    let nowhere = Table::from_directory(Path::new("/nowhere/at/all")).unwrap_err();
    assert!(matches!(nowhere, LoadError::Read { .. }));
}

#[test]
fn another_tokenizer_is_refused_by_what_differs() {
    for (pointer, value, expected) in [
        (
            "/model/type",
            json!("Unigram"),
            "model.type is \"Unigram\"; uncased BERT's WordPiece",
        ),
        ("/model/type", json!("BPE"), "model.type is \"BPE\""),
        ("/model/unk_token", json!("<unk>"), "model.unk_token is \"<unk>\""),
        (
            "/model/continuing_subword_prefix",
            json!(""),
            "model.continuing_subword_prefix is \"\"",
        ),
        (
            "/model/max_input_chars_per_word",
            json!(200),
            "model.max_input_chars_per_word is 200",
        ),
        ("/normalizer", json!(null), "normalizer.type is null"),
        (
            "/normalizer/lowercase",
            json!(false),
            "normalizer.lowercase is false",
        ),
        (
            "/normalizer/strip_accents",
            json!(false),
            "normalizer.strip_accents is false",
        ),
        (
            "/pre_tokenizer/type",
            json!("Whitespace"),
            "pre_tokenizer.type is \"Whitespace\"",
        ),
        (
            "/model/vocab",
            json!([["a", 0.5]]),
            "model.vocab is not a map of pieces",
        ),
        ("/model/vocab", json!({}), "model.vocab is not a map of pieces"),
        (
            "/model/vocab",
            json!({ "a": -1 }),
            "model.vocab is not a map of pieces",
        ),
        (
            "/model/vocab",
            json!({ "a": 1, "b": 1 }),
            "model.vocab is not a map of pieces",
        ),
        (
            "/model/vocab",
            json!({ "a": u64::MAX }),
            "model.vocab is not a map of pieces",
        ),
        (
            "/model/vocab",
            json!({ "a": 4_000_000_000_u64 }),
            "model.vocab is not a map of pieces",
        ),
        ("/model/vocab", json!({ "a": 0 }), "has no piece [UNK]"),
        (
            "/model/vocab",
            json!({ "[UNK]": 0, "a\nb": 1 }),
            "piece number 1 holds a line break",
        ),
        ("/model/vocab", json!({ "[UNK]": 0 }), "expected [1, dimensions]"),
    ] {
        let mut tokenizer = tokenizer();
        *tokenizer.pointer_mut(pointer).unwrap() = value;
        let error = Directory::new().with_table().with_tokenizer(&tokenizer).error();
        assert!(error.contains(expected), "{error}, not {expected}");
    }
}

#[test]
fn files_that_are_something_else_are_refused() {
    let not_json = Directory::new()
        .with_table()
        .with("tokenizer.json", "{\"model\":");
    assert!(
        not_json.error().contains("not the JSON of a tokenizer"),
        "{}",
        not_json.error()
    );
    let no_model = Directory::new()
        .with_table()
        .with_tokenizer(&json!({ "normalizer": null }));
    assert!(
        no_model.error().contains("missing field `model`"),
        "{}",
        no_model.error()
    );
    let not_text = Directory::new().with_table().with("vocab.txt", [0xff, 0xfe]);
    assert!(not_text.error().contains("vocab.txt"), "{}", not_text.error());
    let pointer = Directory::new()
        .with("vocab.txt", "[UNK]")
        .with("model.safetensors", "version https://git-lfs");
    assert!(
        pointer.error().contains("not a safetensors file"),
        "{}",
        pointer.error()
    );
}

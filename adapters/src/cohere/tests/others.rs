//! Embeddings, and errors.

use serde_json::{Value, json};
use tollgate_core::{RefusalKind, Usage};

use super::*;
use crate::cohere::embed::{self, Encoding};

fn embedded(body: &Value, encoding: Encoding) -> (Value, crate::Report) {
    let (out, report) = embed::answer(&bytes(body), "embed-v4.0", encoding).unwrap();
    (serde_json::from_slice(&out).unwrap(), report)
}

fn read(out: &[u8]) -> Value {
    serde_json::from_slice(out).unwrap()
}

#[test]
fn what_is_to_be_embedded_is_asked_in_cohere_s_words() {
    let mut loss = Loss::default();
    let asked =
        json!({"model": "m", "input": "a", "dimensions": 256, "encoding_format": "base64", "user": "u"});
    let (sent, encoding) = embed::request(&bytes(&asked), "embed-v4.0", &mut loss).unwrap();
    let expected = json!({"model": "embed-v4.0", "input_type": "search_document", "texts": ["a"],
        "embedding_types": ["float"], "output_dimension": 256});
    assert_eq!((read(&sent), encoding), (expected, Encoding::Base64));
    assert_eq!(lost(&loss), ["user"]);
    let asked = json!({"input": ["a", "b"], "input_type": "search_query", "truncate": "END"});
    let (sent, encoding) = embed::request(&bytes(&asked), "e", &mut Loss::default()).unwrap();
    let expected = json!({"model": "e", "input_type": "search_query", "texts": ["a", "b"],
        "embedding_types": ["float"], "truncate": "END"});
    assert_eq!((read(&sent), encoding), (expected, Encoding::Float));
}

#[test]
fn what_cannot_be_embedded_is_refused() {
    for (input, kind) in [
        (json!([1, 2]), RefusalKind::NotTranslatable),
        (json!([[1, 2]]), RefusalKind::NotTranslatable),
        (json!([]), RefusalKind::InvalidField),
        (json!({}), RefusalKind::InvalidField),
        (json!(["a", 1]), RefusalKind::InvalidField),
        (Value::Null, RefusalKind::InvalidField),
    ] {
        let refusal =
            embed::request(&bytes(&json!({"input": input})), "e", &mut Loss::default()).unwrap_err();
        assert_eq!(
            (refusal.kind, refusal.param.as_deref()),
            (kind, Some("input")),
            "{input}"
        );
    }
}

#[test]
fn embeddings_come_back_in_the_encoding_that_was_asked_for() {
    let body = json!({"id": "1", "texts": ["a", "b"], "embeddings": {"float": [[0.5, -2], [1e-3, 0]]},
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 4}}});
    let (told, report) = embedded(&body, Encoding::Float);
    assert_eq!(
        told,
        json!({"object": "list", "data": [
        {"object": "embedding", "index": 0, "embedding": [0.5, -2]},
        {"object": "embedding", "index": 1, "embedding": [1e-3, 0]}],
        "model": "embed-v4.0", "usage": {"prompt_tokens": 4, "total_tokens": 4}})
    );
    let usage = Usage {
        input: 4,
        ..reported()
    };
    assert_eq!(
        (report.usage, report.has_content, report.complete),
        (Some(usage), true, true)
    );
    let (told, _) = embedded(&body, Encoding::Base64);
    // 0.5 is 0x3f000000, -2 is 0xc0000000.
    assert_eq!(told["data"][0]["embedding"], "AAAAPwAAAMA=");
    let (told, _) = embedded(&json!({"embeddings": [[1]]}), Encoding::Float);
    assert_eq!(told["data"][0]["embedding"], json!([1]));
}

#[test]
fn answers_without_embeddings_are_errors_or_malformed() {
    let report = embed::report(br#"{"id":"1","message":"no such model"}"#).unwrap();
    assert_eq!(&*report.error.unwrap().message, "no such model");
    for bad in ["{}", "[]", r#"{"embeddings":{}}"#, r#"{"embeddings":1}"#] {
        assert!(embed::report(bad.as_bytes()).is_err(), "{bad}");
    }
    assert!(embed::answer(br#"{"embeddings":[["x"]]}"#, "e", Encoding::Base64).is_err());
}

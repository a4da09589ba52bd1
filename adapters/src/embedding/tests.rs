//! The same question in everybody's words, and everybody's answers in OpenAI's.

use serde_json::{Value, json};
use tollgate_core::{RefusalKind, RequestId, Timestamp, Usage, UsageSource};

use super::*;

fn bytes(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}

fn asked(
    kind: ProviderKind,
    model: &str,
    body: &Value,
) -> Result<(Value, Translation, Vec<String>), Refusal> {
    let at = Timestamp::from_unix_millis(0);
    let egress = Egress {
        kind,
        model,
        api_version: None,
        max_output_tokens: None,
        strict: false,
        request_id: RequestId::new(at, 0),
        now: at,
    };
    let mut loss = Loss::default();
    let (out, translation) = request(&bytes(body), &egress, &mut loss)?;
    let paths = loss.paths().map(str::to_owned).collect();
    Ok((serde_json::from_slice(&out).unwrap(), translation, paths))
}

fn told(
    kind: ProviderKind,
    model: &str,
    encoding: &str,
    answer: &Value,
) -> Result<(Value, Report), Malformed> {
    let body = json!({"model": "m", "input": "eight by", "encoding_format": encoding});
    let (_, translation, _) = asked(kind, model, &body).unwrap();
    let (out, report) = translation.answer(&bytes(answer))?;
    Ok((serde_json::from_slice(&out).unwrap(), report))
}

const TITAN: &str = "amazon.titan-embed-text-v2:0";

#[test]
fn the_question_is_put_in_the_words_of_each_provider() {
    let body = json!({"model": "m", "input": ["a", "b"], "dimensions": 256, "input_type": "search_query",
        "truncate": "END", "user": "u", "encoding_format": "base64"});
    let (cohere, _, lost) = asked(ProviderKind::Cohere, "embed-v4.0", &body).unwrap();
    let expected = json!({"model": "embed-v4.0", "input_type": "search_query", "texts": ["a", "b"],
        "embedding_types": ["float"], "output_dimension": 256, "truncate": "END"});
    assert_eq!((cohere, lost), (expected.clone(), vec!["user".to_owned()]));
    let (rock, _, _) = asked(ProviderKind::Bedrock, "us.cohere.embed-v4:0", &body).unwrap();
    let mut without_model = expected;
    without_model.as_object_mut().unwrap().remove("model");
    assert_eq!(rock, without_model);
    let (gemini, _, lost) = asked(ProviderKind::Gemini, "gemini-embedding-001", &body).unwrap();
    let one = |text: &str| {
        json!({"model": "models/gemini-embedding-001", "content": {"parts": [{"text": text}]},
            "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 256})
    };
    assert_eq!(
        (gemini, lost),
        (
            json!({"requests": [one("a"), one("b")]}),
            vec!["user".to_owned(), "truncate".to_owned()]
        )
    );
    let (vertex, _, _) = asked(ProviderKind::Vertex, "text-embedding-005", &body).unwrap();
    let expected = json!({"instances": [{"content": "a", "task_type": "RETRIEVAL_QUERY"},
        {"content": "b", "task_type": "RETRIEVAL_QUERY"}], "parameters": {"outputDimensionality": 256}});
    assert_eq!(vertex, expected);
    let plain = json!({"model": "m", "input": "a", "dimensions": 512});
    let (titan, _, lost) = asked(ProviderKind::Bedrock, TITAN, &plain).unwrap();
    assert_eq!(
        (titan, lost),
        (json!({"inputText": "a", "dimensions": 512}), vec![])
    );
    let (cohere, _, _) = asked(ProviderKind::Cohere, "e", &json!({"input": "a"})).unwrap();
    assert_eq!(cohere["input_type"], "search_document");
    let (gemini, _, _) = asked(ProviderKind::Gemini, "tunedModels/x", &json!({"input": "a"})).unwrap();
    let expected = json!({"model": "tunedModels/x", "content": {"parts": [{"text": "a"}]}});
    assert_eq!(gemini["requests"], json!([expected]));
}

#[test]
fn what_cannot_be_embedded_is_refused() {
    let kinds = [
        (ProviderKind::Cohere, "e"),
        (ProviderKind::Gemini, "e"),
        (ProviderKind::Vertex, "e"),
        (ProviderKind::Bedrock, TITAN),
    ];
    for (kind, model) in kinds {
        for (input, why) in [
            (json!([1, 2]), RefusalKind::NotTranslatable),
            (json!([[1, 2]]), RefusalKind::NotTranslatable),
            (json!([]), RefusalKind::InvalidField),
            (json!({}), RefusalKind::InvalidField),
            (json!(["a", 1]), RefusalKind::InvalidField),
            (Value::Null, RefusalKind::InvalidField),
        ] {
            let refusal = asked(kind, model, &json!({"input": input})).unwrap_err();
            assert_eq!(
                (refusal.kind, refusal.param.as_deref()),
                (why, Some("input")),
                "{kind} {input}"
            );
        }
    }
    let refused = |model, body: Value| {
        let refusal = asked(ProviderKind::Bedrock, model, &body).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::NotTranslatable);
        refusal.param.unwrap_or_default().into_owned()
    };
    assert_eq!(refused(TITAN, json!({"input": ["a", "b"]})), "input");
    assert_eq!(
        refused(
            "amazon.titan-embed-text-v1",
            json!({"input": "a", "dimensions": 256})
        ),
        "dimensions"
    );
    assert_eq!(
        refused("amazon.nova-2-multimodal-embeddings-v1:0", json!({"input": "a"})),
        "model"
    );
}

#[test]
fn vectors_come_back_in_the_encoding_that_was_asked_for_with_what_they_took() {
    let cases = [
        (
            ProviderKind::Cohere,
            "e",
            json!({"embeddings": {"float": [[0.5, -2]]}, "meta": {"billed_units": {"input_tokens": 4}}}),
            Some(4),
        ),
        (
            ProviderKind::Cohere,
            "e",
            json!({"embeddings": [[0.5, -2]]}),
            None,
        ),
        (
            ProviderKind::Bedrock,
            "cohere.embed-english-v3",
            json!({"embeddings": {"float": [[0.5, -2]]}}),
            None,
        ),
        (
            ProviderKind::Gemini,
            "e",
            json!({"embeddings": [{"values": [0.5, -2]}]}),
            None,
        ),
        (
            ProviderKind::Gemini,
            "e",
            json!({"embeddings": [{"values": [0.5, -2]}], "usageMetadata": {"promptTokenCount": 5}}),
            Some(5),
        ),
        (
            ProviderKind::Vertex,
            "e",
            json!({"predictions": [{"embeddings": {"values": [0.5, -2], "statistics": {"token_count": 6}}}]}),
            Some(6),
        ),
        (
            ProviderKind::Bedrock,
            TITAN,
            json!({"embedding": [0.5, -2], "inputTextTokenCount": 7}),
            Some(7),
        ),
    ];
    for (kind, model, answer, tokens) in cases {
        let (float, report) = told(kind, model, "float", &answer).unwrap();
        // Eight bytes are about two tokens, where nobody counts them.
        let shown = tokens.unwrap_or(2);
        let expected = json!({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -2]}],
            "model": model, "usage": {"prompt_tokens": shown, "total_tokens": shown}});
        assert_eq!(float, expected, "{kind}");
        let usage = tokens.map(|input| Usage {
            input,
            source: UsageSource::Reported,
            ..Usage::default()
        });
        assert_eq!(
            (report.usage, report.has_content, report.complete),
            (usage, true, true),
            "{kind}"
        );
        let (packed, _) = told(kind, model, "base64", &answer).unwrap();
        // 0.5 is 0x3f000000, -2 is 0xc0000000.
        assert_eq!(packed["data"][0]["embedding"], "AAAAPwAAAMA=", "{kind}");
    }
}

#[test]
fn answers_without_vectors_are_errors_or_malformed() {
    let error = json!({"message": "no such model", "error": {"message": "no such model"}});
    for (kind, model) in [
        (ProviderKind::Cohere, "e"),
        (ProviderKind::Gemini, "e"),
        (ProviderKind::Bedrock, TITAN),
    ] {
        let (_, report) = told(kind, model, "float", &error).unwrap();
        assert_eq!(&*report.error.unwrap().message, "no such model", "{kind}");
        for bad in [json!({}), json!([]), json!({"embeddings": 1, "embedding": 1})] {
            let read = told(kind, model, "base64", &bad);
            assert!(
                read.is_err() || read.is_ok_and(|(out, _)| out["data"] == json!([])),
                "{kind} {bad}"
            );
        }
    }
    let words = json!({"embeddings": [["x"]]});
    assert!(told(ProviderKind::Cohere, "e", "base64", &words).is_err());
}

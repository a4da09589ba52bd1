use tollgate_core::Timestamp;

use super::*;
use crate::head::{Scratch, read_head};

fn egress(kind: ProviderKind, model: &str) -> Egress<'_> {
    Egress {
        kind,
        model,
        api_version: None,
        max_output_tokens: None,
        strict: false,
        request_id: RequestId::new(Timestamp::from_unix_millis(1), 1),
        now: Timestamp::from_unix_millis(1),
    }
}

fn encoded(surface: Surface, kind: ProviderKind, model: &str, body: &str) -> Encoded {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let head = read_head(surface, &body, &mut Scratch::default()).unwrap();
    encode(surface, &head, &body, &egress(kind, model)).unwrap()
}

fn body(surface: Surface, kind: ProviderKind, model: &str, body: &str) -> String {
    String::from_utf8(encoded(surface, kind, model, body).body.to_vec()).unwrap()
}

#[test]
fn a_body_that_needs_no_patch_is_not_even_copied() {
    for (surface, kind) in [
        (Surface::ChatCompletions, ProviderKind::OpenAi),
        (Surface::Messages, ProviderKind::Anthropic),
    ] {
        let original = Bytes::from_static(b" {\"messages\" : [], \"unheard_of\":1e2,\"model\":\"m\"}\n");
        let head = read_head(surface, &original, &mut Scratch::default()).unwrap();
        let encoded = encode(surface, &head, &original, &egress(kind, "m")).unwrap();
        assert_eq!(
            (encoded.body.as_ptr(), encoded.body.len()),
            (original.as_ptr(), original.len())
        );
        assert!(encoded.loss.is_empty());
    }
}

#[test]
fn the_model_is_replaced_and_nothing_else() {
    let asked = r#"{"messages":[{"content":"model"}] ,"model" : "route" , "x":[{"model":"y"}]}"#;
    let sent = body(
        Surface::ChatCompletions,
        ProviderKind::OpenAi,
        "quote\"d/é",
        asked,
    );
    assert_eq!(sent, asked.replace("\"route\"", r#""quote\"d/é""#));
}

#[test]
fn usage_is_asked_for_in_streams_and_only_there() {
    let chat = |kind, fields: &str| {
        let asked = format!(r#"{{"model":"m","messages":[]{fields}}}"#);
        body(Surface::ChatCompletions, kind, "m", &asked)
    };
    let openai = |fields: &str| chat(ProviderKind::OpenAi, fields);
    let tail = |fields: &str| openai(&format!(r#","stream":true,"stream_options":{fields}"#)).split_off(54);
    let expected = r#"{"stream_options":{"include_usage":true},"model":"m","messages":[],"stream":true}"#;
    assert_eq!(openai(r#","stream":true"#), expected);
    assert_eq!(tail("null"), r#"ns":{"include_usage":true}}"#.to_owned());
    assert_eq!(tail("{}"), r#"ns":{"include_usage":true}}"#);
    assert_eq!(tail("{ \"a\":1}"), r#"ns":{"include_usage":true, "a":1}}"#);
    assert_eq!(
        tail("{\"include_usage\": false}"),
        r#"ns":{"include_usage": true}}"#
    );
    assert_eq!(
        tail("{\"include_usage\":true }"),
        r#"ns":{"include_usage":true }}"#
    );
    assert_eq!(
        openai(r#","stream":false"#),
        r#"{"model":"m","messages":[],"stream":false}"#
    );
    let strict = chat(ProviderKind::Mistral, r#","stream":true"#);
    assert_eq!(strict, r#"{"model":"m","messages":[],"stream":true}"#);
}

#[test]
fn patched_bodies_are_json_with_both_patches_in_any_order() {
    for asked in [
        r#"{"model":"r","stream":true,"stream_options":null,"messages":[]}"#,
        r#"{"stream_options":{"include_usage":false},"stream":true,"messages":[],"model":"r"}"#,
        " \n{ \"stream\":true,\"messages\":[],\"model\":\"r\"}",
    ] {
        let sent = body(Surface::ChatCompletions, ProviderKind::Groq, "m2", asked);
        let sent: serde_json::Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(
            (&sent["model"], &sent["stream_options"]["include_usage"]),
            (&"m2".into(), &true.into())
        );
    }
}

#[test]
fn paths_follow_the_surface_and_the_kind() {
    let path = |surface, kind, version| {
        let mut egress = egress(kind, "my deploy/é");
        egress.api_version = version;
        super::path(surface, &egress)
    };
    assert_eq!(
        path(Surface::ChatCompletions, ProviderKind::Groq, None),
        "/chat/completions"
    );
    assert_eq!(
        path(Surface::Embeddings, ProviderKind::OpenAi, None),
        "/embeddings"
    );
    assert_eq!(
        path(Surface::Completions, ProviderKind::Vllm, None),
        "/completions"
    );
    assert_eq!(
        path(Surface::Messages, ProviderKind::OpenAi, None),
        "/chat/completions"
    );
    assert_eq!(
        path(Surface::Messages, ProviderKind::Anthropic, None),
        "/v1/messages"
    );
    assert_eq!(
        path(Surface::ChatCompletions, ProviderKind::Anthropic, None),
        "/v1/messages"
    );
    assert_eq!(
        path(Surface::CountTokens, ProviderKind::Anthropic, None),
        "/v1/messages/count_tokens"
    );
    assert_eq!(
        path(Surface::Embeddings, ProviderKind::Azure, None),
        "/openai/v1/embeddings"
    );
    assert_eq!(
        path(Surface::ChatCompletions, ProviderKind::Azure, Some("2024-10-21")),
        "/openai/deployments/my%20deploy%2F%C3%A9/chat/completions?api-version=2024-10-21"
    );
}

#[test]
fn what_a_dialect_cannot_serve_is_refused() {
    let body = Bytes::from_static(br#"{"model":"m","messages":[],"input":"x"}"#);
    for (surface, kind) in [
        (Surface::Embeddings, ProviderKind::Anthropic),
        (Surface::CountTokens, ProviderKind::OpenAi),
    ] {
        let head = read_head(surface, &body, &mut Scratch::default()).unwrap();
        let refusal = encode(surface, &head, &body, &egress(kind, "m")).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::NotTranslatable);
    }
}

#[test]
fn a_head_of_another_body_is_a_fault_and_no_panic() {
    let long = br#"{"messages":[],"padding":"................................","model":"m"}"#;
    let head = read_head(Surface::Messages, long, &mut Scratch::default()).unwrap();
    let refusal = encode(
        Surface::Messages,
        &head,
        &Bytes::from_static(b"{}"),
        &egress(ProviderKind::Anthropic, "x"),
    );
    assert_eq!(refusal.unwrap_err().kind, RefusalKind::Internal);
}

#[test]
fn answers_are_passed_on_without_a_copy_and_understood() {
    let read = |surface, kind, answer: &'static str| {
        let answer = Bytes::from_static(answer.as_bytes());
        let asked = r#"{"model":"m","messages":[],"input":"x"}"#;
        let read = encoded(surface, kind, "m", asked).reader.read(answer.clone());
        if let Ok(read) = &read {
            assert_eq!(read.body.as_ptr(), answer.as_ptr());
        }
        read.map(|answer| answer.report)
    };
    let chat = r#"{"model":"m-1","choices":[{"index":0,"message":{"content":"h\u00e9\n"},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":4,"completion_tokens":2},"service_tier":"flex"}"#;
    let report = read(Surface::ChatCompletions, ProviderKind::OpenAi, chat).unwrap();
    assert_eq!(
        (report.model.as_deref(), report.output_bytes, report.complete),
        (Some("m-1"), 5, true)
    );
    assert_eq!(report.finish, Some(tollgate_core::FinishReason::Stop));
    assert_eq!(report.service_tier, tollgate_core::ServiceTier::Flex);
    assert_eq!(report.usage.unwrap().total(), 6);

    let message = r#"{"type":"message","model":"c","content":[{"type":"tool_use","id":"t","name":"n","input":{}}],
        "stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":9,"service_tier":"priority"}}"#;
    let report = read(Surface::Messages, ProviderKind::Anthropic, message).unwrap();
    assert_eq!(report.finish, Some(tollgate_core::FinishReason::ToolCalls));
    assert_eq!((report.has_content, report.usage.unwrap().output), (true, 9));

    let embeddings =
        r#"{"data":[{"embedding":[0.1]}],"model":"e","usage":{"prompt_tokens":5,"total_tokens":5}}"#;
    let report = read(Surface::Embeddings, ProviderKind::OpenAi, embeddings).unwrap();
    assert_eq!(report.usage.unwrap().input, 5);
    let counted = read(
        Surface::CountTokens,
        ProviderKind::Anthropic,
        r#"{"input_tokens":5}"#,
    )
    .unwrap();
    assert_eq!((counted.usage, counted.has_content), (None, true));

    let error = r#"{"error":{"code":502,"message":"upstream gone"}}"#;
    let report = read(Surface::ChatCompletions, ProviderKind::OpenRouter, error).unwrap();
    assert_eq!(&*report.error.unwrap().message, "upstream gone");
    for bad in [
        "",
        "<html>",
        "[]",
        "{}",
        r#"{"choices":null}"#,
        r#"{"choices":[]"#,
    ] {
        assert!(
            read(Surface::ChatCompletions, ProviderKind::OpenAi, bad).is_err(),
            "{bad}"
        );
        assert!(
            read(Surface::Messages, ProviderKind::Anthropic, bad).is_err(),
            "{bad}"
        );
    }
}

//! What goes out to each kind of provider, and what comes back to the client.

use super::*;
use crate::head::{Scratch, read_head};
use crate::report::StreamEnd;
use crate::testing::egress;

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
        super::path(surface, false, &egress)
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

const ODD: &str = r#"{"model":"m","messages":[{"role":"developer","content":"Be terse."},{"role":"user","content":"developer"},{"content":"", "role" : "developer"}]}"#;

#[test]
fn developers_become_system_where_they_are_not_known_and_only_there() {
    for kind in ProviderKind::ALL {
        if kind.dialect_for(Surface::ChatCompletions) != Dialect::OpenAi || kind == ProviderKind::Mistral {
            continue;
        }
        let sent = body(Surface::ChatCompletions, kind, "m", ODD);
        let expected = if profile(kind).quirks.takes_developer {
            ODD.to_owned()
        } else {
            ODD.replace(r#""role":"developer""#, r#""role":"system""#)
                .replace(r#""role" : "developer""#, r#""role" : "system""#)
        };
        assert_eq!(sent, expected, "{kind}");
        let translates = crate::openai::quirks::takes(kind, "m").developer;
        assert_eq!(translates, profile(kind).quirks.takes_developer, "{kind}");
    }
    for kind in [
        ProviderKind::OpenAi,
        ProviderKind::Azure,
        ProviderKind::OpenRouter,
    ] {
        assert!(profile(kind).quirks.takes_developer, "{kind}");
    }
}

/// What `oa.params.unsupported` of many test suites sends.
const PARAMETERS: &str = concat!(
    r#"{"logprobs":true,"top_logprobs":2,"messages":[{"role":"user","content":"Hi"}],"model":"m","frequency_penalty":0.1,"#,
    r#""presence_penalty":0,"logit_bias":{"50256":-100},"max_completion_tokens":50,"seed":1,"stop":["END"],"store":false,"#,
    r#""temperature":1.7,"top_p":0.9,"user":"u1","metadata":{"a":"b"}}"#
);

#[test]
fn fields_that_a_provider_refuses_are_left_out_and_named() {
    let sent = |kind, model| {
        let encoded = encoded(Surface::ChatCompletions, kind, model, PARAMETERS);
        let sent: serde_json::Value = serde_json::from_slice(&encoded.body).unwrap();
        (sent, encoded.loss.to_string())
    };
    let whole: serde_json::Value = serde_json::from_str(PARAMETERS).unwrap();
    let without = |model: &str, fields: &[&str]| {
        let mut expected = whole.clone();
        expected["model"] = model.into();
        for field in fields {
            expected.as_object_mut().unwrap().remove(*field).unwrap();
        }
        expected
    };
    let groq = ["logprobs", "top_logprobs", "logit_bias", "store", "metadata"];
    let (body, loss) = sent(ProviderKind::Groq, "llama");
    assert_eq!(body, without("llama", &groq));
    assert_eq!(loss, "logprobs, top_logprobs, logit_bias, metadata");

    let (body, loss) = sent(ProviderKind::Xai, "grok-4");
    assert_eq!(
        body,
        without("grok-4", &["stop", "presence_penalty", "frequency_penalty"])
    );
    assert_eq!(loss, "frequency_penalty, stop");
    assert_eq!(
        sent(ProviderKind::Xai, "grok-3"),
        (without("grok-3", &[]), String::new())
    );
    for kind in [
        ProviderKind::OpenAi,
        ProviderKind::Azure,
        ProviderKind::OpenRouter,
        ProviderKind::Vllm,
    ] {
        let encoded = encoded(Surface::ChatCompletions, kind, "m", PARAMETERS);
        assert_eq!(
            (&*encoded.body, encoded.loss.is_empty()),
            (PARAMETERS.as_bytes(), true)
        );
    }
}

#[test]
fn a_limit_goes_by_the_name_that_is_not_ignored() {
    for kind in [
        ProviderKind::DeepSeek,
        ProviderKind::Together,
        ProviderKind::Ollama,
    ] {
        let sent = body(Surface::ChatCompletions, kind, "m", PARAMETERS);
        assert_eq!(
            sent,
            PARAMETERS.replace("max_completion_tokens", "max_tokens"),
            "{kind}"
        );
        let both = r#"{"model":"m","messages":[],"max_completion_tokens":1,"max_tokens":2}"#;
        assert_eq!(body(Surface::ChatCompletions, kind, "m", both), both, "{kind}");
    }
}

#[test]
fn strict_requests_are_refused_rather_than_mended_with_loss() {
    let mut egress = egress(ProviderKind::Groq, "m");
    egress.strict = true;
    let ask = |body: &'static str| {
        let body = Bytes::from_static(body.as_bytes());
        let head = read_head(Surface::ChatCompletions, &body, &mut Scratch::default()).unwrap();
        encode(Surface::ChatCompletions, &head, &body, &egress)
    };
    let refusal = ask(PARAMETERS).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.param.as_deref()),
        (RefusalKind::NotTranslatable, Some("logprobs"))
    );
    let idle = ask(r#"{"model":"m","logprobs":false,"messages":[],"store":null}"#).unwrap();
    assert_eq!(idle.body, r#"{"model":"m","messages":[]}"#);
}

#[test]
fn every_mend_of_one_body_finds_its_place() {
    let asked = r#"{"store":true,"logprobs":true ,"stream":true, "messages":[{"role":"developer"}],"model":"route","metadata":{},"logit_bias":{}}"#;
    let sent = body(Surface::ChatCompletions, ProviderKind::Groq, "m", asked);
    assert_eq!(
        sent,
        r#"{"stream_options":{"include_usage":true},"stream":true, "messages":[{"role":"system"}],"model":"m"}"#
    );
}

#[test]
fn a_strict_provider_gets_nothing_that_it_does_not_know() {
    let asked = concat!(
        r#"{"model":"route","stream":true,"messages":[{"role":"developer","content":"Be terse."},"#,
        r#"{"role":"user","name":"ann","content":"a"},"#,
        r#"{"role":"assistant","content":null,"refusal":null,"annotations":[],"tool_calls":["#,
        r#"{"id":"call_a","type":"function","function":{"name":"f","arguments":"{\"q\": 1}"}}]},"#,
        r#"{"role":"tool","tool_call_id":"call_a","content":"sunny"},"#,
        r#"{"role":"assistant","content":null,"refusal":"No."},{"role":"user","content":"so?"}],"#,
        r#""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":"required","#,
        r#""max_completion_tokens":50,"seed":1,"temperature":1.7,"top_p":0.9,"logit_bias":{"1":-100},"user":"u1","#,
        r#""logprobs":true,"top_logprobs":2,"n":2,"store":true,"metadata":{"a":"b"},"service_tier":"default","#,
        r#""reasoning_effort":"high","safe_prompt":true,"stop":["END"],"frequency_penalty":0.1,"#,
        r#""stream_options":{"include_usage":true},"unheard_of":1}"#
    );
    let encoded = encoded(
        Surface::ChatCompletions,
        ProviderKind::Mistral,
        "mistral-large",
        asked,
    );
    let sent: serde_json::Value = serde_json::from_slice(&encoded.body).unwrap();
    let id = sent["messages"][2]["tool_calls"][0]["id"].as_str().unwrap();
    assert!(
        id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{id}"
    );
    let expected = serde_json::json!({
        "model": "mistral-large",
        "stream": true,
        "messages": [
            {"role": "system", "content": "Be terse."},
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "", "tool_calls": [
                {"id": id, "type": "function", "function": {"name": "f", "arguments": "{\"q\": 1}"}}
            ]},
            {"role": "tool", "tool_call_id": id, "content": "sunny"},
            {"role": "assistant", "content": "No."},
            {"role": "user", "content": "so?"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": "any",
        "max_tokens": 50,
        "random_seed": 1,
        "temperature": 1.5,
        "top_p": 0.9,
        "frequency_penalty": 0.1,
        "stop": ["END"],
        "reasoning_effort": "high",
        "metadata": {"a": "b"},
        "safe_prompt": true,
    });
    assert_eq!(sent, expected);
    let mut lost: Vec<_> = encoded.loss.paths().collect();
    lost.sort_unstable();
    let expected = [
        "logit_bias",
        "logprobs",
        "messages[1].name",
        "n",
        "store",
        "temperature",
        "top_logprobs",
        "unheard_of",
        "user",
    ];
    assert_eq!(lost, expected);
}

#[test]
fn a_strict_provider_s_answers_are_what_client_sdks_read() {
    let asked = r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#;
    let reader = || encoded(Surface::ChatCompletions, ProviderKind::Mistral, "m", asked).reader;
    let answer = concat!(
        r#"{"id":"x","model":"mistral-small","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","#,
        r#""content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm."}]},{"type":"text","text":"So:"}],"#,
        r#""tool_calls":[{"id":"abcdefghi","function":{"name":"f","arguments":{"q":1}}}]}}],"#,
        r#""usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}"#
    );
    let answer = reader().read(Bytes::from_static(answer.as_bytes())).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let message = &body["choices"][0]["message"];
    assert_eq!(
        (&message["reasoning_content"], &message["content"]),
        (&"Hm.".into(), &"So:".into())
    );
    assert_eq!(
        message["tool_calls"][0],
        serde_json::json!({"id": "abcdefghi", "type": "function", "function": {"name": "f", "arguments": "{\"q\":1}"}})
    );
    assert_eq!(
        (
            &body["usage"]["total_tokens"],
            answer.report.usage.unwrap().total()
        ),
        (&12.into(), 12)
    );

    let events = concat!(
        "data: {\"id\":\"x\",\"model\":\"mistral-small\",\"choices\":[{\"index\":0,\"delta\":{\"content\":",
        "[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"Hm.\"}]}]}}]}\n\n",
        "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"id\":\"abcdefghi\",",
        "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}],",
        "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7,\"total_tokens\":12}}\n\ndata: [DONE]\n\n"
    );
    let (mut stream, mut out) = (reader().stream(), Vec::new());
    stream.push(Bytes::from_static(events.as_bytes()), &mut out);
    stream.finish(StreamEnd::Eof, &mut out);
    let out = String::from_utf8(out.concat()).unwrap();
    assert!(out.contains(r#""delta":{"reasoning_content":"Hm."}"#), "{out}");
    assert!(
        out.contains(r#"{"index":0,"id":"abcdefghi","type":"function""#),
        "{out}"
    );
    assert!(
        out.ends_with("data: [DONE]\n\n") && !out.contains(r#""usage":{"#),
        "{out}"
    );
    assert_eq!(
        (stream.report().usage.unwrap().total(), stream.report().complete),
        (12, true)
    );
}

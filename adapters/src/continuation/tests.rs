//! What goes out to the provider that is to go on, and what is refused.

use proptest::prelude::*;
use serde_json::{Value, json};
use tollgate_core::{RequestId, Timestamp};

use super::*;
use crate::head::{Scratch, read_head};

const SURFACES: [Surface; 2] = [Surface::ChatCompletions, Surface::Messages];
const KINDS: [ProviderKind; 2] = [ProviderKind::OpenAi, ProviderKind::Anthropic];

fn egress(kind: ProviderKind) -> Egress<'static> {
    Egress {
        kind,
        model: if kind == ProviderKind::Anthropic {
            "claude-sonnet-4-5"
        } else {
            "there"
        },
        api_version: None,
        max_output_tokens: None,
        strict: false,
        request_id: RequestId::new(Timestamp::from_unix_millis(1), 1),
        now: Timestamp::from_unix_millis(1),
    }
}

fn request(fields: &Value) -> Value {
    let mut request = json!({"model": "m", "max_tokens": 9, "stream": true,
        "messages": [{"role": "user", "content": "Tell me."}]});
    let fields = fields.as_object().unwrap().clone();
    request.as_object_mut().unwrap().extend(fields);
    request
}

fn encoded(surface: Surface, body: &str, partial: &Partial, egress: &Egress<'_>) -> Result<Encoded, Refusal> {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let head = read_head(surface, &body, &mut Scratch::default()).unwrap();
    encode_continuation(surface, &head, &body, partial, egress)
}

fn sent(surface: Surface, kind: ProviderKind, said: &str) -> Value {
    let request = request(&json!({})).to_string();
    let encoded = encoded(surface, &request, &Partial::of(said), &egress(kind)).unwrap();
    serde_json::from_slice(&encoded.body).unwrap()
}

#[test]
fn the_answer_so_far_is_the_last_turn_in_every_pair_of_dialects() {
    for surface in SURFACES {
        for kind in KINDS {
            let sent = sent(surface, kind, "Once \"upon\"");
            let turns = json!([{"role": "user", "content": "Tell me."}, {"role": "assistant", "content": "Once \"upon\""}]);
            assert_eq!(sent["messages"], turns, "{surface:?} {kind}");
        }
    }
}

#[test]
fn the_clients_bytes_stay_but_for_the_turn_and_the_model() {
    let body = "{ \"messages\" : [ {\"role\":\"user\",\"content\":\"]}\"} ] ,\n \"model\":\"m\",\"x\":[1] }";
    let partial = Partial::of("So");
    let out = encoded(
        Surface::Messages,
        body,
        &partial,
        &egress(ProviderKind::Anthropic),
    )
    .unwrap();
    let expected = body
        .replace("} ]", "} ,{\"role\":\"assistant\",\"content\":\"So\"}]")
        .replace("\"m\"", "\"claude-sonnet-4-5\"");
    assert_eq!(out.body, expected);
    let turn = |body: &str| with_turn(&Bytes::copy_from_slice(body.as_bytes()), "So", ProviderKind::Groq);
    let expected = r#"{"messages":[ {"role":"assistant","content":"So"}],"x":1}"#;
    assert_eq!(turn(r#"{"messages":[ ],"x":1}"#).unwrap(), expected);
    for none in [r#"{"x":1}"#, r#"{"messages":{}}"#, "[]", ""] {
        assert_eq!(turn(none), None);
    }
}

#[test]
fn white_space_at_the_end_goes_to_those_who_take_it() {
    let last = |kind, said| sent(Surface::ChatCompletions, kind, said)["messages"][1]["content"].clone();
    assert_eq!(last(ProviderKind::OpenAi, "Once \n"), "Once \n");
    assert_eq!(last(ProviderKind::Anthropic, "Once \u{a0}\n"), "Once");
    for said in ["", " \n"] {
        let sent = sent(Surface::Messages, ProviderKind::Anthropic, said);
        assert_eq!(sent["messages"].as_array().map(Vec::len), Some(1), "{said:?}");
    }
}

#[test]
fn what_was_answered_counts_against_the_limit() {
    let said = "four bytes a token, so: forty bytes, ten.";
    for surface in SURFACES {
        for kind in KINDS {
            let mut limits = vec![(json!({"max_tokens": 100}), 89), (json!({"max_tokens": 5}), 1)];
            if surface == Surface::ChatCompletions {
                limits.push((json!({"max_tokens": null, "max_completion_tokens": 31}), 20));
            }
            for (fields, expected) in limits {
                let body = request(&fields).to_string();
                let out = encoded(surface, &body, &Partial::of(said), &egress(kind)).unwrap();
                let sent: Value = serde_json::from_slice(&out.body).unwrap();
                let limit = [&sent["max_tokens"], &sent["max_completion_tokens"]]
                    .into_iter()
                    .find(|limit| limit.is_u64());
                assert_eq!(limit, Some(&json!(expected)), "{surface:?} {kind} {fields}");
            }
        }
    }
    let unlimited = r#"{"model":"there","messages":[{"role":"user","content":"x"}],"max_tokens":-1}"#;
    let out = encoded(
        Surface::ChatCompletions,
        unlimited,
        &Partial::of(said),
        &egress(ProviderKind::Vllm),
    )
    .unwrap();
    assert!(String::from_utf8_lossy(&out.body).contains("\"max_tokens\":-1"));
}

#[test]
fn providers_are_told_in_their_own_words_to_go_on() {
    let sent = |kind| sent(Surface::Messages, kind, "Once");
    assert_eq!(sent(ProviderKind::Mistral)["messages"][1]["prefix"], true);
    assert_eq!(sent(ProviderKind::DashScope)["messages"][1]["partial"], true);
    let vllm = sent(ProviderKind::Vllm);
    assert_eq!(
        (&vllm["continue_final_message"], &vllm["add_generation_prompt"]),
        (&json!(true), &json!(false))
    );
    let own = request(&json!({"add_generation_prompt": true})).to_string();
    let partial = Partial::of("Once");
    let out = encoded(
        Surface::ChatCompletions,
        &own,
        &partial,
        &egress(ProviderKind::Vllm),
    )
    .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&out.body)
            .matches("add_generation_prompt")
            .count(),
        1
    );
}

#[test]
fn what_cannot_be_continued_is_refused() {
    let schema = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}});
    let chat = [
        json!({"n": 2}),
        json!({"logprobs": true}),
        json!({"top_logprobs": 2}),
        json!({"response_format": schema}),
        json!({"response_format": {"type": "json_object"}}),
        json!({"modalities": ["text", "audio"], "audio": {"voice": "x"}}),
    ];
    let format = json!({"type": "json_schema", "schema": {"type": "object"}});
    let messages = [
        json!({"output_config": {"format": format}}),
        json!({"output_format": format}),
    ];
    let thinks = json!({"thinking": {"type": "enabled", "budget_tokens": 2000}});
    let refusal = |surface, fields: &Value, target: &Egress<'_>| {
        let body = request(fields).to_string();
        encoded(surface, &body, &Partial::of("Once"), target)
            .map(|_| ())
            .map_err(|refusal| refusal.kind)
    };
    let no = Err(RefusalKind::NotTranslatable);
    for kind in KINDS {
        for fields in &chat {
            assert_eq!(
                refusal(Surface::ChatCompletions, fields, &egress(kind)),
                no,
                "{fields}"
            );
        }
        for fields in &messages {
            assert_eq!(refusal(Surface::Messages, fields, &egress(kind)), no, "{fields}");
        }
    }
    let (openai, claude) = (egress(ProviderKind::OpenAi), egress(ProviderKind::Anthropic));
    let effort = json!({"reasoning_effort": "low"});
    assert_eq!(refusal(Surface::Messages, &thinks, &claude), no);
    assert_eq!(refusal(Surface::ChatCompletions, &effort, &claude), no);
    let newer = Egress {
        model: "claude-opus-4-6",
        ..claude
    };
    assert_eq!(refusal(Surface::Messages, &json!({}), &newer), no);
    for (surface, fields, target) in [
        (Surface::Messages, thinks, openai),
        (Surface::ChatCompletions, effort, openai),
        (
            Surface::ChatCompletions,
            json!({"reasoning_effort": "none", "n": 1, "response_format": {"type": "text"}}),
            claude,
        ),
        (
            Surface::Messages,
            json!({"thinking": {"type": "disabled"}}),
            claude,
        ),
    ] {
        assert_eq!(refusal(surface, &fields, &target), Ok(()), "{fields}");
    }
    let mut called = Partial::of("Let me see.");
    called.note_foreign();
    let body = request(&json!({})).to_string();
    assert_eq!(
        encoded(Surface::Messages, &body, &called, &claude)
            .unwrap_err()
            .kind,
        RefusalKind::NotTranslatable
    );
    let embed = r#"{"model":"m","input":"x"}"#;
    let other = encoded(Surface::Embeddings, embed, &Partial::of("x"), &openai);
    assert_eq!(other.unwrap_err().kind, RefusalKind::NotTranslatable);
}

#[test]
fn a_seam_is_one_comment_whatever_names_there_are() {
    assert_eq!(
        render_seam("backup", "gpt-4o"),
        ": tollgate seam provider=backup model=gpt-4o\n\n"
    );
    let odd = render_seam("a\n\ndata: x", "m\u{e9} y");
    assert_eq!(odd, ": tollgate seam provider=a__data:_x model=m__y\n\n");
}

proptest! {
    #[test]
    fn any_answer_and_any_body_is_sent_or_refused(said in "\\PC{0,20}[ \n]{0,2}", bytes in "[{}\\[\\]\":,a-z ]{0,80}") {
        for surface in SURFACES {
            let goes_on = |kind: &ProviderKind| matches!(kind.dialect_for(surface), Dialect::OpenAi | Dialect::Anthropic);
            for kind in ProviderKind::ALL.into_iter().filter(goes_on) {
                let body = request(&json!({})).to_string();
                let out = encoded(surface, &body, &Partial::of(&said), &egress(kind)).unwrap();
                let sent: Value = serde_json::from_slice(&out.body).unwrap();
                let last = sent["messages"].as_array().unwrap().last().unwrap();
                let trims = kind.dialect_for(surface) == Dialect::Anthropic;
                let expected = if trims { said.trim_end() } else { &said };
                if expected.is_empty() {
                    prop_assert_eq!(&last["role"], "user");
                } else {
                    prop_assert_eq!(&last["content"], expected);
                }
                let noise = Bytes::from(format!("{{\"model\":\"m\",\"messages\":[],{bytes}}}"));
                if let Ok(head) = read_head(surface, &noise, &mut Scratch::default()) {
                    let _ = encode_continuation(surface, &head, &noise, &Partial::of(&said), &egress(kind));
                }
                // A head of another body.
                let head = read_head(surface, body.as_bytes(), &mut Scratch::default()).unwrap();
                let _ = encode_continuation(surface, &head, &noise, &Partial::of(&said), &egress(kind));
            }
        }
    }
}

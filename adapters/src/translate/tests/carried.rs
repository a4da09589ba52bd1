//! What a provider wants back comes back to it, whatever the client speaks: an answer goes out, the client sends it
//! along with the next turn, and the provider finds its own in it as it was. Nobody else gets to see it.

mod clients;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tollgate_core::{ProviderKind, Surface};

use clients::{
    CLIENTS, GEMINI, ask, gemini, gemini_stream, joined, kept, kept_of_stream, loop_of_gemini, next, signed,
    signed_part,
};

use super::{egress, request};
use crate::chat::answer::Piece;
use crate::chat::made::Made;
use crate::chat::names::Renamed;
use crate::dialects;
use crate::encode::{Encoded, encode};
use crate::head::{Scratch, read_head};
use tollgate_core::Dialect;

#[test]
fn a_gemini_call_is_not_refused_on_the_next_turn_for_a_missing_thought_signature() {
    let parts = loop_of_gemini();
    let expected = [("text", "c2lnMQ==".to_owned()), ("call", "c2ln+/Ig==".to_owned())];
    let stream = gemini_stream(&parts);
    for client in CLIENTS {
        let whole = kept(client, ProviderKind::Gemini, &gemini(&parts));
        let (sent, _) = next(client, ProviderKind::Gemini, GEMINI, whole);
        assert_eq!(signed(&sent), expected, "{client:?}: {sent}");
        assert_eq!(sent["contents"][1]["parts"].as_array().unwrap().len(), 3);
        for size in [1, 7, 64, stream.len()] {
            let message = kept_of_stream(client, ProviderKind::Gemini, &stream, size);
            let (sent, _) = next(client, ProviderKind::Gemini, GEMINI, message);
            assert_eq!(signed(&sent), expected, "{client:?}: {sent}");
            assert_eq!(sent["contents"][1]["parts"].as_array().unwrap().len(), 3);
        }
    }
}

#[test]
fn an_openai_client_finds_the_signature_of_a_call_where_google_puts_it_and_may_bring_googles_own() {
    let message = kept(
        Surface::ChatCompletions,
        ProviderKind::Gemini,
        &gemini(&loop_of_gemini()),
    );
    let call = &message["tool_calls"][0]["extra_content"]["google"]["thought_signature"];
    assert!(call.as_str().unwrap().starts_with("dG9sbGdhdGU6"));
    assert!(message["extra_content"]["google"]["thought_signature"].is_string());
    assert_eq!(message["tool_calls"][1].get("extra_content"), None);
    let stream = gemini_stream(&loop_of_gemini());
    let streamed = kept_of_stream(Surface::ChatCompletions, ProviderKind::Gemini, &stream, 9);
    assert_eq!(
        &streamed["tool_calls"][0]["extra_content"]["google"]["thought_signature"],
        call
    );
    let googles = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "a", "type": "function",
        "function": {"name": "f", "arguments": "{}"}, "extra_content": {"google": {"thought_signature": "b3du"}}}]});
    let (sent, lost) = next(Surface::ChatCompletions, ProviderKind::Gemini, GEMINI, googles);
    assert_eq!((signed(&sent), lost), (vec![("call", "b3du".to_owned())], vec![]));
}

#[test]
fn encrypted_reasoning_of_openai_comes_back_in_front_of_its_call() {
    for summary in [json!([]), json!([{"type": "summary_text", "text": "hm"}])] {
        let reasoning =
            json!({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gAAAA+/=="});
        let answer = json!({"id": "r", "object": "response", "status": "completed", "model": "o", "output": [reasoning,
            {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"}]});
        let stream = format!(
            "data: {}\n\n",
            json!({"type": "response.completed", "response": answer})
        );
        for client in CLIENTS {
            let kind = ProviderKind::OpenAiResponses;
            let whole = kept(client, kind, &answer);
            let streamed = kept_of_stream(client, kind, stream.as_bytes(), 11);
            for message in [whole, streamed] {
                let (sent, _) = next(client, kind, "o", message.clone());
                assert_eq!(sent["input"][1], reasoning, "{client:?}: {sent}");
                assert_eq!(sent["input"][2]["type"], "function_call");
                // Nobody else gets it.
                for other in [
                    ProviderKind::Gemini,
                    ProviderKind::Anthropic,
                    ProviderKind::Mistral,
                ] {
                    let model = if other == ProviderKind::Anthropic {
                        "claude-opus-4-5"
                    } else {
                        "m"
                    };
                    if other == ProviderKind::Anthropic && client == Surface::Messages {
                        continue;
                    }
                    let (sent, lost) = next(client, other, model, message.clone());
                    let sent = sent.to_string();
                    assert!(
                        !sent.contains("gAAAA") && !sent.contains("dG9sbGdhdGU6"),
                        "{sent}"
                    );
                    assert!(!lost.is_empty(), "{other}");
                }
            }
        }
    }
}

fn passed_on(client: Surface, kind: ProviderKind, body: &Value) -> Encoded {
    let body = Bytes::from(body.to_string());
    let head = read_head(client, &body, &mut Scratch::default()).unwrap();
    encode(client, &head, &body, &egress(kind, "claude-opus-4-5")).unwrap()
}

#[test]
fn blocks_that_carry_never_reach_anthropic_which_refuses_signatures_of_others() {
    let message = kept(
        Surface::Messages,
        ProviderKind::Gemini,
        &gemini(&loop_of_gemini()),
    );
    let id = &message["content"][4]["id"];
    let result =
        json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "1"}]});
    let alone = json!({"role": "assistant", "content": [message["content"][1]]});
    let user = json!({"role": "user", "content": "go"});
    let body = ask(
        Surface::Messages,
        &[user.clone(), alone, user.clone(), message, result],
        true,
    );
    let out = passed_on(Surface::Messages, ProviderKind::Anthropic, &body);
    let sent: Value = serde_json::from_slice(&out.body).unwrap();
    assert!(!sent.to_string().contains("dG9sbGdhdGU6"), "{sent}");
    let messages = sent["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 4, "one of nothing is none");
    let kinds: Vec<_> = messages[2]["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| &block["type"])
        .collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use", "tool_use"]);
    let lost: Vec<_> = out.loss.paths().collect();
    assert_eq!(
        lost,
        [
            "messages[1].content[0]",
            "messages[3].content[1]",
            "messages[3].content[3]"
        ]
    );
}

#[test]
fn a_loop_that_others_began_with_carried_thoughts_goes_on_at_anthropic_without_thinking() {
    let carried = json!([{"text": "hm", "thought": true, "thoughtSignature": "c2ln"}, {"functionCall": {"name": "f", "args": {}}}]);
    let message = kept(Surface::Messages, ProviderKind::Gemini, &gemini(&carried));
    let id = &message["content"][1]["id"];
    let result =
        json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "1"}]});
    let user = json!({"role": "user", "content": "go"});
    let body = ask(Surface::Messages, &[user, message, result], true);
    let out = passed_on(Surface::Messages, ProviderKind::Anthropic, &body);
    let sent: Value = serde_json::from_slice(&out.body).unwrap();
    assert_eq!(sent["messages"][1]["content"].as_array().unwrap().len(), 1);
    assert_eq!(sent["thinking"], json!({"type": "disabled"}));
    assert!(out.loss.paths().any(|path| path == "thinking"));
}

#[test]
fn what_is_carried_never_reaches_openai_which_may_refuse_fields_it_does_not_know() {
    let parts = json!([{"text": "hm", "thought": true, "thoughtSignature": "dA=="}, {"text": "So.", "thoughtSignature": "c2lnMQ=="},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}]);
    let message = kept(Surface::ChatCompletions, ProviderKind::Gemini, &gemini(&parts));
    let own = json!({"role": "assistant", "content": "x", "thinking_blocks": [{"type": "thinking", "thinking": "y", "signature": "theirs"}],
        "extra_content": {"google": {"thought_signature": "theirs"}}});
    let user = json!({"role": "user", "content": "the letters dG9sbGdhdGU6"});
    let body = ask(
        Surface::ChatCompletions,
        &[user.clone(), message, own.clone(), user.clone()],
        false,
    );
    let out = passed_on(Surface::ChatCompletions, ProviderKind::OpenAi, &body);
    let sent: Value = serde_json::from_slice(&out.body).unwrap();
    let carrying = &sent["messages"][1];
    assert!(!carrying.to_string().contains("dG9sbGdhdGU6"), "{carrying}");
    assert_eq!(carrying["content"], "So.");
    assert_eq!(carrying["tool_calls"][0]["function"]["name"], "f");
    assert_eq!((&sent["messages"][2], &sent["messages"][0]), (&own, &user));
    let lost: Vec<_> = out.loss.paths().collect();
    let at = |field: &str| format!("messages[1].{field}");
    assert_eq!(
        lost,
        [
            at("thinking_blocks[0]"),
            at("extra_content"),
            at("tool_calls[0].extra_content")
        ]
    );
    let untouched = ask(Surface::ChatCompletions, &[user, own], false);
    let out = passed_on(Surface::ChatCompletions, ProviderKind::OpenAi, &untouched);
    let sent: Value = serde_json::from_slice(&out.body).unwrap();
    assert_eq!(sent["messages"], untouched["messages"]);
}

#[test]
fn a_signature_alone_does_not_become_an_empty_block_of_thoughts() {
    let parts = json!([{"text": "", "thoughtSignature": "c2ln"}, {"text": "So."}]);
    for message in [
        kept(Surface::Messages, ProviderKind::Gemini, &gemini(&parts)),
        kept_of_stream(Surface::Messages, ProviderKind::Gemini, &gemini_stream(&parts), 5),
    ] {
        let kinds: Vec<_> = message["content"]
            .as_array()
            .unwrap()
            .iter()
            .map(|block| &block["type"])
            .collect();
        assert_eq!(kinds, ["redacted_thinking", "text"]);
        let (sent, _) = next(Surface::Messages, ProviderKind::Gemini, GEMINI, message);
        assert_eq!(signed(&sent), [("text", "c2ln".to_owned())]);
    }
}

#[test]
fn thoughts_that_are_nothing_but_a_signature_are_not_dropped_from_a_stream() {
    let made = Made {
        request_id: egress(ProviderKind::OpenAi, "m").request_id,
        now: egress(ProviderKind::OpenAi, "m").now,
        model: "m".into(),
    };
    for (client, place) in [
        (Surface::Messages, "content"),
        (Surface::ChatCompletions, "thinking_blocks"),
    ] {
        let dialect: Dialect = client.dialect();
        let mut writer = dialects::sink(dialect, made.clone(), Renamed::default(), false);
        let mut out = Vec::new();
        for piece in [
            Piece::Signature("one".into()),
            Piece::Signature("two".into()),
            Piece::Thinking("hm".into()),
            Piece::Signature("three".into()),
            Piece::Text("So.".into()),
        ] {
            writer.write(piece, &mut out);
        }
        writer.close(None, &mut out);
        let message = joined(client, &out);
        let blocks = message[place].as_array().unwrap().iter().take(3);
        let found: Vec<_> = blocks
            .map(|block| {
                (
                    block["thinking"].as_str().unwrap(),
                    block["signature"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(found, [("", "one"), ("", "two"), ("hm", "three")]);
    }
}

#[test]
fn a_signature_that_comes_twice_is_one_and_one_without_thoughts_is_kept() {
    let event = |kind: &str, rest: Value| {
        let mut data = rest;
        data["type"] = kind.into();
        format!("event: {kind}\ndata: {data}\n\n")
    };
    let delta = |kind: &str, field: &str, text: &str| {
        event(
            "content_block_delta",
            json!({"index": 0, "delta": {"type": kind, field: text}}),
        )
    };
    let begun = json!({"index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}});
    let stop = event("content_block_stop", json!({"index": 0}));
    let end = [
        event("message_delta", json!({"delta": {"stop_reason": "end_turn"}})),
        event("message_stop", json!({})),
    ]
    .concat();
    let twice = [
        delta("signature_delta", "signature", "half"),
        delta("signature_delta", "signature", "whole"),
    ]
    .concat();
    for (thoughts, said) in [
        (delta("thinking_delta", "thinking", "hm"), "hm"),
        (String::new(), ""),
    ] {
        let start = event(
            "message_start",
            json!({"message": {"model": "c", "usage": {"input_tokens": 1, "output_tokens": 1}}}),
        );
        let stream = [
            &start,
            &event("content_block_start", begun.clone()),
            &thoughts,
            &twice,
            &stop,
            &end,
        ]
        .map(|part| &**part)
        .concat();
        for size in [1, 13, stream.len()] {
            let message = kept_of_stream(
                Surface::ChatCompletions,
                ProviderKind::Anthropic,
                stream.as_bytes(),
                size,
            );
            assert_eq!(
                message["thinking_blocks"],
                json!([{"type": "thinking", "thinking": said, "signature": "whole"}])
            );
        }
    }
}

fn part_of_gemini() -> impl Strategy<Value = Value> {
    let signature = prop::option::of("[A-Za-z0-9+/_-]{1,12}={0,2}");
    ("[a-z\"é]{1,6}", 0..3, signature).prop_map(|(text, kind, signature)| {
        let mut part = Map::new();
        match kind {
            0 => drop(part.insert("text".into(), text.into())),
            1 => {
                part.insert("text".into(), text.into());
                part.insert("thought".into(), true.into());
            }
            _ => drop(part.insert("functionCall".into(), json!({"name": "f", "args": {"x": text}}))),
        }
        if let Some(signature) = signature {
            part.insert("thoughtSignature".into(), signature.into());
        }
        part.into()
    })
}

proptest! {
    #[test]
    fn every_signature_of_gemini_comes_back_with_what_it_signed(
        parts in prop::collection::vec(part_of_gemini(), 1..6),
        size in 1usize..80,
    ) {
        let mut all: Vec<_> = parts.iter().filter_map(signed_part).collect();
        let parts = Value::from(parts);
        let stream = gemini_stream(&parts);
        for client in CLIENTS {
            if client == Surface::ChatCompletions {
                // One text, and calls behind it.
                let last = all.iter().rposition(|(kind, _)| *kind == "text");
                let mut position = 0;
                all.retain(|(kind, _)| {
                    position += 1;
                    *kind != "text" || Some(position - 1) == last
                });
                all.sort_by_key(|(kind, _)| ["thought", "text", "call"].into_iter().position(|known| known == *kind));
            } else {
                all = parts.as_array().unwrap().iter().filter_map(signed_part).collect();
            }
            for message in [
                kept(client, ProviderKind::Gemini, &gemini(&parts)),
                kept_of_stream(client, ProviderKind::Gemini, &stream, size),
            ] {
                let (sent, _) = next(client, ProviderKind::Gemini, GEMINI, message);
                prop_assert_eq!(signed(&sent), all.clone(), "{}", sent);
            }
        }
    }
}

#[test]
fn what_another_provider_wants_back_is_named_where_the_client_has_it() {
    let state = |kind| json!({"extra_content": {"google": {"thought_signature": kind}}});
    let mut call = state("c2ln");
    call["id"] = "a".into();
    call["type"] = "function".into();
    call["function"] = json!({"name": "f", "arguments": "{}"});
    let mut message = state("c2ln");
    message["role"] = "assistant".into();
    message["content"] = "So.".into();
    message["tool_calls"] = json!([call]);
    for kind in [
        ProviderKind::Anthropic,
        ProviderKind::OpenAiResponses,
        ProviderKind::Cohere,
        ProviderKind::Bedrock,
        ProviderKind::Mistral,
    ] {
        let (sent, lost) = next(Surface::ChatCompletions, kind, "m", message.clone());
        assert!(!sent.to_string().contains("c2ln"), "{kind}: {sent}");
        let named = |path: &str| lost.iter().any(|lost| lost == path);
        assert!(named("messages[1].extra_content"), "{kind}: {lost:?}");
        assert!(
            named("messages[1].tool_calls[0].extra_content"),
            "{kind}: {lost:?}"
        );
    }
}

/// What a client makes up to look as if it had been carried.
fn made_up(what: &str, data: &str) -> String {
    crate::chat::carried::tagged(what, data)
}

#[test]
fn what_a_client_makes_up_to_look_as_if_it_were_carried_goes_to_nobody_as_it_is() {
    let once = made_up("openai", "s");
    let twice = made_up("signature", &once);
    let hidden = made_up("redacted", &once);
    let state = made_up("gemini", &once);
    let thoughts = |signature: &str| json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": signature}}});
    let redacted = |data: &str| json!({"reasoningContent": {"redactedContent": data}});
    let (user, said) = (json!({"text": "go"}), json!({"text": "So."}));
    let turns = |first: Value| {
        json!({"messages": [{"role": "user", "content": [user]}, {"role": "assistant", "content": [first, said]},
            {"role": "user", "content": [user]}]})
    };
    let parts = |signature: &str| {
        let thought = json!({"text": "hm", "thought": true, "thoughtSignature": signature});
        let text = json!({"text": "So.", "thoughtSignature": signature});
        json!({"contents": [{"role": "user", "parts": [user]}, {"role": "model", "parts": [thought, text]},
            {"role": "user", "parts": [user]}]})
    };
    for (client, body) in [
        (Surface::Converse, turns(thoughts(&once))),
        (Surface::Converse, turns(redacted(&once))),
        (Surface::GenerateContent, parts(&twice)),
        (Surface::GenerateContent, parts(&hidden)),
        (Surface::GenerateContent, parts(&state)),
    ] {
        for (kind, model) in [
            (ProviderKind::Anthropic, "claude-sonnet-4-5"),
            (ProviderKind::Gemini, GEMINI),
            (ProviderKind::Bedrock, "anthropic.claude-sonnet-4-5-20250929-v1:0"),
            (ProviderKind::OpenAiResponses, "gpt-5"),
        ] {
            let (sent, loss, _) =
                request(client, None, body.to_string().as_bytes(), &egress(kind, model)).unwrap();
            let sent = String::from_utf8(sent).unwrap();
            assert!(!sent.contains("dG9sbGdhdGU6"), "{client:?} {kind}: {sent}");
            assert!(sent.contains("So."), "what was said stays: {sent}");
            assert!(!loss.is_empty(), "{client:?} {kind}: nobody is told");
        }
    }
}

//! What the properties found, each by itself.

use serde_json::{Value, json};
use tollgate_core::{Dialect, FinishReason, ProviderKind, Surface};

use crate::chat::answer::{ChatAnswer, Choice, End, Piece};
use crate::chat::names::Renamed;
use crate::chat::{Kind, Part};
use crate::dialects;
use crate::framing::Framing;
use crate::testing::{egress, made, named};
use crate::translate::request;

fn sent(client: Surface, kind: ProviderKind, body: &Value) -> (Value, Vec<String>) {
    let (sent, loss, _) = request(client, None, body.to_string().as_bytes(), &egress(kind, "m")).unwrap();
    (serde_json::from_slice(&sent).unwrap(), named(&loss))
}

/// The kinds of provider that take a conversation as it is ordered.
const STAY: [ProviderKind; 3] = [
    ProviderKind::OpenAi,
    ProviderKind::OpenAiResponses,
    ProviderKind::Cohere,
];

#[test]
fn what_stands_beside_turns_that_are_joined_is_named_where_it_stands() {
    let call = json!({"toolUse": {"toolUseId": "a", "name": "f", "input": {}}});
    let result = json!({"toolResult": {"toolUseId": "a", "content": [{"text": "1"}]}});
    let body = json!({"messages": [{"role": "user", "content": [{"text": "go"}], "one": 1},
        {"role": "user", "content": [{"text": "on"}], "two": 2}, {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]}, {"role": "user", "content": [{"text": "so?"}], "three": 3}]});
    for kind in STAY {
        let (_, lost) = sent(Surface::Converse, kind, &body);
        assert_eq!(
            lost,
            ["messages[0].one", "messages[1].two", "messages[4].three"],
            "{kind}"
        );
    }
}

#[test]
fn the_name_of_each_turn_that_is_joined_is_named() {
    let said = |text: &str| json!({"role": "user", "name": "ann", "content": text});
    let body = json!({"model": "m", "messages": [said("a"), said("b")]});
    for kind in [
        ProviderKind::OpenAiResponses,
        ProviderKind::Cohere,
        ProviderKind::Mistral,
    ] {
        let (_, lost) = sent(Surface::ChatCompletions, kind, &body);
        assert_eq!(lost, ["messages[0].name", "messages[1].name"], "{kind}");
    }
}

#[test]
fn all_words_of_refusal_are_carried_to_openai() {
    let refusals = json!([{"type": "refusal", "refusal": "No."}, {"type": "refusal", "refusal": "Never."}]);
    let body = json!({"model": "m", "input": [{"role": "user", "content": "go"},
        {"role": "assistant", "content": refusals}, {"role": "user", "content": "please"}]});
    let (sent, lost) = sent(Surface::Responses, ProviderKind::Vllm, &body);
    assert_eq!(sent["messages"][1]["refusal"], "No.\n\nNever.");
    assert_eq!(lost, Vec::<String>::new());
}

#[test]
fn a_request_of_which_nothing_can_be_carried_has_a_message_nevertheless() {
    let body = json!({"messages": [{"role": "user", "content": [{"newThing": {"a": 1}}]}]});
    for (kind, place) in [
        (ProviderKind::OpenAi, "messages"),
        (ProviderKind::OpenAiResponses, "input"),
    ] {
        let (sent, lost) = sent(Surface::Converse, kind, &body);
        let messages = sent[place].as_array().unwrap();
        assert_eq!(
            (messages.len(), &messages[0]["role"]),
            (1, &json!("user")),
            "{sent}"
        );
        assert_eq!(lost, ["messages[0].content[0]"]);
    }
}

#[test]
fn what_is_not_known_of_a_call_is_named() {
    let call = json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}, "index": 0, "mark": 1});
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "go"},
        {"role": "assistant", "content": null, "tool_calls": [call]}, {"role": "tool", "tool_call_id": "a", "content": "1"}]});
    for kind in [
        ProviderKind::Anthropic,
        ProviderKind::Gemini,
        ProviderKind::Cohere,
        ProviderKind::Bedrock,
    ] {
        let (_, lost) = sent(Surface::ChatCompletions, kind, &body);
        assert_eq!(lost, ["messages[1].tool_calls[0].mark"], "{kind}");
    }
}

#[test]
fn cohere_is_told_what_the_json_is_that_it_shall_answer_with() {
    let schema = json!({"type": "object", "properties": {"a": {}}, "required": ["a"]});
    let format = json!({"type": "json_schema", "json_schema": {"name": "n", "description": "A city.", "schema": schema}});
    let body =
        json!({"model": "m", "messages": [{"role": "user", "content": "go"}], "response_format": format});
    let (sent, lost) = sent(Surface::ChatCompletions, ProviderKind::Cohere, &body);
    assert_eq!(
        sent["messages"][0],
        json!({"role": "system", "content": "The answer is JSON: A city."})
    );
    assert_eq!(sent["response_format"]["json_schema"], schema);
    assert_eq!(lost, Vec::<String>::new());
}

#[test]
fn who_gets_nothing_but_thoughts_of_an_answer_that_was_filtered_is_told_why() {
    let (text, signature) = ("hm".into(), None);
    let parts = vec![Part::new(String::new(), Kind::Thinking { text, signature })];
    let end = End {
        finish: Some(FinishReason::ContentFilter),
        explanation: Some("Not safe.".into()),
        ..End::default()
    };
    let choices = vec![Choice { parts, end }];
    let answer = ChatAnswer { model: None, choices };
    let told = dialects::render(Dialect::Cohere, &answer, None, &made(), &Renamed::default());
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(
        told["message"]["content"],
        json!([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Not safe."}])
    );
}

/// What a stream of these deltas says.
fn pieces(deltas: &[Value]) -> Vec<Piece<'static>> {
    let mut source = dialects::source(Dialect::OpenAi, ProviderKind::OpenAi);
    let mut pieces = Vec::new();
    for delta in deltas {
        let chunk = json!({"choices": [{"index": 0, "delta": delta}]});
        let framed = Framing::of(Dialect::OpenAi).push(format!("data: {chunk}\n\n").as_bytes(), |frame| {
            source.read(&frame.event.unwrap(), &mut |piece| {
                pieces.extend(match piece {
                    Piece::Thinking(text) => Some(Piece::Thinking(text.into_owned().into())),
                    Piece::Signature(proof) => Some(Piece::Signature(proof.into_owned().into())),
                    Piece::RedactedThinking(data) => Some(Piece::RedactedThinking(data.into_owned().into())),
                    _ => None,
                });
            });
        });
        framed.unwrap();
    }
    pieces
}

#[test]
fn proofs_of_thoughts_are_read_of_openais_streams_as_of_its_answers() {
    let block = |text: &str, proof: &str| json!([{"type": "thinking", "thinking": text, "signature": proof}]);
    let redacted = json!({"thinking_blocks": [{"type": "redacted_thinking", "data": "x"}]});
    // The whole block behind its words, as the gateway writes it.
    let told = [
        json!({"reasoning_content": "h"}),
        json!({"reasoning_content": "m"}),
        json!({"thinking_blocks": block("hm", "p")}),
        redacted.clone(),
    ];
    let expected = |texts: &[&'static str]| {
        let mut expected: Vec<_> = texts.iter().map(|text| Piece::Thinking((*text).into())).collect();
        expected.extend([Piece::Signature("p".into()), Piece::RedactedThinking("x".into())]);
        expected
    };
    assert_eq!(pieces(&told), expected(&["h", "m"]));
    // Piece by piece beside the words, as other gateways do, and without them.
    let both = |text: &str| json!({"reasoning_content": text, "thinking_blocks": block(text, "")});
    let told = [
        both("h"),
        both("m"),
        json!({"thinking_blocks": block("", "p")}),
        redacted.clone(),
    ];
    assert_eq!(pieces(&told), expected(&["h", "m"]));
    let alone = |text: &str| json!({"thinking_blocks": block(text, "")});
    let told = [
        alone("h"),
        alone("m"),
        json!({"thinking_blocks": block("", "p")}),
        redacted,
    ];
    assert_eq!(pieces(&told), expected(&["h", "m"]));
}

#[test]
fn what_is_not_known_within_a_field_is_named_with_its_path() {
    let messages = |content: Value| json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": content}]});
    let image = json!([{"type": "image_url", "image_url": {"url": "https://x/a.png", "new": 1},
        "cache_control": {"type": "ephemeral", "new": 1}}]);
    let mut openai = messages(image.clone());
    openai["response_format"] = json!({"type": "json_object", "new": 1});
    let mut anthropic =
        messages(json!([{"type": "image", "source": {"type": "url", "url": "https://x/a.png", "new": 1}}]));
    anthropic["tools"] =
        json!([{"name": "f", "input_schema": {}, "cache_control": {"type": "ephemeral", "new": 1}}]);
    let mut responses = json!({"model": "m", "input": "go", "text": {"format": {"type": "text", "new": 1}}});
    responses["tool_choice"] = json!({"type": "function", "name": "f", "new": 1});
    responses["tools"] = json!([{"type": "function", "name": "f"}]);
    let mut cohere = messages(image);
    cohere["tools"] = json!([{"type": "function", "function": {"name": "f", "new": 1}}]);
    let spec = json!({"new": 1, "toolSpec": {"name": "f", "inputSchema": {"json": {}, "new": 1}}});
    let bedrock = json!({"messages": [{"role": "user", "content": [{"text": "go"},
        {"image": {"format": "png", "source": {"bytes": "iVBO", "new": 1}}}]}],
        "toolConfig": {"tools": [spec], "toolChoice": {"any": {"new": 1}}},
        "additionalModelRequestFields": {"thinking": {"type": "disabled", "new": 1}}});
    for (client, body, expected) in [
        (
            Surface::ChatCompletions,
            openai,
            vec![
                "messages[0].content[0].image_url.new",
                "messages[0].content[0].cache_control.new",
                "response_format.new",
            ],
        ),
        (
            Surface::Messages,
            anthropic,
            vec!["messages[0].content[0].source.new", "tools[0].cache_control.new"],
        ),
        (
            Surface::Responses,
            responses,
            vec!["tool_choice.new", "text.format.new"],
        ),
        (
            Surface::CohereChat,
            cohere,
            vec![
                "messages[0].content[0].cache_control",
                "messages[0].content[0].image_url.new",
                "tools[0].function.new",
            ],
        ),
        (
            Surface::Converse,
            bedrock,
            vec![
                "messages[0].content[1].image.source.new",
                "toolConfig.toolChoice.any.new",
                "toolConfig.tools[0].new",
                "toolConfig.tools[0].toolSpec.inputSchema.new",
                "additionalModelRequestFields.thinking.new",
            ],
        ),
    ] {
        let (sent, lost) = sent(client, ProviderKind::Gemini, &body);
        assert!(!sent.to_string().contains("\"new\""), "{client:?}: {sent}");
        for path in expected {
            assert!(
                lost.iter().any(|lost| lost == path),
                "{client:?}: {path} is not in {lost:?}"
            );
        }
    }
}

#[test]
fn what_stands_beside_words_of_refusal_is_named() {
    let refusal = json!([{"type": "refusal", "refusal": "No.", "new": 1, "prompt_cache_breakpoint": {"mode": "explicit"}}]);
    let body = json!({"model": "m", "input": [{"role": "user", "content": "go"},
        {"role": "assistant", "content": refusal}, {"role": "user", "content": "please"}]});
    let (_, lost) = sent(Surface::Responses, ProviderKind::Vllm, &body);
    assert_eq!(
        lost,
        ["input[1].content[0].cache_control", "input[1].content[0].new"]
    );
}

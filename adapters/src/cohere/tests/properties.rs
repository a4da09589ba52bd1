//! What holds of any request, and of any bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use tollgate_core::FinishReason;

use super::*;
use crate::chat::answer::{End, Piece};
use crate::cohere::events::EventWriter;
use crate::cohere::{answer, error, render};
use crate::testing::{object, words};

fn part() -> impl Strategy<Value = Value> {
    prop_oneof![
        words().prop_map(|text| json!({"type": "text", "text": text})),
        words().prop_map(|text| json!({"type": "text", "text": text, "mark": 1})),
        "[a-z]{1,8}"
            .prop_map(|path| json!({"type": "image_url", "image_url": {"url": format!("https://x/{path}")}})),
        words().prop_map(|text| json!({"type": "document", "document": {"data": {"text": text}, "id": "d"}})),
        words().prop_map(|text| json!({"type": "new_thing", "what": text})),
    ]
}

fn content(part: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    // A single text is written as a string: the same.
    prop_oneof![
        words().prop_map(Value::String),
        vec(part, 2..4).prop_map(Value::Array),
    ]
}

fn message() -> impl Strategy<Value = Value> {
    let call = words().prop_map(
        |text| json!({"id": "c", "type": "function", "function": {"name": text, "arguments": "{}"}}),
    );
    let said = prop_oneof![
        words().prop_map(|text| json!({"type": "thinking", "thinking": text})),
        words().prop_map(|text| json!({"type": "text", "text": text})),
    ];
    prop_oneof![
        words().prop_map(|text| json!({"role": "system", "content": text})),
        content(part()).prop_map(|content| json!({"role": "user", "content": content})),
        content(part()).prop_map(|content| json!({"role": "tool", "tool_call_id": "c", "content": content})),
        (
            prop::option::of(content(said)),
            prop::option::of(words()),
            prop::option::of(vec(call, 1..3)),
            prop::option::of(Just(json!([{"start": 1}])))
        )
            .prop_map(|(content, plan, calls, citations)| object(vec![
                ("role", Some(json!("assistant"))),
                ("content", content),
                ("tool_plan", plan.map(Value::String)),
                ("tool_calls", calls.map(Value::Array)),
                ("citations", citations),
            ])),
    ]
}

fn request() -> impl Strategy<Value = Value> {
    let documents = vec(
        prop_oneof![
            words().prop_map(Value::String),
            words().prop_map(|text| json!({"data": {"t": text}, "id": "x", "more": 1})),
            words().prop_map(|text| json!({"data": text})),
        ],
        1..3,
    );
    let given = (
        prop::option::of(documents),
        prop::option::of(prop_oneof![Just("REQUIRED"), Just("NONE")]),
        prop::option::of(any::<bool>()),
        prop::option::of(0u32..9000),
        prop::option::of(-20i32..20),
        prop::option::of(Just(
            json!({"type": "json_object", "json_schema": {"type": "object"}}),
        )),
        prop::option::of(prop_oneof![
            Just(json!({"type": "disabled"})),
            Just(json!({"type": "enabled"})),
            Just(json!({"type": "enabled", "token_budget": 7, "new": 1})),
        ]),
        prop::option::of(words()),
    );
    (vec(message(), 1..6), given).prop_map(|(messages, given)| {
        let (documents, choice, strict, count, number, format, thinking, unknown) = given;
        let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}, "x": 1},
            {"type": "custom", "custom": {"name": "g"}}]);
        object(vec![
            ("model", Some(json!("command-a"))),
            ("messages", Some(Value::Array(messages))),
            ("documents", documents.map(Value::Array)),
            ("tools", Some(tools)),
            ("tool_choice", choice.map(|choice| json!(choice))),
            ("strict_tools", strict.map(Value::Bool)),
            ("max_tokens", count.map(|count| json!(count))),
            ("k", count.filter(|k| *k > 0).map(|count| json!(count))),
            ("seed", number.map(|number| json!(number))),
            ("temperature", number.map(|number| json!(f64::from(number) / 8.0))),
            ("response_format", format),
            ("thinking", thinking),
            ("safety_mode", unknown.map(Value::String)),
        ])
    })
}

proptest! {
    #[test]
    fn requests_of_this_dialect_keep_all_that_is_not_named(body in request()) {
        let (sent, loss) = there_and_back(&body);
        let mut expected = body;
        if let Some(thinking) = expected.get_mut("thinking").filter(|thinking| thinking.get("new").is_some()) {
            prop_assert_eq!(lost(&loss), ["thinking.new"]);
            thinking.as_object_mut().unwrap().remove("new");
        } else {
            prop_assert!(loss.is_empty(), "{}", loss);
        }
        prop_assert_eq!(sent, expected);
    }

    #[test]
    fn any_request_is_written_for_others_and_read_again(body in request()) {
        let body = bytes(&body);
        let mut loss = Loss::default();
        let (sent, _) = crate::openai::encode::request(decode::request(&body).unwrap(), &egress("gpt-4o"), &mut loss);
        // Of messages that say nothing to anybody else, none may be left.
        let Ok(request) = crate::openai::decode::request(&sent) else {
            return Ok(());
        };
        let (sent, _, _) = sent_to("command-a", request);
        let messages = sent["messages"].as_array().unwrap();
        let last = messages.last().unwrap();
        prop_assert!(messages.iter().any(|message| message["role"] == "user" || message["role"] == "tool"));
        prop_assert!(last["role"] != "assistant");
    }

    #[test]
    fn no_text_makes_anything_panic(text in "[{}\\[\\]\",:a1 ]{0,60}|\\PC{0,60}") {
        let _ = (decode::request(text.as_bytes()).is_ok(), answer::read(text.as_bytes()).is_ok());
        let _ = (answer::report(text.as_bytes()).is_ok(), error::event(text.as_bytes()));
        let _ = streams::pieces(format!("data: {text}\n\n").as_bytes(), 5);
    }

    #[test]
    fn no_json_in_a_known_place_makes_anything_panic(value in any_json(), name in names(), inner in names()) {
        let body = bytes(&json!({"messages": [{"role": "user", "content": "x"}], &name: {&inner: value.clone()}}));
        let _ = decode::request(&body).map(|request| encode::request(request, &egress("m"), &mut Loss::default()).is_ok());
        let body = bytes(&json!({"messages": [{"role": "assistant", &name: [{"type": &inner, &inner: value.clone()}]}]}));
        let _ = decode::request(&body).map(|request| encode::request(request, &egress("m"), &mut Loss::default()).is_ok());
        let body = bytes(&json!({"message": {&name: [{&inner: value.clone()}]}, &name: value.clone()}));
        if let Ok(read) = answer::read(&body) {
            let _ = render::answer(&read, None, &made(), &Renamed::default());
        }
        let _ = answer::report(&body);
        for kind in ["message-start", "content-delta", "tool-call-start", "tool-call-delta", "message-end", "error"] {
            let data = json!({"type": kind, "delta": {"message": {&name: {&inner: value.clone()}}, &inner: value.clone()}});
            let _ = streams::pieces(format!("event: {kind}\ndata: {data}\n\n").as_bytes(), 9);
        }
    }

    #[test]
    fn what_is_written_as_a_stream_is_read_as_it_was(said in vec((0u8..4, words()), 0..12), cut in 1usize..30) {
        let mut writer = EventWriter::new(made(), Renamed::default());
        let (mut out, mut calls, mut expected) = (Vec::new(), 0, [String::new(), String::new(), String::new()]);
        for (kind, text) in &said {
            let piece = match kind {
                0 => Piece::Text(text.into()),
                1 => Piece::Thinking(text.into()),
                2 => {
                    calls += 1;
                    Piece::Call { call: calls - 1, id: "".into(), name: "f".into() }
                }
                _ if calls == 0 => continue,
                _ => Piece::Arguments { call: calls - 1, json: text.into() },
            };
            let place = match &piece {
                Piece::Text(_) => 0,
                Piece::Thinking(_) => 1,
                _ => 2,
            };
            if *kind != 2 {
                expected[place].push_str(text);
            }
            writer.write(piece, &mut out);
        }
        let finish = Some(FinishReason::Length);
        writer.write(Piece::Finish(End { finish, ..End::default() }), &mut out);
        writer.close(None, &mut out);
        let (told, report) = streams::pieces(&out, cut);
        prop_assert!(report.complete && report.error.is_none());
        prop_assert_eq!(report.finish, finish);
        prop_assert_eq!(told.iter().filter(|piece| piece.starts_with("Call")).count(), calls);
        let text: String = told.iter().filter_map(|piece| piece.strip_prefix("Text(")?.strip_suffix(')'))
            .map(|quoted| quoted.trim_matches('"').len().to_string()).collect();
        prop_assert_eq!(text.is_empty(), expected[0].is_empty());
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        ".{0,6}".prop_map(Value::String),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::Array),
            vec((names(), inner), 0..3).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn names() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "content",
        "text",
        "thinking",
        "type",
        "tool_calls",
        "tool_plan",
        "function",
        "arguments",
        "document",
        "data",
        "documents",
        "tools",
        "usage",
        "tokens",
        "input_tokens",
        "image_url",
        "url",
        "response_format",
        "id",
        "message",
        "finish_reason",
        "error",
        "x",
    ])
    .prop_map(str::to_owned)
}

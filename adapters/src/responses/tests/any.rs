//! Nothing is lost that is not named, and whatever bytes arrive, nothing panics.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::chat::answer::Piece;
use crate::chat::names::Renamed;
use crate::passthrough::Observer;
use crate::sse::Framer;
use crate::testing::{object, words};

fn user_part() -> impl Strategy<Value = Value> {
    prop_oneof![
        words().prop_map(|text| json!({"type": "input_text", "text": text})),
        words().prop_map(|text| json!({"type": "input_text", "text": text, "mark": 1,
            "prompt_cache_breakpoint": {"mode": "explicit"}})),
        "[a-z]{1,8}".prop_map(
            |path| json!({"type": "input_image", "image_url": format!("https://x/{path}"),
            "detail": "high"})
        ),
        Just(json!({"type": "input_image", "image_url": "data:image/png;base64,iVBO", "detail": "auto"})),
        Just(json!({"type": "input_image", "file_id": "f-1", "detail": "low"})),
        Just(
            json!({"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"})
        ),
        Just(json!({"type": "input_file", "file_url": "https://x/y"})),
        Just(json!({"type": "input_file", "file_id": "f-1"})),
        Just(json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}})),
        words().prop_map(|text| json!({"type": "new_thing", "what": text})),
    ]
}

fn item() -> impl Strategy<Value = Value> {
    let said = |role: &'static str| {
        vec(user_part(), 2..4)
            .prop_map(move |parts| json!({"type": "message", "role": role, "content": parts}))
    };
    prop_oneof![
        (
            prop_oneof![Just("user"), Just("assistant"), Just("system"), Just("developer")],
            words()
        )
            .prop_map(|(role, text)| json!({"type": "message", "role": role, "content": text})),
        said("user"),
        vec(words(), 0..3).prop_map(|texts| {
            let mut parts: Vec<_> = texts
                .iter()
                .map(|text| json!({"type": "output_text", "text": text}))
                .collect();
            parts.push(json!({"type": "refusal", "refusal": "no"}));
            json!({"type": "message", "role": "assistant", "content": parts, "phase": "commentary"})
        }),
        (words(), words()).prop_map(
            |(name, arguments)| json!({"type": "function_call", "call_id": "call_1",
            "name": name.chars().filter(char::is_ascii_lowercase).chain("f".chars()).collect::<String>(),
            "arguments": arguments.trim(), "namespace": "n"})
        ),
        words().prop_map(|text| json!({"type": "function_call_output", "call_id": "call_1", "output": text})),
        vec(user_part(), 2..3)
            .prop_map(|parts| json!({"type": "function_call_output", "call_id": "call_2", "output": parts})),
        words().prop_map(|text| json!({"type": "reasoning", "id": "rs_1",
            "summary": [{"type": "summary_text", "text": text}], "encrypted_content": "gAAA"})),
        Just(json!({"type": "web_search_call", "id": "ws_1", "status": "completed"})),
        Just(
            json!({"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot"}})
        ),
    ]
}

fn tool() -> impl Strategy<Value = Value> {
    prop_oneof![
        ("[a-z]{1,8}", words(), any::<Option<bool>>()).prop_map(|(name, text, strict)| object(vec![
            ("type", Some(json!("function"))),
            ("name", Some(json!(name))),
            ("description", Some(json!(text))),
            (
                "parameters",
                Some(json!({"type": "object", "properties": {"a": {"description": text}}}))
            ),
            ("strict", strict.map(|strict| json!(strict))),
            ("defer_loading", Some(json!(true))),
        ])),
        Just(json!({"type": "web_search", "search_context_size": "low"})),
        (words(), words()).prop_map(
            |(text, definition)| json!({"type": "custom", "name": "c", "description": text,
            "format": {"type": "grammar", "syntax": "lark", "definition": definition}, "defer_loading": true})
        ),
    ]
}

prop_compose! {
    fn request()(
        input in prop_oneof![words().prop_map(Value::String), vec(item(), 1..6).prop_map(Value::Array)],
        instructions in proptest::option::of(words()),
        tools in vec(tool(), 0..3),
        choice in proptest::option::of(prop_oneof![Just("auto"), Just("none")]),
        numbers in (proptest::option::of(16_u32..9999), proptest::option::of((0..20_u8).prop_map(|n| f64::from(n) / 8.0)), any::<Option<bool>>()),
        effort in proptest::option::of(prop_oneof![Just("low"), Just("none"), Just("xhigh")]),
        summary in proptest::option::of(prop_oneof![Just("concise"), Just("detailed")]),
        format in proptest::option::of(prop_oneof![Just(json!({"type": "text"})), Just(json!({"type": "json_object"})),
            words().prop_map(|name| json!({"type": "json_schema", "name": name, "schema": {"type": "object"}, "strict": true}))]),
        verbosity in proptest::option::of(Just("low")),
        others in (any::<bool>(), proptest::option::of(words()), proptest::option::of(Just("flex")),
            any::<Option<bool>>()),
    ) -> Value {
        let (stream, user, tier, store) = others;
        let nested = |fields: Vec<(&str, Option<Value>)>| {
            Some(object(fields)).filter(|fields| fields.as_object().is_some_and(|fields| !fields.is_empty()))
        };
        object(vec![
            ("model", Some(json!("m"))),
            ("input", Some(input)),
            ("instructions", instructions.map(Value::String)),
            ("tools", Some(Value::Array(tools)).filter(|tools| tools != &json!([]))),
            ("tool_choice", choice.map(|choice| json!(choice))),
            ("max_output_tokens", numbers.0.map(|n| json!(n))),
            ("temperature", numbers.1.map(|n| json!(n))),
            ("parallel_tool_calls", numbers.2.map(|on| json!(on))),
            ("reasoning", nested(vec![("effort", effort.map(|word| json!(word))), ("summary", summary.map(|word| json!(word)))])),
            ("text", nested(vec![("format", format), ("verbosity", verbosity.map(|word| json!(word)))])),
            ("stream", stream.then(|| json!(true))),
            ("safety_identifier", user.map(Value::String)),
            ("service_tier", tier.map(|word| json!(word))),
            ("store", Some(json!(store.unwrap_or(false)))),
            ("include", Some(json!(["reasoning.encrypted_content", "message.output_text.logprobs"]))),
            ("top_logprobs", Some(json!(3))),
            ("metadata", Some(json!({"a": "b"}))),
            ("prompt_cache_key", Some(json!("k"))),
        ])
    }
}

/// Strings and one text alone say the same, and so does what is said aloud.
fn normal(mut body: Value) -> Value {
    if let Some(text) = body["input"].as_str().map(str::to_owned) {
        body["input"] = json!([{"type": "message", "role": "user", "content": text}]);
    }
    body
}

/// Any JSON, with the names that matter in it.
fn junk() -> impl Strategy<Value = Value> {
    let names = [
        "type",
        "role",
        "content",
        "input",
        "output",
        "item",
        "response",
        "delta",
        "output_index",
        "summary",
        "encrypted_content",
        "call_id",
        "id",
        "name",
        "arguments",
        "text",
        "tools",
        "tool_choice",
        "reasoning",
        "error",
        "status",
        "usage",
        "instructions",
        "include",
        "image_url",
        "file_data",
        "summary_index",
        "message",
    ];
    let texts = [
        "message",
        "user",
        "assistant",
        "function_call",
        "function_call_output",
        "reasoning",
        "input_text",
        "output_text",
        "refusal",
        "input_image",
        "input_file",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_text.delta",
        "response.completed",
        "response.failed",
        "response.function_call_arguments.delta",
        "response.reasoning_text.delta",
        "error",
        "completed",
        "tollgate:{\"signature\":\"x\"}",
        "tollgate:{\"of\":\"gemini\",\"state\":\"x\"}",
        "tollgate:",
        "allowed_tools",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-3..40_i64).prop_map(|n| json!(n)),
        proptest::sample::select(texts.to_vec()).prop_map(|text| json!(text)),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((proptest::sample::select(names.to_vec()), inner), 0..7).prop_map(|fields| object(
                fields
                    .into_iter()
                    .map(|(name, value)| (name, Some(value)))
                    .collect()
            )),
        ]
    })
}

fn read_stream(chunks: &[&[u8]]) -> (Vec<String>, crate::report::Report) {
    let mut framer = Framer::default();
    let mut reader = stream::ResponseReader::default();
    let mut observer = observe::ResponseObserver::default();
    let mut said = Vec::new();
    for chunk in chunks {
        let _ = framer.push(chunk, |frame| {
            if let Some(event) = frame.event {
                let _ = observer.observe(&event);
                reader.read(&event, &mut |piece| said.push(format!("{piece:?}")));
            }
        });
    }
    (said, observer.report().clone())
}

proptest! {
    #[test]
    fn nothing_is_lost_on_the_way_into_the_same_dialect(body in request()) {
        let (out, lost) = again(&body, "m");
        prop_assert_eq!(lost, Vec::<String>::new());
        let mut expected = normal(body);
        expected["model"] = json!("m");
        prop_assert_eq!(normal(out), expected);
    }

    #[test]
    fn whatever_is_asked_is_sent_as_json_or_refused(body in junk()) {
        let bytes = body.to_string();
        if let Ok(request) = decode::request(bytes.as_bytes()) {
            let mut crossing = request.clone();
            crossing.origin = tollgate_core::Dialect::Anthropic;
            for request in [request, crossing] {
                let (out, _) = encode::request(request, &egress("gpt-5"), &mut Loss::default()).unwrap();
                prop_assert!(serde_json::from_slice::<Value>(&out).is_ok());
            }
        }
    }

    #[test]
    fn whatever_is_answered_is_read_and_written(body in junk()) {
        let bytes = body.to_string();
        let _ = answer::report(bytes.as_bytes());
        if let Ok(answer) = answer::read(bytes.as_bytes()) {
            let out = render::answer(&answer, None, &made(), &Renamed::default());
            prop_assert!(serde_json::from_slice::<Value>(&out).is_ok());
        }
    }

    #[test]
    fn whatever_is_streamed_is_read_and_written(events in vec(junk(), 0..8)) {
        let mut reader = stream::ResponseReader::default();
        let mut observer = observe::ResponseObserver::default();
        let mut writer = events::ResponseWriter::new(made(), Renamed::default());
        let mut out = Vec::new();
        for event in &events {
            let data = event.to_string();
            let event = crate::sse::Event { name: None, data: data.as_bytes() };
            let _ = observer.observe(&event);
            reader.read(&event, &mut |piece| writer.write(piece, &mut out));
        }
        writer.close(None, &mut out);
        Framer::default().push(&out, |frame| {
            assert!(serde_json::from_slice::<Value>(frame.event.unwrap().data).is_ok());
        }).unwrap();
    }

    #[test]
    fn where_a_stream_is_cut_does_not_matter(cuts in vec(0_usize..4000, 0..6), text in words()) {
        let mut writer = events::ResponseWriter::new(made(), Renamed::default());
        let mut out = Vec::new();
        writer.write(Piece::Thinking("hm".into()), &mut out);
        writer.write(Piece::Text(text.clone().into()), &mut out);
        writer.close(None, &mut out);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(out.len())).collect();
        cuts.sort_unstable();
        cuts.push(out.len());
        let mut from = 0;
        let mut chunks = Vec::new();
        for cut in cuts {
            chunks.push(&out[from..cut]);
            from = cut;
        }
        prop_assert_eq!(read_stream(&chunks), read_stream(&[&out]));
        prop_assert!(read_stream(&chunks).1.complete);
    }

    #[test]
    fn any_bytes_are_borne(bytes in vec(any::<u8>(), 0..200)) {
        let _ = decode::request(&bytes);
        let _ = answer::read(&bytes);
        let _ = answer::report(&bytes);
        let _ = error::event(&bytes);
        let _ = read_stream(&[&bytes]);
    }
}

//! Streams, read, written and passed on.

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_core::{FinishReason, OutcomeClass, Usage};

use super::*;
use crate::chat::answer::{End, Piece};
use crate::cohere::error;
use crate::cohere::events::EventWriter;
use crate::cohere::observe::CohereObserver;
use crate::cohere::stream::EventReader;
use crate::passthrough::{Observer, Passing as _, PassingStream};
use crate::report::{Report, StreamEnd};
use crate::sse::Framer;

/// A stream as Cohere sends it, with everything in it.
const STREAM: &str = r#"event: message-start
data: {"id":"1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}

event: content-start
data: {"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":"h"}}}}

event: content-delta
data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"m"}}}}

event: content-end
data: {"type":"content-end","index":0}

event: content-start
data: {"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":""}}}}

event: content-delta
data: {"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"s\"ö"}}}}

event: citation-start
data: {"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"text":"s","sources":[{"tool_output":{"text":"long text"}}]}}}}

event: citation-end
data: {"type":"citation-end","index":0}

event: content-end
data: {"type":"content-end","index":1}

event: tool-plan-delta
data: {"type":"tool-plan-delta","delta":{"message":{"tool_plan":"plan"}}}

event: tool-call-start
data: {"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"f_1","type":"function","function":{"name":"f","arguments":""}}}}}

event: tool-call-delta
data: {"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\":"}}}}}

event: tool-call-delta
data: {"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"1}"}}}}}

event: tool-call-end
data: {"type":"tool-call-end","index":0}

event: tool-call-start
data: {"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"id":"g_1","type":"function","function":{"name":"g","arguments":""}}}}}

event: tool-call-end
data: {"type":"tool-call-end","index":1}

event: message-end
data: {"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":1,"output_tokens":2},"tokens":{"input_tokens":30,"output_tokens":20},"cached_tokens":10}}}

data: [DONE]

"#;

/// What a stream says, arriving in pieces of this size.
pub(super) fn pieces(stream: &[u8], size: usize) -> (Vec<String>, Report) {
    let (mut framer, mut reader, mut observer) = (
        Framer::default(),
        EventReader::default(),
        CohereObserver::default(),
    );
    let mut told = Vec::new();
    let mut take = |event: &crate::sse::Event<'_>| {
        observer.observe(event);
        reader.read(event, &mut |piece| told.push(format!("{piece:?}")));
    };
    for chunk in stream.chunks(size) {
        framer
            .push(chunk, |frame| frame.event.iter().for_each(&mut take))
            .unwrap();
    }
    framer.finish(|frame| frame.event.iter().for_each(&mut take));
    (told, observer.report().clone())
}

/// The events of a written stream: their names and data.
fn events(written: &[u8]) -> Vec<(String, Value)> {
    let mut framer = Framer::default();
    let mut events = Vec::new();
    framer
        .push(written, |frame| {
            if let Some(event) = frame.event.filter(|event| event.data != b"[DONE]") {
                let name = event.name.unwrap_or_default().to_owned();
                let data: Value = serde_json::from_slice(event.data).unwrap();
                assert_eq!(data["type"], name);
                events.push((name, data));
            }
        })
        .unwrap();
    events
}

fn written(pieces: Vec<Piece<'_>>, usage: Option<&Usage>) -> Vec<(String, Value)> {
    let mut writer = EventWriter::new(made(), Renamed::default());
    let mut out = Vec::new();
    for piece in pieces {
        writer.write(piece, &mut out);
    }
    writer.close(usage, &mut out);
    assert!(out.ends_with(b"\n\ndata: [DONE]\n\n"));
    events(&out)
}

fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(name, _)| &**name).collect()
}

#[test]
fn a_stream_says_the_same_however_it_is_cut() {
    let (told, report) = pieces(STREAM.as_bytes(), usize::MAX);
    assert_eq!(
        told,
        [
            r"Start { model: None }",
            r#"Thinking("h")"#,
            r#"Thinking("m")"#,
            r#"Text("s\"ö")"#,
            r#"Thinking("plan")"#,
            r#"Call { call: 0, id: "f_1", name: "f" }"#,
            r#"Arguments { call: 0, json: "{\"a\":" }"#,
            r#"Arguments { call: 0, json: "1}" }"#,
            r#"Call { call: 1, id: "g_1", name: "g" }"#,
            "Finish(End { finish: Some(ToolCalls), stop_sequence: None, explanation: None })",
            "Done"
        ]
    );
    let usage = Usage {
        input: 20,
        cache_read: 10,
        output: 20,
        ..reported()
    };
    assert_eq!(
        (report.usage, report.finish),
        (Some(usage), Some(FinishReason::ToolCalls))
    );
    assert!(report.complete && report.has_content && report.error.is_none());
    assert_eq!(report.output_bytes, 2 + 4 + 4 + 5 + 2);
    for size in 1..40 {
        assert_eq!(
            pieces(STREAM.as_bytes(), size),
            (told.clone(), report.clone()),
            "{size}"
        );
    }
    let unnamed = STREAM.lines().filter(|line| !line.starts_with("event"));
    let anonymous = unnamed.collect::<Vec<_>>().join("\r\n");
    assert_eq!(pieces(anonymous.as_bytes(), 7), (told, report));
}

#[test]
fn a_stream_passes_on_as_it_came() {
    let mut stream = PassingStream::new(CohereObserver::default(), made().request_id);
    let mut out = Vec::new();
    for chunk in STREAM.as_bytes().chunks(100) {
        stream.push(&Bytes::copy_from_slice(chunk), &mut out);
    }
    stream.finish(StreamEnd::Eof, &mut out);
    assert_eq!(out.concat(), STREAM.as_bytes());
    assert!(stream.report().complete);
}

#[test]
fn errors_within_a_stream_are_errors() {
    let of = |data: &str| pieces(format!("data: {data}\n\n").as_bytes(), usize::MAX);
    for (data, message) in [
        (
            r#"{"type":"message-end","delta":{"finish_reason":"ERROR","error":"it broke"}}"#,
            "it broke",
        ),
        (
            r#"{"type":"message-end","delta":{"error":"it broke"}}"#,
            "it broke",
        ),
        (
            r#"{"type":"message-end","delta":{"finish_reason":"TIMEOUT"}}"#,
            "the provider took too long to generate the answer",
        ),
        (r#"{"id":"1","message":"no more"}"#, "no more"),
        (r#"{"error":{"message":"gateway"}}"#, "gateway"),
    ] {
        let (told, report) = of(data);
        let fault = report.error.unwrap();
        assert_eq!(
            (&*fault.message, fault.class),
            (message, OutcomeClass::StreamError),
            "{data}"
        );
        assert!(
            !report.complete && !told.iter().any(|piece| piece.starts_with("Finish")),
            "{told:?}"
        );
    }
    let ours = error::event(br#"{"message":"ours"}"#);
    let (_, report) = pieces(&ours, usize::MAX);
    assert_eq!(&*report.error.unwrap().message, "ours");
}

#[test]
fn a_stream_without_its_end_is_not_complete() {
    let cut = STREAM.split("event: message-end").next().unwrap();
    for cut in [cut.to_owned(), format!("{cut}data: [DONE]\n\n")] {
        let (told, report) = pieces(cut.as_bytes(), usize::MAX);
        assert!(!report.complete && report.finish.is_none());
        assert!(!told.contains(&"Done".to_owned()));
    }
}

#[test]
fn blocks_are_paired_and_indices_count_contents_and_calls_apart() {
    let call = |call, id: &'static str| Piece::Call {
        call,
        id: id.into(),
        name: "f".into(),
    };
    let usage = Usage {
        input: 3,
        output: 2,
        ..reported()
    };
    let told = written(
        vec![
            Piece::Start {
                model: Some("m".into()),
            },
            Piece::Thinking("hm".into()),
            Piece::Signature("sig".into()),
            Piece::Text("a".into()),
            Piece::Text("b".into()),
            call(0, "x"),
            Piece::Arguments {
                call: 0,
                json: "{\"p\":\"}\"".into(),
            },
            Piece::Arguments {
                call: 0,
                json: "}".into(),
            },
            call(1, ""),
            Piece::Finish(End {
                finish: Some(FinishReason::Stop),
                ..End::default()
            }),
            Piece::Done,
        ],
        Some(&usage),
    );
    assert_eq!(
        names(&told),
        [
            "message-start",
            "content-start",
            "content-delta",
            "content-end",
            "content-start",
            "content-delta",
            "content-delta",
            "content-end",
            "tool-call-start",
            "tool-call-delta",
            "tool-call-delta",
            "tool-call-end",
            "tool-call-start",
            "tool-call-delta",
            "tool-call-end",
            "message-end"
        ]
    );
    let indices: Vec<_> = told
        .iter()
        .filter_map(|(_, data)| data["index"].as_u64())
        .collect();
    assert_eq!(indices, [0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1]);
    assert_eq!(
        told[1].1["delta"]["message"]["content"],
        json!({"type": "thinking", "thinking": ""})
    );
    assert_eq!(
        told[12].1["delta"]["message"]["tool_calls"]["id"],
        made().call_id("call_", 1)
    );
    assert_eq!(
        told[13].1["delta"]["message"]["tool_calls"]["function"]["arguments"],
        "{}"
    );
    assert_eq!(told[15].1["delta"]["finish_reason"], "TOOL_CALL");
    assert_eq!(
        told[15].1["delta"]["usage"]["tokens"],
        json!({"input_tokens": 3, "output_tokens": 2})
    );
}

#[test]
fn calls_that_grow_side_by_side_are_told_one_after_the_other() {
    let call = |call| Piece::Call {
        call,
        id: "".into(),
        name: "f".into(),
    };
    let more = |call, json: &'static str| Piece::Arguments {
        call,
        json: json.into(),
    };
    let told = written(
        vec![
            call(0),
            call(1),
            more(1, "{\"b\""),
            more(0, "{\"a\""),
            more(1, ":2}"),
            more(0, ":1}"),
            Piece::Text("t".into()),
        ],
        None,
    );
    assert_eq!(
        names(&told),
        [
            "message-start",
            "tool-call-start",
            "tool-call-delta",
            "tool-call-delta",
            "tool-call-end",
            "tool-call-start",
            "tool-call-delta",
            "tool-call-end",
            "content-start",
            "content-delta",
            "content-end",
            "message-end"
        ]
    );
    assert_eq!(
        told[6].1["delta"]["message"]["tool_calls"]["function"]["arguments"],
        "{\"b\":2}"
    );
}

#[test]
fn a_stream_that_breaks_off_closes_what_is_open() {
    let mut writer = EventWriter::new(made(), Renamed::default());
    let mut out = Vec::new();
    writer.write(Piece::Text("a".into()), &mut out);
    assert!(!writer.is_finished());
    writer.break_off(&mut out);
    out.extend_from_slice(&error::event(b"{\"message\":\"m\"}"));
    assert_eq!(
        names(&events(&out)),
        [
            "message-start",
            "content-start",
            "content-delta",
            "content-end",
            "message-end"
        ]
    );
}

#[test]
fn refusals_and_empty_answers_are_told() {
    let finish = |finish, explanation: Option<&'static str>| {
        Piece::Finish(End {
            finish: Some(finish),
            stop_sequence: None,
            explanation: explanation.map(Into::into),
        })
    };
    let told = written(
        vec![Piece::Refusal("no".into()), finish(FinishReason::Stop, None)],
        None,
    );
    assert_eq!(told.last().unwrap().1["delta"]["finish_reason"], "ERROR_TOXIC");
    let told = written(vec![finish(FinishReason::ContentFilter, Some("why"))], None);
    assert_eq!(told[2].1["delta"]["message"]["content"]["text"], "why");
    assert_eq!(
        names(&written(Vec::new(), None)),
        ["message-start", "message-end"]
    );
}

#[test]
fn another_provider_goes_on_with_names_of_its_own() {
    let mut renamed = Renamed::default();
    renamed.note("a.b", "a_b");
    let mut writer = EventWriter::new(made(), Renamed::default());
    let mut out = Vec::new();
    writer.write(Piece::Text("a".into()), &mut out);
    writer.rename(renamed);
    let (call, id, name) = (0, "x".into(), "a_b".into());
    writer.write(Piece::Call { call, id, name }, &mut out);
    let told = events(&out);
    assert_eq!(
        told[4].1["delta"]["message"]["tool_calls"]["function"]["name"],
        "a.b"
    );
}

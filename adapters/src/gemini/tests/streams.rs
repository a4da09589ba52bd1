//! Streams of Gemini, and streams of others as Gemini clients get them.

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_core::{Dialect, FinishReason, OutcomeClass, RequestId, Timestamp, Usage};

use super::made;
use crate::chat::answer::Piece;
use crate::chat::names::Renamed;
use crate::gemini::events::ResponseWriter;
use crate::gemini::observe::GeminiObserver;
use crate::gemini::stream::GeminiSource;
use crate::passthrough::{Passing as _, PassingStream};
use crate::report::{Report, StreamEnd};
use crate::sse::Framer;
use crate::streaming::Source as _;

fn event(chunk: &Value) -> String {
    format!("data: {chunk}\r\n\r\n")
}

fn said(parts: &Value) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1}, "modelVersion": "g", "responseId": "r"})
}

fn ended(parts: &Value, usage: &Value) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}], "usageMetadata": usage, "modelVersion": "g"})
}

/// What a reader makes of the events of these bytes, cut into chunks of this size, in a few letters.
fn read(bytes: &[u8], chunk: usize) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut reader = GeminiSource::default();
    let mut framer = Framer::default();
    for chunk in bytes.chunks(chunk) {
        let cut = framer.push(chunk, |frame| {
            if let Some(event) = &frame.event {
                reader.read(event, &mut |piece| pieces.push(shown(&piece)));
            }
        });
        cut.unwrap();
    }
    pieces
}

fn shown(piece: &Piece<'_>) -> String {
    match piece {
        Piece::Start { model } => format!("start {}", model.as_deref().unwrap_or("?")),
        Piece::Text(text) => format!("text {text}"),
        Piece::Thinking(text) => format!("thinking {text}"),
        Piece::State(state) => format!("{} state {}", state.of.name(), state.data),
        Piece::StateAhead(state) => format!("{} state {} ahead", state.of.name(), state.data),
        Piece::Call { call, id, name } => format!("call {call} '{id}' {name}"),
        Piece::Arguments { call, json } => format!("arguments {call} {json}"),
        Piece::Finish(end) => format!("finish {}", end.finish.map_or("?", FinishReason::name)),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_stream_is_read_however_it_is_cut() {
    let bytes = [
        event(&said(&json!([{"text": "hm", "thought": true}]))),
        event(&said(&json!([{"text": "a\u{1f50e}"}]))),
        event(&said(&json!([{"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "c2ln"}, {"functionCall": {"name": "f", "id": "i"}}]))),
        event(&ended(&json!([{"text": "", "thoughtSignature": "bGFzdA=="}]), &json!({}))),
    ]
    .concat();
    let expected = [
        "start g",
        "thinking hm",
        "text a\u{1f50e}",
        "gemini state c2ln ahead",
        "call 0 '' f",
        "arguments 0 {\"x\":1}",
        "call 1 'i' f",
        "arguments 1 {}",
        "gemini state bGFzdA==",
        "finish tool_calls",
    ];
    for size in [1, 7, 100, bytes.len()] {
        assert_eq!(read(bytes.as_bytes(), size), expected);
    }
}

#[test]
fn arguments_that_come_in_pieces_are_put_together() {
    let call = |call: Value| event(&said(&json!([{"functionCall": call}])));
    let bytes = [
        call(json!({"name": "f", "willContinue": true})),
        call(json!({"partialArgs": [{"jsonPath": "$.a[0]", "stringValue": "x", "willContinue": true}], "willContinue": true})),
        call(json!({"partialArgs": [{"jsonPath": "$.a[0]", "stringValue": "y"}], "willContinue": true})),
        call(json!({"partialArgs": [{"jsonPath": "$.b", "numberValue": 0.3}]})),
        call(json!({"name": "never_ended", "willContinue": true})),
        event(&ended(&json!([{"text": ""}]), &json!({}))),
    ]
    .concat();
    let expected = [
        "start g",
        "call 0 '' f",
        "arguments 0 {\"a\":[\"xy\"],\"b\":0.3}",
        "call 1 '' never_ended",
        "arguments 1 {}",
        "finish tool_calls",
    ];
    assert_eq!(read(bytes.as_bytes(), bytes.len()), expected);
}

#[test]
fn a_blocked_prompt_finishes_the_stream() {
    let bytes = event(&json!({"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "g"}));
    assert_eq!(read(bytes.as_bytes(), 10), ["start g", "finish content_filter"]);
}

fn passed(bytes: &str, end: StreamEnd) -> (String, Report) {
    let id = RequestId::new(Timestamp::from_unix_millis(1), 1);
    let mut stream = PassingStream::new(GeminiObserver::default(), id);
    let mut out = Vec::new();
    for chunk in bytes.as_bytes().chunks(9) {
        stream.push(&Bytes::copy_from_slice(chunk), &mut out);
    }
    stream.finish(end, &mut out);
    (String::from_utf8(out.concat()).unwrap(), stream.report().clone())
}

#[test]
fn a_stream_passes_as_it_came_and_its_end_is_the_end_of_the_body() {
    let bytes = [
        event(&said(&json!([{"text": "hello"}]))),
        event(&ended(&json!([{"functionCall": {"name": "f", "args": {}}}]), &json!({"promptTokenCount": 3, "candidatesTokenCount": 9, "thoughtsTokenCount": 2, "trafficType": "ON_DEMAND_FLEX"}))),
    ]
    .concat();
    let (out, report) = passed(&bytes, StreamEnd::Eof);
    assert_eq!(out, bytes);
    assert_eq!(
        (report.finish, report.complete),
        (Some(FinishReason::ToolCalls), true)
    );
    let usage = report.usage.unwrap();
    assert_eq!(
        (usage.input, usage.output, usage.reasoning, report.output_bytes),
        (3, 9, 2, 7)
    );
    assert_eq!(report.service_tier, tollgate_core::ServiceTier::Flex);
    assert_eq!(report.model.as_deref(), Some("g"));
}

#[test]
fn a_stream_that_is_cut_is_not_complete() {
    let bytes = event(&said(&json!([{"text": "hello"}])));
    let (out, report) = passed(&bytes, StreamEnd::Eof);
    assert!(!report.complete && report.finish.is_none());
    assert!(out.starts_with(&bytes) && out.len() > bytes.len());
}

#[test]
fn an_error_inside_a_stream_is_reported() {
    let error = event(&json!({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}));
    let bytes = [event(&said(&json!([{"text": "hello"}]))), error].concat();
    let (out, report) = passed(&bytes, StreamEnd::Eof);
    assert_eq!(out, bytes);
    assert_eq!(report.error.unwrap().class, OutcomeClass::Overloaded);
    assert!(!report.complete);
}

/// The chunks that a client gets.
fn written(pieces: Vec<Piece<'_>>, usage: Option<&Usage>) -> Vec<Value> {
    let mut renamed = Renamed::default();
    renamed.note("the.tool", "f");
    let mut writer = ResponseWriter::new(made(), renamed);
    let mut out = Vec::new();
    for piece in pieces {
        writer.write(piece, &mut out);
    }
    assert!(writer.is_finished());
    writer.close(usage, &mut out);
    let text = String::from_utf8(out).unwrap();
    let events = text.split_terminator("\n\n");
    events
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

fn finish(finish: FinishReason) -> Piece<'static> {
    Piece::Finish(crate::chat::answer::End {
        finish: Some(finish),
        ..Default::default()
    })
}

#[test]
fn calls_are_whole_and_come_with_the_end_and_the_usage() {
    let state = |of, data: &'static str| {
        Piece::State(crate::chat::State {
            of,
            data: data.into(),
        })
    };
    let usage = Usage {
        input: 3,
        output: 4,
        ..Usage::default()
    };
    let chunks = written(
        vec![
            Piece::Start {
                model: Some("m".into()),
            },
            Piece::Thinking("hm".into()),
            Piece::Signature("proof".into()),
            Piece::Text("So".into()),
            Piece::Call {
                call: 0,
                id: "a".into(),
                name: "f".into(),
            },
            Piece::Call {
                call: 1,
                id: "a".into(),
                name: "g".into(),
            },
            Piece::Arguments {
                call: 1,
                json: "{\"y\":".into(),
            },
            Piece::Arguments {
                call: 0,
                json: "{\"x\":1}".into(),
            },
            Piece::Arguments {
                call: 1,
                json: "2}".into(),
            },
            state(Dialect::Gemini, "c2ln"),
            finish(FinishReason::ToolCalls),
        ],
        Some(&usage),
    );
    let parts: Vec<_> = chunks
        .iter()
        .map(|chunk| &chunk["candidates"][0]["content"]["parts"])
        .collect();
    assert_eq!(parts[0], &json!([{"text": "hm", "thought": true}]));
    let proof = crate::gemini::signature::of_proof("proof");
    assert_eq!(
        parts[1],
        &json!([{"text": "", "thought": true, "thoughtSignature": proof}])
    );
    assert_eq!(parts[2], &json!([{"text": "So"}]));
    assert_eq!(
        parts[3][0],
        json!({"functionCall": {"id": "a", "name": "the.tool", "args": {"x": 1}}})
    );
    assert_eq!(parts[3][1]["functionCall"]["args"], json!({"y": 2}));
    assert_ne!(parts[3][1]["functionCall"]["id"], "a");
    assert_eq!(parts[3][1]["thoughtSignature"], "c2ln");
    let last = &chunks[3];
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    assert_eq!(last["usageMetadata"]["totalTokenCount"], 7);
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk["responseId"] == last["responseId"] && chunk["modelVersion"] == "m")
    );
    assert!(
        chunks[..3]
            .iter()
            .all(|chunk| chunk.get("usageMetadata").is_none())
    );
}

#[test]
fn the_last_chunk_has_a_part_also_without_calls() {
    let chunks = written(vec![Piece::Text("x".into()), finish(FinishReason::Length)], None);
    let last = &chunks[1]["candidates"][0];
    assert_eq!(
        (&last["content"]["parts"], &last["finishReason"]),
        (&json!([{"text": ""}]), &json!("MAX_TOKENS"))
    );
    let refused = written(
        vec![Piece::Refusal("No.".into()), finish(FinishReason::Stop)],
        None,
    );
    assert_eq!(refused[1]["candidates"][0]["finishReason"], "SAFETY");
}

#[test]
fn what_is_written_is_read_as_what_it_was() {
    let chunks = written(
        vec![
            Piece::Text("a".into()),
            Piece::Call {
                call: 0,
                id: "i".into(),
                name: "g".into(),
            },
            finish(FinishReason::ToolCalls),
        ],
        None,
    );
    let bytes: String = chunks.iter().map(event).collect();
    let expected = [
        "start the-model",
        "text a",
        "call 0 'i' g",
        "arguments 0 {}",
        "finish tool_calls",
    ];
    assert_eq!(read(bytes.as_bytes(), bytes.len()), expected);
}

/// The data of the events of a stream.
fn events_of(bytes: &[u8]) -> Vec<Value> {
    let mut data = Vec::new();
    let cut = Framer::default().push(bytes, |frame| {
        data.extend(
            frame
                .event
                .map(|event| serde_json::from_slice(event.data).unwrap()),
        );
    });
    cut.unwrap();
    data
}

#[test]
fn a_stream_of_gemini_becomes_one_of_anthropic_with_its_blocks_paired() {
    let bytes = [
        event(&said(&json!([{"thoughtSignature": "c2ln"}]))),
        event(&said(&json!([{"text": "hm", "thought": true}]))),
        event(&said(&json!([{"text": "So", "thoughtSignature": "c2ln"}]))),
        event(&said(&json!([{"functionCall": {"name": "f", "args": {"x": 1}}}, {"functionCall": {"name": "f", "args": {}}}]))),
        event(&ended(&json!([{"text": ""}]), &json!({}))),
    ]
    .concat();
    let mut writer = crate::anthropic::events::EventWriter::new(made(), Renamed::default());
    let (mut reader, mut out) = (GeminiSource::default(), Vec::new());
    let cut = Framer::default().push(bytes.as_bytes(), |frame| {
        if let Some(event) = &frame.event {
            reader.read(event, &mut |piece| writer.write(piece, &mut out));
        }
    });
    cut.unwrap();
    assert!(writer.is_finished());
    writer.close(None, &mut out);
    let events = events_of(&out);
    let kinds = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!(
        (kinds("content_block_start"), kinds("content_block_stop")),
        (6, 6)
    );
    let last = &events[events.len() - 2];
    assert_eq!(last["delta"]["stop_reason"], "tool_use");
}

#[test]
fn a_stream_of_openai_becomes_one_of_gemini() {
    let chunk = |delta: Value, finish: Value| {
        let chunk =
            json!({"model": "gpt", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {chunk}\n\n")
    };
    let call = |index: u64, id: &str, name: &str| json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}]});
    let more =
        |index: u64, json: &str| json!({"tool_calls": [{"index": index, "function": {"arguments": json}}]});
    let bytes = [
        chunk(json!({"content": "So"}), Value::Null),
        chunk(call(0, "a", "f"), Value::Null),
        chunk(call(1, "b", "f"), Value::Null),
        chunk(more(1, "{\"y\":1}"), Value::Null),
        chunk(more(0, "{\"x\":"), Value::Null),
        chunk(more(0, "2}"), Value::Null),
        chunk(json!({}), json!("tool_calls")),
    ]
    .concat();
    let mut writer = ResponseWriter::new(made(), Renamed::default());
    let (mut reader, mut out) = (crate::openai::stream::ChunkReader::default(), Vec::new());
    let cut = Framer::default().push(bytes.as_bytes(), |frame| {
        if let Some(event) = &frame.event {
            reader.read(event, &mut |piece| writer.write(piece, &mut out));
        }
    });
    cut.unwrap();
    writer.close(None, &mut out);
    let expected = [
        "start gpt",
        "text So",
        "call 0 'a' f",
        "arguments 0 {\"x\":2}",
        "call 1 'b' f",
        "arguments 1 {\"y\":1}",
        "finish tool_calls",
    ];
    assert_eq!(read(&out, 11), expected);
}

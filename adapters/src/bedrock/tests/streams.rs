//! Streams, in and out.

use serde_json::{Value, json};
use tollgate_core::{FinishReason, OutcomeClass, Usage};

use super::super::error;
use super::super::events::ConverseWriter;
use super::super::observe::ConverseObserver;
use super::super::stream::ConverseReader;
use super::made;
use crate::chat::answer::{End, Piece};
use crate::chat::names::Renamed;
use crate::eventstream::{Framer, write, write_exception};
use crate::passthrough::{Observer, Verdict};
use crate::report::Report;

/// A stream of these events.
pub(super) fn stream(events: &[(&str, Value)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, data) in events {
        write(name, data.to_string().as_bytes(), &mut out);
    }
    out
}

/// The events of a stream.
pub(super) fn events(bytes: &[u8]) -> Vec<(String, Value)> {
    let mut events = Vec::new();
    Framer::default()
        .push(bytes, |frame| {
            let event = frame.event.unwrap();
            let data = serde_json::from_slice(event.data).unwrap();
            events.push((event.name.unwrap().to_owned(), data));
        })
        .unwrap();
    events
}

/// What is read of a stream in chunks of this size.
pub(super) fn read(bytes: &[u8], size: usize) -> (Vec<Piece<'static>>, Report) {
    let (mut framer, mut reader) = (Framer::default(), ConverseReader::default());
    let mut observer = ConverseObserver::default();
    let mut pieces = Vec::new();
    for chunk in bytes.chunks(size) {
        let cut = framer.push(chunk, |frame| {
            let event = frame.event.unwrap();
            assert_eq!(observer.observe(&event), Verdict::Forward);
            reader.read(&event, &mut |piece| pieces.push(owned(piece)));
        });
        if cut.is_err() {
            break;
        }
    }
    (pieces, observer.report().clone())
}

fn owned(piece: Piece<'_>) -> Piece<'static> {
    match piece {
        Piece::Start { .. } => Piece::Start { model: None },
        Piece::Text(text) => Piece::Text(text.into_owned().into()),
        Piece::Thinking(text) => Piece::Thinking(text.into_owned().into()),
        Piece::Signature(text) => Piece::Signature(text.into_owned().into()),
        Piece::RedactedThinking(text) => Piece::RedactedThinking(text.into_owned().into()),
        Piece::Refusal(text) => Piece::Refusal(text.into_owned().into()),
        Piece::Call { call, id, name } => Piece::Call {
            call,
            id: id.into_owned().into(),
            name: name.into_owned().into(),
        },
        Piece::Arguments { call, json } => Piece::Arguments {
            call,
            json: json.into_owned().into(),
        },
        Piece::Finish(end) => Piece::Finish(End {
            finish: end.finish,
            stop_sequence: end.stop_sequence.map(|text| text.into_owned().into()),
            explanation: end.explanation.map(|text| text.into_owned().into()),
        }),
        Piece::Done => Piece::Done,
        Piece::State(_) | Piece::StateAhead(_) => unreachable!("the dialect has none"),
    }
}

/// A stream with everything in it: padding, text without a start, the provider's own tools among the calls.
pub(super) fn example() -> Vec<u8> {
    let delta = |index: u64, delta: Value| {
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": index, "delta": delta, "p": "abc"}),
        )
    };
    let start = |index: u64, start: Value| {
        (
            "contentBlockStart",
            json!({"contentBlockIndex": index, "start": start}),
        )
    };
    let stop = |index: u64| ("contentBlockStop", json!({"contentBlockIndex": index, "p": "ab"}));
    stream(&[
        ("messageStart", json!({"role": "assistant", "p": "abcd"})),
        delta(0, json!({"reasoningContent": {"text": "h"}})),
        delta(0, json!({"reasoningContent": {"text": "m"}})),
        delta(0, json!({"reasoningContent": {"signature": "c2ln"}})),
        stop(0),
        delta(1, json!({"reasoningContent": {"redactedContent": "ZA=="}})),
        stop(1),
        start(2, json!({})),
        delta(2, json!({"text": "so \u{1f50e}"})),
        delta(2, json!({"text": ""})),
        delta(2, json!({"citation": {"title": "t"}})),
        stop(2),
        start(
            3,
            json!({"toolUse": {"toolUseId": "srv", "name": "nova_grounding", "type": "server_tool_use"}}),
        ),
        delta(3, json!({"toolUse": {"input": "{}"}})),
        stop(3),
        start(
            4,
            json!({"toolResult": {"toolUseId": "srv", "status": "success"}}),
        ),
        delta(4, json!({"toolResult": [{"json": {"a": 1}}]})),
        stop(4),
        start(
            5,
            json!({"toolUse": {"toolUseId": "t1", "name": "f", "type": "tool_use"}}),
        ),
        delta(5, json!({"toolUse": {"input": ""}})),
        delta(5, json!({"toolUse": {"input": "{\"a\":"}})),
        delta(5, json!({"toolUse": {"input": "1}"}})),
        stop(5),
        start(6, json!({"toolUse": {"toolUseId": "t2", "name": "g"}})),
        delta(6, json!({"toolUse": {"input": ""}})),
        stop(6),
        ("messageStop", json!({"stopReason": "tool_use"})),
        (
            "metadata",
            json!({"usage": {"inputTokens": 3, "outputTokens": 9, "totalTokens": 12}, "metrics": {"latencyMs": 5}}),
        ),
    ])
}

fn finish(finish: FinishReason) -> Piece<'static> {
    Piece::Finish(End {
        finish: Some(finish),
        ..End::default()
    })
}

fn begun(call: usize, id: &'static str, name: &'static str) -> Piece<'static> {
    let (id, name) = (id.into(), name.into());
    Piece::Call { call, id, name }
}

fn more(call: usize, json: &'static str) -> Piece<'static> {
    let json = json.into();
    Piece::Arguments { call, json }
}

#[test]
fn a_stream_is_read_the_same_however_it_is_cut() {
    let bytes = example();
    let expected = [
        Piece::Start { model: None },
        Piece::Thinking("h".into()),
        Piece::Thinking("m".into()),
        Piece::Signature("c2ln".into()),
        Piece::RedactedThinking("ZA==".into()),
        Piece::Text("so \u{1f50e}".into()),
        begun(0, "t1", "f"),
        more(0, "{\"a\":"),
        more(0, "1}"),
        begun(1, "t2", "g"),
        finish(FinishReason::ToolCalls),
        Piece::Done,
    ];
    for size in [1, 2, 3, 7, 64, 1000, bytes.len()] {
        let (pieces, report) = read(&bytes, size);
        assert_eq!(pieces, expected, "in chunks of {size}");
        assert_eq!(report.usage.unwrap().output, 9);
        assert_eq!(report.finish, Some(FinishReason::ToolCalls));
        assert!(report.complete && report.has_content && report.error.is_none());
    }
}

#[test]
fn a_thought_may_be_nothing_but_its_signature() {
    let signed = |index: u64| {
        let delta = json!({"reasoningContent": {"signature": "c2ln"}});
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": index, "delta": delta}),
        )
    };
    let (pieces, _) = read(&stream(&[signed(0), signed(1)]), 50);
    let thought = [Piece::Thinking("".into()), Piece::Signature("c2ln".into())];
    assert_eq!(pieces[1..], [&thought[..], &thought[..]].concat());
}

#[test]
fn usage_may_come_before_the_end() {
    let bytes = stream(&[
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"text": "x"}}),
        ),
        (
            "metadata",
            json!({"usage": {"inputTokens": 3, "outputTokens": 9}}),
        ),
        ("messageStop", json!({"stopReason": "end_turn"})),
    ]);
    let (pieces, report) = read(&bytes, 11);
    let end = [finish(FinishReason::Stop), Piece::Done];
    assert_eq!(pieces[2..], end);
    assert!(report.complete && report.usage.is_some());
}

#[test]
fn a_stream_that_ends_early_is_not_complete() {
    let bytes = stream(&[
        ("messageStart", json!({"role": "assistant"})),
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"text": "x"}}),
        ),
    ]);
    let (_, report) = read(&bytes, 5);
    assert!(!report.complete && report.finish.is_none() && report.has_content);
}

#[test]
fn an_exception_in_a_stream_is_an_error_of_its_class() {
    for (name, message, class) in [
        ("throttlingException", "slow down", OutcomeClass::RateLimited),
        ("serviceUnavailableException", "busy", OutcomeClass::Overloaded),
        ("modelStreamErrorException", "broke", OutcomeClass::StreamError),
        ("internalServerException", "oops", OutcomeClass::StreamError),
        ("validationException", "no such field", OutcomeClass::StreamError),
        (
            "validationException",
            "Input is too long for requested model.",
            OutcomeClass::ContextTooLong,
        ),
    ] {
        let mut bytes = stream(&[("contentBlockDelta", json!({"delta": {"text": "x"}}))]);
        write_exception(
            name,
            json!({"message": message}).to_string().as_bytes(),
            &mut bytes,
        );
        let (pieces, report) = read(&bytes, 9);
        let fault = report.error.unwrap();
        assert_eq!((fault.class, &*fault.message), (class, message), "{name}");
        assert!(!report.complete && pieces.len() == 2);
    }
}

#[test]
fn an_error_is_told_as_an_exception() {
    let told = events(&error::event_of(429, br#"{"message":"slow down"}"#));
    assert_eq!(
        told,
        [("throttlingException".to_owned(), json!({"message": "slow down"}))]
    );
    assert_eq!(events(&error::event(b"{}"))[0].0, "internalServerException");
}

fn written(pieces: Vec<Piece<'_>>, usage: Option<&Usage>) -> Vec<(String, Value)> {
    let mut renamed = Renamed::default();
    renamed.note("a.b", "a_b");
    let mut writer = ConverseWriter::new(made(), Renamed::default());
    writer.rename(renamed);
    let mut out = Vec::new();
    for piece in pieces {
        writer.write(piece, &mut out);
    }
    assert!(writer.is_finished());
    writer.close(usage, &mut out);
    events(&out)
}

#[test]
fn pieces_become_blocks_that_are_paired_and_never_side_by_side() {
    let told = written(
        vec![
            Piece::Start { model: None },
            Piece::Thinking("h".into()),
            Piece::Thinking("m".into()),
            Piece::Signature("c2ln".into()),
            Piece::Signature("bHk=".into()),
            Piece::RedactedThinking("no base64!".into()),
            Piece::RedactedThinking("ZA==".into()),
            Piece::Text("so".into()),
            begun(0, "", "a_b"),
            begun(1, "t2", "g"),
            more(1, "{}"),
            more(0, "{\"a\":1"),
            more(0, "}"),
            begun(2, "t2", "h"),
            finish(FinishReason::Stop),
        ],
        Some(&Usage {
            output: 2,
            ..Usage::default()
        }),
    );
    let id = made().call_id("tooluse_", 0);
    let twice = made().call_id("tooluse_", 2);
    let delta = |index: u64, delta: Value| {
        (
            "contentBlockDelta".to_owned(),
            json!({"contentBlockIndex": index, "delta": delta}),
        )
    };
    let start = |index: u64, id: &str, name: &str| {
        let start = json!({"toolUse": {"toolUseId": id, "name": name}});
        (
            "contentBlockStart".to_owned(),
            json!({"contentBlockIndex": index, "start": start}),
        )
    };
    let stop = |index: u64| ("contentBlockStop".to_owned(), json!({"contentBlockIndex": index}));
    let input = |index: u64, json: &str| delta(index, json!({"toolUse": {"input": json}}));
    let expected = [
        ("messageStart".to_owned(), json!({"role": "assistant"})),
        delta(0, json!({"reasoningContent": {"text": "h"}})),
        delta(0, json!({"reasoningContent": {"text": "m"}})),
        delta(0, json!({"reasoningContent": {"signature": "c2ln"}})),
        stop(0),
        delta(1, json!({"reasoningContent": {"signature": "bHk="}})),
        stop(1),
        delta(2, json!({"reasoningContent": {"redactedContent": "ZA=="}})),
        stop(2),
        delta(3, json!({"text": "so"})),
        stop(3),
        start(4, &id, "a.b"),
        input(4, "{\"a\":1"),
        input(4, "}"),
        stop(4),
        start(5, "t2", "g"),
        input(5, "{}"),
        stop(5),
        start(6, &twice, "h"),
        input(6, "{}"),
        stop(6),
        ("messageStop".to_owned(), json!({"stopReason": "tool_use"})),
        (
            "metadata".to_owned(),
            json!({"usage": {"inputTokens": 0, "outputTokens": 2, "totalTokens": 2}, "metrics": {"latencyMs": 0}}),
        ),
    ];
    assert_eq!(told, expected);
}

#[test]
fn an_answer_of_nothing_and_one_that_was_refused_end_as_they_should() {
    let told = written(vec![finish(FinishReason::Length)], None);
    let names: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["messageStart", "messageStop", "metadata"]);
    let told = written(
        vec![Piece::Refusal("no".into()), finish(FinishReason::Stop)],
        None,
    );
    assert_eq!(told[3].1, json!({"stopReason": "content_filtered"}));
}

#[test]
fn a_stream_that_breaks_closes_its_block_first() {
    let mut writer = ConverseWriter::new(made(), Renamed::default());
    let mut out = Vec::new();
    writer.write(Piece::Text("x".into()), &mut out);
    writer.write(begun(0, "a", "f"), &mut out);
    writer.write(begun(1, "b", "g"), &mut out);
    writer.break_off(&mut out);
    out.extend_from_slice(&error::event(b"{}"));
    let told = events(&out);
    let names: Vec<_> = told.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "messageStart",
        "contentBlockDelta",
        "contentBlockStop",
        "contentBlockStart",
        "contentBlockStop",
        "internalServerException",
    ];
    assert_eq!(names, expected);
}

//! Streams, read and written.

use serde_json::json;
use tollgate_core::{Dialect, FinishReason, OutcomeClass, Usage};

use super::*;
use crate::chat::State;
use crate::chat::answer::{End, Piece};
use crate::chat::names::Renamed;
use crate::error_words::ErrorWords;
use crate::passthrough::Observer;
use crate::sse::{Event, Framer};

/// The pieces of a stream, in short, text by text.
fn pieces(events: &[Value]) -> Vec<String> {
    let mut reader = stream::ResponseReader::default();
    let mut said = Vec::new();
    for event in events {
        let data = event.to_string();
        let event = Event {
            name: None,
            data: data.as_bytes(),
        };
        reader.read(&event, &mut |piece| said.push(shown(&piece)));
    }
    said
}

fn shown(piece: &Piece<'_>) -> String {
    match piece {
        Piece::Start { model } => format!("start {}", model.as_deref().unwrap_or("?")),
        Piece::Text(text) => format!("text {text}"),
        Piece::Thinking(text) => format!("thinks {text}"),
        Piece::Refusal(text) => format!("refuses {text}"),
        Piece::Signature(text) => format!("signs {text}"),
        Piece::RedactedThinking(data) => format!("redacted {data}"),
        Piece::State(state) => format!("state of {}", state.of.name()),
        Piece::StateAhead(state) => format!("state of {} ahead", state.of.name()),
        Piece::Call { call, id, name } => format!("call {call} {id} {name}"),
        Piece::Arguments { call, json } => format!("arguments {call} {json}"),
        Piece::Finish(end) => format!("finish {:?}", end.finish.unwrap()),
        Piece::Done => "done".to_owned(),
    }
}

fn added(index: u64, item: &Value) -> Value {
    json!({"type": "response.output_item.added", "output_index": index, "item": item})
}

fn done(index: u64, item: &Value) -> Value {
    json!({"type": "response.output_item.done", "output_index": index, "item": item})
}

fn delta(index: u64, kind: &str, text: &str) -> Value {
    json!({"type": format!("response.{kind}.delta"), "output_index": index, "item_id": "any", "delta": text})
}

fn completed(status: &str) -> Value {
    json!({"type": format!("response.{status}"), "response": {"status": status, "model": "m", "output": [],
        "incomplete_details": {"reason": "max_output_tokens"},
        "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}}})
}

#[test]
fn items_are_told_apart_by_their_place_whatever_their_ids() {
    let said = pieces(&[
        json!({"type": "response.created", "response": {"model": "m-1"}}),
        json!({"type": "response.created", "response": {"model": "m-2"}}),
        added(
            0,
            &json!({"type": "reasoning", "id": "a", "encrypted_content": "early"}),
        ),
        json!({"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0}),
        delta(0, "reasoning_summary_text", "one"),
        json!({"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 1}),
        delta(0, "reasoning_summary_text", "two"),
        delta(0, "reasoning_text", "the same at length"),
        done(
            0,
            &json!({"type": "reasoning", "id": "b", "encrypted_content": "late",
            "summary": [{"type": "summary_text", "text": "one"}, {"type": "summary_text", "text": "two"}]}),
        ),
        added(
            1,
            &json!({"type": "function_call", "id": "c", "call_id": "c1", "name": "f", "arguments": ""}),
        ),
        added(
            2,
            &json!({"type": "function_call", "id": "d", "call_id": "c2", "name": "g", "arguments": ""}),
        ),
        delta(1, "function_call_arguments", "{\"a\""),
        delta(2, "function_call_arguments", "{}"),
        delta(1, "function_call_arguments", ":1}"),
        json!({"type": "response.function_call_arguments.done", "output_index": 1, "arguments": "{\"a\":1}"}),
        done(
            1,
            &json!({"type": "function_call", "id": "e", "call_id": "c1", "name": "f", "arguments": "{\"a\":1}"}),
        ),
        completed("completed"),
        completed("completed"),
    ]);
    assert_eq!(
        said,
        [
            "start m-1",
            "thinks one",
            "thinks \n\n",
            "thinks two",
            "state of responses",
            "call 0 c1 f",
            "call 1 c2 g",
            "arguments 0 {\"a\"",
            "arguments 1 {}",
            "arguments 0 :1}",
            "finish ToolCalls",
            "done"
        ]
    );
}

#[test]
fn what_came_in_no_pieces_is_read_from_what_is_done() {
    let said = pieces(&[
        added(0, &json!({"type": "message", "content": []})),
        done(
            0,
            &json!({"type": "message", "content": [{"type": "output_text", "text": "so"},
            {"type": "refusal", "refusal": "no"}]}),
        ),
        done(
            1,
            &json!({"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}),
        ),
        done(2, &json!({"type": "web_search_call", "id": "w"})),
        done(
            3,
            &json!({"type": "reasoning", "summary": [{"text": "hm"}],
            "encrypted_content": carried::signature("proof")}),
        ),
        done(
            4,
            &json!({"type": "reasoning", "summary": [], "encrypted_content": carried::redacted("r")}),
        ),
        completed("incomplete"),
    ]);
    assert_eq!(
        said,
        [
            "start ?",
            "text so",
            "refuses no",
            "call 0 c1 f",
            "arguments 0 {}",
            "thinks hm",
            "signs proof",
            "redacted r",
            "finish Length",
            "done"
        ]
    );
    let whole = json!({"type": "response.completed", "response": {"status": "completed", "output": [
        {"type": "message", "content": [{"type": "output_text", "text": "all at once"}]}]}});
    assert_eq!(
        pieces(&[whole]),
        ["start ?", "text all at once", "finish Stop", "done"]
    );
    // No item has been announced.
    let bare = [delta(0, "output_text", "a"), completed("completed")];
    assert_eq!(pieces(&bare)[0], "text a");
}

#[test]
fn an_item_that_ends_as_another_than_it_began_says_nothing_of_that() {
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let message = json!({"type": "message", "content": [{"type": "output_text", "text": "hi"}]});
    let said = pieces(&[
        added(0, &json!({"type": "message", "content": []})),
        done(0, &call),
        added(1, &call),
        done(1, &message),
        completed("completed"),
    ]);
    assert_eq!(said, ["start ?", "call 0 c f", "finish ToolCalls", "done"]);
}

#[test]
fn the_observer_learns_what_the_gateway_must_know() {
    let mut observer = observe::ResponseObserver::default();
    let mut see = |event: &Value| {
        let data = event.to_string();
        let data = data.as_bytes();
        let _ = observer.observe(&Event { name: None, data });
        observer.report().clone()
    };
    let report =
        see(&json!({"type": "response.created", "response": {"model": "m-1", "status": "in_progress"}}));
    assert!(!report.has_content && report.finish.is_none());
    see(&added(0, &json!({"type": "function_call"})));
    let report = see(&delta(0, "function_call_arguments", "{\"ä\"}"));
    assert_eq!((report.has_content, report.output_bytes), (true, 6));
    let report = see(&completed("completed"));
    assert_eq!(report.finish, Some(FinishReason::ToolCalls));
    assert_eq!(report.usage.unwrap().output, 4);
    assert!(report.complete);
    assert_eq!(report.model.as_deref(), Some("m-1"));
}

#[test]
fn an_error_in_a_stream_is_one_whatever_its_form() {
    let error =
        json!({"type": "insufficient_quota", "code": "insufficient_quota", "message": "quota exceeded"});
    for (name, event) in [
        (None, json!({"type": "error", "error": error})),
        (
            None,
            json!({"type": "error", "code": "insufficient_quota", "message": "quota exceeded"}),
        ),
        (
            None,
            json!({"type": "response.failed", "response": {"status": "failed", "error": error}}),
        ),
        (Some("error"), json!({"error": error})),
        (None, json!({"error": error})),
    ] {
        let mut observer = observe::ResponseObserver::default();
        let data = event.to_string();
        let data = data.as_bytes();
        let _ = observer.observe(&Event { name, data });
        let fault = observer.report().error.clone().unwrap();
        assert_eq!(fault.class, OutcomeClass::QuotaExhausted, "{event}");
        assert!(fault.message.contains("quota exceeded"));
        assert!(!observer.report().complete);
    }
}

/// The events in what was written: numbered, named, and each of them JSON.
fn events(written: &[u8]) -> Vec<Value> {
    let mut events = Vec::new();
    Framer::default()
        .push(written, |frame| {
            let event = frame.event.unwrap();
            let value: Value = serde_json::from_slice(event.data).unwrap();
            assert_eq!(event.name, value["type"].as_str());
            assert_eq!(value["sequence_number"], events.len());
            events.push(value);
        })
        .unwrap();
    events
}

/// What a client's SDK puts together from events: each item, from its deltas alone.
fn accumulated(events: &[Value]) -> Vec<Value> {
    let mut output: Vec<Value> = Vec::new();
    for event in events {
        let index = usize::try_from(event["output_index"].as_u64().unwrap_or(0)).unwrap();
        let append = |to: &mut Value| {
            *to = json!(format!(
                "{}{}",
                to.as_str().unwrap(),
                event["delta"].as_str().unwrap()
            ));
        };
        match event["type"].as_str().unwrap() {
            "response.output_item.added" => {
                assert_eq!(index, output.len());
                output.push(event["item"].clone());
            }
            "response.content_part.added" => {
                let content = output[index]["content"].as_array_mut().unwrap();
                assert_eq!(event["content_index"], content.len());
                content.push(event["part"].clone());
            }
            "response.output_text.delta" | "response.refusal.delta" => {
                let part = usize::try_from(event["content_index"].as_u64().unwrap()).unwrap();
                assert_eq!(event["item_id"], output[index]["id"]);
                let part = &mut output[index]["content"][part];
                let field = if part["type"] == "refusal" {
                    "refusal"
                } else {
                    "text"
                };
                append(&mut part[field]);
            }
            "response.reasoning_summary_part.added" => {
                output[index]["summary"]
                    .as_array_mut()
                    .unwrap()
                    .push(event["part"].clone());
            }
            "response.reasoning_summary_text.delta" => append(&mut output[index]["summary"][0]["text"]),
            "response.function_call_arguments.delta" => append(&mut output[index]["arguments"]),
            "response.output_item.done" => {
                let mut item = event["item"].clone();
                output[index]["status"] = item["status"].clone();
                output[index]["encrypted_content"] = item["encrypted_content"].take();
                item["encrypted_content"] = output[index]["encrypted_content"].clone();
                item["status"] = output[index]["status"].clone();
                assert_eq!(output[index], item);
                output[index] = event["item"].clone();
            }
            _ => {}
        }
    }
    output
}

fn finish(finish: FinishReason) -> Piece<'static> {
    Piece::Finish(End {
        finish: Some(finish),
        ..End::default()
    })
}

fn written(pieces: &[Piece<'static>]) -> Vec<Value> {
    let mut writer = events::ResponseWriter::new(made(), Renamed::default());
    let mut out = Vec::new();
    for piece in pieces {
        writer.write(piece.clone(), &mut out);
    }
    assert!(writer.is_finished());
    writer.close(Some(&Usage::default()), &mut out);
    events(&out)
}

fn call(call: usize, id: &'static str) -> Piece<'static> {
    let (id, name) = (id.into(), "f".into());
    Piece::Call { call, id, name }
}

fn arguments(call: usize, json: &'static str) -> Piece<'static> {
    let json = json.into();
    Piece::Arguments { call, json }
}

#[test]
fn what_deltas_say_is_what_is_done_and_completed() {
    let state = State {
        of: Dialect::Gemini,
        data: "g".into(),
    };
    let events = written(&[
        Piece::Start {
            model: Some("m-1".into()),
        },
        Piece::Thinking("h".into()),
        Piece::Thinking("m".into()),
        Piece::Signature("proof".into()),
        Piece::RedactedThinking("secret".into()),
        Piece::Text("a".into()),
        Piece::Text("b".into()),
        Piece::Refusal("no".into()),
        call(0, "c1"),
        Piece::State(state),
        call(1, "c1"),
        arguments(0, "{\"a\""),
        arguments(1, "{}"),
        arguments(0, ":1}"),
        call(2, ""),
        finish(FinishReason::Stop),
        Piece::Done,
    ]);
    let output = accumulated(&events);
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.completed");
    assert_eq!(last["response"]["output"], json!(output));
    assert_eq!(last["response"]["model"], "m-1");
    assert_eq!(events[0]["type"], "response.created");
    assert_eq!(events[0]["response"]["id"], last["response"]["id"]);
    assert_eq!(events[0]["response"]["usage"], Value::Null);
    assert_eq!(last["response"]["usage"]["total_tokens"], 0);
    let kinds: Vec<_> = output.iter().map(|item| item["type"].as_str().unwrap()).collect();
    let [call, thoughts] = ["function_call", "reasoning"];
    assert_eq!(kinds, [thoughts, thoughts, "message", call, thoughts, call, call]);
    assert_eq!(output[0]["encrypted_content"], carried::signature("proof"));
    assert_eq!(output[2]["content"][0]["text"], "ab");
    assert_eq!(output[3]["arguments"], "{\"a\":1}");
    assert_eq!(output[6]["arguments"], "{}");
    assert_ne!(output[5]["call_id"], output[3]["call_id"]);
    let count = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!(
        count("response.output_item.added"),
        count("response.output_item.done")
    );
    assert_eq!(
        count("response.content_part.added"),
        count("response.content_part.done")
    );
}

#[test]
fn signatures_without_thoughts_have_an_item_of_their_own() {
    let events = written(&[
        Piece::Signature("s".into()),
        Piece::Text("x".into()),
        finish(FinishReason::Stop),
    ]);
    let output = accumulated(&events);
    assert_eq!(output[0]["encrypted_content"], carried::signature("s"));
    assert_eq!(output[0]["summary"], json!([]));
    assert_eq!(output[1]["content"][0]["text"], "x");
}

#[test]
fn a_stream_that_was_cut_or_filtered_is_incomplete() {
    let cut = written(&[Piece::Text("x".into()), finish(FinishReason::Length)]);
    let last = cut.last().unwrap();
    assert_eq!(last["type"], "response.incomplete");
    assert_eq!(last["response"]["output"][0]["status"], "incomplete");
    let filtered = written(&[finish(FinishReason::ContentFilter)]);
    let last = filtered.last().unwrap();
    assert_eq!(last["response"]["incomplete_details"]["reason"], "content_filter");
    assert_eq!(last["response"]["output"][0]["content"][0]["type"], "refusal");
}

#[test]
fn an_error_ends_the_stream_as_an_event_and_as_the_response() {
    let words = ErrorWords {
        status: 529,
        kind: None,
        message: "busy",
        param: None,
        code: Some("upstream_error"),
        request_id: None,
    };
    let mut writer = events::ResponseWriter::new(made(), Renamed::default());
    let mut out = Vec::new();
    writer.write(Piece::Text("x".into()), &mut out);
    writer.fail(&words, &mut out);
    let events = events(&out);
    let [.., error, failed] = events.as_slice() else {
        panic!("two events at least");
    };
    assert_eq!(
        (&error["message"], &error["error"]["message"]),
        (&json!("busy"), &json!("busy"))
    );
    assert_eq!(
        failed["response"]["error"],
        json!({"code": "upstream_error", "message": "busy"})
    );
    let alone = error::event(&crate::render::error_body(
        tollgate_core::Dialect::Responses,
        &words,
    ));
    let alone: Value = serde_json::from_slice(&alone["event: error\ndata: ".len()..]).unwrap();
    assert_eq!(alone["error"], error["error"]);
}

#[test]
fn what_is_written_is_read_again() {
    let said = [
        Piece::Start {
            model: Some("m".into()),
        },
        Piece::Thinking("hm".into()),
        Piece::Signature("proof".into()),
        Piece::Text("so".into()),
        call(0, "c1"),
        arguments(0, "{\"a\":1}"),
        finish(FinishReason::ToolCalls),
        Piece::Done,
    ];
    let expected: Vec<_> = said.iter().map(shown).collect();
    assert_eq!(pieces(&written(&said)), expected);
}

//! One answer by two providers, as the client sees it: one stream, which begins and ends once.

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_adapters::{
    Head, Report, Scratch, StreamEnd, StreamReader, encode_continuation, read_head, render_seam,
    settled_usage,
};
use tollgate_core::{Dialect, OutcomeClass, ProviderKind, Surface, Usage};

use crate::support::{PAIRS, chunk, egress, framed, opening, push, reader, request, spoken_by};

mod anywhere;

const KINDS: [ProviderKind; 2] = [ProviderKind::OpenAi, ProviderKind::Anthropic];

/// A stream of these texts; the last one is followed by the end if the stream `ends`.
fn answer(dialect: Dialect, texts: &[&str], ends: bool) -> String {
    let mut events = opening(dialect);
    match dialect {
        Dialect::OpenAi => {
            events.extend(texts.iter().map(|text| chunk(&json!({"content": text}))));
            if ends {
                let mut stop = chunk(&json!({}));
                stop["choices"][0]["finish_reason"] = json!("stop");
                let usage = json!({"prompt_tokens": 20, "completion_tokens": 4, "total_tokens": 24});
                events.extend([
                    stop,
                    json!({"id": "chatcmpl-there", "choices": [], "usage": usage}),
                ]);
            }
        }
        Dialect::Anthropic => {
            events.extend(texts.iter().map(|text| {
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
            }));
            if ends {
                events.extend([
                    json!({"type": "content_block_stop", "index": 0}),
                    json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
                        "usage": {"output_tokens": 4}}),
                    json!({"type": "message_stop"}),
                ]);
            }
        }
        other => panic!("nothing here is said in {other:?}"),
    }
    let mut stream: String = events.iter().map(|event| framed(dialect, event)).collect();
    if ends && dialect == Dialect::OpenAi {
        stream += "data: [DONE]\n\n";
    }
    stream
}

/// The error with which a provider breaks off.
fn overloaded(dialect: Dialect) -> String {
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    framed(dialect, &error)
}

fn push_in_pieces(reader: &mut StreamReader, bytes: &str, size: usize, told: &mut Vec<u8>) {
    let mut out = Vec::new();
    for piece in bytes.as_bytes().chunks(size.max(1)) {
        reader.push(Bytes::copy_from_slice(piece), &mut out);
    }
    told.extend(out.concat());
}

/// The client's request, and its head.
fn head(surface: Surface) -> (Bytes, Head) {
    let body = Bytes::from(request(surface).to_string());
    let head = read_head(surface, &body, &mut Scratch::default()).unwrap();
    (body, head)
}

/// The reader of the provider that goes on from `broken`.
fn next(surface: Surface, kind: ProviderKind, broken: &StreamReader) -> StreamReader {
    let (body, head) = head(surface);
    let partial = broken.partial().unwrap();
    let encoded = encode_continuation(surface, &head, &body, partial, &egress(kind)).unwrap();
    let spent = settled_usage(broken.report(), head.prompt_bytes);
    broken.continue_with(encoded.reader, spent).unwrap()
}

/// What the client gets where a first stream is cut after so many bytes, and a second one goes on; and what the
/// second one reported.
fn joined(
    surface: Surface,
    kinds: [ProviderKind; 2],
    first: &str,
    second: &str,
    size: usize,
) -> (String, Report) {
    let mut told = Vec::new();
    let mut broken = reader(surface, kinds[0]).collecting();
    push_in_pieces(&mut broken, first, size, &mut told);
    let mut joined = next(surface, kinds[1], &broken);
    told.extend(render_seam("backup", egress(kinds[1]).model));
    push_in_pieces(&mut joined, second, size, &mut told);
    let mut out = Vec::new();
    joined.finish(StreamEnd::Eof, &mut out);
    told.extend(out.concat());
    (String::from_utf8(told).unwrap(), joined.report().clone())
}

/// The client's events.
fn events(told: &str) -> Vec<Value> {
    let data = told.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// The text that a client puts together.
fn text(told: &str) -> String {
    let piece = |event: &Value| {
        let of_chunk = event["choices"][0]["delta"]["content"].as_str();
        of_chunk
            .or(event["delta"]["text"].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    events(told).iter().map(piece).collect()
}

/// Checks that a client can take `told` for one stream of one provider.
fn check_form(surface: Surface, told: &str) {
    let events = events(told);
    match surface.dialect() {
        Dialect::OpenAi => {
            assert!(
                told.ends_with("data: [DONE]\n\n") && told.matches("[DONE]").count() == 1,
                "{told}"
            );
            let chunks: Vec<_> = events
                .iter()
                .filter(|event| event["choices"] != json!([]))
                .collect();
            for name in ["id", "created", "model", "object"] {
                assert!(
                    chunks.iter().all(|chunk| chunk[name] == chunks[0][name]),
                    "{name}: {told}"
                );
            }
            let is_role = |chunk: &&&Value| chunk["choices"][0]["delta"]["role"].is_string();
            let is_end = |chunk: &&&Value| chunk["choices"][0]["finish_reason"].is_string();
            let counts = (
                chunks.iter().filter(is_role).count(),
                chunks.iter().filter(is_end).count(),
            );
            assert_eq!(counts, (1, 1), "{told}");
        }
        Dialect::Anthropic => {
            let kinds: Vec<_> = events
                .iter()
                .map(|event| event["type"].as_str().unwrap())
                .collect();
            let mut open = None;
            let mut next = 0;
            for event in &events {
                let index = event["index"].as_u64();
                match event["type"].as_str().unwrap() {
                    "content_block_start" => {
                        assert_eq!((index, open), (Some(next), None), "{told}");
                        (open, next) = (index, next + 1);
                    }
                    "content_block_delta" => assert_eq!(index, open, "{told}"),
                    "content_block_stop" => assert_eq!(open.take(), index, "{told}"),
                    _ => {}
                }
            }
            let once = |kind: &str| kinds.iter().filter(|known| **known == kind).count() == 1;
            assert!(
                once("message_start") && once("message_delta") && once("message_stop"),
                "{told}"
            );
            assert!(open.is_none() && kinds.last() == Some(&"message_stop"), "{told}");
        }
        other => panic!("nothing here is said in {other:?}"),
    }
}

#[test]
fn a_stream_goes_on_in_every_pair_of_dialects() {
    for (surface, second) in PAIRS {
        // The first provider speaks the client's dialect, and once the other one.
        for (first, way) in KINDS.into_iter().map(|first| {
            let is_same = spoken_by(first) == surface.dialect();
            (first, if is_same { "passing" } else { "translated" })
        }) {
            let broken = answer(spoken_by(first), &["Once ", "upon"], false) + "data: {\"half\":";
            let rest = answer(spoken_by(second), &[" a", " time."], true);
            let (told, report) = joined(surface, [first, second], &broken, &rest, broken.len());
            check_form(surface, &told);
            assert_eq!(text(&told), "Once upon a time.");
            assert!(report.complete && report.error.is_none());
            for size in [1, 7, 64] {
                assert_eq!(joined(surface, [first, second], &broken, &rest, size).0, told);
            }
            insta::assert_snapshot!(format!("{}_{way}_then_{}", surface.name(), second.name()), told);
        }
    }
}

#[test]
fn the_client_is_told_what_both_took_and_each_report_its_own() {
    for (surface, second) in PAIRS {
        for first in KINDS {
            let broken = answer(spoken_by(first), &["Once upon"], false);
            let rest = answer(spoken_by(second), &[" a time."], true);
            let mut begun = reader(surface, first).collecting();
            push(&mut begun, &broken);
            let own = settled_usage(begun.report(), head(surface).1.prompt_bytes);
            let (told, report) = joined(surface, [first, second], &broken, &rest, 50);
            let second_own = report.usage.unwrap();
            let expected = if second == ProviderKind::OpenAi {
                (20, 4)
            } else {
                (10, 4)
            };
            assert_eq!((second_own.prompt_total(), second_own.output_total()), expected);
            let usage = events(&told)
                .iter()
                .rev()
                .find_map(|event| event.get("usage").filter(|usage| usage.is_object()).cloned())
                .unwrap();
            let name = |openai: &'static str, anthropic: &'static str| match surface.dialect() {
                Dialect::OpenAi => openai,
                Dialect::Anthropic => anthropic,
                other => panic!("nothing here is said in {other:?}"),
            };
            let prompt = usage[name("prompt_tokens", "input_tokens")].as_u64().unwrap();
            let output = usage[name("completion_tokens", "output_tokens")]
                .as_u64()
                .unwrap();
            assert_eq!(prompt, own.prompt_total() + second_own.prompt_total(), "{told}");
            assert_eq!(output, own.output_total() + second_own.output_total(), "{told}");
        }
    }
}

#[test]
fn an_error_that_breaks_an_answer_off_is_withheld_until_nobody_goes_on() {
    for (surface, kind) in PAIRS {
        let dialect = spoken_by(kind);
        let broken = answer(dialect, &["Once"], false) + &overloaded(dialect) + ": more\n\n";
        let mut first = reader(surface, kind).collecting();
        let told = push(&mut first, &broken);
        assert!(!told.contains("Overloaded") && text(&told) == "Once", "{told}");
        assert_eq!(
            first.report().error.as_ref().unwrap().class,
            OutcomeClass::Overloaded
        );
        assert!(first.is_over());
        // Somebody goes on, twice: the first try comes to nothing.
        let mut failed = next(surface, kind, &first);
        let nothing = push(&mut failed, &overloaded(dialect));
        assert!(
            failed.report().error.is_some() && !failed.report().has_content && nothing.is_empty(),
            "{nothing}"
        );
        let mut second = next(surface, ProviderKind::OpenAi, &first);
        let rest = push(&mut second, &answer(Dialect::OpenAi, &[" more."], true));
        check_form(surface, &(told.clone() + &rest));
        assert_eq!(text(&(told.clone() + &rest)), "Once more.");
        // Nobody does: the error is told, and the stream closed as it should be.
        let mut out = Vec::new();
        first.finish(StreamEnd::Eof, &mut out);
        let end = String::from_utf8(out.concat()).unwrap();
        let mut plain = reader(surface, kind);
        let mut all = push(&mut plain, &broken);
        let mut out = Vec::new();
        plain.finish(StreamEnd::Eof, &mut out);
        all += &String::from_utf8(out.concat()).unwrap();
        assert_eq!(told + &end, all, "what a reader that does not collect tells");
    }
}

#[test]
fn a_third_provider_goes_on_where_the_second_stopped() {
    for (surface, second) in PAIRS {
        let mut told = Vec::new();
        let mut one = reader(surface, ProviderKind::Anthropic).collecting();
        push_in_pieces(
            &mut one,
            &answer(Dialect::Anthropic, &["Once"], false),
            9,
            &mut told,
        );
        let mut two = next(surface, second, &one);
        let broken = answer(spoken_by(second), &[" upon"], false) + &overloaded(spoken_by(second));
        push_in_pieces(&mut two, &broken, 9, &mut told);
        assert_eq!(two.partial().unwrap().text(), "Once upon");
        let mut three = next(surface, ProviderKind::OpenAi, &two);
        push_in_pieces(
            &mut three,
            &answer(Dialect::OpenAi, &[" a time."], true),
            9,
            &mut told,
        );
        let told = String::from_utf8(told).unwrap();
        check_form(surface, &told);
        assert_eq!(text(&told), "Once upon a time.");
        assert!(
            three.report().complete
                && three
                    .continue_with(next_reader(surface), Usage::default())
                    .is_none()
        );
    }
}

fn next_reader(surface: Surface) -> tollgate_adapters::Reader {
    let (body, head) = head(surface);
    tollgate_adapters::encode(surface, &head, &body, &egress(ProviderKind::OpenAi))
        .unwrap()
        .reader
}

#[test]
fn what_goes_on_is_not_heard_thinking_and_may_call_tools() {
    let thought = chunk(&json!({"reasoning_content": "hm"}));
    let call = chunk(&json!({"tool_calls": [{"index": 0, "id": "c", "type": "function",
        "function": {"name": "f", "arguments": "{}"}}]}));
    let mut stop = chunk(&json!({}));
    stop["choices"][0]["finish_reason"] = json!("tool_calls");
    let rest: String = [thought, chunk(&json!({"content": " see."})), call, stop]
        .iter()
        .map(|event| framed(Dialect::OpenAi, event))
        .collect();
    for (surface, first) in PAIRS {
        let broken = answer(spoken_by(first), &["Let me"], false);
        let (told, _) = joined(
            surface,
            [first, ProviderKind::OpenAi],
            &broken,
            &(rest.clone() + "data: [DONE]\n\n"),
            30,
        );
        check_form(surface, &told);
        assert_eq!(text(&told), "Let me see.");
        assert!(!told.contains("hm") && !told.contains("thinking"), "{told}");
        let ends = ["\"finish_reason\":\"tool_calls\"", "\"stop_reason\":\"tool_use\""];
        assert!(
            ends.iter().any(|end| told.contains(end)) && told.contains("\"f\""),
            "{told}"
        );
    }
}

#[test]
fn a_second_stream_that_is_cut_ends_with_an_error_as_any_other() {
    for (surface, second) in PAIRS {
        let mut first = reader(surface, ProviderKind::OpenAi).collecting();
        let mut told = push(&mut first, &answer(Dialect::OpenAi, &["Once"], false));
        let mut joined = next(surface, second, &first);
        told += &push(&mut joined, &answer(spoken_by(second), &[" upon"], false));
        let mut out = Vec::new();
        joined.finish(StreamEnd::Broken(OutcomeClass::Reset), &mut out);
        told += &String::from_utf8(out.concat()).unwrap();
        assert_eq!(text(&told), "Once upon");
        assert!(told.contains("\"error\"") && !joined.report().complete, "{told}");
        let (starts, stops) = (
            told.matches("block_start\"").count(),
            told.matches("block_stop\"").count(),
        );
        // Two of each event: its name and its type. A block that passed on open is closed with the answer.
        assert_eq!(starts, stops, "{told}");
    }
}

#[test]
fn a_reader_that_does_not_collect_cannot_be_gone_on_from() {
    for (surface, kind) in PAIRS {
        let plain = reader(surface, kind);
        assert!(plain.partial().is_none());
        assert!(
            plain
                .continue_with(next_reader(surface), Usage::default())
                .is_none()
        );
    }
}

#[test]
fn before_anything_was_said_the_second_provider_begins() {
    for (surface, second) in PAIRS {
        let rest = answer(spoken_by(second), &["Once."], true);
        for broken in ["", ": ping\n\n"] {
            let (told, _) = joined(surface, [ProviderKind::OpenAi, second], broken, &rest, 40);
            check_form(surface, &told);
            assert_eq!(text(&told), "Once.");
        }
    }
}

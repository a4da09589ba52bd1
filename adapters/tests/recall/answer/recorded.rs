//! Recorded answers, kept as their clients got them and told again in each dialect.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_adapters::{Egress, Encoded, Kept, NotKept, Scratch, Shape, StreamEnd, encode, read_head};
use tollgate_core::{ProviderKind, RequestId, Surface};

use super::{ANTHROPIC, LAX, NOW, OPENAI, STREAM, events, kept_again, told};
use crate::support::{Case, recordings};

/// The request behind a recording: as a client of the dialect asks for everything.
fn begin(surface: Surface, kind: ProviderKind, is_stream: bool) -> Encoded {
    let mut request =
        json!({"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]});
    if is_stream {
        request["stream"] = true.into();
        if surface == OPENAI {
            request["stream_options"] = json!({"include_usage": true});
        }
    }
    let body = Bytes::from(request.to_string());
    let head = read_head(surface, &body, &mut Scratch::default()).unwrap();
    let egress = Egress {
        kind,
        model: "m",
        api_version: None,
        max_output_tokens: None,
        strict: false,
        request_id: RequestId::new(NOW, 9),
        now: NOW,
    };
    encode(surface, &head, &body, &egress).unwrap()
}

/// Passes an answer through, as the gateway does: what the client gets, and whether it was a whole success.
fn pass(surface: Surface, kind: ProviderKind, is_stream: bool, body: &[u8]) -> (Vec<u8>, bool) {
    let reader = begin(surface, kind, is_stream).reader;
    if !is_stream {
        let answer = reader.read(Bytes::copy_from_slice(body)).unwrap();
        return (
            answer.body.to_vec(),
            answer.report.error.is_none() && answer.report.finish.is_some(),
        );
    }
    let (mut reader, mut out) = (reader.stream(), Vec::new());
    reader.push(Bytes::copy_from_slice(body), &mut out);
    reader.finish(StreamEnd::Eof, &mut out);
    let report = reader.report();
    (
        out.concat(),
        report.error.is_none() && report.finish.is_some() && report.complete,
    )
}

fn kind(surface: Surface) -> ProviderKind {
    match surface {
        ANTHROPIC => ProviderKind::Anthropic,
        _ => ProviderKind::OpenAi,
    }
}

/// Keeps a recorded answer as its client got it.
fn keep(case: &Case) -> Result<Kept, NotKept> {
    let (body, _) = pass(case.surface, kind(case.surface), case.is_stream, &case.body);
    if case.is_stream {
        Kept::of_stream(case.surface, &body, LAX)
    } else {
        Kept::of_whole(case.surface, &body, LAX)
    }
}

/// Tells what was kept in every way; each is read again, by the readers that read providers' answers.
fn check_told(name: &str, kept: &Kept) {
    for surface in [OPENAI, ANTHROPIC] {
        for shape in [Shape::Whole, STREAM] {
            let told = told(kept, surface, shape);
            let (passed, is_good) = pass(surface, kind(surface), shape != Shape::Whole, told.as_bytes());
            assert!(is_good, "{name}: {told}");
            assert_eq!(passed, told.as_bytes(), "{name}: passes with changes");
            if shape == STREAM {
                check_stream(name, surface, &events(&told));
            }
            let again = kept_again_lax(&told, surface, shape);
            // What Anthropic's dialect has no word for is text there.
            let refuses = told.contains("\"stop_reason\":\"refusal\"");
            assert!(refuses || again.text() == kept.text(), "{name}");
            assert_eq!(
                again.usage.map(|usage| usage.total()),
                kept.usage.map(|usage| usage.total()).or(again.usage.map(|_| 0)),
                "{name}"
            );
            assert_eq!(Kept::from_bytes(&again.to_bytes()).as_ref(), Ok(&again), "{name}");
        }
    }
}

/// The same, where a refusal may have become a filter's verdict.
fn kept_again_lax(told: &str, surface: Surface, shape: Shape) -> Kept {
    let told = told.replace("\"stop_reason\":\"refusal\"", "\"stop_reason\":\"end_turn\"");
    kept_again(&told, surface, shape)
}

/// The order that client libraries count on.
fn check_stream(name: &str, surface: Surface, events: &[Value]) {
    if surface == OPENAI {
        assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant", "{name}");
        let ids: Vec<_> = events.iter().map(|event| &event["id"]).collect();
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{name}");
        return;
    }
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        (kinds.first(), kinds.last()),
        (Some(&"message_start"), Some(&"message_stop")),
        "{name}"
    );
    assert_eq!(kinds[kinds.len() - 2], "message_delta", "{name}");
    let mut open = None;
    for event in events {
        match event["type"].as_str().unwrap() {
            "content_block_start" => assert_eq!(open.replace(event["index"].clone()), None, "{name}"),
            "content_block_delta" => assert_eq!(open.as_ref(), Some(&event["index"]), "{name}"),
            "content_block_stop" => assert_eq!(open.take().as_ref(), Some(&event["index"]), "{name}"),
            _ => assert_eq!(open, None, "{name}"),
        }
    }
}

#[test]
fn recorded_answers_that_are_complete_are_kept_and_told_in_each_dialect() {
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut kept = 0;
    for case in recordings().iter().filter(|case| case.status < 400) {
        match keep(case) {
            Ok(found) => {
                kept += 1;
                check_told(&case.name, &found);
            }
            Err(why) => reasons
                .entry(why.to_string())
                .or_default()
                .push(case.name.clone()),
        }
    }
    println!("{kept} kept, others: {reasons:#?}");
    assert!(kept >= 20, "{kept} {reasons:#?}");
}

//! Through the canonical model and back: nothing is lost that is not named. And whatever bytes arrive, no reader
//! panics.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::events::ConverseWriter;
use super::super::{answer, decode};
use super::streams::{example, read, stream};
use super::{SONNET, again, egress, made};
use crate::chat::names::Renamed;
use crate::loss::Loss;
use crate::testing::words;

fn block() -> impl Strategy<Value = Value> {
    prop_oneof![
        words().prop_map(|text| json!({"text": text})),
        "[a-z]{1,8}( [a-z]{1,8})?".prop_map(|name| {
            json!({"document": {"format": "pdf", "name": name, "source": {"bytes": "JVBE"}, "context": "c"}})
        }),
        Just(json!({"image": {"format": "png", "source": {"bytes": "iVBO"}}})),
        Just(json!({"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/k"}}}})),
        words().prop_map(|text| json!({"guardContent": {"text": {"text": text}}})),
        words().prop_map(|text| json!({"newThing": {"what": text}})),
    ]
}

fn content() -> impl Strategy<Value = Vec<Value>> {
    (words(), vec((block(), any::<bool>()), 0..4)).prop_map(|(text, blocks)| {
        let mut content = vec![json!({"text": text})];
        let mut names = std::collections::HashSet::new();
        for (block, marked) in blocks {
            let name = block["document"]["name"].as_str().unwrap_or_default();
            if !name.is_empty() && !names.insert(name.to_owned()) {
                continue;
            }
            content.push(block);
            content.extend(marked.then(|| json!({"cachePoint": {"type": "default"}})));
        }
        content
    })
}

prop_compose! {
    fn request()(
        system in proptest::option::of(words()),
        asked in content(),
        said in words(),
        calls in 0..3_usize,
        limit in proptest::option::of(1..9999_u64),
        temperature in proptest::option::of(0..100_u32),
        has_format: bool,
        is_error: bool,
    ) -> Value {
        let ids: Vec<_> = (0..calls).map(|call| format!("tooluse_{call}")).collect();
        let mut answered = vec![
            json!({"reasoningContent": {"reasoningText": {"text": said, "signature": "c2ln"}}}),
            json!({"reasoningContent": {"redactedContent": "ZA=="}}),
            json!({"text": said}),
        ];
        answered.extend(ids.iter().map(|id| json!({"toolUse": {"toolUseId": id, "name": "f", "input": {"a": said}}})));
        let status = if is_error { "error" } else { "success" };
        let mut results: Vec<_> = ids.iter().map(|id| {
            let mut result = json!({"toolUseId": id, "content": [{"json": {"a": [1, said]}}, {"text": said}]});
            if is_error {
                result["status"] = json!(status);
            }
            json!({"toolResult": result})
        }).collect();
        results.push(json!({"text": "go on"}));
        let mut body = json!({
            "messages": [
                {"role": "user", "content": asked},
                {"role": "assistant", "content": answered},
                {"role": "user", "content": results},
            ],
            "toolConfig": {"tools": [
                {"toolSpec": {"name": "f", "description": said, "inputSchema": {"json": {"type": "object", "title": said}}}},
                {"cachePoint": {"type": "default"}},
            ]},
            "additionalModelRequestFields": {"top_k": 3, "x": said},
            "requestMetadata": {"a": "b"},
        });
        let schema = json!({"type": "object", "title": said}).to_string();
        let parts = [
            ("system", system.map(|text| json!([{"text": text}]))),
            ("inferenceConfig", limit.map(|limit| json!({"maxTokens": limit}))),
            ("outputConfig", has_format.then(|| json!({"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": schema}}}}))),
        ];
        for (name, value) in parts {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        if let Some(percent) = temperature {
            body["inferenceConfig"]["temperature"] = json!(f64::from(percent) / 100.0);
        }
        body
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_request_comes_back_as_it_went(body in request()) {
        let (out, lost) = again(&body, SONNET);
        prop_assert_eq!(lost, Vec::<String>::new());
        prop_assert_eq!(out, body);
    }

    #[test]
    fn any_bytes_are_a_request_or_a_refusal(bytes: Vec<u8>, json in "[{}\\[\\]\":,a-z0-9\\\\ ]{0,200}") {
        for body in [&bytes[..], json.as_bytes()] {
            if let Ok(request) = decode::request(body) {
                let _ = super::super::encode::request(request, &egress(SONNET), &mut Loss::default());
            }
            let _ = (answer::read(body), answer::report(body));
        }
    }

    /// Requests and answers of the right form with something wrong in one place.
    #[test]
    fn what_is_broken_somewhere_does_no_harm(body in request(), place: prop::sample::Index, with: prop::sample::Index) {
        let answer = json!({"output": {"message": body["messages"][1]}, "stopReason": "end_turn", "usage": {"inputTokens": 1}});
        for body in [body, answer] {
            let mut bytes = serde_json::to_vec(&body).unwrap();
            let at = place.index(bytes.len());
            bytes[at] = b"\"{}[]:,0nx\xff\\"[with.index(12)];
            if let Ok(request) = decode::request(&bytes) {
                let _ = super::super::encode::request(request, &egress(SONNET), &mut Loss::default());
            }
            let _ = (answer::read(&bytes), answer::report(&bytes));
        }
    }

    #[test]
    fn any_chunks_are_read(bytes: Vec<u8>, size in 1..40_usize, at: prop::sample::Index, with: u8) {
        let _ = read(&bytes, size);
        let mut damaged = example();
        let at = at.index(damaged.len());
        damaged[at] ^= with;
        let _ = read(&damaged, size);
    }

    /// Whatever events come in whatever order: what is written of them is a stream of blocks that are paired.
    #[test]
    fn any_events_become_blocks_that_are_paired(picked in vec(prop::sample::select(lines()), 0..30)) {
        let events: Vec<_> = picked.iter().map(|(name, data)| (name.as_str(), data.clone())).collect();
        let (pieces, _) = read(&stream(&events), 17);
        let mut writer = ConverseWriter::new(made(), Renamed::default());
        let mut out = Vec::new();
        for piece in pieces {
            writer.write(piece, &mut out);
        }
        writer.close(None, &mut out);
        let mut open = None;
        let mut next = 0;
        for (name, data) in super::streams::events(&out) {
            let index = data["contentBlockIndex"].as_u64();
            match name.as_str() {
                "contentBlockStart" => {
                    prop_assert_eq!((open, index), (None, Some(next)));
                    open = index;
                }
                "contentBlockDelta" => {
                    prop_assert!(open.is_none() || open == index);
                    prop_assert_eq!(index, Some(next));
                    open = index;
                }
                "contentBlockStop" => {
                    prop_assert_eq!(open, index);
                    open = None;
                    next += 1;
                }
                _ => prop_assert_eq!(open, None),
            }
        }
        prop_assert_eq!(open, None);
    }
}

fn lines() -> Vec<(String, Value)> {
    let delta = |index: u64, delta: Value| json!({"contentBlockIndex": index, "delta": delta});
    let lines = [
        ("messageStart", json!({"role": "assistant"})),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "a", "name": "f"}}}),
        ),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "a", "name": "g"}}}),
        ),
        (
            "contentBlockStart",
            json!({"contentBlockIndex": 1, "start": {"toolResult": {}}}),
        ),
        (
            "contentBlockDelta",
            delta(0, json!({"toolUse": {"input": "{\"a\":"}})),
        ),
        ("contentBlockDelta", delta(1, json!({"toolUse": {"input": "}"}}))),
        (
            "contentBlockDelta",
            delta(0, json!({"toolUse": {"input": {"a": 1}}})),
        ),
        ("contentBlockDelta", delta(2, json!({"text": "x"}))),
        (
            "contentBlockDelta",
            delta(2, json!({"reasoningContent": {"text": "x"}})),
        ),
        (
            "contentBlockDelta",
            delta(2, json!({"reasoningContent": {"signature": "x"}})),
        ),
        (
            "contentBlockDelta",
            delta(2, json!({"reasoningContent": {"redactedContent": "ZA=="}})),
        ),
        ("contentBlockStop", json!({"contentBlockIndex": 0})),
        ("messageStop", json!({"stopReason": "end_turn"})),
        ("metadata", json!({"usage": {"inputTokens": 1}})),
        ("other", json!({})),
    ];
    lines.map(|(name, data)| (name.to_owned(), data)).to_vec()
}

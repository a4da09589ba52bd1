//! What is kept of an answer, and how it is told again.

use serde_json::{Value, json};
use tollgate_adapters::{
    Fresh, KeepPolicy, Kept, KeptChoice, KeptContent, KeptPart, NotKept, Shape, Unreadable,
};
use tollgate_core::{FinishReason, RequestId, Surface, Timestamp, Usage, UsageSource};

mod any;
mod recorded;

const OPENAI: Surface = Surface::ChatCompletions;
const ANTHROPIC: Surface = Surface::Messages;
const NOW: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);
const STRICT: KeepPolicy = KeepPolicy {
    tool_calls: false,
    refusals: false,
    length: false,
};
const LAX: KeepPolicy = KeepPolicy {
    tool_calls: true,
    refusals: true,
    length: true,
};
const STREAM: Shape = Shape::Stream {
    include_usage: true,
    piece_bytes: Shape::PIECE_BYTES,
};

fn fresh() -> Fresh<'static> {
    Fresh {
        request_id: RequestId::new(NOW, 7),
        now: NOW,
        model: None,
    }
}

fn told(kept: &Kept, surface: Surface, shape: Shape) -> String {
    let bytes = kept.render(surface, shape, fresh()).unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn kept_again(told: &str, surface: Surface, shape: Shape) -> Kept {
    let again = match shape {
        Shape::Whole => Kept::of_whole(surface, told.as_bytes(), LAX),
        Shape::Stream { .. } => Kept::of_stream(surface, told.as_bytes(), LAX),
    };
    again.unwrap_or_else(|why| panic!("{why}: {told}"))
}

fn kept_of(parts: Vec<KeptPart>, finish: FinishReason) -> Kept {
    Kept {
        model: Some("model-1".into()),
        content: KeptContent::Chat(vec![KeptChoice {
            parts,
            finish,
            stop_sequence: None,
        }]),
        usage: Some(Usage {
            input: 12,
            cache_read: 3,
            output: 20,
            reasoning: 5,
            source: UsageSource::Reported,
            ..Usage::default()
        }),
    }
}

fn text(text: &str) -> KeptPart {
    KeptPart::Text(text.into())
}

/// The data of the events of a stream that was written here: one line each.
fn events(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap_or_else(|_| panic!("not JSON: {data}")))
        .collect()
}

fn sample() -> Kept {
    let thought = KeptPart::Thinking {
        text: "The user greets, and \"asks\".".into(),
        signature: Some("c2ln".into()),
    };
    let said = text(
        "Paris is the capital of France.\nIt has been that for a long time — since 987, one may say. 🗼",
    );
    kept_of(vec![thought, said], FinishReason::Stop)
}

#[test]
fn an_answer_is_told_as_a_completion() {
    let value: Value = serde_json::from_str(&told(&sample(), OPENAI, Shape::Whole)).unwrap();
    insta::assert_json_snapshot!(value);
}

#[test]
fn an_answer_is_told_as_a_message() {
    let value: Value = serde_json::from_str(&told(&sample(), ANTHROPIC, Shape::Whole)).unwrap();
    insta::assert_json_snapshot!(value);
}

#[test]
fn an_answer_is_told_as_chunks() {
    insta::assert_snapshot!(told(&sample(), OPENAI, STREAM));
}

#[test]
fn an_answer_is_told_as_events() {
    insta::assert_snapshot!(told(&sample(), ANTHROPIC, STREAM));
}

#[test]
fn calls_are_told_with_new_ids() {
    let call = KeptPart::ToolCall {
        name: "weather".into(),
        arguments: r#"{"city":"Paris"}"#.into(),
    };
    let kept = kept_of(vec![text("Let me see."), call], FinishReason::ToolCalls);
    insta::assert_snapshot!(told(&kept, OPENAI, STREAM));
    insta::assert_snapshot!(told(&kept, ANTHROPIC, STREAM));
    let other = Fresh {
        request_id: RequestId::new(NOW, 8),
        ..fresh()
    };
    assert_ne!(
        kept.render(OPENAI, Shape::Whole, fresh()),
        kept.render(OPENAI, Shape::Whole, other)
    );
}

#[test]
fn several_answers_are_told_one_after_the_other() {
    let mut kept = sample();
    if let KeptContent::Chat(choices) = &mut kept.content {
        choices.push(KeptChoice {
            parts: vec![text("Lyon.")],
            finish: FinishReason::Stop,
            stop_sequence: None,
        });
    }
    let stream = told(&kept, OPENAI, STREAM);
    for shape in [Shape::Whole, STREAM] {
        assert_eq!(kept_again(&told(&kept, OPENAI, shape), OPENAI, shape), kept);
    }
    let ends = events(&stream)
        .into_iter()
        .filter(|event| event["choices"][0]["finish_reason"] == "stop");
    let ended: Vec<_> = ends.map(|event| event["choices"][0]["index"].as_u64()).collect();
    assert_eq!(ended, [Some(0), Some(1)]);
    assert_eq!(stream.matches("data: [DONE]").count(), 1);
    assert_eq!(stream.matches("\"prompt_tokens\"").count(), 1);
}

#[test]
fn a_stream_tells_usage_only_to_those_who_asked() {
    let shape = Shape::Stream {
        include_usage: false,
        piece_bytes: 8,
    };
    let stream = told(&sample(), OPENAI, shape);
    assert!(!stream.contains("usage"));
    let kept = kept_again(&stream, OPENAI, shape);
    assert_eq!((kept.usage, kept.content), (None, sample().content));
    assert!(told(&sample(), ANTHROPIC, shape).contains("\"input_tokens\":12"));
}

#[test]
fn the_model_that_is_told_may_be_another() {
    let fresh = Fresh {
        model: Some("fast"),
        ..fresh()
    };
    for surface in [OPENAI, ANTHROPIC] {
        for shape in [Shape::Whole, STREAM] {
            let bytes = sample().render(surface, shape, fresh).unwrap();
            let told = String::from_utf8(bytes.to_vec()).unwrap();
            assert!(
                told.contains(r#""model":"fast""#) && !told.contains("model-1"),
                "{told}"
            );
        }
    }
}

fn completion(message: Value, finish: &str) -> Value {
    let mut completion = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "finish_reason": finish}]});
    completion["choices"][0]["message"] = message;
    completion
}

fn message(content: Value, stop: &str) -> Value {
    let mut message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "stop_reason": stop, "usage": {"input_tokens": 1, "output_tokens": 2}});
    message["content"] = content;
    message
}

fn of_whole(surface: Surface, body: &Value, policy: KeepPolicy) -> Result<Kept, NotKept> {
    Kept::of_whole(surface, body.to_string().as_bytes(), policy)
}

#[test]
fn what_must_not_be_kept_is_not() {
    let say = |text: &str| json!({"role": "assistant", "content": text});
    let block = |text: &str| json!([{"type": "text", "text": text}]);
    let call = json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    let mut logprobs = completion(say("Hi"), "stop");
    logprobs["choices"][0]["logprobs"] = json!({"content": [{"token": "Hi"}]});
    let mut cited = completion(say("Hi"), "stop");
    cited["citations"] = json!(["https://x"]);
    let annotated = json!({"role": "assistant", "content": "Hi", "annotations": [{"type": "url_citation"}]});
    let foreign = |what: &str| NotKept::Foreign(what.to_owned());
    let openai = [
        (completion(say("Hi"), "length"), NotKept::Length),
        (completion(say("Hi"), "content_filter"), NotKept::Filtered),
        (
            completion(say("Hi"), "insufficient_system_resource"),
            NotKept::Truncated,
        ),
        (completion(say("Hi"), "error"), NotKept::Truncated),
        (completion(say(" \n"), "stop"), NotKept::Empty),
        (completion(say(""), "stop"), NotKept::Empty),
        (
            completion(json!({"role": "assistant", "reasoning_content": "hm"}), "stop"),
            NotKept::Empty,
        ),
        (
            completion(json!({"role": "assistant", "refusal": "No."}), "stop"),
            NotKept::Refusal,
        ),
        (completion(call.clone(), "tool_calls"), NotKept::ToolCalls),
        (completion(call, "stop"), NotKept::ToolCalls),
        (completion(annotated, "stop"), foreign("annotations")),
        (
            completion(json!({"audio": {"data": "AA"}}), "stop"),
            foreign("audio"),
        ),
        (logprobs, foreign("logprobs")),
        (cited, foreign("citations")),
        (json!({"error": {"message": "no"}}), NotKept::Error),
        (json!({"choices": []}), NotKept::Undecodable),
        (json!([1]), NotKept::Undecodable),
        (json!({}), NotKept::Undecodable),
    ];
    for (body, why) in openai {
        assert_eq!(of_whole(OPENAI, &body, STRICT), Err(why), "{body}");
    }
    let cited = json!([{"type": "text", "text": "Hi", "citations": [{"type": "char_location"}]}]);
    let searched = json!([{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}]);
    let called = json!([{"type": "tool_use", "id": "t", "name": "f", "input": {}}]);
    let mut unfinished = message(block("Hi"), "end_turn");
    unfinished["stop_reason"] = Value::Null;
    let anthropic = [
        (message(block("Hi"), "max_tokens"), NotKept::Length),
        (
            message(block("Hi"), "model_context_window_exceeded"),
            NotKept::Length,
        ),
        (message(block("Hi"), "refusal"), NotKept::Filtered),
        (message(block("Hi"), "pause_turn"), NotKept::Paused),
        (message(block("Hi"), "compaction"), NotKept::Truncated),
        (unfinished, NotKept::Truncated),
        (message(json!([]), "end_turn"), NotKept::Empty),
        (message(called, "tool_use"), NotKept::ToolCalls),
        (message(cited, "end_turn"), foreign("citations")),
        (message(searched, "end_turn"), foreign("server_tool_use")),
        (
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "no"}}),
            NotKept::Error,
        ),
        (json!({"type": "message"}), NotKept::Undecodable),
    ];
    for (body, why) in anthropic {
        assert_eq!(of_whole(ANTHROPIC, &body, STRICT), Err(why), "{body}");
    }
    assert_eq!(
        of_whole(Surface::Completions, &completion(say("Hi"), "stop"), LAX),
        Err(NotKept::Surface)
    );
}

#[test]
fn a_policy_may_allow_more() {
    let call = json!({"role": "assistant", "content": "So:", "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]});
    let kept = of_whole(OPENAI, &completion(call.clone(), "tool_calls"), LAX).unwrap();
    assert_eq!(kept.choices()[0].parts.len(), 2);
    // Whoever was told "stop" after a call it had forced must be told so again, and could not be.
    let forced = of_whole(OPENAI, &completion(call, "stop"), LAX);
    assert!(matches!(forced, Err(NotKept::Foreign(_))), "{forced:?}");
    let refusal = json!({"role": "assistant", "content": null, "refusal": "I will not."});
    let kept = of_whole(OPENAI, &completion(refusal, "stop"), LAX).unwrap();
    assert_eq!(kept.choices()[0].parts, [KeptPart::Refusal("I will not.".into())]);
    assert!(told(&kept, ANTHROPIC, Shape::Whole).contains("\"stop_reason\":\"refusal\""));
    let long = completion(json!({"role": "assistant", "content": "and so"}), "length");
    assert_eq!(
        of_whole(OPENAI, &long, LAX).unwrap().choices()[0].finish,
        FinishReason::Length
    );
}

#[test]
fn an_error_in_the_middle_of_a_stream_is_seen() {
    let whole = told(&sample(), OPENAI, STREAM);
    let error = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";
    let (head, tail) = whole.split_at(whole.rfind("data: [DONE]").unwrap());
    let broken = [head, error, tail].concat();
    assert_eq!(
        Kept::of_stream(OPENAI, broken.as_bytes(), LAX),
        Err(NotKept::Error)
    );
    let whole = told(&sample(), ANTHROPIC, STREAM);
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n";
    let (head, tail) = whole.split_at(whole.rfind("event: message_stop").unwrap());
    let broken = [head, error, tail].concat();
    assert_eq!(
        Kept::of_stream(ANTHROPIC, broken.as_bytes(), LAX),
        Err(NotKept::Error)
    );
    let garbled = whole.replacen(
        "{\"type\":\"content_block_delta\"",
        "{\"type\":content_block_delta\"",
        1,
    );
    assert_eq!(
        Kept::of_stream(ANTHROPIC, garbled.as_bytes(), LAX),
        Err(NotKept::Undecodable)
    );
}

#[test]
fn a_stream_that_is_cut_anywhere_is_not_kept() {
    for surface in [OPENAI, ANTHROPIC] {
        let whole = told(&sample(), surface, STREAM);
        // The blank line behind the last event is not missed.
        for cut in 0..whole.trim_end().len() {
            let kept = Kept::of_stream(surface, &whole.as_bytes()[..cut], LAX);
            assert!(kept.is_err(), "{cut}: {kept:?}");
        }
    }
}

#[test]
fn line_ends_and_comments_make_no_difference() {
    for surface in [OPENAI, ANTHROPIC] {
        let whole = told(&sample(), surface, STREAM);
        let odd = format!(
            ": hello\n\n{}",
            whole.replace("data: ", "data:").replace("\n\n", "\n\n: ping\n\n")
        );
        for stream in [odd.clone(), odd.replace('\n', "\r\n"), odd.replace('\n', "\r")] {
            assert_eq!(kept_again(&stream, surface, STREAM), sample());
        }
    }
}

#[test]
fn embeddings_are_told_as_they_are() {
    let body = json!({"object": "list", "model": "e", "data": [{"index": 0, "embedding": [0.25, -1e-7]}],
        "usage": {"prompt_tokens": 4, "total_tokens": 4}});
    let kept = of_whole(Surface::Embeddings, &body, STRICT).unwrap();
    assert_eq!(told(&kept, Surface::Embeddings, Shape::Whole), body.to_string());
    assert_eq!(kept.usage.map(|usage| usage.input), Some(4));
    assert_eq!(kept.render(OPENAI, Shape::Whole, fresh()), None);
    assert_eq!(kept.render(Surface::Embeddings, STREAM, fresh()), None);
    assert_eq!(sample().render(Surface::Embeddings, Shape::Whole, fresh()), None);
    assert_eq!(Kept::from_bytes(&kept.to_bytes()), Ok(kept));
    let error = json!({"error": {"message": "no"}});
    assert_eq!(of_whole(Surface::Embeddings, &error, STRICT), Err(NotKept::Error));
}

#[test]
fn foreign_and_damaged_bytes_are_told_from_kept_ones() {
    let bytes = sample().to_bytes();
    assert_eq!(Kept::from_bytes(&bytes), Ok(sample()));
    let text: usize = sample().text().len();
    assert!(bytes.len() < text + 100, "{}", bytes.len());
    assert_eq!(
        Kept::from_bytes(&[&[9], &bytes[1..]].concat()),
        Err(Unreadable::Version(9))
    );
    assert_eq!(
        Kept::from_bytes(&[&bytes[..], &[0]].concat()),
        Err(Unreadable::Damaged)
    );
    for cut in 0..bytes.len() {
        assert_eq!(Kept::from_bytes(&bytes[..cut]), Err(Unreadable::Damaged), "{cut}");
    }
}

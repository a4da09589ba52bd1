//! Bytes go through untouched, wherever they are cut, and are understood on the way.

use proptest::prelude::*;
use tollgate_core::{FinishReason, ProviderKind, Timestamp};

use super::*;

const FIRST: &str = r#"data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#;
const TEXT: &str = r#"data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"say \"usage\":{} \"error\":1 é"},"finish_reason":null}],"usage":null}"#;
const STOP: &str =
    r#"data: {"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#;
const USAGE: &str =
    r#"data: {"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}"#;
const DONE: &str = "data: [DONE]";

fn id() -> RequestId {
    RequestId::new(Timestamp::from_unix_millis(1), 1)
}

/// A stream of these events.
fn stream(events: &[&str]) -> Vec<u8> {
    events
        .iter()
        .flat_map(|event| [event, "\n\n"].concat().into_bytes())
        .collect()
}

fn run<O: Observer>(observer: O, chunks: &[&[u8]], end: StreamEnd) -> (String, Report) {
    let mut stream = PassingStream::new(observer, id());
    let mut out = Vec::new();
    for chunk in chunks {
        stream.push(&Bytes::copy_from_slice(chunk), &mut out);
    }
    stream.finish(end, &mut out);
    assert!(out.iter().all(|bytes| !bytes.is_empty()));
    (
        String::from_utf8_lossy(&out.concat()).into_owned(),
        stream.report().clone(),
    )
}

fn openai(kind: ProviderKind, watching: Watching, bytes: &[u8]) -> (String, Report) {
    run(OpenAiObserver::new(kind, watching), &[bytes], StreamEnd::Eof)
}

fn plain(bytes: &[u8], end: StreamEnd) -> (String, Report) {
    run(
        OpenAiObserver::new(ProviderKind::OpenAi, Watching::Everything),
        &[bytes],
        end,
    )
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_stream_passes_byte_by_byte_and_is_understood() {
    let whole = stream(&[FIRST, ": comment", TEXT, STOP, USAGE, DONE]);
    let (out, report) = plain(&whole, StreamEnd::Eof);
    assert_eq!(out, text(&whole));
    assert_eq!(
        (report.model.as_deref(), report.finish),
        (Some("m"), Some(FinishReason::Stop))
    );
    assert_eq!(
        (report.usage.unwrap().total(), report.complete, report.has_content),
        (10, true, true)
    );
    assert_eq!((report.output_bytes, report.error), (27, None));
}

#[test]
fn a_chunk_of_whole_events_is_not_copied() {
    let chunk = Bytes::from(stream(&[FIRST, TEXT]));
    let observer = OpenAiObserver::new(ProviderKind::OpenAi, Watching::WithoutUsage);
    let (mut stream, mut out) = (PassingStream::new(observer, id()), Vec::new());
    stream.push(&chunk, &mut out);
    assert_eq!(
        (out.len(), out[0].as_ptr(), out[0].len()),
        (1, chunk.as_ptr(), chunk.len())
    );
}

#[test]
fn only_the_usage_that_the_gateway_asked_for_is_dropped() {
    let whole = stream(&[FIRST, TEXT, STOP, USAGE, DONE]);
    let (out, report) = openai(ProviderKind::OpenAi, Watching::WithoutUsage, &whole);
    assert_eq!(out, text(&stream(&[FIRST, TEXT, STOP, DONE])));
    assert_eq!(report.usage.unwrap().prompt_total(), 7);

    let riding = r#"data: {"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    let whole = stream(&[FIRST, riding, DONE]);
    let (out, report) = openai(ProviderKind::OpenAi, Watching::WithoutUsage, &whole);
    assert_eq!((out.as_str(), report.usage.unwrap().total()), (text(&whole), 2));

    let azure = r#"data: {"choices":[],"id":"","model":"","prompt_filter_results":[{"prompt_index":0}]}"#;
    let whole = stream(&[azure, FIRST, STOP, DONE]);
    assert_eq!(
        openai(ProviderKind::Azure, Watching::WithoutUsage, &whole).0,
        text(&whole)
    );
}

#[test]
fn of_usage_that_grows_the_last_one_counts() {
    let usage = |tokens| {
        format!(
            r#"data: {{"model":"m","choices":[{{"index":0,"delta":{{"content":"x"}}}}],"usage":{{"prompt_tokens":9,"completion_tokens":{tokens}}}}}"#
        )
    };
    let whole = stream(&[&usage(1), &usage(2), &usage(5), STOP, DONE]);
    let (out, report) = openai(ProviderKind::Xai, Watching::WithoutUsage, &whole);
    assert_eq!((out.as_str(), report.usage.unwrap().output), (text(&whole), 5));
}

#[test]
fn a_cut_stream_never_looks_complete() {
    let whole = stream(&[FIRST, TEXT]);
    for (end, words) in [
        (StreamEnd::Eof, "ended before"),
        (
            StreamEnd::Broken(OutcomeClass::Reset),
            "connection to the provider broke",
        ),
        (StreamEnd::Broken(OutcomeClass::IdleTimeout), "too slow"),
    ] {
        for cut in [whole.len(), whole.len() - 1, whole.len() - 20] {
            let (out, report) = plain(&whole[..cut], end);
            assert!(!report.complete && report.error.is_none());
            let error = out.rfind("data: {\"error\":").unwrap();
            let kept = if cut == whole.len() {
                whole.len()
            } else {
                stream(&[FIRST]).len()
            };
            let trusted = cut == whole.len() - 1 && end == StreamEnd::Eof;
            assert!(trusted || error == kept, "half an event was sent: {out}");
            assert!(
                out[error..].contains(words) && out.ends_with("\n\ndata: [DONE]\n\n"),
                "{out}"
            );
            assert!(!out.contains("}data:") && !out.contains("}\ndata:"), "{out}");
        }
    }
}

#[test]
fn a_finished_stream_that_was_not_closed_is_closed() {
    let whole = stream(&[FIRST, TEXT, STOP]);
    let (out, report) = plain(&whole, StreamEnd::Eof);
    assert_eq!(
        (out, report.complete),
        (format!("{}data: [DONE]\n\n", text(&whole)), true)
    );
    let (out, report) = plain(&whole, StreamEnd::Broken(OutcomeClass::Reset));
    assert!(!report.complete && out.contains("\"error\""));
    let open = format!("{}{DONE}", text(&whole));
    let (out, report) = plain(open.as_bytes(), StreamEnd::Eof);
    assert_eq!((out, report.complete), (open, true));
    let open = &whole[..whole.len() - 2];
    let (out, _) = plain(open, StreamEnd::Eof);
    assert_eq!(out, format!("{}\n\ndata: [DONE]\n\n", text(open)));
}

#[test]
fn an_error_inside_a_stream_is_noticed_passed_on_and_closed() {
    for event in [
        "event: error\ndata: {\"error\":{\"message\":\"tool failed\",\"status_code\":400}}",
        r#"data: {"id":"c","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":400,"message":"tool failed"}}"#,
        r#"data: {"error":"tool failed"}"#,
    ] {
        let whole = stream(&[FIRST, event]);
        let (out, report) = plain(&whole, StreamEnd::Eof);
        assert_eq!(out, format!("{}data: [DONE]\n\n", text(&whole)));
        let error = report.error.unwrap();
        assert_eq!(
            (error.class, &*error.message),
            (OutcomeClass::StreamError, "tool failed")
        );
        assert!(!report.complete && report.finish.is_none());
    }
}

#[test]
fn tool_calls_without_an_index_get_one_where_that_is_known_to_happen() {
    let call = |call: &str| {
        format!(r#"data: {{"model":"m","choices":[{{"index":0,"delta":{{"tool_calls":[{call}]}}}}]}}"#)
    };
    let bare = [
        call(r#"{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"name":"g"}}"#),
        call(r#"{ "function":{"arguments":"1"}}"#),
        call(r#"{"id":"c","index":null,"function":{"name":"h"}}"#),
        call(r#"{"id":"d","index":3,"function":{"name":"h"}}"#),
    ];
    let bare: Vec<&str> = bare.iter().map(String::as_str).collect();
    let whole = stream(&[&bare[..], &[STOP, DONE]].concat());
    let (out, report) = openai(ProviderKind::Mistral, Watching::Everything, &whole);
    let indices: Vec<u64> = out
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line.strip_prefix("data: ")?).ok())
        .flat_map(|chunk| {
            chunk["choices"][0]["delta"]["tool_calls"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        })
        .map(|call| call["index"].as_u64().unwrap_or(u64::MAX))
        .collect();
    assert_eq!(indices, [0, 1, 1, 2, 3]);
    assert!(report.has_content && out.ends_with("data: [DONE]\n\n"));
    assert_eq!(
        openai(ProviderKind::OpenAi, Watching::Everything, &whole).0,
        text(&whole)
    );
}

#[test]
fn an_endless_event_ends_the_stream_and_holds_no_memory() {
    let observer = OpenAiObserver::new(ProviderKind::OpenAi, Watching::Everything);
    let (mut stream, mut out) = (PassingStream::new(observer, id()), Vec::new());
    let chunk = Bytes::from(vec![b'x'; 1 << 20]);
    for _ in 0..40 {
        stream.push(&chunk, &mut out);
    }
    stream.finish(StreamEnd::Eof, &mut out);
    assert_eq!(out.len(), 1);
    assert!(text(&out[0]).contains("longer than") && out[0].ends_with(b"data: [DONE]\n\n"));
    assert_eq!(
        stream.report().error.as_ref().unwrap().class,
        OutcomeClass::Malformed
    );
}

const MESSAGE: [&str; 7] = [
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"c\",\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":2,\"output_tokens\":1}}}  ",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}",
    "event: ping\ndata: {\"type\":\"ping\"}",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"h\u{e9}llo\"}}",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"},\"usage\":{\"input_tokens\":6,\"output_tokens\":12}}",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}",
];

fn anthropic(bytes: &[u8], end: StreamEnd) -> (String, Report) {
    run(AnthropicObserver::default(), &[bytes], end)
}

#[test]
fn a_message_passes_byte_by_byte_and_is_understood() {
    let whole = stream(&MESSAGE);
    let (out, report) = anthropic(&whole, StreamEnd::Eof);
    assert_eq!(out, text(&whole));
    let usage = report.usage.unwrap();
    assert_eq!((usage.input, usage.cache_read, usage.output), (6, 2, 12));
    assert_eq!(
        (report.finish, report.complete, report.output_bytes),
        (Some(FinishReason::Length), true, 6)
    );
    let unnamed = text(&whole)
        .lines()
        .filter(|line| !line.starts_with("event:"))
        .collect::<Vec<_>>()
        .join("\n");
    assert_eq!(
        anthropic(format!("{unnamed}\n\n").as_bytes(), StreamEnd::Eof).1,
        report
    );
}

#[test]
fn a_cut_message_gets_an_error_and_a_finished_one_its_end() {
    let (out, report) = anthropic(&stream(&MESSAGE[..4]), StreamEnd::Eof);
    assert!(out.contains("event: error\ndata: {\"type\":\"error\"") && !report.complete);
    let (out, report) = anthropic(&stream(&MESSAGE[..6]), StreamEnd::Eof);
    assert!(out.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n") && report.complete);
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}";
    let whole = stream(&[MESSAGE[0], error]);
    let (out, report) = anthropic(&whole, StreamEnd::Broken(OutcomeClass::Reset));
    assert_eq!(
        (out.as_str(), report.error.unwrap().class),
        (text(&whole), OutcomeClass::Overloaded)
    );
}

fn cut(bytes: &[u8], cuts: Vec<prop::sample::Index>) -> Vec<&[u8]> {
    let mut places: Vec<usize> = cuts.into_iter().map(|at| at.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

/// Streams with anything in them, sensible or not.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            FIRST, TEXT, STOP, USAGE, DONE, "\n\n", "\n\n", "\n\n", "\r\n\r\n", ": é", "{", "\""
        ]),
        prop::sample::select(MESSAGE.to_vec()),
    ];
    prop::collection::vec((piece, prop::collection::vec(any::<u8>(), 0..3)), 0..14).prop_map(|pieces| {
        let bytes = |(piece, noise): (&str, Vec<u8>)| {
            let noise = if noise.len() < 2 { Vec::new() } else { noise };
            [piece.as_bytes(), &noise, b"\n\n"].concat()
        };
        pieces.into_iter().flat_map(bytes).collect()
    })
}

proptest! {
    #[test]
    fn the_result_does_not_depend_on_where_chunks_end(
        bytes in soup(), cuts: Vec<prop::sample::Index>, strip: bool, mistral: bool, clean: bool,
    ) {
        let watching = if strip { Watching::WithoutUsage } else { Watching::Everything };
        let kind = if mistral { ProviderKind::Mistral } else { ProviderKind::OpenAi };
        let end = if clean { StreamEnd::Eof } else { StreamEnd::Broken(OutcomeClass::Reset) };
        let chunks = cut(&bytes, cuts);
        let observer = || OpenAiObserver::new(kind, watching);
        prop_assert_eq!(run(observer(), &chunks, end), run(observer(), &[&bytes], end));
        let observer = AnthropicObserver::default;
        prop_assert_eq!(run(observer(), &chunks, end), run(observer(), &[&bytes], end));
    }

    #[test]
    fn what_is_sent_begins_with_what_came_unless_there_is_a_reason(bytes in soup()) {
        let (out, _) = plain(&bytes, StreamEnd::Eof);
        let came = String::from_utf8_lossy(&bytes);
        let common = out.bytes().zip(came.bytes()).take_while(|(a, b)| a == b).count();
        let is_error = out[common..].starts_with("data: {\"error\"");
        prop_assert!(common == came.len() || is_error || common == out.len());
    }

    #[test]
    fn any_bytes_are_survived(chunks: Vec<Vec<u8>>) {
        let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
        let _ = run(OpenAiObserver::new(ProviderKind::Mistral, Watching::WithoutUsage), &chunks, StreamEnd::Eof);
        let _ = run(AnthropicObserver::default(), &chunks, StreamEnd::Eof);
    }
}

const GROQ_STOP: &str = r#"data: {"id":"c","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"r","usage":{"queue_time":0.2,"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}}"#;
const GROQ_USAGE: &str = r#"data: {"id":"c","object":"chat.completion.chunk","created":7,"model":"m","choices":[],"usage":{"queue_time":0.2,"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}"#;

#[test]
fn usage_that_is_told_elsewhere_reaches_the_client_who_asked_for_it() {
    let whole = stream(&[FIRST, TEXT, GROQ_STOP, DONE]);
    let expected = stream(&[FIRST, TEXT, GROQ_STOP, GROQ_USAGE, DONE]);
    for size in [1, 5, 64, whole.len()] {
        let chunks: Vec<_> = whole.chunks(size).collect();
        let observer = OpenAiObserver::new(ProviderKind::Groq, Watching::ForTheClient);
        let (out, report) = run(observer, &chunks, StreamEnd::Eof);
        assert_eq!(out, text(&expected));
        assert_eq!((report.usage.unwrap().total(), report.complete), (10, true));
    }
    for watching in [Watching::Everything, Watching::WithoutUsage] {
        assert_eq!(openai(ProviderKind::Groq, watching, &whole).0, text(&whole));
    }
}

#[test]
fn usage_that_is_told_as_usual_is_not_told_again() {
    for events in [
        [FIRST, USAGE, GROQ_STOP, DONE],
        [FIRST, GROQ_STOP, USAGE, DONE],
        [FIRST, TEXT, STOP, DONE],
    ] {
        let whole = stream(&events);
        assert_eq!(
            openai(ProviderKind::Groq, Watching::ForTheClient, &whole).0,
            text(&whole)
        );
    }
}

#[test]
fn usage_comes_before_the_end_that_the_provider_left_out_but_not_behind_an_error() {
    let cut = stream(&[FIRST, TEXT, GROQ_STOP]);
    let (out, report) = openai(ProviderKind::Groq, Watching::ForTheClient, &cut);
    assert_eq!(out, text(&stream(&[FIRST, TEXT, GROQ_STOP, GROQ_USAGE, DONE])));
    assert!(report.complete);
    let open = [&cut[..], b"data: [DONE]"].concat();
    let (out, _) = openai(ProviderKind::Groq, Watching::ForTheClient, &open);
    assert_eq!(
        out,
        text(
            &[
                &stream(&[FIRST, TEXT, GROQ_STOP, GROQ_USAGE])[..],
                b"data: [DONE]"
            ]
            .concat()
        )
    );
    let error = r#"data: {"error":{"message":"overloaded"}}"#;
    for events in [&[FIRST, GROQ_STOP, error][..], &[FIRST, GROQ_STOP, error, DONE]] {
        let (out, _) = openai(ProviderKind::Groq, Watching::ForTheClient, &stream(events));
        assert_eq!(out, text(&stream(&[FIRST, GROQ_STOP, error, DONE])));
    }
}

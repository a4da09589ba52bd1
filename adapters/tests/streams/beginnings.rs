//! A stream that is held back until something comes: what comes is known at once, and so is an error.

use serde_json::{Value, json};
use tollgate_adapters::StreamEnd;
use tollgate_core::{Dialect, OutcomeClass as Class, ProviderKind};

use crate::support::{PAIRS, chunk, framed, opening, push, reader, spoken_by};

/// First tokens of every kind.
fn first_tokens(dialect: Dialect) -> Vec<Value> {
    let start = |block: Value| json!({"type": "content_block_start", "index": 1, "content_block": block});
    let delta = |delta: Value| json!({"type": "content_block_delta", "index": 0, "delta": delta});
    match dialect {
        Dialect::OpenAi => [
            json!({"content": "W"}),
            json!({"content": [{"type": "text", "text": "W"}]}),
            json!({"reasoning_content": "h"}),
            json!({"reasoning": "h"}),
            json!({"refusal": "N"}),
            json!({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
            json!({"function_call": {"name": "f", "arguments": ""}}),
        ]
        .iter()
        .map(chunk)
        .collect(),
        Dialect::Anthropic => vec![
            delta(json!({"type": "text_delta", "text": "W"})),
            delta(json!({"type": "thinking_delta", "thinking": "h"})),
            start(json!({"type": "redacted_thinking", "data": "ZA=="})),
            start(json!({"type": "tool_use", "id": "t", "name": "f", "input": {}})),
            start(json!({"type": "server_tool_use", "id": "t", "name": "web_search", "input": {}})),
            start(json!({"type": "mcp_tool_use", "id": "t", "name": "f", "input": {}})),
        ],
        other => panic!("nothing here is said in {other:?}"),
    }
}

/// Errors as they come inside of streams, and their classes.
fn errors(dialect: Dialect) -> Vec<(String, Class)> {
    let data = |json: &str| format!("data: {json}\n\n");
    let named = |json: &str| format!("event: error\ndata: {json}\n\n");
    let common = [
        (named("upstream connect error"), Class::StreamError),
        (
            named(r#"{"message":"it is all too much","code":529}"#),
            Class::Overloaded,
        ),
        (
            named(r#"{"error":{"message":"x","type":"server_error"}}"#),
            Class::StreamError,
        ),
        (
            data(r#"{"error":{"code":503,"message":"no instances"}}"#),
            Class::Overloaded,
        ),
    ];
    let own = match dialect {
        Dialect::OpenAi => vec![
            (
                data(r#"{"error":{"message":"x","type":"server_error","param":null,"code":null}}"#),
                Class::StreamError,
            ),
            (
                data(r#"{"error":{"message":"x","type":"requests","code":"rate_limit_exceeded"}}"#),
                Class::RateLimited,
            ),
            (
                data(r#"{"error":{"message":"x","type":"engine_overloaded_error"}}"#),
                Class::Overloaded,
            ),
            (
                data(r#"{"error":{"message":"x","type":"insufficient_quota","code":"insufficient_quota"}}"#),
                Class::QuotaExhausted,
            ),
            (
                data(
                    r#"{"object":"error","message":"x","type":"InternalServerError","param":null,"code":500}"#,
                ),
                Class::StreamError,
            ),
            (
                data(r#"{"object":"error","message":"slow","code":429}"#),
                Class::RateLimited,
            ),
            // OpenRouter's.
            (
                data(
                    r#"{"id":"gen-1","object":"chat.completion.chunk","created":1,"model":"a/b","provider":"P","error":{"code":429,"message":"Rate limit exceeded","metadata":{"provider_name":"P","raw":"{\"content\":\"x\"}"}},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error","native_finish_reason":"error"}]}"#,
                ),
                Class::RateLimited,
            ),
            (
                data(
                    r#"{"id":"gen-1","model":"a/b","error":{"code":502,"message":"Upstream error"},"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"error"}]}"#,
                ),
                Class::StreamError,
            ),
        ],
        Dialect::Anthropic => {
            let of = |kind: &str| {
                named(&format!(
                    r#"{{"type":"error","error":{{"type":"{kind}","message":"x"}},"request_id":"r"}}"#
                ))
            };
            vec![
                (of("overloaded_error"), Class::Overloaded),
                (of("rate_limit_error"), Class::RateLimited),
                (of("api_error"), Class::StreamError),
                (of("timeout_error"), Class::StreamError),
                (of("authentication_error"), Class::CredentialRejected),
                (of("billing_error"), Class::QuotaExhausted),
                (
                    data(r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#),
                    Class::Overloaded,
                ),
            ]
        }
        other => panic!("nothing here is said in {other:?}"),
    };
    common.into_iter().chain(own).collect()
}

fn begun(dialect: Dialect) -> String {
    opening(dialect)
        .iter()
        .map(|event| framed(dialect, event))
        .collect()
}

#[test]
fn content_is_known_from_its_first_token_and_not_before() {
    for (surface, kind) in PAIRS {
        let dialect = spoken_by(kind);
        for token in first_tokens(dialect) {
            let mut stream = reader(surface, kind);
            push(&mut stream, &begun(dialect));
            assert!(!stream.report().has_content, "{surface:?} {kind}");
            assert!(!stream.report().complete && stream.report().error.is_none());
            push(&mut stream, &framed(dialect, &token));
            assert!(stream.report().has_content, "{surface:?} {kind} {token}");
        }
    }
}

#[test]
fn an_error_is_known_at_once_and_by_its_class() {
    for (surface, kind) in PAIRS {
        let dialect = spoken_by(kind);
        for (event, class) in errors(dialect) {
            // At the very beginning, behind what says nothing, and behind content.
            let token = framed(dialect, &first_tokens(dialect)[0]);
            for before in [String::new(), begun(dialect), begun(dialect) + &token] {
                let mut stream = reader(surface, kind);
                push(&mut stream, &before);
                let had_content = stream.report().has_content;
                push(&mut stream, &event);
                let report = stream.report();
                let found = report.error.as_ref().map(|fault| fault.class);
                assert_eq!(found, Some(class), "{surface:?} {kind} {event}");
                assert_eq!(report.has_content, had_content, "an error is no content: {event}");
                assert!(!report.complete && report.finish.is_none(), "{event}");
            }
        }
    }
}

#[test]
fn what_was_written_of_a_failed_beginning_can_be_thrown_away() {
    for (surface, kind) in PAIRS {
        let dialect = spoken_by(kind);
        for (event, _) in errors(dialect) {
            let mut failed = reader(surface, kind);
            push(&mut failed, &(begun(dialect) + &event));
            drop(failed);
            // Another provider, a reader of its own: the client gets one whole stream.
            let mut other = reader(surface, ProviderKind::OpenAi);
            let mut told = push(&mut other, &begun(Dialect::OpenAi));
            told += &push(
                &mut other,
                &framed(Dialect::OpenAi, &chunk(&json!({"content": "Well"}))),
            );
            let stop = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
            told += &push(&mut other, &(framed(Dialect::OpenAi, &stop) + "data: [DONE]\n\n"));
            let mut out = Vec::new();
            other.finish(StreamEnd::Eof, &mut out);
            assert!(
                out.is_empty() && other.report().complete && !told.contains("error"),
                "{told}"
            );
            assert_eq!(told.matches("Well").count(), 1);
        }
    }
}

#[test]
fn an_answer_without_content_is_complete_nevertheless() {
    for (surface, kind) in PAIRS {
        let (events, closing) = match spoken_by(kind) {
            Dialect::OpenAi => (
                vec![json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "content_filter"}]})],
                "data: [DONE]\n\n",
            ),
            Dialect::Anthropic => (
                vec![
                    json!({"type": "message_delta", "delta": {"stop_reason": "refusal"}, "usage": {"output_tokens": 1}}),
                ],
                "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            ),
            other => panic!("nothing here is said in {other:?}"),
        };
        let mut stream = reader(surface, kind);
        let events: String = events
            .iter()
            .map(|event| framed(spoken_by(kind), event))
            .collect();
        push(&mut stream, &(begun(spoken_by(kind)) + &events + closing));
        // What passes on as it comes may go on behind its end: comments.
        assert_eq!(stream.is_over(), surface.dialect() != spoken_by(kind));
        assert!(stream.report().complete && !stream.report().has_content && stream.report().error.is_none());
    }
}

#[test]
fn an_event_without_an_end_is_over_at_once_and_told_once() {
    let endless = "x".repeat(tollgate_adapters::sse::MAX_EVENT_BYTES + 1);
    for (surface, kind) in PAIRS {
        for collects in [false, true] {
            let mut stream = reader(surface, kind);
            if collects {
                stream = stream.collecting();
            }
            push(&mut stream, &begun(spoken_by(kind)));
            assert!(!stream.is_over());
            let mut told = push(&mut stream, &endless);
            assert!(stream.is_over() && !stream.report().complete);
            let class = stream.report().error.as_ref().map(|fault| fault.class);
            assert_eq!(class, Some(Class::Malformed), "{surface:?} {kind}");
            assert_eq!(told.contains("longer than"), !collects, "{told}");
            told += &push(&mut stream, "\n\ndata: {}\n\n");
            let mut out = Vec::new();
            stream.finish(StreamEnd::Broken(Class::Malformed), &mut out);
            told += &String::from_utf8(out.concat()).unwrap();
            assert_eq!(told.matches("longer than").count(), 1, "{told}");
        }
    }
}

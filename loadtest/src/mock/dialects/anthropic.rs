//! The Anthropic dialect: messages, their streams, token counts, and its errors.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::answer::{Answer, Finish, Tokens};
use super::super::ask::Ask;
use super::super::behaviour::Failure;
use super::super::script::{Pieces, Run, Script, Wrapping, quoted};
use super::SIGNATURE;

impl Finish {
    const fn anthropic(self) -> &'static str {
        match self {
            Self::Stop => "end_turn",
            Self::Length => "max_tokens",
            Self::ToolCall => "tool_use",
        }
    }
}

/// The body of an answer that is no stream.
pub(crate) fn body(ask: &Ask, answer: &Answer) -> Bytes {
    let (id, model) = (&answer.id, quoted(&ask.model));
    let mut out =
        format!(r#"{{"id":"msg_{id}","type":"message","role":"assistant","model":{model},"content":["#);
    if answer.thinking_tokens > 0 {
        let thinking = quoted(&answer.thinking_text());
        let _infallible = write!(
            out,
            r#"{{"type":"thinking","thinking":{thinking},"signature":"{SIGNATURE}"}},"#
        );
    }
    let text = answer.text();
    let _infallible = match &answer.tool {
        None => write!(out, r#"{{"type":"text","text":{}}}"#, quoted(&text)),
        Some(name) => {
            let name = quoted(name);
            write!(
                out,
                r#"{{"type":"tool_use","id":"toolu_{id}","name":{name},"input":{text}}}"#
            )
        }
    };
    let reason = answer.finish.anthropic();
    let _infallible = write!(out, r#"],"stop_reason":"{reason}","stop_sequence":null"#);
    if let Some(usage) = &answer.usage {
        out.push_str(",\"usage\":");
        write_usage(&mut out, usage, usage.output);
    }
    out.push('}');
    out.into()
}

/// Anthropic's `input_tokens` excludes what was read from or written to a cache.
fn write_usage(out: &mut String, usage: &Tokens, output: u64) {
    let Tokens {
        prompt,
        cached,
        written,
        ..
    } = usage;
    let input = prompt.saturating_sub(*cached).saturating_sub(*written);
    let _infallible = write!(
        out,
        r#"{{"input_tokens":{input},"cache_creation_input_tokens":{written},"cache_read_input_tokens":{cached},"cache_creation":{{"ephemeral_5m_input_tokens":{written},"ephemeral_1h_input_tokens":0}},"output_tokens":{output},"service_tier":"standard"}}"#
    );
}

/// The frames of a streamed answer, in the order Anthropic sends them.
pub(crate) fn stream(ask: &Ask, answer: &Answer) -> Script {
    let mut script = Script::default();
    script.frame(message_start(ask, answer));
    script.frame("event: ping\ndata: {\"type\":\"ping\"}\n\n");
    let mut index = 0;
    if answer.thinking_tokens > 0 {
        script.frame(block_start(
            index,
            r#"{"type":"thinking","thinking":"","signature":""}"#,
        ));
        let (pieces, tokens) = (&answer.thinking, answer.thinking_tokens);
        script.run(deltas(
            index,
            r#"{"type":"thinking_delta","thinking":""#,
            pieces,
            tokens,
            answer,
        ));
        let signature = format!(r#"{{"type":"signature_delta","signature":"{SIGNATURE}"}}"#);
        script.frame(event(
            "content_block_delta",
            &format!(r#""index":{index},"delta":{signature}"#),
        ));
        script.frame(block_stop(index));
        index += 1;
    }
    let (block, delta) = match &answer.tool {
        None => (
            r#"{"type":"text","text":""}"#.to_owned(),
            r#"{"type":"text_delta","text":""#,
        ),
        Some(name) => (
            format!(
                r#"{{"type":"tool_use","id":"toolu_{}","name":{},"input":{{}}}}"#,
                answer.id,
                quoted(name)
            ),
            r#"{"type":"input_json_delta","partial_json":""#,
        ),
    };
    script.frame(block_start(index, &block));
    script.run(deltas(index, delta, &answer.pieces, answer.tokens, answer));
    script.frame(block_stop(index));
    script.frame(message_delta(answer));
    script.frame(event("message_stop", ""));
    script
}

fn message_start(ask: &Ask, answer: &Answer) -> String {
    let (id, model) = (&answer.id, quoted(&ask.model));
    let mut message = format!(
        r#""message":{{"id":"msg_{id}","type":"message","role":"assistant","model":{model},"content":[],"stop_reason":null,"stop_sequence":null"#
    );
    if let Some(usage) = &answer.usage {
        message.push_str(",\"usage\":");
        write_usage(&mut message, usage, 1);
    }
    message.push('}');
    event("message_start", &message)
}

fn message_delta(answer: &Answer) -> String {
    let reason = answer.finish.anthropic();
    let mut delta = format!(r#""delta":{{"stop_reason":"{reason}","stop_sequence":null}}"#);
    if let Some(usage) = &answer.usage {
        delta.push_str(",\"usage\":");
        write_usage(&mut delta, usage, usage.output);
    }
    event("message_delta", &delta)
}

fn event(kind: &str, members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{comma}{members}}}\n\n")
}

fn block_start(index: u32, block: &str) -> String {
    event(
        "content_block_start",
        &format!(r#""index":{index},"content_block":{block}"#),
    )
}

fn block_stop(index: u32) -> String {
    event("content_block_stop", &format!(r#""index":{index}"#))
}

fn deltas(index: u32, open: &str, pieces: &Pieces, tokens: u64, answer: &Answer) -> Run {
    let head = format!(
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":{index},\"delta\":{open}"
    );
    Run {
        heads: vec![head.into()],
        tail: Bytes::from_static(b"\"}}\n\n"),
        pieces: pieces.clone(),
        tokens,
        tokens_per_frame: answer.tokens_per_frame,
        wrapping: Wrapping::Plain,
    }
}

/// The answer of `count_tokens`.
pub(crate) fn token_count(tokens: u64) -> Bytes {
    json!({"input_tokens": tokens}).to_string().into()
}

/// The error object for a status, with what `failure` says about it.
pub(crate) fn error(failure: &Failure, request_id: &str) -> String {
    let mut object = error_object(failure);
    if let Some(members) = object.as_object_mut() {
        members.insert("request_id".to_owned(), request_id.into());
    }
    object.to_string()
}

/// The error event of a stream.
pub(crate) fn error_frame(failure: &Failure) -> Bytes {
    format!("event: error\ndata: {}\n\n", error_object(failure)).into()
}

fn error_object(failure: &Failure) -> Value {
    let (kind, message) = match failure.status {
        400 | 422 => ("invalid_request_error", "simulated invalid request"),
        401 => ("authentication_error", "invalid x-api-key"),
        402 => ("billing_error", "simulated billing error"),
        403 => ("permission_error", "simulated permission error"),
        404 => ("not_found_error", "model not found"),
        413 => ("request_too_large", "Request exceeds the maximum size"),
        429 => ("rate_limit_error", "This request would exceed your rate limit."),
        504 => ("timeout_error", "Request timed out"),
        529 => ("overloaded_error", "Overloaded"),
        _ => ("api_error", "Internal server error"),
    };
    json!({"type": "error", "error": {
        "type": failure.kind.as_deref().unwrap_or(kind),
        "message": failure.message.as_deref().unwrap_or(message),
    }})
}

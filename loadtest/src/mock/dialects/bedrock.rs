//! AWS Bedrock's dialect: Converse and its streams of binary messages, counts, embeddings of the models that it hosts, and
//! its errors.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::answer::{Answer, Finish, Tokens};
use super::super::ask::Ask;
use super::super::behaviour::Failure;
use super::super::eventstream;
use super::super::script::{Pieces, Run, Script, Wrapping, quoted};
use super::SIGNATURE;
use super::vectors::{all_vectors, vector, write_vector};

/// What AWS puts behind the kind of an error.
const ORIGIN: &str = "http://internal.amazon.com/coral/com.amazon.bedrock/";
/// Padding, which hides how long a piece of text is: constant, so that answers are.
const PADDING: &str = r#""p":"abcdefghijklm""#;
/// Answers must not depend on the time.
const METRICS: &str = r#""metrics":{"latencyMs":7}"#;

impl Finish {
    const fn bedrock(self) -> &'static str {
        match self {
            Self::Stop => "end_turn",
            Self::Length => "max_tokens",
            Self::ToolCall => "tool_use",
        }
    }
}

/// The body of an answer that is no stream.
pub(crate) fn body(answer: &Answer) -> Bytes {
    let mut content = String::new();
    if answer.thinking_tokens > 0 {
        let thinking = quoted(&answer.thinking_text());
        let _infallible = write!(
            content,
            r#"{{"reasoningContent":{{"reasoningText":{{"signature":"{SIGNATURE}","text":{thinking}}}}}}},"#
        );
    }
    let _infallible = match &answer.tool {
        None => write!(content, r#"{{"text":{}}}"#, quoted(&answer.text())),
        Some(name) => {
            let (id, name, input) = (&answer.id, quoted(name), answer.arguments());
            write!(
                content,
                r#"{{"toolUse":{{"input":{input},"name":{name},"toolUseId":"tooluse_{id}"}}}}"#
            )
        }
    };
    let (reason, usage) = (answer.finish.bedrock(), told(answer));
    format!(
        r#"{{{METRICS},"output":{{"message":{{"content":[{content}],"role":"assistant"}}}},"stopReason":"{reason}"{usage}}}"#
    )
    .into()
}

/// `inputTokens` exclude what was read from or written to a cache.
fn told(answer: &Answer) -> String {
    let Some(Tokens {
        prompt,
        cached,
        written,
        output,
        ..
    }) = &answer.usage
    else {
        return String::new();
    };
    let input = prompt.saturating_sub(*cached).saturating_sub(*written);
    let total = prompt.saturating_add(*output);
    format!(
        r#","usage":{{"cacheReadInputTokens":{cached},"cacheWriteInputTokens":{written},"inputTokens":{input},"outputTokens":{output},"totalTokens":{total}}}"#
    )
}

/// The messages of a streamed answer, in the order Bedrock sends them: blocks of text have no start.
pub(crate) fn stream(answer: &Answer) -> Script {
    let mut script = Script::default();
    let start = format!(r#"{{{PADDING},"role":"assistant"}}"#);
    script.frame(eventstream::event("messageStart", start.as_bytes()));
    let mut index = 0;
    if answer.thinking_tokens > 0 {
        let (pieces, tokens) = (&answer.thinking, answer.thinking_tokens);
        let open = r#"{"reasoningContent":{"text":""#;
        script.run(deltas(index, open, "\"}}", (pieces, tokens), answer));
        script.frame(delta(
            index,
            &format!(r#"{{"reasoningContent":{{"signature":"{SIGNATURE}"}}}}"#),
        ));
        script.frame(stop(index));
        index += 1;
    }
    let text = (&answer.pieces, answer.tokens);
    match &answer.tool {
        None => script.run(deltas(index, r#"{"text":""#, "\"}", text, answer)),
        Some(name) => {
            let (id, name) = (&answer.id, quoted(name));
            let start = format!(
                r#"{{"contentBlockIndex":{index},{PADDING},"start":{{"toolUse":{{"name":{name},"toolUseId":"tooluse_{id}"}}}}}}"#
            );
            script.frame(eventstream::event("contentBlockStart", start.as_bytes()));
            script.frame(delta(index, r#"{"toolUse":{"input":""}}"#));
            script.run(deltas(index, r#"{"toolUse":{"input":""#, "\"}}", text, answer));
        }
    }
    script.frame(stop(index));
    let reason = answer.finish.bedrock();
    let stopped = format!(r#"{{{PADDING},"stopReason":"{reason}"}}"#);
    script.frame(eventstream::event("messageStop", stopped.as_bytes()));
    let metadata = format!("{{{METRICS},{PADDING}{}}}", told(answer));
    script.frame(eventstream::event("metadata", metadata.as_bytes()));
    script
}

fn delta(index: u32, delta: &str) -> Bytes {
    let payload = format!(r#"{{"contentBlockIndex":{index},"delta":{delta},{PADDING}}}"#);
    eventstream::event("contentBlockDelta", payload.as_bytes())
}

fn stop(index: u32) -> Bytes {
    let payload = format!(r#"{{"contentBlockIndex":{index},{PADDING}}}"#);
    eventstream::event("contentBlockStop", payload.as_bytes())
}

fn deltas(index: u32, open: &str, close: &str, (pieces, tokens): (&Pieces, u64), answer: &Answer) -> Run {
    Run {
        heads: vec![format!(r#"{{"contentBlockIndex":{index},"delta":{open}"#).into()],
        tail: format!("{close},{PADDING}}}").into(),
        pieces: pieces.clone(),
        tokens,
        tokens_per_frame: answer.tokens_per_frame,
        wrapping: Wrapping::Message("contentBlockDelta"),
    }
}

/// The answer of `count-tokens`.
pub(crate) fn token_count(tokens: u64) -> Bytes {
    json!({ "inputTokens": tokens }).to_string().into()
}

/// The answer of a model that embeds, in the words of its maker.
pub(crate) fn embeddings(ask: &Ask, seed: u64, usage: Option<Tokens>) -> Bytes {
    if ask.model.contains("cohere.embed") {
        let vectors = all_vectors(&ask.inputs, seed, ask.dimensions, ("", ""));
        let texts = json!(ask.inputs);
        return format!(
            r#"{{"id":"simulated","texts":{texts},"embeddings":{{"float":{vectors}}},"response_type":"embeddings_by_type"}}"#
        )
        .into();
    }
    let mut out = String::from("{\"embedding\":");
    let text = ask.inputs.first().map_or("", String::as_str);
    write_vector(&mut out, &vector(seed, text, ask.dimensions));
    if let Some(Tokens { prompt, .. }) = usage {
        let _infallible = write!(out, r#","inputTextTokenCount":{prompt}"#);
    }
    out.push('}');
    out.into()
}

/// The kind of an error, and what it says.
fn kind(failure: &Failure) -> (&'static str, &'static str) {
    match failure.status {
        401 | 403 => (
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
        ),
        402 => (
            "ServiceQuotaExceededException",
            "Your request exceeds the service quota for your account.",
        ),
        404 => (
            "ResourceNotFoundException",
            "The provided model identifier is invalid.",
        ),
        408 | 504 => ("ModelTimeoutException", "The request took too long to process."),
        424 => ("ModelErrorException", "The model returned an error."),
        429 => (
            "ThrottlingException",
            "Too many requests, please wait before trying again.",
        ),
        503 | 529 => (
            "ServiceUnavailableException",
            "Bedrock is unable to process your request.",
        ),
        500.. => (
            "InternalServerException",
            "The system encountered an unexpected error during processing. Try your request again.",
        ),
        _ => ("ValidationException", "simulated invalid request"),
    }
}

/// The value of `x-amzn-errortype`.
pub(crate) fn error_type(failure: &Failure) -> String {
    let kind = failure.kind.as_deref().unwrap_or(kind(failure).0);
    format!("{kind}:{ORIGIN}")
}

/// The body of an error: a message and nothing else.
pub(crate) fn error(failure: &Failure) -> Value {
    json!({ "message": failure.message.as_deref().unwrap_or(kind(failure).1) })
}

/// The exception that ends a stream: its type is the error's, in camel case.
pub(crate) fn error_frame(failure: &Failure) -> Bytes {
    let kind = failure.kind.as_deref().unwrap_or(kind(failure).0);
    let mut letters = kind.chars();
    let first = letters.next().map(|c| c.to_ascii_lowercase());
    let kind: String = first.into_iter().chain(letters).collect();
    eventstream::exception(&kind, error(failure).to_string().as_bytes())
}

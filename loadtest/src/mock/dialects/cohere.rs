//! Cohere's dialect, version 2: chats and their streams, embeddings, ranks, and its errors.

use std::cmp::Reverse;
use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::answer::{Answer, Finish, Tokens};
use super::super::ask::Ask;
use super::super::behaviour::Failure;
use super::super::script::{Pieces, Run, Script, Wrapping, quoted};
use super::vectors::{all_vectors, relevance_thousandths};

/// The last frame of a stream.
const DONE: &str = "data: [DONE]\n\n";

impl Finish {
    const fn cohere(self) -> &'static str {
        match self {
            Self::Stop => "COMPLETE",
            Self::Length => "MAX_TOKENS",
            Self::ToolCall => "TOOL_CALL",
        }
    }
}

/// The body of an answer that is no stream.
pub(crate) fn body(answer: &Answer) -> Bytes {
    let mut content = Vec::new();
    if answer.thinking_tokens > 0 {
        let thinking = quoted(&answer.thinking_text());
        content.push(format!(r#"{{"type":"thinking","thinking":{thinking}}}"#));
    }
    let text = quoted(&answer.text());
    let calls = match &answer.tool {
        None => {
            content.push(format!(r#"{{"type":"text","text":{text}}}"#));
            String::new()
        }
        Some(name) => {
            let (id, name) = (call_id(answer), quoted(name));
            format!(
                r#","tool_calls":[{{"id":{id},"type":"function","function":{{"name":{name},"arguments":{text}}}}}]"#
            )
        }
    };
    let content = match content.len() {
        0 => String::new(),
        _ => format!(r#","content":[{}]"#, content.join(",")),
    };
    let (id, reason) = (&answer.id, answer.finish.cohere());
    let mut out = format!(
        r#"{{"id":"{id}","message":{{"role":"assistant"{content}{calls}}},"finish_reason":"{reason}""#
    );
    write_usage(&mut out, answer.usage.as_ref());
    out.push('}');
    out.into()
}

/// Named after the tool, as Cohere does.
fn call_id(answer: &Answer) -> String {
    let tail = answer.id.get(..12).unwrap_or(&answer.id);
    quoted(&format!("{}_{tail}", answer.tool.as_deref().unwrap_or_default()))
}

/// What is billed leaves out what Cohere adds to a prompt: nothing is added here.
fn write_usage(out: &mut String, usage: Option<&Tokens>) {
    let Some(Tokens {
        prompt,
        cached,
        output,
        ..
    }) = usage
    else {
        return;
    };
    let counts = format!(r#"{{"input_tokens":{prompt},"output_tokens":{output}}}"#);
    let _infallible = write!(
        out,
        r#","usage":{{"billed_units":{counts},"tokens":{counts},"cached_tokens":{cached}}}"#
    );
}

/// The frames of a streamed answer, in the order Cohere sends them.
pub(crate) fn stream(answer: &Answer) -> Script {
    let mut script = Script::default();
    let id = &answer.id;
    script.frame(event(
        "message-start",
        &format!(
            r#""id":"{id}","delta":{{"message":{{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}}"#
        ),
    ));
    let mut index = 0;
    if answer.thinking_tokens > 0 {
        let (pieces, tokens) = (&answer.thinking, answer.thinking_tokens);
        content(&mut script, index, "thinking", (pieces, tokens), answer);
        index += 1;
    }
    match &answer.tool {
        None => content(
            &mut script,
            index,
            "text",
            (&answer.pieces, answer.tokens),
            answer,
        ),
        Some(name) => {
            let (id, name) = (call_id(answer), quoted(name));
            script.frame(event(
                "tool-call-start",
                &format!(
                    r#""index":0,"delta":{{"message":{{"tool_calls":{{"id":{id},"type":"function","function":{{"name":{name},"arguments":""}}}}}}}}"#
                ),
            ));
            script.run(run(
                "tool-call-delta",
                r#""index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":""#,
                "\"}}}}}\n\n",
                (&answer.pieces, answer.tokens),
                answer,
            ));
            script.frame(event("tool-call-end", r#""index":0"#));
        }
    }
    let mut end = format!(r#""delta":{{"finish_reason":"{}""#, answer.finish.cohere());
    write_usage(&mut end, answer.usage.as_ref());
    end.push('}');
    script.frame(event("message-end", &end));
    script.frame(DONE);
    script
}

/// The frames of a block of content, whose text stands in the member of its kind's name.
fn content(script: &mut Script, index: u32, kind: &str, text: (&Pieces, u64), answer: &Answer) {
    script.frame(event(
        "content-start",
        &format!(r#""index":{index},"delta":{{"message":{{"content":{{"type":"{kind}","{kind}":""}}}}}}"#),
    ));
    script.run(run(
        "content-delta",
        &format!(r#""index":{index},"delta":{{"message":{{"content":{{"{kind}":""#),
        "\"}}}}\n\n",
        text,
        answer,
    ));
    script.frame(event("content-end", &format!(r#""index":{index}"#)));
}

fn run(
    kind: &str,
    open: &str,
    close: &'static str,
    (pieces, tokens): (&Pieces, u64),
    answer: &Answer,
) -> Run {
    Run {
        heads: vec![format!("event: {kind}\ndata: {{\"type\":\"{kind}\",{open}").into()],
        tail: Bytes::from_static(close.as_bytes()),
        pieces: pieces.clone(),
        tokens,
        tokens_per_frame: answer.tokens_per_frame,
        wrapping: Wrapping::Plain,
    }
}

fn event(kind: &str, members: &str) -> String {
    format!("event: {kind}\ndata: {{\"type\":\"{kind}\",{members}}}\n\n")
}

/// The answer to an embeddings request.
pub(crate) fn embeddings(ask: &Ask, seed: u64, usage: Option<Tokens>) -> Bytes {
    let vectors = all_vectors(&ask.inputs, seed, ask.dimensions, ("", ""));
    let texts = json!(ask.inputs);
    let billed = usage.map_or_else(String::new, |Tokens { prompt, .. }| {
        format!(r#","billed_units":{{"input_tokens":{prompt}}}"#)
    });
    format!(
        r#"{{"id":"simulated","texts":{texts},"embeddings":{{"float":{vectors}}},"meta":{{"api_version":{{"version":"2"}}{billed}}},"response_type":"embeddings_by_type"}}"#
    )
    .into()
}

/// The documents by how well they fit, the best first.
pub(crate) fn ranks(ask: &Ask, seed: u64) -> Bytes {
    let of = |text: &String| relevance_thousandths(seed, text);
    let mut ranked: Vec<_> = ask.inputs.iter().map(of).enumerate().collect();
    ranked.sort_by_key(|(_, relevance)| Reverse(*relevance));
    ranked.truncate(ask.most.unwrap_or(usize::MAX));
    let results = ranked
        .into_iter()
        .map(|(index, thousandths)| format!(r#"{{"index":{index},"relevance_score":0.{thousandths:03}}}"#));
    let results = results.collect::<Vec<_>>().join(",");
    format!(
        r#"{{"id":"simulated","results":[{results}],"meta":{{"api_version":{{"version":"2"}},"billed_units":{{"search_units":1}}}}}}"#
    )
    .into()
}

/// The error for a status, with what `failure` says about it: hardly more than a message.
pub(crate) fn error(failure: &Failure, request_id: &str) -> Value {
    let mut error = json!({ "id": request_id, "message": message(failure) });
    let kind = failure.kind.as_ref().or(failure.code.as_ref());
    if let (Some(kind), Some(members)) = (kind, error.as_object_mut()) {
        members.insert("error_type".to_owned(), json!(kind));
    }
    error
}

fn message(failure: &Failure) -> &str {
    let usual = match failure.status {
        401 => "invalid api token",
        402 => "You have reached your billing limit. Please check your plan.",
        403 => "You do not have permission to access this resource.",
        404 => {
            "model not found, make sure the correct model ID was used and that you have access to the model."
        }
        429 => "Too many requests. Please wait and try again later.",
        503 | 529 => "The service is currently unavailable. Please try again later.",
        504 => "The request timed out.",
        500.. => "internal server error",
        _ => "simulated invalid request",
    };
    failure.message.as_deref().unwrap_or(usual)
}

/// The end of a stream that failed.
pub(crate) fn error_frame(failure: &Failure) -> Bytes {
    let message = quoted(message(failure));
    let end = event(
        "message-end",
        &format!(r#""delta":{{"error":{message},"finish_reason":"ERROR"}}"#),
    );
    format!("{end}{DONE}").into()
}

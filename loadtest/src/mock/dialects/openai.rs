//! The OpenAI dialect: bodies and stream frames of chats, completions, embeddings and models, and its errors.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::super::answer::{Answer, Finish, Tokens};
use super::super::ask::Ask;
use super::super::behaviour::Failure;
use super::super::script::{Pieces, Run, Script, Wrapping, quoted};
use super::vectors::{vector, write_vector};

/// `created` of every object: answers must not depend on the time.
pub(super) const CREATED: u64 = 1_767_225_600;
/// The last frame of a stream.
const DONE: &str = "data: [DONE]\n\n";

/// The two surfaces that answer with text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    Chat,
    Completions,
}

impl Finish {
    const fn openai(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCall => "tool_calls",
        }
    }
}

/// The body of an answer that is no stream.
pub(crate) fn body(surface: Surface, ask: &Ask, answer: &Answer) -> Bytes {
    let (prefix, object) = match surface {
        Surface::Chat => ("chatcmpl", "chat.completion"),
        Surface::Completions => ("cmpl", "text_completion"),
    };
    let text = quoted(&answer.text());
    let mut out = String::with_capacity(text.len() * 2 + 512);
    let (id, model) = (&answer.id, quoted(&ask.model));
    let _infallible = write!(
        out,
        r#"{{"id":"{prefix}-{id}","object":"{object}","created":{CREATED},"model":{model},"choices":["#
    );
    for index in 0..ask.choices {
        let comma = if index == 0 { "" } else { "," };
        let _infallible = write!(out, r#"{comma}{{"index":{index},"#);
        match surface {
            Surface::Chat => write_message(&mut out, answer, index, &text),
            Surface::Completions => {
                let _infallible = write!(out, r#""text":{text}"#);
            }
        }
        let _infallible = write!(
            out,
            r#","logprobs":null,"finish_reason":"{}"}}"#,
            answer.finish.openai()
        );
    }
    out.push(']');
    if let Some(usage) = &answer.usage {
        out.push_str(",\"usage\":");
        write_usage(&mut out, usage);
    }
    out.push_str(r#","service_tier":"default","system_fingerprint":"fp_simulated"}"#);
    out.into()
}

fn write_message(out: &mut String, answer: &Answer, index: u32, text: &str) {
    out.push_str(r#""message":{"role":"assistant","content":"#);
    match &answer.tool {
        None => out.push_str(text),
        Some(name) => {
            let (id, name) = (&answer.id, quoted(name));
            let _infallible = write!(
                out,
                r#"null,"tool_calls":[{{"id":"call_{id}{index}","type":"function","function":{{"name":{name},"arguments":{text}}}}}]"#
            );
        }
    }
    if answer.thinking_tokens > 0 {
        let _infallible = write!(out, r#","reasoning_content":{}"#, quoted(&answer.thinking_text()));
    }
    out.push_str(r#","refusal":null,"annotations":[]}"#);
}

fn write_usage(out: &mut String, usage: &Tokens) {
    let Tokens {
        prompt,
        cached,
        output,
        reasoning,
        ..
    } = usage;
    let total = prompt.saturating_add(*output);
    let _infallible = write!(
        out,
        r#"{{"prompt_tokens":{prompt},"completion_tokens":{output},"total_tokens":{total},"prompt_tokens_details":{{"cached_tokens":{cached},"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":{reasoning},"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}}"#
    );
}

/// The frames of a streamed answer. `report_usage`: the request asked for it, or the behaviour decided.
pub(crate) fn stream(surface: Surface, ask: &Ask, answer: &Answer, report_usage: bool) -> Script {
    let chunk = Chunk::new(surface, ask, answer, report_usage);
    let mut script = Script::default();
    if surface == Surface::Chat {
        for index in 0..ask.choices {
            script.frame(chunk.whole(
                index,
                r#""delta":{"role":"assistant","content":"","refusal":null}"#,
                None,
            ));
        }
        if answer.thinking_tokens > 0 {
            script.run(chunk.run(
                ask,
                r#""delta":{"reasoning_content":""#,
                "\"}",
                &answer.thinking,
                answer.thinking_tokens,
            ));
        }
    }
    let (open, close) = match (surface, &answer.tool) {
        (Surface::Completions, _) => (r#""text":""#, "\""),
        (Surface::Chat, None) => (r#""delta":{"content":""#, "\"}"),
        (Surface::Chat, Some(name)) => {
            for index in 0..ask.choices {
                let call = format!(
                    r#""delta":{{"tool_calls":[{{"index":0,"id":"call_{}{index}","type":"function","function":{{"name":{},"arguments":""}}}}]}}"#,
                    answer.id,
                    quoted(name)
                );
                script.frame(chunk.whole(index, &call, None));
            }
            (
                r#""delta":{"tool_calls":[{"index":0,"function":{"arguments":""#,
                "\"}}]}",
            )
        }
    };
    script.run(chunk.run(ask, open, close, &answer.pieces, answer.tokens));
    let last = match surface {
        Surface::Chat => r#""delta":{}"#,
        Surface::Completions => r#""text":"""#,
    };
    for index in 0..ask.choices {
        script.frame(chunk.whole(index, last, Some(answer.finish)));
    }
    if let (true, Some(usage)) = (report_usage, &answer.usage) {
        let mut frame = format!("{}],\"usage\":", chunk.head);
        write_usage(&mut frame, usage);
        frame.push_str("}\n\n");
        script.frame(frame);
    }
    script.frame(DONE);
    script
}

/// What the chunks of one stream have in common.
struct Chunk {
    /// Up to and with `"choices":[`.
    head: String,
    /// From `]` on.
    tail: &'static str,
    tokens_per_frame: u64,
}

impl Chunk {
    fn new(surface: Surface, ask: &Ask, answer: &Answer, report_usage: bool) -> Self {
        let (prefix, object) = match surface {
            Surface::Chat => ("chatcmpl", "chat.completion.chunk"),
            Surface::Completions => ("cmpl", "text_completion"),
        };
        Self {
            head: format!(
                r#"data: {{"id":"{prefix}-{}","object":"{object}","created":{CREATED},"model":{},"service_tier":"default","system_fingerprint":"fp_simulated","choices":["#,
                answer.id,
                quoted(&ask.model)
            ),
            tail: if report_usage {
                "],\"usage\":null}\n\n"
            } else {
                "]}\n\n"
            },
            tokens_per_frame: answer.tokens_per_frame,
        }
    }

    /// A chunk whose choice has `content`.
    fn whole(&self, index: u32, content: &str, finish: Option<Finish>) -> String {
        let (head, tail) = (&self.head, self.tail);
        let finish = finish.map_or("null".to_owned(), |finish| format!("\"{}\"", finish.openai()));
        format!(r#"{head}{{"index":{index},{content},"logprobs":null,"finish_reason":{finish}}}{tail}"#)
    }

    /// Chunks whose choices have `open`, tokens, `close`.
    fn run(&self, ask: &Ask, open: &str, close: &str, pieces: &Pieces, tokens: u64) -> Run {
        let heads = (0..ask.choices).map(|index| format!(r#"{}{{"index":{index},{open}"#, self.head).into());
        Run {
            heads: heads.collect(),
            tail: format!(r#"{close},"logprobs":null,"finish_reason":null}}{}"#, self.tail).into(),
            pieces: pieces.clone(),
            tokens,
            tokens_per_frame: self.tokens_per_frame,
            wrapping: Wrapping::Plain,
        }
    }
}

/// The answer to an embeddings request: unit vectors that depend on the seed and the text only.
pub(crate) fn embeddings(ask: &Ask, seed: u64, usage: Option<Tokens>) -> Bytes {
    let mut out = String::with_capacity(ask.inputs.len() * ask.dimensions * 12 + 256);
    out.push_str(r#"{"object":"list","data":["#);
    for (index, text) in ask.inputs.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _infallible = write!(
            out,
            r#"{comma}{{"object":"embedding","index":{index},"embedding":"#
        );
        let vector = vector(seed, text, ask.dimensions);
        if ask.base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
            let _infallible = write!(out, "\"{}\"", STANDARD.encode(bytes));
        } else {
            write_vector(&mut out, &vector);
        }
        out.push('}');
    }
    let _infallible = write!(out, r#"],"model":{}"#, quoted(&ask.model));
    if let Some(Tokens { prompt, .. }) = usage {
        let _infallible = write!(
            out,
            r#","usage":{{"prompt_tokens":{prompt},"total_tokens":{prompt}}}"#
        );
    }
    out.push('}');
    out.into()
}

/// The list of models.
pub(crate) fn models(names: &[String]) -> Bytes {
    let data: Vec<_> = names.iter().map(|name| model_object(name)).collect();
    json!({"object": "list", "data": data}).to_string().into()
}

/// One model.
pub(crate) fn model(name: &str) -> Bytes {
    model_object(name).to_string().into()
}

fn model_object(name: &str) -> Value {
    json!({"id": name, "object": "model", "created": CREATED, "owned_by": "simulated"})
}

/// The error object for a status, with what `failure` says about it.
pub(crate) fn error(failure: &Failure) -> String {
    json!({ "error": error_object(failure) }).to_string()
}

/// What stands under `error`.
pub(super) fn error_object(failure: &Failure) -> Value {
    let (kind, code, message) = match failure.status {
        400 | 422 => ("invalid_request_error", None, "simulated invalid request"),
        401 => (
            "invalid_request_error",
            Some("invalid_api_key"),
            "Incorrect API key provided.",
        ),
        403 => (
            "invalid_request_error",
            Some("permission_denied"),
            "simulated permission error",
        ),
        404 => (
            "invalid_request_error",
            Some("model_not_found"),
            "The model does not exist.",
        ),
        429 => (
            "requests",
            Some("rate_limit_exceeded"),
            "Rate limit reached for requests.",
        ),
        503 => (
            "server_error",
            Some("service_unavailable"),
            "The engine is currently overloaded.",
        ),
        529 => (
            "server_error",
            Some("overloaded"),
            "The engine is currently overloaded.",
        ),
        _ => (
            "server_error",
            None,
            "The server had an error while processing your request.",
        ),
    };
    json!({
        "message": failure.message.as_deref().unwrap_or(message),
        "type": failure.kind.as_deref().unwrap_or(kind),
        "param": null,
        "code": failure.code.as_deref().or(code),
    })
}

/// The error frame of a stream.
pub(crate) fn error_frame(failure: &Failure) -> Bytes {
    format!("data: {}\n\n", error(failure)).into()
}

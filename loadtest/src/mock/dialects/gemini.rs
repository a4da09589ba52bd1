//! Google's dialect, of the Gemini API and of Vertex AI: `generateContent` and its streams, which are events, or one
//! JSON array; counts, embeddings, models, and its errors.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::answer::{Answer, Finish, Tokens};
use super::super::ask::Ask;
use super::super::behaviour::Failure;
use super::super::script::{Pieces, Run, Script, Wrapping, quoted};
use super::SIGNATURE;
use super::vectors::{all_vectors, vector, write_vector};

/// How an answer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Whole,
    /// A stream of events: `?alt=sse`.
    Events,
    /// A JSON array that grows.
    Array,
}

impl Framing {
    /// What is before a chunk, and behind it.
    const fn around(self) -> (&'static str, &'static str) {
        match self {
            Self::Whole => ("", ""),
            Self::Events => ("data: ", "\r\n\r\n"),
            Self::Array => ("", ",\r\n"),
        }
    }

    /// What is behind the last chunk.
    const fn end(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Events => "\r\n\r\n",
            Self::Array => "]",
        }
    }
}

impl Finish {
    /// There is no word for a call.
    const fn google(self) -> &'static str {
        match self {
            Self::Stop | Self::ToolCall => "STOP",
            Self::Length => "MAX_TOKENS",
        }
    }
}

/// The body of an answer that is no stream.
pub(crate) fn body(ask: &Ask, answer: &Answer) -> Bytes {
    let parts = match &answer.tool {
        None => format!(r#"{{"text":{}}}"#, quoted(&answer.text())),
        Some(name) => call(name, answer),
    };
    let thought = match answer.thinking_tokens {
        0 => String::new(),
        _ => format!(
            r#"{{"text":{},"thought":true}},"#,
            quoted(&answer.thinking_text())
        ),
    };
    let reason = answer.finish.google();
    let mut out = String::from(r#"{"candidates":["#);
    for index in 0..ask.choices {
        let comma = if index == 0 { "" } else { "," };
        let _infallible = write!(
            out,
            r#"{comma}{{"content":{{"parts":[{thought}{parts}],"role":"model"}},"finishReason":"{reason}","index":{index}}}"#
        );
    }
    out.push_str(&tail(ask, answer, Told::All));
    out.into()
}

/// A call is one part, however long its arguments are; it has no id, as of most models.
fn call(name: &str, answer: &Answer) -> String {
    let (name, arguments) = (quoted(name), answer.arguments());
    let signature = match answer.thinking_tokens {
        0 => String::new(),
        _ => format!(r#","thoughtSignature":"{SIGNATURE}""#),
    };
    format!(r#"{{"functionCall":{{"name":{name},"args":{arguments}}}{signature}}}"#)
}

/// How much of the usage a chunk tells: the first ones only the prompt's.
#[derive(Clone, Copy)]
enum Told {
    Prompt,
    All,
}

/// What is behind the candidates.
fn tail(ask: &Ask, answer: &Answer, told: Told) -> String {
    let usage = answer.usage.as_ref().map_or_else(String::new, |usage| {
        format!(r#","usageMetadata":{}"#, usage_metadata(usage, told))
    });
    let (id, model) = (&answer.id, quoted(&ask.model));
    format!(r#"]{usage},"modelVersion":{model},"responseId":"{id}"}}"#)
}

/// Thoughts are not among the candidates' tokens here; cached ones are among the prompt's.
fn usage_metadata(usage: &Tokens, told: Told) -> String {
    let Tokens {
        prompt,
        cached,
        output,
        reasoning,
        ..
    } = usage;
    let details = format!(r#""promptTokensDetails":[{{"modality":"TEXT","tokenCount":{prompt}}}]"#);
    if matches!(told, Told::Prompt) {
        return format!(r#"{{"promptTokenCount":{prompt},"totalTokenCount":{prompt},{details}}}"#);
    }
    let (written, total) = (output.saturating_sub(*reasoning), prompt.saturating_add(*output));
    let mut out = format!(
        r#"{{"promptTokenCount":{prompt},"candidatesTokenCount":{written},"totalTokenCount":{total},{details}"#
    );
    for (name, count) in [
        ("cachedContentTokenCount", cached),
        ("thoughtsTokenCount", reasoning),
    ] {
        if *count > 0 {
            let _infallible = write!(out, r#","{name}":{count}"#);
        }
    }
    out.push('}');
    out
}

/// The frames of a streamed answer: each is a whole response of its own.
pub(crate) fn stream(framing: Framing, ask: &Ask, answer: &Answer) -> Script {
    let (before, behind) = framing.around();
    let early = tail(ask, answer, Told::Prompt);
    let head = |index: u32| {
        format!(r#"{before}{{"candidates":[{{"index":{index},"content":{{"role":"model","parts":["#)
    };
    let run = |open: &str, pieces: &Pieces, tokens: u64| Run {
        heads: (0..ask.choices)
            .map(|index| format!("{}{open}", head(index)).into())
            .collect(),
        tail: format!("\"}}]}}}}{early}{behind}").into(),
        pieces: pieces.clone(),
        tokens,
        tokens_per_frame: answer.tokens_per_frame,
        wrapping: Wrapping::Plain,
    };
    let mut script = match framing {
        Framing::Array => Script::default().led_by("["),
        _ => Script::default(),
    };
    script.run(run(
        r#"{"thought":true,"text":""#,
        &answer.thinking,
        answer.thinking_tokens,
    ));
    match &answer.tool {
        None => script.run(run(r#"{"text":""#, &answer.pieces, answer.tokens)),
        Some(name) => {
            let call = call(name, answer);
            for index in 0..ask.choices {
                script.frame(format!("{}{call}]}}}}{early}{behind}", head(index)));
            }
        }
    }
    let (reason, all) = (answer.finish.google(), tail(ask, answer, Told::All));
    for index in 0..ask.choices {
        let behind = if index + 1 == ask.choices {
            framing.end()
        } else {
            behind
        };
        script.frame(format!(
            r#"{}{{"text":""}}]}},"finishReason":"{reason}"}}{all}{behind}"#,
            head(index)
        ));
    }
    script
}

/// The answer of `countTokens`.
pub(crate) fn token_count(tokens: u64) -> Bytes {
    let details = json!([{ "modality": "TEXT", "tokenCount": tokens }]);
    json!({ "totalTokens": tokens, "promptTokensDetails": details })
        .to_string()
        .into()
}

/// The answer of `embedContent`.
pub(crate) fn embedding(ask: &Ask, seed: u64, usage: Option<Tokens>) -> Bytes {
    let text = ask.inputs.first().map_or("", String::as_str);
    let mut values = String::new();
    write_vector(&mut values, &vector(seed, text, ask.dimensions));
    format!(r#"{{"embedding":{{"values":{values}}}{}}}"#, prompt_only(usage)).into()
}

/// The answer of `batchEmbedContents`.
pub(crate) fn embeddings(ask: &Ask, seed: u64, usage: Option<Tokens>) -> Bytes {
    let vectors = vectors(ask, seed, ("{\"values\":", "}"));
    format!(r#"{{"embeddings":{vectors}{}}}"#, prompt_only(usage)).into()
}

/// The answer of `predict`, where the first vector tells the tokens of all.
pub(crate) fn predictions(ask: &Ask, seed: u64, usage: Option<Tokens>) -> Bytes {
    let vectors = vectors(ask, seed, ("{\"embeddings\":{\"values\":", "}}"));
    let Some(Tokens { prompt, .. }) = usage else {
        return format!(r#"{{"predictions":{vectors}}}"#).into();
    };
    let statistics = format!(r#""statistics":{{"truncated":false,"token_count":{prompt}}},"#);
    let told = vectors.replacen(
        "{\"embeddings\":{",
        &format!("{{\"embeddings\":{{{statistics}"),
        1,
    );
    format!(r#"{{"predictions":{told}}}"#).into()
}

fn vectors(ask: &Ask, seed: u64, around: (&str, &str)) -> String {
    all_vectors(&ask.inputs, seed, ask.dimensions, around)
}

fn prompt_only(usage: Option<Tokens>) -> String {
    usage.map_or_else(String::new, |usage| {
        format!(r#","usageMetadata":{}"#, usage_metadata(&usage, Told::Prompt))
    })
}

/// The list of models.
pub(crate) fn models(names: &[String]) -> Bytes {
    let models: Vec<_> = names.iter().map(|name| model_object(name)).collect();
    json!({ "models": models }).to_string().into()
}

/// One model.
pub(crate) fn model(name: &str) -> Bytes {
    model_object(name).to_string().into()
}

fn model_object(name: &str) -> Value {
    json!({ "name": format!("models/{name}"), "version": "001", "displayName": name,
        "supportedGenerationMethods": ["generateContent", "countTokens", "embedContent"] })
}

/// The error object for a status, with what `failure` says about it. When to ask again is told here and in no header.
pub(crate) fn error(failure: &Failure) -> Value {
    let (status, message) = match failure.status {
        401 => (
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials.",
        ),
        402 => (
            "FAILED_PRECONDITION",
            "This API method requires billing to be enabled.",
        ),
        403 => ("PERMISSION_DENIED", "The caller does not have permission"),
        404 | 405 => (
            "NOT_FOUND",
            "The model is not found for API version v1beta, or is not supported for generateContent.",
        ),
        429 => (
            "RESOURCE_EXHAUSTED",
            "Resource has been exhausted (e.g. check quota).",
        ),
        408 | 504 => (
            "DEADLINE_EXCEEDED",
            "The request timed out. Please try again later.",
        ),
        503 | 529 => ("UNAVAILABLE", "The model is overloaded. Please try again later."),
        500.. => ("INTERNAL", "An internal error has occurred."),
        _ => ("INVALID_ARGUMENT", "simulated invalid request"),
    };
    let mut error = json!({
        "code": failure.status,
        "message": failure.message.as_deref().unwrap_or(message),
        "status": failure.kind.as_deref().unwrap_or(status),
    });
    let mut details = Vec::new();
    if let Some(reason) = &failure.code {
        details.push(
            json!({ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason,
            "domain": "googleapis.com" }),
        );
    }
    if let Some(seconds) = wait_seconds(failure) {
        details.push(json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{seconds}s") }));
    }
    if !details.is_empty()
        && let Some(members) = error.as_object_mut()
    {
        members.insert("details".to_owned(), details.into());
    }
    json!({ "error": error })
}

/// The seconds after which to ask again. `None`: none are told, or a date is, which has no place in the body.
pub(crate) fn wait_seconds(failure: &Failure) -> Option<f64> {
    failure.retry_after.as_deref()?.parse().ok()
}

/// The error that ends a stream, after so many chunks.
pub(crate) fn error_frame(framing: Framing, failure: &Failure, number: u64) -> Bytes {
    let (before, _) = framing.around();
    let lead = match (framing, number) {
        (Framing::Array, 0) => "[",
        _ => "",
    };
    format!("{lead}{before}{}{}", error(failure), framing.end()).into()
}

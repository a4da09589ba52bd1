//! Every error that a client is shown, in the client's own dialect: the only place that writes one.

use serde::Serialize;
use tollgate_core::{Dialect, Refusal, RefusalKind, RequestId};

use crate::error_words::ErrorWords;
use crate::{bedrock, cohere, gemini, responses};

#[derive(Serialize)]
struct OpenAiBody<'a> {
    error: OpenAiError<'a>,
}

#[derive(Serialize)]
struct OpenAiError<'a> {
    message: &'a str,
    r#type: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    attempts: &'a [Attempt<'a>],
}

#[derive(Serialize)]
struct Attempt<'a> {
    provider: &'a str,
    model: &'a str,
    outcome: &'static str,
    status: Option<u16>,
    elapsed_ms: u64,
}

#[derive(Serialize)]
struct AnthropicBody<'a> {
    r#type: &'static str,
    error: AnthropicError<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct AnthropicError<'a> {
    r#type: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    attempts: &'a [Attempt<'a>],
}

/// The JSON body of a refusal.
pub fn render_refusal(dialect: Dialect, refusal: &Refusal, request_id: RequestId) -> Vec<u8> {
    let attempts: Vec<Attempt<'_>> = refusal
        .attempts
        .iter()
        .map(|note| Attempt {
            provider: &note.provider,
            model: &note.model,
            outcome: note.outcome.name(),
            status: note.status,
            elapsed_ms: u64::try_from(note.elapsed.as_millis()).unwrap_or(u64::MAX),
        })
        .collect();
    let request_id = request_id.to_string();
    let words = ErrorWords {
        status: refusal.status(),
        kind: (refusal.kind == RefusalKind::ModelNotAllowed).then_some("insufficient_permissions"),
        message: &refusal.message,
        param: refusal.param.as_deref(),
        code: Some(refusal.kind.name()),
        request_id: Some(&request_id),
    };
    body(dialect, &words, &attempts)
}

/// A refusal as the last event of a stream: what is left to say it with once status 200 has been sent.
pub fn render_stream_error(dialect: Dialect, refusal: &Refusal, request_id: RequestId) -> Vec<u8> {
    as_event(dialect, &render_refusal(dialect, refusal, request_id))
}

/// The JSON body of an error.
pub(crate) fn error_body(dialect: Dialect, words: &ErrorWords<'_>) -> Vec<u8> {
    body(dialect, words, &[])
}

/// An error's JSON body as the last event of a stream.
pub(crate) fn as_event(dialect: Dialect, body: &[u8]) -> Vec<u8> {
    match dialect {
        Dialect::OpenAi => [b"data: ", body, b"\n\ndata: [DONE]\n\n"].concat(),
        Dialect::Responses => responses::error::event(body),
        Dialect::Anthropic => [b"event: error\ndata: ", body, b"\n\n"].concat(),
        Dialect::Gemini => gemini::error::event(body),
        Dialect::Cohere => cohere::error::event(body),
        Dialect::Bedrock => bedrock::error::event(body),
    }
}

fn body(dialect: Dialect, words: &ErrorWords<'_>, attempts: &[Attempt<'_>]) -> Vec<u8> {
    let mut out = match dialect {
        Dialect::Gemini => return gemini::error::body(words),
        Dialect::Cohere => return cohere::error::body(words),
        Dialect::Bedrock => return bedrock::error::body(words),
        Dialect::OpenAi | Dialect::Responses | Dialect::Anthropic => {
            Vec::with_capacity(words.message.len() + 128)
        }
    };
    // Writing strings and numbers to memory has no way to fail.
    let _ = match dialect {
        Dialect::OpenAi | Dialect::Responses => serde_json::to_writer(
            &mut out,
            &OpenAiBody {
                error: OpenAiError {
                    message: words.message,
                    r#type: words.kind.unwrap_or(openai_type(words.status)),
                    param: words.param,
                    code: words.code,
                    attempts,
                },
            },
        ),
        _ => serde_json::to_writer(
            &mut out,
            &AnthropicBody {
                r#type: "error",
                error: AnthropicError {
                    r#type: anthropic_type(words.status),
                    message: words.message,
                    attempts,
                },
                request_id: words.request_id,
            },
        ),
    };
    out
}

const fn openai_type(status: u16) -> &'static str {
    match status {
        429 => "rate_limit_error",
        402 => "insufficient_quota",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

const fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        504 => "timeout_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use tollgate_core::{AttemptNote, OutcomeClass, Timestamp};

    use super::*;

    fn id() -> RequestId {
        RequestId::new(Timestamp::from_unix_millis(1), 2)
    }

    fn rendered(dialect: Dialect, refusal: &Refusal) -> serde_json::Value {
        serde_json::from_slice(&render_refusal(dialect, refusal, id())).unwrap()
    }

    #[test]
    fn a_refusal_has_the_shape_that_each_sdk_reads() {
        let refusal = Refusal::new(RefusalKind::InvalidField, "say \"please\"\n").at("messages[0]");
        let openai = json!({"error": {"message": "say \"please\"\n", "type": "invalid_request_error",
            "param": "messages[0]", "code": "invalid_value"}});
        assert_eq!(rendered(Dialect::OpenAi, &refusal), openai);
        let anthropic = json!({"type": "error", "error": {"type": "invalid_request_error",
            "message": "say \"please\"\n"}, "request_id": id().to_string()});
        assert_eq!(rendered(Dialect::Anthropic, &refusal), anthropic);
    }

    #[test]
    fn types_follow_the_status() {
        let types = |kind| {
            let refusal = Refusal::new(kind, "x");
            let word = |dialect| {
                rendered(dialect, &refusal)["error"]["type"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            };
            (word(Dialect::OpenAi), word(Dialect::Anthropic))
        };
        let pair = |openai: &str, anthropic: &str| (openai.to_owned(), anthropic.to_owned());
        assert_eq!(
            types(RefusalKind::UnknownKey),
            pair("invalid_request_error", "authentication_error")
        );
        assert_eq!(
            types(RefusalKind::ModelNotAllowed),
            pair("insufficient_permissions", "permission_error")
        );
        assert_eq!(
            types(RefusalKind::UnknownModel),
            pair("invalid_request_error", "not_found_error")
        );
        assert_eq!(
            types(RefusalKind::BodyTooLarge),
            pair("invalid_request_error", "request_too_large")
        );
        assert_eq!(
            types(RefusalKind::UpstreamRateLimited),
            pair("rate_limit_error", "rate_limit_error")
        );
        assert_eq!(
            types(RefusalKind::UpstreamFailed),
            pair("server_error", "api_error")
        );
        assert_eq!(
            types(RefusalKind::UpstreamTimeout),
            pair("server_error", "timeout_error")
        );
        assert_eq!(
            types(RefusalKind::NoCandidate),
            pair("server_error", "overloaded_error")
        );
    }

    #[test]
    fn attempts_are_listed() {
        let note = AttemptNote {
            provider: "p".to_owned(),
            model: "m".to_owned(),
            outcome: OutcomeClass::Overloaded,
            status: Some(529),
            elapsed: Duration::from_millis(12),
        };
        let refusal = Refusal::new(RefusalKind::UpstreamFailed, "all failed").after(vec![note]);
        let listed = json!([{"provider": "p", "model": "m", "outcome": "overloaded", "status": 529, "elapsed_ms": 12}]);
        assert_eq!(rendered(Dialect::OpenAi, &refusal)["error"]["attempts"], listed);
        assert_eq!(
            rendered(Dialect::Anthropic, &refusal)["error"]["attempts"],
            listed
        );
    }

    #[test]
    fn an_error_in_a_stream_is_one_event_that_ends_it() {
        let refusal = Refusal::new(RefusalKind::UpstreamFailed, "two\nlines");
        let text = |dialect| String::from_utf8(render_stream_error(dialect, &refusal, id())).unwrap();
        let openai = text(Dialect::OpenAi);
        assert!(
            openai.starts_with("data: {\"error\":") && openai.ends_with("}\n\ndata: [DONE]\n\n"),
            "{openai}"
        );
        let anthropic = text(Dialect::Anthropic);
        assert!(
            anthropic.starts_with("event: error\ndata: {\"type\":\"error\""),
            "{anthropic}"
        );
        assert_eq!(anthropic.matches('\n').count(), 3);
    }
}

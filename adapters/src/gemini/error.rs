//! Errors in Google's shape: a status as a number and as a word, and details of the types that its SDKs know.

use crate::chat::write::object;
use crate::error_words::ErrorWords;

/// Who says so, in details.
const DOMAIN: &str = "tollgate";

/// The JSON body of an error.
pub(crate) fn body(words: &ErrorWords<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(words.message.len() + 256);
    object(&mut out, |o| {
        o.object("error", |o| {
            o.plain("code", words.status)
                .text("message", words.message)
                .text("status", status_word(words.status));
            o.array("details", |a| {
                let kind = |name: &str| format!("type.googleapis.com/google.rpc.{name}");
                if let Some(code) = words.code {
                    a.object(|o| {
                        o.text("@type", &kind("ErrorInfo"))
                            .text("reason", &code.to_ascii_uppercase())
                            .text("domain", DOMAIN);
                    });
                }
                if let Some(param) = words.param {
                    a.object(|o| {
                        o.text("@type", &kind("BadRequest"))
                            .array("fieldViolations", |a| {
                                a.object(|o| o.text("field", param).text("description", words.message).end());
                            });
                    });
                }
                if let Some(id) = words.request_id {
                    a.object(|o| o.text("@type", &kind("RequestInfo")).text("requestId", id).end());
                }
            });
        });
    });
    out
}

/// An error's JSON body as the last event of a stream.
pub(crate) fn event(body: &[u8]) -> Vec<u8> {
    [b"data: ", body, b"\n\n"].concat()
}

/// Google's word for a status.
pub(crate) const fn status_word(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        402 | 412 => "FAILED_PRECONDITION",
        403 => "PERMISSION_DENIED",
        404 | 405 => "NOT_FOUND",
        408 | 504 => "DEADLINE_EXCEEDED",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        502 | 503 | 529 => "UNAVAILABLE",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}

//! Errors: events in a stream.
//!
//! The dialect's documentation has an event with its words at the top, its servers send them within `error`, and
//! client SDKs look for either: so both are there.

use crate::chat::write::{Object, object};
use crate::error_words::ErrorWords;
use crate::json::Fields;

/// OpenAI's word for a kind of error.
const fn kind_of(status: u16) -> &'static str {
    match status {
        429 => "rate_limit_error",
        402 => "insufficient_quota",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

/// The code of an error, as `response.failed` must have one.
pub(super) fn code_of<'w>(words: &ErrorWords<'w>) -> &'w str {
    words.code.unwrap_or(kind_of(words.status))
}

fn write_error(o: &mut Object<'_>, words: &ErrorWords<'_>) {
    o.text("message", words.message)
        .text("type", words.kind.unwrap_or(kind_of(words.status)));
    write_optional(o, "param", words.param);
    write_optional(o, "code", words.code);
}

fn write_optional(o: &mut Object<'_>, name: &str, value: Option<&str>) {
    match value {
        Some(value) => o.text(name, value).end(),
        None => o.raw(name, "null").end(),
    }
}

/// Writes the fields of an error event, behind its type and number.
pub(super) fn write_event(o: &mut Object<'_>, words: &ErrorWords<'_>) {
    write_optional(o, "code", words.code);
    o.text("message", words.message);
    write_optional(o, "param", words.param);
    o.object("error", |o| write_error(o, words));
}

/// An error's JSON body as the last event of a stream whose events are not counted.
pub(crate) fn event(body: &[u8]) -> Vec<u8> {
    let fields = Fields::parse(body).unwrap_or_default();
    let error = fields.object("error").unwrap_or_default();
    let mut out = b"event: error\ndata: ".to_vec();
    object(&mut out, |o| {
        o.text("type", "error").plain("sequence_number", 0);
        o.raw("code", error.raw("code").unwrap_or("null"));
        o.raw("message", error.raw("message").unwrap_or("\"\""));
        o.raw("param", error.raw("param").unwrap_or("null"));
        o.raw("error", fields.raw("error").unwrap_or("{}"));
    });
    out.extend_from_slice(b"\n\n");
    out
}

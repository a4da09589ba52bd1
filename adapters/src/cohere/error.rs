//! Errors as Cohere words them: a message, and an id to ask about.

use super::events::DONE;
use crate::chat::write::event as write_event;
use crate::chat::write::object;
use crate::error_words::ErrorWords;
use crate::json::Fields;

/// The JSON body of an error.
pub(crate) fn body(words: &ErrorWords<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(words.message.len() + 64);
    object(&mut out, |o| {
        if let Some(id) = words.request_id {
            o.text("id", id);
        }
        o.text("message", words.message);
        if let Some(code) = words.code {
            o.text("error_type", code);
        }
    });
    out
}

/// An error's JSON body as the last event of a stream: an answer that ended with an error. All that the body says is
/// in it, too.
pub(crate) fn event(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 128);
    let fields = Fields::parse(body).unwrap_or_default();
    write_event(&mut out, "message-end", |o| {
        o.object("delta", |o| {
            o.text("finish_reason", "ERROR");
            o.text("error", &fields.text("message").unwrap_or_default());
        });
        for (name, value) in fields
            .iter()
            .filter(|(name, _)| !matches!(*name, "type" | "delta"))
        {
            o.raw(name, value);
        }
    });
    out.extend_from_slice(DONE);
    out
}

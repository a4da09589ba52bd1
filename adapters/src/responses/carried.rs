//! Reasoning items, and what travels in them.
//!
//! Clients keep a reasoning item's `encrypted_content` unread and send it back with the next turn: the one place of
//! this dialect for what a provider wants back. OpenAI's own comes as it is; what other providers gave is put there
//! with a mark in front, and read back into where it belongs. What a client sends back is the client's word: it is
//! data, never a piece of JSON to be pasted.

use std::borrow::Cow;

use tollgate_core::Dialect;

use memchr::memmem;

use crate::chat::write::{Object, object};
use crate::chat::{Kind, State};
use crate::json::{self, Fields};
use crate::loss::Loss;

/// What `encrypted_content` that was made here begins with.
const MARK: &str = "tollgate:";
/// What the ids of reasoning items that were made here begin with.
pub(super) const ITEM_PREFIX: &str = "rs_tollgate_";

/// What a reasoning item comes to.
#[derive(Debug, PartialEq)]
pub(super) enum Reasoned<'a> {
    /// Thoughts.
    Part(Kind<'a>, Option<State<'a>>),
    /// What belongs to the call with this id. `None`: to what was said before it.
    Beside(State<'a>, Option<Box<str>>),
    /// Neither thoughts nor anything to be sent back.
    Nothing,
}

/// Reads a reasoning item.
pub(super) fn read<'a>(item: &Fields<'a>) -> Reasoned<'a> {
    let text = thoughts(item);
    let encrypted = item.text("encrypted_content").filter(|text| !text.is_empty());
    let Some(encrypted) = encrypted else {
        return if text.is_empty() {
            Reasoned::Nothing
        } else {
            let signature = None;
            Reasoned::Part(Kind::Thinking { text, signature }, None)
        };
    };
    let signature = None;
    let Some(carried) = encrypted.strip_prefix(MARK) else {
        let state = State {
            of: Dialect::Responses,
            data: own(item).into(),
        };
        return Reasoned::Part(Kind::Thinking { text, signature }, Some(state));
    };
    let carried = Fields::parse(carried.as_bytes()).unwrap_or_default();
    let owned = |name: &str| carried.text(name).map(|text| Cow::Owned(text.into_owned()));
    if let Some(redacted) = owned("redacted") {
        return Reasoned::Part(Kind::RedactedThinking(redacted), None);
    }
    let signature = owned("signature");
    let state = owned("state").and_then(|data| {
        let name = carried.text("of")?;
        let of = crate::chat::carried::dialect(&name)?;
        Some(State { of, data })
    });
    match state {
        Some(state) if text.is_empty() => {
            Reasoned::Beside(state, carried.text("call").map(|id| id.as_ref().into()))
        }
        None if text.is_empty() && signature.is_none() => Reasoned::Nothing,
        state => Reasoned::Part(Kind::Thinking { text, signature }, state),
    }
}

/// The summary; where there is none, the thoughts themselves, as open models tell them.
fn thoughts<'a>(item: &Fields<'a>) -> Cow<'a, str> {
    let texts = |name: &str| -> Vec<Cow<'a, str>> {
        let parts = item.elements(name).into_iter().filter_map(Fields::of);
        let texts = parts.filter_map(|part| part.text("text"));
        texts.filter(|text| !text.is_empty()).collect()
    };
    let mut found = texts("summary");
    if found.is_empty() {
        found = texts("content");
    }
    if found.len() < 2 {
        return found.pop().unwrap_or_default();
    }
    found.join("\n\n").into()
}

/// The item as its provider takes it back: without what only answers hold.
fn own(item: &Fields<'_>) -> String {
    let mut out = Vec::new();
    object(&mut out, |o| {
        o.text("type", "reasoning");
        if let Some(id) = item.raw("id") {
            o.raw("id", id);
        }
        o.raw("summary", item.raw("summary").unwrap_or("[]"));
        for name in ["content", "encrypted_content"] {
            if let Some(json) = item.raw(name) {
                o.raw(name, json);
            }
        }
    });
    String::from_utf8(out).unwrap_or_default()
}

/// What of a state that this dialect's provider gave stands in `encrypted_content`.
pub(super) fn encrypted_of(state: &State<'_>) -> Option<String> {
    let item = Fields::parse(state.data.as_bytes()).ok()?;
    item.text("encrypted_content").map(Cow::into_owned)
}

/// `encrypted_content` that carries the proof of thoughts.
pub(super) fn signature(signature: &str) -> String {
    marked(|o| o.text("signature", signature).end())
}

/// `encrypted_content` that carries encrypted thoughts.
pub(super) fn redacted(data: &str) -> String {
    marked(|o| o.text("redacted", data).end())
}

/// `encrypted_content` that carries what belongs to the call with this id, or to what was said before it. This
/// dialect's own is as it was.
pub(super) fn state(state: &State<'_>, call: Option<&str>) -> String {
    if state.of == Dialect::Responses {
        return encrypted_of(state).unwrap_or_default();
    }
    marked(|o| {
        o.text("of", state.of.name());
        if let Some(call) = call {
            o.text("call", call);
        }
        o.text("state", &state.data);
    })
}

/// A request as OpenAI itself may be sent it: without the reasoning items that were made here, which it could not
/// read, and would refuse. `None`: there are none, and the body may go as it is.
pub(crate) fn without_carried(body: &[u8], loss: &mut Loss) -> Option<Vec<u8>> {
    // Both marks have it, and hardly anything else: most bodies are not read at all.
    memmem::find(body, b"tollgate")?;
    let request = Fields::parse(body).ok()?;
    let input = request.raw("input").filter(|input| input.starts_with('['))?;
    let items = json::elements(input);
    let mut kept = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        if is_carried(item) {
            loss.note(format!("input[{index}]"));
        } else {
            kept.push(*item);
        }
    }
    if kept.len() == items.len() {
        return None;
    }
    let start = input.as_ptr().addr().checked_sub(body.as_ptr().addr())?;
    let (before, rest) = body.split_at_checked(start)?;
    let after = rest.get(input.len()..)?;
    Some([before, b"[", kept.join(",").as_bytes(), b"]", after].concat())
}

fn is_carried(item: &str) -> bool {
    let Some(item) = Fields::of(item) else {
        return false;
    };
    let begins = |name: &str, with: &str| item.text(name).is_some_and(|text| text.starts_with(with));
    item.text("type").as_deref() == Some("reasoning")
        && (begins("id", ITEM_PREFIX) || begins("encrypted_content", MARK))
}

fn marked(fill: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = MARK.as_bytes().to_vec();
    object(&mut out, fill);
    String::from_utf8(out).unwrap_or_default()
}

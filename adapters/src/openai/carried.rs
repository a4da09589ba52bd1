//! What other providers want back, in messages of this dialect.
//!
//! With a call or a text it stands where Google's own endpoint for this dialect has its signatures:
//! `extra_content.google.thought_signature`, in the call or in the message. With thoughts it is the signature in
//! `thinking_blocks`. Ours is tagged ([`crate::chat::carried`]): a signature that is not was given by that endpoint of
//! Google's, and goes back to it as it is. What is tagged goes to nobody: there are servers that refuse what they do
//! not know.

use crate::chat::State;
use crate::chat::carried::{Owner, is_tagged, is_tagged_in, of_state, state};
use crate::chat::write::{Object, object};
use crate::json::{self, Fields};
use crate::loss::Loss;
use crate::patch::{Patches, place_of};

use tollgate_core::Dialect;

/// What stands in `extra_content` of a call or message.
pub(super) fn read<'a>(holder: &Fields<'a>) -> Option<State<'a>> {
    let signature = holder
        .object("extra_content")?
        .object("google")?
        .text("thought_signature")
        .filter(|signature| !signature.is_empty())?;
    if is_tagged(&signature) {
        return Some(state(&signature)?.0);
    }
    let of = Dialect::Gemini;
    Some(State { of, data: signature })
}

/// Writes `extra_content` of a call or message.
pub(super) fn write(o: &mut Object<'_>, state: &State<'_>) {
    o.object("extra_content", |o| {
        o.object("google", |o| {
            o.text("thought_signature", &of_state(state, Owner::Itself));
        });
    });
}

/// The request without what was put into it here. `None`: there is nothing, and the body may go as it is.
pub(crate) fn without_carried(body: &[u8], loss: &mut Loss) -> Option<Vec<u8>> {
    if !is_tagged_in(body) {
        return None;
    }
    let request = Fields::parse(body).ok()?;
    let list = request.raw("messages").filter(|list| list.starts_with('['))?;
    let mut patches = Patches::default();
    for (index, message) in json::elements(list).into_iter().enumerate() {
        if !is_tagged_in(message.as_bytes()) {
            continue;
        }
        let own = Fields::of(message)
            .and_then(|fields| without_fields(&fields, &format!("messages[{index}]"), loss));
        if let Some(own) = own {
            patches.replace(place_of(body, message)?, own).ok()?;
        }
    }
    patches.applied(body).ok()?
}

/// A message or call without the fields that carry. `None`: there are none.
fn without_fields(holder: &Fields<'_>, at: &str, loss: &mut Loss) -> Option<Vec<u8>> {
    let mut has_changed = false;
    let mut out = Vec::new();
    object(&mut out, |o| {
        for (name, value) in holder.iter() {
            let own = match name {
                "extra_content" => without_signature(value, at, loss),
                "thinking_blocks" => without_blocks(value, at, loss),
                "tool_calls" => without_states(value, at, loss),
                _ => None,
            };
            match own {
                None => o.raw(name, value).end(),
                Some(own) => {
                    has_changed = true;
                    if !own.is_empty() {
                        o.raw(name, &own);
                    }
                }
            }
        }
    });
    has_changed.then_some(out)
}

/// `None`: it may stay. Else what is to stand in its place; empty: nothing.
type InPlace = Option<String>;

fn without_signature(value: &str, at: &str, loss: &mut Loss) -> InPlace {
    let signature = Fields::of(value)?.object("google")?.text("thought_signature")?;
    if !is_tagged(&signature) {
        return None;
    }
    loss.note(format!("{at}.extra_content"));
    Some(String::new())
}

fn without_blocks(value: &str, at: &str, loss: &mut Loss) -> InPlace {
    let blocks = json::elements(value);
    let mut kept = Vec::with_capacity(blocks.len());
    for (index, block) in blocks.iter().enumerate() {
        let fields = Fields::of(block).unwrap_or_default();
        let carries = |name: &str| fields.text(name).is_some_and(|text| is_tagged(&text));
        if carries("signature") || carries("data") {
            loss.note(format!("{at}.thinking_blocks[{index}]"));
        } else {
            kept.push(*block);
        }
    }
    match kept.len() {
        all if all == blocks.len() => None,
        0 => Some(String::new()),
        _ => Some(format!("[{}]", kept.join(","))),
    }
}

fn without_states(value: &str, at: &str, loss: &mut Loss) -> InPlace {
    let mut has_changed = false;
    let mut calls = Vec::new();
    for (index, call) in json::elements(value).into_iter().enumerate() {
        let at = format!("{at}.tool_calls[{index}]");
        let own = Fields::of(call).and_then(|fields| without_fields(&fields, &at, loss));
        has_changed |= own.is_some();
        let own = own.and_then(|own| String::from_utf8(own).ok());
        calls.push(own.unwrap_or_else(|| call.to_owned()));
    }
    has_changed.then(|| format!("[{}]", calls.join(",")))
}

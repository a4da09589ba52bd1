//! Requests as Anthropic itself may be sent them: without the blocks that carry what other providers want back.
//!
//! Those blocks were made here ([`crate::chat::carried`]), and Anthropic refuses signatures that are not its own. All
//! else of the request stays as the client wrote it.

use std::borrow::Cow;

use crate::chat::carried::{is_tagged, is_tagged_in, without_blocks};
use crate::json::Fields;
use crate::loss::Loss;
use crate::patch::place_of;

/// The request without what was carried in it. `None`: there is nothing, and the body may go as it is.
pub(crate) fn without_carried(body: &[u8], loss: &mut Loss) -> Option<Vec<u8>> {
    if !is_tagged_in(body) {
        return None;
    }
    let request = Fields::parse(body).ok()?;
    let (mut patches, kept) = without_blocks(&request, body, is_carrying, loss)?;
    if let Some(thinking) = request.raw("thinking").filter(|thinking| is_budget(thinking))
        && began_without_thinking(&kept)
    {
        loss.note("thinking");
        let place = place_of(body, thinking)?;
        patches.replace(place, &br#"{"type":"disabled"}"#[..]).ok()?;
    }
    patches.applied(body).ok()?
}

fn is_carrying(block: &Fields<'_>) -> bool {
    let carries = |name: &str| block.text(name).is_some_and(|text| is_tagged(&text));
    match block.text("type").as_deref() {
        Some("thinking") => carries("signature"),
        Some("redacted_thinking") => carries("data"),
        _ => false,
    }
}

/// Whether thinking is switched on in the way that insists on thoughts before calls.
fn is_budget(thinking: &str) -> bool {
    Fields::of(thinking).is_some_and(|thinking| thinking.text("type").as_deref() == Some("enabled"))
}

/// Whether the conversation ends with results of calls that were made without thinking: it cannot go on with it.
fn began_without_thinking(messages: &[Cow<'_, str>]) -> bool {
    let [.., assistant, user] = messages else {
        return false;
    };
    let kinds = |message: &str| -> Vec<Cow<'_, str>> {
        let blocks = Fields::of(message).map(|message| message.elements("content"));
        let blocks = blocks.unwrap_or_default().into_iter().filter_map(Fields::of);
        blocks
            .map(|block| Cow::Owned(block.text("type").unwrap_or_default().into_owned()))
            .collect()
    };
    let has_results = kinds(user).iter().any(|kind| kind == "tool_result");
    let thinks = |kind: &Cow<'_, str>| kind.ends_with("thinking");
    has_results && !kinds(assistant).first().is_some_and(thinks)
}

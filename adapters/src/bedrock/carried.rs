//! Requests as Bedrock itself may be sent them: without the blocks that carry what other providers want back.

use crate::chat::carried::{is_tagged, is_tagged_in, without_blocks};
use crate::json::Fields;
use crate::loss::Loss;
use crate::patch::{Patches, place_of};

/// The request without what was carried in it. `None`: there is nothing, and the body may go as it is.
pub(crate) fn without_carried(body: &[u8], loss: &mut Loss) -> Option<Vec<u8>> {
    if !is_tagged_in(body) {
        return None;
    }
    let request = Fields::parse(body).ok()?;
    let list = request.raw("messages").filter(|list| list.starts_with('['))?;
    let kept = without_blocks(list, is_carrying, loss)?;
    let mut patches = Patches::default();
    let messages = format!("[{}]", kept.join(","));
    patches
        .replace(place_of(body, list)?, messages.into_bytes())
        .ok()?;
    patches.applied(body).ok()?
}

fn is_carrying(block: &Fields<'_>) -> bool {
    let thoughts = block.object("reasoningContent").unwrap_or_default();
    let proved = thoughts.object("reasoningText").unwrap_or_default();
    let strings = [thoughts.text("redactedContent"), proved.text("signature")];
    strings.into_iter().flatten().any(|text| is_tagged(&text))
}

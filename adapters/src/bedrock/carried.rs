//! Requests as Bedrock itself may be sent them: without the blocks that carry what other providers want back.

use crate::chat::carried::{is_tagged, is_tagged_in, without_blocks};
use crate::json::Fields;
use crate::loss::Loss;

/// The request without what was carried in it. `None`: there is nothing, and the body may go as it is.
pub(crate) fn without_carried(body: &[u8], loss: &mut Loss) -> Option<Vec<u8>> {
    if !is_tagged_in(body) {
        return None;
    }
    let request = Fields::parse(body).ok()?;
    let (patches, _) = without_blocks(&request, body, is_carrying, loss)?;
    patches.applied(body).ok()?
}

fn is_carrying(block: &Fields<'_>) -> bool {
    let thoughts = block.object("reasoningContent").unwrap_or_default();
    let proved = thoughts.object("reasoningText").unwrap_or_default();
    let strings = [thoughts.text("redactedContent"), proved.text("signature")];
    strings.into_iter().flatten().any(|text| is_tagged(&text))
}

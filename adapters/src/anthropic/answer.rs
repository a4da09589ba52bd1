//! A Messages answer, read into the canonical model. What other dialects have no place for (the provider's own
//! tools, citations) is left out; a malformed block is too.

use std::borrow::Cow;

use crate::chat::answer::{ChatAnswer, Choice, End};
use crate::chat::{Call, Kind, Part};
use crate::json::Fields;
use crate::report::Malformed;
use crate::usage::anthropic_finish;

/// Reads an answer.
pub(crate) fn read(body: &[u8]) -> Result<ChatAnswer<'_>, Malformed> {
    let answer = Fields::parse(body).map_err(|fault| Malformed(fault.to_string()))?;
    if answer
        .raw("content")
        .is_none_or(|content| !content.starts_with('['))
    {
        return Err(Malformed("it has no `content`".to_owned()));
    }
    let blocks = answer.elements("content").into_iter().filter_map(Fields::of);
    let parts = blocks.filter_map(|block| read_block(&block)).collect();
    let choice = Choice {
        parts,
        end: read_end(&answer, &answer),
    };
    Ok(ChatAnswer {
        model: answer.text("model").filter(|model| !model.is_empty()),
        choices: vec![choice],
    })
}

/// How an answer ended: `delta` says why, and so may `around` it.
pub(crate) fn read_end<'a>(delta: &Fields<'a>, around: &Fields<'a>) -> End<'a> {
    let details = delta
        .object("stop_details")
        .or_else(|| around.object("stop_details"));
    End {
        finish: delta.text("stop_reason").map(|word| anthropic_finish(&word)),
        stop_sequence: delta.text("stop_sequence"),
        explanation: details
            .and_then(|details| details.text("explanation"))
            .filter(|text| !text.is_empty()),
    }
}

fn read_block<'a>(block: &Fields<'a>) -> Option<Part<'a>> {
    let kind = match &*block.text("type")? {
        "text" => Kind::Text(block.text("text")?),
        "thinking" => Kind::Thinking {
            text: block.text("thinking").unwrap_or_default(),
            signature: block.text("signature"),
        },
        "redacted_thinking" => Kind::RedactedThinking(block.text("data")?),
        "tool_use" => Kind::ToolCall(Call {
            id: block.text("id").unwrap_or_default(),
            name: block.text("name")?,
            arguments: Cow::Borrowed(block.raw("input").unwrap_or("{}")),
        }),
        _ => return None,
    };
    Some(Part::new(String::new(), kind)).filter(|part| !part.is_empty())
}

//! A Converse answer: read into the canonical model, and what it tells the gateway. What other dialects have no place
//! for (the provider's own tools, citations) is left out; a malformed block is too.

use std::borrow::Cow;

use super::blocks::{is_server_tool, texts};
use super::observe::{fault, is_error, read_end_of, read_model, read_tier};
use super::usage;
use crate::chat::answer::{ChatAnswer, Choice, End};
use crate::chat::{Call, Kind, Part};
use crate::json::Fields;
use crate::report::{Malformed, Report};

/// Reads an answer.
pub(crate) fn read(body: &[u8]) -> Result<ChatAnswer<'_>, Malformed> {
    let answer = Fields::parse(body).map_err(|fault| Malformed(fault.to_string()))?;
    let parts = content(&answer)?
        .into_iter()
        .filter_map(Fields::of)
        .filter_map(|block| read_block(&block))
        .collect();
    let choice = Choice {
        parts,
        end: read_end(&answer, &answer),
    };
    Ok(ChatAnswer {
        model: None,
        choices: vec![choice],
    })
}

/// What an answer tells.
pub(crate) fn report(body: &[u8]) -> Result<Report, Malformed> {
    let answer = Fields::parse(body).map_err(|fault| Malformed(fault.to_string()))?;
    let mut report = Report {
        complete: true,
        ..Report::default()
    };
    if is_error(&answer) {
        let name = answer.text("__type").unwrap_or_default();
        report.error = Some(fault(&name, body));
        return Ok(report);
    }
    for block in content(&answer)?.into_iter().filter_map(Fields::of) {
        report.output_bytes = report.output_bytes.saturating_add(length(&block));
        report.has_content |= block.iter().next().is_some();
    }
    read_end_of(&answer, &mut report);
    read_model(&answer, &mut report);
    read_tier(&answer, &mut report);
    report.usage = answer.object("usage").and_then(|usage| usage::read(&usage));
    Ok(report)
}

/// The blocks of an answer.
fn content<'a>(answer: &Fields<'a>) -> Result<Vec<&'a str>, Malformed> {
    let message = answer
        .object("output")
        .and_then(|output| output.object("message"))
        .filter(|message| {
            message
                .raw("content")
                .is_some_and(|content| content.starts_with('['))
        });
    let message = message.ok_or_else(|| Malformed("it has no `output.message.content`".to_owned()))?;
    Ok(message.elements("content"))
}

/// How an answer ended: `stop` says why, and so may `around` it.
pub(crate) fn read_end<'a>(stop: &Fields<'a>, around: &Fields<'a>) -> End<'a> {
    let guardrail = around.object("trace").and_then(|trace| trace.object("guardrail"));
    let finish = stop.text("stopReason").map(|word| usage::finish(&word));
    End {
        finish,
        stop_sequence: stop_sequence(stop),
        explanation: guardrail
            .and_then(|guardrail| guardrail.text("actionReason"))
            .filter(|text| !text.is_empty()),
    }
}

/// Which stop sequence came up: Claude tells it, if it was asked for.
fn stop_sequence<'a>(fields: &Fields<'a>) -> Option<Cow<'a, str>> {
    let own = fields.object("additionalModelResponseFields")?;
    let told = own.object("delta").and_then(|delta| delta.text("stop_sequence"));
    told.or_else(|| own.text("stop_sequence"))
}

fn read_block<'a>(block: &Fields<'a>) -> Option<Part<'a>> {
    let kind = if let Some(text) = block.text("text") {
        Kind::Text(text)
    } else if let Some(call) = block.object("toolUse").filter(|call| !is_server_tool(call)) {
        Kind::ToolCall(Call {
            id: call.text("toolUseId").unwrap_or_default(),
            name: call.text("name")?,
            arguments: Cow::Borrowed(call.raw("input").unwrap_or("{}")),
        })
    } else if let Some(reasoning) = block.object("reasoningContent") {
        match reasoning.object("reasoningText") {
            Some(text) => Kind::Thinking {
                text: text.text("text").unwrap_or_default(),
                signature: text.text("signature"),
            },
            None => Kind::RedactedThinking(reasoning.text("redactedContent")?),
        }
    } else {
        Kind::Text(texts(&block.object("citationsContent")?, "content")?)
    };
    Some(Part::new(String::new(), kind)).filter(|part| !part.is_empty())
}

/// How many bytes of text, thoughts and arguments a block has, about.
fn length(block: &Fields<'_>) -> u64 {
    let call = block.object("toolUse");
    let reasoning = block
        .object("reasoningContent")
        .and_then(|reasoning| reasoning.object("reasoningText"));
    let of_text = |text: Option<Cow<'_, str>>| text.map_or(0, |text| text.len());
    let bytes = of_text(block.text("text"))
        + of_text(reasoning.and_then(|text| text.text("text")))
        + call.and_then(|call| call.raw("input")).map_or(0, str::len)
        + of_text(
            block
                .object("citationsContent")
                .and_then(|cited| texts(&cited, "content")),
        );
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

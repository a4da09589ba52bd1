//! A Responses answer, read into the canonical model, and what it tells about itself. What other dialects have no
//! place for (the provider's own tools, annotations) is left out; a malformed item is too.

use tollgate_core::{Dialect, FinishReason};

use super::carried::{self, Reasoned};
use crate::chat::answer::{ChatAnswer, Choice, End, finish_with};
use crate::chat::custom;
use crate::chat::{Call, Kind, Part};
use crate::json::Fields;
use crate::passthrough::fault_of;
use crate::report::{Malformed, Report};
use crate::usage;

/// The type of a call of a custom tool.
pub(super) const CUSTOM: &str = "custom_tool_call";

/// Reads an answer.
pub(crate) fn read(body: &[u8]) -> Result<ChatAnswer<'_>, Malformed> {
    let answer = parsed(body)?;
    let mut parts = Vec::new();
    for item in answer.elements("output").into_iter().filter_map(Fields::of) {
        read_item(&item, &mut parts);
    }
    let has_calls = parts.iter().any(is_call);
    let choice = Choice {
        parts,
        end: End {
            finish: finish(&answer, has_calls),
            ..End::default()
        },
    };
    Ok(ChatAnswer {
        model: model(&answer),
        choices: vec![choice],
    })
}

/// Reads what an answer tells about itself.
pub(crate) fn report(body: &[u8]) -> Result<Report, Malformed> {
    let fields = Fields::parse(body).map_err(|fault| Malformed(fault.to_string()))?;
    let mut report = Report {
        complete: true,
        ..Report::default()
    };
    let is_failed = fields.text("status").as_deref() == Some("failed");
    if is_failed || (fields.raw("error").is_some() && fields.elements("output").is_empty()) {
        read_response(&fields, &mut report);
        report.finish = None;
        report.error = Some(fault_of(body));
        return Ok(report);
    }
    let answer = read(body)?;
    for part in answer.choices.iter().flat_map(|choice| &choice.parts) {
        let length = length(part);
        report.output_bytes = report.output_bytes.saturating_add(length);
        report.has_content |= length > 0;
    }
    let mut has_calls = false;
    for item in fields.elements("output").into_iter().filter_map(Fields::of) {
        let kind = item.text("type").unwrap_or_default();
        report.has_content |= kind.ends_with("_call");
        has_calls |= is_for_client(&kind);
    }
    read_response(&fields, &mut report);
    report.finish = finish(&fields, has_calls);
    Ok(report)
}

/// Whether items of this type are calls that the client has to answer.
pub(super) fn is_for_client(kind: &str) -> bool {
    matches!(kind, "function_call" | CUSTOM)
}

fn parsed(body: &[u8]) -> Result<Fields<'_>, Malformed> {
    let answer = Fields::parse(body).map_err(|fault| Malformed(fault.to_string()))?;
    if answer.raw("output").is_none_or(|output| !output.starts_with('[')) {
        return Err(Malformed("it has no `output`".to_owned()));
    }
    Ok(answer)
}

pub(super) fn is_call(part: &Part<'_>) -> bool {
    matches!(part.kind, Kind::ToolCall(_))
}

fn length(part: &Part<'_>) -> u64 {
    let text = match &part.kind {
        Kind::Text(text) | Kind::Refusal(text) | Kind::Thinking { text, .. } => text,
        Kind::ToolCall(call) => &call.arguments,
        _ => return 0,
    };
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

/// The model that a response object names.
pub(super) fn model<'a>(response: &Fields<'a>) -> Option<std::borrow::Cow<'a, str>> {
    response.text("model").filter(|model| !model.is_empty())
}

/// Why a response ended; `None`: it did not, or failed.
pub(super) fn finish(response: &Fields<'_>, has_calls: bool) -> Option<FinishReason> {
    let details = response.object("incomplete_details").unwrap_or_default();
    match response.text("status").as_deref() {
        Some("failed" | "cancelled" | "in_progress" | "queued") => None,
        Some("incomplete") => Some(match details.text("reason").as_deref() {
            Some("content_filter") => FinishReason::ContentFilter,
            _ => FinishReason::Length,
        }),
        _ => Some(finish_with(FinishReason::Stop, has_calls)),
    }
}

/// Reads model, usage and tier of a response object; the end is left to [`finish`].
pub(super) fn read_response(response: &Fields<'_>, report: &mut Report) {
    if report.model.is_none() {
        report.model = model(response).map(Into::into);
    }
    if let Some(tier) = response.text("service_tier") {
        report.service_tier = usage::service_tier(tier.as_bytes());
    }
    if let Some(found) = response.object("usage") {
        report.usage = usage::openai(&found, false).or(report.usage);
        report.stated_cost = usage::stated_cost(&found).or(report.stated_cost);
    }
}

/// Reads an item of the output.
pub(super) fn read_item<'a>(item: &Fields<'a>, parts: &mut Vec<Part<'a>>) {
    let part = |kind| Part::new(String::new(), kind);
    match item.text("type").as_deref() {
        Some("message") => {
            for content in item.elements("content").into_iter().filter_map(Fields::of) {
                let kind = match (content.text("text"), content.text("refusal")) {
                    (Some(text), _) => Kind::Text(text),
                    (None, Some(refusal)) => Kind::Refusal(refusal),
                    (None, None) => continue,
                };
                parts.extend(Some(part(kind)).filter(|part| !part.is_empty()));
            }
        }
        Some("function_call" | CUSTOM) => parts.extend(read_call(item).map(Kind::ToolCall).map(part)),
        Some("reasoning") => match carried::read(item) {
            Reasoned::Nothing => {}
            Reasoned::Part(kind, state) => {
                let mut part = part(kind);
                part.state = state;
                parts.push(part);
            }
            Reasoned::Beside(state, call) => {
                let is_owner = |part: &&mut Part<'_>| match (&call, &part.kind) {
                    (Some(id), Kind::ToolCall(call)) => *call.id == **id,
                    (Some(_), _) => false,
                    (None, _) => state.of != Dialect::Responses,
                };
                if let Some(owner) = parts.iter_mut().rev().find(is_owner) {
                    owner.state = Some(state);
                }
            }
        },
        _ => {}
    }
}

/// A call; its `id` names the item, `call_id` the call.
pub(super) fn read_call<'a>(item: &Fields<'a>) -> Option<Call<'a>> {
    let filled = |name: &str| item.text(name).filter(|text| !text.is_empty());
    Some(Call {
        id: filled("call_id").or_else(|| filled("id")).unwrap_or_default(),
        name: item.text("name")?,
        arguments: match item.text("type").as_deref() {
            Some(CUSTOM) => custom::arguments(&item.text("input").unwrap_or_default()).into(),
            _ => crate::openai::answer::arguments(item).unwrap_or_default(),
        },
    })
}

//! A Cohere chat answer, read into the canonical model. Citations, for which other dialects have no place, are left
//! out.

use tollgate_core::OutcomeClass;

use super::usage;
use crate::chat::answer::{ChatAnswer, Choice, End};
use crate::chat::{Call, Kind, Part};
use crate::json::{Fields, keys};
use crate::openai::answer::{arguments, read_content};
use crate::passthrough::fault_of;
use crate::report::{Malformed, Report, StreamFault};

/// Reads an answer.
pub(crate) fn read(body: &[u8]) -> Result<ChatAnswer<'_>, Malformed> {
    let answer = Fields::parse(body).map_err(|fault| Malformed(fault.to_string()))?;
    let message = answer
        .object("message")
        .ok_or_else(|| Malformed("it has no `message`".to_owned()))?;
    let mut parts = Vec::new();
    if let Some(text) = message.text("tool_plan").filter(|text| !text.is_empty()) {
        let signature = None;
        parts.push(Part::new(String::new(), Kind::Thinking { text, signature }));
    }
    if let Some(content) = message.raw("content") {
        read_content(content, &mut parts);
    }
    parts.retain(|part| !part.is_empty());
    let calls = message.elements("tool_calls").into_iter().filter_map(read_call);
    parts.extend(calls.map(|call| Part::new(String::new(), Kind::ToolCall(call))));
    let finish = answer.text("finish_reason");
    let end = End {
        finish: finish.and_then(|word| usage::finish(&word)),
        ..End::default()
    };
    Ok(ChatAnswer {
        model: answer.text("model").filter(|model| !model.is_empty()),
        choices: vec![Choice { parts, end }],
    })
}

fn read_call(json: &str) -> Option<Call<'_>> {
    let call = Fields::of(json)?;
    let function = call.object("function")?;
    Some(Call {
        id: call.text("id").unwrap_or_default(),
        name: function.text("name")?,
        arguments: arguments(&function).unwrap_or_default(),
    })
}

/// What an answer tells of itself.
pub(crate) fn report(body: &[u8]) -> Result<Report, Malformed> {
    let answer = Fields::parse(body).map_err(|fault| Malformed(fault.to_string()))?;
    let mut report = Report {
        complete: true,
        ..Report::default()
    };
    let Some(message) = answer.object("message") else {
        if answer.text("message").is_some() || answer.raw("error").is_some() {
            report.error = Some(fault_of(body));
            return Ok(report);
        }
        return Err(Malformed("it has no `message`".to_owned()));
    };
    for said in ["content", "tool_plan", "tool_calls"] {
        if let Some(json) = message.raw(said) {
            scan(said, json, &mut report);
        }
    }
    report.model = answer
        .text("model")
        .filter(|model| !model.is_empty())
        .map(Into::into);
    read_end(&answer, &mut report);
    Ok(report)
}

/// Usage and finish, or the error in their place: of an answer, and of the event that ends a stream.
pub(crate) fn read_end(from: &Fields<'_>, report: &mut Report) {
    if let Some(found) = from.object("usage") {
        report.usage = usage::counted(&found).or(report.usage);
        report.billed = usage::billed(&found).or(report.billed);
    }
    let word = from.text("finish_reason").unwrap_or_default();
    report.finish = usage::finish(&word).or(report.finish);
    let said = from.text("error").filter(|error| !error.is_empty());
    if usage::is_failure(&word) || (said.is_some() && word.is_empty()) {
        report.error = Some(fault(said.as_deref(), &word));
    }
}

/// The fault of an answer that ended with `word`.
fn fault(said: Option<&str>, word: &str) -> StreamFault {
    let told = if word == "TIMEOUT" {
        "the provider took too long to generate the answer"
    } else {
        "the provider failed to generate the answer"
    };
    let words = said.map(|said| {
        let mut body = Vec::new();
        crate::chat::write::object(&mut body, |o| o.text("message", said).end());
        fault_of(&body)
    });
    words.unwrap_or_else(|| StreamFault {
        class: OutcomeClass::StreamError,
        message: told.into(),
    })
}

/// Counts text, thoughts and arguments in `json`, the value of the field `name`; notes that a tool is called.
pub(crate) fn scan(name: &str, json: &str, report: &mut Report) {
    let mut count = |inside: &[u8]| {
        let length = length(inside);
        report.output_bytes = report.output_bytes.saturating_add(length);
        report.has_content |= length > 0;
    };
    if let Some(inside) = json
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .filter(|_| matches!(name, "content" | "tool_plan"))
    {
        return count(inside.as_bytes());
    }
    for key in keys(json.as_bytes()) {
        if matches!(key.name, b"text" | b"thinking" | b"tool_plan" | b"arguments") {
            count(key.string().unwrap_or_default());
        }
    }
    report.has_content |= name == "tool_calls" && json.contains("\"function\"");
}

/// About the length of a string whose inside this is: each escape is taken for one byte less.
fn length(inside: &[u8]) -> u64 {
    let escapes = memchr::memchr_iter(b'\\', inside).count();
    u64::try_from(inside.len().saturating_sub(escapes)).unwrap_or(u64::MAX)
}

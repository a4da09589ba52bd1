//! A generateContent answer, read into the canonical model. What other dialects have no place for (Google's own
//! tools, grounding, images that the model made) is left out.

use std::borrow::Cow;

use super::observe::GeminiObserver;
use super::parts::own;
use super::response::{Candidate, Response};
use crate::chat::answer::{ChatAnswer, Choice};
use crate::chat::{Call, Kind, Part};
use crate::json::{self, Fields};
use crate::report::{Malformed, Report};

/// Reads an answer.
pub(crate) fn read(body: &[u8]) -> Result<ChatAnswer<'_>, Malformed> {
    let answer = Response::parse(body).map_err(|fault| Malformed(fault.to_string()))?;
    let mut choices: Vec<_> = answer.candidates.iter().map(read_candidate).collect();
    if choices.is_empty() {
        let end = answer
            .blocked()
            .ok_or_else(|| Malformed("it has no `candidates`".to_owned()))?;
        let parts = Vec::new();
        choices.push(Choice { parts, end });
    }
    Ok(ChatAnswer {
        model: answer.model(),
        choices,
    })
}

/// What an answer tells: usage, end, errors.
pub(crate) fn report(body: &[u8]) -> Result<Report, Malformed> {
    let text = std::str::from_utf8(body).map_err(|fault| Malformed(fault.to_string()))?;
    // Vertex puts errors into an array.
    let is_array = text.trim_start().starts_with('[');
    let first = json::elements(text).first().copied().filter(|_| is_array);
    let answer =
        Response::parse(first.unwrap_or(text).as_bytes()).map_err(|fault| Malformed(fault.to_string()))?;
    let is_answer = !answer.candidates.is_empty() || answer.blocked().is_some();
    if !is_answer && answer.fields.raw("error").is_none() {
        return Err(Malformed("it has no `candidates`".to_owned()));
    }
    let mut report = GeminiObserver::read_whole(&answer, body);
    report.complete = true;
    Ok(report)
}

fn read_candidate<'a>(candidate: &Candidate<'a>) -> Choice<'a> {
    let mut parts: Vec<Part<'a>> = Vec::new();
    for fields in &candidate.parts {
        let state = signature(fields).map(own);
        match read_part(fields) {
            Some(mut part) if !part.is_empty() => {
                part.state = state;
                parts.push(part);
            }
            _ => {
                let Some(state) = state else { continue };
                // A signature alone belongs to what was said last.
                if let Some(last) = parts.last_mut().filter(|last| last.state.is_none()) {
                    last.state = Some(state);
                } else {
                    let text = Cow::Borrowed("");
                    let signature = None;
                    let mut part = Part::new(String::new(), Kind::Thinking { text, signature });
                    part.state = Some(state);
                    parts.push(part);
                }
            }
        }
    }
    let has_calls = parts.iter().any(|part| matches!(part.kind, Kind::ToolCall(_)));
    let end = candidate.end(has_calls);
    Choice { parts, end }
}

/// `thoughtSignature`.
pub(crate) fn signature<'a>(part: &Fields<'a>) -> Option<Cow<'a, str>> {
    part.text("thoughtSignature").filter(|text| !text.is_empty())
}

/// A part that other dialects have, too.
pub(crate) fn read_part<'a>(part: &Fields<'a>) -> Option<Part<'a>> {
    let kind = if let Some(call) = part.object("functionCall") {
        Kind::ToolCall(Call {
            id: call.text("id").unwrap_or_default(),
            name: call.text("name")?,
            arguments: Cow::Borrowed(call.raw("args").unwrap_or("{}")),
        })
    } else {
        let text = part.text("text")?;
        match part.raw("thought") {
            Some("true") if text.is_empty() => return None,
            Some("true") => Kind::Thinking {
                text,
                signature: None,
            },
            _ => Kind::Text(text),
        }
    };
    Some(Part::new(String::new(), kind))
}

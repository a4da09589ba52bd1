//! A Chat Completions answer, read into the canonical model. What is not as it should be is taken as it can be.

use std::borrow::Cow;

use super::messages::thoughts;
use crate::chat::answer::{ChatAnswer, Choice, End};
use crate::chat::{Call, Kind, Part};
use crate::json::{self, Fields};
use crate::report::Malformed;
use crate::usage::openai_finish;

/// Reads an answer.
pub(crate) fn read(body: &[u8]) -> Result<ChatAnswer<'_>, Malformed> {
    let answer = Fields::parse(body).map_err(|fault| Malformed(fault.to_string()))?;
    let choices: Vec<_> = answer
        .elements("choices")
        .into_iter()
        .filter_map(|choice| Some(read_choice(&Fields::of(choice)?)))
        .collect();
    if choices.is_empty() {
        return Err(Malformed("it has no `choices`".to_owned()));
    }
    Ok(ChatAnswer {
        model: answer.text("model").filter(|model| !model.is_empty()),
        choices,
    })
}

fn read_choice<'a>(choice: &Fields<'a>) -> Choice<'a> {
    let message = choice.object("message").unwrap_or_default();
    let mut parts = Vec::new();
    read_thoughts(&message, &mut parts);
    if let Some(content) = message.raw("content") {
        read_content(content, &mut parts);
    }
    if let Some(refusal) = message.text("refusal").filter(|refusal| !refusal.is_empty()) {
        parts.push(part(Kind::Refusal(refusal)));
    }
    for call in message.elements("tool_calls") {
        parts.extend(
            Fields::of(call)
                .and_then(|call| read_call(&call))
                .map(Kind::ToolCall)
                .map(part),
        );
    }
    if let Some(function) = message.object("function_call") {
        parts.extend(
            read_function(&function, Cow::Borrowed(""))
                .map(Kind::ToolCall)
                .map(part),
        );
    }
    let finish = choice.text("finish_reason").and_then(|word| openai_finish(&word));
    let end = End {
        finish,
        ..End::default()
    };
    Choice { parts, end }
}

fn part(kind: Kind<'_>) -> Part<'_> {
    Part::new(String::new(), kind)
}

fn read_thoughts<'a>(message: &Fields<'a>, parts: &mut Vec<Part<'a>>) {
    for block in message.elements("thinking_blocks") {
        let Some(block) = Fields::of(block) else { continue };
        parts.push(part(match block.text("data") {
            Some(data) => Kind::RedactedThinking(data),
            None => Kind::Thinking {
                text: block.text("thinking").unwrap_or_default(),
                signature: block.text("signature"),
            },
        }));
    }
    if !parts.is_empty() {
        return;
    }
    let text = reasoning(message);
    let signature = None;
    parts.extend(text.map(|text| part(Kind::Thinking { text, signature })));
}

/// The reasoning of a message or delta, under either of its names.
pub(crate) fn reasoning<'a>(message: &Fields<'a>) -> Option<Cow<'a, str>> {
    let filled = |name: &str| message.text(name).filter(|text| !text.is_empty());
    filled("reasoning_content").or_else(|| filled("reasoning"))
}

/// A string, or parts with text and thoughts in them.
pub(crate) fn read_content<'a>(content: &'a str, parts: &mut Vec<Part<'a>>) {
    if let Some(text) = json::text(content) {
        if !text.is_empty() {
            parts.push(part(Kind::Text(text)));
        }
        return;
    }
    for element in json::elements(content) {
        let Some(fields) = Fields::of(element) else {
            continue;
        };
        let kind = match fields.raw("thinking").and_then(thoughts) {
            Some(text) => Kind::Thinking {
                text,
                signature: None,
            },
            None => match (fields.text("text"), fields.text("refusal")) {
                (Some(text), _) => Kind::Text(text),
                (None, Some(refusal)) => Kind::Refusal(refusal),
                (None, None) => continue,
            },
        };
        parts.push(part(kind));
    }
}

fn read_call<'a>(call: &Fields<'a>) -> Option<Call<'a>> {
    let id = call.text("id").unwrap_or_default();
    read_function(&call.object("function")?, id)
}

fn read_function<'a>(function: &Fields<'a>, id: Cow<'a, str>) -> Option<Call<'a>> {
    Some(Call {
        id,
        name: function.text("name")?,
        arguments: arguments(function).unwrap_or_default(),
    })
}

/// Arguments: a string of JSON, or the JSON itself.
pub(crate) fn arguments<'a>(function: &Fields<'a>) -> Option<Cow<'a, str>> {
    let json = function.raw("arguments")?;
    Some(json::text(json).unwrap_or(Cow::Borrowed(json)))
}

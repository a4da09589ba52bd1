//! OpenAI's Responses: answers as lists of items, streams that number their events. Errors are those of OpenAI's chats.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::json;

use super::super::answer::{Answer, Finish, LONGEST_TOKENS, Tokens};
use super::super::ask::Ask;
use super::super::behaviour::Failure;
use super::super::script::{Pieces, Run, Script, Wrapping, quoted};
use super::openai::{CREATED, error_object};

/// The body of an answer that is no stream.
pub(crate) fn body(ask: &Ask, answer: &Answer) -> Bytes {
    let mut items = Vec::new();
    if answer.thinking_tokens > 0 {
        items.push(reasoning(answer, Some(&answer.thinking_text())));
    }
    let text = answer.text();
    items.push(item(answer, Some(&text)));
    response(ask, answer, &Stage::Ended(items.join(","))).into()
}

/// How far a response has come.
enum Stage {
    InProgress,
    /// With these items.
    Ended(String),
}

/// The response itself.
fn response(ask: &Ask, answer: &Answer, stage: &Stage) -> String {
    let (id, model) = (&answer.id, quoted(&ask.model));
    let (status, details) = match (stage, answer.finish) {
        (Stage::InProgress, _) => ("in_progress", "null"),
        (Stage::Ended(_), Finish::Length) => ("incomplete", r#"{"reason":"max_output_tokens"}"#),
        (Stage::Ended(_), Finish::Stop | Finish::ToolCall) => ("completed", "null"),
    };
    let (output, usage) = match stage {
        Stage::InProgress => ("", None),
        Stage::Ended(items) => (items.as_str(), answer.usage.as_ref()),
    };
    let limit = ask
        .max_tokens
        .map_or("null".to_owned(), |limit| limit.to_string());
    let mut out = format!(
        r#"{{"id":"resp_{id}","object":"response","created_at":{CREATED},"status":"{status}","background":false,"error":null,"incomplete_details":{details},"instructions":null,"max_output_tokens":{limit},"model":{model},"output":[{output}],"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{{"effort":null,"summary":null}},"service_tier":"default","store":true,"temperature":1.0,"text":{{"format":{{"type":"text"}}}},"tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled","usage":"#
    );
    match usage {
        Some(usage) => write_usage(&mut out, usage),
        None => out.push_str("null"),
    }
    out.push_str(r#","user":null,"metadata":{}}"#);
    out
}

fn write_usage(out: &mut String, usage: &Tokens) {
    let Tokens {
        prompt,
        cached,
        output,
        reasoning,
        ..
    } = usage;
    let total = prompt.saturating_add(*output);
    let _infallible = write!(
        out,
        r#"{{"input_tokens":{prompt},"input_tokens_details":{{"cached_tokens":{cached}}},"output_tokens":{output},"output_tokens_details":{{"reasoning_tokens":{reasoning}}},"total_tokens":{total}}}"#
    );
}

/// The item of the reasoning. `summary`: `None` as long as there is none.
fn reasoning(answer: &Answer, summary: Option<&str>) -> String {
    let summary = summary.map_or_else(String::new, summary_part);
    format!(
        r#"{{"id":"rs_{}","type":"reasoning","summary":[{summary}]}}"#,
        answer.id
    )
}

fn summary_part(text: &str) -> String {
    format!(r#"{{"type":"summary_text","text":{}}}"#, quoted(text))
}

/// The item of the text, or of the call. `text`: `None` as long as there is none.
fn item(answer: &Answer, text: Option<&str>) -> String {
    let status = match (text, answer.finish) {
        (None, _) => "in_progress",
        (Some(_), Finish::Length) => "incomplete",
        (Some(_), Finish::Stop | Finish::ToolCall) => "completed",
    };
    let id = &answer.id;
    match &answer.tool {
        None => {
            let content = text.map_or_else(String::new, text_part);
            format!(
                r#"{{"id":"msg_{id}","type":"message","status":"{status}","content":[{content}],"role":"assistant"}}"#
            )
        }
        Some(name) => {
            let (name, arguments) = (quoted(name), quoted(text.unwrap_or_default()));
            format!(
                r#"{{"id":"fc_{id}","type":"function_call","status":"{status}","arguments":{arguments},"call_id":"call_{id}0","name":{name}}}"#
            )
        }
    }
}

fn text_part(text: &str) -> String {
    format!(
        r#"{{"type":"output_text","annotations":[],"logprobs":[],"text":{}}}"#,
        quoted(text)
    )
}

/// The frames of a streamed answer, in the order OpenAI sends them.
pub(crate) fn stream(ask: &Ask, answer: &Answer) -> Script {
    let mut script = Script::default();
    for kind in ["response.created", "response.in_progress"] {
        let response = response(ask, answer, &Stage::InProgress);
        event(&mut script, kind, &format!(r#""response":{response}"#));
    }
    let mut done = Vec::new();
    if answer.thinking_tokens > 0 {
        done.push(reason(&mut script, answer));
    }
    let at = At {
        item: match &answer.tool {
            None => format!("msg_{}", answer.id),
            Some(_) => format!("fc_{}", answer.id),
        },
        index: done.len(),
    };
    let index = at.index;
    let begun = item(answer, None);
    event(
        &mut script,
        "response.output_item.added",
        &format!(r#""output_index":{index},"item":{begun}"#),
    );
    let parts = match &answer.tool {
        None => Parts::TEXT,
        Some(_) => Parts::CALL,
    };
    let text = (&answer.pieces, answer.tokens);
    if !parts.send(&mut script, &at, text, answer) {
        return script;
    }
    let ended = item(answer, Some(&answer.text()));
    event(
        &mut script,
        "response.output_item.done",
        &format!(r#""output_index":{index},"item":{ended}"#),
    );
    done.push(ended);
    let kind = match answer.finish {
        Finish::Length => "response.incomplete",
        Finish::Stop | Finish::ToolCall => "response.completed",
    };
    let response = response(ask, answer, &Stage::Ended(done.join(",")));
    event(&mut script, kind, &format!(r#""response":{response}"#));
    script
}

/// Sends the item of the reasoning; gives it back.
fn reason(script: &mut Script, answer: &Answer) -> String {
    let at = At {
        item: format!("rs_{}", answer.id),
        index: 0,
    };
    let begun = reasoning(answer, None);
    event(
        script,
        "response.output_item.added",
        &format!(r#""output_index":0,"item":{begun}"#),
    );
    let text = (&answer.thinking, answer.thinking_tokens);
    Parts::SUMMARY.send(script, &at, text, answer);
    let ended = reasoning(answer, Some(&answer.thinking_text()));
    event(
        script,
        "response.output_item.done",
        &format!(r#""output_index":0,"item":{ended}"#),
    );
    ended
}

/// Where an event belongs.
struct At {
    item: String,
    index: usize,
}

/// The words for the pieces of one kind of item.
struct Parts {
    /// The part in which the text stands, if it stands in one.
    part: Option<Part>,
    /// The beginning of the names of the events with text.
    text: &'static str,
    /// The member in which the whole text stands.
    whole: &'static str,
}

/// The words for a part.
#[derive(Clone, Copy)]
struct Part {
    /// The beginning of its events' names.
    name: &'static str,
    /// The member that numbers it.
    number: &'static str,
    written: fn(&str) -> String,
}

impl Parts {
    const TEXT: Self = Self {
        part: Some(Part {
            name: "response.content_part",
            number: "content_index",
            written: text_part,
        }),
        text: "response.output_text",
        whole: "text",
    };
    const SUMMARY: Self = Self {
        part: Some(Part {
            name: "response.reasoning_summary_part",
            number: "summary_index",
            written: summary_part,
        }),
        text: "response.reasoning_summary_text",
        whole: "text",
    };
    const CALL: Self = Self {
        part: None,
        text: "response.function_call_arguments",
        whole: "arguments",
    };

    /// Sends the text of an item, piece by piece and then whole. False: it does not end.
    fn send(&self, script: &mut Script, at: &At, (pieces, tokens): (&Pieces, u64), answer: &Answer) -> bool {
        let mut place = format!(r#""item_id":"{}","output_index":{}"#, at.item, at.index);
        if let Some(Part {
            name,
            number,
            written,
        }) = self.part
        {
            let _infallible = write!(place, r#","{number}":0"#);
            let empty = written("");
            event(
                script,
                &format!("{name}.added"),
                &format!(r#"{place},"part":{empty}"#),
            );
        }
        let kind = format!("{}.delta", self.text);
        script.run(Run {
            heads: vec![format!("event: {kind}\ndata: {{\"type\":\"{kind}\",{place},\"delta\":\"").into()],
            tail: Bytes::from_static(b"\",\"sequence_number\":"),
            pieces: pieces.clone(),
            tokens,
            tokens_per_frame: answer.tokens_per_frame,
            wrapping: Wrapping::Numbered {
                first: script.frames(),
                end: "}\n\n",
            },
        });
        if tokens > LONGEST_TOKENS {
            return false;
        }
        let text = pieces.text(tokens);
        let (whole, said) = (self.whole, quoted(&text));
        event(
            script,
            &format!("{}.done", self.text),
            &format!(r#"{place},"{whole}":{said}"#),
        );
        if let Some(Part { name, written, .. }) = self.part {
            let part = written(&text);
            event(
                script,
                &format!("{name}.done"),
                &format!(r#"{place},"part":{part}"#),
            );
        }
        true
    }
}

/// Adds an event, with its number: that of the frames before it.
fn event(script: &mut Script, kind: &str, members: &str) {
    let number = script.frames();
    script.frame(format!(
        "event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{number},{members}}}\n\n"
    ));
}

/// The answer of `input_tokens`.
pub(crate) fn token_count(tokens: u64) -> Bytes {
    json!({ "object": "response.input_tokens", "input_tokens": tokens })
        .to_string()
        .into()
}

/// The error event of a stream, after so many others.
pub(crate) fn error_frame(failure: &Failure, number: u64) -> Bytes {
    let error = error_object(failure);
    format!("event: error\ndata: {{\"type\":\"error\",\"sequence_number\":{number},\"error\":{error}}}\n\n")
        .into()
}

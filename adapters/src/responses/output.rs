//! The response object that is made anew, and the items in it.

use tollgate_core::{FinishReason, Usage};

use super::answer::CUSTOM;
use crate::chat::custom::InputReader;
use crate::chat::made::Made;
use crate::chat::write::{Array, Object, object};
use crate::json::Balance;

/// An item of the output.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) kind: ItemKind,
    /// It cannot grow any more.
    pub(super) is_done: bool,
}

#[derive(Debug, Clone)]
pub(super) enum ItemKind {
    Message(Vec<Said>),
    Thoughts {
        text: String,
        encrypted: Option<String>,
    },
    Call {
        id: String,
        name: Box<str>,
        arguments: String,
        /// How far the arguments have come, where they come in pieces.
        json: Balance,
    },
    /// A call of a custom tool.
    Custom {
        id: String,
        name: Box<str>,
        /// The text so far.
        input: String,
        /// What reads it out of the arguments.
        reader: InputReader,
    },
}

/// A part of a message.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) kind: SaidKind,
    pub(super) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SaidKind {
    Text,
    Refusal,
}

impl SaidKind {
    /// Its name in the names of events, and the field that holds its words.
    pub(super) const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Text => ("output_text", "text"),
            Self::Refusal => ("refusal", "refusal"),
        }
    }
}

impl Item {
    /// An item that begins; `number` is its place in the output.
    pub(super) fn new(made: &Made, number: usize, kind: ItemKind) -> Self {
        let prefix = match kind {
            ItemKind::Message(_) => "msg_",
            ItemKind::Thoughts { .. } => super::carried::ITEM_PREFIX,
            ItemKind::Call { .. } => "fc_",
            ItemKind::Custom { .. } => "ctc_",
        };
        Self {
            id: made.call_id(prefix, number),
            kind,
            is_done: false,
        }
    }

    /// Whether it goes on while others begin: a call does, until its arguments are complete.
    pub(super) fn can_grow(&self) -> bool {
        !self.is_done
            && match &self.kind {
                ItemKind::Call { json, .. } => !json.is_complete(),
                ItemKind::Custom { reader, .. } => !reader.is_complete(),
                ItemKind::Message(_) | ItemKind::Thoughts { .. } => false,
            }
    }

    /// Writes the item with what it has so far; a message that has only begun has nothing.
    pub(super) fn write(&self, o: &mut Object<'_>, status: &str) {
        o.text("id", &self.id);
        match &self.kind {
            ItemKind::Message(said) => {
                o.text("type", "message").text("status", status);
                o.array("content", |a| {
                    for said in said {
                        a.object(|o| said.write(o, &said.text));
                    }
                });
                o.text("role", "assistant");
            }
            ItemKind::Thoughts { text, encrypted } => {
                o.text("type", "reasoning");
                o.array("summary", |a| {
                    if !text.is_empty() {
                        a.object(|o| write_summary(o, text));
                    }
                });
                if let Some(encrypted) = encrypted {
                    o.text("encrypted_content", encrypted);
                }
            }
            ItemKind::Call {
                id, name, arguments, ..
            } => {
                o.text("type", "function_call").text("status", status);
                o.text("arguments", arguments).text("call_id", id);
                o.text("name", name);
            }
            ItemKind::Custom { id, name, input, .. } => {
                o.text("type", CUSTOM).text("status", status);
                o.text("call_id", id).text("input", input);
                o.text("name", name);
            }
        }
    }
}

/// Writes a part of a summary.
pub(super) fn write_summary(o: &mut Object<'_>, text: &str) {
    o.text("type", "summary_text").text("text", text);
}

impl Said {
    /// Writes the part with this text.
    pub(super) fn write(&self, o: &mut Object<'_>, text: &str) {
        let (kind, field) = self.kind.names();
        o.text("type", kind);
        if self.kind == SaidKind::Text {
            o.raw("annotations", "[]").raw("logprobs", "[]");
        }
        o.text(field, text);
    }
}

/// How far a response has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status<'s> {
    InProgress,
    Completed,
    /// Why.
    Incomplete(&'static str),
    /// The code and the words.
    Failed(&'s str, &'s str),
}

impl Status<'_> {
    /// The status of a response that ended so.
    pub(super) const fn of(finish: FinishReason) -> Self {
        match finish {
            FinishReason::Length => Self::Incomplete("max_output_tokens"),
            FinishReason::ContentFilter => Self::Incomplete("content_filter"),
            FinishReason::Stop
            | FinishReason::StopSequence
            | FinishReason::ToolCalls
            | FinishReason::Paused => Self::Completed,
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed(..) => "failed",
        }
    }
}

/// Writes a response object: `output` writes its items. What the client said is not repeated, but for what client
/// SDKs demand.
pub(super) fn write_response(
    o: &mut Object<'_>,
    made: &Made,
    model: &str,
    status: Status<'_>,
    usage: Option<&Usage>,
    output: impl FnOnce(&mut Array<'_>),
) {
    let now = made.now.unix_seconds();
    o.text("id", &made.call_id("resp_", 0)).text("object", "response");
    o.plain("created_at", now).text("status", status.word());
    o.plain("background", false);
    match status {
        Status::Completed => o.plain("completed_at", now).end(),
        _ => o.raw("completed_at", "null").end(),
    }
    match status {
        Status::Failed(code, message) => {
            o.object("error", |o| o.text("code", code).text("message", message).end());
        }
        _ => o.raw("error", "null").end(),
    }
    match status {
        Status::Incomplete(reason) => {
            o.object("incomplete_details", |o| o.text("reason", reason).end());
        }
        _ => o.raw("incomplete_details", "null").end(),
    }
    for name in ["instructions", "max_output_tokens", "max_tool_calls"] {
        o.raw(name, "null");
    }
    o.text("model", model).array("output", output);
    o.plain("parallel_tool_calls", true);
    o.raw("previous_response_id", "null");
    o.raw("reasoning", r#"{"effort":null,"summary":null}"#);
    o.plain("store", false).raw("temperature", "null");
    o.raw("text", r#"{"format":{"type":"text"}}"#);
    o.text("tool_choice", "auto").raw("tools", "[]");
    o.raw("top_p", "null").text("truncation", "disabled");
    match usage {
        Some(usage) => object(o.key("usage"), |o| write_usage(o, usage)),
        None => o.raw("usage", "null").end(),
    }
    o.raw("user", "null").raw("metadata", "{}");
}

/// Writes the fields of `usage`: here totals include their parts.
fn write_usage(o: &mut Object<'_>, usage: &Usage) {
    o.plain("input_tokens", usage.prompt_total());
    o.object("input_tokens_details", |o| {
        let written = usage.cache_write.saturating_add(usage.cache_write_1h);
        o.plain("cached_tokens", usage.cache_read);
        o.plain("cache_write_tokens", written);
    });
    o.plain("output_tokens", usage.output_total());
    o.object("output_tokens_details", |o| {
        o.plain("reasoning_tokens", usage.reasoning).end();
    });
    o.plain("total_tokens", usage.total());
}

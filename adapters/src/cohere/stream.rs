//! A stream of Cohere's chat events, read piece by piece.

use std::borrow::Cow;

use super::usage;
use crate::chat::answer::{End, Piece};
use crate::json::Fields;
use crate::openai::answer::arguments;
use crate::sse::Event;

/// More calls than this in one answer are not told apart.
const MOST_CALLS: usize = 1024;

/// Reads events.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    has_started: bool,
    /// The index of each call that has begun; its position is its number.
    calls: Vec<u64>,
}

/// The type of an event: what its data says, else its name.
pub(crate) fn kind_of<'a>(fields: &Fields<'a>, event: &Event<'a>) -> Cow<'a, str> {
    let kind = fields.text("type");
    kind.or_else(|| event.name.map(Cow::Borrowed)).unwrap_or_default()
}

/// Whether it is the closing word that Cohere sends behind `message-end`, mostly.
pub(crate) fn is_done(event: &Event<'_>) -> bool {
    event.data.trim_ascii() == b"[DONE]"
}

impl EventReader {
    /// Takes an event in, and hands out what it says.
    pub(crate) fn read(&mut self, event: &Event<'_>, each: &mut dyn FnMut(Piece<'_>)) {
        // The closing word says nothing: an answer ends with `message-end`, or it was cut.
        let Ok(fields) = Fields::parse(event.data) else {
            return;
        };
        let delta = fields.object("delta").unwrap_or_default();
        let message = delta.object("message").unwrap_or_default();
        match &*kind_of(&fields, event) {
            "message-start" if !self.has_started => {
                self.has_started = true;
                let model = fields.text("model").filter(|model| !model.is_empty());
                each(Piece::Start { model });
            }
            "content-start" | "content-delta" => {
                let content = message.object("content").unwrap_or_default();
                let filled = |name: &str| content.text(name).filter(|text| !text.is_empty());
                filled("thinking")
                    .map(Piece::Thinking)
                    .into_iter()
                    .for_each(&mut *each);
                filled("text").map(Piece::Text).into_iter().for_each(each);
            }
            "tool-plan-delta" => {
                let plan = message.text("tool_plan").filter(|plan| !plan.is_empty());
                plan.map(Piece::Thinking).into_iter().for_each(each);
            }
            "tool-call-start" => self.start(fields.count("index"), &message, each),
            "tool-call-delta" => {
                let call = self.number(fields.count("index"));
                let function = call_of(&message).object("function").unwrap_or_default();
                let json = arguments(&function).filter(|json| !json.is_empty());
                if let (Some(call), Some(json)) = (call, json) {
                    each(Piece::Arguments { call, json });
                }
            }
            "message-end" => {
                let word = delta.text("finish_reason").unwrap_or_default();
                if usage::is_failure(&word) {
                    return;
                }
                if let Some(finish) = usage::finish(&word) {
                    let finish = Some(finish);
                    each(Piece::Finish(End {
                        finish,
                        ..End::default()
                    }));
                }
                each(Piece::Done);
            }
            _ => {}
        }
    }

    fn start(&mut self, index: Option<u64>, message: &Fields<'_>, each: &mut dyn FnMut(Piece<'_>)) {
        if self.calls.len() >= MOST_CALLS {
            return;
        }
        let call = self.calls.len();
        self.calls.push(index.unwrap_or(u64::MAX));
        let begun = call_of(message);
        let function = begun.object("function").unwrap_or_default();
        each(Piece::Call {
            call,
            id: begun.text("id").unwrap_or_default(),
            name: function.text("name").unwrap_or_default(),
        });
        if let Some(json) = arguments(&function).filter(|json| !json.is_empty()) {
            each(Piece::Arguments { call, json });
        }
    }

    /// The number of the call with this index: of the last one that began with it, or of the last one at all.
    fn number(&self, index: Option<u64>) -> Option<usize> {
        match index {
            Some(index) => self.calls.iter().rposition(|known| *known == index),
            None => self.calls.len().checked_sub(1),
        }
    }
}

/// The call of an event: an object, or the only one in a list.
fn call_of<'a>(message: &Fields<'a>) -> Fields<'a> {
    let list = || Fields::of(message.elements("tool_calls").first()?);
    message.object("tool_calls").or_else(list).unwrap_or_default()
}

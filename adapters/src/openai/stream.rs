//! A stream of chat completion chunks, read piece by piece.
//!
//! Servers differ most in tool calls: without an index, an id or a type; the whole call at once; arguments as an
//! object; the name in every fragment; one index for two calls. A call begins with a name and an id that its
//! index does not have yet; everything else continues one.

use std::borrow::Cow;

use super::answer::{arguments, read_content, reasoning};
use crate::chat::Kind;
use crate::chat::answer::{End, Piece};
use crate::json::{self, Fields};
use crate::sse::Event;
use crate::usage::openai_finish;

/// More calls than this in one answer are not told apart.
const MOST_CALLS: usize = 1024;

/// Reads chunks.
#[derive(Debug, Default)]
pub(crate) struct ChunkReader {
    /// The index of the choice that is read.
    choice: u64,
    has_started: bool,
    /// Whether thoughts have come that await their proof.
    has_thought: bool,
    calls: Vec<Known>,
}

/// A call that has begun; its position is its number.
#[derive(Debug)]
struct Known {
    index: Option<u64>,
    id: Option<Box<str>>,
    is_named: bool,
}

impl ChunkReader {
    /// One that reads another than the first choice.
    pub(crate) fn of_choice(choice: u64) -> Self {
        Self {
            choice,
            ..Self::default()
        }
    }

    /// Takes an event in, and hands out what it says.
    pub(crate) fn read(&mut self, event: &Event<'_>, each: &mut dyn FnMut(Piece<'_>)) {
        if event.data.trim_ascii() == b"[DONE]" {
            return each(Piece::Done);
        }
        let Ok(chunk) = Fields::parse(event.data) else {
            return;
        };
        let choices = chunk.raw("choices").map(json::elements).unwrap_or_default();
        let choices = choices.into_iter().filter_map(Fields::of);
        if !self.has_started {
            let model = chunk.text("model").filter(|model| !model.is_empty());
            if model.is_none() && chunk.raw("choices") == Some("[]") {
                // Azure's first chunk says nothing yet.
                return;
            }
            self.has_started = true;
            each(Piece::Start { model });
        }
        let wanted = self.choice;
        for choice in choices.filter(|choice| choice.count("index").unwrap_or(0) == wanted) {
            // Some servers put a whole message where a delta belongs.
            if let Some(delta) = choice.object("delta").or_else(|| choice.object("message")) {
                self.delta(&delta, each);
            }
            if let Some(finish) = choice.text("finish_reason").and_then(|word| openai_finish(&word)) {
                let finish = Some(finish);
                each(Piece::Finish(End {
                    finish,
                    ..End::default()
                }));
            }
        }
    }

    fn delta(&mut self, delta: &Fields<'_>, each: &mut dyn FnMut(Piece<'_>)) {
        if let Some(text) = reasoning(delta) {
            self.has_thought = true;
            each(Piece::Thinking(text));
        }
        for block in delta
            .elements("thinking_blocks")
            .into_iter()
            .filter_map(Fields::of)
        {
            self.block(&block, each);
        }
        match delta.raw("content") {
            Some(list) if list.starts_with('[') => {
                let mut parts = Vec::new();
                read_content(list, &mut parts);
                for part in parts {
                    match part.kind {
                        Kind::Text(text) if !text.is_empty() => each(Piece::Text(text)),
                        Kind::Thinking { text, .. } if !text.is_empty() => each(Piece::Thinking(text)),
                        Kind::Refusal(text) => each(Piece::Refusal(text)),
                        _ => {}
                    }
                }
            }
            Some(text) => {
                if let Some(text) = json::text(text).filter(|text| !text.is_empty()) {
                    each(Piece::Text(text));
                }
            }
            None => {}
        }
        if let Some(refusal) = delta.text("refusal").filter(|refusal| !refusal.is_empty()) {
            each(Piece::Refusal(refusal));
        }
        for call in delta.elements("tool_calls") {
            if let Some(call) = Fields::of(call) {
                self.call(&call, each);
            }
        }
        if let Some(function) = delta.object("function_call") {
            self.function(None, None, &function, each);
        }
    }

    /// A block of thoughts, or more of one, that tells again what `reasoning_content` told, and then its proof.
    fn block(&mut self, block: &Fields<'_>, each: &mut dyn FnMut(Piece<'_>)) {
        let filled = |name: &str| block.text(name).filter(|text| !text.is_empty());
        if let Some(data) = filled("data") {
            return each(Piece::RedactedThinking(data));
        }
        if let Some(text) = filled("thinking").filter(|_| !self.has_thought) {
            each(Piece::Thinking(text));
        }
        if let Some(signature) = filled("signature") {
            self.has_thought = false;
            each(Piece::Signature(signature));
        }
    }

    fn call(&mut self, call: &Fields<'_>, each: &mut dyn FnMut(Piece<'_>)) {
        let id = call.text("id").filter(|id| !id.is_empty());
        let function = call.object("function").unwrap_or_default();
        self.function(call.count("index"), id, &function, each);
    }

    fn function(
        &mut self,
        index: Option<u64>,
        id: Option<Cow<'_, str>>,
        function: &Fields<'_>,
        each: &mut dyn FnMut(Piece<'_>),
    ) {
        let name = function.text("name").filter(|name| !name.is_empty());
        let number = match self.known(index, id.as_deref(), name.is_some()) {
            Some(number) => number,
            None if self.calls.len() >= MOST_CALLS => return,
            None => {
                self.calls.push(Known {
                    index,
                    id: id.as_deref().map(Into::into),
                    is_named: false,
                });
                self.calls.len() - 1
            }
        };
        if let Some(known) = self.calls.get_mut(number)
            && !known.is_named
            && let Some(name) = name
        {
            known.is_named = true;
            let id = match (&known.id, id) {
                (Some(known), _) => Cow::Owned(known.to_string()),
                (None, id) => id.unwrap_or_default(),
            };
            each(Piece::Call {
                call: number,
                id,
                name,
            });
        }
        if let Some(json) = arguments(function).filter(|json| !json.is_empty()) {
            each(Piece::Arguments { call: number, json });
        }
    }

    /// The number of the call that a fragment continues. `None`: it begins one.
    fn known(&self, index: Option<u64>, id: Option<&str>, is_named: bool) -> Option<usize> {
        let same_id = |known: &Known| known.id.as_deref() == id;
        match (index, id) {
            (Some(index), id) => {
                let place = self.calls.iter().rposition(|known| known.index == Some(index))?;
                let known = self.calls.get(place)?;
                let is_other = id.is_some() && known.id.is_some() && !same_id(known) && is_named;
                (!is_other).then_some(place)
            }
            (None, Some(_)) => self.calls.iter().rposition(same_id),
            // Neither index nor id: a name begins a call, and the rest belongs to the last one.
            (None, None) if is_named => None,
            (None, None) => self.calls.len().checked_sub(1),
        }
    }
}

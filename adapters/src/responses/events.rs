//! The pieces of an answer, written as a stream of response events.
//!
//! Each item begins with `added` and ends with `done`, which repeats all of it, and the last event repeats the whole
//! response: so what is written is kept. Calls may grow side by side; everything else ends where the next begins.

use tollgate_core::{FinishReason, Usage};

use super::carried;
use super::error::code_of;
use super::output::{Item, ItemKind, Said, SaidKind, Status, write_response, write_summary};
use crate::chat::State;
use crate::chat::answer::{End, Piece, finish_with};
use crate::chat::custom::InputReader;
use crate::chat::made::{CallIds, Made};
use crate::chat::names::Renamed;
use crate::chat::write::{self, Object};
use crate::error_words::ErrorWords;
use crate::json::Balance;
use crate::openai::render::REFUSED;

/// The events that tell more of a call.
const ARGUMENTS: &str = "response.function_call_arguments.delta";
const INPUT: &str = "response.custom_tool_call_input.delta";

/// Writes events.
#[derive(Debug, Clone)]
pub(crate) struct ResponseWriter {
    made: Made,
    renamed: Renamed,
    has_started: bool,
    /// The model, where the provider told it.
    model: Option<Box<str>>,
    /// The number of the next event.
    sequence: u64,
    items: Vec<Item>,
    /// The items that are not done, or were not when the last one began.
    open: Vec<usize>,
    /// For each call: where in the output it is.
    calls: Vec<usize>,
    ids: CallIds,
    /// What belongs to the call that begins next.
    ahead: Option<State<'static>>,
    has_refused: bool,
    end: Option<(FinishReason, Option<Box<str>>)>,
}

impl ResponseWriter {
    pub(crate) fn new(made: Made, renamed: Renamed) -> Self {
        Self {
            made,
            renamed,
            has_started: false,
            model: None,
            sequence: 0,
            items: Vec::new(),
            open: Vec::new(),
            calls: Vec::new(),
            ids: CallIds::new("call_"),
            ahead: None,
            has_refused: false,
            end: None,
        }
    }

    /// Goes on with the answer of another provider, where tools have other names.
    pub(crate) fn rename(&mut self, renamed: Renamed) {
        self.renamed = renamed;
    }

    /// Writes a piece.
    pub(crate) fn write(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::Start { model } => return self.start(model.as_deref(), out),
            Piece::Finish(end) => return self.finish(end),
            Piece::Done => return,
            Piece::StateAhead(state) => return self.ahead = Some(state.into_owned()),
            _ => {}
        }
        self.start(None, out);
        match piece {
            Piece::Text(text) => self.say(SaidKind::Text, &text, out),
            Piece::Refusal(text) => self.say(SaidKind::Refusal, &text, out),
            Piece::Thinking(text) => self.think(&text, out),
            Piece::Signature(signature) => self.prove(carried::signature(&signature), out),
            Piece::RedactedThinking(data) => {
                self.begin_thoughts(out);
                self.prove(carried::redacted(&data), out);
            }
            Piece::State(state) => self.state(&state, out),
            Piece::Call { call, id, name } => {
                self.call(call, &id, &name, out);
                if let Some(state) = self.ahead.take() {
                    self.state(&state, out);
                }
            }
            Piece::Arguments { call, json } => self.arguments(call, &json, out),
            Piece::Start { .. } | Piece::Finish(_) | Piece::Done | Piece::StateAhead(_) => {}
        }
    }

    /// Whether the answer's end has been told.
    pub(crate) const fn is_finished(&self) -> bool {
        self.end.is_some()
    }

    /// Ends the stream with an error: as an event of its own, and as what has become of the response.
    pub(crate) fn fail(&mut self, words: &ErrorWords<'_>, out: &mut Vec<u8>) {
        self.start(None, out);
        event(&mut self.sequence, out, "error", |o| {
            super::error::write_event(o, words);
        });
        self.tell(
            "response.failed",
            Status::Failed(code_of(words), words.message),
            None,
            out,
        );
    }

    /// Ends the stream as it should end.
    pub(crate) fn close(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>) {
        self.start(None, out);
        let (finish, explanation) = self.end.take().unwrap_or((FinishReason::Stop, None));
        let finish = finish_with(finish, !self.calls.is_empty());
        if finish == FinishReason::ContentFilter && !self.has_refused {
            self.say(SaidKind::Refusal, explanation.as_deref().unwrap_or(REFUSED), out);
        }
        let status = Status::of(finish);
        let last = self.items.len().saturating_sub(1);
        for index in 0..self.items.len() {
            let status = if index == last { status } else { Status::Completed };
            self.shut(index, status, out);
        }
        let kind = match status {
            Status::Incomplete(_) => "response.incomplete",
            _ => "response.completed",
        };
        self.tell(kind, status, usage, out);
    }

    fn start(&mut self, model: Option<&str>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        self.model = model.map(Into::into);
        self.tell("response.created", Status::InProgress, None, out);
        self.tell("response.in_progress", Status::InProgress, None, out);
    }

    /// Writes an event that holds the whole response.
    fn tell(&mut self, kind: &str, status: Status<'_>, usage: Option<&Usage>, out: &mut Vec<u8>) {
        let Self {
            made,
            model,
            sequence,
            items,
            ..
        } = self;
        let last = items.len().saturating_sub(1);
        event(sequence, out, kind, |o| {
            o.object("response", |o| {
                let model = model.as_deref().unwrap_or(&made.model);
                write_response(o, made, model, status, usage, |a| {
                    for (position, item) in items.iter().enumerate() {
                        let is_whole = item.is_done && (position != last || status == Status::Completed);
                        let word = if is_whole { "completed" } else { "incomplete" };
                        a.object(|o| item.write(o, word));
                    }
                });
            });
        });
    }

    fn finish(&mut self, end: End<'_>) {
        if let Some(finish) = end.finish {
            self.end = Some((finish, end.explanation.map(|words| words.as_ref().into())));
        }
    }

    /// Begins an item, and ends those that cannot grow any more.
    fn begin(&mut self, kind: ItemKind, out: &mut Vec<u8>) {
        for index in std::mem::take(&mut self.open) {
            if self.items.get(index).is_some_and(Item::can_grow) {
                self.open.push(index);
            } else {
                self.shut(index, Status::Completed, out);
            }
        }
        let index = self.items.len();
        let item = Item::new(&self.made, index, kind);
        event(&mut self.sequence, out, "response.output_item.added", |o| {
            o.plain("output_index", index);
            o.object("item", |o| item.write(o, "in_progress"));
        });
        self.items.push(item);
        self.open.push(index);
    }

    fn say(&mut self, kind: SaidKind, text: &str, out: &mut Vec<u8>) {
        self.has_refused |= kind == SaidKind::Refusal;
        let is_open = |item: &Item| !item.is_done && matches!(item.kind, ItemKind::Message(_));
        if !self.items.last().is_some_and(is_open) {
            self.begin(ItemKind::Message(Vec::new()), out);
        }
        let index = self.items.len().saturating_sub(1);
        let Self { sequence, items, .. } = self;
        let Some(Item {
            id,
            kind: ItemKind::Message(parts),
            ..
        }) = items.last_mut()
        else {
            return;
        };
        let mut place = Place { id, index, part: 0 };
        if parts.last().is_none_or(|said| said.kind != kind) {
            place.part = parts.len().saturating_sub(1);
            if let Some(before) = parts.last() {
                part_done(sequence, place, before, out);
            }
            place.part = parts.len();
            let text = String::new();
            let said = Said { kind, text };
            event(sequence, out, "response.content_part.added", |o| {
                place.write(o);
                o.object("part", |o| said.write(o, ""));
            });
            parts.push(said);
        }
        place.part = parts.len().saturating_sub(1);
        if let Some(said) = parts.last_mut().filter(|_| !text.is_empty()) {
            said.text.push_str(text);
            event(
                sequence,
                out,
                &format!("response.{}.delta", kind.names().0),
                |o| {
                    place.write(o);
                    o.text("delta", text);
                    if kind == SaidKind::Text {
                        o.raw("logprobs", "[]");
                    }
                },
            );
        }
    }

    /// Whether the last item is one of thoughts that go on.
    fn is_thinking(&self) -> bool {
        let is_open = |item: &Item| !item.is_done && matches!(item.kind, ItemKind::Thoughts { .. });
        self.items.last().is_some_and(is_open)
    }

    fn begin_thoughts(&mut self, out: &mut Vec<u8>) {
        let (text, encrypted) = (String::new(), None);
        self.begin(ItemKind::Thoughts { text, encrypted }, out);
    }

    fn think(&mut self, more: &str, out: &mut Vec<u8>) {
        if more.is_empty() {
            return;
        }
        if !self.is_thinking() {
            self.begin_thoughts(out);
        }
        let index = self.items.len().saturating_sub(1);
        let Self { sequence, items, .. } = self;
        if let Some(Item {
            id,
            kind: ItemKind::Thoughts { text, .. },
            ..
        }) = items.last_mut()
        {
            if text.is_empty() {
                event(sequence, out, "response.reasoning_summary_part.added", |o| {
                    write_summary_place(o, id, index);
                    o.object("part", |o| write_summary(o, ""));
                });
            }
            text.push_str(more);
            event(sequence, out, "response.reasoning_summary_text.delta", |o| {
                write_summary_place(o, id, index);
                o.text("delta", more);
            });
        }
    }

    /// Ends the thoughts with what is to be sent back with them.
    fn prove(&mut self, carried: String, out: &mut Vec<u8>) {
        if carried.is_empty() {
            return;
        }
        if !self.is_thinking() {
            self.begin_thoughts(out);
        }
        if let Some(Item {
            kind: ItemKind::Thoughts { encrypted, .. },
            ..
        }) = self.items.last_mut()
        {
            *encrypted = Some(carried);
        }
        self.shut(self.items.len().saturating_sub(1), Status::Completed, out);
    }

    fn state(&mut self, state: &State<'_>, out: &mut Vec<u8>) {
        let call = match self.items.last().map(|item| &item.kind) {
            Some(ItemKind::Call { id, .. } | ItemKind::Custom { id, .. }) => Some(id.clone()),
            _ => None,
        };
        self.prove(carried::state(state, call.as_deref()), out);
    }

    fn call(&mut self, call: usize, id: &str, name: &str, out: &mut Vec<u8>) {
        if call != self.calls.len() {
            return;
        }
        let id = self.ids.next(id, &self.made).into();
        let name = self.renamed.original(name);
        let is_custom = self.renamed.is_custom(name);
        let (name, said) = (name.into(), String::new());
        let kind = if is_custom {
            ItemKind::Custom {
                id,
                name,
                input: said,
                reader: InputReader::default(),
            }
        } else {
            ItemKind::Call {
                id,
                name,
                arguments: said,
                json: Balance::default(),
            }
        };
        self.begin(kind, out);
        self.calls.push(self.items.len().saturating_sub(1));
    }

    fn arguments(&mut self, call: usize, more: &str, out: &mut Vec<u8>) {
        let Self {
            sequence,
            items,
            calls,
            ..
        } = self;
        let Some(index) = calls.get(call).copied() else {
            return;
        };
        let Some(item) = items.get_mut(index).filter(|item| !item.is_done) else {
            return;
        };
        match &mut item.kind {
            ItemKind::Call { arguments, json, .. } => {
                arguments.push_str(more);
                json.take(more);
                delta(sequence, ARGUMENTS, (&item.id, index), more, out);
            }
            ItemKind::Custom { input, reader, .. } => {
                let text = reader.push(more);
                input.push_str(&text);
                delta(sequence, INPUT, (&item.id, index), &text, out);
            }
            ItemKind::Message(_) | ItemKind::Thoughts { .. } => {}
        }
    }

    /// Ends an item.
    fn shut(&mut self, index: usize, status: Status<'_>, out: &mut Vec<u8>) {
        let Self { sequence, items, .. } = self;
        let Some(item) = items.get_mut(index).filter(|item| !item.is_done) else {
            return;
        };
        item.is_done = true;
        match &mut item.kind {
            ItemKind::Message(said) => {
                let part = said.len().saturating_sub(1);
                let id = &item.id;
                if let Some(said) = said.last() {
                    part_done(sequence, Place { id, index, part }, said, out);
                }
            }
            ItemKind::Thoughts { text, .. } if text.is_empty() => {}
            ItemKind::Thoughts { text, .. } => {
                event(sequence, out, "response.reasoning_summary_text.done", |o| {
                    write_summary_place(o, &item.id, index);
                    o.text("text", text);
                });
                event(sequence, out, "response.reasoning_summary_part.done", |o| {
                    write_summary_place(o, &item.id, index);
                    o.object("part", |o| write_summary(o, text));
                });
            }
            ItemKind::Call { name, arguments, .. } => {
                if arguments.trim().is_empty() {
                    // None are an empty object.
                    "{}".clone_into(arguments);
                    delta(sequence, ARGUMENTS, (&item.id, index), arguments, out);
                }
                event(sequence, out, "response.function_call_arguments.done", |o| {
                    o.text("item_id", &item.id).plain("output_index", index);
                    o.text("name", name).text("arguments", arguments);
                });
            }
            ItemKind::Custom { input, reader, .. } => {
                let text = reader.finish();
                input.push_str(&text);
                delta(sequence, INPUT, (&item.id, index), &text, out);
                event(sequence, out, "response.custom_tool_call_input.done", |o| {
                    o.text("item_id", &item.id).plain("output_index", index);
                    o.text("input", input);
                });
            }
        }
        event(sequence, out, "response.output_item.done", |o| {
            o.plain("output_index", index);
            o.object("item", |o| item.write(o, status.word()));
        });
    }
}

/// Where a part of a message stands.
#[derive(Debug, Clone, Copy)]
struct Place<'i> {
    id: &'i str,
    index: usize,
    part: usize,
}

impl Place<'_> {
    fn write(self, o: &mut Object<'_>) {
        o.text("item_id", self.id).plain("output_index", self.index);
        o.plain("content_index", self.part);
    }
}

fn write_summary_place(o: &mut Object<'_>, id: &str, index: usize) {
    o.text("item_id", id).plain("output_index", index);
    o.plain("summary_index", 0);
}

fn part_done(sequence: &mut u64, place: Place<'_>, said: &Said, out: &mut Vec<u8>) {
    let (kind, field) = said.kind.names();
    event(sequence, out, &format!("response.{kind}.done"), |o| {
        place.write(o);
        o.text(field, &said.text);
        if said.kind == SaidKind::Text {
            o.raw("logprobs", "[]");
        }
    });
    event(sequence, out, "response.content_part.done", |o| {
        place.write(o);
        o.object("part", |o| said.write(o, &said.text));
    });
}

/// Writes more of a call, whose item has this id and place.
fn delta(sequence: &mut u64, kind: &str, (id, index): (&str, usize), said: &str, out: &mut Vec<u8>) {
    if said.is_empty() {
        return;
    }
    event(sequence, out, kind, |o| {
        o.text("item_id", id).plain("output_index", index);
        o.text("delta", said);
    });
}

fn event(sequence: &mut u64, out: &mut Vec<u8>, kind: &str, fill: impl FnOnce(&mut Object<'_>)) {
    write::event(out, kind, |o| {
        o.plain("sequence_number", *sequence);
        fill(o);
    });
    *sequence += 1;
}

//! A stream of response events, read piece by piece.
//!
//! Items are told apart by `output_index`: some proxies change their ids between events. Deltas count; what `done`
//! events repeat is read only where no delta came.

use std::collections::BTreeMap;

use super::answer::{CUSTOM, finish, is_call, model, read_call, read_item};
use super::carried::{self, Reasoned};
use crate::chat::answer::{End, Piece};
use crate::chat::custom;
use crate::chat::{Kind, Part, State};
use crate::json::Fields;
use crate::sse::Event;

/// More items than this in one answer are not read.
const MOST_ITEMS: usize = 4096;

/// Reads events.
#[derive(Debug, Default)]
pub(crate) struct ResponseReader {
    has_started: bool,
    is_done: bool,
    /// Items that have begun, by their index.
    items: BTreeMap<u64, Item>,
    calls: usize,
}

/// What an item is, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Item {
    kind: ItemKind,
    /// Whether there were deltas.
    has_said: bool,
    is_done: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ItemKind {
    Message,
    /// Its number.
    Call(usize),
    /// A call of a custom tool: its number.
    Custom(usize),
    /// What its deltas are of.
    Thoughts(Option<Told>),
    /// One of the provider's own.
    Foreign,
}

/// Where thoughts are told: the summary and the thoughts themselves may both be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Summary,
    Whole,
}

type Each<'e> = &'e mut dyn FnMut(Piece<'_>);

impl ResponseReader {
    /// Takes an event in, and hands out what it says.
    pub(crate) fn read(&mut self, event: &Event<'_>, each: Each<'_>) {
        let Ok(fields) = Fields::parse(event.data) else {
            return;
        };
        if self.is_done {
            return;
        }
        let kind = fields.text("type");
        let kind = kind.as_deref().or(event.name).unwrap_or_default();
        let index = fields.count("output_index").unwrap_or(0);
        let delta = || fields.text("delta").filter(|text| !text.is_empty());
        match kind {
            "response.created" | "response.in_progress" => {
                self.start(&fields.object("response").unwrap_or_default(), each);
            }
            "response.output_item.added" => {
                self.start(&Fields::default(), each);
                self.begin(index, &fields.object("item").unwrap_or_default(), each);
            }
            "response.output_text.delta" => {
                if let Some(text) = delta()
                    && self.says(index, ItemKind::Message)
                {
                    each(Piece::Text(text));
                }
            }
            "response.refusal.delta" => {
                if let Some(text) = delta()
                    && self.says(index, ItemKind::Message)
                {
                    each(Piece::Refusal(text));
                }
            }
            "response.reasoning_summary_part.added" => self.next_part(index, &fields, each),
            "response.reasoning_summary_text.delta" => {
                if let Some(text) = delta().filter(|_| self.thinks(index, Told::Summary)) {
                    each(Piece::Thinking(text));
                }
            }
            "response.reasoning_text.delta" => {
                if let Some(text) = delta().filter(|_| self.thinks(index, Told::Whole)) {
                    each(Piece::Thinking(text));
                }
            }
            "response.function_call_arguments.delta" => {
                if let (Some(json), Some(call)) = (delta(), self.call(index)) {
                    each(Piece::Arguments { call, json });
                }
            }
            "response.custom_tool_call_input.delta" => {
                if let Some(text) = delta() {
                    self.input(index, &text, each);
                }
            }
            "response.function_call_arguments.done" => self.arguments(index, &fields, each),
            "response.output_item.done" => {
                self.start(&Fields::default(), each);
                self.end(index, &fields.object("item").unwrap_or_default(), each);
            }
            "response.completed" | "response.incomplete" => {
                self.finish(&fields.object("response").unwrap_or_default(), each);
            }
            _ => {}
        }
    }

    /// Proxies splice streams: only the first start counts.
    fn start(&mut self, response: &Fields<'_>, each: Each<'_>) {
        if !std::mem::replace(&mut self.has_started, true) {
            each(Piece::Start {
                model: model(response),
            });
        }
    }

    fn known(&mut self, index: u64) -> Option<&mut Item> {
        self.items.get_mut(&index)
    }

    fn begin(&mut self, index: u64, item: &Fields<'_>, each: Each<'_>) {
        if self.items.len() >= MOST_ITEMS || self.known(index).is_some_and(|known| !known.is_done) {
            return;
        }
        let kind = match item.text("type").as_deref() {
            Some("message") => ItemKind::Message,
            Some("reasoning") => ItemKind::Thoughts(None),
            Some(kind @ ("function_call" | CUSTOM)) => match read_call(item) {
                Some(called) => {
                    let call = self.calls;
                    self.calls += 1;
                    let (id, name) = (called.id, called.name);
                    each(Piece::Call { call, id, name });
                    if kind == CUSTOM {
                        ItemKind::Custom(call)
                    } else {
                        ItemKind::Call(call)
                    }
                }
                None => ItemKind::Foreign,
            },
            _ => ItemKind::Foreign,
        };
        let item = Item {
            kind,
            has_said: false,
            is_done: false,
        };
        self.items.insert(index, item);
    }

    /// Whether a delta for an item of this kind is to be read. Some servers do not say that an item begins.
    fn says(&mut self, index: u64, kind: ItemKind) -> bool {
        let is_full = self.items.len() >= MOST_ITEMS;
        match self.known(index) {
            Some(item) if item.kind == kind => {
                item.has_said = true;
                true
            }
            Some(_) => false,
            None if is_full => true,
            None => {
                let item = Item {
                    kind,
                    has_said: true,
                    is_done: false,
                };
                self.items.insert(index, item);
                true
            }
        }
    }

    fn thinks(&mut self, index: u64, told: Told) -> bool {
        match self.known(index) {
            Some(Item {
                kind: ItemKind::Thoughts(known),
                has_said,
                ..
            }) => {
                *has_said = true;
                *known.get_or_insert(told) == told
            }
            _ => false,
        }
    }

    /// Parts of a summary are paragraphs.
    fn next_part(&mut self, index: u64, fields: &Fields<'_>, each: Each<'_>) {
        let is_next = fields.count("summary_index").is_some_and(|part| part > 0);
        let has_said = self.known(index).is_some_and(|item| item.has_said);
        if is_next && has_said && self.thinks(index, Told::Summary) {
            each(Piece::Thinking("\n\n".into()));
        }
    }

    /// The number of the call at this index, which has arguments now.
    fn call(&mut self, index: u64) -> Option<usize> {
        match self.known(index)? {
            Item {
                kind: ItemKind::Call(call),
                has_said,
                ..
            } => {
                *has_said = true;
                Some(*call)
            }
            _ => None,
        }
    }

    /// The whole arguments, where they did not come in pieces.
    fn arguments(&mut self, index: u64, from: &Fields<'_>, each: Each<'_>) {
        if self.known(index).is_none_or(|item| item.has_said) {
            return;
        }
        let json = crate::openai::answer::arguments(from).filter(|json| !json.is_empty());
        if let Some(json) = json
            && let Some(call) = self.call(index)
        {
            each(Piece::Arguments { call, json });
        }
    }

    /// More of the text that a custom tool is called with.
    fn input(&mut self, index: u64, text: &str, each: Each<'_>) {
        if let Some(Item {
            kind: ItemKind::Custom(call),
            has_said,
            ..
        }) = self.known(index)
        {
            let json = if std::mem::replace(has_said, true) {
                custom::more(text)
            } else {
                custom::opening(text)
            };
            let (call, json) = (*call, json.into());
            each(Piece::Arguments { call, json });
        }
    }

    /// The whole item: what has not come of it before is said now.
    fn end(&mut self, index: u64, item: &Fields<'_>, each: Each<'_>) {
        self.begin(index, item, each);
        let Some(known) = self.known(index).filter(|known| !known.is_done) else {
            return;
        };
        known.is_done = true;
        let Item { kind, has_said, .. } = *known;
        match kind {
            ItemKind::Call(_) => self.arguments(index, item, each),
            ItemKind::Custom(call) => {
                let whole = || custom::arguments(&item.text("input").unwrap_or_default());
                let json = if has_said {
                    custom::CLOSING.into()
                } else {
                    whole().into()
                };
                each(Piece::Arguments { call, json });
            }
            ItemKind::Message if !has_said => {
                let mut parts = Vec::new();
                read_item(item, &mut parts);
                // An item may end as another than it began: a message tells of no call.
                for part in parts.into_iter().filter(|part| !is_call(part)) {
                    tell(part, each);
                }
            }
            ItemKind::Thoughts(_) => match carried::read(item) {
                Reasoned::Part(kind, state) => {
                    let mut part = Part::new(String::new(), kind);
                    part.state = state;
                    if let Kind::Thinking { text, .. } = &mut part.kind
                        && has_said
                    {
                        *text = "".into();
                    }
                    tell(part, each);
                }
                Reasoned::Beside(state, _) => each(Piece::State(state)),
                Reasoned::Nothing => {}
            },
            ItemKind::Message | ItemKind::Foreign => {}
        }
    }

    fn finish(&mut self, response: &Fields<'_>, each: Each<'_>) {
        self.start(response, each);
        if self.items.is_empty() {
            for (index, item) in (0..).zip(response.elements("output")) {
                if let Some(item) = Fields::of(item) {
                    self.end(index, &item, each);
                }
            }
        }
        self.is_done = true;
        let finish = finish(response, self.calls > 0);
        if finish.is_some() {
            each(Piece::Finish(End {
                finish,
                ..End::default()
            }));
        }
        each(Piece::Done);
    }
}

/// Hands out a part that is no call, as pieces.
fn tell(part: Part<'_>, each: Each<'_>) {
    debug_assert!(!is_call(&part), "calls are told in pieces");
    match part.kind {
        Kind::Text(text) => each(Piece::Text(text)),
        Kind::Refusal(text) => each(Piece::Refusal(text)),
        Kind::RedactedThinking(data) => each(Piece::RedactedThinking(data)),
        Kind::Thinking { text, signature } => {
            if !text.is_empty() {
                each(Piece::Thinking(text));
            }
            if let Some(signature) = signature {
                each(Piece::Signature(signature));
            }
        }
        _ => {}
    }
    if let Some(State { of, data }) = part.state {
        each(Piece::State(State { of, data }));
    }
}

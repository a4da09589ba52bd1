//! The canonical answer, written as a Responses answer.

use tollgate_core::{FinishReason, Usage};

use super::carried;
use super::output::{Item, ItemKind, Said, SaidKind, Status, write_response};
use crate::chat::answer::{ChatAnswer, finish_with};
use crate::chat::custom::{self, InputReader};
use crate::chat::made::{CallIds, Made};
use crate::chat::names::Renamed;
use crate::chat::write::{compact, object};
use crate::chat::{Kind, Part};
use crate::json::Balance;
use crate::openai::render::REFUSED;

/// Writes an answer: the first choice, for the dialect has but one.
pub(crate) fn answer(
    answer: &ChatAnswer<'_>,
    usage: Option<&Usage>,
    made: &Made,
    renamed: &Renamed,
) -> Vec<u8> {
    let first = answer.choices.first();
    let end = first.map(|choice| choice.end.clone()).unwrap_or_default();
    let mut output = Output {
        made,
        renamed,
        items: Vec::new(),
        ids: CallIds::new("call_"),
    };
    for part in first.map_or(&[][..], |choice| &choice.parts) {
        output.take(part);
    }
    let finish = finish_with(end.finish.unwrap_or(FinishReason::Stop), output.ids.count() > 0);
    if finish == FinishReason::ContentFilter && !output.has_refused() {
        output.say(SaidKind::Refusal, end.explanation.as_deref().unwrap_or(REFUSED));
    }
    let status = Status::of(finish);
    let model = answer.model.as_deref().unwrap_or(&made.model);
    let mut out = Vec::with_capacity(1024);
    object(&mut out, |o| {
        write_response(o, made, model, status, usage, |a| {
            let last = output.items.len().saturating_sub(1);
            for (position, item) in output.items.iter().enumerate() {
                let status = if position == last {
                    status
                } else {
                    Status::Completed
                };
                a.object(|o| item.write(o, status.word()));
            }
        });
    });
    out
}

/// Items that are put together from parts.
struct Output<'o> {
    made: &'o Made,
    renamed: &'o Renamed,
    items: Vec<Item>,
    ids: CallIds,
}

impl Output<'_> {
    fn take(&mut self, part: &Part<'_>) {
        match &part.kind {
            _ if part.is_empty() => {}
            Kind::Text(text) => self.say(SaidKind::Text, text),
            Kind::Refusal(text) => self.say(SaidKind::Refusal, text),
            Kind::Thinking { text, signature } => {
                let signature = signature.as_deref().filter(|text| !text.is_empty());
                let state = part.state.as_ref().map(|state| carried::state(state, None));
                let encrypted = signature.map(carried::signature).or(state);
                self.think(text, encrypted);
                return;
            }
            Kind::RedactedThinking(data) => self.think("", Some(carried::redacted(data))),
            Kind::ToolCall(call) => {
                let id = self.ids.next(&call.id, self.made).into();
                let name: Box<str> = self.renamed.original(&call.name).into();
                if self.renamed.is_custom(&name) {
                    let (input, reader) = (custom::input(&call.arguments), InputReader::default());
                    self.push(ItemKind::Custom {
                        id,
                        name,
                        input,
                        reader,
                    });
                } else {
                    let arguments = compact(&call.arguments);
                    let arguments = if arguments.is_empty() { "{}" } else { &arguments }.to_owned();
                    let json = Balance::default();
                    self.push(ItemKind::Call {
                        id,
                        name,
                        arguments,
                        json,
                    });
                }
            }
            _ => {}
        }
        if let Some(state) = &part.state {
            let call = self.ids.last().filter(|_| super::answer::is_call(part));
            let carried = carried::state(state, call);
            self.think("", Some(carried));
        }
    }

    fn push(&mut self, kind: ItemKind) {
        let item = Item::new(self.made, self.items.len(), kind);
        self.items.push(item);
    }

    fn say(&mut self, kind: SaidKind, text: &str) {
        if !matches!(
            self.items.last(),
            Some(Item {
                kind: ItemKind::Message(_),
                ..
            })
        ) {
            self.push(ItemKind::Message(Vec::new()));
        }
        if let Some(Item {
            kind: ItemKind::Message(said),
            ..
        }) = self.items.last_mut()
        {
            match said.last_mut().filter(|said| said.kind == kind) {
                Some(said) => said.text.push_str(text),
                None => said.push(Said {
                    kind,
                    text: text.to_owned(),
                }),
            }
        }
    }

    fn think(&mut self, text: &str, encrypted: Option<String>) {
        let encrypted = encrypted.filter(|text| !text.is_empty());
        if !text.is_empty() || encrypted.is_some() {
            let text = text.to_owned();
            self.push(ItemKind::Thoughts { text, encrypted });
        }
    }

    fn has_refused(&self) -> bool {
        let is_refusal = |said: &Said| said.kind == SaidKind::Refusal;
        self.items
            .iter()
            .any(|item| matches!(&item.kind, ItemKind::Message(said) if said.iter().any(is_refusal)))
    }
}

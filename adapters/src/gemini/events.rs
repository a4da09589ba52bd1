//! The pieces of an answer, written as a stream of generateContent answers.
//!
//! Text and thoughts go on as they come. Calls are whole in this dialect: they are gathered, and written with the
//! end, where it is known that they are complete and what their provider wants back with them.

use tollgate_core::{FinishReason, Usage};

use super::signature::{of_proof, of_redacted, of_state};
use super::turns::write_call;
use super::usage::{self, finish_word};
use crate::chat::Call;
use crate::chat::answer::{End, Piece};
use crate::chat::made::{CallIds, Made};
use crate::chat::names::Renamed;
use crate::chat::write::{Array, Object, object};

/// Writes answers.
#[derive(Debug, Clone)]
pub(crate) struct ResponseWriter {
    made: Made,
    renamed: Renamed,
    /// The model that answers; `None`: it has not been told.
    model: Option<Box<str>>,
    calls: Vec<Gathered>,
    ids: CallIds,
    last: Last,
    /// What belongs to the call that begins next.
    ahead: Option<String>,
    has_refused: bool,
    end: Option<(FinishReason, Option<Box<str>>)>,
}

/// A call, as far as it has come.
#[derive(Debug, Clone)]
struct Gathered {
    call: Call<'static>,
    signature: Option<String>,
}

/// What was said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Text,
    Thoughts,
    Call,
}

impl ResponseWriter {
    pub(crate) fn new(made: Made, renamed: Renamed) -> Self {
        Self {
            made,
            renamed,
            model: None,
            calls: Vec::new(),
            ids: CallIds::new("call_"),
            last: Last::Text,
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
            Piece::Start { model } => {
                let model = model.map(|model| model.as_ref().into());
                self.model = self.model.take().or(model);
            }
            Piece::Text(text) => self.say(Last::Text, &text, None, out),
            Piece::Refusal(text) => {
                self.has_refused = true;
                self.say(Last::Text, &text, None, out);
            }
            Piece::Thinking(text) => self.say(Last::Thoughts, &text, None, out),
            Piece::Signature(proof) => self.say(Last::Thoughts, "", Some(&of_proof(&proof)), out),
            Piece::RedactedThinking(data) => self.say(Last::Thoughts, "", Some(&of_redacted(&data)), out),
            Piece::State(state) => {
                let signature = of_state(&state);
                match self.calls.last_mut().filter(|_| self.last == Last::Call) {
                    Some(gathered) => gathered.signature = Some(signature.into_owned()),
                    None => self.say(self.last, "", Some(&signature), out),
                }
            }
            Piece::StateAhead(state) => self.ahead = Some(of_state(&state).into_owned()),
            Piece::Call { call, id, name } => self.call(call, &id, &name),
            Piece::Arguments { call, json } => {
                if let Some(gathered) = self.calls.get_mut(call) {
                    gathered.call.arguments.to_mut().push_str(&json);
                }
            }
            Piece::Finish(end) => self.finish(&end),
            Piece::Done => {}
        }
    }

    /// Whether the answer's end has been told.
    pub(crate) const fn is_finished(&self) -> bool {
        self.end.is_some()
    }

    /// Ends the stream as it should end.
    pub(crate) fn close(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>) {
        let (finish, explanation) = self.end.take().unwrap_or((FinishReason::Stop, None));
        let finish = if self.has_refused {
            FinishReason::ContentFilter
        } else {
            finish
        };
        self.response(
            out,
            |a| {
                for gathered in &self.calls {
                    a.object(|o| Self::write_gathered(o, gathered));
                }
                // Clients look at the first part.
                if self.calls.is_empty() {
                    a.object(|o| o.text("text", "").end());
                }
            },
            |o| {
                o.text("finishReason", finish_word(finish));
                if let Some(words) = &explanation {
                    o.text("finishMessage", words);
                }
            },
            usage,
        );
    }

    fn say(&mut self, last: Last, text: &str, signature: Option<&str>, out: &mut Vec<u8>) {
        self.last = last;
        let fill = |a: &mut Array<'_>| {
            a.object(|o| {
                o.text("text", text);
                if last == Last::Thoughts {
                    o.plain("thought", true);
                }
                if let Some(signature) = signature {
                    o.text("thoughtSignature", signature);
                }
            });
        };
        self.response(out, fill, |_| {}, None);
    }

    fn call(&mut self, number: usize, id: &str, name: &str) {
        if number != self.calls.len() {
            return;
        }
        self.last = Last::Call;
        let id = self.ids.next(id, &self.made).to_owned();
        let name = self.renamed.original(name).to_owned();
        self.calls.push(Gathered {
            call: Call {
                id: id.into(),
                name: name.into(),
                arguments: String::new().into(),
            },
            signature: self.ahead.take(),
        });
    }

    fn write_gathered(o: &mut Object<'_>, gathered: &Gathered) {
        let call = &gathered.call;
        o.object("functionCall", |o| {
            write_call(o, call, Some(&call.id), &call.name);
        });
        if let Some(signature) = &gathered.signature {
            o.text("thoughtSignature", signature);
        }
    }

    fn finish(&mut self, end: &End<'_>) {
        if let Some(finish) = end.finish {
            self.end = Some((finish, end.explanation.as_deref().map(Into::into)));
        }
    }

    fn response(
        &self,
        out: &mut Vec<u8>,
        parts: impl FnOnce(&mut Array<'_>),
        end: impl FnOnce(&mut Object<'_>),
        usage: Option<&Usage>,
    ) {
        out.extend_from_slice(b"data: ");
        object(out, |o| {
            o.array("candidates", |a| {
                a.object(|o| {
                    o.object("content", |o| o.array("parts", parts).text("role", "model").end());
                    end(o);
                    o.plain("index", 0);
                });
            });
            if let Some(usage) = usage {
                o.object("usageMetadata", |o| usage::write(o, usage));
            }
            o.text("modelVersion", self.model.as_deref().unwrap_or(&self.made.model));
            o.text("responseId", &self.made.answer_id());
        });
        out.extend_from_slice(b"\n\n");
    }
}

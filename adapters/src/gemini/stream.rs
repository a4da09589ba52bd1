//! A stream of generateContent answers, read piece by piece.
//!
//! Each event is a whole answer that holds what is new. There is no closing event: a stream is finished when a
//! candidate has told why it ended and the body ends properly, so that [`Piece::Done`] never comes.

use std::borrow::Cow;

use super::answer::signature;
use super::observe::GeminiObserver;
use super::partial::PartialArgs;
use super::parts::own;
use super::response::Response;
use crate::chat::answer::Piece;
use crate::json::Fields;
use crate::passthrough::Observer as _;
use crate::report::Report;
use crate::sse::Event;
use crate::streaming::Source;

/// Reads a stream, and watches it: each event is taken apart once for both.
#[derive(Debug, Default)]
pub(crate) struct GeminiSource {
    observer: GeminiObserver,
    reader: ResponseReader,
}

/// Reads events.
#[derive(Debug, Default)]
pub(crate) struct ResponseReader {
    has_started: bool,
    calls: usize,
    /// The call whose arguments come piece by piece.
    partial: Option<(usize, PartialArgs)>,
}

impl Source for GeminiSource {
    fn read(&mut self, event: &Event<'_>, each: &mut dyn FnMut(Piece<'_>)) {
        let answer = Response::parse(event.data).ok();
        self.observer.take(answer.as_ref(), event);
        if let (Some(answer), None) = (answer, &self.report().error) {
            self.reader.read(&answer, each);
        }
    }

    fn report(&self) -> &Report {
        self.observer.report()
    }

    fn report_mut(&mut self) -> &mut Report {
        self.observer.report_mut()
    }
}

impl ResponseReader {
    /// Takes in what an event says, and hands it out.
    pub(crate) fn read(&mut self, answer: &Response<'_>, each: &mut dyn FnMut(Piece<'_>)) {
        let blocked = answer.blocked();
        if answer.candidates.is_empty() && blocked.is_none() {
            return;
        }
        if !self.has_started {
            self.has_started = true;
            let model = answer.model();
            each(Piece::Start { model });
        }
        if let Some(end) = blocked {
            each(Piece::Finish(end));
        }
        for candidate in answer.candidates.iter().filter(|it| it.is_first()) {
            for part in &candidate.parts {
                self.part(part, each);
            }
            let end = candidate.end(self.calls > 0);
            if end.finish.is_some() {
                self.complete(each);
                each(Piece::Finish(end));
            }
        }
    }

    fn part(&mut self, part: &Fields<'_>, each: &mut dyn FnMut(Piece<'_>)) {
        let mut signature = signature(part);
        if let Some(call) = part.object("functionCall") {
            let begins = call.text("name").is_some_and(|name| !name.is_empty());
            if let Some(signature) = signature.take_if(|_| begins) {
                each(Piece::StateAhead(own(signature)));
            }
            self.call(&call, each);
        } else if let Some(text) = part.text("text").filter(|text| !text.is_empty()) {
            self.complete(each);
            each(if part.raw("thought") == Some("true") {
                Piece::Thinking(text)
            } else {
                Piece::Text(text)
            });
        }
        if let Some(signature) = signature {
            each(Piece::State(own(signature)));
        }
    }

    fn call(&mut self, fields: &Fields<'_>, each: &mut dyn FnMut(Piece<'_>)) {
        if let Some(name) = fields.text("name").filter(|name| !name.is_empty()) {
            self.complete(each);
            let call = self.calls;
            self.calls += 1;
            let id = fields.text("id").unwrap_or_default();
            each(Piece::Call { call, id, name });
            let comes_in_pieces =
                fields.raw("willContinue") == Some("true") || fields.raw("partialArgs").is_some();
            if !comes_in_pieces {
                let json = Cow::Borrowed(fields.raw("args").unwrap_or("{}"));
                return each(Piece::Arguments { call, json });
            }
            self.partial = Some((call, PartialArgs::default()));
        }
        let Some((_, args)) = &mut self.partial else {
            return;
        };
        let pieces = fields.elements("partialArgs").into_iter();
        pieces.filter_map(Fields::of).for_each(|piece| args.take(&piece));
        if fields.raw("willContinue") != Some("true") {
            self.complete(each);
        }
    }

    /// Hands out the arguments that have come in pieces.
    fn complete(&mut self, each: &mut dyn FnMut(Piece<'_>)) {
        if let Some((call, args)) = self.partial.take() {
            let json = args.into_json().into();
            each(Piece::Arguments { call, json });
        }
    }
}

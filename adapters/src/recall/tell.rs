//! Kept answers, told again: as if they had just been given.

use std::borrow::Cow;

use bytes::Bytes;
use tollgate_core::{RequestId, Surface, Timestamp, Usage};

use super::kept::{Kept, KeptChoice, KeptContent, KeptPart};
use crate::anthropic::events::EventWriter;
use crate::chat::answer::{ChatAnswer, Choice, End, Piece};
use crate::chat::made::Made;
use crate::chat::names::Renamed;
use crate::chat::{Call, Kind, Part};
use crate::openai::events::ChunkWriter;
use crate::{anthropic, openai};

/// How an answer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As a JSON body.
    Whole,
    /// As the bytes of an event stream, from its first event to the closing one.
    Stream {
        /// Whether the client asked for usage, where its dialect leaves the choice.
        include_usage: bool,
        /// The most bytes of text in one event, where there is a place to cut; a character is never cut.
        piece_bytes: usize,
    },
}

impl Shape {
    /// As many bytes of text in an event as models commonly send at once, or a little more.
    pub const PIECE_BYTES: usize = 64;
}

/// What is new about an answer that is told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fresh<'a> {
    /// The request it answers: ids are made of it.
    pub request_id: RequestId,
    /// When it is created.
    pub now: Timestamp,
    /// The model's name to tell. `None`: the one that was told when it was kept.
    pub model: Option<&'a str>,
}

impl Kept {
    /// Tells the answer to a client of this surface. `None`: what is kept is no answer there, or it was asked for as
    /// a stream where there are none.
    ///
    /// Anthropic's dialect has room for the first choice only. What it has no word for is told as translated answers
    /// are.
    pub fn render(&self, surface: Surface, shape: Shape, fresh: Fresh<'_>) -> Option<Bytes> {
        let choices = match (&self.content, surface, shape) {
            (KeptContent::Chat(choices), Surface::ChatCompletions | Surface::Messages, _) => choices,
            (KeptContent::Verbatim(body), Surface::Embeddings | Surface::CountTokens, Shape::Whole) => {
                return Some(Bytes::copy_from_slice(body.as_bytes()));
            }
            _ => return None,
        };
        let model = fresh.model.or(self.model.as_deref()).unwrap_or_default();
        let made = Made {
            request_id: fresh.request_id,
            now: fresh.now,
            model: model.into(),
        };
        let usage = self.usage.as_ref();
        let told = match (shape, surface) {
            (Shape::Whole, Surface::Messages) => {
                anthropic::render::answer(&answer(choices), usage, &made, &Renamed::default())
            }
            (Shape::Whole, _) => openai::render::answer(&answer(choices), usage, &made, &Renamed::default()),
            (Shape::Stream { piece_bytes, .. }, Surface::Messages) => {
                message(choices, usage, made, piece_bytes)
            }
            (
                Shape::Stream {
                    include_usage,
                    piece_bytes,
                },
                _,
            ) => {
                let writer = ChunkWriter::new(made, Renamed::default(), include_usage);
                completion(choices, usage, writer, piece_bytes)
            }
        };
        Some(told.into())
    }
}

fn answer(choices: &[KeptChoice]) -> ChatAnswer<'_> {
    let choices = choices.iter().map(|choice| Choice {
        parts: choice.parts.iter().map(part).collect(),
        end: end(choice),
    });
    ChatAnswer {
        model: None,
        choices: choices.collect(),
    }
}

fn part(part: &KeptPart) -> Part<'_> {
    let kind = match part {
        KeptPart::Text(text) => Kind::Text(Cow::Borrowed(text)),
        KeptPart::Refusal(text) => Kind::Refusal(Cow::Borrowed(text)),
        KeptPart::Thinking { text, signature } => Kind::Thinking {
            text: Cow::Borrowed(text),
            signature: signature.as_deref().map(Cow::Borrowed),
        },
        KeptPart::RedactedThinking(data) => Kind::RedactedThinking(Cow::Borrowed(data)),
        KeptPart::ToolCall { name, arguments } => Kind::ToolCall(Call {
            id: Cow::Borrowed(""),
            name: Cow::Borrowed(name),
            arguments: Cow::Borrowed(arguments),
        }),
    };
    Part::new(String::new(), kind)
}

fn end(choice: &KeptChoice) -> End<'_> {
    End {
        finish: Some(choice.finish),
        stop_sequence: choice.stop_sequence.as_deref().map(Cow::Borrowed),
        explanation: None,
    }
}

/// Tells the answers as chunks.
fn completion(
    choices: &[KeptChoice],
    usage: Option<&Usage>,
    mut writer: ChunkWriter,
    piece_bytes: usize,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(4096);
    writer.write(Piece::Start { model: None }, &mut out);
    for (index, choice) in choices.iter().enumerate() {
        if index > 0 {
            writer.next_choice(&mut out);
        }
        tell(choice, piece_bytes, &mut |piece| {
            let says_nothing = matches!(&piece, Piece::Thinking(text) if text.is_empty());
            if !says_nothing {
                writer.write(piece, &mut out);
            }
        });
    }
    writer.close(usage, &mut out);
    out
}

/// Tells the first answer as events of a message.
fn message(choices: &[KeptChoice], usage: Option<&Usage>, made: Made, piece_bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(4096);
    let foreseen = usage.map(|usage| Usage {
        // The first token: nothing more is there when a message begins.
        output: usage.output_total().min(1),
        reasoning: 0,
        audio_output: 0,
        ..*usage
    });
    let mut writer = EventWriter::new(made, Renamed::default()).foreseeing(foreseen.unwrap_or_default());
    writer.write(Piece::Start { model: None }, &mut out);
    if let Some(choice) = choices.first() {
        tell(choice, piece_bytes, &mut |piece| writer.write(piece, &mut out));
    }
    writer.close(usage, &mut out);
    out
}

/// Tells an answer piece by piece.
fn tell<'k>(choice: &'k KeptChoice, piece_bytes: usize, each: &mut dyn FnMut(Piece<'k>)) {
    let mut calls = 0;
    for part in &choice.parts {
        match part {
            KeptPart::Text(text) => pieces(text, piece_bytes).for_each(|text| each(Piece::Text(text.into()))),
            KeptPart::Refusal(text) => {
                pieces(text, piece_bytes).for_each(|text| each(Piece::Refusal(text.into())));
            }
            KeptPart::Thinking { text, signature } => {
                // Thoughts that are not shown have a place nevertheless.
                if text.is_empty() {
                    each(Piece::Thinking("".into()));
                }
                pieces(text, piece_bytes).for_each(|text| each(Piece::Thinking(text.into())));
                if let Some(signature) = signature {
                    each(Piece::Signature(Cow::Borrowed(signature)));
                }
            }
            KeptPart::RedactedThinking(data) => each(Piece::RedactedThinking(Cow::Borrowed(data))),
            KeptPart::ToolCall { name, arguments } => {
                each(Piece::Call {
                    call: calls,
                    id: Cow::Borrowed(""),
                    name: Cow::Borrowed(name),
                });
                pieces(arguments, piece_bytes).for_each(|json| {
                    let json = Cow::Borrowed(json);
                    each(Piece::Arguments { call: calls, json });
                });
                calls += 1;
            }
        }
    }
    each(Piece::Finish(end(choice)));
}

/// A text in pieces of at most `longest` bytes, cut before white space where there is some: where tokens begin.
fn pieces(text: &str, longest: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at_checked(cut(rest, longest))?;
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Where the first piece of a text ends.
fn cut(text: &str, longest: usize) -> usize {
    if text.len() <= longest {
        return text.len();
    }
    let first = text.chars().next().map_or(0, char::len_utf8);
    let whole = (first..=longest).rev().find(|at| text.is_char_boundary(*at));
    let Some(at) = whole else {
        return first;
    };
    // The character behind may be the space to cut before.
    let head = text.get(..at).unwrap_or_default();
    let next = text.get(at..).and_then(|rest| rest.chars().next());
    if next.is_some_and(char::is_whitespace) {
        return at;
    }
    head.rfind(char::is_whitespace)
        .filter(|space| *space > 0)
        .unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut_up(text: &str, longest: usize) -> Vec<&str> {
        pieces(text, longest).collect()
    }

    #[test]
    fn texts_are_cut_before_words() {
        assert_eq!(cut_up("one two three", 7), ["one two", " three"]);
        assert_eq!(cut_up("one two three", 6), ["one", " two", " three"]);
        assert_eq!(cut_up("abcdefgh ij", 4), ["abcd", "efgh", " ij"]);
        assert_eq!(cut_up("ééé", 3), ["é", "é", "é"]);
        assert_eq!(cut_up("🦀🦀", 1), ["🦀", "🦀"]);
        assert_eq!(cut_up("", 0), [""; 0]);
        assert_eq!(cut_up("ab", 0), ["a", "b"]);
    }

    proptest! {
        #[test]
        fn pieces_are_the_whole_text(text: String, longest in 0usize..20) {
            let pieces = cut_up(&text, longest);
            prop_assert_eq!(pieces.concat(), &*text);
            for piece in pieces {
                prop_assert!(!piece.is_empty() && (piece.len() <= longest || piece.chars().count() == 1));
            }
        }
    }
}

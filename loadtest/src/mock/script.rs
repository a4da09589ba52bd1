//! The frames of a body, in order. Runs of tokens are rendered frame by frame as they are sent, so that a long or
//! endless stream occupies no more memory than a short one.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use super::eventstream;
use crate::dice::mix;

/// Words that answers are made of: safe in JSON without escapes, one token each.
const WORDS: [&str; 32] = [
    "amber", "bridge", "candle", "delta", "ember", "field", "garden", "harbor", "island", "jacket", "kettle",
    "lantern", "meadow", "needle", "orchard", "paper", "quarry", "river", "signal", "timber", "umbrella",
    "valley", "window", "yellow", "zephyr", "anchor", "basket", "copper", "drift", "echo", "forest", "gate",
];

/// The tokens of an answer, by number. Numbers past the end start over.
#[derive(Debug, Clone)]
pub(crate) enum Pieces {
    /// Words chosen by this number.
    Words(u64),
    /// A given text, cut into pieces of about four bytes.
    Cut(Arc<[String]>),
}

impl Pieces {
    /// `text` in pieces; an empty text is one empty piece.
    pub(crate) fn of(text: &str) -> Self {
        let mut pieces = Vec::with_capacity(text.len() / 4 + 1);
        let mut piece = String::with_capacity(7);
        for c in text.chars() {
            piece.push(c);
            if piece.len() >= 4 {
                pieces.push(std::mem::take(&mut piece));
            }
        }
        if !piece.is_empty() || pieces.is_empty() {
            pieces.push(piece);
        }
        Self::Cut(pieces.into())
    }

    /// How many pieces there are; `None`: as many as wanted.
    pub(crate) fn count(&self) -> Option<u64> {
        match self {
            Self::Words(_) => None,
            Self::Cut(pieces) => u64::try_from(pieces.len()).ok(),
        }
    }

    /// Piece `number`, with the space before it.
    fn piece(&self, number: u64) -> (&'static str, &str) {
        let pick =
            |number: u64, len: usize| usize::try_from(number % u64::try_from(len).unwrap_or(1)).unwrap_or(0);
        match self {
            Self::Words(seed) => {
                let word = WORDS.get(pick(mix(seed ^ number), WORDS.len())).copied();
                (if number == 0 { "" } else { " " }, word.unwrap_or(""))
            }
            Self::Cut(pieces) => (
                "",
                pieces
                    .get(pick(number, pieces.len().max(1)))
                    .map_or("", String::as_str),
            ),
        }
    }

    /// The first `count` pieces as one text.
    pub(crate) fn text(&self, count: u64) -> String {
        let mut text = String::new();
        for number in 0..count {
            let (space, word) = self.piece(number);
            text.push_str(space);
            text.push_str(word);
        }
        text
    }

    /// Appends piece `number` as the inside of a JSON string.
    fn write_escaped(&self, number: u64, out: &mut BytesMut) {
        let (space, word) = self.piece(number);
        out.extend_from_slice(space.as_bytes());
        match self {
            Self::Words(_) => out.extend_from_slice(word.as_bytes()),
            Self::Cut(_) => {
                let quoted = quoted(word);
                let inside = quoted.get(1..quoted.len().saturating_sub(1));
                out.extend_from_slice(inside.unwrap_or("").as_bytes());
            }
        }
    }
}

/// `text` as a JSON string, quotes included.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A run of frames that carry tokens: each is a head, some pieces, and the tail.
#[derive(Debug)]
pub(crate) struct Run {
    /// One per choice, which take turns.
    pub(crate) heads: Vec<Bytes>,
    pub(crate) tail: Bytes,
    pub(crate) pieces: Pieces,
    /// Tokens in the run; `u64::MAX` never ends.
    pub(crate) tokens: u64,
    pub(crate) tokens_per_frame: u64,
    pub(crate) wrapping: Wrapping,
}

/// What becomes of head, tokens and tail.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wrapping {
    /// They are the frame.
    Plain,
    /// Behind the tail comes the number of the frame, and behind that the end. Of runs with a single choice.
    Numbered { first: u64, end: &'static str },
    /// They are the payload of a message of an AWS event stream, of this type.
    Message(&'static str),
}

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) bytes: Bytes,
    /// It carries tokens, and is paced as such.
    pub(crate) carries_tokens: bool,
}

#[derive(Debug)]
enum Step {
    Frame(Bytes),
    Run { run: Run, sent: u64, choice: usize },
}

impl Step {
    fn frames(&self) -> u64 {
        match self {
            Self::Frame(_) => 1,
            Self::Run { run, sent, choice } => {
                let turns = run
                    .tokens
                    .saturating_sub(*sent)
                    .div_ceil(run.tokens_per_frame.max(1));
                let choices = u64::try_from(run.heads.len()).unwrap_or(u64::MAX);
                let gone = u64::try_from(*choice).unwrap_or(0);
                turns.saturating_mul(choices).saturating_sub(gone)
            }
        }
    }
}

/// The frames of a body.
#[derive(Debug, Default)]
pub(crate) struct Script {
    steps: VecDeque<Step>,
    /// What comes before the first frame, as a part of it.
    lead: &'static str,
}

impl Script {
    /// A body of one piece.
    pub(crate) fn whole(body: Bytes) -> Self {
        let mut script = Self::default();
        script.frame(body);
        script
    }

    /// A body in pieces of `size` bytes.
    pub(crate) fn in_pieces(mut body: Bytes, size: usize) -> Self {
        let mut script = Self::default();
        while body.len() > size.max(1) {
            script.frame(body.split_to(size.max(1)));
        }
        script.frame(body);
        script
    }

    pub(crate) fn frame(&mut self, bytes: impl Into<Bytes>) {
        self.steps.push_back(Step::Frame(bytes.into()));
    }

    pub(crate) fn run(&mut self, run: Run) {
        if run.tokens > 0 && !run.heads.is_empty() {
            self.steps.push_back(Step::Run {
                run,
                sent: 0,
                choice: 0,
            });
        }
    }

    /// Puts `lead` before the first frame, as a part of it.
    pub(crate) fn led_by(mut self, lead: &'static str) -> Self {
        self.lead = lead;
        self
    }

    /// How many frames there are.
    pub(crate) fn frames(&self) -> u64 {
        let frames = self.steps.iter().map(Step::frames);
        frames.fold(0, u64::saturating_add)
    }

    /// The next frame; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let mut frame = self.next_unled()?;
        let lead = std::mem::take(&mut self.lead);
        if !lead.is_empty() {
            frame.bytes = [lead.as_bytes(), &frame.bytes].concat().into();
        }
        Some(frame)
    }

    fn next_unled(&mut self) -> Option<Frame> {
        match self.steps.pop_front()? {
            Step::Frame(bytes) => Some(Frame {
                bytes,
                carries_tokens: false,
            }),
            Step::Run { run, sent, choice } => {
                let upto = sent.saturating_add(run.tokens_per_frame.max(1)).min(run.tokens);
                let bytes = run.render(choice, sent, upto);
                let last_choice = choice + 1 >= run.heads.len();
                let (sent, choice) = if last_choice {
                    (upto, 0)
                } else {
                    (sent, choice + 1)
                };
                if sent < run.tokens {
                    self.steps.push_front(Step::Run { run, sent, choice });
                }
                Some(Frame {
                    bytes,
                    carries_tokens: true,
                })
            }
        }
    }
}

impl Run {
    fn render(&self, choice: usize, from: u64, upto: u64) -> Bytes {
        let head = self.heads.get(choice).map_or(&[][..], |head| head.as_ref());
        let mut frame = BytesMut::with_capacity(head.len() + self.tail.len() + 16);
        frame.extend_from_slice(head);
        for number in from..upto {
            self.pieces.write_escaped(number, &mut frame);
        }
        frame.extend_from_slice(&self.tail);
        match self.wrapping {
            Wrapping::Plain => frame.freeze(),
            Wrapping::Numbered { first, end } => {
                let number = first.saturating_add(from / self.tokens_per_frame.max(1));
                frame.extend_from_slice(number.to_string().as_bytes());
                frame.extend_from_slice(end.as_bytes());
                frame.freeze()
            }
            Wrapping::Message(kind) => eventstream::event(kind, &frame),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(mut script: Script) -> Vec<String> {
        std::iter::from_fn(|| script.next())
            .map(|frame| String::from_utf8(frame.bytes.to_vec()).expect("utf-8"))
            .collect()
    }

    #[test]
    fn a_text_is_cut_between_characters_and_put_together_again() {
        let text = "héllo wörld, 日本語 \"quoted\"\n";
        let pieces = Pieces::of(text);
        assert_eq!(pieces.text(pieces.count().expect("finite")), text);
        assert_eq!(Pieces::of("").count(), Some(1));
    }

    #[test]
    fn choices_take_turns_and_pieces_are_escaped() {
        let mut script = Script::default();
        script.run(Run {
            heads: vec![Bytes::from_static(b"0:"), Bytes::from_static(b"1:")],
            tail: Bytes::from_static(b";"),
            pieces: Pieces::of("abc\"defg"),
            tokens: 2,
            tokens_per_frame: 1,
            wrapping: Wrapping::Plain,
        });
        script.frame("end");
        assert_eq!(script.frames(), 5);
        assert_eq!(
            frames(script),
            ["0:abc\\\";", "1:abc\\\";", "0:defg;", "1:defg;", "end"]
        );
    }

    #[test]
    fn streamed_words_are_the_whole_text() {
        let pieces = Pieces::Words(9);
        let mut script = Script::default();
        script.run(Run {
            heads: vec![Bytes::new()],
            tail: Bytes::new(),
            pieces: pieces.clone(),
            tokens: 7,
            tokens_per_frame: 3,
            wrapping: Wrapping::Plain,
        });
        assert_eq!(script.frames(), 3);
        let frames = frames(script);
        assert_eq!(frames.len(), 3);
        assert_eq!(frames.concat(), pieces.text(7));
    }

    #[test]
    fn frames_of_a_run_are_numbered_where_the_dialect_numbers_them() {
        let mut script = Script::default();
        script.run(Run {
            heads: vec![Bytes::from_static(b"{")],
            tail: Bytes::from_static(b","),
            pieces: Pieces::of("abcdefghijkl"),
            tokens: 3,
            tokens_per_frame: 2,
            wrapping: Wrapping::Numbered { first: 7, end: "}" },
        });
        script.frame("end");
        assert_eq!(frames(script.led_by("[")), ["[{abcdefgh,7}", "{ijkl,8}", "end"]);
    }

    #[test]
    fn a_body_in_pieces_loses_nothing() {
        let script = Script::in_pieces(Bytes::from_static(b"0123456789"), 4);
        assert_eq!(frames(script), ["0123", "4567", "89"]);
        assert_eq!(frames(Script::in_pieces(Bytes::new(), 4)), [""]);
    }
}

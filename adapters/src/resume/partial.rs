//! What a client has of an answer that is not complete.

use crate::chat::answer::Piece;

/// Longer answers are not kept, and cannot be continued.
const LONGEST_TEXT_BYTES: usize = 4 << 20;

/// What a client has of an answer so far, as far as another provider needs it to go on. Get one from
/// [`crate::StreamReader::partial`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Partial {
    text: String,
    /// Thoughts are the last thing that came.
    thinks: bool,
    /// What came that nobody else can go on with, whatever follows.
    obstacle: Option<&'static str>,
}

impl Partial {
    /// The answer's text so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Why no other provider can go on from here; `None`: one can.
    pub fn obstacle(&self) -> Option<&'static str> {
        let thoughts = self.thinks.then_some("the answer broke off among thoughts");
        self.obstacle.or(thoughts)
    }

    /// Takes in what the client was sent.
    pub(crate) fn take(&mut self, piece: &Piece<'_>) {
        let obstacle = match piece {
            Piece::Start { .. } | Piece::Done => return,
            Piece::Text(text) => {
                self.thinks = false;
                if self.text.len() + text.len() <= LONGEST_TEXT_BYTES {
                    self.text.push_str(text);
                    return;
                }
                "the answer is too long to be continued"
            }
            Piece::Thinking(_)
            | Piece::Signature(_)
            | Piece::RedactedThinking(_)
            | Piece::State(_)
            | Piece::StateAhead(_) => {
                self.thinks = true;
                return;
            }
            Piece::Refusal(_) => "the answer is a refusal",
            Piece::Call { .. } | Piece::Arguments { .. } => "the answer has begun to call tools",
            Piece::Finish(_) => "the answer has told its end",
        };
        self.obstacle.get_or_insert(obstacle);
    }

    /// Notes that something has begun which pieces do not tell.
    pub(crate) fn note_foreign(&mut self) {
        self.obstacle
            .get_or_insert("the answer holds what only its provider can go on with");
    }

    /// Only text.
    #[cfg(test)]
    pub(crate) fn of(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::answer::End;

    fn after(pieces: &[Piece<'_>]) -> Partial {
        let mut partial = Partial::default();
        for piece in pieces {
            partial.take(piece);
        }
        partial
    }

    #[test]
    fn only_text_can_be_continued() {
        let call = Piece::Call {
            call: 0,
            id: "a".into(),
            name: "f".into(),
        };
        let (text, thought) = (Piece::Text("Well".into()), Piece::Thinking("hm".into()));
        let cases = [
            (vec![text.clone()], None),
            (vec![thought.clone(), text.clone()], None),
            (vec![Piece::Start { model: None }], None),
            (vec![thought.clone()], Some("thoughts")),
            (vec![text.clone(), thought], Some("thoughts")),
            (vec![text.clone(), call], Some("tools")),
            (vec![Piece::Refusal("no".into()), text.clone()], Some("refusal")),
            (vec![text, Piece::Finish(End::default())], Some("end")),
        ];
        for (pieces, obstacle) in cases {
            let found = after(&pieces).obstacle();
            assert_eq!(found.is_some(), obstacle.is_some(), "{pieces:?}");
            assert!(
                found.unwrap_or_default().contains(obstacle.unwrap_or_default()),
                "{found:?}"
            );
        }
    }

    #[test]
    fn very_long_answers_are_not_kept() {
        let long = Piece::Text("x".repeat(LONGEST_TEXT_BYTES).into());
        assert_eq!(after(std::slice::from_ref(&long)).obstacle(), None);
        let longer = after(&[long, Piece::Text("x".into())]);
        assert!(longer.obstacle().is_some() && longer.text().len() == LONGEST_TEXT_BYTES);
    }
}

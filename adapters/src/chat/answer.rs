//! The canonical answer, whole and in pieces.

use std::borrow::Cow;

use tollgate_core::FinishReason;

use super::{Part, State};

/// A whole answer. Usage and tier are in its [`crate::Report`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChatAnswer<'a> {
    pub(crate) model: Option<Cow<'a, str>>,
    pub(crate) choices: Vec<Choice<'a>>,
}

/// One of the answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice<'a> {
    pub(crate) parts: Vec<Part<'a>>,
    pub(crate) end: End<'a>,
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct End<'a> {
    /// `None`: the provider did not say.
    pub(crate) finish: Option<FinishReason>,
    /// The stop sequence that came up.
    pub(crate) stop_sequence: Option<Cow<'a, str>>,
    /// Why the model refused, in the provider's words.
    pub(crate) explanation: Option<Cow<'a, str>>,
}

impl End<'_> {
    /// The same, which outlives what it was read from.
    pub(crate) fn into_owned(self) -> End<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        End {
            finish: self.finish,
            stop_sequence: self.stop_sequence.map(owned),
            explanation: self.explanation.map(owned),
        }
    }
}

/// A piece of a streamed answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece<'a> {
    /// The answer begins.
    Start {
        model: Option<Cow<'a, str>>,
    },
    Text(Cow<'a, str>),
    Thinking(Cow<'a, str>),
    /// The thoughts so far are complete, and this proves them.
    Signature(Cow<'a, str>),
    RedactedThinking(Cow<'a, str>),
    /// What the provider wants back with what was said last: with the call that began last, else with the text or
    /// the thoughts so far.
    State(State<'a>),
    /// What the provider wants back with the call that begins next.
    StateAhead(State<'a>),
    Refusal(Cow<'a, str>),
    /// A call begins. `call` counts the calls of the answer, from 0.
    Call {
        call: usize,
        id: Cow<'a, str>,
        name: Cow<'a, str>,
    },
    /// More of a call's arguments.
    Arguments {
        call: usize,
        json: Cow<'a, str>,
    },
    /// Why the answer ended; more pieces may follow.
    Finish(End<'a>),
    /// The dialect's closing event.
    Done,
}

/// The finish as clients must see it: with calls to make, an answer does not just stop.
pub(crate) const fn finish_with(finish: FinishReason, has_calls: bool) -> FinishReason {
    match finish {
        FinishReason::Stop if has_calls => FinishReason::ToolCalls,
        finish => finish,
    }
}

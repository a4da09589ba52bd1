//! The blocks of an answer, for dialects that write one after the other.
//!
//! Blocks are open one at a time there; elsewhere calls may grow side by side. So blocks queue up: the first one is on
//! the wire and grows there, the others wait with what they have, until it cannot grow any more.

use std::collections::VecDeque;

use tollgate_core::FinishReason;

use super::State;
use super::answer::{End, Piece, finish_with};
use super::carried::{Owner, of_state};
use super::made::{CallIds, Made};
use super::names::Renamed;
use crate::json::Balance;

/// What has been said, as far as it is not on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Blocks {
    pub(crate) made: Made,
    renamed: Renamed,
    queue: VecDeque<Block>,
    ids: CallIds,
    /// What belongs to the call that begins next.
    ahead: Option<State<'static>>,
    has_said: bool,
    has_refused: bool,
    end: Option<End<'static>>,
}

/// A block, open or waiting to be.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) kind: BlockKind,
    /// What has not been written.
    pub(crate) pending: String,
    /// Whether its beginning has been written.
    pub(crate) is_open: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum BlockKind {
    Text,
    /// Once there is a signature, they go on no more.
    Thinking {
        signature: Option<Box<str>>,
    },
    Redacted,
    Call {
        /// It counts the calls of the answer, from 0.
        number: usize,
        id: Box<str>,
        name: Box<str>,
        json: Balance,
    },
}

/// How a dialect writes blocks.
pub(crate) trait BlockWire {
    /// Begins a block if it is not open, and writes what it has.
    fn flush(&mut self, block: &mut Block, out: &mut Vec<u8>);

    /// Ends a block.
    fn shut(&mut self, block: &Block, out: &mut Vec<u8>);
}

impl BlockKind {
    fn can_grow(&self) -> bool {
        matches!(self, Self::Call { json, .. } if !json.is_complete())
    }
}

impl Blocks {
    /// `id_prefix`: what the ids of calls begin with that come without one.
    pub(crate) fn new(made: Made, renamed: Renamed, id_prefix: &'static str) -> Self {
        Self {
            made,
            renamed,
            queue: VecDeque::new(),
            ids: CallIds::new(id_prefix),
            ahead: None,
            has_said: false,
            has_refused: false,
            end: None,
        }
    }

    /// Goes on with the answer of another provider, where tools have other names.
    pub(crate) fn rename(&mut self, renamed: Renamed) {
        self.renamed = renamed;
    }

    /// Goes on with a block of text that is on the wire.
    pub(crate) fn reopen_text(&mut self) {
        self.push(BlockKind::Text, "");
        if let Some(block) = self.queue.back_mut() {
            block.is_open = true;
        }
    }

    /// Takes in what a piece says; it is not on the wire before [`Self::advance`].
    pub(crate) fn take(&mut self, piece: Piece<'_>) {
        match piece {
            Piece::Text(text) => self.text(&text),
            Piece::Refusal(text) => {
                self.has_refused = true;
                self.text(&text);
            }
            Piece::Thinking(text) => self.think(&text),
            Piece::Signature(signature) => self.sign(signature.as_ref().into()),
            Piece::RedactedThinking(data) => self.redacted(&data),
            Piece::Call { call, id, name } => self.call(call, &id, &name),
            Piece::Arguments { call, json } => self.arguments(call, &json),
            Piece::Finish(end) if end.finish.is_some() => self.end = Some(end.into_owned()),
            Piece::State(state) => self.carry(&state),
            Piece::StateAhead(state) => self.ahead = Some(state.into_owned()),
            Piece::Finish(_) | Piece::Start { .. } | Piece::Done => {}
        }
    }

    /// More text: of the last block, if it is one.
    pub(crate) fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.has_said = true;
        match self.queue.back_mut() {
            Some(Block {
                kind: BlockKind::Text,
                pending,
                ..
            }) => pending.push_str(text),
            _ => self.push(BlockKind::Text, text),
        }
    }

    fn think(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        match self.queue.back_mut() {
            Some(Block {
                kind: BlockKind::Thinking { signature: None },
                pending,
                ..
            }) => pending.push_str(text),
            _ => self.push(BlockKind::Thinking { signature: None }, text),
        }
    }

    /// Ends the thoughts so far with their proof. Thoughts that are not shown are nothing but that.
    fn sign(&mut self, proof: Box<str>) {
        let signature = Some(proof);
        match self.queue.back_mut().map(|block| &mut block.kind) {
            Some(BlockKind::Thinking { signature: known }) if known.is_none() => *known = signature,
            _ => self.push(BlockKind::Thinking { signature }, ""),
        }
    }

    fn redacted(&mut self, data: &str) {
        self.push(BlockKind::Redacted, data);
    }

    /// Carries what a provider wants back with what was said last: behind it, for that has been written.
    fn carry(&mut self, state: &State<'_>) {
        let owner = match self.queue.back().map(|block| &block.kind) {
            Some(BlockKind::Thinking { signature: None }) => {
                return self.sign(of_state(state, Owner::Itself).into());
            }
            Some(BlockKind::Text | BlockKind::Call { .. }) => Owner::Last,
            Some(BlockKind::Thinking { .. } | BlockKind::Redacted) | None => Owner::Itself,
        };
        self.redacted(&of_state(state, owner));
    }

    fn call(&mut self, number: usize, id: &str, name: &str) {
        if number != self.ids.count() {
            return;
        }
        if let Some(state) = self.ahead.take() {
            self.redacted(&of_state(&state, Owner::Next));
        }
        let id = self.ids.next(id, &self.made).into();
        let name = self.renamed.original(name).into();
        let json = Balance::default();
        let kind = BlockKind::Call {
            number,
            id,
            name,
            json,
        };
        self.push(kind, "");
    }

    fn arguments(&mut self, number: usize, more: &str) {
        for block in self.queue.iter_mut().rev() {
            if let BlockKind::Call { number: n, json, .. } = &mut block.kind
                && *n == number
            {
                json.take(more);
                block.pending.push_str(more);
                return;
            }
        }
    }

    fn push(&mut self, kind: BlockKind, pending: &str) {
        self.queue.push_back(Block {
            kind,
            pending: pending.to_owned(),
            is_open: false,
        });
    }

    /// Whether nothing at all can be shown to a person or called.
    pub(crate) const fn is_silent(&self) -> bool {
        !self.has_said && self.ids.count() == 0
    }

    /// Whether the answer's end has been told.
    pub(crate) const fn is_finished(&self) -> bool {
        self.end.is_some()
    }

    /// How the answer ended, as clients must see it; it just stopped, if nobody said.
    pub(crate) fn take_end(&mut self) -> (FinishReason, End<'static>) {
        let end = self.end.take().unwrap_or_default();
        let finish = finish_with(end.finish.unwrap_or(FinishReason::Stop), self.ids.count() > 0);
        let finish = if self.has_refused {
            FinishReason::ContentFilter
        } else {
            finish
        };
        (finish, end)
    }

    /// Writes what can be written now: all of the first block, and of the next ones if it cannot grow any more.
    pub(crate) fn advance(&mut self, wire: &mut impl BlockWire, out: &mut Vec<u8>) {
        while let Some(first) = self.queue.front_mut() {
            wire.flush(first, out);
            if first.kind.can_grow() || self.queue.len() < 2 {
                return;
            }
            self.shut_first(wire, out);
        }
    }

    /// Writes all there is: nothing grows any more.
    pub(crate) fn finish(&mut self, wire: &mut impl BlockWire, out: &mut Vec<u8>) {
        while let Some(first) = self.queue.front_mut() {
            // Clients parse what has come: no arguments are an empty object.
            if matches!(&first.kind, BlockKind::Call { json, .. } if json.is_empty()) {
                first.pending.push_str("{}");
            }
            wire.flush(first, out);
            self.shut_first(wire, out);
        }
    }

    /// Ends the block that is open, for the stream ends here with an error: clients pair each start with an end.
    pub(crate) fn break_off(&mut self, wire: &mut impl BlockWire, out: &mut Vec<u8>) {
        if self.queue.front().is_some_and(|block| block.is_open) {
            self.shut_first(wire, out);
        }
        self.queue.clear();
    }

    fn shut_first(&mut self, wire: &mut impl BlockWire, out: &mut Vec<u8>) {
        if let Some(block) = self.queue.pop_front() {
            wire.shut(&block, out);
        }
    }
}

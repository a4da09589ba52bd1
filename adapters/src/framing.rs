//! How a provider's stream is cut into frames: server-sent events, or AWS's event streams.

use tollgate_core::Dialect;

use crate::sse::Frame;
use crate::{eventstream, sse};

/// Cuts a stream into frames.
#[derive(Debug)]
pub(crate) enum Framing {
    Events(sse::Framer),
    Messages(eventstream::Framer),
}

/// Why a stream cannot be followed any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub(crate) enum Cut {
    Event(#[from] sse::Oversize),
    Message(#[from] eventstream::Fault),
}

impl Framing {
    /// That of a provider who speaks `dialect`.
    pub(crate) fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Bedrock => Self::Messages(eventstream::Framer::default()),
            _ => Self::Events(sse::Framer::default()),
        }
    }

    /// Takes the next chunk and calls `each` for every frame that is complete now, in order.
    ///
    /// # Errors
    /// What cannot be followed; frames before it have been handed out.
    pub(crate) fn push(&mut self, chunk: &[u8], each: impl FnMut(Frame<'_>)) -> Result<(), Cut> {
        match self {
            Self::Events(framer) => framer.push(chunk, each)?,
            Self::Messages(framer) => framer.push(chunk, each)?,
        }
        Ok(())
    }

    /// The stream has ended: calls `each` with what is left, if anything is.
    pub(crate) fn finish(&mut self, each: impl FnOnce(Frame<'_>)) {
        match self {
            Self::Events(framer) => framer.finish(each),
            Self::Messages(framer) => framer.finish(each),
        }
    }
}

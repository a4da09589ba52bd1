//! What the roster tells the actors of a provider, and asks them.

use actix::Message;

use crate::watched::Watched;

/// These are your targets now.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct Follow(pub(crate) Watched);

/// Your provider is gone.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(crate) struct Retire;

/// Are you there?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Vigour")]
pub(crate) struct Pulse;

/// What an actor says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vigour {
    /// Outcomes that found a ring or a mailbox full.
    pub(crate) outcomes_dropped: u64,
}

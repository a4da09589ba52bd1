//! What there must be for an answer that broke off to go on in the same stream: what the client has of it, how to
//! go on writing, and what may come twice.

mod overlap;
mod partial;
mod trace;

pub(crate) use overlap::Overlap;
pub use partial::Partial;
pub(crate) use trace::{ChunkTrace, EventTrace, NoTrace, Trace};

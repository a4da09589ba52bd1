//! What became of a request that was answered, before a byte of it has gone to the client.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use tokio::time::Instant;
use tollgate_adapters::{Answer, ProviderFailure, StreamReader, Told};
use tollgate_core::{FinishReason, Usage};
use tollgate_routing::Candidate;

use crate::exchange::leg::Leg;
use crate::exchange::passed::Passed;
use crate::stages::recall::pace::Pace;
use crate::upstream::UpstreamBody;

/// What a provider answered, ready to be relayed.
#[expect(
    clippy::large_enum_variant,
    reason = "most answers are whole: a box for each costs more than the room in the few others"
)]
pub(crate) enum Answered {
    /// A whole body.
    Whole(Answer, Passed),
    /// The beginning of a stream.
    Stream(Box<Opened>),
    /// What passes through, from its beginning.
    Passing(Box<Passing>),
    /// The provider's own "no", in the client's dialect.
    Failure(ProviderFailure, Passed),
    /// Given before, and given again from the cache.
    Recalled(Recalled),
}

/// A stream whose first content has arrived.
pub(crate) struct Opened {
    /// What follows.
    pub(crate) body: UpstreamBody,
    /// Reads it; has seen what has arrived.
    pub(crate) reader: StreamReader,
    /// What that became.
    pub(crate) first: Vec<Bytes>,
    /// The pause between two pieces that is allowed.
    pub(crate) idle: Duration,
    /// When the whole exchange must be over.
    pub(crate) deadline: Instant,
    /// Headers for the client.
    pub(crate) passed: Passed,
    /// Who may go on with it if it breaks; `None`: nobody.
    pub(crate) heirs: Option<Box<dyn Heirs>>,
}

/// An answer that has begun.
pub(crate) struct Passing {
    /// The provider's status.
    pub(crate) status: u16,
    /// What has come.
    pub(crate) first: Bytes,
    /// What follows.
    pub(crate) body: UpstreamBody,
    /// How long all of it is; `None`: the provider does not say.
    pub(crate) len: Option<u64>,
    /// Has heard nothing yet.
    pub(crate) told: Told,
    /// The pause between two pieces that is allowed.
    pub(crate) idle: Duration,
    /// When the whole exchange must be over.
    pub(crate) deadline: Instant,
    /// Headers for the client.
    pub(crate) passed: Passed,
}

/// An answer from the cache, in the client's dialect.
pub(crate) struct Recalled {
    pub(crate) body: Bytes,
    pub(crate) is_stream: bool,
    pub(crate) finish: Option<FinishReason>,
    /// `None`: a stream comes at once.
    pub(crate) pace: Option<Pace>,
}

/// Who may go on with a stream that breaks.
pub(crate) trait Heirs {
    /// Seeks somebody to go on from where `broken` stopped. `by` is who broke off, and `spent` what it is billed for.
    fn go_on(
        self: Box<Self>,
        broken: StreamReader,
        by: Candidate,
        spent: Usage,
    ) -> LocalBoxFuture<'static, Succeeded>;
}

/// What came of asking them.
pub(crate) struct Succeeded {
    /// For the next time.
    pub(crate) heirs: Box<dyn Heirs>,
    /// The reader of the stream that broke.
    pub(crate) broken: StreamReader,
    /// Who has taken over; `None`: nobody.
    pub(crate) heir: Option<(Leg, Box<Opened>)>,
}

impl Answered {
    /// Lets somebody else go on if the stream breaks, where the route asks for it.
    pub(crate) fn with_heirs<H: Heirs + 'static>(mut self, heirs: impl FnOnce() -> Option<H>) -> Self {
        if let Self::Stream(opened) = &mut self {
            opened.heirs = heirs().map(|heirs| Box::new(heirs) as Box<dyn Heirs>);
        }
        self
    }
}

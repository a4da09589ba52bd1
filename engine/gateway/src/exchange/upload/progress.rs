//! How far an upload has come: whether the client is late, or the provider.

use std::cell::Cell;
use std::time::Instant;

use tollgate_core::Clock;

/// How far a body that is passed on has come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// When a piece was handed on last; `None`: none was.
    last: Cell<Option<Instant>>,
    /// Whether it is the client that is waited for.
    waits: Cell<bool>,
}

impl Progress {
    /// A piece is handed on.
    pub(super) fn moved(&self) {
        self.last.set(Some(Clock.now()));
        self.waits.set(false);
    }

    /// The client has sent nothing more yet.
    pub(super) fn waits(&self) {
        self.waits.set(true);
    }

    /// The client has sent everything.
    pub(super) fn complete(&self) {
        self.moved();
    }

    /// Whether it is the client that is waited for.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waits.get()
    }

    /// When the provider had all that it has, if it was handed over at `sent_at`.
    pub(crate) fn since(&self, sent_at: Instant) -> Instant {
        self.last.get().map_or(sent_at, |last| last.max(sent_at))
    }
}

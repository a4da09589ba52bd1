//! One request's life: counted when it is admitted, and settled exactly once, in `Drop`, as done, faulted or
//! abandoned by the peer. It lives in the handler while the head is awaited and in the body afterwards.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tollgate_core::Clock;

use super::behaviour::Fate;
use super::control::Control;
use super::journal::{Ending, Progress};
use super::table::{Counters, Lane};
use crate::dice::Dice;

/// An admitted request.
#[derive(Debug)]
pub(crate) struct Exchange {
    control: Control,
    pub(crate) lane: Arc<Lane>,
    pub(crate) dice: Dice,
    /// Its number on the lane, from 0.
    pub(crate) count: u64,
    started: Instant,
    pub(crate) progress: Arc<Progress>,
    ending: Ending,
}

impl Exchange {
    pub(crate) fn open(control: Control, lane: Arc<Lane>, dice: Dice, count: u64, started: Instant) -> Self {
        for counters in [control.total(), &*lane.counters] {
            counters.requests.fetch_add(1, Ordering::SeqCst);
        }
        Self {
            control,
            lane,
            dice,
            count,
            started,
            progress: Arc::default(),
            ending: Ending::ClientGone,
        }
    }

    /// What the request meets.
    pub(crate) fn fate(&self) -> Fate {
        self.lane.behaviour.fate(self.dice, self.count)
    }

    /// The time from now until its head is due.
    pub(crate) fn latency(&self) -> std::time::Duration {
        let elapsed = self.started.saturating_duration_since(self.lane.since);
        self.lane.behaviour.latency.draw(self.dice, self.count, elapsed)
    }

    /// A head was answered.
    pub(crate) fn answered(&self, status: u16) {
        self.progress.set_status(status);
        self.control.journal_ring().announce();
    }

    /// An event or piece of the body was sent.
    pub(crate) fn sent_chunk(&self) {
        self.progress.count_chunk();
        self.control.journal_ring().announce();
    }

    /// Says how it ends when it is dropped; without a word, the peer is gone.
    pub(crate) fn ends(&mut self, ending: Ending) {
        self.ending = ending;
    }

    fn count_end(&self, counters: &Counters) {
        let counter = match self.ending {
            Ending::Done => &counters.completed,
            Ending::Faulted => &counters.faulted,
            Ending::Open | Ending::ClientGone => &counters.client_gone,
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.count_end(self.control.total());
        self.count_end(&self.lane.counters);
        let elapsed = Clock.now().saturating_duration_since(self.started);
        self.progress.end(
            self.ending,
            u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
        );
        self.control.journal_ring().announce();
    }
}

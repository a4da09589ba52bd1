//! The right to ask a target once. What becomes of it is told exactly once, at the latest when it is dropped.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use tollgate_core::{Moment, OutcomeClass};

use super::gate::GateMode;
use crate::{Ended, HealthCell, Observation, OutcomeRing, Stage};

/// A request at a target: counted as in flight for as long as it lives.
pub struct Permit {
    cell: Arc<HealthCell>,
    ring: Arc<OutcomeRing>,
    admitted_at: Moment,
    others: u32,
    probe: Option<u16>,
    credential: Option<u16>,
    is_told: bool,
}

/// The target's breaker does not let a request in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("its circuit breaker is {}", .0.name())]
pub struct NotAdmitted(pub GateMode);

impl Permit {
    pub(super) fn new(
        cell: Arc<HealthCell>,
        ring: Arc<OutcomeRing>,
        admitted_at: Moment,
        others: u32,
        probe: Option<u16>,
    ) -> Self {
        Self {
            cell,
            ring,
            admitted_at,
            others,
            probe,
            credential: None,
            is_told: false,
        }
    }

    /// Names the credential that is used, by its index at the provider.
    pub fn using(&mut self, credential: Option<u16>) {
        self.credential = credential;
    }

    /// Other requests that were in flight at the target when this one was let in.
    pub fn others(&self) -> u32 {
        self.others
    }

    /// Whether this is a half-open breaker's probe.
    pub fn is_probe(&self) -> bool {
        self.probe.is_some()
    }

    /// The first content of a stream has arrived, `ttft_us` after it was sent.
    pub fn first_token(&self, now: Moment, ttft_us: u32) {
        let in_flight = self.others;
        self.post(now, Stage::FirstToken { ttft_us, in_flight });
    }

    /// The attempt is over. `ended` need not know what the permit knows: the load and the probe are filled in.
    pub fn ended(mut self, now: Moment, ended: Ended) {
        self.tell(now, ended);
    }

    fn tell(&mut self, now: Moment, ended: Ended) {
        self.is_told = true;
        let (in_flight, probe) = (self.others, self.probe);
        let ended = Ended {
            in_flight,
            probe,
            ..ended
        };
        self.post(now, Stage::Ended(ended));
    }

    fn post(&self, at: Moment, stage: Stage) {
        self.ring.post(Observation {
            at,
            slot: self.cell.slot(),
            credential: self.credential,
            stage,
        });
    }
}

impl Drop for Permit {
    /// Not told of: whoever held it was dropped, so the client is gone. A probe goes back that way.
    fn drop(&mut self) {
        self.cell.leave();
        if !self.is_told {
            self.tell(self.admitted_at, Ended::without_verdict());
        }
    }
}

impl Ended {
    /// The end of an attempt that says nothing about its target.
    pub const fn without_verdict() -> Self {
        Self {
            class: OutcomeClass::ClientGone,
            streamed: false,
            total_us: 0,
            ttft_us: None,
            in_flight: 0,
            output_tokens: 0,
            prompt_tokens: 0,
            estimated_prompt_tokens: 0,
            retry_after: None,
            probe: None,
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("slot", &self.cell.slot())
            .field("probe", &self.probe)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Urgency;

    #[test]
    fn a_permit_tells_once_what_became_of_it_and_is_in_flight_until_then() {
        let (cell, ring) = (Arc::new(HealthCell::new(3)), Arc::new(OutcomeRing::new(8)));
        let admit = || cell.admit(&ring, Moment::ZERO, Urgency::Ordinary).unwrap();
        let (mut first, second) = (admit(), admit());
        assert_eq!((cell.in_flight(), first.others(), second.others()), (2, 0, 1));
        first.using(Some(4));
        let success = Ended {
            class: OutcomeClass::Success,
            total_us: 9,
            ..Ended::without_verdict()
        };
        first.ended(Moment::from_micros(9), success);
        drop(second);
        assert_eq!(cell.in_flight(), 0);
        let told = ring.pop().unwrap();
        assert_eq!(
            (told.slot, told.credential, told.stage),
            (3, Some(4), Stage::Ended(success))
        );
        let dropped = ring.pop().unwrap();
        assert_eq!(
            dropped.stage,
            Stage::Ended(Ended {
                in_flight: 1,
                ..Ended::without_verdict()
            })
        );
        assert_eq!(ring.pop(), None);
    }
}

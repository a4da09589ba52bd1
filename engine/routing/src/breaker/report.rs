//! A breaker as people and the admin API read it.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use tollgate_core::{Moment, OutcomeClass};

use super::machine::Breaker;
use crate::Counts;

/// Why a breaker opened. `Display` says it in words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TripReason {
    /// So many failures without a success between them.
    Streak {
        /// How many.
        failures: u32,
        /// What the last of them was.
        last: OutcomeClass,
    },
    /// Too many of the requests in the window failed.
    Ratio {
        /// Failures.
        failures: u32,
        /// Of so many requests.
        requests: u32,
        /// In this time.
        window: Duration,
    },
    /// Too many of the requests in the window were slow.
    Slow {
        /// Slow ones.
        slow: u32,
        /// Of so many requests.
        requests: u32,
        /// In this time.
        window: Duration,
    },
    /// A probe failed.
    Probe(OutcomeClass),
    /// All probes were answered, too many of them slowly.
    SlowProbes {
        /// Slow ones.
        slow: u8,
        /// Of so many.
        probes: u8,
    },
}

impl fmt::Display for TripReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Streak { failures, last } => {
                write!(f, "{failures} failures in a row, the last one {}", last.name())
            }
            Self::Ratio {
                failures,
                requests,
                window,
            } => write!(f, "{failures} of {requests} requests within {window:?} failed"),
            Self::Slow {
                slow,
                requests,
                window,
            } => write!(f, "{slow} of {requests} requests within {window:?} were slow"),
            Self::Probe(class) => write!(f, "a probe failed: {}", class.name()),
            Self::SlowProbes { slow, probes } => write!(f, "{slow} of {probes} probes were slow"),
        }
    }
}

/// A breaker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BreakerReport {
    /// What it lets through: a [`GateMode::name`](crate::GateMode::name).
    pub state: &'static str,
    /// How long it has been in this state.
    pub since_ms_ago: u64,
    /// The state that an operator has forced; `None`: it decides by itself.
    pub forced: Option<&'static str>,
    /// Closed: the share of requests let through, `0.0..=1.0`; less than one while a target is re-admitted.
    pub admission: f32,
    /// How often it has opened.
    pub trips: u64,
    /// How often since it was last known to be well: each doubles the time it stays open.
    pub trips_in_a_row: u32,
    /// The last time it opened; `None`: it never did.
    pub last_trip: Option<LastTrip>,
    /// Open: when the next probe goes out.
    pub next_probe_in_ms: Option<u64>,
    /// Half-open: how the probes stand.
    pub probes: Option<ProbeCount>,
    /// Failures since the last success.
    pub consecutive_failures: u32,
    /// What the window holds. It begins anew when the breaker opens or closes.
    pub window: Counts,
}

/// A time the breaker opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastTrip {
    /// Why, in words.
    pub reason: String,
    /// How long ago.
    pub ms_ago: u64,
}

/// How the probes of a half-open breaker stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ProbeCount {
    /// So many must go well.
    pub needed: u8,
    /// So many have.
    pub passed: u8,
}

impl BreakerReport {
    pub(super) fn of(breaker: &Breaker, now: Moment) -> Self {
        let gate = breaker.gate();
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let ago = |moment: Moment| millis(now.since(moment));
        Self {
            state: gate.mode.name(),
            since_ms_ago: ago(breaker.since()),
            forced: breaker.forced().map(crate::Force::name),
            admission: f32::from(gate.admission) / 255.0,
            trips: breaker.trips(),
            trips_in_a_row: breaker.trips_in_a_row(),
            last_trip: breaker.last_trip().map(|(reason, at)| LastTrip {
                reason: reason.to_string(),
                ms_ago: ago(at),
            }),
            next_probe_in_ms: breaker.opens_until().map(|until| millis(until.since(now))),
            probes: breaker.probes(),
            consecutive_failures: breaker.consecutive_failures(),
            window: breaker.counts(now),
        }
    }
}

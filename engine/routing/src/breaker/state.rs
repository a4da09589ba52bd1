//! The states of a breaker, what operators may force, and what a change asks for.

use serde::{Deserialize, Serialize};
use tollgate_core::Moment;

use super::ramp::Ramp;
use crate::GateMode;

/// What it decides by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum State {
    /// With the way back to full traffic, while it is not done.
    Closed(Option<Ramp>),
    Open {
        until: Moment,
    },
    HalfOpen(Probing),
}

/// How a half-open breaker's probes stand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Probing {
    pub(super) needed: u8,
    pub(super) passed: u8,
    pub(super) slow: u8,
    /// When those not heard of are given up, and new ones go out.
    pub(super) renew_at: Moment,
    pub(super) renewals: u32,
}

/// What an operator wants of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Force {
    /// Nothing goes through.
    Open,
    /// Everything goes through.
    Closed,
    /// Nothing new goes through, and nobody is to blame.
    Drain,
    /// It decides by itself again.
    Auto,
}

/// What has to be done after the machine was told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Changed {
    /// Nothing.
    Nothing,
    /// Publish the gate: another share is let through, or new probes are.
    Gate,
    /// Publish the gate, and tell people: it is in another state.
    State,
    /// Give one probe of this generation back to the cell: what was sent said nothing about the target.
    ReturnProbe(u16),
}

impl Force {
    /// The name in the admin API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Drain => "drain",
            Self::Auto => "auto",
        }
    }

    /// What holds until further notice.
    pub(super) fn held(self) -> Option<Self> {
        (self != Self::Auto).then_some(self)
    }

    pub(super) const fn mode(self) -> GateMode {
        match self {
            Self::Open => GateMode::ForcedOpen,
            Self::Closed => GateMode::ForcedClosed,
            Self::Drain => GateMode::Drained,
            Self::Auto => GateMode::Closed,
        }
    }
}

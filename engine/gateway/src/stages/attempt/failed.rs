//! An attempt that came to nothing, and where to turn then.

use std::time::Duration;

use tollgate_adapters::ProviderFailure;
use tollgate_core::{Fault, OutcomeClass, Refusal, RefusalKind};
use tollgate_routing::Candidate;

use crate::exchange::passed::Passed;

/// One attempt that came to nothing.
pub(super) enum Failed {
    /// It was made.
    Attempted {
        candidate: Candidate,
        outcome: OutcomeClass,
        reason: Reason,
    },
    /// It was not: the request cannot be put into this target's dialect.
    Untranslatable(Candidate, Refusal),
}

pub(super) enum Reason {
    /// The provider said so.
    Provider(Box<ProviderFailure>, Passed),
    /// The gateway found out: no connection, no answer, an answer that cannot be read.
    Gateway(String),
}

/// Where to turn after a failure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    NextCredential,
    NextCandidate,
    Nowhere,
}

/// An outcome, the provider's status if there was one, and what to tell the client.
pub(super) type Unanswered = (OutcomeClass, Option<u16>, Reason);

impl Failed {
    /// Who was asked.
    pub(super) fn candidate(&self) -> &Candidate {
        match self {
            Self::Attempted { candidate, .. } | Self::Untranslatable(candidate, _) => candidate,
        }
    }

    /// When the provider wants to be asked again.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Attempted {
                reason: Reason::Provider(failure, _),
                ..
            } => failure.retry_after,
            _ => None,
        }
    }

    /// Where to turn now.
    pub(super) fn turn(&self) -> Turn {
        match self {
            // Another target may speak a dialect that carries it; a field of the wrong type is wrong everywhere.
            Self::Untranslatable(_, refusal) if refusal.kind == RefusalKind::NotTranslatable => {
                Turn::NextCandidate
            }
            Self::Untranslatable(..) => Turn::Nowhere,
            Self::Attempted { outcome, .. } => {
                let policy = outcome.policy();
                match (policy.may_fail_over, policy.fault) {
                    (false, _) => Turn::Nowhere,
                    (true, Fault::Credential) => Turn::NextCredential,
                    (true, _) => Turn::NextCandidate,
                }
            }
        }
    }
}

/// What the gateway found out.
pub(super) fn gateway(outcome: OutcomeClass, message: impl Into<String>) -> Unanswered {
    (outcome, None, Reason::Gateway(message.into()))
}

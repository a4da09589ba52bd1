//! How the actors on the roster are, as people read it.

use serde::Serialize;
use tollgate_core::Clock;

use crate::upkeep::Vigour;

/// An actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActorReport {
    /// `router/0`, `health/openai`, `breaker/openai`.
    pub name: String,
    /// Whether it answered within 100 ms.
    pub is_alive: bool,
    /// How long the question waited in its mailbox and the answer took, microseconds; `None`: no answer.
    pub answered_in_us: Option<u64>,
    /// Outcomes that found its ring or its breaker's mailbox full, since the process began; `None`: it takes none.
    pub outcomes_dropped: Option<u64>,
}

/// Asks an actor how it is.
pub(super) async fn examined(
    name: String,
    clock: Clock,
    pulse: impl Future<Output = Option<Option<Vigour>>>,
) -> ActorReport {
    let asked = clock.moment();
    let answer = pulse.await;
    let took = clock.moment().since(asked).as_micros();
    ActorReport {
        name,
        is_alive: answer.is_some(),
        answered_in_us: answer.map(|_| u64::try_from(took).unwrap_or(u64::MAX)),
        outcomes_dropped: answer.flatten().map(|it| it.outcomes_dropped),
    }
}

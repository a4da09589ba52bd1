//! What clients saw: one entry for each request of the load.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::header::HeaderMap;
use parking_lot::Mutex;
use tollgate_core::Clock;

use crate::load::{Ending, ErrorClass, Surface, Witness, Witnessed};

/// A request and what its client got. Times are since the start of the drill.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) due: Duration,
    pub(crate) ended: Duration,
    pub(crate) surface: Surface,
    pub(crate) ending: Ending,
    pub(crate) status: Option<u16>,
    /// A stream of which content had come.
    pub(crate) had_begun: bool,
    /// Of a stream that told of an error: in which surface's form.
    pub(crate) error_event: Option<Surface>,
    /// `x-request-id`.
    pub(crate) id: Option<String>,
    /// `x-tollgate-target`.
    pub(crate) target: Option<String>,
    /// `x-tollgate-attempts`.
    pub(crate) attempts: Option<u32>,
}

impl Call {
    pub(crate) fn is_answered(&self) -> bool {
        self.ending == Ending::Answered
    }

    /// The provider that answered.
    pub(crate) fn provider(&self) -> Option<&str> {
        provider_of(self.target.as_deref()?)
    }

    /// A stream that broke after content had come: nobody could save it.
    pub(crate) fn is_cut(&self) -> bool {
        self.had_begun && matches!(self.ending, Ending::Failed(_))
    }

    /// A stream that broke and said so in its client's own dialect.
    pub(crate) fn is_told(&self) -> bool {
        self.is_cut()
            && self.ending == Ending::Failed(ErrorClass::ErrorEvent)
            && self.error_event == Some(self.surface)
    }

    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.ending, Ending::Failed(_)) && !self.is_cut()
    }

    pub(crate) fn latency(&self) -> Duration {
        self.ended.saturating_sub(self.due)
    }
}

/// The provider of `provider/model`.
pub(crate) fn provider_of(target: &str) -> Option<&str> {
    target.split_once('/').map(|(provider, _)| provider)
}

/// Gathers calls, from whatever thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<Call>>>);

impl Calls {
    /// A witness that writes down what it sees, as of `begun`.
    pub(crate) fn witness(&self, begun: Instant) -> Witness {
        let calls = self.clone();
        Arc::new(move |seen: &Witnessed<'_>| {
            let ended = Clock.now().saturating_duration_since(begun);
            calls.0.lock().push(call(seen, ended));
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().len()
    }

    /// All of them so far, in the order in which they were due.
    pub(crate) fn sorted(&self) -> Vec<Call> {
        let mut calls = self.0.lock().clone();
        calls.sort_by_key(|call| call.due);
        calls
    }
}

fn call(seen: &Witnessed<'_>, ended: Duration) -> Call {
    let sample = seen.sample;
    let header = |name: &str| text(seen.headers?, name);
    Call {
        due: ended.saturating_sub(sample.ended.saturating_sub(sample.due)),
        ended,
        surface: seen.surface,
        ending: sample.ending,
        status: sample.status,
        had_begun: sample.streamed && sample.chunks > 0,
        error_event: seen.error_event,
        id: header("x-request-id"),
        target: header("x-tollgate-target"),
        attempts: header("x-tollgate-attempts").and_then(|text| text.parse().ok()),
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A good answer of `target` at the first attempt, due then and 100 ms later there.
    pub(crate) fn answered(due_ms: u64, target: &str) -> Call {
        let due = Duration::from_millis(due_ms);
        Call {
            due,
            ended: due + Duration::from_millis(100),
            surface: Surface::Chat,
            ending: Ending::Answered,
            status: Some(200),
            had_begun: false,
            error_event: None,
            id: Some(format!("req_{due_ms}")),
            target: Some(target.to_owned()),
            attempts: Some(1),
        }
    }

    /// A stream that broke like this after content had come.
    pub(crate) fn broken(due_ms: u64, class: ErrorClass, error_event: Option<Surface>) -> Call {
        Call {
            ending: Ending::Failed(class),
            had_begun: true,
            error_event,
            ..answered(due_ms, "a/m")
        }
    }

    #[test]
    fn a_stream_is_told_of_its_end_in_its_own_dialect_or_not_at_all() {
        let told = broken(0, ErrorClass::ErrorEvent, Some(Surface::Chat));
        assert!(told.is_cut() && told.is_told() && !told.has_failed());
        let foreign = broken(0, ErrorClass::ErrorEvent, Some(Surface::Messages));
        assert!(foreign.is_cut() && !foreign.is_told());
        let silent = broken(0, ErrorClass::CutShort, None);
        assert!(silent.is_cut() && !silent.is_told());
        let refused = Call {
            had_begun: false,
            ..silent
        };
        assert!(!refused.is_cut() && refused.has_failed());
    }

    #[test]
    fn the_provider_is_the_first_part_of_a_target() {
        assert_eq!(answered(0, "a/b/c").provider(), Some("a"));
        assert_eq!(answered(0, "odd").provider(), None);
    }
}

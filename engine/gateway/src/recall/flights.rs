//! Single flight: of concurrent requests for the same answer one asks for it, and the others wait.
//!
//! Whoever asks holds a [`Ticket`] until the answer is in the cache, or until it is clear that it will not be.
//! However the ticket is dropped, those who wait look again: one of them may then be the next to ask.

use std::sync::{Arc, Weak};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::watch;
use tollgate_core::Digest;

/// Answers that are on their way, by the question. Shared by all workers.
#[derive(Debug, Default)]
pub(crate) struct Flights(DashMap<Digest, watch::Receiver<()>>);

/// The right to ask, and the duty of all others to wait.
#[derive(Debug)]
pub(crate) struct Ticket {
    flights: Weak<Flights>,
    question: Digest,
    /// Closed with the ticket: that is the sign for those who wait.
    _over: watch::Sender<()>,
}

/// Who asks.
pub(super) enum Turn {
    /// The one who called.
    Lead(Ticket),
    /// Somebody else: [`landed`] says when that is over.
    Follow(watch::Receiver<()>),
}

impl Flights {
    /// Joins those who want the answer to this question.
    pub(super) fn join(self: &Arc<Self>, question: Digest) -> Turn {
        match self.0.entry(question) {
            Entry::Occupied(flight) => Turn::Follow(flight.get().clone()),
            Entry::Vacant(place) => {
                let (over, wait) = watch::channel(());
                place.insert(wait);
                Turn::Lead(Ticket {
                    flights: Arc::downgrade(self),
                    question,
                    _over: over,
                })
            }
        }
    }

    /// How many are on their way.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.len()
    }
}

/// Waits until whoever asked is done.
pub(super) async fn landed(mut flight: watch::Receiver<()>) {
    // Nothing is ever sent: an error means that the sender is gone.
    while flight.changed().await.is_ok() {}
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(flights) = self.flights.upgrade() {
            flights.0.remove(&self.question);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_core::Digester;

    fn question(text: &str) -> Digest {
        Digester::new("test").field(text.as_bytes()).finish()
    }

    #[actix_rt::test]
    async fn one_leads_and_the_others_follow_until_it_is_done() {
        let flights = Arc::new(Flights::default());
        let Turn::Lead(ticket) = flights.join(question("a")) else {
            panic!("nobody else is there")
        };
        let Turn::Follow(flight) = flights.join(question("a")) else {
            panic!("somebody leads")
        };
        assert!(
            matches!(flights.join(question("b")), Turn::Lead(_)),
            "of another question"
        );
        let waiting = actix_rt::spawn(landed(flight));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(ticket);
        waiting.await.unwrap();
        assert!(matches!(flights.join(question("a")), Turn::Lead(_)));
        assert_eq!(flights.len(), 0, "the tickets above are dropped");
    }

    #[test]
    fn among_many_threads_there_is_one_leader_at_a_time() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let (flights, leaders) = (Arc::new(Flights::default()), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        if let Turn::Lead(ticket) = flights.join(question("a")) {
                            assert_eq!(leaders.fetch_add(1, Ordering::SeqCst), 0);
                            leaders.fetch_sub(1, Ordering::SeqCst);
                            drop(ticket);
                        }
                    }
                });
            }
        });
        assert_eq!(flights.len(), 0);
    }
}

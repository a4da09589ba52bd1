//! Single flight: of concurrent requests for the same answer one asks for it, and the others wait.
//!
//! Whoever asks holds a [`Ticket`] until the answer is in the cache, or until it is clear that it will not be.
//! However the ticket is dropped, those who wait look again: one of them may then be the next to ask. The others wait
//! for that one only if the one before has left: where an answer came, or an error, and was not kept, the next may well
//! be no better, and to wait for one after the other would take as many times as long.

use std::sync::{Arc, Weak};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::watch;
use tollgate_core::Digest;

/// Answers that are on their way, by the question. Shared by all workers.
#[derive(Debug, Default)]
pub(crate) struct Flights(DashMap<Digest, Flight>);

/// An answer that is on its way to somebody else.
pub(super) type Flight = watch::Receiver<Landing>;

/// How a flight has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Landing {
    /// There was an answer, or an error: if it is not in the cache now, it is not to be kept.
    Ended,
    /// Whoever asked has left before that.
    Left,
}

/// The right to ask, and the duty of all others to wait.
#[derive(Debug)]
pub(crate) struct Ticket {
    flights: Weak<Flights>,
    question: Digest,
    /// Closed with the ticket: that is the sign for those who wait.
    over: watch::Sender<Landing>,
}

/// Who asks.
pub(super) enum Turn {
    /// The one who called.
    Lead(Ticket),
    /// Somebody else: [`landed`] says when that is over.
    Follow(Flight),
}

impl Flights {
    /// Joins those who want the answer to this question.
    pub(super) fn join(self: &Arc<Self>, question: Digest) -> Turn {
        match self.0.entry(question) {
            Entry::Occupied(flight) => Turn::Follow(flight.get().clone()),
            Entry::Vacant(place) => {
                let (over, wait) = watch::channel(Landing::Ended);
                place.insert(wait);
                Turn::Lead(Ticket {
                    flights: Arc::downgrade(self),
                    question,
                    over,
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

/// Waits until whoever asked is done, but no longer than this. `None`: it takes longer.
pub(super) async fn landed(mut flight: Flight, most: Duration) -> Option<Landing> {
    // An error means that the sender is gone.
    let is_over = async { while flight.changed().await.is_ok() {} };
    tokio::time::timeout(most, is_over).await.ok()?;
    Some(*flight.borrow())
}

impl Ticket {
    /// Whoever asked has left, and has no answer that others could have had.
    pub(super) fn leave(self) {
        self.over.send_replace(Landing::Left);
    }
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

    const LONG: Duration = Duration::from_secs(20);

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
        let waiting = actix_rt::spawn(landed(flight.clone(), LONG));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        assert_eq!(landed(flight, Duration::from_millis(1)).await, None);
        drop(ticket);
        assert_eq!(waiting.await.unwrap(), Some(Landing::Ended));
        assert!(matches!(flights.join(question("a")), Turn::Lead(_)));
        assert_eq!(flights.len(), 0, "the tickets above are dropped");
    }

    #[actix_rt::test]
    async fn those_who_follow_can_tell_whether_the_leader_has_left() {
        let flights = Arc::new(Flights::default());
        let Turn::Lead(ticket) = flights.join(question("a")) else {
            panic!("nobody else is there")
        };
        let Turn::Follow(flight) = flights.join(question("a")) else {
            panic!("somebody leads")
        };
        ticket.leave();
        assert_eq!(landed(flight, LONG).await, Some(Landing::Left));
        assert_eq!(flights.len(), 0);
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

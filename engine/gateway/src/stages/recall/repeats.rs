//! Requests that came before, byte for byte: what they ask is remembered, and need not be found out again.
//!
//! What is remembered is a function of what is looked up, so that it is never out of date: a repeat is only led to the
//! place where its answer would be.

use std::cell::{Cell, OnceCell};

use tollgate_core::{Digest, Digester, Surface};

use crate::exchange::call::Call;
use crate::off_thread::LARGE_BYTES;

/// To be counted up when other questions become of the same bytes.
const SENT: &str = "tollgate cache: sent, 1";
/// A power of two; 32 bytes each.
const PLACES: usize = 8192;

/// A request as it was sent, and for whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent(Digest);

impl Sent {
    /// `None`: its body is so large that looking at it twice would take longer than a worker may.
    pub(super) fn new(scope: &Digest, call: &Call) -> Option<Self> {
        (call.body.len() < LARGE_BYTES).then(|| Self::of(scope, call.surface, &call.body))
    }

    fn of(scope: &Digest, surface: Surface, body: &[u8]) -> Self {
        let mut digester = Digester::new(SENT);
        digester
            .field(&scope.to_bytes())
            .field(surface.name().as_bytes())
            .field(body);
        Self(digester.finish())
    }

    fn place(self) -> usize {
        let [a, b, ..] = self.0.to_bytes();
        usize::from(u16::from_le_bytes([a, b])) % PLACES
    }
}

/// The questions of the requests that came last, as far as no other has taken their place. One for each worker, without
/// memory until there is something to remember.
#[derive(Debug, Default)]
pub(crate) struct Repeats(OnceCell<Box<[Cell<Pair>]>>);

/// A request's digest, and its question's. Of nothing at first.
type Pair = ([u8; 16], [u8; 16]);

impl Repeats {
    /// The exact key of what is asked. `None`: it was not asked lately.
    pub(super) fn question(&self, sent: Sent) -> Option<Digest> {
        let (known, question) = self.0.get()?.get(sent.place())?.get();
        (known == sent.0.to_bytes()).then(|| Digest::of_bytes(question))
    }

    /// Remembers what is asked.
    pub(super) fn note(&self, sent: Sent, question: Digest) {
        let places = self.0.get_or_init(|| vec![Cell::default(); PLACES].into());
        if let Some(place) = places.get(sent.place()) {
            place.set((sent.0.to_bytes(), question.to_bytes()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        Digester::new("test").field(text.as_bytes()).finish()
    }

    fn sent(scope: &str, surface: Surface, body: &str) -> Sent {
        Sent::of(&digest(scope), surface, body.as_bytes())
    }

    #[test]
    fn what_was_sent_is_recognised_byte_for_byte_and_for_whom() {
        let repeats = Repeats::default();
        let first = sent("a", Surface::ChatCompletions, "{}");
        assert_eq!(repeats.question(first), None);
        repeats.note(first, digest("question"));
        let again = sent("a", Surface::ChatCompletions, "{}");
        assert_eq!(repeats.question(again), Some(digest("question")));
        for other in [
            sent("b", Surface::ChatCompletions, "{}"),
            sent("a", Surface::Messages, "{}"),
            sent("a", Surface::ChatCompletions, "{} "),
        ] {
            assert_eq!(repeats.question(other), None);
        }
    }

    #[test]
    fn nothing_is_ever_taken_for_something_else() {
        let repeats = Repeats::default();
        let all: Vec<Sent> = (0..50_000)
            .map(|it| sent("a", Surface::ChatCompletions, &it.to_string()))
            .collect();
        for (number, sent) in all.iter().enumerate() {
            repeats.note(*sent, digest(&number.to_string()));
        }
        let known: Vec<(usize, Digest)> = all
            .iter()
            .enumerate()
            .filter_map(|(number, sent)| Some((number, repeats.question(*sent)?)))
            .collect();
        assert!(known.len() > PLACES / 2, "{} are known", known.len());
        assert!(known.len() <= PLACES);
        for (number, question) in known {
            assert_eq!(question, digest(&number.to_string()));
        }
    }
}

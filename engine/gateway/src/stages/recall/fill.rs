//! An answer on its way into the cache: what is sent to the client is kept in mind, and handed to the keeper once it
//! is whole.

use std::rc::Rc;

use bytes::Bytes;
use tollgate_actors::Fill;
use tollgate_adapters::KeepPolicy;
use tollgate_cache::{Begun, Labels, Made, Policy, Withheld, Worth};
use tollgate_core::{Surface, Timestamp};

use super::flights::Ticket;
use super::question::{Brought, Question};
use crate::embedding::Wanted;
use crate::exchange::call::Call;
use crate::worker::{Shared, Worker};

/// A stream is larger than the answer in it: each token has an event around it.
const STREAM_FACTOR: usize = 32;

/// An answer that shall be kept. Dropped, it will not be, and those who wait for it ask themselves.
#[derive(Debug)]
pub(crate) struct Filling {
    question: Question,
    policy: Policy,
    ticket: Ticket,
    begun: Begun,
    rechecks: Option<Withheld>,
    surface: Surface,
    is_stream: bool,
    sent: Vec<Bytes>,
    /// Bytes that may still come.
    room: usize,
}

impl Filling {
    pub(super) fn new(
        question: Question,
        policy: Policy,
        (ticket, begun): (Ticket, Begun),
        call: &Call,
        max_bytes: usize,
    ) -> Self {
        let is_stream = call.head.stream;
        Self {
            question,
            policy,
            ticket,
            begun,
            rechecks: None,
            surface: call.surface,
            is_stream,
            sent: Vec::new(),
            room: if is_stream {
                max_bytes.saturating_mul(STREAM_FACTOR)
            } else {
                max_bytes
            },
        }
    }

    /// The answer shows whether this one would have been right.
    pub(super) fn rechecking(self, rechecks: Option<Withheld>) -> Self {
        Self { rechecks, ..self }
    }

    /// The client has left: nobody knows what the answer would have been.
    pub(crate) fn leave(self) {
        self.ticket.leave();
    }

    /// A piece of the answer is sent to the client. `None`: it becomes too large to be kept.
    pub(crate) fn sending(mut self, piece: &Bytes) -> Option<Self> {
        self.room = self.room.checked_sub(piece.len())?;
        self.sent.push(piece.clone());
        Some(self)
    }

    /// The answer is whole. If its question's words have no vector yet of an endpoint that makes them, it is asked for
    /// one first: nobody waits for that but those who wait for the entry.
    pub(crate) fn hand_over(mut self, worker: &Rc<Worker>, worth: Worth, created: Timestamp) {
        if !self.wants_vector(&worker.shared) {
            self.send(&worker.shared, worth, created);
            return;
        }
        // The shutdown waits for it, as for any request.
        let in_flight = worker.shared.lifecycle.enter();
        let worker = worker.clone();
        actix_rt::spawn(async move {
            self.bring(&worker).await;
            self.send(&worker.shared, worth, created);
            drop(in_flight);
        });
    }

    fn wants_vector(&self, shared: &Shared) -> bool {
        let is_unasked = matches!(self.question.brought, Brought::Unasked);
        let words = self.question.comparable().filter(|_| is_unasked);
        shared.embeddings.is_some()
            && !shared.lifecycle.is_draining()
            && words.is_some_and(|words| shared.cache.takes_vector(words))
    }

    async fn bring(&mut self, worker: &Worker) {
        let shared = &worker.shared;
        let (Some(endpoint), Some(words)) = (&shared.embeddings, self.question.comparable()) else {
            return;
        };
        let wanted = Wanted {
            partition: &self.question.key().partition,
            words,
            may_go: &self.question.may_go,
            deadline: None,
        };
        let settings = shared.published.load();
        let (vector, record) = endpoint.vector(&worker.upstream, &settings, wanted).await;
        if let Some(record) = record {
            shared.meters.embedding(&record);
        }
        self.question.brought = vector.map_or(Brought::Nothing, Brought::Vector);
    }

    fn send(self, shared: &Shared, worth: Worth, created: Timestamp) {
        let key = *self.question.key();
        let Question {
            words,
            only_exact,
            tenant,
            route,
            apart,
            brought,
            ..
        } = self.question;
        let fill = Fill {
            key,
            labels: Labels {
                tenant,
                route,
                tags: self.policy.tags.iter().cloned().collect(),
            },
            by_meaning: only_exact.is_none(),
            made: Made {
                apart,
                brought: match brought {
                    Brought::Vector(vector) => Some((*vector).clone()),
                    Brought::Unasked | Brought::Nothing => None,
                },
            },
            words,
            surface: self.surface,
            is_stream: self.is_stream,
            sent: self.sent,
            worth,
            created,
            ttl: self.policy.ttl,
            keeps: KeepPolicy {
                tool_calls: self.policy.tool_calls,
                length: self.policy.truncated,
                ..KeepPolicy::default()
            },
            begun: self.begun,
            rechecks: self.rechecks,
            // Those who wait look again when the entry is there.
            on_done: Box::new(self.ticket),
        };
        fill.hand_to(&shared.keeper, &shared.cache);
    }
}

//! Looking in the cache, tier by tier, each only if the ones before had nothing: the same request; one that means the
//! same, proposed by what is in the process; one that an endpoint's vector brings up.
//!
//! What would hold up a worker for longer than others can wait is done on a thread for such work. Not by the keeper:
//! it writes to disk, and a lookup would wait for that. Whoever is not served in time there has found nothing.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use tollgate_cache::{Cache, Key, Looked, Mode, Patience, Sought, Vector};
use tollgate_core::Timestamp;
use tollgate_telemetry::LongLookup;

use super::question::{Brought, Question};
use super::wish::Wish;
use crate::embedding::Wanted;
use crate::stages::settle::Settlement;
use crate::worker::Worker;

/// Longer than a search of millions takes, and far shorter than asking a provider.
const LONGEST_WAIT: Duration = Duration::from_millis(10);
/// Long lookups at once, of all workers together.
pub(crate) const LONG_LOOKUPS: usize = 8;

/// What to look for, apart from the question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    mode: Mode,
    learns: bool,
    max_age: Option<Duration>,
    now: Timestamp,
}

/// [`Sought`] that owns what it is about.
struct Errand {
    cache: Arc<Cache>,
    key: Key,
    words: Option<String>,
    route: Arc<str>,
    tenant: Arc<str>,
    terms: Terms,
    brought: Option<Arc<Vector>>,
}

impl Terms {
    pub(super) fn new(mode: Mode, learns: bool, wish: &Wish, now: Timestamp) -> Self {
        let max_age = wish.max_age;
        Self {
            mode,
            learns,
            max_age,
            now,
        }
    }
}

/// What there is for a question. Asks the endpoint at most once for it, however often this is called.
pub(super) async fn search(
    worker: &Worker,
    question: &mut Question,
    terms: Terms,
    deadline: Option<std::time::Instant>,
    settlement: &mut Settlement,
) -> Looked {
    let cache = &worker.shared.cache;
    if let Some(found) = cache.exact(&question.exact, terms.max_age, terms.now) {
        return Looked::at(found);
    }
    let mut looked = look(worker, question, terms, None).await;
    question.apart = looked.apart.take();
    if looked.found.is_some() {
        return looked;
    }
    bring(worker, question, deadline, settlement).await;
    let Brought::Vector(vector) = &question.brought else {
        return looked;
    };
    let again = look(worker, question, terms, Some(vector)).await;
    let score = |looked: &Looked| looked.near.map_or(0.0, |near| near.score);
    if again.found.is_some() || score(&again) > score(&looked) {
        again
    } else {
        looked
    }
}

/// Asks the endpoint for a vector, where there is one, and somebody whom it could bring up.
async fn bring(
    worker: &Worker,
    question: &mut Question,
    deadline: Option<std::time::Instant>,
    settlement: &mut Settlement,
) {
    let (Brought::Unasked, Some(endpoint)) = (&question.brought, &worker.shared.embeddings) else {
        return;
    };
    let Some(words) = question.comparable() else {
        return;
    };
    let partition = &question.key().partition;
    if !worker.shared.cache.wants_vector(partition, words) {
        return;
    }
    let wanted = Wanted {
        partition,
        words,
        may_go: &question.may_go,
        deadline,
    };
    let settings = settlement.settings().clone();
    // In a box: few lookups come to this, and all of them would carry the room for an exchange.
    let (vector, record) = Box::pin(endpoint.vector(&worker.upstream, &settings, wanted)).await;
    question.brought = vector.map_or(Brought::Nothing, Brought::Vector);
    if let Some(record) = record {
        settlement.embedded(record);
    }
}

async fn look(worker: &Worker, question: &Question, terms: Terms, brought: Option<&Arc<Vector>>) -> Looked {
    let cache = &worker.shared.cache;
    let sought = Sought {
        key: question.key(),
        words: question.comparable(),
        route: &question.route,
        tenant: &question.tenant,
        mode: terms.mode,
        learns: terms.learns,
        max_age: terms.max_age,
        brought: brought.map(|it| &**it),
        patience: Patience::Worker,
    };
    let looked = cache.find(&sought, terms.now);
    if !looked.is_too_long {
        return looked;
    }
    let errand = Errand {
        cache: cache.clone(),
        key: *question.key(),
        words: question.comparable().map(str::to_owned),
        route: question.route.clone(),
        tenant: question.tenant.clone(),
        terms,
        brought: brought.cloned(),
    };
    let (looked, result) = long(worker, errand).await;
    worker.shared.meters.long_lookup(result);
    looked
}

async fn long(worker: &Worker, errand: Errand) -> (Looked, LongLookup) {
    let Ok(turn) = worker.shared.long_lookups.clone().try_acquire_owned() else {
        return (Looked::default(), LongLookup::Busy);
    };
    let work = web::block(move || {
        let looked = errand.look();
        drop(turn);
        looked
    });
    match tokio::time::timeout(LONGEST_WAIT, work).await {
        Ok(Ok(looked)) => (looked, LongLookup::Done),
        _ => (Looked::default(), LongLookup::Late),
    }
}

impl Errand {
    fn look(&self) -> Looked {
        let sought = Sought {
            key: &self.key,
            words: self.words.as_deref(),
            route: &self.route,
            tenant: &self.tenant,
            mode: self.terms.mode,
            learns: self.terms.learns,
            max_age: self.terms.max_age,
            brought: self.brought.as_deref(),
            patience: Patience::Keeper,
        };
        self.cache.find(&sought, self.terms.now)
    }
}

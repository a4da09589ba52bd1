//! Vectors from an endpoint, for the cache: asked for where the table in the binary has found nobody.
//!
//! It is never needed: whatever goes wrong, the table in the binary has the last word, and a request is held up no
//! longer than the endpoint's timeout. So there is no second try, no queue, and after some failures in a row no call
//! at all for a while. What was asked a moment ago is remembered, and who asks the same at the same time waits for one
//! answer; both only within the partition that asked, so that nobody can tell by the time it takes what others said.

mod answer;
mod circuit;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;
use tollgate_adapters::{Egress, Scratch, encode, read_head};
use tollgate_cache::Vector;
use tollgate_config::{EmbeddingEndpoint, Settings};
use tollgate_core::{Clock, Digest, Digester, Pattern, RequestId, ServiceTier, Surface, Usage};
use tollgate_routing::Provider;
use tollgate_telemetry::{EmbeddingOutcome, EmbeddingRecord};

use crate::off_thread::off_thread;
use crate::stages::attempt::request::embedding_request;
use crate::upstream::{Answer, SendError, Upstream};
use answer::Embedded;
use circuit::Circuit;

/// An answer may be this large: some times the most dimensions there are, as text.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// Larger answers are read off the worker's thread: numbers written out are slow to read.
const LARGE_ANSWER_BYTES: usize = 16 << 10;
/// The vectors of what was asked of late may take so much.
const RECENT_BYTES: u64 = 4 << 20;
/// How many of them that is about.
const RECENT_VECTORS: usize = 4_096;

/// The endpoint, for all workers.
pub(crate) struct Embeddings {
    endpoint: EmbeddingEndpoint,
    calls: Semaphore,
    circuit: Circuit,
    /// How many dimensions its vectors have; 0: not known yet. Written once, by the first who learns it.
    dimensions: AtomicUsize,
    recent: Cache<Digest, Arc<Vector>, Bulk>,
}

/// What is to be made a vector of.
pub(crate) struct Wanted<'w> {
    /// Who asks, and everything else that must be the same.
    pub(crate) partition: &'w Digest,
    /// What was said.
    pub(crate) words: &'w str,
    /// Where it may go.
    pub(crate) may_go: &'w Residency,
    /// When the request must be answered; `None`: some time.
    pub(crate) deadline: Option<Instant>,
}

/// Where what was said may go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Residency {
    /// Regions of providers; `None`: any.
    pub(crate) regions: Option<Arc<[Arc<str>]>>,
    /// Patterns of `provider/model`; empty: any.
    pub(crate) targets: Arc<[Pattern]>,
}

/// Why there is no vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// The endpoint is to blame.
    Failed,
    /// It does not like this text.
    Refused,
    /// What came is no vector.
    Malformed,
}

#[derive(Debug, Clone, Copy)]
struct Bulk;

impl Weighter<Digest, Arc<Vector>> for Bulk {
    fn weight(&self, _: &Digest, vector: &Arc<Vector>) -> u64 {
        vector.dimensions() as u64 + 128
    }
}

impl Residency {
    fn allows(&self, provider: &Provider, model: &str) -> bool {
        let in_region = self.regions.as_ref().is_none_or(|regions| {
            let region = provider.region.as_ref();
            region.is_some_and(|region| regions.contains(region))
        });
        let name = || format!("{}/{model}", provider.name);
        in_region && (self.targets.is_empty() || self.targets.iter().any(|it| it.matches(&name())))
    }
}

impl Embeddings {
    /// A client of an endpoint that has not been asked anything yet.
    pub(crate) fn new(endpoint: EmbeddingEndpoint) -> Self {
        Self {
            calls: Semaphore::new(endpoint.max_in_flight),
            circuit: Circuit::default(),
            dimensions: AtomicUsize::new(endpoint.dimensions.unwrap_or(0)),
            recent: Cache::with_weighter(RECENT_VECTORS, RECENT_BYTES, Bulk),
            endpoint,
        }
    }

    /// The vector of what is wanted; `None`: make do without. The record says what became of it; `None`: it was
    /// known already.
    pub(crate) async fn vector(
        &self,
        upstream: &Upstream,
        settings: &Settings,
        wanted: Wanted<'_>,
    ) -> (Option<Arc<Vector>>, Option<EmbeddingRecord>) {
        let no = |outcome| (None, Some(EmbeddingRecord::of(outcome)));
        let Some(provider) = self.provider(settings, wanted.may_go) else {
            return no(EmbeddingOutcome::Barred);
        };
        let started = Clock.now();
        let own = started + self.endpoint.timeout;
        let until = wanted.deadline.map_or(own, |deadline| deadline.min(own));
        let late = || EmbeddingRecord {
            elapsed: Some(Clock.now().saturating_duration_since(started)),
            ..EmbeddingRecord::of(EmbeddingOutcome::Timeout)
        };
        let key = key(&wanted);
        let known = self.recent.get_value_or_guard_async(&key);
        let place = match timeout_at(until.into(), known).await {
            Ok(Ok(vector)) => return (Some(vector), None),
            Ok(Err(place)) => place,
            Err(_) => return (None, Some(late())),
        };
        let Some(pass) = self.circuit.admit(Clock.moment()) else {
            return no(EmbeddingOutcome::Open);
        };
        let Ok(_call) = self.calls.try_acquire() else {
            return no(EmbeddingOutcome::Busy);
        };
        let exchange = self.exchange(upstream, provider, wanted.words);
        let ended = timeout_at(until.into(), exchange).await;
        let (jitter, now) = (rand::random::<f64>(), Clock.moment());
        let trouble = match ended {
            Ok(Ok(embedded)) => {
                pass.succeeded();
                let record = self.billed(settings, provider, &embedded, late());
                let vector = Arc::new(embedded.vector);
                // It is another's by now: no matter.
                let _ = place.insert(vector.clone());
                return (Some(vector), Some(record));
            }
            Ok(Err(trouble)) => {
                match trouble {
                    Trouble::Refused => pass.succeeded(),
                    Trouble::Failed | Trouble::Malformed => pass.failed(now, jitter),
                }
                trouble
            }
            Err(_) => {
                // A request that had less time says nothing of the endpoint.
                if until == own {
                    pass.failed(now, jitter);
                }
                return (None, Some(late()));
            }
        };
        let outcome = match trouble {
            Trouble::Failed | Trouble::Refused => EmbeddingOutcome::Failed,
            Trouble::Malformed => EmbeddingOutcome::Malformed,
        };
        (None, Some(EmbeddingRecord { outcome, ..late() }))
    }

    /// The provider as it is configured now. `None`: it must not be asked, or it is another one by now.
    fn provider<'s>(&self, settings: &'s Settings, may_go: &Residency) -> Option<&'s Provider> {
        let mut providers = settings.catalog.providers().iter();
        let provider = providers.find(|it| it.name == self.endpoint.provider)?;
        let is_same = provider.base_url == self.endpoint.base_url;
        (is_same && may_go.allows(provider, &self.endpoint.model)).then_some(provider)
    }

    fn billed(
        &self,
        settings: &Settings,
        provider: &Provider,
        embedded: &Embedded,
        record: EmbeddingRecord,
    ) -> EmbeddingRecord {
        let facts = settings.prices.find(provider.kind, &self.endpoint.model);
        let price = facts.and_then(|facts| facts.price.as_ref());
        let cost = price.zip(embedded.tokens).map(|(price, input)| {
            let usage = Usage {
                input,
                ..Usage::default()
            };
            price.cost(&usage, ServiceTier::Standard)
        });
        EmbeddingRecord {
            outcome: EmbeddingOutcome::Success,
            tokens: embedded.tokens,
            cost,
            ..record
        }
    }

    async fn exchange(
        &self,
        upstream: &Upstream,
        provider: &Provider,
        words: &str,
    ) -> Result<Embedded, Trouble> {
        let (path, body) = self.question(provider, words).ok_or(Trouble::Refused)?;
        let build = || embedding_request(provider, &path, &body).map_err(|_| Trouble::Failed);
        let sent = match upstream.send(provider, build()?).await {
            // It closed an idle connection just as the request was on its way: nobody has read that.
            Err(error) if error.was_stale() => upstream.send(provider, build()?).await,
            sent => sent,
        };
        let body = received(sent).await?;
        let read = if body.len() < LARGE_ANSWER_BYTES {
            answer::read(&body)
        } else {
            let read = off_thread(move || answer::read(&body)).await;
            read.map_err(|_| Trouble::Failed)?
        };
        let embedded = read.ok_or(Trouble::Malformed)?;
        self.fits(&embedded.vector)
            .then_some(embedded)
            .ok_or(Trouble::Malformed)
    }

    /// The request, as the provider's kind wants it. Of the conversation, only what was said last is in it.
    fn question(&self, provider: &Provider, words: &str) -> Option<(Cow<'static, str>, Bytes)> {
        let mut body = json!({ "model": &*self.endpoint.model, "input": words, "encoding_format": "base64" });
        if let (Some(dimensions), Some(body)) = (self.endpoint.dimensions, body.as_object_mut()) {
            body.insert("dimensions".to_owned(), dimensions.into());
        }
        let body = Bytes::from(body.to_string());
        let head = read_head(Surface::Embeddings, &body, &mut Scratch::default()).ok()?;
        let now = Clock.wall();
        let egress = Egress {
            kind: provider.kind,
            model: &self.endpoint.model,
            api_version: provider.api_version.as_deref(),
            max_output_tokens: None,
            strict: false,
            request_id: RequestId::new(now, rand::random()),
            now,
        };
        let encoded = encode(Surface::Embeddings, &head, &body, &egress).ok()?;
        Some((encoded.path, encoded.body))
    }

    /// Whether it is of this space: vectors of other dimensions cannot be compared.
    fn fits(&self, vector: &Vector) -> bool {
        let found = vector.dimensions();
        let known = self
            .dimensions
            .compare_exchange(0, found, Ordering::Relaxed, Ordering::Relaxed);
        known.is_ok() || known == Err(found)
    }
}

/// What is remembered is the asker's own.
fn key(wanted: &Wanted<'_>) -> Digest {
    Digester::new("tollgate cache: words, 1")
        .field(&wanted.partition.to_bytes())
        .field(wanted.words.as_bytes())
        .finish()
}

/// The body of a good answer.
async fn received(sent: Result<Answer, SendError>) -> Result<Bytes, Trouble> {
    let (head, mut body) = sent.map_err(|_| Trouble::Failed)?.response.into_parts();
    match head.status.as_u16() {
        200..=299 => {}
        400 | 413 | 422 => return Err(Trouble::Refused),
        _ => return Err(Trouble::Failed),
    }
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.chunk().await {
        let piece = piece.map_err(|_| Trouble::Failed)?;
        if bytes.len() + piece.len() > MAX_ANSWER_BYTES {
            return Err(Trouble::Malformed);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_stays_where_it_may_be() {
        let text = "providers:\n  here: { kind: openai, base_url: \"http://127.0.0.1:9/v1\", region: eu }\n  anywhere: { kind: openai, base_url: \"http://127.0.0.1:9/v1\" }\n";
        let settings = tollgate_config::load(
            tollgate_config::Source::Text { name: "t.yaml", text },
            &|_| None,
            1,
            &tollgate_routing::Board::default(),
        )
        .unwrap();
        let allows = |name: &str, regions: Option<&[&str]>, targets: &[&str]| {
            let providers = settings.catalog.providers();
            let provider = providers.iter().find(|it| *it.name == *name).unwrap();
            let may_go = Residency {
                regions: regions.map(|it| it.iter().map(|it| Arc::from(*it)).collect()),
                targets: targets.iter().map(|it| Pattern::parse(it).unwrap()).collect(),
            };
            may_go.allows(provider, "m")
        };
        assert!(allows("here", None, &[]) && allows("anywhere", None, &[]));
        assert!(allows("here", Some(&["us", "eu"]), &[]));
        assert!(!allows("here", Some(&["us"]), &[]) && !allows("here", Some(&[]), &[]));
        assert!(
            !allows("anywhere", Some(&["eu"]), &[]),
            "nobody knows where that is"
        );
        assert!(allows("here", None, &["here/*"]) && !allows("here", None, &["anywhere/*"]));
    }
}

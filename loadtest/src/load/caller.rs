//! One request: sent, read to its end, and written down.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use parking_lot::Mutex;
use tollgate_core::Clock;

use super::events::{Events, Words};
use super::figures::{Ending, ErrorClass, Figures, Sample};
use super::lanes::{Endpoint, Lanes};
use super::mix::{Ask, Mix};
use super::scenario::{CancelWhen, Scenario, Surface};

/// Counts for whoever watches.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// Written by all workers, as are the others.
    sent: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
    under_way: AtomicU64,
    most_under_way: AtomicU64,
}

impl Live {
    fn starts(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        let under_way = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_under_way.fetch_max(under_way, Ordering::Relaxed);
    }

    fn ends(&self, ending: Ending) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        let count = match ending {
            Ending::Answered => &self.answered,
            Ending::Failed(_) => &self.failed,
            Ending::Cancelled => return,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests whose answers are not complete yet.
    pub(crate) fn under_way(&self) -> u64 {
        self.under_way.load(Ordering::Relaxed)
    }

    /// The most of that so far.
    pub(crate) fn most_under_way(&self) -> u64 {
        self.most_under_way.load(Ordering::Relaxed)
    }

    /// Requests sent, good answers, failures; the warm-up included.
    pub(crate) fn read(&self) -> (u64, u64, u64) {
        let [sent, answered, failed] =
            [&self.sent, &self.answered, &self.failed].map(|count| count.load(Ordering::Relaxed));
        (sent, answered, failed)
    }
}

/// Sends requests on the lanes of one worker.
pub(crate) struct Caller {
    mix: Arc<Mix>,
    live: Arc<Live>,
    witness: Option<Witness>,
    pub(crate) lanes: Lanes,
    words: Words,
    timeout: Duration,
    /// Request targets, by surface.
    targets: [(Surface, Uri); 3],
    /// What is sent with every request.
    headers: HeaderMap,
    /// By key: its two forms.
    keys: Vec<(HeaderValue, HeaderValue)>,
    figures: Mutex<Figures>,
    origin: Instant,
}

/// Whoever is told of each request when it is over, with the headers of its answer. Called by the threads that send.
pub type Witness = Arc<dyn Fn(&Witnessed<'_>) + Send + Sync>;

/// A request, seen from outside.
#[derive(Debug)]
pub struct Witnessed<'a> {
    /// What became of it.
    pub sample: &'a Sample,
    /// What was called.
    pub surface: Surface,
    /// The headers of the answer; `None`: no head of one came.
    pub headers: Option<&'a HeaderMap>,
    /// Of a stream that told of an error: in which surface's form.
    pub error_event: Option<Surface>,
}

/// What an answer has shown so far; kept where a timeout does not reach it.
#[derive(Debug, Default)]
struct Progress {
    status: Option<u16>,
    /// Kept for a witness only.
    headers: Option<HeaderMap>,
    from_cache: Option<bool>,
    first: Option<Duration>,
    bytes: u64,
    pieces: u64,
    /// Of a good answer that was asked to be a stream.
    events: Option<Events>,
    last_content: Option<Duration>,
}

impl Progress {
    /// What makes a failure of the answer whatever still comes of it. Only a good answer is given up on purpose.
    fn failure(&self) -> Option<ErrorClass> {
        if self.status.is_some_and(|status| !(200..300).contains(&status)) {
            return Some(ErrorClass::Status);
        }
        let events = self.events.as_ref()?;
        events.has_error.then_some(ErrorClass::ErrorEvent)
    }
}

impl Caller {
    /// # Errors
    /// A key that is no header value.
    pub(crate) fn new(
        scenario: &Scenario,
        mix: Arc<Mix>,
        endpoint: &Endpoint,
        live: Arc<Live>,
        witness: Option<Witness>,
        origin: Instant,
    ) -> anyhow::Result<Self> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(host) = endpoint.host() {
            headers.insert(HOST, host);
        }
        let key = |secret: &str| -> anyhow::Result<_> {
            let value = |text: &str| {
                let mut value = HeaderValue::from_str(text).context("a key is not a header value")?;
                value.set_sensitive(true);
                anyhow::Ok(value)
            };
            Ok((value(&format!("Bearer {secret}"))?, value(secret)?))
        };
        let target = |surface: Surface| anyhow::Ok((surface, endpoint.uri(surface)?));
        Ok(Self {
            mix,
            live,
            witness,
            lanes: Lanes::new(endpoint.clone()),
            words: Words::new(),
            timeout: scenario.timeout,
            targets: [
                target(Surface::Chat)?,
                target(Surface::Messages)?,
                target(Surface::Embeddings)?,
            ],
            headers,
            keys: scenario
                .keys
                .iter()
                .map(|(secret, _)| key(&secret.0))
                .collect::<Result<_, _>>()?,
            figures: Mutex::new(Figures::new(scenario.window)),
            origin,
        })
    }

    /// The same, with the start of the run as it turned out to be.
    pub(crate) const fn started(mut self, origin: Instant) -> Self {
        self.origin = origin;
        self
    }

    /// A moment of the run.
    pub(crate) fn at(&self, due: Duration) -> Instant {
        self.origin + due
    }

    /// Time since the start of the run.
    pub(crate) fn now(&self) -> Duration {
        Clock.now().saturating_duration_since(self.origin)
    }

    /// Writes down that a request was due and could not be sent.
    pub(crate) fn not_sent(&self, due: Duration) {
        self.figures.lock().record_not_sent(due);
    }

    /// What was measured; nothing is under way any more.
    pub(crate) fn figures(&self) -> Figures {
        self.figures.lock().clone()
    }

    /// Sends request `number`, which was due then, reads the answer, and writes down what became of it.
    pub(crate) async fn call(&self, number: u64, due: Duration) -> Ending {
        let Some(mut ask) = self.mix.ask(number) else {
            return Ending::Cancelled;
        };
        let body = Bytes::from(std::mem::take(&mut ask.body));
        let bytes_sent = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let mut progress = Progress::default();
        let sent = self.now();
        self.live.starts();
        let (patience, out_of_it) = match ask.cancel {
            Some(CancelWhen::After(after)) if after < self.timeout => (after, Ending::Cancelled),
            _ => (self.timeout, Ending::Failed(ErrorClass::Timeout)),
        };
        let exchange = self.exchange(&ask, body, due, &mut progress);
        let ending = tokio::time::timeout(patience, exchange)
            .await
            .unwrap_or_else(|_elapsed| progress.failure().map_or(out_of_it, Ending::Failed));
        self.live.ends(ending);
        let ended = self.now();
        let chunks = progress.events.as_ref().map_or(0, |events| events.content);
        let chunks_expected = match self.mix.kind(&ask).and_then(|kind| kind.chunks_expected) {
            // Also of a stream that never began.
            Some(expected) if ask.streamed && ending != Ending::Cancelled => expected,
            _ => 0,
        };
        let sample = Sample {
            due,
            sent,
            first: progress.first,
            ended,
            streamed: ask.streamed,
            status: progress.status,
            ending,
            cancel: ask.cancel,
            chunks,
            chunks_expected,
            chunks_lost: chunks_expected.saturating_sub(chunks),
            bytes_sent,
            bytes_received: progress.bytes,
            from_cache: progress.from_cache,
        };
        {
            let mut figures = self.figures.lock();
            figures.record(&sample);
            if let (Ending::Failed(ErrorClass::Timeout), Some(last)) = (ending, progress.last_content)
                && !sample.shows_only_if_fast()
            {
                figures.record_gap(due, ended.saturating_sub(last));
            }
        }
        self.testify(&ask, &sample, &progress);
        ending
    }

    fn testify(&self, ask: &Ask, sample: &Sample, progress: &Progress) {
        let Some(witness) = &self.witness else { return };
        let error = progress.events.as_ref().filter(|events| events.has_error);
        witness(&Witnessed {
            sample,
            surface: self.surface(ask),
            headers: progress.headers.as_ref(),
            error_event: error.map(|events| {
                if events.is_error_typed {
                    Surface::Messages
                } else {
                    Surface::Chat
                }
            }),
        });
    }

    fn surface(&self, ask: &Ask) -> Surface {
        self.mix.kind(ask).map_or(Surface::Chat, |kind| kind.surface)
    }

    async fn exchange(&self, ask: &Ask, body: Bytes, due: Duration, progress: &mut Progress) -> Ending {
        let Ok(mut lane) = self.lanes.take().await else {
            return Ending::Failed(ErrorClass::Connect);
        };
        let Ok(response) = lane.sender.send(self.request(ask, body)).await else {
            return Ending::Failed(ErrorClass::NoAnswer);
        };
        let ending = self.read(ask, response, due, progress).await;
        let is_read_to_its_end = !matches!(
            ending,
            Ending::Cancelled | Ending::Failed(ErrorClass::CutShort | ErrorClass::NoAnswer)
        );
        if is_read_to_its_end {
            self.lanes.give_back(lane);
        }
        ending
    }

    async fn read(
        &self,
        ask: &Ask,
        response: Response<hyper::body::Incoming>,
        due: Duration,
        progress: &mut Progress,
    ) -> Ending {
        let is_good = response.status().is_success();
        progress.status = Some(response.status().as_u16());
        progress.from_cache = from_cache(response.headers());
        progress.headers = self.witness.as_ref().map(|_| response.headers().clone());
        if ask.streamed && is_good {
            progress.events = Some(Events::default());
        }
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return Ending::Failed(ErrorClass::CutShort);
            };
            let Some(piece) = frame.data_ref() else { continue };
            self.note(ask, piece, due, progress);
            let chunks = progress
                .events
                .as_ref()
                .map_or(progress.pieces, |events| events.content);
            let is_enough = matches!(ask.cancel, Some(CancelWhen::AfterChunks(most)) if chunks >= most);
            if is_enough && progress.failure().is_none() {
                return Ending::Cancelled;
            }
        }
        match (progress.failure(), &progress.events) {
            (Some(class), _) => Ending::Failed(class),
            (None, Some(events)) if !events.is_complete => Ending::Failed(ErrorClass::Unfinished),
            (None, _) => Ending::Answered,
        }
    }

    /// Notes a piece of a body. Content that comes in one piece came at one time: there is one gap before it.
    fn note(&self, ask: &Ask, piece: &[u8], due: Duration, progress: &mut Progress) {
        progress.bytes += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        progress.pieces += 1;
        let has_content = match &mut progress.events {
            Some(events) => events.feed(&self.words, piece) > 0,
            None => !piece.is_empty() && progress.first.is_none(),
        };
        if !has_content {
            return;
        }
        let now = self.now();
        progress.first.get_or_insert(now);
        if progress.events.is_none() {
            return;
        }
        let last = progress.last_content.replace(now);
        if let (Some(last), None | Some(CancelWhen::AfterChunks(_))) = (last, ask.cancel) {
            self.figures.lock().record_gap(due, now.saturating_sub(last));
        }
    }

    fn request(&self, ask: &Ask, body: Bytes) -> Request<Full<Bytes>> {
        let surface = self.surface(ask);
        let target = self.targets.iter().find(|(it, _)| *it == surface);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        if let Some((_, uri)) = target {
            *request.uri_mut() = uri.clone();
        }
        let mut headers = self.headers.clone();
        let key = ask.key.and_then(|place| self.keys.get(place));
        match (surface, key) {
            (Surface::Messages, key) => {
                headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
                key.map(|(_, bare)| headers.insert("x-api-key", bare.clone()));
            }
            (_, Some((bearer, _))) => drop(headers.insert(AUTHORIZATION, bearer.clone())),
            (_, None) => {}
        }
        *request.headers_mut() = headers;
        request
    }
}

/// Whether an answer says that it is from a cache: `x-tollgate-cache: hit; …` or `semantic; …`, `x-cache: Hit …`.
fn from_cache(headers: &HeaderMap) -> Option<bool> {
    let told = ["x-tollgate-cache", "x-cache"]
        .iter()
        .find_map(|name| headers.get(*name))?;
    let told = told.to_str().ok()?.to_ascii_lowercase();
    Some(["hit", "semantic"].iter().any(|word| told.starts_with(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_say_whether_they_are_from_a_cache() {
        let told = |name: &'static str, value: &'static str| {
            from_cache(&HeaderMap::from_iter([(
                hyper::header::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )]))
        };
        assert_eq!(told("x-tollgate-cache", "hit; entry=7"), Some(true));
        assert_eq!(told("x-tollgate-cache", "semantic; score=0.97"), Some(true));
        assert_eq!(
            told("x-tollgate-cache", "miss; would=semantic; score=0.9"),
            Some(false)
        );
        assert_eq!(told("x-cache", "HIT"), Some(true));
        assert_eq!(told("date", "hit"), None);
    }
}

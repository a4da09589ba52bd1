//! Stage "settle": what became of the request is told exactly once.
//!
//! A [`Settlement`] accompanies the request from its first line to its last byte: through the stages, then
//! inside the response body. Whatever way the request ends — answered, refused, the client gone, a panic — its
//! drop writes the one record from which log and metrics are made.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tollgate_actors::Snapshot;
use tollgate_adapters::{Loss, Report, StreamEnd, estimate_usage, settled_usage};
use tollgate_core::{
    AttemptNote, Clock, Dialect, Nanodollars, OutcomeClass, Refusal, RefusalKind, RequestId, Surface,
    Timestamp, Usage,
};
use tollgate_routing::{Candidate, Plan, Provider};
use tollgate_telemetry::{AttemptRecord, Ending, RequestRecord, Scrubbed, Served};

use crate::accept::Call;
use crate::authenticate::Caller;
use crate::lifecycle::InFlight;
use crate::worker::Worker;

/// The account of one request, settled when dropped.
pub(crate) struct Settlement {
    worker: Rc<Worker>,
    settings: Snapshot,
    record: RequestRecord,
    arrived: Instant,
    /// Waiting for the client's body: nobody's overhead.
    receiving: Duration,
    prompt_bytes: u64,
    /// Whom the request was sent to and whose answer is awaited or relayed.
    serving: Option<Serving>,
    /// Whether the record says how it ended.
    ended: bool,
    _in_flight: (InFlight, tollgate_telemetry::InFlight),
}

struct Serving {
    candidate: Candidate,
    /// When the request went out; `None`: it did not yet.
    sent: Option<Instant>,
    /// When the first content of a stream came.
    first_token: Option<Instant>,
}

impl Settlement {
    /// Opens the account of a request that has just arrived.
    pub(crate) fn open(worker: &Rc<Worker>, surface: Option<Surface>) -> Self {
        let at = Clock.wall();
        let id = RequestId::new(at, rand::random());
        let mut record = RequestRecord::new(id, at);
        record.surface = surface;
        Self {
            worker: worker.clone(),
            settings: worker.shared.published.load(),
            record,
            arrived: Clock.now(),
            receiving: Duration::ZERO,
            prompt_bytes: 0,
            serving: None,
            ended: false,
            _in_flight: (
                worker.shared.lifecycle.enter(),
                worker.shared.meters.request_arrived(),
            ),
        }
    }

    /// The configuration that holds for this request from beginning to end.
    pub(crate) fn settings(&self) -> &Snapshot {
        &self.settings
    }

    /// The request's id.
    pub(crate) fn id(&self) -> RequestId {
        self.record.id
    }

    /// When it arrived.
    pub(crate) fn arrived(&self) -> Timestamp {
        self.record.at
    }

    /// It was let in.
    pub(crate) fn caller(&mut self, caller: &Caller) {
        self.record.key = caller.name().cloned();
    }

    /// It was read; `receiving` was spent waiting for its body.
    pub(crate) fn call(&mut self, call: &Call, receiving: Duration) {
        self.receiving = receiving;
        self.prompt_bytes = call.head.prompt_bytes;
        self.record.stream = call.head.stream;
        self.record.model = Some(call.model.clone());
        self.record.request_bytes = u64::try_from(call.body.len()).unwrap_or(u64::MAX);
    }

    /// It was decided who should answer.
    pub(crate) fn plan(&mut self, plan: &Plan) {
        self.record.epoch = Some(plan.epoch);
        self.record.route = Some(plan.route.name.clone());
    }

    /// A candidate's turn has come.
    pub(crate) fn sending(&mut self, candidate: &Candidate) {
        self.serving = Some(Serving {
            candidate: candidate.clone(),
            sent: None,
            first_token: None,
        });
    }

    /// The request is going out to it, without what `loss` names.
    pub(crate) fn sent(&mut self, loss: &Loss) {
        self.record.loss = loss.paths().map(Into::into).collect();
        if let Some(serving) = &mut self.serving {
            serving.sent = Some(Clock.now());
        }
    }

    /// The provider was waited for.
    pub(crate) fn waited(&mut self, wait: Duration) {
        self.record.timings.upstream += wait;
    }

    /// An attempt is over.
    pub(crate) fn attempted(&mut self, attempt: AttemptRecord) {
        self.record.attempts.push(attempt);
        if let Some(serving) = &mut self.serving {
            serving.sent = None;
        }
    }

    /// The attempt at work has come to `outcome`, as far as can be said now.
    pub(crate) fn attempted_at_work(&mut self, outcome: OutcomeClass, status: Option<u16>) {
        if let Some(Serving {
            candidate,
            sent: Some(sent),
            ..
        }) = &self.serving
        {
            self.record.attempts.push(AttemptRecord {
                provider: candidate.target.provider.name.clone(),
                model: candidate.model.clone(),
                outcome,
                status,
                elapsed: Clock.now().duration_since(*sent),
            });
        }
    }

    /// How many attempts are over.
    pub(crate) fn attempts(&self) -> usize {
        self.record.attempts.len()
    }

    /// The attempts so far, as a client may see them.
    pub(crate) fn trail(&self) -> Vec<AttemptNote> {
        let note = |it: &AttemptRecord| AttemptNote {
            provider: it.provider.to_string(),
            model: it.model.to_string(),
            outcome: it.outcome,
            status: it.status,
            elapsed: it.elapsed,
        };
        self.record.attempts.iter().map(note).collect()
    }

    /// In whose words the client is answered, where it called a known path.
    pub(crate) fn dialect(&self) -> Dialect {
        self.record.surface.map_or(Dialect::OpenAi, Surface::dialect)
    }

    /// Whether the record says that it did not go well.
    pub(crate) fn has_failed(&self) -> bool {
        self.ended && self.record.ending.error_type().is_some()
    }

    /// Whether the process is shutting down.
    pub(crate) fn is_draining(&self) -> bool {
        self.worker.shared.lifecycle.is_draining()
    }

    /// JSON paths that the request sent out does not carry.
    pub(crate) fn loss(&self) -> &[Box<str>] {
        &self.record.loss
    }

    /// The answer's limit of tokens, where a dialect must state one.
    pub(crate) fn max_output_tokens(&self, candidate: &Candidate) -> Option<u32> {
        let target = &candidate.target;
        let known = || {
            self.settings
                .prices
                .find(target.provider.kind, &candidate.model)?
                .max_output_tokens
        };
        target.max_output_tokens.or_else(known)
    }

    /// The client is told that the target at work answers with `status`. The gateway's own share of the time
    /// ends here: what follows is relaying.
    pub(crate) fn answering(&mut self, status: u16, provider_request_id: Option<Box<str>>) {
        self.record.status = status;
        self.clock_overhead();
        if let Some(Serving { candidate, .. }) = &self.serving {
            let provider = &candidate.target.provider;
            self.record.served = Some(Served {
                provider: provider.name.clone(),
                model: candidate.model.clone(),
                dialect: provider.kind.dialect(),
                response_model: None,
                request_id: provider_request_id,
            });
        }
    }

    /// A whole answer was read. Some providers put an error into a 200.
    pub(crate) fn answered(&mut self, report: &Report) {
        self.learn(report);
        let fault = report.error.as_ref();
        self.record.error = fault.map(|fault| Scrubbed::new(&fault.message));
        self.end(Ending::Relayed(
            fault.map_or(OutcomeClass::Success, |fault| fault.class),
        ));
    }

    /// The provider's "no" is passed on.
    pub(crate) fn failed(&mut self, class: OutcomeClass, message: &str) {
        self.record.error = Some(Scrubbed::new(message));
        self.end(Ending::Relayed(class));
    }

    /// The gateway says no.
    pub(crate) fn refused(&mut self, refusal: &Refusal) {
        self.clock_overhead();
        self.record.status = refusal.status();
        self.record.error = Some(Scrubbed::new(&refusal.message));
        self.end(Ending::Refused(refusal.kind));
    }

    /// A piece of a stream was read.
    pub(crate) fn streaming(&mut self, report: &Report) {
        if let Some(serving) = &mut self.serving
            && report.has_content
            && serving.first_token.is_none()
        {
            serving.first_token = Some(Clock.now());
        }
    }

    /// A stream came to its end; `None`: the client left before that.
    pub(crate) fn streamed(&mut self, report: &Report, end: Option<StreamEnd>) {
        self.learn(report);
        if let Some(Serving {
            sent: Some(sent),
            first_token: Some(first),
            ..
        }) = &self.serving
        {
            self.record.timings.first_token = Some(first.duration_since(*sent));
            self.record.timings.generation = Some(Clock.now().duration_since(*first));
        }
        let class = match (&report.error, end) {
            (_, None) => OutcomeClass::ClientGone,
            (Some(fault), _) => fault.class,
            (None, Some(StreamEnd::Broken(class))) => class,
            (None, Some(StreamEnd::Eof)) if report.complete => OutcomeClass::Success,
            (None, Some(StreamEnd::Eof)) => OutcomeClass::Malformed,
        };
        if let Some(fault) = &report.error {
            self.record.error = Some(Scrubbed::new(&fault.message));
        }
        if let (Some(last), Some(sent)) = (
            self.record.attempts.last_mut(),
            self.serving.as_ref().and_then(|it| it.sent),
        ) {
            last.outcome = class;
            last.elapsed = Clock.now().duration_since(sent);
        }
        self.end(Ending::Relayed(class));
    }

    /// Bytes are handed to the client.
    pub(crate) fn sending_bytes(&mut self, bytes: usize) {
        if self.record.timings.first_byte.is_none() {
            self.record.timings.first_byte = Some(Clock.now().duration_since(self.arrived));
        }
        self.record.response_bytes += u64::try_from(bytes).unwrap_or(0);
    }

    /// What the answer cost; `None`: the price is not known, or nothing was used.
    pub(crate) fn cost(&self) -> Option<Nanodollars> {
        self.record.cost
    }

    /// The provider at work.
    pub(crate) fn provider(&self) -> Option<&Arc<Provider>> {
        self.serving
            .as_ref()
            .map(|serving| &serving.candidate.target.provider)
    }

    /// What was used.
    pub(crate) fn usage(&self) -> Usage {
        self.record.usage.unwrap_or_default()
    }

    /// The gateway's own share of the time.
    pub(crate) fn overhead(&self) -> Duration {
        self.record.timings.overhead
    }

    /// Who answers.
    pub(crate) fn served(&self) -> Option<&Served> {
        self.record.served.as_ref()
    }

    fn clock_overhead(&mut self) {
        let elapsed = Clock.now().duration_since(self.arrived);
        self.record.timings.overhead = elapsed.saturating_sub(self.record.timings.upstream + self.receiving);
    }

    fn learn(&mut self, report: &Report) {
        self.record.finish = report.finish;
        self.record.service_tier = report.service_tier;
        if let Some(served) = &mut self.record.served {
            served.response_model.clone_from(&report.model);
        }
        self.book(settled_usage(report, self.prompt_bytes), report.stated_cost);
    }

    /// Books what was used: at the cost that the provider states, else at the catalogue's price.
    fn book(&mut self, usage: Usage, stated: Option<Nanodollars>) {
        if self.record.surface == Some(Surface::CountTokens) {
            // Nothing was used: counting is free, and no model ran.
            return;
        }
        self.record.usage = Some(usage);
        let Some(Serving { candidate, .. }) = &self.serving else {
            return;
        };
        let target = &candidate.target;
        let known = || {
            self.settings
                .prices
                .find(target.provider.kind, &candidate.model)
                .map(|facts| &facts.price)
        };
        let price: Option<&Arc<_>> = target.price.as_ref().or_else(known);
        let computed = || price.map(|price| price.cost(&usage, self.record.service_tier));
        self.record.cost = stated.or_else(computed);
    }

    fn end(&mut self, ending: Ending) {
        self.record.ending = ending;
        self.ended = true;
    }

    /// Dropped on the way: the client hung up, or something panicked.
    fn end_early(&mut self) {
        let at_work = self
            .serving
            .as_ref()
            .is_some_and(|serving| serving.sent.is_some());
        if at_work {
            self.attempted_at_work(OutcomeClass::ClientGone, None);
            self.book(estimate_usage(self.prompt_bytes, 0), None);
        }
        if std::thread::panicking() {
            self.end(Ending::Refused(RefusalKind::Internal));
        } else {
            self.record.status = CLIENT_CLOSED_REQUEST;
            self.end(Ending::Relayed(OutcomeClass::ClientGone));
        }
    }
}

/// The status that logs show for a client that hung up before it was answered (nginx's convention).
const CLIENT_CLOSED_REQUEST: u16 = 499;

impl Drop for Settlement {
    fn drop(&mut self) {
        if !self.ended {
            self.end_early();
        }
        self.record.timings.total = Clock.now().duration_since(self.arrived);
        let blank = RequestRecord::new(self.record.id, self.record.at);
        let record = std::mem::replace(&mut self.record, blank);
        self.worker.settled(record);
    }
}

//! Stage "settle": what became of the request is told exactly once.
//!
//! A [`Settlement`] accompanies the request from its first line to its last byte: through the stages, then
//! inside the response body. Whatever way the request ends — answered, refused, the client gone, a panic — its
//! drop writes the one record from which log and metrics are made.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tollgate_actors::Snapshot;
use tollgate_adapters::{Report, StreamEnd, settled_usage};
use tollgate_cache::Worth;
use tollgate_core::{
    Clock, Dialect, FinishReason, Nanodollars, OutcomeClass, Refusal, RefusalKind, RequestId, Surface,
    Timestamp, Usage,
};
use tollgate_routing::{Candidate, Decision, Plan, Provider, Route};
use tollgate_telemetry::{
    CacheRecord, EmbeddingRecord, Ending, FeedbackRecord, RequestRecord, Scrubbed, Served,
};

use crate::exchange::call::Call;
use crate::exchange::ledger::Ledger;
use crate::exchange::leg::{Leg, Verdict};
use crate::explain::DecisionRecord;
use crate::lifecycle::InFlight;
use crate::stages::authenticate::Caller;
use crate::stages::recall::fill::Filling;
use crate::worker::Worker;

/// The account of one request, settled when dropped.
pub(crate) struct Settlement {
    worker: Rc<Worker>,
    settings: Rc<Snapshot>,
    record: RequestRecord,
    arrived: Instant,
    /// Waiting for the client's body: nobody's overhead.
    receiving: Duration,
    ledger: Rc<Ledger>,
    /// How it was decided who should answer; `None`: it did not come that far.
    decision: Option<Box<Decision>>,
    /// Who was asked last.
    asked: Option<Candidate>,
    /// Whose answer is relayed.
    serving: Option<Leg>,
    /// Whether the client wants to be told how it was decided.
    wants_decision: bool,
    /// Whether the route has no retries left.
    storms: bool,
    /// The beginning of its prompt, as a hash; `None`: too short for a prompt cache.
    prefix: Option<u64>,
    /// The answer, on its way into the cache as well; `None`: it is not kept.
    filling: Option<Filling>,
    /// Whether the record says how it ended.
    ended: bool,
    _in_flight: (InFlight, tollgate_telemetry::InFlight),
}

impl Settlement {
    /// Opens the account of a request that has just arrived. In a box: it is large, and goes through many hands.
    pub(crate) fn open(worker: &Rc<Worker>, surface: Option<Surface>) -> Box<Self> {
        let at = Clock.wall();
        let id = RequestId::new(at, rand::random());
        let mut record = RequestRecord::new(id, at);
        record.surface = surface;
        Box::new(Self {
            worker: worker.clone(),
            settings: worker.snapshot(),
            record,
            arrived: Clock.now(),
            receiving: Duration::ZERO,
            ledger: Rc::default(),
            decision: None,
            asked: None,
            serving: None,
            wants_decision: false,
            storms: false,
            prefix: None,
            filling: None,
            ended: false,
            _in_flight: (
                worker.shared.lifecycle.enter(),
                worker.shared.meters.request_arrived(),
            ),
        })
    }

    /// The configuration that holds for this request from beginning to end.
    pub(crate) fn settings(&self) -> &Rc<Snapshot> {
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

    /// When it arrived, by the clock for durations.
    pub(crate) fn since(&self) -> Instant {
        self.arrived
    }

    /// The account of its attempts.
    pub(crate) fn ledger(&self) -> &Rc<Ledger> {
        &self.ledger
    }

    /// It was let in.
    pub(crate) fn caller(&mut self, caller: &Caller) {
        self.record.key = caller.name().cloned();
    }

    /// It was read; `receiving` was spent waiting for its body.
    pub(crate) fn call(&mut self, call: &Call, receiving: Duration) {
        self.received(call.body.len(), receiving);
        self.ledger.request(call);
        let may_be_cached = self.ledger.prompt_tokens() >= CACHEABLE_TOKENS;
        self.prefix = may_be_cached.then_some(call.head.prefix);
        self.record.stream = call.head.stream;
        self.record.model = Some(call.model.clone());
    }

    /// Its body has come, of so many bytes, after so long.
    pub(crate) fn received(&mut self, bytes: usize, receiving: Duration) {
        self.receiving = receiving;
        self.record.request_bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    }

    /// The name that was asked for is that of this route. What answers from here on is accounted for under it.
    pub(crate) fn reached(&mut self, route: &Route) {
        self.record.epoch = Some(self.settings.epoch());
        self.record.route = Some(route.name.clone());
    }

    /// It was decided who should answer.
    pub(crate) fn plan(&mut self, plan: &mut Plan) {
        self.record.epoch = Some(plan.epoch);
        self.record.route = Some(plan.route.name.clone());
        self.decided(std::mem::take(&mut plan.decision));
    }

    /// A decision was made, whatever it was.
    pub(crate) fn decided(&mut self, decision: Box<Decision>) {
        let meters = &self.worker.shared.meters;
        let route = decision.question.groups.first().map_or("", |group| &*group.route);
        for filter in decision.question.candidates.iter().filter_map(|it| it.filter) {
            meters.filtered(route, filter.name());
        }
        if decision.is_panic() {
            meters.panicked(route);
        }
        self.decision = Some(decision);
    }

    /// The beginning of its prompt, where a provider may have it in a cache.
    pub(crate) fn prefix(&self) -> Option<u64> {
        self.prefix
    }

    /// How it was decided who should answer.
    pub(crate) fn decision(&self) -> Option<&Decision> {
        self.decision.as_deref()
    }

    /// The client wants to be told how it was decided.
    pub(crate) fn explain(&mut self) {
        self.wants_decision = true;
    }

    /// Whether it does.
    pub(crate) fn wants_decision(&self) -> bool {
        self.wants_decision
    }

    /// Somebody was asked, and did not answer.
    pub(crate) fn asked(&mut self, candidate: &Candidate) {
        self.asked = Some(candidate.clone());
    }

    /// This leg's answer goes to the client.
    pub(crate) fn serves(&mut self, leg: Leg) {
        self.asked = Some(leg.candidate.clone());
        self.record.loss = leg.loss().to_vec();
        leg.answering(200);
        self.serving = Some(leg);
    }

    /// How many attempts were made.
    pub(crate) fn attempts(&self) -> usize {
        self.ledger.attempts()
    }

    /// In whose words the client is answered, where it called a known path.
    pub(crate) fn dialect(&self) -> Dialect {
        self.record.surface.map_or(Dialect::OpenAi, Surface::dialect)
    }

    /// The client would make things worse by trying again.
    pub(crate) fn advise_against_retry(&mut self) {
        self.storms = true;
    }

    /// Whether the client should not try again by itself: the gateway has tried what could be tried, or the route
    /// is in a storm of retries.
    pub(crate) fn is_retry_useless(&self) -> bool {
        let has_failed = self.ended && self.record.ending.error_type().is_some();
        has_failed && (self.attempts() > 1 || self.storms)
    }

    /// Whether the process is shutting down.
    pub(crate) fn is_draining(&self) -> bool {
        self.worker.shared.lifecycle.is_draining()
    }

    /// JSON paths that the request sent out does not carry.
    pub(crate) fn loss(&self) -> &[Box<str>] {
        &self.record.loss
    }

    /// The client is told that the target at work answers with `status`. The gateway's own share of the time
    /// ends here: what follows is relaying.
    pub(crate) fn answering(&mut self, status: u16, provider_request_id: Option<Box<str>>) {
        self.record.status = status;
        self.clock_overhead();
        if let Some(candidate) = &self.asked {
            self.record.served = Some(self.served_by(candidate, provider_request_id));
        }
    }

    fn served_by(&self, candidate: &Candidate, request_id: Option<Box<str>>) -> Served {
        let provider = &candidate.target.provider;
        let surface = self.record.surface.unwrap_or(Surface::ChatCompletions);
        Served {
            provider: provider.name.clone(),
            model: candidate.model.clone(),
            dialect: provider.kind.dialect_for(surface),
            response_model: None,
            request_id,
        }
    }

    /// A whole answer was read. Some providers put an error into a 200.
    pub(crate) fn answered(&mut self, report: &Report) {
        let fault = report.error.as_ref();
        self.record.error = fault.map(|fault| Scrubbed::new(&fault.message));
        let class = fault.map_or(OutcomeClass::Success, |fault| fault.class);
        self.conclude(report, class);
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
        if let Some(leg) = &mut self.serving
            && report.has_content
        {
            leg.first_token();
        }
    }

    /// A stream came to its end; `None`: the client left before that.
    pub(crate) fn streamed(&mut self, report: &Report, end: Option<StreamEnd>) {
        let class = end.map_or(OutcomeClass::ClientGone, |end| report.class(end));
        if let Some(fault) = &report.error {
            self.record.error = Some(Scrubbed::new(&fault.message));
        }
        self.conclude(report, class);
    }

    /// The stream that is relayed has broken, and somebody else may go on with it: who broke off, and what that is
    /// billed for. `None`: nothing is being relayed.
    pub(crate) fn broke_off(&mut self, report: &Report, class: OutcomeClass) -> Option<(Candidate, Usage)> {
        let leg = self.serving.take()?;
        let candidate = leg.candidate.clone();
        let usage = settled_usage(report, self.ledger.prompt_bytes());
        self.record.timings.first_token = leg.ttft();
        self.record.timings.generation = leg.generation();
        leg.end(&Verdict {
            usage: Some(usage),
            tier: report.service_tier,
            stated_cost: report.stated_cost,
            ..Verdict::of(class, Some(self.record.status))
        });
        Some((candidate, usage))
    }

    /// The client left while somebody was sought to go on.
    pub(crate) fn left(&mut self) {
        self.end(Ending::Relayed(OutcomeClass::ClientGone));
    }

    /// Somebody has taken over the stream.
    pub(crate) fn goes_on(&mut self, leg: Leg, provider_request_id: Option<Box<str>>) {
        self.asked = Some(leg.candidate.clone());
        leg.answering(200);
        self.record.served = Some(self.served_by(&leg.candidate, provider_request_id));
        self.serving = Some(leg);
    }

    /// The leg whose answer was relayed is over.
    fn conclude(&mut self, report: &Report, class: OutcomeClass) {
        self.record.finish = report.finish;
        self.record.service_tier = report.service_tier;
        if let Some(served) = &mut self.record.served {
            served.response_model.clone_from(&report.model);
        }
        if let Some(leg) = self.serving.take() {
            if let Some(prefix) = self.prefix.filter(|_| class == OutcomeClass::Success) {
                let prompt_tokens = self.ledger.prompt_tokens();
                let slot = leg.candidate.target.cell.slot();
                self.worker.warmed(prefix, slot, prompt_tokens);
            }
            let timings = &mut self.record.timings;
            timings.first_token = timings.first_token.or_else(|| leg.ttft());
            timings.generation = timings.generation.or_else(|| leg.generation());
            leg.end(&Verdict {
                usage: Some(settled_usage(report, self.ledger.prompt_bytes())),
                tier: report.service_tier,
                stated_cost: report.stated_cost,
                ..Verdict::of(class, Some(self.record.status))
            });
        }
        self.end(Ending::Relayed(class));
    }

    /// A piece of the answer is handed to the client.
    pub(crate) fn sending(&mut self, piece: &Bytes) {
        if self.record.timings.first_byte.is_none() {
            self.record.timings.first_byte = Some(Clock.now().duration_since(self.arrived));
        }
        self.record.response_bytes += u64::try_from(piece.len()).unwrap_or(0);
        self.filling = self.filling.take().and_then(|filling| filling.sending(piece));
    }

    /// What the cache said.
    pub(crate) fn cached(&mut self, cache: CacheRecord) {
        self.record.cache = Some(cache);
    }

    /// What the cache said; `None`: it was not asked.
    pub(crate) fn cache(&self) -> Option<&CacheRecord> {
        self.record.cache.as_ref()
    }

    /// It has waited so long for others than providers, which is no work of the gateway's own.
    pub(crate) fn waited(&mut self, waited: Duration) {
        self.receiving += waited;
    }

    /// An endpoint was wanted to make a vector.
    pub(crate) fn embedded(&mut self, embedding: EmbeddingRecord) {
        self.waited(embedding.elapsed.unwrap_or_default());
        self.record.embedding = Some(embedding);
    }

    /// What the client said of an answer from the cache. Until that was written down it waited so long.
    pub(crate) fn heard(&mut self, feedback: FeedbackRecord, waited: Duration) {
        self.waited(waited);
        self.record.feedback = Some(feedback);
    }

    /// The answer shall be kept.
    pub(crate) fn fills(&mut self, filling: Filling) {
        self.filling = Some(filling);
    }

    /// Nobody was asked: the answer was given before, or is the gateway's own.
    pub(crate) fn recalled(&mut self, finish: Option<FinishReason>) {
        self.record.finish = finish;
        self.end(Ending::Relayed(OutcomeClass::Success));
    }

    /// Hands the answer to the cache, if it is whole.
    fn fill(&mut self) {
        let Some(filling) = self.filling.take() else {
            return;
        };
        match self.record.ending {
            Ending::Relayed(OutcomeClass::Success) if self.record.status == 200 => {}
            Ending::Relayed(OutcomeClass::ClientGone) => return filling.leave(),
            _ => return,
        }
        let usage = self.record.usage.unwrap_or_default();
        let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let micros = self.record.timings.total.as_micros();
        let worth = Worth {
            cost: self.record.cost.unwrap_or_default(),
            latency_us: u32::try_from(micros).unwrap_or(u32::MAX),
            prompt_tokens: small(usage.prompt_total()),
            output_tokens: small(usage.output_total()),
        };
        filling.hand_over(&self.worker, worth, self.record.at);
    }

    /// What it has cost so far; `None`: a price is not known, or nothing was used.
    pub(crate) fn cost(&self) -> Option<Nanodollars> {
        self.ledger.cost()
    }

    /// The provider that was asked last.
    pub(crate) fn provider(&self) -> Option<&Arc<Provider>> {
        self.asked.as_ref().map(|candidate| &candidate.target.provider)
    }

    /// What was used so far.
    pub(crate) fn usage(&self) -> Usage {
        self.ledger.usage().unwrap_or_default()
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
        let waiting = self.ledger.upstream() + self.receiving;
        self.record.timings.overhead = elapsed.saturating_sub(waiting);
    }

    fn end(&mut self, ending: Ending) {
        self.record.ending = ending;
        self.ended = true;
    }

    /// Dropped on the way: the client hung up, or something panicked.
    fn end_early(&mut self) {
        if std::thread::panicking() {
            self.end(Ending::Refused(RefusalKind::Internal));
        } else {
            self.record.status = CLIENT_CLOSED_REQUEST;
            self.end(Ending::Relayed(OutcomeClass::ClientGone));
        }
    }
}

/// Providers cache prompts from this length on.
const CACHEABLE_TOKENS: u64 = 1_024;

/// The status that logs show for a client that hung up before it was answered (nginx's convention).
const CLIENT_CLOSED_REQUEST: u16 = 499;

impl Drop for Settlement {
    fn drop(&mut self) {
        if !self.ended {
            self.end_early();
        }
        // A leg that nobody concluded writes its own end.
        self.serving = None;
        let record = &mut self.record;
        record.timings.total = Clock.now().duration_since(self.arrived);
        record.timings.upstream = self.ledger.upstream();
        record.request_bytes += self.ledger.uploaded();
        record.usage = self.ledger.usage();
        record.cost = self.ledger.cost();
        record.attempts = self.ledger.take_attempts();
        self.fill();
        let record = &mut self.record;
        let blank = RequestRecord::new(record.id, record.at);
        let record = std::mem::replace(record, blank);
        if let Some(cohort) = record.epoch.and_then(|epoch| self.settings.cohort(epoch)) {
            let is_ok = match record.ending {
                Ending::Relayed(class) => !class.policy().counts_in_ratio,
                Ending::Refused(kind) => kind.status() < 500,
            };
            cohort.observe(is_ok, record.timings.first_token);
        }
        let decision = self.decision.take();
        let explained = decision.map(|decision| DecisionRecord::new(&record, *decision));
        self.worker.settled(record, explained);
    }
}

//! An opening for benches: a worker without listeners, whose stages are walked one at a time, and whose connections
//! to providers are brought along. Nothing here is meant for anybody else, and nothing of it is in the binary.
//!
//! [`Walk`] takes the same steps as `serve`, in the same order, each with what the one before
//! has made. It has no cost of its own beside theirs but for a few moves.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::web::{Payload, ServiceConfig};
use actix_web::{FromRequest as _, HttpRequest, HttpResponse};
use anyhow::Context as _;
use bytes::Bytes;
use hyper::rt::{Read, Write};
use tollgate_config::Settings;
use tollgate_core::{Refusal, Surface};
use tollgate_routing::{Board, Plan, Provider};
use tollgate_telemetry::Exposition;

use crate::app;
use crate::exchange::answered::Answered;
use crate::exchange::call::Call;
use crate::server::{Ground, Journals};
use crate::stages::accept::accept;
use crate::stages::attempt::attempt;
use crate::stages::attempt::request::{ClientHeaders, first_request};
use crate::stages::authenticate::{Caller, authenticate};
use crate::stages::bounds::Bounds;
use crate::stages::plan::plan;
use crate::stages::recall::recall;
use crate::stages::respond::respond;
use crate::stages::settle::Settlement;
use crate::upstream::Outgoing;
use crate::worker::{Shared, Worker};

/// A worker on this thread, without listeners. The actors of providers and the cache have threads of their own.
pub struct InProcess {
    worker: Rc<Worker>,
    /// `None`: it works beside another, who has them.
    ground: Option<(Exposition, Journals)>,
}

/// What all workers share, to be taken to another thread.
#[derive(Clone)]
pub struct Premises(Arc<Shared>);

/// A stage of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The account is opened.
    Open,
    /// Who is calling.
    Authenticate,
    /// The body is read and taken apart.
    Accept,
    /// What the request may take: the key's models, and the headers that set limits.
    Bound,
    /// The cache is asked.
    Recall,
    /// The router is asked.
    Plan,
    /// A provider is asked, and its answer read; of a stream, its beginning.
    Attempt,
    /// The response's head is written and, unless it is a stream, the account settled.
    Respond,
}

/// A request on its way through the line.
pub struct Walk {
    worker: Rc<Worker>,
    surface: Surface,
    request: HttpRequest,
    payload: Option<Payload>,
    settlement: Option<Box<Settlement>>,
    caller: Option<Caller>,
    call: Option<Call>,
    bounds: Option<Bounds>,
    plan: Option<Plan>,
    answered: Option<Answered>,
    response: Option<HttpResponse>,
}

impl InProcess {
    /// Starts a worker and all that it works with. To be called within an actix system.
    pub fn start(settings: Settings, board: Arc<Board>) -> anyhow::Result<Self> {
        let ground = Ground::lay(settings, board, actix_rt::Arbiter::new().handle())?;
        ground.shared.roster.follow(&ground.shared.published.load());
        Ok(Self {
            worker: Worker::start(ground.shared),
            ground: Some((ground.exposition, ground.journals)),
        })
    }

    /// Starts another worker, which shares what workers share. To be called within an actix system of its own, and to
    /// end before the first one does.
    pub fn beside(premises: Premises) -> Self {
        Self {
            worker: Worker::start(premises.0),
            ground: None,
        }
    }

    /// What another worker needs.
    pub fn premises(&self) -> Premises {
        Premises(self.worker.shared.clone())
    }

    /// Folds the metrics, as the process does every second on another thread than the workers'.
    pub fn upkeep(&self) {
        if let Some((exposition, _)) = &self.ground {
            exposition.upkeep();
        }
    }

    /// Registers the paths of the data plane.
    pub fn routes(&self, config: &mut ServiceConfig) {
        app::routes(&self.worker, config);
    }

    /// Lets requests to the provider of this name go over `io` from now on, one at a time.
    pub async fn connect<T>(&self, provider: &str, io: T) -> anyhow::Result<()>
    where
        T: Read + Write + Unpin + 'static,
    {
        let provider = self.provider(provider)?;
        Ok(self.worker.upstream.adopt(&provider, io).await?)
    }

    /// Sends `body` to a provider and reads the answer: what is left of the line when every stage is taken out.
    pub async fn exchange(&self, provider: &Provider, body: Bytes) -> anyhow::Result<Bytes> {
        let request = http::Request::post(provider.base_url.clone())
            .header(http::header::HOST, "provider")
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Outgoing::whole(body))?;
        let mut body = self
            .worker
            .upstream
            .send(provider, request)
            .await?
            .response
            .into_body();
        let mut whole = Bytes::new();
        while let Some(piece) = body.chunk().await {
            // The answers of benches come in one piece.
            whole = piece?;
        }
        Ok(whole)
    }

    /// The provider of this name.
    pub fn provider(&self, name: &str) -> anyhow::Result<Arc<Provider>> {
        let live = self.worker.shared.published.load();
        let mut providers = live.catalog.providers().iter();
        let found = providers.find(|it| &*it.name == name);
        Ok(found.with_context(|| format!("no provider {name}"))?.clone())
    }

    /// A request at the beginning of the line.
    pub async fn walk(
        &self,
        surface: Surface,
        request: HttpRequest,
        mut payload: actix_web::dev::Payload,
    ) -> anyhow::Result<Walk> {
        let payload = Payload::from_request(&request, &mut payload).await;
        Ok(Walk {
            worker: self.worker.clone(),
            surface,
            request,
            payload: Some(payload.map_err(|error| anyhow::anyhow!("{error}"))?),
            settlement: None,
            caller: None,
            call: None,
            bounds: None,
            plan: None,
            answered: None,
            response: None,
        })
    }
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::Open,
        Self::Authenticate,
        Self::Accept,
        Self::Bound,
        Self::Recall,
        Self::Plan,
        Self::Attempt,
        Self::Respond,
    ];
}

impl Walk {
    /// Takes one step. Errors: the step says no, or one before it was not taken.
    pub async fn take(&mut self, step: Step) -> anyhow::Result<()> {
        let taken = match step {
            Step::Open => {
                self.settlement = Some(Settlement::open(&self.worker, Some(self.surface)));
                return Ok(());
            }
            Step::Respond => {
                let answered = self.answered.take().context("nobody has answered")?;
                self.response = Some(respond(answered, self.settlement.take().context("not open")?));
                return Ok(());
            }
            Step::Authenticate => self.authenticate(),
            Step::Accept => self.accept().await,
            Step::Bound => self.bound(),
            Step::Recall => self.recall().await,
            Step::Plan => self.plan().await,
            Step::Attempt => self.attempt().await,
        };
        match taken {
            Some(Ok(())) => Ok(()),
            Some(Err(refusal)) => anyhow::bail!("{step:?}: {}", refusal.message),
            None => anyhow::bail!("{step:?} came too early"),
        }
    }

    fn authenticate(&mut self) -> Option<Result<(), Refusal>> {
        let settlement = self.settlement.as_mut()?;
        Some(authenticate(settlement.settings(), &self.request).map(|caller| {
            settlement.caller(&caller);
            self.caller = Some(caller);
        }))
    }

    async fn accept(&mut self) -> Option<Result<(), Refusal>> {
        let (settlement, payload) = (self.settlement.as_mut()?, self.payload.take()?);
        let accepted = accept(&self.worker, self.surface, &self.request, payload, settlement).await;
        Some(accepted.map(|call| self.call = Some(call)))
    }

    fn bound(&mut self) -> Option<Result<(), Refusal>> {
        let (settlement, caller, call) = (
            self.settlement.as_ref()?,
            self.caller.as_ref()?,
            self.call.as_ref()?,
        );
        let authorized = caller.authorize(&call.model);
        let bounds = authorized.and_then(|()| Bounds::read(&self.request, caller, settlement.since()));
        Some(bounds.map(|bounds| self.bounds = Some(bounds)))
    }

    async fn recall(&mut self) -> Option<Result<(), Refusal>> {
        let (caller, call, bounds) = (self.caller.as_ref()?, self.call.as_ref()?, self.bounds.as_ref()?);
        let settlement = self.settlement.as_mut()?;
        let recalled = recall(&self.worker, &self.request, call, caller, bounds, settlement).await;
        Some(recalled.map(|answered| self.answered = answered))
    }

    async fn plan(&mut self) -> Option<Result<(), Refusal>> {
        let (caller, call, bounds) = (self.caller.as_ref()?, self.call.as_ref()?, self.bounds.as_ref()?);
        let settlement = self.settlement.as_mut()?;
        let planned = plan(&self.worker, call, caller, bounds, settlement).await;
        Some(planned.map(|plan| self.plan = Some(plan)))
    }

    async fn attempt(&mut self) -> Option<Result<(), Refusal>> {
        let (call, plan) = (self.call.as_ref()?, self.plan.as_ref()?);
        let bounds = self.bounds.take()?.within(&plan.route.limits);
        let headers = ClientHeaders(&self.request);
        let settlement = self.settlement.as_mut()?;
        // Boxed as it is in the line.
        let attempted = Box::pin(attempt(&self.worker, call, headers, plan, &bounds, settlement)).await;
        Some(attempted.map(|answered| self.answered = Some(answered)))
    }

    /// Puts the request to the plan's first candidate together, with `body` as its body: a part of
    /// [`Step::Attempt`].
    pub fn request(
        &self,
        path: &str,
        body: &Bytes,
    ) -> anyhow::Result<http::Request<impl http_body::Body + use<>>> {
        let plan = self.plan.as_ref().context("there is no plan")?;
        let candidate = plan.contender(0).context("there is no candidate")?.candidate();
        let headers = ClientHeaders(&self.request);
        Ok(first_request(self.surface, &candidate, headers, (path, body))?)
    }

    /// Writes what was answered into the account, as far as [`Step::Respond`] does before the account is settled.
    pub fn book(&mut self) -> anyhow::Result<()> {
        let settlement = self.settlement.as_mut().context("not open")?;
        let Some(Answered::Whole(answer, _)) = &self.answered else {
            anyhow::bail!("not a whole answer");
        };
        settlement.answering(200, None);
        settlement.answered(&answer.report);
        settlement.sending(&answer.body);
        Ok(())
    }

    /// Settles the account: cost, meters, log, the record of the decision.
    pub fn settle(&mut self) {
        self.settlement = None;
    }

    /// What [`Step::Respond`] made.
    pub fn response(&self) -> Option<&HttpResponse> {
        self.response.as_ref()
    }
}

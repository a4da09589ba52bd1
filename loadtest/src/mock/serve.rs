//! The provider surfaces: finds out what is asked of whom, waits out the latency, and answers, fails or breaks.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode, Version};
use actix_web::web::{Bytes, Data};

use super::answer::Answer;
use super::ask::{self, Ask};
use super::behaviour::{Fault, FaultKind, FaultPoint};
use super::control::Control;
use super::dialects::Voice;
use super::endpoint::{Endpoint, Site, provider_of, site};
use super::exchange::Exchange;
use super::journal::{Arrival, kept_headers};
use super::play::{ArmedFault, Play};
use super::respond::{fail, refuse, respond, respond_stream};
use super::server::Line;

/// The lane of what names no model: lists of models, unreadable bodies, unknown paths.
const NO_MODEL: &str = "-";

/// Answers everything that is not the control API.
pub(crate) async fn answer(request: HttpRequest, body: Bytes, control: Data<Control>) -> HttpResponse<Play> {
    let (provider, path) = provider_of(request.path(), control.name());
    let call = Call {
        control: &control,
        request: &request,
        provider,
        body: &body,
    };
    match site(path, request.query_string()) {
        Site::Endpoint { endpoint, model } if request.method() == Method::POST => {
            match ask::read(endpoint, &body, model.as_deref()) {
                Ok(ask) => call.perform(endpoint, &ask).await,
                Err(problem) => call.refuse(endpoint.voice(), 400, problem),
            }
        }
        Site::Models(voice) if request.method() == Method::GET => {
            let mut names = control.known_models(provider);
            if names.is_empty() {
                names = vec!["mock-large".to_owned(), "mock-small".to_owned()];
            }
            call.list(voice, voice.models(&names)).await
        }
        Site::Model(voice, name) if request.method() == Method::GET => {
            call.list(voice, voice.model(&name)).await
        }
        Site::Unknown => call.refuse(Voice::OpenAi, 404, format!("unknown path '{}'", request.path())),
        _ => {
            let problem = format!("method {} is not allowed here", request.method());
            call.refuse(Voice::OpenAi, 405, problem)
        }
    }
}

/// One call as it came in.
struct Call<'a> {
    control: &'a Control,
    request: &'a HttpRequest,
    provider: &'a str,
    body: &'a Bytes,
}

impl Call<'_> {
    /// Counts the call and writes it into the journal.
    fn admit(&self, model: &str, stream: bool) -> Exchange {
        let exchange = self.control.admit(self.provider, model);
        let journal = self.control.journal_ring();
        if journal.is_kept() {
            let path = self.request.uri().path_and_query();
            let arrival = Arrival {
                at_ms: self.control.uptime_ms(),
                method: self.request.method().to_string(),
                path: path.map_or_else(String::new, ToString::to_string),
                version: format!("{:?}", self.request.version()),
                provider: self.provider.to_owned(),
                model: if model == NO_MODEL {
                    String::new()
                } else {
                    model.to_owned()
                },
                stream,
                headers: kept_headers(self.request.headers()),
                body: journal.keep(self.body),
                body_bytes: u64::try_from(self.body.len()).unwrap_or(u64::MAX),
            };
            self.control.record(arrival, &exchange.progress);
        }
        exchange
    }

    /// The provider itself says no: the request makes no sense.
    fn refuse(&self, voice: Voice, status: u16, problem: String) -> HttpResponse<Play> {
        let exchange = self.admit(NO_MODEL, false);
        refuse(exchange, voice, status, problem)
    }

    /// Answers with what is known without a model at work. A provider that is slow, or breaks before it answers, is so
    /// here as well; what it refuses is work.
    async fn list(&self, voice: Voice, body: Bytes) -> HttpResponse<Play> {
        let exchange = self.admit(NO_MODEL, false);
        let fault = exchange.fate().fault;
        wait(&exchange).await;
        let fault = fault.filter(|it| it.at == FaultPoint::BeforeHead && it.kind != FaultKind::ErrorEvent);
        match fault {
            Some(fault) => self.break_before_head(exchange, self.armed(voice, fault)).await,
            None => respond(exchange, voice, body, None),
        }
    }

    async fn perform(&self, endpoint: Endpoint, ask: &Ask) -> HttpResponse<Play> {
        let exchange = self.admit(&ask.model, ask.stream);
        if let Some(complaint) = exchange.lane.complaint.clone() {
            return refuse(exchange, endpoint.voice(), 400, complaint);
        }
        let fate = exchange.fate();
        wait(&exchange).await;
        if let Some(fault) = fate.fault
            && fault.at == FaultPoint::BeforeHead
            && let Some(armed) = self.arm(endpoint, ask, fault)
        {
            return self.break_before_head(exchange, armed).await;
        }
        match &fate.failure {
            Some(failure) => fail(exchange, endpoint.voice(), failure),
            None => self.succeed(exchange, endpoint, ask, fate.fault),
        }
    }

    async fn break_before_head(&self, exchange: Exchange, armed: ArmedFault) -> HttpResponse<Play> {
        if armed.kind == FaultKind::Hang {
            match &armed.line {
                // The server does not drop the handler of an HTTP/2 stream, even with its connection gone.
                Some(line) if armed.shared_line => line.gone().await,
                // Until the peer gives up and the server drops this.
                _ => std::future::pending::<()>().await,
            }
            return HttpResponse::with_body(StatusCode::OK, Play::abandoned(exchange, armed));
        }
        HttpResponse::with_body(StatusCode::OK, Play::broken_before_head(exchange, armed))
    }

    fn succeed(
        &self,
        exchange: Exchange,
        endpoint: Endpoint,
        ask: &Ask,
        fault: Option<Fault>,
    ) -> HttpResponse<Play> {
        let place = fault.map(|fault| fault.at);
        let armed = fault.and_then(|fault| self.arm(endpoint, ask, fault));
        let usage = exchange.lane.behaviour.usage;
        let writer = match endpoint {
            Endpoint::Write(writer) => writer,
            Endpoint::Tell(teller) => {
                let told = teller.body(ask, self.control.seed(), &usage);
                return respond(exchange, endpoint.voice(), told, armed);
            }
        };
        let answer = Answer::compose(ask, &exchange, place, writer.thinking());
        if ask.stream {
            let script = writer.stream(ask, &answer, &usage);
            return respond_stream(exchange, endpoint.voice(), script, armed);
        }
        let body = writer.body(ask, &answer);
        respond(exchange, endpoint.voice(), body, armed)
    }

    fn arm(&self, endpoint: Endpoint, ask: &Ask, fault: Fault) -> Option<ArmedFault> {
        let streams = ask.stream && matches!(endpoint, Endpoint::Write(_));
        if fault.kind == FaultKind::ErrorEvent && !streams {
            return None;
        }
        Some(self.armed(endpoint.voice(), fault))
    }

    fn armed(&self, voice: Voice, fault: Fault) -> ArmedFault {
        ArmedFault {
            kind: fault.kind,
            after_frames: match fault.at {
                FaultPoint::AfterChunks(chunks) => u64::from(chunks),
                FaultPoint::BeforeHead | FaultPoint::AfterHead => 0,
            },
            shared_line: self.request.version() == Version::HTTP_2,
            line: self.request.conn_data::<Line>().cloned(),
            voice,
        }
    }
}

/// Waits until the head is due.
async fn wait(exchange: &Exchange) {
    let latency = exchange.latency();
    if !latency.is_zero() {
        actix_web::rt::time::sleep(latency).await;
    }
}

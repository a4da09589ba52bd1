//! The provider surfaces: finds out what is asked of whom, waits out the latency, and answers, fails or breaks.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode, Version};
use actix_web::web::{Bytes, Data};
use tollgate_core::Dialect;

use super::answer::{Answer, Thinking, Tokens};
use super::ask::{self, Ask};
use super::behaviour::{Failure, Fault, FaultKind, FaultPoint};
use super::control::Control;
use super::exchange::Exchange;
use super::journal::{Arrival, kept_headers};
use super::openai::Surface;
use super::play::{ArmedFault, Play};
use super::respond::{fail, refuse, respond, respond_stream};
use super::server::Line;
use super::{anthropic, openai};

/// The lane of what names no model: lists of models, unreadable bodies, unknown paths.
const NO_MODEL: &str = "-";

/// One endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Text(Surface),
    Embeddings,
    Messages,
    CountTokens,
}

impl Endpoint {
    const fn dialect(self) -> Dialect {
        match self {
            Self::Text(_) | Self::Embeddings => Dialect::OpenAi,
            Self::Messages | Self::CountTokens => Dialect::Anthropic,
        }
    }

    fn of(operation: &str) -> Option<Self> {
        match operation {
            "chat/completions" => Some(Self::Text(Surface::Chat)),
            "completions" => Some(Self::Text(Surface::Completions)),
            "embeddings" => Some(Self::Embeddings),
            "messages" => Some(Self::Messages),
            "messages/count_tokens" => Some(Self::CountTokens),
            _ => None,
        }
    }
}

/// What a path addresses.
#[derive(Debug, PartialEq, Eq)]
enum Site<'a> {
    Models,
    Model(&'a str),
    Endpoint {
        endpoint: Endpoint,
        deployment: Option<&'a str>,
    },
    Unknown,
}

/// Splits `/p/{provider}/…` off a path.
fn provider_of<'a>(path: &'a str, root: &'a str) -> (&'a str, &'a str) {
    path.strip_prefix("/p/")
        .and_then(|rest| rest.split_once('/'))
        .unwrap_or((root, path.trim_start_matches('/')))
}

fn site(path: &str) -> Site<'_> {
    let path = path.trim_start_matches('/');
    let path = path.strip_prefix("openai/").unwrap_or(path);
    if let Some((deployment, operation)) = path
        .strip_prefix("deployments/")
        .and_then(|rest| rest.split_once('/'))
    {
        return match Endpoint::of(operation) {
            Some(endpoint) => Site::Endpoint {
                endpoint,
                deployment: Some(deployment),
            },
            None => Site::Unknown,
        };
    }
    let path = path.strip_prefix("v1/").unwrap_or(path);
    match (path, path.strip_prefix("models/"), Endpoint::of(path)) {
        ("models", ..) => Site::Models,
        (_, Some(model), _) => Site::Model(model),
        (_, _, Some(endpoint)) => Site::Endpoint {
            endpoint,
            deployment: None,
        },
        _ => Site::Unknown,
    }
}

/// Answers everything that is not the control API.
pub(crate) async fn answer(request: HttpRequest, body: Bytes, control: Data<Control>) -> HttpResponse<Play> {
    let (provider, path) = provider_of(request.path(), control.name());
    let call = Call {
        control: &control,
        request: &request,
        provider,
        body: &body,
    };
    match site(path) {
        Site::Endpoint { endpoint, deployment } if request.method() == Method::POST => {
            match ask::read(&body, deployment) {
                Ok(ask) => call.perform(endpoint, &ask).await,
                Err(problem) => call.refuse(endpoint.dialect(), 400, problem),
            }
        }
        Site::Models if request.method() == Method::GET => {
            let mut names = control.known_models(provider);
            if names.is_empty() {
                names = vec!["mock-large".to_owned(), "mock-small".to_owned()];
            }
            call.list(openai::models(&names)).await
        }
        Site::Model(name) if request.method() == Method::GET => call.list(openai::model(name)).await,
        Site::Unknown => call.refuse(Dialect::OpenAi, 404, format!("unknown path '{}'", request.path())),
        _ => {
            let problem = format!("method {} is not allowed here", request.method());
            call.refuse(Dialect::OpenAi, 405, problem)
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
    fn refuse(&self, dialect: Dialect, status: u16, problem: String) -> HttpResponse<Play> {
        let exchange = self.admit(NO_MODEL, false);
        refuse(exchange, dialect, status, problem)
    }

    /// Answers with what is known without a model at work. A provider that is slow, or breaks before it answers, is so
    /// here as well; what it refuses is work.
    async fn list(&self, body: Bytes) -> HttpResponse<Play> {
        let exchange = self.admit(NO_MODEL, false);
        let fault = exchange.fate().fault;
        wait(&exchange).await;
        let fault = fault.filter(|it| it.at == FaultPoint::BeforeHead && it.kind != FaultKind::ErrorEvent);
        match fault {
            Some(fault) => {
                self.break_before_head(exchange, self.armed(Dialect::OpenAi, fault))
                    .await
            }
            None => respond(exchange, body, None),
        }
    }

    async fn perform(&self, endpoint: Endpoint, ask: &Ask) -> HttpResponse<Play> {
        let exchange = self.admit(&ask.model, ask.stream);
        if let Some(complaint) = exchange.lane.complaint.clone() {
            return refuse(exchange, endpoint.dialect(), 400, complaint);
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
            Some(failure) => fail(exchange, endpoint.dialect(), failure),
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
        let body = match endpoint {
            Endpoint::Text(surface) => {
                let answer = Answer::compose(ask, &exchange, place, Thinking::OnOrder);
                if ask.stream {
                    let report = usage.in_stream.unwrap_or(ask.include_usage);
                    let script = openai::stream(surface, ask, &answer, report && !usage.omit);
                    return respond_stream(exchange, script, armed);
                }
                openai::body(surface, ask, &answer)
            }
            Endpoint::Messages => {
                let answer = Answer::compose(ask, &exchange, place, Thinking::OnRequest);
                if ask.stream {
                    return respond_stream(exchange, anthropic::stream(ask, &answer), armed);
                }
                anthropic::body(ask, &answer)
            }
            Endpoint::Embeddings => {
                let tokens = Tokens::of_prompt(&usage, ask.prompt_tokens);
                openai::embeddings(ask, self.control.seed(), tokens)
            }
            Endpoint::CountTokens => anthropic::token_count(usage.prompt.unwrap_or(ask.prompt_tokens)),
        };
        respond(exchange, body, armed)
    }

    fn arm(&self, endpoint: Endpoint, ask: &Ask, fault: Fault) -> Option<ArmedFault> {
        let streams = ask.stream && matches!(endpoint, Endpoint::Text(_) | Endpoint::Messages);
        if fault.kind == FaultKind::ErrorEvent && !streams {
            return None;
        }
        Some(self.armed(endpoint.dialect(), fault))
    }

    fn armed(&self, dialect: Dialect, fault: Fault) -> ArmedFault {
        let overloaded = Failure {
            status: 529,
            ..Failure::default()
        };
        let line = self.request.conn_data::<Line>().cloned();
        ArmedFault {
            kind: fault.kind,
            after_frames: match fault.at {
                FaultPoint::AfterChunks(chunks) => u64::from(chunks),
                FaultPoint::BeforeHead | FaultPoint::AfterHead => 0,
            },
            shared_line: self.request.version() == Version::HTTP_2,
            line,
            error_frame: match dialect {
                Dialect::Anthropic => anthropic::error_frame(&overloaded),
                _ => openai::error_frame(&overloaded),
            },
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_understood_with_and_without_prefixes() {
        let chat = |deployment| Site::Endpoint {
            endpoint: Endpoint::Text(Surface::Chat),
            deployment,
        };
        assert_eq!(site("/v1/chat/completions"), chat(None));
        assert_eq!(site("chat/completions"), chat(None));
        assert_eq!(site("/openai/v1/chat/completions"), chat(None));
        assert_eq!(
            site("/openai/deployments/gpt/chat/completions"),
            chat(Some("gpt"))
        );
        assert_eq!(site("/v1/models"), Site::Models);
        assert_eq!(site("/v1/models/a/b"), Site::Model("a/b"));
        assert_eq!(site("/v1/nothing"), Site::Unknown);
        assert_eq!(site("/openai/deployments/gpt"), Site::Unknown);
        assert_eq!(provider_of("/p/east/v1/models", "root"), ("east", "v1/models"));
        assert_eq!(provider_of("/v1/models", "root"), ("root", "v1/models"));
        assert_eq!(provider_of("/p/east", "root"), ("root", "p/east"));
    }
}

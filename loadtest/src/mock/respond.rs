//! Response heads: status, headers and the body that will be played, for answers and for failures.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::Bytes;

use super::behaviour::{BodyKind, Failure};
use super::dialects::Voice;
use super::exchange::Exchange;
use super::play::{ArmedFault, Play};
use super::script::Script;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const HTML_PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway\
    </h1></center>\r\n<hr><center>edge</center>\r\n</body>\r\n</html>\r\n";

/// The provider refuses a request that makes no sense.
pub(crate) fn refuse(exchange: Exchange, voice: Voice, status: u16, problem: String) -> HttpResponse<Play> {
    let failure = Failure {
        status,
        message: Some(problem),
        ..Failure::default()
    };
    fail(exchange, voice, &failure)
}

/// Answers with a failure.
pub(crate) fn fail(exchange: Exchange, voice: Voice, failure: &Failure) -> HttpResponse<Play> {
    let failure = voice.worded(failure);
    let error = |exchange: &Exchange| voice.error(&failure, &request_id(exchange));
    let (kind, body) = match failure.body {
        BodyKind::Dialect => (JSON, error(&exchange)),
        BodyKind::Html => (HTML, HTML_PAGE.to_owned()),
        BodyKind::Empty => (JSON, String::new()),
        BodyKind::Malformed => {
            let mut body = error(&exchange);
            body.truncate(body.len() / 2);
            (JSON, body)
        }
    };
    let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = respond_as(exchange, voice, status, kind, (body.into(), None));
    for (name, value) in voice.failure_headers(&failure) {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A successful answer that is a stream.
pub(crate) fn respond_stream(
    exchange: Exchange,
    voice: Voice,
    script: Script,
    fault: Option<ArmedFault>,
) -> HttpResponse<Play> {
    let lane = exchange.lane.clone();
    let head = Head::new(&exchange, voice);
    exchange.answered(200);
    let play = Play::stream(exchange, script, &lane.behaviour.pacing, fault);
    let mut response = head.respond(StatusCode::OK, voice.stream_type(), play);
    let no_cache = HeaderValue::from_static("no-cache");
    response.headers_mut().insert(header::CACHE_CONTROL, no_cache);
    response
}

/// A successful answer that is no stream.
pub(crate) fn respond(
    exchange: Exchange,
    voice: Voice,
    body: Bytes,
    fault: Option<ArmedFault>,
) -> HttpResponse<Play> {
    respond_as(exchange, voice, StatusCode::OK, JSON, (body, fault))
}

fn respond_as(
    exchange: Exchange,
    voice: Voice,
    status: StatusCode,
    kind: HeaderValue,
    (body, fault): (Bytes, Option<ArmedFault>),
) -> HttpResponse<Play> {
    let lane = exchange.lane.clone();
    let head = Head::new(&exchange, voice);
    exchange.answered(status.as_u16());
    let play = Play::sized(exchange, body, &lane.behaviour.pacing, fault);
    head.respond(status, kind, play)
}

/// What every head has, taken from the exchange before the body takes the exchange.
struct Head {
    /// The headers that hold it, and the request's id.
    id: (&'static [&'static str], String),
    extra: Vec<(HeaderName, HeaderValue)>,
}

impl Head {
    fn new(exchange: &Exchange, voice: Voice) -> Self {
        let extra = exchange
            .lane
            .behaviour
            .headers
            .iter()
            .filter_map(|(name, value)| {
                let name = HeaderName::try_from(name.as_str()).ok()?;
                Some((name, HeaderValue::try_from(value.as_str()).ok()?))
            });
        Self {
            id: (voice.id_headers(), request_id(exchange)),
            extra: extra.collect(),
        }
    }

    fn respond(self, status: StatusCode, kind: HeaderValue, play: Play) -> HttpResponse<Play> {
        let mut response = HttpResponse::with_body(status, play);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, kind);
        let (names, id) = self.id;
        if let Ok(id) = HeaderValue::try_from(id) {
            for name in names {
                headers.insert(HeaderName::from_static(name), id.clone());
            }
        }
        for (name, value) in self.extra {
            headers.insert(name, value);
        }
        response
    }
}

/// The provider's id of a request, by seed, model and number.
fn request_id(exchange: &Exchange) -> String {
    const SALT_REQUEST: u64 = 20;
    format!("req_{:016x}", exchange.dice.roll(SALT_REQUEST))
}

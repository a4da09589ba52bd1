//! What is sent to a provider: URI, headers and credential.

use std::borrow::Cow;

use actix_web::HttpRequest;
use actix_web::http::header;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Uri};
use rand::Rng as _;
use smallvec::SmallVec;
use thiserror::Error;
use tollgate_adapters::{NotSigned, Payload};
use tollgate_core::{Moment, Surface};
use tollgate_routing::{Auth, Candidate, Credential, Provider, Target};

use super::proof::Shown;
use crate::exchange::call::Call;
use crate::exchange::upload::Upload;
use crate::upstream::{Outgoing, UpstreamRequest};

const OURSELVES: HeaderValue = HeaderValue::from_static(concat!("tollgate/", env!("CARGO_PKG_VERSION")));

/// As many headers as most requests have at the most.
const MOST_HEADERS: usize = 12;

/// The client's request headers, for those few that a provider may see.
#[derive(Clone, Copy)]
pub(crate) struct ClientHeaders<'r>(pub(crate) &'r HttpRequest);

/// Those that are usually asked for. By a name that is only text, the server's table of headers makes a name first.
static USUAL: [header::HeaderName; 6] = [
    header::HeaderName::from_static("idempotency-key"),
    header::HeaderName::from_static("anthropic-version"),
    header::HeaderName::from_static("anthropic-beta"),
    header::HeaderName::from_static("openai-organization"),
    header::HeaderName::from_static("openai-project"),
    header::HeaderName::from_static("openai-beta"),
];

impl ClientHeaders<'_> {
    fn get(self, name: &str) -> Option<String> {
        let headers = self.0.headers();
        let value = match USUAL.iter().find(|usual| usual.as_str() == name) {
            Some(usual) => headers.get(usual),
            None => headers.get(name),
        };
        value?.to_str().ok().map(str::to_owned)
    }
}

/// A credential and its index at the provider; nothing, for a provider that wants none.
pub(super) type Numbered<'p> = (Option<u16>, Option<&'p Credential>);

/// The credentials that may be used at a target now, the last one to be tried first: a weighted draw. A provider
/// that wants none has one try without. `anyway`: also those that rest or are not accepted.
pub(super) fn credentials(target: &Target, now: Moment, anyway: bool) -> SmallVec<[Numbered<'_>; 2]> {
    let provider = &target.provider;
    if provider.credentials.is_empty() {
        return match provider.auth {
            Auth::None => SmallVec::from_slice(&[(None, None)]),
            _ => SmallVec::new(),
        };
    }
    let mut rng = rand::rng();
    let usable = |number: usize| {
        target
            .credentials
            .get(number)
            .is_none_or(|cell| cell.is_usable(now))
    };
    let mut drawn: SmallVec<[(f64, Numbered<'_>); 4]> = provider
        .credentials
        .iter()
        .enumerate()
        .filter(|(number, credential)| credential.weight > 0 && (anyway || usable(*number)))
        .map(|(number, credential)| {
            let lot = -(1.0 - rng.random::<f64>()).ln() / f64::from(credential.weight);
            (lot, (u16::try_from(number).ok(), Some(credential)))
        })
        .collect();
    drawn.sort_by(|a, b| b.0.total_cmp(&a.0));
    drawn.into_iter().map(|(_, numbered)| numbered).collect()
}

/// Why a request cannot be put together.
#[derive(Debug, Error)]
pub(crate) enum BuildError {
    /// Its parts do not fit.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// It cannot be signed.
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    /// What is passed on cannot be.
    #[error("{0}")]
    Upload(Cow<'static, str>),
    /// There is nothing to show yet.
    #[error("no credential is at hand")]
    NothingToShow,
}

/// What is sent where. `hash` is the body's, where it is known.
#[derive(Clone, Copy)]
pub(super) struct Message<'m> {
    pub(super) path: &'m str,
    pub(super) body: &'m Bytes,
    pub(super) hash: Option<&'m str>,
}

/// Puts the request together. `model` is the target's name for it.
pub(super) fn build(
    call: &Call,
    (provider, shown): (&Provider, &Shown<'_>),
    model: &str,
    client: ClientHeaders<'_>,
    message: Message<'_>,
) -> Result<UpstreamRequest, BuildError> {
    let Some(carried) = &call.carried else {
        return posted(call.surface, provider, shown, client, message);
    };
    let content_type = carried.upload.as_ref().and_then(Upload::content_type);
    let content_type = content_type.map(HeaderValue::from_str).transpose();
    let content_type = content_type.map_err(http::Error::from)?;
    let own = |headers: &mut HeaderMap| {
        tollgate_adapters::request_headers(call.surface, provider.kind, &|name| client.get(name), headers);
        headers.remove(CONTENT_TYPE);
        headers.extend(content_type.map(|kind| (CONTENT_TYPE, kind)));
    };
    let (body, payload) = match &carried.upload {
        None => (Outgoing::whole(Bytes::new()), Payload::Bytes(b"")),
        Some(upload) => {
            let body = upload
                .body(model)
                .map_err(|refusal| BuildError::Upload(refusal.message))?;
            (Outgoing::Passing(Box::new(body)), Payload::Unsigned)
        }
    };
    let method = carried.method.clone();
    request(method, provider, (message.path, payload), body, shown, own)
}

fn posted(
    surface: Surface,
    provider: &Provider,
    shown: &Shown<'_>,
    client: ClientHeaders<'_>,
    message: Message<'_>,
) -> Result<UpstreamRequest, BuildError> {
    let own = |headers: &mut HeaderMap| {
        tollgate_adapters::request_headers(surface, provider.kind, &|name| client.get(name), headers);
    };
    message.send(Method::POST, provider, shown, own)
}

/// What a candidate is sent with the first of its provider's credentials: for benches.
pub(crate) fn first_request(
    surface: Surface,
    candidate: &Candidate,
    client: ClientHeaders<'_>,
    (path, body): (&str, &Bytes),
) -> Result<UpstreamRequest, BuildError> {
    let provider = &candidate.target.provider;
    let shown = at_hand(provider.credentials.first())?;
    posted(surface, provider, &shown, client, Message::new(path, body))
}

/// A request for a sign of life.
pub(crate) fn probe_request(provider: &Provider, path: &str) -> Result<UpstreamRequest, BuildError> {
    let shown = at_hand(provider.credentials.first())?;
    let empty = Bytes::new();
    Message::new(path, &empty).send(Method::GET, provider, &shown, |_| {})
}

fn at_hand(credential: Option<&Credential>) -> Result<Shown<'_>, BuildError> {
    Shown::at_hand(credential).ok_or(BuildError::NothingToShow)
}

/// A request for a vector, of which no client's headers say anything. The credential is drawn by weight.
pub(crate) fn embedding_request(
    provider: &Provider,
    path: &str,
    body: &Bytes,
) -> Result<UpstreamRequest, BuildError> {
    let usable = provider.credentials.iter().filter(|it| it.weight > 0);
    let lots: u64 = usable.clone().map(|it| u64::from(it.weight)).sum();
    let mut lot = rand::rng().random_range(0..lots.max(1));
    let credential = usable.into_iter().find(|it| {
        let is_drawn = lot < u64::from(it.weight);
        lot = lot.saturating_sub(u64::from(it.weight));
        is_drawn
    });
    let own = |headers: &mut HeaderMap| {
        tollgate_adapters::request_headers(Surface::Embeddings, provider.kind, &|_| None, headers);
    };
    let shown = at_hand(credential)?;
    Message::new(path, body).send(Method::POST, provider, &shown, own)
}

/// What all requests to a provider have in common. `own` are the headers of this one: those that are configured, and the
/// credential, come over them. A signature is over all of them, so that it comes last.
fn request(
    method: Method,
    provider: &Provider,
    (path, payload): (&str, Payload<'_>),
    body: Outgoing,
    shown: &Shown<'_>,
    own: impl FnOnce(&mut HeaderMap),
) -> Result<UpstreamRequest, BuildError> {
    let uri = join(&provider.base_url, path)?;
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let mut headers = HeaderMap::with_capacity(MOST_HEADERS);
    headers.insert(HOST, HeaderValue::from_str(host).map_err(http::Error::from)?);
    headers.insert(USER_AGENT, OURSELVES);
    own(&mut headers);
    shown.show(provider.auth, &mut headers)?;
    for (name, value) in &provider.headers {
        headers.insert(name, value.clone());
    }
    shown.sign(&method, &uri, &mut headers, payload)?;
    let mut request = http::Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

impl<'m> Message<'m> {
    fn new(path: &'m str, body: &'m Bytes) -> Self {
        let hash = None;
        Self { path, body, hash }
    }

    /// The request that sends it.
    fn send(
        self,
        method: Method,
        provider: &Provider,
        shown: &Shown<'_>,
        own: impl FnOnce(&mut HeaderMap),
    ) -> Result<UpstreamRequest, BuildError> {
        let payload = self.hash.map_or(Payload::Bytes(self.body), Payload::Sha256);
        let body = Outgoing::whole(self.body.clone());
        request(method, provider, (self.path, payload), body, shown, own)
    }
}

/// `base` and `path` as one URI, with exactly one slash between them.
fn join(base: &Uri, path: &str) -> Result<Uri, http::Error> {
    let prefix = base.path().trim_end_matches('/');
    let joined = PathAndQuery::from_maybe_shared(Bytes::from([prefix, path].concat()))?;
    let mut parts = base.clone().into_parts();
    parts.path_and_query = Some(joined);
    Ok(Uri::from_parts(parts)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_and_path_are_joined_with_one_slash() {
        let uri = |base: &str| {
            join(&base.parse().unwrap(), "/chat/completions")
                .unwrap()
                .to_string()
        };
        assert_eq!(
            uri("https://api.openai.com/v1"),
            "https://api.openai.com/v1/chat/completions"
        );
        assert_eq!(
            uri("https://api.openai.com/v1/"),
            "https://api.openai.com/v1/chat/completions"
        );
        assert_eq!(
            uri("http://127.0.0.1:8000"),
            "http://127.0.0.1:8000/chat/completions"
        );
    }
}

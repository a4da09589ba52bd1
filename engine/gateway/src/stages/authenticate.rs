//! Stage "authenticate": who is calling, and may they?
//!
//! It comes before the body is read: a stranger gets no memory.

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderName};
use tollgate_config::{AuthMode, Settings};
use tollgate_core::{Clock, Nanodollars, Pattern, Refusal, RefusalKind};
use tollgate_governance::{KeyDenied, VirtualKey};

use crate::exchange::incoming::header;

/// Where SDKs put a key, after `Authorization: Bearer`.
const KEY_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("api-key"),
];

/// Who is calling.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// `None`: anonymous, on a gateway without keys.
    key: Option<Arc<VirtualKey>>,
}

/// Finds out who is calling.
pub(crate) fn authenticate(settings: &Settings, request: &HttpRequest) -> Result<Caller, Refusal> {
    if settings.auth == AuthMode::Anonymous {
        return Ok(Caller { key: None });
    }
    let Some(presented) = presented(request) else {
        let message = "no API key: send your Tollgate key as 'Authorization: Bearer KEY', 'x-api-key: KEY' or \
                       'x-goog-api-key: KEY'";
        return Err(Refusal::new(RefusalKind::MissingKey, message));
    };
    match settings.keyring.authenticate(presented, Clock.wall()) {
        Ok(key) => Ok(Caller {
            key: Some(key.clone()),
        }),
        Err(KeyDenied::Unknown) => Err(Refusal::new(
            RefusalKind::UnknownKey,
            "this API key is not known to this gateway: check that it is a Tollgate key, not a provider's",
        )),
        Err(KeyDenied::Expired(end)) => Err(Refusal::new(
            RefusalKind::ExpiredKey,
            format!("this API key expired at {end}"),
        )),
    }
}

fn presented(request: &HttpRequest) -> Option<&str> {
    let bearer = header(request, &AUTHORIZATION).and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let key = bearer
        .or_else(|| KEY_HEADERS.iter().find_map(|name| header(request, name)))
        .or_else(|| signed_with(request))
        .or_else(|| in_query(request));
    key.filter(|key| !key.is_empty())
}

/// The access key's id of a request that an AWS SDK has signed. The signature proves a secret that this gateway does
/// not have; the id is the virtual key, and a secret itself.
fn signed_with(request: &HttpRequest) -> Option<&str> {
    let signed = header(request, &AUTHORIZATION)?.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let credential = signed
        .split(',')
        .find_map(|part| part.trim().strip_prefix("Credential="))?;
    credential.split('/').next()
}

/// `?key=`, as Google's clients may send it.
fn in_query(request: &HttpRequest) -> Option<&str> {
    request
        .query_string()
        .split('&')
        .find_map(|pair| pair.strip_prefix("key="))
}

impl Caller {
    /// The key's name, for logs and metrics.
    pub(crate) fn name(&self) -> Option<&Arc<str>> {
        self.key.as_ref().map(|key| &key.name)
    }

    /// Whether this caller may use and see `model`.
    pub(crate) fn may_use(&self, model: &str) -> bool {
        self.key.as_ref().is_none_or(|key| key.may_use(model))
    }

    /// What one of its requests may cost; `None`: no limit.
    pub(crate) fn max_cost(&self) -> Option<Nanodollars> {
        self.key.as_ref()?.max_cost
    }

    /// Where its answers may come from; `None`: anywhere.
    pub(crate) fn regions(&self) -> Option<&Arc<[Arc<str>]>> {
        self.key.as_ref()?.regions.as_ref()
    }

    /// The targets that may answer it, as patterns of `provider/model`; empty: all.
    pub(crate) fn targets(&self) -> Arc<[Pattern]> {
        self.key
            .as_ref()
            .map(|key| key.targets.clone())
            .unwrap_or_default()
    }

    /// Refuses a model that this caller may not use. The answer is the same whether it exists or not.
    pub(crate) fn authorize(&self, model: &str) -> Result<(), Refusal> {
        if self.may_use(model) {
            return Ok(());
        }
        let message =
            format!("this API key may not use the model '{model}': GET /v1/models lists what it may use");
        Err(Refusal::new(RefusalKind::ModelNotAllowed, message).at("model"))
    }
}

//! What an upstream's refusal comes to, and what may be told of it.
//!
//! Providers word their errors in a dozen ways: an `error` object or string, `detail`, `message`, an array, a
//! page of HTML. All of them are read; none is trusted to be what its content type says.

mod mask;
#[cfg(test)]
mod tests;
mod words;

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use tollgate_core::{Dialect, OutcomeClass, Refusal, RefusalKind};

use crate::bedrock;
use crate::error_words::ErrorWords;
use crate::render::error_body;
pub(crate) use mask::masked;
pub(crate) use words::Words;

/// Waits beyond this are no advice but a mistake: 24 hours.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// An answer that is not 2xx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderFailure {
    /// What it comes to.
    pub class: OutcomeClass,
    /// The status to answer the client with, if no other target is tried.
    pub status: u16,
    /// The body to answer it with, in the client's dialect.
    pub body: Bytes,
    /// The provider's words, keys masked, at most 500 characters: for logs.
    pub message: String,
    /// When the provider wants to be asked again.
    pub retry_after: Option<Duration>,
}

/// Reads a failure. `header` looks a header of the answer up; `upstream` is the provider's dialect.
pub(crate) fn failure(
    client: Dialect,
    upstream: Dialect,
    status: u16,
    header: &dyn Fn(&str) -> Option<String>,
    body: &Bytes,
) -> ProviderFailure {
    let words = Words::read(body);
    // Bedrock names the kind of error beside the body, more exactly than by the status.
    let kind = header(bedrock::error::TYPE_HEADER).filter(|_| upstream == Dialect::Bedrock);
    let named = kind.as_deref().and_then(bedrock::error::status_of);
    let class = classify(named.unwrap_or(status), &words);
    let mut message = words.shown(status);
    if class == OutcomeClass::CredentialRejected {
        message = mask::without_tokens(&message);
    }
    let (status, body) = answer(client, upstream, class, status, &words, &message, body);
    ProviderFailure {
        class,
        status,
        body,
        retry_after: retry_after(header)
            .or(words.retry_after)
            .map(|wait| wait.min(LONGEST_WAIT)),
        message,
    }
}

/// The class of a status, refined by what the body says.
pub(crate) fn classify(status: u16, words: &Words<'_>) -> OutcomeClass {
    match status {
        401 | 403 => OutcomeClass::CredentialRejected,
        402 => OutcomeClass::QuotaExhausted,
        413 => OutcomeClass::ContextTooLong,
        400 | 422 if words.speaks_of_context() => OutcomeClass::ContextTooLong,
        400 if words.speaks_of_key() => OutcomeClass::CredentialRejected,
        400 | 404 if words.speaks_of_model(status) => OutcomeClass::ModelNotFound,
        429 if words.speaks_of_quota() => OutcomeClass::QuotaExhausted,
        429 if words.speaks_of_size() => OutcomeClass::ContextTooLong,
        429 => OutcomeClass::RateLimited,
        503 | 529 => OutcomeClass::Overloaded,
        300..=399 | 408 | 409 | 424 | 425 | 500.. => OutcomeClass::ServerError,
        _ => OutcomeClass::InvalidRequest,
    }
}

/// The class of an error inside a stream: by its code or type, for it has no status of its own.
pub(crate) fn classify_in_stream(words: &Words<'_>) -> OutcomeClass {
    match words.status_hint() {
        Some(status @ 400..=599) => match classify(status, words) {
            OutcomeClass::InvalidRequest | OutcomeClass::ServerError => OutcomeClass::StreamError,
            class => class,
        },
        _ => OutcomeClass::StreamError,
    }
}

/// Status and body for the client.
fn answer(
    client: Dialect,
    upstream: Dialect,
    class: OutcomeClass,
    status: u16,
    words: &Words<'_>,
    message: &str,
    body: &Bytes,
) -> (u16, Bytes) {
    if class == OutcomeClass::CredentialRejected {
        // Not the client's key is at fault, and the provider's words may repeat ours.
        let refusal = Refusal::new(
            RefusalKind::UpstreamCredential,
            "the provider does not accept the gateway's credential",
        );
        let words = ErrorWords {
            status: refusal.status(),
            kind: None,
            message: &refusal.message,
            param: None,
            code: Some(refusal.kind.name()),
            request_id: None,
        };
        return (refusal.status(), error_body(client, &words).into());
    }
    let status = match status {
        529 if client != Dialect::Anthropic => 503,
        // A redirect is not followed, and means nothing to the client.
        300..=399 => 502,
        status => status,
    };
    // What was not read, or cannot be, may be anything: no JSON, or a key.
    let is_read = words.text.len() == body.len();
    if client == upstream && is_read && words.has_shape_of(client) && masked(words.text).is_none() {
        return (status, body.clone());
    }
    let clean = |word: &Option<Cow<'_, str>>| {
        let word = word.as_deref()?;
        Some(masked(word).unwrap_or_else(|| word.to_owned()))
    };
    let (kind, param, code) = (clean(&words.kind), clean(&words.param), clean(&words.code));
    // A number that repeats the status is no code to other clients; Google's word for it is.
    let is_number = |code: &String| client != upstream && code.bytes().all(|byte| byte.is_ascii_digit());
    let code = match code {
        Some(number) if is_number(&number) => kind.clone(),
        code => code,
    };
    let rendered = ErrorWords {
        status,
        kind: kind.as_deref().filter(|_| client == upstream),
        message,
        param: param.as_deref(),
        code: code.as_deref(),
        request_id: words.request_id.as_deref(),
    };
    (status, error_body(client, &rendered).into())
}

/// `retry-after-ms`, else `retry-after` in seconds or as a date, read against the answer's own `date`.
fn retry_after(header: &dyn Fn(&str) -> Option<String>) -> Option<Duration> {
    let number = |name: &str, unit: f64| {
        let number: f64 = header(name)?.trim().parse().ok()?;
        Duration::try_from_secs_f64(number * unit).ok()
    };
    let exact = number("retry-after-ms", 0.001).filter(|wait| !wait.is_zero());
    exact.or_else(|| number("retry-after", 1.0)).or_else(|| {
        let until = httpdate::parse_http_date(header("retry-after")?.trim()).ok()?;
        let now = httpdate::parse_http_date(header("date")?.trim()).ok()?;
        Some(until.duration_since(now).unwrap_or_default())
    })
}

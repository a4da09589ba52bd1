//! What of a provider's response headers goes on to the client.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, HeaderValue};
use bytes::BytesMut;

const USAGE: HeaderName = HeaderName::from_static("x-tollgate-usage");

/// A provider's id of an exchange is kept if it is no longer than this, and looks like one.
const MAX_ID_BYTES: usize = 128;

/// As many bytes of values as most answers have at the most.
const USUAL_BYTES: usize = 256;

/// What of a provider's response headers goes on to the client.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// The provider's id of the exchange.
    pub(crate) request_id: Option<Box<str>>,
}

/// Headers by which clients pace themselves or find a request again. Everything else stays here: cookies, the
/// account's names, transport details.
const PASSED: [&str; 3] = ["retry-after", "retry-after-ms", "openai-processing-ms"];
const PASSED_PREFIXES: [&str; 2] = ["x-ratelimit-", "anthropic-ratelimit-"];
const PROVIDER_REQUEST_IDS: [http::HeaderName; 5] = [
    http::HeaderName::from_static("x-request-id"),
    http::HeaderName::from_static("request-id"),
    http::HeaderName::from_static("apim-request-id"),
    http::HeaderName::from_static("mistral-correlation-id"),
    http::HeaderName::from_static("x-ds-trace-id"),
];

/// Those that the large providers send: a name that is known is not made anew for each answer.
static USUAL_PASSED: [HeaderName; 19] = [
    HeaderName::from_static("openai-processing-ms"),
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
    HeaderName::from_static("anthropic-ratelimit-requests-limit"),
    HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
    HeaderName::from_static("anthropic-ratelimit-requests-reset"),
    HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
    HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
    HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
    HeaderName::from_static("anthropic-ratelimit-input-tokens-limit"),
    HeaderName::from_static("anthropic-ratelimit-input-tokens-remaining"),
    HeaderName::from_static("anthropic-ratelimit-input-tokens-reset"),
    HeaderName::from_static("anthropic-ratelimit-output-tokens-limit"),
    HeaderName::from_static("anthropic-ratelimit-output-tokens-remaining"),
    HeaderName::from_static("anthropic-ratelimit-output-tokens-reset"),
];

/// A provider's header name as the server's; `None` if it is none there.
fn known(name: &str) -> Option<HeaderName> {
    let usual = USUAL_PASSED.iter().find(|usual| usual.as_str() == name);
    usual
        .cloned()
        .or_else(|| HeaderName::from_bytes(name.as_bytes()).ok())
}

impl Passed {
    /// Picks from a provider's headers.
    pub(crate) fn from_provider(headers: &http::HeaderMap) -> Self {
        let wanted =
            |name: &str| PASSED.contains(&name) || PASSED_PREFIXES.iter().any(|it| name.starts_with(it));
        let mut values = BytesMut::new();
        let mut convert = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let name = known(name.as_str())?;
            if values.capacity() < value.len() {
                values.reserve(USUAL_BYTES.max(value.len()));
            }
            values.extend_from_slice(value.as_bytes());
            let value = HeaderValue::from_maybe_shared(values.split().freeze()).ok()?;
            Some((name, value))
        };
        let is_id = |text: &&str| {
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
            text.len() <= MAX_ID_BYTES && text.bytes().all(is_plain)
        };
        let request_id = PROVIDER_REQUEST_IDS
            .iter()
            .find_map(|name| headers.get(name)?.to_str().ok())
            .filter(is_id);
        Self {
            headers: headers
                .iter()
                .filter(|(name, _)| wanted(name.as_str()))
                .filter_map(&mut convert)
                .collect(),
            request_id: request_id.map(Into::into),
        }
    }

    /// The same with what an answer of any kind says of its contents.
    pub(crate) fn with_content(mut self, headers: &http::HeaderMap) -> Self {
        for name in [CONTENT_TYPE, CONTENT_DISPOSITION] {
            let value = headers.get(name.as_str());
            let value = value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
            self.headers.extend(value.map(|value| (name, value)));
        }
        self
    }

    /// The provider's id of the exchange.
    pub(crate) fn into_request_id(self) -> Option<Box<str>> {
        self.request_id
    }

    /// For an answer that was estimated here.
    pub(crate) fn estimate() -> Self {
        let mark = (USAGE, HeaderValue::from_static("estimated"));
        Self {
            headers: vec![mark],
            request_id: None,
        }
    }
}

//! The words of an error, in whichever of a dozen shapes they came.

use std::borrow::Cow;
use std::time::Duration;

use tollgate_core::Dialect;

use super::mask::mask;
use crate::json::{Fields, elements, text};

/// Longer messages are cut: an HTML page is no message.
const LONGEST_MESSAGE: usize = 500;
/// Bodies longer than this are not read for their meaning.
const LONGEST_BODY: usize = 256 << 10;
/// Nothing nests errors deeper than this.
const DEEPEST: usize = 6;

/// What an error says.
#[derive(Debug, Default)]
pub(crate) struct Words<'a> {
    /// The whole body, as far as it is text and not too long to be one.
    pub(crate) text: &'a str,
    pub(crate) message: Option<Cow<'a, str>>,
    pub(crate) kind: Option<Cow<'a, str>>,
    pub(crate) code: Option<Cow<'a, str>>,
    pub(crate) param: Option<Cow<'a, str>>,
    pub(crate) request_id: Option<Cow<'a, str>>,
    pub(crate) retry_after: Option<Duration>,
    /// `error` is an object with a message: OpenAI's shape, and with `type: error` Anthropic's.
    has_error_object: bool,
    is_anthropic: bool,
    is_json: bool,
}

impl<'a> Words<'a> {
    /// Reads a body.
    pub(crate) fn read(body: &'a [u8]) -> Self {
        let body = body.get(..LONGEST_BODY).unwrap_or(body);
        let text = match std::str::from_utf8(body) {
            Ok(text) => text,
            Err(fault) => body
                .get(..fault.valid_up_to())
                .and_then(|valid| std::str::from_utf8(valid).ok())
                .unwrap_or_default(),
        };
        let mut words = Self {
            text,
            ..Self::default()
        };
        let trimmed = text.trim();
        if serde_json::from_str::<serde::de::IgnoredAny>(trimmed).is_err() {
            return words;
        }
        // Vertex, and streams cut short, answer with an array around the error.
        let json = elements(trimmed).first().copied().unwrap_or(trimmed);
        match Fields::of(json) {
            Some(fields) => {
                words.is_json = true;
                words.is_anthropic =
                    fields.text("type").as_deref() == Some("error") && json.len() == trimmed.len();
                words.request_id = fields.text("request_id");
                words.has_error_object = json.len() == trimmed.len()
                    && fields
                        .object("error")
                        .is_some_and(|error| error.text("message").is_some());
                words.read_object(&fields, 0);
            }
            None => words.message = crate::json::text(json),
        }
        words
    }

    fn read_object(&mut self, fields: &Fields<'a>, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        for name in ["error", "message", "detail", "errors", "msg"] {
            if let Some(value) = fields.raw(name) {
                self.read_value(value, depth);
            }
        }
        keep(&mut self.kind, fields.text("type").filter(|kind| kind != "error"));
        keep(&mut self.kind, fields.text("status"));
        keep(&mut self.kind, fields.text("error_type"));
        keep(&mut self.code, fields.raw("code").and_then(scalar));
        keep(&mut self.code, fields.raw("status_code").and_then(scalar));
        keep(&mut self.param, fields.text("param"));
        for detail in fields.elements("details") {
            let detail = Fields::of(detail).unwrap_or_default();
            let delay = detail.text("retryDelay").and_then(|delay| seconds(&delay));
            self.retry_after = self.retry_after.or(delay);
        }
    }

    /// The value of a field that holds the message, or an object that does.
    fn read_value(&mut self, value: &'a str, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        match value.as_bytes().first() {
            Some(b'"') => keep(&mut self.message, text(value)),
            Some(b'{') => {
                if let Some(fields) = Fields::of(value) {
                    self.read_object(&fields, depth + 1);
                }
            }
            Some(b'[') => {
                if let Some(first) = elements(value).first() {
                    self.read_value(first, depth + 1);
                }
            }
            _ => {}
        }
    }

    /// The message as it may be shown: without keys, at most 500 characters. Made up where there is none.
    pub(crate) fn shown(&self, status: u16) -> String {
        let message = match &self.message {
            Some(message) if !message.trim().is_empty() => Cow::Borrowed(message.trim()),
            _ if self.is_json || self.text.trim().is_empty() => Cow::Borrowed(""),
            _ => visible(self.text),
        };
        if message.is_empty() {
            return format!("the provider answered with status {status} and no message");
        }
        // Masked before it is cut: half a key must not slip through for being short.
        mask(message).chars().take(LONGEST_MESSAGE).collect()
    }

    /// Whether the body is an error in the shape of `dialect`, so that it can be passed on as it is.
    pub(crate) fn has_shape_of(&self, dialect: Dialect) -> bool {
        match dialect {
            Dialect::OpenAi | Dialect::Responses | Dialect::Gemini => self.has_error_object,
            Dialect::Anthropic => self.has_error_object && self.is_anthropic && self.kind.is_some(),
            // They hold nothing but a message, which is written anew.
            Dialect::Cohere | Dialect::Bedrock => false,
        }
    }

    pub(super) fn speaks_of_context(&self) -> bool {
        self.code_is(&[
            "context_length_exceeded",
            "string_above_max_length",
            "TOO_MANY_TOKENS",
        ]) || self.says(&[
            "maximum context length",
            "context length exceeded",
            "context window",
            "prompt is too long",
            "prompt too long",
            "input is too long",
            "max context length",
            "context_length_exceeded",
            "too many tokens",
            "length of all messages is too long",
            "input tokens exceed",
        ])
    }

    pub(super) fn speaks_of_key(&self) -> bool {
        self.code_is(&["invalid_api_key", "API_KEY_INVALID", "authentication_error"])
            || self.says(&["api key not valid", "api_key_invalid", "incorrect api key"])
    }

    /// Whether it is the model that is unknown. A 404 with words about something else is a wrong path.
    pub(super) fn speaks_of_model(&self, status: u16) -> bool {
        self.code_is(&["model_not_found", "DeploymentNotFound", "invalid_model"])
            || (status == 404
                && (self.says(&["model", "deployment", "endpoint"]) || self.code_is(&["not_found_error"])))
    }

    pub(super) fn speaks_of_quota(&self) -> bool {
        self.code_is(&[
            "insufficient_quota",
            "billing_hard_limit_reached",
            "billing_error",
        ]) || self.says(&["insufficient balance", "insufficient credits"])
            || if self.says(&["\"quotaid\""]) {
                // Google says the same of every limit, and names the one that was met: a day is not waited for.
                self.says(&["perday"])
            } else {
                self.says(&["exceeded your current quota", "perday"])
            }
    }

    pub(super) fn speaks_of_size(&self) -> bool {
        self.says(&["request too large"])
    }

    /// The status that an error inside a stream names, by number or by word.
    pub(super) fn status_hint(&self) -> Option<u16> {
        let number = self.code.as_deref().and_then(|code| code.parse().ok());
        number.filter(|status| (400..600).contains(status)).or_else(|| {
            let word = |words: &[&str]| self.code_is(words);
            match () {
                () if word(&[
                    "overloaded_error",
                    "overloaded",
                    "engine_overloaded_error",
                    "engine_overloaded",
                    "service_unavailable_error",
                    "service_unavailable",
                    "ServiceUnavailable",
                    "server_overloaded",
                ]) =>
                {
                    Some(529)
                }
                () if word(&[
                    "rate_limit_error",
                    "rate_limit_exceeded",
                    "rate_limit",
                    "rate_limited",
                    "too_many_requests",
                    "RateLimitReached",
                    "insufficient_quota",
                    "tokens",
                    "requests",
                ]) =>
                {
                    Some(429)
                }
                () if word(&["authentication_error", "permission_error", "invalid_api_key"]) => Some(401),
                () if word(&["billing_error"]) => Some(402),
                () if word(&["not_found_error", "model_not_found"]) => Some(404),
                () if word(&["request_too_large", "context_length_exceeded"]) => Some(413),
                () if word(&["invalid_request_error"]) => Some(400),
                () => None,
            }
        })
    }

    fn code_is(&self, words: &[&str]) -> bool {
        let is = |field: &Option<Cow<'_, str>>| {
            field
                .as_deref()
                .is_some_and(|field| words.iter().any(|word| field.eq_ignore_ascii_case(word)))
        };
        is(&self.code) || is(&self.kind)
    }

    fn says(&self, phrases: &[&str]) -> bool {
        let text = self.text.to_ascii_lowercase();
        phrases.iter().any(|phrase| text.contains(phrase))
    }
}

/// The first word found stands.
fn keep<'a>(slot: &mut Option<Cow<'a, str>>, found: Option<Cow<'a, str>>) {
    if slot.is_none() {
        *slot = found;
    }
}

/// A code: a string, or a number as it is written.
fn scalar(json: &str) -> Option<Cow<'_, str>> {
    text(json).or_else(|| json.parse::<f64>().is_ok().then_some(Cow::Borrowed(json)))
}

/// `20s`, `1.5s`.
fn seconds(text: &str) -> Option<Duration> {
    let number: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(number).ok()
}

/// What a reader would see of a page of HTML: tags out, white space folded.
fn visible(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut in_tag = false;
    // Enough for the longest message, however much of it are tags.
    for c in text.chars().take(64 << 10) {
        match c {
            '<' => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                out.push(' ');
            }
            _ if in_tag => {}
            c => out.push(c),
        }
    }
    Cow::Owned(out.split_whitespace().collect::<Vec<_>>().join(" "))
}

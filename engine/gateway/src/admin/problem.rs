//! Refusals of the admin listener: RFC 9457 problem details, each of a kind that a program can tell by its `type`.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, ETAG, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;
use tollgate_routing::ChangeProblem;

/// What kind of problem it is. Its name is the end of `type`, which never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The key is missing or wrong.
    Unauthorized,
    /// A query, a header or the form of a body is not as it must be.
    InvalidRequest,
    /// There is no such thing.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// Somebody else is at it: a rollout is under way, or there is nothing to go back to.
    Conflict,
    /// `If-Match` names another version than the one in force.
    VersionMismatch,
    /// The body is too large.
    TooLarge,
    /// The body is not JSON.
    UnsupportedMediaType,
    /// What is asked for is understood, and cannot be.
    Refused,
    /// It is done, and may come undone with a restart.
    NotDurable,
    /// An actor does not answer: the process is on its way out.
    Unavailable,
}

impl Kind {
    const fn parts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Unauthorized => (401, "unauthorized", "admin key required"),
            Self::InvalidRequest => (400, "invalid-request", "the request cannot be understood"),
            Self::NotFound => (404, "not-found", "not found"),
            Self::MethodNotAllowed => (405, "method-not-allowed", "method not allowed"),
            Self::Conflict => (409, "conflict", "not possible now"),
            Self::VersionMismatch => (412, "version-mismatch", "the configuration has changed meanwhile"),
            Self::TooLarge => (413, "too-large", "the body is too large"),
            Self::UnsupportedMediaType => (415, "unsupported-media-type", "the body is not JSON"),
            Self::Refused => (422, "refused", "the change is refused"),
            Self::NotDurable => (500, "not-durable", "done, but not for good"),
            Self::Unavailable => (503, "unavailable", "the gateway is shutting down"),
        }
    }
}

/// A refusal.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    kind: Kind,
    detail: String,
    problems: Vec<ChangeProblem>,
    /// The version in force, where the refusal is about it.
    version: Option<u64>,
    allow: Option<String>,
}

impl Problem {
    pub(super) fn new(kind: Kind, detail: impl fmt::Display) -> Self {
        Self {
            kind,
            detail: detail.to_string(),
            problems: Vec::new(),
            version: None,
            allow: None,
        }
    }

    /// With everything that is wrong, one by one.
    pub(super) fn with(mut self, problems: Vec<ChangeProblem>) -> Self {
        self.problems = problems;
        self
    }

    /// With one thing that is wrong.
    pub(super) fn at(self, path: &str, found: impl fmt::Display, expected: impl fmt::Display) -> Self {
        let problem = ChangeProblem {
            path: path.to_owned(),
            found: found.to_string(),
            expected: expected.to_string(),
        };
        self.with(vec![problem])
    }

    /// With the version in force.
    pub(super) fn version(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    /// The methods that the path does have.
    pub(super) fn allow(mut self, methods: &str) -> Self {
        self.allow = Some(methods.to_owned());
        self
    }

    /// A change that cannot be made: what of it, all at once.
    pub(super) fn refused(problems: Vec<ChangeProblem>) -> Self {
        let detail = match problems.as_slice() {
            [one] => one.to_string(),
            many => format!("{} problems, nothing was changed", many.len()),
        };
        Self::new(Kind::Refused, detail).with(problems)
    }

    /// An actor that is asked does not answer.
    pub(super) fn unavailable(_: actix::MailboxError) -> Self {
        Self::new(
            Kind::Unavailable,
            "an actor has ended; ask again once the process is back",
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.parts().0).unwrap_or(StatusCode::BAD_REQUEST)
    }

    fn error_response(&self) -> HttpResponse {
        let (status, name, title) = self.kind.parts();
        let mut body = json!({
            "type": format!("urn:tollgate:problem:{name}"),
            "title": title,
            "status": status,
            "detail": self.detail,
        });
        if let Some(members) = body.as_object_mut() {
            if !self.problems.is_empty() {
                members.insert("problems".to_owned(), json!(self.problems));
            }
            if let Some(version) = self.version {
                members.insert("version".to_owned(), json!(version));
            }
        }
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        if let Some(version) = self.version {
            response.insert_header((ETAG, format!("\"{version}\"")));
        }
        if let Some(methods) = &self.allow {
            response.insert_header((ALLOW, methods.as_str()));
        }
        if self.kind == Kind::Unauthorized {
            response.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"tollgate admin\""));
        }
        response.body(body.to_string())
    }
}

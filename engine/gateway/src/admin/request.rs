//! What an operator sends, read strictly: a query without unknown parameters, a body that is JSON and within bounds,
//! an author and a reason. What is not understood is refused with where and how, never ignored.

mod strict;

use std::future::{Ready, ready};
use std::str::FromStr;
use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, IF_MATCH};
use actix_web::web::{self, Payload};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use serde_json::{Map, Value};
use tollgate_routing::ChangeProblem;

use super::document::noun;
use super::problem::{Kind, Problem};
use strict::Strict;

/// The largest body.
const BODY_LIMIT_BYTES: usize = 1024 * 1024;
/// The longest author or reason, characters.
const LONGEST_NOTE: usize = 1_000;

/// The parameters of a query, each of which is known and stands once.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query in which only `allowed` parameters may stand.
    pub(super) fn read(text: &str, allowed: &[&str]) -> Result<Self, Problem> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(text)
            .map_err(|error| {
                Problem::new(
                    Kind::InvalidRequest,
                    format_args!("the query cannot be read: {error}"),
                )
            })?
            .into_inner();
        let mut problems = Vec::new();
        for (position, (name, value)) in pairs.iter().enumerate() {
            let mut note = |found: String, expected: String| {
                problems.push(ChangeProblem {
                    path: format!("query.{name}"),
                    found,
                    expected,
                });
            };
            if !allowed.contains(&name.as_str()) {
                let expected = match allowed {
                    [] => "no parameters".to_owned(),
                    allowed => format!("one of {}", allowed.join(", ")),
                };
                note("an unknown parameter".to_owned(), expected);
            } else if pairs.iter().take(position).any(|(before, _)| before == name) {
                note(
                    format!("'{value}' where it stands a second time"),
                    "it once".to_owned(),
                );
            }
        }
        if problems.is_empty() {
            return Ok(Self(pairs));
        }
        Err(Problem::new(Kind::InvalidRequest, "the query is not as it must be").with(problems))
    }

    /// A parameter's text; `None`: it is not there, or empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn read_as<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let value = read(text).ok_or_else(|| {
            Problem::new(
                Kind::InvalidRequest,
                format_args!("{name} is '{text}': expected {expected}"),
            )
            .at(&format!("query.{name}"), format_args!("'{text}'"), expected)
        });
        value.map(Some)
    }

    /// A whole number from 1 to `most`.
    pub(super) fn number<T: FromStr + PartialOrd + From<u8> + std::fmt::Display>(
        &self,
        name: &str,
        most: T,
    ) -> Result<Option<T>, Problem> {
        let expected = format!("a whole number from 1 to {most}");
        self.read_as(name, &expected, |text| {
            text.parse()
                .ok()
                .filter(|number| (T::from(1)..=most).contains(number))
        })
    }

    /// `true` or `false`; absent: `false`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        let read = |text: &str| text.parse().ok();
        Ok(self.read_as(name, "true or false", read)?.unwrap_or(false))
    }

    /// A share of all: `10%` or `0.1`; more than none of it, and no more than all of it.
    pub(super) fn share(&self, name: &str) -> Result<Option<f64>, Problem> {
        self.read_as(name, "a share such as 10% or 0.1, above 0 and up to 100%", share)
    }

    /// A span of time: `60s`, `500ms`, `5m`.
    pub(super) fn duration(&self, name: &str) -> Result<Option<Duration>, Problem> {
        let expected = "a span of time such as 500ms, 60s or 5m, up to a day";
        self.read_as(name, expected, |text| {
            tollgate_config::duration(text).filter(|span| !span.is_zero())
        })
    }
}

/// Reads `10%` or `0.1`. `None`: neither, or not within 0 (exclusive) and 1.
pub(crate) fn share(text: &str) -> Option<f64> {
    let (number, scale) = text
        .strip_suffix('%')
        .map_or((text, 1.0), |number| (number, 100.0));
    let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let share = number.trim().parse::<f64>().ok().filter(|_| plain)? / scale;
    (share > 0.0 && share <= 1.0).then_some(share)
}

/// Reads a body that is a JSON object.
pub(super) async fn object(request: &HttpRequest, body: Payload) -> Result<Map<String, Value>, Problem> {
    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(encoding) = text(CONTENT_ENCODING).filter(|it| !it.eq_ignore_ascii_case("identity")) {
        let detail = format!("content-encoding is '{encoding}': send the body as it is");
        return Err(Problem::new(Kind::UnsupportedMediaType, detail));
    }
    let media_type = text(CONTENT_TYPE).map(|it| it.split(';').next().unwrap_or(it).trim());
    let is_json = |it: &str| {
        let it = it.to_ascii_lowercase();
        it == "application/json" || (it.starts_with("application/") && it.ends_with("+json"))
    };
    if !media_type.is_some_and(is_json) {
        let found = media_type.map_or_else(|| "missing".to_owned(), |it| format!("'{it}'"));
        let detail = format!("content-type is {found}: expected application/json");
        return Err(Problem::new(Kind::UnsupportedMediaType, detail));
    }
    let read = body.to_bytes_limited(BODY_LIMIT_BYTES).await;
    let bytes = read
        .map_err(|_| {
            let detail = format!("more than {BODY_LIMIT_BYTES} bytes: changes are small, send fewer at once");
            Problem::new(Kind::TooLarge, detail)
        })?
        .map_err(|error| Problem::new(Kind::InvalidRequest, format_args!("the body broke off: {error}")))?;
    match serde_json::from_slice(&bytes) {
        Ok(Strict(Value::Object(members))) => Ok(members),
        Ok(Strict(other)) => {
            let detail = format!("the body is {}: expected a JSON object", noun(&other));
            Err(Problem::new(Kind::InvalidRequest, detail))
        }
        Err(error) => {
            let detail = format!("the body is not JSON: {error}");
            Err(Problem::new(Kind::InvalidRequest, detail))
        }
    }
}

/// Who changes something, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    /// Who, in their own words; `None`: they do not say.
    pub(super) author: Option<String>,
    /// Why.
    pub(super) reason: String,
}

impl Note {
    /// Takes author and reason out of a body, or out of the headers where the body has none.
    pub(super) fn take(members: &mut Map<String, Value>, headers: &HeaderMap) -> Result<Self, Problem> {
        let author = note(members, headers, "author")?;
        let reason = note(members, headers, "reason")?;
        let Some(reason) = reason else {
            let expected = "why, in a few words: 'reason' in the body or the header x-tollgate-reason";
            let detail = "a change needs a reason: others will read it in GET /admin/v1/versions";
            return Err(Problem::new(Kind::Refused, detail).at("reason", "nothing", expected));
        };
        Ok(Self { author, reason })
    }

    /// The same where nobody has to say why.
    pub(super) fn take_or(
        reason: &str,
        members: &mut Map<String, Value>,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        Ok(Self {
            author: note(members, headers, "author")?,
            reason: note(members, headers, "reason")?.unwrap_or_else(|| reason.to_owned()),
        })
    }
}

fn note(
    members: &mut Map<String, Value>,
    headers: &HeaderMap,
    name: &str,
) -> Result<Option<String>, Problem> {
    let refuse = |found: &str, expected: &str| {
        Problem::new(
            Kind::Refused,
            format_args!("{name}: found {found}, expected {expected}"),
        )
        .at(name, found, expected)
    };
    let text = match members.remove(name) {
        None | Some(Value::Null) => {
            let header = headers.get(format!("x-tollgate-{name}"));
            let text = header.map(|value| std::str::from_utf8(value.as_bytes()));
            match text.transpose() {
                Ok(text) => text.unwrap_or_default().to_owned(),
                Err(_) => return Err(refuse("bytes that are not UTF-8", "text")),
            }
        }
        Some(Value::String(text)) => text,
        Some(other) => return Err(refuse(noun(&other), "text")),
    };
    let text = text.trim();
    if text.chars().count() > LONGEST_NOTE {
        return Err(refuse("a longer text", "at most 1000 characters"));
    }
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Err(refuse("control characters", "text that can be printed"));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// The version that the client has seen; `None`: it does not say, or any will do.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(IF_MATCH) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let bare = text.strip_prefix("W/").unwrap_or(text);
    let bare = bare
        .strip_prefix('"')
        .and_then(|it| it.strip_suffix('"'))
        .unwrap_or(bare);
    let version = bare.parse().map_err(|_| {
        let expected = "the version of an ETag such as \"7\"";
        Problem::new(
            Kind::InvalidRequest,
            format_args!("if-match is '{text}': expected {expected}"),
        )
        .at("header.if-match", format_args!("'{text}'"), expected)
    });
    version.map(Some)
}

/// Refuses what is left of a body once everything known was taken out.
pub(super) fn nothing_else(members: &Map<String, Value>, known: &[&str]) -> Result<(), Problem> {
    let problems: Vec<_> = members
        .keys()
        .filter(|key| !known.contains(&key.as_str()))
        .map(|key| ChangeProblem {
            path: key.clone(),
            found: "an unknown field".to_owned(),
            expected: format!("one of {}", known.join(", ")),
        })
        .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Problem::new(Kind::InvalidRequest, "the body has fields that are not known").with(problems))
    }
}

impl FromRequest for Query {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    /// What the door has read.
    fn from_request(request: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        ready(Ok(request
            .extensions()
            .get::<Self>()
            .cloned()
            .unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests;

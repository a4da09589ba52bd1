//! Decisions that are kept: why a request went where it went, and what came of it.

use std::sync::Arc;

use actix_web::http::header::{ACCEPT, CONTENT_TYPE};
use actix_web::web::{self, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::Value;
use tollgate_core::RequestId;
use tollgate_telemetry::Line as _;

use super::problem::{Kind, Problem};
use super::rehearsal::MOST_DECISIONS;
use super::request::Query;
use super::{Admin, Answer};
use crate::explain::DecisionRecord;

/// Decisions in an answer, where the query does not say.
const USUAL: usize = 50;

/// What is looked for.
#[derive(Debug, Clone, Default)]
struct Wanted {
    route: Option<String>,
    outcome: Option<String>,
    key: Option<String>,
    limit: usize,
}

impl Wanted {
    fn read(query: &Query) -> Result<Self, Problem> {
        let text = |name| query.text(name).map(str::to_owned);
        // `number` is of 32 bits and above: what 100,000 fits.
        let limit = query.number("limit", u32::try_from(MOST_DECISIONS).unwrap_or(u32::MAX))?;
        Ok(Self {
            route: text("route"),
            outcome: text("outcome"),
            key: text("key"),
            limit: limit.and_then(|it| usize::try_from(it).ok()).unwrap_or(USUAL),
        })
    }

    fn takes(&self, record: &DecisionRecord) -> bool {
        let is =
            |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        is(&self.route, record.route.as_deref())
            && is(&self.outcome, Some(&record.outcome))
            && is(&self.key, record.key.as_deref())
    }
}

/// The newest decisions, as one document or as lines of what `tollgate replay` reads.
pub(super) async fn all(admin: Data<Admin>, query: Query) -> Answer {
    let wanted = Wanted::read(&query)?;
    let lines = match query.text("format") {
        None | Some("json") => false,
        Some("jsonl") => true,
        Some(other) => {
            let detail = format!("format is '{other}': expected json or jsonl");
            let problem = Problem::new(Kind::InvalidRequest, detail);
            return Err(problem.at("query.format", format_args!("'{other}'"), "json or jsonl"));
        }
    };
    let shared = admin.shared.clone();
    // Up to 100,000 records of a few kilobytes.
    let written = web::block(move || {
        let found = shared
            .decisions
            .latest(wanted.limit, |record| wanted.takes(record));
        if lines {
            as_lines(&found)
        } else {
            as_document(shared.decisions.len(), &found)
        }
    });
    let body = written
        .await
        .map_err(|_| Problem::new(Kind::Unavailable, "the list was broken off"))?;
    let media_type = if lines {
        "application/x-ndjson"
    } else {
        "application/json"
    };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .body(body))
}

fn as_lines(found: &[Arc<DecisionRecord>]) -> Vec<u8> {
    let mut out = Vec::new();
    for record in found {
        record.write_line(&mut out);
    }
    out
}

fn as_document(kept: usize, found: &[Arc<DecisionRecord>]) -> Vec<u8> {
    #[derive(Serialize)]
    struct List<'d> {
        kept: usize,
        decisions: Vec<&'d DecisionRecord>,
    }
    let decisions = found.iter().map(|it| &**it).collect();
    serde_json::to_vec(&List { kept, decisions }).unwrap_or_default()
}

/// One decision, with what it means in words.
pub(super) async fn one(admin: Data<Admin>, request: HttpRequest, id: Path<String>) -> Answer {
    let Some(wanted) = RequestId::parse(&id) else {
        let detail = format!(
            "'{}' is not a request id: expected req_ and 26 characters, as in x-request-id",
            id.escape_debug()
        );
        return Err(Problem::new(Kind::InvalidRequest, detail));
    };
    let found = admin.shared.decisions.find(|record| record.id == wanted);
    let Some(record) = found else {
        let keep = admin.shared.published.load().telemetry.decisions.keep;
        let detail = format!(
            "no decision of {wanted} is kept: the newest are, as many as telemetry.decisions.keep says ({keep}), and \
             requests that were refused before a target was looked for have none"
        );
        return Err(Problem::new(Kind::NotFound, detail));
    };
    let explanation = record.explanation();
    let accept = request
        .headers()
        .get(ACCEPT)
        .and_then(|it| it.to_str().ok())
        .unwrap_or_default();
    if accept.contains("text/plain") && !accept.contains("application/json") {
        return Ok(HttpResponse::Ok()
            .content_type("text/plain; charset=utf-8")
            .body(explanation));
    }
    let mut body = super::document::tidy(&*record);
    if let Some(members) = body.as_object_mut() {
        members.insert("explanation".to_owned(), Value::String(explanation));
    }
    Ok(HttpResponse::Ok().json(body))
}

#[cfg(test)]
mod tests;

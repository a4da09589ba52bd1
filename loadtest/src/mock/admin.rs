//! The control API over HTTP, under `/mock`: the same as [`Control`], for tests in other languages and for people.

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};

use super::behaviour::{Behaviour, Problem};
use super::control::Control;

/// Entries in one answer when the query does not say.
const PAGE: usize = 100;

/// The routes below `/mock`.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/behaviour")
                .get(behaviours)
                .put(set_default)
                .delete(reset)
                .default_service(web::to(not_allowed)),
        )
        .service(
            web::resource("/behaviour/{key:.+}")
                .get(behaviour)
                .put(set)
                .delete(unset)
                .default_service(web::to(not_allowed)),
        )
        .service(
            web::resource("/journal")
                .get(journal)
                .delete(clear_journal)
                .default_service(web::to(not_allowed)),
        )
        .service(
            web::resource("/stats")
                .get(stats)
                .default_service(web::to(not_allowed)),
        )
        .default_service(web::to(unknown));
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    since: u64,
    limit: Option<usize>,
}

async fn behaviours(control: Data<Control>) -> HttpResponse {
    HttpResponse::Ok().json(control.behaviours())
}

async fn behaviour(control: Data<Control>, key: Path<String>) -> HttpResponse {
    match control.behaviours().models.get(key.as_str()) {
        Some(behaviour) => HttpResponse::Ok().json(behaviour),
        None => nothing_set(&key),
    }
}

async fn set_default(control: Data<Control>, body: Bytes) -> HttpResponse {
    put(&body, |behaviour| control.set_default(behaviour))
}

async fn set(control: Data<Control>, key: Path<String>, body: Bytes) -> HttpResponse {
    put(&body, |behaviour| control.set(&key, behaviour))
}

async fn unset(control: Data<Control>, key: Path<String>) -> HttpResponse {
    if control.unset(&key) {
        HttpResponse::NoContent().finish()
    } else {
        nothing_set(&key)
    }
}

async fn reset(control: Data<Control>) -> HttpResponse {
    control.reset();
    HttpResponse::NoContent().finish()
}

async fn journal(control: Data<Control>, request: HttpRequest) -> HttpResponse {
    match Query::<Page>::from_query(request.query_string()) {
        Ok(page) => {
            let limit = page.limit.unwrap_or(PAGE);
            HttpResponse::Ok().json(json!({"entries": control.journal_since(page.since, limit)}))
        }
        Err(error) => refuse(
            StatusCode::BAD_REQUEST,
            &format!("query of the journal: {error}"),
            &[],
        ),
    }
}

async fn clear_journal(control: Data<Control>) -> HttpResponse {
    control.clear_journal();
    HttpResponse::NoContent().finish()
}

async fn stats(control: Data<Control>) -> HttpResponse {
    HttpResponse::Ok().json(control.stats())
}

fn put(body: &[u8], set: impl FnOnce(Behaviour) -> Result<(), Vec<Problem>>) -> HttpResponse {
    let behaviour: Behaviour = match serde_json::from_slice(body) {
        Ok(behaviour) => behaviour,
        Err(error) => {
            let place = Problem {
                path: format!("line {}, column {}", error.line(), error.column()),
                message: error.to_string(),
            };
            return refuse(StatusCode::BAD_REQUEST, "the behaviour cannot be read", &[place]);
        }
    };
    let echo = serde_json::to_value(&behaviour).unwrap_or(Value::Null);
    match set(behaviour) {
        Ok(()) => HttpResponse::Ok().json(echo),
        Err(problems) => refuse(StatusCode::BAD_REQUEST, "the behaviour makes no sense", &problems),
    }
}

fn nothing_set(key: &str) -> HttpResponse {
    refuse(
        StatusCode::NOT_FOUND,
        &format!("no behaviour is set for '{key}'"),
        &[],
    )
}

async fn unknown(request: HttpRequest) -> HttpResponse {
    let message = format!(
        "unknown path '{}'; there are /mock/behaviour, /mock/behaviour/{{model}}, /mock/journal, /mock/stats",
        request.path()
    );
    refuse(StatusCode::NOT_FOUND, &message, &[])
}

async fn not_allowed(request: HttpRequest) -> HttpResponse {
    let message = format!(
        "method {} is not allowed on '{}'",
        request.method(),
        request.path()
    );
    refuse(StatusCode::METHOD_NOT_ALLOWED, &message, &[])
}

fn refuse(status: StatusCode, message: &str, problems: &[Problem]) -> HttpResponse {
    HttpResponse::build(status).json(json!({"error": {"message": message, "problems": problems}}))
}

//! Versions of the run-time changes: who changed what and why, the way back, and the rollout that is under way.

use actix_web::http::header::ETAG;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};
use tollgate_actors::{EndRollout, Ending, ListVersions, Rollback, RolloutNow};
use tollgate_core::Clock;

use super::problem::{Kind, Problem};
use super::request::{Note, if_match, nothing_else, object};
use super::{Admin, Answer, change};

/// Everything that is remembered, newest first.
pub(super) async fn all(admin: Data<Admin>) -> Answer {
    let list = admin
        .control
        .send(ListVersions)
        .await
        .map_err(Problem::unavailable)?;
    let epoch = admin.shared.published.load().epoch();
    let body = json!({
        "version": list.live,
        "staged": list.staged,
        "epoch": epoch,
        "versions": list.versions,
    });
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, change::etag(list.live)))
        .json(body))
}

/// Goes back.
pub(super) async fn rollback(admin: Data<Admin>, request: HttpRequest, body: Payload) -> Answer {
    let started = Clock.now();
    let mut members = object(&request, body).await?;
    let note = Note::take(&mut members, request.headers())?;
    nothing_else(&members, &["to", "reason", "author"])?;
    let to = match members.get("to") {
        None | Some(Value::Null) => None,
        Some(to) => Some(to.as_u64().ok_or_else(|| {
            let expected = "the number of a version, 0 for the config file as it is";
            Problem::new(
                Kind::InvalidRequest,
                format_args!("to is {to}: expected {expected}"),
            )
            .at("to", to, expected)
        })?),
    };
    let message = Rollback {
        to,
        author: change::author(&note),
        reason: note.reason,
        if_match: if_match(request.headers())?,
    };
    let applied = admin.control.send(message).await.map_err(Problem::unavailable)?;
    let applied = applied.map_err(|refused| change::refusal(&refused))?;
    change::made(&admin, &applied, started).await
}

/// How the rollout stands.
pub(super) async fn rollout(admin: Data<Admin>) -> Answer {
    let status = admin
        .control
        .send(RolloutNow)
        .await
        .map_err(Problem::unavailable)?;
    Ok(HttpResponse::Ok().json(json!({ "rollout": status })))
}

/// Ends the rollout: for all, or for nobody.
pub(super) async fn end_rollout(admin: Data<Admin>, request: HttpRequest, body: Payload) -> Answer {
    let started = Clock.now();
    let mut members = object(&request, body).await?;
    let note = Note::take_or("by hand", &mut members, request.headers())?;
    nothing_else(&members, &["action", "reason", "author"])?;
    let ending = match members.get("action").and_then(Value::as_str) {
        Some("promote") => Ending::Promote,
        Some("abort") => Ending::Abort,
        _ => {
            let found = members
                .get("action")
                .map_or_else(|| "nothing".to_owned(), Value::to_string);
            let expected = "\"promote\" or \"abort\"";
            let detail = format!("action is {found}: expected {expected}");
            return Err(Problem::new(Kind::InvalidRequest, detail).at("action", found, expected));
        }
    };
    let message = EndRollout {
        ending,
        author: change::author(&note),
        reason: note.reason,
    };
    let applied = admin.control.send(message).await.map_err(Problem::unavailable)?;
    let applied = applied.map_err(|refused| change::refusal(&refused))?;
    change::made(&admin, &applied, started).await
}

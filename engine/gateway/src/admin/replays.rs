//! Replays: what changes would have done with the decisions that are kept.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;
use tollgate_actors::{ApplyMode, ChangeRoutes};
use tollgate_routing::Changes;

use super::document::{noun, way};
use super::problem::{Kind, Problem};
use super::rehearsal::{MOST_DECISIONS, rehearse};
use super::request::{Note, nothing_else, object};
use super::{Admin, Answer, change};

/// Tries changes on recorded decisions. Nothing is changed.
pub(super) async fn replay(admin: Data<Admin>, request: HttpRequest, body: Payload) -> Answer {
    let mut members = object(&request, body).await?;
    Note::take_or("replay", &mut members, request.headers())?;
    nothing_else(&members, &["changes", "route", "limit"])?;
    let refuse = |path: &str, found: &str, expected: &str| {
        let detail = format!("{path} is {found}: expected {expected}");
        Problem::new(Kind::InvalidRequest, detail).at(path, found, expected)
    };
    let route = match members.get("route") {
        None | Some(Value::Null) => None,
        Some(Value::String(route)) => Some(route.clone()),
        Some(other) => return Err(refuse("route", noun(other), "the name of a route")),
    };
    let limit = match members.get("limit") {
        None | Some(Value::Null) => None,
        Some(limit) => {
            let number = limit.as_u64().and_then(|it| usize::try_from(it).ok());
            let number = number.filter(|it| (1..=MOST_DECISIONS).contains(it));
            let expected = format!("a whole number from 1 to {MOST_DECISIONS}");
            Some(number.ok_or_else(|| refuse("limit", &limit.to_string(), &expected))?)
        }
    };
    let Some(patch) = members.remove("changes") else {
        return Err(refuse(
            "changes",
            "nothing",
            "changes by route: {\"routes\": {…}}",
        ));
    };
    let changes = read(&admin, patch).await?;
    let rehearsal = rehearse(&admin.shared, changes, route, limit).await?;
    Ok(HttpResponse::Ok().json(rehearsal))
}

/// What a patch comes to over what is in force: Control reads it as if it were to be applied.
async fn read(admin: &Admin, patch: Value) -> Result<Changes, Problem> {
    let message = ChangeRoutes {
        patch,
        author: String::new(),
        reason: String::new(),
        if_match: None,
        mode: ApplyMode::DryRun,
    };
    let applied = admin.control.send(message).await.map_err(Problem::unavailable)?;
    let applied = applied.map_err(|refused| change::refusal(&refused))?;
    let live = admin.shared.published.load();
    Ok(way(
        &live.catalog,
        &change::fitting(&live.settings.catalog, &applied.changes),
    ))
}

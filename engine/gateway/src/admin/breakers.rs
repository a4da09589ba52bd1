//! Circuit breakers: how they stand, and what an operator wants of one.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};
use tollgate_actors::TargetBreaker;
use tollgate_routing::Force;

use super::document::tidy;
use super::problem::{Kind, Problem};
use super::request::{Note, nothing_else, object};
use super::{Admin, Answer, change};

/// All of them, by target.
pub(super) async fn all(admin: Data<Admin>) -> Answer {
    let reports = admin.shared.roster.breakers().await;
    let breakers: Vec<_> = reports.iter().map(described).collect();
    Ok(HttpResponse::Ok().json(json!({ "breakers": breakers })))
}

/// Forces one, or lets it decide by itself again. It holds until the process ends or somebody says otherwise.
pub(super) async fn force(
    admin: Data<Admin>,
    request: HttpRequest,
    target: Path<String>,
    body: Payload,
) -> Answer {
    let mut members = object(&request, body).await?;
    let note = Note::take(&mut members, request.headers())?;
    nothing_else(&members, &["force", "reason", "author"])?;
    let force = match members.get("force").and_then(Value::as_str) {
        Some("open") => Force::Open,
        Some("closed") => Force::Closed,
        Some("drain") => Force::Drain,
        Some("auto") => Force::Auto,
        _ => {
            let found = members
                .get("force")
                .map_or_else(|| "nothing".to_owned(), Value::to_string);
            let expected = "\"open\", \"closed\", \"drain\" or \"auto\"";
            let detail = format!("force is {found}: expected {expected}");
            return Err(Problem::new(Kind::InvalidRequest, detail).at("force", found, expected));
        }
    };
    let forced = admin.shared.roster.force(&target, force).await;
    let state = forced.map_err(|_| unknown(&admin, &target))?;
    crate::say(format_args!(
        "breaker of {target}: {} forced by {}: {}",
        force.name(),
        change::author(&note),
        note.reason.escape_debug()
    ));
    let reports = admin.shared.roster.breakers().await;
    let report = reports.iter().find(|it| *it.target == **target);
    Ok(HttpResponse::Ok().json(json!({
        "target": &*target,
        "force": force.name(),
        "state": state.name(),
        "breaker": report.map(described),
    })))
}

fn unknown(admin: &Admin, target: &str) -> Problem {
    let live = admin.shared.published.load();
    let targets = live.catalog.routes().flat_map(|route| &route.targets);
    let mut names: Vec<_> = targets.map(|entry| entry.target.name()).collect();
    names.sort();
    names.dedup();
    let detail = format!("there is no target '{target}': there are {}", names.join(", "));
    Problem::new(Kind::NotFound, detail)
}

/// A breaker, flat.
fn described(report: &TargetBreaker) -> Value {
    let mut described = json!({ "target": &*report.target });
    if let (Some(members), Value::Object(breaker)) = (described.as_object_mut(), tidy(&report.breaker)) {
        members.extend(breaker);
        members.insert("credentials".to_owned(), tidy(&report.credentials));
    }
    described
}

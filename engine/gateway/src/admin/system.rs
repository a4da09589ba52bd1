//! The process as a whole: metrics, status, actors, the configuration in force and its reload.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Map, Value, json};
use tollgate_actors::Reload;
use tollgate_core::Clock;

use super::problem::{Kind, Problem};
use super::{Admin, Answer};

/// The document that describes this API.
pub(super) const OPENAPI: &str = include_str!("../../../../docs/reference/openapi.json");

pub(super) async fn metrics(admin: Data<Admin>) -> Answer {
    let text = admin.exposition.render();
    Ok(HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(text))
}

pub(super) async fn openapi() -> Answer {
    Ok(HttpResponse::Ok().content_type("application/json").body(OPENAPI))
}

pub(super) async fn status(admin: Data<Admin>) -> Answer {
    let live = admin.shared.published.load();
    let now = Clock.moment();
    let catalog = &live.catalog;
    let providers: Vec<_> = catalog
        .providers()
        .iter()
        .map(|it| json!({ "name": &*it.name, "kind": it.kind.name(), "base_url": it.base_url.to_string() }))
        .collect();
    let targets = catalog.routes().flat_map(|route| &route.targets);
    let breakers = targets.map(|entry| {
        let target = &entry.target;
        (target.name(), json!(target.cell.gate(now).mode.name()))
    });
    Ok(HttpResponse::Ok().json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "state": if admin.shared.lifecycle.is_draining() { "draining" } else { "ready" },
        "in_flight": admin.shared.lifecycle.in_flight(),
        "config": {
            "epoch": live.epoch(),
            "hash": live.hash,
            "changes_version": live.version,
            "staged_version": live.staged.as_ref().map(|it| it.version),
        },
        "providers": providers,
        "routes": catalog.routes().map(|route| route.name.to_string()).collect::<Vec<_>>(),
        "breakers": breakers.collect::<Map<String, Value>>(),
    })))
}

pub(super) async fn actors(admin: Data<Admin>) -> Answer {
    let mut reports: Vec<Value> = vec![control(&admin).await];
    reports.extend(admin.shared.roster.actors().await.iter().map(|it| json!(it)));
    Ok(HttpResponse::Ok().json(json!({ "actors": reports })))
}

/// Control itself, asked as the roster asks the others.
async fn control(admin: &Admin) -> Value {
    let asked = Clock.moment();
    let answer = tokio::time::timeout(
        std::time::Duration::from_millis(100),
        admin.control.send(tollgate_actors::RolloutNow),
    );
    let is_alive = matches!(answer.await, Ok(Ok(_)));
    let took = u64::try_from(Clock.moment().since(asked).as_micros()).unwrap_or(u64::MAX);
    json!({
        "name": "control",
        "is_alive": is_alive,
        "answered_in_us": is_alive.then_some(took),
        "outcomes_dropped": null,
    })
}

/// Every setting with where it comes from. Secrets are masked.
pub(super) async fn config(admin: Data<Admin>) -> Answer {
    let live = admin.shared.published.load();
    Ok(HttpResponse::Ok().json(json!({
        "epoch": live.epoch(),
        "hash": live.hash,
        "version": live.version,
        "settings": live.settings.effective(),
        "overrides": super::weights::overrides(&live),
        "warnings": live.warnings,
    })))
}

pub(super) async fn reload(admin: Data<Admin>) -> Answer {
    match admin.control.send(Reload).await.map_err(Problem::unavailable)? {
        Ok(done) => Ok(HttpResponse::Ok().json(json!({
            "epoch": done.epoch,
            "changed": done.changed,
            "needs_restart": done.needs_restart,
            "set_aside": done.set_aside,
        }))),
        Err(refused) => {
            let problems = refused.0.iter().map(|it| tollgate_routing::ChangeProblem {
                path: it.path.clone(),
                found: match it.line {
                    Some(line) => format!("{}:{line}: {}", it.file, it.found),
                    None => format!("{}: {}", it.file, it.found),
                },
                expected: it.expected.clone(),
            });
            Err(Problem::new(Kind::Refused, &refused).with(problems.collect()))
        }
    }
}

//! Routes as they are: how each chooses, what it may take and cost, who its targets are and how they fare.

use std::sync::Arc;

use actix_web::http::header::ETAG;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};
use tollgate_actors::Live;
use tollgate_core::{Clock, Moment, Nanodollars};
use tollgate_routing::{Catalog, Route, RouteTarget};

use super::document::{as_it_is, tidy};
use super::problem::{Kind, Problem};
use super::request::{Query, object};
use super::{Admin, Answer, catalog, change, weights};

/// All routes.
pub(super) async fn all(admin: Data<Admin>) -> Answer {
    let live = admin.shared.published.load();
    let overrides = weights::overrides(&live);
    let now = Clock.moment();
    let routes = live.catalog.routes().filter(|it| it.alias_of.is_none());
    let routes: Vec<_> = routes
        .map(|route| described(&live, route, &overrides, now))
        .collect();
    let body = json!({ "version": live.version, "epoch": live.epoch(), "routes": routes });
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, change::etag(live.version)))
        .json(body))
}

/// One route; another name of it will do.
pub(super) async fn one(admin: Data<Admin>, route: Path<String>) -> Answer {
    let live = admin.shared.published.load();
    let route = named(&live.catalog, &route)?;
    let mut body = described(&live, route, &weights::overrides(&live), Clock.moment());
    if let Some(members) = body.as_object_mut() {
        members.insert("version".to_owned(), json!(live.version));
        members.insert("epoch".to_owned(), json!(live.epoch()));
    }
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, change::etag(live.version)))
        .json(body))
}

/// Changes one route.
pub(super) async fn change(
    admin: Data<Admin>,
    request: HttpRequest,
    route: Path<String>,
    query: Query,
    body: Payload,
) -> Answer {
    let members = object(&request, body).await?;
    let name = {
        let live = admin.shared.published.load();
        named(&live.catalog, &route)?.name.clone()
    };
    change::make(&admin, &request, &query, members, |members| {
        let change = Map::from_iter([(name.to_string(), Value::Object(members))]);
        Ok(json!({ "routes": change }))
    })
    .await
}

/// The route of a name, or of another name for it.
fn named<'c>(catalog: &'c Catalog, name: &str) -> Result<&'c Arc<Route>, Problem> {
    let find = |name: &str| catalog.routes().find(|route| *route.name == *name);
    let found = find(name).and_then(|route| match &route.alias_of {
        Some(original) => find(original),
        None => Some(route),
    });
    found.ok_or_else(|| {
        let near = catalog.suggestions(name);
        let hint = match near.first() {
            Some(near) => format!("did you mean '{near}'?"),
            None => "GET /admin/v1/routes lists them".to_owned(),
        };
        Problem::new(Kind::NotFound, format_args!("there is no route '{name}': {hint}"))
    })
}

fn described(live: &Live, route: &Route, overrides: &Value, now: Moment) -> Value {
    let catalog = &live.catalog;
    let limits = &route.limits;
    let millis = |it: std::time::Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
    let usd = |it: Nanodollars| it.to_string();
    let hedge = limits.hedge.map(|hedge| {
        json!({
            "after_ms": hedge.after.map(millis),
            "max_ratio": tidy(&hedge.max_ratio),
            "max_cost_usd": hedge.max_cost.map(usd),
        })
    });
    let aliases: Vec<_> = catalog
        .routes()
        .filter(|it| it.alias_of.as_deref() == Some(&*route.name))
        .map(|it| it.name.to_string())
        .collect();
    let mut settings = as_it_is(route);
    settings.targets.clear();
    json!({
        "route": &*route.name,
        "aliases": aliases,
        "settings": tidy(&settings),
        "limits": {
            "deadline_ms": limits.deadline.map(millis),
            "max_cost_usd": limits.max_cost.map(usd),
            "max_attempts": route.max_attempts,
            "max_retry_wait_ms": millis(limits.max_retry_wait),
            "hedge": hedge,
            "continue_streams": limits.continue_streams,
            "regions": limits.regions.as_ref().map(|it| it.iter().map(ToString::to_string).collect::<Vec<_>>()),
            "strict": route.strict,
            "retries_left": route.retry_budget.left(),
        },
        "fallbacks": route.fallbacks.iter().map(|it| it.model.to_string()).collect::<Vec<_>>(),
        "targets": route.targets.iter().map(|entry| target(route, entry, now)).collect::<Vec<_>>(),
        "overrides": overrides.get(&*route.name).cloned().unwrap_or_else(|| json!({})),
    })
}

fn target(route: &Route, entry: &RouteTarget, now: Moment) -> Value {
    let target = &entry.target;
    let (gate, vitals) = (target.cell.gate(now), target.cell.vitals(now));
    let known = catalog::known(&target.facts);
    let mut described = json!({
        "target": target.name(),
        "weight": entry.weight,
        "priority": entry.priority,
        "canary": tidy(&entry.canary),
        "weight_share": weight_share(route, entry),
        "region": target.provider.region.as_deref(),
        "state": gate.mode.name(),
        "admission": f64::from(gate.admission) / 255.0,
        "credentials": target.credentials.iter().map(|it| it.state(now).name()).collect::<Vec<_>>(),
        "in_flight": target.cell.in_flight(),
        "ttft_ms": vitals.ttft_us.map(thousandth),
        "per_output_token_ms": vitals.per_token_us.map(thousandth),
        "error_ratio": tidy(&vitals.error_ratio),
        "window_requests": vitals.samples,
    });
    if let (Some(members), Value::Object(known)) = (described.as_object_mut(), known) {
        members.extend(known);
    }
    described
}

/// The share that static weights give it among the ordinary targets of its priority; `None` for a canary.
fn weight_share(route: &Route, entry: &RouteTarget) -> Option<f64> {
    let peers = route
        .targets
        .iter()
        .filter(|it| it.canary.is_none() && it.priority == entry.priority);
    let all: u64 = peers.map(|it| u64::from(it.weight)).sum();
    let all = u32::try_from(all).unwrap_or(u32::MAX);
    (entry.canary.is_none() && all > 0).then(|| f64::from(entry.weight) / f64::from(all))
}

/// Microseconds as milliseconds with three places.
fn thousandth(us: f32) -> f64 {
    f64::from(us).round() / 1_000.0
}

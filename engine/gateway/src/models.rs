//! `GET /v1/models`: what the caller's key may use, as OpenAI's and Anthropic's SDKs read it.

use std::collections::BTreeSet;
use std::rc::Rc;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};
use tollgate_config::Settings;
use tollgate_core::{Dialect, Refusal, RefusalKind};
use tollgate_routing::Route;

use crate::exchange::address::dialect_of;
use crate::stages::authenticate::{Caller, authenticate};
use crate::stages::respond::refuse;
use crate::stages::settle::Settlement;
use crate::worker::Worker;

const LISTS: [&str; 4] = ["/v1/models", "/models", "/openai/v1/models", "/v1beta/models"];

/// Registers the list and the single model.
pub(crate) fn routes(worker: &Rc<Worker>, config: &mut ServiceConfig) {
    for path in LISTS {
        let (listing, showing) = (worker.clone(), worker.clone());
        config.route(
            path,
            web::get().to(move |request: HttpRequest| list(listing.clone(), request)),
        );
        let one = format!("{path}/{{id:.+}}");
        config.route(
            &one,
            web::get()
                .to(move |request: HttpRequest, id: web::Path<String>| show(showing.clone(), request, id)),
        );
    }
}

async fn list(worker: Rc<Worker>, request: HttpRequest) -> HttpResponse {
    let settings = worker.snapshot();
    let dialect = dialect_of(&request);
    let caller = match authenticate(&settings, &request) {
        Ok(caller) => caller,
        Err(refusal) => return refuse(dialect, &refusal, Settlement::open(&worker, None)),
    };
    let names = names(&settings, &caller);
    let models: Vec<_> = names.iter().map(|name| model(dialect, name)).collect();
    let body = match dialect {
        Dialect::Gemini => json!({ "models": models }),
        Dialect::Anthropic => json!({
            "data": models, "has_more": false, "first_id": names.first(), "last_id": names.last(),
        }),
        _ => json!({ "object": "list", "data": models }),
    };
    HttpResponse::Ok().json(body)
}

async fn show(worker: Rc<Worker>, request: HttpRequest, id: web::Path<String>) -> HttpResponse {
    let settings = worker.snapshot();
    let dialect = dialect_of(&request);
    let found = authenticate(&settings, &request).and_then(|caller| {
        caller.authorize(&id)?;
        settings.catalog.find(&id).map(drop).ok_or_else(|| {
            let message =
                format!("the model '{id}' does not exist here: GET /v1/models lists what this key may use");
            Refusal::new(RefusalKind::UnknownModel, message).at("model")
        })
    });
    match found {
        Ok(()) => HttpResponse::Ok().json(model(dialect, &id)),
        Err(refusal) => refuse(dialect, &refusal, Settlement::open(&worker, None)),
    }
}

/// The names that `caller` may ask for, sorted. A wildcard route stands for the models that the catalogue knows
/// at its providers, and for its own pattern where it knows none.
fn names(settings: &Settings, caller: &Caller) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for route in settings.catalog.routes() {
        if !route.pattern.is_wildcard() {
            names.insert(route.name.to_string());
            continue;
        }
        let known: Vec<_> = known_models(settings, route).collect();
        if known.is_empty() {
            names.insert(route.name.to_string());
        }
        names.extend(known);
    }
    names.retain(|name| caller.may_use(name));
    names
}

fn known_models<'a>(settings: &'a Settings, route: &'a Route) -> impl Iterator<Item = String> + 'a {
    let kinds = route
        .targets
        .iter()
        .filter(|it| it.target.model.is_none())
        .map(|it| it.target.provider.kind);
    kinds
        .flat_map(|kind| settings.prices.models(kind))
        .map(|model| route.name.replacen('*', model, 1))
}

fn model(dialect: Dialect, name: &str) -> Value {
    match dialect {
        Dialect::Gemini => json!({
            "name": format!("models/{name}"), "baseModelId": name, "version": "1", "displayName": name,
            "supportedGenerationMethods": ["generateContent", "streamGenerateContent"],
        }),
        Dialect::Anthropic => json!({
            "type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z",
        }),
        _ => json!({ "id": name, "object": "model", "created": 0, "owned_by": "tollgate" }),
    }
}

//! The admin listener: metrics, status and reload. Loopback by default; its own key where one is set.

use std::net::TcpListener;
use std::sync::Arc;

use actix::Addr;
use actix_web::dev::Server;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use actix_web::web::{self, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::json;
use tollgate_actors::{Control, Reload};
use tollgate_telemetry::Exposition;

use crate::health;
use crate::worker::Shared;

/// What the admin listener's handlers need.
struct Admin {
    shared: Arc<Shared>,
    control: Addr<Control>,
    exposition: Arc<Exposition>,
}

/// Serves the admin listener from one thread.
pub(crate) fn serve(
    shared: &Arc<Shared>,
    control: Addr<Control>,
    exposition: Arc<Exposition>,
    listener: TcpListener,
) -> anyhow::Result<Server> {
    let admin = Data::new(Admin {
        shared: shared.clone(),
        control,
        exposition,
    });
    let http = HttpServer::new(move || {
        let shared = admin.shared.clone();
        App::new()
            .app_data(admin.clone())
            .configure(|config| health::routes(&shared, config))
            .route("/metrics", web::get().to(metrics))
            .route("/status", web::get().to(status))
            .route("/admin/v1/reload", web::post().to(reload))
            .default_service(web::to(unknown_path))
    });
    Ok(http
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)?
        .run())
}

async fn metrics(admin: Data<Admin>, request: HttpRequest) -> HttpResponse {
    if !is_allowed(&admin, &request) {
        return unauthorized();
    }
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(admin.exposition.render())
}

async fn status(admin: Data<Admin>, request: HttpRequest) -> HttpResponse {
    if !is_allowed(&admin, &request) {
        return unauthorized();
    }
    let settings = admin.shared.published.load();
    let providers: Vec<_> = settings
        .catalog
        .providers()
        .iter()
        .map(|it| json!({ "name": &*it.name, "kind": it.kind.name(), "base_url": it.base_url.to_string() }))
        .collect();
    HttpResponse::Ok().json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "state": if admin.shared.lifecycle.is_draining() { "draining" } else { "ready" },
        "in_flight": admin.shared.lifecycle.in_flight(),
        "config": { "epoch": settings.catalog.epoch, "hash": settings.hash },
        "providers": providers,
        "routes": settings.catalog.routes().map(|route| route.name.to_string()).collect::<Vec<_>>(),
    }))
}

async fn reload(admin: Data<Admin>, request: HttpRequest) -> HttpResponse {
    if !is_allowed(&admin, &request) {
        return unauthorized();
    }
    match admin.control.send(Reload).await {
        Ok(Ok(done)) => HttpResponse::Ok().json(json!({
            "epoch": done.epoch, "changed": done.changed, "needs_restart": done.needs_restart,
        })),
        Ok(Err(refused)) => problem(422, "configuration refused", &refused.to_string()),
        Err(_) => problem(500, "control is not answering", "the process is shutting down"),
    }
}

async fn unknown_path(request: HttpRequest) -> HttpResponse {
    problem(
        404,
        "no such path",
        &format!("{} is not served on the admin listener", request.path()),
    )
}

/// Without a key in the config the listener's address is the only door; with one, it must be presented.
fn is_allowed(admin: &Admin, request: &HttpRequest) -> bool {
    let settings = admin.shared.published.load();
    let Some(key) = &settings.admin.key else {
        return true;
    };
    let bearer = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    bearer.is_some_and(|presented| {
        tollgate_governance::KeyHash::of(presented).matches(&tollgate_governance::KeyHash::of(key.expose()))
    })
}

fn unauthorized() -> HttpResponse {
    problem(
        401,
        "admin key required",
        "send the key of admin.key as 'Authorization: Bearer KEY'",
    )
}

/// RFC 9457.
fn problem(status: u16, title: &str, detail: &str) -> HttpResponse {
    let code =
        actix_web::http::StatusCode::from_u16(status).unwrap_or(actix_web::http::StatusCode::BAD_REQUEST);
    HttpResponse::build(code)
        .insert_header((CONTENT_TYPE, "application/problem+json"))
        .body(
            json!({ "type": "about:blank", "title": title, "status": status, "detail": detail }).to_string(),
        )
}

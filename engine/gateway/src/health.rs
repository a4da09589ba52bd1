//! Liveness and readiness, under the names that probes out there already use.
//!
//! Neither asks a provider anything: a probe costs nothing, and one provider that is down does not take the
//! gateway out of service.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};

use crate::worker::Shared;

const LIVE: [&str; 5] = [
    "/livez",
    "/healthz",
    "/health",
    "/health/liveness",
    "/health/liveliness",
];
const READY: [&str; 3] = ["/readyz", "/ready", "/health/readiness"];

/// Registers the probes' paths.
pub(crate) fn routes(shared: &Arc<Shared>, config: &mut ServiceConfig) {
    for path in LIVE {
        config
            .route(path, web::get().to(live))
            .route(path, web::head().to(live));
    }
    for path in READY {
        let (get, head) = (shared.clone(), shared.clone());
        config.route(path, web::get().to(move || ready(get.clone())));
        config.route(path, web::head().to(move || ready(head.clone())));
    }
}

async fn live() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "live" }))
}

async fn ready(shared: Arc<Shared>) -> HttpResponse {
    if shared.lifecycle.is_draining() {
        return HttpResponse::ServiceUnavailable().json(serde_json::json!({ "status": "draining" }));
    }
    HttpResponse::Ok().json(serde_json::json!({ "status": "ready" }))
}

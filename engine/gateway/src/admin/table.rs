//! The table of everything that the admin listener serves: what is registered, what is allowed in a query, and what
//! `openapi.json` must document.

use actix_web::Route;
use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};

use super::{breakers, cache, catalog, decisions, health, replays, routes, system, versions, weights};

/// One method of one path.
pub(super) struct Endpoint {
    /// `GET`, `POST`, `PATCH`.
    pub(super) method: &'static str,
    /// The path as `OpenAPI` writes it. A parameter at the end may hold slashes.
    pub(super) path: &'static str,
    /// The parameters that its query may have.
    pub(super) query: &'static [&'static str],
    /// Who answers.
    handler: fn() -> Route,
}

/// How a change goes live.
const CHANGE: &[&str] = &[
    "dry_run",
    "rollout",
    "hold",
    "max_error_ratio",
    "max_ttft",
    "min_requests",
];
const DECISIONS: &[&str] = &["route", "outcome", "key", "limit", "format"];
const CACHED: &[&str] = &["route", "tenant", "tag", "sort", "limit"];
const NONE: &[&str] = &[];
/// Parameters at the end of a path that hold no slashes.
const SEGMENTS: [&str; 3] = ["{provider}", "{request_id}", "{entry}"];

/// Builds a line of the table.
macro_rules! endpoint {
    ($method:ident, $path:literal, $query:expr, $handler:path) => {
        Endpoint {
            method: stringify!($method),
            path: $path,
            query: $query,
            handler: || web::method(Method::$method).to($handler),
        }
    };
}

/// Everything that is served.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    endpoint!(GET, "/metrics", NONE, system::metrics),
    endpoint!(GET, "/status", NONE, system::status),
    endpoint!(GET, "/admin/openapi.json", NONE, system::openapi),
    endpoint!(POST, "/admin/v1/reload", NONE, system::reload),
    endpoint!(GET, "/admin/v1/config", NONE, system::config),
    endpoint!(GET, "/admin/v1/actors", NONE, system::actors),
    endpoint!(GET, "/admin/v1/catalog", NONE, catalog::catalog),
    endpoint!(GET, "/admin/v1/health", NONE, health::all),
    endpoint!(GET, "/admin/v1/health/{provider}", NONE, health::of_provider),
    endpoint!(GET, "/admin/v1/breakers", NONE, breakers::all),
    endpoint!(PATCH, "/admin/v1/breakers/{target}", NONE, breakers::force),
    endpoint!(GET, "/admin/v1/routes", NONE, routes::all),
    endpoint!(GET, "/admin/v1/routes/{route}", NONE, routes::one),
    endpoint!(PATCH, "/admin/v1/routes/{route}", CHANGE, routes::change),
    endpoint!(GET, "/admin/v1/weights", NONE, weights::all),
    endpoint!(PATCH, "/admin/v1/weights", CHANGE, weights::change),
    endpoint!(GET, "/admin/v1/versions", NONE, versions::all),
    endpoint!(POST, "/admin/v1/versions/rollback", NONE, versions::rollback),
    endpoint!(GET, "/admin/v1/rollout", NONE, versions::rollout),
    endpoint!(POST, "/admin/v1/rollout", NONE, versions::end_rollout),
    endpoint!(GET, "/admin/v1/decisions", DECISIONS, decisions::all),
    endpoint!(GET, "/admin/v1/decisions/{request_id}", NONE, decisions::one),
    endpoint!(POST, "/admin/v1/replays", NONE, replays::replay),
    endpoint!(GET, "/admin/v1/cache", NONE, cache::stats),
    endpoint!(GET, "/admin/v1/cache/entries", CACHED, cache::entries),
    endpoint!(GET, "/admin/v1/cache/entries/{entry}", NONE, cache::entry),
    endpoint!(POST, "/admin/v1/cache/explain", NONE, cache::explain),
    endpoint!(POST, "/admin/v1/cache/invalidate", NONE, cache::invalidate),
];

/// Registers everything.
pub(super) fn register(config: &mut ServiceConfig) {
    let mut paths: Vec<&str> = ENDPOINTS.iter().map(|it| it.path).collect();
    paths.dedup();
    for path in paths {
        let of_path = || ENDPOINTS.iter().filter(move |it| it.path == path);
        let methods: Vec<&str> = of_path().map(|it| it.method).collect();
        let allow = methods.join(", ");
        let resource = web::resource(pattern(path)).name(path);
        let resource = of_path().fold(resource, |resource, it| resource.route((it.handler)()));
        let refuse = web::to(move || super::method_not_allowed(allow.clone()));
        config.service(resource.default_service(refuse));
    }
}

/// The endpoint of a path as `OpenAPI` writes it.
pub(super) fn find(method: &str, path: &str) -> Option<&'static Endpoint> {
    ENDPOINTS.iter().find(|it| it.method == method && it.path == path)
}

/// The path as the listener matches it: names of routes and targets may hold slashes.
fn pattern(path: &str) -> String {
    match path.strip_suffix('}') {
        Some(open) if !SEGMENTS.iter().any(|it| path.ends_with(it)) => format!("{open}:.+}}"),
        _ => path.to_owned(),
    }
}

//! The admin listener: what an operator may see and change while the gateway runs.
//!
//! Loopback by default; its own key where one is set. Everything that is served stands in one table, which
//! `docs/reference/openapi.json` must agree with. Handlers run on one thread and never block it: what takes long goes
//! to the blocking pool. What changes something is a message to its owner.

mod breakers;
mod cache;
mod catalog;
mod change;
mod decisions;
mod document;
mod health;
mod problem;
mod rehearsal;
mod replays;
mod request;
mod routes;
mod system;
mod table;
mod versions;
mod weights;

use std::net::TcpListener;
use std::sync::Arc;

use actix::Addr;
use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data};
use actix_web::{App, HttpMessage as _, HttpRequest, HttpResponse, HttpServer, ResponseError as _};
use tollgate_actors::Control;
use tollgate_telemetry::Exposition;

use crate::worker::Shared;
use problem::{Kind, Problem};
use request::Query;

pub(crate) use cache::compared;
pub(crate) use document::noun;
pub(crate) use rehearsal::Rehearser;
#[cfg(test)]
pub(crate) use rehearsal::tests::record as a_record;
pub(crate) use request::share;

/// What the admin listener's handlers need.
struct Admin {
    shared: Arc<Shared>,
    control: Addr<Control>,
    exposition: Arc<Exposition>,
}

/// What a handler answers.
type Answer = Result<HttpResponse, Problem>;

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
            .wrap(from_fn(check))
            .configure(|config| crate::health::routes(&shared, config))
            .configure(table::register)
            .default_service(web::to(unknown_path))
    });
    Ok(http
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)?
        .run())
}

/// The door: everything of the table wants the key, and a query that it knows. Probes of liveness stand outside.
async fn check(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    match checked(&request) {
        Ok(query) => {
            request.extensions_mut().insert(query);
            Ok(next.call(request).await?.map_into_left_body())
        }
        Err(problem) => Ok(request
            .into_response(problem.error_response())
            .map_into_right_body()),
    }
}

fn checked(request: &ServiceRequest) -> Result<Query, Problem> {
    let path = request.match_name().map(str::to_owned);
    let Some(path) = path.filter(|path| table::ENDPOINTS.iter().any(|it| it.path == path)) else {
        return Ok(Query::default());
    };
    let admin = request.app_data::<Data<Admin>>();
    if !admin.is_some_and(|admin| is_allowed(admin, request.request())) {
        let detail = "send the key of admin.key as 'Authorization: Bearer KEY'";
        return Err(Problem::new(Kind::Unauthorized, detail));
    }
    // A method that the path does not have is refused by the path.
    table::find(request.method().as_str(), &path).map_or_else(
        || Ok(Query::default()),
        |endpoint| Query::read(request.query_string(), endpoint.query),
    )
}

/// Without a key in the config the listener's address is the only door; with one, it must be presented.
fn is_allowed(admin: &Admin, request: &HttpRequest) -> bool {
    let live = admin.shared.published.load();
    let Some(key) = &live.admin.key else {
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

async fn unknown_path(request: HttpRequest) -> Answer {
    let path = request.path();
    let detail = format!("{path} is not served on the admin listener: see GET /admin/openapi.json");
    Err(Problem::new(Kind::NotFound, detail))
}

async fn method_not_allowed(allowed: String) -> Answer {
    let detail = format!("this path has {allowed}");
    Err(Problem::new(Kind::MethodNotAllowed, detail).allow(&allowed))
}

#[cfg(test)]
mod tests;

//! `POST /v1/cache/feedback`: a client says whether an answer from the cache was right.

use std::rc::Rc;

use actix_web::web::{self, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use serde_json::json;
use tollgate_core::{Clock, Dialect, Refusal, RefusalKind};

use crate::stages::accept::json_body;
use crate::stages::authenticate::authenticate;
use crate::stages::recall::feedback::Feedback;
use crate::stages::respond::{confirm, refuse};
use crate::stages::settle::Settlement;
use crate::worker::Worker;

/// Where it is served.
pub(crate) const PATH: &str = "/v1/cache/feedback";
/// More than that is said by nobody who means it.
const LIMIT_BYTES: usize = 4_096;

/// Registers the endpoint; `other` answers whatever is no POST.
pub(crate) fn routes(worker: &Rc<Worker>, config: &mut ServiceConfig, other: actix_web::Route) {
    let worker = worker.clone();
    let post = move |request: HttpRequest, payload: Payload| hear(worker.clone(), request, payload);
    let resource = web::resource(PATH).route(web::post().to(post));
    config.service(resource.default_service(other));
}

async fn hear(worker: Rc<Worker>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let mut settlement = Settlement::open(&worker, None);
    match told(&worker, &request, payload, &mut settlement).await {
        Ok(body) => confirm(body, settlement),
        Err(refusal) => refuse(Dialect::OpenAi, &refusal, settlement),
    }
}

async fn told(
    worker: &Worker,
    request: &HttpRequest,
    payload: Payload,
    settlement: &mut Settlement,
) -> Result<Bytes, Refusal> {
    let caller = authenticate(settlement.settings(), request)?;
    settlement.caller(&caller);
    let waiting = Clock.now();
    let body = json_body(request, payload, LIMIT_BYTES)
        .await
        .map_err(|refusal| match refusal.kind {
            RefusalKind::BodyTooLarge => {
                let message = format!("feedback takes {LIMIT_BYTES} bytes at most");
                Refusal::new(RefusalKind::BodyTooLarge, message)
            }
            _ => refusal,
        })?;
    settlement.received(body.len(), Clock.now().duration_since(waiting));
    let feedback = Feedback::of_body(&body)?;
    let Some(counts) = feedback.tell(worker, &caller, settlement).await? else {
        let message = format!(
            "there is no entry {} in the cache, or it is not yours to judge",
            feedback.entry.0
        );
        return Err(Refusal::new(RefusalKind::UnknownEntry, message).at("entry"));
    };
    let verdict = if feedback.was_right { "right" } else { "wrong" };
    let told = json!({
        "object": "cache.feedback",
        "entry": feedback.entry.0.to_string(),
        "verdict": verdict,
        "counts": counts,
    });
    Ok(told.to_string().into())
}

//! The line that every request walks.
//!
//! Each stage takes what the one before it made, so that a forgotten stage does not compile. The settlement goes
//! along and is told at each step; dropped, wherever that is, it accounts for what happened so far.

use std::rc::Rc;

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use tollgate_core::{Refusal, Surface};

use crate::count_tokens::estimated_here;
use crate::exchange::answered::Answered;
use crate::in_array::in_form;
use crate::stages::accept::accept;
use crate::stages::attempt::request::ClientHeaders;
use crate::stages::attempt::{Succession, attempt};
use crate::stages::authenticate::authenticate;
use crate::stages::bounds::Bounds;
use crate::stages::plan::plan;
use crate::stages::recall::recall;
use crate::stages::respond::{DECISION, refuse, respond};
use crate::stages::settle::Settlement;
use crate::worker::Worker;

/// Serves one request, from its head to a response whose body may still be flowing.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    surface: Surface,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let mut settlement = Settlement::open(&worker, Some(surface));
    if request.headers().contains_key(DECISION) {
        settlement.explain();
    }
    // In a box: the framework moves what it is given several times, and this is large.
    let answered = Box::pin(answer(&worker, surface, &request, payload, &mut settlement)).await;
    let response = match answered {
        Ok(answered) => respond(answered, settlement),
        Err(refusal) => refuse(surface.dialect(), &refusal, settlement),
    };
    in_form(surface, &request, response)
}

async fn answer(
    worker: &Rc<Worker>,
    surface: Surface,
    request: &HttpRequest,
    payload: Payload,
    settlement: &mut Settlement,
) -> Result<Answered, Refusal> {
    let caller = authenticate(settlement.settings(), request)?;
    settlement.caller(&caller);
    let call = accept(worker, surface, request, payload, settlement).await?;
    caller.authorize(&call.model)?;
    let bounds = Bounds::read(request, &caller, settlement.since())?;
    if let Some(answered) = recall(worker, request, &call, &caller, &bounds, settlement).await? {
        return Ok(answered);
    }
    let plan = match plan(worker, &call, &caller, &bounds, settlement).await {
        Err(refusal) if estimated_here(surface, &refusal) => return Ok(Answered::count(&call)),
        planned => planned?,
    };
    let bounds = bounds.within(&plan.route.limits);
    let answered = attempt(worker, &call, ClientHeaders(request), &plan, &bounds, settlement).await?;
    let continued = plan.route.limits.continue_streams;
    Ok(answered.with_heirs(|| {
        continued.then(|| Succession {
            worker: worker.clone(),
            call,
            request: request.clone(),
            plan,
            bounds,
            ledger: settlement.ledger().clone(),
            request_id: settlement.id(),
            arrived: settlement.arrived(),
        })
    }))
}

//! Stage "plan": the router actor is asked, once.

use tollgate_actors::Ask;
use tollgate_core::{Refusal, RefusalKind};
use tollgate_routing::{Plan, PlanError};

use crate::accept::Call;
use crate::authenticate::Caller;
use crate::worker::Worker;

/// Asks this worker's router who should answer.
pub(crate) async fn plan(worker: &Worker, call: &Call, caller: &Caller) -> Result<Plan, Refusal> {
    let ask = Ask {
        surface: call.surface,
        model: call.model.clone(),
    };
    match worker.router.send(ask).await {
        Ok(Ok(plan)) => Ok(plan),
        Ok(Err(PlanError::UnknownModel { near })) => {
            let near: Vec<_> = near
                .iter()
                .filter(|name| caller.may_use(name))
                .map(|name| format!("'{name}'"))
                .collect();
            let hint = match near.as_slice() {
                [] => "GET /v1/models lists what this key may use".to_owned(),
                near => format!("did you mean {}?", near.join(" or ")),
            };
            let message = format!("the model '{}' does not exist here: {hint}", call.model);
            Err(Refusal::new(RefusalKind::UnknownModel, message).at("model"))
        }
        Ok(Err(PlanError::NoCandidate { route, surface })) => {
            let operation = surface.operation();
            let message = format!("no target of the model '{route}' can serve this endpoint ({operation})");
            Err(Refusal::new(RefusalKind::NoCandidate, message).at("model"))
        }
        Err(_) => Err(Refusal::new(RefusalKind::Internal, "the router is not answering")),
    }
}

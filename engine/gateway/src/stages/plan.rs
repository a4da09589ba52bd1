//! Stage "plan": the router actor is asked, once.

use tollgate_actors::Ask;
use tollgate_core::{Refusal, RefusalKind, Surface};
use tollgate_routing::{Filter, NoCandidate, Plan, PlanError};

use crate::exchange::call::Call;
use crate::stages::authenticate::Caller;
use crate::stages::bounds::Bounds;
use crate::stages::settle::Settlement;
use crate::worker::Worker;

/// Asks this worker's router who should answer.
pub(crate) async fn plan(
    worker: &Worker,
    call: &Call,
    caller: &Caller,
    bounds: &Bounds,
    settlement: &mut Settlement,
) -> Result<Plan, Refusal> {
    let head = &call.head;
    let prompt_tokens = settlement.ledger().prompt_tokens();
    let ask = Ask {
        seed: seed(settlement),
        surface: call.surface,
        model: call.model.clone(),
        needs: head.needs,
        prompt_tokens,
        max_output_tokens: head.max_output_tokens,
        stream: head.stream,
        session: bounds.session.or(head.session),
        prefix: settlement.prefix(),
        time_left: bounds.time_left(),
        max_cost: bounds.max_cost,
        regions: bounds.regions.clone(),
        targets: caller.targets(),
    };
    match worker.router.send(ask).await {
        Ok(Ok(mut plan)) => {
            settlement.plan(&mut plan);
            Ok(plan)
        }
        Ok(Err(PlanError::UnknownModel { near })) => Err(unknown_model(call, caller, &near)),
        Ok(Err(PlanError::NoCandidate(nobody))) => {
            let refusal = nobody_to_ask(call, prompt_tokens, bounds, &nobody);
            settlement.decided(Box::new(nobody.decision));
            Err(refusal)
        }
        Err(_) => Err(Refusal::new(RefusalKind::Internal, "the router is not answering")),
    }
}

/// The request's own random bits.
fn seed(settlement: &Settlement) -> u64 {
    u64::try_from(settlement.id().entropy() & u128::from(u64::MAX)).unwrap_or_default()
}

fn unknown_model(call: &Call, caller: &Caller, near: &[std::sync::Arc<str>]) -> Refusal {
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
    Refusal::new(RefusalKind::UnknownModel, message).at("model")
}

/// What to tell the client: of all reasons the one that it can do something about.
fn nobody_to_ask(call: &Call, prompt_tokens: u64, bounds: &Bounds, nobody: &NoCandidate) -> Refusal {
    let model = &call.model;
    let has = |filter| {
        nobody
            .decision
            .question
            .candidates
            .iter()
            .any(|it| it.filter == Some(filter))
    };
    if let Some(window) = nobody.largest_window.filter(|_| has(Filter::ContextWindow)) {
        let message = format!(
            "the prompt has about {prompt_tokens} tokens, and the largest context window of the model '{model}' \
             here has {window}: shorten it"
        );
        return Refusal::new(RefusalKind::ContextTooLong, message).at(prompt_field(call.surface));
    }
    if has(Filter::PriceCeiling) {
        let ceiling = bounds
            .max_cost
            .map_or_else(|| "the route's".to_owned(), |it| format!("${it}"));
        let message = match nobody.cheapest {
            Some(worst) => format!(
                "the request may cost up to ${worst} on the cheapest target of the model '{model}', more than its \
                 ceiling ({ceiling}): lower max_tokens or raise the ceiling"
            ),
            None => format!(
                "the prices of the model '{model}' are not known, so its ceiling ({ceiling}) cannot be kept"
            ),
        };
        return Refusal::new(RefusalKind::MaxCostExceeded, message);
    }
    if has(Filter::Capability) {
        let needs: Vec<_> = call.head.needs.names().collect();
        let message = format!(
            "no target of the model '{model}' can do all that the request needs: {}",
            needs.join(", ")
        );
        return Refusal::new(RefusalKind::NotCapable, message).at("model");
    }
    if has(Filter::Region) || has(Filter::NotAllowed) {
        let message = format!(
            "no target of the model '{model}' is within the regions and targets that this request is limited to"
        );
        return Refusal::new(RefusalKind::NotPermitted, message).at("model");
    }
    if has(Filter::Deadline) {
        let left = bounds.time_left().unwrap_or_default().as_millis();
        let message = format!(
            "no target of the model '{model}' is expected to answer within the {left} ms that are left"
        );
        return Refusal::new(RefusalKind::DeadlineExceeded, message);
    }
    if nobody
        .decision
        .question
        .candidates
        .iter()
        .any(|it| it.filter.is_some_and(|it| it != Filter::Surface))
    {
        let message = format!("no target of the model '{model}' is available at the moment");
        return Refusal::new(RefusalKind::NoCandidate, message)
            .at("model")
            .retry_after(nobody.retry_after);
    }
    let operation = call.surface.operation();
    let message = format!("no target of the model '{model}' can serve this endpoint ({operation})");
    Refusal::new(RefusalKind::NoCandidate, message).at("model")
}

fn prompt_field(surface: Surface) -> &'static str {
    match surface {
        Surface::Embeddings | Surface::Responses | Surface::Through(_) => "input",
        Surface::GenerateContent => "contents",
        Surface::Completions => "prompt",
        Surface::ChatCompletions
        | Surface::Messages
        | Surface::CountTokens
        | Surface::CohereChat
        | Surface::Converse => "messages",
    }
}

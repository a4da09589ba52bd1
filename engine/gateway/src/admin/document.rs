//! Routes as documents: everything of them that can be changed while the gateway runs, as it is.

use serde::Serialize;
use serde_json::Value;
use tollgate_routing::{Catalog, Changes, Route, RouteChange, RouteTarget, TargetChange, WeightsChange};

/// As JSON in which a 32-bit number is written as briefly as it can be: `0.14`, not `0.14000000059604645`.
pub(crate) fn tidy(value: &impl Serialize) -> Value {
    let text = serde_json::to_vec(value).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or(Value::Null)
}

/// What a value is, in words.
pub(crate) fn noun(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Everything of a route that can be changed, as it is: a change that would change nothing.
pub(crate) fn as_it_is(route: &Route) -> RouteChange {
    let policy = &route.policy;
    let target = |entry: &RouteTarget| {
        let change = TargetChange {
            weight: Some(entry.weight),
            priority: Some(entry.priority),
            canary: entry.canary,
        };
        (entry.target.name(), change)
    };
    let millis = |it: std::time::Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
    RouteChange {
        strategy: Some(policy.strategy),
        weights: WeightsChange {
            cost: Some(policy.weights.cost),
            latency: Some(policy.weights.latency),
            availability: Some(policy.weights.availability),
        },
        near_best: Some(policy.near_best),
        explore: Some(policy.explore),
        on_no_candidates: Some(policy.on_no_candidates),
        sticky: Some(policy.sticky),
        max_attempts: Some(route.max_attempts),
        deadline_ms: route.limits.deadline.map(millis),
        max_cost_usd: route.limits.max_cost.map(|it| it.to_string()),
        targets: route.targets.iter().map(target).collect(),
    }
}

/// All routes as they are, by name; other names of a route are left out.
pub(crate) fn all_as_they_are(catalog: &Catalog) -> Changes {
    let routes = catalog.routes().filter(|route| route.alias_of.is_none());
    routes
        .map(|route| (route.name.to_string(), as_it_is(route)))
        .collect()
}

/// What leads from one catalog to another, as changes that say everything about the routes that differ; also under
/// the other names that a route has, since decisions are recorded under the name that was asked for.
pub(crate) fn way(from: &Catalog, to: &Catalog) -> Changes {
    let before: Changes = from
        .routes()
        .map(|route| (route.name.to_string(), as_it_is(route)))
        .collect();
    let mut changes = Changes::new();
    for route in to.routes() {
        let mut change = as_it_is(route);
        let Some(was) = before.get(&*route.name).filter(|was| **was != change) else {
            continue;
        };
        // Limits that stay are not part of the change.
        change.max_attempts = change.max_attempts.filter(|it| was.max_attempts != Some(*it));
        change.deadline_ms = change.deadline_ms.filter(|it| was.deadline_ms != Some(*it));
        change.max_cost_usd = change
            .max_cost_usd
            .filter(|it| was.max_cost_usd.as_ref() != Some(it));
        changes.insert(route.name.to_string(), change);
    }
    changes
}

#[cfg(test)]
mod tests;

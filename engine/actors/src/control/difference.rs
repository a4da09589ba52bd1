//! What differs between the routes of two catalogs, in the words of the change document.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use tollgate_routing::{Catalog, OnNoCandidates, Route};

/// One value that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Where, as in the change document: `routes.fast.weights.cost`.
    pub path: String,
    /// The value before; `null`: none.
    pub from: Value,
    /// The value after; `null`: none.
    pub to: Value,
}

/// Everything that differs and that a change document can say, sorted by path.
pub(super) fn difference(before: &Catalog, after: &Catalog) -> Vec<Difference> {
    let (before, after) = (described(before), described(after));
    let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
    paths.sort();
    paths.dedup();
    let of = |values: &BTreeMap<String, Value>, path| values.get(path).cloned().unwrap_or(Value::Null);
    paths
        .into_iter()
        .map(|path| Difference {
            path: path.clone(),
            from: of(&before, path),
            to: of(&after, path),
        })
        .filter(|it| it.from != it.to)
        .collect()
}

fn described(catalog: &Catalog) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    for route in catalog.routes().filter(|route| route.alias_of.is_none()) {
        describe(route, &mut values);
    }
    values
}

fn describe(route: &Route, values: &mut BTreeMap<String, Value>) {
    let (policy, limits) = (&route.policy, &route.limits);
    let deadline = limits
        .deadline
        .map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
    let on_no_candidates = match policy.on_no_candidates {
        OnNoCandidates::TryAnyway => "try_anyway",
        OnNoCandidates::Refuse => "refuse",
    };
    let mut put = |key: &str, value: Value| {
        values.insert(format!("routes.{}.{key}", route.name), value);
    };
    put("strategy", policy.strategy.name().into());
    put("weights.cost", number(policy.weights.cost));
    put("weights.latency", number(policy.weights.latency));
    put("weights.availability", number(policy.weights.availability));
    put("near_best", number(policy.near_best));
    put("explore", number(policy.explore));
    put("on_no_candidates", on_no_candidates.into());
    put("sticky", policy.sticky.into());
    put("max_attempts", route.max_attempts.into());
    put("deadline_ms", deadline.into());
    put("max_cost_usd", limits.max_cost.map(|it| it.to_string()).into());
    for entry in &route.targets {
        let name = entry.target.name();
        put(&format!("targets.{name}.weight"), entry.weight.into());
        put(&format!("targets.{name}.priority"), entry.priority.into());
        put(
            &format!("targets.{name}.canary"),
            entry.canary.map_or(Value::Null, number),
        );
    }
}

/// The shortest number that is read back as this one: 0.1 and not 0.10000000149.
fn number(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

//! The document of run-time changes: merged, read and laid over the file's catalog.
//!
//! Pure functions. The document is `{ "routes": { NAME: change } }`; a patch is merged into it by RFC 7396, so that
//! `null` takes an override away and the file shows through again.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tollgate_routing::{Catalog, ChangeProblem, Changes, RouteChange, TargetChange, WeightsChange};

/// Longer texts are cut where a problem quotes them, characters.
const QUOTED: usize = 80;

/// A document that changes nothing.
pub(super) fn nothing() -> Value {
    Value::Object(Map::new())
}

/// Merges `patch` into `document` (RFC 7396).
pub(super) fn merge(document: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        document.clone_from(patch);
        return;
    };
    if !document.is_object() {
        *document = nothing();
    }
    let Value::Object(members) = document else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            // Not `swap_remove`: what people wrote keeps its order.
            members.shift_remove(key);
        } else {
            merge(members.entry(key.as_str()).or_insert(Value::Null), value);
        }
    }
}

/// Takes out what says nothing: objects that are empty, or hold only such.
pub(super) fn prune(document: &mut Value) {
    let Value::Object(members) = document else {
        return;
    };
    for value in members.values_mut() {
        prune(value);
    }
    members.retain(|_, value| value.as_object().is_none_or(|it| !it.is_empty()));
}

/// The names of the routes that a document or a patch speaks of.
pub(super) fn named(document: &Value) -> impl Iterator<Item = &String> {
    let routes = document.get("routes").and_then(Value::as_object);
    routes.into_iter().flat_map(Map::keys)
}

/// Reads a document.
///
/// # Errors
/// All of its problems, each with its path.
pub fn read(document: &Value) -> Result<Changes, Vec<ChangeProblem>> {
    let mut problems = Vec::new();
    let mut changes = Changes::new();
    for (key, value) in members(document, "", &mut problems).into_iter().flatten() {
        if key != "routes" {
            problems.push(problem(key, "unknown key", "`routes`"));
            continue;
        }
        for (name, route) in members(value, "routes", &mut problems).into_iter().flatten() {
            let path = format!("routes.{name}");
            changes.insert(name.clone(), route_change(route, &path, &mut problems));
        }
    }
    if problems.is_empty() {
        Ok(changes)
    } else {
        Err(problems)
    }
}

fn route_change(route: &Value, path: &str, problems: &mut Vec<ChangeProblem>) -> RouteChange {
    let mut own = Map::new();
    let (mut weights, mut targets) = (WeightsChange::default(), BTreeMap::new());
    for (key, value) in members(route, path, problems).into_iter().flatten() {
        let path = format!("{path}.{key}");
        match key.as_str() {
            "weights" => {
                let fields = members(value, &path, problems).cloned().unwrap_or_default();
                weights = fields_of::<WeightsChange>(fields, &path, problems);
            }
            "targets" => {
                for (target, change) in members(value, &path, problems).into_iter().flatten() {
                    let path = format!("{path}.{target}");
                    let fields = members(change, &path, problems).cloned().unwrap_or_default();
                    targets.insert(target.clone(), fields_of::<TargetChange>(fields, &path, problems));
                }
            }
            _ => {
                own.insert(key.clone(), value.clone());
            }
        }
    }
    RouteChange {
        weights,
        targets,
        ..fields_of(own, path, problems)
    }
}

/// The members of an object; of anything else none, and a problem.
fn members<'v>(
    value: &'v Value,
    path: &str,
    problems: &mut Vec<ChangeProblem>,
) -> Option<&'v Map<String, Value>> {
    let members = value.as_object();
    if members.is_none() {
        let path = if path.is_empty() { "(document)" } else { path };
        problems.push(problem(path, &quoted(value), "an object"));
    }
    members
}

/// Reads fields, each alone, so that each problem has its path and none hides another.
fn fields_of<T: DeserializeOwned + Default>(
    fields: Map<String, Value>,
    path: &str,
    problems: &mut Vec<ChangeProblem>,
) -> T {
    let before = problems.len();
    for (key, value) in &fields {
        let alone = Map::from_iter([(key.clone(), value.clone())]);
        if let Err(error) = serde_json::from_value::<T>(Value::Object(alone)) {
            problems.push(mismatch(&format!("{path}.{key}"), value, &error.to_string()));
        }
    }
    if problems.len() > before {
        return T::default();
    }
    match serde_json::from_value(Value::Object(fields)) {
        Ok(read) => read,
        Err(error) => {
            problems.push(problem(
                path,
                "fields that do not go together",
                &error.to_string(),
            ));
            T::default()
        }
    }
}

/// A problem from serde's words: `WHAT, expected WHAT`.
fn mismatch(path: &str, value: &Value, error: &str) -> ChangeProblem {
    let Some((found, expected)) = error.rsplit_once(", expected ") else {
        return problem(path, &quoted(value), error);
    };
    let found = if found.starts_with("unknown field") {
        "unknown key".to_owned()
    } else {
        quoted(value)
    };
    let expected = match expected {
        "f32" => "a number",
        "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "a boolean" => "true or false",
        other => other,
    };
    problem(path, &found, expected)
}

fn problem(path: &str, found: &str, expected: &str) -> ChangeProblem {
    ChangeProblem {
        path: path.to_owned(),
        found: found.to_owned(),
        expected: expected.to_owned(),
    }
}

fn quoted(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(QUOTED) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

/// A catalog with changes over it.
pub(super) struct Laid {
    /// The file's catalog, with those changes that fit.
    pub(super) catalog: Catalog,
    /// Why the others do not.
    pub(super) set_aside: Vec<ChangeProblem>,
}

/// Lays changes over the file's catalog. The changes of a route that do not fit are left out, whole.
pub(super) fn lay(file: &Catalog, changes: &Changes, epoch: u64) -> Laid {
    let mut set_aside = Vec::new();
    let mut fitting = Changes::new();
    for (name, change) in changes {
        match fit(file, name, change) {
            Ok(()) => drop(fitting.insert(name.clone(), change.clone())),
            Err(problems) => set_aside.extend(problems),
        }
    }
    let catalog = file.changed(&fitting, epoch).unwrap_or_else(|problems| {
        set_aside.extend(problems);
        file.unchanged(epoch)
    });
    Laid { catalog, set_aside }
}

/// Whether the change of one route fits the file.
///
/// # Errors
/// Why it does not.
pub(super) fn fit(file: &Catalog, name: &str, change: &RouteChange) -> Result<(), Vec<ChangeProblem>> {
    let alias = file.routes().find(|route| *route.name == *name);
    if let Some(original) = alias.and_then(|route| route.alias_of.as_deref()) {
        let path = format!("routes.{name}");
        return Err(vec![problem(
            &path,
            "an alias",
            &format!("its route, \"{original}\""),
        )]);
    }
    let alone = Changes::from([(name.to_owned(), change.clone())]);
    file.changed(&alone, file.epoch).map(drop)
}

#[cfg(test)]
mod tests;

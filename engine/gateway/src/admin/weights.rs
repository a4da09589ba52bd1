//! The weights of all routes: read as one document, changed as one transaction.

use actix_web::http::header::ETAG;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value, json};
use tollgate_actors::Live;

use super::document::{all_as_they_are, tidy};
use super::request::{Query, nothing_else, object};
use super::{Admin, Answer, Problem, change};

/// What is in force, as a document that could be sent back.
pub(super) async fn all(admin: Data<Admin>) -> Answer {
    let live = admin.shared.published.load();
    let body = json!({
        "version": live.version,
        "epoch": live.epoch(),
        "staged": live.staged.as_ref().map(|it| it.version),
        "routes": tidy(&all_as_they_are(&live.catalog)),
        "overrides": overrides(&live),
    });
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, change::etag(live.version)))
        .json(body))
}

/// Changes any number of routes, as a whole or not at all.
pub(super) async fn change(admin: Data<Admin>, request: HttpRequest, query: Query, body: Payload) -> Answer {
    let members = object(&request, body).await?;
    change::make(&admin, &request, &query, members, |members| {
        nothing_else(&members, &["routes"])?;
        if !members.contains_key("routes") {
            let expected = "changes by route: {\"routes\": {\"fast\": {\"weights\": {\"cost\": 2}}}}";
            let problem = Problem::new(super::Kind::Refused, "there is nothing to change");
            return Err(problem.at("routes", "nothing", expected));
        }
        Ok(Value::Object(members))
    })
    .await
}

/// What differs from the config file, as a document of changes.
pub(super) fn overrides(live: &Live) -> Value {
    let file = tidy(&all_as_they_are(&live.settings.catalog));
    let now = tidy(&all_as_they_are(&live.catalog));
    differing(&file, &now).unwrap_or_else(|| json!({}))
}

/// The parts of `now` that are not in `file`; `None`: there are none.
fn differing(file: &Value, now: &Value) -> Option<Value> {
    let (Value::Object(file), Value::Object(now)) = (file, now) else {
        return (file != now).then(|| now.clone());
    };
    let parts = now.iter().filter_map(|(key, value)| {
        let part = file
            .get(key)
            .map_or_else(|| Some(value.clone()), |was| differing(was, value))?;
        Some((key.clone(), part))
    });
    let parts: Map<String, Value> = parts.collect();
    (!parts.is_empty()).then_some(Value::Object(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_from_the_file_is_an_override() {
        let file =
            json!({"a": {"weights": {"cost": 1.0, "latency": 1.0}, "sticky": false}, "b": {"sticky": false}});
        let now = json!({"a": {"weights": {"cost": 2.0, "latency": 1.0}, "deadline_ms": 5, "sticky": false}, "b": {"sticky": false}});
        let parts = differing(&file, &now).unwrap();
        assert_eq!(parts, json!({"a": {"weights": {"cost": 2.0}, "deadline_ms": 5}}));
        assert_eq!(differing(&file, &file), None);
    }
}

//! The document of the API and the API itself agree: every path and parameter both ways, and answers over real sockets
//! against the schemas.

mod cache;
mod schema;
mod stack;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::system::OPENAPI;
use super::table::ENDPOINTS;
use schema::Schemas;
use stack::Stack;

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// Every method of every path in the document, with the parameters of its query.
fn documented() -> BTreeSet<(String, String, Vec<String>)> {
    let document = document();
    let paths = document["paths"].as_object().unwrap().clone();
    let operations = paths.into_iter().flat_map(|(path, item)| {
        let item = item.as_object().unwrap().clone();
        let methods = item.into_iter().filter(|(name, _)| name != "parameters");
        methods.map(move |(method, operation)| {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let query = parameters.iter().filter(|it| it["in"] == "query");
            let query = query.map(|it| it["name"].as_str().unwrap().to_owned()).collect();
            (method.to_uppercase(), path.clone(), query)
        })
    });
    operations.collect()
}

#[test]
fn everything_served_is_documented_and_everything_documented_is_served() {
    let served = ENDPOINTS.iter().map(|it| {
        let query = it.query.iter().map(|&name| name.to_owned()).collect();
        (it.method.to_owned(), it.path.to_owned(), query)
    });
    let served: BTreeSet<(String, String, Vec<String>)> = served.collect();
    assert_eq!(
        served.len(),
        ENDPOINTS.len(),
        "an endpoint stands in the table twice"
    );
    assert_eq!(served, documented());
}

#[test]
fn the_methods_of_a_path_stand_together_in_the_table() {
    let mut paths: Vec<_> = ENDPOINTS.iter().map(|it| it.path).collect();
    paths.dedup();
    let distinct: BTreeSet<_> = paths.iter().collect();
    assert_eq!(distinct.len(), paths.len());
}

#[test]
fn the_document_is_openapi_and_its_references_lead_somewhere() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for item in document["paths"].as_object().unwrap().values() {
        for (_, operation) in item
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, _)| *name != "parameters")
        {
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap()),
                "{operation}"
            );
            assert!(operation["responses"]["200"].is_object(), "{operation}");
            assert!(operation["responses"]["401"].is_object(), "{operation}");
        }
    }
    let (mut found, mut open) = (0, vec![&document]);
    while let Some(value) = open.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            assert!(
                document.pointer(&reference[1..]).is_some(),
                "{reference} leads nowhere"
            );
            found += 1;
        }
        match value {
            Value::Object(members) => open.extend(members.values()),
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    assert!(found > 50, "{found} references");
}

#[test]
fn answers_are_as_the_document_says() {
    let stack = Stack::start();
    let schemas = Schemas(document());
    let id = stack.refused_chat("fast");
    for (path, schema) in [
        ("/status".to_owned(), "Status"),
        ("/admin/v1/health".to_owned(), "HealthList"),
        ("/admin/v1/health/west".to_owned(), "HealthList"),
        ("/admin/v1/breakers".to_owned(), "BreakerList"),
        ("/admin/v1/routes".to_owned(), "RouteList"),
        ("/admin/v1/routes/fast".to_owned(), "Route"),
        ("/admin/v1/routes/local/%2A".to_owned(), "Route"),
        ("/admin/v1/routes/quick".to_owned(), "Route"),
        ("/admin/v1/weights".to_owned(), "Weights"),
        ("/admin/v1/versions".to_owned(), "VersionList"),
        ("/admin/v1/rollout".to_owned(), "Rollout"),
        ("/admin/v1/catalog".to_owned(), "Catalog"),
        ("/admin/v1/actors".to_owned(), "Actors"),
        ("/admin/v1/config".to_owned(), "Config"),
        (
            "/admin/v1/decisions?route=fast&limit=5".to_owned(),
            "DecisionList",
        ),
        (format!("/admin/v1/decisions/{id}"), "DecisionRecord"),
    ] {
        let (status, body) = stack.get(&path);
        assert_eq!(status, 200, "{path}: {body}");
        assert_eq!(
            schemas.faults(schema, &body),
            Vec::<String>::new(),
            "{path}: {body:#}"
        );
    }
    let replay =
        json!({"changes": {"routes": {"fast": {"weights": {"cost": 5}}}}, "route": "fast", "limit": 10});
    let (status, body) = stack.send("POST", "/admin/v1/replays", &replay);
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        schemas.faults("Forecast", &body),
        Vec::<String>::new(),
        "{body:#}"
    );
    assert!(body["decisions"].as_u64().unwrap() > 0, "{body}");
    let (status, body) = stack.send("POST", "/admin/v1/reload", &json!({}));
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        schemas.faults("Reloaded", &body),
        Vec::<String>::new(),
        "{body:#}"
    );
}

#[test]
fn weights_are_changed_looked_at_and_taken_back() {
    let stack = Stack::start();
    let schemas = Schemas(document());
    let change = |reason: &str, cost: f64| json!({"routes": {"fast": {"weights": {"cost": cost}, "targets": {"west/m": {"weight": 7}}}}, "reason": reason, "author": "ann"});
    let (status, dry) = stack.send("PATCH", "/admin/v1/weights?dry_run=true", &change("", 2.0));
    assert_eq!(status, 200, "{dry}");
    assert_eq!(schemas.faults("Changed", &dry), Vec::<String>::new(), "{dry:#}");
    assert_eq!(
        (&dry["version"], dry["diff"].as_array().unwrap().len()),
        (&json!(0), 2),
        "{dry}"
    );
    let (status, made) = stack.send("PATCH", "/admin/v1/weights", &change("cheaper", 2.0));
    assert_eq!(status, 200, "{made}");
    assert_eq!(schemas.faults("Changed", &made), Vec::<String>::new(), "{made:#}");
    assert_eq!(made["version"], 1);
    // How many have it already when the reply is sent depends on how busy they are; here that they are counted.
    assert!(made["applied"]["of"].as_u64() > Some(0), "{made}");
    assert_eq!(
        made["diff"][1],
        json!({"path": "routes.fast.weights.cost", "before": 1.0, "after": 2.0}),
        "{made}"
    );
    let (_, weights) = stack.get("/admin/v1/weights");
    assert_eq!(weights["routes"]["fast"]["weights"]["cost"], 2.0, "{weights}");
    let overrides = json!({"fast": {"weights": {"cost": 2.0}, "targets": {"west/m": {"weight": 7}}}});
    assert_eq!(weights["overrides"], overrides, "{weights}");
    let (status, problem) = stack.conditional(0, &change("late", 3.0));
    assert_eq!((status, &problem["version"]), (412, &json!(1)), "{problem}");
    assert_eq!(schemas.faults("Problem", &problem), Vec::<String>::new());
    let (status, _) = stack.conditional(1, &change("in time", 3.0));
    assert_eq!(status, 200);
    let (status, back) = stack.send(
        "POST",
        "/admin/v1/versions/rollback",
        &json!({"to": 0, "reason": "worse"}),
    );
    assert_eq!(status, 200, "{back}");
    assert_eq!(schemas.faults("Changed", &back), Vec::<String>::new(), "{back:#}");
    let (_, weights) = stack.get("/admin/v1/weights");
    assert_eq!(
        (
            &weights["routes"]["fast"]["weights"]["cost"],
            &weights["overrides"]
        ),
        (&json!(1.0), &json!({}))
    );
    let (_, versions) = stack.get("/admin/v1/versions");
    assert_eq!(
        schemas.faults("VersionList", &versions),
        Vec::<String>::new(),
        "{versions:#}"
    );
    let reasons: Vec<_> = versions["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["reason"])
        .collect();
    assert_eq!(reasons, ["worse", "in time", "cheaper"], "{versions}");
}

#[test]
fn one_route_is_changed_under_any_of_its_names() {
    let stack = Stack::start();
    let body = json!({"strategy": "scored", "reason": "try"});
    let (status, made) = stack.send("PATCH", "/admin/v1/routes/quick", &body);
    assert_eq!(status, 200, "{made}");
    assert_eq!(made["diff"][0]["path"], "routes.fast.strategy", "{made}");
    let (_, route) = stack.get("/admin/v1/routes/fast");
    assert_eq!(
        (&route["settings"]["strategy"], &route["overrides"]),
        (&json!("scored"), &json!({"strategy": "scored"}))
    );
}

#[test]
fn a_rollout_is_seen_and_ended() {
    let stack = Stack::start();
    let schemas = Schemas(document());
    let body = json!({"routes": {"fast": {"weights": {"cost": 4}}}, "reason": "carefully"});
    let query = "/admin/v1/weights?rollout=10%25&hold=1h&max_error_ratio=2%25&max_ttft=2s&min_requests=100";
    let (status, staged) = stack.send("PATCH", query, &body);
    assert_eq!(status, 200, "{staged}");
    assert_eq!(
        schemas.faults("Changed", &staged),
        Vec::<String>::new(),
        "{staged:#}"
    );
    let (_, rollout) = stack.get("/admin/v1/rollout");
    assert_eq!(
        schemas.faults("Rollout", &rollout),
        Vec::<String>::new(),
        "{rollout:#}"
    );
    assert_eq!(rollout["rollout"]["version"], staged["version"], "{rollout}");
    assert_eq!(stack.send("PATCH", "/admin/v1/weights", &body).0, 409);
    let (status, ended) = stack.send("POST", "/admin/v1/rollout", &json!({"action": "promote"}));
    assert_eq!(status, 200, "{ended}");
    assert_eq!(stack.get("/admin/v1/rollout").1["rollout"], Value::Null);
    assert_eq!(
        stack.get("/admin/v1/weights").1["routes"]["fast"]["weights"]["cost"],
        4.0
    );
    assert_eq!(
        stack
            .send("POST", "/admin/v1/rollout", &json!({"action": "abort"}))
            .0,
        409
    );
}

#[test]
fn a_breaker_is_forced_and_given_back() {
    let stack = Stack::start();
    let schemas = Schemas(document());
    for (force, state) in [
        ("open", "forced_open"),
        ("drain", "drained"),
        ("closed", "forced_closed"),
        ("auto", "closed"),
    ] {
        let body = json!({"force": force, "reason": "maintenance", "author": "ann"});
        let (status, forced) = stack.send("PATCH", "/admin/v1/breakers/west/m", &body);
        assert_eq!((status, &forced["state"]), (200, &json!(state)), "{forced}");
        assert_eq!(
            schemas.faults("Forced", &forced),
            Vec::<String>::new(),
            "{forced:#}"
        );
        assert_eq!(stack.get("/status").1["breakers"]["west/m"], state);
    }
}

/// Asserts that each is refused with this status, and with a problem at this path (empty: any).
fn refused(stack: &Stack, cases: &[(&str, &str, Value, u16, &str)]) {
    let schemas = Schemas(document());
    for (method, path, body, status, at) in cases {
        let (found, problem) = stack.send(method, path, body);
        assert_eq!(found, *status, "{method} {path} {body}: {problem}");
        assert_eq!(
            schemas.faults("Problem", &problem),
            Vec::<String>::new(),
            "{problem:#}"
        );
        assert_eq!(problem["status"], *status, "{problem}");
        if !at.is_empty() {
            assert_eq!(
                problem["problems"][0]["path"], *at,
                "{method} {path} {body}: {problem}"
            );
        }
    }
    assert_eq!(
        stack.get("/admin/v1/versions").1["version"],
        0,
        "nothing was changed"
    );
}

#[test]
fn paths_and_queries_that_are_not_known_are_refused_with_where_and_how() {
    let none = || json!({});
    refused(
        &Stack::start(),
        &[
            ("GET", "/admin/v1/health?colour=red", none(), 400, "query.colour"),
            ("GET", "/admin/v1/decisions?limit=0", none(), 400, "query.limit"),
            (
                "GET",
                "/admin/v1/decisions?format=xml",
                none(),
                400,
                "query.format",
            ),
            ("GET", "/admin/v1/decisions/nonsense", none(), 400, ""),
            (
                "GET",
                "/admin/v1/decisions/req_00000000000000000000000000",
                none(),
                404,
                "",
            ),
            ("GET", "/admin/v1/health/nobody", none(), 404, ""),
            ("GET", "/admin/v1/routes/fsat", none(), 404, ""),
            ("GET", "/admin/v2", none(), 404, ""),
            ("DELETE", "/admin/v1/weights", none(), 405, ""),
        ],
    );
}

#[test]
fn changes_that_cannot_be_are_refused_with_where_and_how() {
    let routes = |routes: Value| json!({"routes": routes, "reason": "x"});
    let weights = "/admin/v1/weights";
    refused(
        &Stack::start(),
        &[
            (
                "PATCH",
                weights,
                json!({"routes": {"fast": {"sticky": true}}}),
                422,
                "reason",
            ),
            ("PATCH", weights, json!({"reason": "x"}), 422, "routes"),
            (
                "PATCH",
                weights,
                json!({"routes": {}, "reason": "x", "colour": 1}),
                400,
                "colour",
            ),
            (
                "PATCH",
                weights,
                routes(json!({"nobody": {"sticky": true}})),
                422,
                "routes.nobody",
            ),
            (
                "PATCH",
                weights,
                routes(json!({"fast": {"weights": {"cots": 1}}})),
                422,
                "routes.fast.weights.cots",
            ),
            (
                "PATCH",
                weights,
                routes(json!({"fast": {"weights": {"cost": -1}}})),
                422,
                "routes.fast.weights.cost",
            ),
            (
                "PATCH",
                "/admin/v1/weights?hold=5s",
                routes(json!({})),
                400,
                "query.hold",
            ),
            ("POST", "/admin/v1/replays", json!({}), 400, "changes"),
            (
                "POST",
                "/admin/v1/replays",
                json!({"changes": {"routes": {"nobody": {"sticky": true}}}}),
                422,
                "routes.nobody",
            ),
            (
                "POST",
                "/admin/v1/replays",
                json!({"changes": {}, "limit": 0}),
                400,
                "limit",
            ),
        ],
    );
}

#[test]
fn orders_that_make_no_sense_are_refused_with_where_and_how() {
    let force = |force: &str| json!({"force": force, "reason": "x"});
    refused(
        &Stack::start(),
        &[
            ("PATCH", "/admin/v1/breakers/west/nobody", force("open"), 404, ""),
            ("PATCH", "/admin/v1/breakers/west/m", force("ajar"), 400, "force"),
            (
                "PATCH",
                "/admin/v1/breakers/west/m",
                json!({"force": "open"}),
                422,
                "reason",
            ),
            (
                "POST",
                "/admin/v1/versions/rollback",
                json!({"to": -1, "reason": "x"}),
                400,
                "to",
            ),
            (
                "POST",
                "/admin/v1/versions/rollback",
                json!({"to": 99, "reason": "x"}),
                404,
                "",
            ),
            (
                "POST",
                "/admin/v1/versions/rollback",
                json!({"to": 0}),
                422,
                "reason",
            ),
            (
                "POST",
                "/admin/v1/rollout",
                json!({"action": "shrug"}),
                400,
                "action",
            ),
            ("POST", "/admin/v1/rollout", json!({"action": "abort"}), 409, ""),
        ],
    );
}

#[test]
fn with_a_key_everything_but_probes_wants_it() {
    let stack = Stack::with("admin: { listen: \"127.0.0.1:0\", key: \"tg-admin-key-0123456789\" }\n");
    for endpoint in ENDPOINTS {
        let path = endpoint.path.replace(['{', '}'], "");
        let (status, problem) = stack.send(endpoint.method, &path, &json!({}));
        assert_eq!(status, 401, "{path}");
        assert_eq!(problem["type"], "urn:tollgate:problem:unauthorized", "{path}");
    }
    assert_eq!(stack.get("/readyz").0, 200);
    assert_eq!(stack.keyed("tg-admin-key-0123456789", "/status").0, 200);
    assert_eq!(stack.keyed("tg-admin-key-012345678", "/status").0, 401);
}

#[test]
fn an_explanation_is_text_for_those_who_want_text() {
    let stack = Stack::start();
    let id = stack.refused_chat("fast");
    let text = stack.text(&format!("/admin/v1/decisions/{id}"));
    assert!(text.starts_with(&id) && text.contains("west/m"), "{text}");
    let (_, record) = stack.get(&format!("/admin/v1/decisions/{id}"));
    assert_eq!(record["explanation"], text);
    let lines = stack.text("/admin/v1/decisions?format=jsonl");
    assert_eq!(lines.lines().count(), 1);
    assert!(lines.contains(&id));
}

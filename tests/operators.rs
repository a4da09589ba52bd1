//! Operators retune weights at run time, ask why, and rehearse what a change would do.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate_loadtest::Behaviour;
use tollgate_tests::{BEARER, Stack, chat, failing, get, on_time, post, scratch_file, slow, tally};

const TWO: &str = r#"
breaker: { enabled: false }
providers:
  cheap: { kind: openai, base_url: "http://{mock}/p/cheap/v1", api_key: "key-of-cheap-00001" }
  quick: { kind: openai, base_url: "http://{mock}/p/quick/v1", api_key: "key-of-quick-00001" }
models:
  shared: { targets: [ { provider: cheap, model: m, weight: 1 }, { provider: quick, model: m, weight: 0 } ] }
  scored: { explore: 0%, weights: { cost: 1, latency: 0, availability: 0 }, targets: [
    { provider: cheap, model: m, price: { input: "$0.10", output: "$0.10" } },
    { provider: quick, model: m, price: { input: "$5", output: "$5" } } ] }
"#;

const WEIGHTS: &str = "/admin/v1/weights";

fn swap() -> Value {
    json!({ "routes": { "shared": { "targets": { "cheap/m": { "weight": 0 }, "quick/m": { "weight": 1 } } } },
            "author": "sre", "reason": "cheap is being repaired" })
}

async fn serves(stack: &Stack, model: &str) -> String {
    let response = stack.chat(&chat(model)).await;
    response.header("x-tollgate-provider").unwrap_or("-").to_owned()
}

#[tokio::test]
async fn a_change_of_weights_is_live_at_once_versioned_and_taken_back() {
    on_time(async || {
        let stack = Stack::start(TWO).await;
        assert_eq!(serves(&stack, "shared").await, "cheap");
        let begun = Instant::now();
        let changed = stack.admin_send("PATCH", WEIGHTS, &[], &swap()).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
        assert_eq!(serves(&stack, "shared").await, "quick");
        assert!(
            begun.elapsed() < Duration::from_millis(100),
            "{:?}",
            begun.elapsed()
        );
        let reply = changed.json();
        assert_eq!(reply["applied"], json!({ "applied": 2, "of": 2 }), "{reply}");
        assert_eq!(
            (&reply["version"], &reply["persistent"]),
            (&json!(1), &json!(false)),
            "{reply}"
        );
        let versions = stack.admin_get("/admin/v1/versions").await;
        let newest = &versions["versions"][0];
        assert_eq!(
            (&newest["author"], &newest["reason"]),
            (&json!("sre"), &json!("cheap is being repaired"))
        );
        let back = json!({ "author": "sre", "reason": "repaired" });
        let rolled = stack
            .admin_send("POST", "/admin/v1/versions/rollback", &[], &back)
            .await;
        assert_eq!(rolled.status, 200, "{}", rolled.text());
        assert_eq!(serves(&stack, "shared").await, "cheap");
    })
    .await;
}

#[tokio::test]
async fn a_change_that_is_wrong_or_late_changes_nothing() {
    let stack = Stack::start(TWO).await;
    let mut wrong = swap();
    wrong["routes"]["shared"]["targets"]["nobody/m"] = json!({ "weight": 1 });
    wrong["routes"]["shared"]["weights"] = json!({ "cost": -1 });
    let refused = stack.admin_send("PATCH", WEIGHTS, &[], &wrong).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert!(
        refused.text().contains("nobody/m") && refused.text().contains("weights.cost"),
        "{}",
        refused.text()
    );
    let mut silent = swap();
    silent.as_object_mut().unwrap().remove("reason");
    assert!((400..=422).contains(&stack.admin_send("PATCH", WEIGHTS, &[], &silent).await.status));
    assert_eq!(serves(&stack, "shared").await, "cheap");
    let first = stack
        .admin_send("PATCH", WEIGHTS, &[("if-match", "\"0\"")], &swap())
        .await;
    assert_eq!(first.status, 200, "{}", first.text());
    let lost = stack
        .admin_send("PATCH", WEIGHTS, &[("if-match", "\"0\"")], &swap())
        .await;
    assert_eq!(lost.status, 412, "{}", lost.text());
}

#[tokio::test]
async fn a_dry_run_foretells_what_then_happens() {
    on_time(async || {
        let stack = Stack::start(TWO).await;
        stack.set("cheap", slow(60.0));
        stack.set("quick", slow(2.0));
        // Both must have been measured for a forecast of time to mean anything.
        stack.admin_send("PATCH", WEIGHTS, &[], &json!({ "routes": { "scored": { "weights": { "cost": 0, "latency": 1 } } }, "author": "a", "reason": "to measure" })).await;
        stack.many("scored", 60, 4).await;
        let back = json!({ "author": "a", "reason": "measured" });
        stack
            .admin_send("POST", "/admin/v1/versions/rollback", &[], &back)
            .await;
        stack.many("scored", 200, 4).await;
        let change = json!({ "routes": { "scored": { "weights": { "cost": 0, "latency": 1 } } }, "author": "sre", "reason": "faster" });
        let foretold = stack
            .admin_send("PATCH", &format!("{WEIGHTS}?dry_run=true"), &[], &change)
            .await;
        assert_eq!(foretold.status, 200, "{}", foretold.text());
        let forecast = &foretold.json()["forecast"];
        let route = &forecast["routes"].as_array().unwrap()[0];
        let share = |target: &str| {
            let shares = route["shares"].as_array().unwrap();
            shares
                .iter()
                .find(|it| it["target"] == target)
                .map_or(0.0, |it| it["share"]["after"].as_f64().unwrap())
        };
        assert_eq!(serves(&stack, "scored").await, "cheap", "nothing has changed yet");
        let changed = stack.admin_send("PATCH", WEIGHTS, &[], &change).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
        let served = tally(&stack.many("scored", 200, 4).await);
        let happened = served.get("quick").copied().unwrap_or(0) as f64 / 200.0;
        assert!(
            (share("quick/m") - happened).abs() < 0.15,
            "foretold {}, happened {happened}: {forecast}",
            share("quick/m")
        );
        assert!(happened > 0.85, "{served:?}");
    })
    .await;
}

#[tokio::test]
async fn every_decision_can_be_explained_and_made_again() {
    let stack = Stack::start(TWO).await;
    stack.set("cheap", failing(503));
    let body = r#"{"model":"scored","messages":[{"role":"user","content":"my secret prompt"}]}"#;
    let headers = [BEARER, ("x-tollgate-decision", "1")];
    let response = post(stack.addr, "/v1/chat/completions", &headers, body).await;
    assert_eq!(
        (response.status, response.header("x-tollgate-provider")),
        (200, Some("quick"))
    );
    let summary = response.header("x-tollgate-decision").unwrap();
    assert!(
        summary.contains("cheap/m place=") && summary.contains("quick/m place="),
        "{summary}"
    );
    let id = response.header("x-request-id").unwrap();
    let path = format!("/admin/v1/decisions/{id}");
    let decision = stack.admin_get(&path).await;
    let text = decision.to_string();
    assert!(!text.contains("secret prompt"), "{text}");
    assert_eq!(decision["attempts"][0]["outcome"], "overloaded", "{text}");
    assert_eq!(
        decision["decision"]["question"]["candidates"]
            .as_array()
            .unwrap()
            .len(),
        2,
        "{text}"
    );
    let words = get(stack.admin, &path, &[("accept", "text/plain")]).await.text();
    assert!(
        words.contains("1. cheap/m") && words.contains("overloaded (503)"),
        "{words}"
    );
    stack.set("cheap", Behaviour::default());
    stack.many("scored", 50, 4).await;
    stack.many("shared", 50, 4).await;
    let same = stack
        .admin_send(
            "POST",
            "/admin/v1/replays",
            &[],
            &json!({ "changes": { "routes": {} } }),
        )
        .await;
    let forecast = same.json();
    assert_eq!(same.status, 200, "{forecast}");
    assert_eq!(
        (&forecast["decisions"], &forecast["reordered"]),
        (&json!(101), &json!(0)),
        "{forecast}"
    );
    assert_eq!(
        get(
            stack.admin,
            "/admin/v1/decisions/req_00000000000000000000000000",
            &[]
        )
        .await
        .status,
        404
    );
}

#[tokio::test]
async fn a_staged_change_that_breaks_its_promise_is_taken_back_by_itself() {
    let stack = Stack::start(TWO).await;
    stack.set("quick", failing(500));
    let path = format!("{WEIGHTS}?rollout=50%25&hold=60s&max_error_ratio=10%25&min_requests=10");
    let staged = stack.admin_send("PATCH", &path, &[], &swap()).await;
    assert_eq!(staged.status, 200, "{}", staged.text());
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        stack.many("shared", 20, 4).await;
        let versions = stack.admin_get("/admin/v1/versions").await;
        let newest = &versions["versions"][0];
        if newest["taken_back"]["automatic"] == json!(true) {
            assert_eq!(versions["version"], json!(0), "{versions}");
            break;
        }
        assert!(Instant::now() < deadline, "{versions}");
    }
    let served = stack.many("shared", 40, 4).await;
    assert_eq!(tally(&served).get("cheap"), Some(&40));
}

#[tokio::test]
async fn changes_survive_a_reload_and_with_a_state_file_a_restart() {
    let state = scratch_file("json");
    let config = format!(
        "{TWO}admin: {{ listen: \"127.0.0.1:0\", state: \"{}\" }}\n",
        state.display()
    );
    {
        let stack = Stack::start(&config).await;
        let changed = stack.admin_send("PATCH", WEIGHTS, &[], &swap()).await;
        assert_eq!(changed.json()["persistent"], json!(true), "{}", changed.text());
        stack.rewrite(&config.replace("explore: 0%", "explore: 1%"));
        assert_eq!(stack.reload().await.status, 200);
        assert_eq!(serves(&stack, "shared").await, "quick");
    }
    let again = Stack::start(&config).await;
    assert_eq!(serves(&again, "shared").await, "quick");
    drop(again);
    std::fs::remove_file(state).unwrap();
}

#[tokio::test]
async fn what_is_in_force_says_where_it_comes_from_and_shows_no_secret() {
    let stack = Stack::start(TWO).await;
    let config = stack.admin_get("/admin/v1/config").await.to_string();
    assert!(
        config.contains("\"default\"") && config.contains(".yaml:"),
        "{config}"
    );
    assert!(!config.contains("key-of-cheap"), "{config}");
    let document = stack.admin_get("/admin/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    let actors = stack.admin_get("/admin/v1/actors").await.to_string();
    for actor in ["router/0", "health/cheap", "breaker/quick", "control"] {
        assert!(actors.contains(actor), "{actor} in {actors}");
    }
}

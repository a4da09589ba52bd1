//! Learning from use: a shadow serves nothing, what was wrong is not served again, and each class learns for itself.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_tests::{Response, Stack, eventually, post};

const LEARNING: &str = r#"
breaker: { enabled: false }
cache: { policy: { mode: aggressive } }
providers:
  east: { kind: openai, base_url: "http://{mock}/p/east/v1", api_key: "key-of-east-000001" }
models:
  fast: { targets: [ { provider: east, model: m } ] }
  checked: { cache: { recheck: 100% }, targets: [ { provider: east, model: m } ] }
  tried: { cache: { mode: shadow }, targets: [ { provider: east, model: m } ] }
  shared: { cache: { scope: shared, namespace: all }, targets: [ { provider: east, model: m } ] }
keys:
  - { name: test, key: "tg-test-key-0123456789", models: ["*"] }
  - { name: other, key: "tg-key-of-another-0001", models: ["*"] }
  - { name: narrow, key: "tg-key-of-a-third-0001", models: ["fast"] }
"#;

const TEST: &str = "tg-test-key-0123456789";
const OTHER: &str = "tg-key-of-another-0001";
const NARROW: &str = "tg-key-of-a-third-0001";

const RIGHT: &str = "Multiply the miles by 1.609 to get kilometers.";
const ELSEWHERE: &str = "Bananas are rich in potassium, and so are potatoes and beans.";

fn cache(response: &Response) -> String {
    response.header("x-tollgate-cache").unwrap_or("-").to_owned()
}

/// The number of the entry that was, or would have been, given.
fn entry(response: &Response) -> u64 {
    let said = cache(response);
    let number = said.split("entry=").nth(1).unwrap_or_else(|| panic!("{said}"));
    number.parse().unwrap()
}

/// A question of this number, in other words each time.
fn ask(model: &str, word: &str, number: usize) -> String {
    let text = format!(
        "How {word} I convert {} miles to kilometers by hand?",
        20 + number
    );
    json!({ "model": model, "messages": [ { "role": "user", "content": text } ] }).to_string()
}

async fn say(stack: &Stack, key: &str, body: &str, headers: &[(&str, &str)]) -> Response {
    let bearer = format!("Bearer {key}");
    let mut all = vec![("authorization", bearer.as_str())];
    all.extend_from_slice(headers);
    post(stack.addr, "/v1/chat/completions", &all, body).await
}

async fn judge(stack: &Stack, key: &str, body: &str) -> Response {
    let bearer = format!("Bearer {key}");
    post(
        stack.addr,
        "/v1/cache/feedback",
        &[("authorization", &bearer)],
        body,
    )
    .await
}

fn verdict(entry: u64, verdict: &str) -> String {
    json!({ "entry": entry, "verdict": verdict }).to_string()
}

/// Asks what is not known yet, and waits until the answer is kept.
async fn fill(stack: &Stack, key: &str, body: &str) -> Response {
    let first = say(stack, key, body, &[]).await;
    assert_eq!(first.status, 200, "{}", first.text());
    assert!(cache(&first).starts_with("miss"), "{}", cache(&first));
    for _ in 0..1_000 {
        let only = [("x-tollgate-cache", "only, mode=exact")];
        if say(stack, key, body, &only).await.status == 200 {
            return first;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it is never kept: {body}");
}

fn answer(stack: &Stack, text: &str) {
    let reply = tollgate_loadtest::Reply {
        text: Some(text.to_owned()),
        ..Default::default()
    };
    let behaviour = tollgate_loadtest::Behaviour {
        reply,
        ..Default::default()
    };
    stack.set("east", behaviour);
}

/// What the metrics say of verdicts, once they say as much.
async fn verdicts(stack: &Stack, source: &str, verdict: &str, count: f64) {
    let labels = [("source", source), ("verdict", verdict)];
    for _ in 0..1_000 {
        let told = stack
            .metrics()
            .await
            .sum("tollgate_cache_verdicts_total", &labels);
        if told >= count {
            assert_eq!(told, count, "{source} {verdict}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("there are never {count} verdicts {source} {verdict}");
}

#[tokio::test]
async fn a_shadow_serves_nothing_by_meaning_and_tells_what_it_would_have() {
    let stack = Stack::start(LEARNING).await;
    answer(&stack, RIGHT);
    let asked = |text: &str| {
        json!({ "model": "tried", "messages": [ { "role": "user", "content": text } ] }).to_string()
    };
    let first = asked("How do I reset the password of my account?");
    fill(&stack, TEST, &first).await;
    let other = stack
        .chat(&asked("How can I reset the password of my account?"))
        .await;
    assert!(
        cache(&other).starts_with("miss; would=semantic; score="),
        "{}",
        cache(&other)
    );
    assert_eq!(stack.asked("east"), 2, "it was asked");
    let same = stack.chat(&first).await;
    assert!(cache(&same).starts_with("hit; age="), "{}", cache(&same));
    assert_eq!(
        entry(&same),
        entry(&other),
        "this is what it would have been given"
    );
    let folded = stack
        .chat(&asked("how do I reset the password of my  account"))
        .await;
    assert!(cache(&folded).starts_with("hit; folded"), "{}", cache(&folded));
    // The answers were the same, and that is known.
    verdicts(&stack, "comparison", "right", 1.0).await;
    let shadowed = [("route", "tried"), ("reason", "shadow")];
    let metrics = stack.metrics().await;
    assert_eq!(metrics.sum("tollgate_cache_withheld_total", &shadowed), 1.0);
    let is_told = |line: &Value| line["cache"]["withheld"] == "shadow" && line["cache"]["result"] == "miss";
    eventually("the log tells of it", || stack.log().iter().any(is_told)).await;
    // A client may ask for shadow, where the route would serve, and not the other way round.
    fill(&stack, TEST, &ask("fast", "do", 0)).await;
    let shadow = [("x-tollgate-cache", "mode=shadow")];
    let would = say(&stack, TEST, &ask("fast", "can", 0), &shadow).await;
    assert!(
        cache(&would).starts_with("miss; would=semantic"),
        "{}",
        cache(&would)
    );
    let served = stack.chat(&ask("fast", "could", 0)).await;
    assert!(cache(&served).starts_with("semantic"), "{}", cache(&served));
    let loose = [("x-tollgate-cache", "mode=aggressive")];
    let still = say(
        &stack,
        TEST,
        &asked("How could I reset the password of my account?"),
        &loose,
    )
    .await;
    assert!(cache(&still).starts_with("miss"), "{}", cache(&still));
}

#[tokio::test]
async fn enough_wrong_answers_stop_the_class_and_leave_others_alone() {
    let stack = Stack::start(LEARNING).await;
    let only = [("x-tollgate-cache", "only")];
    answer(&stack, RIGHT);
    for key in [TEST, OTHER] {
        fill(&stack, key, &ask("checked", "do", 0)).await;
        let hit = say(&stack, key, &ask("checked", "can", 0), &only).await;
        assert!(cache(&hit).starts_with("semantic"), "{}", cache(&hit));
    }
    // Two that are wrong are enough here: what would have been given after them no longer would.
    for number in 1..3 {
        answer(&stack, RIGHT);
        fill(&stack, TEST, &ask("checked", "do", number)).await;
        answer(&stack, ELSEWHERE);
        fill(&stack, TEST, &ask("checked", "can", number)).await;
        let wrong = [("x-tollgate-cache", "only, mode=exact")];
        let condemned = say(&stack, TEST, &ask("checked", "do", number), &wrong).await;
        assert_eq!(condemned.status, 504, "what was wrong once is not served again");
    }
    let stopped = say(&stack, TEST, &ask("checked", "can", 0), &only).await;
    assert_eq!((stopped.status, stopped.code().as_str()), (504, "not_cached"));
    let same = say(&stack, TEST, &ask("checked", "do", 0), &only).await;
    assert!(
        cache(&same).starts_with("hit"),
        "the same question is always answered: {}",
        cache(&same)
    );
    let another = say(&stack, OTHER, &ask("checked", "can", 0), &only).await;
    assert!(
        cache(&another).starts_with("semantic"),
        "another tenant: {}",
        cache(&another)
    );
    answer(&stack, RIGHT);
    fill(&stack, TEST, &ask("fast", "do", 0)).await;
    let elsewhere = stack.chat(&ask("fast", "can", 0)).await;
    assert!(
        cache(&elsewhere).starts_with("semantic"),
        "another route: {}",
        cache(&elsewhere)
    );
    verdicts(&stack, "comparison", "wrong", 2.0).await;
    let metrics = stack.metrics().await;
    assert_eq!(metrics.sum("tollgate_cache_condemned_total", &[]), 2.0);
    assert_eq!(metrics.sum("tollgate_cache_classes", &[("state", "closed")]), 1.0);
    // Whoever asks why is told by what holds there.
    let words = ["do", "can"].map(|word| {
        let asked: Value = serde_json::from_str(&ask("checked", word, 0)).unwrap();
        asked["messages"][0]["content"].clone()
    });
    for (class, is_same) in [
        (json!({ "route": "checked", "tenant": "test" }), false),
        (json!({ "route": "checked", "tenant": "other" }), true),
        (json!({ "route": "fast", "tenant": "test" }), true),
        (json!({}), true),
    ] {
        let mut body = json!({ "first": words[0], "second": words[1] });
        body.as_object_mut()
            .unwrap()
            .extend(class.as_object().unwrap().clone());
        let told = stack
            .admin_send("POST", "/admin/v1/cache/explain", &[], &body)
            .await
            .json();
        let mode = &told["modes"]["aggressive"];
        assert_eq!(mode["same"], is_same, "{class}: {mode}");
        assert_eq!(mode["threshold"].is_null(), !is_same, "{class}: {mode}");
        assert!(mode["shipped"].as_f64().unwrap() > 0.5, "{mode}");
    }
}

#[tokio::test]
async fn a_client_may_say_that_its_answer_was_wrong_and_nobody_else_may() {
    let stack = Stack::start(LEARNING).await;
    fill(&stack, TEST, &ask("fast", "do", 0)).await;
    let hit = stack.chat(&ask("fast", "can", 0)).await;
    let id = entry(&hit);
    for key in [OTHER, NARROW] {
        let foreign = judge(&stack, key, &verdict(id, "wrong")).await;
        let unknown = judge(&stack, key, &verdict(id + 1_000, "wrong")).await;
        assert_eq!(
            (foreign.status, foreign.code().as_str()),
            (404, "cache_entry_not_found")
        );
        let message = |response: &Response, id: u64| {
            let message = response.json()["error"]["message"].as_str().unwrap().to_owned();
            message.replace(&id.to_string(), "")
        };
        assert_eq!(
            message(&foreign, id),
            message(&unknown, id + 1_000),
            "nobody can tell which exist"
        );
        assert_eq!((unknown.status, unknown.code()), (404, foreign.code()));
    }
    let still = stack.chat(&ask("fast", "could", 0)).await;
    assert_eq!(entry(&still), id, "nothing has changed");
    let told = judge(&stack, TEST, &verdict(id, "wrong")).await;
    let expected =
        json!({ "object": "cache.feedback", "entry": id.to_string(), "verdict": "wrong", "counts": true });
    assert_eq!((told.status, told.json()), (200, expected));
    for word in ["do", "can", "could"] {
        let asked = stack.chat(&ask("fast", word, 0)).await;
        assert!(
            !cache(&asked).ends_with(&format!("entry={id}")),
            "{word}: {}",
            cache(&asked)
        );
    }
    assert_eq!(
        judge(&stack, TEST, &verdict(id, "wrong")).await.status,
        404,
        "it is gone"
    );
    verdicts(&stack, "client", "wrong", 1.0).await;
}

#[tokio::test]
async fn what_was_right_counts_once_for_each_key() {
    let stack = Stack::start(LEARNING).await;
    fill(&stack, TEST, &ask("shared", "do", 0)).await;
    let hit = stack.chat(&ask("shared", "can", 0)).await;
    let body = verdict(entry(&hit), "right");
    let counts = async |key| judge(&stack, key, &body).await.json()["counts"].clone();
    assert_eq!(counts(TEST).await, true);
    let _ = stack.chat(&ask("shared", "could", 0)).await;
    assert_eq!(counts(TEST).await, false, "it has spoken");
    assert_eq!(
        counts(OTHER).await,
        false,
        "it may speak, but was not given it by meaning"
    );
    let other = say(&stack, OTHER, &ask("shared", "can", 0), &[]).await;
    assert_eq!(entry(&other), entry(&hit), "{}", cache(&other));
    assert_eq!(counts(OTHER).await, true);
    let narrow = judge(&stack, NARROW, &body).await;
    assert_eq!(narrow.status, 404, "its key may not use the model");
    verdicts(&stack, "client", "right", 2.0).await;
    assert_eq!(
        judge(&stack, OTHER, &verdict(entry(&hit), "wrong")).await.status,
        200
    );
    assert_eq!(
        judge(&stack, TEST, &body).await.status,
        404,
        "for all that share it"
    );
}

#[tokio::test]
async fn a_retry_that_says_what_was_wrong_gets_a_new_answer() {
    let stack = Stack::start(LEARNING).await;
    fill(&stack, TEST, &ask("fast", "do", 0)).await;
    let hit = stack.chat(&ask("fast", "can", 0)).await;
    assert!(cache(&hit).starts_with("semantic"), "{}", cache(&hit));
    let said = format!("wrong; entry={}", entry(&hit));
    let feedback = [("x-tollgate-cache-feedback", said.as_str())];
    // From somebody else it is as if nothing had been said.
    let foreign = say(&stack, OTHER, &ask("fast", "can", 7), &feedback).await;
    assert_eq!(foreign.status, 200);
    let still = stack.chat(&ask("fast", "can", 0)).await;
    assert_eq!(entry(&still), entry(&hit));
    let asked = stack.asked("east");
    let again = say(&stack, TEST, &ask("fast", "can", 0), &feedback).await;
    assert_eq!((again.status, cache(&again).as_str()), (200, "miss"));
    assert_eq!(stack.asked("east"), asked + 1);
    // Once more, as a client would that repeats its request: the entry is gone, which is no fault.
    assert_eq!(
        say(&stack, TEST, &ask("fast", "can", 0), &feedback).await.status,
        200
    );
    for nonsense in [
        "",
        "wrong",
        "wrong; entry=x",
        "bad; entry=1",
        "wrong; entry=1; entry=2",
    ] {
        let headers = [("x-tollgate-cache-feedback", nonsense)];
        let refused = say(&stack, TEST, &ask("fast", "do", 9), &headers).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "invalid_value"),
            "{nonsense}"
        );
    }
}

#[tokio::test]
async fn the_log_tells_who_said_what_of_which_answer() {
    let stack = Stack::start(LEARNING).await;
    fill(&stack, TEST, &ask("fast", "do", 0)).await;
    let hit = stack.chat(&ask("fast", "can", 0)).await;
    let id = entry(&hit);
    assert_eq!(judge(&stack, OTHER, &verdict(id, "wrong")).await.status, 404);
    let right = judge(&stack, TEST, &verdict(id, "right")).await;
    let said = format!("wrong; entry={id}");
    let feedback = [("x-tollgate-cache-feedback", said.as_str())];
    say(&stack, TEST, &ask("fast", "can", 0), &feedback).await;
    let told = || -> Vec<Value> {
        let log = stack.log().into_iter();
        log.filter(|it| it["feedback"].is_object()).collect()
    };
    eventually("all of it is told", || told().len() == 3).await;
    let told = told();
    let expected = [
        json!(["other", 404, null, { "entry": id, "verdict": "wrong" }]),
        json!(["test", 200, null, { "entry": id, "verdict": "right", "counts": true }]),
        json!(["test", 200, "fast", { "entry": id, "verdict": "wrong", "counts": false }]),
    ];
    for (line, expected) in told.iter().zip(expected) {
        let line = json!([line["key"], line["status"], line["route"], line["feedback"]]);
        assert_eq!(line, expected);
    }
    assert_eq!(
        (told[1]["outcome"].as_str(), told[1]["id"].as_str()),
        (Some("success"), right.header("x-request-id"))
    );
    assert!(told[1]["request_bytes"].as_u64().unwrap() > 20, "{}", told[1]);
}

#[tokio::test]
async fn feedback_that_is_no_feedback_is_refused_in_words() {
    let stack = Stack::start(LEARNING).await;
    let refused = async |body: &str| {
        let response = judge(&stack, TEST, body).await;
        (response.status, response.code())
    };
    let told = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(refused("").await, told(400, "malformed_body"));
    assert_eq!(refused("{\"entry\": 1").await, told(400, "malformed_body"));
    assert_eq!(refused("[]").await, told(400, "invalid_value"));
    assert_eq!(
        refused("{\"entry\": -1, \"verdict\": \"wrong\"}").await,
        told(400, "invalid_value")
    );
    assert_eq!(
        refused("{\"entry\": 1, \"verdict\": \"meh\"}").await,
        told(400, "invalid_value")
    );
    let huge = format!("{{\"entry\": 1, \"verdict\": \"{}\"}}", "x".repeat(10_000));
    assert_eq!(refused(&huge).await, told(413, "request_too_large"));
    assert_eq!(
        refused(&verdict(1, "wrong")).await,
        told(404, "cache_entry_not_found")
    );
    let nobody = judge(&stack, "tg-nobody", &verdict(1, "wrong")).await;
    assert_eq!((nobody.status, nobody.code().as_str()), (401, "invalid_api_key"));
    assert_eq!(stack.get("/v1/cache/feedback").await.status, 405);
}

#[tokio::test]
async fn what_was_wrong_is_so_after_a_restart() {
    let directory = tollgate_tests::scratch_file("cache");
    let policy = format!("directory: \"{}\", policy:", directory.display());
    let config = LEARNING.replace("cache: { policy:", &format!("cache: {{ {policy}"));
    let mut stack = Stack::start(&config).await;
    for number in [0, 5] {
        fill(&stack, TEST, &ask("fast", "do", number)).await;
    }
    let hit = stack.chat(&ask("fast", "can", 0)).await;
    assert_eq!(
        judge(&stack, TEST, &verdict(entry(&hit), "wrong")).await.status,
        200
    );
    assert!(stack.drained().await);
    let stack = Stack::start(&config).await;
    // The other one is back, so all are that come back.
    for _ in 0..1_000 {
        let only = [("x-tollgate-cache", "only")];
        if say(&stack, TEST, &ask("fast", "do", 5), &only).await.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for word in ["do", "can"] {
        let only = [("x-tollgate-cache", "only")];
        let gone = say(&stack, TEST, &ask("fast", word, 0), &only).await;
        assert_eq!(gone.status, 504, "{}", cache(&gone));
    }
    assert_eq!(
        judge(&stack, TEST, &verdict(entry(&hit), "wrong")).await.status,
        404
    );
    drop(stack);
    std::fs::remove_dir_all(&directory).unwrap();
}

//! What an operator sees of the cache and takes out of it, by the admin API and from a shell.

use std::path::PathBuf;

use serde_json::{Value, json};
use tollgate_tests::{Finished, KEY, Response, Stack, post, run};

const CONFIG: &str = r#"
breaker: { enabled: false }
cache: { policy: { mode: aggressive } }
providers:
  east: { kind: openai, base_url: "http://{mock}/p/east/v1", api_key: "key-of-east-000001" }
models:
  fast: { cache: { tags: [prices] }, aliases: [quick], targets: [
    { provider: east, model: m, price: { input: "$10", output: "$20" } } ] }
  slow: { targets: [ { provider: east, model: m } ] }
keys:
  - { name: test, key: "tg-test-key-0123456789", models: ["*"] }
  - { name: other, key: "tg-key-of-another-0001", models: ["*"] }
"#;
const OTHER: &str = "tg-key-of-another-0001";

const MILES: &str = "How do I convert 20 miles to kilometers by hand?";
const MILES_AGAIN: &str = "How can I convert 20 miles to kilometers by hand?";
const POUNDS: &str = "How do I convert 20 pounds to kilograms by hand?";

async fn ask(stack: &Stack, key: &str, model: &str, text: &str, cache: &str) -> Response {
    let body = json!({ "model": model, "messages": [ { "role": "user", "content": text } ] }).to_string();
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("x-tollgate-cache", cache)];
    post(stack.addr, "/v1/chat/completions", &headers, &body).await
}

/// Asks, and waits until the answer is kept. The number of its entry.
async fn keep(stack: &Stack, key: &str, model: &str, text: &str) -> u64 {
    assert_eq!(ask(stack, key, model, text, "mode=aggressive").await.status, 200);
    for _ in 0..2_000 {
        let again = ask(stack, key, model, text, "only, mode=exact").await;
        if again.status == 200 {
            let said = again.header("x-tollgate-cache").unwrap().to_owned();
            return said.rsplit_once("entry=").unwrap().1.parse().unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it is never kept: {text}");
}

async fn is_kept(stack: &Stack, key: &str, model: &str, text: &str) -> bool {
    ask(stack, key, model, text, "only, mode=exact").await.status == 200
}

async fn invalidate(stack: &Stack, body: &Value) -> u64 {
    let done = stack
        .admin_send("POST", "/admin/v1/cache/invalidate", &[], body)
        .await;
    assert_eq!(done.status, 200, "{body}: {}", done.text());
    done.json()["invalidated"].as_u64().unwrap()
}

#[tokio::test]
async fn hits_misses_and_what_they_save_are_counted_by_route() {
    let stack = Stack::start(CONFIG).await;
    let entry = keep(&stack, KEY, "fast", MILES).await;
    let before = stack.admin_get("/admin/v1/cache").await;
    let same = ask(&stack, KEY, "quick", MILES_AGAIN, "mode=aggressive").await;
    assert!(
        same.header("x-tollgate-cache").unwrap().starts_with("semantic"),
        "{:?}",
        same.header("x-tollgate-cache")
    );
    ask(
        &stack,
        KEY,
        "fast",
        "how do I convert 20 miles to kilometers by hand",
        "only",
    )
    .await;
    ask(&stack, KEY, "fast", MILES, "off").await;
    // What was answered is counted when it is settled, a moment after the client has it.
    let mut patience = 2_000;
    let after = loop {
        let now = stack.admin_get("/admin/v1/cache").await;
        if now["routes"][0]["bypasses"]["request"] == 1 {
            break now;
        }
        patience -= 1;
        assert!(patience > 0, "{now:#}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    let [was, is] = [&before, &after].map(|it| {
        let routes = it["routes"].as_array().unwrap();
        routes.iter().find(|it| it["route"] == "fast").unwrap().clone()
    });
    let more = |pointer: &str| {
        let of = |it: &Value| it.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        of(&is) - of(&was)
    };
    assert_eq!(
        ["hit_semantic", "hit_folded", "bypass", "miss"].map(|it| more(&format!("/requests/{it}"))),
        [1, 1, 1, 0],
        "{is:#}"
    );
    let one = stack.admin_get(&format!("/admin/v1/cache/entries/{entry}")).await;
    let cost: f64 = one["cost_usd"].as_str().unwrap().parse().unwrap();
    assert!(cost > 0.0, "{one:#}");
    let saved = more("/saved_nanodollars") as f64 / 1e9;
    assert!((saved - 2.0 * cost).abs() < 1e-12, "{saved} {cost}");
    let log = stack.log();
    assert!(
        log.iter()
            .all(|it| it["route"] == "fast" || it["route"] == "quick"),
        "{log:#?}"
    );
    assert_eq!((&is["mode"], &is["scope"]), (&json!("aggressive"), &json!("key")));
    assert_eq!(
        (&after["entries"], &after["compares_by_meaning"]),
        (&json!(1), &json!(true))
    );
    assert!(after["bytes"]["total"].as_u64().unwrap() > 200, "{after:#}");
}

#[tokio::test]
async fn entries_are_listed_and_shown_with_question_and_answer() {
    let stack = Stack::start(CONFIG).await;
    let first = keep(&stack, KEY, "fast", MILES).await;
    let second = keep(&stack, OTHER, "slow", POUNDS).await;
    keep(&stack, OTHER, "slow", POUNDS).await;
    let numbers = |list: &Value| -> Vec<u64> {
        let entries = list["entries"].as_array().unwrap();
        entries.iter().map(|it| it["entry"].as_u64().unwrap()).collect()
    };
    let list = |query: &'static str| {
        let stack = &stack;
        async move { stack.admin_get(&format!("/admin/v1/cache/entries{query}")).await }
    };
    assert_eq!(numbers(&list("").await), [second, first], "the newest first");
    assert_eq!(
        numbers(&list("?route=quick").await),
        [first],
        "by another name of its route"
    );
    assert_eq!(numbers(&list("?tag=prices").await), [first]);
    assert_eq!(numbers(&list("?tenant=other&sort=hits").await), [second]);
    assert_eq!(numbers(&list("?tenant=nobody").await), [0_u64; 0]);
    let cut = list("?limit=1&sort=bytes").await;
    assert_eq!((&cut["matching"], numbers(&cut).len()), (&json!(2), 1));
    let one = stack.admin_get(&format!("/admin/v1/cache/entries/{first}")).await;
    assert_eq!(
        (&one["question"], &one["route"], &one["tenant"], &one["tags"]),
        (&json!(MILES), &json!("fast"), &json!("test"), &json!(["prices"]))
    );
    let said = ask(&stack, KEY, "fast", MILES, "only").await.json();
    assert_eq!(one["answer"]["text"], said["choices"][0]["message"]["content"]);
    assert_eq!(one["servable"], true);
}

#[tokio::test]
async fn what_is_invalidated_is_gone_and_nothing_else() {
    let stack = Stack::start(CONFIG).await;
    let all = [
        (KEY, "fast", MILES),
        (KEY, "slow", MILES),
        (OTHER, "fast", POUNDS),
        (OTHER, "slow", POUNDS),
    ];
    let cases = [
        (
            json!({ "route": "quick", "reason": "new prices" }),
            [true, false, true, false],
        ),
        (json!({ "tenant": "other" }), [false, false, true, true]),
        (
            json!({ "tag": "prices", "tenant": "test" }),
            [true, false, false, false],
        ),
        (json!({ "tag": "nothing" }), [false; 4]),
        (json!({ "older_than": "1h" }), [false; 4]),
        (
            json!({ "older_than": "1ms", "route": "slow" }),
            [false, true, false, true],
        ),
        (json!({ "all": true }), [true; 4]),
    ];
    for (body, gone) in cases {
        for (key, model, text) in all {
            keep(&stack, key, model, text).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        let count = gone.iter().filter(|it| **it).count() as u64;
        assert_eq!(invalidate(&stack, &body).await, count, "{body}");
        for ((key, model, text), is_gone) in all.into_iter().zip(gone) {
            assert_eq!(
                is_kept(&stack, key, model, text).await,
                !is_gone,
                "{body} {key} {model}"
            );
        }
    }
    let entry = keep(&stack, KEY, "fast", MILES).await;
    assert_eq!(invalidate(&stack, &json!({ "entry": entry })).await, 1);
    assert!(!is_kept(&stack, KEY, "fast", MILES).await);
    let by_meaning = ask(&stack, KEY, "fast", MILES_AGAIN, "only").await;
    assert_eq!(by_meaning.status, 504, "nor is it found by meaning");
}

async fn shell(stack: &Stack, args: &[&str]) -> Finished {
    let admin = format!("http://{}", stack.admin);
    let args: Vec<String> = args
        .iter()
        .map(|&it| it.to_owned())
        .chain(["--admin".to_owned(), admin])
        .collect();
    let folder: PathBuf = std::env::temp_dir();
    tokio::task::spawn_blocking(move || {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        run(&folder, &args, &[])
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_shell_does_all_of_it() {
    let stack = Stack::start(CONFIG).await;
    let entry = keep(&stack, KEY, "fast", MILES).await.to_string();
    let stats = shell(&stack, &["cache", "stats"]).await;
    assert_eq!(stats.code, Some(0), "{}", stats.stderr);
    assert!(stats.stdout.starts_with("1 entries in"), "{}", stats.stdout);
    assert!(stats.stdout.contains("fast   aggressive"), "{}", stats.stdout);
    let got = shell(&stack, &["cache", "get", &entry]).await;
    assert!(
        got.stdout.contains(&format!("question      {MILES}\n")),
        "{}",
        got.stdout
    );
    let list = shell(&stack, &["cache", "list", "--tag", "prices"]).await;
    assert!(
        list.stdout.contains("How do I convert 20 miles"),
        "{}",
        list.stdout
    );
    let explained = shell(&stack, &["cache", "explain", MILES, MILES_AGAIN, "--json"]).await;
    let document: Value = serde_json::from_str(&explained.stdout).unwrap();
    assert_eq!(document["modes"]["aggressive"]["same"], true, "{document:#}");
    let trap = shell(&stack, &["cache", "explain", MILES, POUNDS, "--offline"]).await;
    assert!(trap.stdout.contains("decided by the guard"), "{}", trap.stdout);
    let gone = shell(
        &stack,
        &[
            "cache",
            "invalidate",
            "--entry",
            &entry,
            "--reason",
            "it was wrong",
        ],
    )
    .await;
    assert_eq!(
        (gone.code, gone.stdout.as_str()),
        (Some(0), "1 invalidated\n"),
        "{}",
        gone.stderr
    );
    let again = shell(&stack, &["cache", "get", &entry]).await;
    assert_eq!(again.code, Some(2), "{}", again.stdout);
    assert!(again.stderr.contains("there is no entry"), "{}", again.stderr);
    let nothing = shell(&stack, &["cache", "invalidate"]).await;
    assert_eq!(nothing.code, Some(2));
    assert!(
        nothing.stderr.contains("it is not said what to invalidate"),
        "{}",
        nothing.stderr
    );
}

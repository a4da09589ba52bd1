//! The cache: what was asked before is not asked again, and nobody gets what is not for them.

use serde_json::{Value, json};
use tollgate_loadtest::{FaultKind, FaultPoint};
use tollgate_tests::{
    Response, Stack, broken, chat, chat_stream, failing, messages, messages_stream, post, text_of_chat,
    text_of_messages,
};

const CACHED: &str = r#"
breaker: { enabled: false }
cache: { policy: { mode: exact, ttl: 10m } }
providers:
  east: { kind: openai, base_url: "http://{mock}/p/east/v1", api_key: "key-of-east-000001" }
  claude: { kind: anthropic, base_url: "http://{mock}/p/claude", api_key: "key-of-claude-0001" }
models:
  fast: { targets: [ { provider: east, model: m } ], aliases: [quick] }
  other: { targets: [ { provider: east, model: m } ] }
  shared: { cache: { scope: shared, namespace: all }, targets: [ { provider: east, model: m } ] }
  brief: { cache: { ttl: 50ms }, targets: [ { provider: east, model: m } ] }
  never: { cache: { mode: off }, targets: [ { provider: east, model: m } ] }
  claude: { targets: [ { provider: claude, model: c } ] }
keys:
  - { name: test, key: "tg-test-key-0123456789", models: ["*"] }
  - { name: other, key: "tg-key-of-another-0001", models: ["*"] }
"#;

fn cache(response: &Response) -> String {
    response.header("x-tollgate-cache").unwrap_or("-").to_owned()
}

async fn chat_as(stack: &Stack, key: &str, body: &str, headers: &[(&str, &str)]) -> Response {
    let bearer = format!("Bearer {key}");
    let mut all = vec![("authorization", bearer.as_str())];
    all.extend_from_slice(headers);
    post(stack.addr, "/v1/chat/completions", &all, body).await
}

/// Asks until the answer comes from the cache: the keeper puts it there a moment after it was given.
async fn warmed(stack: &Stack, body: &str) -> Response {
    let first = stack.chat(body).await;
    assert_eq!(
        (first.status, cache(&first).as_str()),
        (200, "miss"),
        "{}",
        first.text()
    );
    kept(stack, body).await
}

/// The answer from the cache, which is on its way there: to this very question, not to one that means the same.
async fn kept(stack: &Stack, body: &str) -> Response {
    told(stack, body, "only, mode=exact").await
}

/// What the cache tells on these terms, as soon as it tells something.
async fn told(stack: &Stack, body: &str, terms: &str) -> Response {
    for _ in 0..2_000 {
        let response = chat_as(
            stack,
            "tg-test-key-0123456789",
            body,
            &[("x-tollgate-cache", terms)],
        )
        .await;
        if response.status == 200 {
            return response;
        }
        assert_eq!(
            (response.status, response.code().as_str()),
            (504, "not_cached"),
            "{}",
            response.text()
        );
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it is never kept: {body}");
}

#[tokio::test]
async fn the_same_request_is_asked_once_and_costs_nothing_then() {
    let stack = Stack::start(CACHED).await;
    let first = stack.chat(&chat("fast")).await;
    let again = kept(&stack, &chat("fast")).await;
    assert_eq!(stack.asked("east"), 1);
    assert!(
        cache(&again).starts_with("hit; age=0; entry="),
        "{}",
        cache(&again)
    );
    let (was, is) = (first.json(), again.json());
    assert_eq!(
        was["choices"][0]["message"]["content"],
        is["choices"][0]["message"]["content"]
    );
    assert_eq!(
        (&was["usage"]["prompt_tokens"], &was["model"]),
        (&is["usage"]["prompt_tokens"], &is["model"])
    );
    assert_ne!(was["id"], is["id"], "an answer has an id of its own");
    assert_eq!(again.header("x-tollgate-attempts"), Some("0"));
    assert_eq!(again.header("x-tollgate-cost-usd"), None);
}

#[tokio::test]
async fn an_answer_is_told_in_either_shape_and_dialect() {
    let stack = Stack::start(CACHED).await;
    let whole = warmed(&stack, &chat("fast")).await.json();
    let text = whole["choices"][0]["message"]["content"].as_str().unwrap();
    let stream = stack.chat(&chat_stream("fast")).await;
    assert!(cache(&stream).starts_with("hit"), "{}", cache(&stream));
    assert_eq!(text_of_chat(&stream.text()), text);
    assert!(
        stream.text().trim_end().ends_with("data: [DONE]"),
        "{}",
        stream.text()
    );
    assert_eq!(
        stream.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    assert_eq!(stack.asked("east"), 1);
    // A stream is kept as well, and told whole.
    let first = stack.messages(&messages_stream("claude")).await;
    assert_eq!(cache(&first), "miss");
    let said = text_of_messages(&first.text());
    let mut whole = Value::Null;
    for _ in 0..2_000 {
        let response = stack.messages(&messages("claude")).await;
        if cache(&response).starts_with("hit") {
            whole = response.json();
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(whole["content"][0]["text"], json!(said), "{whole}");
    assert_eq!(whole["type"], "message");
}

#[tokio::test]
async fn whatever_differs_in_substance_is_another_question() {
    let stack = Stack::start(CACHED).await;
    let base: Value = serde_json::from_str(&chat("fast")).unwrap();
    warmed(&stack, &base.to_string()).await;
    let tool =
        json!([ { "type": "function", "function": { "name": "look", "parameters": { "type": "object" } } } ]);
    let mut changed = Vec::new();
    for (name, value) in [
        ("temperature", json!(0.3)),
        ("max_tokens", json!(77)),
        ("tools", tool),
        ("seed", json!(5)),
        ("top_p", json!(0.4)),
        ("response_format", json!({ "type": "json_object" })),
        ("stop", json!(["x"])),
        ("something_new", json!(1)),
        ("model", json!("other")),
    ] {
        let mut body = base.clone();
        body[name] = value;
        changed.push(body);
    }
    let mut body = base.clone();
    let system = json!({ "role": "system", "content": "Be brief." });
    body["messages"].as_array_mut().unwrap().insert(0, system);
    changed.push(body);
    for (number, body) in changed.iter().enumerate() {
        let response = stack.chat(&body.to_string()).await;
        assert_eq!(
            (response.status, cache(&response).as_str()),
            (200, "miss"),
            "{body}"
        );
        assert_eq!(stack.asked("east"), number + 2, "{body}");
    }
    // What changes nothing about the answer is the same question: another name of the route, the user, a stream.
    for (name, value) in [
        ("model", json!("quick")),
        ("user", json!("u-1")),
        ("stream", json!(true)),
    ] {
        let mut body = base.clone();
        body[name] = value;
        let response = stack.chat(&body.to_string()).await;
        assert!(
            cache(&response).starts_with("hit"),
            "{body}: {}",
            cache(&response)
        );
    }
}

#[tokio::test]
async fn tenants_share_nothing_unless_the_route_says_so() {
    let stack = Stack::start(CACHED).await;
    warmed(&stack, &chat("fast")).await;
    let other = chat_as(&stack, "tg-key-of-another-0001", &chat("fast"), &[]).await;
    assert_eq!((cache(&other).as_str(), stack.asked("east")), ("miss", 2));
    warmed(&stack, &chat("shared")).await;
    let other = chat_as(&stack, "tg-key-of-another-0001", &chat("shared"), &[]).await;
    assert!(cache(&other).starts_with("hit"), "{}", cache(&other));
    let private = [("x-tollgate-cache", "scope=key")];
    let other = chat_as(&stack, "tg-key-of-another-0001", &chat("shared"), &private).await;
    assert_eq!(cache(&other), "miss");
}

#[tokio::test]
async fn concurrent_requests_of_one_question_are_asked_once_also_as_streams() {
    let stack = Stack::start(CACHED).await;
    stack.set("east", tollgate_tests::slow(500.0));
    for body in [chat("fast"), chat_stream("other")] {
        let before = stack.asked("east");
        let all = (0..20).map(|_| stack.chat(&body));
        let answers = futures_util::future::join_all(all).await;
        assert_eq!(stack.asked("east") - before, 1, "{body}");
        let misses = answers.iter().filter(|it| cache(it) == "miss").count();
        assert_eq!(misses, 1);
        assert!(answers.iter().all(|it| it.status == 200));
        let told: std::collections::HashSet<_> = answers
            .iter()
            .filter(|it| cache(it) != "miss")
            .map(|it| it.body.len())
            .collect();
        assert_eq!(told.len(), 1, "they are all told the same");
    }
}

#[tokio::test]
async fn when_the_one_who_asks_fails_or_leaves_the_next_one_asks() {
    let stack = Stack::start(CACHED).await;
    stack.set("east", broken(FaultKind::Hang, FaultPoint::BeforeHead));
    let leader = stack.begin("/v1/chat/completions", &chat("fast")).await;
    stack
        .mock
        .control()
        .wait_until(std::time::Duration::from_secs(20), |it| it.len() == 1)
        .await
        .unwrap();
    stack.set("east", tollgate_loadtest::Behaviour::default());
    let body = chat("fast");
    let follower = stack.chat(&body);
    let leaves = async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        drop(leader);
    };
    let (follower, ()) = tokio::join!(follower, leaves);
    assert_eq!(
        (follower.status, cache(&follower).as_str(), stack.asked("east")),
        (200, "miss", 2)
    );
    // An error is nobody's answer.
    stack.set("east", failing(400));
    assert_eq!(stack.chat(&chat("other")).await.status, 400);
    stack.set("east", tollgate_loadtest::Behaviour::default());
    assert_eq!(cache(&stack.chat(&chat("other")).await), "miss");
}

#[tokio::test]
async fn headers_may_tighten_and_what_they_ask_for_is_told() {
    let stack = Stack::start(CACHED).await;
    warmed(&stack, &chat("fast")).await;
    let ask = async |name: &'static str, value: &'static str| {
        let response = chat_as(&stack, "tg-test-key-0123456789", &chat("fast"), &[(name, value)]).await;
        (response.status, cache(&response))
    };
    assert_eq!(
        ask("x-tollgate-cache", "off").await,
        (200, "bypass; reason=request".to_owned())
    );
    assert_eq!(
        ask("cache-control", "no-store").await,
        (200, "bypass; reason=request".to_owned())
    );
    assert_eq!(ask("cache-control", "no-cache").await, (200, "miss".to_owned()));
    assert_eq!(ask("x-tollgate-cache", "refresh").await, (200, "miss".to_owned()));
    assert!(ask("cache-control", "only-if-cached").await.1.starts_with("hit"));
    assert_eq!(ask("x-tollgate-cache", "sometimes").await.0, 400);
    let only = [("x-tollgate-cache", "only")];
    let missing = chat_as(&stack, "tg-test-key-0123456789", &chat("other"), &only).await;
    assert_eq!(
        (missing.status, missing.header("x-should-retry")),
        (504, Some("false")),
        "client libraries would ask again by themselves, as after any 504"
    );
    let off = stack.chat(&chat("never")).await;
    assert_eq!(cache(&off), "-", "a route without a cache says nothing of one");
}

#[tokio::test]
async fn nothing_is_given_after_its_time() {
    let stack = Stack::start(CACHED).await;
    assert_eq!(cache(&stack.chat(&chat("brief")).await), "miss");
    tokio::time::sleep(std::time::Duration::from_millis(80)).await;
    assert_eq!(cache(&stack.chat(&chat("brief")).await), "miss");
    assert_eq!(stack.asked("east"), 2);
}

#[tokio::test]
async fn what_differs_in_spaces_and_case_alone_is_answered_too() {
    let stack = Stack::start(CACHED).await;
    let ask = |text: &str| {
        json!({ "model": "fast", "messages": [ { "role": "user", "content": text } ] }).to_string()
    };
    warmed(&stack, &ask("What is the capital of France?")).await;
    let folded = stack.chat(&ask("what is the  capital of France")).await;
    assert!(cache(&folded).starts_with("hit; folded"), "{}", cache(&folded));
    for other in [
        "What is the capital of France 2?",
        "What is the \"capital\" of France?",
        "What is the capital of FRANCE?",
    ] {
        assert_eq!(cache(&stack.chat(&ask(other)).await), "miss", "{other}");
    }
}

#[tokio::test]
async fn long_words_are_found_only_as_they_were_said() {
    let stack = Stack::start(CACHED).await;
    for (times, again) in [(100, "hit; folded"), (4_000, "miss")] {
        let words = "What is the capital of France? ".repeat(times);
        warmed(&stack, &ask("fast", &words)).await;
        let other = words.replace("the capital", "the  capital");
        let told = cache(&stack.chat(&ask("fast", &other)).await);
        assert!(told.starts_with(again), "{times}: {told}");
    }
}

#[tokio::test]
async fn large_questions_and_answers_are_found_and_told_whole() {
    let stack = Stack::start(CACHED).await;
    let long = "\u{e9}t\u{e9} \"quoted\"\n".repeat(8_000);
    let behaviour = serde_json::from_value(json!({ "reply": { "text": long } })).unwrap();
    stack.mock.control().set_default(behaviour).unwrap();
    let question = "What is the capital of France? ".repeat(8_000);
    let whole = warmed(&stack, &ask("fast", &question)).await;
    assert!(cache(&whole).starts_with("hit"), "{}", cache(&whole));
    assert_eq!(whole.json()["choices"][0]["message"]["content"], *long);
    let body =
        json!({ "model": "fast", "stream": true, "messages": [ { "role": "user", "content": question } ] });
    let stream = stack.chat(&body.to_string()).await;
    assert!(cache(&stream).starts_with("hit"), "{}", cache(&stream));
    assert_eq!(text_of_chat(&stream.text()), long);
    assert_eq!(stack.mock.control().journal().len(), 1, "asked once");
}

const SEMANTIC: &str = r#"
breaker: { enabled: false }
cache: { policy: { mode: aggressive } }
providers:
  east: { kind: openai, base_url: "http://{mock}/p/east/v1", api_key: "key-of-east-000001" }
models:
  fast: { targets: [ { provider: east, model: m } ] }
  checked: { cache: { recheck: 100% }, targets: [ { provider: east, model: m } ] }
"#;

fn ask(model: &str, text: &str) -> String {
    json!({ "model": model, "messages": [ { "role": "user", "content": text } ] }).to_string()
}

#[tokio::test]
async fn what_means_the_same_is_answered_and_what_differs_by_a_word_is_not() {
    let stack = Stack::start(SEMANTIC).await;
    let asked = "How do I convert 20 miles to kilometers by hand?";
    warmed(&stack, &ask("fast", asked)).await;
    let same = stack
        .chat(&ask("fast", "How can I convert 20 miles to kilometers by hand?"))
        .await;
    assert!(cache(&same).starts_with("semantic; score="), "{}", cache(&same));
    assert_eq!(stack.asked("east"), 1);
    for trap in [
        "How do I convert 30 miles to kilometers by hand?",
        "How do I convert 20 kilometers to miles by hand?",
        "How do I convert 20 pounds to kilograms by hand?",
        "How do I not convert 20 miles to kilometers by hand?",
        "How do I convert this to kilometers by hand?",
    ] {
        let response = stack.chat(&ask("fast", trap)).await;
        assert_eq!(cache(&response), "miss", "{trap}");
    }
    // By meaning only where nothing but the words differs.
    for (name, value) in [("temperature", json!(0.1)), ("max_tokens", json!(9))] {
        let mut body: Value =
            serde_json::from_str(&ask("fast", "How can I convert 20 miles to kilometers by hand?")).unwrap();
        body[name] = value;
        assert_eq!(cache(&stack.chat(&body.to_string()).await), "miss", "{name}");
    }
    let exact = chat_as(
        &stack,
        "tg-test-key-0123456789",
        &ask("fast", "How might I convert 20 miles to kilometers by hand?"),
        &[("x-tollgate-cache", "mode=exact")],
    )
    .await;
    assert_eq!(cache(&exact), "miss", "a client may tighten");
}

#[tokio::test]
async fn an_answer_that_would_have_been_wrong_is_not_given_again() {
    let stack = Stack::start(SEMANTIC).await;
    let content = |text: &str| tollgate_loadtest::Behaviour {
        reply: tollgate_loadtest::Reply {
            text: Some(text.to_owned()),
            ..Default::default()
        },
        ..Default::default()
    };
    let question = |word: &str| {
        ask(
            "checked",
            &format!("How {word} I convert 20 miles to kilometers by hand?"),
        )
    };
    stack.set("east", content("Multiply the miles by 1.609 to get kilometers."));
    warmed(&stack, &question("do")).await;
    // Each answer that would be given by meaning is asked for, and compared: these agree.
    assert_eq!(cache(&stack.chat(&question("can")).await), "miss");
    kept(&stack, &question("can")).await;
    kept(&stack, &question("do")).await;
    // These do not: whoever would have given it is gone.
    stack.set(
        "east",
        content("Bananas are rich in potassium, and so are potatoes and beans."),
    );
    assert_eq!(cache(&stack.chat(&question("could")).await), "miss");
    kept(&stack, &question("could")).await;
    let left = [question("do"), question("can")];
    let mut gone = 0;
    for body in &left {
        let only = [("x-tollgate-cache", "only, mode=exact")];
        gone += usize::from(
            chat_as(&stack, "tg-test-key-0123456789", body, &only)
                .await
                .status
                == 504,
        );
    }
    assert_eq!(gone, 1);
}

#[tokio::test]
async fn what_was_answered_before_a_restart_is_not_asked_again() {
    let directory = tollgate_tests::scratch_file("cache");
    let config = SEMANTIC.replace(
        "policy: { mode: aggressive }",
        &format!(
            "directory: \"{}\", policy: {{ mode: aggressive }}",
            directory.display()
        ),
    );
    let question = ask("fast", "How do I convert 20 miles to kilometers by hand?");
    let mut stack = Stack::start(&config).await;
    let said = warmed(&stack, &question).await.json();
    assert!(stack.drained().await, "everything was served to its end");
    let stack = Stack::start(&config).await;
    let again = kept(&stack, &question).await;
    assert_eq!(said["choices"], again.json()["choices"]);
    assert_eq!(stack.asked("east"), 0);
    let other = ask("fast", "How can I convert 20 miles to kilometers by hand?");
    let other = told(&stack, &other, "only").await;
    assert!(cache(&other).starts_with("semantic"), "{}", cache(&other));
    drop(stack);
    // Files that are none of ours, or damaged, are told of and skipped.
    for file in std::fs::read_dir(&directory).unwrap().flatten() {
        std::fs::write(file.path(), b"nonsense").unwrap();
    }
    let stack = Stack::start(&config).await;
    assert_eq!(cache(&stack.chat(&question).await), "miss");
    drop(stack);
    std::fs::remove_dir_all(&directory).unwrap();
}

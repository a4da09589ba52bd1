//! A kept answer is told as a stream at the pace that its route sets.

use std::time::{Duration, Instant};

use tollgate_tests::{Response, Stack, chat, chat_stream, on_time, post, text_of_chat};

/// Three tokens an event: `steady` has 20 in a second, `slow` one in three.
const PACED: &str = r#"
breaker: { enabled: false }
cache: { policy: { mode: exact, ttl: 10m } }
providers:
  east: { kind: openai, base_url: "http://{mock}/p/east/v1", api_key: "key-of-east-000001" }
models:
  steady: { cache: { pace: 60 }, targets: [ { provider: east, model: m } ] }
  slow: { cache: { pace: 1 }, targets: [ { provider: east, model: m } ] }
keys: [ { name: test, key: "tg-test-key-0123456789", models: ["*"] } ]
"#;
const PAUSE: Duration = Duration::from_millis(50);

async fn only(stack: &Stack, body: &str, headers: &[(&str, &str)]) -> Response {
    let mut all = vec![
        ("authorization", "Bearer tg-test-key-0123456789"),
        ("x-tollgate-cache", "only"),
    ];
    all.extend_from_slice(headers);
    post(stack.addr, "/v1/chat/completions", &all, body).await
}

/// Asks, and waits until the answer is kept; its text, and how many requests that took.
async fn kept(stack: &Stack, model: &str) -> (String, usize) {
    let first = stack.chat(&chat(model)).await;
    assert_eq!(first.status, 200, "{}", first.text());
    for asked in 2..400 {
        let whole = only(stack, &chat(model), &[]).await;
        if whole.status == 200 {
            let text = whole.json()["choices"][0]["message"]["content"].clone();
            return (text.as_str().unwrap().to_owned(), asked);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it is never kept");
}

#[tokio::test]
async fn a_stream_comes_event_by_event_and_is_whole() {
    let stack = Stack::start(PACED).await;
    let (text, _) = kept(&stack, "steady").await;
    let began = Instant::now();
    let stream = only(&stack, &chat_stream("steady"), &[]).await;
    let took = began.elapsed();
    assert_eq!(text_of_chat(&stream.text()), text);
    assert!(
        stream.text().trim_end().ends_with("data: [DONE]"),
        "{}",
        stream.text()
    );
    let events = u32::try_from(stream.text().matches("\n\n").count()).unwrap();
    assert!(
        events as usize > text.len() / 12,
        "of a word or two: {}",
        stream.text()
    );
    assert!(took >= PAUSE * (events - 1), "{events} events in {took:?}");
}

#[tokio::test]
async fn a_deadline_is_kept_and_nothing_is_missing() {
    on_time(async || {
        let stack = Stack::start(PACED).await;
        let (text, _) = kept(&stack, "slow").await;
        let began = Instant::now();
        let stream = only(&stack, &chat_stream("slow"), &[("x-tollgate-deadline-ms", "300")]).await;
        assert_eq!(text_of_chat(&stream.text()), text);
        let at_its_pace = Duration::from_secs(3) * u32::try_from(text.len() / 12).unwrap();
        assert!(
            at_its_pace > Duration::from_secs(10),
            "the text is long enough to tell: {text}"
        );
        // The next event would come after three seconds.
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    })
    .await;
}

#[tokio::test]
async fn who_leaves_in_the_middle_is_booked_as_gone_and_holds_up_nobody() {
    let stack = Stack::start(PACED).await;
    let (_, asked) = kept(&stack, "slow").await;
    let mut wire = stack.begin("/v1/chat/completions", &chat_stream("slow")).await;
    assert_eq!(wire.head().await.status, 200);
    assert!(wire.piece().await.is_some());
    drop(wire);
    let record = stack.settled(asked + 1).await.pop().unwrap();
    assert_eq!(record["outcome"], "client_gone", "{record}");
    assert_eq!(record["cache"]["result"], "hit", "{record}");
    assert!(record["cost_nanodollars"].as_u64().unwrap_or(0) == 0, "{record}");
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_the_pace_and_nothing_is_missing() {
    let mut stack = Stack::start(PACED).await;
    let (text, _) = kept(&stack, "slow").await;
    let mut wire = stack.begin("/v1/chat/completions", &chat_stream("slow")).await;
    let mut stream = wire.head().await;
    stream.body.extend(wire.piece().await.unwrap());
    let began = Instant::now();
    stack.begin_drain();
    while let Some(piece) = wire.piece().await {
        stream.body.extend(piece);
    }
    assert_eq!(text_of_chat(&stream.text()), text);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

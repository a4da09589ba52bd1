//! Of concurrent requests of one question one asks, and the others wait for it: but not for ever, and not for one after
//! the other.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tollgate_loadtest::{MockOptions, MockServer};
use tollgate_tests::{Stack, Wire, chat, is_whole, json_answer, on_time};

/// How long an event is waited for that must come.
const PATIENCE: Duration = Duration::from_secs(30);
const FOLLOWERS: usize = 5;
const PATH: &str = "/v1/chat/completions";

/// A provider that does nothing by itself: each connection is a request that waits for what a test answers.
async fn provider() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = config(&listener, "");
    (listener, config)
}

fn config(listener: &TcpListener, settings: &str) -> String {
    let addr = listener.local_addr().unwrap();
    format!(
        r#"
breaker: {{ enabled: false }}
cache: {{ policy: {{ mode: exact }} }}
providers:
  east: {{ kind: openai, base_url: "http://{addr}/v1", api_key: "key-of-east-000001" }}
models:
  fast: {{ max_attempts: 1, {settings} targets: [ {{ provider: east, model: m }} ] }}
"#
    )
}

async fn stack(config: &str) -> Stack {
    Stack::in_front_of(MockServer::start(MockOptions::default()).await.unwrap(), config)
}

/// The next request that is asked upstream, read to its end.
async fn asked(listener: &TcpListener) -> TcpStream {
    let accepted = tokio::time::timeout(PATIENCE, listener.accept()).await;
    let (mut stream, _) = accepted.expect("nobody asks").unwrap();
    let mut request = Vec::new();
    while !is_whole(&request) {
        assert!(stream.read_buf(&mut request).await.unwrap() > 0, "it breaks off");
    }
    stream
}

async fn answer(mut asked: TcpStream, status: u16, body: &str) {
    asked.write_all(&json_answer(status, body)).await.unwrap();
}

/// One who asks, and others who wait for it.
async fn flight(stack: &Stack, listener: &TcpListener) -> (Wire, TcpStream, Vec<Wire>) {
    let leader = stack.begin(PATH, &chat("fast")).await;
    let leading = asked(listener).await;
    let mut followers = Vec::new();
    for _ in 0..FOLLOWERS {
        followers.push(stack.begin(PATH, &chat("fast")).await);
    }
    in_flight(stack, 1 + FOLLOWERS).await;
    // They are counted before they wait. A worker that answers something else has done what it was at, and connections
    // go to the two workers in turn.
    for _ in 0..4 {
        assert_eq!(stack.get("/livez").await.status, 200);
    }
    (leader, leading, followers)
}

async fn in_flight(stack: &Stack, count: usize) {
    for _ in 0..2_000 {
        let now = stack.metrics().await.sum("tollgate_inflight_requests", &[]);
        if now == count as f64 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("there are never {count} in flight");
}

const CALLS: &str = r#"{"id":"a","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
const SAYS: &str = r#"{"id":"a","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hello."}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
const FAILS: &str = r#"{"error":{"message":"no","type":"invalid_request_error"}}"#;

#[tokio::test]
async fn those_who_waited_in_vain_do_not_wait_for_each_other() {
    for (status, body) in [(200, CALLS), (400, FAILS)] {
        let (listener, config) = provider().await;
        let stack = stack(&config).await;
        let (mut leader, leading, mut followers) = flight(&stack, &listener).await;
        answer(leading, status, body).await;
        assert_eq!(leader.response().await.status, status);
        // All of them ask before any of them is answered.
        let mut waiting = Vec::new();
        for _ in 0..FOLLOWERS {
            waiting.push(asked(&listener).await);
        }
        for asked in waiting {
            answer(asked, 200, SAYS).await;
        }
        for follower in &mut followers {
            let told = follower.response().await;
            assert_eq!(
                (told.status, told.header("x-tollgate-cache")),
                (200, Some("miss")),
                "{}",
                told.text()
            );
        }
    }
}

#[tokio::test]
async fn when_the_one_who_asks_leaves_one_of_the_others_asks_for_all() {
    let (listener, config) = provider().await;
    let stack = stack(&config).await;
    let (leader, leading, mut followers) = flight(&stack, &listener).await;
    drop((leader, leading));
    let next = asked(&listener).await;
    in_flight(&stack, FOLLOWERS).await;
    answer(next, 200, SAYS).await;
    let mut misses = 0;
    for follower in &mut followers {
        let told = follower.response().await;
        assert_eq!(told.status, 200, "{}", told.text());
        misses += usize::from(told.header("x-tollgate-cache") == Some("miss"));
    }
    assert_eq!(misses, 1);
}

#[tokio::test]
async fn waiting_for_somebody_else_is_no_work_of_the_gateways_own() {
    on_time(async || {
        let (listener, config) = provider().await;
        let stack = stack(&config).await;
        let (_leader, leading, followers) = flight(&stack, &listener).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        answer(leading, 200, SAYS).await;
        for mut follower in followers {
            assert_eq!(follower.response().await.status, 200);
        }
        let log = stack.settled(1 + FOLLOWERS).await;
        let hits: Vec<_> = log.iter().filter(|it| it["cache"]["result"] == "hit").collect();
        assert_eq!(hits.len(), FOLLOWERS);
        for hit in hits {
            let [own, total] = ["overhead_us", "total_us"].map(|name| hit[name].as_u64().unwrap());
            assert!(total >= 400_000 && own * 2 < total, "{own} of {total}");
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_waits_does_so_within_the_deadline_of_its_route() {
    let (listener, config_of_leader) = provider().await;
    let stack = stack(&config_of_leader).await;
    let leader = stack.begin(PATH, &chat("fast")).await;
    let leading = asked(&listener).await;
    // The one who asks keeps to what held when it came.
    stack.rewrite(&config(&listener, "deadline: 300ms,"));
    assert_eq!(stack.reload().await.status, 200);
    let follower = tokio::time::timeout(PATIENCE, stack.chat(&chat("fast"))).await;
    let follower = follower.expect("it waits longer than its route allows");
    assert_eq!(
        (follower.status, follower.code().as_str()),
        (504, "deadline_exceeded"),
        "{}",
        follower.text()
    );
    assert!(follower.text().contains("300 ms"), "{}", follower.text());
    answer(leading, 200, SAYS).await;
    drop(leader);
}

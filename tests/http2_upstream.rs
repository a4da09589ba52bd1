//! HTTP/2 towards a provider: another connection is opened before streams would queue, and a connection that goes
//! away is replaced.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use tollgate_loadtest::{MockOptions, MockServer};
use tollgate_tests::{Stack, Wire, chat, chat_stream};

fn config(workers: usize, streams: usize) -> String {
    format!(
        r#"
providers:
  openai: {{ kind: openai, base_url: "http://{{mock}}/v1", api_key: "key-of-openai-000", http: 2, max_streams_per_connection: {streams} }}
models:
  "*": {{ targets: [ {{ provider: openai }} ] }}
server: {{ listen: "127.0.0.1:0", workers: {workers} }}
"#
    )
}

#[tokio::test]
async fn streams_beyond_the_limit_open_another_connection_and_none_waits() {
    const STREAMS: usize = 250;
    let stack = Stack::start(&config(1, 100)).await;
    let mut wires = Vec::new();
    for _ in 0..STREAMS {
        wires.push(
            stack
                .begin("/v1/chat/completions", &chat_stream("m--hang8"))
                .await,
        );
    }
    // Each of them is being answered, while all of them are open.
    let open = stack
        .mock
        .control()
        .wait_until(Duration::from_secs(10), |journal| {
            journal.len() == STREAMS && journal.iter().all(|entry| entry.chunks >= 8)
        });
    let journal = open.await.expect("a stream waits behind others");
    let versions: BTreeSet<_> = journal.iter().map(|entry| entry.version.as_str()).collect();
    assert_eq!(versions, BTreeSet::from(["HTTP/2.0"]));
    let metrics = stack.metrics().await;
    assert_eq!(
        metrics.sum("tollgate_upstream_connections", &[("provider", "openai")]),
        3.0
    );
    drop(wires);
    stack
        .mock
        .control()
        .wait_until(Duration::from_secs(20), |journal| {
            journal.iter().all(|it| it.client_gone)
        })
        .await
        .unwrap();
    stack.settled(STREAMS).await;
    // Streams were reset, connections stay and serve on.
    assert_eq!(stack.chat(&chat("m")).await.status, 200);
    assert_eq!(
        stack.metrics().await.sum("tollgate_upstream_connects_total", &[]),
        3.0
    );
}

#[tokio::test]
async fn streams_are_whole() {
    let stack = Stack::start(&config(2, 16)).await;
    let mut wires = Vec::new();
    for _ in 0..100 {
        wires.push(
            stack
                .begin("/v1/chat/completions", &chat_stream("m--tokens30--pace5"))
                .await,
        );
    }
    for response in join_all(wires.iter_mut().map(Wire::response)).await {
        assert!(
            response.status == 200 && response.text().contains("[DONE]"),
            "{}",
            response.text()
        );
    }
    stack.settled(100).await;
}

#[tokio::test]
async fn a_connection_that_goes_away_is_replaced() {
    let stack = Stack::start(&config(1, 100)).await;
    for _ in 0..5 {
        assert_eq!(stack.chat(&chat("m")).await.status, 200);
        // A reset takes the whole connection down, with whatever is on it.
        let broken = stack.chat(&chat_stream("m--reset4")).await;
        assert!(broken.text().contains("\"error\""), "{}", broken.text());
        assert_eq!(stack.chat(&chat("m")).await.status, 200);
    }
    let metrics = stack.metrics().await;
    assert_eq!(
        metrics.sum("tollgate_requests_total", &[("outcome", "success")]),
        10.0
    );
}

#[tokio::test]
async fn a_provider_that_restarts_is_found_again() {
    // On an address of its own: on that of all others its port may be given away while it is down.
    let first = MockOptions {
        listen: "127.0.0.77:0".parse().unwrap(),
        ..MockOptions::default()
    };
    let mock = MockServer::start(first).await.unwrap();
    let addr = mock.addr();
    let mut stack = Stack::in_front_of(mock, &config(1, 100));
    assert_eq!(stack.chat(&chat("m")).await.status, 200);
    let other = MockServer::start(MockOptions::default()).await.unwrap();
    std::mem::replace(&mut stack.mock, other).stop().await;
    // Its worker ends a moment after it has stopped, and answers until then.
    let mut tries = 0;
    while stack.chat(&chat("m")).await.status != 502 {
        tries += 1;
        assert!(tries < 1000, "somebody is still there");
    }
    let again = MockServer::start(MockOptions {
        listen: addr,
        ..MockOptions::default()
    })
    .await
    .unwrap();
    assert_eq!(stack.chat(&chat("m")).await.status, 200);
    assert_eq!(again.control().journal().len(), 1);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_nobody_on_the_same_connection() {
    let stack = Stack::start(&config(1, 100)).await;
    let mut unread = Vec::new();
    for _ in 0..3 {
        let endless = chat_stream("m--endless--pace0");
        unread.push(stack.begin("/v1/chat/completions", &endless).await);
    }
    let control = stack.mock.control();
    let written = || -> u64 { control.journal().iter().map(|entry| entry.chunks).sum() };
    // Until nothing more goes through: what lies between the provider and the clients is full.
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = written();
        if now == before && now > 0 {
            break;
        }
        before = now;
    }
    let answered = tokio::time::timeout(Duration::from_secs(20), stack.chat(&chat("m"))).await;
    assert_eq!(answered.expect("it waits behind the others").status, 200);
    let metrics = stack.metrics().await;
    assert_eq!(metrics.sum("tollgate_upstream_connects_total", &[]), 1.0);
}

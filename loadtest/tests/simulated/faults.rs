//! Providers that fail: statuses, slow answers, and every way to break a connection.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tollgate_core::Clock;
use tollgate_loadtest::{Ending, MockOptions, MockServer};

use crate::wire::*;

/// Within this time somebody's departure is noticed, at the quickest of a few times: a busy machine stands still now
/// and then.
const SOON: Duration = Duration::from_millis(100);

async fn ended(server: &MockServer, ending: Ending) {
    let seen = server.control().wait_until(PATIENCE, |journal| {
        journal.iter().all(|entry| entry.ending == ending)
    });
    seen.await.expect("the exchange ends");
}

#[tokio::test]
async fn statuses_speak_the_dialect_and_say_when_to_retry() {
    let server = start().await;
    let reply = post_chat(&server, &chat("m--status429--retryafter7")).await;
    assert_eq!(
        (reply.status, reply.header("retry-after").as_deref()),
        (429, Some("7"))
    );
    assert_eq!(reply.json()["error"]["code"], "rate_limit_exceeded");
    let reply = post(&server, "/v1/messages", &message("m--status529")).await;
    assert_eq!(reply.status, 529);
    assert_eq!(reply.json()["error"]["type"], "overloaded_error");
    assert_eq!(
        reply.json()["request_id"],
        reply.header("request-id").expect("an id")
    );
}

#[tokio::test]
async fn a_model_recovers_after_its_first_failures() {
    let server = start().await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(post_chat(&server, &chat("m--status503x2")).await.status);
    }
    assert_eq!(statuses, [503, 503, 200, 200]);
    assert_eq!(post_chat(&server, &chat("other--status503x1")).await.status, 503);
}

#[tokio::test]
async fn bodies_can_be_what_they_should_not_be() {
    let server = start().await;
    let html = post_chat(&server, &chat("m--status502--html")).await;
    assert_eq!(
        (html.status, html.header("content-type").as_deref()),
        (502, Some("text/html; charset=utf-8"))
    );
    let malformed = post_chat(&server, &chat("m--malformed")).await;
    assert_eq!((malformed.status, malformed.end), (200, End::Complete));
    assert!(serde_json::from_slice::<serde_json::Value>(&malformed.body).is_err());
    let empty = post_chat(&server, &chat("m--status500--empty")).await;
    assert_eq!((empty.status, empty.body.len()), (500, 0));
    ended(&server, Ending::Done).await;
}

#[tokio::test]
async fn latency_and_pacing_take_their_time() {
    let server = start().await;
    let started = Clock.now();
    post_chat(&server, &chat("m--latency60")).await;
    assert!(started.elapsed() >= Duration::from_millis(60));
    let started = Clock.now();
    let reply = post_chat(&server, &chat_stream("m--tokens4--pace20--firsttoken30")).await;
    assert!(
        started.elapsed() >= Duration::from_millis(90),
        "30 + 3 pauses of 20"
    );
    assert_eq!(reply.end, End::Complete);
}

#[tokio::test]
async fn dripped_bodies_arrive_whole() {
    let server = start().await;
    let reply = post_chat(&server, &chat_stream("m--tokens3--drip0")).await;
    assert_eq!(reply.events().last().map(String::as_str), Some("[DONE]"));
    let drip = json!({"pacing": {"write_bytes": 7, "write_pause_ms": 0.5}, "reply": {"text": "日本語のテキスト \"x\""}});
    server.control().set("d", behaviour(drip)).expect("valid");
    let json = post_chat(&server, &chat("d")).await.json();
    assert_eq!(json["choices"][0]["message"]["content"], "日本語のテキスト \"x\"");
}

#[tokio::test]
async fn a_cut_stream_ends_without_its_end() {
    let server = start().await;
    for (path, body) in [
        ("/v1/chat/completions", chat_stream("m--cut10")),
        ("/v1/messages", {
            let mut body = message("m--cut10--tokens1");
            body["stream"] = true.into();
            body
        }),
    ] {
        let reply = post(&server, path, &body).await;
        assert_eq!(
            (reply.status, reply.end, reply.events().len()),
            (200, End::Truncated, 10),
            "{path}"
        );
    }
    ended(&server, Ending::Faulted).await;
    assert!(server.control().journal().iter().all(|entry| entry.chunks == 10));
}

#[tokio::test]
async fn a_list_of_models_is_late_and_broken_as_answers_are() {
    let server = start().await;
    let models = async || call(server.addr(), "GET", "/v1/models", "").await;
    let set = |to| server.control().set_default(behaviour(to)).expect("valid");
    set(json!({"fault": {"kind": "reset", "at": "before_head"}}));
    let reply = models().await;
    assert_eq!((reply.status, reply.end), (0, End::Reset));
    set(json!({"latency": {"fixed": {"ms": 50}}, "failure": {"status": 529}}));
    let asked = Clock.now();
    assert_eq!(models().await.status, 200, "what is refused is work");
    assert!(asked.elapsed() >= std::time::Duration::from_millis(50));
}

#[tokio::test]
async fn a_reset_is_a_reset_on_the_wire() {
    let server = start().await;
    let reply = post_chat(&server, &chat_stream("m--reset3")).await;
    assert_eq!(
        (reply.status, reply.end, reply.events().len()),
        (200, End::Reset, 3)
    );
    let reply = post_chat(&server, &chat("m--reset")).await;
    assert_eq!((reply.status, reply.end), (0, End::Reset));
    let reply = post_chat(&server, &chat("m--resethead")).await;
    assert_eq!((reply.status, reply.end, reply.body.len()), (200, End::Reset, 0));
    let reply = post_chat(&server, &chat("m--cut")).await;
    assert_eq!((reply.status, reply.end), (0, End::Truncated));
    let reply = post_chat(&server, &chat("m--cut2")).await;
    assert_eq!(
        (reply.status, reply.end, reply.body.len()),
        (200, End::Truncated, 128)
    );
    ended(&server, Ending::Faulted).await;
    assert_eq!(server.control().stats().total.faulted, 5);
}

#[tokio::test]
async fn an_error_event_ends_a_stream_that_began_well() {
    let server = start().await;
    let reply = post_chat(&server, &chat_stream("m--error4")).await;
    let events = reply.json_events();
    assert_eq!((reply.status, reply.end, events.len()), (200, End::Complete, 5));
    assert_eq!(events[4]["error"]["code"], "overloaded");
    assert!(!reply.text().contains("[DONE]"));
    let mut body = message("m--error4");
    body["stream"] = true.into();
    let reply = post(&server, "/v1/messages", &body).await;
    assert!(
        reply
            .text()
            .contains("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"")
    );
    assert_eq!(
        post_chat(&server, &chat("m--error4")).await.json()["object"],
        "chat.completion"
    );
}

#[tokio::test]
async fn hangs_stop_where_they_should_and_notice_the_client_leave() {
    let server = start().await;
    let mut quickest = PATIENCE;
    for (model, bytes_expected, chunks) in [
        ("m--hang", false, 0),
        ("m--hanghead", true, 0),
        ("m--hang5", true, 5),
    ] {
        server.control().clear_journal();
        let body = chat_stream(model).to_string();
        let mut stream = send(server.addr(), "POST", "/v1/chat/completions", &body).await;
        let reached = server.control().wait_until(PATIENCE, |journal| {
            journal
                .last()
                .is_some_and(|entry| entry.chunks == chunks && (entry.status == 200) == bytes_expected)
        });
        reached.await.expect("the hang is reached");
        let mut raw = [0; 4096];
        let patience = if bytes_expected {
            PATIENCE
        } else {
            Duration::from_millis(100)
        };
        let read = tokio::time::timeout(patience, stream.read(&mut raw)).await;
        assert_eq!(read.is_ok(), bytes_expected, "{model}");
        let left = Clock.now();
        drop(stream);
        let journal = server
            .control()
            .wait_until(PATIENCE, |journal| journal.iter().all(|entry| entry.client_gone));
        journal.await.expect("the client is missed");
        quickest = quickest.min(left.elapsed());
    }
    assert!(quickest < SOON, "{quickest:?}");
    assert_eq!(server.control().stats().total.client_gone, 3);
}

#[tokio::test]
async fn a_client_that_leaves_during_the_latency_is_noticed() {
    let server = start().await;
    let body = chat("m--latency60000").to_string();
    let mut quickest = PATIENCE;
    for number in 0..3 {
        let stream = send(server.addr(), "POST", "/v1/chat/completions", &body).await;
        let arrived = server
            .control()
            .wait_until(PATIENCE, |journal| journal.len() == number + 1);
        arrived.await.expect("arrives");
        let left = Clock.now();
        drop(stream);
        let gone = server
            .control()
            .wait_until(PATIENCE, |journal| journal[number].client_gone);
        let entry = gone.await.expect("missed").remove(number);
        quickest = quickest.min(left.elapsed());
        assert_eq!(entry.status, 0);
        assert!(entry.elapsed_ms.is_some());
    }
    assert!(quickest < SOON, "{quickest:?}");
}

#[tokio::test]
async fn an_endless_stream_waits_for_its_reader_and_ends_with_it() {
    let server = start().await;
    let body = chat_stream("m--endless").to_string();
    let mut stream = send(server.addr(), "POST", "/v1/chat/completions", &body).await;
    let mut raw = vec![0; 64 * 1024];
    let mut total = 0;
    while total < 4_000_000 {
        total += stream.read(&mut raw).await.expect("reads");
    }
    drop(stream);
    ended(&server, Ending::ClientGone).await;
    assert!(server.control().journal()[0].chunks > 1000);
    server.stop().await;
}

#[tokio::test]
async fn a_ratio_of_failures_follows_the_seed() {
    let failing = |seed| async move {
        let server = start_with(MockOptions {
            seed,
            ..MockOptions::default()
        })
        .await;
        let mut failed = Vec::new();
        for number in 0..40 {
            if post_chat(&server, &chat("m--fail30")).await.status == 500 {
                failed.push(number);
            }
        }
        failed
    };
    let (first, again, other) = (failing(1).await, failing(1).await, failing(2).await);
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert!((4..=22).contains(&first.len()), "{first:?}");
}

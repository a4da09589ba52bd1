//! The trickle of the demo, and HTTP/2, against the simulated providers.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::{Request, Version};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tollgate_loadtest::{MockServer, Trickle, TrickleKind, TrickleOptions, TrickleResult};

use crate::wire::*;

fn options(server: &MockServer, limit: u64) -> TrickleOptions {
    TrickleOptions {
        base_url: server.url(),
        key: "key".to_owned(),
        mix: vec![
            (TrickleKind::Chat, "a".to_owned()),
            (TrickleKind::ChatStream, "b".to_owned()),
            (TrickleKind::Message, "c".to_owned()),
            (TrickleKind::MessageStream, "d".to_owned()),
            (TrickleKind::Embedding, "e".to_owned()),
        ],
        per_second: 500.0,
        limit: Some(limit),
        most_in_flight: 50,
        timeout: PATIENCE,
        seed: 1,
    }
}

#[tokio::test]
async fn a_trickle_sends_its_mix_and_reports_each_request() {
    let server = start().await;
    let headers =
        json!({"x-tollgate-provider": "east", "x-tollgate-cost-usd": "0.5", "x-tollgate-attempts": "2"});
    server
        .control()
        .set_default(behaviour(json!({"headers": headers})))
        .expect("valid");
    let (trickle, mut results) = Trickle::start(options(&server, 40)).expect("starts");
    let summary = trickle.finished().await;
    let mut seen: Vec<TrickleResult> = Vec::new();
    while let Some(result) = results.recv().await {
        seen.push(result);
    }
    assert_eq!(
        (summary.sent, summary.skipped, summary.results_dropped, seen.len()),
        (40, 0, 0, 40)
    );
    for result in &seen {
        assert_eq!(
            (result.status, result.error.as_deref()),
            (Some(200), None),
            "{result:?}"
        );
        assert_eq!(
            (result.provider.as_deref(), result.cost_usd.as_deref()),
            (Some("east"), Some("0.5"))
        );
        assert!(result.first_token_ms.expect("a first byte") <= result.total_ms);
    }
    for kind in [
        TrickleKind::Chat,
        TrickleKind::ChatStream,
        TrickleKind::MessageStream,
        TrickleKind::Embedding,
    ] {
        assert!(seen.iter().any(|result| result.kind == kind), "{kind:?}");
    }
    let bodies: std::collections::HashSet<_> = server
        .control()
        .journal()
        .into_iter()
        .map(|entry| entry.body)
        .collect();
    assert_eq!(bodies.len(), 40);
}

#[tokio::test]
async fn a_trickle_does_not_wait_for_slow_answers_and_stops_when_told() {
    let server = start().await;
    server
        .control()
        .set_default(behaviour(json!({"fault": {"kind": "hang", "at": "before_head"}})))
        .expect("valid");
    let slow = TrickleOptions {
        limit: None,
        most_in_flight: 3,
        ..options(&server, 0)
    };
    let (trickle, _results) = Trickle::start(slow).expect("starts");
    let hung = server
        .control()
        .wait_until(PATIENCE, |journal| journal.len() == 3);
    hung.await.expect("three are under way");
    let summary = tokio::time::timeout(PATIENCE, trickle.stop())
        .await
        .expect("stops");
    assert_eq!(summary.sent, 3);
    let gone = server
        .control()
        .wait_until(PATIENCE, |journal| journal.iter().all(|entry| entry.client_gone));
    gone.await.expect("what was under way is given up");
}

#[tokio::test]
async fn failures_are_results_too() {
    let server = start().await;
    let mut failing = options(&server, 1);
    failing.mix = vec![(TrickleKind::ChatStream, "m--cut3".to_owned())];
    let (trickle, mut results) = Trickle::start(failing.clone()).expect("starts");
    let cut = results.recv().await.expect("a result");
    assert_eq!((cut.status, cut.error.is_some()), (Some(200), true));
    trickle.finished().await;
    failing.mix = vec![(TrickleKind::Chat, "m--hang".to_owned())];
    failing.timeout = Duration::from_millis(30);
    let (_trickle, mut results) = Trickle::start(failing.clone()).expect("starts");
    assert!(
        results
            .recv()
            .await
            .expect("a result")
            .error
            .expect("why")
            .contains("no end within")
    );
    failing.base_url = "https://example.com".to_owned();
    assert!(Trickle::start(failing.clone()).is_err());
    failing.base_url = server.url();
    failing.per_second = f64::NAN;
    assert!(Trickle::start(failing).is_err());
}

#[tokio::test]
async fn http2_without_tls_is_served_and_cut() {
    let server = start().await;
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http();
    let send = |model: &str| {
        let request = Request::post(format!("{}/v1/chat/completions", server.url()))
            .header("content-type", "application/json")
            .body(Full::from(chat_stream(model).to_string()))
            .expect("a request");
        client.request(request)
    };
    let response = send("m").await.expect("answered");
    assert_eq!(response.version(), Version::HTTP_2);
    let body = response.into_body().collect().await.expect("whole").to_bytes();
    assert!(body.ends_with(b"data: [DONE]\n\n"));
    for model in ["m--reset3", "m--cut3"] {
        let response = send(model).await.expect("a head");
        assert!(response.into_body().collect().await.is_err(), "{model}");
    }
    assert!(send("m--reset").await.is_err());
    let held = send("m--hang2").await.expect("a head");
    drop(held);
    let gone = server.control().wait_until(PATIENCE, |journal| {
        journal.last().is_some_and(|entry| entry.client_gone)
    });
    gone.await.expect("a cancelled stream is noticed");
    let is_asked = server.control().wait_until(PATIENCE, |journal| {
        journal.last().is_some_and(|entry| entry.model == "m--hang")
    });
    tokio::select! {
        _ = send("m--hang") => panic!("it answers"),
        asked = is_asked => asked.expect("it is asked"),
    };
    drop(client);
    let gone = server.control().wait_until(PATIENCE, |journal| {
        journal
            .last()
            .is_some_and(|entry| entry.model == "m--hang" && entry.client_gone)
    });
    gone.await.expect("a closed connection is noticed");
}

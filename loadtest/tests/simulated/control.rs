//! The control API, the journal and its limits.

use std::time::Duration;

use serde_json::json;
use tollgate_loadtest::{BehaviourTable, Ending, MockOptions, MockServer, redact_credential};

use crate::wire::*;

#[tokio::test]
async fn behaviours_are_set_shown_and_removed_over_http() {
    let server = start().await;
    let slow = json!({"failure": {"status": 429}}).to_string();
    assert_eq!(
        call(server.addr(), "PUT", "/mock/behaviour/east/gpt-4o", &slow)
            .await
            .status,
        200
    );
    let east = post(&server, "/p/east/v1/chat/completions", &chat("gpt-4o")).await;
    assert_eq!(
        (east.status, post_chat(&server, &chat("gpt-4o")).await.status),
        (429, 200)
    );
    let shown = call(server.addr(), "GET", "/mock/behaviour", "").await.json();
    assert_eq!(shown["models"]["east/gpt-4o"]["failure"]["status"], 429);
    assert_eq!(
        call(server.addr(), "DELETE", "/mock/behaviour/east/gpt-4o", "")
            .await
            .status,
        204
    );
    assert_eq!(
        call(server.addr(), "DELETE", "/mock/behaviour/east/gpt-4o", "")
            .await
            .status,
        404
    );
    assert_eq!(
        post(&server, "/p/east/v1/chat/completions", &chat("gpt-4o"))
            .await
            .status,
        200
    );
    assert_eq!(
        call(server.addr(), "PUT", "/mock/behaviour", &slow).await.status,
        200
    );
    assert_eq!(post_chat(&server, &chat("any")).await.status, 429);
    assert_eq!(
        call(server.addr(), "DELETE", "/mock/behaviour", "").await.status,
        204
    );
    assert_eq!(post_chat(&server, &chat("any")).await.status, 200);
}

#[tokio::test]
async fn a_server_started_with_behaviours_goes_back_to_them() {
    let table: BehaviourTable =
        serde_json::from_value(json!({"models": {"busy": {"failure": {"status": 529}}}})).unwrap();
    let options = || MockOptions {
        models: table.models.clone(),
        ..MockOptions::default()
    };
    let server = MockServer::start(options()).await.unwrap();
    assert_eq!(post_chat(&server, &chat("busy")).await.status, 529);
    server.control().set("busy", table.default.clone()).unwrap();
    assert_eq!(post_chat(&server, &chat("busy")).await.status, 200);
    server.control().reset();
    assert_eq!(post_chat(&server, &chat("busy")).await.status, 529);
    let mut wrong = options();
    wrong.models.values_mut().for_each(|it| it.fail_ratio = Some(7.0));
    let error = MockServer::start(wrong).await.unwrap_err().to_string();
    assert!(error.contains("behaviour, busy: fail_ratio"), "{error}");
}

#[tokio::test]
async fn bad_control_input_is_refused_with_its_place() {
    let server = start().await;
    for (body, told) in [
        ("{\"latncy\": 1}", "unknown field `latncy`"),
        ("{\"pacing\":\n {\"tokens_per_chunk\": \"x\"}}", "line 2"),
        ("", "EOF"),
        ("\u{fffd}", "expected value"),
        ("{\"failure\": {\"status\": 42}}", "failure.status"),
        ("{\"fail_ratio\": 2}", "fail_ratio"),
        ("{\"fail_first\": -1}", "invalid value"),
    ] {
        let reply = call(server.addr(), "PUT", "/mock/behaviour", body).await;
        assert_eq!(reply.status, 400, "{body}");
        assert!(
            reply.json()["error"]["problems"].to_string().contains(told),
            "{body}: {}",
            reply.text()
        );
    }
    assert_eq!(
        server.control().behaviours().default,
        tollgate_loadtest::Behaviour::default()
    );
    for (method, path, status) in [
        ("GET", "/mock/journal?since=x", 400),
        ("GET", "/mock/journal?limit=-1", 400),
        ("POST", "/mock/behaviour", 405),
        ("GET", "/mock/nothing", 404),
    ] {
        let reply = call(server.addr(), method, path, "").await;
        assert_eq!(
            (reply.status, reply.json()["error"]["message"].is_string()),
            (status, true),
            "{path}"
        );
    }
    let reply = post_chat(&server, &chat("m--bogus")).await;
    assert_eq!(reply.status, 400);
    assert!(
        reply.json()["error"]["message"]
            .as_str()
            .expect("text")
            .contains("'bogus'")
    );
}

#[tokio::test]
async fn the_journal_tells_what_was_received_and_hides_credentials() {
    let server = start().await;
    post(
        &server,
        "/p/east/v1/chat/completions?x=1",
        &chat_stream("gpt--tokens2"),
    )
    .await;
    call(server.addr(), "POST", "/v1/messages", "not json").await;
    let page = call(server.addr(), "GET", "/mock/journal?limit=1", "")
        .await
        .json();
    let entry = &page["entries"][0];
    assert_eq!(
        (&entry["seq"], &entry["provider"], &entry["model"]),
        (&json!(1), &json!("east"), &json!("gpt--tokens2"))
    );
    assert_eq!(entry["path"], "/p/east/v1/chat/completions?x=1");
    assert_eq!(entry["body"], chat_stream("gpt--tokens2").to_string());
    assert_eq!(
        (&entry["status"], &entry["stream"], &entry["chunks"]),
        (&json!(200), &json!(true), &json!(5))
    );
    assert_eq!(
        (&entry["ending"], &entry["client_gone"]),
        (&json!("done"), &json!(false))
    );
    assert!(!page.to_string().contains("secret"));
    let journal = server.control().journal();
    assert_eq!(
        journal[0].header("authorization"),
        Some(redact_credential("Bearer sk-secret-0123456789").as_str())
    );
    assert_eq!(
        (
            journal[1].status,
            journal[1].model.as_str(),
            journal[1].body.as_str()
        ),
        (400, "", "not json")
    );
    let page = call(server.addr(), "GET", "/mock/journal?since=1", "")
        .await
        .json();
    assert_eq!(page["entries"].as_array().map(Vec::len), Some(1));
    call(server.addr(), "DELETE", "/mock/journal", "").await;
    assert_eq!(server.control().journal(), []);
    let stats = call(server.addr(), "GET", "/mock/stats", "").await.json();
    assert_eq!(
        (&stats["requests"], &stats["in_flight"], &stats["completed"]),
        (&json!(2), &json!(0), &json!(2))
    );
    assert_eq!(stats["models"]["east/gpt--tokens2"]["requests"], 1);
}

#[tokio::test]
async fn the_journal_is_bounded_and_can_be_off() {
    let options = MockOptions {
        journal_capacity: 2,
        journal_body_bytes: 10,
        ..MockOptions::default()
    };
    let server = start_with(options).await;
    for model in ["a", "b", "c"] {
        post_chat(&server, &chat(model)).await;
    }
    let journal = server.control().journal();
    assert_eq!(
        journal
            .iter()
            .map(|entry| entry.model.as_str())
            .collect::<Vec<_>>(),
        ["b", "c"]
    );
    assert_eq!((journal[0].body.len(), journal[0].body_bytes > 10), (10, true));
    let off = start_with(MockOptions {
        journal_capacity: 0,
        ..MockOptions::default()
    })
    .await;
    post_chat(&off, &chat("a")).await;
    assert_eq!(
        (
            off.control().journal().len(),
            off.control().stats().total.requests
        ),
        (0, 1)
    );
}

#[tokio::test]
async fn waiting_ends_with_the_journal_when_it_takes_too_long() {
    let server = start().await;
    post_chat(&server, &chat("seen")).await;
    let waited = server
        .control()
        .wait_until(Duration::from_millis(20), |journal| journal.len() == 2)
        .await;
    let error = waited.expect_err("nothing more comes");
    assert_eq!((error.journal.len(), error.journal[0].ending), (1, Ending::Done));
    assert!(error.to_string().contains("seen"), "{error}");
}

#[tokio::test]
async fn a_server_stops_with_streams_open_and_frees_its_port() {
    // On an address of its own: on that of all others somebody else may be given the port that is free.
    let options = MockOptions {
        listen: "127.0.0.78:0".parse().expect("an address"),
        ..MockOptions::default()
    };
    let server = MockServer::start(options).await.expect("starts");
    let addr = server.addr();
    let body = chat_stream("m--hang2").to_string();
    let _open = send(addr, "POST", "/v1/chat/completions", &body).await;
    server
        .control()
        .wait_until(PATIENCE, |journal| journal.len() == 1)
        .await
        .expect("arrives");
    tokio::time::timeout(PATIENCE, server.stop())
        .await
        .expect("stops");
    let again = MockServer::start(MockOptions {
        listen: addr,
        ..MockOptions::default()
    })
    .await;
    assert_eq!(again.expect("the port is free").addr(), addr);
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let server = start().await;
    let taken = MockServer::start(MockOptions {
        listen: server.addr(),
        ..MockOptions::default()
    })
    .await;
    assert!(format!("{:#}", taken.expect_err("taken")).contains("cannot listen on 127.0.0.1"));
    let defaults = behaviour(json!({"fail_ratio": 7}));
    let odd = MockServer::start(MockOptions {
        defaults,
        ..MockOptions::default()
    })
    .await;
    assert!(odd.expect_err("odd").to_string().contains("fail_ratio"));
}

#[test]
fn a_server_can_be_started_and_moved_across_threads() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    let starting = assert_send(MockServer::start(MockOptions::default()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let server = assert_send(runtime.block_on(starting).expect("starts"));
    let control = server.control().clone();
    std::thread::spawn(move || drop((server, control)))
        .join()
        .expect("is dropped elsewhere");
}

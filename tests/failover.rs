//! A provider that fails before the first byte is replaced by the next, across dialects; one that says no to the
//! request itself is not; and whoever fails in the end is told what was tried.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_loadtest::{
    Behaviour, BodyKind, Failure, Fault, FaultKind, FaultPoint, MockOptions, MockServer,
};
use tollgate_tests::{Stack, chat, chat_stream, messages, refusing, text_of_chat, text_of_messages};

/// Two providers of the OpenAI dialect, the second one asked when the first one fails; and a third, of Anthropic's.
const TWO: &str = r#"
providers:
  east: { kind: openai, base_url: "http://{mock}/p/east/v1", api_key: "key-of-east-000001", timeouts: { first_byte: 400ms } }
  west: { kind: openai, base_url: "http://{mock}/p/west/v1", api_key: "key-of-west-000001" }
  claude: { kind: anthropic, base_url: "http://{mock}/p/claude", api_key: "key-of-claude-0001" }
models:
  both: { targets: [ { provider: east, model: big, priority: 0 }, { provider: west, model: small, priority: 1 } ] }
  east-only: { targets: [ { provider: east, model: big } ] }
  east-then-claude: { targets: [ { provider: east, model: big, priority: 0 }, { provider: claude, model: haiku, priority: 1 } ] }
  claude-then-west: { targets: [ { provider: claude, model: haiku, priority: 0 }, { provider: west, model: small, priority: 1 } ] }
  fallen-back: { targets: [ { provider: east, model: big } ], fallbacks: [ west-only ] }
  west-only: { targets: [ { provider: west, model: small } ] }
  three-but-two: { max_attempts: 2, targets: [ { provider: east, model: a, priority: 0 }, { provider: east, model: b, priority: 1 }, { provider: west, model: small, priority: 2 } ] }
"#;

fn failing(status: u16) -> Behaviour {
    let failure = Failure {
        status,
        ..Failure::default()
    };
    Behaviour {
        failure: Some(failure),
        ..Behaviour::default()
    }
}

fn broken(kind: FaultKind, at: FaultPoint) -> Behaviour {
    Behaviour {
        fault: Some(Fault { kind, at }),
        ..Behaviour::default()
    }
}

/// How many requests a simulated provider has received.
fn asked(stack: &Stack, provider: &str) -> usize {
    stack
        .mock
        .control()
        .journal()
        .iter()
        .filter(|entry| entry.provider == provider)
        .count()
}

async fn stack_where_east(does: Behaviour) -> Stack {
    let stack = Stack::start(TWO).await;
    stack.mock.control().set("east/*", does).unwrap();
    stack
}

#[tokio::test]
async fn whatever_fails_before_the_first_byte_fails_over() {
    let faults = [
        (failing(429), "rate_limited"),
        (failing(500), "server_error"),
        (failing(502), "server_error"),
        (failing(503), "overloaded"),
        (failing(529), "overloaded"),
        (failing(404), "model_not_found"),
        (failing(401), "credential_rejected"),
        (
            broken(FaultKind::Hang, FaultPoint::BeforeHead),
            "first_byte_timeout",
        ),
        (
            broken(FaultKind::Hang, FaultPoint::AfterHead),
            "first_byte_timeout",
        ),
        (broken(FaultKind::Reset, FaultPoint::BeforeHead), "reset"),
        (broken(FaultKind::Cut, FaultPoint::BeforeHead), "reset"),
        (broken(FaultKind::Reset, FaultPoint::AfterHead), "reset"),
    ];
    for (fault, outcome) in faults {
        for body in [chat("both"), chat_stream("both")] {
            // Anew each time: what failed once is remembered, and would not be asked again.
            let stack = Stack::start(TWO).await;
            stack.mock.control().set("east/*", fault.clone()).unwrap();
            let response = stack.chat(&body).await;
            assert_eq!(response.status, 200, "{outcome}: {}", response.text());
            assert_eq!(response.header("x-tollgate-attempts"), Some("2"), "{outcome}");
            assert_eq!(response.header("x-tollgate-provider"), Some("west"), "{outcome}");
            assert_eq!(response.header("x-tollgate-model"), Some("small"), "{outcome}");
            assert_eq!(response.header("x-should-retry"), None, "{outcome}");
            let record = stack.settled(1).await.pop().unwrap();
            assert_eq!(record["attempts"][0]["outcome"], outcome, "{record}");
            assert_eq!(record["attempts"][1]["outcome"], "success", "{record}");
            assert_eq!(
                (&record["outcome"], &record["provider"]),
                (&json!("success"), &json!("west")),
                "{record}"
            );
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_none_fails_over() {
    let stack = Stack::start(TWO).await;
    for body in [BodyKind::Malformed, BodyKind::Html, BodyKind::Empty] {
        let lying = Failure {
            status: 200,
            body,
            ..Failure::default()
        };
        let does = Behaviour {
            failure: Some(lying),
            ..Behaviour::default()
        };
        stack.mock.control().set("east/*", does).unwrap();
        let response = stack.chat(&chat("both")).await;
        assert_eq!(response.status, 200, "{body:?}: {}", response.text());
        assert_eq!(
            response.header("x-tollgate-provider"),
            Some("west"),
            "{body:?}: {}",
            response.text()
        );
    }
}

#[tokio::test]
async fn a_refused_connection_fails_over() {
    let (_kept, nobody) = refusing();
    let config = TWO.replacen("{mock}/p/east", &nobody.to_string(), 1);
    let stack = Stack::start(&config).await;
    let response = stack.chat(&chat("both")).await;
    assert_eq!(
        (response.status, response.header("x-tollgate-attempts")),
        (200, Some("2"))
    );
    let record = stack.settled(1).await.pop().unwrap();
    assert_eq!(record["attempts"][0]["outcome"], "connect_failed", "{record}");
    assert_eq!(record["attempts"][0]["status"], Value::Null, "{record}");
}

#[tokio::test]
async fn an_answer_that_has_begun_is_never_begun_again() {
    let stack = stack_where_east(broken(FaultKind::Reset, FaultPoint::AfterChunks(4))).await;
    let response = stack.chat(&chat_stream("both")).await;
    assert_eq!(
        (response.status, response.header("x-tollgate-provider")),
        (200, Some("east"))
    );
    assert!(response.text().contains("\"error\""), "{}", response.text());
    assert_eq!(asked(&stack, "west"), 0);
}

#[tokio::test]
async fn an_openai_client_is_answered_by_anthropic_in_its_own_dialect() {
    let stack = stack_where_east(failing(500)).await;
    let response = stack.chat(&chat("east-then-claude")).await;
    assert_eq!(
        response.header("x-tollgate-provider"),
        Some("claude"),
        "{}",
        response.text()
    );
    let body = response.json();
    assert_eq!(body["object"], "chat.completion", "{body}");
    assert!(
        body["choices"][0]["message"]["content"]
            .as_str()
            .is_some_and(|text| !text.is_empty()),
        "{body}"
    );
    let response = stack.chat(&chat_stream("east-then-claude")).await;
    assert!(!text_of_chat(&response.text()).is_empty(), "{}", response.text());
    assert!(
        response.text().contains("data: [DONE]\n\n"),
        "{}",
        response.text()
    );
}

#[tokio::test]
async fn an_anthropic_client_is_answered_by_openai_in_its_own_dialect() {
    let stack = Stack::start(TWO).await;
    stack.mock.control().set("claude/*", failing(529)).unwrap();
    let response = stack.messages(&messages("claude-then-west")).await;
    assert_eq!(
        response.header("x-tollgate-provider"),
        Some("west"),
        "{}",
        response.text()
    );
    let body = response.json();
    assert_eq!(
        (&body["type"], &body["content"][0]["type"]),
        (&json!("message"), &json!("text")),
        "{body}"
    );
    let response = stack
        .messages(&tollgate_tests::messages_stream("claude-then-west"))
        .await;
    assert!(
        !text_of_messages(&response.text()).is_empty(),
        "{}",
        response.text()
    );
    assert!(
        response.text().contains("event: message_stop"),
        "{}",
        response.text()
    );
}

#[tokio::test]
async fn a_fallback_is_asked_when_the_route_has_failed() {
    let stack = stack_where_east(failing(500)).await;
    let response = stack.chat(&chat("fallen-back")).await;
    assert_eq!(
        (response.status, response.header("x-tollgate-provider")),
        (200, Some("west"))
    );
    let record = stack.settled(1).await.pop().unwrap();
    assert_eq!(record["route"], "fallen-back", "{record}");
}

#[tokio::test]
async fn a_request_that_is_wrong_is_refused_by_the_first_provider_alone() {
    for status in [400, 422] {
        let stack = stack_where_east(failing(status)).await;
        let response = stack.chat(&chat("both")).await;
        assert_eq!(
            (response.status, response.header("x-tollgate-attempts")),
            (status, Some("1"))
        );
        assert_eq!(response.json()["error"]["message"], "simulated invalid request");
        assert_eq!(asked(&stack, "west"), 0);
    }
}

#[tokio::test]
async fn when_all_fail_the_error_names_every_attempt() {
    let stack = stack_where_east(failing(500)).await;
    stack.mock.control().set("west/*", failing(503)).unwrap();
    let expected = json!([
        { "provider": "east", "model": "big", "outcome": "server_error", "status": 500 },
        { "provider": "west", "model": "small", "outcome": "overloaded", "status": 503 },
    ]);
    let openai = stack.chat(&chat("both")).await;
    let anthropic = stack.messages(&messages("both")).await;
    for response in [&openai, &anthropic] {
        assert_eq!(response.status, 502, "{}", response.text());
        assert_eq!(response.header("x-tollgate-attempts"), Some("2"));
        assert_eq!(response.header("x-should-retry"), Some("false"));
        let mut attempts = response.json()["error"]["attempts"].clone();
        for attempt in attempts.as_array_mut().unwrap() {
            assert!(
                attempt
                    .as_object_mut()
                    .unwrap()
                    .remove("elapsed_ms")
                    .unwrap()
                    .is_u64()
            );
        }
        assert_eq!(attempts, expected);
    }
    assert_eq!(openai.json()["error"]["code"], "upstream_failed");
    assert_eq!(openai.json()["error"]["type"], "server_error");
    assert_eq!(
        (&anthropic.json()["type"], &anthropic.json()["error"]["type"]),
        (&json!("error"), &json!("api_error"))
    );
}

#[tokio::test]
async fn when_all_are_rate_limited_so_is_the_client_and_it_learns_when_to_come_back() {
    let limited = Failure {
        status: 429,
        retry_after: Some("7".to_owned()),
        ..Failure::default()
    };
    let does = Behaviour {
        failure: Some(limited),
        ..Behaviour::default()
    };
    let stack = stack_where_east(does.clone()).await;
    stack.mock.control().set("west/*", does).unwrap();
    let response = stack.chat(&chat("both")).await;
    assert_eq!(
        (response.status, response.header("retry-after")),
        (429, Some("7")),
        "{}",
        response.text()
    );
    assert_eq!(response.json()["error"]["code"], "upstream_rate_limited");
}

#[tokio::test]
async fn the_answer_of_a_lone_target_passes_as_it_is() {
    let limited = Failure {
        status: 429,
        retry_after: Some("3".to_owned()),
        message: Some("slow down, please".to_owned()),
        ..Failure::default()
    };
    let does = Behaviour {
        failure: Some(limited),
        ..Behaviour::default()
    };
    let stack = stack_where_east(does).await;
    let response = stack.chat(&chat("east-only")).await;
    assert_eq!(
        (response.status, response.header("retry-after")),
        (429, Some("3"))
    );
    assert_eq!(
        response.header("x-should-retry"),
        None,
        "the client's own retry is the only one there is"
    );
    let expected = json!({ "error": {
        "message": "slow down, please", "type": "requests", "param": null, "code": "rate_limit_exceeded",
    } });
    assert_eq!(response.json(), expected);
    let in_anthropic = stack.messages(&messages("east-only")).await;
    assert_eq!(
        (in_anthropic.status, in_anthropic.header("retry-after")),
        (429, Some("3"))
    );
    let body = in_anthropic.json();
    assert_eq!(
        (&body["type"], &body["error"]["type"]),
        (&json!("error"), &json!("rate_limit_error")),
        "{body}"
    );
}

#[tokio::test]
async fn no_more_is_attempted_than_the_route_allows() {
    let stack = stack_where_east(failing(500)).await;
    let response = stack.chat(&chat("three-but-two")).await;
    assert_eq!(
        (response.status, response.header("x-tollgate-attempts")),
        (502, Some("2"))
    );
    assert_eq!((asked(&stack, "east"), asked(&stack, "west")), (2, 0));
}

#[tokio::test]
async fn a_credential_that_is_rejected_is_replaced_by_the_providers_next() {
    let keys = r#"api_keys: [ { key: "first-key-of-east" }, { key: "second-key-of-east" } ]"#;
    for (status, model) in [
        (401, "both"),
        (403, "both"),
        (429, "both"),
        (401, "east-only"),
        (429, "east-only"),
    ] {
        let stack = Stack::start(&TWO.replacen(r#"api_key: "key-of-east-000001""#, keys, 1)).await;
        let does = Behaviour {
            fail_first: Some(1),
            ..failing(status)
        };
        stack.mock.control().set("east/*", does).unwrap();
        let response = stack.chat(&chat(model)).await;
        assert_eq!(
            (response.status, response.header("x-tollgate-provider")),
            (200, Some("east")),
            "{status} {model}"
        );
        assert_eq!(response.header("x-tollgate-attempts"), Some("2"), "{status}");
        let journal = stack.mock.control().journal();
        let keys: Vec<_> = journal
            .iter()
            .map(|entry| entry.header("authorization").unwrap())
            .collect();
        assert_eq!(keys.len(), 2, "{status}");
        assert_ne!(keys[0], keys[1], "{status}: the same key was tried again");
    }
}

#[tokio::test]
async fn a_rejected_credential_is_the_gateways_trouble_and_not_shown() {
    let rejected = Failure {
        status: 401,
        message: Some("bad key key-of-east-000001".to_owned()),
        ..Failure::default()
    };
    let stack = stack_where_east(Behaviour {
        failure: Some(rejected),
        ..Behaviour::default()
    })
    .await;
    let response = stack.chat(&chat("east-only")).await;
    assert_eq!(
        response.status,
        502,
        "a client would think that its own key was wrong: {}",
        response.text()
    );
    assert!(!response.text().contains("key-of-east"), "{}", response.text());
    assert_eq!(response.json()["error"]["code"], "upstream_credentials_rejected");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_credential_stays_home() {
    let elsewhere = MockServer::start(MockOptions::default()).await.unwrap();
    for status in [301, 302, 307, 308] {
        let away = format!("{}/v1/chat/completions", elsewhere.url());
        let does = Behaviour {
            headers: [("location".to_owned(), away)].into(),
            ..failing(status)
        };
        let stack = stack_where_east(does).await;
        let response = stack.chat(&chat("east-only")).await;
        assert_eq!(response.status, 502, "{status}: {}", response.text());
        assert_eq!(response.header("location"), None, "{status}");
        assert_eq!(
            stack.chat(&chat("both")).await.header("x-tollgate-provider"),
            Some("west"),
            "{status}"
        );
    }
    assert!(elsewhere.control().journal().is_empty());
}

#[tokio::test]
async fn a_connection_that_went_stale_in_the_pool_is_replaced_without_a_word() {
    let mock = MockServer::start(MockOptions::default()).await.unwrap();
    let addr = mock.addr();
    let stack = Stack::in_front_of(mock, TWO);
    assert_eq!(stack.chat(&chat("west-only")).await.status, 200);
    // Ten requests of which each finds the connection of the one before closed by the provider.
    for _ in 0..10 {
        let closing = Behaviour {
            headers: [("connection".to_owned(), "close".to_owned())].into(),
            ..Behaviour::default()
        };
        stack.mock.control().set("west/*", closing).unwrap();
        let response = stack.chat(&chat("west-only")).await;
        assert_eq!(
            (response.status, response.header("x-tollgate-attempts")),
            (200, Some("1")),
            "{addr}"
        );
    }
    let waited = stack
        .mock
        .control()
        .wait_until(Duration::from_secs(20), |journal| journal.len() == 11)
        .await;
    waited.unwrap();
}

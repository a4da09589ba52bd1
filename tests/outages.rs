//! A provider that is down costs a request its timeout at the most, is asked once, and is nobody's error.

use std::time::{Duration, Instant};

use tollgate_loadtest::{Behaviour, FaultKind, FaultPoint};
use tollgate_tests::{
    Stack, broken, chat, chat_stream, failing, messages, messages_stream, on_time, refusing, slow, tally,
    text_of_chat, text_of_messages,
};

/// How long a provider may take for its first byte.
const TIMEOUT: Duration = Duration::from_millis(300);
/// What a failover may add to that. The promise is 20 ms; a busy machine is given more.
const SLACK: Duration = Duration::from_millis(250);

const THREE: &str = r#"
breaker: { enabled: false }
providers:
  east: { kind: openai, base_url: "http://{mock}/p/east/v1", api_key: "key-of-east-000001", timeouts: { connect: 300ms, first_byte: 300ms } }
  west: { kind: openai, base_url: "http://{mock}/p/west/v1", api_key: "key-of-west-000001", timeouts: { first_byte: 300ms } }
  claude: { kind: anthropic, base_url: "http://{mock}/p/claude", api_key: "key-of-claude-0001", timeouts: { first_byte: 300ms } }
models:
  chats: { targets: [ { provider: east, model: m, priority: 0 }, { provider: claude, model: c, priority: 1 } ] }
  messages: { targets: [ { provider: claude, model: c, priority: 0 }, { provider: west, model: m, priority: 1 } ] }
  two: { max_attempts: 2, targets: [ { provider: east, model: m, priority: 0 }, { provider: west, model: m, priority: 1 } ] }
  any: { weights: { cost: 1, latency: 1, availability: 1 }, targets: [ { provider: east, model: m }, { provider: west, model: m }, { provider: claude, model: c } ] }
"#;

/// What is wrong with the first provider, and how long that may take.
fn outages() -> Vec<(Behaviour, Duration)> {
    let at_once = [500, 502, 503, 504, 529].map(|status| (failing(status), Duration::ZERO));
    let mut outages = at_once.to_vec();
    outages.push((slow(2_000.0), TIMEOUT));
    outages.push((broken(FaultKind::Hang, FaultPoint::AfterHead), TIMEOUT));
    outages.push((broken(FaultKind::Reset, FaultPoint::BeforeHead), Duration::ZERO));
    outages
}

#[tokio::test]
async fn the_next_target_answers_in_the_clients_own_schema_and_little_later_than_the_timeout() {
    let stack = Stack::start(THREE).await;
    for (does, timeout) in outages() {
        for (first, second) in [("east", "claude"), ("claude", "west")] {
            for streams in [false, true] {
                on_time(async || {
                    stack.set("east", Behaviour::default());
                    stack.set("claude", Behaviour::default());
                    stack.set(first, does.clone());
                    let (asked_first, asked_second) = (stack.asked(first), stack.asked(second));
                    let begun = Instant::now();
                    let response = match (first, streams) {
                        ("east", false) => stack.chat(&chat("chats")).await,
                        ("east", true) => stack.chat(&chat_stream("chats")).await,
                        (_, false) => stack.messages(&messages("messages")).await,
                        (_, true) => stack.messages(&messages_stream("messages")).await,
                    };
                    let took = begun.elapsed();
                    let text = response.text();
                    assert_eq!(
                        (response.status, response.header("x-tollgate-provider")),
                        (200, Some(second)),
                        "{does:?}: {text}"
                    );
                    assert!(
                        (timeout..timeout + SLACK).contains(&took),
                        "{does:?} of {first}: {took:?}"
                    );
                    match (first, streams) {
                        ("east", false) => assert_eq!(response.json()["object"], "chat.completion", "{text}"),
                        ("east", true) => assert!(!text_of_chat(&text).is_empty(), "{text}"),
                        (_, false) => assert_eq!(response.json()["type"], "message", "{text}"),
                        (_, true) => assert!(!text_of_messages(&text).is_empty(), "{text}"),
                    }
                    assert_eq!(
                        (stack.asked(first), stack.asked(second)),
                        (asked_first + 1, asked_second + 1),
                        "one try each: {does:?} of {first}"
                    );
                })
                .await;
            }
        }
    }
}

#[tokio::test]
async fn a_refused_connection_costs_next_to_nothing() {
    on_time(async || {
        let (_kept, nobody) = refusing();
        let stack = Stack::start(&THREE.replacen("{mock}/p/east", &nobody.to_string(), 1)).await;
        let begun = Instant::now();
        let response = stack.chat(&chat("chats")).await;
        assert_eq!(
            (response.status, response.header("x-tollgate-attempts")),
            (200, Some("2"))
        );
        assert!(begun.elapsed() < SLACK, "{:?}", begun.elapsed());
    })
    .await;
}

#[tokio::test]
async fn a_total_outage_is_multiplied_neither_by_us_nor_by_sdks_that_try_again() {
    let stack = Stack::start(THREE).await;
    stack.set("east", failing(500));
    stack.set("west", failing(529));
    let served = stack.many("two", 40, 8).await;
    assert!(served.iter().all(Option::is_none));
    assert_eq!(
        (stack.asked("east"), stack.asked("west")),
        (40, 40),
        "each is tried once for each request"
    );
    // An SDK that tries twice more, although it is told that this is of no use.
    let mut asked = Vec::new();
    for retry in ["0", "1", "2"] {
        let before = stack.asked("east") + stack.asked("west");
        let response = stack
            .chat_with(&chat("two"), &[("x-stainless-retry-count", retry)])
            .await;
        if retry == "0" {
            assert_eq!(response.header("x-should-retry"), Some("false"));
        }
        asked.push(stack.asked("east") + stack.asked("west") - before);
    }
    assert_eq!(asked, [2, 1, 1]);
}

#[tokio::test]
async fn an_outage_of_any_one_provider_under_load_is_no_clients_error() {
    let outages = [
        failing(529),
        slow(2_000.0),
        broken(FaultKind::Reset, FaultPoint::BeforeHead),
        broken(FaultKind::Cut, FaultPoint::AfterChunks(2)),
    ];
    for (number, does) in outages.into_iter().enumerate() {
        let down = ["east", "west", "claude"][number % 3];
        let stack = Stack::start(&THREE.replace("enabled: false", "consecutive_failures: 5")).await;
        for provider in ["east", "west", "claude"] {
            stack.set(provider, slow(5.0));
        }
        let load = stack.many("any", 500, 8);
        let outage = async {
            let begun = stack
                .mock
                .control()
                .wait_until(Duration::from_secs(20), |it| it.len() >= 150)
                .await;
            begun.unwrap();
            stack.set(down, does.clone());
        };
        let (served, ()) = tokio::join!(load, outage);
        let counts = tally(&served);
        assert_eq!(counts.get("-"), None, "{down} {does:?}: {counts:?}");
    }
}

//! Streams pass on as they come: slow readers cost no memory, broken ones end in an error that cannot be taken for an
//! end, and a thousand at once are all whole.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tollgate_loadtest::{Behaviour, MockOptions, MockServer, Reply};
use tollgate_tests::{
    BEARER, KEY, Process, Stack, Wire, chat_stream, data, messages_stream, text_of_chat, text_of_messages,
};

const BOTH: &str = r#"
providers:
  openai: { kind: openai, base_url: "http://{mock}/v1", api_key: "key-of-openai-000" }
  claude: { kind: anthropic, base_url: "http://{mock}", api_key: "key-of-claude-000" }
models:
  "o/*": { targets: [ { provider: openai } ] }
  "a/*": { targets: [ { provider: claude } ] }
"#;

#[tokio::test]
async fn a_thousand_at_once_are_all_whole() {
    const CLIENTS: usize = 1000;
    let text = "A thousand at once, each of them whole, and none of them another's. ".repeat(3);
    let reply = Reply {
        text: Some(text.clone()),
        ..Reply::default()
    };
    let defaults = Behaviour {
        reply,
        ..Behaviour::default()
    };
    let options = MockOptions {
        defaults,
        journal_capacity: 0,
        ..MockOptions::default()
    };
    let stack = Stack::in_front_of(MockServer::start(options).await.unwrap(), BOTH);
    // All are open before any goes on: the pace spreads each of them over most of a second.
    let bodies = ["o/m--pace15", "a/m--pace15"].map(|model| (chat_stream(model), messages_stream(model)));
    let mut wires = Vec::new();
    for number in 0..CLIENTS {
        let (openai, anthropic) = &bodies[number / 2 % 2];
        let (path, body) = [("/v1/chat/completions", openai), ("/v1/messages", anthropic)][number % 2];
        wires.push(stack.begin(path, body).await);
    }
    let streams = join_all(wires.iter_mut().map(Wire::response)).await;
    for (number, response) in streams.iter().enumerate() {
        let stream = response.text();
        assert_eq!(response.status, 200, "{stream}");
        let (got, end) = match number % 2 {
            0 => (text_of_chat(&stream), "data: [DONE]\n\n"),
            _ => (text_of_messages(&stream), "event: message_stop"),
        };
        assert_eq!(got, text, "stream {number}: {stream}");
        assert!(stream.contains(end), "stream {number}: {stream}");
    }
    let log = stack.settled(CLIENTS).await;
    assert!(
        log.iter()
            .all(|record| record["outcome"] == "success" && record["usage"]["source"] == "reported")
    );
}

#[tokio::test]
async fn a_reader_that_stops_reading_costs_no_memory_and_slows_the_provider_down() {
    const READERS: usize = 8;
    const MIB: u64 = 1 << 20;
    let fast = Behaviour {
        reply: Reply {
            endless: true,
            ..Reply::default()
        },
        ..Behaviour::default()
    };
    let mock = MockServer::start(MockOptions {
        defaults: fast,
        ..MockOptions::default()
    })
    .await
    .unwrap();
    let config = format!(
        "{}keys: [ {{ name: test, key: \"{KEY}\" }} ]\nserver: {{ listen: \"127.0.0.1:0\", workers: 2 }}\n\
         admin: {{ listen: \"127.0.0.1:0\" }}\ntelemetry: {{ access_log: \"off\" }}\n",
        BOTH.replace("{mock}", &mock.addr().to_string()).trim_start()
    );
    let gateway = tokio::task::spawn_blocking(move || Process::serve(&config, &[]))
        .await
        .unwrap();
    let before = gateway.resident_bytes();
    let mut wires = Vec::new();
    for model in ["o/m", "a/m"].into_iter().cycle().take(READERS) {
        let mut wire = Wire::connect(gateway.addr).await;
        wire.post("/v1/chat/completions", &[BEARER], &chat_stream(model))
            .await;
        assert_eq!(wire.head().await.status, 200);
        wires.push(wire);
    }
    // Nobody reads: what the provider may send stalls when the buffers of the kernel are full.
    let chunks = || {
        mock.control()
            .journal()
            .iter()
            .map(|entry| entry.chunks)
            .sum::<u64>()
    };
    let (mut last, mut still) = (0, 0);
    while still < 10 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = chunks();
        still = if now == last { still + 1 } else { 0 };
        last = now;
    }
    let grown = gateway.resident_bytes().saturating_sub(before);
    assert!(
        grown < 32 * MIB,
        "{} MiB more for {READERS} readers who do not read",
        grown / MIB
    );
    // And they go on where they stopped.
    let stalled = chunks();
    for wire in &mut wires {
        let mut seen = 0;
        while seen < 4 << 20 {
            seen += wire.piece().await.unwrap().len();
        }
    }
    assert!(chunks() > stalled, "back-pressure did not end");
    let grown = gateway.resident_bytes().saturating_sub(before);
    assert!(grown < 32 * MIB, "{} MiB more after 4 MiB each", grown / MIB);
    drop(wires);
    let gone = mock.control().wait_until(Duration::from_secs(20), |journal| {
        journal.iter().all(|it| it.client_gone)
    });
    gone.await.unwrap();
}

/// What goes wrong with a stream, and its name.
const FAULTS: [(&str, &str); 4] = [
    ("m--reset8", "reset"),
    ("m--cut8", "reset"),
    ("m--error8", "overloaded"),
    ("m--reset6--drip0", "reset"),
];

#[tokio::test]
async fn one_that_breaks_ends_in_an_error_of_the_clients_dialect() {
    let stack = Stack::start(BOTH).await;
    let mut requests = 0;
    for provider in ["o", "a"] {
        for (model, outcome) in FAULTS {
            let model = format!("{provider}/{model}");
            let openai = stack.chat(&chat_stream(&model)).await;
            let anthropic = stack.messages(&messages_stream(&model)).await;
            let (text, events) = (openai.text(), data(&openai.text()));
            assert!(
                events.last().unwrap()["error"]["message"].is_string(),
                "{model}: {text}"
            );
            assert!(
                events
                    .iter()
                    .all(|it| it["choices"][0]["finish_reason"].is_null()),
                "{model}: {text}"
            );
            assert!(
                !text_of_chat(&text).is_empty(),
                "what came before is passed on, {model}: {text}"
            );
            let (text, events) = (anthropic.text(), data(&anthropic.text()));
            assert_eq!(events.last().unwrap()["type"], "error", "{model}: {text}");
            assert!(!text.contains("message_stop"), "{model}: {text}");
            requests += 2;
            for record in stack.settled(requests).await.split_off(requests - 2) {
                assert_eq!(record["outcome"], outcome, "{model}: {record}");
                assert_eq!(record["attempts"][0]["outcome"], outcome, "{model}: {record}");
                assert!(
                    record["usage"]["output"].as_u64().unwrap() > 0,
                    "{model}: {record}"
                );
            }
        }
    }
}

#[tokio::test]
async fn one_that_ends_without_its_closing_event_was_not_whole() {
    // A proper end of the body, of half an answer: no finish reason, no [DONE].
    let half = "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
                \"choices\":[{\"index\":0,\"delta\":{\"content\":\"half an\"},\"finish_reason\":null}]}\n\n";
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n{half}",
        half.len()
    );
    let upstream = tollgate_tests::Scripted::start(move |_| answer.clone().into_bytes()).await;
    let stack = Stack::start(&BOTH.replacen("{mock}", &upstream.addr.to_string(), 1)).await;
    let text = stack.chat(&chat_stream("o/m")).await.text();
    assert_eq!(text_of_chat(&text), "half an");
    assert!(data(&text).last().unwrap()["error"].is_object(), "{text}");
    let text = stack.messages(&messages_stream("o/m")).await.text();
    assert!(
        text.contains("event: error") && !text.contains("message_stop"),
        "{text}"
    );
    for record in stack.settled(2).await {
        assert_eq!(record["outcome"], "malformed", "{record}");
    }
}

#[tokio::test]
async fn bytes_may_be_cut_anywhere() {
    let text = "Grüße, 日本語 and \u{1f980} \"quoted\" \\ back\nlines";
    let reply = Reply {
        text: Some(text.to_owned()),
        ..Reply::default()
    };
    let defaults = Behaviour {
        reply,
        ..Behaviour::default()
    };
    let mock = MockServer::start(MockOptions {
        defaults,
        ..MockOptions::default()
    })
    .await
    .unwrap();
    let stack = Stack::in_front_of(mock, BOTH);
    for model in ["o/m--drip0", "a/m--drip0"] {
        let openai = stack.chat(&chat_stream(model)).await.text();
        assert_eq!(text_of_chat(&openai), text, "{model}: {openai}");
        let anthropic = stack.messages(&messages_stream(model)).await.text();
        assert_eq!(text_of_messages(&anthropic), text, "{model}: {anthropic}");
    }
}

#[tokio::test]
async fn the_cost_stands_in_a_last_comment() {
    let priced = BOTH.replace(
        "{ provider: openai }",
        r#"{ provider: openai, price: { input: "$1", output: "$2" } }"#,
    );
    let stack = Stack::start(&priced).await;
    let response = stack.chat(&chat_stream("o/m--usage1000x500")).await;
    let text = response.text();
    let id = response.header("x-request-id").unwrap();
    let (_, comment) = text.split_once("data: [DONE]\n\n").unwrap();
    assert!(
        comment.starts_with(": tollgate ") && comment.ends_with("\n\n"),
        "{comment}"
    );
    let mut said: Vec<_> = comment.split_whitespace().skip(2).collect();
    said.sort_unstable();
    let id_said = format!("request-id={id}");
    let expected = [
        "cost-usd=0.002000000",
        "input-tokens=1000",
        "output-tokens=500",
        &id_said,
        "usage=reported",
    ];
    assert_eq!(said, expected, "{comment}");
    let record = stack.settled(1).await.pop().unwrap();
    assert_eq!(
        (&record["cost_nanodollars"], &record["id"]),
        (&json!(2_000_000), &json!(id)),
        "{record}"
    );
    assert!(
        record["first_token_us"].as_u64().is_some() && record["generation_us"].as_u64().is_some(),
        "{record}"
    );
}

#[tokio::test]
async fn what_was_sent_arrives_before_the_next_is_there() {
    let stack = Stack::start(BOTH).await;
    for (path, body) in [
        ("/v1/chat/completions", chat_stream("o/m--hang4")),
        ("/v1/messages", messages_stream("a/m--hang4")),
    ] {
        let mut wire = stack.begin(path, &body).await;
        assert_eq!(wire.head().await.status, 200);
        let mut text = String::new();
        while text.matches("\n\n").count() < 4 {
            text.push_str(&String::from_utf8(wire.piece().await.unwrap()).unwrap());
        }
    }
}

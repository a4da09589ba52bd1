//! The same answers of each kind of provider, whole and streamed, as each client gets them.

use std::collections::HashSet;
use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_adapters::Encoded;
use tollgate_core::{Dialect, OutcomeClass, ProviderKind, Surface};

use crate::said::{Said, assembled};
use crate::support::{CLIENTS, PROVIDERS, events, fixture, framed, hello, send, streamed};

/// Each kind of provider, each client, and the dialect between the gateway and the provider.
fn pairs() -> impl Iterator<Item = (ProviderKind, Surface, Dialect)> {
    PROVIDERS.into_iter().flat_map(|(kind, _)| {
        CLIENTS
            .into_iter()
            .map(move |client| (kind, client, kind.dialect_for(client)))
    })
}

fn asked(client: Surface, kind: ProviderKind, stream: bool) -> Encoded {
    send(client, stream, &hello(client), kind, "there").unwrap()
}

fn named(kind: ProviderKind, client: Surface) -> String {
    format!("{kind}_to_{}", client.dialect().name())
}

/// What the two answers say, whoever gives them.
fn expected(answer: &str) -> Said {
    let mut said = Said {
        text: "It was".to_owned(),
        finish: "length",
        usage: [30, 10, 20],
        ..Said::default()
    };
    if answer == "calls" {
        "I look both up.".clone_into(&mut said.text);
        "Two cities.".clone_into(&mut said.thinking);
        said.finish = "calls";
        said.calls = vec![
            ("weather".to_owned(), json!({"city": "Rome"})),
            ("forecast".to_owned(), json!({"city": "Oslo"})),
        ];
    }
    said
}

fn check(mut said: Said, answer: &str, passes: bool, context: &str) {
    let ids: HashSet<_> = said.ids.drain(..).collect();
    if passes {
        // As it came: Google gives calls no ids.
        return assert_eq!(said, expected(answer), "{context}");
    }
    assert_eq!(
        ids.len(),
        said.calls.len(),
        "{context}: each call has an id of its own"
    );
    assert!(!ids.contains(""), "{context}: each call has an id");
    assert_eq!(said, expected(answer), "{context}");
}

#[test]
fn an_answer_says_the_same_to_each_client() {
    for (kind, client, upstream) in pairs() {
        let answers = fixture("answers", upstream);
        for answer in ["calls", "cut"] {
            let body = Bytes::from(answers[answer].to_string());
            let told = asked(client, kind, false).reader.read(body.clone()).unwrap();
            if upstream == client.dialect() {
                assert_eq!(told.body, body, "{kind} to {client:?}");
            }
            let told = serde_json::from_slice(&told.body).unwrap();
            let said = Said::of(client.dialect(), &told);
            let passes = upstream == client.dialect();
            check(said, answer, passes, &format!("{kind} to {client:?}"));
        }
    }
}

#[test]
fn an_answer_of_each_provider_reaches_each_client() {
    for (kind, client, upstream) in pairs() {
        let mut told = json!({});
        for (answer, body) in fixture("answers", upstream).as_object().unwrap() {
            let (reader, body) = (asked(client, kind, false).reader, Bytes::from(body.to_string()));
            told[answer] = if answer == "error" {
                let failure = reader.read_failure(429, &|_| None, &body);
                assert_eq!(failure.class, OutcomeClass::RateLimited, "{kind} to {client:?}");
                let body: Value = serde_json::from_slice(&failure.body).unwrap();
                json!({"status": failure.status, "message": failure.message, "body": body})
            } else {
                serde_json::from_slice(&reader.read(body).unwrap().body).unwrap()
            };
        }
        insta::with_settings!({snapshot_path => "snapshots/answers", prepend_module_to_snapshot => false}, {
            insta::assert_json_snapshot!(named(kind, client), told);
        });
    }
}

#[test]
fn a_stream_says_the_same_to_each_client_however_it_is_cut() {
    for (kind, client, upstream) in pairs() {
        let streams = fixture("streams", upstream);
        for answer in ["calls", "cut"] {
            let body = framed(upstream, &streams[answer]);
            let (told, report) = streamed(asked(client, kind, true), &body, body.len());
            let context = format!("{kind} to {client:?}");
            assert!(report.complete && report.error.is_none(), "{context}");
            for size in [1, 7, 100] {
                let (again, _) = streamed(asked(client, kind, true), &body, size);
                assert_eq!(again, told, "{context}: in chunks of {size}");
            }
            if upstream == client.dialect() {
                assert_eq!(told, body, "{context}");
            }
            let whole = assembled(client.dialect(), &events(client.dialect(), &told));
            let passes = upstream == client.dialect();
            check(Said::of(client.dialect(), &whole), answer, passes, &context);
        }
    }
}

#[test]
fn an_error_within_a_stream_is_told_to_each_client() {
    for (kind, client, upstream) in pairs() {
        let body = framed(upstream, &fixture("streams", upstream)["error"]);
        let (told, report) = streamed(asked(client, kind, true), &body, body.len());
        let context = format!("{kind} to {client:?}");
        let fault = report.error.unwrap();
        assert_eq!(&*fault.message, "Slow down.", "{context}");
        assert!(!report.complete, "{context}");
        let events = events(client.dialect(), &told);
        let is_it = |data: &Value| data.to_string().contains("Slow down.");
        let said = events.iter().filter(|(_, data)| data.is_object());
        let after = said.skip_while(|(_, data)| !is_it(data));
        // Responses tell it twice: in an event of its own, and as the end of the response.
        let (is_told, is_last) = after.fold((false, true), |(_, all), (_, data)| (true, all && is_it(data)));
        assert!(is_told, "{context}: the error is told");
        assert!(is_last, "{context}: nothing follows the error");
    }
}

#[test]
fn a_stream_of_each_provider_reaches_each_client() {
    for (kind, client, upstream) in pairs() {
        let mut told = String::new();
        for (answer, body) in fixture("streams", upstream).as_object().unwrap() {
            let body = framed(upstream, body);
            let (stream, _) = streamed(asked(client, kind, true), &body, body.len());
            writeln!(told, "# {answer}").unwrap();
            for (name, data) in events(client.dialect(), &stream) {
                let data = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
                writeln!(told, "{}", format!("{name} {data}").trim_start()).unwrap();
            }
        }
        insta::with_settings!({snapshot_path => "snapshots/streams", prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!(named(kind, client), told);
        });
    }
}

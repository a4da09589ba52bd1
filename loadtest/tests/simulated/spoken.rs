//! What holds in every dialect: answers and streams say the same, tokens are as predicted, faults strike where they
//! should, and refusals are told in the provider's own words.

use serde_json::{Value, json};
use tollgate_loadtest::{Ending, MockServer};

use crate::bedrock::messages;
use crate::wire::*;

/// A dialect, as a test asks in it and reads it.
#[derive(Clone, Copy)]
pub(crate) struct Spoken {
    pub(crate) name: &'static str,
    /// The path of a model, streamed or not.
    pub(crate) path: fn(&str, bool) -> String,
    /// The body: a prompt of eight bytes.
    pub(crate) body: fn(&str, bool) -> Value,
    /// The events of a stream.
    pub(crate) events: fn(&Reply) -> Vec<Value>,
    /// The text of a whole answer, and of an event.
    pub(crate) text: [&'static str; 2],
    /// Prompt and output tokens of a whole answer.
    pub(crate) usage: [&'static str; 2],
    /// Prompt and output tokens in the last event that tells of usage.
    pub(crate) usage_at_end: [&'static str; 2],
    /// Events before the first text, and behind the last.
    pub(crate) around: [usize; 2],
    /// How a whole answer says that its limit was met, and where.
    pub(crate) length: (&'static str, &'static str),
    /// The member of a request that limits the answer to so many tokens.
    pub(crate) limit: (&'static str, &'static str),
}

fn parts() -> Value {
    json!([{"role": "user", "parts": [{"text": "12345678"}]}])
}

fn json_events(reply: &Reply) -> Vec<Value> {
    reply.json_events()
}

const GOOGLE: Spoken = Spoken {
    name: "gemini",
    path: |model, streams| {
        let method = if streams {
            "streamGenerateContent?alt=sse"
        } else {
            "generateContent"
        };
        format!("/v1beta/models/{model}:{method}")
    },
    body: |_, _| json!({"contents": parts()}),
    events: json_events,
    text: [
        "/candidates/0/content/parts/0/text",
        "/candidates/0/content/parts/0/text",
    ],
    usage: [
        "/usageMetadata/promptTokenCount",
        "/usageMetadata/candidatesTokenCount",
    ],
    usage_at_end: [
        "/usageMetadata/promptTokenCount",
        "/usageMetadata/candidatesTokenCount",
    ],
    around: [0, 1],
    length: ("/candidates/0/finishReason", "MAX_TOKENS"),
    limit: ("generationConfig", "maxOutputTokens"),
};

pub(crate) const ALL: [Spoken; 7] = [
    Spoken {
        name: "responses",
        path: |_, _| "/v1/responses".to_owned(),
        body: |model, streams| json!({"model": model, "stream": streams, "input": "12345678"}),
        events: json_events,
        text: ["/output/0/content/0/text", "/delta"],
        usage: ["/usage/input_tokens", "/usage/output_tokens"],
        usage_at_end: ["/response/usage/input_tokens", "/response/usage/output_tokens"],
        around: [4, 4],
        length: ("/incomplete_details/reason", "max_output_tokens"),
        limit: ("", "max_output_tokens"),
    },
    GOOGLE,
    Spoken {
        name: "vertex",
        path: |model, streams| {
            let method = if streams {
                "streamGenerateContent?alt=sse"
            } else {
                "generateContent"
            };
            format!("/v1/projects/p/locations/eu/publishers/google/models/{model}:{method}")
        },
        ..GOOGLE
    },
    Spoken {
        name: "gemini, as an array",
        path: |model, streams| {
            let method = if streams {
                "streamGenerateContent"
            } else {
                "generateContent"
            };
            format!("/v1beta/models/{model}:{method}")
        },
        events: |reply| {
            // What was cut is closed, to be read.
            let text = reply.text();
            let closed = format!("{}]", text.trim_end().trim_end_matches([',', ']']));
            serde_json::from_str(&closed).unwrap_or_else(|error| panic!("{error}: {text}"))
        },
        ..GOOGLE
    },
    Spoken {
        name: "vertex-anthropic",
        path: |model, streams| {
            let method = if streams { "streamRawPredict" } else { "rawPredict" };
            format!("/v1/projects/p/locations/eu/publishers/anthropic/models/{model}:{method}")
        },
        body: |_, _| {
            json!({"anthropic_version": "vertex-2023-10-16", "max_tokens": 100,
                "messages": [{"role": "user", "content": "12345678"}]})
        },
        events: json_events,
        text: ["/content/0/text", "/delta/text"],
        usage: ["/usage/input_tokens", "/usage/output_tokens"],
        usage_at_end: ["/usage/input_tokens", "/usage/output_tokens"],
        around: [3, 3],
        length: ("/stop_reason", "max_tokens"),
        limit: ("", "max_tokens"),
    },
    Spoken {
        name: "cohere",
        path: |_, _| "/v2/chat".to_owned(),
        body: |model, streams| json!({"model": model, "stream": streams, "messages": [{"role": "user", "content": "12345678"}]}),
        events: json_events,
        text: ["/message/content/0/text", "/delta/message/content/text"],
        usage: ["/usage/tokens/input_tokens", "/usage/tokens/output_tokens"],
        usage_at_end: [
            "/delta/usage/tokens/input_tokens",
            "/delta/usage/tokens/output_tokens",
        ],
        around: [2, 2],
        length: ("/finish_reason", "MAX_TOKENS"),
        limit: ("", "max_tokens"),
    },
    Spoken {
        name: "bedrock",
        path: |model, streams| {
            let operation = if streams { "converse-stream" } else { "converse" };
            format!("/model/{}/{operation}", model.replace(':', "%3A"))
        },
        body: |_, _| json!({"messages": [{"role": "user", "content": [{"text": "12345678"}]}]}),
        events: |reply| messages(reply).into_iter().map(|(_, payload)| payload).collect(),
        text: ["/output/message/content/0/text", "/delta/text"],
        usage: ["/usage/inputTokens", "/usage/outputTokens"],
        usage_at_end: ["/usage/inputTokens", "/usage/outputTokens"],
        around: [1, 3],
        length: ("/stopReason", "max_tokens"),
        limit: ("inferenceConfig", "maxTokens"),
    },
];

impl Spoken {
    pub(crate) async fn ask(&self, server: &MockServer, model: &str, streams: bool) -> Reply {
        let body = (self.body)(model, streams);
        post(server, &(self.path)(model, streams), &body).await
    }

    fn texts(&self, reply: &Reply) -> Vec<String> {
        let events = (self.events)(reply);
        let texts = events
            .iter()
            .filter_map(|event| event.pointer(self.text[1])?.as_str());
        texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
    }

    fn whole(&self, reply: &Reply) -> String {
        let json = reply.json();
        let text = json.pointer(self.text[0]).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("{}: {json}", self.name)).to_owned()
    }
}

fn counts(value: &Value, pointers: [&str; 2]) -> [Option<u64>; 2] {
    pointers.map(|pointer| value.pointer(pointer).and_then(Value::as_u64))
}

#[tokio::test]
async fn an_answer_and_a_stream_say_the_same_and_count_it() {
    for spoken in ALL {
        let name = spoken.name;
        let (one, other) = (start().await, start().await);
        let whole = spoken.ask(&one, "any:1", false).await;
        assert_eq!((whole.status, whole.end), (200, End::Complete), "{name}");
        assert_eq!(spoken.whole(&whole).split(' ').count(), 16, "{name}");
        assert_eq!(counts(&whole.json(), spoken.usage), [Some(2), Some(16)], "{name}");
        let streamed = spoken.ask(&other, "any:1", true).await;
        assert_eq!((streamed.status, streamed.end), (200, End::Complete), "{name}");
        let texts = spoken.texts(&streamed);
        assert_eq!(texts.concat(), spoken.whole(&whole), "{name}");
        let events = (spoken.events)(&streamed);
        assert_eq!(events.len(), 16 + spoken.around.iter().sum::<usize>(), "{name}");
        let told = events
            .iter()
            .rev()
            .map(|event| counts(event, spoken.usage_at_end));
        let told = told.into_iter().find(|counts| counts[1].is_some());
        // Anthropic tells the prompt first and the rest at the end; both are in each of its reports here.
        assert_eq!(told, Some([Some(2), Some(16)]), "{name}");
        assert_eq!(other.control().journal()[0].model, "any:1", "{name}");
    }
}

#[tokio::test]
async fn limits_and_orders_about_usage_are_obeyed() {
    for spoken in ALL {
        let (name, server) = (spoken.name, start().await);
        for streams in [false, true] {
            let mut body = (spoken.body)("m", streams);
            let (object, member) = spoken.limit;
            match object {
                "" => body[member] = json!(3),
                object => body[object] = json!({ member: 3 }),
            }
            let reply = post(&server, &(spoken.path)("m", streams), &body).await;
            if streams {
                assert_eq!(spoken.texts(&reply).len(), 3, "{name}");
                let (_, word) = spoken.length;
                assert!(String::from_utf8_lossy(&reply.body).contains(word), "{name}");
            } else {
                let (pointer, word) = spoken.length;
                assert_eq!(reply.json().pointer(pointer), Some(&json!(word)), "{name}");
            }
            let silent = spoken.ask(&server, "m--nousage", streams).await;
            let text = silent.text();
            for told in ["usageMetadata", "\"usage\":{", "billed_units"] {
                assert!(!text.contains(told), "{name}: {text}");
            }
        }
        let dictated = spoken.ask(&server, "m--usage1000x50", false).await.json();
        assert_eq!(
            counts(&dictated, spoken.usage),
            [Some(1000), Some(50)],
            "{name}: {dictated}"
        );
    }
}

#[tokio::test]
async fn streams_break_where_they_are_told_to() {
    for spoken in ALL {
        let (name, server) = (spoken.name, start().await);
        for (word, end) in [("cut10", End::Truncated), ("reset10", End::Reset)] {
            let reply = spoken.ask(&server, &format!("m--tokens1--{word}"), true).await;
            let events = (spoken.events)(&reply).len();
            assert_eq!((reply.status, reply.end, events), (200, end, 10), "{name} {word}");
        }
        // Fewer events than that: it breaks before the last one.
        let short = spoken.ask(&server, "m--tool--cut10", true).await;
        assert_eq!(short.end, End::Truncated, "{name}");
        // A body of fewer pieces likewise.
        let whole = spoken.ask(&server, "m--cut1000", false).await;
        assert_eq!((whole.status, whole.end), (200, End::Truncated), "{name}");
        assert!(serde_json::from_slice::<Value>(&whole.body).is_err(), "{name}");
        let before = spoken.ask(&server, "m--reset", true).await;
        assert_eq!((before.status, before.end), (0, End::Reset), "{name}");
        let journal = server.control().wait_until(PATIENCE, |journal| {
            journal.iter().all(|entry| entry.ending == Ending::Faulted)
        });
        journal.await.expect("all of them break");
    }
}

#[tokio::test]
async fn a_stream_that_fails_says_so_in_its_dialect_and_ends() {
    let pointers = [
        ("responses", "/error/code", json!("overloaded")),
        ("gemini", "/error/status", json!("UNAVAILABLE")),
        ("vertex", "/error/code", json!(503)),
        ("gemini, as an array", "/error/code", json!(503)),
        ("vertex-anthropic", "/error/type", json!("overloaded_error")),
        ("cohere", "/delta/finish_reason", json!("ERROR")),
        (
            "bedrock",
            "/message",
            json!("Bedrock is unable to process your request."),
        ),
    ];
    for (spoken, (name, pointer, said)) in ALL.into_iter().zip(pointers) {
        assert_eq!(spoken.name, name);
        let server = start().await;
        let reply = spoken.ask(&server, "m--error5", true).await;
        assert_eq!((reply.status, reply.end), (200, End::Complete), "{name}");
        let events = (spoken.events)(&reply);
        assert_eq!(events.len(), 6, "{name}");
        assert_eq!(events[5].pointer(pointer), Some(&said), "{name}: {}", events[5]);
        // As the only event of all, and after fewer than were ordered.
        let at_once = json!({"fault": {"kind": "error_event", "at": "after_head"}});
        server
            .control()
            .set("at-once", behaviour(at_once))
            .expect("valid");
        let alone = (spoken.events)(&spoken.ask(&server, "at-once", true).await);
        assert_eq!(
            (alone.len(), alone[0].pointer(pointer)),
            (1, Some(&said)),
            "{name}"
        );
        let short = (spoken.events)(&spoken.ask(&server, "m--tool--error100", true).await);
        let last = short.last().expect("an event");
        assert_eq!(last.pointer(pointer), Some(&said), "{name}: {last}");
        if let Some(number) = last.get("sequence_number") {
            assert_eq!(number, short.len() - 1, "{name}");
        }
    }
}

#[tokio::test]
async fn every_byte_of_a_stream_may_come_alone() {
    for spoken in ALL {
        let (one, other) = (start().await, start().await);
        let dripped = spoken.ask(&one, "m--tokens3--drip0", true).await;
        let at_once = spoken.ask(&other, "m--tokens3--drip0", true).await;
        assert_eq!(dripped.body, at_once.body, "{}: not by the seed", spoken.name);
        assert_eq!(spoken.texts(&dripped).len(), 3, "{}", spoken.name);
    }
}

/// Of a dialect: a status that is ordered, the status that comes, and what the body says.
const REFUSALS: [(&str, u16, u16, &str, &str); 17] = [
    ("responses", 429, 429, "/error/code", "rate_limit_exceeded"),
    ("responses", 529, 529, "/error/code", "overloaded"),
    ("gemini", 429, 429, "/error/status", "RESOURCE_EXHAUSTED"),
    ("gemini", 529, 503, "/error/status", "UNAVAILABLE"),
    ("gemini", 400, 400, "/error/status", "INVALID_ARGUMENT"),
    ("gemini", 500, 500, "/error/status", "INTERNAL"),
    ("vertex", 403, 403, "/error/status", "PERMISSION_DENIED"),
    ("gemini, as an array", 404, 404, "/0/error/status", "NOT_FOUND"),
    (
        "vertex-anthropic",
        429,
        429,
        "/0/error/status",
        "RESOURCE_EXHAUSTED",
    ),
    (
        "vertex-anthropic",
        400,
        400,
        "/error/type",
        "invalid_request_error",
    ),
    ("vertex-anthropic", 529, 529, "/error/type", "overloaded_error"),
    ("cohere", 401, 401, "/message", "invalid api token"),
    (
        "cohere",
        529,
        503,
        "/message",
        "The service is currently unavailable. Please try again later.",
    ),
    (
        "bedrock",
        429,
        429,
        "/message",
        "Too many requests, please wait before trying again.",
    ),
    (
        "bedrock",
        529,
        503,
        "/message",
        "Bedrock is unable to process your request.",
    ),
    ("bedrock", 424, 424, "/message", "The model returned an error."),
    ("bedrock", 400, 400, "/message", "simulated invalid request"),
];

#[tokio::test]
async fn refusals_are_in_the_providers_own_words() {
    let server = start().await;
    for (name, ordered, status, pointer, said) in REFUSALS {
        let spoken = ALL.into_iter().find(|it| it.name == name).expect(name);
        let reply = spoken.ask(&server, &format!("m--status{ordered}"), true).await;
        let json = reply.json();
        assert_eq!(reply.status, status, "{name} {ordered}");
        assert_eq!(
            json.pointer(pointer),
            Some(&json!(said)),
            "{name} {ordered}: {json}"
        );
    }
    for spoken in ALL {
        let malformed = spoken.ask(&server, "m--status500--malformed", false).await;
        assert!(
            serde_json::from_slice::<Value>(&malformed.body).is_err(),
            "{}",
            spoken.name
        );
        let html = spoken.ask(&server, "m--status502--html", false).await;
        assert!(html.text().starts_with("<html>"), "{}", spoken.name);
        let unknown = spoken.ask(&server, "m--nonsense", false).await;
        assert_eq!(unknown.status, 400, "{}", spoken.name);
        assert!(
            unknown.text().contains("unknown behaviour 'nonsense'"),
            "{}",
            spoken.name
        );
    }
}

#[tokio::test]
async fn when_to_ask_again_is_told_where_the_provider_tells_it() {
    let server = start().await;
    for spoken in ALL {
        let reply = spoken.ask(&server, "m--status429--retryafter7", false).await;
        let header = reply.header("retry-after");
        if matches!(spoken.name, "responses" | "cohere" | "bedrock") {
            assert_eq!(header.as_deref(), Some("7"), "{}", spoken.name);
            continue;
        }
        assert_eq!(header, None, "{}", spoken.name);
        assert!(reply.text().contains("\"retryDelay\":\"7s\""), "{}", reply.text());
    }
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_in_every_dialect() {
    let server = start().await;
    for spoken in ALL {
        for body in [json!([]), json!({"model": "m", "max_tokens": 5})] {
            // Cohere and Anthropic are read leniently where messages are missing.
            if body.is_object() && matches!(spoken.name, "cohere") {
                continue;
            }
            let reply = post(&server, &(spoken.path)("m", false), &body).await;
            assert_eq!(reply.status, 400, "{}: {}", spoken.name, reply.text());
        }
    }
}

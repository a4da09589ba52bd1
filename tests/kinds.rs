//! Every kind of provider with a dialect of its own answers a client of another one, whole and streamed; calls tools,
//! counts its tokens, and is recognised by its own words when it fails. The simulated providers write these dialects on
//! their own: a fault of the gateway's translation is not theirs as well.

use serde_json::{Value, json};
use tollgate_loadtest::{Behaviour, FaultKind, FaultPoint};
use tollgate_tests::{
    Stack, broken, chat, chat_stream, data, failing, messages, messages_stream, text_of_chat,
    text_of_messages,
};

/// The kind, which is also the provider's name; where it is; a model of it, as it is written there.
const KINDS: [(&str, &str, &str); 6] = [
    ("openai-responses", "/v1", "gpt-5"),
    ("gemini", "", "gemini-2.5-flash"),
    ("vertex", "/v1/projects/p/locations/eu", "gemini-2.5-pro"),
    (
        "vertex-anthropic",
        "/v1/projects/p/locations/eu",
        "claude-opus-4-5@20251101",
    ),
    ("cohere", "", "command-a-03-2025"),
    ("bedrock", "", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
];

/// A provider of each kind, `KIND/MODEL` for its models, and the model `KIND-or-standby`.
fn config() -> String {
    let providers = KINDS.map(|(kind, below, _)| {
        format!(
            "  {kind}: {{ kind: {kind}, base_url: \"http://{{mock}}/p/{kind}{below}\", api_key: key-of-{kind}-000, \
             region: eu-west-1 }}\n"
        )
    });
    let models = KINDS.map(|(kind, _, model)| {
        format!(
            "  \"{kind}/*\": {{ targets: [ {{ provider: {kind} }} ] }}\n  \
             {kind}-or-standby: {{ targets: [ {{ provider: {kind}, model: \"{model}\", priority: 0 }}, \
             {{ provider: standby, model: s, priority: 1 }} ] }}\n"
        )
    });
    format!(
        "breaker: {{ enabled: false }}\nproviders:\n{}  \
         standby: {{ kind: openai, base_url: \"http://{{mock}}/p/standby/v1\", api_key: key-of-standby-00 }}\n\
         models:\n{}",
        providers.concat(),
        models.concat()
    )
}

async fn stack() -> Stack {
    Stack::start(&config()).await
}

fn behaviour(json: Value) -> Behaviour {
    serde_json::from_value(json).unwrap()
}

#[tokio::test]
async fn clients_of_other_dialects_are_answered_whole_and_streamed() {
    let stack = stack().await;
    let text = "A text with \"quotes\", 日本語 and\nlines, long enough for some events.";
    for (kind, _, model) in KINDS {
        stack.set(
            kind,
            behaviour(json!({"reply": {"text": text}, "usage": {"prompt": 90, "output": 30}})),
        );
        let model = format!("{kind}/{model}");
        let answer = stack.chat(&chat(&model)).await.json();
        let choice = &answer["choices"][0];
        assert_eq!(choice["message"]["content"], text, "{kind}: {answer}");
        assert_eq!(choice["finish_reason"], "stop", "{kind}: {answer}");
        let usage = &answer["usage"];
        assert_eq!(
            (&usage["prompt_tokens"], &usage["completion_tokens"]),
            (&json!(90), &json!(30)),
            "{kind}"
        );
        let stream = stack.chat(&chat_stream(&model)).await.text();
        assert_eq!(text_of_chat(&stream), text, "{kind}: {stream}");
        let finishes: Vec<_> = data(&stream)
            .iter()
            .filter_map(|event| event["choices"][0]["finish_reason"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(finishes, ["stop"], "{kind}: {stream}");
        let answer = stack.messages(&messages(&model)).await.json();
        assert_eq!(answer["content"][0]["text"], text, "{kind}: {answer}");
        let stream = stack.messages(&messages_stream(&model)).await.text();
        assert_eq!(text_of_messages(&stream), text, "{kind}: {stream}");
    }
    let log = stack.settled(4 * KINDS.len()).await;
    for record in &log {
        let counted = (&record["usage"]["input"], &record["usage"]["output"]);
        assert_eq!(counted, (&json!(90), &json!(30)), "{record}");
        assert_eq!(record["outcome"], "success", "{record}");
    }
}

#[tokio::test]
async fn tools_are_called_with_arguments_that_fit() {
    let stack = stack().await;
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    for (kind, _, model) in KINDS {
        let mut body = json!({"model": format!("{kind}/{model}"), "tool_choice": "required",
            "messages": [{"role": "user", "content": "What is the weather?"}],
            "tools": [{"type": "function", "function": {"name": "weather", "parameters": schema}}]});
        let answer = stack.chat(&body.to_string()).await.json();
        let choice = &answer["choices"][0];
        let function = &choice["message"]["tool_calls"][0]["function"];
        let arguments: Value = serde_json::from_str(function["arguments"].as_str().unwrap()).unwrap();
        assert_eq!(
            (&function["name"], arguments),
            (&json!("weather"), json!({"city": "sample"})),
            "{kind}"
        );
        assert_eq!(choice["finish_reason"], "tool_calls", "{kind}");
        body["stream"] = json!(true);
        let stream = stack.chat(&body.to_string()).await.text();
        let events = data(&stream);
        let pieces = events.iter().filter_map(|event| {
            event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str()
        });
        let arguments: Value = serde_json::from_str(&pieces.collect::<String>()).unwrap();
        assert_eq!(arguments, json!({"city": "sample"}), "{kind}: {stream}");
    }
}

#[tokio::test]
async fn thinking_is_shown_apart_from_the_answer() {
    let stack = stack().await;
    for (kind, _, model) in KINDS {
        stack.set(
            kind,
            behaviour(json!({"reply": {"text": "So.", "thinking_tokens": 5}})),
        );
        let answer = stack.chat(&chat(&format!("{kind}/{model}"))).await.json();
        let message = &answer["choices"][0]["message"];
        assert_eq!(message["content"], "So.", "{kind}: {answer}");
        let thought = message["reasoning_content"].as_str().unwrap_or_default();
        assert_eq!(thought.split(' ').count(), 5, "{kind}: {answer}");
    }
}

#[tokio::test]
async fn refusals_are_recognised_and_another_provider_answers() {
    let refusals = [
        (429, "rate_limited"),
        (500, "server_error"),
        (503, "overloaded"),
        (529, "overloaded"),
        (401, "credential_rejected"),
        (402, "quota_exhausted"),
        (404, "model_not_found"),
    ];
    for (status, outcome) in refusals {
        // Anew each time: a credential that was rejected is not shown again.
        let stack = stack().await;
        for (kind, ..) in KINDS {
            stack.set(kind, failing(status));
            let response = stack.chat(&chat_stream(&format!("{kind}-or-standby"))).await;
            assert_eq!(response.status, 200, "{kind} {status}: {}", response.text());
            assert_eq!(
                response.header("x-tollgate-provider"),
                Some("standby"),
                "{kind} {status}"
            );
        }
        for record in stack.settled(KINDS.len()).await {
            assert_eq!(record["attempts"][0]["outcome"], outcome, "{status}: {record}");
        }
    }
}

#[tokio::test]
async fn what_breaks_before_the_first_content_is_served_elsewhere() {
    let faults = [
        (broken(FaultKind::Reset, FaultPoint::BeforeHead), "reset"),
        (broken(FaultKind::Cut, FaultPoint::AfterHead), "reset"),
        (broken(FaultKind::ErrorEvent, FaultPoint::AfterHead), "overloaded"),
    ];
    for (fault, outcome) in faults {
        let stack = stack().await;
        for (kind, ..) in KINDS {
            stack.set(kind, fault.clone());
            let response = stack.chat(&chat_stream(&format!("{kind}-or-standby"))).await;
            let served = (response.status, response.header("x-tollgate-provider"));
            assert_eq!(
                served,
                (200, Some("standby")),
                "{kind} {outcome}: {}",
                response.text()
            );
        }
        for record in stack.settled(KINDS.len()).await {
            // Cohere's end of a stream that failed has no word for what went wrong.
            let expected = match record["attempts"][0]["provider"].as_str() {
                Some("cohere") if outcome == "overloaded" => "stream_error",
                _ => outcome,
            };
            assert_eq!(record["attempts"][0]["outcome"], expected, "{record}");
        }
    }
}

#[tokio::test]
async fn streams_that_break_in_the_middle_are_told_of() {
    for (fault, outcomes) in [
        (FaultKind::Cut, ["reset"].as_slice()),
        (FaultKind::ErrorEvent, &["overloaded", "stream_error"]),
    ] {
        let stack = stack().await;
        for (kind, ..) in KINDS {
            stack.set(kind, broken(fault, FaultPoint::AfterChunks(8)));
            let response = stack.chat(&chat_stream(&format!("{kind}-or-standby"))).await;
            let text = response.text();
            assert_eq!(response.header("x-tollgate-provider"), Some(kind), "{text}");
            assert!(!text_of_chat(&text).is_empty(), "{kind}: {text}");
            let events = data(&text);
            assert!(events.last().unwrap().get("error").is_some(), "{kind}: {text}");
        }
        for record in stack.settled(KINDS.len()).await {
            let outcome = record["attempts"][0]["outcome"].as_str().unwrap();
            assert!(outcomes.contains(&outcome), "{record}");
        }
    }
}

#[tokio::test]
async fn when_to_ask_again_reaches_the_client() {
    let stack = stack().await;
    for (kind, _, model) in KINDS {
        stack.set(
            kind,
            behaviour(json!({"failure": {"status": 429, "retry_after": "7"}})),
        );
        let response = stack.chat(&chat(&format!("{kind}/{model}"))).await;
        assert_eq!(response.status, 429, "{kind}: {}", response.text());
        let wait = response
            .header("retry-after")
            .and_then(|it| it.parse::<u64>().ok());
        assert!(matches!(wait, Some(6..=7)), "{kind}: {wait:?}");
    }
}

#[tokio::test]
async fn texts_are_embedded_where_there_are_models_for_it() {
    let stack = stack().await;
    for (kind, model) in [
        ("gemini", "gemini-embedding-001"),
        ("vertex", "text-embedding-005"),
        ("cohere", "embed-v4.0"),
        ("bedrock", "amazon.titan-embed-text-v2:0"),
        ("bedrock", "cohere.embed-multilingual-v3"),
    ] {
        let body = json!({"model": format!("{kind}/{model}"), "input": ["12345678"], "dimensions": 8});
        let response = stack.post("/v1/embeddings", &body.to_string()).await;
        let answer = response.json();
        let vector = answer["data"][0]["embedding"].as_array();
        assert_eq!(vector.map(Vec::len), Some(8), "{kind}/{model}: {answer}");
    }
}

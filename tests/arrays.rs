//! Streams as one JSON array, for clients of Google's dialect that do not ask for events.

use serde_json::{Value, json};
use tollgate_tests::{KEY, Response, Stack, post};

use crate::dialects::{DIALECTS, SAID, providers, start};

async fn ask(stack: &Stack, model: &str, query: &str, key: &str) -> Response {
    let path = format!("/v1beta/models/{model}:streamGenerateContent{query}");
    let body = json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hi" }] }] });
    let headers = [("x-goog-api-key", key), ("content-type", "application/json")];
    post(stack.addr, &path, &headers, &body.to_string()).await
}

#[tokio::test]
async fn a_stream_is_an_array_unless_events_are_asked_for() {
    let upstream = providers().await;
    let stack = start(&upstream).await;
    for provider in DIALECTS {
        for query in ["", "?alt=json"] {
            let response = ask(&stack, &format!("on-{provider}"), query, KEY).await;
            let told = format!("{provider}: {}", response.text());
            assert_eq!(response.status, 200, "{told}");
            assert!(
                response
                    .header("content-type")
                    .unwrap()
                    .starts_with("application/json"),
                "{told}"
            );
            let array: Vec<Value> = serde_json::from_slice(&response.body).unwrap();
            let text = |element: &Value| element["candidates"][0]["content"]["parts"][0]["text"].clone();
            let said: String = array
                .iter()
                .filter_map(|it| text(it).as_str().map(ToOwned::to_owned))
                .collect();
            assert_eq!(said, SAID, "{told}");
            assert_eq!(
                array.last().unwrap()["candidates"][0]["finishReason"],
                "STOP",
                "{told}"
            );
        }
    }
}

#[tokio::test]
async fn errors_stand_in_an_array_too() {
    let upstream = providers().await;
    let stack = start(&upstream).await;
    for (model, query, key, status) in [
        ("on-gemini", "", "wrong", 401),
        ("nobody", "", KEY, 404),
        ("on-gemini", "?alt=proto", KEY, 400),
    ] {
        let response = ask(&stack, model, query, key).await;
        assert_eq!(response.status, status, "{}", response.text());
        let length = response
            .header("content-length")
            .map(|bytes| bytes.parse().unwrap());
        assert_eq!(length, Some(response.body.len()));
        let array: Vec<Value> = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(array.len(), 1, "{array:?}");
        assert_eq!(array[0]["error"]["code"], status, "{array:?}");
    }
}

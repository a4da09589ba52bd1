//! Whatever arrives, nothing panics; and whatever a Gemini client says, its own dialect carries, or names.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{there_and_back, to_anthropic, to_openai};
use crate::gemini::observe::GeminiObserver;
use crate::gemini::stream::GeminiSource;
use crate::gemini::{answer, decode};
use crate::passthrough::Observer;
use crate::sse::Event;
use crate::streaming::Source as _;
use crate::testing::{object, words};

fn schema() -> impl Strategy<Value = Value> {
    words().prop_map(|text| json!({"type": "object", "properties": {"a_b": {"description": text}}}))
}

fn user_part() -> impl Strategy<Value = Value> {
    prop_oneof![
        words().prop_map(|text| json!({"text": text})),
        words().prop_map(|text| json!({"text": text, "newMark": 1})),
        Just(json!({"inlineData": {"mimeType": "image/png", "data": "iVBO"}})),
        Just(json!({"inlineData": {"mimeType": "audio/ogg", "data": "T2dn"}})),
        Just(json!({"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}})),
        words().prop_map(
            |name| json!({"inlineData": {"mimeType": "application/pdf", "data": "JVBE", "displayName": name}})
        ),
        "[a-z]{1,5}".prop_map(
            |name| json!({"fileData": {"mimeType": "image/gif", "fileUri": format!("https://x/{name}")}})
        ),
        words().prop_map(|text| json!({"newThing": {"what": text}})),
    ]
}

fn model_part() -> impl Strategy<Value = Value> {
    let signature = of("[A-Za-z0-9]{4,8}");
    let part = prop_oneof![
        words().prop_map(|text| json!({"text": text})),
        words().prop_map(|text| json!({"text": text, "thought": true})),
        (words(), of("[a-z]{1,4}")).prop_map(|(text, id)| {
            let call = object(vec![
                ("id", id.map(Value::from)),
                ("name", Some(json!("f.x"))),
                ("args", Some(json!({"q": text}))),
            ]);
            json!({"functionCall": call})
        }),
    ];
    (part, signature).prop_map(|(mut part, signature)| {
        if let Some(signature) = signature {
            part["thoughtSignature"] = signature.into();
        }
        part
    })
}

/// What the user says to a turn of the model: results of its calls, or words.
fn reply(model: &Value, text: &str) -> Vec<Value> {
    let calls = model["parts"].as_array().unwrap().iter();
    let calls = calls.filter_map(|part| part.get("functionCall"));
    let results: Vec<Value> = calls
        .map(|call| {
            let result = vec![
                ("id", call.get("id").cloned()),
                ("name", Some(json!("f.x"))),
                ("response", Some(json!({"output": text, "n": 1}))),
            ];
            json!({"functionResponse": object(result)})
        })
        .collect();
    if results.is_empty() {
        return vec![json!({"role": "user", "parts": [{"text": text}]})];
    }
    vec![json!({"role": "user", "parts": results})]
}

fn settings() -> impl Strategy<Value = Value> {
    let sampling = (
        of(0u32..99),
        of(0u32..3),
        of(1u64..40),
        of(any::<i32>()),
        of(vec(words(), 1..7)),
    );
    let form = (of(schema()), of(-1i64..30_000), of(Just(true)), of(words()));
    (sampling, form).prop_map(
        |((limit, heat, top_k, seed, stop), (schema, budget, shown, new))| {
            let thinking = object(vec![
                ("thinkingBudget", budget.map(Value::from)),
                ("includeThoughts", shown.map(Value::from)),
            ]);
            let media_type = schema.is_some().then(|| json!("application/json"));
            object(vec![
                ("maxOutputTokens", limit.map(Value::from)),
                ("temperature", heat.map(|heat| json!(f64::from(heat) + 0.5))),
                ("topK", top_k.map(Value::from)),
                ("seed", seed.map(Value::from)),
                ("stopSequences", stop.map(Value::from)),
                ("responseMimeType", media_type),
                ("responseJsonSchema", schema),
                (
                    "thinkingConfig",
                    Some(thinking).filter(|thinking| thinking != &json!({})),
                ),
                ("newSetting", new.map(Value::from)),
                ("mark", Some(json!(1))),
            ])
        },
    )
}

prop_compose! {
    fn request()(
        first in vec(user_part(), 1..4),
        turns in vec((vec(model_part(), 1..4), words()), 0..4),
        system in of(words()),
        tools in vec(schema(), 0..3),
        search in any::<bool>(),
        mode in 0usize..4,
        settings in settings(),
        extra in of(words()),
    ) -> Value {
        let mut contents = vec![json!({"role": "user", "parts": first})];
        for (number, (mut parts, text)) in turns.into_iter().enumerate() {
            // Two calls of one id are one call.
            for (place, part) in parts.iter_mut().enumerate() {
                if let Some(id) = part.get_mut("functionCall").and_then(|call| call.get_mut("id")) {
                    *id = format!("{}{number}{place}", id.as_str().unwrap()).into();
                }
            }
            let model = json!({"role": "model", "parts": parts});
            let replies = reply(&model, &text);
            contents.push(model);
            contents.extend(replies);
        }
        let functions: Vec<Value> = tools.into_iter().enumerate().map(|(number, schema)| {
            json!({"name": format!("f.{number}"), "description": "d", "parametersJsonSchema": schema})
        }).collect();
        let mut all = Vec::new();
        if !functions.is_empty() {
            all.push(json!({"functionDeclarations": functions}));
        }
        all.extend(search.then(|| json!({"googleSearch": {}})));
        let config = match mode {
            1 if !all.is_empty() => Some(json!({"functionCallingConfig": {"mode": "AUTO"}})),
            2 if !functions.is_empty() => Some(json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f.0"]}})),
            3 if !all.is_empty() => Some(json!({"functionCallingConfig": {"mode": "VALIDATED"}, "other": 1})),
            _ => None,
        };
        object(vec![
            ("contents", Some(contents.into())),
            ("systemInstruction", system.map(|text| json!({"parts": [{"text": text}]}))),
            ("tools", Some(all).filter(|all| !all.is_empty()).map(Value::from)),
            ("toolConfig", config),
            ("generationConfig", Some(settings)),
            ("newField", extra.map(Value::from)),
        ])
    }
}

/// JSON of any kind, with names that mean something more often than not.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zA-Z/:$.\\[\\]0-9=_é]{0,12}".prop_map(Value::from),
        Just(json!("dG9sbGdhdGU6c2lnbmF0dXJlOng=")),
        Just(json!("ANY")),
        Just(json!("model")),
        Just(json!("STOP")),
    ];
    let names = prop::sample::select(vec![
        "contents",
        "parts",
        "role",
        "text",
        "thought",
        "thoughtSignature",
        "functionCall",
        "function_response",
        "name",
        "id",
        "args",
        "response",
        "inlineData",
        "mimeType",
        "data",
        "fileData",
        "fileUri",
        "tools",
        "functionDeclarations",
        "parameters",
        "type",
        "nullable",
        "anyOf",
        "properties",
        "toolConfig",
        "functionCallingConfig",
        "mode",
        "generationConfig",
        "thinkingConfig",
        "stopSequences",
        "responseSchema",
        "systemInstruction",
        "candidates",
        "content",
        "finishReason",
        "usageMetadata",
        "promptTokenCount",
        "promptTokensDetails",
        "modality",
        "tokenCount",
        "promptFeedback",
        "blockReason",
        "error",
        "partialArgs",
        "jsonPath",
        "stringValue",
        "willContinue",
        "result",
        "index",
    ]);
    leaf.prop_recursive(8, 64, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((names.clone(), inner), 0..5).prop_map(|fields| {
                Value::Object(
                    fields
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn its_own_dialect_carries_everything(body in request()) {
        let (out, lost) = there_and_back(&body, "gemini-2.5-flash");
        prop_assert_eq!(&lost, &Vec::<String>::new());
        prop_assert_eq!(out, body);
    }

    #[test]
    fn other_dialects_take_what_it_says(body in request()) {
        let (out, _) = to_openai(&body);
        prop_assert!(out["messages"].is_array());
        let (out, _) = to_anthropic(&body);
        prop_assert!(out["messages"].is_array());
    }

    #[test]
    fn no_request_and_no_answer_panics(body in any_json()) {
        let bytes = serde_json::to_vec(&body).unwrap();
        let event = Event { name: None, data: &bytes };
        GeminiSource::default().read(&event, &mut |_| {});
        let _ = (answer::read(&bytes), answer::report(&bytes), GeminiObserver::default().observe(&event));
        if let Ok(request) = decode::request(&bytes) {
            for model in ["gemini-3-pro-preview", "gemma-3-1b-it"] {
                let _ = super::encoded(request.clone(), model);
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..64)) {
        let event = Event { name: Some("error"), data: &bytes };
        GeminiSource::default().read(&event, &mut |_| {});
        let _ = (decode::request(&bytes), answer::read(&bytes), answer::report(&bytes));
        let _ = GeminiObserver::default().observe(&event);
    }

    #[test]
    fn streams_of_anything_are_read(chunks in vec(any_json(), 0..6)) {
        let mut reader = GeminiSource::default();
        for chunk in &chunks {
            let bytes = serde_json::to_vec(&json!({"candidates": [{"content": {"parts": [chunk, {"functionCall": chunk}]}}]})).unwrap();
            reader.read(&Event { name: None, data: &bytes }, &mut |_| {});
        }
    }
}

//! An answer that goes back to its provider with the client's next request: ids of calls match those of results,
//! names are restored, and what the provider wants back of its thoughts comes back, or is told to be lost.

use bytes::Bytes;
use serde_json::{Value, json};
use tollgate_core::{Dialect, ProviderKind, Surface};

use crate::said::assembled;
use crate::support::{CLIENTS, PROVIDERS, events, fixture, framed, hello, send, streamed};

/// A name that no provider but Google takes.
const NAME: &str = "weather/now.today";

/// The client's first request: with a tool whose name must be changed.
fn first(client: Surface) -> Value {
    let mut request = hello(client);
    let tool = json!({"type": "function", "function": {"name": NAME, "parameters": {"type": "object"}}});
    match client.dialect() {
        Dialect::OpenAi | Dialect::Cohere => request["tools"] = json!([tool]),
        Dialect::Responses => {
            request["tools"] = json!([{"type": "function", "name": NAME, "parameters": {"type": "object"}}]);
            request["input"] = json!([{"role": "user", "content": "Hello."}]);
        }
        Dialect::Anthropic => {
            request["tools"] = json!([{"name": NAME, "input_schema": {"type": "object"}}]);
            request["thinking"] = json!({"type": "enabled", "budget_tokens": 2048});
        }
        Dialect::Gemini => request["tools"] = json!([{"functionDeclarations": [{"name": NAME}]}]),
        Dialect::Bedrock => {
            let tool = json!({"toolSpec": {"name": NAME, "inputSchema": {"json": {"type": "object"}}}});
            request["toolConfig"] = json!({"tools": [tool]});
        }
    }
    request
}

fn push(list: &mut Value, value: Value) {
    list.as_array_mut().unwrap().push(value);
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The client's second request: the answer as it was, and a result for each call.
fn second(client: Surface, answer: &Value) -> Value {
    let mut request = first(client);
    match client.dialect() {
        Dialect::OpenAi => {
            let mut message = answer["choices"][0]["message"].clone();
            message["role"] = "assistant".into();
            functions(&mut request["messages"], message);
        }
        Dialect::Cohere => functions(&mut request["messages"], answer["message"].clone()),
        Dialect::Responses => {
            each(&answer["output"]).for_each(|item| push(&mut request["input"], item.clone()));
            for call in each(&answer["output"]).filter(|item| item["type"] == "function_call") {
                let result =
                    json!({"type": "function_call_output", "call_id": call["call_id"], "output": "sun"});
                push(&mut request["input"], result);
            }
        }
        Dialect::Anthropic => {
            let calls = each(&answer["content"]).filter(|block| block["type"] == "tool_use");
            let results: Vec<_> = calls
                .map(|call| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "sun"}))
                .collect();
            push(
                &mut request["messages"],
                json!({"role": "assistant", "content": answer["content"]}),
            );
            push(
                &mut request["messages"],
                json!({"role": "user", "content": results}),
            );
        }
        Dialect::Gemini => {
            let content = &answer["candidates"][0]["content"];
            let calls = each(&content["parts"]).filter(|part| part["functionCall"].is_object());
            let result = |call: &Value| json!({"functionResponse": {"id": call["id"], "name": call["name"], "response": {"output": "sun"}}});
            let results: Vec<_> = calls.map(|part| result(&part["functionCall"])).collect();
            push(&mut request["contents"], content.clone());
            push(
                &mut request["contents"],
                json!({"role": "user", "parts": results}),
            );
        }
        Dialect::Bedrock => {
            let message = &answer["output"]["message"];
            let calls = each(&message["content"]).filter(|block| block["toolUse"].is_object());
            let results: Vec<_> = calls
                .map(|block| json!({"toolResult": {"toolUseId": block["toolUse"]["toolUseId"], "content": [{"text": "sun"}]}}))
                .collect();
            push(&mut request["messages"], message.clone());
            push(
                &mut request["messages"],
                json!({"role": "user", "content": results}),
            );
        }
    }
    request
}

fn functions(messages: &mut Value, message: Value) {
    let calls = message["tool_calls"].clone();
    push(messages, message);
    for call in each(&calls) {
        push(
            messages,
            json!({"role": "tool", "tool_call_id": call["id"], "content": "sun"}),
        );
    }
}

/// What stands under these names anywhere, in order.
fn found<'v>(value: &'v Value, names: &[&str], into: &mut Vec<&'v str>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| found(value, names, into)),
        Value::Object(values) => {
            for (name, value) in values {
                match value {
                    Value::String(text) if names.contains(&&**name) => into.push(text),
                    value => found(value, names, into),
                }
            }
        }
        _ => {}
    }
}

fn all<'v>(value: &'v Value, names: &[&str]) -> Vec<&'v str> {
    let mut into = Vec::new();
    found(value, names, &mut into);
    into
}

/// Ids of calls and of results in the provider's dialect.
fn ids(dialect: Dialect, body: &Value) -> (Vec<String>, Vec<String>) {
    let owned = |found: Vec<&str>| found.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let within = |list: &Value, object: &str, id: &str| {
        let (mut objects, mut found) = (Vec::new(), Vec::new());
        objects_named(list, object, &mut objects);
        for object in objects {
            found.extend(object[id].as_str().map(str::to_owned));
        }
        found
    };
    match dialect {
        Dialect::OpenAi | Dialect::Cohere => {
            let messages = &body["messages"];
            let calls = each(messages).flat_map(|message| each(&message["tool_calls"]));
            let calls = calls.filter_map(|call| call["id"].as_str().map(str::to_owned));
            (calls.collect(), owned(all(messages, &["tool_call_id"])))
        }
        Dialect::Responses => {
            let of = |kind: &str| {
                let items = each(&body["input"]).filter(|item| item["type"] == kind);
                items
                    .map(|item| item["call_id"].as_str().unwrap().to_owned())
                    .collect()
            };
            (of("function_call"), of("function_call_output"))
        }
        Dialect::Anthropic => {
            let blocks = each(&body["messages"]).flat_map(|message| each(&message["content"]));
            let calls = blocks.filter(|block| block["type"] == "tool_use");
            let calls = calls.filter_map(|block| block["id"].as_str().map(str::to_owned));
            (calls.collect(), owned(all(&body["messages"], &["tool_use_id"])))
        }
        Dialect::Gemini => {
            let contents = &body["contents"];
            (
                within(contents, "functionCall", "name"),
                within(contents, "functionResponse", "name"),
            )
        }
        Dialect::Bedrock => {
            let messages = &body["messages"];
            (
                within(messages, "toolUse", "toolUseId"),
                within(messages, "toolResult", "toolUseId"),
            )
        }
    }
}

fn objects_named<'v>(value: &'v Value, name: &str, into: &mut Vec<&'v Value>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| objects_named(value, name, into)),
        Value::Object(values) => {
            for (key, value) in values {
                if key == name {
                    into.push(value);
                }
                objects_named(value, name, into);
            }
        }
        _ => {}
    }
}

/// What a provider wants back of its thoughts in the fixture.
const fn state(dialect: Dialect) -> Option<&'static str> {
    match dialect {
        Dialect::Responses => Some("gAAAsecret"),
        Dialect::Anthropic | Dialect::Bedrock => Some("c2VjcmV0"),
        Dialect::Gemini => Some("EskgCsYgAb4secret"),
        Dialect::OpenAi | Dialect::Cohere => None,
    }
}

/// Clients in whose dialect everything that a provider wants back has a place.
const CARRIERS: [Surface; 2] = [Surface::Responses, Surface::GenerateContent];

fn goes_round(kind: ProviderKind, model: &str, client: Surface, streams: bool) {
    let upstream = kind.dialect_for(client);
    let context = format!("{kind} to {client:?} and back, streamed: {streams}");
    let asked = send(client, streams, &first(client), kind, model).unwrap();
    // The provider calls the tool by the name it was told.
    let sent: Value = serde_json::from_slice(&asked.body).unwrap();
    let tools = if upstream == Dialect::Bedrock {
        &sent["toolConfig"]
    } else {
        &sent["tools"]
    };
    let told = all(tools, &["name"])[0].to_owned();
    let what = if streams { "streams" } else { "answers" };
    let body = fixture(what, upstream)["calls"].clone();
    let body: Value =
        serde_json::from_str(&body.to_string().replace("\"weather\"", &json!(told).to_string())).unwrap();
    let answer: Value = if streams {
        let (bytes, _) = streamed(asked, &framed(upstream, &body), 64);
        assembled(client.dialect(), &events(client.dialect(), &bytes))
    } else {
        serde_json::from_slice(&asked.reader.read(Bytes::from(body.to_string())).unwrap().body).unwrap()
    };
    if upstream != client.dialect() {
        assert!(
            answer.to_string().contains(NAME),
            "{context}: the client's name: {answer}"
        );
    }
    let back = send(client, streams, &second(client, &answer), kind, model).unwrap();
    let sent: Value = serde_json::from_slice(&back.body).unwrap();
    let (calls, results) = ids(upstream, &sent);
    assert_eq!(calls, results, "{context}: calls and results: {sent}");
    assert_eq!(calls.len(), 2, "{context}: {sent}");
    assert!(
        sent.to_string().contains(&*json!(told).to_string()),
        "{context}: the provider's name"
    );
    let Some(state) = state(upstream) else { return };
    let is_back = sent.to_string().contains(state);
    let is_told = back.loss.paths().next().is_some();
    if CARRIERS.contains(&client) || upstream == client.dialect() {
        assert!(is_back, "{context}: the state is back: {sent}");
    }
    // What a client was not given it cannot lose: that its dialect has no place for it is told in the reference.
    let was_given = answer.to_string().contains(state);
    assert!(
        is_back || is_told || !was_given,
        "{context}: the state is lost in silence: {sent}"
    );
}

#[test]
fn an_answer_goes_back_to_its_provider() {
    for (kind, model) in PROVIDERS {
        for client in CLIENTS {
            goes_round(kind, model, client, false);
        }
    }
}

#[test]
fn a_streamed_answer_goes_back_to_its_provider() {
    for (kind, model) in PROVIDERS {
        for client in CLIENTS {
            goes_round(kind, model, client, true);
        }
    }
}

#[test]
fn what_one_provider_wants_back_another_is_never_sent() {
    for (kind, model) in PROVIDERS {
        for client in CLIENTS {
            let upstream = kind.dialect_for(client);
            let Some(state) = state(upstream) else { continue };
            let asked = send(client, false, &first(client), kind, model).unwrap();
            let body = Bytes::from(fixture("answers", upstream)["calls"].to_string());
            let answer = serde_json::from_slice(&asked.reader.read(body).unwrap().body).unwrap();
            for (other, model) in PROVIDERS {
                let dialect = other.dialect_for(client);
                let is_kin = |dialect| matches!(dialect, Dialect::Anthropic | Dialect::Bedrock);
                let is_same = dialect == upstream || (is_kin(dialect) && is_kin(upstream));
                // A request that passes on untouched is the client's own business.
                if is_same || dialect == client.dialect() {
                    continue;
                }
                let sent = send(client, false, &second(client, &answer), other, model).unwrap();
                let body = String::from_utf8(sent.body.to_vec()).unwrap();
                assert!(!body.contains(state), "{kind} to {client:?} to {other}: {body}");
                assert!(
                    !body.contains("dG9sbGdhdGU6"),
                    "{kind} to {client:?} to {other}: {body}"
                );
                assert!(
                    !body.contains("tollgate"),
                    "{kind} to {client:?} to {other}: {body}"
                );
            }
        }
    }
}

//! Any model from any SDK: an Anthropic client is answered by an OpenAI provider and the other way round, and what
//! cannot be carried is named, or refused where the route is strict.

use serde_json::{Value, json};
use tollgate_loadtest::{Behaviour, Reply, ToolCall};
use tollgate_tests::{
    Stack, chat, chat_stream, data, messages, messages_stream, text_of_chat, text_of_messages,
};

const CONFIG: &str = r#"
providers:
  openai: { kind: openai, base_url: "http://{mock}/v1", api_key: "key-of-openai-000" }
  claude: { kind: anthropic, base_url: "http://{mock}", api_key: "key-of-claude-000" }
models:
  "o/*": { targets: [ { provider: openai } ] }
  "a/*": { targets: [ { provider: claude } ] }
  strict-a: { strict: true, targets: [ { provider: claude, model: m } ] }
  strict-o: { strict: true, targets: [ { provider: openai, model: m } ] }
"#;

/// What the provider was sent, last.
fn sent(stack: &Stack) -> Value {
    serde_json::from_str(&stack.mock.control().journal().pop().unwrap().body).unwrap()
}

fn says(text: &str) -> Behaviour {
    Behaviour {
        reply: Reply {
            text: Some(text.to_owned()),
            ..Reply::default()
        },
        ..Behaviour::default()
    }
}

#[tokio::test]
async fn an_openai_client_talks_to_anthropic() {
    let stack = Stack::start(CONFIG).await;
    stack.mock.control().set("m", says("Good day to you.")).unwrap();
    let body = r#"{"model":"a/m","max_completion_tokens":50,"temperature":0.5,"stop":["END"],"messages":[
        {"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},
        {"role":"assistant","content":"Hello"},{"role":"user","content":"And?"}]}"#;
    let response = stack.chat(body).await;
    let answer = response.json();
    assert_eq!(answer["object"], "chat.completion", "{answer}");
    assert_eq!(
        answer["choices"][0]["message"]["content"], "Good day to you.",
        "{answer}"
    );
    assert_eq!(answer["choices"][0]["finish_reason"], "stop", "{answer}");
    let usage = &answer["usage"];
    let total = usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], total, "{answer}");
    let request = sent(&stack);
    assert_eq!(
        (&request["model"], &request["max_tokens"]),
        (&json!("m"), &json!(50)),
        "{request}"
    );
    assert_eq!(
        (&request["temperature"], &request["stop_sequences"]),
        (&json!(0.5), &json!(["END"])),
        "{request}"
    );
    assert!(request["system"].to_string().contains("Be brief."), "{request}");
    let roles: Vec<_> = request["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    let entry = stack.mock.control().journal().pop().unwrap();
    assert_eq!(
        (entry.path.as_str(), entry.header("anthropic-version")),
        ("/v1/messages", Some("2023-06-01"))
    );
    assert!(entry.header("x-api-key").is_some() && entry.header("authorization").is_none());
}

#[tokio::test]
async fn an_anthropic_client_talks_to_openai() {
    let stack = Stack::start(CONFIG).await;
    stack.mock.control().set("m", says("Good day to you.")).unwrap();
    let body = r#"{"model":"o/m","max_tokens":50,"system":"Be brief.","stop_sequences":["END"],"messages":[
        {"role":"user","content":[{"type":"text","text":"Hi"}]}]}"#;
    let answer = stack.messages(body).await.json();
    assert_eq!(
        (&answer["type"], &answer["role"]),
        (&json!("message"), &json!("assistant")),
        "{answer}"
    );
    assert_eq!(
        answer["content"],
        json!([{ "type": "text", "text": "Good day to you." }]),
        "{answer}"
    );
    assert_eq!(answer["stop_reason"], "end_turn", "{answer}");
    assert!(
        answer["usage"]["input_tokens"].is_u64() && answer["usage"]["output_tokens"].is_u64(),
        "{answer}"
    );
    let request = sent(&stack);
    assert_eq!(request["messages"][0]["role"], "system", "{request}");
    assert_eq!(request["stop"], json!(["END"]), "{request}");
    assert_eq!(
        stack.mock.control().journal().pop().unwrap().path,
        "/v1/chat/completions"
    );
}

#[tokio::test]
async fn streams_are_translated_event_by_event() {
    let stack = Stack::start(CONFIG).await;
    let text = "A stream of words, with \"quotes\", 日本語 and\nlines.";
    stack.mock.control().set("m", says(text)).unwrap();
    let openai = stack.chat(&chat_stream("a/m")).await.text();
    assert_eq!(text_of_chat(&openai), text, "{openai}");
    assert!(openai.contains("data: [DONE]\n\n"), "{openai}");
    let events = data(&openai);
    let finishes: Vec<_> = events
        .iter()
        .filter_map(|it| it["choices"][0]["finish_reason"].as_str())
        .collect();
    assert_eq!(finishes, ["stop"], "{openai}");
    assert!(
        events
            .iter()
            .all(|it| it["object"] == "chat.completion.chunk" && it["id"] == events[0]["id"]),
        "{openai}"
    );
    let anthropic = stack.messages(&messages_stream("o/m")).await.text();
    assert_eq!(text_of_messages(&anthropic), text, "{anthropic}");
    let kinds: Vec<_> = data(&anthropic)
        .iter()
        .map(|it| it["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        (kinds[0].as_str(), kinds[kinds.len() - 1].as_str()),
        ("message_start", "message_stop"),
        "{anthropic}"
    );
    let count = |kind: &str| kinds.iter().filter(|it| *it == kind).count();
    let blocks = [
        "content_block_start",
        "content_block_stop",
        "message_delta",
        "message_start",
    ]
    .map(count);
    assert_eq!(blocks, [1, 1, 1, 1], "{anthropic}");
    // Each event is named as its data is typed.
    let names = anthropic.lines().filter_map(|line| line.strip_prefix("event: "));
    assert!(names.eq(kinds.iter().map(String::as_str)), "{anthropic}");
    for record in stack.settled(2).await {
        assert_eq!(
            (&record["outcome"], &record["usage"]["source"]),
            (&json!("success"), &json!("reported")),
            "{record}"
        );
    }
}

#[tokio::test]
async fn usage_in_a_translated_stream_comes_when_asked_for() {
    let stack = Stack::start(CONFIG).await;
    let asked = chat_stream("a/m--usage70x30").replace(
        "\"stream\":true",
        "\"stream\":true,\"stream_options\":{\"include_usage\":true}",
    );
    let usage = data(&stack.chat(&asked).await.text()).pop().unwrap();
    assert_eq!(
        (
            &usage["choices"],
            &usage["usage"]["prompt_tokens"],
            &usage["usage"]["completion_tokens"]
        ),
        (&json!([]), &json!(70), &json!(30))
    );
    let not = stack.chat(&chat_stream("a/m--usage70x30")).await.text();
    assert!(!not.contains("\"choices\":[]"), "{not}");
    let anthropic = stack.messages(&messages_stream("o/m--usage70x30")).await.text();
    let delta = data(&anthropic)
        .into_iter()
        .find(|it| it["type"] == "message_delta")
        .unwrap();
    assert_eq!(
        (&delta["usage"]["input_tokens"], &delta["usage"]["output_tokens"]),
        (&json!(70), &json!(30)),
        "{anthropic}"
    );
}

const WEATHER: &str = r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#;

fn calls_weather() -> Behaviour {
    let call = ToolCall {
        name: Some("weather".to_owned()),
        arguments: Some(json!({ "city": "Turin \"IT\"" })),
    };
    Behaviour {
        reply: Reply {
            tool: Some(call),
            ..Reply::default()
        },
        ..Behaviour::default()
    }
}

#[tokio::test]
async fn tools_make_the_round_trip_from_openai_to_anthropic() {
    let stack = Stack::start(CONFIG).await;
    stack.mock.control().set("m", calls_weather()).unwrap();
    let tools = format!(
        r#""tools":[{{"type":"function","function":{{"name":"weather","description":"d","parameters":{WEATHER}}}}}],"tool_choice":"required""#
    );
    let question = r#"{"role":"user","content":"Weather?"}"#;
    let answer = stack
        .chat(&format!(r#"{{"model":"a/m","messages":[{question}],{tools}}}"#))
        .await
        .json();
    let message = &answer["choices"][0]["message"];
    let call = &message["tool_calls"][0];
    assert_eq!(
        (&call["type"], &call["function"]["name"]),
        (&json!("function"), &json!("weather")),
        "{answer}"
    );
    let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({ "city": "Turin \"IT\"" }));
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    let request = sent(&stack);
    assert_eq!(
        request["tools"][0]["input_schema"],
        serde_json::from_str::<Value>(WEATHER).unwrap(),
        "{request}"
    );
    assert_eq!(request["tool_choice"]["type"], "any", "{request}");
    // And back with the result.
    stack.mock.control().set("m", says("Sunny.")).unwrap();
    let id = call["id"].as_str().unwrap();
    let result = format!(r#"{{"role":"tool","tool_call_id":"{id}","content":"24 degrees"}}"#);
    let body = format!(
        r#"{{"model":"a/m","messages":[{question},{message},{result}],{}}}"#,
        tools.replace("required", "auto")
    );
    let answer = stack.chat(&body).await.json();
    assert_eq!(answer["choices"][0]["message"]["content"], "Sunny.", "{answer}");
    let turns = &sent(&stack)["messages"];
    let used = turns[1]["content"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["type"] == "tool_use")
        .unwrap();
    assert_eq!((&used["id"], &used["input"]), (&json!(id), &arguments), "{turns}");
    let given = &turns[2]["content"][0];
    assert_eq!(
        (&turns[2]["role"], &given["type"], &given["tool_use_id"]),
        (&json!("user"), &json!("tool_result"), &json!(id)),
        "{turns}"
    );
    assert!(given["content"].to_string().contains("24 degrees"), "{turns}");
}

#[tokio::test]
async fn tools_make_the_round_trip_from_anthropic_to_openai() {
    let stack = Stack::start(CONFIG).await;
    stack.mock.control().set("m", calls_weather()).unwrap();
    let tools = format!(
        r#""max_tokens":100,"tools":[{{"name":"weather","description":"d","input_schema":{WEATHER}}}],"tool_choice":{{"type":"tool","name":"weather"}}"#
    );
    let question = r#"{"role":"user","content":"Weather?"}"#;
    let answer = stack
        .messages(&format!(r#"{{"model":"o/m","messages":[{question}],{tools}}}"#))
        .await
        .json();
    let used = answer["content"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["type"] == "tool_use")
        .unwrap();
    assert_eq!(
        (&used["name"], &used["input"]),
        (&json!("weather"), &json!({ "city": "Turin \"IT\"" })),
        "{answer}"
    );
    assert_eq!(answer["stop_reason"], "tool_use", "{answer}");
    let request = sent(&stack);
    assert_eq!(
        request["tools"][0]["function"]["parameters"],
        serde_json::from_str::<Value>(WEATHER).unwrap(),
        "{request}"
    );
    assert_eq!(request["tool_choice"]["function"]["name"], "weather", "{request}");
    stack.mock.control().set("m", says("Sunny.")).unwrap();
    let result = json!({ "role": "user", "content": [ { "type": "tool_result", "tool_use_id": used["id"], "content": "24 degrees" } ] });
    let turn = json!({ "role": "assistant", "content": answer["content"] });
    let body = format!(r#"{{"model":"o/m","max_tokens":100,"messages":[{question},{turn},{result}]}}"#);
    assert_eq!(stack.messages(&body).await.json()["content"][0]["text"], "Sunny.");
    let turns = &sent(&stack)["messages"];
    assert_eq!(
        (&turns[1]["tool_calls"][0]["id"], &turns[2]["role"]),
        (&used["id"], &json!("tool")),
        "{turns}"
    );
    assert_eq!(turns[2]["tool_call_id"], used["id"], "{turns}");
}

#[tokio::test]
async fn streamed_arguments_of_tools_are_whole() {
    let stack = Stack::start(CONFIG).await;
    stack.mock.control().set("m", calls_weather()).unwrap();
    let body = chat_stream("a/m").replace("\"stream\":true", &format!(r#""stream":true,"tools":[{{"type":"function","function":{{"name":"weather","parameters":{WEATHER}}}}}]"#));
    let stream = stack.chat(&body).await.text();
    let calls: Vec<_> = data(&stream)
        .into_iter()
        .filter_map(|it| {
            it["choices"][0]["delta"]["tool_calls"]
                .as_array()
                .map(|it| it[0].clone())
        })
        .collect();
    let arguments: String = calls
        .iter()
        .filter_map(|it| it["function"]["arguments"].as_str())
        .collect();
    assert_eq!(
        serde_json::from_str::<Value>(&arguments).unwrap(),
        json!({ "city": "Turin \"IT\"" }),
        "{stream}"
    );
    assert_eq!(calls[0]["function"]["name"], "weather", "{stream}");
    let body = messages_stream("o/m").replace(
        "\"stream\":true",
        &format!(r#""stream":true,"tools":[{{"name":"weather","input_schema":{WEATHER}}}]"#),
    );
    let stream = stack.messages(&body).await.text();
    let pieces: String = data(&stream)
        .iter()
        .filter_map(|it| it["delta"]["partial_json"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(
        serde_json::from_str::<Value>(&pieces).unwrap(),
        json!({ "city": "Turin \"IT\"" }),
        "{stream}"
    );
}

#[tokio::test]
async fn errors_are_in_the_clients_dialect() {
    let stack = Stack::start(CONFIG).await;
    for (status, openai, anthropic) in [
        (400, "invalid_request_error", "invalid_request_error"),
        (429, "rate_limit_error", "rate_limit_error"),
        (500, "server_error", "api_error"),
    ] {
        let response = stack.chat(&chat(&format!("a/m--status{status}"))).await;
        let body = response.json();
        assert_eq!(
            (response.status, &body["error"]["type"]),
            (status, &json!(openai)),
            "{body}"
        );
        assert!(
            body["error"]["message"].is_string() && body.get("type").is_none(),
            "{body}"
        );
        let response = stack.messages(&messages(&format!("o/m--status{status}"))).await;
        let body = response.json();
        assert_eq!(
            (response.status, &body["error"]["type"]),
            (status, &json!(anthropic)),
            "{body}"
        );
        assert_eq!(body["type"], "error", "{body}");
    }
    // 529 is Anthropic's alone.
    assert_eq!(stack.chat(&chat("a/m--status529")).await.status, 503);
    assert_eq!(stack.messages(&messages("a/m--status529")).await.status, 529);
    // A page of HTML is no error object in anybody's dialect.
    let response = stack.messages(&messages("a/m--status502--html")).await;
    assert_eq!(
        (response.status, &response.json()["type"]),
        (502, &json!("error")),
        "{}",
        response.text()
    );
}

/// A field that Anthropic has no place for, and one that OpenAI has none for.
fn lossy(model: &str) -> (String, String) {
    let openai = chat(model).replace("\"messages\"", "\"logit_bias\":{\"50256\":-100},\"messages\"");
    let anthropic = messages(model).replace("\"messages\"", "\"top_k\":5,\"messages\"");
    (openai, anthropic)
}

#[tokio::test]
async fn what_is_lost_is_named() {
    let stack = Stack::start(CONFIG).await;
    let (to_anthropic, _) = lossy("a/m");
    let (_, to_openai) = lossy("o/m");
    let response = stack.chat(&to_anthropic).await;
    assert_eq!(
        (response.status, response.header("x-tollgate-loss")),
        (200, Some("logit_bias")),
        "{}",
        response.text()
    );
    let response = stack.messages(&to_openai).await;
    assert_eq!(
        (response.status, response.header("x-tollgate-loss")),
        (200, Some("top_k")),
        "{}",
        response.text()
    );
    let log = stack.settled(2).await;
    assert!(
        log.iter().any(|record| record["loss"] == json!(["logit_bias"])),
        "{log:#?}"
    );
    let metrics = stack.metrics().await;
    assert_eq!(
        metrics.sum("tollgate_translation_loss_total", &[("field", "logit_bias")]),
        1.0
    );
    assert_eq!(
        metrics.sum("tollgate_translation_loss_total", &[("field", "top_k")]),
        1.0
    );
}

#[tokio::test]
async fn strict_refuses_what_would_be_lost() {
    let stack = Stack::start(CONFIG).await;
    let response = stack.chat(&lossy("strict-a").0).await;
    let error = &response.json()["error"];
    assert_eq!(
        (response.status, &error["code"]),
        (400, &json!("unsupported_parameter")),
        "{error}"
    );
    assert!(
        error["message"].as_str().unwrap().contains("logit_bias"),
        "{error}"
    );
    let response = stack.messages(&lossy("strict-o").1).await;
    assert_eq!(
        (response.status, &response.json()["type"]),
        (400, &json!("error")),
        "{}",
        response.text()
    );
    assert!(response.text().contains("top_k"), "{}", response.text());
    assert!(stack.mock.control().journal().is_empty());
    // What can be carried in full is.
    assert_eq!(stack.chat(&chat("strict-a")).await.status, 200);
    assert_eq!(stack.messages(&messages("strict-o")).await.status, 200);
    assert_eq!(
        stack.chat(&lossy("strict-o").0).await.status,
        200,
        "the same dialect loses nothing"
    );
}

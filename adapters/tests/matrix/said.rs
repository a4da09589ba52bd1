//! What an answer says, read in the plainest way in each dialect: independent of the code under test.

use serde_json::{Value, json};
use tollgate_core::Dialect;

/// The substance of an answer.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) thinking: String,
    /// Name and arguments.
    pub(crate) calls: Vec<(String, Value)>,
    pub(crate) ids: Vec<String>,
    /// `stop`, `length` or `calls`.
    pub(crate) finish: &'static str,
    /// Prompt tokens with those from the cache, those from the cache, and answer tokens with thinking.
    pub(crate) usage: [u64; 3],
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn arguments(value: &Value) -> Value {
    match value {
        Value::String(json) => serde_json::from_str(json).unwrap(),
        value => value.clone(),
    }
}

fn finish(word: &str) -> &'static str {
    match word {
        "stop" | "end_turn" | "completed" | "STOP" | "COMPLETE" => "stop",
        "length" | "max_tokens" | "incomplete" | "MAX_TOKENS" => "length",
        "tool_calls" | "tool_use" | "TOOL_CALL" => "calls",
        other => panic!("what does `{other}` mean?"),
    }
}

fn counts(usage: &Value, fields: [&str; 3]) -> [u64; 3] {
    fields.map(|field| usage.pointer(field).and_then(Value::as_u64).unwrap_or(0))
}

impl Said {
    /// A whole answer.
    pub(crate) fn of(dialect: Dialect, answer: &Value) -> Self {
        let mut said = Self::default();
        match dialect {
            Dialect::OpenAi => said.completion(answer),
            Dialect::Responses => said.response(answer),
            Dialect::Anthropic => said.message(answer),
            Dialect::Gemini => said.candidate(answer),
            Dialect::Cohere => said.chat(answer),
            Dialect::Bedrock => said.converse(answer),
        }
        said
    }

    fn call(&mut self, id: &Value, name: &Value, input: &Value) {
        self.ids.push(text(id).to_owned());
        self.calls.push((text(name).to_owned(), arguments(input)));
    }

    fn functions(&mut self, calls: &Value) {
        for call in list(calls) {
            let function = &call["function"];
            self.call(&call["id"], &function["name"], &function["arguments"]);
        }
    }

    fn completion(&mut self, answer: &Value) {
        let choice = &answer["choices"][0];
        self.text += text(&choice["message"]["content"]);
        self.thinking += text(&choice["message"]["reasoning_content"]);
        self.functions(&choice["message"]["tool_calls"]);
        self.finish = finish(text(&choice["finish_reason"]));
        let fields = [
            "/prompt_tokens",
            "/prompt_tokens_details/cached_tokens",
            "/completion_tokens",
        ];
        self.usage = counts(&answer["usage"], fields);
    }

    fn response(&mut self, answer: &Value) {
        for item in list(&answer["output"]) {
            match text(&item["type"]) {
                "message" => list(&item["content"]).for_each(|part| self.text += text(&part["text"])),
                "reasoning" => list(&item["summary"]).for_each(|part| self.thinking += text(&part["text"])),
                "function_call" => self.call(&item["call_id"], &item["name"], &item["arguments"]),
                other => panic!("an item of type `{other}`"),
            }
        }
        self.finish = finish(text(&answer["status"]));
        // The dialect has no word for it.
        if self.finish == "stop" && !self.calls.is_empty() {
            self.finish = "calls";
        }
        let fields = [
            "/input_tokens",
            "/input_tokens_details/cached_tokens",
            "/output_tokens",
        ];
        self.usage = counts(&answer["usage"], fields);
    }

    fn message(&mut self, answer: &Value) {
        for block in list(&answer["content"]) {
            match text(&block["type"]) {
                "text" => self.text += text(&block["text"]),
                "thinking" => self.thinking += text(&block["thinking"]),
                "tool_use" => self.call(&block["id"], &block["name"], &block["input"]),
                "redacted_thinking" => {}
                other => panic!("a block of type `{other}`"),
            }
        }
        self.finish = finish(text(&answer["stop_reason"]));
        let fields = ["/input_tokens", "/cache_read_input_tokens", "/output_tokens"];
        let [input, cached, output] = counts(&answer["usage"], fields);
        self.usage = [input + cached, cached, output];
    }

    fn candidate(&mut self, answer: &Value) {
        let candidate = &answer["candidates"][0];
        for part in list(&candidate["content"]["parts"]) {
            let call = &part["functionCall"];
            if call.is_object() {
                self.call(&call["id"], &call["name"], &call["args"]);
            } else if part["thought"] == true {
                self.thinking += text(&part["text"]);
            } else {
                self.text += text(&part["text"]);
            }
        }
        self.finish = finish(text(&candidate["finishReason"]));
        if self.finish == "stop" && !self.calls.is_empty() {
            self.finish = "calls";
        }
        let usage = &answer["usageMetadata"];
        let fields = [
            "/promptTokenCount",
            "/cachedContentTokenCount",
            "/candidatesTokenCount",
        ];
        self.usage = counts(usage, fields);
        self.usage[2] += counts(usage, ["/thoughtsTokenCount", "", ""])[0];
    }

    fn chat(&mut self, answer: &Value) {
        let message = &answer["message"];
        for block in list(&message["content"]) {
            self.text += text(&block["text"]);
            self.thinking += text(&block["thinking"]);
        }
        self.functions(&message["tool_calls"]);
        self.finish = finish(text(&answer["finish_reason"]));
        let fields = ["/tokens/input_tokens", "/cached_tokens", "/tokens/output_tokens"];
        self.usage = counts(&answer["usage"], fields);
    }

    fn converse(&mut self, answer: &Value) {
        for block in list(&answer["output"]["message"]["content"]) {
            self.text += text(&block["text"]);
            self.thinking += text(&block["reasoningContent"]["reasoningText"]["text"]);
            let call = &block["toolUse"];
            if call.is_object() {
                self.call(&call["toolUseId"], &call["name"], &call["input"]);
            }
        }
        self.finish = finish(text(&answer["stopReason"]));
        let fields = ["/inputTokens", "/cacheReadInputTokens", "/outputTokens"];
        let [input, cached, output] = counts(&answer["usage"], fields);
        self.usage = [input + cached, cached, output];
    }
}

/// The whole answer that a client puts together from the events of a stream.
pub(crate) fn assembled(dialect: Dialect, events: &[(String, Value)]) -> Value {
    match dialect {
        Dialect::OpenAi => chunks(events),
        Dialect::Responses => {
            let mut responses = events.iter().map(|(_, event)| &event["response"]);
            let is_last = |response: &&Value| response.is_object() && response["status"] != "in_progress";
            responses.rfind(is_last).unwrap().clone()
        }
        Dialect::Anthropic => blocks(events),
        Dialect::Gemini => candidates(events),
        Dialect::Cohere => messages(events),
        Dialect::Bedrock => deltas(events),
    }
}

/// Appends a text to what stands at a place of an object.
fn append(object: &mut Value, name: &str, more: &Value) {
    if let Some(more) = more.as_str() {
        object[name] = format!("{}{more}", text(&object[name])).into();
    }
}

fn chunks(events: &[(String, Value)]) -> Value {
    let mut answer = json!({"choices": [{"message": {}}]});
    for (_, chunk) in events.iter().filter(|(_, data)| data.is_object()) {
        if chunk["usage"].is_object() {
            answer["usage"] = chunk["usage"].clone();
        }
        let Some(choice) = chunk["choices"].get(0) else {
            continue;
        };
        if choice["finish_reason"].is_string() {
            answer["choices"][0]["finish_reason"] = choice["finish_reason"].clone();
        }
        let (message, delta) = (&mut answer["choices"][0]["message"], &choice["delta"]);
        append(message, "content", &delta["content"]);
        append(message, "reasoning_content", &delta["reasoning_content"]);
        for call in list(&delta["tool_calls"]) {
            let calls = &mut message["tool_calls"];
            let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            if calls.get(index).is_none() {
                let mut known: Vec<Value> = list(calls).cloned().collect();
                assert_eq!(known.len(), index, "calls come in order");
                known.push(call.clone());
                *calls = known.into();
                continue;
            }
            for (kind, said) in [("function", "arguments"), ("custom", "input")] {
                if let Some(more) = call.get(kind) {
                    append(&mut calls[index][kind], said, &more[said]);
                }
            }
        }
    }
    answer
}

fn blocks(events: &[(String, Value)]) -> Value {
    let (mut answer, mut content) = (json!({}), Vec::<Value>::new());
    for (_, event) in events {
        let delta = &event["delta"];
        match text(&event["type"]) {
            "message_start" => answer["usage"] = event["message"]["usage"].clone(),
            "content_block_start" => {
                let mut block = event["content_block"].clone();
                if block["input"].is_object() {
                    block["input"] = "".into();
                }
                content.push(block);
            }
            "content_block_delta" => {
                let block = content.last_mut().unwrap();
                append(block, "text", &delta["text"]);
                append(block, "thinking", &delta["thinking"]);
                append(block, "signature", &delta["signature"]);
                append(block, "input", &delta["partial_json"]);
            }
            "message_delta" => {
                answer["stop_reason"] = delta["stop_reason"].clone();
                for (name, value) in event["usage"].as_object().unwrap() {
                    answer["usage"][name] = value.clone();
                }
            }
            _ => {}
        }
    }
    for block in &mut content {
        if let Some(json) = block["input"].as_str() {
            block["input"] = serde_json::from_str(if json.is_empty() { "{}" } else { json }).unwrap();
        }
    }
    answer["content"] = content.into();
    answer
}

fn candidates(events: &[(String, Value)]) -> Value {
    let (mut answer, mut parts) = (json!({"candidates": [{}]}), Vec::<Value>::new());
    for (_, chunk) in events {
        let candidate = &chunk["candidates"][0];
        parts.extend(list(&candidate["content"]["parts"]).cloned());
        if candidate["finishReason"].is_string() {
            answer["candidates"][0]["finishReason"] = candidate["finishReason"].clone();
        }
        if chunk["usageMetadata"].is_object() {
            answer["usageMetadata"] = chunk["usageMetadata"].clone();
        }
    }
    answer["candidates"][0]["content"] = json!({"role": "model", "parts": parts});
    answer
}

fn messages(events: &[(String, Value)]) -> Value {
    let (mut answer, mut content, mut calls) =
        (json!({"message": {"role": "assistant"}}), Vec::new(), Vec::new());
    for (_, event) in events {
        let message = &event["delta"]["message"];
        match text(&event["type"]) {
            "content-start" => content.push(message["content"].clone()),
            "content-delta" => {
                let block: &mut Value = content.last_mut().unwrap();
                append(block, "text", &message["content"]["text"]);
                append(block, "thinking", &message["content"]["thinking"]);
            }
            "tool-call-start" => calls.push(message["tool_calls"].clone()),
            "tool-call-delta" => {
                let call: &mut Value = calls.last_mut().unwrap();
                let more = &message["tool_calls"]["function"]["arguments"];
                append(&mut call["function"], "arguments", more);
            }
            "message-end" => {
                answer["finish_reason"] = event["delta"]["finish_reason"].clone();
                answer["usage"] = event["delta"]["usage"].clone();
            }
            _ => {}
        }
    }
    answer["message"]["content"] = content.into();
    if !calls.is_empty() {
        answer["message"]["tool_calls"] = calls.into();
    }
    answer
}

fn deltas(events: &[(String, Value)]) -> Value {
    let (mut answer, mut content) = (json!({}), Vec::<(u64, Value)>::new());
    for (name, event) in events {
        let index = event["contentBlockIndex"].as_u64();
        match &**name {
            "contentBlockStart" => content.push((index.unwrap(), event["start"].clone())),
            "contentBlockDelta" => {
                if content.last().is_none_or(|(last, _)| Some(*last) != index) {
                    content.push((index.unwrap(), json!({})));
                }
                let (_, block) = content.last_mut().unwrap();
                let delta = &event["delta"];
                append(block, "text", &delta["text"]);
                if delta["toolUse"].is_object() {
                    append(&mut block["toolUse"], "input", &delta["toolUse"]["input"]);
                }
                let thoughts = &delta["reasoningContent"];
                if thoughts["text"].is_string() || thoughts["signature"].is_string() {
                    let whole = &mut block["reasoningContent"]["reasoningText"];
                    append(whole, "text", &thoughts["text"]);
                    append(whole, "signature", &thoughts["signature"]);
                } else if thoughts.is_object() {
                    block["reasoningContent"] = thoughts.clone();
                }
            }
            "messageStop" => answer["stopReason"] = event["stopReason"].clone(),
            "metadata" => answer["usage"] = event["usage"].clone(),
            _ => {}
        }
    }
    let mut whole = Vec::new();
    for (_, mut block) in content {
        if let Some(json) = block["toolUse"]["input"].as_str() {
            block["toolUse"]["input"] =
                serde_json::from_str(if json.is_empty() { "{}" } else { json }).unwrap();
        }
        if block["toolUse"].is_null() {
            block.as_object_mut().unwrap().remove("toolUse");
        }
        whole.push(block);
    }
    answer["output"] = json!({"message": {"role": "assistant", "content": whole}});
    answer
}

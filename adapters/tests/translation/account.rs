//! What an answer says, read in the plainest way: independent of the code under test.

use std::collections::BTreeMap;

use serde_json::Value;

/// The substance of an answer.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Account {
    pub(crate) text: String,
    pub(crate) thinking: String,
    pub(crate) refusal: String,
    /// Name and arguments of each call.
    pub(crate) calls: Vec<(String, Value)>,
    pub(crate) ids: Vec<String>,
    /// In OpenAI's words.
    pub(crate) finish: Option<String>,
    pub(crate) usage: Option<Counts>,
    pub(crate) has_error: bool,
}

/// Tokens as OpenAI counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) prompt: u64,
    pub(crate) completion: u64,
    pub(crate) cached: u64,
    pub(crate) reasoning: u64,
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .or_else(|| value.as_f64()?.to_string().parse().ok())
        .unwrap_or(0)
}

fn finish(word: &str) -> String {
    match word {
        "end_turn" | "stop_sequence" | "pause_turn" | "compaction" | "eos" => "stop",
        "max_tokens" | "model_context_window_exceeded" | "model_length" => "length",
        "tool_use" | "function_call" => "tool_calls",
        "refusal" => "content_filter",
        word => word,
    }
    .to_owned()
}

fn json_of(text: &str) -> Value {
    if text.is_empty() {
        return Value::Object(serde_json::Map::new());
    }
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// A string, or a list of parts: text and thinking.
fn content(value: &Value) -> (String, String) {
    let (mut text, mut thinking) = (text_of(value).to_owned(), String::new());
    for part in value.as_array().into_iter().flatten() {
        text += text_of(&part["text"]);
        match &part["thinking"] {
            Value::String(words) => thinking += words,
            list => list
                .as_array()
                .into_iter()
                .flatten()
                .for_each(|part| thinking += text_of(&part["text"])),
        }
    }
    (text, thinking)
}

fn openai_counts(usage: &Value, excludes_reasoning: bool) -> Option<Counts> {
    usage.as_object()?;
    let prompt = number(&usage["prompt_tokens"]);
    let completion = number(&usage["completion_tokens"]);
    let reasoning = match number(&usage["completion_tokens_details"]["reasoning_tokens"]) {
        0 => number(&usage["reasoning_tokens"]),
        some => some,
    };
    let apart = excludes_reasoning || reasoning > completion;
    let mut cached = number(&usage["prompt_tokens_details"]["cached_tokens"]);
    for other in ["prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens"] {
        cached = if cached == 0 {
            number(&usage[other])
        } else {
            cached
        };
    }
    Some(Counts {
        prompt: if cached > prompt { prompt + cached } else { prompt },
        completion: if apart { completion + reasoning } else { completion },
        cached,
        reasoning,
    })
}

fn anthropic_counts(usage: &Value) -> Option<Counts> {
    usage.as_object()?;
    let cached = number(&usage["cache_read_input_tokens"]);
    Some(Counts {
        prompt: number(&usage["input_tokens"]) + cached + number(&usage["cache_creation_input_tokens"]),
        completion: number(&usage["output_tokens"]),
        cached,
        reasoning: number(&usage["output_tokens_details"]["thinking_tokens"]),
    })
}

/// A whole answer of OpenAI's dialect.
pub(crate) fn openai(answer: &Value, excludes_reasoning: bool) -> Account {
    let choice = &answer["choices"][0];
    let message = &choice["message"];
    let (text, mut thinking) = content(&message["content"]);
    if thinking.is_empty() {
        text_of(&message["reasoning_content"]).clone_into(&mut thinking);
    }
    if thinking.is_empty() {
        text_of(&message["reasoning"]).clone_into(&mut thinking);
    }
    let mut account = Account {
        text,
        thinking,
        refusal: text_of(&message["refusal"]).to_owned(),
        finish: choice["finish_reason"].as_str().map(finish),
        usage: openai_counts(&answer["usage"], excludes_reasoning),
        has_error: answer["error"].is_object(),
        ..Account::default()
    };
    let functions = message["tool_calls"].as_array().into_iter().flatten();
    for call in functions {
        account.ids.push(text_of(&call["id"]).to_owned());
        account.add_call(&call["function"]);
    }
    if message["function_call"].is_object() {
        account.add_call(&message["function_call"]);
    }
    account
}

impl Account {
    fn add_call(&mut self, function: &Value) {
        let arguments = match &function["arguments"] {
            Value::String(text) => json_of(text),
            other => other.clone(),
        };
        self.calls
            .push((text_of(&function["name"]).to_owned(), arguments));
    }
}

/// The data of the events of a stream, however it is laid out.
pub(crate) fn data(stream: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(stream).replace("\r\n", "\n");
    text.lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .filter_map(|data| serde_json::from_str(data.trim()).ok())
        .collect()
}

/// A stream of OpenAI's dialect.
pub(crate) fn openai_stream(stream: &[u8], excludes_reasoning: bool) -> Account {
    let mut account = Account::default();
    let mut calls: BTreeMap<usize, (Value, String, String, String)> = BTreeMap::new();
    for chunk in data(stream) {
        account.has_error |= chunk["error"].is_object();
        for usage in [
            &chunk["x_groq"]["usage"],
            &chunk["choices"][0]["usage"],
            &chunk["usage"],
        ] {
            account.usage = openai_counts(usage, excludes_reasoning).or(account.usage);
        }
        let choices = chunk["choices"].as_array().into_iter().flatten();
        for choice in choices.filter(|choice| number(&choice["index"]) == 0) {
            let delta = &choice["delta"];
            let (text, thinking) = content(&delta["content"]);
            account.text += &text;
            account.thinking += &thinking;
            match text_of(&delta["reasoning_content"]) {
                "" => account.thinking += text_of(&delta["reasoning"]),
                words => account.thinking += words,
            }
            account.refusal += text_of(&delta["refusal"]);
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                let (index, id) = (&call["index"], text_of(&call["id"]));
                let function = &call["function"];
                let last = calls.len().saturating_sub(1);
                let known = calls.iter().rev().find(|(_, (known, known_id, ..))| {
                    if index.is_null() {
                        !id.is_empty() && known_id == id
                    } else {
                        known == index && (id.is_empty() || known_id.is_empty() || known_id == id)
                    }
                });
                let place = match known {
                    Some((place, _)) => *place,
                    None if index.is_null() && id.is_empty() && !calls.is_empty() => last,
                    None => calls.len(),
                };
                let entry = calls.entry(place).or_default();
                entry.0 = index.clone();
                if entry.1.is_empty() {
                    id.clone_into(&mut entry.1);
                }
                if entry.2.is_empty() {
                    text_of(&function["name"]).clone_into(&mut entry.2);
                }
                match &function["arguments"] {
                    Value::String(text) => entry.3 += text,
                    Value::Null => {}
                    other => entry.3 += &other.to_string(),
                }
            }
            if let Some(word) = choice["finish_reason"].as_str().filter(|word| *word != "error") {
                account.finish = Some(finish(word));
            }
        }
    }
    for (_, id, name, arguments) in calls.into_values() {
        account.ids.push(id);
        account.calls.push((name, json_of(&arguments)));
    }
    account
}

/// A whole answer of Anthropic's dialect.
pub(crate) fn anthropic(answer: &Value) -> Account {
    let mut account = Account {
        finish: answer["stop_reason"].as_str().map(finish),
        usage: anthropic_counts(&answer["usage"]),
        has_error: answer["error"].is_object(),
        ..Account::default()
    };
    for block in answer["content"].as_array().into_iter().flatten() {
        account.add_block(block);
    }
    account
}

impl Account {
    fn add_block(&mut self, block: &Value) {
        match text_of(&block["type"]) {
            "text" => self.text += text_of(&block["text"]),
            "thinking" => self.thinking += text_of(&block["thinking"]),
            "tool_use" => {
                self.ids.push(text_of(&block["id"]).to_owned());
                self.calls
                    .push((text_of(&block["name"]).to_owned(), block["input"].clone()));
            }
            _ => {}
        }
    }
}

/// A stream of Anthropic's dialect.
pub(crate) fn anthropic_stream(stream: &[u8]) -> Account {
    let mut account = Account::default();
    let mut blocks: BTreeMap<u64, (Value, String)> = BTreeMap::new();
    let mut usage = serde_json::Map::new();
    let mut merge = |more: &Value| {
        for (name, value) in more
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, value)| !value.is_null())
        {
            usage.insert(name.clone(), value.clone());
        }
    };
    for event in data(stream) {
        let index = number(&event["index"]);
        match text_of(&event["type"]) {
            "message_start" => merge(&event["message"]["usage"]),
            "content_block_start" => {
                blocks.insert(index, (event["content_block"].clone(), String::new()));
            }
            "content_block_delta" => {
                let Some((block, json)) = blocks.get_mut(&index) else {
                    continue;
                };
                let delta = &event["delta"];
                for field in ["text", "thinking"] {
                    if let Some(more) = delta[field].as_str() {
                        block[field] = format!("{}{more}", text_of(&block[field])).into();
                    }
                }
                *json += text_of(&delta["partial_json"]);
            }
            "message_delta" => {
                if let Some(word) = event["delta"]["stop_reason"].as_str() {
                    account.finish = Some(finish(word));
                }
                merge(&event["usage"]);
            }
            "error" => account.has_error = true,
            _ => {}
        }
    }
    for (mut block, json) in blocks.into_values() {
        if !json.is_empty() {
            block["input"] = json_of(&json);
        }
        account.add_block(&block);
    }
    account.usage =
        anthropic_counts(&Value::Object(usage)).filter(|counts| counts.prompt + counts.completion > 0);
    account
}

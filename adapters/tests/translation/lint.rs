//! What providers are known to refuse: each rule a documented or recorded 400.

use std::collections::BTreeSet;

use serde_json::Value;
use tollgate_core::ProviderKind;

const ANTHROPIC_FIELDS: &[&str] = &[
    "model",
    "messages",
    "max_tokens",
    "system",
    "metadata",
    "stop_sequences",
    "stream",
    "temperature",
    "top_k",
    "top_p",
    "tools",
    "tool_choice",
    "thinking",
    "service_tier",
    "output_config",
];

const MISTRAL_FIELDS: &[&str] = &[
    "model",
    "messages",
    "temperature",
    "top_p",
    "max_tokens",
    "stream",
    "stop",
    "random_seed",
    "metadata",
    "response_format",
    "tools",
    "tool_choice",
    "presence_penalty",
    "frequency_penalty",
    "n",
    "prediction",
    "parallel_tool_calls",
    "prompt_mode",
    "safe_prompt",
    "reasoning_effort",
];

const OPENAI_FIELDS: &[&str] = &[
    "model",
    "messages",
    "frequency_penalty",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "seed",
    "service_tier",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
];

fn unknown(body: &Value, known: &[&str], problems: &mut Vec<String>) {
    let names = body.as_object().unwrap().keys();
    problems.extend(
        names
            .filter(|name| !known.contains(&name.as_str()))
            .map(|name| format!("unknown field {name}")),
    );
}

fn is_name(text: &str, longest: usize) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !text.is_empty() && text.len() <= longest && text.chars().all(legal)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What Anthropic would refuse of messages.
fn anthropic_messages(messages: &[Value], demand: &mut dyn FnMut(bool, &str)) {
    demand(
        messages.first().is_some_and(|first| first["role"] == "user"),
        "the first turn is the user's",
    );
    for (position, message) in messages.iter().enumerate() {
        let is_last = position + 1 == messages.len();
        let role = word(&message["role"]);
        demand(matches!(role, "user" | "assistant"), "role");
        demand(
            position == 0 || messages[position - 1]["role"] != role,
            "turns alternate",
        );
        let content = &message["content"];
        let texts: Vec<&str> = match content {
            Value::String(text) => vec![text],
            content => {
                demand(!list(content).is_empty(), "empty content");
                let texts = list(content).iter().filter(|block| block["type"] == "text");
                texts.map(|block| word(&block["text"])).collect()
            }
        };
        demand(texts.iter().all(|text| !text.trim().is_empty()), "blank text");
        if is_last && role == "assistant" {
            demand(
                texts.last().is_none_or(|text| text.trim_end() == *text),
                "trailing white space",
            );
        }
        let of = |message: &Value, kind: &str, id: &str| -> BTreeSet<String> {
            let blocks = list(&message["content"])
                .iter()
                .filter(|block| block["type"] == kind);
            blocks.map(|block| word(&block[id]).to_owned()).collect()
        };
        let calls = of(message, "tool_use", "id");
        let answered = messages
            .get(position + 1)
            .map(|next| of(next, "tool_result", "tool_use_id"));
        demand(
            calls.is_empty() || answered.as_ref() == Some(&calls),
            "calls are answered at once",
        );
        if position == 0 {
            demand(
                of(message, "tool_result", "tool_use_id").is_empty(),
                "results of no call",
            );
        }
        let mut has_other = false;
        for block in list(content) {
            let is_result = block["type"] == "tool_result";
            demand(!(is_result && has_other), "results come first");
            has_other |= !is_result;
            if block["type"] == "tool_use" {
                demand(block["input"].is_object(), "input is an object");
                demand(
                    is_name(word(&block["id"]), 128) && is_name(word(&block["name"]), 128),
                    "names of calls",
                );
            }
            let kinds = [
                "text",
                "image",
                "document",
                "tool_use",
                "tool_result",
                "thinking",
                "redacted_thinking",
            ];
            demand(kinds.contains(&word(&block["type"])), "foreign block");
        }
        demand(role == "assistant" || calls.is_empty(), "users do not call");
    }
}

/// What Anthropic would refuse.
pub(crate) fn anthropic(body: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    unknown(body, ANTHROPIC_FIELDS, &mut problems);
    let mut demand = |holds: bool, what: &str| {
        if !holds {
            problems.push(what.to_owned());
        }
    };
    let max_tokens = body["max_tokens"].as_u64().unwrap_or(0);
    demand(max_tokens > 0, "max_tokens");
    demand(body["temperature"].as_f64().unwrap_or(0.5) <= 1.0, "temperature");
    anthropic_messages(list(&body["messages"]), &mut demand);
    let thinking = &body["thinking"];
    if thinking["type"] == "enabled" {
        let budget = thinking["budget_tokens"].as_u64().unwrap_or(0);
        demand(budget >= 1024 && budget < max_tokens, "budget");
    }
    if matches!(word(&thinking["type"]), "enabled" | "adaptive") {
        demand(
            body["temperature"].is_null() || body["temperature"] == 1.0,
            "temperature beside thinking",
        );
        demand(
            !matches!(word(&body["tool_choice"]["type"]), "any" | "tool"),
            "forced tool beside thinking",
        );
    }
    for tool in list(&body["tools"]) {
        demand(is_name(word(&tool["name"]), 128), "name of a tool");
        demand(tool["input_schema"]["type"] == "object", "schema of a tool");
    }
    let uses = body["messages"].to_string().contains("\"tool_use\"");
    demand(
        !uses || !list(&body["tools"]).is_empty(),
        "history with tools needs tools",
    );
    demand(
        body["tool_choice"].is_null() || !list(&body["tools"]).is_empty(),
        "tool_choice without tools",
    );
    problems
}

/// What a provider of OpenAI's dialect would refuse.
pub(crate) fn openai(kind: ProviderKind, body: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    match kind {
        ProviderKind::Mistral => unknown(body, MISTRAL_FIELDS, &mut problems),
        ProviderKind::OpenAi => unknown(body, OPENAI_FIELDS, &mut problems),
        _ => {}
    }
    let mut demand = |holds: bool, what: &str| {
        if !holds {
            problems.push(what.to_owned());
        }
    };
    let is_set = |name: &str| !body[name].is_null();
    demand(!list(&body["messages"]).is_empty(), "messages");
    demand(
        !is_set("stream_options") || body["stream"] == true,
        "stream_options without stream",
    );
    demand(
        !(is_set("max_tokens") && is_set("max_completion_tokens")),
        "two limits",
    );
    if body["model"] == "gpt-5" {
        for name in ["max_tokens", "temperature", "top_p", "stop"] {
            demand(!is_set(name), name);
        }
    }
    let mut pending: BTreeSet<&str> = BTreeSet::new();
    for message in list(&body["messages"]) {
        let role = word(&message["role"]);
        demand(matches!(role, "system" | "user" | "assistant" | "tool"), "role");
        if role == "tool" {
            demand(
                pending.remove(word(&message["tool_call_id"])),
                "a result of no call",
            );
            demand(!message["content"].is_null(), "a result without content");
        } else {
            demand(pending.is_empty(), "calls that are not answered");
        }
        for call in list(&message["tool_calls"]) {
            demand(
                call["function"]["arguments"].is_string(),
                "arguments are a string",
            );
            demand(is_name(word(&call["function"]["name"]), 64), "name of a call");
            let id = word(&call["id"]);
            let is_nine = id.len() == 9 && id.chars().all(|c| c.is_ascii_alphanumeric());
            demand(kind != ProviderKind::Mistral || is_nine, "ids of nine characters");
            pending.insert(id);
        }
        let content = &message["content"];
        demand(!content.is_null() || role == "assistant", "content");
        for part in list(content) {
            let kinds = ["text", "image_url", "file", "input_audio", "document_url"];
            demand(kinds.contains(&word(&part["type"])), "foreign part");
        }
    }
    demand(pending.is_empty(), "calls that are not answered");
    for tool in list(&body["tools"]) {
        demand(is_name(word(&tool["function"]["name"]), 64), "name of a tool");
        demand(
            tool["function"]["parameters"]["type"] == "object",
            "schema of a tool",
        );
    }
    demand(
        !is_set("tool_choice") || is_set("tools"),
        "tool_choice without tools",
    );
    problems
}

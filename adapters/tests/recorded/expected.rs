//! What an answer says, read as plainly as can be: what the reports of the readers are compared with.

use serde_json::Value;
use tollgate_core::{ProviderKind, Surface};

use crate::Case;

#[derive(Debug, PartialEq)]
pub(super) struct Counts {
    pub(super) prompt: u64,
    pub(super) completion: u64,
    pub(super) cached: u64,
    pub(super) written: u64,
    pub(super) reasoning: u64,
}

#[derive(Default)]
pub(super) struct Expected {
    pub(super) usage: Option<Counts>,
    pub(super) finish: Option<&'static str>,
    pub(super) has_error: bool,
    pub(super) has_content: bool,
    pub(super) model: Option<String>,
}

impl Expected {
    pub(super) fn of(case: &Case, events: &[Value]) -> Self {
        match (case.surface, case.surface.dialect()) {
            (Surface::CountTokens, _) => Self {
                has_content: true,
                ..Self::default()
            },
            (_, tollgate_core::Dialect::OpenAi) => Self::openai(case, events),
            _ => Self::anthropic(events),
        }
    }

    fn openai(case: &Case, events: &[Value]) -> Self {
        let mut seen = Self {
            has_content: case.surface == Surface::Embeddings,
            ..Self::default()
        };
        for event in events {
            seen.has_error |= event["error"].is_object();
            let model = event["model"].as_str().filter(|model| !model.is_empty());
            seen.model = seen.model.or(model.map(str::to_owned));
            let places = [
                &event["usage"],
                &event["x_groq"]["usage"],
                &event["choices"][0]["usage"],
            ];
            if let Some(usage) = places.into_iter().find(|usage| usage.is_object()) {
                seen.usage = openai_counts(usage, case.kind).or(seen.usage);
            }
            for choice in event["choices"].as_array().into_iter().flatten() {
                for part in [&choice["delta"], &choice["message"], choice] {
                    let names = [
                        "content",
                        "text",
                        "reasoning",
                        "reasoning_content",
                        "refusal",
                        "tool_calls",
                    ];
                    seen.has_content |= names.iter().any(|name| is_filled(&part[name]));
                    seen.has_content |= is_filled(&part["audio"]["transcript"]);
                    seen.has_content |= is_filled(&part["function_call"]["name"]);
                }
                if choice["index"].as_u64().unwrap_or(0) == 0 {
                    seen.finish = match choice["finish_reason"].as_str() {
                        None | Some("error" | "") => seen.finish,
                        Some("length") => Some("length"),
                        Some("tool_calls" | "function_call") => Some("tool_calls"),
                        Some("content_filter") => Some("content_filter"),
                        Some(_) => Some("stop"),
                    };
                }
            }
        }
        seen
    }

    fn anthropic(events: &[Value]) -> Self {
        let mut seen = Self::default();
        let mut usage = serde_json::Map::new();
        for event in events {
            let event_type = event["type"].as_str();
            seen.has_error |= event_type == Some("error");
            let message = if event_type == Some("message") {
                event
            } else {
                &event["message"]
            };
            seen.model = seen.model.or(message["model"].as_str().map(str::to_owned));
            for found in [&message["usage"], &event["usage"]] {
                let fields = found.as_object().into_iter().flatten();
                usage.extend(
                    fields
                        .filter(|(_, value)| !value.is_null())
                        .map(|(key, value)| (key.clone(), value.clone())),
                );
            }
            let reason = message["stop_reason"]
                .as_str()
                .or(event["delta"]["stop_reason"].as_str());
            seen.finish = reason
                .map(|reason| match reason {
                    "stop_sequence" => "stop_sequence",
                    "max_tokens" | "model_context_window_exceeded" => "length",
                    "tool_use" => "tool_calls",
                    "refusal" => "content_filter",
                    "pause_turn" => "paused",
                    _ => "stop",
                })
                .or(seen.finish);
            let blocks = message["content"].as_array().into_iter().flatten();
            for block in blocks.chain([&event["delta"], &event["content_block"]]) {
                let names = ["text", "thinking", "partial_json"];
                let kind = block["type"].as_str().unwrap_or_default();
                seen.has_content |= names.iter().any(|name| is_filled(&block[name]))
                    || ["tool_use", "server_tool_use", "redacted_thinking"].contains(&kind);
            }
        }
        if !usage.is_empty() {
            let usage = Value::Object(usage);
            let count = |name: &str| usage[name].as_u64().unwrap_or(0);
            let (cached, written) = (
                count("cache_read_input_tokens"),
                count("cache_creation_input_tokens"),
            );
            seen.usage = Some(Counts {
                prompt: count("input_tokens") + cached + written,
                completion: count("output_tokens"),
                cached,
                written,
                reasoning: usage["output_tokens_details"]["thinking_tokens"]
                    .as_u64()
                    .unwrap_or(0),
            });
        }
        seen
    }
}

fn openai_counts(usage: &Value, kind: ProviderKind) -> Option<Counts> {
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    let details = &usage["prompt_tokens_details"];
    let reasoning = match count(&usage["completion_tokens_details"]["reasoning_tokens"]) {
        0 => count(&usage["reasoning_tokens"]),
        reasoning => reasoning,
    };
    let cached = [
        &details["cached_tokens"],
        &usage["prompt_cache_hit_tokens"],
        &usage["cached_tokens"],
        &usage["num_cached_tokens"],
    ];
    let cached = cached
        .into_iter()
        .map(count)
        .find(|count| *count > 0)
        .unwrap_or(0);
    let prompt = usage["prompt_tokens"].as_u64()?;
    let completion = count(&usage["completion_tokens"]);
    let is_beside = kind == ProviderKind::Xai || reasoning > completion;
    Some(Counts {
        prompt: if cached > prompt { prompt + cached } else { prompt },
        completion: if is_beside {
            completion + reasoning
        } else {
            completion
        },
        cached,
        written: count(&details["cache_write_tokens"]),
        reasoning,
    })
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(|item| {
            !item.is_object()
                || item.get("function").is_some()
                || ["text", "thinking"].iter().any(|key| is_filled(&item[key]))
        }),
        _ => false,
    }
}

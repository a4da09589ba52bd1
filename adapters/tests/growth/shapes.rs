//! Long requests, answers and streams, each of one kind, in the words of chat completions.

use serde_json::{Value, json};

/// Makes something so long.
type Make = fn(usize) -> Value;

fn all(count: usize, each: impl Fn(usize) -> Value) -> Value {
    (0..count).map(each).collect()
}

fn request(messages: &Value) -> Value {
    json!({"model": "a-model", "max_tokens": 9, "messages": messages})
}

fn user() -> Value {
    json!({"role": "user", "content": "Go."})
}

fn call(number: usize) -> Value {
    json!({"index": number, "id": format!("call_of_tool_{number}"), "type": "function",
        "function": {"name": "look_up", "arguments": "{\"a\":1}"}})
}

fn result(number: usize) -> Value {
    json!({"role": "tool", "tool_call_id": format!("call_of_tool_{number}"), "content": "found"})
}

fn answered(calls: usize, results: impl Iterator<Item = usize>) -> Value {
    let calls = json!({"role": "assistant", "tool_calls": all(calls, call)});
    request(&[user(), calls].into_iter().chain(results.map(result)).collect())
}

fn with_tools(tools: &Value) -> Value {
    json!({"model": "a-model", "max_tokens": 9, "messages": [user()], "tools": tools})
}

fn tool(name: &str, parameters: &Value) -> Value {
    json!({"type": "function", "function": {"name": name, "description": "looks", "parameters": parameters}})
}

pub(super) fn turns(count: usize) -> Value {
    request(&all(count, |number| {
        let role = if number % 2 == 0 { "user" } else { "assistant" };
        json!({"role": role, "content": "A few words of it."})
    }))
}

fn instructions(count: usize) -> Value {
    let told = json!({"role": "system", "content": "Be brief."});
    request(&all(
        count,
        |number| if number == 0 { user() } else { told.clone() },
    ))
}

fn rounds(count: usize) -> Value {
    let round = |number| {
        [
            json!({"role": "assistant", "tool_calls": [call(number)]}),
            result(number),
        ]
    };
    let rounds = (0..count).flat_map(round);
    request(&[user()].into_iter().chain(rounds).collect())
}

/// A schema with so many properties.
fn schema(count: usize) -> Value {
    let name = |number| format!("field_{number}");
    let fields: serde_json::Map<_, _> = (0..count)
        .map(|number| (name(number), json!({"type": "string"})))
        .collect();
    let required = all(count, |number| name(count - 1 - number).into());
    json!({"type": "object", "properties": fields, "required": required, "additionalProperties": false})
}

/// Requests.
pub(super) const REQUESTS: [(&str, Make); 13] = [
    ("turns", turns),
    ("turns of one speaker", |count| request(&all(count, |_| user()))),
    ("instructions", instructions),
    ("parts", |count| {
        let parts = all(count, |_| json!({"type": "text", "text": "A part."}));
        request(&json!([{"role": "user", "content": parts}]))
    }),
    ("calls and results", |count| answered(count, 0..count)),
    ("results from last to first", |count| {
        answered(count, (0..count).rev())
    }),
    ("calls without results", |count| {
        answered(count, std::iter::empty())
    }),
    ("results without calls", |count| answered(1, 0..count)),
    ("rounds of calls", rounds),
    ("tools", |count| {
        with_tools(&all(count, |number| {
            tool(&format!("look_up_{number}"), &json!({"type": "object"}))
        }))
    }),
    ("fields of a tool", |count| {
        with_tools(&json!([tool("look_up", &schema(count))]))
    }),
    ("fields of an answer", |count| {
        let mut request = request(&json!([user()]));
        let format = json!({"name": "form", "schema": schema(count)});
        request["response_format"] = json!({"type": "json_schema", "json_schema": format});
        request
    }),
    ("fields that nobody knows", |count| {
        let mut request = request(&json!([user()]));
        for number in 0..count {
            request[format!("field_{number}")] = number.into();
        }
        request
    }),
];

fn message(message: &Value) -> Value {
    json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}})
}

/// Answers.
pub(super) const ANSWERS: [(&str, Make); 4] = [
    ("calls", |count| {
        message(&json!({"role": "assistant", "content": null, "tool_calls": all(count, call)}))
    }),
    ("calls that are signed", |count| {
        let signature = |number| json!({"google": {"thought_signature": format!("c2lnbmVk{number:08}")}});
        let calls = all(count, |number| {
            let mut call = call(number);
            call["extra_content"] = signature(number);
            call
        });
        message(&json!({"role": "assistant", "content": null, "tool_calls": calls}))
    }),
    ("calls of one id", |count| {
        message(&json!({"role": "assistant", "content": null, "tool_calls": all(count, |_| call(7))}))
    }),
    ("thoughts", |count| {
        let blocks = all(
            count,
            |_| json!({"type": "thinking", "thinking": "hm", "signature": "c2ln"}),
        );
        message(
            &json!({"role": "assistant", "content": "Yes.", "reasoning_content": "hm", "thinking_blocks": blocks}),
        )
    }),
];

fn deltas(deltas: impl Iterator<Item = Value>) -> Value {
    let chunk = |delta| {
        json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
    };
    deltas.map(chunk).collect()
}

/// The chunks of streams.
pub(super) const STREAMS: [(&str, Make); 6] = [
    ("text", |count| {
        deltas((0..count).map(|_| json!({"content": "a word "})))
    }),
    ("calls", |count| {
        deltas((0..count).map(|number| json!({"tool_calls": [call(number)]})))
    }),
    ("calls that are never complete", |count| {
        let function = json!({"name": "look_up", "arguments": "[["});
        let call = |number| json!({"index": number, "id": format!("call_{number}"), "function": function});
        deltas((0..count).map(|number| json!({"tool_calls": [call(number)]})))
    }),
    ("calls in one chunk", |count| {
        deltas(std::iter::once(json!({"tool_calls": all(count, call)})))
    }),
    ("arguments", |count| {
        let part = json!({"tool_calls": [{"index": 0, "function": {"arguments": "[[["}}]});
        deltas(std::iter::once(json!({"tool_calls": [call(0)]})).chain((0..count).map(move |_| part.clone())))
    }),
    ("thoughts and text in turn", |count| {
        deltas((0..count).map(|number| match number % 2 {
            0 => json!({"reasoning_content": "hm"}),
            _ => json!({"content": "ha"}),
        }))
    }),
];

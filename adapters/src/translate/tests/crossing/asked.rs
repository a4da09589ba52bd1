//! Requests that a client of a dialect could have sent, of every kind, as the canonical model has them.

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tollgate_core::Dialect;

use super::talk::{place, turns};
use crate::chat::carried::DIALECTS;
use crate::chat::{
    At, Cache, ChatRequest, Extra, Function, Output, Reasoning, Sampling, Thinking, Tool, ToolChoice,
    ToolKind, at,
};
use crate::testing::words;

/// A request of some client.
pub(super) fn requests() -> impl Strategy<Value = ChatRequest<'static>> {
    select(DIALECTS.to_vec()).prop_flat_map(request)
}

fn request(client: Dialect) -> impl Strategy<Value = ChatRequest<'static>> {
    let settings = (
        sampling(),
        maybe(0.4, output(client)),
        reasoning(client),
        extra(client),
    );
    let rest = (any::<bool>(), maybe(0.3, user()), maybe(0.3, tier(client)));
    let calling = (vec(tool(client), 0..4), of(0..4_usize), of(any::<bool>()));
    (calling, settings, rest).prop_flat_map(move |(calling, settings, rest)| {
        let (mut tools, choice, parallel) = calling;
        let names: Vec<String> = tools.iter_mut().enumerate().map(named).collect();
        let (sampling, output, reasoning, extra) = settings;
        let (stream, user, service_tier) = rest;
        let choice = choice.and_then(|choice| tool_choice(client, choice, &names));
        let has_tools = !tools.is_empty();
        turns(client, names).prop_map(move |turns| {
            let mut request = ChatRequest {
                origin: client,
                turns,
                tools: tools.clone(),
                tool_choice: at("tool_choice", choice.clone()),
                parallel_tool_calls: at("parallel_tool_calls", parallel.filter(|_| has_tools)),
                sampling: sampling.clone(),
                output: at("output", output.clone()),
                reasoning: reasoning.clone(),
                stream,
                include_usage: true,
                user: user_at(client, user.as_deref()),
                service_tier: at("service_tier", service_tier.map(Cow::Borrowed)),
                extra: extra.clone(),
            };
            place(&mut request);
            request
        })
    })
}

/// Gives a tool a name that no other has.
fn named((index, tool): (usize, &mut Tool<'static>)) -> String {
    let ToolKind::Function(function) = &mut tool.kind else {
        return String::new();
    };
    function.name = format!("{}{index}", function.name).into();
    function.name.to_string()
}

fn tool_choice(client: Dialect, choice: usize, names: &[String]) -> Option<ToolChoice<'static>> {
    let function = names.iter().find(|name| !name.is_empty())?;
    match choice {
        0 => Some(ToolChoice::Required),
        // Cohere has no word for the default, nor for one tool; Bedrock has none for none.
        1 if client != Dialect::Bedrock => Some(ToolChoice::None),
        2 if client != Dialect::Cohere => Some(ToolChoice::Auto),
        3 if client != Dialect::Cohere => Some(ToolChoice::Tool(function.clone().into())),
        _ => None,
    }
}

fn user() -> impl Strategy<Value = String> {
    prop_oneof![words(), "[a-z0-9]{60,80}"]
}

/// OpenAI has two words for the same.
fn user_at(client: Dialect, user: Option<&str>) -> Option<At<Cow<'static, str>>> {
    let is_identifier = client == Dialect::Responses && user.is_some_and(|user| user.len() % 2 == 0);
    let name = if is_identifier {
        "safety_identifier"
    } else {
        "user"
    };
    at(name, user.map(|user| user.to_owned().into()))
}

/// In the words of the client's dialect.
fn tier(client: Dialect) -> impl Strategy<Value = &'static str> {
    select(match client {
        Dialect::Anthropic => vec!["auto", "standard_only"],
        Dialect::Gemini => vec!["standard", "flex", "priority"],
        Dialect::Bedrock => vec!["default", "flex", "priority", "reserved"],
        _ => vec!["auto", "default", "flex", "priority", "scale"],
    })
}

fn sampling() -> impl Strategy<Value = Sampling<'static>> {
    let number = |choices: [f64; 5]| maybe(0.4, select(choices.to_vec()));
    let floats = (
        number([0.0, 0.25, 1.0, 1.75, 2.0]),
        number([0.0, 0.5, 0.96, 0.995, 1.0]),
        number([-2.0, -0.5, 0.0, 0.5, 2.0]),
        number([-1.5, 0.0, 0.25, 1.0, 1.25]),
    );
    let counts = (
        maybe(0.5, prop_oneof![1..40_u64, 1000..1100_u64, 2000..40_000_u64]),
        maybe(0.4, prop_oneof![1..100_u64, 400..600_u64]),
        maybe(0.4, any::<i32>().prop_map(i64::from)),
        maybe(0.1, 1..4_u64),
    );
    let rest = (
        maybe(0.4, vec(stop(), 1..8)),
        maybe(0.2, any::<bool>()),
        maybe(0.2, 0..5_u64),
    );
    (floats, counts, rest).prop_map(|(floats, counts, (stop, logprobs, top_logprobs))| Sampling {
        max_output_tokens: at("max_tokens", counts.0),
        temperature: floats.0,
        top_p: floats.1,
        top_k: counts.1,
        stop: at("stop", stop),
        seed: counts.2,
        frequency_penalty: floats.2,
        presence_penalty: floats.3,
        n: counts.3,
        logprobs,
        top_logprobs,
    })
}

fn stop() -> impl Strategy<Value = Cow<'static, str>> {
    prop_oneof![8 => words().boxed(), 1 => Just("\n".to_owned()).boxed()].prop_map(Cow::Owned)
}

/// Whatever JSON schemas say: also what is not an object, not closed, or says nothing.
pub(super) fn schema() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        words().prop_map(|text| json!({"type": "string", "description": text})),
        Just(json!({"type": ["integer", "null"], "minimum": 1e21})),
        Just(json!({"enum": ["a", "", null, 1.5]})),
        Just(json!({"$ref": "#/$defs/x"})),
        Just(json!({})),
    ];
    let inner = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            2 => object(inner.clone()),
            1 => inner.clone().prop_map(|items| json!({"type": "array", "items": items, "maxItems": 3})),
            1 => vec(inner, 1..3).prop_map(|any| json!({"anyOf": any})),
        ]
    });
    prop_oneof![
        6 => object(inner.clone()),
        1 => Just(json!({"type": "object"})),
        1 => Just(json!({"type": "object", "properties": {}, "additionalProperties": false})),
        1 => inner,
    ]
    .prop_map(|schema| schema.to_string())
}

fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let names = select(vec!["a", "type", "required", "max_items", "é \"", "properties"]);
    let fields = proptest::collection::btree_map(names, inner, 0..4);
    (fields, 0..4_usize, any::<bool>()).prop_map(|(fields, required, closed)| {
        let required: Vec<_> = fields.keys().copied().take(required).collect();
        let mut schema = json!({"type": "object", "properties": fields, "required": required});
        if closed {
            schema["additionalProperties"] = json!(false);
        }
        schema
    })
}

fn output(client: Dialect) -> BoxedStrategy<Output<'static>> {
    let schema = schema().prop_map(|schema| match serde_json::from_str::<Value>(&schema) {
        Ok(Value::Object(_)) => schema,
        _ => "{}".to_owned(),
    });
    let name = if matches!(client, Dialect::OpenAi | Dialect::Responses) {
        "[a-z]{1,9}".prop_map(Some).boxed()
    } else {
        Just(None).boxed()
    };
    let says = matches!(client, Dialect::OpenAi | Dialect::Responses | Dialect::Bedrock);
    let strict = matches!(client, Dialect::OpenAi | Dialect::Responses);
    let of_schema =
        (name, of(words()), schema, of(any::<bool>())).prop_map(move |given| Output::JsonSchema {
            name: given.0.map(Cow::Owned),
            description: given.1.filter(|_| says).map(Cow::Owned),
            schema: given.2.into(),
            strict: given.3.filter(|_| strict),
        });
    // Claude's own dialects have schemas only.
    if matches!(client, Dialect::Anthropic | Dialect::Bedrock) {
        return of_schema.boxed();
    }
    prop_oneof![1 => Just(Output::Text), 1 => Just(Output::JsonObject), 2 => of_schema].boxed()
}

fn reasoning(client: Dialect) -> impl Strategy<Value = Reasoning<'static>> {
    let mode = prop_oneof![
        Just(Thinking::Off),
        prop_oneof![1..2000_u64, 2000..50_000_u64].prop_map(Thinking::Budget),
        Just(Thinking::Adaptive),
    ];
    let words: &[&str] = match client {
        Dialect::Gemini => &["minimal", "low", "medium", "high"],
        Dialect::Anthropic => &["low", "medium", "high", "max"],
        _ => &["none", "minimal", "low", "medium", "high", "xhigh"],
    };
    let (has_mode, has_effort) = match client {
        Dialect::Responses => (0.0, 0.4),
        Dialect::Cohere => (0.4, 0.0),
        _ => (0.3, 0.3),
    };
    (maybe(has_mode, mode), maybe(has_effort, select(words.to_vec()))).prop_map(move |(mode, effort)| {
        // Who says both says one thing with them.
        let is_said = mode.is_some() && client != Dialect::Anthropic;
        Reasoning {
            mode: at("thinking", mode),
            effort: at("effort", effort.filter(|_| !is_said).map(Cow::Borrowed)),
        }
    })
}

/// Fields that only the client's dialect knows, of those that it has.
fn extra(client: Dialect) -> impl Strategy<Value = Extra<'static>> {
    let known: &[(&'static str, &'static str)] = match client {
        Dialect::OpenAi => &[
            ("logit_bias", r#"{"1":2}"#),
            ("metadata", r#"{"a":"b"}"#),
            ("verbosity", r#""low""#),
            ("prompt_cache_key", r#""k""#),
        ],
        Dialect::Responses => &[
            ("metadata", r#"{"a":"b"}"#),
            ("text.verbosity", r#""low""#),
            ("reasoning.summary", r#""detailed""#),
            ("truncation", r#""auto""#),
        ],
        Dialect::Anthropic => &[("container", r#""c""#), ("newField", "[1]")],
        Dialect::Gemini => &[
            ("labels", r#"{"a":"b"}"#),
            ("generationConfig.speechConfig", r#"{"a":1}"#),
            ("generationConfig.thinkingConfig.newField", "1"),
            ("toolConfig.retrievalConfig", r#"{"a":1}"#),
        ],
        Dialect::Cohere => &[("safety_mode", r#""OFF""#), ("priority", "3")],
        Dialect::Bedrock => &[
            ("requestMetadata", r#"{"a":"b"}"#),
            ("additionalModelRequestFields.x", "1"),
            ("inferenceConfig.newField", "1"),
        ],
    };
    proptest::sample::subsequence(known, 0..=known.len()).prop_map(|fields| {
        fields
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect()
    })
}

fn tool(client: Dialect) -> impl Strategy<Value = Tool<'static>> {
    let names: &[&str] = match client {
        Dialect::Gemini => &["f", "get.weather:", "_x"],
        Dialect::Cohere => &["f", "get_weather"],
        _ => &["f", "get_weather", "look-up", "2go"],
    };
    let strict = !matches!(client, Dialect::Gemini | Dialect::Cohere);
    let description = of(prop_oneof![6 => words(), 1 => Just(String::new()), 1 => Just(" ".to_owned())]);
    let function = (
        select(names.to_vec()),
        description,
        of(schema()),
        of(any::<bool>()),
    )
        .prop_map(move |(name, description, schema, said)| {
            ToolKind::Function(Function {
                name: name.into(),
                description: description.map(Cow::Owned),
                schema: schema.map(Cow::Owned),
                strict: said.filter(|_| strict),
                custom: None,
            })
        });
    let opaque = match client {
        Dialect::Gemini => r#"{"googleSearch":{"a":1}}"#,
        Dialect::Bedrock => r#"{"systemTool":{"name":"s"}}"#,
        _ => r#"{"type":"web_search_1","name":"w"}"#,
    };
    let kind = prop_oneof![8 => function, 1 => Just(ToolKind::Opaque(opaque))];
    (
        kind,
        maybe(0.2, cache(client)),
        maybe(0.2, Just(vec![("mark".into(), "1")])),
    )
        .prop_map(move |(kind, cache, extra)| {
            let is_function = matches!(kind, ToolKind::Function(_));
            let marks = matches!(client, Dialect::OpenAi | Dialect::Anthropic | Dialect::Bedrock);
            Tool {
                at: String::new(),
                kind,
                cache: cache.filter(|_| is_function && marks),
                extra: extra.filter(|_| is_function).unwrap_or_default(),
            }
        })
}

/// A mark, with the times that the dialect has.
pub(super) fn cache(client: Dialect) -> impl Strategy<Value = Cache<'static>> {
    let times = match client {
        Dialect::Responses => vec![None],
        _ => vec![None, Some("5m"), Some("1h")],
    };
    select(times).prop_map(|ttl| Cache {
        ttl: ttl.map(Cow::Borrowed),
    })
}

/// Sometimes something, at this rate; never, at none.
pub(super) fn maybe<S>(rate: f64, given: S) -> BoxedStrategy<Option<S::Value>>
where
    S: Strategy + 'static,
    S::Value: Clone,
{
    if rate > 0.0 {
        weighted(rate, given).boxed()
    } else {
        Just(None).boxed()
    }
}
